#include "app/lead.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/far_results.h"
#include "app/holder.h"
#include "codec/keys.h"
#include "codec/scripts.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* How soon to ask again where Redis is not ready to answer. */
#define SOON_MS 100

static void ask(struct lead *lead);
static void displace(struct lead *lead);
static void on_timer(void *ctx);

void lead_init(struct lead *lead, struct daemon *d)
{
    *lead = (struct lead){.d = d};
    holder_make_token(lead->token, d->config->streams.consumer);
    lead->timer = loop_timer_new(d->loop, on_timer, lead);
}

void lead_clear(struct lead *lead)
{
    loop_timer_free(lead->timer);
}

static int64_t lease_ms(const struct lead *lead)
{
    return lead->d->config->ha.lease_ms;
}

static void ask_in(struct lead *lead, int64_t delay_ms)
{
    loop_timer_set(lead->timer, delay_ms);
}

/* A little early is fine. */
static void renew_in(struct lead *lead, int64_t delay_ms)
{
    if (delay_ms >= 2 * LOOP_GRAIN_MS)
        (void)loop_timer_set_aligned(lead->timer, delay_ms, LOOP_GRAIN_MS);
    else
        loop_timer_set(lead->timer, delay_ms);
}

static void enter(struct lead *lead, enum lead_phase phase)
{
    static const char *const names[] = {"connecting", "standby", "loading", "rollback", "active"};
    if (lead->phase == phase)
        return;
    lead->phase = phase;
    LOG(lead->d->log, DEBUG, "phase", log_text("phase", names[phase]), log_text("holder", lead->holder));
}

/* Another may have changed the data: nothing that is known here counts any more. */
static void lose_state(struct lead *lead)
{
    lead->settling = SETTLING_NOT;
    lead->was_down = false;
    load_abandon(&lead->d->load);
    standby_stop(&lead->d->standby);
    lead->has_state = lead->restoring = lead->rescanned = false;
    lead->new_epoch[0] = '\0';
    left_epochs_clear(&lead->left);
    daemon_forget(lead->d);
}

static void on_released(void *ctx, void *reply)
{
    struct lead *lead = ctx;
    UNUSED(reply);
    if (lead->on_released)
        lead->on_released(lead->released_ctx);
    lead->on_released = NULL;
}

/* FN, if any, is called once. A daemon that stops needs no memory for it. */
static void send_release(struct lead *lead, void (*fn)(void *ctx), void *ctx)
{
    struct slice words[] = {slice_text("EVAL"),   script_word(&script_lease, true),
                            slice_text("2"),      slice_text(KEY_LEADER),
                            slice_text(KEY_META), lead_token(lead),
                            slice_text("0"),      slice_text(""),
                            slice_text("")};
    lead->on_released = fn;
    lead->released_ctx = ctx;
    if (redis_link_command(lead->d->link, words, ARRAY_LEN(words), 0, on_released, lead))
        on_released(lead, NULL);
}

/* Who leads is decided on the server of the instances: without it the others are given up as well. */
static void give_up_others(struct lead *lead)
{
    const struct daemon *d = lead->d;
    for (size_t i = 0; daemon_is_home(d) && i < d->store_count; i++) {
        struct lead *other = &d->stores[i]->lead;
        if (other == lead || other->phase == PHASE_STANDBY || other->phase == PHASE_CONNECTING)
            continue;
        send_release(other, NULL, NULL);
        lose_state(other);
        enter(other, PHASE_STANDBY);
        ask_in(other, SOON_MS);
    }
}

/* What may be asked for at a server of another layer. */
enum claim {
    CLAIM_NONE, /* another daemon leads */
    CLAIM_FREE, /* who leads is not known here: what nobody has, or is ours */
    CLAIM_ANY,  /* whoever has it: he has been cut off from where that is decided */
};

static enum claim claim_of(const struct lead *lead)
{
    const struct lead *home = &daemon_of(lead->d, LAYER_RIS)->lead;
    if (home == lead)
        return CLAIM_FREE;
    if (home->phase == PHASE_STANDBY)
        return CLAIM_NONE;
    return home->phase != PHASE_CONNECTING && loop_now_ms() < home->lease_until_ms ? CLAIM_ANY : CLAIM_FREE;
}

