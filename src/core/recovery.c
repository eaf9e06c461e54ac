/* Episodes of recovery: an attempt is counted, waits, goes out as the command `recover`, and ends. What asks
 * for it is a firing alert with that action; whether a further one follows is asked anew each time. */
#include "core/recovery.h"
#include "watch_private.h"

#define JITTER_SHARE 10 /* a tenth of the backoff at the most */

const char *recovery_phase_name(enum recovery_phase phase)
{
    static const char *const names[RECOVERY_PHASES] = {
        [RECOVERY_NONE] = "none",
        [RECOVERY_WAITING] = "waiting",
        [RECOVERY_UNDER_WAY] = "under_way",
    };

    return names[phase];
}

const char *recovery_outcome_name(enum recovery_outcome outcome)
{
    static const char *const names[RECOVERY_OUTCOMES] = {
        [RECOVERY_SUCCEEDED] = "succeeded", [RECOVERY_FAILED] = "failed",     [RECOVERY_TIMEOUT] = "timeout",
        [RECOVERY_UNNEEDED] = "unneeded",   [RECOVERY_GIVEN_UP] = "given_up",
    };

    return names[outcome];
}

/* xorshift64*: enough to keep a fleet from acting in step. */
static uint64_t draw(struct watch *watch)
{
    uint64_t x = watch->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    watch->random = x;
    return x * UINT64_C(2685821657736338717);
}

int64_t recovery_backoff_ms(struct watch *watch, uint32_t attempt)
{
    const struct recovery_options *options = &watch->options.recovery;
    uint32_t last = options->backoff_count - 1; /* watch_configure sees to it that there is one */
    int64_t ms = options->backoff_ms[attempt - 1 < last ? attempt - 1 : last];

    return ms < JITTER_SHARE ? ms : ms + (int64_t)(draw(watch) % (uint64_t)(ms / JITTER_SHARE + 1));
}

static struct recovery *recovery_of(const struct change *change)
{
    return &change->instance->watched->record.recovery;
}

static void mark(const struct change *change)
{
    change->instance->watched->is_dirty = true;
}

void desired_state_set(struct change *change, enum instance_state state)
{
    if (change->instance->desired_state == state)
        return;
    change->instance->desired_state = state;
    change_mark(change, STORED_DESIRED_STATE);
}

void recovery_attempts_set(struct change *change, uint64_t attempts)
{
    if (change->instance->recovery_attempts == attempts)
        return;
    change->instance->recovery_attempts = attempts;
    change_mark(change, STORED_RECOVERY_ATTEMPTS);
}

/* ---- the queue for recovery.max_concurrent ---- */

static void join_queue(struct fleet *fleet, struct instance *instance)
{
    struct watch *watch = fleet->watch;
    struct watched *watched = instance->watched;
    uint32_t place = fleet_index_of(fleet, instance);

    if (watched->is_waiting)
        return;
    watched->is_waiting = true;
    watched->wait_prev = watch->wait_tail;
    watched->wait_next = MAP_NONE;
    if (watch->wait_tail == MAP_NONE)
        watch->wait_head = place;
    else
        fleet->slots[watch->wait_tail].watched->wait_next = place;
    watch->wait_tail = place;
}

void recovery_leave_queue(struct fleet *fleet, struct instance *instance)
{
    struct watch *watch = fleet->watch;
    struct watched *watched = instance->watched;

    if (!watched || !watched->is_waiting)
        return;
    watched->is_waiting = false;
    if (watched->wait_prev == MAP_NONE)
        watch->wait_head = watched->wait_next;
    else
        fleet->slots[watched->wait_prev].watched->wait_next = watched->wait_next;
    if (watched->wait_next == MAP_NONE)
        watch->wait_tail = watched->wait_prev;
    else
        fleet->slots[watched->wait_next].watched->wait_prev = watched->wait_prev;
}

void recovery_wake_queue(struct fleet *fleet)
{
    const struct watch *watch = fleet->watch;
    struct instance *first;

    if (watch->wait_head == MAP_NONE || watch->under_way >= watch->options.recovery.max_concurrent)
        return;
    first = &fleet->slots[watch->wait_head];
    watch_wake(fleet, first, first->watched->record.recovery.next_ms);
}

/* ---- ends ---- */

static void end_episode(struct change *change, enum recovery_outcome outcome)
{
    struct recovery *recovery = recovery_of(change);
    struct watch *watch = change->fleet->watch;

    watch->stats.recoveries[outcome]++;
    recovery_leave_queue(change->fleet, change->instance);
    if (recovery->phase == RECOVERY_UNDER_WAY) {
        watch->under_way--;
        recovery_wake_queue(change->fleet);
    }
    /* One that never went out was none: else who comes back by itself is given up without a try. */
    if (recovery->phase == RECOVERY_WAITING && outcome == RECOVERY_UNNEEDED &&
        change->instance->recovery_attempts > 0)
        recovery_attempts_set(change, change->instance->recovery_attempts - 1);
    recovery->phase = RECOVERY_NONE;
    if (outcome == RECOVERY_SUCCEEDED)
        recovery->cooldown_until_ms = change->at_ms + watch->options.recovery.cooldown_ms;
    change->instance->watched->wants_round = true;
    mark(change);
}

