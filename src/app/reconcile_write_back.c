/* Writing again what Redis has lost: all of it, or what one key held. What grows with the fleet goes out in
 * parts, one batch after the other. An instance that changes meanwhile is written by that change as well, so
 * nothing is held up for it. */
#include "app/daemon.h"
#include "app/reconcile.h"
#include "codec/keys.h"
#include <math.h>

/* What one batch takes of a key, beside what is read meanwhile. */
#define PART_MAX 250
/* Ids of signals in one step: then a part takes half of a batch at most. */
#define SIGNALS_STEP 4

static struct cause own_cause(const struct reconcile *r)
{
    return (struct cause){CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(r->d), r->passes}};
}

static void write_index(const struct instance *instance, struct sink *sink)
{
    struct slice id = ident_slice(&instance->id);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, NULL, instance_state_name(instance->state));
    if (!isnan(instance->load_score))
        sink->ops->load_set(sink->ctx, id, instance->load_score);
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
    else if (part == WRITE_BACK_SEQ && instance->seq)
        sink->ops->seq_set(sink->ctx, id, instance->seq);
    else if (part == WRITE_BACK_INDEX)
        write_index(instance, sink);
    else
        return false;
    return true;
}

/* The next trade that is held, from place *NEXT on: all of it, or where it is in the sets. */
static bool write_trade(struct reconcile *r, enum write_back_part part, struct sink *sink, uint32_t *next)
{
    struct trade_book *book = &r->d->trades;
    while (*next < book->slot_count) {
        struct trade *trade = &book->slots[(*next)++];
        if (!trade->used)
            continue;
        if (part == WRITE_BACK_TRADES)
            trade_book_write_back(book, trade, daemon_now_ms(r->d), sink);
        else if (trade_book_is_over(book, trade, daemon_now_ms(r->d)))
            continue; /* nobody would take it out again */
        else
            sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, ident_slice(&trade->id), NULL,
                                  trade_state_name(trade->state));
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
    if (part == WRITE_BACK_SIGNALS)
        return ledger_write_back_on(r->d->ledger, SIGNALS_STEP, sink);
    if (part == WRITE_BACK_TRADES || part == WRITE_BACK_TRADE_SETS)
        return write_trade(r, part, sink, next);
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

/* What is written leaves something to be stored unless it was the end, and comes back here when it is. While
 * nothing is read a batch may be filled by one part. */
void reconcile_write_back_on(struct reconcile *r)
{
    struct commit *commit = &r->d->commit;
    bool is_reading = lead_is_active(&r->d->lead);
    for (int p = 0; p < WRITE_BACK_PARTS; p++) {
        uint32_t most = p == WRITE_BACK_ALL || !is_reading ? UINT32_MAX : PART_MAX;
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

/* The part that holds what KEY does; WRITE_BACK_PARTS for none. Those of the sets hold what all of them do.
 */
static enum write_back_part find_part(struct slice key)
{
    static const struct {
        const char *key;
        enum write_back_part part;
    } parts[] = {{KEY_TOTALS, WRITE_BACK_SIGNALS},
                 {KEY_JOURNAL, WRITE_BACK_SIGNALS},
                 {KEY_SEQ, WRITE_BACK_SEQ},
                 {KEY_LOAD, WRITE_BACK_INDEX},
                 {KEY_TRADE_EXPIRY, WRITE_BACK_TRADES},
                 {KEY_WATCH, WRITE_BACK_WATCH},
                 {KEY_ALERTS, WRITE_BACK_ALERTS},
                 {KEY_NOTICES, WRITE_BACK_NOTICES},
                 {KEY_THROTTLED, WRITE_BACK_THROTTLED}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (slice_is(key, parts[i].key))
            return parts[i].part;
    for (int s = 0; s < INSTANCE_STATES; s++) {
        struct key set = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        if (slice_equal(key, key_slice(&set)))
            return WRITE_BACK_INDEX;
    }
    for (int s = 0; s < TRADE_STATES; s++) {
        struct key set = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        if (slice_equal(key, key_slice(&set)))
            return WRITE_BACK_TRADE_SETS;
    }
    return WRITE_BACK_PARTS;
}

void reconcile_write_back_key(struct reconcile *r, struct slice key)
{
    struct daemon *d = r->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = own_cause(r);
    enum write_back_part part = find_part(key);
    if (!lead_is_active(&d->lead))
        return;
    sink->ops->begin(sink->ctx, &cause);
    if (part == WRITE_BACK_SIGNALS)
        ledger_write_back(d->ledger, sink);
    else if (part == WRITE_BACK_WATCH)
        write_used_numbers(d->fleet.watch, sink);
    else if (slice_is(key, KEY_BREAKER))
        write_breaker(&d->fleet.watch->breaker, sink);
    if (part < WRITE_BACK_PARTS)
        start(r, part);
    reconcile_write_back_on(r);
    commit_kick(&d->commit);
}

void reconcile_write_back(struct reconcile *r)
{
    struct daemon *d = r->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = own_cause(r);
    sink->ops->begin(sink->ctx, &cause);
    ledger_write_back(d->ledger, sink);
    ledger_write_back_newest(d->ledger, sink);
    write_used_numbers(d->fleet.watch, sink);
    write_breaker(&d->fleet.watch->breaker, sink);
    far_events_write_back(&d->far_events);
    for (int k = 0; k < STREAM_KINDS; k++)
        d->ingest.streams[k].stored = (struct stream_id){0, 1}; /* so that every position is written */
    start(r, WRITE_BACK_SIGNALS);
    start(r, WRITE_BACK_ALL);
    start(r, WRITE_BACK_NOTICES);
    start(r, WRITE_BACK_TRADES);
    reconcile_write_back_on(r);
}

bool reconcile_is_writing_back(const struct reconcile *r)
{
    return r->write_back[WRITE_BACK_SIGNALS].is_on || r->write_back[WRITE_BACK_ALL].is_on ||
           r->write_back[WRITE_BACK_NOTICES].is_on || r->write_back[WRITE_BACK_TRADES].is_on;
}
