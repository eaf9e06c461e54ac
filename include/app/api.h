/* The HTTP API (SPEC §8): the handlers that the table of routes names (server.c), and what they share.
 *
 * A handler is called for a request that may be served: its path and method exist, its token may do this, its
 * query has no unknown arguments. It answers, now or later, exactly once. */
#pragma once

#include "codec/json_object.h"
#include "core/stream.h"
#include "util/buf.h"
#include "util/macros.h"
#include "util/slice.h"
#include <stdbool.h>

struct config_token;
struct daemon;
struct http_request;
struct instance;
struct ledger_view;
struct server;

struct api_call {
    struct server *server;
    struct http_request *request;
    struct slice parameter;           /* of the path; empty where it has none */
    const struct config_token *token; /* that was sent; NULL where none was looked at. Gone with a reload */
};

/* Reading (api_read.c): from memory, at once. */
void api_get_status(const struct api_call *call);
void api_get_instances(const struct api_call *call);
void api_get_instance(const struct api_call *call);
void api_get_why(const struct api_call *call);
void api_get_history(const struct api_call *call);
void api_get_alerts(const struct api_call *call);
#define API_INSTANCES_ARGS "state health broker limit after"
#define API_ALERTS_ARGS    "limit after"
#define API_HISTORY_ARGS   "since"

/* Members of the status (api_history.c), each with a comma behind it. */
void api_add_signals(struct buf *out, const struct ledger_view *view, int64_t now_ms);
void api_add_streams(struct buf *out, const struct daemon *d);
void api_add_redis(struct buf *out, const struct daemon *d);
/* Where layers have a Redis of their own: how each of these is. */
void api_add_layers(struct buf *out, const struct daemon *d);

/* Signals and trades (api_trading.c). */
void api_get_signals(const struct api_call *call);
void api_get_trade(const struct api_call *call);
#define API_SIGNALS_ARGS "limit after"

/* Events (api_events.c, app/event_feed.h), and what is read as it comes (app/tap.h). */
void api_get_events(const struct api_call *call);
#define API_EVENTS_ARGS "instance since limit"
void api_get_tap(const struct api_call *call);

/* Changing (api_change.c): answered once what was changed is stored. */
void api_post_command(const struct api_call *call);
void api_put_maintenance(const struct api_call *call);
void api_delete_maintenance(const struct api_call *call);
void api_delete_instance(const struct api_call *call);
void api_post_reload(const struct api_call *call);

/* A report (api_report.c): answered once it is in its stream. */
void api_post_report(const struct api_call *call);

/* ---- api_answer.c ---- */
/* Takes the content of BODY. */
void api_answer_json(struct http_request *request, int status, struct buf *body);
void api_answer_empty(struct http_request *request, int status);
/* A problem with a detail. */
void api_refuse(struct http_request *request, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* False where nothing is known yet, or not any more, and it has been answered (503). */
bool api_check_state(const struct api_call *call);
/* The same for what is read of LAYER alone. */
bool api_check_layer(const struct api_call *call, enum layer layer);
/* The query argument NAME; empty where it is not there. */
struct slice api_arg(const struct api_call *call, const char *name);
/* The query argument limit, or what holds without it; false where it is none, and has been answered (400). */
bool api_read_limit(const struct api_call *call, size_t *ret_limit);
/* The instance of the path; NULL where it is not known, and has been answered (404). */
struct instance *api_find_instance(const struct api_call *call);

/* Reads the body as an object with no other members than those of ALLOWED (names parted by spaces; NULL: any
 * is allowed) and, in any case, an instance_id, which must be that of the path. False where it has been
 * answered (400, 422); else the caller clears OBJECT. An empty body is an object without members where
 * MAY_BE_EMPTY. */
bool api_read_body(const struct api_call *call, const char *allowed, bool may_be_empty,
                   struct json_object *object);
/* The text NAME of OBJECT: valid UTF-8 without a NUL, at most MAX bytes; empty where it is not there. False
 * where it is not that, or REQUIRED and empty, and has been answered (422). */
bool api_take_text(const struct api_call *call, const struct json_object *object, const char *name,
                   size_t max, bool required, struct slice *ret_text);
