/* The instances: their state, numbers and health, and everything that changes them.
 *
 * Invariants: an instance is in exactly one list by state, the one that its state names; only instance_move
 * (fleet_change.c) changes a state, and what depends on it (hash, index, events, health, load score) is told
 * to the sink in the same group; what was stored is never changed without the sink being told. */
#pragma once

#include "core/breaker.h"
#include "core/ident.h"
#include "core/report.h"
#include "core/sink.h"
#include "core/state.h"
#include "core/watch.h"
#include "util/map.h"

struct fleet_options {
    int64_t heartbeat_timeout_ms;  /* 0: off */
    int64_t restarting_timeout_ms; /* 0: off */
    int64_t metric_max_age_ms;
    int64_t forget_after_s; /* 0: never */
    uint32_t max;
};

struct instance {
    struct ident id, broker_id, host_id;       /* host_id empty where unknown */
    enum instance_state state, previous_state; /* previous may be STATE_NONE */
    enum launch_mode launch_mode;
    enum health reported_health, health;     /* health: what is published */
    bool was_crashed, was_stopped;           /* crashed, stopped before it was restarting */
    bool uptime_reported, restarts_reported; /* the agent reports them itself */
    uint32_t known; /* bits of enum report_field: numbers that were ever reported (or derived), and
                       REPORT_HEALTH_STATUS for reported_health */
    double number[REPORT_NUMBERS];
    int64_t sampled_ms[REPORT_NUMBERS];
    int64_t state_changed_ms;
    bool is_shifted;             /* that is no longer what the hash says, and nobody else's doing */
    int64_t seen_ms;             /* last sign of life, by the Redis clock */
    int64_t silent_from_ms;      /* since when its silence counts: seen_ms, or later where that is excused */
    int64_t record_updated_s[3]; /* what last_updated_at of the three hashes says, in seconds */
    double load_score;           /* what instance:index:load holds, NAN where it is not in it */
    uint64_t failed_restarts, recovery_attempts;
    uint64_t seq;        /* of its last event */
    uint32_t own_writes; /* writes of ours to its hashes that Redis has yet to notify of; the shell's */
    uint64_t batch;      /* number of the batch that last touched it (fleet.batch at that time) */
    char *last_error;    /* NULL: empty */
    enum instance_state desired_state; /* STATE_NONE: nobody has asked for one */
    uint32_t open_trades;
    struct breaker_member member; /* of the groups of the breaker; its own */
    struct watched *watched;      /* NULL: nothing to watch so far */
    uint32_t generation;          /* differs between two instances that had the same slot */
    uint32_t prev, next;          /* in the list of its state */
    bool used;
};

struct fleet_stats {
    uint64_t refused[INSTANCE_STATES][INSTANCE_STATES]; /* transitions refused, by from and to */
    uint64_t registered, removed, heartbeats_lost;
};

struct fleet {
    struct fleet_options options;
    struct instance *slots;
    uint32_t slot_count, slot_cap, free_head; /* free slots are chained through next */
    uint32_t count;
    uint32_t head[INSTANCE_STATES], tail[INSTANCE_STATES], by_state[INSTANCE_STATES];
    uint32_t placed[INSTANCE_STATES]; /* where the last one was put into its list, or next to it */
    struct map map;
    struct fleet_stats stats;
    int64_t excused_ms;     /* of the last fleet_excuse_silence */
    uint64_t batch;         /* set by the owner: the batch that is being filled */
    uint64_t removed_batch; /* that in which an instance was last removed; UINT64_MAX: none was */
    uint64_t timers;        /* running number for causes of kind CAUSE_TIMER */
    struct watch *watch;    /* alerts, recovery, commands; owned, never NULL */
    /* Told once per refused transition, for the log; may be NULL. */
    void (*on_refused)(void *ctx, const struct instance *instance, enum instance_state to);
    void *ctx;
};

/* What Redis holds about an instance: its three hashes, read back. Made by codec/report.h; borrowed slices.
 */
