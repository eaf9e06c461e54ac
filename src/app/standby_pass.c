/* One pass of following: a page of changes after the other, each taken in whole. What they name is read
 * again, which may bring what later batches have changed: these name it too. The journal is read behind the
 * changes, so that it has at least what they are about. */
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/look.h"
#include "codec/changes.h"
#include "codec/keys.h"
#include "codec/report.h"
#include "codec/scripts.h"
#include "codec/watch_record.h"
#include "load_private.h"
#include "standby_private.h"
#include "util/alloc.h"
#include "util/number.h"
#include "util/time_text.h"
#include <stdlib.h>

/* Changes read at once, batches: the loop is to be held for some milliseconds only; instances looked at, and
 * fields asked for, in one command. */
#define PAGE       16
#define LOOK_IDS   100
#define FIELDS_MAX 400

static struct standby *of(const struct load *load)
{
    return &load->d->standby;
}

/* ---- the changes ---- */

static void note_instance(void *ctx, struct slice id)
{
    struct standby *s = ctx;
    (void)id_queue_add(&s->instances, id, UINT32_MAX); /* @removed is no id: it is read when taking over */
}

static void add_field(struct standby_fields *fields, struct slice id, struct slice name)
{
    if (fields->count == fields->cap) {
        fields->cap = fields->cap ? fields->cap * 2 : 64;
        fields->items = mem_resize(fields->items, fields->cap, sizeof *fields->items);
    }
    struct standby_field *field = &fields->items[fields->count++];
    *field = (struct standby_field){.at = fields->names.len, .len = name.len};
    ident_set(&field->instance_id, id);
    buf_add_slice(&fields->names, name);
}

static void add_alert(struct standby *s, struct slice id, struct slice rule)
{
    char field[ALERT_FIELD_MAX];
    add_field(&s->alerts, id, slice_of(field, alert_field_format(field, id, rule)));
}

static void note_alert(void *ctx, struct slice id, struct slice rule)
{
    note_instance(ctx, id);
    add_alert(ctx, id, rule);
}

static void take_fields(void *ctx, struct slice id, enum record_kind kind, struct slice fields)
{
    struct standby *s = ctx;
    struct instance_record record;
    struct slice name, value;
    char scratch[REPORT_TEXT_MAX];
    instance_record_init(&record);
    while (changes_next_field(&fields, &name, &value))
        instance_record_parse_field(&record, kind, name, value, scratch);
    if (!fleet_load_numbers(&s->d->fleet, id, &record))
        note_instance(s, id);
}

static void note_notice(void *ctx, struct slice key)
{
    struct standby *s = ctx;
    add_field(&s->notices, slice_of("", 0), key);
}

static void note_trade(void *ctx, struct slice id)
{
    struct standby *s = ctx;
    (void)id_queue_add(&s->trades, id, UINT32_MAX);
}

static void keep_late(struct standby *s, char kind, struct stream_id entry, struct slice id)
{
    char text[STREAM_ID_TEXT_MAX];
    size_t len = stream_id_format(text, entry);
    buf_add_format(&s->late, "%c %.*s%s%.*s\n", kind, (int)len, text, id.len ? " " : "", (int)id.len,
                   id.data);
}

static void keep_result(void *ctx, struct stream_id entry, struct slice result_id)
{
    keep_late(ctx, 'r', entry, result_id);
}

static void keep_duplicate(void *ctx, struct stream_id entry, struct slice signal_id)
{
    keep_late(ctx, 'd', entry, signal_id);
}

static bool entry_of(const redisReply *reply, struct stream_id *ret_id, struct slice *ret_lines)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !stream_id_parse(load_text(reply->element[0]), ret_id) || reply->element[1]->elements != 2)
        return false;
    *ret_lines = load_text(reply->element[1]->element[1]);
    return true;
}

/* False where something is missing between what is held and the last batch. */
static bool take_changes(struct standby *s, const redisReply *entries, uint64_t applied)
{
    struct changes_reader reader = {note_instance, note_alert,  take_fields,    note_notice,
                                    note_trade,    keep_result, keep_duplicate, s};
    for (size_t i = 0; i < entries->elements; i++) {
        struct stream_id id;
        struct slice lines;
        if (!entry_of(entries->element[i], &id, &lines) || id.ms != s->page_number + 1 || id.seq != 0 ||
            !changes_read(lines, &reader))
            return false;
        s->page_number = id.ms;
        s->batches++;
    }
    s->applied = applied - s->gap;
    s->has_more = entries->elements == PAGE;
    return s->has_more || s->page_number == s->applied;
}

