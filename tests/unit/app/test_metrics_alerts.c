/* The alerts on a page: counted by rule, shown by instance, of the same moments whatever happens meanwhile.
 */
#include "app/metrics_instances.h"
#include "util/macros.h"
#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void gather_all(struct instance_rows *rows, const struct fleet *fleet, uint32_t piece)
{
    while (!instance_rows_gather(rows, fleet, piece))
        ;
}

static const char *write_all(struct instance_rows *rows, uint32_t piece, struct buf *out)
{
    struct prom_writer writer = prom_writer_of(out, PROM_TEXT);
    struct instance_cursor cursor = {0};

    buf_reset(out, SIZE_MAX);
    instance_rows_write_alerts(rows, &writer);
    while (!instance_rows_write(rows, &cursor, &writer, piece))
        ;
    instance_rows_clear(rows);
    return buf_text(out);
}

/* The page, made in pieces of PIECE. */
static const char *page_of(const struct watch_fixture *w, uint32_t piece, struct buf *out)
{
    struct instance_rows rows;

    instance_rows_init(&rows, &w->f.fleet, 0, w->now_ms);
    gather_all(&rows, &w->f.fleet, piece);
    return write_all(&rows, piece, out);
}

static bool has_line(const char *page, const char *line)
{
    const char *found = page;

    while ((found = strstr(found, line))) {
        if ((found == page || found[-1] == '\n') && found[strlen(line)] == '\n')
            return true;
        found++;
    }
    return false;
}

static void assert_count(const char *page, const char *alert, const char *severity, int pending, int firing)
{
    const int counts[ALERT_STATUSES] = {pending, firing};

    for (int i = 0; i < ALERT_STATUSES; i++) {
        char line[200];

        (void)snprintf(line, sizeof(line), "mt5stated_alerts{alert=\"%s\",severity=\"%s\",status=\"%s\"} %d",
                       alert, severity, alert_status_name((enum alert_status)i), counts[i]);
        if (!has_line(page, line))
            fail_msg("no line %s in:\n%s", line, page);
    }
}

