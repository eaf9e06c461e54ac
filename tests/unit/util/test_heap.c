#include "util/heap.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define ITEMS 300

struct items {
    int64_t key[ITEMS];
    uint32_t *place;
    struct heap heap;
};

static int64_t key_of(const void *owner, uint32_t index)
{
    const struct items *items = owner;

    return items->key[index];
}

static uint32_t *place_of(const void *owner, uint32_t index)
{
    const struct items *items = owner;

    return &items->place[index];
}

static int setup(void **state)
{
    static uint32_t places[ITEMS];
    static struct items items = {.place = places};

    for (size_t i = 0; i < ITEMS; i++)
        items.place[i] = HEAP_NONE;
    heap_init(&items.heap, key_of, place_of, &items);
    *state = &items;
    return 0;
}

static int teardown(void **state)
{
    struct items *items = *state;

    heap_clear(&items->heap);
    return 0;
}

static void put(struct items *items, uint32_t index, int64_t key)
{
    items->key[index] = key;
    heap_put(&items->heap, index);
}

/* No parent is above its children, and everyone knows its place. */
static void assert_is_heap(const struct items *items)
{
    const struct heap *heap = &items->heap;
    uint32_t known = 0;

    for (uint32_t i = 0; i < heap->count; i++) {
        assert_int_equal(items->place[heap->items[i]], i);
        if (i > 0)
            assert_true(items->key[heap->items[(i - 1) / 2]] <= items->key[heap->items[i]]);
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        known += items->place[i] != HEAP_NONE;
    assert_int_equal(known, heap->count);
}

static void test_heap_first_empty(void **state)
{
    struct items *items = *state;

    assert_int_equal(heap_first(&items->heap), HEAP_NONE);
    heap_remove(&items->heap, 5);
    put(items, 7, 1);
    heap_remove(&items->heap, 7);
    assert_int_equal(heap_first(&items->heap), HEAP_NONE);
    assert_int_equal(items->place[7], HEAP_NONE);
}

static void test_heap_put_again_moves_it(void **state)
{
    struct items *items = *state;

    put(items, 0, 10);
    put(items, 1, 20);
    put(items, 2, 30);
    put(items, 2, 5);
    assert_int_equal(heap_first(&items->heap), 2);
    put(items, 2, 50);
    assert_int_equal(heap_first(&items->heap), 0);
    assert_int_equal(items->heap.count, 3);
    put(items, 0, INT64_MAX);
    put(items, 1, INT64_MIN);
    assert_int_equal(heap_first(&items->heap), 1);
    assert_is_heap(items);
}

static void test_heap_gives_them_in_order(void **state)
{
    struct items *items = *state;
    int64_t last = INT64_MIN;
    uint32_t before = 0;

    for (uint32_t i = 0; i < ITEMS; i++)
        put(items, i, (i * 7919) % 101);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t first = heap_first(&items->heap);

        assert_true(items->key[first] > last || (items->key[first] == last && first > before));
        last = items->key[first];
        before = first;
        heap_remove(&items->heap, first);
        assert_is_heap(items);
    }
    assert_int_equal(heap_first(&items->heap), HEAP_NONE);
}

/* Against the first of the least that a search of all finds. */
static void test_heap_random(void **state)
{
    struct items *items = *state;

    srandom(1);
    for (int step = 0; step < 20000; step++) {
        uint32_t index = (uint32_t)random() % ITEMS, least = HEAP_NONE;

        if (random() % 3 == 0)
            heap_remove(&items->heap, index);
        else
            put(items, index, random() % 1000);
        for (uint32_t i = 0; i < ITEMS; i++) {
            if (items->place[i] != HEAP_NONE && (least == HEAP_NONE || items->key[i] < items->key[least]))
                least = i;
        }
        assert_int_equal(heap_first(&items->heap), least);
        if (step % 100 == 0)
            assert_is_heap(items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_heap_first_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heap_put_again_moves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heap_gives_them_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heap_random, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
