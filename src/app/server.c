/* The routes, and who may use them. Reading is open on a loopback address and on a unix socket; elsewhere
 * everything but health wants a token, a path that does not exist too. Changing wants a token anywhere.
 *
 * Where reading is open to whoever reaches a loopback address, a browser on that machine reaches it as well,
 * for any page that has its own name point there. So a request there must name as its Host something that no
 * such page can (app/route.h). Elsewhere a token is needed, which no foreign page has, and agents may call us
 * by any name; a unix socket cannot be reached from a page at all. */
#include "app/server.h"

#include "adapters/http.h"
#include "app/access.h"
#include "app/api.h"
#include "app/daemon.h"
#include "app/page_files.h"
#include "app/route.h"
#include "codec/problem_json.h"

#define PLAIN "text/plain; charset=utf-8"

static void answer_text(struct http_request *request, int status, const char *text)
{
    struct buf body = BUF_INIT;
    struct http_answer answer = {.status = status, .content_type = PLAIN, .body = &body};

    buf_add_text(&body, text);
    http_request_answer(request, &answer);
}

static void on_healthy(const struct api_call *call)
{
    answer_text(call->request, 200, "ok");
}

static void on_ready(const struct api_call *call)
{
    struct readiness readiness;

    readiness_look(call->server->d, &readiness);
    answer_text(call->request, readiness.is_ready ? 200 : 503, readiness.is_ready ? "ready" : readiness.text);
}

static void on_metrics(const struct api_call *call)
{
    metrics_answer(&call->server->metrics, call->request);
}

#define PAGE      "/page/"
#define INSTANCES "/api/v1/instances"
#define INSTANCE  INSTANCES "/{id}"

static const struct route {
    const char *path;        /* may have one parameter */
    enum http_method method; /* HTTP_GET stands for HEAD too */
    bool is_open;            /* to everybody, on any address, under any name */
    enum access_need need;
    const char *args; /* of the query, others are refused; NULL: any, and none is looked at */
    void (*fn)(const struct api_call *call);
} routes[] = {
    {"/", HTTP_GET, false, ACCESS_TO_READ, NULL, page_get_index},
    {PAGE "{file}", HTTP_GET, false, ACCESS_TO_READ, "", page_get_file},
    {"/-/healthy", HTTP_GET, true, ACCESS_TO_READ, NULL, on_healthy},
    {"/-/ready", HTTP_GET, false, ACCESS_TO_READ, NULL, on_ready},
    {"/-/reload", HTTP_POST, false, ACCESS_TO_CHANGE, "", api_post_reload},
    {"/metrics", HTTP_GET, false, ACCESS_TO_READ, NULL, on_metrics},
    {"/api/v1/history", HTTP_GET, false, ACCESS_TO_READ, API_HISTORY_ARGS, api_get_history},
    {"/api/v1/status", HTTP_GET, false, ACCESS_TO_READ, "", api_get_status},
    {"/api/v1/alerts", HTTP_GET, false, ACCESS_TO_READ, API_ALERTS_ARGS, api_get_alerts},
    {"/api/v1/events", HTTP_GET, false, ACCESS_TO_READ, API_EVENTS_ARGS, api_get_events},
    {"/api/v1/signals", HTTP_GET, false, ACCESS_TO_READ, API_SIGNALS_ARGS, api_get_signals},
    {"/api/v1/trades/{id}", HTTP_GET, false, ACCESS_TO_READ, "", api_get_trade},
    {"/api/v1/tap", HTTP_GET, false, ACCESS_TO_CHANGE, "state", api_get_tap},
    {INSTANCES, HTTP_GET, false, ACCESS_TO_READ, API_INSTANCES_ARGS, api_get_instances},
    {INSTANCE, HTTP_GET, false, ACCESS_TO_READ, "", api_get_instance},
    {INSTANCE, HTTP_DELETE, false, ACCESS_TO_CHANGE, "", api_delete_instance},
    {INSTANCE "/why", HTTP_GET, false, ACCESS_TO_READ, "", api_get_why},
    {INSTANCE "/reports", HTTP_POST, false, ACCESS_TO_REPORT, "", api_post_report},
    {INSTANCE "/commands", HTTP_POST, false, ACCESS_TO_CHANGE, "", api_post_command},
    {INSTANCE "/maintenance", HTTP_PUT, false, ACCESS_TO_CHANGE, "", api_put_maintenance},
    {INSTANCE "/maintenance", HTTP_DELETE, false, ACCESS_TO_CHANGE, "", api_delete_maintenance},
};

/* NULL where there is no such path, or it does not take METHOD; *RET_METHODS are those that it takes. */
static const struct route *find_route(struct slice path, enum http_method method, struct slice *ret_parameter,
                                      unsigned *ret_methods)
{
    const struct route *found = NULL;

    *ret_methods = 0;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!route_matches(routes[i].path, path, ret_parameter))
            continue;
        *ret_methods |= routes[i].method;
        if (routes[i].method == (method == HTTP_HEAD ? HTTP_GET : method))
            found = &routes[i];
    }
    return found;
}

/* A browser asks its user for a name and a password where Basic is offered: for the status page only, whose
 * requests then carry them too. A script that is refused would have it ask again and again. */