void recovery_on_command_end(struct change *change, enum command_status status)
{
    static const enum recovery_outcome outcomes[COMMAND_STATUSES] = {
        [COMMAND_ISSUED] = RECOVERY_UNNEEDED, [COMMAND_ACCEPTED] = RECOVERY_UNNEEDED,
        [COMMAND_OK] = RECOVERY_SUCCEEDED,    [COMMAND_FAILED] = RECOVERY_FAILED,
        [COMMAND_EXPIRED] = RECOVERY_TIMEOUT, [COMMAND_CANCELLED] = RECOVERY_UNNEEDED,
    };

    if (recovery_of(change)->phase == RECOVERY_UNDER_WAY)
        end_episode(change, outcomes[status]);
}

void recovery_abandon(struct change *change)
{
    if (change->instance->watched && recovery_of(change)->phase == RECOVERY_WAITING)
        end_episode(change, RECOVERY_UNNEEDED);
}

void recovery_arm(struct change *change, bool reset)
{
    struct recovery *recovery = recovery_of(change);

    if (reset)
        recovery_attempts_set(change, 0);
    if (recovery->is_disarmed) {
        struct why_step step = {
            .kind = WHY_DECISION, .at_ms = change->at_ms, .status = "armed", .cause = *change->cause};

        watch_step(change, &step);
    }
    recovery->is_disarmed = recovery->has_stopped = false;
    recovery->cooldown_until_ms = 0;
    change->instance->watched->wants_round = true;
    mark(change);
}

/* Running for long enough with nothing firing: the attempts are forgotten. */
static void settle_attempts(struct change *change)
{
    struct instance *instance = change->instance;
    struct watched *watched = instance->watched;
    bool is_calm = instance->state == STATE_RUNNING && instance->recovery_attempts > 0 &&
                   watched->record.recovery.phase == RECOVERY_NONE && !alerts_fire(instance);

    if (!is_calm) {
        watched->stable_from_ms = 0;
        return;
    }
    if (watched->stable_from_ms == 0)
        watched->stable_from_ms = change->at_ms;
    if (change->at_ms - watched->stable_from_ms >= change->fleet->watch->options.recovery.stable_ms) {
        recovery_attempts_set(change, 0);
        watched->stable_from_ms = 0;
    }
}

void recovery_settle(struct change *change)
{
    struct instance *instance = change->instance;
    struct recovery *recovery;
    struct command *command;
    const struct alert *crash;

    if (!instance->watched) {
        if (instance->recovery_attempts > 0 && instance->state == STATE_RUNNING)
            (void)watched_get(change->fleet, instance);
        else
            return;
    }
    recovery = recovery_of(change);
    command = &instance->watched->record.command;
    crash = alerts_find_firing(change->fleet, instance, ACTION_RECOVER, false);
    if (recovery->phase == RECOVERY_UNDER_WAY && crash && !recovery->is_for_crash) {
        recovery->is_for_crash = true;
        mark(change);
    }
    if (recovery->phase == RECOVERY_UNDER_WAY && command->is_open && instance->state == STATE_RUNNING &&
        !crash && (recovery->is_for_crash || command->has_succeeded))
        command_end(change, COMMAND_OK, command->has_succeeded ? NULL : "the instance runs");
    settle_attempts(change);
}

/* ---- decisions ---- */

static void decide(const struct change *change, const struct alert *alert, const char *status,
                   const char *reason)
{
    struct why_step step = {.kind = WHY_DECISION,
                            .at_ms = change->at_ms,
                            .status = status,
                            .cause = alert->cause,
                            .alert = ident_slice(&alert->name),
                            .reason = slice_text(reason)};

    watch_step(change, &step);
}

static void give_up(struct change *change, const struct alert *alert)
{
    uint32_t most = change->fleet->watch->options.recovery.max_attempts;
    struct errmsg reason;

    errmsg_set(&reason, "after %u attempts", most);
    decide(change, alert, "give up", reason.text);
    recovery_attempts_set(change, (uint64_t)most + 1);
    recovery_of(change)->is_disarmed = true;
    end_episode(change, RECOVERY_GIVEN_UP);
    watch_tell_given_up(change, COMMAND_RECOVER, alert, most);
}