static struct slice meta_field(const redisReply *meta, const char *name)
{
    for (size_t i = 0; i + 1 < meta->elements; i += 2)
        if (slice_is(load_text(meta->element[i]), name))
            return load_text(meta->element[i + 1]);
    return slice_of("", 0);
}

/* Entries behind the last one that was read may have been trimmed, unless that one is there still. */
static bool journal_goes_on(const struct load *load, struct slice first)
{
    static const struct stream_id none = {0, 0};
    struct stream_id id;
    if (stream_id_compare(load->journal, none) == 0 || first.len == 0)
        return true;
    return stream_id_parse(first, &id) && stream_id_compare(id, load->journal) <= 0;
}

static void on_followed(struct load *load, const redisReply *reply, int arg)
{
    struct standby *s = of(load);
    uint64_t applied;
    struct stream_id first, position;
    UNUSED(arg);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4) {
        standby_give_up(s, "an answer that cannot be understood");
        return;
    }
    const redisReply *meta = reply->element[1];
    struct slice first_text = load_text(reply->element[3]);
    if (!slice_is(meta_field(meta, "epoch"), s->epoch) ||
        !number_parse_u64(meta_field(meta, "applied_seq"), LEAD_APPLIED_MAX, &applied)) {
        standby_give_up(s, "redis holds other data");
        return;
    }
    if (!journal_goes_on(load, first_text) || !take_changes(s, reply->element[2], applied)) {
        standby_give_up(s, "there is a gap in what was followed");
        return;
    }
    if (s->state == STANDBY_TAKING)
        load_take_meta(load, meta);
    else if (load_text(reply->element[0]).len == 0)
        lead_ask_soon(&s->d->lead); /* nobody holds the lease */
    struct key name = key_position(STREAM_SIGNALS);
    if (stream_id_parse(first_text, &first) && stream_id_parse(meta_field(meta, name.text), &position))
        ledger_load_forget(s->d->ledger, first.ms, position);
}

static void ask_changes(struct load *load)
{
    struct standby *s = of(load);
    char number[NUMBER_TEXT_MAX], page[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text("EVAL"),
                            script_word(&script_follow, true),
                            slice_text("4"),
                            slice_text(KEY_LEADER),
                            slice_text(KEY_META),
                            slice_text(KEY_CHANGES),
                            slice_text(KEY_JOURNAL),
                            slice_of(number, number_format_u64(number, s->number)),
                            slice_of(page, number_format_u64(page, PAGE))};
    standby_forget_page(s);
    load_send(load, words, ARRAY_LEN(words), on_followed, 0, slice_of(NULL, 0));
}

/* ---- what they name ---- */

/* HMGET of NAMES[FROM...] of hash KEY; FN gets FROM with the answer. False where the load has failed with it.
 */
static bool ask_fields(struct load *load, const char *key, const struct slice *names, uint32_t count,
                       uint32_t from, void (*fn)(struct load *, const redisReply *, int))
{
    struct slice words[2 + FIELDS_MAX] = {slice_text("HMGET"), slice_text(key)};
    uint64_t generation = load->generation;
    memcpy(words + 2, names, count * sizeof *names);
    load_send(load, words, 2 + count, fn, (int)from, slice_of(NULL, 0));
    return load->generation == generation;
}

static void on_watch(struct load *load, const redisReply *reply, int from)
{
    struct standby *s = of(load);
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice id = ident_slice(&s->instances.ids[(size_t)from + i]);
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            load_watch_keep(load->ids, id, false, id, load_text(reply->element[i]));
    }
}

static void ask_watch(struct load *load)
{
    const struct id_queue *ids = &of(load)->instances;
    struct slice names[FIELDS_MAX];
    for (uint32_t from = 0; from < ids->count;) {
        uint32_t count = 0;
        while (count < FIELDS_MAX && from + count < ids->count) {
            names[count] = ident_slice(&ids->ids[from + count]);
            count++;
        }
        if (!ask_fields(load, KEY_WATCH, names, count, from, on_watch))
            return;
        from += count;
    }
}

static struct slice name_of(const struct standby_fields *fields, uint32_t i)
{
    return slice_of(fields->names.data + fields->items[i].at, fields->items[i].len);
}

