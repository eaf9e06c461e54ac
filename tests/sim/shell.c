/* The life of a daemon: process, links, lease. Stands for daemon.c and lead.c. */
#include "shell_private.h"

#include "util/alloc.h"
#include "util/number.h"
#include <inttypes.h>
#include <stdio.h>

#define SOON_MS 100

static const struct hash_key hash_key = {3, 4};
static const char *const phase_names[] = {"connecting", "standby", "loading", "rollback", "active"};

void shell_configure(struct shell *sh)
{
    ledger_configure(sh->ledger, &sh->sim->settings.ledger);
}

int64_t shell_now_ms(const struct shell *sh)
{
    return sh->store->now_ms + sh->skew_ms;
}

bool lead_is_active(const struct shell *sh)
{
    return sh->phase == PHASE_ACTIVE;
}

bool lead_may_write(const struct shell *sh)
{
    return (sh->phase == PHASE_ACTIVE || (sh->phase == PHASE_ROLLBACK && sh->is_rescanned)) && sh->is_up;
}

static void enter(struct shell *sh, enum phase phase)
{
    if (sh->phase != phase)
        sim_note(sh->sim, "%s: %s -> %s", sh->name, phase_names[sh->phase], phase_names[phase]);
    sh->phase = phase;
}

struct call *call_send(struct shell *sh, enum call_kind kind)
{
    struct call *call;

    if (!sh->is_up || sh->call_count == CALLS_MAX)
        return NULL;
    call = mem_new(1, sizeof(*call));
    call->kind = kind;
    call->sent_ms = sh->store->now_ms;
    sh->calls[sh->call_count++] = call;
    return call;
}

static void call_free(struct call *call)
{
    buf_clear(&call->bytes);
    for (size_t i = 0; i < LOOK_MAX; i++)
        look_clear(&call->looks[i]);
    key_clear(&call->totals);
    free(call->batch_look.types);
    free(call->ids);
    free(call->ttl_s);
    free(call);
}

void call_add_id(struct call *call, struct slice id, int64_t ttl_s)
{
    if (call->id_count == call->id_cap) {
        call->id_cap = call->id_cap ? call->id_cap * 2 : 16;
        call->ids = mem_resize(call->ids, call->id_cap, sizeof(*call->ids));
        call->ttl_s = mem_resize(call->ttl_s, call->id_cap, sizeof(*call->ttl_s));
    }
    call->ttl_s[call->id_count] = ttl_s;
    ident_set(&call->ids[call->id_count++], id);
}

void daemon_forget(struct shell *sh)
{
    fleet_reset(&sh->fleet);
    ledger_reset(sh->ledger);
    trade_book_reset(&sh->trades);
    trade_io_reset(sh);
    follow_reset(sh);
    reconcile_reset(sh);
    ingest_reset(sh);
    commit_reset(sh, 0);
}

static void ask(struct shell *sh)
{
    if (sh->is_asking || (sh->is_stopping && (sh->is_released || sh->phase != PHASE_ACTIVE)) || !sh->is_up)
        return;
    if (call_send(sh, CALL_LEASE))
        sh->is_asking = true;
}

static void lose_state(struct shell *sh)
{
    sh->load_generation++;
    sh->has_state = sh->is_restoring = sh->is_rescanned = false;
    sh->new_epoch[0] = '\0';
    daemon_forget(sh);
}

static void become_standby(struct shell *sh)
{
    lose_state(sh);
    enter(sh, PHASE_STANDBY);
    sh->lease_at_ms = sh->store->now_ms + sh->sim->settings.lease_ms / 3;
}

static void become_active(struct shell *sh)
{
    sh->has_state = true;
    enter(sh, PHASE_ACTIVE);
    fleet_excuse_silence(&sh->fleet, shell_now_ms(sh));
    commit_resume(sh);
    ingest_go_on(sh);
    if (sh->blocked_count || sh->marked.count)
        sh->follow_at_ms = sh->store->now_ms + 50;
    reconcile_start(sh);
}

