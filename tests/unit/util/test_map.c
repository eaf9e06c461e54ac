/* util/map.h against a model that is one array of flags. */
#include "util/macros.h"
#include "util/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS  20000
#define STEPS 200000

static const struct hash_key fixed_key = {11, 22};

/* An owner whose objects are texts. */
struct names {
    char text[KEYS][12];
    bool is_in[KEYS];
    uint32_t count;
};

static struct slice name_of(const void *owner, uint32_t index)
{
    const struct names *names = owner;

    return slice_text(names->text[index]);
}

static struct names *names_new(void)
{
    struct names *names = calloc(1, sizeof(*names));

    assert_non_null(names);
    for (uint32_t i = 0; i < KEYS; i++)
        (void)snprintf(names->text[i], sizeof(names->text[i]), "id-%u", i);
    return names;
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

static void assert_same(const struct map *m, const struct names *names)
{
    assert_int_equal(m->count, names->count);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(map_find(m, name_of(names, i)), names->is_in[i] ? i : MAP_NONE);
}

static void insert(struct map *m, struct names *names, uint32_t index)
{
    map_insert(m, index);
    names->is_in[index] = true;
    names->count++;
}

static void drop(struct map *m, struct names *names, uint32_t index)
{
    assert_true(map_remove(m, index));
    names->is_in[index] = false;
    names->count--;
}

static void test_map_find_in_empty(void **state)
{
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, NULL);
    assert_int_equal(map_find(&m, slice_text("x")), MAP_NONE);
    assert_int_equal(map_find_hashed(&m, slice_text("x"), 5), MAP_NONE);
    assert_false(map_remove(&m, 0));
    map_reset(&m);
    map_clear(&m);
    map_clear(&m);
}

static void test_map_find_hashed_agrees(void **state)
{
    struct names *names = names_new();
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (uint32_t i = 0; i < 100; i++)
        map_insert_hashed(&m, i, map_hash(&m, name_of(names, i)));
    for (uint32_t i = 0; i < 200; i++) {
        struct slice key = name_of(names, i);

        assert_int_equal(map_find_hashed(&m, key, map_hash(&m, key)), i < 100 ? i : MAP_NONE);
        assert_int_equal(map_find(&m, key), i < 100 ? i : MAP_NONE);
    }
    map_clear(&m);
    free(names);
}

static void test_map_remove_of_absent_index(void **state)
{
    struct names *names = names_new();
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    insert(&m, names, 1);
    insert(&m, names, 2);
    assert_false(map_remove(&m, 3));
    drop(&m, names, 1);
    assert_false(map_remove(&m, 1));
    assert_same(&m, names);
    map_clear(&m);
    free(names);
}

static void test_map_reset_and_clear_leave_usable_map(void **state)
{
    struct names *names = names_new();
    struct map m;
    uint32_t mask;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (uint32_t i = 0; i < 1000; i++)
        map_insert(&m, i);
    mask = m.mask;
    map_reset(&m);
    assert_same(&m, names);
    assert_int_equal(m.mask, mask);
    insert(&m, names, 7);
    assert_same(&m, names);
    map_clear(&m);
    names->is_in[7] = false;
    names->count = 0;
    assert_same(&m, names);
    insert(&m, names, 8);
    assert_same(&m, names);
    map_clear(&m);
    free(names);
}

/* Every entry has the same home, at the very end of the slots, so that probing and shifting wrap round. */
static void test_map_of_colliding_hashes(void **state)
{
    struct names *names = names_new();
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (uint32_t i = 0; i < 500; i++)
        map_insert_hashed(&m, i, UINT64_MAX);
    for (uint32_t i = 0; i < 501; i++)
        assert_int_equal(map_find_hashed(&m, name_of(names, i), UINT64_MAX), i < 500 ? i : MAP_NONE);
    map_clear(&m);
    free(names);
}

/* Phases that mostly add and phases that mostly remove, so that the map fills, empties and stays near its
 * limit. */
static void test_map_against_model(void **state)
{
    struct names *names = names_new();
    uint64_t seed = 42;
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t index = draw(&seed) % KEYS;
        bool adds = draw(&seed) % 100 < (step / 25000 % 2 == 0 ? 85u : 15u);

        if (adds && !names->is_in[index])
            insert(&m, names, index);
        else if (!adds && names->is_in[index])
            drop(&m, names, index);
        assert_int_equal(map_find(&m, name_of(names, index)), names->is_in[index] ? index : MAP_NONE);
        assert_int_equal(m.count, names->count);
        if (!adds)
            map_shrink(&m);
        assert_true(m.slots == NULL || (uint64_t)m.count * 4 <= ((uint64_t)m.mask + 1) * 3);
        if (step % 10000 == 0)
            assert_same(&m, names);
    }
    assert_same(&m, names);
    for (uint32_t i = 0; i < KEYS; i++) {
        if (names->is_in[i])
            drop(&m, names, i);
    }
    assert_same(&m, names);
    map_clear(&m);
    free(names);
}