struct instance_record {
    bool exists[3];       /* by enum record_kind: instance, metrics, health */
    struct report values; /* what is there and valid; instance_id is not part of it */
    uint32_t invalid; /* bits of enum report_field: there, but not as it should be; valid nevertheless where
                         present has it too */
    bool has_previous_state, has_desired_state, has_state_changed;
    enum instance_state previous_state, desired_state;
    int64_t state_changed_ms;
    enum health reported_health;
    bool has_reported_health;
    uint64_t failed_restarts, recovery_attempts;
    bool has_failed_restarts, has_recovery_attempts;
    int64_t updated_s[3]; /* last_updated_at, -1 where missing or invalid */
};

/* Times are milliseconds of the Redis server's clock. None of the functions that are handed a cause opens a
 * group: their caller does (sink.h), once per input. */

/* FLEET must stay where it is until fleet_clear. OPTIONS are copied; they may be changed at any time through
 * fleet->options. */
void fleet_init(struct fleet *fleet, const struct fleet_options *options, struct hash_key key);
void fleet_clear(struct fleet *fleet);
/* Forgets every instance; options and statistics stay. */
void fleet_reset(struct fleet *fleet);

/* Borrowed; NULL where unknown. Valid until the next instance is registered or removed. */
struct instance *fleet_find(const struct fleet *fleet, struct slice id);
/* The slot of an instance: below slot_count, the same for as long as it is known. */
uint32_t fleet_index_of(const struct fleet *fleet, const struct instance *instance);
/* Iterates: the next used instance at or behind INDEX, or NULL. */
struct instance *fleet_next(const struct fleet *fleet, uint32_t index);

/* Applies a valid report (SPEC §5.1, §5.2) and returns true, or tells the sink to reject it: a first one
 * without broker_id or state, one beyond options.max. SAMPLED_MS is the time of its entry, clamped to now by
 * the caller. A transition that is refused is counted in stats and told to on_refused; the rest applies. */
bool fleet_on_report(struct fleet *fleet, const struct report *report, const struct cause *cause,
                     int64_t sampled_ms, struct sink *sink);
/* Why a first report cannot register its instance, as `field: what is wrong`; NULL where it can. */
const char *fleet_find_refusal(const struct fleet *fleet, const struct report *report);
/* A sign of life without effect (a rejected entry); nothing happens where the instance is unknown. */
void fleet_on_heartbeat(struct fleet *fleet, struct slice id, int64_t seen_ms);

/* Judges what time has done, each in a group of its own that is begun here: lost heartbeats, restarts that
 * take too long, stopped instances to be forgotten; then, once none of these is left, holds a round of the
 * watch (watch_on_timer). Nothing while the guard holds, and silence in maintenance is no crash. HORIZON_MS:
 * reports are known to have been read to their end up to here; nothing is judged any further. At most
 * FLEET_TIMER_MAX instances are judged in one call, so that a batch stays small; the others stay due. */
#define FLEET_TIMER_MAX 1000
void fleet_on_timer(struct fleet *fleet, int64_t now_ms, int64_t horizon_ms, struct sink *sink);
/* The first moment at which fleet_on_timer has something to do, which may have passed while the horizon lags;
 * INT64_MAX for never. */
int64_t fleet_next_deadline(const struct fleet *fleet);

/* After a time in which reports could not have come (SPEC §6.5): every running or restarting instance counts
 * as seen at NOW_MS, and a restart that is under way may take its whole time anew. */
void fleet_excuse_silence(struct fleet *fleet, int64_t now_ms);

/* The clock of Redis has jumped by DELTA_MS: what was noted by the old one is noted by the new one now, so
 * that nothing seems to have happened long ago, or to lie far ahead. */
void fleet_shift_times(struct fleet *fleet, int64_t delta_ms);

