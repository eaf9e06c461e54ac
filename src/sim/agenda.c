/* A binary heap by time, then by order of arrival. */
#include "agenda.h"

#include "util/alloc.h"
#include <stdbool.h>
#include <stdlib.h>

struct agenda_item {
    int64_t due_ms;
    uint64_t order;
    agenda_fn fn;
    void *ctx;
    uint64_t arg;
};

static bool is_before(const struct agenda_item *a, const struct agenda_item *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

void agenda_clear(struct agenda *agenda)
{
    free(agenda->items);
    *agenda = (struct agenda){0};
}

void agenda_add(struct agenda *agenda, int64_t due_ms, agenda_fn fn, void *ctx, uint64_t arg)
{
    struct agenda_item item = {due_ms, agenda->added++, fn, ctx, arg};
    size_t at = agenda->count++;

    if (agenda->count > agenda->cap) {
        agenda->cap = agenda->cap ? agenda->cap * 2 : 1024;
        agenda->items = mem_resize(agenda->items, agenda->cap, sizeof(*agenda->items));
    }
    for (; at > 0 && is_before(&item, &agenda->items[(at - 1) / 2]); at = (at - 1) / 2)
        agenda->items[at] = agenda->items[(at - 1) / 2];
    agenda->items[at] = item;
}

static struct agenda_item take_first(struct agenda *agenda)
{
    struct agenda_item first = agenda->items[0];
    struct agenda_item last = agenda->items[--agenda->count];
    size_t at = 0;

    for (;;) {
        size_t child = at * 2 + 1;

        if (child >= agenda->count)
            break;
        if (child + 1 < agenda->count && is_before(&agenda->items[child + 1], &agenda->items[child]))
            child++;
        if (!is_before(&agenda->items[child], &last))
            break;
        agenda->items[at] = agenda->items[child];
        at = child;
    }
    agenda->items[at] = last;
    return first;
}

void agenda_run(struct agenda *agenda, int64_t now_ms, size_t max)
{
    for (; max > 0 && agenda_next(agenda) <= now_ms; max--) {
        struct agenda_item item = take_first(agenda);

        item.fn(item.ctx, item.arg, item.due_ms);
    }
}

int64_t agenda_next(const struct agenda *agenda)
{
    return agenda->count > 0 ? agenda->items[0].due_ms : INT64_MAX;
}
