#include "app/load.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/displace.h"
#include "app/look.h"
#include "codec/keys.h"
#include "codec/scripts.h"
#include "load_private.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* No total that we wrote is larger. */
#define TOTAL_MAX    ((uint64_t)1 << 53)
#define LOOK_IDS     100
#define HALVINGS_MAX 10 /* of a page of entries, to one */

struct call {
    struct load *load;
    uint64_t generation;
    void (*fn)(struct load *load, const redisReply *reply, int arg);
    int arg;
    struct key key; /* what is moved aside where it has the wrong type; empty: nothing */
};

static void run(struct load *load);

void load_init(struct load *load, struct daemon *d)
{
    *load = (struct load){.d = d, .step = -1};
    load->ids = mem_new(1, sizeof *load->ids);
    id_queue_init(&load->ids->instances);
    id_queue_init(&load->ids->trades);
    id_queue_init(&load->ids->ended);
    load_watch_init(load->ids);
}

static void forget_ids(struct load *load)
{
    struct id_queue *queues[] = {&load->ids->instances, &load->ids->trades, &load->ids->ended};
    for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
        id_queue_clear(queues[i]);
        id_queue_init(queues[i]);
    }
    free(load->ids->kept);
    load->ids->kept = NULL;
    load->ids->kept_count = load->ids->kept_cap = load->ids->looked = load->ids->ended_left = 0;
    load_watch_clear(load->ids);
}

void load_clear(struct load *load)
{
    forget_ids(load);
    free(load->ids);
}

void load_abandon(struct load *load)
{
    load->generation++;
    load->step = -1;
    load->pending = 0;
    forget_ids(load);
}

static void fail(struct load *load, struct slice why)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%.*s", (int)why.len, why.data);
    load_abandon(load);
    lead_on_load_failed(&load->d->lead, text);
}

static void on_answer(void *ctx, void *object)
{
    struct call *call = ctx;
    struct load *load = call->load;
    const redisReply *reply = object;
    /* Entries may have any size, and a page of them too large for an answer or for its time. */
    if (call->generation == load->generation && !reply && load->halvings < HALVINGS_MAX)
        load->halvings++;
    if (call->generation == load->generation && reply) {
        struct slice text = slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0);
        bool wrong_type = text.len && redis_error_classify(text) == REDIS_ERROR_WRONGTYPE;
        if (text.len && !wrong_type) {
            fail(load, text);
            free(call);
            return;
        }
        if (wrong_type && call->key.len)
            displace(load->d, key_slice(&call->key), slice_text("another"), NULL, NULL);
        if (!wrong_type)
            call->fn(load, reply, call->arg);
        if (call->generation == load->generation && --load->pending == 0) {
            load->step++;
            run(load);
        }
    }
    free(call);
}

void load_send(struct load *load, const struct slice *words, size_t count,
               void (*fn)(struct load *, const redisReply *, int), int arg, struct slice displaceable)
{
    struct call *call = mem_new(1, sizeof *call);
    *call = (struct call){.load = load, .generation = load->generation, .fn = fn, .arg = arg};
    call->key.len = displaceable.len < KEY_MAX ? displaceable.len : 0;
    if (call->key.len)
        memcpy(call->key.text, displaceable.data, call->key.len);
    load->pending++;
    if (redis_link_command(load->d->link, words, count, 0, on_answer, call)) {
        free(call);
        fail(load, slice_text("the link takes no command"));
    }
}

static void on_meta(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    uint64_t applied = 0;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice name = load_text(reply->element[i]), value = load_text(reply->element[i + 1]);
        struct stream_id position;
        if (slice_is(name, "applied_seq"))
            (void)number_parse_u64(value, LEAD_APPLIED_MAX, &applied);
        if (slice_is(name, META_LEFT) && stream_id_parse(value, &position))
            ledger_load_left(load->d->ledger, position);
        for (int k = 0; k < STREAM_KINDS; k++) {
            struct key field = key_position((enum stream_kind)k);
            if (slice_equal(name, key_slice(&field)) && stream_id_parse(value, &position)) {
                ingest_set_position(&load->d->ingest, (enum stream_kind)k, position);
                load->positions |= 1U << k;
            }
        }
    }
    commit_reset(&load->d->commit, applied);
}

