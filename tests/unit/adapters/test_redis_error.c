/* The kinds of Redis errors. */
#include "adapters/redis_link.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_classify_goes_by_the_first_word(void **state)
{
    static const struct {
        const char *text;
        enum redis_error error;
    } rows[] = {
        {"NOAUTH Authentication required.", REDIS_ERROR_NOAUTH},
        {"WRONGPASS invalid username-password pair or user is disabled.", REDIS_ERROR_NOAUTH},
        {"ERR invalid password", REDIS_ERROR_NOAUTH},
        {"NOPERM this user has no permissions to run the 'set' command", REDIS_ERROR_NOPERM},
        {"ERR The user executing the script can't run this command or subcommand", REDIS_ERROR_NOPERM},
        {"LOADING Redis is loading the dataset in memory", REDIS_ERROR_LOADING},
        {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
         REDIS_ERROR_LOADING},
        {"MISCONF Redis is configured to save RDB snapshots", REDIS_ERROR_MISCONF},
        {"NOREPLICAS Not enough good replicas to write.", REDIS_ERROR_MISCONF},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_ERROR_OOM},
        {"READONLY You can't write against a read only replica.", REDIS_ERROR_READONLY},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", REDIS_ERROR_WRONGTYPE},
        {"NOSCRIPT No matching script. Please use EVAL.", REDIS_ERROR_NOSCRIPT},
        {"NOGROUP No such key 's' or consumer group 'g'", REDIS_ERROR_NOGROUP},
        {"BUSY Redis is busy running a script.", REDIS_ERROR_BUSY},
        {"BUSY", REDIS_ERROR_BUSY},
        {"BUSYGROUP Consumer Group name already exists", REDIS_ERROR_OTHER},
        {"BUSYKEY Target key name already exists.", REDIS_ERROR_OTHER},
        {"noauth in lower case", REDIS_ERROR_OTHER},
        {" NOAUTH", REDIS_ERROR_OTHER},
        {"ERR NOAUTH", REDIS_ERROR_OTHER},
        {"ERR invalid pass", REDIS_ERROR_OTHER},
        {"UNBLOCKED the stream key no longer exists", REDIS_ERROR_OTHER},
        {"NOAUTHX", REDIS_ERROR_OTHER},
        {"NOAUT", REDIS_ERROR_OTHER},
        {"", REDIS_ERROR_OTHER},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(redis_error_classify(slice_text(rows[i].text)), rows[i].error);
}

static void test_classify_reads_no_further_than_the_slice(void **state)
{
    UNUSED(state);
    assert_int_equal(redis_error_classify(slice_of("OOMX", 3)), REDIS_ERROR_OOM);
    assert_int_equal(redis_error_classify(slice_of(NULL, 0)), REDIS_ERROR_OTHER);
}

static void test_name_is_one_word_for_each(void **state)
{
    UNUSED(state);
    assert_string_equal(redis_error_name(REDIS_ERROR_OTHER), "other");
    assert_string_equal(redis_error_name(REDIS_ERROR_BUSY), "busy");
    assert_string_equal(redis_error_name(redis_error_classify(slice_text("WRONGPASS x"))), "noauth");
    assert_string_equal(redis_error_name((enum redis_error)1000), "other");
    for (int e = REDIS_ERROR_OTHER; e <= REDIS_ERROR_BUSY; e++)
        assert_non_null(redis_error_name((enum redis_error)e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify_goes_by_the_first_word),
        cmocka_unit_test(test_classify_reads_no_further_than_the_slice),
        cmocka_unit_test(test_name_is_one_word_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
