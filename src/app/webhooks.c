#include "app/webhooks.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "app/daemon.h"
#include "codec/watch_json.h"
#include <errno.h>
#include <stdio.h>

#define RESEND_MS    60000
#define KEEP_MS      (15 * 60 * 1000) /* Alertmanager has resolved by itself what ended longer ago */
#define BACKOFF_MIN  1000
#define BACKOFF_MAX  60000
#define ALERTS_MAX   100 /* in one POST */
#define CONTENT_TYPE "application/json"

static void on_timer(void *ctx);
static void on_answer(void *ctx, const struct http_client_result *result);

static struct notices *notices_of(const struct webhooks *webhooks)
{
    return &webhooks->d->fleet.watch->notices;
}

static void wake(struct webhooks *webhooks)
{
    loop_timer_set(webhooks->timer, 0);
}

bool webhooks_init(struct webhooks *webhooks, struct daemon *d)
{
    *webhooks = (struct webhooks){.d = d};
    webhooks->client = http_client_new(d->loop);
    webhooks->timer = loop_timer_new(d->loop, on_timer, webhooks);
    return webhooks_configure(webhooks);
}

void webhooks_clear(struct webhooks *webhooks)
{
    http_client_free(webhooks->client);
    webhooks->client = NULL;
    loop_timer_free(webhooks->timer);
    webhooks->timer = NULL;
}

/* What is under way to a webhook of before is nobody's any more: it may hang there for long. */
static void break_off(struct webhooks *webhooks)
{
    if (http_client_pending(webhooks->client) == 0)
        return;
    http_client_free(webhooks->client);
    webhooks->client = http_client_new(webhooks->d->loop);
}

bool webhooks_configure(struct webhooks *webhooks)
{
    struct errmsg err;
    break_off(webhooks);
    webhooks->count = webhooks->d->config->notify.webhook_count;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        webhooks->items[i] = (struct webhook){.all = webhooks};
    webhooks_poke(webhooks);
    if (webhooks->count == 0 || http_client_start(webhooks->client, &err))
        return true;
    LOG(webhooks->d->log, ERROR, "cannot make an HTTP client", log_text("error", err.text));
    return false;
}

void webhooks_start(struct webhooks *webhooks)
{
    webhooks->stored = webhooks->d->fleet.watch->notices.changes;
    (void)webhooks_configure(webhooks); /* what cannot be loaded has been told */
}

void webhooks_on_stored(struct webhooks *webhooks, struct slice key, uint64_t change)
{
    const struct notice *notice = notices_find(notices_of(webhooks), key);
    if (change > webhooks->stored)
        webhooks->stored = change;
    if (notice && notice->ends_ms)
        webhooks->may_forget = true;
    wake(webhooks);
}

void webhooks_poke(struct webhooks *webhooks)
{
    webhooks->may_forget = true;
    wake(webhooks);
}

static bool is_to_be_sent(const struct webhook *w, const struct notice *notice)
{
    if (notice->change > w->all->stored)
        return false;
    return notice->change > w->taken || (w->is_full && notice->ends_ms == 0);
}

/* What the daemon is doing about it. */
static void describe(const struct daemon *d, const struct notice *notice, struct errmsg *out)
{
    const struct instance *instance = fleet_find(&d->fleet, ident_slice(&notice->instance_id));
    if (instance)
        watch_describe(&d->fleet, instance, out);
    else
        errmsg_set(out, notice->group[0] ? "nothing is commanded in this group" : "nothing");
}

/* Writes the next alerts of the pass as an array. False where there are none left. */
static bool write_alerts(struct webhook *w, struct buf *out)
{
    struct webhooks *all = w->all;
    uint32_t most = w->place < w->single_until ? 1 : ALERTS_MAX;
    struct notice *notice;
    w->sent_from = w->place;
    w->sent_count = 0;
    buf_add_char(out, '[');
    for (; w->sent_count < most && (notice = notices_next(notices_of(all), w->place));
         w->place = notices_place_of(notices_of(all), notice) + 1) {
        struct errmsg doing;
        if (!is_to_be_sent(w, notice))
            continue;
        if (w->sent_count++)
            buf_add_char(out, ',');
        describe(all->d, notice, &doing);
        w->sent_alert = notice->alert;
        w->sent_instance = notice->instance_id;
        memcpy(w->sent_group, notice->group, sizeof w->sent_group);
        alertmanager_json_add(out, notice, slice_text(doing.text));
    }
    buf_add_char(out, ']');
    w->sent_until = w->place;
    return w->sent_count > 0;
}

