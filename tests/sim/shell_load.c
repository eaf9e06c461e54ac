/* Reading the state that the store holds: load.c, load_trade.c and load_streams.c, one step each. */
#include "shell_private.h"

#include "codec/journal.h"
#include "codec/signal_entry.h"
#include "util/alloc.h"
#include "util/number.h"
#include "util/time_text.h"
#include <inttypes.h>
#include <stdlib.h>

/* Ended trades that are looked at in one step. */
#define ENDED_MAX 5

static void load_shared(struct shell *sh)
{
    const struct store_key *meta = store_find_text(sh->store, KEY_META);
    const struct store_key *totals = store_find_text(sh->store, KEY_TOTALS);
    uint64_t applied = 0;
    struct stream_id left;

    (void)number_parse_u64(key_get(meta, "applied_seq"), (uint64_t)1 << 53,
                           &applied); /* 0 where it is missing */
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct key field = key_position((enum stream_kind)k);
        struct stream_id position;

        sh->has_position[k] = stream_id_parse(key_get(meta, field.text), &position);
        if (sh->has_position[k])
            ingest_set_position(sh, (enum stream_kind)k, position);
    }
    if (stream_id_parse(key_get(meta, META_LEFT), &left))
        ledger_load_left(sh->ledger, left);
    commit_reset(sh, applied);
    for (uint32_t i = 0; totals && totals->type == STORE_HASH && i < totals->pair_count; i++) {
        struct slice name = pair_name(&totals->pairs[i]);
        const char *colon = memchr(name.data, ':', name.len);
        uint64_t value;

        if (!colon || !number_parse_u64(pair_value(&totals->pairs[i]), UINT64_MAX, &value))
            continue;
        for (int k = 0; k < TOTAL_KINDS; k++) {
            struct slice label = slice_of(colon + 1, name.len - (size_t)(colon + 1 - name.data));

            if (slice_equal(slice_of(name.data, (size_t)(colon - name.data)),
                            slice_text(total_kind_name((enum total_kind)k))))
                ledger_load_total(sh->ledger, (enum total_kind)k, label, value);
        }
    }
}

static void load_groups(struct shell *sh)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct store_key *key = store_make(sh->store, slice_text(sim_streams[k]), STORE_STREAM);

        if (!key)
            continue;
        if (!key->has_group)
            key->group_id = sh->streams[k].handled;
        key->has_group = true;
        /* XSETID, which refuses to go below an entry that is there. */
        if (sh->is_rescanning &&
            (key->entry_count == 0 ||
             stream_id_compare(key->entries[key->entry_count - 1]->id, sh->streams[k].read) <= 0))
            key->last_id = sh->streams[k].read;
        if (!sh->has_position[k])
            ingest_set_position(sh, (enum stream_kind)k, key->group_id);
    }
}

static void add_members(struct shell *sh, enum index_kind kind, const char *state, struct id_list *list)
{
    struct key name = key_index(kind, state);
    const struct store_key *key = store_find(sh->store, key_slice(&name));

    if (key && key->type != STORE_SET) {
        displace(sh, key_slice(&name), false);
        return;
    }
    for (uint32_t i = 0; key && i < key->pair_count; i++)
        id_list_add(list, pair_name(&key->pairs[i]));
}

static void load_ids(struct shell *sh)
{
    for (int s = 0; s < INSTANCE_STATES; s++)
        add_members(sh, INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s), &sh->found);
    for (int s = 0; s < TRADE_STATES; s++) {
        if (trade_state_is_open((enum trade_state)s))
            add_members(sh, INDEX_TRADE_STATE, trade_state_name((enum trade_state)s), &sh->found_trades);
    }
    for (uint32_t i = 0; i < sh->store->count; i++) {
        const struct store_key *key = &sh->store->keys[i];
        enum record_kind kind;
        struct slice id;

        if (key->type == STORE_HASH && key_parse_record(slice_of(key->name, key->name_len), &kind, &id) &&
            kind == RECORD_INSTANCE)
            id_list_add(&sh->found, id);
    }
}

static bool was_known(const struct look *look)
{
    bool known = look->seq > 0;

    for (int s = 0; s < INSTANCE_STATES; s++)
        known = known || look->member[s];
    return known && !look->is_wrong[0] && !look->is_wrong[1] && !look->is_wrong[2];
}

