/* The daemon: what there is of it and how it hangs together. One of these per process, made by daemon_new.
 *
 * Each part (commit, ingest, …) owns one job and its own struct; they reach each other through this one.
 * Nothing here decides about instances, signals or trades: that is core's.
 *
 * All that has to do with one Redis server belongs to the struct that has the link to it: lease, clock,
 * positions, batches, what is loaded. Layers that have a Redis of their own have a struct of their own, a
 * store; the first one, home, has that of the instances and all that there is once in a process. What belongs
 * to a layer is found by daemon_of; in a store that does not serve it the same part is there and empty. */
#pragma once

#include "adapters/log.h"
#include "app/commit.h"
#include "app/event_feed.h"
#include "app/far_events.h"
#include "app/follow.h"
#include "app/guarding.h"
#include "app/history.h"
#include "app/hook_calls.h"
#include "app/ingest.h"
#include "app/lead.h"
#include "app/load.h"
#include "app/marks.h"
#include "app/poll.h"
#include "app/readiness.h"
#include "app/reconcile.h"
#include "app/redis_clock.h"
#include "app/server.h"
#include "app/standby.h"
#include "app/tap.h"
#include "app/trade_io.h"
#include "app/webhooks.h"
#include "config/config.h"
#include "core/fleet.h"
#include "core/ledger.h"
#include "core/trade.h"

struct loop;
struct loop_signal;
struct log;
struct redis_link;
struct redis_sentinel;
struct redis_stream;
struct systemd;

#define LAYERS_TEXT_MAX 24
#define SERVER_NAME_MAX (IDENT_MAX + 1 + LAYERS_TEXT_MAX)

struct daemon {
    unsigned layers;                 /* bits of enum layer: what lives on the Redis of this one */
    struct daemon *by_layer[LAYERS]; /* who serves which */
    struct daemon *stores[LAYERS];   /* each of these once, home first */
    size_t store_count;
    char layers_text[LAYERS_TEXT_MAX]; /* `rts,rtss`; empty where there is one store */
    char server_name[SERVER_NAME_MAX]; /* for metrics: redis.instance_id, made different from the others' */

    struct loop *loop;
    struct log *log;
    struct systemd *systemd;
    struct config_source source;
    struct config *whole, *boot_whole; /* of home alone: what the two below belong to */
    const struct config *config;       /* with the Redis of this one */
    const struct config *boot_config;  /* the first one: links and names keep pointing into it */
    struct key_names names;            /* of the streams, as configured */
    int64_t started_wall_ms;
    bool stopping;
    struct loop_signal *signals[4];
    struct loop_timer *stop_timer, *delay_timer, *tidy_timer;
    int64_t stop_by_ms; /* monotonic */
    size_t unreleased;  /* leases that are being given up */

    struct redis_sentinel *sentinel; /* names the address of the master to all links; NULL: it is fixed */
    struct redis_link *link;         /* for commands; reading and notifications have links of their own */
    struct redis_clock clock;

    struct fleet fleet;
    struct ledger *ledger;
    struct trade_book trades;

    uint64_t state_number; /* differs between two loads of the state */
    struct lead lead;
    struct load load;
    struct standby standby;
    struct ingest ingest;
    struct far_events far_events;
    struct far_told far_told;
    struct commit commit;
    struct trade_io trade_io;
    struct follow follow;
    struct reconcile reconcile;
    struct poll poll;
    struct guarding guarding;
    struct marks marks;
    struct hook_calls hook_calls;
    struct webhooks webhooks;
    struct event_feed event_feed;
    struct tap tap;
    struct history history;
    struct server server;

    bool window_is_open[WINDOWS_MAX]; /* as it was logged */
    bool reload_ok;
    int64_t reload_at_s;
    uint64_t event_counts[EVENT_KINDS];
    struct histogram loop_delay;
    int64_t delay_due_us;
};

/* SOURCE is borrowed for the life of the daemon, CONFIG is taken over. NULL where the HTTP address cannot be
 * bound (the log says why) or the system refuses (70): *ret_exit then holds the exit code. */
struct daemon *daemon_new(const struct config_source *source, struct config *config, struct log *log,
                          struct loop *loop, int *ret_exit);
void daemon_free(struct daemon *d);
/* Runs until it is told to stop; returns the exit code. */
int daemon_run(struct daemon *d);

/* Options of core from the configuration. */
void daemon_configure_core(struct daemon *d);
/* Options for a link to Redis. NAME is its client name. */
struct redis_link_options;
void daemon_link_options(const struct daemon *d, const char *name, struct redis_link_options *ret_options);
/* One of the links has come up: the others need not wait for their next try. */
void daemon_hurry_links(struct daemon *d);
/* Reads the configuration again and takes it as a whole, or not at all: false, and PROBLEMS (may be NULL)
 * gets what is wrong with it. Tokens and other texts of the old configuration are gone afterwards. */
struct buf;
bool daemon_reload(struct daemon *d, struct buf *problems);
/* Forgets all state, when another daemon may have changed it. */
void daemon_forget(struct daemon *d);
int64_t daemon_now_ms(const struct daemon *d);

/* The one that serves LAYER: D itself, where all are on one Redis. */
static inline struct daemon *daemon_of(const struct daemon *d, enum layer layer)
{
    return d->by_layer[layer];
}

static inline bool daemon_serves(const struct daemon *d, enum layer layer)
{
    return d->layers & 1U << layer;
}

static inline bool daemon_is_home(const struct daemon *d)
{
    return daemon_serves(d, LAYER_RIS);
}

/* Whether D stores how far STREAM has been taken in: its own, and with the signals also that of the results,
 * as far as they have been applied to these. */
static inline bool daemon_keeps_position(const struct daemon *d, enum stream_kind stream)
{
    return daemon_serves(d, (enum layer)stream) || (stream == STREAM_RESULTS && daemon_serves(d, LAYER_RTSS));
}

/* What is known of signals and of results, wherever they are. */
static inline void daemon_view_ledger(const struct daemon *d, struct ledger_view *ret_view)
{
    const struct daemon *signals = daemon_of(d, LAYER_RTSS), *results = daemon_of(d, LAYER_RTRS);
    ledger_view(signals->ledger, ret_view);
    if (results != signals)
        ledger_view_results(results->ledger, ret_view);
}

/* Which layers a line of the log is about, behind its other fields; nothing, where it is about all of them.
 */
static inline struct log_field log_layers(const struct daemon *d)
{
    return log_text(d->layers_text[0] ? "layers" : NULL, d->layers_text);
}

/* So that lines about one of them do not hold back those about another: KEY where there is one store. */
static inline struct slice log_layers_key(const struct daemon *d, const char *key)
{
    return slice_text(d->layers_text[0] ? d->layers_text : key);
}
