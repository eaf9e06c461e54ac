/* Loading what the streams hold: each is read in pages, never all at once. */
#include "adapters/redis_link.h"
#include "adapters/redis_stream.h"
#include "app/daemon.h"
#include "codec/journal.h"
#include "codec/keys.h"
#include "codec/scripts.h"
#include "codec/signal_entry.h"
#include "load_private.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

#define PAGE          1000
#define TRIMMED_PAGE  "200"
#define TRIMMED_WORDS 9 /* of the command, in front of the names */
/* A page of the journal, which is most of what is read: as many entries as make JOURNAL_BYTES by those
 * before. That takes a few milliseconds to be taken in. Small batches make small entries and a backlog makes
 * entries of 16 KB (codec/batch_private.h), so where one begins a page has up to JOURNAL_PAGE_MAX of these.
 */
#define JOURNAL_PAGE     4
#define JOURNAL_NEXT     16 /* where it is read on */
#define JOURNAL_PAGE_MAX 400
#define JOURNAL_BYTES    ((size_t)256 << 10)
#define JOURNAL_GROWTH   4 /* of a page against the one before, at most */

static const struct stream_id first_id = {0, 0};
static const struct stream_id last_id = {UINT64_MAX, UINT64_MAX};

static void send_range(struct load *load, const char *command, const char *key, struct stream_id from,
                       struct stream_id to, uint64_t count,
                       void (*fn)(struct load *, const redisReply *, int), int arg, bool displaceable)
{
    char from_text[STREAM_ID_TEXT_MAX], to_text[STREAM_ID_TEXT_MAX], count_text[NUMBER_TEXT_MAX];
    uint64_t page = count >> load->halvings ? count >> load->halvings : 1;
    load->parts[load->part].page = page;
    stream_id_format(from_text, from);
    stream_id_format(to_text, to);
    struct slice words[] = {slice_text(command),   slice_text(key),
                            slice_text(from_text), slice_text(to_text),
                            slice_text("COUNT"),   slice_of(count_text, number_format_u64(count_text, page))};
    load_send(load, words, ARRAY_LEN(words), fn, arg, displaceable ? words[1] : slice_of(NULL, 0));
}

/* Entries that may each be too large for an answer: of them comes what is known of stream K. */
static void send_trimmed(struct load *load, const char *command, enum stream_kind k, struct stream_id from,
                         struct stream_id to, void (*fn)(struct load *, const redisReply *, int))
{
    const struct redis_stream_names *names = &load->d->ingest.names[k];
    char from_text[STREAM_ID_TEXT_MAX], to_text[STREAM_ID_TEXT_MAX], wanted[NUMBER_TEXT_MAX];
    stream_id_format(from_text, from);
    stream_id_format(to_text, to);
    struct slice words[TRIMMED_WORDS + ENTRY_FIELDS_MAX] = {
        slice_text("EVAL"),
        script_word(&script_range, true),
        slice_text("1"),
        slice_text(names->stream),
        slice_text(command),
        slice_text(from_text),
        slice_text(to_text),
        slice_text(TRIMMED_PAGE),
        slice_of(wanted, number_format_u64(wanted, ENTRY_VALUE_MAX + 1)), /* it shows as too long */
    };
    memcpy(words + TRIMMED_WORDS, names->fields, names->field_count * sizeof *words);
    load->parts[load->part].page = 1; /* at least, where it is not the end */
    load_send(load, words, TRIMMED_WORDS + names->field_count, fn, 0, slice_of(NULL, 0));
}

/* Once a link has been lost, it may have been over one of the entries. */
void load_send_page(struct load *load, const char *command, enum stream_kind k, struct stream_id from,
                    struct stream_id to, void (*fn)(struct load *, const redisReply *, int))
{
    if (load->halvings)
        send_trimmed(load, command, k, from, to, fn);
    else
        send_range(load, command, load->d->names.stream[k], from, to, PAGE, fn, 0, false);
}

static bool entry_id(const redisReply *reply, struct stream_id *ret_id)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           stream_id_parse(load_text(reply->element[0]), ret_id);
}

bool load_entry_of(const struct load *load, const redisReply *reply, enum stream_kind k, struct entry *ret)
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
            else
                ret->oversize &= ~(1U << f); /* the last value counts, as where streams are read */
        }
    }
    return true;
}

/* ---- the journal ---- */

struct journal_target {
    struct ledger *ledger;
    uint64_t at_ms, lines;
};

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    struct journal_target *target = ctx;
    target->lines++;
    ledger_load_received(target->ledger, signal_id, entry, action, instance_id, target->at_ms);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    struct journal_target *target = ctx;
    target->lines++;
    ledger_load_accepted(target->ledger, signal_id, accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    struct journal_target *target = ctx;
    target->lines++;
    ledger_load_ended(target->ledger, signal_id, outcome, target->at_ms);
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    struct journal_target *target = ctx;
    target->lines++;
    ledger_load_early(target->ledger, signal_id, status, result);
}

static void read_journal(struct load *load, const redisReply *page)
{
    struct journal_target target = {.ledger = load->d->ledger};
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, &target};
    for (size_t i = 0; i < page->elements; i++) {
        struct stream_id id;
        if (!entry_id(page->element[i], &id))
            continue;
        load->journal = id;
        target.at_ms = id.ms;
        const redisReply *fields = page->element[i]->element[1];
        for (size_t f = 0; f + 1 < fields->elements; f += 2)
            if (slice_is(load_text(fields->element[f]), "lines"))
                load->journal_bad += journal_read(load_text(fields->element[f + 1]), &reader);
    }
    load->journal_lines += target.lines;
}

