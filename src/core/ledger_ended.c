/* The dedup window: ids of signals that have ended, in the order in which they did. Whether one still counts
 * is judged by the time of the entry that asks, so when it is forgotten makes no difference to anybody. */
#include "ledger_private.h"

#define TIME_BYTES         6U
#define TIME_MAX           ((UINT64_C(1) << (8 * TIME_BYTES)) - 1)
#define EXPIRE_STEP        20000      /* ids forgotten in one call, so that none takes long */
#define NEWEST_BYTES       (1U << 20) /* of the log: some 20,000 ids */
#define EXPIRE_INTERVAL_MS 1000       /* there is no hurry, and what is not read yet may hold it up */

void ended_init(struct ledger *l)
{
    id_log_init(&l->ended, l->key, TIME_BYTES);
}

static void pack_time(unsigned char out[TIME_BYTES], int64_t ms)
{
    uint64_t value = ms < 0 ? 0 : (uint64_t)ms;

    if (value > TIME_MAX)
        value = TIME_MAX;
    for (unsigned i = 0; i < TIME_BYTES; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t unpack_time(const unsigned char *in)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < TIME_BYTES; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

static void evict_oldest(struct ledger *l)
{
    uint64_t max = (uint64_t)l->options.max_tracked * 4;

    while (l->ended.count > 0 && l->ended.count >= max) {
        id_log_pop(&l->ended);
        l->ended_evicted++;
    }
}

void ended_add(struct ledger *l, struct slice id, uint64_t hash, enum signal_outcome outcome,
               int64_t ended_ms)
{
    unsigned char time[TIME_BYTES];

    evict_oldest(l);
    pack_time(time, ended_ms);
    id_log_push(&l->ended, id, hash, (unsigned char)outcome, time, MAP_NONE);
}

uint32_t ended_find(const struct ledger *l, struct slice id, uint64_t hash)
{
    return id_log_find(&l->ended, id, hash);
}

bool ended_is_remembered(const struct ledger *l, uint32_t index, uint64_t at_ms,
                         enum signal_outcome *ret_outcome)
{
    struct id_record record;

    if (index == MAP_NONE)
        return false;
    record = id_log_get(&l->ended, index);
    if (at_ms >= unpack_time(record.payload) + (uint64_t)l->options.dedup_ms)
        return false;
    *ret_outcome = (enum signal_outcome)record.tag;
    return true;
}

void ended_forget(struct ledger *l, uint32_t index)
{
    if (index != MAP_NONE)
        id_log_forget(&l->ended, index);
}

int64_t ended_oldest_ms(const struct ledger *l)
{
    struct id_record record;

    return id_log_oldest(&l->ended, &record) ? (int64_t)unpack_time(record.payload) : INT64_MAX;
}

int64_t ended_deadline(const struct ledger *l)
{
    int64_t due_ms = ended_oldest_ms(l);
    int64_t again_ms = time_add(l->expired_ms, EXPIRE_INTERVAL_MS);

    if (due_ms == INT64_MAX)
        return INT64_MAX;
    due_ms = time_add(due_ms, l->options.dedup_ms);
    return due_ms > again_ms ? due_ms : again_ms;
}

void ended_expire(struct ledger *l)
{
    for (int i = 0; i < EXPIRE_STEP && l->ended.count > 0; i++) {
        if (ended_oldest_ms(l) + l->options.dedup_ms > l->read_ms)
            return;
        id_log_pop(&l->ended);
    }
}

static void tell_ended(void *ctx, const struct id_record *record)
{
    struct sink *sink = ctx;

    sink->ops->journal_ended(sink->ctx, record->id, (enum signal_outcome)record->tag);
}

void ended_tell_newest(const struct ledger *l, struct sink *sink)
{
    struct id_log_place place = id_log_newest(&l->ended, NEWEST_BYTES);

    (void)id_log_each(&l->ended, &place, UINT32_MAX, tell_ended, sink);
}

void ended_write_back(struct ledger *l, uint32_t *left, struct sink *sink)
{
    *left -= id_log_each(&l->ended, &l->ended_write_back, *left, tell_ended, sink);
}
