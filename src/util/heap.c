#include "util/heap.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_ITEMS 64

void heap_init(struct heap *heap, int64_t (*key_of)(const void *owner, uint32_t index),
               uint32_t *(*place_of)(const void *owner, uint32_t index), const void *owner)
{
    *heap = (struct heap){.key_of = key_of, .place_of = place_of, .owner = owner};
}

void heap_clear(struct heap *heap)
{
    free(heap->items);
    heap->items = NULL;
    heap->count = heap->cap = 0;
}

/* The order is the same however the heap came about. */
static bool is_less(const struct heap *heap, uint32_t a, uint32_t b)
{
    int64_t x = heap->key_of(heap->owner, heap->items[a]), y = heap->key_of(heap->owner, heap->items[b]);

    return x < y || (x == y && heap->items[a] < heap->items[b]);
}

static void set_item(struct heap *heap, uint32_t place, uint32_t index)
{
    heap->items[place] = index;
    *heap->place_of(heap->owner, index) = place;
}

static void swap_items(struct heap *heap, uint32_t a, uint32_t b)
{
    uint32_t index = heap->items[a];

    set_item(heap, a, heap->items[b]);
    set_item(heap, b, index);
}

static void sift_up(struct heap *heap, uint32_t place)
{
    while (place > 0 && is_less(heap, place, (place - 1) / 2)) {
        swap_items(heap, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sift_down(struct heap *heap, uint32_t place)
{
    for (;;) {
        uint32_t left = 2 * place + 1, least = place;

        if (left < heap->count && is_less(heap, left, least))
            least = left;
        if (left + 1 < heap->count && is_less(heap, left + 1, least))
            least = left + 1;
        if (least == place)
            return;
        swap_items(heap, place, least);
        place = least;
    }
}

static void settle(struct heap *heap, uint32_t place)
{
    uint32_t index = heap->items[place];

    sift_up(heap, place);
    sift_down(heap, *heap->place_of(heap->owner, index));
}

void heap_put(struct heap *heap, uint32_t index)
{
    uint32_t place = *heap->place_of(heap->owner, index);

    if (place == HEAP_NONE) {
        if (heap->count == heap->cap) {
            heap->cap = heap->cap ? heap->cap * 2 : FIRST_ITEMS;
            heap->items = mem_resize(heap->items, heap->cap, sizeof(*heap->items));
        }
        place = heap->count++;
        set_item(heap, place, index);
    }
    settle(heap, place);
}

void heap_remove(struct heap *heap, uint32_t index)
{
    uint32_t place = *heap->place_of(heap->owner, index);
    uint32_t last;

    if (place == HEAP_NONE)
        return;
    *heap->place_of(heap->owner, index) = HEAP_NONE;
    last = heap->items[--heap->count];
    if (last == index)
        return;
    set_item(heap, place, last);
    settle(heap, place);
}

uint32_t heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->items[0] : HEAP_NONE;
}
