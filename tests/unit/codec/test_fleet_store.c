/* Random lives of a fleet over a model of Redis: after each step every instance is in exactly one set, the
 * one its hash names (SPEC §4, invariant 1), and the hashes, sets and scores say what is known. Reports and
 * hashes go through the codec, as in the daemon. */
#include "codec/report.h"
#include "model_store.h"
#include "util/macros.h"
#include "util/number.h"
#include "util/time_text.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEEDS 300
#define STEPS 250

static const char *const ids[] = {"a", "b-1", "c", "d", "e.5"};

static const struct {
    const char *name;
    enum record_kind kind;
    const char *values[8]; /* the first three are valid */
} fields[] = {
    {"broker_id", RECORD_INSTANCE, {"b1", "b1", "b2", "", "x:y"}},
    {"host_id", RECORD_INSTANCE, {"h1", "h1", "h2", "-h", ""}},
    {"state",
     RECORD_INSTANCE,
     {"running", "stopped", "crashed", "restarting", "FAILED", "Running", "dead", ""}},
    {"launch_mode", RECORD_INSTANCE, {"auto", "manual", "auto", "AUTO", "?"}},
    {"active_connections", RECORD_INSTANCE, {"1", "2", "1.0", "-1"}},
    {"cpu_usage", RECORD_METRICS, {"10", "95.5", "10.50", "nan", "0x1"}},
    {"memory_usage", RECORD_METRICS, {"100", "1e2", "7", ""}},
    {"load_average", RECORD_METRICS, {"0.5", "2", ".5", "inf"}},
    {"socket_connections", RECORD_METRICS, {"0", "1", "-0", "-1"}},
    {"uptime_seconds", RECORD_HEALTH, {"5", "60.25", "0", "-3"}},
    {"restart_count", RECORD_HEALTH, {"1", "2", "3", "x"}},
    {"health_status", RECORD_HEALTH, {"healthy", "warning", "critical", "Warning", "sick"}},
    {"last_error", RECORD_HEALTH, {"", "lost", "no money", "\xff"}},
};

/* What others may write besides. An optional field of the daemon's that is garbage where it has no value of
 * its own stays, which is why those have none here. */
static const struct {
    const char *name;
    enum record_kind kind;
    const char *values[3];
} own_fields[] = {
    {"previous_state", RECORD_INSTANCE, {"running", "crashed", "stopped"}},
    {"desired_state", RECORD_INSTANCE, {"running", "crashed", "stopped"}},
    {"state_changed_at", RECORD_INSTANCE, {"1970-01-01T00:00:01Z", "2999-01-01T00:00:00Z", "never"}},
    {"last_updated_at", RECORD_INSTANCE, {"1970-01-01T00:00:01Z", "2999-01-01T00:00:00Z", "never"}},
    {"last_updated_at",
     RECORD_METRICS,
     {"1970-01-01T00:00:01Z", "2999-01-01T00:00:00Z", "1970-01-01T00:00:02Z"}},
    {"last_updated_at", RECORD_HEALTH, {"1970-01-01T00:00:01Z", "2999-01-01T00:00:00Z", "never"}},
    {"reported_health", RECORD_HEALTH, {"healthy", "warning", "critical"}},
    {"failed_restarts", RECORD_HEALTH, {"1", "2", "x"}},
    {"recovery_attempts", RECORD_HEALTH, {"1", "2", "x"}},
    {"colour", RECORD_HEALTH, {"blue", "red", ""}},
};

struct world {
    unsigned seed;
    struct fleet fleet;
    struct model_store store;
    uint64_t random;
    int64_t now_ms;
};

static unsigned pick(struct world *w, unsigned count)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)(w->random >> 33) % count;
}

static struct cause cause_of(const struct world *w, enum cause_kind kind)
{
    return (struct cause){kind, {(uint64_t)w->now_ms, 0}};
}

