/* Watching the fleet: alerts, recovery, commands, maintenance, the breaker (SPEC §6, §7). One per fleet.
 *
 * What a report or a timer changes is judged at once, in the same group: alerts begin, fire, resolve. What is
 * *done* about it is decided in rounds (watch_on_timer), which come when reports have been read to their end
 * and every silent instance has been judged: so that a failure of many is seen as such before the first
 * command goes out.
 *
 * Invariants: at most one command is open per instance; every command has an id that no other one had; every
 * alert that was notified has a notice until its end was delivered; nothing is decided while the guard holds.
 */
#pragma once

#include "core/alert.h"
#include "core/breaker.h"
#include "core/command.h"
#include "core/event.h"
#include "core/maintenance.h"
#include "core/notice.h"
#include "core/recovery.h"
#include "core/sink.h"
#include "core/why.h"
#include "util/heap.h"

struct fleet;
struct instance;

struct watch_options {
    struct rule_set rules;
    struct recovery_options recovery;
    double breaker_percent;
    double memory_limit_mb; /* 0: none */
    bool observe_only;
    bool has_hook[COMMAND_KINDS];
    bool has_notify_hook;
    const struct maintenance_window *windows; /* borrowed until the next watch_configure */
    size_t window_count;
};

/* The cancel of a command that ended while the guard held: it goes out once that lets go. */
struct owed_cancel {
    bool is_due;
    enum command_kind kind;
    uint64_t number;
    int64_t expires_ms; /* of the command */
};

/* The hook of the last cancel, while it has not come to an end and nobody has answered it. */
struct cancel_hook {
    bool is_due;
    enum command_kind kind; /* of what it ends */
    uint64_t number;
    int64_t issued_ms;
};

/* What is stored of an instance, besides its alerts. */
struct watch_record {
    uint64_t commands; /* the number of its last command */
    struct command command;
    uint64_t cancel_number; /* of the last cancel, 0 for none: its answer is expected */
    struct cancel_hook cancel_hook;
    struct owed_cancel owed;
    struct recovery recovery;
    int64_t crashed_ms; /* its last crash, while that counts for the breaker; 0: it does not */
    bool is_silent;     /* it crashed because its heartbeats were lost, and has not reported since */
    bool is_throttled;  /* in instance:index:throttled */
    bool owes_unthrottle;
    uint8_t victim_of;            /* bits of enum group_kind, of open groups */
    int64_t maintenance_until_ms; /* by an operator: 0 none, INT64_MAX without end */
    char *maintenance_reason;     /* NULL: none */
};

/* Where a record stands that is no instance's: its `commands` is the highest number of a command that a
 * removed instance had. One that comes back goes on behind it, so that its agent does not take a new command
 * for one that it has done. No id is like it. */
#define WATCH_REMOVED "@removed"

/* Made for an instance when there is first something to watch. */
struct watched {
    struct watch_record record;
    struct alert *alerts;
    uint32_t alert_count, alert_cap;
    struct why why;
    uint8_t held[COMMAND_KINDS]; /* enum hold: why what is asked for is not commanded */
    uint32_t held_now;           /* bits of enum command_kind: noted in the round that is held */
    bool wants_round, is_dirty;  /* is_dirty: record differs from what the sink was told */
    bool has_warned;             /* of a rule that cannot be evaluated */
    int64_t stable_from_ms;      /* it runs and nothing fires since then; 0: not so */
    int64_t named_ms;            /* last named as a target of redistribute; INT64_MIN: never */
    int64_t judged_ms;           /* the alerts are judged up to here */
    int64_t maintenance_over_ms; /* when an operator's has ended last; INT64_MIN: never */
    int64_t due_ms;
    uint32_t due_place;
    uint32_t wait_prev, wait_next; /* in the queue for recovery.max_concurrent */
    bool is_waiting;
};

struct watch_stats {
    uint64_t commands[COMMAND_KINDS][COMMAND_STATUSES];
    uint64_t recoveries[RECOVERY_OUTCOMES];
    uint64_t held[HOLDS];
    uint64_t notified, resolved;            /* notices begun and ended */
    uint64_t answers_unknown, answers_late; /* to commands never given, to commands that had ended */
};

/* The least loaded instances of a broker, from one look at all that run. */
#define TARGETS_MAX    64
#define TARGET_BROKERS 16
struct target_list {
    struct ident broker_id;
    int64_t made_ms; /* 0: never */
    uint32_t count;
    bool is_cut; /* there may be others */
    struct {
        uint32_t place, generation;
    } items[TARGETS_MAX];
};