static void become_standby(struct lead *lead)
{
    lead->error.text[0] = '\0';
    if (lead->phase != PHASE_STANDBY) {
        LOG(lead->d->log, INFO, "another daemon is active", log_text("holder", lead->holder),
            log_layers(lead->d));
        give_up_others(lead);
        lose_state(lead);
        enter(lead, PHASE_STANDBY);
        if (lead->d->store_count == 1) /* several servers are read when they are taken over */
            standby_start(&lead->d->standby);
    }
    if (holder_is_dead(lead->holder, lead->token)) {
        (void)snprintf(lead->dead_holder, sizeof lead->dead_holder, "%s", lead->holder);
        ask_in(lead, 0);
    } else {
        ask_in(lead, lease_ms(lead) / 3 < 250 ? lease_ms(lead) / 3 : 250);
    }
}

static void on_settled_said(void *ctx, void *object)
{
    struct lead *lead = ctx;
    const redisReply *reply = object;
    if (lead->settling != SETTLING_ASKED)
        return;
    bool is_said = reply && reply->type == REDIS_REPLY_STRING && reply->len < sizeof lead->settled;
    lead->settling = is_said ? SETTLING_DONE : SETTLING_NOT;
    if (is_said)
        memcpy(lead->settled, reply->str, reply->len + 1);
}

static void on_all_stored(void *ctx, bool stored)
{
    struct lead *lead = ctx;
    if (lead->settling != SETTLING_STORING)
        return;
    lead->settling = SETTLING_NOT;
    struct slice words[] = {slice_text("EVAL"),   script_word(&script_settle, true),
                            slice_text("2"),      slice_text(KEY_LEADER),
                            slice_text(KEY_META), lead_token(lead),
                            lead_epoch(lead)};
    if (stored && lead_is_active(lead) &&
        redis_link_command(lead->d->link, words, ARRAY_LEN(words), 0, on_settled_said, lead) == 0)
        lead->settling = SETTLING_ASKED;
}

/* Tells executors that nothing which had ended is in the streams of this server (docs/AGENTS.md): once all
 * that was to be removed is. Its replication ID may change without it having been a replica. */
static void settle(struct lead *lead)
{
    const char *replid = lead->d->poll.replid;
    if (lead->settling == SETTLING_DONE && replid[0] && strcmp(replid, lead->settled) != 0)
        lead->settling = SETTLING_NOT;
    if (lead->settling != SETTLING_NOT)
        return;
    lead->settling = SETTLING_STORING;
    if (!commit_on_stored(&lead->d->commit, on_all_stored, lead))
        lead->settling = SETTLING_NOT;
}

/* Nobody holds the lease, and who held it is waited for. */
static void leave_lease(struct lead *lead)
{
    if (yield_begin(&lead->yield, lease_ms(lead), loop_now_ms()))
        LOG(lead->d->log, WARN, "the lease is left to who held it: he may know more than redis",
            log_text("holder", lead->yield.holder), log_int("ms", lead->yield.until_ms - loop_now_ms()),
            log_layers(lead->d));
    ask_in(lead, SOON_MS);
}

static void go_on_with_instances(struct lead *lead, bool was_away)
{
    struct daemon *d = lead->d;
    if (was_away) {
        hook_calls_go_on(&d->hook_calls);
        webhooks_poke(&d->webhooks);
    } else {
        hook_calls_resume(&d->hook_calls);
        webhooks_start(&d->webhooks);
    }
    event_feed_go_on(&d->event_feed);
    follow_go_on(&d->follow);
}

static void become_active(struct lead *lead)
{
    bool was_away = lead->has_state;
    lead->has_state = true;
    lead->error.text[0] = '\0';
    enter(lead, PHASE_ACTIVE);
    fleet_excuse_silence(&lead->d->fleet, daemon_now_ms(lead->d));
    if (was_away)
        guarding_redis_was_away(&lead->d->guarding);
    if (daemon_is_home(lead->d))
        go_on_with_instances(lead, was_away);
    if (was_away)
        marks_go_on(&lead->d->marks);
    else
        marks_start(&lead->d->marks);
    commit_resume(&lead->d->commit);
    ingest_go_on(&lead->d->ingest);
    reconcile_start(&lead->d->reconcile);
    far_results_go_on(lead->d);
    far_events_go_on(&daemon_of(lead->d, LAYER_RTSS)->far_events);
    lead->was_down = false;
    settle(lead);
    if (!was_away)
        standby_on_active(&lead->d->standby);
}