static void ask_all(struct load *load, const char *key, const struct standby_fields *fields,
                    void (*fn)(struct load *, const redisReply *, int))
{
    struct slice names[FIELDS_MAX];
    for (uint32_t from = 0; from < fields->count;) {
        uint32_t count = 0;
        while (count < FIELDS_MAX && from + count < fields->count) {
            names[count] = name_of(fields, from + count);
            count++;
        }
        if (!ask_fields(load, key, names, count, from, fn))
            return;
        from += count;
    }
}

static void on_alerts(struct load *load, const redisReply *reply, int from)
{
    const struct standby_fields *alerts = &of(load)->alerts;
    for (size_t i = 0; i < reply->elements; i++) {
        uint32_t place = (uint32_t)from + (uint32_t)i;
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            load_watch_keep(load->ids, ident_slice(&alerts->items[place].instance_id), true,
                            name_of(alerts, place), load_text(reply->element[i]));
    }
}

/* All that an instance may have, since it is taken anew as a whole: of the rules that there are here, and of
 * those that are known from what the active one has done. */
static void ask_alerts(struct load *load)
{
    struct standby *s = of(load);
    const struct rule_set *rules = &s->d->fleet.watch->options.rules;
    for (uint32_t i = 0; i < s->instances.count; i++) {
        struct slice id = ident_slice(&s->instances.ids[i]);
        const struct instance *instance = fleet_find(&s->d->fleet, id);
        uint32_t count = instance && instance->watched ? instance->watched->alert_count : 0;
        for (uint32_t r = 0; r < rules->count; r++)
            add_alert(s, id, ident_slice(&rules->rules[r].name));
        for (uint32_t a = 0; a < count; a++)
            if (instance->watched->alerts[a].rule == ALERT_NO_RULE)
                add_alert(s, id, ident_slice(&instance->watched->alerts[a].name));
    }
    ask_all(load, KEY_ALERTS, &s->alerts, on_alerts);
}

static void on_notices(struct load *load, const redisReply *reply, int from)
{
    const struct standby *s = of(load);
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice key = name_of(&s->notices, (uint32_t)from + (uint32_t)i);
        struct notice notice;
        bool is_there = reply->element[i]->type == REDIS_REPLY_STRING &&
                        notice_record_parse(key, load_text(reply->element[i]), &notice);
        watch_load_notice_again(&s->d->fleet, key, is_there ? &notice : NULL);
    }
}

static void ask_notices(struct load *load)
{
    ask_all(load, KEY_NOTICES, &of(load)->notices, on_notices);
}

static void on_trade(struct load *load, const redisReply *reply, int i)
{
    struct standby *s = of(load);
    load_trade_again(load, reply, ident_slice(&s->trades.ids[i]));
    s->records++;
}

static void ask_trades(struct load *load)
{
    const struct id_queue *ids = &of(load)->trades;
    for (uint32_t i = 0; i < ids->count; i++)
        if (!load_ask_trade(load, ident_slice(&ids->ids[i]), i, on_trade))
            return;
}

/* Whoever is set aside for a foreign value has a watch that no key tells the end of: that is found by reading
 * all. */
static bool is_odd(const struct looked *looked)
{
    return looked->wrong_type[0] || looked->wrong_type[1] || looked->wrong_type[2];
}

static void take_instance(struct load *load, const struct looked *looked)
{
    struct daemon *d = load->d;
    struct fleet *fleet = &d->fleet;
    of(load)->records++;
    of(load)->has_instances = true;
    if (load_was_known(looked) &&
        fleet_load_again(fleet, looked->id, &looked->record, looked_index_state(looked), looked->seq,
                         daemon_now_ms(d))) {
        struct instance *instance = fleet_find(fleet, looked->id);
        load_watch_take(load, instance);
        trade_book_tie_instance(&d->trades, instance);
        return;
    }
    struct instance *gone = fleet_find(fleet, looked->id);
    if (gone)
        fleet_forget(fleet, gone);
}

static void on_looked(struct load *load, const redisReply *reply, int arg)
{
    struct looked looked;
    UNUSED(arg);
    for (size_t i = 0; i < reply->elements; i++) {
        if (!look_parse(reply, i, &looked))
            continue;
        if (is_odd(&looked)) {
            standby_give_up(of(load), "a record holds a foreign value");
            return;
        }
        take_instance(load, &looked);
    }
}

static void ask_instances(struct load *load)
{
    const struct id_queue *ids = &of(load)->instances;
    uint64_t generation = load->generation;
    for (uint32_t from = 0; from < ids->count && load->generation == generation; from += LOOK_IDS) {
        uint32_t left = ids->count - from;
        struct buf command = BUF_INIT;
        look_render(ids->ids + from, left < LOOK_IDS ? left : LOOK_IDS, &command);
        load_send_rendered(load, buf_slice(&command), on_looked, 0);
        buf_clear(&command);
    }
}

