/* src/codec/lua/lease.lua in a real Redis server. */
#include "reply_text.h"

#include "util/macros.h"

/* What lease.lua answers to TOKEN, without the time in it. */
static void assert_lease(struct fixture *f, const char *token, const char *ttl_ms, const char *dead,
                         const char *expected)
{
    const char *keys[] = {"mt5stated:leader", "mt5stated:meta", NULL};
    const char *args[] = {token, ttl_ms, dead, NULL};
    struct buf answer = ask_script(f, &script_lease, keys, args);
    char *time = buf_text(&answer) ? strrchr(answer.data, ' ') : NULL;

    assert_non_null(time); /* microseconds, and before them seconds */
    *time = '\0';
    time = strrchr(answer.data, ' ');
    assert_non_null(time);
    *time = '\0';
    assert_string_equal(answer.data, expected);
    buf_clear(&answer);
}

static void connect_fixture(struct fixture *f)
{
    fixture_init(f);
    fixture_connect(f, NULL);
}

static void test_lease_is_taken_where_nobody_holds_it(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    assert_lease(&f, "a#1", "60000", "", "[1 a#1   ");
    assert_answer(&f, "GET mt5stated:leader", "a#1");
    assert_answer(&f, "EXISTS mt5stated:meta", "0"); /* which data this is says the holder, later */
    fixture_clear(&f);
}

static void assert_left(struct fixture *f, const char *epoch, const char *applied, const char *beat,
                        const char *expected)
{
    const char *keys[] = {"mt5stated:leader", "mt5stated:meta", NULL};
    const char *args[] = {"b#1", "60000", "", epoch, applied, beat, NULL};
    struct buf answer = ask_script(f, &script_lease, keys, args);

    assert_memory_equal(buf_text(&answer), expected, strlen(expected));
    buf_clear(&answer);
}

/* Who has been cut off from where it is decided who leads. */
static void test_lease_is_taken_from_whoever_has_it_where_that_is_asked_for(void **state)
{
    const char *keys[] = {"mt5stated:leader", "mt5stated:meta", NULL};
    const char *args[] = {"b#1", "60000", "", "", "", "", "take", NULL};
    struct fixture f;
    struct buf answer;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 3 holder a#1");
    give(&f, "SET mt5stated:leader a#1 PX 5000");
    answer = ask_script(&f, &script_lease, keys, args);
    assert_memory_equal(buf_text(&answer), "[2 b#1 e1 9 4 ", 14);
    buf_clear(&answer);
    assert_answer(&f, "GET mt5stated:leader", "b#1");
    fixture_clear(&f);
}

static void test_lease_that_is_free_is_left_to_who_knows_more(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    assert_left(&f, "e1", "7", "3", "[0    "); /* wiped */
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 3");
    assert_left(&f, "e2", "7", "3", "[0  e1 7 3 ");
    assert_left(&f, "e1", "8", "3", "[0  e1 7 3 ");
    assert_left(&f, "e1", "7", "4", "[0  e1 7 3 ");
    assert_left(&f, "*", "0", "0", "[0  e1 7 3 ");
    assert_answer(&f, "EXISTS mt5stated:leader", "0");
    give(&f, "SET mt5stated:leader a#1 PX 5000");
    assert_left(&f, "*", "0", "0", "[0 a#1 e1 7 3 "); /* it is not free */
    give(&f, "DEL mt5stated:leader");
    assert_left(&f, "e1", "7", "3", "[2 b#1 e1 9 4 ");
    assert_left(&f, "*", "0", "0", "[1 b#1 e1 9 5 "); /* it is ours */
    fixture_clear(&f);
}

static void test_lease_lasts_as_long_as_was_asked_for(void **state)
{
    struct fixture f;
    struct buf ttl;

    UNUSED(state);
    connect_fixture(&f);
    assert_lease(&f, "a#1", "60000", "", "[1 a#1   ");
    give(&f, "PEXPIRE mt5stated:leader 500");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1   "); /* renewed */
    ttl = ask(&f, "PTTL mt5stated:leader");
    assert_in_range(atoi(buf_text(&ttl)), 30000, 60000);
    buf_clear(&ttl);
    assert_lease(&f, "a#1", "20", "", "[1 a#1   ");
    WAIT(&f, strcmp(fixture_ask(&f, "EXISTS mt5stated:leader"), "0") == 0);
    assert_lease(&f, "b#1", "60000", "", "[1 b#1   ");
    fixture_clear(&f);
}

static void test_lease_of_another_is_left_alone(void **state)
{
    struct fixture f;
    struct buf ttl;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 3");
    give(&f, "SET mt5stated:leader a#1 PX 5000");
    assert_lease(&f, "b#1", "60000", "", "[0 a#1 e1 7 3");
    assert_lease(&f, "a#", "60000", "", "[0 a#1 e1 7 3");
    assert_lease(&f, "b#1", "60000", "a#2", "[0 a#1 e1 7 3"); /* the dead one is not who holds it */
    assert_lease(&f, "b#1", "0", "", "[0 a#1 e1 7 3");        /* what is not held cannot be given up */
    assert_lease(&f, "b#1", "0", "a#1", "[0 a#1 e1 7 3");
    ttl = ask(&f, "PTTL mt5stated:leader");
    assert_in_range(atoi(buf_text(&ttl)), 1, 5000);
    buf_clear(&ttl);
    fixture_clear(&f);
}

