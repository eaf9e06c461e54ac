#include "app/standby.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "load_private.h"
#include "standby_private.h"
#include "util/number.h"
#include <stdio.h>
#include <stdlib.h>

/* From the end of one pass to the next: how much there is to be read when taking over. */
#define PASS_MS 50
/* The active one hears of us for so long after we last said so. */
#define ANNOUNCE_TTL_MS 5000
#define ANNOUNCE_MS     1000
/* It asks with each renewal of its lease, and at least so often; and some more. */
#define ASKED_MS 500
#define SLACK_MS 100
/* Who was stopped for longer does not know what he has missed. */
#define STALE_MS     60000
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000

static void on_timer(void *ctx);

const char *takeover_kind_name(enum takeover_kind kind)
{
    static const char *const names[TAKEOVER_KINDS] = {"warm", "cold"};
    return names[kind];
}

void standby_init(struct standby *s, struct daemon *d)
{
    *s = (struct standby){.d = d, .retry_ms = RETRY_MIN_MS};
    s->timer = loop_timer_new(d->loop, on_timer, s);
    id_queue_init(&s->instances);
    id_queue_init(&s->trades);
}

static void clear_fields(struct standby_fields *fields)
{
    buf_clear(&fields->names);
    free(fields->items);
    *fields = (struct standby_fields){0};
}

void standby_clear(struct standby *s)
{
    loop_timer_free(s->timer);
    id_queue_clear(&s->instances);
    id_queue_clear(&s->trades);
    clear_fields(&s->alerts);
    clear_fields(&s->notices);
    buf_clear(&s->late);
}

void standby_forget_page(struct standby *s)
{
    id_queue_reset(&s->instances);
    id_queue_reset(&s->trades);
    s->alerts.count = s->notices.count = 0;
    buf_reset(&s->alerts.names, 0);
    buf_reset(&s->notices.names, 0);
    buf_reset(&s->late, 0);
    s->has_more = false;
    s->page_number = s->number;
}

/* Only says that somebody is there; where it is lost, the next one says so. */
static void announce(struct standby *s)
{
    char ttl[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text("SET"), slice_text(KEY_STANDBY), lead_token(&s->d->lead),
                            slice_text("PX"), slice_of(ttl, number_format_i64(ttl, ANNOUNCE_TTL_MS))};
    if (s->announced_ms && loop_now_ms() - s->announced_ms < ANNOUNCE_MS)
        return;
    if (redis_link_command(s->d->link, words, ARRAY_LEN(words), 0, NULL, NULL) == 0)
        s->announced_ms = loop_now_ms();
}

static void wait_to_load(struct standby *s, int64_t ms)
{
    s->state = STANDBY_WAITING;
    s->begun_ms = loop_now_ms() + ms;
    loop_timer_set(s->timer, PASS_MS);
}

void standby_start(struct standby *s)
{
    int64_t asked_ms = s->d->config->ha.lease_ms / 3;
    s->announced_ms = 0;
    s->retry_ms = RETRY_MIN_MS;
    s->is_passing = false;
    announce(s);
    wait_to_load(s, (asked_ms < ASKED_MS ? asked_ms : ASKED_MS) + SLACK_MS);
}

void standby_stop(struct standby *s)
{
    loop_timer_stop(s->timer);
    s->state = STANDBY_OFF;
    s->is_passing = s->is_measuring = false;
    s->number = 0;
    standby_forget_page(s);
}

void standby_drop(struct standby *s, const char *why)
{
    if (s->state == STANDBY_OFF || s->state == STANDBY_WAITING)
        return;
    LOG_LIMITED(s->d->log, INFO, slice_text("standby"), "the state held ready is read anew",
                log_text("why", why));
    load_abandon(&s->d->load);
    daemon_forget(s->d);
    s->is_passing = false;
    s->number = 0;
    standby_forget_page(s);
    wait_to_load(s, s->retry_ms);
    s->retry_ms = s->retry_ms * 2 < RETRY_MAX_MS ? s->retry_ms * 2 : RETRY_MAX_MS;
}

/* ---- the timer ---- */

static void begin_load(struct standby *s)
{
    s->state = STANDBY_LOADING;
    s->loads++;
    load_start(&s->d->load);
}

