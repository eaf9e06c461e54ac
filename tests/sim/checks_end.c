/* The end of a run: everything is read, settled and in its place. */
#include "checks_private.h"

#include <inttypes.h>
#include <stdio.h>

/* They are cut at every fourth. */
#define LENGTH_SLACK 8

static uint64_t ended_of(const struct checks *c, const char *action)
{
    uint64_t sum = 0;

    for (int o = 0; o < 4; o++)
        sum += total_of(c, check_ends[o], action);
    return sum;
}

/* A store that lost data, under a daemon that did not: what that had read is counted, once. */
static void look_at_survivor(struct checks *c)
{
    const struct world *w = c->world;
    uint64_t received[WORLD_ACTIONS] = {0}, results[RESULT_STATUSES] = {0};

    for (uint32_t i = 0; i < w->signal_count; i++)
        received[w->signals[i].action] += w->signals[i].kind == SIGNAL_FIRST && !w->signals[i].is_gone;
    for (uint32_t i = 0; i < w->result_count; i++) {
        const struct made_result *result = &w->results[i];

        results[result->status] += !result->is_malformed && !result->is_repeated && !result->is_gone;
    }
    for (uint32_t a = 0; a < WORLD_ACTIONS; a++) {
        if (total_of(c, TOTAL_RECEIVED, world_actions[a]) != received[a])
            sim_fail(c->sim, "at the end received:%s is %" PRIu64 ", %" PRIu64 " were read", world_actions[a],
                     total_of(c, TOTAL_RECEIVED, world_actions[a]), received[a]);
    }
    for (int s = 0; s < RESULT_STATUSES; s++) {
        const char *name = result_status_name((enum result_status)s);

        if (total_of(c, TOTAL_RESULT, name) != results[s])
            sim_fail(c->sim, "at the end result:%s is %" PRIu64 ", %" PRIu64 " were read", name,
                     total_of(c, TOTAL_RESULT, name), results[s]);
    }
}

/* Memory and store agree on every total, and nothing is open. */
static void look_at_final_totals(struct checks *c, const struct shell *sh)
{
    struct ledger_view view;

    ledger_view(sh->ledger, &view);
    if (view.open)
        sim_fail(c->sim, "%" PRIu64 " signals are still open at the end", view.open);
    for (uint32_t a = 0; a < view.actions->count; a++) {
        char name[IDENT_MAX + 1];
        struct slice label = labels_name(view.actions, a);

        (void)snprintf(name, sizeof(name), "%.*s", (int)label.len, label.data);
        for (int kind = 0; kind <= TOTAL_DUPLICATE; kind++) {
            if (total_of(c, (enum total_kind)kind, name) != view.counts[a].total[kind])
                sim_fail(c->sim, "at the end %s:%s is %" PRIu64 " in the store and %" PRIu64 " in memory",
                         total_kind_name((enum total_kind)kind), name,
                         total_of(c, (enum total_kind)kind, name), view.counts[a].total[kind]);
        }
        if (total_of(c, TOTAL_RECEIVED, name) != ended_of(c, name))
            sim_fail(c->sim, "at the end received:%s is %" PRIu64 ", ended %" PRIu64, name,
                     total_of(c, TOTAL_RECEIVED, name), ended_of(c, name));
    }
}

/* Malformed ones that were removed may be back after a loss; they leave with those around them. */
static uint32_t count_valid_results(const struct checks *c, const struct shell *sh)
{
    const struct store_key *key = stream_of(c, STREAM_RESULTS);
    uint32_t end = stream_behind(key, sh->streams[STREAM_RESULTS].handled), count = 0;
    enum result_status status;

    for (uint32_t i = 0; i < end; i++)
        count += result_status_parse(entry_value(key->entries[i], "status"), &status);
    return count;
}

/* About as many as may stay; what came back after a loss leaves with the next that are handled. */
static void look_at_final_length(struct checks *c, enum stream_kind k, int64_t max_len)
{
    const struct store_key *key = stream_of(c, k);

    if (key && key->entry_count > (uint64_t)max_len + (max_len ? LENGTH_SLACK : 0) && !c->sim->has_lost_data)
        sim_fail(c->sim, "%" PRIu32 " entries of %s are kept at the end", key->entry_count, sim_streams[k]);
}

