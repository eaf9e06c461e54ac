/* One page of a list that is ordered by its keys: the LIMIT smallest ones behind AFTER, whatever the order in
 * which they are offered. Pages are stable: what comes or goes in between moves nothing else. */
#pragma once

#include "util/slice.h"
#include <stdbool.h>

#define PAGE_LIMIT_MAX 1000

/* Compared byte by byte, first part first. Borrowed. */
struct page_key {
    struct slice first, second;
};

struct page_item {
    struct page_key key;
    const void *item;
};

struct page {
    struct page_item *items; /* a heap, the greatest at its root, until page_finish */
    size_t count, limit;
    struct page_key after;
    bool has_more; /* something behind the page was offered */
};

/* LIMIT is 1 to PAGE_LIMIT_MAX; the empty AFTER is before everything. */
void page_init(struct page *page, size_t limit, struct page_key after);
void page_clear(struct page *page);
/* Keys differ from each other. */
void page_offer(struct page *page, struct page_key key, const void *item);
/* Puts the items into order; nothing is offered any more. */
void page_finish(struct page *page);