static void delay(struct webhook *w)
{
    w->backoff_ms = w->backoff_ms ? w->backoff_ms * 2 : BACKOFF_MIN;
    if (w->backoff_ms > BACKOFF_MAX)
        w->backoff_ms = BACKOFF_MAX;
    w->retry_at_ms = loop_now_ms() + w->backoff_ms;
    w->place = w->sent_from;
}

static size_t number_of(const struct webhook *w)
{
    return (size_t)(w - w->all->items);
}

static void post(struct webhook *w, const struct buf *body)
{
    const struct config_webhook *config = &w->all->d->config->notify.webhooks[number_of(w)];
    int r = http_client_post(w->all->client, &(struct http_client_request){.url = config->url,
                                                                           .content_type = CONTENT_TYPE,
                                                                           .body = buf_slice(body),
                                                                           .timeout_ms = config->timeout_ms,
                                                                           .done = on_answer,
                                                                           .ctx = w});
    w->is_in_flight = r == 0;
    if (r) {
        w->all->failed += w->sent_count;
        delay(w);
    }
}

static bool has_news(const struct webhook *w)
{
    return w->taken < w->all->stored;
}

/* Sends what is next; begins a pass where there is reason to. */
static void go_on(struct webhook *w, int64_t now_ms)
{
    struct buf body = BUF_INIT;
    if (w->is_in_flight || now_ms < w->retry_at_ms)
        return;
    if (!w->is_passing) {
        w->is_full = now_ms >= w->full_at_ms;
        if (!w->is_full && !has_news(w))
            return;
        if (w->is_full)
            w->full_at_ms = now_ms + RESEND_MS;
        w->is_passing = true;
        w->pass_end = w->all->stored;
        w->place = w->single_until = 0;
    }
    if (write_alerts(w, &body)) {
        post(w, &body);
    } else {
        w->is_passing = false;
        w->all->may_forget = w->all->may_forget || w->taken != w->pass_end;
        w->taken = w->pass_end;
    }
    buf_clear(&body);
}

/* As operators find it in their configuration: its URL may hold a secret. */
struct webhook_name {
    char text[32];
};

static const char *name_of(const struct webhook *w, struct webhook_name *name)
{
    (void)snprintf(name->text, sizeof name->text, "notify.webhooks[%zu]", number_of(w));
    return name->text;
}

static void tell_failure(const struct webhook *w, const struct http_client_result *result)
{
    struct webhook_name buffer;
    const char *name = name_of(w, &buffer);
    LOG_LIMITED(w->all->d->log, WARN, slice_text(name), "a webhook did not take alerts",
                log_text("webhook", name), log_int("status", result->status),
                log_text("error", result->error ? result->error : ""), log_slice("answer", result->body));
}

static void note_failure(struct webhook *w, const struct http_client_result *result)
{
    struct webhook_name name;
    w->failures++;
    if (result->error)
        errmsg_set(&w->error, "%s: %s", name_of(w, &name), result->error);
    else
        errmsg_set(&w->error, "%s: it answers %d", name_of(w, &name), result->status);
}

size_t webhooks_count_failing(const struct webhooks *webhooks, struct errmsg *ret_error)
{
    size_t count = 0;
    for (size_t i = webhooks->count; i > 0; i--) {
        if (!webhooks->items[i - 1].failures)
            continue;
        count++;
        *ret_error = webhooks->items[i - 1].error;
    }
    return count;
}

static void tell_taken(struct webhook *w)
{
    struct webhook_name buffer;
    if (w->failures) {
        log_tell_repeats(w->all->d->log);
        LOG(w->all->d->log, INFO, "a webhook takes alerts again", log_text("webhook", name_of(w, &buffer)),
            log_int("failures", (int64_t)w->failures));
    }
    w->failures = 0;
}

/* The one alert that was sent is refused by itself. */
static void tell_dropped(const struct webhook *w, const struct http_client_result *result)
{
    struct webhook_name buffer;
    const char *name = name_of(w, &buffer);
    struct slice alert = ident_slice(&w->sent_alert), owner = ident_slice(&w->sent_instance);
    bool is_group = w->sent_group[0];
    struct buf key = BUF_INIT;
    if (is_group)
        owner = slice_text(w->sent_group);
    buf_add_format(&key, "%s %.*s %.*s", name, (int)alert.len, alert.data, (int)owner.len, owner.data);
    LOG_LIMITED(w->all->d->log, WARN, buf_slice(&key), "a webhook refused an alert, which is dropped",
                log_text("webhook", name), log_slice("alert", alert),
                log_slice(is_group ? "group" : "instance_id", owner), log_int("status", result->status),
                log_slice("answer", result->body));
    buf_clear(&key);
}

