/* What Redis holds, and an account of what was told, to be checked. Both in two copies: as the sink was told
 * so far, and as it was stored with the last batch; what was told since is lost with the process, the account
 * of it as well, since nobody has seen it.
 *
 * Instances are known by the number of their agent, rules by their place in rule_names. */
#pragma once

#include "core/fleet.h"
#include "world.h"

#define RULES_RUN  12
#define FIELDS_MAX 14
#define REASON_MAX 63
#define GROUP_NONE UINT32_MAX

extern const char *const rule_names[RULES_RUN];
/* Its place in rule_names; RULES_RUN where it is none of them. */
uint32_t rule_place(struct slice name);

/* ---- what is stored ---- */

/* The fields of the three hashes. */
extern const struct slice kept_names[3][FIELDS_MAX];

struct kept_field {
    unsigned char len;
    char text[31];
};

/* By hash, then in the order of kept_names. */
struct kept_hashes {
    struct kept_field fields[3][FIELDS_MAX];
    uint32_t present[3];
};

struct kept_watch {
    bool exists, has_reason;
    struct watch_record record; /* without its reason, which is here */
    char reason[REASON_MAX + 1];
};

struct kept_alerts {
    uint32_t present; /* bits: rule places */
    struct alert alerts[RULES_RUN];
};

struct kept_notices {
    uint32_t present;
    struct notice notices[RULES_RUN];
};

/* ---- what was told, to be checked ---- */

/* One rule on one instance. */
struct account_rule {
    bool fires, is_told; /* is_told: notified and not over */
    int64_t fired_ms;    /* the beginning that was notified last: told_ms */
    int64_t told_ms;
    uint32_t reconnects;
    uint32_t done; /* bits of enum command_kind: given for this firing */
    /* As the reports say: beyond its threshold without a break since then; 0: it is not. */
    int64_t over_ms, sample_ms;
    int64_t before_ms, changed_ms; /* over_ms before the report of changed_ms */
};

struct account {
    bool exists;
    enum instance_state state; /* whose set it is in */
    enum instance_state event_state;
    int64_t state_ms;
    uint64_t seq;
    bool is_throttled, owes_unthrottle;
    bool has_score;
    struct account_rule rules[RULES_RUN];
    /* Commands. */
    uint64_t number, command_number; /* of the last one; of the last that was no cancel */
    uint64_t ever_number;            /* of the last one of any instance of this id */
    enum command_kind command_kind;
    bool is_open, by_operator, is_automatic_recover;
    bool is_replaced; /* the last one was cancelled in favour of what follows at once */
    int64_t issued_ms, expires_ms;
    /* Recovery. */
    uint64_t attempts, last_attempt;
    uint32_t given; /* recoveries commanded since attempts were 0 */
    int64_t counted_ms, cooldown_until_ms;
    int64_t resolved_ms; /* the last end of an alert */
    bool wants_stopped;  /* by an operator's stop, or because it was given up */
    bool is_ok;          /* its agent says that the last recovery is done, and it does not run yet */
    bool is_silent;      /* it crashed for silence, and has not reported since */
    bool is_disarmed, was_stopped; /* was_stopped: before it was restarting */
    bool has_stopped;              /* since it was given up */
    int64_t maintenance_until_ms;
    /* The breaker. */
    bool is_recent; /* it crashed lately, as far as this daemon has seen */
    int64_t crashed_ms;
    uint8_t victim_of;
    int64_t idle_from_ms;   /* nothing is done about it although it should be, since then */
    int64_t judged_from_ms; /* samples from before say nothing */
};

struct kept {
    struct kept_hashes hashes;
    struct kept_watch watch;
    struct kept_alerts alerts;
    struct kept_notices notices;
    struct account account;
};

enum kept_part { PART_HASHES = 1, PART_WATCH = 2, PART_ALERTS = 4, PART_NOTICES = 8, PART_ACCOUNT = 16 };

/* The groups of the breaker: all, then the brokers, then the hosts. */
struct kept_group {
    bool is_open, has_notice;
    int64_t opened_ms;
    uint32_t crashed, of;
    struct notice notice;
};