static struct instance_record record_read(const struct world *w, const char *id,
                                          char scratch[REPORT_TEXT_MAX])
{
    struct instance_record record;

    instance_record_init(&record);
    for (size_t i = 0; i < w->store.field_count; i++) {
        const struct model_field *field = &w->store.fields[i];

        if (strcmp(field->id, id) == 0)
            instance_record_parse_field(&record, field->kind, slice_text(field->name),
                                        slice_text(field->value), scratch);
    }
    return record;
}

static enum adopt_result adopt(struct world *w, const char *id, bool follow)
{
    char scratch[REPORT_TEXT_MAX];
    struct instance_record record = record_read(w, id, scratch);
    struct cause cause = cause_of(w, CAUSE_ADOPTED);

    return fleet_adopt(&w->fleet, slice_text(id), &record, follow, &cause, w->now_ms, &w->store.sink);
}

/* What others had written before a first report is noticed after it. */
static void step_report(struct world *w, const char *id)
{
    bool was_known = fleet_find(&w->fleet, slice_text(id)) != NULL;
    struct cause cause = cause_of(w, CAUSE_REPORT);
    struct entry entry = {.stream = STREAM_REPORTS};
    struct report_scratch scratch;
    struct report report;
    struct slice wrong;

    entry.present = 1U << REPORT_INSTANCE_ID;
    entry.value[REPORT_INSTANCE_ID] = slice_text(id);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        for (unsigned f = 0; f < REPORT_FIELDS && pick(w, 3) == 0; f++) {
            if (slice_is(report_entry_names[f], fields[i].name)) {
                entry.present |= 1U << f;
                entry.value[f] = slice_text(fields[i].values[pick(w, 4)]);
            }
        }
    }
    entry.present |= 1U << REPORT_STATE | 1U << REPORT_BROKER_ID;
    entry.value[REPORT_STATE] = slice_text(fields[2].values[pick(w, 6)]);
    entry.value[REPORT_BROKER_ID] = slice_text(fields[0].values[pick(w, 3)]);
    if (pick(w, 3) == 0)
        entry.present &= ~(1U << REPORT_STATE);
    if (report_parse(&entry, &scratch, &report, &wrong, NULL))
        (void)fleet_on_report(&w->fleet, &report, &cause, w->now_ms - pick(w, 1500), &w->store.sink);
    else
        fleet_on_heartbeat(&w->fleet, report_find_instance_id(&entry), w->now_ms);
    if (!was_known)
        (void)adopt(w, id, true);
}

static const char *value_of(struct world *w, size_t field)
{
    size_t count = 1;

    while (count < ARRAY_LEN(fields[field].values) && fields[field].values[count])
        count++;
    return fields[field].values[pick(w, (unsigned)count)];
}

/* Others write or remove something, and it is noticed. */
static void step_foreign_write(struct world *w, const char *id)
{
    unsigned writes = 1 + pick(w, 4);

    for (unsigned i = 0; i < writes; i++) {
        unsigned field = pick(w, ARRAY_LEN(fields));
        unsigned own = pick(w, ARRAY_LEN(own_fields));

        switch (pick(w, 6)) {
        case 0:
            model_store_unset(&w->store, fields[field].kind, id, fields[field].name);
            break;
        case 1:
            model_store_put(&w->store, own_fields[own].kind, id, own_fields[own].name,
                            own_fields[own].values[pick(w, 3)]);
            break;
        case 2:
            if (pick(w, 8) == 0)
                model_store_remove(&w->store, (enum record_kind)pick(w, 3), id);
            break;
        default:
            model_store_put(&w->store, fields[field].kind, id, fields[field].name, value_of(w, field));
        }
    }
    (void)adopt(w, id, pick(w, 3) != 0);
}

static enum instance_state state_indexed(const struct world *w, const char *id)
{
    for (int i = 0; i < INSTANCE_STATES; i++) {
        if (model_store_is_in(&w->store, INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)i),
                              id))
            return (enum instance_state)i;
    }
    return STATE_NONE;
}