static void on_totals(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        enum total_kind kind;
        struct slice label;
        uint64_t value;
        if (key_parse_total(load_text(reply->element[i]), &kind, &label) &&
            number_parse_u64(load_text(reply->element[i + 1]), TOTAL_MAX, &value))
            ledger_load_total(load->d->ledger, kind, label, value);
    }
}

static void read_shared(struct load *load)
{
    struct slice meta[] = {slice_text("HGETALL"), slice_text(KEY_META)};
    struct slice totals[] = {slice_text("HGETALL"), slice_text(KEY_TOTALS)};
    load_send(load, meta, 2, on_meta, 0, slice_of(NULL, 0));
    load_send(load, totals, 2, on_totals, 0, totals[1]);
}

static void on_groups(struct load *load, const redisReply *reply, int k)
{
    if (load->positions & 1U << k)
        return;
    for (size_t g = 0; g < reply->elements; g++) {
        const redisReply *group = reply->element[g];
        bool ours = false;
        struct stream_id last = {0, 0};
        for (size_t i = 0; i + 1 < group->elements; i += 2) {
            struct slice name = load_text(group->element[i]);
            if (slice_is(name, "name"))
                ours = slice_is(load_text(group->element[i + 1]), load->d->config->streams.group);
            if (slice_is(name, "last-delivered-id"))
                (void)stream_id_parse(load_text(group->element[i + 1]), &last);
        }
        if (ours)
            ingest_set_position(&load->d->ingest, (enum stream_kind)k, last);
    }
}

/* Groups show to others how far a stream has been handled. Made here so that XINFO shows it even before the
 * first entry; that it is there already is no error. */
static void make_groups(struct load *load)
{
    const struct config *config = load->d->config;
    for (int k = 0; k < STREAM_KINDS; k++) {
        char id[STREAM_ID_TEXT_MAX], read[STREAM_ID_TEXT_MAX] = "";
        stream_id_format(id, load->d->ingest.streams[k].handled);
        /* A stream that was rolled back goes on behind what was read of it: then it is not taken for one that
         * was made anew, and no new entry has an ID that counts as read. */
        if (load->rescanning)
            stream_id_format(read, load->d->ingest.streams[k].read);
        struct slice words[] = {slice_text("EVAL"),
                                script_word(&script_group, true),
                                slice_text("1"),
                                slice_text(load->d->names.stream[k]),
                                slice_text(config->streams.group),
                                slice_text(config->streams.consumer),
                                slice_text(id),
                                slice_text(read)};
        load_send(load, words, ARRAY_LEN(words), on_groups, k, slice_of(NULL, 0));
    }
}

static void on_members(struct load *load, const redisReply *reply, int is_trade)
{
    for (size_t i = 0; i < reply->elements; i++)
        (void)id_queue_add(is_trade ? &load->ids->trades : &load->ids->instances,
                           load_text(reply->element[i]), UINT32_MAX);
}

static void read_sets(struct load *load)
{
    for (int s = 0; s < INSTANCE_STATES; s++) {
        struct key key = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        struct slice words[] = {slice_text("SMEMBERS"), key_slice(&key)};
        load_send(load, words, 2, on_members, false, key_slice(&key));
    }
    for (int s = 0; s < TRADE_STATES; s++) {
        if (!trade_state_is_open((enum trade_state)s))
            continue;
        struct key key = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        struct slice words[] = {slice_text("SMEMBERS"), key_slice(&key)};
        load_send(load, words, 2, on_members, true, key_slice(&key));
    }
    (void)snprintf(load->cursor, sizeof load->cursor, "0");
}

static void scan(struct load *load);

static void on_scanned(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    if (reply->elements != 2)
        return;
    (void)snprintf(load->cursor, sizeof load->cursor, "%s", reply->element[0]->str);
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        enum record_kind kind;
        struct slice id;
        if (key_parse_record(load_text(reply->element[1]->element[i]), &kind, &id) && kind == RECORD_INSTANCE)
            (void)id_queue_add(&load->ids->instances, id, UINT32_MAX);
    }
    if (strcmp(load->cursor, "0") != 0)
        scan(load);
}

/* Hashes that others wrote while nobody was there to put them into a set. */
static void scan(struct load *load)
{
    struct slice words[] = {slice_text("SCAN"),       slice_text(load->cursor), slice_text("MATCH"),
                            slice_text("instance:*"), slice_text("COUNT"),      slice_text("1000"),
                            slice_text("TYPE"),       slice_text("hash")};
    load_send(load, words, ARRAY_LEN(words), on_scanned, 0, slice_of(NULL, 0));
}