static void make_epoch(struct shell *sh, uint64_t applied)
{
    struct call *call = call_send(sh, CALL_EPOCH);

    if (!call)
        return;
    (void)snprintf(sh->new_epoch, sizeof(sh->new_epoch), "epoch-%016" PRIx64, rng_next(&sh->sim->rng));
    call->number = applied;
    buf_add_text(&call->bytes, sh->new_epoch);
}

static void restore(struct shell *sh)
{
    enter(sh, PHASE_ROLLBACK);
    reconcile_pause(sh);
    sh->is_rescanned = false;
    if (!sh->is_restoring)
        reconcile_write_back(sh);
    sh->is_restoring = true;
    load_rescan(sh);
}

static void take_new_epoch(struct shell *sh)
{
    memcpy(sh->epoch, sh->new_epoch, sizeof(sh->epoch));
    sh->new_epoch[0] = '\0';
    sh->beat = 0;
}

static void on_epoch_made(struct shell *sh)
{
    if (!sh->new_epoch[0])
        return;
    take_new_epoch(sh);
    if (sh->has_state) {
        restore(sh);
        return;
    }
    enter(sh, PHASE_LOADING);
    load_start(sh);
}

void lead_on_load_failed(struct shell *sh)
{
    if (sh->phase == PHASE_LOADING)
        lose_state(sh);
    enter(sh, PHASE_CONNECTING);
    sh->lease_at_ms = sh->store->now_ms + SOON_MS;
}

static void roll_back(struct shell *sh, const char *kind)
{
    sim_note(sh->sim, "%s: the store lost data (%s), applied %" PRIu64, sh->name, kind, sh->applied);
    enter(sh, PHASE_ROLLBACK);
    sh->is_restoring = false;
    make_epoch(sh, sh->applied);
}

static void on_held(struct shell *sh, const struct lease_answer *answer)
{
    bool same, goes_on;

    if (sh->has_state && sh->new_epoch[0] && strcmp(answer->epoch, sh->new_epoch) == 0 &&
        answer->applied == sh->applied) {
        take_new_epoch(sh);
        sh->beat = answer->beat;
        restore(sh);
        return;
    }
    same = answer->has_applied && strcmp(answer->epoch, sh->epoch) == 0 && answer->beat >= sh->beat;
    goes_on = !answer->has_changed && answer->applied >= sh->applied;
    if (same && (sh->phase == PHASE_LOADING || sh->phase == PHASE_ROLLBACK ||
                 (sh->phase == PHASE_ACTIVE && goes_on))) {
        sh->beat = answer->beat;
        return;
    }
    if (!sh->has_state) {
        if (!answer->has_applied || answer->epoch[0] == '\0') {
            make_epoch(sh, 0);
            return;
        }
        (void)snprintf(sh->epoch, sizeof(sh->epoch), "%s", answer->epoch);
        sh->new_epoch[0] = '\0';
        sh->beat = answer->beat;
        enter(sh, PHASE_LOADING);
        load_start(sh);
    } else if (!answer->has_applied || answer->epoch[0] == '\0') {
        roll_back(sh, "wiped");
    } else if (strcmp(answer->epoch, sh->epoch) != 0) {
        sim_note(sh->sim, "%s: the store holds other data", sh->name);
        lose_state(sh);
        on_held(sh, answer);
    } else if (!same || answer->applied < sh->applied) {
        roll_back(sh, "rolled back");
    } else if (answer->has_changed || answer->applied > sh->applied + (sh->has_sent ? 1 : 0)) {
        sim_note(sh->sim, "%s: another daemon wrote meanwhile", sh->name);
        lose_state(sh);
        on_held(sh, answer);
    } else {
        sh->beat = answer->beat;
        if (sh->is_restoring)
            restore(sh);
        else
            become_active(sh);
    }
}