/* The daemon ends, others may write meanwhile, and a new one loads and adopts. */
static void step_restart(struct world *w)
{
    fleet_reset(&w->fleet);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        enum instance_state indexed = state_indexed(w, ids[i]);
        char scratch[REPORT_TEXT_MAX];
        struct instance_record record;

        if (indexed != STATE_NONE && pick(w, 3) == 0) /* the broker_id must stay, or the instance is lost */
            model_store_put(&w->store, RECORD_INSTANCE, ids[i], "state", value_of(w, 2));
        record = record_read(w, ids[i], scratch);
        if (indexed != STATE_NONE)
            assert_true(fleet_load(&w->fleet, slice_text(ids[i]), &record, indexed, 1, w->now_ms));
        (void)adopt(w, ids[i], true);
    }
}

/* Redis comes back empty. */
static void step_wipe(struct world *w)
{
    model_store_clear(&w->store);
    model_store_init(&w->store);
    for (struct instance *i = fleet_next(&w->fleet, 0); i;
         i = fleet_next(&w->fleet, fleet_index_of(&w->fleet, i) + 1))
        fleet_write_back(&w->fleet, i, &w->store.sink);
    w->store.was_wrong = false; /* of one that does not run it takes a score away that may not be there */
}

static void step_remove(struct world *w, const char *id)
{
    struct instance *instance = fleet_find(&w->fleet, slice_text(id));
    struct cause cause = cause_of(w, CAUSE_OPERATOR);

    if (instance)
        fleet_remove(&w->fleet, instance, slice_text("test"), &cause, w->now_ms, &w->store.sink);
}

static void step(struct world *w)
{
    const char *id = ids[pick(w, ARRAY_LEN(ids))];

    w->now_ms += pick(w, 10) == 0 ? pick(w, 40000) : pick(w, 1500);
    switch (pick(w, 24)) {
    case 0:
        step_remove(w, id);
        break;
    case 1:
        fleet_excuse_silence(&w->fleet, w->now_ms);
        break;
    case 2:
        step_restart(w);
        break;
    case 3:
        step_wipe(w);
        break;
    case 4:
        fleet_on_heartbeat(&w->fleet, slice_text(id), w->now_ms);
        break;
    case 5:
    case 6:
    case 7:
        fleet_on_timer(&w->fleet, w->now_ms, w->now_ms - pick(w, 2000), &w->store.sink);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        step_foreign_write(w, id);
        break;
    default:
        step_report(w, id);
    }
}

/* EXPECTED NULL: the field is not there. */
static void assert_stored(const struct world *w, const struct instance *instance, enum record_kind kind,
                          const char *name, const char *expected)
{
    char id[IDENT_MAX + 1] = {0};
    const char *got;

    memcpy(id, instance->id.text, instance->id.len);
    got = model_store_get(&w->store, kind, id, name);
    if ((got && expected) ? strcmp(got, expected) != 0 : got != expected)
        fail_msg("seed %u, %s: %s is %s and not %s", w->seed, id, name, got ? got : "missing",
                 expected ? expected : "missing");
}

static void assert_numbers_stored(const struct world *w, const struct instance *instance, const char *id)
{
    for (unsigned i = 0; i < REPORT_NUMBERS; i++) {
        const struct report_field_info *info = &report_field_table[i];
        const char *got = model_store_get(&w->store, info->record, id, info->name.data);
        double value;

        assert_int_equal(got != NULL, (instance->known >> i) & 1U);
        if (got) {
            assert_true(number_parse_decimal(slice_text(got), &value));
            assert_true(value == instance->number[i]);
        }
    }
}