/* Finds what had ended and is in its stream again, then writes that and all that is held here. No batch goes
 * out before: a stream that still ends below what was handled takes no trim, and nobody asks for that one
 * again. */
static void restore(struct lead *lead)
{
    enter(lead, PHASE_ROLLBACK);
    reconcile_pause(&lead->d->reconcile);
    lead->rescanned = false;
    load_rescan(&lead->d->load);
    redis_link_flush(lead->d->link);
    if (!lead->restoring)
        reconcile_write_back(&lead->d->reconcile);
    lead->restoring = true;
}

static void take_new_epoch(struct lead *lead)
{
    if (lead->has_state)
        left_epochs_add(&lead->left, lead->epoch, lead->d->commit.applied);
    memcpy(lead->epoch, lead->new_epoch, sizeof lead->epoch);
    lead->new_epoch[0] = '\0';
    lead->beat = 0;
}

static void on_epoch_made(void *ctx, void *object)
{
    struct lead *lead = ctx;
    const redisReply *reply = object;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        load_abandon(&lead->d->load);
        lead_on_load_failed(lead, reply->str);
        return;
    }
    if (!lead->new_epoch[0])
        return; /* a second one was sent, and has been taken already */
    take_new_epoch(lead);
    if (lead->has_state)
        return; /* what it is for is under way behind it */
    enter(lead, PHASE_LOADING);
    load_start(&lead->d->load);
}