static void on_lease(struct shell *sh, const struct call *call)
{
    const struct lease_answer *answer = &call->lease;

    sh->is_asking = false;
    if (call->is_refused) {
        sh->lease_at_ms = sh->store->now_ms + SOON_MS;
        return;
    }
    sh->dead_holder[0] = '\0';
    sh->skew_ms = rng_between(&sh->sim->rng, -sh->sim->settings.skew_max_ms, sh->sim->settings.skew_max_ms);
    if (!answer->ours) {
        become_standby(sh);
        return;
    }
    sh->lease_at_ms = sh->store->now_ms + sh->sim->settings.lease_ms / 3;
    on_held(sh, answer);
}

void lead_on_loaded(struct shell *sh)
{
    if (!sh->is_restoring) {
        become_active(sh);
        return;
    }
    sh->is_rescanned = true;
    commit_resume(sh);
    lead_on_settled(sh);
}

void lead_on_settled(struct shell *sh)
{
    if (sh->phase != PHASE_ROLLBACK || !sh->is_rescanned || sh->is_writing_back || !shell_is_idle(sh))
        return;
    sh->is_restoring = sh->is_rescanned = false;
    become_active(sh);
}

void lead_on_fenced(struct shell *sh)
{
    enter(sh, PHASE_CONNECTING);
    ask(sh);
}

void lead_on_behind(struct shell *sh)
{
    enter(sh, PHASE_CONNECTING);
    ask(sh);
}

void shell_init(struct shell *sh, struct sim *sim, struct store *store, const char *name)
{
    const struct settings *settings = &sim->settings;
    struct batch_options options = {
        .names = {.stream = {STREAM_NAMES}, .events = EVENTS_NAME, .commands = COMMANDS_NAME},
        .group = GROUP_NAME,
        .events_max_len = settings->events_max_len,
        .commands_max_len = settings->events_max_len,
    };

    *sh = (struct shell){.sim = sim, .store = store, .name = name};
    fleet_init(&sh->fleet, &settings->fleet, hash_key);
    sh->fleet.batch = 1;
    sh->ledger = ledger_new(&settings->ledger, &sh->fleet, hash_key);
    trade_book_init(&sh->trades, &sh->fleet, settings->closed_ttl_s, hash_key);
    sh->trades.batch = 1;
    sh->trades.max_others = 14;
    sh->filling = batch_new(&options);
    sh->sent = batch_new(&options);
}

static void drop_calls(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->call_count; i++)
        call_free(sh->calls[i]);
    sh->call_count = 0;
}

void shell_clear(struct shell *sh)
{
    if (!sh->sim)
        return;
    drop_calls(sh);
    key_watch_clear(&sh->watch);
    batch_free(sh->filling);
    batch_free(sh->sent);
    trade_book_clear(&sh->trades);
    ledger_free(sh->ledger);
    fleet_clear(&sh->fleet);
    ingest_clear(sh);
    trade_io_reset(sh);
    free(sh->items);
    free(sh->found.ids);
    free(sh->found_trades.ids);
    free(sh->found_ended.ids);
    free(sh->queue.ids);
    follow_reset(sh);
    free(sh->marked.ids);
    free(sh->blocked);
}

static void link_up(struct shell *sh)
{
    sh->is_up = true;
    sh->is_asking = false;
    sh->poll_at_ms = sh->store->now_ms;
    ask(sh);
    ingest_go_on(sh);
}

void shell_start(struct shell *sh, const char *dead_token)
{
    struct sim *sim = sh->sim;
    struct store *store = sh->store;
    const char *name = sh->name;
    unsigned incarnation = sh->incarnation + 1;

    shell_clear(sh);
    shell_init(sh, sim, store, name);
    sh->incarnation = incarnation;
    (void)snprintf(sh->token, sizeof(sh->token), "%s-%u", name, incarnation);
    (void)snprintf(sh->dead_holder, sizeof(sh->dead_holder), "%s", dead_token);
    sh->is_running = true;
    sh->skew_ms = rng_between(&sim->rng, -sim->settings.skew_max_ms, sim->settings.skew_max_ms);
    sim_note(sim, "%s starts as %s", name, sh->token);
    link_up(sh);
}

