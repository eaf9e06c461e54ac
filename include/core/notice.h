/* Notices: what the outside has been told, or is to be told, about alerts (SPEC §7.4). One per alert that was
 * notified as firing, kept until its end has been delivered, also where the instance or the rule is gone by
 * then. Labels are those of the beginning, so that both ends are told about the same alert. */
#pragma once

#include "core/ident.h"
#include "core/rule.h"
#include "util/map.h"

/* The alert about a group of the breaker; no rule has its name. */
#define NOTICE_FLEET_FAILURE "FleetFailure"

/* The group of a FleetFailure: `all`, `broker:{id}`, `host:{id}`. */
#define GROUP_TEXT_MAX (IDENT_MAX + 8)
/* `{instance_id}:{alert}`, or `@{group}:{alert}`. */
#define NOTICE_KEY_MAX (GROUP_TEXT_MAX + IDENT_MAX + 2)

struct notice {
    unsigned char key_len;
    char key[NOTICE_KEY_MAX];
    struct ident instance_id, broker_id, host_id; /* empty where unknown, or for a group */
    struct ident alert;
    char group[GROUP_TEXT_MAX + 1]; /* "" for an instance's */
    enum severity severity;
    int64_t starts_ms, ends_ms; /* ends_ms 0: it fires */
    bool is_orphan;             /* it was loaded as firing, and there is no alert behind it */
    bool hook_is_due;           /* hook `notify` has yet to end for its present status */
    bool is_about_state;        /* value and threshold are of enum instance_state */
    bool has_value, has_threshold;
    double value, threshold; /* of a group: how many have crashed, of how many */
    struct cause cause;
    uint64_t change; /* number of the last change that others are to be told of */
    bool used;
    uint32_t next_free;
};

struct notices {
    struct notice *slots;
    uint32_t slot_count, slot_cap, free_head, count;
    struct map map;
    uint64_t changes;
};

void notices_init(struct notices *notices, struct hash_key key);
void notices_clear(struct notices *notices);
void notices_reset(struct notices *notices);

static inline struct slice notice_key(const struct notice *notice)
{
    return slice_of(notice->key, notice->key_len);
}
/* Writes the key of an alert of OWNER: an instance_id, or a group where IS_GROUP. Returns its length. */
size_t notice_key_format(char out[NOTICE_KEY_MAX], struct slice owner, bool is_group, struct slice alert);

/* NULL where there is none. Valid until the next one is added. */
struct notice *notices_find(const struct notices *notices, struct slice key);
/* Adds a copy of NOTICE, whose key is set and not known yet; its change is the newest. */
struct notice *notices_add(struct notices *notices, const struct notice *notice);
/* Something about NOTICE is to be told. */
void notices_touch(struct notices *notices, struct notice *notice);
void notices_remove(struct notices *notices, struct notice *notice);
/* Iterates: the next one at or behind PLACE in slots, NULL behind the last. */
struct notice *notices_next(const struct notices *notices, uint32_t place);
uint32_t notices_place_of(const struct notices *notices, const struct notice *notice);
