/* What a backtest finds: when each rule fired, and what was commanded, or not, on account of it. A sink that
 * collects and passes nothing on.
 *
 * Invariants: a firing is of one rule on one instance (or, of FleetFailure, one group), and at most the last
 * one of these is open. At most ACCOUNT_FIRINGS_MAX are kept one by one; those beyond are only counted. */
#pragma once

#include "core/alert.h"
#include "core/command.h"
#include "core/notice.h"
#include "core/rule.h"
#include "core/sink.h"
#include "core/why.h"
#include "util/buf.h"
#include "util/map.h"

#define ACCOUNT_FIRINGS_MAX (1U << 19)
#define ACCOUNT_OPEN        INT64_MAX /* the end of what still fires */

/* How often something was commanded, and which of enum hold stood against a command. */
struct account_deeds {
    uint32_t commands[COMMAND_KINDS];
    uint16_t held[COMMAND_KINDS]; /* bits of enum hold */
};

struct account_firing {
    uint32_t track;
    int64_t from_ms, to_ms;
    double value;
    bool has_value;
    bool
        was_there; /* it fired already when the recording began, or when a gap in it ended: from_ms is then */
    struct account_deeds deeds;
};

/* One rule on one instance. */
struct account_track {
    unsigned char owner_len;
    char owner[GROUP_TEXT_MAX + 1]; /* an instance, or a group */
    struct ident rule;
    unsigned char key_len;
    char key[GROUP_TEXT_MAX + IDENT_MAX + 2]; /* `{rule} {owner}` */
    uint32_t place;                           /* of the rule in rules */
    uint32_t last;                            /* its last firing; MAP_NONE: none was kept */
    bool fires;
    int64_t from_ms; /* of the last firing, kept or not */
};

/* What a rule comes to. The last but one is FleetFailure, the last what no alert asked for. */
struct account_rule {
    struct ident name;
    bool is_about_state; /* its values are states */
    uint64_t firings, owners;
    int64_t total_ms, longest_ms;
    uint64_t commands[COMMAND_KINDS];
    uint64_t held[COMMAND_KINDS][HOLDS];
};

struct account {
    struct account_rule *rules;
    uint32_t rule_count;
    struct account_track *tracks;
    uint32_t track_count, track_cap;
    struct map map;
    struct account_firing *firings;
    uint32_t firing_count, firing_cap;
    uint64_t left_out; /* firings that are not kept */
    int64_t now_ms;    /* set by the owner ahead of each call into the core */
    struct sink_ops ops;
    struct sink sink;
    /* Told of each command; may be NULL. */
    void (*on_command)(void *ctx, struct slice instance_id, enum command_kind kind, uint64_t number);
    void *ctx;
};

/* RULES: those of the configuration, of which the enabled ones have a row each. ACCOUNT must stay where it
 * is. */
void account_init(struct account *account, const struct rule_set *rules, struct hash_key key);
void account_clear(struct account *account);

/* An alert that was firing when the instance became known, which is when it counts from. One whose rule is
 * not there is passed over. */
void account_add_loaded(struct account *account, struct slice instance_id, const struct alert *alert);
/* A group of the breaker that was open then. */
void account_add_loaded_group(struct account *account, struct slice group, int64_t opened_ms, double crashed);
/* COMMAND was not given, for HOLD. ALERT is empty where no alert asked for it. */
void account_note_hold(struct account *account, struct slice instance_id, enum command_kind command,
                       enum hold hold, struct slice alert);
/* Ends the reckoning at END_MS: what still fires counts up to there, and stays open. */
void account_finish(struct account *account, int64_t end_ms);

/* How long FIRING lasted, up to END_MS where it is open. */
int64_t account_length_ms(const struct account_firing *firing, int64_t end_ms);
/* Kept firings as places in account->firings, by rule (BY_NAME: by its name, else in the order of the
 * configuration), then by beginning and owner; BY_NAME by owner, then by beginning. The caller frees. */
uint32_t *account_sort(const struct account *account, bool by_name);

static inline struct slice account_owner(const struct account_track *track)
{
    return slice_of(track->owner, track->owner_len);
}