static void test_lease_of_a_dead_holder_is_taken_over(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 3");
    give(&f, "SET mt5stated:leader a#1 PX 60000");
    assert_lease(&f, "b#1", "60000", "a#1", "[2 b#1 e1 9 4");
    assert_lease(&f, "c#1", "60000", "a#1", "[0 b#1 e1 9 4"); /* too late */
    fixture_clear(&f);
}

static void test_lease_is_given_up(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 3");
    assert_lease(&f, "a#1", "60000", "", "[2 a#1 e1 9 4");
    assert_lease(&f, "a#1", "0", "", "[0  e1 9 4");
    assert_answer(&f, "EXISTS mt5stated:leader", "0");
    assert_lease(&f, "a#1", "0", "", "[0  e1 9 4"); /* twice does no harm */
    assert_lease(&f, "b#1", "60000", "", "[2 b#1 e1 11 5");
    fixture_clear(&f);
}

/* Whoever comes back must not take a batch of the one who held it meanwhile for his own, of which he never
 * heard. */
static void test_numbers_of_batches_go_on_behind_a_gap_for_another_holder(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "HSET mt5stated:meta epoch e1 applied_seq 7 beat 0 holder a#1");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1 e1 7 1"); /* the same one, whatever happened to the lease */
    give(&f, "DEL mt5stated:leader");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1 e1 7 2");
    give(&f, "DEL mt5stated:leader");
    assert_lease(&f, "b#1", "60000", "", "[2 b#1 e1 9 3");
    assert_lease(&f, "b#1", "60000", "", "[1 b#1 e1 9 4");
    give(&f, "HSET mt5stated:meta applied_seq 10"); /* his one batch */
    assert_lease(&f, "b#1", "0", "", "[0  e1 10 4");
    assert_lease(&f, "a#1", "60000", "", "[2 a#1 e1 12 5");
    assert_answer(&f, "HGET mt5stated:meta holder", "a#1");
    fixture_clear(&f);
}

/* The beat tells data that was rolled back from data that only rests: it grows with each renewal, and only
 * there where the data has an epoch. */
static void test_beat_grows_with_each_renewal(void **state)
{
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    assert_lease(&f, "a#1", "60000", "", "[1 a#1   ");
    give(&f, "HSET mt5stated:meta epoch e1");
    assert_lease(&f, "a#1", "60000", "", "[2 a#1 e1  1");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1 e1  2");
    give(&f, "HSET mt5stated:meta beat 9007199254740993");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1 e1  9007199254740994");
    give(&f, "HSET mt5stated:meta beat odd"); /* told as it is */
    assert_lease(&f, "a#1", "60000", "", "[1 a#1 e1  odd");
    give(&f, "DEL mt5stated:meta");
    assert_lease(&f, "a#1", "60000", "", "[1 a#1   ");
    assert_answer(&f, "EXISTS mt5stated:meta", "0");
    fixture_clear(&f);
}

static void test_lease_tells_the_time(void **state)
{
    const char *keys[] = {"mt5stated:leader", "mt5stated:meta", NULL};
    const char *args[] = {"a#1", "60000", "", NULL};
    struct fixture f;
    struct buf answer;
    struct timespec now;
    char *last;

    UNUSED(state);
    connect_fixture(&f);
    answer = ask_script(&f, &script_lease, keys, args);
    last = strrchr(buf_text(&answer), ' ');
    assert_non_null(last);
    assert_in_range(strtol(last + 1, NULL, 10), 0, 999999);
    *last = '\0';
    last = strrchr(answer.data, ' ');
    assert_non_null(last);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    assert_in_range(strtol(last + 1, NULL, 10), now.tv_sec - 60, now.tv_sec + 60);
    buf_clear(&answer);
    fixture_clear(&f);
}

/* Behind the time stands whether another one stands by. */
static void test_lease_tells_whether_another_one_stands_by(void **state)
{
    static const char *const keys[] = {"mt5stated:leader", "mt5stated:meta", "mt5stated:standby", NULL};
    static const char *const args[] = {"a#1", "60000", "", NULL};
    static const struct {
        const char *given, *last;
    } rows[] = {{NULL, " 0]"},
                {"SET mt5stated:standby b#1", " 1]"},
                {"SET mt5stated:standby a#1", " 0]"}, /* that was us, a moment ago */
                {"DEL mt5stated:standby", " 0]"},
                {"HSET mt5stated:standby f v", " 0]"}};
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf answer;

        if (rows[i].given)
            give(&f, rows[i].given);
        answer = ask_script(&f, &script_lease, keys, args);
        assert_string_equal(strrchr(buf_text(&answer), ' '), rows[i].last);
        buf_clear(&answer);
    }
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_is_taken_where_nobody_holds_it),
        cmocka_unit_test(test_lease_is_taken_from_whoever_has_it_where_that_is_asked_for),
        cmocka_unit_test(test_lease_that_is_free_is_left_to_who_knows_more),
        cmocka_unit_test(test_lease_tells_whether_another_one_stands_by),
        cmocka_unit_test(test_lease_lasts_as_long_as_was_asked_for),
        cmocka_unit_test(test_lease_of_another_is_left_alone),
        cmocka_unit_test(test_lease_of_a_dead_holder_is_taken_over),
        cmocka_unit_test(test_lease_is_given_up),
        cmocka_unit_test(test_numbers_of_batches_go_on_behind_a_gap_for_another_holder),
        cmocka_unit_test(test_beat_grows_with_each_renewal),
        cmocka_unit_test(test_lease_tells_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