static void assert_texts_stored(const struct world *w, const struct instance *instance)
{
    char broker[IDENT_MAX + 1] = {0}, host[IDENT_MAX + 1] = {0}, changed[TIME_TEXT_LEN + 1];
    bool has_reported = (instance->known >> REPORT_HEALTH_STATUS) & 1U;

    memcpy(broker, instance->broker_id.text, instance->broker_id.len);
    memcpy(host, instance->host_id.text, instance->host_id.len);
    time_text_format(changed, instance->state_changed_ms);
    assert_stored(w, instance, RECORD_INSTANCE, "broker_id", broker);
    assert_stored(w, instance, RECORD_INSTANCE, "host_id", host[0] ? host : NULL);
    assert_stored(w, instance, RECORD_INSTANCE, "state", instance_state_name(instance->state));
    assert_stored(w, instance, RECORD_INSTANCE, "previous_state",
                  instance_state_name(instance->previous_state));
    assert_stored(w, instance, RECORD_INSTANCE, "desired_state",
                  instance_state_name(instance->desired_state));
    assert_stored(w, instance, RECORD_INSTANCE, "state_changed_at", changed);
    assert_stored(w, instance, RECORD_INSTANCE, "launch_mode", launch_mode_name(instance->launch_mode));
    assert_stored(w, instance, RECORD_HEALTH, "health_status", health_name(instance->health));
    assert_stored(w, instance, RECORD_HEALTH, "reported_health",
                  has_reported ? health_name(instance->reported_health) : NULL);
    assert_stored(w, instance, RECORD_HEALTH, "last_error", instance->last_error ? instance->last_error : "");
}

static void assert_counts_stored(const struct world *w, const struct instance *instance)
{
    char text[NUMBER_TEXT_MAX];

    (void)number_format_u64(text, instance->failed_restarts);
    assert_stored(w, instance, RECORD_HEALTH, "failed_restarts", text);
    (void)number_format_u64(text, instance->recovery_attempts);
    assert_stored(w, instance, RECORD_HEALTH, "recovery_attempts", text);
    for (int kind = 0; kind <= RECORD_HEALTH; kind++) {
        int64_t updated_s = instance->record_updated_s[kind];

        time_text_format(text, updated_s * 1000);
        assert_true(updated_s >= 0 || kind == RECORD_METRICS);
        assert_stored(w, instance, (enum record_kind)kind, "last_updated_at", updated_s >= 0 ? text : NULL);
    }
}

static void assert_world_sound(struct world *w)
{
    uint32_t known = 0;

    assert_false(w->store.was_wrong);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const struct instance *instance = fleet_find(&w->fleet, slice_text(ids[i]));
        double load = model_store_load(&w->store, ids[i]);
        double score = instance ? instance_load_score(&w->fleet, instance) : NAN;

        known += instance != NULL;
        assert_int_equal(model_store_count_sets(&w->store, INDEX_INSTANCE_STATE, ids[i]), instance ? 1 : 0);
        assert_true(isnan(score) ? isnan(load) : load == score);
        if (!instance)
            continue;
        assert_true(
            model_store_is_in(&w->store, INDEX_INSTANCE_STATE, instance_state_name(instance->state), ids[i]));
        assert_numbers_stored(w, instance, ids[i]);
        assert_texts_stored(w, instance);
        assert_counts_stored(w, instance);
        assert_int_equal(adopt(w, ids[i], true), ADOPT_NOTHING);
    }
    assert_int_equal(w->fleet.count, known);
}

static void test_store_says_what_the_fleet_knows_after_every_step(void **state)
{
    static const struct fleet_options options = {.heartbeat_timeout_ms = 20000,
                                                 .restarting_timeout_ms = 30000,
                                                 .metric_max_age_ms = 60000,
                                                 .forget_after_s = 60,
                                                 .max = 4};

    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct world w = {
            .seed = seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15), .now_ms = 1742638530000};

        fleet_init(&w.fleet, &options, (struct hash_key){seed, 0});
        model_store_init(&w.store);
        for (int i = 0; i < STEPS; i++) {
            step(&w);
            assert_world_sound(&w);
        }
        fleet_clear(&w.fleet);
        model_store_clear(&w.store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_says_what_the_fleet_knows_after_every_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
