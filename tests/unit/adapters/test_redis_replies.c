/* redis_replies.h: replies are what hiredis makes of the same bytes, however often memory is used again. */
#include "../../../src/adapters/redis_replies.h"
#include "util/macros.h"
#include "util/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisReader *new_reader(struct redis_replies *replies)
{
    redisReader *reader =
        redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&redis_replies_functions);

    reader->privdata = replies;
    return reader;
}

static void assert_same(const redisReply *is, const redisReply *expected)
{
    assert_non_null(is);
    assert_int_equal(is->type, expected->type);
    assert_int_equal(is->integer, expected->integer);
    assert_int_equal(is->len, expected->len);
    assert_int_equal(is->elements, expected->elements);
    if (expected->str)
        assert_memory_equal(is->str, expected->str, expected->len + 1);
    for (size_t i = 0; i < expected->elements; i++)
        assert_same(is->element[i], expected->element[i]);
}

static void check(redisReader *own, redisReader *theirs, const char *data, size_t len)
{
    void *is = NULL, *expected = NULL;

    assert_int_equal(redisReaderFeed(own, data, len), REDIS_OK);
    assert_int_equal(redisReaderFeed(theirs, data, len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(own, &is), REDIS_OK);
    assert_int_equal(redisReaderGetReply(theirs, &expected), REDIS_OK);
    assert_same(is, expected);
    freeReplyObject(expected);
}

static void test_replies_are_those_of_hiredis(void **state)
{
    static const struct slice bytes[] = {
        SLICE("+OK\r\n"),
        SLICE("-ERR no\r\n"),
        SLICE(":-42\r\n"),
        SLICE("$-1\r\n"),
        SLICE("*-1\r\n"),
        SLICE("$0\r\n\r\n"),
        SLICE("$5\r\na\0b\r\n\r\n"),
        SLICE("*0\r\n"),
        SLICE("*4\r\n*2\r\n$1\r\na\r\n$-1\r\n:7\r\n*-1\r\n*1\r\n*1\r\n+deep\r\n"),
    };
    struct redis_replies replies = {0};
    redisReader *own = new_reader(&replies), *theirs = redisReaderCreate();

    UNUSED(state);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
            check(own, theirs, bytes[i].data, bytes[i].len);
            redis_replies_reset(&replies);
        }
    }
    redis_replies_clear(&replies);
    redisReaderFree(own);
    redisReaderFree(theirs);
}

/* Larger than what is kept, and then small again. */
static void test_replies_of_any_size(void **state)
{
    struct redis_replies replies = {0};
    redisReader *own = new_reader(&replies), *theirs = redisReaderCreate();

    UNUSED(state);
    for (size_t len = 1; len < 300000; len = len * 3 + 1) {
        char *text = malloc(len + 64);
        size_t head = (size_t)sprintf(text, "*2\r\n:1\r\n$%zu\r\n", len);

        memset(text + head, 'x', len);
        memcpy(text + head + len, "\r\n", 2);
        check(own, theirs, text, head + len + 2);
        redis_replies_reset(&replies);
        check(own, theirs, "*2\r\n:1\r\n$1\r\nx\r\n", 15);
        free(text);
        if (len % 2)
            redis_replies_clear(&replies);
    }
    redis_replies_clear(&replies);
    redisReaderFree(own);
    redisReaderFree(theirs);
}

/* The server names more elements than it ever sends. */
static void test_replies_that_do_not_come(void **state)
{
    static const char bytes[] = "*1000000\r\n:1\r\n";
    struct redis_replies replies = {0};
    redisReader *own = new_reader(&replies);
    void *reply = NULL;

    UNUSED(state);
    assert_int_equal(redisReaderFeed(own, bytes, sizeof(bytes) - 1), REDIS_OK);
    assert_int_equal(redisReaderGetReply(own, &reply), REDIS_OK);
    assert_null(reply);
    redisReaderFree(own);
    redis_replies_clear(&replies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_are_those_of_hiredis),
        cmocka_unit_test(test_replies_of_any_size),
        cmocka_unit_test(test_replies_that_do_not_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
