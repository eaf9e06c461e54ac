/* The one way out. Stands for commit.c. */
#include "shell_private.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_MS 200

static struct call *send_call(struct shell *sh, enum call_kind kind)
{
    struct call *call = call_send(sh, kind);

    if (call) {
        call->number = sh->sent->number;
        call->generation = sh->attempt;
    } else {
        sh->commit_retry_ms = sh->store->now_ms + RETRY_MS;
    }
    sh->in_flight = call != NULL;
    return call;
}

static void send_script(struct shell *sh)
{
    struct call *call = send_call(sh, CALL_BATCH);

    if (call)
        batch_render(sh->sent, slice_text(sh->token), slice_text(sh->epoch), rng_chance(&sh->sim->rng, 10),
                     &call->bytes);
}

/* Here a transaction does not wait for a batch to be large. */
static void send_batch(struct shell *sh)
{
    struct call *call;

    if (!sh->has_sent || sh->in_flight || !lead_may_write(sh))
        return;
    sh->attempt++;
    if (!sh->sim->settings.transacts || sh->sent->needs_script || rng_chance(&sh->sim->rng, 50)) {
        send_script(sh);
        return;
    }
    call = send_call(sh, CALL_BATCH_LOOK);
    if (call)
        (void)batch_render_look(sh->sent, &call->bytes);
}

static bool is_as_looked_for(const struct shell *sh, const struct look_answer *look)
{
    if (strcmp(look->holder, sh->token) != 0 || strcmp(look->epoch, sh->epoch) != 0 || !look->has_applied ||
        look->applied != sh->sent->number - 1 || look->type_count != sh->sent->key_count)
        return false;
    for (uint32_t i = 0; i < sh->sent->key_count; i++) {
        if (!batch_type_suits(sh->sent, i, slice_text(look->types[i])))
            return false;
    }
    return true;
}

void commit_on_looked(struct shell *sh, const struct call *call)
{
    struct call *next;

    if (!sh->has_sent || call->generation != sh->attempt)
        return;
    if (call->is_no_look)
        sim_fail(sh->sim, "%s: the look of batch %" PRIu64 " cannot be read", sh->name, call->number);
    sh->in_flight = false;
    if (!lead_may_write(sh))
        return;
    if (call->is_refused || !is_as_looked_for(sh, &call->batch_look)) {
        send_script(sh);
        return;
    }
    next = send_call(sh, CALL_BATCH_EXEC);
    if (next)
        (void)batch_render_transaction(sh->sent, &next->bytes);
}

void commit_on_executed(struct shell *sh, const struct call *call)
{
    if (!sh->has_sent || call->generation != sh->attempt)
        return;
    if (call->is_refused || call->commit.word == COMMIT_CHANGED) {
        sim_note(sh->sim, "%s: the transaction of batch %" PRIu64 " did nothing", sh->name, call->number);
        send_script(sh);
        return;
    }
    commit_on_answer(sh, call);
}

void commit_reset(struct shell *sh, uint64_t applied)
{
    batch_reset(sh->filling, 0);
    batch_reset(sh->sent, 0);
    sh->has_sent = sh->in_flight = false;
    sh->attempt++;
    sh->displacing = 0;
    sh->applied = applied;
    sh->commit_retry_ms = 0;
}

bool commit_is_full(const struct shell *sh)
{
    return batch_bytes(sh->filling) >= sh->sim->settings.full_bytes;
}

void commit_hold(struct shell *sh, bool hold)
{
    sh->is_held = hold;
    if (!hold)
        commit_kick(sh);
}

static void on_stored(struct shell *sh)
{
    sh->applied = sh->sent->number;
    sh->has_sent = false;
    batch_reset(sh->sent, 0);
    commit_kick(sh);
    reconcile_on_settled(sh);
    lead_on_settled(sh);
    ingest_go_on(sh);
}

void displace(struct shell *sh, struct slice key, bool is_for_batch)
{
    struct call *call = call_send(sh, CALL_MOVE_ASIDE);

    if (!call) {
        sh->commit_retry_ms = sh->store->now_ms + RETRY_MS;
        return;
    }
    call->key.len = key.len;
    memcpy(call->key.text, key.data, key.len);
    call->is_for_batch = is_for_batch;
    sh->displacing += is_for_batch;
}

/* The batch goes out again once everything that stood in its way was moved. */
void commit_on_displaced(struct shell *sh, const struct call *call, bool lost)
{
    if (!lost && call->is_moved) {
        sim_note(sh->sim, "%s: %.*s is moved aside", sh->name, (int)call->key.len, call->key.text);
        reconcile_write_back_key(sh, key_slice(&call->key));
    }
    if (lost || !call->is_for_batch)
        return;
    if (sh->displacing)
        sh->displacing--;
    if (!call->is_moved)
        sh->commit_retry_ms = sh->store->now_ms + RETRY_MS;
    else if (!sh->displacing)
        send_batch(sh);
}

