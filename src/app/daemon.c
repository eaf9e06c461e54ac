#include "app/daemon.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/memory.h"
#include "adapters/redis_link.h"
#include "adapters/redis_sentinel.h"
#include "adapters/systemd.h"
#include "app/core_options.h"
#include "app/summary.h"
#include "app/told.h"
#include "util/alloc.h"
#include "util/time_text.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* How long a clean stop may take in all (SPEC §1.1: 5 s), how often the loop's delay is measured, and how
 * often memory that nobody uses is given back. */
#define STOP_MS  4000
#define DELAY_MS LOOP_GRAIN_MS
#define TIDY_MS  60000

#define LINK_INFLIGHT_MAX ((size_t)1 << 20)
#define LINK_BYTES_MAX    ((size_t)256 << 20)

static const double delay_bounds[] = {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5};

int64_t daemon_now_ms(const struct daemon *d)
{
    return redis_clock_now_ms(&d->clock);
}

static void configure_watch(struct daemon *d)
{
    struct watch_options options = core_watch_options(d->config);
    watch_configure(&d->fleet, &options, daemon_now_ms(d));
}

void daemon_configure_core(struct daemon *d)
{
    d->fleet.options = core_fleet_options(d->config);
    configure_watch(d);
    struct ledger_options ledger = core_ledger_options(d->config);
    ledger_configure(d->ledger, &ledger);
    d->trades.closed_ttl_s = d->config->trades.closed_ttl_s;
    trade_io_configure(&d->trade_io);
}

/* Sentinel has something to say. While the link is up nobody needs to know but the log. */
static void on_sentinel_trouble(void *ctx, const char *text)
{
    struct daemon *d = ctx;
    if (!redis_link_is_up(d->link))
        lead_note_error(&d->lead, slice_text(text));
}

/* Before the links, which ask it for the address. */
static void make_sentinel(struct daemon *d)
{
    static const enum redis_scheme schemes[] = {REDIS_TCP, REDIS_UNIX, REDIS_TLS};
    const struct config *c = d->boot_config;
    struct redis_sentinel_place places[REDIS_SENTINELS_MAX];
    size_t count = c->redis.sentinel_count < ARRAY_LEN(places) ? c->redis.sentinel_count : ARRAY_LEN(places);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct config_sentinel *s = &c->redis.sentinels[i];
        places[i] = (struct redis_sentinel_place){schemes[s->has_scheme ? s->scheme : c->redis.scheme],
                                                  s->host, s->port};
    }
    struct redis_sentinel_options options = {
        .places = places,
        .place_count = count,
        .master_name = c->redis.master_name,
        .client_name = "mt5stated",
        .username = c->redis.sentinel_username,
        .password_file = c->redis.sentinel_password_file,
        .tls_ca_file = c->redis.tls_ca_file,
        .tls_cert_file = c->redis.tls_cert_file,
        .tls_key_file = c->redis.tls_key_file,
        .connect_timeout_ms = (int)c->redis.connect_timeout_ms,
        .command_timeout_ms = (int)c->redis.command_timeout_ms,
    };
    d->sentinel = redis_sentinel_new(d->loop, d->log, &options, on_sentinel_trouble, d);
}

void daemon_link_options(const struct daemon *d, const char *name, struct redis_link_options *ret_options)
{
    static const enum redis_scheme schemes[] = {REDIS_TCP, REDIS_UNIX, REDIS_TLS};
    const struct config *c = d->boot_config;
    *ret_options = (struct redis_link_options){
        .locator = d->sentinel ? redis_sentinel_locator(d->sentinel) : NULL,
        .endpoint =
            {
                .scheme = schemes[c->redis.scheme],
                .host = c->redis.host,
                .port = c->redis.port,
                .db = c->redis.db,
                .username = c->redis.username[0] ? c->redis.username : c->redis.url_username,
                .password = c->redis.url_password,
                .password_file = c->redis.password_file,
                .tls_ca_file = c->redis.tls_ca_file,
                .tls_cert_file = c->redis.tls_cert_file,
                .tls_key_file = c->redis.tls_key_file,
            },
        .client_name = name,
        .connect_timeout_ms = (int)c->redis.connect_timeout_ms,
        .command_timeout_ms = (int)c->redis.command_timeout_ms,
        .reconnect_min_ms = (int)c->redis.reconnect_min_ms,
        .reconnect_max_ms = (int)c->redis.reconnect_max_ms,
        .max_inflight = LINK_INFLIGHT_MAX,
        .max_bytes = LINK_BYTES_MAX,
    };
}