static void begin_attempt(struct change *change, const struct alert *alert)
{
    struct recovery *recovery = recovery_of(change);
    struct watch *watch = change->fleet->watch;
    uint64_t attempt = change->instance->recovery_attempts + 1;
    int64_t backoff_ms = recovery_backoff_ms(watch, (uint32_t)attempt);
    struct errmsg reason;

    recovery_attempts_set(change, attempt);
    recovery->phase = RECOVERY_WAITING;
    recovery->is_for_crash = false;
    recovery->next_ms = change->at_ms + backoff_ms;
    recovery->alert = alert->name;
    recovery->cause = alert->cause;
    mark(change);
    errmsg_set(&reason, "attempt %u of %u now", (unsigned)attempt, watch->options.recovery.max_attempts);
    if (backoff_ms > 0)
        errmsg_set(&reason, "attempt %u of %u in %lld ms", (unsigned)attempt,
                   watch->options.recovery.max_attempts, (long long)backoff_ms);
    decide(change, alert, "recover", reason.text);
}

static void send_recover(struct change *change, const struct alert *alert, bool is_for_crash)
{
    struct recovery *recovery = recovery_of(change);
    struct watch *watch = change->fleet->watch;
    struct errmsg reason;

    errmsg_set(&reason, "%.*s: recovery attempt %u of %u", (int)alert->name.len, alert->name.text,
               (unsigned)change->instance->recovery_attempts, watch->options.recovery.max_attempts);
    recovery_leave_queue(change->fleet, change->instance);
    command_issue(change, &(struct command_draft){.kind = COMMAND_RECOVER,
                                                  .reason = slice_text(reason.text),
                                                  .attempt = (uint32_t)change->instance->recovery_attempts,
                                                  .alert = alert,
                                                  .cause = alert->cause,
                                                  .timeout_ms = watch->options.recovery.timeout_ms});
    recovery->phase = RECOVERY_UNDER_WAY;
    recovery->is_for_crash = is_for_crash;
    watch->under_way++;
}

/* What holds a recovery back, whether it is to begin or to go out. */
static enum hold find_hold(const struct change *change)
{
    enum hold hold = watch_find_hold(change);

    if (hold != HOLD_NONE)
        return hold;
    if (recovery_of(change)->is_disarmed || change->instance->desired_state == STATE_STOPPED)
        return HOLD_DISARMED;
    return command_must_wait(change, COMMAND_RECOVER) ? HOLD_UNDER_WAY : HOLD_NONE;
}

static bool is_held(const struct change *change, const struct alert *alert, enum hold hold)
{
    if (hold == HOLD_NONE)
        return false;
    watch_note_hold(change, hold, COMMAND_RECOVER, alert);
    return true;
}

/* True where nothing is missing but a place. */
static bool decide_recovery(struct change *change)
{
    struct fleet *fleet = change->fleet;
    struct alert *crash = alerts_find_firing(fleet, change->instance, ACTION_RECOVER, false);
    struct alert *alert = crash ? crash : alerts_find_firing(fleet, change->instance, ACTION_RECOVER, true);
    struct recovery *recovery = recovery_of(change);

    if (recovery->phase == RECOVERY_UNDER_WAY)
        return false;
    if (!alert) {
        if (recovery->phase == RECOVERY_WAITING)
            end_episode(change, RECOVERY_UNNEEDED);
        return false;
    }
    if (recovery->phase == RECOVERY_NONE) {
        if (is_held(change, alert, find_hold(change)))
            return false;
        if (!crash && change->at_ms < recovery->cooldown_until_ms)
            return !is_held(change, alert, HOLD_COOLDOWN);
        if (change->instance->recovery_attempts >= fleet->watch->options.recovery.max_attempts) {
            give_up(change, alert);
            return false;
        }
        begin_attempt(change, alert);
    }
    if (change->at_ms < recovery->next_ms || is_held(change, alert, find_hold(change)))
        return false;
    if (fleet->watch->under_way >= fleet->watch->options.recovery.max_concurrent)
        return is_held(change, alert, HOLD_MAX_CONCURRENT);
    send_recover(change, alert, crash != NULL);
    return false;
}

void recovery_decide(struct change *change)
{
    bool has_waited = change->instance->watched->is_waiting;

    if (decide_recovery(change)) {
        join_queue(change->fleet, change->instance);
        return;
    }
    recovery_leave_queue(change->fleet, change->instance);
    if (has_waited)
        recovery_wake_queue(change->fleet); /* there may be room for the next as well */
}

int64_t recovery_next_ms(const struct fleet *fleet, const struct instance *instance)
{
    const struct watched *watched = instance->watched;
    const struct recovery *recovery = &watched->record.recovery;

    if (recovery->phase == RECOVERY_WAITING && watched->held[COMMAND_RECOVER] == HOLD_NONE)
        return recovery->next_ms;
    if (recovery->phase == RECOVERY_NONE && watched->held[COMMAND_RECOVER] == HOLD_COOLDOWN)
        return recovery->cooldown_until_ms;
    if (watched->stable_from_ms > 0)
        return watched->stable_from_ms + fleet->watch->options.recovery.stable_ms;
    return INT64_MAX;
}
