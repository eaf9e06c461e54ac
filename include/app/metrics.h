/* The metrics page (SPEC §9): rendered from memory in slices that never hold the loop for long.
 *
 * The counters of a page are of one moment: all families but those by id, by instance and the counts of
 * alerts are written in its first slice, and the instances are copied with their alerts before these are
 * written. Scrapes that come while a page of their kind is being rendered share it, and those that come in
 * the same turn of the loop as one that is done. Pages that are rendered or on their way to a client are
 * bounded in number. Beyond it the client that has taken longest over one is sent away; where all are as
 * quick as they can be, a page that is less than a second old serves again. */
#pragma once

#include "codec/prom_text.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct http_body;
struct http_request;
struct loop_timer;
struct metrics_page;

/* What a client gets. */
struct metrics_kind {
    enum prom_format format;
    bool is_gzipped;
};
#define METRICS_KINDS 4 /* different ones */

struct metrics {
    struct daemon *d;
    struct metrics_page *rendering[METRICS_KINDS]; /* by kind; NULL: none */
    uint32_t pages;                                /* being rendered or sent, or kept */
    /* The newest page of each kind, kept for a moment; NULL: none. */
    struct {
        struct http_body *body;
        int64_t made_ms;
        bool is_of_this_turn;
    } newest[METRICS_KINDS];
    struct loop_timer *keeping;
    uint64_t scrapes, refused;
};

void metrics_init(struct metrics *metrics, struct daemon *d);
/* The HTTP server is gone already, and with it every request. Also where metrics_init was never called, on
 * zeroed memory. */
void metrics_clear(struct metrics *metrics);
/* Answers REQUEST, at once or later. */
void metrics_answer(struct metrics *metrics, struct http_request *request);

/* Settles the kind by the Accept and Accept-Encoding headers (empty where there is none): OpenMetrics where
 * it is asked for by name and nothing is wanted more; gzip where it is accepted and the client is on another
 * machine. */
struct metrics_kind metrics_negotiate(struct slice accept, struct slice accept_encoding, bool is_local);
