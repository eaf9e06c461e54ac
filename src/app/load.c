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
#define LOOKS_MAX    2  /* under way at once: the second waits in Redis while the first one is read here */
#define HALVINGS_MAX 10 /* of a page of entries, to one */
/* Pages of keys that are looked at before it is ready; the pass that follows a load looks at all. */
#define SCANS_MAX  64
#define SCAN_COUNT "1000"

struct call {
    struct load *load;
    uint64_t generation;
    enum load_part part;
    void (*fn)(struct load *load, const redisReply *reply, int arg);
    int arg;
    struct key key; /* what is moved aside where it has the wrong type; empty: nothing */
};

static void run(struct load *load);

const char *load_part_name(enum load_part part)
{
    static const char *const names[LOAD_PARTS] = {"shared",  "instances", "journal", "signals",
                                                  "results", "trades",    "events"};
    return names[part];
}

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
    load->ids->kept_count = load->ids->kept_cap = 0;
    load->ids->looked = load->ids->ended_left = load->ids->looks = load->ids->open_asked =
        load->ids->walk_count = 0;
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
    if (lead_stands_by(&load->d->lead))
        standby_on_failed(&load->d->standby, text);
    else
        lead_on_load_failed(&load->d->lead, text);
}

/* Entries may have any size, and a page of them too large for an answer or for its time. All that was under
 * way is lost at once, and counts as one. */
static void on_lost(struct load *load)
{
    if (load->halvings < HALVINGS_MAX && load->halved_in != load->generation)
        load->halvings++;
    load->halved_in = load->generation;
}

static void take_answer(struct load *load, const struct call *call, const redisReply *reply)
{
    struct slice text = slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0);
    bool wrong_type = text.len && redis_error_classify(text) == REDIS_ERROR_WRONGTYPE;
    if (text.len && !wrong_type) {
        fail(load, text);
        return;
    }
    if (wrong_type && lead_stands_by(&load->d->lead)) {
        fail(load, text); /* whoever is active moves it aside */
        return;
    }
    if (wrong_type && call->key.len)
        displace(load->d, key_slice(&call->key), slice_text("another"), NULL, NULL);
    load->part = call->part;
    if (!wrong_type)
        call->fn(load, reply, call->arg);
    if (call->generation != load->generation)
        return;
    load->parts[call->part].answers++;
    load->parts[call->part].ms = loop_now_ms() - load->started_ms;
    if (--load->pending == 0) {
        load->step++;
        run(load);
    }
}

static void on_answer(void *ctx, void *object)
{
    struct call *call = ctx;
    struct load *load = call->load;
    if (call->generation == load->generation) {
        if (object)
            take_answer(load, call, object);
        else
            on_lost(load);
    }
    free(call);
}

void load_send(struct load *load, const struct slice *words, size_t count,
               void (*fn)(struct load *, const redisReply *, int), int arg, struct slice displaceable)
{
    struct call *call = mem_new(1, sizeof *call);
    *call =
        (struct call){.load = load, .generation = load->generation, .part = load->part, .fn = fn, .arg = arg};
    call->key.len = displaceable.len < KEY_MAX ? displaceable.len : 0;
    if (call->key.len)
        memcpy(call->key.text, displaceable.data, call->key.len);
    load->pending++;
    if (redis_link_command(load->d->link, words, count, 0, on_answer, call)) {
        free(call);
        fail(load, slice_text("the link takes no command"));
    }
}

void load_send_rendered(struct load *load, struct slice command,
                        void (*fn)(struct load *, const redisReply *, int), int arg)
{
    struct call *call = mem_new(1, sizeof *call);
    *call =
        (struct call){.load = load, .generation = load->generation, .part = load->part, .fn = fn, .arg = arg};
    load->pending++;
    if (redis_link_send(load->d->link, command, 1, 0, on_answer, call)) {
        free(call);
        fail(load, slice_text("the link takes no command"));
    }
}