/* What was sent may still have reached the store: the simulation has carried out as much of it as it chose.
 */
void shell_kill(struct shell *sh)
{
    sim_note(sh->sim, "%s dies", sh->name);
    drop_calls(sh);
    sh->is_running = sh->is_up = false;
    sh->reading.is_going = sh->ahead.is_going = false;
}

void shell_stop(struct shell *sh)
{
    sim_note(sh->sim, "%s is asked to stop", sh->name);
    sh->is_stopping = true;
}

static void on_answer(struct shell *sh, struct call *call)
{
    switch (call->kind) {
    case CALL_LEASE:
        on_lease(sh, call);
        break;
    case CALL_RELEASE:
        sh->is_running = sh->is_up = false;
        sim_note(sh->sim, "%s has stopped", sh->name);
        break;
    case CALL_EPOCH:
        if (call->is_refused)
            lead_on_load_failed(sh);
        else
            on_epoch_made(sh);
        break;
    case CALL_BATCH:
        commit_on_answer(sh, call);
        break;
    case CALL_BATCH_LOOK:
        commit_on_looked(sh, call);
        break;
    case CALL_BATCH_EXEC:
        commit_on_executed(sh, call);
        break;
    case CALL_PROBE:
        if (call->is_refused)
            sh->is_probing = false;
        else
            late_on_probed(sh, call);
        break;
    case CALL_LOOK:
        reconcile_on_looked(sh, call, false);
        break;
    case CALL_TRADE:
        trade_on_looked_up(sh, call, false);
        break;
    case CALL_GATHER:
        reconcile_on_gathered(sh, call);
        break;
    case CALL_DUE:
        if (!call->is_refused)
            trade_on_due(sh, call);
        break;
    case CALL_POLL:
        if (!call->is_refused)
            ingest_on_polled(sh, call);
        break;
    case CALL_LOAD:
        load_on_step(sh, call);
        break;
    case CALL_MOVE_ASIDE:
        commit_on_displaced(sh, call, false);
        break;
    case CALL_KEYS:
        if (!call->is_refused)
            reconcile_on_keys(sh, call);
        break;
    case CALL_READ:
        break;
    }
    if (call->hangs_up && sh->is_up)
        shell_lose_link(sh);
}

/* Nobody knows what became of CALL. */
static void on_unknown(struct shell *sh, const struct call *call)
{
    switch (call->kind) {
    case CALL_BATCH:
    case CALL_BATCH_LOOK:
    case CALL_BATCH_EXEC:
        sh->in_flight = false;
        break;
    case CALL_PROBE:
        sh->is_probing = false;
        break;
    case CALL_LOOK:
        reconcile_on_looked(sh, call, true);
        break;
    case CALL_TRADE:
        trade_on_looked_up(sh, call, true);
        break;
    default:
        break;
    }
}

void shell_lose_link(struct shell *sh)
{
    sim_note(sh->sim, "%s loses its link with %u commands on their way", sh->name, sh->call_count);
    sh->is_up = false;
    for (uint32_t i = 0; i < sh->call_count; i++)
        on_unknown(sh, sh->calls[i]);
    drop_calls(sh);
    sh->is_asking = false;
    sh->load_generation++;
    sh->in_flight = false;
    sh->displacing = 0;
    sh->commit_retry_ms = 0;
    enter(sh, PHASE_CONNECTING);
    sh->reconnect_at_ms = sh->store->now_ms + rng_between(&sh->sim->rng, 10, 2000);
}

