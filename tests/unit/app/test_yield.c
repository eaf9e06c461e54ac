/* Who gets a lease that is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "app/yield.h"
#include "util/macros.h"
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#define EPOCH "00112233445566778899aabbccddeeff"

static void assert_words(const struct yield *y, int64_t now_ms, const char *epoch, const char *applied,
                         const char *beat)
{
    char text[2][NUMBER_TEXT_MAX];
    struct slice words[YIELD_WORDS];

    yield_words(y, "me@1:2:3:4#5", now_ms, text, words);
    assert_true(slice_is(words[0], epoch));
    assert_true(slice_is(words[1], applied));
    assert_true(slice_is(words[2], beat));
}

static void test_who_has_seen_nobody_leaves_it_to_nobody(void **state)
{
    struct yield y = {0};

    UNUSED(state);
    assert_words(&y, 1000, "", "", "");
    yield_link_lost(&y);
    assert_words(&y, 1000, "", "", "");
    yield_note(&y, "he@1:2:3:4#5", "", 7, 8); /* no data that he could know */
    assert_words(&y, 1000, "", "", "");
}

static void test_it_is_left_for_a_while_to_who_held_it(void **state)
{
    struct yield y = {0};

    UNUSED(state);
    yield_note(&y, "he@1:2:3:4#5", EPOCH, 7, 8);
    assert_words(&y, 1000, EPOCH, "7", "8");
    assert_true(yield_begin(&y, 500, 1000));
    assert_false(yield_begin(&y, 500, 1200));
    assert_words(&y, 1499, EPOCH, "7", "8");
    assert_words(&y, 1500, "", "", "");
    yield_note(&y, "he@1:2:3:4#5", EPOCH, 9, 10); /* he is there again */
    assert_words(&y, 1600, EPOCH, "9", "10");
    assert_true(yield_begin(&y, 3600000, 2000));
    assert_words(&y, 2000 + YIELD_MAX_MS - 1, EPOCH, "9", "10");
    assert_words(&y, 2000 + YIELD_MAX_MS, "", "", "");
    yield_clear(&y);
    assert_words(&y, 2000, "", "", "");
}

static void test_behind_another_link_the_data_may_be_older_than_it_shows(void **state)
{
    struct yield y = {0};

    UNUSED(state);
    yield_note(&y, "he@1:2:3:4#5", EPOCH, 7, 8);
    yield_link_lost(&y);
    assert_words(&y, 1000, "*", "7", "8");
}

static void test_nobody_waits_for_the_dead(void **state)
{
    struct yield y = {0};
    char own[HOLDER_TOKEN_MAX], dead[HOLDER_TOKEN_MAX], text[2][NUMBER_TEXT_MAX];
    struct slice words[YIELD_WORDS];

    UNUSED(state);
    holder_make_token(own, "me");
    holder_make_token(dead, "me");
    /* The same process at another time: it ended, and its number was given again. */
    char *hash = strrchr(dead, '#');
    memmove(hash + 1, hash, strlen(hash) + 1);
    *hash = '9';
    assert_true(holder_is_dead(dead, own));
    yield_note(&y, dead, EPOCH, 7, 8);
    yield_words(&y, own, 1000, text, words);
    assert_int_equal(words[0].len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_seen_nobody_leaves_it_to_nobody),
        cmocka_unit_test(test_it_is_left_for_a_while_to_who_held_it),
        cmocka_unit_test(test_behind_another_link_the_data_may_be_older_than_it_shows),
        cmocka_unit_test(test_nobody_waits_for_the_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