static void on_timer(void *ctx)
{
    struct standby *s = ctx;
    if (s->state == STANDBY_OFF || s->state == STANDBY_TAKING || !lead_stands_by(&s->d->lead))
        return;
    loop_timer_set(s->timer, PASS_MS);
    announce(s);
    if (s->state == STANDBY_WAITING && loop_now_ms() >= s->begun_ms)
        begin_load(s);
    else if (s->state == STANDBY_FOLLOWING && loop_now_ms() - s->current_ms > STALE_MS)
        standby_drop(s, "nothing was followed for a minute");
    else if (s->state == STANDBY_FOLLOWING && !s->is_passing)
        standby_pass(s);
}

void standby_on_loaded(struct standby *s)
{
    const struct load *load = &s->d->load;
    (void)snprintf(s->epoch, sizeof s->epoch, "%s", load->epoch);
    s->number = s->page_number = s->applied = load->applied;
    s->state = STANDBY_FOLLOWING;
    s->current_ms = s->begun_ms = loop_now_ms();
    watch_load_groups_begin(&s->d->fleet); /* nobody asks for them here */
    loop_timer_set(s->timer, 0);
}

void standby_on_failed(struct standby *s, const char *why)
{
    standby_drop(s, why);
}

void standby_on_pass(struct standby *s)
{
    s->is_passing = false;
    s->passes++;
    s->current_ms = loop_now_ms();
    if (s->current_ms - s->begun_ms > RETRY_MAX_MS)
        s->retry_ms = RETRY_MIN_MS; /* it has kept up for a while */
}

/* ---- taking over ---- */

/* What was being followed ends where it is: each page is taken in whole, or again. */
bool standby_take_over(struct standby *s, const char *epoch, bool has_changed)
{
    bool is_warm = s->state == STANDBY_FOLLOWING && strcmp(epoch, s->epoch) == 0;
    if (s->state == STANDBY_OFF)
        return false;
    s->lease_us = loop_now_us();
    s->is_measuring = true;
    s->is_warm = is_warm;
    s->batches = s->records = 0;
    s->is_passing = false;
    loop_timer_stop(s->timer);
    load_abandon(&s->d->load);
    standby_forget_page(s);
    s->state = is_warm ? STANDBY_TAKING : STANDBY_OFF;
    if (!is_warm)
        return false;
    s->gap = has_changed ? 2 : 0;
    standby_last_pass(s);
    return true;
}

void standby_give_up(struct standby *s, const char *why)
{
    if (s->state != STANDBY_TAKING) {
        standby_drop(s, why);
        return;
    }
    LOG(s->d->log, WARN, "the state held ready cannot be used; it is read anew", log_text("why", why));
    s->state = STANDBY_OFF;
    s->is_warm = false;
    load_start(&s->d->load);
}

void standby_on_active(struct standby *s)
{
    enum takeover_kind kind = s->is_warm ? TAKEOVER_WARM : TAKEOVER_COLD;
    s->state = STANDBY_OFF;
    s->number = 0;
    standby_forget_page(s);
    changes_begin_anew(&s->d->commit.changes);
    if (!s->is_measuring)
        return;
    s->takeovers[kind]++;
    s->taken_us = loop_now_us();
    LOG(s->d->log, INFO, "took over", log_text("state", takeover_kind_name(kind)),
        log_int("batches", (int64_t)s->batches), log_int("records", (int64_t)s->records),
        log_int("ms", (s->taken_us - s->lease_us) / 1000), log_int("instances", s->d->fleet.count));
}

void standby_on_stored(struct standby *s)
{
    if (!s->is_measuring)
        return;
    s->is_measuring = false;
    s->takeover_seconds = (double)(loop_now_us() - s->lease_us) / 1e6;
    LOG(s->d->log, INFO, "first batch stored after taking over",
        log_int("ms", (int64_t)(s->takeover_seconds * 1000)),
        log_text("state", takeover_kind_name(s->is_warm ? TAKEOVER_WARM : TAKEOVER_COLD)));
}

/* ---- for those who show it ---- */

bool standby_is_warm(const struct standby *s)
{
    return s->state == STANDBY_FOLLOWING;
}

uint64_t standby_lag_batches(const struct standby *s)
{
    return standby_is_warm(s) && s->applied > s->number ? s->applied - s->number : 0;
}

double standby_lag_seconds(const struct standby *s)
{
    return standby_is_warm(s) ? (double)(loop_now_ms() - s->current_ms) / 1000 : 0;
}