static size_t count_of(const char *page, const char *text)
{
    size_t count = 0;

    for (const char *at = page; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void assert_firing(const char *page, const char *id, const char *alert, bool expected)
{
    char line[200];

    (void)snprintf(line, sizeof(line), "mt5stated_alert_firing{instance_id=\"%s\",alert=\"%s\"} 1", id,
                   alert);
    if (has_line(page, line) != expected)
        fail_msg("%s line %s in:\n%s", expected ? "no" : "there is", line, page);
}

static void test_alert_marks_of_a_calm_fleet_count_0_for_each_rule(void **state)
{
    struct watch_fixture *w = *state;
    struct buf out = BUF_INIT;
    const char *page;

    watch_fixture_rule(w, "HighLoadAverage")->enabled = false;
    watch_fixture_configure(w);
    watch_add(w, 1000, "mt5-1", "");
    page = page_of(w, 100, &out);
    assert_count(page, "HighCpuUsage", "warning", 0, 0);
    assert_count(page, "RecoveryFailure", "critical", 0, 0);
    assert_count(page, "FleetFailure", "critical", 0, 0);
    assert_int_equal(count_of(page, "HighLoadAverage"), 0);
    assert_int_equal(count_of(page, "mt5stated_alerts{"), 2 * 8);
    assert_int_equal(count_of(page, "mt5stated_alert_firing"), 0);
    assert_int_equal(count_of(page, "mt5stated_rule_unevaluable"), 0);
    buf_clear(&out);
}

static void test_alert_marks_follow_the_alerts(void **state)
{
    struct watch_fixture *w = *state;
    struct buf out = BUF_INIT;
    const char *page;

    watch_add(w, 1000, "mt5-1", "");
    watch_add(w, 1000, "mt5-2", "");
    watch_say(w, 2000, "mt5-1", "cpu_usage=90 queue_length=500");
    watch_say(w, 2000, "mt5-2", "queue_length=500");
    page = page_of(w, 100, &out);
    assert_count(page, "HighCpuUsage", "warning", 1, 0);
    assert_count(page, "HighQueueLength", "warning", 0, 2);
    assert_firing(page, "mt5-1", "HighCpuUsage", false);
    assert_firing(page, "mt5-1", "HighQueueLength", true);
    assert_firing(page, "mt5-2", "HighQueueLength", true);
    watch_say(w, 3000, "mt5-1", "queue_length=1");
    page = page_of(w, 100, &out);
    assert_count(page, "HighQueueLength", "warning", 0, 1);
    assert_firing(page, "mt5-1", "HighQueueLength", false);
    watch_run(w, 12001);
    page = page_of(w, 100, &out);
    assert_count(page, "HighCpuUsage", "warning", 0, 1);
    assert_firing(page, "mt5-1", "HighCpuUsage", true);
    buf_clear(&out);
}

static void test_alert_marks_show_a_rule_that_lacks_a_limit(void **state)
{
    static const char line[] =
        "mt5stated_rule_unevaluable{instance_id=\"mt5-1\",alert=\"HighMemoryUsage\"} 1";
    struct watch_fixture *w = *state;
    struct buf out = BUF_INIT;

    watch_add(w, 1000, "mt5-1", "memory_usage=100");
    watch_add(w, 1000, "mt5-2", "memory_usage=100 memory_limit=1000");
    assert_true(has_line(page_of(w, 100, &out), line));
    assert_int_equal(count_of(buf_text(&out), "mt5stated_rule_unevaluable{"), 1);
    watch_say(w, 2000, "mt5-1", "memory_limit=1000");
    assert_int_equal(count_of(page_of(w, 100, &out), "mt5stated_rule_unevaluable"), 0);
    buf_clear(&out);
}

/* The broker is also all there is: both groups are open, the wider one is told of. */
static void test_alert_marks_count_the_groups_that_are_told(void **state)
{
    struct watch_fixture *w = *state;
    struct buf out = BUF_INIT;
    char id[16];

    for (int i = 0; i < 6; i++) {
        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        watch_add(w, 1000, id, "");
    }
    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        fixture_report(&w->f, 2000, id, "state=crashed");
    }
    watch_tick(w, 2000);
    assert_int_equal(w->f.fleet.watch->breaker.open_count, 2);
    assert_count(page_of(w, 100, &out), "FleetFailure", "critical", 0, 1);
    assert_count(page_of(w, 1, &out), "FleetFailure", "critical", 0, 1);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        fixture_report(&w->f, 3000, id, "state=running");
    }
    watch_tick(w, 3000);
    assert_count(page_of(w, 100, &out), "FleetFailure", "critical", 0, 0);
    buf_clear(&out);
}

static void test_alert_marks_of_a_rule_with_the_name_of_ours_are_added(void **state)
{
    struct watch_fixture *w = *state;
    struct buf out = BUF_INIT;
    struct rule *rule = watch_fixture_rule(w, "SocketFailure");

    ident_set(&rule->name, slice_text("FleetFailure"));
    watch_fixture_configure(w);
    watch_add(w, 1000, "mt5-1", "");
    watch_say(w, 1000, "mt5-1", "socket_connections=0");
    assert_count(page_of(w, 100, &out), "FleetFailure", "critical", 0, 1);
    assert_int_equal(count_of(buf_text(&out), "mt5stated_alerts{alert=\"FleetFailure\""), 2);
    buf_clear(&out);
}

static void crowd(struct watch_fixture *w)
{
    for (int i = 0; i < 12; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        watch_add(w, 1000, id, i % 3 ? "memory_usage=5" : "");
        watch_say(w, 1000, id, i % 2 ? "cpu_usage=90 queue_length=500 load_average=9" : "cpu_usage=90");
    }
}