static void look(struct load *load);

/* It was registered: a set names it, or it has had events. Any other hash is one that others wrote meanwhile.
 */
static bool was_known(const struct looked *looked)
{
    bool known = looked->seq > 0;
    for (int s = 0; s < INSTANCE_STATES; s++)
        known = known || looked->member[s];
    return known && !looked->wrong_type[0] && !looked->wrong_type[1] && !looked->wrong_type[2];
}

static void on_looked(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct daemon *d = load->d;
    struct looked looked;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!look_parse(reply, i, &looked))
            continue;
        if (was_known(&looked) && fleet_load(&d->fleet, looked.id, &looked.record,
                                             looked_index_state(&looked), looked.seq, daemon_now_ms(d)))
            load_watch_take(load, fleet_find(&d->fleet, looked.id));
        reconcile_take(&d->reconcile, &looked);
    }
    look(load);
}

static void look(struct load *load)
{
    uint32_t left = load->ids->instances.count - load->ids->looked;
    if (!left)
        return;
    uint32_t count = left < LOOK_IDS ? left : LOOK_IDS;
    struct buf command = BUF_INIT;
    look_render(load->ids->instances.ids + load->ids->looked, count, &command);
    load->ids->looked += count;
    struct call *call = mem_new(1, sizeof *call);
    *call = (struct call){.load = load, .generation = load->generation, .fn = on_looked};
    load->pending++;
    if (redis_link_send(load->d->link, buf_slice(&command), 1, 0, on_answer, call)) {
        free(call);
        fail(load, slice_text("the link takes no command"));
    }
    buf_clear(&command);
}

static void finish(struct load *load)
{
    struct daemon *d = load->d;
    uint64_t difference = ledger_load_finish(d->ledger, daemon_now_ms(d));
    if (difference)
        LOG(d->log, WARN,
            "totals and what is open did not agree; the difference is booked: as lost where an end is "
            "missing, as received where a beginning is",
            log_int("signals", (int64_t)difference));
    load_watch_finish(load);
    load->halvings = 0;
    struct ledger_view view;
    ledger_view(d->ledger, &view);
    LOG(d->log, INFO, "state loaded", log_int("instances", d->fleet.count),
        log_int("open_signals", (int64_t)view.open),
        log_int("remembered_signals", (int64_t)view.ended_remembered),
        log_int("open_trades", d->trades.open_count), log_int("ended_trades", d->trades.other_count),
        log_int("journal_lines_skipped", (int64_t)load->journal_bad),
        log_int("ms", loop_now_ms() - load->started_ms));
    load->step = -1;
    forget_ids(load);
    lead_on_loaded(&d->lead);
}

static void finish_rescan(struct load *load)
{
    load->step = -1;
    load->rescanning = false;
    lead_on_loaded(&load->d->lead);
}

static void (*const all_steps[])(struct load *load) = {
    read_shared,      load_watch,     make_groups,       read_sets,    scan,         look,
    load_open_trades, load_ended_ids, load_ended_trades, load_journal, load_signals, load_results,
    load_reports,     load_trades,    load_events,       finish,       NULL,
};
static void (*const rescan_steps[])(struct load *load) = {make_groups, load_signals, load_events,
                                                          finish_rescan, NULL};

/* Begins the steps from the present one on; one that asks for nothing is over at once. */
static void run(struct load *load)
{
    uint64_t generation = load->generation;
    while (load->generation == generation && load->step >= 0 && load->steps[load->step]) {
        load->steps[load->step](load);
        if (load->generation != generation || load->pending)
            return;
        if (load->step >= 0)
            load->step++;
    }
}

void load_start(struct load *load)
{
    load_abandon(load);
    daemon_forget(load->d);
    ledger_load_begin(load->d->ledger);
    load->started_ms = loop_now_ms();
    load->positions = 0;
    load->journal_bad = 0;
    load->steps = all_steps;
    load->rescanning = false;
    load->step = 0;
    run(load);
}

void load_rescan(struct load *load)
{
    load_abandon(load);
    load->steps = rescan_steps;
    load->rescanning = true;
    load->positions = UINT32_MAX; /* ours count, not those of the groups */
    load->step = 0;
    run(load);
}
