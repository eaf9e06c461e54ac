/* Loading what the streams hold: each is read in pages, never all at once. */
#include "adapters/redis_stream.h"
#include "app/daemon.h"
#include "codec/journal.h"
#include "codec/keys.h"
#include "codec/signal_entry.h"
#include "load_private.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

#define PAGE         1000
#define JOURNAL_PAGE 100

static const struct stream_id first_id = {0, 0};
static const struct stream_id last_id = {UINT64_MAX, UINT64_MAX};

static void send_range(struct load *load, const char *command, const char *key, struct stream_id from,
                       struct stream_id to, uint64_t count,
                       void (*fn)(struct load *, const redisReply *, int), int arg, bool displaceable)
{
    char from_text[STREAM_ID_TEXT_MAX], to_text[STREAM_ID_TEXT_MAX], count_text[NUMBER_TEXT_MAX];
    load->page = count >> load->halvings ? count >> load->halvings : 1;
    stream_id_format(from_text, from);
    stream_id_format(to_text, to);
    struct slice words[] = {
        slice_text(command),   slice_text(key),
        slice_text(from_text), slice_text(to_text),
        slice_text("COUNT"),   slice_of(count_text, number_format_u64(count_text, load->page))};
    load_send(load, words, ARRAY_LEN(words), fn, arg, displaceable ? words[1] : slice_of(NULL, 0));
}

static bool entry_id(const redisReply *reply, struct stream_id *ret_id)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           stream_id_parse(load_text(reply->element[0]), ret_id);
}

/* An entry of stream K with its fields by their numbers; false for what is none. */
static bool entry_of(const struct load *load, const redisReply *reply, enum stream_kind k, struct entry *ret)
{
    const struct redis_stream_names *names = &load->d->ingest.names[k];
    *ret = (struct entry){.stream = k};
    if (!entry_id(reply, &ret->id))
        return false;
    const redisReply *fields = reply->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        for (uint32_t f = 0; f < names->field_count; f++) {
            if (!slice_equal(names->fields[f], load_text(fields->element[i])))
                continue;
            ret->value[f] = load_text(fields->element[i + 1]);
            ret->present |= 1U << f;
            if (ret->value[f].len > ENTRY_VALUE_MAX)
                ret->oversize |= 1U << f;
        }
    }
    return true;
}

/* ---- the journal ---- */

struct journal_target {
    struct ledger *ledger;
    uint64_t at_ms;
};

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    ledger_load_received(((struct journal_target *)ctx)->ledger, signal_id, entry, action, instance_id);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    ledger_load_accepted(((struct journal_target *)ctx)->ledger, signal_id, accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    struct journal_target *target = ctx;
    ledger_load_ended(target->ledger, signal_id, outcome, target->at_ms);
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    ledger_load_early(((struct journal_target *)ctx)->ledger, signal_id, status, result);
}

static void on_journal_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct journal_target target = {.ledger = load->d->ledger};
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, &target};
    struct stream_id id = load->next;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!entry_id(reply->element[i], &id))
            continue;
        target.at_ms = id.ms;
        const redisReply *fields = reply->element[i]->element[1];
        for (size_t f = 0; f + 1 < fields->elements; f += 2)
            if (slice_is(load_text(fields->element[f]), "lines"))
                load->journal_bad += journal_read(load_text(fields->element[f + 1]), &reader);
    }
    if (reply->elements < load->page)
        return;
    load->next = stream_id_next(id);
    send_range(load, "XRANGE", KEY_JOURNAL, load->next, last_id, JOURNAL_PAGE, on_journal_page, 0, true);
}

void load_journal(struct load *load)
{
    load->next = first_id;
    send_range(load, "XRANGE", KEY_JOURNAL, first_id, last_id, JOURNAL_PAGE, on_journal_page, 0, true);
}

/* ---- open signals: what is still there of what had been taken in, but for what was left ---- */