static bool is_page(const struct http_request *request)
{
    struct slice path = http_request_path(request);

    return slice_is(path, "/") ||
           (path.len >= strlen(PAGE) && slice_equal(slice_of(path.data, strlen(PAGE)), slice_text(PAGE)));
}

static void answer_unauthorized(struct http_request *request, const char *challenge, const char *detail)
{
    struct buf body = BUF_INIT;
    const struct http_header headers[] = {
        {"WWW-Authenticate", challenge},
        {"WWW-Authenticate", "Basic realm=\"mt5stated: any name, a token as the password\""}};
    struct http_answer answer = {.status = 401,
                                 .content_type = PROBLEM_CONTENT_TYPE,
                                 .body = &body,
                                 .headers = headers,
                                 .header_count = is_page(request) ? 2 : 1};

    problem_json_add(&body, 401, http_status_title(401), slice_text(detail));
    http_request_answer(request, &answer);
}

/* Where tokens are needed and there are none. */
static void answer_unconfigured(struct http_request *request, enum access_need need)
{
    http_request_answer_problem(
        request, 403,
        need == ACCESS_TO_READ
            ? "http.listen is no loopback address: reading needs a token, and http.tokens names none"
            : "changing anything needs a token, and http.tokens names none");
}

static void answer_wrong_role(struct http_request *request, enum access_need need)
{
    static const char *const details[] = {
        [ACCESS_TO_READ] = "a token of the role report may not read",
        [ACCESS_TO_REPORT] = "this needs a token of the role report or admin",
        [ACCESS_TO_CHANGE] = "this needs a token of the role admin",
    };

    http_request_answer_problem(request, 403, details[need]);
}

/* False where the request may not be served, and has been answered. */
static bool check_access(const struct server *server, struct http_request *request, enum access_need need,
                         const struct config_token **ret_token)
{
    const struct config *config = server->d->config;

    *ret_token = NULL;
    if (need == ACCESS_TO_READ && http_server_is_loopback(server->http))
        return true;
    switch (access_check(config->http.tokens, config->http.token_count,
                         http_request_header(request, "Authorization"), need, ret_token)) {
    case ACCESS_GRANTED:
        return true;
    case ACCESS_NO_TOKEN:
        answer_unauthorized(request, "Bearer realm=\"mt5stated\"",
                            "this needs Authorization: Bearer and a token");
        break;
    case ACCESS_WRONG_TOKEN:
        answer_unauthorized(request, "Bearer realm=\"mt5stated\", error=\"invalid_token\"",
                            "the token is none of those in http.tokens");
        break;
    case ACCESS_WRONG_ROLE:
        answer_wrong_role(request, need);
        break;
    case ACCESS_UNCONFIGURED:
        answer_unconfigured(request, need);
        break;
    }
    return false;
}

static bool check_host(const struct server *server, struct http_request *request)
{
    const struct config *config = server->d->config;

    if (config->http.kind == CONFIG_LISTEN_UNIX || !http_server_is_loopback(server->http) ||
        route_host_is_ours(http_request_host(request), config->http.host))
        return true;
    http_request_answer_problem(
        request, 403, "Host is neither an address, nor a name without dots, nor the host of http.listen");
    return false;
}

static bool check_args(struct http_request *request, const char *allowed)
{
    for (size_t i = 0; allowed && i < http_request_arg_count(request); i++) {
        struct slice name = http_request_arg_name(request, i);
        int shown = (int)(name.len < 64 ? name.len : 64);

        if (!route_allows_arg(allowed, name)) {
            api_refuse(request, 400, "there is no query argument %.*s here", shown, name.data);
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (slice_equal(name, http_request_arg_name(request, k))) {
                api_refuse(request, 400, "the query argument %.*s is there twice", shown, name.data);
                return false;
            }
        }
    }
    return true;
}

static void answer_nothing_there(struct http_request *request)
{
    struct slice path = http_request_path(request);

    api_refuse(request, 404, "there is nothing at %.*s", (int)(path.len < 128 ? path.len : 128), path.data);
}

static void on_request(void *ctx, struct http_request *request)
{
    struct server *server = ctx;
    struct api_call call = {.server = server, .request = request};
    unsigned methods;
    const struct route *route =
        find_route(http_request_path(request), http_request_method(request), &call.parameter, &methods);

    if (route && route->is_open) {
        route->fn(&call);
        return;
    }
    if (!check_host(server, request) ||
        !check_access(server, request, route ? route->need : ACCESS_TO_READ, &call.token))
        return;
    if (!methods)
        answer_nothing_there(request);
    else if (!route)
        http_request_answer_not_allowed(request, methods);
    else if (check_args(request, route->args))
        route->fn(&call);
}

int server_init(struct server *server, struct daemon *d, struct errmsg *why)
{
    const struct config *config = d->config;
    struct http_options options = {
        .log = d->log,
        .host = config->http.host,
        .port = config->http.port,
        .is_unix = config->http.kind == CONFIG_LISTEN_UNIX,
        .max_connections = (size_t)config->http.max_connections,
        .handler = on_request,
        .ctx = server,
    };

    server->d = d;
    server->http = NULL;
    metrics_init(&server->metrics, d);
    return http_server_new(d->loop, &options, &server->http, why);
}

void server_clear(struct server *server)
{
    http_server_free(server->http);
    server->http = NULL;
    metrics_clear(&server->metrics);
}