/* What follows once the batch is stored. */
enum effect_kind { EFFECT_COMMAND, EFFECT_NOTIFY };
struct effect {
    enum effect_kind kind;
    uint32_t agent, group; /* group: of a notice, GROUP_NONE for an instance's */
    uint32_t rule;
    enum command_kind command;
    uint64_t number, victim;
    int64_t expires_ms;
};

struct model_sums {
    uint64_t events, commands[COMMAND_KINDS], fired, notified, breaks, stops, uncommanded, compared, lost;
};

struct model {
    struct run *run;
    struct sink sink;
    struct kept *told, *stored;
    uint8_t *parts;    /* of each instance: what differs between the two */
    uint32_t *touched; /* instances with any */
    uint32_t touched_count;
    bool *is_marked; /* instances that are to be looked at */
    uint32_t *marked;
    uint32_t marked_count;
    struct kept_group *groups, *groups_stored;
    bool groups_differ;
    uint64_t used_numbers, used_numbers_stored; /* the highest number of a command of one that was removed */
    bool *group_is_dirty;                       /* somebody has crashed in it since it was judged */
    bool any_group_dirty;
    int64_t crashed_ms; /* the newest crash that was told */
    uint32_t group_count;
    struct effect *effects;
    uint32_t effect_count, effect_cap;
    bool has_batch;
    struct model_sums sums;
};

void model_init(struct model *model, struct run *run);
void model_clear(struct model *model);
/* Everything that was told is stored; its effects are carried out. */
void model_commit(struct model *model);
/* The process is gone: what was told and not stored never happened. */
void model_lose(struct model *model);
/* Fills a fleet that has nothing in it with what is stored. */
void model_load(struct model *model, struct fleet *fleet);
/* What the next change to PART of AGENT is written to. */
struct kept *model_touch(struct model *model, uint32_t agent, enum kept_part part);
static inline struct account *model_account(struct model *model, uint32_t agent)
{
    return &model_touch(model, agent, PART_ACCOUNT)->account;
}
/* AGENT is to be looked at, once the daemon is at rest. */
void model_mark(struct model *model, uint32_t agent);
/* The text of a field; empty where it is not there. */
struct slice kept_get(const struct kept *kept, enum record_kind kind, const char *name);

/* Groups that an agent is in, by enum group_kind. */
uint32_t group_of(const struct run *run, uint32_t agent, enum group_kind kind);
/* GROUP_NONE where KEY is none of them. */
uint32_t group_parse(const struct run *run, struct slice key);
bool group_covers(const struct run *run, uint32_t agent);
bool is_in_maintenance(const struct run *run, uint32_t agent);

/* model_sink.c */
extern const struct sink_ops model_ops;

/* ---- the checks ---- */

/* check_commands.c: at the moment at which something is told */
void check_command(struct run *run, uint32_t agent, const struct command_order *order);
void check_command_event(struct run *run, uint32_t agent, const struct event *event);
void check_attempts(struct run *run, uint32_t agent, uint64_t attempts);
void check_move(struct run *run, uint32_t agent, enum instance_state from, enum instance_state to);
/* check_alerts.c */
void check_alert_event(struct run *run, uint32_t agent, const struct event *event);
void check_notify(struct run *run, uint32_t agent, const struct notice *notice, const struct event *event);
void check_silence(struct run *run, uint32_t agent, const struct event *event);
/* A report is about to be taken in. */
void check_sample(struct run *run, const struct sent *sent);
/* It has been taken in; WAS_OPEN: command NUMBER was under way before. */
void check_return(struct run *run, const struct sent *sent, bool was_open, uint64_t number);
/* check_groups.c */
void check_group_open(struct run *run, uint32_t group);
void check_group_end(struct run *run, uint32_t group);
void check_groups(struct run *run);
void check_group_members(struct run *run, uint32_t agent, enum instance_state from, enum instance_state to);
/* check_rest.c: nothing is due any more */
void check_marked(struct run *run);
void check_all(struct run *run);
void check_end(struct run *run);
/* check_load.c: what is loaded from the store is what FLEET holds */
void check_load(struct run *run, const struct fleet *fleet);
void check_same(struct run *run, const struct fleet *held, const struct fleet *loaded);
