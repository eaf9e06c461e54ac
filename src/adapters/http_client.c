/* libcurl's multi interface on the event loop.
 *
 * libcurl says which descriptors it waits for (on_socket_wish) and until when (on_timer_wish), and is run
 * when one of these comes to pass (run_multi). It must not be entered again from its own callbacks: those
 * only note what is wished. A request that has ended is taken out of libcurl before its owner is told, who
 * may free the client; so whoever has called an owner asks is_freed before going on.
 *
 * Names are looked up by libcurl in threads of their own. CURLOPT_QUICK_EXIT keeps it from waiting for such a
 * thread when its request times out or is broken off. */
#include "http_client_internal.h"

#include "adapters/loop.h"
#include "adapters/memory.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Idle connections that are kept, of all hosts. */
#define CONNECTIONS_KEPT 16L

/* A descriptor that libcurl waits for. */
struct http_client_watch {
    TAILQ_ENTRY(http_client_watch) link;
    struct event *event;
};

struct http_client {
    struct curl_library curl;
    CURLM *multi; /* NULL: nothing was to be sent so far */
    struct event_base *base;
    struct loop_timer *timer;
    TAILQ_HEAD(, http_client_watch) watches;
    TAILQ_HEAD(, http_transfer) transfers;
    size_t pending;
    unsigned holds; /* calls that are under way and need the memory */
    bool is_freed;
};

static void mark_descriptors(void)
{
    /* Fails with old kernels only; children close what they do not know all the same. */
    (void)close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

static void end_transfer(struct http_client *client, struct http_transfer *transfer)
{
    (void)client->curl.multi_remove_handle(client->multi, transfer->easy);
    TAILQ_REMOVE(&client->transfers, transfer, link);
    client->pending--;
}

static void release_client(struct http_client *client)
{
    if (--client->holds > 0 || !client->is_freed)
        return;
    if (client->multi)
        client->curl.global_cleanup();
    curl_library_close(&client->curl);
    free(client);
}

static void tell_ended(struct http_client *client)
{
    int left;
    CURLMsg *msg;

    while (!client->is_freed && (msg = client->curl.multi_info_read(client->multi, &left))) {
        struct http_transfer *transfer;
        CURLcode code = msg->data.result;

        if (client->curl.easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
            abort(); /* each of our handles has it */
        end_transfer(client, transfer);
        http_transfer_tell(transfer, code);
        http_transfer_free(transfer);
    }
}

static void run_multi(struct http_client *client, curl_socket_t fd, int events)
{
    int running;

    client->holds++;
    (void)client->curl.multi_socket_action(client->multi, fd, events,
                                           &running); /* fails for unknown handles only */
    tell_ended(client);
    release_client(client);
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
    run_multi(ctx, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *ctx)
{
    run_multi(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void free_watch(struct http_client_watch *watch)
{
    if (watch->event)
        event_free(watch->event);
    free(watch);
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct http_client *client = ctx;
    struct http_client_watch *watch = socket_ctx;
    short events = EV_PERSIST;

    UNUSED(easy);
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            TAILQ_REMOVE(&client->watches, watch, link);
            free_watch(watch);
        }
        return 0;
    }
    if (!watch) {
        watch = mem_new(1, sizeof(*watch));
        TAILQ_INSERT_TAIL(&client->watches, watch, link);
        (void)client->curl.multi_assign(client->multi, fd, watch); /* it knows FD */
        mark_descriptors(); /* a connection, or one of the pair by which a look-up wakes us */
    } else {
        event_free(watch->event);
    }
    if (what & CURL_POLL_IN)
        events |= EV_READ;
    if (what & CURL_POLL_OUT)
        events |= EV_WRITE;
    watch->event = event_new(client->base, fd, events, on_ready, client);
    if (!watch->event || event_add(watch->event, NULL) < 0)
        mem_fail();
    return 0;
}

static int on_timer_wish(CURLM *multi, long delay_ms, void *ctx)
{
    struct http_client *client = ctx;

    UNUSED(multi);
    if (delay_ms < 0)
        loop_timer_stop(client->timer);
    else
        loop_timer_set(client->timer, delay_ms);
    return 0;
}

static bool start_multi(struct http_client *client, struct errmsg *err)
{
    CURLM *multi;

    if (!memory_init_curl(&client->curl)) {
        errmsg_set(err, "libcurl does not start");
        return false;
    }
    multi = client->curl.multi_init();
    if (!multi) {
        client->curl.global_cleanup();
        errmsg_set(err, "libcurl does not start");
        return false;
    }
    client->multi = multi;
    mark_descriptors();
    /* These fail for options unknown to the library only. */
    (void)client->curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    (void)client->curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
    (void)client->curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    (void)client->curl.multi_setopt(multi, CURLMOPT_TIMERDATA, client);
    (void)client->curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    return true;
}

bool http_client_start(struct http_client *client, struct errmsg *err)
{
    if (client->multi)
        return true;
    if (!curl_library_open(&client->curl, err))
        return false;
    if (start_multi(client, err))
        return true;
    curl_library_close(&client->curl);
    return false;
}

struct http_client *http_client_new(struct loop *loop)
{
    struct http_client *client = mem_new(1, sizeof(*client));

    client->base = loop_event_base(loop);
    client->timer = loop_timer_new(loop, on_timer, client);
    client->holds = 1;
    TAILQ_INIT(&client->watches);
    TAILQ_INIT(&client->transfers);
    return client;
}

void http_client_free(struct http_client *client)
{
    struct http_transfer *transfer;

    if (!client)
        return;
    while ((transfer = TAILQ_FIRST(&client->transfers))) {
        end_transfer(client, transfer);
        http_transfer_free(transfer);
    }
    if (client->multi)
        (void)client->curl.multi_cleanup(client->multi); /* none is left in it */
    for (struct http_client_watch *watch = TAILQ_FIRST(&client->watches), *next; watch; watch = next) {
        next = TAILQ_NEXT(watch, link);
        free_watch(watch);
    }
    loop_timer_free(client->timer);
    client->is_freed = true;
    release_client(client);
}

int http_client_post(struct http_client *client, const struct http_client_request *request)
{
    struct http_transfer *transfer;
    struct errmsg err;

    if (client->pending >= HTTP_CLIENT_REQUESTS_MAX)
        return -EBUSY;
    if (!http_client_start(client, &err))
        return -ELIBACC;

    int error = http_transfer_new(&client->curl, request, &transfer);

    if (error)
        return error;
    if (client->curl.multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        http_transfer_free(transfer);
        return -ENOMEM;
    }
    TAILQ_INSERT_TAIL(&client->transfers, transfer, link);
    client->pending++;
    return 0;
}

size_t http_client_pending(const struct http_client *client)
{
    return client->pending;
}
