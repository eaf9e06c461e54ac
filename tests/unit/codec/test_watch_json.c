/* codec/watch_json.h: read back by another parser, name by name. */
#include "codec/watch_json.h"
#include "core/fleet.h"
#include "fleet_fixture.h"
#include "util/macros.h"
#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define T(ms) (1742638530000 + (ms))
#define NASTY "\"}],\"state\":\"\\\n\x1b</script>"

static struct slice s(const char *text)
{
    return slice_text(text);
}

static struct ident id_of(const char *text)
{
    struct ident id = {0};

    ident_set(&id, s(text));
    return id;
}

/* Takes the text. */
static cJSON *parse(struct buf *text)
{
    cJSON *json = cJSON_ParseWithOpts(buf_text(text), NULL, true);

    if (!json)
        fail_msg("no JSON: %s", buf_text(text));
    buf_clear(text);
    return json;
}

/* The names of OBJECT, in their order. */
static void assert_names(const cJSON *object, const char *expected)
{
    struct buf names = BUF_INIT;
    const cJSON *member;

    assert_true(cJSON_IsObject(object));
    cJSON_ArrayForEach(member, object)
    {
        if (names.len > 0)
            buf_add_char(&names, ' ');
        buf_add_text(&names, member->string);
    }
    assert_string_equal(buf_text(&names), expected);
    buf_clear(&names);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!found)
        fail_msg("no member %s", name);
    return found;
}

static void assert_text(const cJSON *object, const char *name, const char *expected)
{
    assert_true(cJSON_IsString(member(object, name)));
    assert_string_equal(member(object, name)->valuestring, expected);
}

static void assert_number(const cJSON *object, const char *name, double expected)
{
    assert_true(cJSON_IsNumber(member(object, name)));
    assert_true(member(object, name)->valuedouble == expected);
}

static void assert_is_null(const cJSON *object, const char *name)
{
    assert_true(cJSON_IsNull(member(object, name)));
}

/* ---- why ---- */

static void test_why_json_of_steps(void **state)
{
    struct why why = {0};
    struct why_step sample = {.kind = WHY_SAMPLE,
                              .at_ms = T(123),
                              .status = "true",
                              .has_value = true,
                              .value = 92.5,
                              .has_threshold = true,
                              .threshold = 80,
                              .alert = s("HighCpuUsage"),
                              .cause = {CAUSE_REPORT, {T(123), 0}}};
    struct why_step command = {.kind = WHY_COMMAND,
                               .at_ms = T(1123),
                               .status = "issued",
                               .command_id = s("mt5-1.recover.1"),
                               .reason = s(NASTY),
                               .cause = {CAUSE_TIMER, {T(1123), 4}}};
    struct buf out = BUF_INIT;
    cJSON *json;

    (void)state;
    why_add(&why, &sample);
    why_add(&why, &command);
    why_json_add(&out, s("mt5-1"), &why);
    why_clear(&why);
    json = parse(&out);
    assert_names(json, "instance_id why");
    assert_text(json, "instance_id", "mt5-1");
    assert_int_equal(cJSON_GetArraySize(member(json, "why")), 2);

    const cJSON *first = cJSON_GetArrayItem(member(json, "why"), 0);
    const cJSON *second = cJSON_GetArrayItem(member(json, "why"), 1);

    assert_names(first, "at at_ms step status alert value threshold correlation_id");
    assert_text(first, "at", "2025-03-22T10:15:30.123Z");
    assert_number(first, "at_ms", T(123));
    assert_text(first, "step", "sample");
    assert_text(first, "status", "true");
    assert_text(first, "alert", "HighCpuUsage");
    assert_number(first, "value", 92.5);
    assert_number(first, "threshold", 80);
    assert_text(first, "correlation_id", "report-1742638530123-0");
    assert_names(second, "at at_ms step status command_id reason correlation_id");
    assert_text(second, "command_id", "mt5-1.recover.1");
    assert_text(second, "reason", NASTY);
    cJSON_Delete(json);
}

