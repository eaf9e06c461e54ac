/* Instances and trades: hashes, sets, events, and the values that were reported last. */
#include "checks_private.h"

#include "util/number.h"
#include <inttypes.h>
#include <stdio.h>

/* Reports that one batch may hold, and one before. */
#define SILENCE_REPORTS 60

static uint32_t agent_of(struct slice id)
{
    uint64_t number;

    return id.len > 4 && memcmp(id.data, "mt5-", 4) == 0 &&
                   number_parse_u64(slice_of(id.data + 4, id.len - 4), WORLD_AGENTS - 1, &number)
               ? (uint32_t)number
               : UINT32_MAX;
}

/* Silence as its reports tell it: a gap as long as the timeout, between the newest that were handled, or
 * behind them. */
static void look_at_silence(struct checks *c, uint32_t agent)
{
    const struct world *w = c->world;
    int64_t least_ms = c->sim->settings.fleet.heartbeat_timeout_ms - 2 * c->sim->settings.skew_max_ms - 2;
    int64_t next_ms = c->sim->latest_ms;

    /* To a daemon that is told a time before its last report, silence began then. */
    if (c->sim->settings.jumps_back)
        return;

    for (uint32_t i = c->counted_reports; i < w->report_count; i++) {
        if (w->reports[i].agent == agent && !w->reports[i].is_gone) {
            next_ms = (int64_t)w->reports[i].id.ms;
            break;
        }
    }
    for (uint32_t i = c->counted_reports, seen = 0; i > 0 && seen < SILENCE_REPORTS; i--) {
        const struct made_report *report = &w->reports[i - 1];

        if (report->agent != agent || report->is_gone)
            continue;
        if (next_ms - (int64_t)report->id.ms >= least_ms)
            return;
        next_ms = (int64_t)report->id.ms;
        seen++;
    }
    sim_fail(c->sim, "mt5-%" PRIu32 " is told to be silent, but was not", agent);
}

static void take_transition(struct checks *c, uint32_t agent, const struct store_entry *event)
{
    struct mirror *mirror = &c->mirrors[agent];
    struct slice kind = entry_value(event, "event"), from = entry_value(event, "from"),
                 to = entry_value(event, "to");
    struct slice reason = entry_value(event, "reason");
    enum instance_state state;
    bool fits;

    if (slice_is(kind, "instance_registered")) {
        *mirror = (struct mirror){.is_known = true, .seq = mirror->seq};
        return;
    }
    if (slice_is(kind, "instance_removed")) {
        *mirror = (struct mirror){0};
        return;
    }
    if (slice_is(kind, "instance_degraded") || !instance_state_parse(to, &state))
        return;
    /* One that is registered as stopped is so without an event. */
    fits = mirror->has_state ? slice_is(from, instance_state_name(mirror->state))
                             : from.len == 0 || slice_is(from, "stopped");
    if (!fits && !c->world->agents[agent].is_spoiled)
        sim_fail(c->sim, "mt5-%" PRIu32 " is told to go from %.*s, it was %s", agent, (int)from.len,
                 from.data, mirror->has_state ? instance_state_name(mirror->state) : "new");
    mirror->has_state = true;
    mirror->state = state;
    if (reason.len > 14 && memcmp(reason.data, "heartbeat lost", 14) == 0 &&
        !c->world->agents[agent].is_spoiled)
        look_at_silence(c, agent);
}

void look_at_events(struct checks *c)
{
    const struct store_key *key = store_find_text(c->store, EVENTS_NAME);

    for (uint32_t i = first_new(key, &c->events_seen); key && i < key->entry_count; i++) {
        const struct store_entry *event = key->entries[i];
        uint32_t agent = agent_of(entry_value(event, "instance_id"));
        uint64_t seq;
        bool starts_anew, skips;

        sim_note(c->sim, "stored: event %.*s of %.*s, seq %.*s", (int)entry_value(event, "event").len,
                 entry_value(event, "event").data, (int)entry_value(event, "instance_id").len,
                 entry_value(event, "instance_id").data, (int)entry_value(event, "seq").len,
                 entry_value(event, "seq").data);
        if (agent == UINT32_MAX || !number_parse_u64(entry_value(event, "seq"), UINT64_MAX, &seq))
            continue;
        /* One whose hash others destroyed is a new one. */
        starts_anew = c->world->agents[agent].is_spoiled && seq == 1 &&
                      slice_is(entry_value(event, "event"), "instance_registered");
        /* What a foreign value in the way of a record took with it is missing. */
        skips = c->world->agents[agent].is_spoiled && c->sim->settings.plants;
        if (seq != c->mirrors[agent].seq + 1 && !starts_anew && !skips)
            sim_fail(c->sim, "mt5-%" PRIu32 ": event %" PRIu64 " follows %" PRIu64, agent, seq,
                     c->mirrors[agent].seq);
        c->mirrors[agent].seq = seq;
        take_transition(c, agent, event);
    }
}

const struct store_key *record_of(const struct checks *c, enum record_kind kind, const char *id)
{
    struct key name = key_record(kind, slice_text(id));

    return store_find(c->store, key_slice(&name));
}

static bool is_member(const struct checks *c, enum index_kind index, const char *state, const char *id)
{
    struct key name = key_index(index, state);
    const struct store_key *set = store_find(c->store, key_slice(&name));

    return set && set->type == STORE_SET && key_find_pair(set, slice_text(id));
}

