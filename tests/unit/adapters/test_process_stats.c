/* What is read of this very process. */
#include "adapters/process_stats.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <unistd.h>

static void test_process_stats_read_memory_and_time(void **state)
{
    struct process_stats stats;

    UNUSED(state);
    process_stats_read(&stats);
    assert_true(stats.cpu_seconds > 0);
    assert_true(stats.has_memory);
    assert_true(stats.resident_bytes > 100000);
    assert_true(stats.virtual_bytes > stats.resident_bytes);
}

static void test_process_stats_read_counts_files(void **state)
{
    struct process_stats before, with_one_more;
    int fd;

    UNUSED(state);
    process_stats_read(&before);
    fd = dup(STDERR_FILENO);
    process_stats_read(&with_one_more);
    (void)close(fd);
    assert_true(before.has_open_fds);
    assert_int_equal(with_one_more.open_fds, before.open_fds + 1);
}

static void test_process_stats_read_limit_of_files(void **state)
{
    struct process_stats stats;
    struct rlimit limit;

    UNUSED(state);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    process_stats_read(&stats);
    assert_true(stats.has_max_fds);
    assert_int_equal(stats.max_fds, 100);
}

/* Without a descriptor to read with, what needs one is missing and nothing else. */
static void test_process_stats_read_without_descriptors(void **state)
{
    struct process_stats stats;
    struct rlimit limit, none;

    UNUSED(state);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    process_stats_read(&stats);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(stats.has_memory);
    assert_false(stats.has_open_fds);
    assert_true(stats.has_max_fds);
    assert_true(stats.cpu_seconds > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_stats_read_memory_and_time),
        cmocka_unit_test(test_process_stats_read_counts_files),
        cmocka_unit_test(test_process_stats_read_limit_of_files),
        cmocka_unit_test(test_process_stats_read_without_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
