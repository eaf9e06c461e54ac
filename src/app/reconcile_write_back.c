/* Writing again what Redis has lost: all of it, or what one key held. What grows with the fleet goes out in
 * parts, one batch after the other. An instance that changes meanwhile is written by that change as well, so
 * nothing is held up for it. */
#include "app/daemon.h"
#include "app/reconcile.h"
#include "codec/keys.h"
#include <math.h>

/* What one batch takes of a key, beside what is read meanwhile. */
#define PART_MAX 250

static struct cause own_cause(const struct reconcile *r)
{
    return (struct cause){CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(r->d), r->passes}};
}

/* The ids that belong into KEY, where that is the set of a trade state: of the trades in memory. */
static void write_back_trade_set(const struct trade_book *book, struct slice key, struct sink *sink)
{
    for (int s = 0; s < TRADE_STATES; s++) {
        const char *name = trade_state_name((enum trade_state)s);
        struct key set = key_index(INDEX_TRADE_STATE, name);
        if (!slice_equal(key, key_slice(&set)))
            continue;
        for (uint32_t i = 0; i < book->slot_count; i++)
            if (book->slots[i].used && book->slots[i].state == (enum trade_state)s)
                sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, ident_slice(&book->slots[i].id), NULL,
                                      name);
    }
}

/* Every member of a set by state, or of the load index, where KEY is one. */
static void write_back_index(struct daemon *d, struct slice key, struct sink *sink)
{
    bool load = slice_is(key, KEY_LOAD);
    for (struct instance *i = fleet_next(&d->fleet, 0); i;
         i = fleet_next(&d->fleet, fleet_index_of(&d->fleet, i) + 1)) {
        const char *state = instance_state_name(i->state);
        struct key index = key_index(INDEX_INSTANCE_STATE, state);
        if (load && !isnan(i->load_score))
            sink->ops->load_set(sink->ctx, ident_slice(&i->id), i->load_score);
        else if (slice_equal(key, key_slice(&index)))
            sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, ident_slice(&i->id), NULL, state);
    }
}

static void write_alerts(const struct instance *instance, struct sink *sink)
{
    for (uint32_t i = 0; i < instance->watched->alert_count; i++)
        sink->ops->alert_set(sink->ctx, ident_slice(&instance->id), &instance->watched->alerts[i]);
}

/* False where there is nothing of INSTANCE in this part. */
static bool write_instance(struct fleet *fleet, enum write_back_part part, struct instance *instance,
                           struct sink *sink)
{
    const struct watched *watched = instance->watched;
    struct slice id = ident_slice(&instance->id);
    if (part == WRITE_BACK_ALL)
        fleet_write_back(fleet, instance, sink);
    else if (part == WRITE_BACK_WATCH && watched)
        sink->ops->watch_set(sink->ctx, id, &watched->record);
    else if (part == WRITE_BACK_ALERTS && watched && watched->alert_count)
        write_alerts(instance, sink);
    else if (part == WRITE_BACK_THROTTLED && watched && watched->record.is_throttled)
        sink->ops->throttled_set(sink->ctx, id, true);
    else
        return false;
    return true;
}

/* The next trade that is held, from place *NEXT on. */
static bool write_trade(struct reconcile *r, struct sink *sink, uint32_t *next)
{
    struct trade_book *book = &r->d->trades;
    while (*next < book->slot_count) {
        struct trade *trade = &book->slots[(*next)++];
        if (!trade->used)
            continue;
        trade_book_write_back(book, trade, daemon_now_ms(r->d), sink);
        return true;
    }
    return false;
}

/* False behind the last one. */
static bool write_next(struct reconcile *r, enum write_back_part part)
{
    struct fleet *fleet = &r->d->fleet;
    struct sink *sink = commit_sink(&r->d->commit);
    struct cause cause = own_cause(r);
    uint32_t *next = &r->write_back[part].next;
    struct instance *instance;
    const struct notice *notice;
    sink->ops->begin(sink->ctx, &cause);
    if (part == WRITE_BACK_TRADES)
        return write_trade(r, sink, next);
    if (part == WRITE_BACK_NOTICES) {
        notice = notices_next(&fleet->watch->notices, *next);
        if (!notice)
            return false;
        sink->ops->notice_set(sink->ctx, notice);
        *next = notices_place_of(&fleet->watch->notices, notice) + 1;
        return true;
    }
    while ((instance = fleet_next(fleet, *next))) {
        *next = fleet_index_of(fleet, instance) + 1;
        if (write_instance(fleet, part, instance, sink))
            return true;
    }
    return false;
}

