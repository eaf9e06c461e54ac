/* When to look, and what a daemon says of itself. */
#include "checks_private.h"

#include "util/number.h"
#include <inttypes.h>
#include <stdio.h>

const enum total_kind check_ends[4] = {
    [OUTCOME_PROCESSED] = TOTAL_PROCESSED,
    [OUTCOME_FAILED] = TOTAL_FAILED,
    [OUTCOME_DROPPED] = TOTAL_DROPPED,
    [OUTCOME_LOST] = TOTAL_LOST,
};
void checks_init(struct checks *checks, struct sim *sim, struct store *store, struct world *world)
{
    *checks = (struct checks){.sim = sim, .store = store, .world = world, .applied = UINT64_MAX};
}
uint64_t total_of(const struct checks *c, enum total_kind kind, const char *label)
{
    char name[96];
    uint64_t value = 0;

    (void)snprintf(name, sizeof(name), "%s:%s", total_kind_name(kind), label);
    (void)number_parse_u64(key_get(store_find_text(c->store, KEY_TOTALS), name), UINT64_MAX,
                           &value); /* none: 0 */
    return value;
}

const struct store_key *stream_of(const struct checks *c, enum stream_kind k)
{
    return store_find_text(c->store, sim_streams[k]);
}

uint64_t added_to(const struct checks *c, const char *stream, const char *suffix)
{
    char name[96];
    const struct store_key *key;

    (void)snprintf(name, sizeof(name), "%s%s", stream, suffix);
    key = store_find_text(c->store, name);
    return key ? key->added : 0;
}
uint32_t first_new(const struct store_key *key, struct seen *seen)
{
    uint64_t added = key ? key->added - (key->born == seen->born ? seen->added : 0) : 0;

    *seen = (struct seen){key ? key->born : 0, key ? key->added : 0};
    return key && added < key->entry_count ? key->entry_count - (uint32_t)added : 0;
}

static void look_at_all(struct checks *c)
{
    look_at_positions(c);
    look_at_journal(c);
    count_handled(c);
    look_for_unhandled(c);
    look_for_removed(c);
    look_at_open(c);
    look_at_kept(c);
    look_at_trades(c);
    if (c->sim->settings.spoils_shared)
        return; /* the rest may be missing until it is written back */
    look_at_rejected(c);
    look_at_totals(c);
    look_at_events(c);
    look_at_instances(c);
}

void checks_look(struct checks *c)
{
    uint64_t applied = 0;

    if (c->sim->has_lost_data)
        return;
    (void)number_parse_u64(key_get(store_find_text(c->store, KEY_META), "applied_seq"), UINT64_MAX, &applied);
    if (applied == c->applied)
        return;
    c->applied = applied;
    c->looks++;
    look_at_all(c);
}

static void look_at_counts(struct checks *c, const struct shell *sh, const struct ledger_view *view)
{
    uint64_t open = 0;

    for (uint32_t a = 0; a <= LABELS_MAX; a++) {
        const struct action_counts *counts = &view->counts[a];
        uint64_t ended = 0;

        for (int o = 0; o < 4; o++)
            ended += counts->total[check_ends[o]] - counts->base[check_ends[o]];
        if (counts->total[TOTAL_RECEIVED] - counts->base[TOTAL_RECEIVED] != ended + counts->open)
            sim_fail(c->sim, "%s: the counts of action %" PRIu32 " do not balance", sh->name, a);
        open += counts->open;
    }
    if (open != view->open)
        sim_fail(c->sim, "%s: %" PRIu64 " signals are open, %" PRIu64 " by action", sh->name, view->open,
                 open);
}

/* What is settled is the same in memory and in the store. */
static void look_at_fleet(struct checks *c, const struct shell *sh)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        char id[32], seq[NUMBER_TEXT_MAX];
        const struct instance *instance;
        enum instance_state state;
        const struct store_key *hash;

        if (c->world->agents[agent].is_spoiled)
            continue;
        world_format_agent(id, agent);
        instance = fleet_find(&sh->fleet, slice_text(id));
        hash = record_of(c, RECORD_INSTANCE, id);
        if (!instance && c->sim->has_lost_data)
            continue; /* it came back with the store: the next pass takes it in */
        if (!instance != !hash ||
            (instance && !slice_is(key_get(hash, "state"), instance_state_name(instance->state))))
            sim_fail(c->sim, "%s takes %s for %s, the store says %.*s", sh->name, id,
                     instance ? instance_state_name(instance->state) : "unknown",
                     (int)key_get(hash, "state").len, key_get(hash, "state").data);
        else if (instance && instance->seq &&
                 !slice_equal(key_get(store_find_text(c->store, KEY_SEQ), id),
                              slice_of(seq, number_format_u64(seq, instance->seq))))
            sim_fail(c->sim, "%s has another seq of %s than the store, %" PRIu64, sh->name, id,
                     instance->seq);
        if (instance)
            look_at_sets(c, id, &state);
    }
}