/* Writes the fields that make data recognisable. What is loaded belongs to it from now on. */
static void make_epoch(struct lead *lead, uint64_t applied)
{
    if (lead->has_state) /* one whose answer never came may be written somewhere */
        left_epochs_add(&lead->left, lead->new_epoch, applied);
    unsigned char random[LEAD_EPOCH_LEN / 2];
    arc4random_buf(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(lead->new_epoch + 2 * i, 3, "%02x", random[i]);
    char number[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text("EVAL"),        script_word(&script_epoch, true),
                            slice_text("2"),           slice_text(KEY_LEADER),
                            slice_text(KEY_META),      lead_token(lead),
                            slice_text("epoch"),       slice_text(lead->new_epoch),
                            slice_text("beat"),        slice_text("0"),
                            slice_text("applied_seq"), slice_of(number, number_format_u64(number, applied)),
                            slice_text("schema"),      slice_text("1"),
                            slice_text("settled"),     slice_text("")};
    if (redis_link_command(lead->d->link, words, ARRAY_LEN(words), 0, on_epoch_made, lead))
        ask_in(lead, SOON_MS);
}

/* APPLIED: the number of the last batch that Redis knows. */
static void roll_back(struct lead *lead, enum rollback_kind kind, uint64_t applied)
{
    static const char *const names[] = {"wiped", "rolled_back"};
    lead->rollbacks[kind]++;
    LOG(lead->d->log, ERROR, "redis lost data that it had acknowledged; writing back what is held here",
        log_text("kind", names[kind]), log_int("applied_seq", (int64_t)lead->d->commit.applied),
        log_layers(lead->d));
    enter(lead, PHASE_ROLLBACK);
    lead->restoring = false; /* from the beginning, also where the last time had not come to its end */
    lead->settling = SETTLING_NOT;
    loss_begin(&lead->loss);
    if (applied < lead->d->commit.applied)
        loss_find(&lead->loss, LOSS_BATCHES, lead->d->commit.applied - applied);
    make_epoch(lead, lead->d->commit.applied);
    restore(lead); /* in the same write: what had ended must not stay for as long as an answer takes */
}

struct lease_answer {
    bool ours, has_changed; /* has_changed: it is ours again, and was another's */
    const char *holder, *epoch;
    bool has_applied;
    bool is_watched; /* another one stands by */
    uint64_t applied, beat;
};

/* The answer to make_epoch was lost with the link, but it was carried out. */
static void on_epoch_stands(struct lead *lead, const struct lease_answer *answer)
{
    take_new_epoch(lead);
    lead->beat = answer->beat;
    restore(lead);
}

/* Of others, and not our own from before either. */
static bool is_foreign(const struct lead *lead, const struct lease_answer *answer)
{
    return strcmp(answer->epoch, lead->epoch) != 0 &&
           (answer->has_changed || !left_epochs_holds(&lead->left, answer->epoch, answer->applied));
}

/* The lease is ours: is the data what we left? */
static void on_held(struct lead *lead, const struct lease_answer *answer)
{
    struct commit *commit = &lead->d->commit;
    if (lead->has_state && lead->new_epoch[0] && strcmp(answer->epoch, lead->new_epoch) == 0 &&
        answer->applied == commit->applied) {
        on_epoch_stands(lead, answer);
        return;
    }
    bool same = answer->has_applied && strcmp(answer->epoch, lead->epoch) == 0 && answer->beat >= lead->beat;
    bool goes_on = !answer->has_changed && answer->applied >= commit->applied;
    if (same && (lead->phase == PHASE_LOADING || lead->phase == PHASE_ROLLBACK ||
                 (lead->phase == PHASE_ACTIVE && goes_on))) {
        lead->beat = answer->beat;
        if (lead->phase == PHASE_ACTIVE)
            settle(lead);
        return;
    }
    if (!lead->has_state) {
        if (!answer->has_applied || answer->epoch[0] == '\0') {
            make_epoch(lead, 0);
            return;
        }
        (void)snprintf(lead->epoch, sizeof lead->epoch, "%s", answer->epoch);
        lead->new_epoch[0] = '\0';
        lead->beat = answer->beat;
        enter(lead, PHASE_LOADING);
        if (!standby_take_over(&lead->d->standby, lead->epoch, answer->has_changed))
            load_start(&lead->d->load);
    } else if (!answer->has_applied || answer->epoch[0] == '\0') {
        roll_back(lead, ROLLBACK_WIPED, 0);
    } else if (is_foreign(lead, answer)) {
        LOG(lead->d->log, WARN, "redis holds other data", log_text("epoch", answer->epoch),
            log_layers(lead->d));
        lose_state(lead);
        on_held(lead, answer);
    } else if (!same || answer->applied < commit->applied) {
        roll_back(lead, ROLLBACK_ROLLED_BACK, answer->applied);
    } else if (answer->has_changed || answer->applied > commit->applied + (commit->has_sent ? 1 : 0)) {
        /* Of data that went back and on again the number alone may be the one that we know. */
        LOG(lead->d->log, WARN, "another daemon wrote meanwhile",
            log_int("applied_seq", (int64_t)answer->applied), log_layers(lead->d));
        lose_state(lead);
        on_held(lead, answer);
    } else {
        lead->beat = answer->beat;
        if (lead->restoring) {
            restore(lead);
        } else {
            if (lead->was_down)
                load_keep_ids(&lead->d->load);
            become_active(lead);
        }
    }
}

/* Anything else was not written by us, and counts as missing. */
static bool is_epoch(const redisReply *reply)
{
    return reply->len == LEAD_EPOCH_LEN && strspn(reply->str, "0123456789abcdef") == LEAD_EPOCH_LEN;
}

static bool parse_answer(const redisReply *reply, struct lease_answer *ret, int64_t *ret_server_us)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 8 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER || reply->element[7]->type != REDIS_REPLY_INTEGER)
        return false;
    for (size_t i = 1; i < 7; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    struct slice applied = slice_of(reply->element[3]->str, reply->element[3]->len);
    struct slice beat = slice_of(reply->element[4]->str, reply->element[4]->len);
    *ret = (struct lease_answer){.ours = reply->element[0]->integer > 0,
                                 .has_changed = reply->element[0]->integer == 2,
                                 .holder = reply->element[1]->str,
                                 .epoch = is_epoch(reply->element[2]) ? reply->element[2]->str : "",
                                 .is_watched = reply->element[7]->integer == 1};
    ret->has_applied = number_parse_u64(applied, LEAD_APPLIED_MAX, &ret->applied);
    (void)number_parse_u64(beat, UINT64_MAX,
                           &ret->beat); /* 0 where it is missing: then the data is not what we left */
    uint64_t s = 0, us = 0;
    (void)number_parse_u64(slice_of(reply->element[5]->str, reply->element[5]->len), UINT32_MAX, &s);
    (void)number_parse_u64(slice_of(reply->element[6]->str, reply->element[6]->len), UINT32_MAX, &us);
    *ret_server_us = (int64_t)(s * 1000000 + us);
    return true;
}