static void load_instances(struct shell *sh)
{
    for (uint32_t n = 0; n < LOOK_MAX && sh->looked < sh->found.count; n++) {
        char scratch[REPORT_TEXT_MAX];
        struct look look = {0};
        struct instance_record record;

        look_at(sh->store, ident_slice(&sh->found.ids[sh->looked++]), &look);
        look_read(&look, &record, scratch);
        if (was_known(&look))
            (void)fleet_load(&sh->fleet, ident_slice(&look.id), &record, look_index_state(&look), look.seq,
                             shell_now_ms(sh)); /* what is not valid is judged by reconcile_take */
        reconcile_take(sh, &look);
        look_clear(&look);
    }
    if (sh->looked < sh->found.count)
        sh->load_step--; /* again */
}

static void load_trade(struct shell *sh, struct slice id, bool is_open)
{
    struct key name = key_record(RECORD_TRADE, id);
    const struct store_key *key = store_find(sh->store, key_slice(&name));
    struct slice instance;
    enum trade_state state;
    int64_t updated_ms = shell_now_ms(sh);

    if (!key || key->type != STORE_HASH || !trade_state_parse(key_get(key, "state"), &state) ||
        trade_state_is_open(state) != is_open)
        return;
    instance = key_get(key, "instance_id");
    (void)time_text_parse(key_get(key, "last_updated_at"), &updated_ms); /* now, where it is missing */
    trade_book_load(&sh->trades, id, ident_is_valid(instance, IDENT_MAX) ? instance : slice_of("", 0), state,
                    updated_ms);
}

static void load_trades(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->found_trades.count; i++)
        load_trade(sh, ident_slice(&sh->found_trades.ids[i]), true);
}

/* By score, then by name, ascending. */
static int compare_scored(const void *a, const void *b)
{
    const struct store_pair *const *one = a, *const *other = b;
    struct slice x = pair_name(*one), y = pair_name(*other);
    double score_x = 0, score_y = 0;
    int order;

    (void)number_parse_decimal(pair_value(*one), &score_x);
    (void)number_parse_decimal(pair_value(*other), &score_y);
    if (score_x < score_y || score_x > score_y)
        return score_x < score_y ? -1 : 1;
    order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* ZRANGE ... REV, which tells the newest first; oldest first into the book. */
static void load_ended_ids(struct shell *sh)
{
    const struct store_key *key = store_find_text(sh->store, KEY_TRADE_EXPIRY);
    const struct store_pair **pairs;
    uint32_t count;

    if (key && key->type != STORE_SORTED) {
        displace(sh, slice_text(KEY_TRADE_EXPIRY), false);
        return;
    }
    count = key ? key->pair_count : 0;
    pairs = mem_new(count + 1, sizeof(const struct store_pair *));
    for (uint32_t i = 0; i < count; i++)
        pairs[i] = &key->pairs[i];
    qsort(pairs, count, sizeof(const struct store_pair *), compare_scored);
    for (uint32_t i = count > sh->trades.max_others ? count - sh->trades.max_others : 0; i < count; i++)
        id_list_add(&sh->found_ended, pair_name(pairs[i]));
    free(pairs);
}

static void load_ended_trades(struct shell *sh)
{
    for (uint32_t n = 0; n < ENDED_MAX && sh->ended_loaded < sh->found_ended.count; n++)
        load_trade(sh, ident_slice(&sh->found_ended.ids[sh->ended_loaded++]), false);
    if (sh->ended_loaded < sh->found_ended.count)
        sh->load_step--; /* again */
}

struct target {
    struct ledger *ledger;
    uint64_t at_ms;
};

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    ledger_load_received(((struct target *)ctx)->ledger, signal_id, entry, action, instance_id,
                         ((struct target *)ctx)->at_ms);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    ledger_load_accepted(((struct target *)ctx)->ledger, signal_id, accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    ledger_load_ended(((struct target *)ctx)->ledger, signal_id, outcome, ((struct target *)ctx)->at_ms);
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    ledger_load_early(((struct target *)ctx)->ledger, signal_id, status, result);
}

static void load_journal(struct shell *sh)
{
    const struct store_key *key = store_find_text(sh->store, KEY_JOURNAL);
    struct target target = {.ledger = sh->ledger};
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, &target};

    for (uint32_t i = 0; key && key->type == STORE_STREAM && i < key->entry_count; i++) {
        target.at_ms = key->entries[i]->id.ms;
        if (journal_read(entry_value(key->entries[i], "lines"), &reader))
            sim_fail(sh->sim, "%s: the journal holds a line that cannot be read", sh->name);
    }
}