/* Of the ended trades the newest are held, whichever daemon has ended them, and as the store has them. */
static void look_at_held_trades(struct checks *c, const struct shell *sh)
{
    const struct store_key *ended = store_find_text(c->store, KEY_TRADE_EXPIRY);

    if (!ended || ended->type != STORE_SORTED || ended->pair_count > sh->trades.max_others)
        return;
    for (uint32_t i = 0; i < ended->pair_count; i++) {
        struct slice id = pair_name(&ended->pairs[i]);
        struct key name = key_record(RECORD_TRADE, id);
        const struct store_key *hash = store_find(c->store, key_slice(&name));
        const struct trade *trade = trade_book_find(&sh->trades, id);

        if (hash && hash->type == STORE_HASH &&
            (!trade || !slice_is(key_get(hash, "state"), trade_state_name(trade->state))))
            sim_fail(c->sim, "%s takes trade %.*s for %s, the store says %.*s", sh->name, (int)id.len,
                     id.data, trade ? trade_state_name(trade->state) : "unknown",
                     (int)key_get(hash, "state").len, key_get(hash, "state").data);
    }
}

/* Nobody has written since it did, and nothing that it wrote is lost. */
static bool is_last_holder(const struct checks *c, const struct shell *sh)
{
    const struct store_key *meta = store_find_text(c->store, KEY_META);
    char applied[NUMBER_TEXT_MAX];

    return slice_is(key_get(meta, "epoch"), sh->epoch) && slice_is(key_get(meta, "holder"), sh->token) &&
           slice_equal(key_get(meta, "applied_seq"),
                       slice_of(applied, number_format_u64(applied, sh->applied)));
}

/* Each total is the same in memory and in the store. */
static void look_at_stored_totals(struct checks *c, const struct shell *sh, const struct ledger_view *view)
{
    for (uint32_t a = 0; a < view->actions->count; a++) {
        char name[IDENT_MAX + 1];
        struct slice label = labels_name(view->actions, a);

        (void)snprintf(name, sizeof(name), "%.*s", (int)label.len, label.data);
        for (int kind = 0; kind <= TOTAL_DUPLICATE; kind++) {
            if (total_of(c, (enum total_kind)kind, name) != view->counts[a].total[kind])
                sim_fail(c->sim, "%s: %s:%s is %" PRIu64 " in the store and %" PRIu64 " in memory", sh->name,
                         total_kind_name((enum total_kind)kind), name,
                         total_of(c, (enum total_kind)kind, name), view->counts[a].total[kind]);
        }
    }
}

void checks_look_at_daemon(struct checks *c, const struct shell *sh)
{
    const struct ledger_options *options = &c->sim->settings.ledger;
    struct ledger_view view;

    if (!sh->is_running || !sh->has_state)
        return;
    ledger_view(sh->ledger, &view);
    look_at_counts(c, sh, &view);
    if (view.early_waiting > options->max_tracked ||
        view.ended_remembered > 4 * (uint64_t)options->max_tracked ||
        view.received->count > options->per_id_max || sh->trades.other_count > sh->trades.max_others)
        sim_fail(c->sim, "%s holds more than it may", sh->name);
    if (sh->phase == PHASE_ACTIVE && shell_is_idle(sh) && is_last_holder(c, sh)) {
        look_at_fleet(c, sh);
        look_at_held_trades(c, sh);
        if (!c->sim->settings.spoils_shared)
            look_at_stored_totals(c, sh, &view);
    }
}

/* READ is what a daemon has or will have taken in, whatever becomes of the store. */
static bool is_read(const struct shell *sh, enum stream_kind k, struct stream_id id)
{
    const struct reading *reading = &sh->reading;

    if (stream_id_compare(id, sh->streams[k].read) <= 0)
        return true;
    for (uint32_t i = reading->next; i < reading->count; i++) {
        if (reading->kinds[i] == k && stream_id_compare(reading->entries[i]->id, id) == 0)
            return true;
    }
    return false;
}

void checks_lose_data(struct checks *c, const struct shell *sh)
{
    struct world *w = c->world;

    for (uint32_t i = 0; i < w->signal_count; i++) {
        if (stream_find(stream_of(c, STREAM_SIGNALS), w->signals[i].id))
            continue;
        w->signals[i].is_removed = true;
        w->signals[i].is_gone = w->signals[i].is_gone || !is_read(sh, STREAM_SIGNALS, w->signals[i].id);
    }
    for (uint32_t i = 0; i < w->result_count; i++) {
        if (!stream_find(stream_of(c, STREAM_RESULTS), w->results[i].id) &&
            !is_read(sh, STREAM_RESULTS, w->results[i].id))
            w->results[i].is_gone = true;
    }
}

void checks_take_entries(struct checks *c, enum stream_kind k)
{
    const struct store_key *stream = stream_of(c, k);

    if (k == STREAM_RESULTS)
        c->kept_results = stream_behind(stream, c->positions[k]);
    if (!stream || !stream->has_group)
        c->lacks_group[k] = true;
}
