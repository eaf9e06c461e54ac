/* Trade updates on their way to the core, and the sweep of expired ones. Stands for trade_io.c and
 * trade_sweep.c. */
#include "shell_private.h"

#include "codec/trade_entry.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdio.h>

#define WAITING_MAX 40
#define SWEEP_MAX   20
#define REFUSED_MS  200

bool trade_io_is_full(const struct shell *sh)
{
    return sh->item_count >= WAITING_MAX;
}

bool trade_io_has_room(const struct shell *sh, uint32_t count)
{
    return sh->item_count + count < WAITING_MAX;
}

void trade_io_reset(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->item_count; i++)
        entry_drop(sh->items[i].entry);
    sh->item_count = 0;
    sh->looking = 0;
    sh->trade_generation++;
}

void trade_io_take(struct shell *sh, struct store_entry *entry)
{
    if (sh->item_count == sh->item_cap) {
        sh->item_cap = sh->item_cap ? sh->item_cap * 2 : 16;
        sh->items = mem_resize(sh->items, sh->item_cap, sizeof(*sh->items));
    }
    sh->items[sh->item_count++] = (struct trade_item){.entry = entry_share(entry), .state = TRADE_NONE};
    sh->taken++;
}

void trade_look_up(const struct store *store, struct call *call)
{
    struct key name = key_record(RECORD_TRADE, ident_slice(&call->id));
    const struct store_key *key = store_find(store, key_slice(&name));
    struct slice instance = key_get(key && key->type == STORE_HASH ? key : NULL, "instance_id");

    call->trade_state = TRADE_NONE;
    call->is_wrong = key && key->type != STORE_HASH;
    if (call->is_wrong || !key)
        return;
    (void)trade_state_parse(key_get(key, "state"),
                            &call->trade_state); /* what is invalid counts as nothing */
    if (ident_is_valid(instance, IDENT_MAX))
        ident_set(&call->trade_instance, instance);
}

void trade_on_looked_up(struct shell *sh, const struct call *call, bool lost)
{
    uint64_t first = sh->taken - sh->item_count;
    struct trade_item *item;

    if (call->generation != sh->trade_generation)
        return;
    sh->looking--;
    if (call->number < first || call->number >= sh->taken)
        return;
    item = &sh->items[call->number - first];
    item->look = lost || call->is_refused ? TRADE_UNASKED : TRADE_LOOKED;
    if (lost)
        return;
    if (call->is_refused) {
        sh->look_again_ms = sh->store->now_ms + REFUSED_MS;
    } else {
        item->is_wrong = call->is_wrong;
        item->state = call->trade_state;
        item->instance = call->trade_instance;
    }
    if (!sh->looking) {
        trade_io_go_on(sh);
        commit_kick(sh);
    }
}

static bool look_up(struct shell *sh, uint32_t i, struct slice id)
{
    struct call *call = call_send(sh, CALL_TRADE);

    if (!call)
        return false;
    ident_set(&call->id, id);
    call->number = sh->taken - sh->item_count + i;
    call->generation = sh->trade_generation;
    sh->looking++;
    sh->items[i].look = TRADE_ASKED;
    return true;
}

static void reject(struct shell *sh, const struct entry *entry, struct slice reason)
{
    struct cause cause = {CAUSE_TRADE, entry->id};
    struct sink *sink = commit_sink(sh);

    sink->ops->begin(sink->ctx, &cause);
    sink->ops->reject(sink->ctx, &cause, reason);
}

static void apply(struct shell *sh, const struct trade_item *item)
{
    struct trade_entry_scratch scratch;
    struct trade_update update;
    struct slice field;
    struct errmsg why;
    struct entry entry;
    struct cause cause = {CAUSE_TRADE, item->entry->id};
    struct trade_stored stored = {item->state, ident_slice(&item->instance)};
    struct sink *sink = commit_sink(sh);
    int64_t now_ms = shell_now_ms(sh);

    (void)entry_decode(STREAM_TRADES, item->entry, &entry);
    if (!trade_entry_parse(&entry, &scratch, &update, &field, &why)) {
        reject(sh, &entry, slice_text(why.text));
        return;
    }
    if (item->is_wrong && !trade_book_find(&sh->trades, update.value[TRADE_TRADE_ID])) {
        reject(sh, &entry, slice_text("trade: wrong type in Redis"));
        trade_io_unindex(sh, update.value[TRADE_TRADE_ID]);
        return;
    }
    sink->ops->begin(sink->ctx, &cause);
    trade_book_on_update(&sh->trades, &update, &stored, &cause,
                         entry.id.ms < (uint64_t)now_ms ? (int64_t)entry.id.ms : now_ms, sink);
}

