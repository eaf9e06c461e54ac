/* A watched fleet: the eight default rules, time that runs from deadline to deadline as in the daemon, and
 * what came of it as a short story.
 *
 * Words of a story, in the order in which the sink was told:
 * - a+HighCpuUsage, a-HighCpuUsage: the alert of instance a fires, is resolved (events)
 * - a:instance_degraded: any other event of an instance but those of commands
 * - a.recover.1: the command goes out; a.cancel.2>a.recover.1: what it cancels; a.redistribute.1>b: its
 * target
 * - a.recover.1=ok: how it ended (event command_completed), up to the first colon of its reason
 * - tell(a:HighCpuUsage), over(a:HighCpuUsage): whoever is notified is told that it fires, that it is over
 * - throttled(a), unthrottled(a); open(broker:b1), shut(broker:b1) */
#pragma once

#include "fleet_fixture.h"
#include "util/buf.h"

#define STORY_ALERTS   1U
#define STORY_STATES   2U
#define STORY_COMMANDS 4U
#define STORY_ANSWERS  8U
#define STORY_NOTICES  16U
#define STORY_GROUPS   32U
/* What is done. */
#define STORY_ACTS (STORY_COMMANDS | STORY_ANSWERS)
#define STORY_ALL  63U

struct watch_fixture {
    struct fleet_fixture f; /* first: `f.fleet`, `f.sink`, fixture_report(&w->f, …) */
    struct watch_options options;
    int64_t now_ms;  /* the latest time that was told */
    uint32_t warned; /* calls of on_unevaluable */
};

/* The fleet of fleet_fixture.h. Recovery: 3 attempts, 30 s each, backoff 0, 5 and 9 ms (too short for a
 * jitter), cooldown 300 s, stable 300 s, launch mode auto, 10 at once; breaker at 50 %. */
void watch_fixture_init(struct watch_fixture *w);
void watch_fixture_clear(struct watch_fixture *w);
/* Hands the options over after they were changed. */
void watch_fixture_configure(struct watch_fixture *w);
/* A rule of the options; fails the test where there is none. */
struct rule *watch_fixture_rule(struct watch_fixture *w, const char *name);
/* The options have this one rule and no other: a threshold rule that fires at once, with action notify. */
struct rule *watch_fixture_only_rule(struct watch_fixture *w, const char *metric, const char *op,
                                     double threshold);

/* Registers ID as running at AT_MS, with broker b1 and the further fields of TEXT; forgets what was recorded.
 */
struct instance *watch_add(struct watch_fixture *w, int64_t at_ms, const char *id, const char *text);
struct instance *watch_find(const struct watch_fixture *w, const char *id);
/* Holds rounds at AT_MS until nothing is due, which fails the test where it does not come about. */
void watch_tick(struct watch_fixture *w, int64_t at_ms);
/* Lets time run to AT_MS: a tick at each deadline on the way, and one at its end. */
void watch_run(struct watch_fixture *w, int64_t at_ms);
/* A report, and the round behind it. */
void watch_say(struct watch_fixture *w, int64_t at_ms, const char *id, const char *text);
/* An operator's command; whether it was given. */
bool watch_order(struct watch_fixture *w, int64_t at_ms, const char *id, enum command_kind kind);

/* Appends the words of KINDS since the last reset, divided by spaces. */
void watch_story(const struct watch_fixture *w, unsigned kinds, struct buf *out);
/* Fails the test where the words of KINDS since the last reset are not EXPECTED, divided by spaces; then
 * forgets all. */
void assert_story(struct watch_fixture *w, unsigned kinds, const char *expected);
/* The steps of ID's chain whose status is STATUS (any where NULL): how many there are. */
size_t count_why(const struct watch_fixture *w, const char *id, const char *status, const char *reason);
/* The alert of ID, or NULL. */
const struct alert *watch_alert(const struct watch_fixture *w, const char *id, const char *rule);