/* ---- the end of a page, and of a pass ---- */

static void take_result(void *ctx, struct stream_id entry, struct slice result_id)
{
    struct standby *s = ctx;
    ledger_load_result(s->d->ledger, entry, result_id);
}

static void take_duplicate(void *ctx, struct stream_id entry, struct slice signal_id)
{
    struct standby *s = ctx;
    ledger_load_duplicate(s->d->ledger, signal_id, entry);
}

static void finish_page(struct load *load)
{
    struct standby *s = of(load);
    struct changes_reader reader = {.result = take_result, .duplicate = take_duplicate, .ctx = s};
    bool has_more = s->has_more;
    (void)changes_read(buf_slice(&s->late), &reader); /* our own lines */
    load_watch_clear(load->ids);
    s->number = s->page_number;
    standby_forget_page(s);
    if (has_more)
        load->step = 0; /* the next page comes with step 1 */
}

/* The groups of the breaker are made anew from what the instances have stored. */
static void renew_breaker(struct load *load)
{
    watch_load_groups_begin(&load->d->fleet);
    load_watch_shared(load);
}

static void finish_pass(struct load *load)
{
    struct standby *s = of(load);
    struct fleet *fleet = &s->d->fleet;
    load->step = -1;
    /* Nobody asks for its groups here, and crashes of instances that are read again add up in it. */
    if (fleet->watch->breaker.crash_count > 2 * fleet->count + 1000)
        watch_load_groups_begin(fleet);
    if (s->has_instances)
        ledger_load_follow(s->d->ledger); /* they may be addressees */
    s->has_instances = false;
    event_feed_poke(&s->d->event_feed);
    standby_on_pass(s);
}

static void finish_taking_over(struct load *load)
{
    struct daemon *d = load->d;
    load->step = -1;
    watch_load_groups_finish(&d->fleet);
    watch_load_finish(&d->fleet, daemon_now_ms(d));
    load_finish_ledger(load);
    event_feed_poke(&d->event_feed);
    reconcile_later(&d->reconcile); /* what others have written meanwhile, nobody may have followed */
    lead_on_loaded(&d->lead);
}

static void ask_journal(struct load *load)
{
    load_journal_on(load);
}

static const struct load_lane pass_lanes[] = {
    {1, LOAD_SHARED, ask_changes, LAYERS_ALL},      {2, LOAD_JOURNAL, ask_journal, LAYERS_ALL},
    {2, LOAD_SHARED, ask_watch, LAYERS_ALL},        {2, LOAD_SHARED, ask_alerts, LAYERS_ALL},
    {2, LOAD_SHARED, ask_notices, LAYERS_ALL},      {2, LOAD_TRADES, ask_trades, LAYERS_ALL},
    {3, LOAD_INSTANCES, ask_instances, LAYERS_ALL}, {4, LOAD_SHARED, finish_page, LAYERS_ALL},
    {5, LOAD_SHARED, finish_pass, LAYERS_ALL},      {0},
};
static const struct load_lane last_lanes[] = {
    {1, LOAD_SHARED, ask_changes, LAYERS_ALL},
    {1, LOAD_SHARED, load_totals, LAYERS_ALL},
    {2, LOAD_SHARED, load_make_groups, LAYERS_ALL},
    {2, LOAD_JOURNAL, ask_journal, LAYERS_ALL},
    {2, LOAD_SHARED, ask_watch, LAYERS_ALL},
    {2, LOAD_SHARED, ask_alerts, LAYERS_ALL},
    {2, LOAD_SHARED, ask_notices, LAYERS_ALL},
    {2, LOAD_TRADES, ask_trades, LAYERS_ALL},
    {3, LOAD_INSTANCES, ask_instances, LAYERS_ALL},
    {4, LOAD_SHARED, finish_page, LAYERS_ALL},
    {5, LOAD_SHARED, renew_breaker, LAYERS_ALL},
    {6, LOAD_SHARED, finish_taking_over, LAYERS_ALL},
    {0},
};

void standby_pass(struct standby *s)
{
    s->is_passing = true;
    s->gap = 0;
    load_begin(&s->d->load, pass_lanes);
}

void standby_last_pass(struct standby *s)
{
    s->d->load.positions = 0;
    s->d->load.rescanning = false;
    load_begin(&s->d->load, last_lanes);
}