static void make_epoch_in_store(struct store *store, struct call *call, const char *token)
{
    const struct store_key *holder;
    struct store_key *meta = store_make(store, slice_text(KEY_META), STORE_HASH);
    char text[NUMBER_TEXT_MAX];

    holder = store_find_text(store, KEY_LEADER); /* the slots may have moved */
    call->is_refused = !meta || !holder || !slice_is(pair_value(&holder->pairs[0]), token);
    if (call->is_refused)
        return;
    key_put(meta, slice_text("epoch"), buf_slice(&call->bytes));
    key_put(meta, slice_text("beat"), slice_text("0"));
    key_put(meta, slice_text("applied_seq"), slice_of(text, number_format_u64(text, call->number)));
    key_put(meta, slice_text("holder"), slice_text(token));
    key_put(meta, slice_text("schema"), slice_text("1"));
}

static void probe_entries(const struct store *store, struct call *call)
{
    const struct store_key *signals = store_find_text(store, sim_streams[STREAM_SIGNALS]);

    for (size_t i = 0; i < call->count; i++)
        call->present[i] = stream_find(signals, call->entries[i]) != NULL;
}

static void poll_streams(const struct store *store, struct call *call)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = store_find_text(store, sim_streams[k]);

        call->is_stream[k] = key && key->type == STORE_STREAM;
        if (!call->is_stream[k])
            continue;
        call->last[k] = key->last_id;
        call->delivered[k] = key->has_group ? key->group_id : (struct stream_id){0, 0};
    }
}

/* displace.lua; what was moved before is not kept here. */
static void move_aside(struct shell *sh, struct call *call)
{
    const struct store_key *holder = store_find_text(sh->store, KEY_LEADER);
    struct key aside = key_displaced(key_slice(&call->key));

    call->is_moved = holder && slice_is(pair_value(&holder->pairs[0]), sh->token) &&
                     store_rename(sh->store, key_slice(&call->key), key_slice(&aside));
}

bool shell_is_refused(const struct shell *sh, uint32_t kind, bool writes)
{
    switch (sh->sim->refusal) {
    case REFUSES_NOTHING:
        break;
    case REFUSES_WRITES:
    case REFUSES_AND_HANGS_UP:
        return writes;
    case REFUSES_ALL:
        return true;
    case REFUSES_ONE:
        return kind == sh->sim->refused_call;
    }
    return false;
}

static bool writes(const struct shell *sh, const struct call *call)
{
    switch (call->kind) {
    case CALL_LEASE:
    case CALL_RELEASE:
    case CALL_EPOCH:
    case CALL_BATCH:
    case CALL_BATCH_EXEC:
    case CALL_MOVE_ASIDE:
        return true;
    case CALL_LOAD:
        return call->generation == sh->load_generation && load_step_writes(sh);
    default:
        return false;
    }
}

static void execute(struct shell *sh, struct call *call)
{
    struct store *store = sh->store;

    call->is_refused = shell_is_refused(sh, call->kind, writes(sh, call));
    if (call->is_refused) {
        call->hangs_up = sh->sim->refusal == REFUSES_AND_HANGS_UP &&
                         (call->kind == CALL_LEASE || call->kind == CALL_BATCH);
        return;
    }
    switch (call->kind) {
    case CALL_LEASE:
        script_run_lease(store, sh->token, sh->sim->settings.lease_ms, sh->dead_holder, &call->lease);
        break;
    case CALL_RELEASE:
        script_run_lease(store, sh->token, 0, "", &call->lease);
        break;
    case CALL_EPOCH:
        make_epoch_in_store(store, call, sh->token);
        break;
    case CALL_BATCH:
        script_run_commit(store, buf_slice(&call->bytes), &call->commit);
        break;
    case CALL_BATCH_LOOK:
        call->is_no_look = !script_run_look(store, buf_slice(&call->bytes), &sh->watch, &call->batch_look);
        break;
    case CALL_BATCH_EXEC:
        if (key_watch_is_unchanged(&sh->watch, store))
            script_run_transaction(store, buf_slice(&call->bytes), &call->commit);
        else
            call->commit.word = COMMIT_CHANGED;
        break;
    case CALL_PROBE:
        probe_entries(store, call);
        break;
    case CALL_LOOK:
        for (size_t i = 0; i < call->count; i++)
            look_at(store, ident_slice(&call->ids[i]), &call->looks[i]);
        break;
    case CALL_TRADE:
        trade_look_up(store, call);
        break;
    case CALL_MOVE_ASIDE:
        move_aside(sh, call);
        break;
    case CALL_KEYS:
        reconcile_find_keys(store, call);
        break;
    case CALL_GATHER:
        reconcile_gather(store, call);
        break;
    case CALL_DUE:
        trade_find_due(store, call);
        break;
    case CALL_POLL:
        poll_streams(store, call);
        break;
    case CALL_LOAD:
        if (call->generation == sh->load_generation)
            load_run_step(sh);
        break;
    case CALL_READ:
        break;
    }
}

