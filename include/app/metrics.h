/* The metrics page (SPEC §9): one table of families, rendered from memory in slices that never hold the loop for long. */
#pragma once

#include <stdint.h>

struct daemon;
struct http_request;
struct metrics_page;

struct metrics {
    struct daemon *d;
    struct metrics_page *pages; /* being rendered */
    uint32_t page_count;
    uint64_t scrapes;
};

void metrics_init(struct metrics *metrics, struct daemon *d);
/* Drops what is being rendered; their requests are gone already. */
void metrics_clear(struct metrics *metrics);
/* Answers REQUEST, at once or later. */
void metrics_answer(struct metrics *metrics, struct http_request *request);
