/* src/core/id_log.h: what leaves where there is no room for more. */
#include "../../../src/core/id_log.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice id_text(char text[IDENT_MAX + 1], unsigned number)
{
    (void)snprintf(text, IDENT_MAX + 1, "a-rather-long-id-of-which-not-so-many-fit-in-%u", number);
    return slice_text(text);
}

static void push(struct id_log *log, unsigned number)
{
    char text[IDENT_MAX + 1];
    struct slice id = id_text(text, number);

    id_log_push(log, id, map_hash(&log->map, id), (unsigned char)number, &number, MAP_NONE);
}

static bool has(const struct id_log *log, unsigned number)
{
    char text[IDENT_MAX + 1];
    struct slice id = id_text(text, number);
    uint32_t index = id_log_find(log, id, map_hash(&log->map, id));

    if (index == MAP_NONE)
        return false;
    assert_memory_equal(id_log_get(log, index).payload, &number, sizeof(number));
    assert_int_equal(id_log_get(log, index).tag, (unsigned char)number);
    return true;
}

/* As many blocks as an index can tell apart take 16 GiB; these are three. */
static void test_id_log_push_lets_the_oldest_leave_where_all_blocks_are_full(void **state)
{
    enum { COUNT = 20000 };
    struct id_log log;
    struct id_record oldest;
    unsigned first;

    UNUSED(state);
    id_log_init(&log, (struct hash_key){1, 2}, sizeof(unsigned));
    log.block_max = 3;
    for (unsigned i = 0; i < COUNT; i++) {
        push(&log, i);
        assert_in_range(log.block_count, 1, 3);
        assert_true(has(&log, i));
    }
    assert_true(id_log_oldest(&log, &oldest));
    memcpy(&first, oldest.payload, sizeof(first));
    assert_in_range(first, COUNT / 2, COUNT - 1000);
    assert_int_equal(log.count, COUNT - first);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(has(&log, i), i >= first);
    id_log_clear(&log);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_log_push_lets_the_oldest_leave_where_all_blocks_are_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
