/* The three hashes of an instance as others may have written them: fields parted by 0x1e, each the digit of
 * its hash, its name, 0x1f, its value. They are read as at a start, and again as when somebody wrote them
 * while the daemon runs; what core says about it goes into a batch. */
#include "fuzz.h"

#include "codec/batch.h"
#include "codec/report.h"
#include "core/fleet.h"
#include "util/buf.h"
#include "util/utf8.h"
#include <math.h>

#define NOW_MS 1742638530123

static bool is_state(int state)
{
    return state >= STATE_NONE && state < INSTANCE_STATES;
}

static void check_record(const struct instance_record *record)
{
    const struct report *values = &record->values;

    CHECK(values->present >> REPORT_KEPT_FIELDS == 0 && record->invalid >> REPORT_KEPT_FIELDS == 0);
    CHECK(!report_has(values, REPORT_INSTANCE_ID));
    for (uint32_t i = 0; i < REPORT_NUMBERS; i++)
        CHECK(!report_has(values, (enum report_field)i) ||
              (isfinite(values->number[i]) && values->number[i] >= 0));
    CHECK(!report_has(values, REPORT_BROKER_ID) || ident_is_valid(values->broker_id, IDENT_MAX));
    CHECK(!report_has(values, REPORT_HOST_ID) || ident_is_valid(values->host_id, IDENT_MAX));
    CHECK(values->last_error.len <= REPORT_TEXT_MAX && utf8_is_valid(values->last_error));
    CHECK(is_state(values->state) && is_state(record->previous_state) && is_state(record->desired_state));
    for (int i = 0; i < 3; i++)
        CHECK(record->updated_s[i] >= -1);
}

static void check_instance(const struct fleet *fleet, const struct instance *instance)
{
    double score = instance_load_score(fleet, instance);

    CHECK(ident_is_valid(ident_slice(&instance->broker_id), IDENT_MAX));
    CHECK(instance->state != STATE_NONE && is_state(instance->state));
    CHECK(isnan(score) == (instance->state != STATE_RUNNING));
    CHECK(isnan(score) || isfinite(score));
    CHECK(!instance->last_error || utf8_is_valid(slice_text(instance->last_error)));
    CHECK(fleet->by_state[0] + fleet->by_state[1] + fleet->by_state[2] + fleet->by_state[3] == fleet->count);
}

/* What was told can be sent, and only ids that are valid got into a key. */
static void check_batch(struct batch *batch)
{
    struct buf rendered = BUF_INIT;

    batch_seal(batch);
    batch_render(batch, slice_text("token"), slice_text("epoch"), false, &rendered);
    CHECK(rendered.data[0] == '*');
    for (uint64_t number = 3; number < 3 + batch->key_count; number++) {
        struct slice key, id;
        enum record_kind kind;
        bool is_record;

        CHECK(batch_key_by_number(batch, number, &key, &is_record));
        CHECK(!is_record || (key_parse_record(key, &kind, &id) && slice_is(id, "i1")));
    }
    buf_clear(&rendered);
}

static void run(const struct instance_record *record, enum instance_state indexed, bool is_known, bool follow)
{
    static const struct batch_options options = {
        .names = {.stream = {"r", "s", "x", "t"}, .events = "e", .commands = "c"},
        .group = "g",
        .events_max_len = 10,
        .commands_max_len = 10};
    static const struct fleet_options fleet_options = {.heartbeat_timeout_ms = 30000,
                                                       .restarting_timeout_ms = 120000,
                                                       .metric_max_age_ms = 60000,
                                                       .forget_after_s = 1,
                                                       .max = 10};
    struct cause cause = {CAUSE_ADOPTED, {NOW_MS, 0}};
    struct slice id = slice_text("i1");
    struct batch *batch = batch_new(&options);
    struct sink *sink = batch_sink(batch);
    struct fleet fleet;
    struct instance *instance;

    fleet_init(&fleet, &fleet_options, (struct hash_key){0});
    batch_reset(batch, 1);
    if (!is_known || fleet_load(&fleet, id, record, indexed, 7, NOW_MS - 5)) {
        sink->ops->begin(sink->ctx, &cause);
        (void)fleet_adopt(&fleet, id, record, follow, &cause, NOW_MS, sink);
    }
    instance = fleet_find(&fleet, id);
    if (instance) {
        check_instance(&fleet, instance);
        fleet_write_back(&fleet, instance, sink);
        fleet_on_timer(&fleet, NOW_MS + 10000000, NOW_MS + 10000000, sink);
    }
    check_batch(batch);
    batch_free(batch);
    fleet_clear(&fleet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char scratch[REPORT_TEXT_MAX];
    struct instance_record record;

    if (size < 1)
        return 0;

    struct slice rest = slice_of((const char *)data + 1, size - 1);

    instance_record_init(&record);
    while (rest.len > 0) {
        struct slice value = fuzz_take(&rest, 0x1e);
        struct slice name = fuzz_take(&value, 0x1f);

        if (name.len == 0)
            continue;
        instance_record_parse_field(&record, (enum record_kind)((unsigned char)name.data[0] % 3),
                                    slice_of(name.data + 1, name.len - 1), value, scratch);
    }
    check_record(&record);
    run(&record, (enum instance_state)(data[0] % 5 - 1), data[0] & 0x80, data[0] & 0x40);
    return 0;
}
