/* What the files of the watch share. A change of an instance (fleet_private.h) carries everything: whatever
 * judges or decides tells its sink. */
#pragma once

#include "core/watch.h"
#include "fleet_private.h"
#include "util/errmsg.h"

/* ---- watched.c: the instances that are watched ---- */

struct watched *watched_get(struct fleet *fleet, struct instance *instance);
void watched_free(struct fleet *fleet, struct instance *instance);
/* The clock has jumped. */
void watched_shift(struct fleet *fleet, struct instance *instance, int64_t delta_ms);
/* When the next round is to look at INSTANCE; INT64_MAX for never. */
void watched_set_due(struct fleet *fleet, struct instance *instance, int64_t at_ms);
/* What the breaker knows of INSTANCE goes into its record. */
void watched_follow_victims(struct instance *instance);
void watched_follow_crash(struct instance *instance);
/* The first reason for which something is not commanded (watch_show.c). */
enum hold watched_first_hold(const struct watched *watched);
/* The next round is to look at INSTANCE, at AT_MS at the latest, whatever else happens to it before. */
void watch_wake(struct fleet *fleet, struct instance *instance, int64_t at_ms);
/* Tells SINK of the record where it has changed. */
void watched_write(struct instance *instance, struct sink *sink);
/* The same of all. */
void watch_write_group(struct fleet *fleet, struct sink *sink);
/* The breaker has changed: whoever it held up, or covers from now on, is looked at. */
void watch_wake_group(struct fleet *fleet, int64_t at_ms);
/* Adds a step to the chain of CHANGE's instance. */
void watch_step(const struct change *change, const struct why_step *step);
/* Tells whoever wants to know that nothing more is commanded. */
void watch_tell_given_up(const struct change *change, enum command_kind command, const struct alert *alert,
                         uint32_t tries);
/* Tells an event of CHANGE's instance. What does not apply is left zero. */
void watch_emit(const struct change *change, struct event event);

/* What change_settle calls: everything that follows for the watch from what has changed. */
void watch_settle(struct change *change);
/* After INSTANCE has moved from FROM to the state that it is in. HAD_STOPPED: it was stopped before, if with
 * a restart in between. */
void watch_on_move(struct change *change, enum instance_state from, bool had_stopped);
/* The agent of INSTANCE has reported; ahead of watch_settle. */
void watch_on_report(struct change *change, const struct report *report);
/* Judges what became due before AT_MS, as it would have been at its time. */
void watch_advance(struct fleet *fleet, struct instance *instance, int64_t at_ms, struct sink *sink);
/* INSTANCE is about to be removed: its alerts end. */
void watch_on_remove(struct change *change);

/* ---- watch_maintenance.c ---- */

/* An operator's maintenance that is over ends, with its event. */
void maintenance_end(struct change *change);
/* When the maintenance of INSTANCE ends, where anything waits for that; INT64_MAX for never. */
int64_t maintenance_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms);

/* ---- alert_sample.c ---- */

enum verdict {
    VERDICT_MISSING, /* nothing is known */
    VERDICT_FALSE,
    VERDICT_TRUE,
    VERDICT_FROZEN, /* not to be judged now */
    VERDICT_GONE,   /* it cannot be about this instance any more */
};

struct sample {
    enum verdict verdict;
    double value;
    int64_t at_ms;
};

/* What RULE, which is enabled, sees of INSTANCE at AT_MS. ALERT is NULL where there is none so far. */
struct sample alert_sample(struct fleet *fleet, struct instance *instance, const struct rule *rule,
                           const struct alert *alert, int64_t at_ms);
/* What a rule compares with. */
double rule_limit(const struct watch *watch, const struct rule *rule);
/* The first moment at which time alone changes one; INT64_MAX for never. */
int64_t alerts_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms);

/* ---- alert.c ---- */

/* Brings the alerts of CHANGE's instance up to its time. */
void alerts_judge(struct change *change);
/* The worst severity that fires, as health. */
enum health alerts_health(const struct fleet *fleet, const struct instance *instance);
/* The newest alert that fires and asks for HEALTH, with its rule; NULL where none does. */
const struct alert *alerts_of_health(const struct fleet *fleet, const struct instance *instance,
                                     enum health health);