static void test_why_json_of_none_and_of_many(void **state)
{
    struct why why = {0};
    struct buf out = BUF_INIT;
    cJSON *json;

    (void)state;
    why_json_add(&out, s("mt5-1"), NULL);
    assert_string_equal(buf_text(&out), "{\"instance_id\":\"mt5-1\",\"why\":[]}");
    buf_clear(&out);
    for (int i = 0; i < WHY_STEPS + 5; i++)
        why_add(&why, &(struct why_step){.kind = WHY_DECISION, .at_ms = T(i)});
    why_json_add(&out, s("mt5-1"), &why);
    why_clear(&why);
    json = parse(&out);
    assert_int_equal(cJSON_GetArraySize(member(json, "why")), WHY_STEPS);
    assert_number(cJSON_GetArrayItem(member(json, "why"), 0), "at_ms", T(5));
    assert_number(cJSON_GetArrayItem(member(json, "why"), WHY_STEPS - 1), "at_ms", T(WHY_STEPS + 4));
    cJSON_Delete(json);
}

/* ---- an instance ---- */

struct place {
    struct fleet_fixture f;
    struct instance *instance;
};

static int setup(void **state)
{
    static struct place place;

    fleet_fixture_init(&place.f);
    place.instance = NULL;
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    fleet_fixture_clear(&place->f);
    return 0;
}

static struct instance *report(struct place *place, int64_t at_ms, const char *fields)
{
    assert_true(fixture_report(&place->f, at_ms, "mt5-1", fields));
    place->instance = fleet_find(&place->f.fleet, s("mt5-1"));
    assert_non_null(place->instance);
    return place->instance;
}

static cJSON *instance_json(struct place *place, int64_t now_ms)
{
    struct buf out = BUF_INIT;

    instance_json_add(&out, &place->f.fleet, place->instance, now_ms);
    return parse(&out);
}

#define HEAD_NAMES "instance_id broker_id state previous_state state_changed_at desired_state launch_mode "
#define TAIL_NAMES                                                                                           \
    "last_updated_at metrics health alerts maintenance command throttled open_trades heartbeat_age_ms"

static void test_instance_json_of_a_first_report(void **state)
{
    struct place *place = *state;
    cJSON *json;

    report(place, T(250), "broker_id=b1 state=running");
    place->instance->open_trades = 3;
    json = instance_json(place, T(10250));
    assert_names(json, HEAD_NAMES "active_connections " TAIL_NAMES);
    assert_text(json, "instance_id", "mt5-1");
    assert_text(json, "broker_id", "b1");
    assert_text(json, "state", "running");
    assert_is_null(json, "previous_state");
    assert_text(json, "state_changed_at", "2025-03-22T10:15:30Z");
    assert_is_null(json, "desired_state");
    assert_text(json, "launch_mode", "auto");
    assert_number(json, "active_connections", 0);
    assert_text(json, "last_updated_at", "2025-03-22T10:15:30Z");
    assert_int_equal(cJSON_GetArraySize(member(json, "alerts")), 0);
    assert_is_null(json, "maintenance");
    assert_is_null(json, "command");
    assert_true(cJSON_IsFalse(member(json, "throttled")));
    assert_number(json, "open_trades", 3);
    assert_number(json, "heartbeat_age_ms", 10000);
    assert_null(cJSON_GetObjectItem(member(json, "metrics"), "cpu_usage"));
    assert_text(member(json, "health"), "health_status", "healthy");
    assert_number(member(json, "health"), "uptime_seconds", 10);
    assert_number(member(json, "health"), "restart_count", 0);
    assert_number(member(json, "health"), "failed_restarts", 0);
    assert_number(member(json, "health"), "recovery_attempts", 0);
    assert_text(member(json, "health"), "last_error", "");
    cJSON_Delete(json);
}

