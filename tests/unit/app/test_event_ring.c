/* The newest events: order, bounds, and what is known to be missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "app/event_ring.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct stream_id id_of(uint64_t ms)
{
    return (struct stream_id){ms, 0};
}

static struct ring_event event_of(uint64_t ms, const char *packed)
{
    return (struct ring_event){id_of(ms), slice_text(packed)};
}

static void add(struct event_ring *ring, uint64_t ms)
{
    struct ring_event event = event_of(ms, ms % 2 ? "odd" : "");

    event_ring_add(ring, &event);
}

static bool add_older(struct event_ring *ring, uint64_t ms)
{
    struct ring_event event = event_of(ms, ms % 2 ? "odd" : "");

    return event_ring_add_older(ring, &event);
}

static void assert_holds(const struct event_ring *ring, uint64_t first, uint64_t last)
{
    assert_int_equal(ring->count, last - first + 1);
    for (uint32_t i = 0; i < ring->count; i++)
        assert_int_equal(event_ring_at(ring, i).id.ms, first + i);
}

static void test_event_ring_keeps_what_is_added(void **state)
{
    struct event_ring ring;
    struct ring_event event;

    UNUSED(state);
    event_ring_init(&ring);
    assert_int_equal(event_ring_newest(&ring).ms, 0);
    add(&ring, 10);
    add(&ring, 11);
    add(&ring, 11); /* there already */
    add(&ring, 9);  /* not newer */
    assert_holds(&ring, 10, 11);
    event = event_ring_at(&ring, 1);
    assert_true(slice_is(event.packed, "odd"));
    assert_int_equal(event_ring_at(&ring, 0).packed.len, 0);
    event_ring_clear(&ring);
}

static void test_event_ring_find(void **state)
{
    struct event_ring ring;

    UNUSED(state);
    event_ring_init(&ring);
    assert_int_equal(event_ring_find(&ring, id_of(5)), 0);
    for (uint64_t ms = 10; ms <= 30; ms += 2)
        add(&ring, ms);
    assert_int_equal(event_ring_find(&ring, id_of(0)), 0);
    assert_int_equal(event_ring_find(&ring, id_of(9)), 0);
    assert_int_equal(event_ring_find(&ring, id_of(10)), 1);
    assert_int_equal(event_ring_find(&ring, id_of(11)), 1);
    assert_int_equal(event_ring_find(&ring, id_of(29)), 10);
    assert_int_equal(event_ring_find(&ring, id_of(30)), 11);
    assert_int_equal(event_ring_find(&ring, id_of(UINT64_MAX)), 11);
    event_ring_clear(&ring);
}

static void test_event_ring_is_bounded_in_number(void **state)
{
    struct event_ring ring;

    UNUSED(state);
    event_ring_init(&ring);
    for (uint64_t ms = 1; ms <= EVENT_RING_MAX + 25; ms++)
        add(&ring, ms);
    assert_holds(&ring, 26, EVENT_RING_MAX + 25);
    assert_int_equal(ring.left, 25);
    assert_false(add_older(&ring, 25));
    event_ring_clear(&ring);
}

static void test_event_ring_is_bounded_in_bytes(void **state)
{
    struct event_ring ring;
    size_t len = 100000;
    char *packed = mem_new(len + 1, 1);

    UNUSED(state);
    memset(packed, 'x', len);
    event_ring_init(&ring);
    for (uint64_t ms = 1; ms <= 100; ms++) {
        struct ring_event event = event_of(ms, packed);

        event_ring_add(&ring, &event);
        assert_true(ring.bytes <= EVENT_RING_BYTES);
    }
    assert_holds(&ring, 60, 100);
    for (uint64_t ms = 101; ms <= 5100; ms++)
        add(&ring, ms);
    assert_true(ring.bytes <= EVENT_RING_BYTES);
    assert_true(ring.count > 5000);
    event_ring_clear(&ring);
    free(packed);
}

static void test_event_ring_is_filled_from_its_end(void **state)
{
    struct event_ring ring;
    uint64_t ms = 20000;

    UNUSED(state);
    event_ring_init(&ring);
    while (add_older(&ring, ms))
        ms--;
    assert_holds(&ring, ms + 1, 20000);
    assert_int_equal(ring.count, EVENT_RING_MAX);
    assert_int_equal(ring.left, 0);
    add(&ring, 20001);
    assert_holds(&ring, ms + 2, 20001);
    event_ring_clear(&ring);
}

static void test_event_ring_knows(void **state)
{
    struct event_ring ring;

    UNUSED(state);
    event_ring_init(&ring);
    assert_true(event_ring_knows(&ring, id_of(0))); /* has seen nothing */
    assert_false(event_ring_knows(&ring, id_of(1)));
    assert_true(add_older(&ring, 20));
    assert_true(add_older(&ring, 10));
    assert_true(event_ring_knows(&ring, id_of(0)));
    assert_false(event_ring_knows(&ring, id_of(9)));
    assert_true(event_ring_knows(&ring, id_of(10)));
    assert_true(event_ring_knows(&ring, id_of(15)));
    assert_true(event_ring_knows(&ring, id_of(20)));
    assert_false(event_ring_knows(&ring, id_of(21)));
    for (uint64_t ms = 21; ms <= EVENT_RING_MAX + 20; ms++) /* 10 and 20 leave */
        add(&ring, ms);
    assert_true(event_ring_knows(&ring, id_of(20))); /* has seen the last that left */
    assert_false(event_ring_knows(&ring, id_of(19)));
    event_ring_clear(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_ring_keeps_what_is_added),
        cmocka_unit_test(test_event_ring_find),
        cmocka_unit_test(test_event_ring_is_bounded_in_number),
        cmocka_unit_test(test_event_ring_is_bounded_in_bytes),
        cmocka_unit_test(test_event_ring_is_filled_from_its_end),
        cmocka_unit_test(test_event_ring_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