/* The rule of ALERT; NULL where it is gone. */
const struct rule *alert_rule(const struct watch *watch, const struct alert *alert);
/* The first firing alert of a rule with ACTION, of state rules (THRESHOLD false) or of threshold rules. */
struct alert *alerts_find_firing(const struct fleet *fleet, const struct instance *instance,
                                 enum rule_action action, bool threshold);
bool alerts_fire(const struct instance *instance);
/* The event by which ALERT begins to fire, but for instance, seq and time; it points to *RET_REASON. */
struct event alert_firing_event(const struct change *change, const struct alert *alert,
                                struct errmsg *ret_reason);
/* Ends every alert, because there is nothing left that it could be about. */
void alerts_end(struct change *change, const char *reason);
void alert_store(const struct change *change, const struct alert *alert);

/* ---- watch_command.c ---- */

/* Why nothing may be commanded automatically for CHANGE's instance now; HOLD_NONE where it may. */
enum hold watch_find_hold(const struct change *change);
/* Notes once that COMMAND is not given. */
void watch_note_hold(const struct change *change, enum hold hold, enum command_kind command,
                     const struct alert *alert);
/* An automatic command of KIND would have to wait for the one that is open. */
bool command_must_wait(const struct change *change, enum command_kind kind);

struct command_draft {
    enum command_kind kind;
    struct slice reason;
    uint32_t attempt;
    bool by_operator;
    struct slice target;
    const struct alert *alert; /* NULL: none */
    struct cause cause;
    int64_t timeout_ms;
};
/* Gives a command; one that is open is cancelled. */
void command_issue(struct change *change, const struct command_draft *draft);
/* Ends the open command. REASON may be NULL. */
void command_end(struct change *change, enum command_status status, const char *reason);
/* Ends the open command and tells its agent so. */
void command_cancel(struct change *change, const char *reason);
/* The same for what nobody has asked to cancel: not while the guard holds, but behind it; not at all where
 * nothing is to be commanded. */
void command_withdraw(struct change *change, const char *reason);
/* Sends what command_withdraw has put off. */
void command_cancel_owed(struct change *change);
/* The answer that a report holds. */
void command_take_answer(struct change *change, const struct report *report);
void command_expire(struct change *change);

/* ---- recovery.c ---- */

/* Whether the attempt under way has come to its end, arming, and the return of the attempts to 0. */
void recovery_settle(struct change *change);
/* In a round: the instance is watched. */
void recovery_decide(struct change *change);
/* One that was given up and is to be stopped has crashed: it is stopped at once. */
void recovery_lay_down(struct change *change);
int64_t recovery_next_ms(const struct fleet *fleet, const struct instance *instance);
/* The command of the attempt has ended with STATUS. */
void recovery_on_command_end(struct change *change, enum command_status status);
/* Armed again; attempts go back to 0 where RESET. */
void recovery_arm(struct change *change, bool reset);
/* Forgets the episode: an operator has taken over, or the instance goes. */
void recovery_abandon(struct change *change);
void recovery_leave_queue(struct fleet *fleet, struct instance *instance);
/* Where there is a place, the one who has waited longest is looked at. */
void recovery_wake_queue(struct fleet *fleet);
void desired_state_set(struct change *change, enum instance_state state);
void recovery_attempts_set(struct change *change, uint64_t attempts);
int64_t recovery_backoff_ms(struct watch *watch, uint32_t attempt);

/* ---- watch_action.c: what firing alerts ask for, recovery aside ---- */

/* In a round: the instance is watched. */
void actions_decide(struct change *change);
int64_t actions_next_ms(const struct fleet *fleet, const struct instance *instance);
void throttle_clear(struct change *change);

/* ---- watch_notice.c ---- */

void notices_decide(struct change *change);
/* ALERT has ended, at the change's time. */
void notice_end(struct change *change, const struct alert *alert, const struct event *event);
/* The breaker has been judged: its groups are told of. */
void notices_decide_groups(struct fleet *fleet, const struct cause *cause, int64_t now_ms, struct sink *sink);
