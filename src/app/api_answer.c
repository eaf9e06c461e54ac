/* What the handlers of the API share: answers, and the bodies of requests taken apart. */
#include "app/api.h"

#include "adapters/http.h"
#include "app/daemon.h"
#include "app/list_page.h"
#include "app/route.h"
#include "util/number.h"
#include "util/utf8.h"
#include <stdarg.h>
#include <stdio.h>

#define JSON_CONTENT_TYPE "application/json"

#define LIMIT_DEFAULT 100

/* What is shown of a name that a client has sent. */
#define NAME_SHOWN_MAX 64

void api_answer_json(struct http_request *request, int status, struct buf *body)
{
    static const struct http_header header = {"Cache-Control", "no-store"};
    struct http_answer answer = {.status = status,
                                 .content_type = JSON_CONTENT_TYPE,
                                 .body = body,
                                 .headers = &header,
                                 .header_count = 1};
    http_request_answer(request, &answer);
}

void api_answer_empty(struct http_request *request, int status)
{
    struct http_answer answer = {.status = status};
    http_request_answer(request, &answer);
}

void api_refuse(struct http_request *request, int status, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args); /* what does not fit is left out */
    va_end(args);
    http_request_answer_problem(request, status, detail);
}

bool api_check_layer(const struct api_call *call, enum layer layer)
{
    const struct lead *lead = &daemon_of(call->server->d, layer)->lead;
    const char *unready = lead_unready(lead);
    if (lead->has_state || standby_is_warm(&call->server->d->standby))
        return true;
    api_refuse(call->request, 503, "nothing is known yet: %s", unready ? unready : "loading");
    return false;
}

bool api_check_state(const struct api_call *call)
{
    return api_check_layer(call, LAYER_RIS);
}

struct slice api_arg(const struct api_call *call, const char *name)
{
    struct slice value = slice_of("", 0);
    (void)http_request_arg(call->request, name, &value);
    return value;
}

bool api_read_limit(const struct api_call *call, size_t *ret_limit)
{
    struct slice text;
    uint64_t limit = LIMIT_DEFAULT;
    if (http_request_arg(call->request, "limit", &text) &&
        (!number_parse_u64(text, LIST_PAGE_LIMIT_MAX, &limit) || limit == 0)) {
        api_refuse(call->request, 400, "limit: not a number from 1 to %d", LIST_PAGE_LIMIT_MAX);
        return false;
    }
    *ret_limit = (size_t)limit;
    return true;
}

struct instance *api_find_instance(const struct api_call *call)
{
    struct slice id = call->parameter;
    struct instance *instance =
        ident_is_valid(id, IDENT_MAX) ? fleet_find(&call->server->d->fleet, id) : NULL;
    if (!instance)
        api_refuse(call->request, 404, "there is no instance %.*s",
                   (int)(id.len < NAME_SHOWN_MAX ? id.len : NAME_SHOWN_MAX), id.data);
    return instance;
}

/* False where MEMBER has no place in the body, and has been answered. */
static bool check_member(const struct api_call *call, const char *allowed, const struct json_member *member)
{
    if (slice_is(member->name, "instance_id")) {
        if (member->kind == JSON_TEXT && slice_equal(member->value, call->parameter))
            return true;
        api_refuse(call->request, 422, "instance_id: not the one of the path");
        return false;
    }
    if (!allowed || route_allows_arg(allowed, member->name))
        return true;
    api_refuse(call->request, 422, "%.*s: unknown field",
               (int)(member->name.len < NAME_SHOWN_MAX ? member->name.len : NAME_SHOWN_MAX),
               member->name.data);
    return false;
}

bool api_read_body(const struct api_call *call, const char *allowed, bool may_be_empty,
                   struct json_object *object)
{
    struct slice body = http_request_body(call->request);
    struct errmsg why;
    if (body.len == 0 && may_be_empty)
        body = slice_text("{}");
    if (!json_object_parse(object, body, &why)) {
        api_refuse(call->request, 400, "the body is no valid JSON object: %s", why.text);
        return false;
    }
    for (size_t i = 0; i < object->count; i++) {
        if (!check_member(call, allowed, &object->members[i])) {
            json_object_clear(object);
            return false;
        }
    }
    return true;
}

static const char *find_text_fault(const struct json_member *member, size_t max)
{
    if (member->kind != JSON_TEXT)
        return "not a text";
    if (!utf8_is_valid(member->value))
        return "not valid UTF-8";
    if (memchr(member->value.data, '\0', member->value.len))
        return "holds a NUL";
    return member->value.len > max ? "too long" : NULL;
}

bool api_take_text(const struct api_call *call, const struct json_object *object, const char *name,
                   size_t max, bool required, struct slice *ret_text)
{
    const struct json_member *member = json_object_find(object, name);
    const char *fault = member ? find_text_fault(member, max) : NULL;
    if (!fault && required && (!member || member->value.len == 0))
        fault = "required";
    if (fault && strcmp(fault, "too long") == 0)
        api_refuse(call->request, 422, "%s: longer than %zu bytes", name, max);
    else if (fault)
        api_refuse(call->request, 422, "%s: %s", name, fault);
    else
        *ret_text = member ? member->value : slice_of("", 0);
    return !fault;
}
