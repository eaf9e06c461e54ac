/* util/alloc.h: what is got is usable, and what cannot be got ends the process with 70. */
#include "util/alloc.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* AddressSanitizer would abort where malloc gives NULL. It calls this by name, and without it nobody does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_mem_new_gives_zeroes(void **state)
{
    char *memory = mem_new(100, 3);

    UNUSED(state);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
}

static void test_mem_new_of_nothing_is_not_null(void **state)
{
    void *memory = mem_new(0, 8);

    UNUSED(state);
    assert_non_null(memory);
    free(memory);
}

static void test_mem_resize_keeps_content(void **state)
{
    char *memory = mem_resize(NULL, 4, 1);

    UNUSED(state);
    memcpy(memory, "abc", 4);
    memory = mem_resize(memory, 10000, 8);
    assert_string_equal(memory, "abc");
    memory = mem_resize(memory, 0, 8);
    assert_non_null(memory);
    free(memory);
}

static void test_mem_copy_text_ends_with_nul(void **state)
{
    char *text = mem_copy_text("abcdef", 3);
    char *empty = mem_copy_text(NULL, 0);

    UNUSED(state);
    assert_string_equal(text, "abc");
    assert_string_equal(empty, "");
    free(text);
    free(empty);
}

static void new_too_many(void)
{
    free(mem_new(SIZE_MAX / 2, 4));
}

static void new_too_much(void)
{
    free(mem_new(1, SIZE_MAX / 4));
}

static void resize_too_many(void)
{
    free(mem_resize(NULL, SIZE_MAX / 2 + 2, 2));
}

static void resize_too_much(void)
{
    free(mem_resize(NULL, 1, SIZE_MAX / 4));
}

static void copy_too_much(void)
{
    free(mem_copy_text("", SIZE_MAX));
}

/* Calls FN in a child that writes its standard error to a pipe; returns the exit status, the output in TEXT.
 */
static int run_in_child(void (*fn)(void), char *text, size_t room)
{
    int ends[2];
    int status;
    ssize_t len;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(ends[1]);
    memset(text, 0, room);
    for (size_t at = 0; at < room - 1; at += (size_t)len) {
        len = read(ends[0], text + at, room - 1 - at);
        if (len <= 0)
            break;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_mem_without_memory_exits_with_70(void **state)
{
    static void (*const calls[])(void) = {new_too_many, new_too_much, resize_too_many, resize_too_much,
                                          copy_too_much};
    char text[8192];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        assert_int_equal(run_in_child(calls[i], text, sizeof(text)), 70);
        assert_non_null(strstr(text, "out of memory\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_new_gives_zeroes),
        cmocka_unit_test(test_mem_new_of_nothing_is_not_null),
        cmocka_unit_test(test_mem_resize_keeps_content),
        cmocka_unit_test(test_mem_copy_text_ends_with_nul),
        cmocka_unit_test(test_mem_without_memory_exits_with_70),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