/* A small map at its limit has long runs that wrap round: where shifting back goes wrong first. */
static void test_map_small_and_full_against_model(void **state)
{
    struct names *names = names_new();

    UNUSED(state);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t drawn = seed;
        struct map m;

        map_init(&m, (struct hash_key){seed, 0}, name_of, names);
        for (uint32_t step = 0; step < 200; step++) {
            uint32_t index = draw(&drawn) % 24;

            if (names->is_in[index])
                drop(&m, names, index);
            else if (m.count < 12)
                insert(&m, names, index);
            for (uint32_t i = 0; i < 24; i++)
                assert_int_equal(map_find(&m, name_of(names, i)), names->is_in[i] ? i : MAP_NONE);
        }
        assert_int_equal(m.mask, 15);
        memset(names->is_in, 0, sizeof(names->is_in));
        names->count = 0;
        map_clear(&m);
    }
    free(names);
}

/* Adds until the map begins to grow, with so many entries that they move bit by bit. */
static void fill_until_it_grows(struct map *m, struct names *names)
{
    while (!m->old) {
        assert_true(names->count < KEYS);
        insert(m, names, names->count);
    }
}

static void test_map_growing_moves_few_entries_at_a_time(void **state)
{
    struct names *names = names_new();
    struct map m;
    uint32_t moved;
    uint32_t changes = 0;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    fill_until_it_grows(&m, names);
    assert_int_equal(map_bytes(&m), ((uint64_t)m.mask + 1 + m.old_mask + 1) * 8);
    assert_same(&m, names);
    for (; m.old; changes++) {
        moved = m.moved;
        if (changes % 3 == 0)
            drop(&m, names, names->count - 1);
        else
            insert(&m, names, names->count);
        assert_true(!m.old || m.moved - moved <= 16);
    }
    assert_true(changes > 100);
    assert_int_equal(map_bytes(&m), ((uint64_t)m.mask + 1) * 8);
    assert_same(&m, names);
    map_clear(&m);
    free(names);
}

static void test_map_reset_and_clear_while_growing(void **state)
{
    struct names *names = names_new();
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (int round = 0; round < 2; round++) {
        fill_until_it_grows(&m, names);
        (round == 0 ? map_reset : map_clear)(&m);
        memset(names->is_in, 0, sizeof(names->is_in));
        names->count = 0;
        assert_null(m.old);
        assert_same(&m, names);
        insert(&m, names, 0);
        assert_same(&m, names);
        drop(&m, names, 0);
        map_clear(&m);
    }
    free(names);
}

/* Entries whose home is the last slot of the old table lie at its beginning, from where moving starts. */
static void test_map_growing_with_colliding_hashes(void **state)
{
    struct names *names = names_new();
    struct map m;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    for (uint32_t i = 0; i < 300; i++)
        map_insert_hashed(&m, i, UINT64_MAX);
    for (uint32_t i = 300; !m.old; i++)
        insert(&m, names, i);
    while (m.old) {
        for (uint32_t i = 0; i < 301; i++)
            assert_int_equal(map_find_hashed(&m, name_of(names, i), UINT64_MAX), i < 300 ? i : MAP_NONE);
        insert(&m, names, 300 + names->count);
    }
    map_clear(&m);
    free(names);
}

static void test_map_shrink_gives_back_what_is_not_used(void **state)
{
    struct names *names = names_new();
    struct map m;
    size_t most;

    UNUSED(state);
    map_init(&m, fixed_key, name_of, names);
    map_shrink(&m);
    for (uint32_t i = 0; i < KEYS; i++)
        insert(&m, names, i);
    most = map_bytes(&m);
    for (uint32_t i = 0; i < KEYS - 100; i++) {
        drop(&m, names, i);
        map_shrink(&m);
        if (i % 1000 == 0)
            assert_same(&m, names);
    }
    for (uint32_t i = 0; i < KEYS / 16; i++) { /* what is left moves with whatever changes */
        insert(&m, names, 0);
        drop(&m, names, 0);
    }
    assert_same(&m, names);
    assert_true(map_bytes(&m) <= most / 4);
    for (uint32_t i = 0; i < KEYS - 100; i++)
        insert(&m, names, i);
    assert_same(&m, names);
    map_clear(&m);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_find_in_empty),
        cmocka_unit_test(test_map_find_hashed_agrees),
        cmocka_unit_test(test_map_remove_of_absent_index),
        cmocka_unit_test(test_map_reset_and_clear_leave_usable_map),
        cmocka_unit_test(test_map_of_colliding_hashes),
        cmocka_unit_test(test_map_against_model),
        cmocka_unit_test(test_map_small_and_full_against_model),
        cmocka_unit_test(test_map_growing_moves_few_entries_at_a_time),
        cmocka_unit_test(test_map_reset_and_clear_while_growing),
        cmocka_unit_test(test_map_growing_with_colliding_hashes),
        cmocka_unit_test(test_map_shrink_gives_back_what_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