/* A hash names a state, and the id is in its set alone; where it runs, in the load index too. */
void look_at_sets(struct checks *c, const char *id, enum instance_state *ret_state)
{
    const struct store_key *hash = record_of(c, RECORD_INSTANCE, id);
    const struct store_key *load = store_find_text(c->store, KEY_LOAD);
    bool has_score = load && key_find_pair(load, slice_text(id));

    *ret_state = STATE_NONE;
    (void)instance_state_parse(key_get(hash, "state"), ret_state); /* stays STATE_NONE */
    for (int s = 0; s < INSTANCE_STATES; s++) {
        if (is_member(c, INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s), id) !=
            (s == (int)*ret_state))
            sim_fail(c->sim, "%s is %s, and%s in the set of %s", id,
                     hash ? instance_state_name(*ret_state) : "unknown", s == (int)*ret_state ? " not" : "",
                     instance_state_name((enum instance_state)s));
    }
    if (has_score != (*ret_state == STATE_RUNNING))
        sim_fail(c->sim, "%s is %s the load index", id, has_score ? "wrongly in" : "missing in");
}

static void look_at_value(struct checks *c, uint32_t agent, const char *id)
{
    const struct world *w = c->world;
    char text[32];

    for (uint32_t i = c->counted_reports; i > 0; i--) {
        const struct made_report *report = &w->reports[i - 1];

        if (report->agent != agent || report->is_malformed || report->is_gone)
            continue;
        (void)snprintf(text, sizeof(text), "%" PRIu64, report->value);
        if (record_of(c, RECORD_INSTANCE, id)
                ? !slice_is(key_get(record_of(c, RECORD_METRICS, id), "cpu_usage"), text)
                : c->sim->settings.fleet.forget_after_s == 0)
            sim_fail(c->sim, "%s does not have the last cpu_usage that was handled, %s", id, text);
        return;
    }
}

void look_at_instances(struct checks *c)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        struct mirror *mirror = &c->mirrors[agent];
        enum instance_state state;
        char id[32], text[NUMBER_TEXT_MAX];

        if (c->world->agents[agent].is_spoiled)
            continue;
        world_format_agent(id, agent);
        look_at_sets(c, id, &state);
        if ((state != STATE_NONE) != mirror->is_known)
            sim_fail(c->sim, "%s is %s, its events say otherwise", id, mirror->is_known ? "gone" : "there");
        if (mirror->is_known && mirror->has_state && state != mirror->state)
            sim_fail(c->sim, "%s is %s, its last event says %s", id, instance_state_name(state),
                     instance_state_name(mirror->state));
        if (mirror->is_known && !mirror->has_state && state != STATE_STOPPED)
            sim_fail(c->sim, "%s is %s without an event", id, instance_state_name(state));
        mirror->has_state = mirror->is_known;
        mirror->state = state;
        look_at_value(c, agent, id);
        if (mirror->seq && !slice_equal(key_get(store_find_text(c->store, KEY_SEQ), id),
                                        slice_of(text, number_format_u64(text, mirror->seq))))
            sim_fail(c->sim, "%s: the stored seq is not %s", id, text);
    }
}

static void look_at_trade(struct checks *c, uint32_t number, uint64_t value)
{
    char id[32], text[32];
    const struct store_key *hash;
    int wrong = 0, right = 0;

    (void)snprintf(id, sizeof(id), "t-%" PRIu32, number);
    hash = record_of(c, RECORD_TRADE, id);
    if (!hash)
        return; /* it has expired */
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    if (!slice_is(key_get(hash, "lot_size"), text))
        sim_fail(c->sim, "trade %s does not have the last lot_size that was handled, %s", id, text);
    if ((hash->expires_ms == 0) !=
        (slice_is(key_get(hash, "state"), "pending") || slice_is(key_get(hash, "state"), "executing") ||
         slice_is(key_get(hash, "state"), "executed")))
        sim_fail(c->sim, "trade %s is %.*s, and %s", id, (int)key_get(hash, "state").len,
                 key_get(hash, "state").data, hash->expires_ms ? "will expire" : "stays for ever");
    for (int s = 0; s < TRADE_STATES; s++) {
        bool is_in = is_member(c, INDEX_TRADE_STATE, trade_state_name((enum trade_state)s), id);

        bool is_right = slice_is(key_get(hash, "state"), trade_state_name((enum trade_state)s));

        right += is_in && is_right;
        /* One that came back after its hash had expired leaves its old set by the next sweep. */
        wrong += is_in && !is_right && trade_state_is_open((enum trade_state)s);
    }
    if (right != 1 || wrong)
        sim_fail(c->sim, "trade %s is in %d right sets and in %d wrong ones", id, right, wrong);
}

void look_at_trades(struct checks *c)
{
    const struct world *w = c->world;

    for (uint32_t i = 0; i < WORLD_TRADES; i++) {
        if (w->trade_is_spoiled[i])
            continue;
        for (uint32_t k = c->counted_trades; k > 0; k--) {
            if (w->trades[k - 1].number == w->trade_numbers[i] && !w->trades[k - 1].is_gone) {
                look_at_trade(c, w->trade_numbers[i], w->trades[k - 1].value);
                break;
            }
        }
    }
}