/* The id of a trade that is not in memory; empty for all else. */
static struct slice unknown_id(const struct shell *sh, const struct trade_item *item)
{
    struct slice id = entry_value(item->entry, "trade_id");

    return ident_is_valid(id, IDENT_MAX) && !trade_book_find(&sh->trades, id) ? id : slice_of("", 0);
}

void trade_io_go_on(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->item_count && sh->store->now_ms >= sh->look_again_ms; i++) {
        struct slice id = unknown_id(sh, &sh->items[i]);

        if (sh->items[i].look == TRADE_UNASKED && id.len && !look_up(sh, i, id))
            break;
    }
    while (sh->item_count && !sh->looking) {
        struct trade_item item = sh->items[0];

        if (item.look != TRADE_LOOKED && unknown_id(sh, &item).len)
            break;
        apply(sh, &item);
        sh->streams[STREAM_TRADES].handled = item.entry->id;
        ingest_note_handled(sh, STREAM_TRADES, item.entry->id);
        entry_drop(item.entry);
        sh->item_count--;
        memmove(sh->items, sh->items + 1, sh->item_count * sizeof(*sh->items));
        if (commit_is_full(sh))
            commit_kick(sh);
    }
}

/* What ZRANGEBYSCORE, and then TTL for each, would answer. */
void trade_find_due(const struct store *store, struct call *call)
{
    const struct store_key *due = store_find_text(store, KEY_TRADE_EXPIRY);

    for (uint32_t i = 0;
         due && due->type == STORE_SORTED && i < due->pair_count && call->id_count < SWEEP_MAX; i++) {
        struct slice id = pair_name(&due->pairs[i]);
        struct key name = key_record(RECORD_TRADE, id);
        const struct store_key *key = store_find(store, key_slice(&name));
        double at_s;

        if (!number_parse_decimal(pair_value(&due->pairs[i]), &at_s) || at_s * 1000 > (double)store->now_ms ||
            !ident_is_valid(id, IDENT_MAX))
            continue;
        call_add_id(call, id,
                    !key               ? -2
                    : !key->expires_ms ? -1
                                       : (key->expires_ms - store->now_ms + 500) / 1000);
    }
}

/* Takes ID out of the sets of ended trades, but for the one that it belongs to. */
static void sweep(struct shell *sh, struct slice id, bool is_gone, struct sink *sink)
{
    static const enum trade_state ended[] = {TRADE_CLOSED, TRADE_FAILED};
    const struct trade *trade = trade_book_find(&sh->trades, id);

    if (!trade && !is_gone)
        return;
    sim_note(sh->sim, "%s: trade %.*s is swept, %s", sh->name, (int)id.len, id.data,
             is_gone ? "gone" : "there");
    for (size_t i = 0; i < ARRAY_LEN(ended); i++) {
        if (is_gone || trade->state != ended[i])
            sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, trade_state_name(ended[i]), NULL);
    }
}

void trade_on_due(struct shell *sh, const struct call *call)
{
    if (call->generation != sh->trade_generation)
        return;
    for (uint32_t i = 0; i < call->id_count; i++) {
        struct slice id = ident_slice(&call->ids[i]);
        const struct trade *trade = trade_book_find(&sh->trades, id);
        struct sink *sink = commit_sink(sh);
        struct cause cause = {CAUSE_RECONCILE, {(uint64_t)shell_now_ms(sh), 0}};

        if (trade && trade->batch >= call->number)
            continue; /* touched since it was asked about: the next pass sees it */
        sink->ops->begin(sink->ctx, &cause);
        if (call->ttl_s[i] >= 0) {
            batch_expect_expiry(sh->filling, id, shell_now_ms(sh) / 1000 + call->ttl_s[i] + 1);
        } else {
            batch_forget_expiry(sh->filling, id);
            sweep(sh, id, call->ttl_s[i] == -2, sink);
        }
    }
    commit_kick(sh);
}

void trade_io_unindex(struct shell *sh, struct slice id)
{
    struct sink *sink = commit_sink(sh);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)shell_now_ms(sh), 0}};

    sink->ops->begin(sink->ctx, &cause);
    for (int s = 0; s < TRADE_STATES; s++)
        sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, trade_state_name((enum trade_state)s), NULL);
}
