/* redis_clip.h: long strings reach the parser cut, and what is around them as it was, however the bytes come.
 */
#include "../../../src/adapters/redis_clip.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

/* As redis_wire.c does, in parts of STEP bytes. */
static redisReply *parse(struct slice bytes, size_t step)
{
    redisReader *reader = redisReaderCreate();
    struct redis_clip clip = {0};
    void *reply = NULL;

    reader->maxbuf = 0;
    while (bytes.len > 0 && !reply) {
        size_t part = bytes.len < step ? bytes.len : step;
        bool has_ended;
        size_t skipped = redis_clip_skip(&clip, part, &has_ended);

        if (has_ended)
            assert_int_equal(redisReaderFeed(reader, "\r\n", 2), REDIS_OK);
        else if (!skipped)
            assert_int_equal(redisReaderFeed(reader, bytes.data, part), REDIS_OK);
        part = skipped ? skipped : part;
        bytes = slice_of(bytes.data + part, bytes.len - part);
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        redis_clip_look(&clip, reader);
        assert_true(reader->len < 2 * REDIS_CLIP_BYTES);
    }
    assert_int_equal(bytes.len, 0);
    redisReaderFree(reader);
    return reply;
}

static void add_string(struct buf *out, size_t len, char c)
{
    char *text = mem_new(len, 1);

    memset(text, c, len);
    buf_add_format(out, "$%zu\r\n", len);
    buf_add(out, text, len);
    buf_add_text(out, "\r\n");
    free(text);
}

static void assert_string(const redisReply *reply, size_t len, char c)
{
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_int_equal(reply->len, len);
    for (size_t i = 0; i < len; i++) {
        if (reply->str[i] != c)
            fail_msg("byte %zu is %c", i, reply->str[i]);
    }
}

static void check(size_t len, size_t step)
{
    struct buf bytes = BUF_INIT;
    redisReply *reply;

    buf_add_text(&bytes, "*3\r\n");
    add_string(&bytes, 3, 'a');
    add_string(&bytes, len, 'b');
    add_string(&bytes, 5, 'c');
    reply = parse(buf_slice(&bytes), step);
    assert_non_null(reply);
    assert_int_equal(reply->elements, 3);
    assert_string(reply->element[0], 3, 'a');
    /* One that comes as a whole, or nearly so, is not worth cutting. */
    assert_string(reply->element[1], reply->element[1]->len == len ? len : REDIS_CLIP_BYTES, 'b');
    if (len > REDIS_CLIP_BYTES + 2 * step + 100)
        assert_int_equal(reply->element[1]->len, REDIS_CLIP_BYTES);
    if (len <= REDIS_CLIP_BYTES)
        assert_int_equal(reply->element[1]->len, len);
    assert_string(reply->element[2], 5, 'c');
    freeReplyObject(reply);
    buf_clear(&bytes);
}

static void test_a_long_string_is_cut_and_its_neighbours_are_not(void **state)
{
    static const size_t steps[] = {4096, 4099, 32768, 65537};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        check(10, steps[i]);
        check(REDIS_CLIP_BYTES, steps[i]);
        check(REDIS_CLIP_BYTES + 1, steps[i]);
        check(4 * REDIS_CLIP_BYTES, steps[i]);
        check(10 * REDIS_CLIP_BYTES + 12345, steps[i]);
    }
}

/* Each way in which the end of the string and its line break fall on the parts. */
static void test_the_cut_may_end_anywhere_in_a_part(void **state)
{
    UNUSED(state);
    for (size_t more = 0; more < 40; more++)
        check(REDIS_CLIP_BYTES + 8192 + more, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_string_is_cut_and_its_neighbours_are_not),
        cmocka_unit_test(test_the_cut_may_end_anywhere_in_a_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