static void on_refused(struct lead *lead, const redisReply *reply)
{
    struct slice text = slice_of(reply->str, reply->len);
    enum redis_error error = redis_error_classify(text);
    lead->server_loading = error == REDIS_ERROR_LOADING;
    lead->trouble = redis_error_name(error);
    lead_note_error(lead, text);
    if (lead->server_loading)
        LOG_LIMITED(lead->d->log, INFO, log_layers_key(lead->d, "loading"),
                    "redis is loading its data; waiting", log_slice("answer", text), log_layers(lead->d));
    else
        LOG_LIMITED(lead->d->log, ERROR, log_layers_key(lead->d, lead->trouble), "cannot get the lease",
                    log_slice("error", text), log_layers(lead->d));
    if (error == REDIS_ERROR_READONLY || error == REDIS_ERROR_NOAUTH)
        redis_link_drop(lead->d->link, lead->trouble, true);
    else if (error == REDIS_ERROR_WRONGTYPE)
        displace(lead);
    ask_in(lead, SOON_MS);
}

/* Each third of the lease, and often enough to notice when Redis hangs. */
static int64_t next_ask_ms(const struct lead *lead)
{
    int64_t third_ms = lease_ms(lead) / 3, hold_ms = guarding_ask_ms(&lead->d->guarding);
    int64_t ms = third_ms < hold_ms ? third_ms : hold_ms;
    return ms > 0 ? ms : 1;
}

/* Where it has jumped, what was read by the old clock is of no use to one who stands by. */
static void take_clock(struct lead *lead, int64_t server_us)
{
    struct daemon *d = lead->d;
    int64_t jump_ms = redis_clock_sample(&d->clock, server_us, lead->asked_ms, loop_now_ms());
    guarding_note_jump(&d->guarding, jump_ms);
    if (llabs(jump_ms) >= d->config->guard.stall_ms)
        standby_drop(&d->standby, "the clock of redis has jumped");
}

/* Signals and trades refer to instances, which are read first where that is not long in coming. */
static bool must_wait(const struct lead *lead)
{
    const struct daemon *home = daemon_of(lead->d, LAYER_RIS);
    struct redis_link_stats stats;
    if (home == lead->d || lead->has_state || lead->phase == PHASE_LOADING)
        return false;
    redis_link_get_stats(home->link, &stats);
    return home->lead.phase == PHASE_LOADING || (!stats.connects && !stats.connect_failures);
}

static void on_lease(void *ctx, void *object)
{
    struct lead *lead = ctx;
    const redisReply *reply = object;
    lead->asking = false;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        on_refused(lead, reply);
        return;
    }
    struct lease_answer answer;
    int64_t server_us;
    if (!parse_answer(reply, &answer, &server_us)) {
        redis_link_drop(lead->d->link, "an answer that cannot be understood", true);
        return;
    }
    lead->server_loading = false;
    lead->trouble = NULL;
    guarding_note_roundtrip(&lead->d->guarding, loop_now_ms() - lead->asked_ms);
    take_clock(lead, server_us);
    (void)snprintf(lead->holder, sizeof lead->holder, "%s", answer.holder);
    lead->dead_holder[0] = '\0';
    if (!answer.ours && !answer.holder[0]) {
        leave_lease(lead);
        return;
    }
    if (!answer.ours) {
        become_standby(lead);
        yield_note(&lead->yield, answer.holder, answer.epoch, answer.applied, answer.beat);
        return;
    }
    yield_clear(&lead->yield);
    lead->lease_until_ms = lead->asked_ms + lease_ms(lead);
    renew_in(lead, next_ask_ms(lead));
    struct commit *commit = &lead->d->commit;
    changes_want(&commit->changes, answer.is_watched, batch_is_empty(commit->filling));
    if (must_wait(lead))
        ask_in(lead, SOON_MS);
    else
        on_held(lead, &answer);
}

/* Something foreign sits on the lease or on meta: it is moved aside. */
static void displace(struct lead *lead)
{
    struct slice words[] = {slice_text("EVAL"),   script_word(&script_clear, true),
                            slice_text("2"),      slice_text(KEY_LEADER),
                            slice_text(KEY_META), slice_text("string"),
                            slice_text("hash"),   slice_text(KEY_DISPLACED)};
    reconcile_count(&lead->d->reconcile, REPAIR_DISPLACED);
    (void)redis_link_command(lead->d->link, words, ARRAY_LEN(words), 0, NULL, NULL); /* asked again anyway */
}