static void test_instance_json_of_all_that_is_reported(void **state)
{
    struct place *place = *state;
    cJSON *json;

    report(place, T(0), "broker_id=b1 state=stopped");
    report(place, T(1000),
           "host_id=h1 state=running launch_mode=manual active_connections=2 cpu_usage=12.5 memory_usage=1 "
           "network_usage=2 disk_usage=3 memory_limit=4 network_latency=5 queue_length=6 load_average=0.25 "
           "socket_connections=8 uptime_seconds=77 restart_count=9 health_status=warning");
    place->instance->desired_state = STATE_RUNNING;
    json = instance_json(place, T(1000));
    assert_names(json, "instance_id broker_id host_id state previous_state state_changed_at desired_state "
                       "launch_mode active_connections " TAIL_NAMES);
    assert_text(json, "host_id", "h1");
    assert_text(json, "previous_state", "stopped");
    assert_text(json, "desired_state", "running");
    assert_text(json, "launch_mode", "manual");
    assert_number(json, "active_connections", 2);
    assert_names(member(json, "metrics"),
                 "cpu_usage memory_usage network_usage disk_usage memory_limit network_latency queue_length "
                 "load_average socket_connections last_updated_at");
    assert_number(member(json, "metrics"), "cpu_usage", 12.5);
    assert_number(member(json, "metrics"), "load_average", 0.25);
    assert_text(member(json, "metrics"), "last_updated_at", "2025-03-22T10:15:31Z");
    assert_names(member(json, "health"),
                 "health_status reported_health uptime_seconds restart_count failed_restarts "
                 "recovery_attempts last_error last_updated_at");
    assert_text(member(json, "health"), "health_status", "warning");
    assert_text(member(json, "health"), "reported_health", "warning");
    assert_number(member(json, "health"), "uptime_seconds", 77);
    cJSON_Delete(json);
}

static void test_instance_json_never_shows_a_negative_age(void **state)
{
    struct place *place = *state;
    cJSON *json;

    report(place, T(1000), "broker_id=b1 state=running");
    json = instance_json(place, T(0));
    assert_number(json, "heartbeat_age_ms", 0);
    cJSON_Delete(json);
}

static void test_instance_json_of_a_last_error_that_looks_like_json(void **state)
{
    struct place *place = *state;
    cJSON *json;

    report(place, T(0),
           "broker_id=b1 state=running last_error="
           "\"}],\"state\":\"\\");
    json = instance_json(place, T(0));
    assert_text(json, "state", "running");
    assert_text(member(json, "health"), "last_error", "\"}],\"state\":\"\\");
    cJSON_Delete(json);
}

static void test_instance_json_of_maintenance(void **state)
{
    static const struct {
        int64_t until_ms;
        const char *until;
    } rows[] = {{T(60000), "2025-03-22T10:16:30Z"}, {INT64_MAX, NULL}};
    struct place *place = *state;
    struct cause cause = {CAUSE_OPERATOR, {T(0), 0}};

    report(place, T(0), "broker_id=b1 state=running");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *json;

        watch_set_maintenance(&place->f.fleet, place->instance, rows[i].until_ms, s(NASTY), &cause, T(0),
                              place->f.sink);
        json = instance_json(place, T(1));
        assert_names(json, HEAD_NAMES "active_connections " TAIL_NAMES);
        assert_names(member(json, "maintenance"), "reason until");
        assert_text(member(json, "maintenance"), "reason", NASTY);
        if (rows[i].until)
            assert_text(member(json, "maintenance"), "until", rows[i].until);
        else
            assert_is_null(member(json, "maintenance"), "until");
        cJSON_Delete(json);
    }
}

/* ---- alerts ---- */

static struct watch_options options_with(const char *first, const char *second)
{
    struct watch_options options = {.recovery = {.max_attempts = 3, .backoff_count = 1, .max_concurrent = 1}};
    struct rule_set defaults;