void load_take_meta(struct load *load, const redisReply *reply)
{
    uint64_t applied = 0, told;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice name = load_text(reply->element[i]), value = load_text(reply->element[i + 1]);
        struct stream_id position;
        if (slice_is(name, "applied_seq"))
            (void)number_parse_u64(value, LEAD_APPLIED_MAX, &applied);
        if (slice_is(name, "epoch"))
            (void)snprintf(load->epoch, sizeof load->epoch, "%.*s", (int)value.len, value.data);
        if (slice_is(name, META_TOLD) && number_parse_u64(value, UINT64_MAX - 1, &told))
            load->d->far_told = (struct far_told){told, told, told};
        if (slice_is(name, META_LEFT) && stream_id_parse(value, &position))
            ledger_load_left(load->d->ledger, position);
        for (int k = 0; k < STREAM_KINDS; k++) {
            struct key field = key_position((enum stream_kind)k);
            if (daemon_keeps_position(load->d, (enum stream_kind)k) && slice_equal(name, key_slice(&field)) &&
                stream_id_parse(value, &position)) {
                ingest_set_position(&load->d->ingest, (enum stream_kind)k, position);
                load->positions |= 1U << k;
            }
        }
    }
    load->applied = applied;
    commit_reset(&load->d->commit, applied);
}

static void on_meta(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    load_take_meta(load, reply);
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

void load_totals(struct load *load)
{
    struct slice totals[] = {slice_text("HGETALL"), slice_text(KEY_TOTALS)};
    load_send(load, totals, 2, on_totals, 0, totals[1]);
}

static void read_shared(struct load *load)
{
    struct slice meta[] = {slice_text("HGETALL"), slice_text(KEY_META)};
    uint64_t generation = load->generation;
    load_send(load, meta, 2, on_meta, 0, slice_of(NULL, 0));
    if (load->generation == generation)
        load_totals(load);
}

enum group_mode {
    BEHIND_NOTHING,
    BEHIND_READ,         /* the stream goes on behind what was read of it */
    BEHIND_READ_OF_OURS, /* unless somebody has made it anew */
};

struct group_words {
    char handled[STREAM_ID_TEXT_MAX], behind[STREAM_ID_TEXT_MAX];
    struct slice words[9];
};

static void say_group(const struct load *load, int k, enum group_mode mode, struct group_words *ret)
{
    const struct config *config = load->d->config;
    const struct ingest_stream *s = &load->d->ingest.streams[k];
    stream_id_format(ret->handled, s->handled);
    ret->behind[0] = '\0';
    if (mode != BEHIND_NOTHING)
        stream_id_format(ret->behind, stream_id_compare(s->read, s->handled) < 0 ? s->handled : s->read);
    const struct slice words[] = {slice_text("EVAL"),
                                  script_word(&script_group, true),
                                  slice_text("1"),
                                  slice_text(load->d->names.stream[k]),
                                  slice_text(config->streams.group),
                                  slice_text(config->streams.consumer),
                                  slice_text(ret->handled),
                                  slice_text(ret->behind),
                                  slice_text(mode == BEHIND_READ_OF_OURS ? "ours" : "")};
    memcpy(ret->words, words, sizeof words);
}

/* Where our group stands, among all GROUPS of a stream; false where it is not there. */
static bool find_group(const struct load *load, const redisReply *groups, struct stream_id *ret_delivered)
{
    for (size_t g = 0; g < groups->elements; g++) {
        const redisReply *group = groups->element[g];
        bool ours = false;
        struct stream_id last = {0, 0};
        for (size_t i = 0; i + 1 < group->elements; i += 2) {
            struct slice name = load_text(group->element[i]);
            if (slice_is(name, "name"))
                ours = slice_is(load_text(group->element[i + 1]), load->d->config->streams.group);
            if (slice_is(name, "last-delivered-id"))
                (void)stream_id_parse(load_text(group->element[i + 1]), &last);
        }
        if (ours) {
            *ret_delivered = last;
            return true;
        }
    }
    return false;
}

/* The answer of group.lua: the groups, the last ID, and whether that was moved. */
static bool is_group_answer(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
           reply->element[2]->type == REDIS_REPLY_INTEGER;
}

static void on_groups(struct load *load, const redisReply *reply, int k)
{
    struct stream_id delivered = {0, 0};
    bool is_there = is_group_answer(reply) && find_group(load, reply->element[0], &delivered);
    load->delivered[k] = delivered;
    if (load->rescanning) {
        const struct ingest_stream *s = &load->d->ingest.streams[k];
        load->groups_behind += stream_id_compare(delivered, s->handled) < 0;
        load->streams_behind += is_group_answer(reply) && reply->element[2]->integer == 1;
    } else if (is_there && !(load->positions & 1U << k)) {
        ingest_set_position(&load->d->ingest, (enum stream_kind)k, delivered);
    }
}

/* Groups show to others how far a stream has been handled. Made here so that XINFO shows it even before the
 * first entry; that it is there already is no error. */
void load_make_groups(struct load *load)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (!daemon_serves(load->d, (enum layer)k))
            continue;
        struct group_words group;
        /* A stream that was rolled back goes on behind what was read of it: then it is not taken for one that
         * was made anew, and no new entry has an ID that counts as read. */
        say_group(load, k, load->rescanning ? BEHIND_READ : BEHIND_NOTHING, &group);
        load_send(load, group.words, ARRAY_LEN(group.words), on_groups, k, slice_of(NULL, 0));
    }
}

