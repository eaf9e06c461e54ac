/* Pages: whatever the order of what is offered, walking them gives everything once and in order. */
#include "app/list_page.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ITEMS 100

static char names[ITEMS][8];

static struct list_page_key key_of(size_t i)
{
    return (struct list_page_key){slice_text(names[i]), slice_text(i % 3 ? "b" : "a")};
}

/* Offers everything in an order of its own for each SALT (prime to ITEMS). */
static void fill(struct list_page *page, size_t limit, struct list_page_key after, size_t salt)
{
    list_page_init(page, limit, after);
    for (size_t i = 0; i < ITEMS; i++) {
        size_t at = i * salt % ITEMS;
        list_page_offer(page, key_of(at), names[at]);
    }
    list_page_finish(page);
}

static void test_page_walk(void **state)
{
    static const size_t limits[] = {1, 2, 7, 99, 100, 101, LIST_PAGE_LIMIT_MAX};
    static const size_t salts[] = {1, 37, 99};

    UNUSED(state);
    for (size_t i = 0; i < ITEMS; i++)
        (void)snprintf(names[i], sizeof names[i], "i%02zu", i);
    for (size_t i = 0; i < ARRAY_LEN(limits) * ARRAY_LEN(salts); i++) {
        size_t limit = limits[i / ARRAY_LEN(salts)], seen = 0;
        struct list_page_key after = {{NULL, 0}, {NULL, 0}};
        bool has_more = true;

        while (has_more) {
            struct list_page page;

            fill(&page, limit, after, salts[i % ARRAY_LEN(salts)]);
            assert_int_equal(page.count, limit < ITEMS - seen ? limit : ITEMS - seen);
            for (size_t k = 0; k < page.count; k++)
                assert_ptr_equal(page.items[k].item, names[seen++]);
            has_more = page.has_more;
            after = page.items[page.count - 1].key;
            list_page_clear(&page);
            assert_int_equal(has_more, seen < ITEMS);
        }
    }
}

static void test_page_order_of_keys(void **state)
{
    static const struct list_page_key sorted[] = {
        {SLICE("a"), SLICE("")},  {SLICE("a"), SLICE("x")},  {SLICE("a"), SLICE("y")},
        {SLICE("a-"), SLICE("")}, {SLICE("a1"), SLICE("a")}, {SLICE("b"), SLICE("")},
    };
    struct list_page page;

    UNUSED(state);
    list_page_init(&page, 10, (struct list_page_key){slice_text("a"), slice_text("x")});
    for (size_t i = ARRAY_LEN(sorted); i-- > 0;)
        list_page_offer(&page, sorted[i], &sorted[i]);
    list_page_finish(&page);
    assert_int_equal(page.count, 4);
    for (size_t i = 0; i < page.count; i++)
        assert_ptr_equal(page.items[i].item, &sorted[i + 2]);
    assert_false(page.has_more);
    list_page_clear(&page);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_walk),
        cmocka_unit_test(test_page_order_of_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
