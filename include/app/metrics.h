/* The metrics page (SPEC §9): rendered from memory in slices that never hold the loop for long, into buffers
 * that its client takes one after the other, so that a page of any size takes little memory.
 *
 * The counters of a page are of one moment: all families but those by id, by instance and the counts of
 * alerts are written in one piece, and the instances are copied with their alerts before these are written.
 * The copy is what costs memory: scrapes that come until it is made share it, and there are few. Beyond that
 * number the newest serves again for as long as it is less than a second old; then the one whose clients take
 * nothing is given up and they are sent away, or else the oldest is. */
#pragma once

#include "codec/prom_text.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct daemon;
struct http_request;
struct loop_timer;
struct metrics_client;
struct metrics_copy;

/* What a client gets. */
struct metrics_kind {
    enum prom_format format;
    bool is_gzipped;
};

struct metrics {
    struct daemon *d;
    TAILQ_HEAD(, metrics_client) clients; /* all */
    /* Those with something to render and room for it, in turn. */
    TAILQ_HEAD(metrics_rendered, metrics_client) rendered;
    TAILQ_HEAD(metrics_copies, metrics_copy) copies; /* of the instances, oldest first */
    uint32_t client_count, copy_count;
    struct loop_timer *timer; /* until the next slice */
    uint64_t scrapes, refused;
};

void metrics_init(struct metrics *metrics, struct daemon *d);
/* The HTTP server is gone already, and with it every request. Also where metrics_init was never called, on
 * zeroed memory. */
void metrics_clear(struct metrics *metrics);
/* Answers REQUEST, later; inside its handler. */
void metrics_answer(struct metrics *metrics, struct http_request *request);

/* Settles the kind by the Accept and Accept-Encoding headers (empty where there is none): OpenMetrics where
 * it is asked for by name and nothing is wanted more; gzip where it is accepted and the client is on another
 * machine. */
struct metrics_kind metrics_negotiate(struct slice accept, struct slice accept_encoding, bool is_local);
