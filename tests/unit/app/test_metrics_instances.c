/* The families by instance: what is written for what was reported, and what happens to a page while the fleet
 * changes. */
#include "app/metrics_instances.h"
#include "fleet_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void write_all(const struct instance_rows *rows, struct buf *out, uint32_t piece)
{
    struct prom_writer writer = prom_writer_of(out, PROM_TEXT);
    struct instance_cursor cursor = {0};

    while (!instance_rows_write(rows, &cursor, &writer, piece))
        ;
}

/* The page at NOW_MS, made in pieces of PIECE. */
static const char *page_of(const struct fleet *fleet, double memory_limit_mb, int64_t now_ms, uint32_t piece,
                           struct buf *out)
{
    struct instance_rows rows;

    buf_reset(out, SIZE_MAX);
    instance_rows_init(&rows, fleet, memory_limit_mb, now_ms);
    while (!instance_rows_gather(&rows, fleet, piece))
        ;
    write_all(&rows, out, piece);
    instance_rows_clear(&rows);
    return buf_text(out);
}

static void assert_has(const char *page, const char *line)
{
    const char *found = strstr(page, line);

    if (!found || (found != page && found[-1] != '\n') || found[strlen(line)] != '\n')
        fail_msg("no line %s in:\n%s", line, page);
}

static void assert_has_not(const char *page, const char *text)
{
    if (strstr(page, text))
        fail_msg("%s is in:\n%s", text, page);
}

