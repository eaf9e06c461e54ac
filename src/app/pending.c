#include "app/pending.h"

#include "adapters/http.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "app/daemon.h"
#include "codec/json_text.h"
#include "util/alloc.h"
#include "util/time_text.h"
#include <stdlib.h>

struct pending {
    struct server *server;
    struct http_request *request; /* NULL: answered, or the client is gone */
    struct loop_timer *timer;
    struct pending_change change; /* its texts are in copies */
    struct buf copies;
    char *token;
    bool in_handler, is_stored;
};

bool pending_may_begin(const struct api_call *call)
{
    struct server *server = call->server;
    const char *unready = lead_unready(&server->d->lead);
    if (unready)
        api_refuse(call->request, 503, "nothing can be changed now: %s", unready);
    else if (server->d->stopping)
        api_refuse(call->request, 503, "nothing can be changed now: the daemon is stopping");
    else if (server->pending >= PENDING_MAX)
        api_refuse(call->request, 503, "%d changes wait for Redis already", PENDING_MAX);
    else
        return true;
    return false;
}

static void log_change(struct server *server, const char *token, const struct pending_change *change)
{
    struct log_field fields[] = {
        log_text("token", token),
        log_slice("instance_id", change->instance_id),
        log_text("command", change->command),
        log_slice("reason", change->reason),
        log_slice("command_id", change->command_id),
    };
    struct log_field told[ARRAY_LEN(fields)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (fields[i].text.len)
            told[count++] = fields[i];
    }
    log_write(server->d->log, LOG_INFO_LEVEL, "operator", told, count);
}

void pending_log(const struct api_call *call, const struct pending_change *change)
{
    log_change(call->server, call->token->name, change);
}

static void answer_command_id(struct http_request *request, const struct pending_change *change)
{
    struct buf body = BUF_INIT;
    buf_add_text(&body, "{\"command_id\":");
    json_add_string(&body, change->command_id);
    buf_add_text(&body, "}\n");
    api_answer_json(request, 202, &body);
}

static void answer_maintenance(struct http_request *request, const struct pending_change *change)
{
    struct buf body = BUF_INIT;
    buf_add_text(&body, "{\"maintenance\":{\"reason\":");
    json_add_string(&body, change->reason);
    if (change->until_ms == INT64_MAX) {
        buf_add_text(&body, ",\"until\":null}}\n");
    } else {
        char until[TIME_TEXT_LEN + 1];
        time_text_format(until, change->until_ms);
        buf_add_format(&body, ",\"until\":\"%s\"}}\n", until);
    }
    api_answer_json(request, 200, &body);
}

/* A record that others have put a foreign value in the way of is cut out of its batch. */
static void answer(struct pending *p, bool is_stored)
{
    struct slice blocked = follow_blocked(&p->server->d->follow, p->change.instance_id);
    struct http_request *request = p->request;
    p->request = NULL;
    if (!is_stored)
        api_refuse(request, 503,
                   "the daemon lost its lease, or Redis its data, before this was known to be stored");
    else if (blocked.len)
        api_refuse(request, 503, "it could not be stored: %.*s", (int)blocked.len, blocked.data);
    else if (p->change.answer == PENDING_COMMAND_ID)
        answer_command_id(request, &p->change);
    else if (p->change.answer == PENDING_MAINTENANCE)
        answer_maintenance(request, &p->change);
    else
        api_answer_empty(request, 204);
}

static void finish(struct pending *p, bool is_stored)
{
    if (is_stored)
        log_change(p->server, p->token, &p->change);
    if (p->request)
        answer(p, is_stored);
    p->server->pending--;
    loop_timer_free(p->timer);
    buf_clear(&p->copies);
    free(p->token);
    free(p);
}

static void on_stored(void *ctx, bool is_stored)
{
    struct pending *p = ctx;
    if (p->in_handler)
        p->is_stored = true;
    else
        finish(p, is_stored);
}

static void on_timeout(void *ctx)
{
    struct pending *p = ctx;
    struct http_request *request = p->request;
    if (!request)
        return;
    p->request = NULL;
    api_refuse(request, 503, "Redis has not confirmed this within %d ms; it is sent again until it does",
               PENDING_MS);
}

static void on_cancelled(void *ctx, struct http_request *request)
{
    struct pending *p = ctx;
    UNUSED(request);
    p->request = NULL;
}

/* The texts may lie in what is gone by then: the body, the configuration. */
static void copy_texts(struct pending *p)
{
    struct slice *texts[] = {&p->change.instance_id, &p->change.reason, &p->change.command_id};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += texts[i]->len;
    (void)buf_reserve(&p->copies, size + 1);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t at = p->copies.len;
        buf_add_slice(&p->copies, *texts[i]);
        texts[i]->data = p->copies.data + at;
    }
}

void pending_add(const struct api_call *call, const struct pending_change *change)
{
    struct daemon *d = call->server->d;
    struct pending *p = mem_new(1, sizeof *p);
    *p = (struct pending){
        .server = call->server, .request = call->request, .change = *change, .in_handler = true};
    copy_texts(p);
    p->token = mem_copy_text(call->token->name, strlen(call->token->name));
    p->server->pending++;
    bool waits = commit_on_stored(&d->commit, on_stored, p);
    p->in_handler = false;
    if (!waits || p->is_stored) {
        finish(p, p->is_stored);
        return;
    }
    p->timer = loop_timer_new(d->loop, on_timeout, p);
    loop_timer_set(p->timer, PENDING_MS);
    http_request_suspend(call->request, on_cancelled, p);
    commit_kick(&d->commit);
}