/* Appends an event of this instance with its next seq. Empty slices do not apply. */
void fleet_emit(struct instance *instance, enum event_kind kind, struct slice from, struct slice to,
                struct slice reason, struct slice signal_id, const struct cause *cause, int64_t at_ms,
                struct sink *sink);

/* Takes INSTANCE out: hashes, sets, seq; event instance_removed. INSTANCE is gone afterwards. */
void fleet_remove(struct fleet *fleet, struct instance *instance, struct slice reason,
                  const struct cause *cause, int64_t now_ms, struct sink *sink);

/* At start: makes an instance known as Redis holds it, in state INDEXED (the set that names it; STATE_NONE:
 * the state of its hash), with SEQ as that of its last event, seen at NOW_MS, without telling anybody;
 * options.max does not apply. False where ID or the record's broker_id is not valid, or nothing names a
 * state. One that is known stays as it is. What differs is then found by fleet_adopt. */
bool fleet_load(struct fleet *fleet, struct slice id, const struct instance_record *record,
                enum instance_state indexed, uint64_t seq, int64_t now_ms);

/* Following what another daemon has stored. The first forgets what is known of ID, all that is watched of it
 * included, and loads it as Redis holds it now; false where that names no instance: then it is gone. Whoever
 * refers to it by its slot goes on doing so; its open trades are to be tied again. The second takes numbers
 * and the times of the hashes from RECORD, where it holds nothing but some of these; false where it holds
 * more, or ID is not known: nothing has changed. */
bool fleet_load_again(struct fleet *fleet, struct slice id, const struct instance_record *record,
                      enum instance_state indexed, uint64_t seq, int64_t now_ms);
bool fleet_load_numbers(struct fleet *fleet, struct slice id, const struct instance_record *record);

/* What Redis would hold about INSTANCE if all of it were stored; borrows from it. */
void instance_record_of(const struct instance *instance, struct instance_record *ret_record);

/* Compares what Redis holds with what is known, and follows a write by others (SPEC §5.4), or, with FOLLOW
 * false, puts it back. RECORD must have been read after the last batch that touched the instance was stored
 * (instance->batch), or what is on its way is taken for somebody else's write.
 *
 * Followed: the fields of a report, health_status as reported_health, and last_updated_at. The daemon's own
 * fields, whatever is invalid, and whatever is missing are put back. Sets and scores are not looked at. */
enum adopt_result {
    ADOPT_NOTHING,  /* others have written nothing; what has just been judged may have been written */
    ADOPT_FOLLOWED, /* others have written, which is a heartbeat; something may have been put back besides */
    ADOPT_REPAIRED, /* something of others was put back */
    ADOPT_REGISTERED, /* a new instance: the record has a valid broker_id and state */
    ADOPT_REFUSED,    /* unknown, and cannot be registered (or FOLLOW is false, or it may be one whose
                         removal is in the batch that is being filled): no effect */
};
enum adopt_result fleet_adopt(struct fleet *fleet, struct slice id, const struct instance_record *record,
                              bool follow, const struct cause *cause, int64_t now_ms, struct sink *sink);

/* Writes everything that is known of INSTANCE again: hashes, its set and no other, its score, its seq (after
 * a wipe, or where what Redis holds may be older). */
void fleet_write_back(struct fleet *fleet, struct instance *instance, struct sink *sink);

/* Forgets INSTANCE without telling anybody: its effects could not be stored. */
void fleet_forget(struct fleet *fleet, struct instance *instance);

/* The number is there and not older than metric_max_age_ms. What is derived by the daemon is always fresh. */
bool instance_number_is_fresh(const struct fleet *fleet, const struct instance *instance,
                              enum report_field field, int64_t now_ms);
/* Uptime in seconds: what the agent reports, else whole seconds since it began to run, 0 where it does not
 * run. */
double instance_uptime_seconds(const struct instance *instance, int64_t now_ms);
/* What instance:index:load should hold (SPEC §4), NAN where INSTANCE should not be in it. */
double instance_load_score(const struct fleet *fleet, const struct instance *instance);
