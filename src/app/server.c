/* The routes. Reading is open on a loopback address and on a unix socket; elsewhere everything but health
 * wants a token, a path that does not exist too. */
#include "app/server.h"

#include "adapters/http.h"
#include "app/access.h"
#include "app/daemon.h"
#include "codec/problem_json.h"

#define PLAIN "text/plain; charset=utf-8"
#define HTML  "text/html; charset=utf-8"

static const char landing_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head><meta charset=\"utf-8\"><title>mt5stated</title></head>\n"
    "<body>\n"
    "<h1>mt5stated " MT5_VERSION "</h1>\n"
    "<ul>\n"
    "<li><a href=\"/metrics\">/metrics</a>: everything that is counted, for Prometheus</li>\n"
    "<li><a href=\"/-/healthy\">/-/healthy</a>: 200 while the daemon runs</li>\n"
    "<li><a href=\"/-/ready\">/-/ready</a>: 200 while it does its work, else 503 and why not</li>\n"
    "</ul>\n"
    "</body>\n"
    "</html>\n";

static void answer_text(struct http_request *request, int status, const char *content_type, const char *text)
{
    struct buf body = BUF_INIT;
    struct http_answer answer = {.status = status, .content_type = content_type, .body = &body};

    buf_add_text(&body, text);
    http_request_answer(request, &answer);
}

static void on_landing(struct server *server, struct http_request *request)
{
    UNUSED(server);
    answer_text(request, 200, HTML, landing_page);
}

static void on_healthy(struct server *server, struct http_request *request)
{
    UNUSED(server);
    answer_text(request, 200, PLAIN, "ok");
}

static void on_ready(struct server *server, struct http_request *request)
{
    const char *unready = lead_unready(&server->d->lead);

    answer_text(request, unready ? 503 : 200, PLAIN, unready ? unready : "ready");
}

static void on_metrics(struct server *server, struct http_request *request)
{
    metrics_answer(&server->metrics, request);
}

static const struct route {
    const char *path;
    unsigned methods; /* HTTP_GET stands for HEAD too */
    bool is_open;     /* to everybody, on any address */
    void (*fn)(struct server *server, struct http_request *request);
} routes[] = {
    {"/", HTTP_GET, false, on_landing},
    {"/-/healthy", HTTP_GET, true, on_healthy},
    {"/-/ready", HTTP_GET, false, on_ready},
    {"/metrics", HTTP_GET, false, on_metrics},
};

static const struct route *find_route(struct slice path)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (slice_is(path, routes[i].path))
            return &routes[i];
    }
    return NULL;
}

static void answer_unauthorized(struct http_request *request, const char *challenge, const char *detail)
{
    struct buf body = BUF_INIT;
    struct http_header header = {"WWW-Authenticate", challenge};
    struct http_answer answer = {.status = 401,
                                 .content_type = PROBLEM_CONTENT_TYPE,
                                 .body = &body,
                                 .headers = &header,
                                 .header_count = 1};

    problem_json_add(&body, 401, http_status_title(401), slice_text(detail));
    http_request_answer(request, &answer);
}

/* False where the request may not be served, and has been answered. */
static bool check_access(const struct server *server, struct http_request *request)
{
    const struct config *config = server->d->config;
    struct slice authorization = http_request_header(request, "Authorization");

    if (http_server_is_loopback(server->http))
        return true;
    switch (access_to_read(config->http.tokens, config->http.token_count, authorization)) {
    case ACCESS_GRANTED:
        return true;
    case ACCESS_NO_TOKEN:
        answer_unauthorized(request, "Bearer realm=\"mt5stated\"",
                            "reading from another machine needs Authorization: Bearer and a token");
        break;
    case ACCESS_WRONG_TOKEN:
        answer_unauthorized(request, "Bearer realm=\"mt5stated\", error=\"invalid_token\"",
                            "the token is none of those in http.tokens");
        break;
    case ACCESS_WRONG_ROLE:
        http_request_answer_problem(request, 403, "a token of the role report may not read");
        break;
    case ACCESS_UNCONFIGURED:
        http_request_answer_problem(
            request, 403,
            "http.listen is no loopback address: reading needs a token, and http.tokens names none");
        break;
    }
    return false;
}

static void on_request(void *ctx, struct http_request *request)
{
    struct server *server = ctx;
    const struct route *route = find_route(http_request_path(request));
    enum http_method method = http_request_method(request);

    if (!(route && route->is_open) && !check_access(server, request))
        return;
    if (!route)
        http_request_answer_problem(request, 404, "there is nothing at this path");
    else if (!(route->methods & (method == HTTP_HEAD ? HTTP_GET : method)))
        http_request_answer_not_allowed(request, route->methods);
    else
        route->fn(server, request);
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
