/* What watches over an instance that is set aside (app/follow.h): read again for one that comes back and was
 * not known here, so that it is judged with its alerts and commands; ended for one that does not come back.
 */
#pragma once

#include "app/follow.h"
#include "codec/watch_record.h"
#include <stdbool.h>

struct daemon;
struct instance;

/* As read from Redis. */
struct stored_watch {
    bool has_record;
    struct watch_record record;
    struct watch_record_scratch scratch; /* record's text lies here */
    struct alert *alerts;
    uint32_t alert_count;
};

void stored_watch_free(struct stored_watch *stored);
/* Asks Redis for the watch of ID; follow_take_watch gets the answer. False where it cannot be asked now. */
bool stored_watch_read(struct daemon *d, struct slice id);
/* Gives INSTANCE, which has just been loaded and was BLOCKED, what was read of it; and what `/why` tells. */
void stored_watch_load(struct daemon *d, struct instance *instance, struct follow_blocked *blocked);
/* BLOCKED is not coming back, for Redis holds nothing of it any more: whoever was told that an alert of it
 * fires is told that this is over, and what is stored of its watch is removed. Begins a group. */
void blocked_watch_end(struct daemon *d, const struct follow_blocked *blocked);
