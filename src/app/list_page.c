#include "app/list_page.h"
#include "util/alloc.h"
#include <stdlib.h>

static int compare(const struct list_page_key *a, const struct list_page_key *b)
{
    int order = slice_compare(a->first, b->first);
    return order ? order : slice_compare(a->second, b->second);
}

static int compare_items(const void *a, const void *b)
{
    return compare(&((const struct list_page_item *)a)->key, &((const struct list_page_item *)b)->key);
}

void list_page_init(struct list_page *page, size_t limit, struct list_page_key after)
{
    *page = (struct list_page){.items = mem_new(limit, sizeof *page->items), .limit = limit, .after = after};
}

void list_page_clear(struct list_page *page)
{
    free(page->items);
    *page = (struct list_page){0};
}

static void swap(struct list_page_item *a, struct list_page_item *b)
{
    struct list_page_item kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(struct list_page *page, size_t at)
{
    while (at > 0 && compare_items(&page->items[(at - 1) / 2], &page->items[at]) < 0) {
        swap(&page->items[(at - 1) / 2], &page->items[at]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct list_page *page, size_t at)
{
    for (;;) {
        size_t greatest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < page->count; child++) {
            if (compare_items(&page->items[greatest], &page->items[child]) < 0)
                greatest = child;
        }
        if (greatest == at)
            return;
        swap(&page->items[greatest], &page->items[at]);
        at = greatest;
    }
}

void list_page_offer(struct list_page *page, struct list_page_key key, const void *item)
{
    if (compare(&key, &page->after) <= 0)
        return;
    if (page->count < page->limit) {
        page->items[page->count++] = (struct list_page_item){key, item};
        sift_up(page, page->count - 1);
        return;
    }
    page->has_more = true;
    if (compare(&key, &page->items[0].key) < 0) {
        page->items[0] = (struct list_page_item){key, item};
        sift_down(page, 0);
    }
}

void list_page_finish(struct list_page *page)
{
    qsort(page->items, page->count, sizeof *page->items, compare_items);
}