static void cut_record(struct shell *sh, struct slice key)
{
    enum record_kind kind;
    struct slice id;
    struct ident owner;
    struct buf reason = BUF_INIT;
    uint32_t cut;
    bool is_trade;

    if (!key_parse_record(key, &kind, &id))
        return;
    is_trade = kind == RECORD_TRADE;
    ident_set(&owner, id);
    buf_add_format(&reason, "%.*s: wrong type in Redis", (int)key.len, key.data);
    cut = batch_cut(sh->sent, is_trade, ident_slice(&owner), buf_slice(&reason));
    cut += batch_cut(sh->filling, is_trade, ident_slice(&owner), buf_slice(&reason));
    sim_note(sh->sim, "%s: %.*s cannot be stored, %u groups cut", sh->name, (int)owner.len, owner.text, cut);
    if (is_trade) {
        struct trade *trade = trade_book_find(&sh->trades, ident_slice(&owner));

        if (trade)
            trade_book_forget(&sh->trades, trade);
        trade_io_unindex(sh, ident_slice(&owner));
    } else {
        follow_block(sh, ident_slice(&owner), buf_text(&reason));
    }
    buf_clear(&reason);
}

static bool is_read(struct slice key)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (slice_is(key, sim_streams[k]))
            return true;
    }
    return false;
}

static void on_wrong_types(struct shell *sh, const struct commit_answer *answer)
{
    for (size_t i = 0; i < answer->bad_count; i++) {
        struct slice name;
        bool is_record;
        struct key key;

        if (!batch_key_by_number(sh->sent, answer->bad[i], &name, &is_record)) {
            sim_fail(sh->sim, "%s: key %" PRIu64 " is none of the batch", sh->name, answer->bad[i]);
            continue;
        }
        key.len = name.len;
        memcpy(key.text, name.data, name.len);
        if (is_record)
            cut_record(sh, key_slice(&key));
        else if (is_read(name))
            batch_ignore_key(sh->sent, key_slice(&key));
        else
            displace(sh, key_slice(&key), true);
    }
    if (!sh->displacing)
        send_batch(sh);
}

/* As a rule none fails: every key was looked at before. */
static void on_failed_operations(struct shell *sh, const struct commit_answer *answer)
{
    const struct settings *settings = &sh->sim->settings;

    sim_note(sh->sim, "%s: %zu operations failed, first %s", sh->name, answer->failed_count, answer->failed);
    if (!settings->plants && !settings->spoils_shared && !settings->cuts_streams && !sh->sim->has_lost_data)
        sim_fail(sh->sim, "%s: operations of a batch failed", sh->name);
}

void commit_on_answer(struct shell *sh, const struct call *call)
{
    const struct commit_answer *answer = &call->commit;

    sh->in_flight = false;
    if (!sh->has_sent)
        return;
    if (call->is_refused) {
        sh->commit_retry_ms = sh->store->now_ms + RETRY_MS;
        return;
    }
    switch (answer->word) {
    case COMMIT_OK:
        if (answer->failed_count)
            on_failed_operations(sh, answer);
        on_stored(sh);
        break;
    case COMMIT_AGAIN:
        on_stored(sh);
        break;
    case COMMIT_TYPES:
        on_wrong_types(sh, answer);
        break;
    case COMMIT_FENCED:
        sim_note(sh->sim, "%s: batch %" PRIu64 " is fenced", sh->name, call->number);
        lead_on_fenced(sh);
        break;
    case COMMIT_BEHIND:
        sim_note(sh->sim, "%s: batch %" PRIu64 " does not fit the data", sh->name, call->number);
        lead_on_behind(sh);
        break;
    case COMMIT_CHANGED:
    case COMMIT_MALFORMED:
        sim_fail(sh->sim, "%s: batch %" PRIu64 " cannot be read", sh->name, call->number);
        break;
    }
}

void commit_kick(struct shell *sh)
{
    struct batch *full = sh->filling;

    if (sh->has_sent || sh->is_held || !lead_may_write(sh))
        return;
    ingest_finish_batch(sh, full);
    if (batch_is_empty(full))
        return;
    batch_seal(full);
    sh->filling = sh->sent;
    sh->sent = full;
    sh->sent->number = sh->applied + 1;
    sh->has_sent = true;
    sh->fleet.batch++;
    sh->trades.batch++;
    send_batch(sh);
}

void commit_resume(struct shell *sh)
{
    sh->displacing = 0;
    sh->in_flight = false;
    sh->attempt++;
    if (sh->has_sent)
        send_batch(sh);
    else
        commit_kick(sh);
}
