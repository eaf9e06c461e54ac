/* One page of a list that is ordered by its keys: the LIMIT smallest ones behind AFTER, whatever the order in
 * which they are offered. Pages are stable: what comes or goes in between moves nothing else. */
#pragma once

#include "util/slice.h"
#include <stdbool.h>

#define LIST_PAGE_LIMIT_MAX 1000

/* Compared byte by byte, first part first. Borrowed. */
struct list_page_key {
    struct slice first, second;
};

struct list_page_item {
    struct list_page_key key;
    const void *item;
};

struct list_page {
    struct list_page_item *items; /* a heap, the greatest at its root, until list_page_finish */
    size_t count, limit;
    struct list_page_key after;
    bool has_more; /* something behind the page was offered */
};

/* LIMIT is 1 to LIST_PAGE_LIMIT_MAX; the empty AFTER is before everything. */
void list_page_init(struct list_page *page, size_t limit, struct list_page_key after);
void list_page_clear(struct list_page *page);
/* Keys differ from each other. */
void list_page_offer(struct list_page *page, struct list_page_key key, const void *item);
/* Puts the items into order; nothing is offered any more. */
void list_page_finish(struct list_page *page);
