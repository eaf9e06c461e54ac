/* The guard at work (SPEC §6.5): feeds core/guard.h with the clocks and with what befalls Redis, and tells
 * core when nothing may be judged. */
#pragma once

#include "core/guard.h"

struct daemon;
struct loop_timer;

struct guarding {
    struct daemon *d;
    struct guard guard;
    int64_t overdue_ms;            /* when it last tripped for an answer that is still awaited; monotonic */
    bool is_told;                  /* core and the log know that it holds */
    struct loop_timer *timer;      /* until it lets go */
    struct loop_timer *look_timer; /* however short stall_ms is, the loop is looked at more often */
};

void guarding_init(struct guarding *g, struct daemon *d);
void guarding_clear(struct guarding *g);
void guarding_configure(struct guarding *g);
/* To be called before anything is judged, and now and then. */
void guarding_look(struct guarding *g);
/* The same for whoever looks all the time, and has just asked what the monotonic time is: within the
 * millisecond of the last look there is nothing to be seen. */
void guarding_look_at(struct guarding *g, int64_t mono_ms);
/* Redis was away, or did not answer for so long that agents could not report. */
void guarding_redis_was_away(struct guarding *g);
/* An answer took ROUNDTRIP_MS. */
void guarding_note_roundtrip(struct guarding *g, int64_t roundtrip_ms);
/* The clock of Redis has jumped by DELTA_MS. */
void guarding_note_jump(struct guarding *g, int64_t delta_ms);
/* How often Redis is to be asked for something, so that its silence is noticed in time. */
int64_t guarding_ask_ms(const struct guarding *g);
bool guarding_is_active(const struct guarding *g);