    rule_set_init(&defaults);
    options.rules.rules[0] = *rule_set_find(&defaults, s(first));
    options.rules.rules[1] = *rule_set_find(&defaults, s(second));
    options.rules.count = 2;
    return options;
}

/* The instance's alerts are these, whatever its reports say. */
static void give_alerts(struct place *place, struct alert *alerts, uint32_t count)
{
    static struct watched watched;

    watched = (struct watched){.alerts = alerts, .alert_count = count, .record = {.is_throttled = true}};
    place->instance->watched = &watched;
}

static void test_instance_json_of_the_command_under_way(void **state)
{
    struct place *place = *state;
    struct watched *kept;
    cJSON *json;
    const cJSON *command;

    report(place, T(0), "broker_id=b1 state=running");
    kept = place->instance->watched;
    give_alerts(place, NULL, 0);
    place->instance->watched->record.command = (struct command){.is_open = true,
                                                                .kind = COMMAND_REDISTRIBUTE,
                                                                .number = 7,
                                                                .is_accepted = true,
                                                                .attempt = 3,
                                                                .issued_ms = T(0),
                                                                .expires_ms = T(30000),
                                                                .alert = id_of("HighLoadAverage"),
                                                                .target = id_of("mt5-2"),
                                                                .cause = {CAUSE_REPORT, {T(0), 0}}};
    json = instance_json(place, T(1));
    place->instance->watched = kept;
    command = member(json, "command");
    assert_names(command, "command_id command status attempt issued_at expires_at alert target_instance_id "
                          "correlation_id");
    assert_number(command, "attempt", 3);
    assert_text(command, "command_id", "mt5-1.redistribute.7");
    assert_text(command, "command", "redistribute");
    assert_text(command, "status", "accepted");
    assert_text(command, "target_instance_id", "mt5-2");
    cJSON_Delete(json);
}

static void test_alerts_of_an_instance(void **state)
{
    struct place *place = *state;
    struct watch_options options = options_with("HighCpuUsage", "InstanceCrash");
    struct alert alerts[] = {
        {.name = id_of("HighCpuUsage"), .rule = 0, .status = ALERT_PENDING, .since_ms = T(5), .value = 92.5},
        {.name = id_of("InstanceCrash"),
         .rule = 1,
         .status = ALERT_FIRING,
         .since_ms = T(1000),
         .fired_ms = T(2000),
         .value = STATE_CRASHED},
        {.name = id_of("Gone"), .rule = ALERT_NO_RULE, .status = ALERT_FIRING, .value = 1},
    };
    struct watched *kept;
    cJSON *json;
    const cJSON *list;

    report(place, T(0), "broker_id=b1 state=running");
    kept = place->instance->watched;
    place->f.fleet.watch->options = options;
    give_alerts(place, alerts, ARRAY_LEN(alerts));
    json = instance_json(place, T(0));
    place->instance->watched = kept;
    assert_true(cJSON_IsTrue(member(json, "throttled")));
    list = member(json, "alerts");
    assert_int_equal(cJSON_GetArraySize(list), 3);
    assert_names(cJSON_GetArrayItem(list, 0), "alert severity status since value threshold");
    assert_text(cJSON_GetArrayItem(list, 0), "alert", "HighCpuUsage");
    assert_text(cJSON_GetArrayItem(list, 0), "severity", "warning");
    assert_text(cJSON_GetArrayItem(list, 0), "status", "pending");
    assert_text(cJSON_GetArrayItem(list, 0), "since", "2025-03-22T10:15:30Z");
    assert_number(cJSON_GetArrayItem(list, 0), "value", 92.5);
    assert_number(cJSON_GetArrayItem(list, 0), "threshold", 80);
    assert_text(cJSON_GetArrayItem(list, 1), "value", "crashed");
    assert_text(cJSON_GetArrayItem(list, 1), "threshold", "crashed");
    assert_text(cJSON_GetArrayItem(list, 1), "severity", "critical");
    assert_names(cJSON_GetArrayItem(list, 2), "alert status since value");
    cJSON_Delete(json);
}

