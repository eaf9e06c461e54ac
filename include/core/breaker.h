/* The breaker (SPEC §6.6): when more than a share of the running instances of a group crash together, the
 * cause is not theirs, and nothing is commanded in that group until half of them run again.
 *
 * Groups are all instances, those of one broker and those of one host. Invariants: an instance that is in a
 * list of the fleet is counted in its groups, in `running` where it runs; `recent` are those that crashed
 * within the window, `victims` those for which an open group waits. */
#pragma once

#include "core/ident.h"
#include "util/map.h"

struct fleet;
struct instance;

enum group_kind { GROUP_ALL, GROUP_BROKER, GROUP_HOST };
#define GROUP_KINDS      3
#define BREAKER_LEAST    4     /* fewer running instances are no fleet */
#define BREAKER_LEAST_MS 10000 /* the window, where the heartbeat timeout is not longer */

struct breaker_group {
    unsigned char key_len;
    char key[IDENT_MAX + 8]; /* `all`, `broker:{id}`, `host:{id}` */
    enum group_kind kind;
    uint32_t members, running;
    uint32_t recent, recent_down; /* crashed within the window; those of them that do not run */
    bool is_open;
    int64_t opened_ms;
    uint32_t crashed, of; /* how many had crashed of how many, when it opened */
    uint32_t victims, victims_running;
    bool ended_running, ended_by_operator; /* why it closed last: half of the victims run; it was asked for */
    bool is_dirty, used;
    uint32_t next_free;
};

struct breaker_crash {
    uint32_t place, generation; /* of the instance */
    int64_t at_ms;
};

/* What the breaker keeps in an instance. */
struct breaker_member {
    uint32_t group[GROUP_KINDS]; /* MAP_NONE: none */
    int64_t crashed_ms;
    bool is_counted, is_recent;
    uint8_t victim_of; /* bits of enum group_kind */
};

struct breaker {
    struct breaker_group *groups;
    uint32_t group_count, group_cap, free_head;
    struct map map;
    struct breaker_crash *crashes; /* a ring, oldest first */
    uint32_t crash_first, crash_count, crash_cap;
    uint32_t *dirty; /* groups to be judged */
    uint32_t dirty_count, dirty_cap;
    uint32_t open_count;
    uint64_t trips;
};

void breaker_init(struct breaker *breaker, struct hash_key key);
void breaker_clear(struct breaker *breaker);
void breaker_reset(struct breaker *breaker);

static inline struct slice breaker_group_key(const struct breaker_group *group)
{
    return slice_of(group->key, group->key_len);
}

/* INSTANCE, which has a state, a broker and maybe a host, is counted; it is not any more. Each follows the
 * other. */
void breaker_join(struct breaker *breaker, struct instance *instance);
void breaker_leave(struct breaker *breaker, struct instance *instance);
/* After a change of the state of one that is counted. IS_CRASH: it has crashed while it ran. */
void breaker_on_move(struct breaker *breaker, const struct fleet *fleet, struct instance *instance,
                     bool did_run, bool is_crash, int64_t at_ms);
/* Its first heartbeat after a load: what a stored record says about the groups that it is a victim of. */
void breaker_add_victim(struct breaker *breaker, struct instance *instance, uint8_t victim_of);

/* Opens and ends groups as of NOW_MS; ON_CHANGE is called for each after it has changed. */
struct breaker_rules {
    double percent;
    int64_t window_ms;
};
void breaker_judge(struct breaker *breaker, struct fleet *fleet, const struct breaker_rules *rules,
                   int64_t now_ms, void (*on_change)(void *ctx, struct breaker_group *group), void *ctx);
/* Ends a group, which is open, whatever its members do. */
void breaker_end(struct breaker *breaker, struct fleet *fleet, struct breaker_group *group);
/* At start: a group that was open. Its victims are added after it. */
void breaker_load(struct breaker *breaker, struct slice key, int64_t opened_ms, uint32_t crashed,
                  uint32_t of);
/* At start: INSTANCE had crashed, at AT_MS or before, and that counted. In any order, then the second. */
void breaker_load_crash(struct breaker *breaker, const struct fleet *fleet, struct instance *instance,
                        int64_t at_ms);
void breaker_load_finish(struct breaker *breaker);
/* The clock has jumped by DELTA_MS. */
void breaker_shift(struct breaker *breaker, int64_t delta_ms);
/* One of the groups of INSTANCE is open. */
bool breaker_covers(const struct breaker *breaker, const struct instance *instance);
/* NULL where INSTANCE has none of that kind. */
struct breaker_group *breaker_group_of(const struct breaker *breaker, const struct instance *instance,
                                       enum group_kind kind);
struct breaker_group *breaker_find(const struct breaker *breaker, struct slice key);