static void load_signals(struct shell *sh)
{
    const struct store_key *key = store_find_text(sh->store, sim_streams[STREAM_SIGNALS]);
    struct stream_id from = ledger_find_unsettled(sh->ledger);
    uint32_t end = stream_behind(key, sh->streams[STREAM_SIGNALS].handled);

    for (uint32_t i = 0; i < end; i++) {
        struct signal_entry_scratch scratch;
        struct signal_entry signal;
        struct slice field;
        struct errmsg why;
        struct entry entry;
        bool is_valid;

        if (stream_id_compare(key->entries[i]->id, from) < 0)
            continue;
        (void)entry_decode(STREAM_SIGNALS, key->entries[i], &entry);
        is_valid = signal_entry_parse(&entry, &scratch, &signal, &field, &why);
        if (is_valid && !sh->is_rescanning)
            ledger_load_entry(sh->ledger, &signal);
        else if (!is_valid || !ledger_is_open(sh->ledger, signal.signal_id))
            ledger_on_rejected(sh->ledger, STREAM_SIGNALS, entry.id);
    }
}

/* The newest handled entries of a stream, oldest first. */
static void load_kept(struct shell *sh, enum stream_kind k, uint32_t most)
{
    const struct store_key *key = store_find_text(sh->store, sim_streams[k]);
    uint32_t end = stream_behind(key, sh->streams[k].handled);

    for (uint32_t i = end > most ? end - most : 0; i < end; i++) {
        struct result_entry result;
        struct slice field;
        struct errmsg why;
        struct entry entry;

        (void)entry_decode(k, key->entries[i], &entry);
        if (k == STREAM_RESULTS)
            ledger_load_result(sh->ledger, entry.id,
                               result_entry_parse(&entry, &result, &field, &why) ? result.result_id
                                                                                 : slice_of("", 0));
        else
            ingest_note_handled(sh, k, key->entries[i]->id);
    }
}

static void load_all_kept(struct shell *sh)
{
    const struct settings *settings = &sh->sim->settings;

    /* Whole pages are read, so there may be more than is wanted. */
    load_kept(sh, STREAM_RESULTS, settings->ledger.results_max_len + rng_below(&sh->sim->rng, 20));
    load_kept(sh, STREAM_REPORTS, (uint32_t)settings->reports_max_len + 2 * MARK_STRIDE);
    load_kept(sh, STREAM_TRADES, (uint32_t)settings->trades_max_len + 2 * MARK_STRIDE);
}

static void load_finish(struct shell *sh)
{
    uint64_t difference = ledger_load_finish(sh->ledger, shell_now_ms(sh));

    if (difference && !sh->sim->has_lost_data)
        sim_fail(sh->sim, "%s: totals and open signals differ by %" PRIu64 " at the start", sh->name,
                 difference);
}

static void (*const all_steps[])(struct shell *sh) = {
    load_shared,       load_groups,  load_ids,     load_instances, load_trades, load_ended_ids,
    load_ended_trades, load_journal, load_signals, load_all_kept,  load_finish, NULL,
};

/* After the store has lost writes: takes what had ended, and is in the stream again, out of it. */
static void (*const rescan_steps[])(struct shell *sh) = {load_groups, load_signals, NULL};

bool load_step_writes(const struct shell *sh)
{
    return sh->load_steps[sh->load_step] == load_groups;
}

void load_run_step(struct shell *sh)
{
    sh->load_steps[sh->load_step++](sh);
}

static void send_step(struct shell *sh)
{
    struct call *call = call_send(sh, CALL_LOAD);

    if (call)
        call->generation = sh->load_generation;
}

void load_on_step(struct shell *sh, const struct call *call)
{
    if (call->generation != sh->load_generation)
        return;
    if (call->is_refused) {
        sh->load_generation++;
        lead_on_load_failed(sh);
        return;
    }
    if (sh->load_steps[sh->load_step]) {
        send_step(sh);
        return;
    }
    sim_note(sh->sim, "%s has loaded: applied %" PRIu64 ", %u instances", sh->name, sh->applied,
             sh->fleet.count);
    lead_on_loaded(sh);
}

void load_start(struct shell *sh)
{
    sh->load_generation++;
    daemon_forget(sh);
    sh->load_steps = all_steps;
    sh->is_rescanning = false;
    sh->load_step = sh->looked = 0;
    sh->found.count = sh->found_trades.count = sh->found_ended.count = sh->ended_loaded = 0;
    send_step(sh);
}

void load_rescan(struct shell *sh)
{
    sh->load_generation++;
    sh->load_steps = rescan_steps;
    sh->is_rescanning = true;
    sh->load_step = 0;
    for (int k = 0; k < STREAM_KINDS; k++)
        sh->has_position[k] = true; /* ours count, not those of the groups */
    send_step(sh);
}
