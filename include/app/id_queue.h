/* Ids to be looked at, in the order in which they came; each once, as long as it has not been looked at. */
#pragma once

#include "core/ident.h"
#include "util/map.h"

struct id_queue {
    struct ident *ids;
    uint32_t count, cap;
    struct map map;
};

/* Q must stay where it is until id_queue_clear. */
void id_queue_init(struct id_queue *q);
void id_queue_clear(struct id_queue *q);
/* Forgets the ids, keeps the memory. */
void id_queue_reset(struct id_queue *q);
/* True where ID is new; nothing happens where it is there already, is no id, or MAX ids are there. */
bool id_queue_add(struct id_queue *q, struct slice id, uint32_t max);
/* The id at INDEX is taken out of the queue's order by now: it may be added again, behind all others. */
void id_queue_let_again(struct id_queue *q, uint32_t index);
/* The first COUNT are gone, the others move up. */
void id_queue_drop(struct id_queue *q, uint32_t count);