static void on_kept(void *ctx, void *object)
{
    struct daemon *d = ctx;
    const redisReply *reply = object;
    if (!reply || !is_group_answer(reply) || reply->element[2]->integer != 1)
        return;
    loss_count(&d->lead.loss, LOSS_STREAMS, 1);
    LOG(d->log, WARN, "redis has lost entries that were read; the stream goes on behind them",
        log_slice("last", load_text(reply->element[1])));
}

void load_keep_ids(struct load *load)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (!daemon_serves(load->d, (enum layer)k))
            continue;
        struct group_words group;
        say_group(load, k, BEHIND_READ_OF_OURS, &group);
        /* Where the link dies over it, the next one asks again. */
        (void)redis_link_command(load->d->link, group.words, ARRAY_LEN(group.words), 0, on_kept, load->d);
    }
}

static void on_members(struct load *load, const redisReply *reply, int is_trade)
{
    for (size_t i = 0; i < reply->elements; i++)
        (void)id_queue_add(is_trade ? &load->ids->trades : &load->ids->instances,
                           load_text(reply->element[i]), UINT32_MAX);
}

/* Whoever has had an event was registered, also where a set has lost him. */
static void on_seqs(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        (void)id_queue_add(&load->ids->instances, load_text(reply->element[i]), UINT32_MAX);
}

static void read_trade_sets(struct load *load)
{
    for (int s = 0; s < TRADE_STATES; s++) {
        if (!trade_state_is_open((enum trade_state)s))
            continue;
        struct key key = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        load_walk(load, "SSCAN", key_slice(&key), on_members, true);
    }
}

static void read_sets(struct load *load)
{
    for (int s = 0; s < INSTANCE_STATES; s++) {
        struct key key = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        load_walk(load, "SSCAN", key_slice(&key), on_members, false);
    }
    load_walk(load, "HSCAN", slice_text(KEY_SEQ), on_seqs, 0);
    (void)snprintf(load->cursor, sizeof load->cursor, "0");
    load->scans = 0;
}

static void scan(struct load *load);
static void look(struct load *load);

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
    uint64_t generation = load->generation;
    if (strcmp(load->cursor, "0") != 0 && load->scans < SCANS_MAX)
        scan(load);
    if (load->generation == generation)
        look(load);
}

/* Hashes that others wrote while nobody was there to put them into a set. Among the keys may be any number of
 * trades. */
static void scan(struct load *load)
{
    struct slice words[] = {slice_text("SCAN"),       slice_text(load->cursor), slice_text("MATCH"),
                            slice_text("instance:*"), slice_text("COUNT"),      slice_text(SCAN_COUNT),
                            slice_text("TYPE"),       slice_text("hash")};
    load->scans++;
    load_send(load, words, ARRAY_LEN(words), on_scanned, 0, slice_of(NULL, 0));
}

/* It was registered: a set names it, or it has had events. Any other hash is one that others wrote meanwhile.
 */
bool load_was_known(const struct looked *looked)
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
    load->ids->looks--;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!look_parse(reply, i, &looked))
            continue;
        if (load_was_known(&looked) && fleet_load(&d->fleet, looked.id, &looked.record,
                                                  looked_index_state(&looked), looked.seq, daemon_now_ms(d)))
            load_watch_take(load, fleet_find(&d->fleet, looked.id));
        if (!lead_stands_by(&d->lead))
            reconcile_take(&d->reconcile, &looked);
    }
    look(load);
}

