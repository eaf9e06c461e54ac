/* An instance as a line of a recording, and back. It is told by the core as after a wipe, so that nothing
 * that is stored can be forgotten here. */
#include "codec/recording.h"

#include "codec/json_text.h"
#include "util/number.h"

#define SEQ_MAX (UINT64_C(1) << 53)

static const char *const kinds[] = {
    [RECORD_INSTANCE] = "instance.", [RECORD_METRICS] = "metrics.", [RECORD_HEALTH] = "health."};

/* ---- written ---- */

struct writer {
    struct buf *out, alerts;
};

static void add_member(struct buf *out, const char *prefix, struct slice name, struct slice value)
{
    buf_add_text(out, ",\"");
    buf_add_text(out, prefix);
    buf_add_slice(out, name);
    buf_add_text(out, "\":");
    json_add_string(out, value);
}

static void on_record(void *ctx, enum record_kind kind, struct slice id, const struct record_field *fields,
                      size_t count)
{
    struct writer *writer = ctx;

    UNUSED(id);
    for (size_t i = 0; i < count; i++)
        add_member(writer->out, kinds[kind], fields[i].name, fields[i].value);
}

static void on_seq(void *ctx, struct slice id, uint64_t seq)
{
    struct writer *writer = ctx;
    char text[NUMBER_TEXT_MAX];

    UNUSED(id);
    add_member(writer->out, "", slice_text("seq"), slice_of(text, number_format_u64(text, seq)));
}

static void on_watch(void *ctx, struct slice id, const struct watch_record *record)
{
    struct writer *writer = ctx;
    struct buf text = BUF_INIT;

    UNUSED(id);
    watch_record_format(&text, record);
    add_member(writer->out, "", slice_text("watch"), buf_slice(&text));
    buf_clear(&text);
}

static void on_alert(void *ctx, struct slice id, const struct alert *alert)
{
    struct writer *writer = ctx;

    UNUSED(id);
    if (writer->alerts.len > 0)
        buf_add_char(&writer->alerts, '\n');
    buf_add_slice(&writer->alerts, ident_slice(&alert->name));
    buf_add_char(&writer->alerts, ' ');
    alert_record_format(&writer->alerts, alert);
}

static void add_head(struct buf *out, const char *name, struct slice value, int64_t at_ms)
{
    buf_add_format(out, "{\"stream\":\"state\",\"id\":\"%lld-0\",\"fields\":{\"%s\":", (long long)at_ms,
                   name);
    json_add_string(out, value);
}

void recording_add_group(struct buf *out, const struct breaker_group *group, int64_t at_ms)
{
    struct buf text = BUF_INIT;

    breaker_record_format(&text, group);
    add_head(out, "group", breaker_group_key(group), at_ms);
    add_member(out, "", slice_text("breaker"), buf_slice(&text));
    buf_add_text(out, "}}");
    buf_clear(&text);
}

void recording_add_state(struct buf *out, struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    struct writer writer = {.out = out};
    struct sink_ops ops = sink_ops_silent;
    struct sink sink = {&ops, &writer};
    /* It is not written: what says that it was stays as it is. */
    uint64_t batch = instance->batch;
    double load_score = instance->load_score;

    ops.record_set = on_record;
    ops.seq_set = on_seq;
    ops.watch_set = on_watch;
    ops.alert_set = on_alert;
    add_head(out, "instance_id", ident_slice(&instance->id), at_ms);
    fleet_write_back(fleet, instance, &sink);
    if (writer.alerts.len > 0)
        add_member(out, "", slice_text("alerts"), buf_slice(&writer.alerts));
    buf_add_text(out, "}}");
    buf_clear(&writer.alerts);
    instance->batch = batch;
    instance->load_score = load_score;
}

/* ---- read ---- */

static bool take_field(struct recorded_state *state, const struct json_member *member,
                       struct recorded_state_scratch *scratch)
{
    for (int k = RECORD_INSTANCE; k <= RECORD_HEALTH; k++) {
        size_t len = strlen(kinds[k]);

        if (member->name.len <= len || memcmp(member->name.data, kinds[k], len) != 0)
            continue;
        instance_record_parse_field(&state->record, (enum record_kind)k,
                                    slice_of(member->name.data + len, member->name.len - len), member->value,
                                    scratch->last_error);
        return true;
    }
    if (slice_is(member->name, "seq"))
        return number_parse_u64(member->value, SEQ_MAX, &state->seq);
    if (slice_is(member->name, "watch"))
        state->has_watch =
            watch_record_parse(state->instance_id, member->value, &scratch->watch, &state->watch);
    else if (slice_is(member->name, "alerts"))
        state->alerts = member->value;
    return !slice_is(member->name, "watch") || state->has_watch;
}

bool recorded_state_parse(const struct recorded_line *line, struct recorded_state_scratch *scratch,
                          struct recorded_state *ret_state, struct errmsg *why)
{
    struct recorded_state state = {.instance_id = recorded_text(line, "instance_id")};

    if (json_object_find(line->members, "group")) {
        state.is_group = true;
        if (!breaker_record_parse(recorded_text(line, "group"), recorded_text(line, "breaker"),
                                  &state.group)) {
            errmsg_set(why, "group: cannot be read");
            return false;
        }
        *ret_state = state;
        return true;
    }
    instance_record_init(&state.record);
    if (!ident_is_valid(state.instance_id, IDENT_MAX)) {
        errmsg_set(why, "instance_id: not an id");
        return false;
    }
    for (size_t i = 0; i < line->members->count; i++) {
        const struct json_member *member = &line->members->members[i];

        if (member->kind != JSON_TEXT || !take_field(&state, member, scratch)) {
            errmsg_set(why, "%.*s: cannot be read", (int)(member->name.len < 64 ? member->name.len : 64),
                       member->name.data);
            return false;
        }
    }
    *ret_state = state;
    return true;
}

bool recorded_state_next_alert(struct recorded_state *state, struct alert *ret_alert)
{
    while (state->alerts.len > 0) {
        const char *end = memchr(state->alerts.data, '\n', state->alerts.len);
        struct slice line =
            slice_of(state->alerts.data, end ? (size_t)(end - state->alerts.data) : state->alerts.len);
        const char *space = memchr(line.data, ' ', line.len);
        size_t taken = line.len + (end ? 1 : 0), rule_len = space ? (size_t)(space - line.data) : line.len;
        char field[ALERT_FIELD_MAX];
        struct slice id;

        state->alerts = slice_of(state->alerts.data + taken, state->alerts.len - taken);
        if (!space || !ident_is_valid(slice_of(line.data, rule_len), IDENT_MAX))
            continue;
        if (alert_record_parse(
                slice_of(field, alert_field_format(field, state->instance_id, slice_of(line.data, rule_len))),
                slice_of(space + 1, line.len - rule_len - 1), &id, ret_alert))
            return true;
    }
    return false;
}
