/* A second look at the streams, after Redis has gone back behind what was acknowledged.
 *
 * What lies at or before where our group stands in them has been handled: a group only moves together with
 * the effects. Between there and what was read here are entries that we know, whose handling Redis has lost,
 * and may be others that nobody has read: written to a master whose clock is behind, they got IDs below ours.
 * Which is which says the id that an entry carries. */
#include "app/daemon.h"
#include "codec/scripts.h"
#include "codec/signal_entry.h"
#include "load_private.h"

#define REMOVED_MAX 1000 /* of a page */

static bool entry_of_page(const redisReply *reply, struct stream_id *ret_id)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           stream_id_parse(load_text(reply->element[0]), ret_id);
}

static void on_removed(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        loss_count(&load->d->lead.loss, LOSS_SIGNALS_ENDED, (uint64_t)reply->integer);
}

/* Ahead of everything that is written: an executor that takes one of them would place its order once more. */
static void remove_ended(struct load *load, const struct stream_id *entries, size_t count)
{
    struct slice words[6 + REMOVED_MAX] = {slice_text("EVAL"),
                                           script_word(&script_remove, true),
                                           slice_text("2"),
                                           slice_text(KEY_LEADER),
                                           slice_text(load->d->names.stream[STREAM_SIGNALS]),
                                           lead_token(&load->d->lead)};
    char ids[REMOVED_MAX][STREAM_ID_TEXT_MAX];
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        words[6 + i] = slice_of(ids[i], stream_id_format(ids[i], entries[i]));
    load_send(load, words, 6 + count, on_removed, 0, slice_of(NULL, 0));
}

/* Nobody remembers ids for ever: what is older has been here and is forgotten. */
static bool may_be_unread(const struct load *load, enum stream_kind k, struct stream_id id)
{
    const struct daemon *d = load->d;
    return stream_id_compare(id, load->delivered[k]) > 0 &&
           (int64_t)id.ms > daemon_now_ms(d) - d->config->signals.dedup_ms;
}

static void take_unread(struct load *load, const struct entry *entry)
{
    loss_count(&load->d->lead.loss, LOSS_UNREAD, 1);
    ingest_take_unread(&load->d->ingest, entry);
}

/* True where ENTRY is to be removed. */
static bool look_at_signal(struct load *load, const struct entry *entry)
{
    struct signal_entry_scratch scratch;
    struct signal_entry signal;
    struct slice field;
    struct errmsg why;
    bool is_first;
    if (!signal_entry_parse(entry, &scratch, &signal, &field, &why))
        return true;
    switch (ledger_find_entry(load->d->ledger, &signal, &is_first)) {
    case FOUND_OPEN:
        load->open_found += is_first;
        return false;
    case FOUND_ENDED:
        return true;
    case FOUND_UNKNOWN:
        break;
    }
    if (!may_be_unread(load, STREAM_SIGNALS, entry->id))
        return true;
    take_unread(load, entry);
    return false;
}

static void on_signals_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct load_progress *signals = &load->parts[LOAD_SIGNALS];
    bool keeps_all = load->d->config->observe_only;
    struct stream_id removed[REMOVED_MAX];
    size_t removed_count = 0;
    struct entry entry = {.id = signals->next};
    for (size_t i = 0; i < reply->elements; i++) {
        if (!load_entry_of(load, reply->element[i], STREAM_SIGNALS, &entry) || !look_at_signal(load, &entry))
            continue;
        if (keeps_all)
            ledger_on_rejected(load->d->ledger, STREAM_SIGNALS, entry.id);
        else if (removed_count < REMOVED_MAX)
            removed[removed_count++] = entry.id;
    }
    uint64_t generation = load->generation;
    remove_ended(load, removed, removed_count);
    if (load->generation != generation)
        return;
    if (reply->elements < signals->page) {
        loss_find(&load->d->lead.loss, LOSS_SIGNALS_GONE,
                  load->open_before > load->open_found ? load->open_before - load->open_found : 0);
        return;
    }
    signals->next = stream_id_next(entry.id);
    load_send_page(load, "XRANGE", STREAM_SIGNALS, signals->next,
                   load->d->ingest.streams[STREAM_SIGNALS].handled, on_signals_page);
}

