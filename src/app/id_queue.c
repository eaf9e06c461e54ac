#include "app/id_queue.h"
#include "util/alloc.h"
#include <stdlib.h>
#include <string.h>

static struct slice id_of(const void *owner, uint32_t index)
{
    const struct id_queue *q = owner;
    return ident_slice(&q->ids[index]);
}

void id_queue_init(struct id_queue *q)
{
    *q = (struct id_queue){0};
    map_init(&q->map, hash_key_random(), id_of, q);
}

void id_queue_clear(struct id_queue *q)
{
    map_clear(&q->map);
    free(q->ids);
    q->ids = NULL;
    q->count = q->cap = 0;
}

void id_queue_reset(struct id_queue *q)
{
    map_reset(&q->map);
    q->count = 0;
}

bool id_queue_add(struct id_queue *q, struct slice id, uint32_t max)
{
    if (q->count >= max || !ident_is_valid(id, IDENT_MAX) || map_find(&q->map, id) != MAP_NONE)
        return false;
    if (q->count == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 64;
        q->ids = mem_resize(q->ids, q->cap, sizeof *q->ids);
    }
    ident_set(&q->ids[q->count], id);
    map_insert(&q->map, q->count++);
    return true;
}

void id_queue_let_again(struct id_queue *q, uint32_t index)
{
    (void)map_remove(&q->map, index); /* it may be already */
}

void id_queue_drop(struct id_queue *q, uint32_t count)
{
    map_reset(&q->map);
    q->count -= count;
    memmove(q->ids, q->ids + count, q->count * sizeof *q->ids);
    for (uint32_t i = 0; i < q->count; i++)
        if (map_find(&q->map, ident_slice(&q->ids[i])) == MAP_NONE) /* there twice, where one may be again */
            map_insert(&q->map, i);
}