static void look_once(struct load *load)
{
    uint32_t left = load->ids->instances.count - load->ids->looked;
    uint32_t count = left < LOOK_IDS ? left : LOOK_IDS;
    struct buf command = BUF_INIT;
    look_render(load->ids->instances.ids + load->ids->looked, count, &command);
    load->ids->looked += count;
    load->ids->looks++;
    load_send_rendered(load, buf_slice(&command), on_looked, 0);
    buf_clear(&command);
}

static void look(struct load *load)
{
    while (load->ids->looks < LOOKS_MAX && load->ids->looked < load->ids->instances.count)
        look_once(load);
}

/* How long each part took says where a start that takes long does so. */
static void tell_loaded(const struct load *load)
{
    struct daemon *d = load->d;
    struct ledger_view view;
    ledger_view(d->ledger, &view);
    LOG(d->log, INFO, "state loaded", log_int("instances", d->fleet.count),
        log_int("open_signals", (int64_t)view.open),
        log_int("remembered_signals", (int64_t)view.ended_remembered),
        log_int("open_trades", d->trades.open_count), log_int("ended_trades", d->trades.other_count),
        log_int("journal_lines", (int64_t)load->journal_lines),
        log_int("journal_lines_skipped", (int64_t)load->journal_bad), log_int("ms", load->ms),
        log_int("shared_ms", load->parts[LOAD_SHARED].ms),
        log_int("instances_ms", load->parts[LOAD_INSTANCES].ms),
        log_int("journal_ms", load->parts[LOAD_JOURNAL].ms),
        log_int("signals_ms", load->parts[LOAD_SIGNALS].ms),
        log_int("results_ms", load->parts[LOAD_RESULTS].ms),
        log_int("trades_ms", load->parts[LOAD_TRADES].ms), log_int("events_ms", load->parts[LOAD_EVENTS].ms),
        log_layers(d));
}

/* Trades on another Redis may have been loaded first. */
static void finish_instances(struct load *load)
{
    struct daemon *d = load->d, *trades = daemon_of(d, LAYER_RTS);
    load_watch_finish(load);
    for (struct instance *i = fleet_next(&d->fleet, 0); i && trades != d;
         i = fleet_next(&d->fleet, fleet_index_of(&d->fleet, i) + 1))
        trade_book_tie_instance(&trades->trades, i);
}

void load_finish_ledger(struct load *load)
{
    struct daemon *d = load->d;
    uint64_t difference = ledger_load_finish(d->ledger, daemon_now_ms(d));
    if (difference)
        LOG(d->log, WARN,
            "totals and what is open did not agree; the difference is booked: as lost where an end is "
            "missing, as received where a beginning is",
            log_int("signals", (int64_t)difference));
}

static void end(struct load *load)
{
    load->halvings = 0;
    load->ms = loop_now_ms() - load->started_ms;
    tell_loaded(load);
    load->step = -1;
    forget_ids(load);
}

/* Nothing is put right before it is ours. */
static void finish_standing_by(struct load *load)
{
    ledger_load_follow(load->d->ledger);
    end(load);
    standby_on_loaded(&load->d->standby);
}

static void finish(struct load *load)
{
    struct daemon *d = load->d;
    load_finish_ledger(load);
    if (daemon_is_home(d))
        finish_instances(load);
    end(load);
    if (daemon_is_home(d) && strcmp(load->cursor, "0") != 0)
        reconcile_soon(&d->reconcile); /* keys are left that have not been looked at */
    lead_on_loaded(&d->lead);
}

static void finish_rescan(struct load *load)
{
    load->step = -1;
    load->rescanning = false;
    load->halvings = 0;
    loss_find(&load->d->lead.loss, LOSS_GROUPS, load->groups_behind);
    loss_find(&load->d->lead.loss, LOSS_STREAMS, load->streams_behind);
    lead_on_loaded(&load->d->lead);
}

/* What a lane needs of others is read in a step before it: the positions of the groups, instances of what
 * they are watched for, trades of their instances, the open signals of the journal. */