void daemon_forget(struct daemon *d)
{
    if (daemon_is_home(d)) {
        daemon_of(d, LAYER_RTSS)->far_events.handed = 0;
        follow_reset(&d->follow);
        hook_calls_reset(&d->hook_calls);
        event_feed_reset(&d->event_feed);
        tap_close(&d->tap);
    }
    fleet_reset(&d->fleet);
    ledger_reset(d->ledger);
    trade_book_reset(&d->trades);
    trade_io_reset(&d->trade_io);
    reconcile_reset(&d->reconcile);
    ingest_reset(&d->ingest);
    far_events_reset(&d->far_events);
    d->far_told = (struct far_told){0};
    marks_reset(&d->marks);
    commit_reset(&d->commit, 0);
    d->state_number++;
}

/* The links of D; returns how many. */
#define LINKS_MAX 3
static size_t list_links(struct daemon *d, struct redis_link *links[LINKS_MAX])
{
    size_t count = 0;
    links[count++] = d->link;
    links[count++] = redis_stream_link(d->ingest.reader);
    if (daemon_is_home(d))
        links[count++] = d->follow.link;
    return count;
}

void daemon_hurry_links(struct daemon *d)
{
    struct redis_link *links[LINKS_MAX];
    size_t count = list_links(d, links);
    for (size_t i = 0; i < count; i++)
        redis_link_hurry(links[i]);
}

static void on_link_up(void *ctx)
{
    struct daemon *d = ctx;
    daemon_hurry_links(d);
    const struct redis_endpoint *endpoint = redis_link_endpoint(d->link);
    LOG_LIMITED(d->log, INFO, log_layers_key(d, "up"), "redis connected", log_text("host", endpoint->host),
                log_int("port", endpoint->port), log_layers(d));
    lead_link_up(&d->lead);
    poll_start(&d->poll);
}

static void on_link_down(void *ctx, const char *reason, bool was_up)
{
    struct daemon *d = ctx;
    if (was_up)
        LOG_LIMITED(d->log, ERROR, log_layers_key(d, reason), "redis link lost", log_text("reason", reason),
                    log_layers(d));
    else
        LOG_LIMITED(d->log, ERROR, log_layers_key(d, reason), "cannot connect to redis",
                    log_text("reason", reason), log_layers(d));
    poll_reset(&d->poll);
    lead_link_down(&d->lead);
    /* Where the link was given up for what Redis said, that says more than the word for it. */
    if (strcmp(reason, redis_error_name(redis_error_classify(slice_text(d->lead.error.text)))) != 0)
        lead_note_error(&d->lead, slice_text(reason));
}

/* Operators want to see when a window begins and ends. */
static void tell_windows(struct daemon *d)
{
    int64_t now_ms = daemon_now_ms(d);
    for (size_t i = 0; i < d->config->maintenance_window_count && i < WINDOWS_MAX; i++) {
        const struct maintenance_window *window = &d->config->maintenance_windows[i];
        bool is_open = window_is_open(window, now_ms);
        if (is_open == d->window_is_open[i])
            continue;
        d->window_is_open[i] = is_open;
        char until[TIME_TEXT_LEN + 1];
        time_text_format(until, window_next_change(window, now_ms));
        if (is_open)
            LOG(d->log, INFO, "maintenance window begins", log_slice("window", ident_slice(&window->name)),
                log_text("weekly", window->weekly), log_text("until", until));
        else
            LOG(d->log, INFO, "maintenance window ends", log_slice("window", ident_slice(&window->name)),
                log_text("weekly", window->weekly), log_text("next", until));
    }
}

static void on_tidy(void *ctx)
{
    struct daemon *d = ctx;
    for (size_t s = 0; s < d->store_count; s++) {
        struct redis_link *links[LINKS_MAX];
        size_t count = list_links(d->stores[s], links);
        commit_give_back(&d->stores[s]->commit);
        for (size_t i = 0; i < count; i++)
            redis_link_give_back(links[i]);
    }
    memory_give_back();
    loop_timer_set(d->tidy_timer, TIDY_MS);
}

