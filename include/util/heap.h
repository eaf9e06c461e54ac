/* A binary heap of indexes, the least key on top, and of equal keys the least index. Keys and positions stay
 * in the objects of its user: what is in the heap can be moved or taken out wherever it stands. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HEAP_NONE UINT32_MAX

struct heap {
    uint32_t *items;
    uint32_t count, cap;
    int64_t (*key_of)(const void *owner, uint32_t index);
    /* Where the position of INDEX is kept; HEAP_NONE while it is not in the heap. */
    uint32_t *(*place_of)(const void *owner, uint32_t index);
    const void *owner;
};

void heap_init(struct heap *heap, int64_t (*key_of)(const void *owner, uint32_t index),
               uint32_t *(*place_of)(const void *owner, uint32_t index), const void *owner);
/* Frees the memory; the places of what was in it are not touched. */
void heap_clear(struct heap *heap);

/* Puts INDEX in, or to its right place where its key has changed. */
void heap_put(struct heap *heap, uint32_t index);
/* Takes INDEX out; nothing happens where it is not in. */
void heap_remove(struct heap *heap, uint32_t index);
/* The index with the least key, HEAP_NONE where the heap is empty. */
uint32_t heap_first(const struct heap *heap);