/* What is written always leaves something to be stored, and comes back here when it is. */
void reconcile_write_back_on(struct reconcile *r)
{
    struct commit *commit = &r->d->commit;
    for (int p = 0; p < WRITE_BACK_PARTS; p++) {
        uint32_t most = p == WRITE_BACK_ALL ? UINT32_MAX : PART_MAX;
        for (uint32_t n = 0; r->write_back[p].is_on && n < most && !commit_is_full(commit); n++)
            r->write_back[p].is_on = write_next(r, (enum write_back_part)p);
    }
}

static void start(struct reconcile *r, enum write_back_part part)
{
    r->write_back[part] = (struct write_back){.is_on = true};
}

/* The highest number of a command that a removed instance had. */
static void write_used_numbers(const struct watch *watch, struct sink *sink)
{
    struct watch_record record = {.commands = watch->used_numbers};
    if (watch->used_numbers)
        sink->ops->watch_set(sink->ctx, slice_text(WATCH_REMOVED), &record);
}

static void write_breaker(const struct breaker *breaker, struct sink *sink)
{
    for (uint32_t i = 0; i < breaker->group_count; i++)
        if (breaker->groups[i].used && breaker->groups[i].is_open)
            sink->ops->breaker_set(sink->ctx, &breaker->groups[i]);
}

/* False where KEY is none of those of the watch. */
static bool write_back_watch_key(struct reconcile *r, struct slice key, struct sink *sink)
{
    static const struct {
        const char *key;
        enum write_back_part part;
    } parts[] = {{KEY_WATCH, WRITE_BACK_WATCH},
                 {KEY_ALERTS, WRITE_BACK_ALERTS},
                 {KEY_NOTICES, WRITE_BACK_NOTICES},
                 {KEY_THROTTLED, WRITE_BACK_THROTTLED}};
    if (slice_is(key, KEY_BREAKER)) {
        write_breaker(&r->d->fleet.watch->breaker, sink);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!slice_is(key, parts[i].key))
            continue;
        if (parts[i].part == WRITE_BACK_WATCH)
            write_used_numbers(r->d->fleet.watch, sink);
        start(r, parts[i].part);
        reconcile_write_back_on(r);
        return true;
    }
    return false;
}

void reconcile_write_back_key(struct reconcile *r, struct slice key)
{
    struct daemon *d = r->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = own_cause(r);
    if (!lead_is_active(&d->lead))
        return;
    sink->ops->begin(sink->ctx, &cause);
    if (slice_is(key, KEY_TOTALS) || slice_is(key, KEY_JOURNAL)) {
        ledger_write_back(d->ledger, sink);
    } else if (slice_is(key, KEY_SEQ)) {
        for (struct instance *i = fleet_next(&d->fleet, 0); i;
             i = fleet_next(&d->fleet, fleet_index_of(&d->fleet, i) + 1))
            if (i->seq)
                sink->ops->seq_set(sink->ctx, ident_slice(&i->id), i->seq);
    } else if (slice_is(key, KEY_TRADE_EXPIRY)) {
        start(r, WRITE_BACK_TRADES);
        reconcile_write_back_on(r);
    } else if (!write_back_watch_key(r, key, sink)) {
        write_back_index(d, key, sink);
        write_back_trade_set(&d->trades, key, sink);
    }
    commit_kick(&d->commit);
}

void reconcile_write_back(struct reconcile *r)
{
    struct daemon *d = r->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = own_cause(r);
    sink->ops->begin(sink->ctx, &cause);
    ledger_write_back(d->ledger, sink);
    write_used_numbers(d->fleet.watch, sink);
    write_breaker(&d->fleet.watch->breaker, sink);
    for (int k = 0; k < STREAM_KINDS; k++)
        d->ingest.streams[k].stored = (struct stream_id){0, 1}; /* so that every position is written */
    start(r, WRITE_BACK_ALL);
    start(r, WRITE_BACK_NOTICES);
    start(r, WRITE_BACK_TRADES);
    reconcile_write_back_on(r);
}

bool reconcile_is_writing_back(const struct reconcile *r)
{
    return r->write_back[WRITE_BACK_ALL].is_on || r->write_back[WRITE_BACK_NOTICES].is_on ||
           r->write_back[WRITE_BACK_TRADES].is_on;
}