/* The loop's delay: how much later than asked a timer fires. */
static void on_delay(void *ctx)
{
    struct daemon *d = ctx;
    int64_t now_us = loop_now_us();
    int64_t late_us = now_us - d->delay_due_us;
    histogram_observe(&d->loop_delay, late_us > 0 ? (double)late_us / 1e6 : 0);
    d->delay_due_us = loop_timer_set_aligned(d->delay_timer, DELAY_MS, DELAY_MS);
    history_tick(&d->history, d);
    tell_windows(d);
    for (size_t i = 0; i < d->store_count; i++)
        lead_tell_readiness(&d->stores[i]->lead);
    struct readiness readiness;
    readiness_look(d, &readiness);
    systemd_tell_status(d->systemd, readiness.is_ready ? "ready" : readiness.text);
}

static void stop_loop(void *ctx)
{
    struct daemon *d = ctx;
    loop_stop(d->loop);
}

static void on_released(void *ctx)
{
    struct daemon *d = ctx;
    if (--d->unreleased == 0)
        stop_loop(d);
}

static bool has_something_to_write(const struct daemon *store)
{
    return !commit_is_idle(&store->commit) && redis_link_is_up(store->link) && lead_is_active(&store->lead);
}

/* Waits for the writes in flight, then gives up the leases. */
static void on_stop_timer(void *ctx)
{
    struct daemon *d = ctx;
    bool must_wait = false;
    for (size_t i = 0; i < d->store_count; i++) {
        if (!has_something_to_write(d->stores[i]))
            continue;
        must_wait = true;
        commit_kick(&d->stores[i]->commit);
    }
    if (must_wait && loop_now_ms() < d->stop_by_ms) {
        loop_timer_set(d->stop_timer, 10);
        return;
    }
    d->unreleased = d->store_count;
    for (size_t i = 0; i < d->store_count; i++)
        lead_release(&d->stores[i]->lead, on_released, d);
    loop_timer_free(d->stop_timer);
    d->stop_timer = loop_timer_new(d->loop, stop_loop, d);
    int64_t left_ms = d->stop_by_ms - loop_now_ms();
    loop_timer_set(d->stop_timer, left_ms > 0 ? left_ms : 0);
}

static void on_stop_signal(void *ctx)
{
    struct daemon *d = ctx;
    if (d->stopping)
        return;
    for (size_t i = 0; i < d->store_count; i++)
        d->stores[i]->stopping = true;
    d->stop_by_ms = loop_now_ms() + STOP_MS;
    log_write(d->log, LOG_INFO_LEVEL, "stopping", NULL, 0);
    systemd_tell_stopping(d->systemd);
    loop_timer_set(d->stop_timer, 0);
}

/* A reload under way; PROBLEMS may be NULL. */
struct reload {
    struct daemon *d;
    struct buf *problems;
};

static void on_problem(void *ctx, const char *where, const char *key, const char *what)
{
    struct reload *reload = ctx;
    LOG(reload->d->log, ERROR, "configuration problem", log_text("file", where), log_text("key", key),
        log_text("what", what));
    if (reload->problems)
        buf_add_format(reload->problems, "%s%s: %s: %s", reload->problems->len ? "\n" : "", where, key, what);
}

/* Of the configuration of the whole, what the Redis of one store is. */
static const struct config *config_of_store(const struct daemon *store, const struct config *config)
{
    int layer = 0;
    while (!daemon_serves(store, (enum layer)layer))
        layer++;
    return config_of_layer(config, (enum layer)layer);
}

static void apply_store_config(struct daemon *d, const struct config *config)
{
    struct redis_link *links[LINKS_MAX];
    size_t count = list_links(d, links);
    d->config = config;
    daemon_configure_core(d);
    commit_configure(&d->commit);
    guarding_configure(&d->guarding);
    for (size_t i = 0; i < count; i++)
        redis_link_set_backoff(links[i], (int)config->redis.reconnect_min_ms,
                               (int)config->redis.reconnect_max_ms);
    if (lead_is_active(&d->lead))
        reconcile_start(&d->reconcile);
}