struct watch {
    struct watch_options options;
    struct breaker breaker;
    struct notices notices;
    struct heap due;
    struct watch_stats stats;
    uint64_t used_numbers; /* no removed instance had a command with a higher number */
    uint32_t under_way;    /* recoveries whose command is out */
    uint32_t wait_head, wait_tail;
    bool is_held;    /* by the guard */
    int64_t held_ms; /* when the guard took hold last; samples from before say nothing about alerts */
    bool looks_at_age, looks_at_trades;
    bool tells_groups;   /* an open group may be to be told of now */
    bool groups_changed; /* the groups of the breaker are to be told of in the next round */
    uint64_t random;
    uint32_t scanned; /* instances that were looked at for targets in this call of watch_on_timer */
    struct target_list targets[TARGET_BROKERS];
    uint32_t steps;     /* of all instances, for their why */
    uint64_t why_bytes; /* what these need, but for the words that they share */
    struct why_words words;
    /* Told once per instance and rule that lacks a limit; may be NULL. */
    void (*on_unevaluable)(void *ctx, const struct instance *instance, const struct rule *rule);
    /* Told when a command that is asked for begins to be held back, or is for another reason; may be NULL.
     * ALERT is what asks for it, NULL for none. */
    void (*on_held)(void *ctx, const struct instance *instance, enum command_kind command, enum hold hold,
                    const struct alert *alert);
    /* Told when COMMAND, which ALERT asks for, is not given any more after TRIES of them; may be NULL. */
    void (*on_given_up)(void *ctx, const struct instance *instance, enum command_kind command,
                        const struct alert *alert, uint32_t tries);
    /* Told of an answer to a command that was never given, or IS_LATE has ended; may be NULL. */
    void (*on_stray_answer)(void *ctx, const struct instance *instance, const struct report *report,
                            bool is_late);
    void *ctx;
};

/* Made and freed by the fleet; FLEET is borrowed. */
struct watch *watch_new(struct fleet *fleet, struct hash_key key);
void watch_free(struct watch *watch);
/* Forgets what is known, behind the last instance; options and statistics stay. */
void watch_reset(struct watch *watch);

/* Times are milliseconds of the Redis server's clock. SINK: the caller has not begun a group where the
 * function says that it does; else it has. */

/* OPTIONS are copied, their windows borrowed. Alerts of rules that are gone are resolved in the next round.
 */
void watch_configure(struct fleet *fleet, const struct watch_options *options, int64_t now_ms);

/* The guard (core/guard.h) takes hold and lets go. While it holds, what comes in is taken in, and no alert
 * fires, no round is held. */
void watch_hold(struct fleet *fleet, int64_t now_ms);
void watch_release(struct fleet *fleet, int64_t now_ms);

/* A round: judges what is due up to NOW_MS, but not beyond HORIZON_MS, each instance in a group of its own
 * that is begun here. At most FLEET_TIMER_MAX in one call. */
void watch_on_timer(struct fleet *fleet, int64_t now_ms, int64_t horizon_ms, struct sink *sink);
/* When a round has something to do; INT64_MAX for never. */
int64_t watch_next_deadline(const struct fleet *fleet);

/* Its open trades have changed at AT_MS, which no report says. */
void watch_touch(struct fleet *fleet, struct instance *instance, int64_t at_ms);

/* An operator's command: start, stop, restart or recover. Begins a group. Writes the new command's id, or
 * that of the one that is under way, to RET_ID (with a NUL); false for the latter: nothing has changed. */
struct watch_order {
    enum command_kind kind;
    struct slice reason; /* valid UTF-8 */
};
bool watch_command(struct fleet *fleet, struct instance *instance, const struct watch_order *order,
                   const struct cause *cause, int64_t now_ms, struct sink *sink,
                   char ret_id[IDENT_COMMAND_MAX + 1]);

/* An operator puts INSTANCE into maintenance until UNTIL_MS (INT64_MAX: until it is ended), or ends it (0).
 * Begins a group. */
void watch_set_maintenance(struct fleet *fleet, struct instance *instance, int64_t until_ms,
                           struct slice reason, const struct cause *cause, int64_t now_ms, struct sink *sink);
/* Whether it is in maintenance now, by an operator or a window; RET_REASON (may be NULL) is the operator's
 * reason or the window's name, RET_UNTIL_MS (may be NULL) when it ends. */