static void ask(struct lead *lead)
{
    enum claim claim = claim_of(lead);
    if (claim == CLAIM_NONE) {
        if (lead->has_state)
            lose_state(lead);
        enter(lead, PHASE_STANDBY);
        ask_in(lead, SOON_MS);
        return;
    }
    /* While stopping, the last batch still needs the lease. */
    bool stopping = lead->d->stopping && (lead->released || lead->phase != PHASE_ACTIVE);
    if (lead->asking || stopping || !redis_link_is_up(lead->d->link))
        return;
    char ms[NUMBER_TEXT_MAX], numbers[2][NUMBER_TEXT_MAX];
    struct slice left[YIELD_WORDS];
    yield_words(&lead->yield, lead->token, loop_now_ms(), numbers, left);
    struct slice words[] = {slice_text("EVAL"),
                            script_word(&script_lease, true),
                            slice_text("3"),
                            slice_text(KEY_LEADER),
                            slice_text(KEY_META),
                            slice_text(KEY_STANDBY),
                            lead_token(lead),
                            slice_of(ms, number_format_i64(ms, lease_ms(lead))),
                            slice_text(lead->dead_holder),
                            left[0],
                            left[1],
                            left[2],
                            slice_text(claim == CLAIM_ANY ? "take" : "")};
    lead->asked_ms = loop_now_ms();
    if (redis_link_command(lead->d->link, words, ARRAY_LEN(words), 0, on_lease, lead) == 0)
        lead->asking = true;
    else
        ask_in(lead, SOON_MS);
}

static void on_timer(void *ctx)
{
    ask(ctx);
}

void lead_link_up(struct lead *lead)
{
    lead->asking = false;
    ask(lead);
}

/* The server makes IDs by its clock, which may be ahead of that of the next one. */
static void note_left(struct lead *lead)
{
    struct stream_id id = {(uint64_t)daemon_now_ms(lead->d) + 1, 0};
    if (stream_id_compare(id, lead->left_id) > 0)
        lead->left_id = id;
    lead->was_down = true;
}

struct stream_id lead_ids_left(const struct lead *lead)
{
    return lead->left_id;
}

void lead_link_down(struct lead *lead)
{
    lead->asking = false;
    lead->server_loading = false;
    if (lead->phase == PHASE_ACTIVE || lead->phase == PHASE_ROLLBACK)
        note_left(lead);
    lead->settling = SETTLING_NOT;
    yield_link_lost(&lead->yield);
    loop_timer_stop(lead->timer);
    /* What comes behind may be another server's: it is not followed any further. */
    if (!lead->has_state)
        lose_state(lead);
    load_abandon(&lead->d->load);
    commit_link_lost(&lead->d->commit);
    enter(lead, PHASE_CONNECTING);
}

void lead_on_loaded(struct lead *lead)
{
    if (!lead->restoring) {
        become_active(lead);
        return;
    }
    lead->rescanned = true;
    commit_resume(&lead->d->commit);
    lead_on_settled(lead);
}

/* Once nothing more of it can be found. */
static void tell_loss(const struct lead *lead)
{
    struct log_field fields[LOSS_KINDS];
    for (int kind = 0; kind < LOSS_KINDS; kind++)
        fields[kind] = log_int(loss_kind_name((enum loss_kind)kind), (int64_t)lead->loss.found[kind]);
    log_write(lead->d->log, LOG_WARN_LEVEL, "what redis had lost", fields, LOSS_KINDS);
}

void lead_on_settled(struct lead *lead)
{
    struct daemon *d = lead->d;
    if (lead->phase != PHASE_ROLLBACK || !lead->rescanned || reconcile_is_writing_back(&d->reconcile) ||
        !commit_is_idle(&d->commit))
        return;
    lead->restoring = lead->rescanned = false;
    struct ledger_view view;
    ledger_view(d->ledger, &view);
    LOG(d->log, INFO, "what was held here is written back", log_int("instances", d->fleet.count),
        log_int("open_signals", (int64_t)view.open),
        log_int("remembered_signals", (int64_t)view.ended_remembered),
        log_int("trades", d->trades.open_count + d->trades.other_count), log_layers(d));
    tell_loss(lead);
    become_active(lead);
}