static void apply_config(struct daemon *d, struct config *config)
{
    struct config *old = d->whole;
    d->whole = config;
    log_configure(d->log, (enum log_level)config->log.level, (enum log_format)config->log.format);
    for (size_t i = 0; i < d->store_count; i++)
        apply_store_config(d->stores[i], config_of_store(d->stores[i], config));
    hook_calls_configure(&d->hook_calls);
    (void)webhooks_configure(&d->webhooks); /* what cannot be loaded is tried again with each alert */
    /* Whoever may still listen comes back by himself. */
    sse_list_close(&d->event_feed.clients);
    tap_close(&d->tap);
    memset(d->window_is_open, 0, sizeof d->window_is_open);
    if (old != d->boot_whole)
        config_free(old);
    if (lead_is_active(&d->lead))
        follow_go_on(&d->follow);
}

bool daemon_reload(struct daemon *d, struct buf *problems)
{
    struct reload reload = {d, problems};
    systemd_tell_reloading(d->systemd);
    struct config *config = config_load(&d->source, on_problem, &reload);
    const char *frozen = config ? config_find_frozen_change(d->whole, config) : NULL;
    d->reload_ok = config && !frozen;
    if (!config) {
        LOG(d->log, ERROR, "configuration not reloaded; the old one stays",
            log_text("reason", "it has problems"));
    } else if (frozen) {
        LOG(d->log, ERROR, "configuration not reloaded; the old one stays", log_text("key", frozen),
            log_text("reason", "changing this key needs a restart"));
        if (problems)
            buf_add_format(problems, "%s: changing this key needs a restart", frozen);
        config_free(config);
    } else {
        struct buf changed = BUF_INIT;
        config_list_changes(d->whole, config, &changed);
        apply_config(d, config);
        d->reload_at_s = loop_wall_ms() / 1000;
        LOG(d->log, INFO, "configuration reloaded",
            log_slice("changed", changed.len ? buf_slice(&changed) : slice_text("nothing")));
        buf_clear(&changed);
    }
    systemd_tell_reloaded(d->systemd);
    return d->reload_ok;
}

static void on_reload_signal(void *ctx)
{
    (void)daemon_reload(ctx, NULL); /* the log says how it went */
}

static void on_summary_signal(void *ctx)
{
    summary_tell(ctx);
}

static void name_streams(struct daemon *d)
{
    const struct config *c = d->boot_config;
    d->names = (struct key_names){
        .stream = {c->streams.reports, c->streams.signals, c->streams.results, c->streams.trades},
        .events = c->streams.events,
        .commands = c->streams.commands};
}

static bool add_signals(struct daemon *d)
{
    static const struct {
        int signo;
        loop_fn fn;
    } table[] = {{SIGTERM, on_stop_signal},
                 {SIGINT, on_stop_signal},
                 {SIGHUP, on_reload_signal},
                 {SIGUSR1, on_summary_signal}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        d->signals[i] = loop_signal_new(d->loop, table[i].signo, table[i].fn, d);
        if (!d->signals[i])
            return false;
    }
    /* A log file at its size limit is an error of write, and no reason to die. */
    return signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR;
}

static void make_core(struct daemon *d)
{
    struct fleet_options fleet = core_fleet_options(d->config);
    struct ledger_options ledger = core_ledger_options(d->config);
    fleet_init(&d->fleet, &fleet, hash_key_random());
    d->fleet.batch = 1;
    configure_watch(d);
    d->ledger = ledger_new(&ledger, &daemon_of(d, LAYER_RIS)->fleet, hash_key_random());
    trade_book_init(&d->trades, &daemon_of(d, LAYER_RIS)->fleet, d->config->trades.closed_ttl_s,
                    hash_key_random());
    d->trades.batch = 1;
    told_init(d);
}

static struct daemon *store_new(struct log *log, struct loop *loop, const struct config *config)
{
    struct daemon *d = mem_new(1, sizeof *d);
    d->config = d->boot_config = config;
    d->log = log;
    d->loop = loop;
    d->started_wall_ms = loop_wall_ms();
    d->reload_ok = true;
    d->reload_at_s = d->started_wall_ms / 1000;
    return d;
}

