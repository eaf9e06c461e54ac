/* Reports over HTTP: checked by the rules of their stream, and put there (SPEC §5.1, §8.3). Whatever reads
 * the stream takes them from there; so a daemon that is not the active one takes them too. */
#include "app/api.h"

#include "adapters/http.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/json_text.h"
#include "codec/report.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* How long a client waits at most, whatever redis.command_timeout_ms is. */
#define WAIT_MS 5000

struct posted {
    struct http_request *request; /* NULL: answered, or the client is gone */
    struct loop_timer *timer;
};

static void answer_id(struct http_request *request, struct slice id)
{
    struct buf body = BUF_INIT;
    buf_add_text(&body, "{\"id\":");
    json_add_string(&body, id);
    buf_add_text(&body, "}\n");
    api_answer_json(request, 202, &body);
}

static void on_added(void *ctx, void *object)
{
    struct posted *posted = ctx;
    const redisReply *reply = object;
    struct http_request *request = posted->request;
    loop_timer_free(posted->timer);
    free(posted);
    if (!request)
        return;
    if (!reply)
        api_refuse(request, 503, "the link to Redis was lost; it is not known whether it has the report");
    else if (reply->type == REDIS_REPLY_STRING)
        answer_id(request, slice_of(reply->str, reply->len));
    else if (reply->type == REDIS_REPLY_ERROR)
        api_refuse(request, 503, "Redis takes no reports: %s",
                   redis_error_name(redis_error_classify(slice_of(reply->str, reply->len))));
    else
        api_refuse(request, 503, "Redis takes no reports");
}

static void on_timeout(void *ctx)
{
    struct posted *posted = ctx;
    struct http_request *request = posted->request;
    if (!request)
        return;
    posted->request = NULL;
    api_refuse(request, 503, "Redis has not answered within %d ms; it is not known whether it has the report",
               WAIT_MS);
}

static void on_cancelled(void *ctx, struct http_request *request)
{
    struct posted *posted = ctx;
    UNUSED(request);
    posted->request = NULL;
}

static void add_to_stream(const struct api_call *call, const struct entry *entry)
{
    struct daemon *d = call->server->d;
    struct slice words[3 + 2 * REPORT_FIELDS] = {
        slice_text("XADD"), slice_text(d->names.stream[STREAM_REPORTS]), slice_text("*")};
    size_t count = 3;
    for (unsigned i = 0; i < REPORT_FIELDS; i++) {
        if (!(entry->present >> i & 1U))
            continue;
        words[count++] = report_entry_names[i];
        words[count++] = entry->value[i];
    }
    struct posted *posted = mem_new(1, sizeof *posted);
    posted->request = call->request;
    if (redis_link_command(d->link, words, count, 0, on_added, posted)) {
        free(posted);
        api_refuse(call->request, 503, "Redis is away");
        return;
    }
    posted->timer = loop_timer_new(d->loop, on_timeout, posted);
    loop_timer_set(posted->timer, WAIT_MS);
    http_request_suspend(call->request, on_cancelled, posted);
}

/* Puts a member into ENTRY where a report has such a field. What is wrong with it, or NULL. */
static const char *take_member(struct entry *entry, const struct json_member *member)
{
    for (unsigned i = 0; i < REPORT_FIELDS; i++) {
        if (!slice_equal(report_entry_names[i], member->name))
            continue;
        bool is_number = report_field_table[i].kind == REPORT_FIELD_NUMBER;
        if (member->kind != JSON_TEXT && !(is_number && member->kind == JSON_NUMBER))
            return is_number ? "neither a number nor a text" : "not a text";
        entry->present |= 1U << i;
        entry->value[i] = member->value;
        /* Of a text no more is kept than this; all others are shorter, or invalid. */
        if (report_field_table[i].kind == REPORT_FIELD_TEXT && member->value.len > REPORT_TEXT_MAX + 3)
            entry->value[i].len = REPORT_TEXT_MAX + 3;
    }
    return NULL;
}

static bool take_members(const struct api_call *call, const struct json_object *body, struct entry *entry)
{
    for (size_t i = 0; i < body->count; i++) {
        const char *fault = take_member(entry, &body->members[i]);
        if (fault) {
            api_refuse(call->request, 422, "%.*s: %s", (int)body->members[i].name.len,
                       body->members[i].name.data, fault);
            return false;
        }
    }
    entry->present |= 1U << REPORT_INSTANCE_ID;
    entry->value[REPORT_INSTANCE_ID] = call->parameter;
    return true;
}

void api_post_report(const struct api_call *call)
{
    struct entry entry = {.stream = STREAM_REPORTS};
    struct report_scratch scratch;
    struct report report;
    struct json_object body;
    struct slice field;
    struct errmsg why;
    if (!redis_link_is_up(call->server->d->link)) {
        api_refuse(call->request, 503, "Redis is away");
        return;
    }
    if (!api_read_body(call, NULL, false, &body))
        return;
    if (take_members(call, &body, &entry)) {
        if (report_parse(&entry, &scratch, &report, &field, &why))
            add_to_stream(call, &entry);
        else
            http_request_answer_problem(call->request, 422, why.text);
    }
    json_object_clear(&body);
}
