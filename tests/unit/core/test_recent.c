/* core/recent.h: what is shown is written down as `id:label:value` words, newest first. */
#include "core/recent.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct shown {
    char text[512];
};

static void show(void *ctx, const struct recent_item *item)
{
    struct shown *shown = ctx;
    size_t len = strlen(shown->text);

    (void)snprintf(shown->text + len, sizeof(shown->text) - len, "%s%.*s:%u:%g", len > 0 ? " " : "",
                   item->id.len, item->id.text, item->label, item->value);
}

static void assert_shown(const struct recent *r, int64_t now_ms, const char *expected)
{
    struct shown shown = {""};

    recent_each(r, now_ms, show, &shown);
    assert_string_equal(shown.text, expected);
}

static void add(struct recent *r, const char *id, uint16_t label, double value, int64_t now_ms)
{
    recent_add(r, slice_text(id), label, value, now_ms);
}

static void put(struct recent *r, const char *id, uint16_t label, double value, int64_t now_ms)
{
    recent_put(r, slice_text(id), label, value, now_ms);
}

static void test_recent_add_keeps_the_newest(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 3, 1000);
    assert_shown(&r, 0, "");
    add(&r, "a", 0, 1, 0);
    add(&r, "b", 1, 2, 1);
    assert_shown(&r, 1, "b:1:2 a:0:1");
    add(&r, "c", 0, 3, 2);
    assert_int_equal(r.evicted, 0);
    add(&r, "d", 0, 4, 3);
    assert_shown(&r, 3, "d:0:4 c:0:3 b:1:2");
    assert_int_equal(r.evicted, 1);
    recent_clear(&r);
}

static void test_recent_each_leaves_out_what_is_old(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 3, 1000);
    add(&r, "a", 0, 1, 0);
    add(&r, "b", 0, 2, 500);
    assert_shown(&r, 1000, "b:0:2 a:0:1");
    assert_shown(&r, 1001, "b:0:2");
    assert_shown(&r, 1501, "");
    recent_clear(&r);
}

static void test_recent_add_counts_no_old_id_as_evicted(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 1, 1000);
    add(&r, "a", 0, 1, 0);
    add(&r, "b", 0, 1, 1001);
    assert_int_equal(r.evicted, 0);
    add(&r, "c", 0, 1, 2001);
    assert_int_equal(r.evicted, 1);
    recent_clear(&r);
}

static void test_recent_each_shows_an_id_and_label_once(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 8, 1000);
    add(&r, "a", 0, 1, 0);
    add(&r, "b", 0, 2, 0);
    add(&r, "a", 1, 3, 0);
    add(&r, "a", 0, 4, 0);
    add(&r, "aa", 0, 5, 0);
    assert_shown(&r, 0, "aa:0:5 a:0:4 a:1:3 b:0:2");
    recent_clear(&r);
}

static void test_recent_put_replaces_and_makes_newest(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 2, 1000);
    put(&r, "a", 0, 1, 0);
    put(&r, "b", 0, 2, 1);
    put(&r, "a", 3, 7, 2);
    assert_shown(&r, 2, "a:3:7 b:0:2");
    put(&r, "c", 0, 3, 3);
    assert_shown(&r, 3, "c:0:3 a:3:7");
    put(&r, "b", 0, 4, 4);
    assert_shown(&r, 4, "b:0:4 c:0:3");
    assert_int_equal(r.evicted, 2);
    recent_clear(&r);
}

static void test_recent_with_no_room_shows_nothing(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 0, 1000);
    add(&r, "a", 0, 1, 0);
    put(&r, "b", 0, 1, 0);
    assert_shown(&r, 0, "");
    recent_clear(&r);
}

static void test_recent_resize_keeps_the_newest_that_fit(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 4, 1000);
    add(&r, "a", 0, 1, 0);
    put(&r, "b", 0, 2, 0);
    put(&r, "c", 0, 3, 0);
    recent_resize(&r, 2, 500);
    assert_shown(&r, 500, "c:0:3 b:0:2");
    assert_shown(&r, 501, "");
    put(&r, "b", 0, 9, 0);
    assert_shown(&r, 0, "b:0:9 c:0:3");
    recent_resize(&r, 3, 500);
    add(&r, "d", 0, 4, 0);
    assert_shown(&r, 0, "d:0:4 b:0:9 c:0:3");
    recent_resize(&r, 0, 500);
    assert_shown(&r, 0, "");
    recent_clear(&r);
}

static void test_recent_put_many_finds_each(void **state)
{
    struct recent r;
    char id[16];

    UNUSED(state);
    recent_init(&r, 100, 1000000);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i * 7 % 150);
        put(&r, id, 0, i, i);
        assert_int_equal(r.items[r.newest].value, i);
        assert_true(r.count <= 100);
        assert_int_equal(r.map.count, r.count);
    }
    recent_clear(&r);
}

/* One from between two others. */
static void test_recent_put_takes_out_of_the_middle(void **state)
{
    struct recent r;

    UNUSED(state);
    recent_init(&r, 3, 1000);
    put(&r, "a", 0, 1, 0);
    put(&r, "b", 0, 2, 1);
    put(&r, "c", 0, 3, 2);
    put(&r, "b", 0, 4, 3);
    assert_shown(&r, 3, "b:0:4 c:0:3 a:0:1");
    put(&r, "d", 0, 5, 4);
    assert_shown(&r, 4, "d:0:5 b:0:4 c:0:3");
    put(&r, "e", 0, 6, 5);
    assert_shown(&r, 5, "e:0:6 d:0:5 b:0:4");
    recent_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recent_add_keeps_the_newest),
        cmocka_unit_test(test_recent_each_leaves_out_what_is_old),
        cmocka_unit_test(test_recent_add_counts_no_old_id_as_evicted),
        cmocka_unit_test(test_recent_each_shows_an_id_and_label_once),
        cmocka_unit_test(test_recent_put_replaces_and_makes_newest),
        cmocka_unit_test(test_recent_with_no_room_shows_nothing),
        cmocka_unit_test(test_recent_resize_keeps_the_newest_that_fit),
        cmocka_unit_test(test_recent_put_many_finds_each),
        cmocka_unit_test(test_recent_put_takes_out_of_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