/* Who serves a layer in front of LAYER on the same Redis; NULL where nobody does. */
static struct daemon *find_store(const struct daemon *home, const struct config *config, enum layer layer)
{
    for (int other = 0; other < (int)layer; other++)
        if (config_share_redis(config, (enum layer)other, layer))
            return home->by_layer[other];
    return NULL;
}

static void name_store(const struct daemon *home, struct daemon *store)
{
    size_t len = 0;
    for (int layer = 0; home->store_count > 1 && layer < LAYERS; layer++)
        if (daemon_serves(store, (enum layer)layer))
            len += (size_t)snprintf(store->layers_text + len, LAYERS_TEXT_MAX - len, "%s%s", len ? "," : "",
                                    layer_name((enum layer)layer));
    /* Two servers of one name would have the same series. */
    const char *name = store->config->redis.instance_id;
    bool is_taken = false;
    for (size_t i = 0; i < home->store_count && home->stores[i] != store; i++)
        is_taken = is_taken || strcmp(home->stores[i]->config->redis.instance_id, name) == 0;
    (void)snprintf(store->server_name, sizeof store->server_name, is_taken ? "%s-%s" : "%s", name,
                   store->layers_text);
}

/* Layers whose Redis is the same are served by one; that of the instances, which comes first, is home. */
static void make_stores(struct daemon *home, struct config *config)
{
    for (int layer = 0; layer < LAYERS; layer++) {
        struct daemon *store = layer == LAYER_RIS ? home : find_store(home, config, (enum layer)layer);
        if (!store)
            store = store_new(home->log, home->loop, config_of_layer(config, (enum layer)layer));
        if (!store->layers)
            home->stores[home->store_count++] = store;
        store->layers |= 1U << layer;
        home->by_layer[layer] = store;
    }
    for (size_t i = 0; i < home->store_count; i++)
        name_store(home, home->stores[i]);
    for (size_t i = 1; i < home->store_count; i++) {
        memcpy(home->stores[i]->by_layer, home->by_layer, sizeof home->by_layer);
        memcpy(home->stores[i]->stores, home->stores, sizeof home->stores);
        home->stores[i]->store_count = home->store_count;
    }
}

/* What each server has of its own. */
static void init_store(struct daemon *d)
{
    name_streams(d);
    make_core(d);
    make_sentinel(d);
    struct redis_link_options options;
    daemon_link_options(d, "mt5stated", &options);
    struct redis_link_events events = {.up = on_link_up, .down = on_link_down};
    d->link = redis_link_new(d->loop, &options, &events, d);
    lead_init(&d->lead, d);
    load_init(&d->load, d);
    standby_init(&d->standby, d);
    commit_init(&d->commit, d);
    ingest_init(&d->ingest, d);
    far_events_init(&d->far_events, d);
    trade_io_init(&d->trade_io, d);
    reconcile_init(&d->reconcile, d);
    poll_init(&d->poll, d);
    guarding_init(&d->guarding, d);
    marks_init(&d->marks, d);
}

/* What there is once. */
static void init_home(struct daemon *d)
{
    d->systemd = systemd_new(d->loop, d->log);
    histogram_init(&d->loop_delay, delay_bounds, ARRAY_LEN(delay_bounds));
    follow_init(&d->follow, d);
    hook_calls_init(&d->hook_calls, d);
    event_feed_init(&d->event_feed, d);
    tap_init(&d->tap, d);
    d->stop_timer = loop_timer_new(d->loop, on_stop_timer, d);
    d->delay_timer = loop_timer_new(d->loop, on_delay, d);
    d->tidy_timer = loop_timer_new(d->loop, on_tidy, d);
}

struct daemon *daemon_new(const struct config_source *source, struct config *config, struct log *log,
                          struct loop *loop, int *ret_exit)
{
    struct daemon *d = store_new(log, loop, config_of_layer(config, LAYER_RIS));
    d->whole = d->boot_whole = config;
    d->source = *source;
    make_stores(d, config);
    for (size_t i = 0; i < d->store_count; i++)
        init_store(d->stores[i]);
    init_home(d);