static void look_at_final_streams(struct checks *c, const struct shell *sh)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = stream_of(c, (enum stream_kind)k);
        struct key field = key_position((enum stream_kind)k);
        struct stream_id position = {0, 0};

        if (!stream_id_parse(key_get(store_find_text(c->store, KEY_META), field.text), &position))
            continue; /* nothing was handled since all was lost */
        if (stream_behind(key, position) != (key ? key->entry_count : 0))
            sim_fail(c->sim, "%s is not read to its end", sim_streams[k]);
        if (stream_id_compare(position, sh->streams[k].handled) != 0)
            sim_fail(c->sim, "the stored position of %s is not what was handled", sim_streams[k]);
    }
    if (stream_of(c, STREAM_SIGNALS) && stream_of(c, STREAM_SIGNALS)->entry_count && !c->sim->has_lost_data)
        sim_fail(c->sim, "signals that have ended are still in their stream");
    look_at_final_length(c, STREAM_REPORTS, c->sim->settings.reports_max_len);
    look_at_final_length(c, STREAM_TRADES, c->sim->settings.trades_max_len);
    if (count_valid_results(c, sh) > c->sim->settings.ledger.results_max_len)
        sim_fail(c->sim, "more results than results.max_len are kept at the end");
}

/* A hash of others registers nothing without broker and state, or where none is followed. */
static bool is_registered(const struct checks *c, const char *id)
{
    const struct store_key *hash = record_of(c, RECORD_INSTANCE, id);
    enum instance_state state;

    return c->sim->settings.adopts && key_get(hash, "broker_id").len &&
           instance_state_parse(key_get(hash, "state"), &state);
}

/* What others spoiled has been adopted or put back. */
static void look_at_final_instances(struct checks *c, const struct shell *sh)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        char id[32];
        enum instance_state state;
        const struct instance *instance;

        world_format_agent(id, agent);
        instance = fleet_find(&sh->fleet, slice_text(id));
        if (!instance && !is_registered(c, id))
            continue;
        look_at_sets(c, id, &state);
        if (state != (instance ? instance->state : STATE_NONE))
            sim_fail(c->sim, "at the end %s is %s, the daemon takes it for %s", id,
                     state == STATE_NONE ? "nothing" : instance_state_name(state),
                     instance ? instance_state_name(instance->state) : "unknown");
    }
}

/* What has expired, or came back, has left its old sets by now. */
static void look_at_final_trades(struct checks *c)
{
    for (int s = 0; s < TRADE_STATES; s++) {
        struct key name = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        const struct store_key *set = store_find(c->store, key_slice(&name));

        for (uint32_t i = 0; set && set->type == STORE_SET && i < set->pair_count; i++) {
            struct key record = key_record(RECORD_TRADE, pair_name(&set->pairs[i]));
            const struct store_key *hash = store_find(c->store, key_slice(&record));

            if (!hash || !slice_is(key_get(hash, "state"), trade_state_name((enum trade_state)s)))
                sim_fail(c->sim, "at the end trade %.*s is in the set of %s, and %s",
                         (int)pair_name(&set->pairs[i]).len, pair_name(&set->pairs[i]).data,
                         trade_state_name((enum trade_state)s), hash ? "is not" : "has expired");
        }
    }
}

/* What the daemon holds of trades is in the store, after a loss as well. */
static void look_at_held_trades(struct checks *c, const struct shell *sh)
{
    for (uint32_t i = 0; i < sh->trades.slot_count; i++) {
        const struct trade *trade = &sh->trades.slots[i];
        struct key name = key_record(RECORD_TRADE, ident_slice(&trade->id));
        const struct store_key *hash = store_find(c->store, key_slice(&name));
        const char *state = trade_state_name(trade->state);
        struct key index = key_index(INDEX_TRADE_STATE, trade->used ? state : "");
        const struct store_key *set = store_find(c->store, key_slice(&index));

        if (!trade->used || (!hash && !trade_state_is_open(trade->state)))
            continue;
        if (!hash || !slice_is(key_get(hash, "state"), state) ||
            !slice_equal(key_get(hash, "trade_id"), ident_slice(&trade->id)) ||
            !key_find_pair(set, ident_slice(&trade->id)))
            sim_fail(c->sim, "at the end trade %.*s is %s in memory, and not so in the store",
                     (int)trade->id.len, trade->id.text, state);
    }
}

void checks_look_at_end(struct checks *c, struct shell *sh)
{
    const struct settings *settings = &c->sim->settings;

    checks_look(c);
    checks_look_at_daemon(c, sh);
    if (!c->sim->has_lost_data)
        look_at_totals(c);
    look_at_final_totals(c, sh);
    look_at_final_streams(c, sh);
    look_at_final_instances(c, sh);
    if (!settings->plants) {
        look_at_final_trades(c);
        look_at_held_trades(c, sh);
    }
    if (c->sim->has_lost_data && !settings->crashes && !settings->has_second)
        look_at_survivor(c);
}