bool shell_execute(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->call_count; i++) {
        if (sh->calls[i]->is_executed)
            continue;
        execute(sh, sh->calls[i]);
        sh->calls[i]->is_executed = true;
        return true;
    }
    return false;
}

bool shell_answer(struct shell *sh)
{
    struct call *call;

    if (sh->call_count == 0 || !sh->calls[0]->is_executed)
        return false;
    call = sh->calls[0];
    sh->call_count--;
    memmove(sh->calls, sh->calls + 1, sh->call_count * sizeof(struct call *));
    on_answer(sh, call);
    call_free(call);
    return true;
}

static bool take_due(int64_t *at_ms, int64_t now_ms)
{
    if (*at_ms == 0 || *at_ms > now_ms)
        return false;
    *at_ms = 0;
    return true;
}

bool shell_is_idle(const struct shell *sh)
{
    return !sh->has_sent && batch_is_empty(sh->filling) && !ingest_has_news(sh);
}

static void poll(struct shell *sh)
{
    struct call *call = call_send(sh, CALL_POLL);

    sh->poll_at_ms = sh->store->now_ms + sh->sim->settings.poll_ms;
    for (int k = 0; call && k < STREAM_KINDS; k++)
        call->read[k] = sh->streams[k].read;
}

/* Waits for the writes in flight, then gives up the lease. */
static void go_on_stopping(struct shell *sh)
{
    if (lead_is_active(sh) && sh->is_up && !shell_is_idle(sh))
        commit_kick(sh);
    else if (!sh->is_up)
        shell_kill(sh);
    else if (sh->call_count == 0)
        sh->is_released = call_send(sh, CALL_RELEASE) != NULL;
}

void shell_tick(struct shell *sh)
{
    int64_t now_ms = sh->store->now_ms;

    if (!sh->is_running)
        return;
    if (!sh->is_up && take_due(&sh->reconnect_at_ms, now_ms))
        link_up(sh);
    if (sh->is_stopping)
        go_on_stopping(sh);
    if (sh->is_up && take_due(&sh->lease_at_ms, now_ms))
        ask(sh);
    if (sh->is_up && !sh->is_asking && !sh->lease_at_ms && sh->call_count == 0)
        sh->lease_at_ms = now_ms + SOON_MS;
    if (sh->is_up && take_due(&sh->poll_at_ms, now_ms))
        poll(sh);
    if (take_due(&sh->commit_retry_ms, now_ms)) {
        if (sh->has_sent)
            commit_resume(sh);
        else
            commit_kick(sh);
    }
    if (take_due(&sh->read_retry_ms, now_ms)) {
        ingest_judge(sh);
        commit_kick(sh);
        ingest_go_on(sh);
    }
    if (take_due(&sh->follow_at_ms, now_ms))
        follow_on_timer(sh);
    if (take_due(&sh->reconcile_at_ms, now_ms))
        reconcile_on_timer(sh);
}