    if (!webhooks_init(&d->webhooks, d)) {
        *ret_exit = EX_SOFTWARE;
        daemon_free(d);
        return NULL;
    }
    struct errmsg why;
    if (server_init(&d->server, d, &why)) {
        LOG(log, ERROR, "cannot listen for HTTP", log_text("listen", config->http.listen),
            log_text("reason", why.text));
        *ret_exit = EX_UNAVAILABLE;
        daemon_free(d);
        return NULL;
    }
    if (!add_signals(d)) {
        *ret_exit = EX_SOFTWARE;
        daemon_free(d);
        return NULL;
    }
    return d;
}

static void clear_store(struct daemon *d)
{
    guarding_clear(&d->guarding);
    /* The link first: its pending answers are given as unknown, while everybody is still there. */
    redis_link_free(d->link);
    d->link = NULL;
    poll_clear(&d->poll);
    reconcile_clear(&d->reconcile);
    if (daemon_is_home(d))
        follow_clear(&d->follow);
    trade_io_clear(&d->trade_io);
    ingest_clear(&d->ingest);
    commit_clear(&d->commit);
}

static void clear_core(struct daemon *d)
{
    standby_clear(&d->standby);
    load_clear(&d->load);
    lead_clear(&d->lead);
    redis_sentinel_free(d->sentinel);
    far_events_clear(&d->far_events);
    trade_book_clear(&d->trades);
    ledger_free(d->ledger);
    fleet_clear(&d->fleet);
}

void daemon_free(struct daemon *d)
{
    if (!d)
        return;
    sse_list_clear(&d->event_feed.clients);
    tap_clear(&d->tap);
    server_clear(&d->server);
    hook_calls_clear(&d->hook_calls);
    webhooks_clear(&d->webhooks);
    for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
        loop_signal_free(d->signals[i]);
    loop_timer_free(d->delay_timer);
    loop_timer_free(d->tidy_timer);
    loop_timer_free(d->stop_timer);
    for (size_t i = 0; i < d->store_count; i++)
        clear_store(d->stores[i]);
    event_feed_clear(&d->event_feed);
    for (size_t i = d->store_count; i-- > 0;)
        clear_core(d->stores[i]);
    if (d->whole != d->boot_whole)
        config_free(d->whole);
    config_free(d->boot_whole);
    systemd_free(d->systemd);
    for (size_t i = 1; i < d->store_count; i++)
        free(d->stores[i]);
    free(d);
}

/* Who names certificates believes that the connection is encrypted. */
static void warn_of_unused_tls(const struct daemon *d)
{
    const struct config *c = d->config;
    bool is_used = c->redis.scheme == CONFIG_REDIS_TLS;
    for (size_t i = 0; i < c->redis.sentinel_count; i++)
        is_used = is_used || c->redis.sentinels[i].scheme == CONFIG_REDIS_TLS;
    if (!is_used && (*c->redis.tls_ca_file || *c->redis.tls_cert_file || *c->redis.tls_key_file))
        LOG(d->log, WARN, "the connection to redis is not encrypted: its files for TLS are not used",
            log_text("do", "let redis.url begin with rediss://"));
}

static void start_store(struct daemon *d)
{
    warn_of_unused_tls(d);
    if (d->sentinel)
        redis_sentinel_start(d->sentinel);
    redis_link_start(d->link);
    ingest_start(&d->ingest);
}

int daemon_run(struct daemon *d)
{
    LOG(d->log, INFO, "started", log_text("version", MT5_VERSION), log_text("commit", MT5_COMMIT),
        d->sentinel ? log_text("redis_master", d->config->redis.master_name)
                    : log_text("redis", d->config->redis.host),
        log_text("http", d->config->http.listen));
    for (size_t i = 0; i < d->store_count; i++)
        start_store(d->stores[i]);
    systemd_start(d->systemd);
    d->delay_due_us = loop_timer_set_aligned(d->delay_timer, DELAY_MS, DELAY_MS);
    loop_timer_set(d->tidy_timer, TIDY_MS);
    int r = loop_run(d->loop);
    if (r) {
        LOG(d->log, ERROR, "the event loop broke", log_text("error", strerror(-r)));
        return EX_SOFTWARE;
    }
    log_tell_repeats(d->log);
    log_write(d->log, LOG_INFO_LEVEL, "stopped", NULL, 0);
    return 0;
}