/* However small the pieces are, the page is the same. */
static void test_alert_marks_in_pieces(void **state)
{
    struct watch_fixture *w = *state;
    struct buf whole = BUF_INIT, pieces = BUF_INIT;

    crowd(w);
    page_of(w, 1000, &whole);
    assert_int_equal(count_of(whole.data, "mt5stated_alert_firing{"), 6 * 2);
    assert_int_equal(count_of(whole.data, "mt5stated_rule_unevaluable{"), 8);
    for (uint32_t piece = 1; piece < 14; piece++)
        assert_string_equal(page_of(w, piece, &pieces), whole.data);
    buf_clear(&whole);
    buf_clear(&pieces);
}

/* Rules change their places, and one goes, while the fleet is copied. */
static void test_alert_marks_keep_their_rules_over_a_reload(void **state)
{
    struct watch_fixture *w = *state;
    struct rule_set *rules = &w->options.rules;
    struct instance_rows rows;
    struct buf out = BUF_INIT;
    const char *page;

    watch_add(w, 1000, "mt5-1", "");
    watch_add(w, 1000, "mt5-2", "");
    watch_say(w, 1000, "mt5-1", "queue_length=500");
    watch_say(w, 1000, "mt5-2", "queue_length=500 load_average=9");
    instance_rows_init(&rows, &w->f.fleet, 0, w->now_ms);
    assert_false(instance_rows_gather(&rows, &w->f.fleet, 1));
    memmove(&rules->rules[0], &rules->rules[1], --rules->count * sizeof(rules->rules[0]));
    *watch_fixture_rule(w, "HighLoadAverage") = rules->rules[--rules->count];
    watch_fixture_configure(w);
    gather_all(&rows, &w->f.fleet, 1);
    page = write_all(&rows, 100, &out);
    assert_count(page, "HighQueueLength", "warning", 0, 2);
    assert_count(page, "HighLoadAverage", "warning", 0, 0);
    assert_firing(page, "mt5-1", "HighQueueLength", true);
    assert_firing(page, "mt5-2", "HighQueueLength", true);
    assert_firing(page, "mt5-2", "HighLoadAverage", false);
    buf_clear(&out);
}

/* What goes while the fleet is copied does not count. */
static void test_alert_marks_of_what_is_gone_do_not_count(void **state)
{
    struct watch_fixture *w = *state;
    struct instance_rows rows;
    struct buf out = BUF_INIT;
    const char *page;

    watch_add(w, 1000, "mt5-1", "memory_usage=5");
    watch_add(w, 1000, "mt5-2", "");
    watch_say(w, 1000, "mt5-1", "cpu_usage=90 queue_length=500");
    watch_say(w, 1000, "mt5-2", "queue_length=500");
    instance_rows_init(&rows, &w->f.fleet, 0, w->now_ms);
    assert_false(instance_rows_gather(&rows, &w->f.fleet, 1));
    fleet_forget(&w->f.fleet, watch_find(w, "mt5-1"));
    gather_all(&rows, &w->f.fleet, 1);
    page = write_all(&rows, 100, &out);
    assert_count(page, "HighCpuUsage", "warning", 0, 0);
    assert_count(page, "HighQueueLength", "warning", 0, 1);
    assert_int_equal(count_of(page, "mt5-1"), 0);
    buf_clear(&out);
}

static int setup(void **state)
{
    static struct watch_fixture fixture;

    watch_fixture_init(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_alert_marks_of_a_calm_fleet_count_0_for_each_rule),
        TEST(test_alert_marks_follow_the_alerts),
        TEST(test_alert_marks_show_a_rule_that_lacks_a_limit),
        TEST(test_alert_marks_count_the_groups_that_are_told),
        TEST(test_alert_marks_of_a_rule_with_the_name_of_ours_are_added),
        TEST(test_alert_marks_in_pieces),
        TEST(test_alert_marks_keep_their_rules_over_a_reload),
        TEST(test_alert_marks_of_what_is_gone_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