void load_signals_again(struct load *load)
{
    struct ledger_view view;
    ledger_view(load->d->ledger, &view);
    load->open_before = view.open;
    load->open_found = 0;
    load->parts[LOAD_SIGNALS].next = ledger_find_unsettled(load->d->ledger);
    load_send_page(load, "XRANGE", STREAM_SIGNALS, load->parts[LOAD_SIGNALS].next,
                   load->d->ingest.streams[STREAM_SIGNALS].handled, on_signals_page);
}

static void look_at_result(struct load *load, const struct entry *entry)
{
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    if (!result_entry_parse(entry, &result, &field, &why))
        ledger_on_rejected(load->d->ledger, STREAM_RESULTS, entry->id);
    else if (ledger_keeps_result(load->d->ledger, result.result_id))
        load->results_found++;
    else if (may_be_unread(load, STREAM_RESULTS, entry->id) &&
             stream_id_compare(entry->id, ledger_kept_from(load->d->ledger)) > 0)
        take_unread(load, entry);
}

static void on_results_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct load_progress *results = &load->parts[LOAD_RESULTS];
    struct entry entry = {.id = results->next};
    struct stream_id id;
    for (size_t i = 0; i < reply->elements; i++)
        if (entry_of_page(reply->element[i], &id) &&
            load_entry_of(load, reply->element[i], STREAM_RESULTS, &entry))
            look_at_result(load, &entry);
    if (reply->elements < results->page) {
        loss_find(&load->d->lead.loss, LOSS_RESULTS,
                  load->results_kept > load->results_found ? load->results_kept - load->results_found : 0);
        return;
    }
    results->next = stream_id_next(entry.id);
    load_send_page(load, "XRANGE", STREAM_RESULTS, results->next,
                   load->d->ingest.streams[STREAM_RESULTS].handled, on_results_page);
}

void load_results_again(struct load *load)
{
    struct stream_id from = load->delivered[STREAM_RESULTS];
    struct stream_id kept_from = ledger_kept_from(load->d->ledger);
    if (stream_id_compare(from, kept_from) < 0)
        from = stream_id_prev(kept_from); /* older ones were handled, and nobody knows them any more */
    load->results_found = 0;
    load->results_kept = ledger_count_results(load->d->ledger, from);
    load->parts[LOAD_RESULTS].next = stream_id_next(from);
    load_send_page(load, "XRANGE", STREAM_RESULTS, load->parts[LOAD_RESULTS].next,
                   load->d->ingest.streams[STREAM_RESULTS].handled, on_results_page);
}

/* Streams of ours, with the events first. */
#define WRITTEN_MAX (3 + STREAM_KINDS)

static void on_ahead(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    struct stream_id last = {0, 0};
    if (reply->type != REDIS_REPLY_ARRAY || !reply->elements || !daemon_is_home(load->d) ||
        !stream_id_parse(load_text(reply->element[0]), &last))
        return;
    loss_find(&load->d->lead.loss, LOSS_EVENTS, event_feed_count_behind(&load->d->event_feed, last));
}

void load_ahead(struct load *load)
{
    struct daemon *d = load->d;
    struct key own[1 + STREAM_KINDS];
    char events[STREAM_ID_TEXT_MAX], others[STREAM_ID_TEXT_MAX] = "";
    struct stream_id told = {0, 0}, made = lead_ids_left(&d->lead);
    if (daemon_is_home(d))
        told = event_feed_told(&d->event_feed);
    if (made.ms)
        stream_id_format(others, made);
    stream_id_format(events, stream_id_compare(told, made) > 0 ? told : made);
    struct slice words[3 + 1 + WRITTEN_MAX + 1 + WRITTEN_MAX] = {
        slice_text("EVAL"), script_word(&script_ahead, true), slice_text("8") /* keys */,
        slice_text(KEY_LEADER)};
    size_t count = 4;
    words[count++] = slice_text(d->names.events);
    words[count++] = slice_text(d->names.commands);
    own[0] = key_dropped(d->names.stream[STREAM_SIGNALS]);
    words[count++] = key_slice(&own[0]);
    for (int k = 0; k < STREAM_KINDS; k++) {
        own[1 + k] = key_rejected(d->names.stream[k]);
        words[count++] = key_slice(&own[1 + k]);
    }
    words[count++] = lead_token(&d->lead);
    words[count++] = slice_text(events);
    for (int i = 1; i < WRITTEN_MAX; i++)
        words[count++] = slice_text(others);
    load_send(load, words, count, on_ahead, 0, slice_of(NULL, 0));
}