static cJSON *alert_json(struct place *place, const struct alert *alert)
{
    struct buf out = BUF_INIT;

    alert_json_add(&out, &place->f.fleet, place->instance, alert, s(NASTY));
    return parse(&out);
}

static void test_alert_json_of_each_status(void **state)
{
    struct place *place = *state;
    struct alert alert = {.name = id_of("RecoveryFailure"),
                          .rule = 1,
                          .status = ALERT_FIRING,
                          .since_ms = T(0),
                          .fired_ms = T(1000),
                          .value = 4};
    cJSON *json;

    report(place, T(0), "broker_id=b1 host_id=h1 state=running");
    place->f.fleet.watch->options = options_with("HighCpuUsage", "RecoveryFailure");
    json = alert_json(place, &alert);
    assert_names(json,
                 "alert instance_id broker_id host_id severity status since fired_at value threshold doing");
    assert_text(json, "alert", "RecoveryFailure");
    assert_text(json, "instance_id", "mt5-1");
    assert_text(json, "broker_id", "b1");
    assert_text(json, "host_id", "h1");
    assert_text(json, "severity", "critical");
    assert_text(json, "status", "firing");
    assert_text(json, "since", "2025-03-22T10:15:30Z");
    assert_text(json, "fired_at", "2025-03-22T10:15:31Z");
    assert_number(json, "value", 4);
    assert_number(json, "threshold", 3); /* recovery.max_attempts */
    assert_text(json, "doing", NASTY);
    cJSON_Delete(json);
    alert.status = ALERT_PENDING;
    json = alert_json(place, &alert);
    assert_is_null(json, "fired_at");
    cJSON_Delete(json);
}

/* A percentage of next to nothing is more than a number can say; no JSON has a word for it. */
static void test_alert_json_of_a_value_beyond_all_numbers(void **state)
{
    struct place *place = *state;
    struct watch_options options = options_with("HighMemoryUsage", "InstanceCrash");
    cJSON *json;

    watch_configure(&place->f.fleet, &options, T(0));
    report(place, T(0), "broker_id=b1 state=running memory_usage=1e308 memory_limit=1e-300");
    assert_int_equal(place->instance->watched->alert_count, 1);
    json = alert_json(place, &place->instance->watched->alerts[0]);
    assert_text(json, "alert", "HighMemoryUsage");
    assert_is_null(json, "value");
    cJSON_Delete(json);
}

static void test_group_alert_json(void **state)
{
    struct breaker_group group = {
        .key_len = 9, .key = "broker:b1", .opened_ms = T(0), .crashed = 5, .of = 8, .is_open = true};
    struct buf out = BUF_INIT;
    cJSON *json;

    (void)state;
    group_alert_json_add(&out, &group, s(""));
    json = parse(&out);
    assert_names(json, "alert group severity status since fired_at value threshold");
    assert_text(json, "alert", "FleetFailure");
    assert_text(json, "group", "broker:b1");
    assert_number(json, "value", 5);
    assert_number(json, "threshold", 8);
    cJSON_Delete(json);
}

/* ---- Alertmanager ---- */

static cJSON *alertmanager_json(const struct notice *notice, const char *doing)
{
    struct buf out = BUF_INIT;

    alertmanager_json_add(&out, notice, s(doing));
    return parse(&out);
}