/* Others in 400 to 499 are about the webhook, not about what it was sent: a wrong path, no permission. */
static bool says_bad_alert(int status)
{
    return status == 400 || status == 413 || status == 422;
}

static void on_answer(void *ctx, const struct http_client_result *result)
{
    struct webhook *w = ctx;
    bool is_taken = !result->error && result->status >= 200 && result->status < 300;
    bool is_refused = !result->error && says_bad_alert(result->status);
    w->is_in_flight = false;
    if (!is_taken) {
        w->all->failed += w->sent_count;
        if (!is_refused)
            note_failure(w, result);
        if (!is_refused || w->sent_count > 1)
            tell_failure(w, result);
    }
    if (!w->is_passing) {
        /* Made anew meanwhile. */
    } else if (is_taken) {
        w->all->sent += w->sent_count;
        w->backoff_ms = 0;
        w->retry_at_ms = 0;
        tell_taken(w);
    } else if (is_refused && w->sent_count > 1) {
        w->single_until = w->sent_until; /* the good ones are to get through */
        w->place = w->sent_from;
    } else if (is_refused) {
        w->all->dropped++;
        tell_dropped(w, result);
    } else {
        delay(w);
    }
    wake(w->all);
}

static bool is_known_everywhere(const struct webhooks *webhooks, const struct notice *notice)
{
    for (size_t i = 0; i < webhooks->count; i++)
        if (webhooks->items[i].taken < notice->change)
            return false;
    return !notice->hook_is_due || !webhooks->d->config->hooks[CONFIG_HOOK_NOTIFY].argv;
}

/* What has ended, and is known to be, is done with. All notices are looked at, so only where one of them may
 * have come to that, and once in a while for those that are too old. */
static void forget_ended(struct webhooks *webhooks, int64_t mono_ms)
{
    struct daemon *d = webhooks->d;
    struct notice *notice;
    bool any = false;
    if (!webhooks->may_forget && mono_ms < webhooks->forget_at_ms)
        return;
    webhooks->may_forget = false;
    webhooks->forget_at_ms = mono_ms + RESEND_MS;
    for (uint32_t i = 0; (notice = notices_next(notices_of(webhooks), i)); i++) {
        i = notices_place_of(notices_of(webhooks), notice);
        bool is_old = daemon_now_ms(d) - notice->ends_ms > KEEP_MS;
        if (!notice->ends_ms || notice->change > webhooks->stored ||
            !(is_old || is_known_everywhere(webhooks, notice)))
            continue;
        struct cause cause = {CAUSE_TIMER, {(uint64_t)daemon_now_ms(d), d->fleet.timers++}};
        webhooks->dropped += !is_known_everywhere(webhooks, notice);
        watch_forget_notice(&d->fleet, notice, &cause, commit_sink(&d->commit));
        any = true;
    }
    if (any)
        commit_kick(&d->commit);
}

static void on_timer(void *ctx)
{
    struct webhooks *webhooks = ctx;
    int64_t now_ms = loop_now_ms(), next_ms = now_ms + RESEND_MS;
    /* While Redis is away what fires goes on to be told, or its receivers would take it for over. */
    if (!webhooks->d->lead.has_state)
        return; /* webhooks_start comes */
    for (size_t i = 0; i < webhooks->count; i++) {
        struct webhook *w = &webhooks->items[i];
        uint64_t taken;
        do { /* a pass with nothing to send is over at once */
            taken = w->taken;
            go_on(w, now_ms);
        } while (!w->is_passing && !w->is_in_flight && w->taken != taken);
        int64_t at_ms = w->is_passing ? w->retry_at_ms : w->full_at_ms;
        if (!w->is_in_flight && at_ms < next_ms)
            next_ms = at_ms;
    }
    if (lead_is_active(&webhooks->d->lead))
        forget_ended(webhooks, now_ms);
    loop_timer_set(webhooks->timer, next_ms > now_ms ? next_ms - now_ms : 1);
}