static size_t bytes_of(const redisReply *page)
{
    size_t bytes = 0;
    for (size_t i = 0; i < page->elements; i++) {
        const redisReply *entry = page->element[i];
        const redisReply *fields = entry->elements == 2 ? entry->element[1] : entry;
        for (size_t f = 0; f < fields->elements; f++)
            bytes += fields->element[f]->len;
    }
    return bytes;
}

static uint64_t next_journal_page(const redisReply *page)
{
    uint64_t fitting = page->elements * JOURNAL_BYTES / (bytes_of(page) + 1);
    uint64_t most = (uint64_t)page->elements * JOURNAL_GROWTH;
    most = most < JOURNAL_PAGE_MAX ? most : JOURNAL_PAGE_MAX;
    fitting = fitting < most ? fitting : most;
    return fitting ? fitting : 1;
}

static bool last_entry_id(const redisReply *page, struct stream_id *ret_id)
{
    for (size_t i = page->elements; i > 0; i--)
        if (entry_id(page->element[i - 1], ret_id))
            return true;
    return false;
}

static void on_journal_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct load_progress *journal = &load->parts[LOAD_JOURNAL];
    uint64_t generation = load->generation;
    struct stream_id last;
    /* Redis makes the next page ready while this one is read here. */
    if (reply->elements == journal->page && last_entry_id(reply, &last)) {
        send_range(load, "XRANGE", KEY_JOURNAL, stream_id_next(last), last_id, next_journal_page(reply),
                   on_journal_page, 0, true);
        if (load->generation != generation)
            return;
        redis_link_flush(load->d->link);
    }
    read_journal(load, reply);
}

void load_journal(struct load *load)
{
    send_range(load, "XRANGE", KEY_JOURNAL, first_id, last_id, JOURNAL_PAGE, on_journal_page, 0, true);
}

void load_journal_on(struct load *load)
{
    send_range(load, "XRANGE", KEY_JOURNAL, stream_id_next(load->journal), last_id, JOURNAL_NEXT,
               on_journal_page, 0, true);
}

/* ---- open signals: what is still there of what had been taken in, but for what was left ---- */

static void on_signals_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct daemon *d = load->d;
    struct load_progress *signals = &load->parts[LOAD_SIGNALS];
    struct entry entry = {.id = signals->next};
    for (size_t i = 0; i < reply->elements; i++) {
        struct signal_entry_scratch scratch;
        struct signal_entry signal;
        struct slice field;
        struct errmsg why;
        if (!load_entry_of(load, reply->element[i], STREAM_SIGNALS, &entry))
            continue;
        if (signal_entry_parse(&entry, &scratch, &signal, &field, &why))
            ledger_load_entry(d->ledger, &signal);
        else
            ledger_on_rejected(d->ledger, STREAM_SIGNALS, entry.id);
    }
    if (reply->elements < signals->page)
        return;
    signals->next = stream_id_next(entry.id);
    load_send_page(load, "XRANGE", STREAM_SIGNALS, signals->next, d->ingest.streams[STREAM_SIGNALS].handled,
                   on_signals_page);
}

void load_signals(struct load *load)
{
    struct stream_id from = ledger_find_unsettled(load->d->ledger);
    load->parts[LOAD_SIGNALS].next = from;
    load_send_page(load, "XRANGE", STREAM_SIGNALS, from, load->d->ingest.streams[STREAM_SIGNALS].handled,
                   on_signals_page);
}

/* ---- the results that are kept, newest first ---- */

static void keep_result(struct load *load, const redisReply *reply, struct stream_id id)
{
    struct load_ids *ids = load->ids;
    struct entry entry;
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    bool is_valid = load_entry_of(load, reply, STREAM_RESULTS, &entry) &&
                    result_entry_parse(&entry, &result, &field, &why);
    if (ids->kept_count == ids->kept_cap) {
        ids->kept_cap = ids->kept_cap ? ids->kept_cap * 2 : PAGE;
        ids->kept = mem_resize(ids->kept, ids->kept_cap, sizeof *ids->kept);
    }
    struct load_kept *kept = &ids->kept[ids->kept_count++];
    kept->id = id;
    ident_set(&kept->result_id, is_valid ? result.result_id : slice_of("", 0));
}

/* All that are wanted have been read: they are told oldest first. */
static void tell_results(struct load *load)
{
    struct load_ids *ids = load->ids;
    while (ids->kept_count) {
        const struct load_kept *kept = &ids->kept[--ids->kept_count];
        ledger_load_result(load->d->ledger, kept->id, ident_slice(&kept->result_id));
    }
}

static void on_results_page(struct load *load, const redisReply *reply, int arg);

static void send_results(struct load *load, struct stream_id to)
{
    load->parts[LOAD_RESULTS].next = to;
    load_send_page(load, "XREVRANGE", STREAM_RESULTS, to, first_id, on_results_page);
}

static void on_results_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct load_progress *results = &load->parts[LOAD_RESULTS];
    struct stream_id id = results->next;
    for (size_t i = 0; i < reply->elements; i++)
        if (entry_id(reply->element[i], &id))
            keep_result(load, reply->element[i], id);
    if (reply->elements >= results->page &&
        load->ids->kept_count < (uint64_t)load->d->config->results.max_len)
        send_results(load, stream_id_prev(id));
    else
        tell_results(load);
}

void load_results(struct load *load)
{
    struct stream_id handled = load->d->ingest.streams[STREAM_RESULTS].handled;
    if (stream_id_compare(handled, first_id) != 0)
        send_results(load, handled);
}