static size_t count_of(const char *page, const char *text)
{
    size_t count = 0;

    for (const char *at = page; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void test_instance_rows_write_what_was_reported(void **state)
{
    static const char *const lines[] = {
        "# HELP mt5_instance_up 1 while the instance is running, else 0",
        "# TYPE mt5_instance_up gauge",
        "mt5_instance_up{instance_id=\"mt5-1\"} 1",
        "mt5_instance_state{instance_id=\"mt5-1\",state=\"running\"} 1",
        "mt5_instance_state{instance_id=\"mt5-1\",state=\"stopped\"} 0",
        "mt5_instance_state{instance_id=\"mt5-1\",state=\"crashed\"} 0",
        "mt5_instance_state{instance_id=\"mt5-1\",state=\"restarting\"} 0",
        "mt5_instance_health{instance_id=\"mt5-1\",health_status=\"healthy\"} 0",
        "mt5_instance_health{instance_id=\"mt5-1\",health_status=\"warning\"} 1",
        "mt5_instance_health{instance_id=\"mt5-1\",health_status=\"critical\"} 0",
        "mt5_instance_info{instance_id=\"mt5-1\",broker_id=\"b1\",host_id=\"h1\",launch_mode=\"manual\"} 1",
        "mt5_instance_cpu_usage_percent{instance_id=\"mt5-1\"} 12.5",
        "mt5_instance_memory_usage_bytes{instance_id=\"mt5-1\"} 2097152",
        "mt5_instance_memory_limit_bytes{instance_id=\"mt5-1\"} 4194304",
        "mt5_instance_network_usage_bytes_per_second{instance_id=\"mt5-1\"} 1536",
        "mt5_instance_disk_usage_bytes{instance_id=\"mt5-1\"} 1048576",
        "mt5_instance_network_latency_seconds{instance_id=\"mt5-1\"} 0.25",
        "mt5_instance_queue_length{instance_id=\"mt5-1\"} 7",
        "mt5_instance_load_average{instance_id=\"mt5-1\"} 1.25",
        "mt5_instance_socket_connections{instance_id=\"mt5-1\"} 0",
        "mt5_instance_active_connections{instance_id=\"mt5-1\"} 3",
        "mt5_instance_uptime_seconds{instance_id=\"mt5-1\"} 3600",
        "mt5_instance_restarts{instance_id=\"mt5-1\"} 2",
        "mt5_instance_recovery_attempts{instance_id=\"mt5-1\"} 0",
        "mt5_instance_heartbeat_age_seconds{instance_id=\"mt5-1\"} 0.5",
        "mt5_instance_open_trades{instance_id=\"mt5-1\"} 0",
    };
    struct fleet_fixture *f = *state;
    struct buf out = BUF_INIT;
    const char *page;

    fixture_report(
        f, 1000, "mt5-1",
        "broker_id=b1 host_id=h1 state=running launch_mode=manual health_status=warning cpu_usage=12.5 "
        "memory_usage=2 memory_limit=4 network_usage=1.5 disk_usage=1 network_latency=250 queue_length=7 "
        "load_average=1.25 socket_connections=0 active_connections=3 uptime_seconds=3600 restart_count=2");
    page = page_of(&f->fleet, 8, 1500, 100, &out);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_has(page, lines[i]);
    assert_int_equal(count_of(page, "# TYPE "), INSTANCE_FAMILIES - 2); /* nothing fires, no rule is there */
    buf_clear(&out);
}

static void test_instance_rows_leave_out_what_was_never_reported(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf out = BUF_INIT;
    const char *page;

    fixture_register(f, 1000, "mt5-1", "stopped");
    page = page_of(&f->fleet, 0, 1000, 100, &out);
    assert_has(page, "mt5_instance_up{instance_id=\"mt5-1\"} 0");
    assert_has(page, "mt5_instance_info{instance_id=\"mt5-1\",broker_id=\"b1\",launch_mode=\"auto\"} 1");
    assert_has(page, "mt5_instance_uptime_seconds{instance_id=\"mt5-1\"} 0");
    assert_has_not(page, "cpu_usage");
    assert_has_not(page, "memory");
    assert_has_not(page, "latency");
    assert_has_not(page, "host_id");
    page = page_of(&f->fleet, 8, 1000, 100, &out);
    assert_has(page, "mt5_instance_memory_limit_bytes{instance_id=\"mt5-1\"} 8388608");
    buf_clear(&out);
}

static void test_instance_rows_leave_out_what_is_old(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf out = BUF_INIT;

    fixture_register(f, 1000, "mt5-1", "running");
    fixture_report(f, 1000, "mt5-1", "cpu_usage=1 memory_limit=4");
    fixture_report(f, 50000, "mt5-1", "load_average=2");
    assert_non_null(strstr(page_of(&f->fleet, 8, 61000, 100, &out), "cpu_usage"));
    assert_has(page_of(&f->fleet, 8, 61000, 100, &out),
               "mt5_instance_memory_limit_bytes{instance_id=\"mt5-1\"} 4194304");
    assert_has_not(page_of(&f->fleet, 8, 61001, 100, &out), "cpu_usage");
    assert_has(page_of(&f->fleet, 8, 61001, 100, &out),
               "mt5_instance_memory_limit_bytes{instance_id=\"mt5-1\"} 8388608");
    assert_has(page_of(&f->fleet, 8, 61001, 100, &out), "mt5_instance_load_average{instance_id=\"mt5-1\"} 2");
    assert_has(page_of(&f->fleet, 8, 61001, 100, &out),
               "mt5_instance_uptime_seconds{instance_id=\"mt5-1\"} 60");
    buf_clear(&out);
}

static void test_instance_rows_of_an_empty_fleet_write_nothing(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf out = BUF_INIT;

    assert_string_equal(page_of(&f->fleet, 8, 1000, 100, &out), "");
    buf_clear(&out);
}

/* However small the pieces are, the page is the same. */
static void test_instance_rows_in_pieces(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf whole = BUF_INIT, pieces = BUF_INIT;

    for (int i = 0; i < 10; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        fixture_register(f, 1000, id, i % 2 ? "running" : "stopped");
        if (i % 3 == 0)
            fixture_report(f, 1000, id, "cpu_usage=5");
    }
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-0")));
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-4")));
    page_of(&f->fleet, 0, 1000, 1000, &whole);
    assert_int_equal(count_of(whole.data, "mt5_instance_up{"), 8);
    assert_int_equal(count_of(whole.data, "# TYPE mt5_instance_cpu_usage_percent"), 1);
    for (uint32_t piece = 1; piece < 12; piece++)
        assert_string_equal(page_of(&f->fleet, 0, 1000, piece, &pieces), whole.data);
    buf_clear(&whole);
    buf_clear(&pieces);
}

/* Two pages from one copy, in turn and in pieces of their own, while what is written is taken away and the
 * fleet goes on: each is the page that would be written in one go. */
static void test_instance_rows_for_several_pages(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf whole = BUF_INIT;

    for (int i = 0; i < 7; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        fixture_register(f, 1000, id, "running");
    }
    page_of(&f->fleet, 0, 1000, 1000, &whole);
    for (uint32_t piece = 1; piece < 9; piece++) {
        struct instance_rows rows;
        struct instance_cursor cursors[2] = {{0}};
        struct buf parts[2] = {BUF_INIT, BUF_INIT}, pages[2] = {BUF_INIT, BUF_INIT};
        bool is_done[2] = {false, false};

        instance_rows_init(&rows, &f->fleet, 0, 1000);
        while (!instance_rows_gather(&rows, &f->fleet, piece))
            ;
        for (int step = 0; !is_done[0] || !is_done[1]; step++) {
            int p = step % 2;
            struct prom_writer writer = prom_writer_of(&parts[p], PROM_TEXT);

            /* A writer knows the name of the family that it began. */
            writer.name = slice_text(instance_family_info(cursors[p].family % INSTANCE_FAMILIES)->name);
            is_done[p] =
                is_done[p] || instance_rows_write(&rows, &cursors[p], &writer, p ? piece : 3 * piece + 1);
            buf_add_slice(&pages[p], buf_slice(&parts[p]));
            parts[p].len = 0;
            fixture_report(f, 1000, "mt5-1", "cpu_usage=9 state=stopped");
        }
        for (int p = 0; p < 2; p++) {
            assert_string_equal(buf_text(&pages[p]), buf_text(&whole));
            buf_clear(&pages[p]);
            buf_clear(&parts[p]);
        }
        instance_rows_clear(&rows);
        fixture_report(f, 1000, "mt5-1", "cpu_usage=9 state=running");
        page_of(&f->fleet, 0, 1000, 1000, &whole);
    }
    buf_clear(&whole);
}

/* An instance that goes and comes again while the fleet is copied would be there twice. */
static void test_instance_rows_show_an_instance_that_came_again_once(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_rows rows;
    struct buf out = BUF_INIT;

    fixture_register(f, 1000, "mt5-1", "running");
    fixture_register(f, 1000, "mt5-2", "running");
    fixture_register(f, 1000, "mt5-3", "running");
    fixture_register(f, 1000, "mt5-4", "running");
    instance_rows_init(&rows, &f->fleet, 0, 1000);
    assert_false(instance_rows_gather(&rows, &f->fleet, 2));
    /* mt5-1 leaves slot 0; mt5-4 makes room further on, where mt5-1 comes again. */
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")));
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-4")));
    fixture_register(f, 1000, "mt5-1", "stopped");
    fixture_register(f, 1000, "mt5-5", "running");
    while (!instance_rows_gather(&rows, &f->fleet, 2))
        ;
    write_all(&rows, &out, 100);
    assert_int_equal(count_of(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-1\"}"), 1);
    assert_has(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-1\"} 0");
    assert_int_equal(count_of(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-2\"}"), 1);
    assert_int_equal(count_of(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-4\"}"), 0);
    instance_rows_clear(&rows);
    buf_clear(&out);
}

/* The same at each moment of the making of a page, also while it is looked who has gone. */
static void test_instance_rows_never_show_an_instance_twice(void **state)
{
    struct fleet_fixture *f = *state;
    struct buf out = BUF_INIT;

    for (int moment = 0; moment < 14; moment++) {
        struct instance_rows rows;
        bool is_done = false;

        fleet_fixture_clear(f);
        fleet_fixture_init(f); /* slots are taken in their order */
        for (int i = 1; i <= 4; i++) {
            char id[16];

            (void)snprintf(id, sizeof(id), "mt5-%d", i);
            fixture_register(f, 1000, id, "running");
        }
        instance_rows_init(&rows, &f->fleet, 0, 1000);
        for (int step = 0; !is_done; step++) {
            if (step == moment) {
                fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")));
                fixture_register(f, 1000, "mt5-5", "running");
                fixture_register(f, 1000, "mt5-1", "running");
            }
            is_done = instance_rows_gather(&rows, &f->fleet, 1);
        }
        buf_reset(&out, SIZE_MAX);
        write_all(&rows, &out, 100);
        instance_rows_clear(&rows);
        assert_in_range(count_of(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-1\"}"), 0, 1);
        assert_int_equal(count_of(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-4\"}"), 1);
    }
    buf_clear(&out);
}

/* What is written is of the moment of the copy. */
static void test_instance_rows_are_a_copy(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_rows rows;
    struct buf out = BUF_INIT;

    fixture_register(f, 1000, "mt5-1", "running");
    instance_rows_init(&rows, &f->fleet, 0, 1000);
    assert_true(instance_rows_gather(&rows, &f->fleet, 100));
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")));
    fixture_register(f, 1000, "mt5-2", "stopped");
    write_all(&rows, &out, 100);
    assert_has(buf_text(&out), "mt5_instance_up{instance_id=\"mt5-1\"} 1");
    assert_has(buf_text(&out), "mt5_instance_state{instance_id=\"mt5-1\",state=\"running\"} 1");
    assert_has_not(buf_text(&out), "mt5-2");
    instance_rows_clear(&rows);
    buf_clear(&out);
}

static int setup(void **state)
{
    static struct fleet_fixture fixture;

    fleet_fixture_init(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fleet_fixture_clear(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_instance_rows_write_what_was_reported),
        TEST(test_instance_rows_leave_out_what_was_never_reported),
        TEST(test_instance_rows_leave_out_what_is_old),
        TEST(test_instance_rows_of_an_empty_fleet_write_nothing),
        TEST(test_instance_rows_in_pieces),
        TEST(test_instance_rows_for_several_pages),
        TEST(test_instance_rows_show_an_instance_that_came_again_once),
        TEST(test_instance_rows_never_show_an_instance_twice),
        TEST(test_instance_rows_are_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