void lead_on_load_failed(struct lead *lead, const char *why)
{
    LOG_LIMITED(lead->d->log, ERROR, log_layers_key(lead->d, "load"), "cannot read the state",
                log_text("error", why), log_layers(lead->d));
    lead_note_error(lead, slice_text(why));
    if (lead->phase == PHASE_LOADING)
        lose_state(lead);
    enter(lead, PHASE_CONNECTING);
    ask_in(lead, SOON_MS);
}

void lead_on_fenced(struct lead *lead)
{
    /* It may just have run out: asking tells. */
    enter(lead, PHASE_CONNECTING);
    ask(lead);
}

void lead_on_behind(struct lead *lead)
{
    enter(lead, PHASE_CONNECTING);
    ask(lead);
}

void lead_release(struct lead *lead, void (*fn)(void *ctx), void *ctx)
{
    lead->released = true;
    loop_timer_stop(lead->timer);
    send_release(lead, fn, ctx);
}

void lead_ask_soon(struct lead *lead)
{
    if (lead->phase == PHASE_STANDBY && !lead->asking)
        ask(lead);
}

bool lead_stands_by(const struct lead *lead)
{
    return lead->phase == PHASE_STANDBY;
}

bool lead_is_active(const struct lead *lead)
{
    return lead->phase == PHASE_ACTIVE;
}

int64_t lead_waiting_ms(const struct lead *lead)
{
    return lead->asking ? loop_now_ms() - lead->asked_ms : 0;
}

bool lead_may_write(const struct lead *lead)
{
    return (lead->phase == PHASE_ACTIVE || (lead->phase == PHASE_ROLLBACK && lead->rescanned)) &&
           redis_link_is_up(lead->d->link);
}

struct slice lead_token(const struct lead *lead)
{
    return slice_text(lead->token);
}

struct slice lead_epoch(const struct lead *lead)
{
    return slice_text(lead->epoch);
}

const char *lead_unready(const struct lead *lead)
{
    static const char *const words[] = {"connecting", "standby", "loading", "rollback", NULL};
    if (lead->server_loading)
        return "loading";
    if (lead->trouble && strcmp(lead->trouble, redis_error_name(REDIS_ERROR_READONLY)) == 0)
        return "read_only";
    if (lead->phase == PHASE_ACTIVE && (lead->d->commit.refusal || lead->trouble))
        return "read_only";
    if (lead->phase == PHASE_ACTIVE &&
        (!redis_link_is_up(lead->d->link) || lead->d->ingest.trouble || loop_now_ms() > lead->lease_until_ms))
        return "connecting";
    return words[lead->phase];
}

void lead_note_error(struct lead *lead, struct slice text)
{
    errmsg_set(&lead->error, "%.*s", (int)text.len, text.data);
}

const char *lead_error(const struct lead *lead)
{
    return lead->error.text[0] && lead_unready(lead) ? lead->error.text : NULL;
}

/* What is behind the word, where something else than the phase is. */
static const char *reason_of(const struct lead *lead)
{
    if (!redis_link_is_up(lead->d->link) && lead->error.text[0])
        return lead->error.text;
    if (lead->trouble)
        return lead->trouble;
    if (lead->d->commit.refusal)
        return lead->d->commit.refusal;
    return lead->d->ingest.trouble ? lead->d->ingest.trouble : lead->error.text;
}

void lead_tell_readiness(struct lead *lead)
{
    const char *word = lead_unready(lead);
    if (!word) {
        word = "";
        lead->error.text[0] = '\0';
    }
    bool is_new = !lead->told || strcmp(word, lead->told) != 0;
    bool has_reason = word[0] && reason_of(lead)[0];
    if (!is_new && (lead->told_why || !has_reason))
        return;
    lead->told_why = has_reason;
    lead->told = word;
    if (is_new)
        lead->told_ms = daemon_now_ms(lead->d);
    log_tell_repeats(lead->d->log);
    if (word[0])
        LOG(lead->d->log, WARN, "not ready", log_text("why", word), log_text("error", reason_of(lead)),
            log_layers(lead->d));
    else
        LOG(lead->d->log, INFO, "ready", log_int("instances", lead->d->fleet.count), log_layers(lead->d));
}