bool watch_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t now_ms,
                          struct slice *ret_reason, int64_t *ret_until_ms);

/* Whether an operator has put it there. */
bool watch_in_own_maintenance(const struct instance *instance, int64_t now_ms);
/* The first window that is open and covers it, and when that closes; NULL for none. */
const struct maintenance_window *watch_open_window(const struct fleet *fleet, const struct instance *instance,
                                                   int64_t now_ms, int64_t *ret_until_ms);

/* The last moment behind FROM_MS, up to NOW_MS, at which it was in maintenance; INT64_MIN for none. */
int64_t watch_was_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t from_ms,
                                 int64_t now_ms);

/* The hook of the command COMMAND_ID has come to an end. Where it has done its work and the instance's agent
 * is silent, that is the answer `ok`. Begins a group where it changes anything. */
void watch_on_hook_done(struct fleet *fleet, struct slice instance_id, struct slice command_id, bool is_done,
                        const struct cause *cause, int64_t now_ms, struct sink *sink);
/* Hook `notify` has ended for NOTICE as of its change CHANGE. Begins a group. */
void watch_on_notified(struct fleet *fleet, struct notice *notice, uint64_t change, const struct cause *cause,
                       struct sink *sink);
/* NOTICE has ended, and everybody knows: it is forgotten. Begins a group. */
void watch_forget_notice(struct fleet *fleet, struct notice *notice, const struct cause *cause,
                         struct sink *sink);

/* ---- at start, behind fleet_load; nobody is told ---- */
/* RECORD's maintenance_reason is copied. */
void watch_load(struct fleet *fleet, struct instance *instance, const struct watch_record *record,
                int64_t now_ms);
/* NAME is the rule's; one that does not exist any more is resolved in the first round. */
void watch_load_alert(struct fleet *fleet, struct instance *instance, const struct alert *alert,
                      int64_t now_ms);
/* COMMANDS is what was stored for WATCH_REMOVED. */
void watch_load_used_numbers(struct fleet *fleet, uint64_t commands);
void watch_load_notice(struct fleet *fleet, const struct notice *notice);
/* The notice KEY is as another daemon has stored it by now; NULL: it is gone. */
void watch_load_notice_again(struct fleet *fleet, struct slice key, const struct notice *notice);
/* The groups of the breaker, anew, once every instance is as it was stored: all are closed after the first,
 * those that are open are told by breaker_load, and the second counts their victims and the crashes. */
void watch_load_groups_begin(struct fleet *fleet);
void watch_load_groups_finish(struct fleet *fleet);
/* Commands up to NUMBER were given already, to INSTANCE or, where that is NULL, to one that is not known (any
 * more): none of its numbers is given again. */
void watch_reserve_numbers(struct fleet *fleet, struct instance *instance, uint64_t number);
/* Stores the highest number of those that are not known. */
void watch_write_used_numbers(const struct fleet *fleet, struct sink *sink);
/* All is loaded: what does not fit together any more is put right in the first round. */
void watch_load_finish(struct fleet *fleet, int64_t now_ms);
/* Writes all that is known of INSTANCE again; the caller has begun a group. */
void watch_write_back(struct fleet *fleet, struct instance *instance, struct sink *sink);

/* Takes what is watched of INSTANCE out, ahead of fleet_forget, to be kept aside (NULL: there is nothing);
 * frees it (NULL is fine). */
struct watched *watch_detach(struct fleet *fleet, struct instance *instance);
void watched_discard(struct watched *watched);

/* ---- for those who show it ---- */
/* The open command as text: its id. Empty where none is. */
struct slice watch_command_id(const struct instance *instance, char scratch[IDENT_COMMAND_MAX + 1]);
/* True where the rule cannot be evaluated on INSTANCE for want of a limit (SPEC §6.1). */
bool watch_is_unevaluable(const struct fleet *fleet, const struct instance *instance,
                          const struct rule *rule);
/* What is being done about INSTANCE, for people: `recovery attempt 2 of 3 is under way`, `nothing:
 * maintenance`. Writes to OUT. */
struct errmsg;
void watch_describe(const struct fleet *fleet, const struct instance *instance, struct errmsg *out);
/* Alerts by rule, severity and status. */
void watch_count_alerts(const struct fleet *fleet, uint32_t ret_counts[RULES_MAX][ALERT_STATUSES]);