static void test_alertmanager_json_of_an_instance(void **state)
{
    struct notice notice = {.instance_id = id_of("mt5-1"),
                            .broker_id = id_of("b1"),
                            .alert = id_of("HighCpuUsage"),
                            .severity = SEVERITY_WARNING,
                            .starts_ms = T(5),
                            .has_value = true,
                            .has_threshold = true,
                            .value = 92.5,
                            .threshold = 80};
    cJSON *json = alertmanager_json(&notice, NASTY);

    (void)state;
    assert_names(json, "labels annotations startsAt");
    assert_names(member(json, "labels"), "alertname instance_id broker_id severity");
    assert_text(member(json, "labels"), "alertname", "HighCpuUsage");
    assert_text(member(json, "labels"), "instance_id", "mt5-1");
    assert_text(member(json, "labels"), "broker_id", "b1");
    assert_text(member(json, "labels"), "severity", "warning");
    assert_names(member(json, "annotations"), "summary value threshold doing");
    assert_text(member(json, "annotations"), "summary", "HighCpuUsage on mt5-1");
    assert_text(member(json, "annotations"), "value", "92.5");
    assert_text(member(json, "annotations"), "threshold", "80");
    assert_text(member(json, "annotations"), "doing", NASTY);
    assert_text(json, "startsAt", "2025-03-22T10:15:30.005Z");
    cJSON_Delete(json);
}

static void test_alertmanager_json_of_an_end(void **state)
{
    struct notice notice = {.instance_id = id_of("mt5-1"),
                            .host_id = id_of("h1"),
                            .alert = id_of("InstanceCrash"),
                            .severity = SEVERITY_CRITICAL,
                            .starts_ms = T(5),
                            .ends_ms = T(1006),
                            .is_about_state = true,
                            .has_value = true,
                            .has_threshold = true,
                            .value = STATE_RUNNING,
                            .threshold = STATE_CRASHED};
    cJSON *json = alertmanager_json(&notice, "");

    (void)state;
    assert_names(json, "labels annotations startsAt endsAt");
    assert_names(member(json, "labels"), "alertname instance_id host_id severity");
    assert_names(member(json, "annotations"), "summary value threshold");
    assert_text(member(json, "annotations"), "value", "running");
    assert_text(member(json, "annotations"), "threshold", "crashed");
    assert_text(json, "startsAt", "2025-03-22T10:15:30.005Z");
    assert_text(json, "endsAt", "2025-03-22T10:15:31.006Z");
    cJSON_Delete(json);
}

static void test_alertmanager_json_of_a_group(void **state)
{
    struct notice notice = {.alert = id_of("FleetFailure"),
                            .group = "host:h1",
                            .severity = SEVERITY_CRITICAL,
                            .starts_ms = T(0),
                            .has_value = true,
                            .has_threshold = true,
                            .value = 5,
                            .threshold = 8};
    cJSON *json = alertmanager_json(&notice, "nothing: breaker");

    (void)state;
    assert_names(member(json, "labels"), "alertname group count severity");
    assert_text(member(json, "labels"), "group", "host:h1");
    assert_text(member(json, "labels"), "count", "5");
    assert_text(member(json, "annotations"), "summary",
                "FleetFailure of host:h1: 5 of 8 instances have crashed");
    cJSON_Delete(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_why_json_of_steps),
        cmocka_unit_test(test_why_json_of_none_and_of_many),
        TEST(test_instance_json_of_a_first_report),
        TEST(test_instance_json_of_all_that_is_reported),
        TEST(test_instance_json_never_shows_a_negative_age),
        TEST(test_instance_json_of_a_last_error_that_looks_like_json),
        TEST(test_instance_json_of_maintenance),
        TEST(test_instance_json_of_the_command_under_way),
        TEST(test_alerts_of_an_instance),
        TEST(test_alert_json_of_each_status),
        TEST(test_alert_json_of_a_value_beyond_all_numbers),
        cmocka_unit_test(test_group_alert_json),
        cmocka_unit_test(test_alertmanager_json_of_an_instance),
        cmocka_unit_test(test_alertmanager_json_of_an_end),
        cmocka_unit_test(test_alertmanager_json_of_a_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