static void on_signals_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct daemon *d = load->d;
    struct entry entry = {.id = load->next};
    for (size_t i = 0; i < reply->elements; i++) {
        struct signal_entry_scratch scratch;
        struct signal_entry signal;
        struct slice field;
        struct errmsg why;
        if (!entry_of(load, reply->element[i], STREAM_SIGNALS, &entry))
            continue;
        bool valid = signal_entry_parse(&entry, &scratch, &signal, &field, &why);
        if (valid && !load->rescanning)
            ledger_load_entry(d->ledger, &signal);
        else if (!valid ||
                 !ledger_is_open(d->ledger, signal.signal_id)) /* handled and not open: it has ended */
            ledger_on_rejected(d->ledger, STREAM_SIGNALS, entry.id);
    }
    if (reply->elements < load->page)
        return;
    load->next = stream_id_next(entry.id);
    send_range(load, "XRANGE", d->names.stream[STREAM_SIGNALS], load->next,
               d->ingest.streams[STREAM_SIGNALS].handled, PAGE, on_signals_page, 0, false);
}

void load_signals(struct load *load)
{
    load->next = ledger_find_unsettled(load->d->ledger);
    send_range(load, "XRANGE", load->d->names.stream[STREAM_SIGNALS], load->next,
               load->d->ingest.streams[STREAM_SIGNALS].handled, PAGE, on_signals_page, 0, false);
}

/* ---- what is kept of handled entries, newest first: told oldest first once the page that is wanted is full
 * ---- */

/* Of reports and trades some more than may stay, so that it is seen whether there are more. */
static uint64_t wanted(const struct load *load, enum stream_kind k)
{
    const struct config *config = load->d->config;
    uint64_t stride = load->d->ingest.streams[k].marks.stride;
    return k == STREAM_RESULTS
               ? (uint64_t)config->results.max_len
               : 2 * stride + (uint64_t)(k == STREAM_REPORTS ? config->streams.reports_max_len
                                                             : config->streams.trades_max_len);
}

static void keep(struct load_ids *ids, struct stream_id id, struct slice result_id)
{
    if (ids->kept_count == ids->kept_cap) {
        ids->kept_cap = ids->kept_cap ? ids->kept_cap * 2 : PAGE;
        ids->kept = mem_resize(ids->kept, ids->kept_cap, sizeof *ids->kept);
    }
    struct load_kept *kept = &ids->kept[ids->kept_count++];
    kept->id = id;
    ident_set(&kept->result_id, result_id);
}

static void tell_kept(struct load *load, enum stream_kind k)
{
    struct load_ids *ids = load->ids;
    while (ids->kept_count) {
        const struct load_kept *kept = &ids->kept[--ids->kept_count];
        if (k == STREAM_RESULTS)
            ledger_load_result(load->d->ledger, kept->id, ident_slice(&kept->result_id));
        else
            ingest_note_handled(&load->d->ingest, k, kept->id);
    }
}

static void on_kept_page(struct load *load, const redisReply *reply, int k)
{
    struct load_ids *ids = load->ids;
    struct stream_id id = load->next;
    for (size_t i = 0; i < reply->elements; i++) {
        struct entry entry;
        struct slice result_id = slice_of("", 0);
        if (!entry_id(reply->element[i], &id))
            continue;
        struct result_entry result;
        struct slice field;
        struct errmsg why;
        if (k == STREAM_RESULTS && entry_of(load, reply->element[i], STREAM_RESULTS, &entry) &&
            result_entry_parse(&entry, &result, &field, &why))
            result_id = result.result_id;
        keep(ids, id, result_id);
    }
    uint64_t want = wanted(load, (enum stream_kind)k);
    if (reply->elements < load->page || ids->kept_count >= want) {
        tell_kept(load, (enum stream_kind)k);
        return;
    }
    load->next = stream_id_prev(id);
    send_range(load, "XREVRANGE", load->d->names.stream[k], load->next, first_id, PAGE, on_kept_page, k,
               false);
}

static void start_kept(struct load *load, enum stream_kind k)
{
    if (stream_id_compare(load->d->ingest.streams[k].handled, first_id) == 0)
        return;
    load->next = load->d->ingest.streams[k].handled;
    send_range(load, "XREVRANGE", load->d->names.stream[k], load->next, first_id, PAGE, on_kept_page, (int)k,
               false);
}

void load_results(struct load *load)
{
    start_kept(load, STREAM_RESULTS);
}

void load_reports(struct load *load)
{
    start_kept(load, STREAM_REPORTS);
}

void load_trades(struct load *load)
{
    start_kept(load, STREAM_TRADES);
}