#define RIS  (1U << LAYER_RIS)
#define RTS  (1U << LAYER_RTS)
#define RTSS (1U << LAYER_RTSS)
#define RTRS (1U << LAYER_RTRS)
#define ANY  LAYERS_ALL
static const struct load_lane all_lanes[] = {
    {0, LOAD_SHARED, read_shared, ANY},
    {0, LOAD_SHARED, load_watch, RIS},
    {0, LOAD_INSTANCES, read_sets, RIS},
    {0, LOAD_TRADES, read_trade_sets, RTS},
    {1, LOAD_SHARED, load_make_groups, ANY},
    {2, LOAD_JOURNAL, load_journal, RTSS},
    {2, LOAD_INSTANCES, look, RIS},
    {2, LOAD_INSTANCES, scan, RIS},
    {2, LOAD_RESULTS, load_results, RTRS},
    {2, LOAD_EVENTS, load_events, RIS},
    {2, LOAD_EVENTS, load_far_events, RTSS},
    {2, LOAD_TRADES, load_ended_ids, RTS},
    {3, LOAD_SIGNALS, load_signals, RTSS},
    {4, LOAD_TRADES, load_open_trades, RTS},
    {5, LOAD_TRADES, load_ended_trades, RTS},
    {6, LOAD_SHARED, finish, ANY},
    {0},
};
static const struct load_lane standby_lanes[] = {
    {0, LOAD_SHARED, read_shared, ANY},        {0, LOAD_SHARED, load_watch, RIS},
    {0, LOAD_INSTANCES, read_sets, RIS},       {0, LOAD_TRADES, read_trade_sets, RTS},
    {2, LOAD_JOURNAL, load_journal, RTSS},     {2, LOAD_INSTANCES, look, RIS},
    {2, LOAD_RESULTS, load_results, RTRS},     {2, LOAD_EVENTS, load_events, RIS},
    {2, LOAD_TRADES, load_ended_ids, RTS},     {3, LOAD_SIGNALS, load_signals, RTSS},
    {4, LOAD_TRADES, load_open_trades, RTS},   {5, LOAD_TRADES, load_ended_trades, RTS},
    {6, LOAD_SHARED, finish_standing_by, ANY}, {0},
};
static const struct load_lane rescan_lanes[] = {
    {0, LOAD_SHARED, load_make_groups, ANY},
    {0, LOAD_SIGNALS, load_signals_again, RTSS},
    {0, LOAD_EVENTS, load_ahead, ANY},
    {0, LOAD_EVENTS, load_events, RIS},
    {1, LOAD_RESULTS, load_results_again, RTRS},
    {2, LOAD_SHARED, finish_rescan, ANY},
    {0},
};

/* False where the load is over with it, or was given up. */
static bool begin_step(struct load *load, int step)
{
    uint64_t generation = load->generation;
    for (const struct load_lane *lane = load->lanes; lane->begin; lane++) {
        if (lane->step != step || !(lane->layers & load->d->layers))
            continue;
        load->part = lane->part;
        lane->begin(load);
        if (load->generation != generation || load->step < 0)
            return false;
    }
    return true;
}

/* Begins the steps from the present one on; one that asks for nothing is over at once. */
static void run(struct load *load)
{
    while (begin_step(load, load->step) && !load->pending)
        load->step++;
}

void load_begin(struct load *load, const struct load_lane *lanes)
{
    load->started_ms = loop_now_ms();
    memset(load->parts, 0, sizeof load->parts);
    load->lanes = lanes;
    load->step = 0;
    run(load);
}

void load_start(struct load *load)
{
    load_abandon(load);
    daemon_forget(load->d);
    ledger_load_begin(load->d->ledger);
    load->positions = 0;
    load->journal_lines = load->journal_bad = 0;
    load->rescanning = false;
    load->journal = (struct stream_id){0, 0};
    load_begin(load, lead_stands_by(&load->d->lead) ? standby_lanes : all_lanes);
}

void load_rescan(struct load *load)
{
    load_abandon(load);
    load->rescanning = true;
    load->groups_behind = load->streams_behind = 0;
    load_begin(load, rescan_lanes);
}
