/* Name look-ups by libevent's resolver, without blocking.
 *
 * Each look-up has a resolver of its own, made from /etc/hosts and /etc/resolv.conf as they are now: a daemon
 * that runs for months follows changes of both, and nothing of an earlier failure is kept.
 *
 * The resolver stays with the server that it has chosen for a question, even if that is dead, so it asks
 * once, for a fraction of the time; where that fails, the question is put again, and goes to the next server.
 *
 * Its call cannot be taken back: after a cancel it still answers, two turns of the loop later, and the
 * resolver must outlive the turn in which it answers. So a look-up whose owner is gone lives on as an orphan
 * until then. */
#include "loop_internal.h"

#include "util/alloc.h"
#include "util/number.h"
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 16
/* Questions that fit into the time limit. */
#define TRIES 6
/* How much longer than for one family (A) we wait for the other (AAAA): both are asked at once, of different
 * servers. */
#define SKEW_MS 20

enum lookup_state {
    LOOKUP_WAITING,  /* for the resolver */
    LOOKUP_PAUSING,  /* before the next question */
    LOOKUP_ANSWERED, /* the answer is here and is given in the next turn */
    LOOKUP_DONE,     /* it was given */
};

struct loop_lookup {
    struct loop *loop;
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *request; /* while waiting; NULL where the answer came at once */
    struct loop_timer *timer;                  /* the next thing to do, as the state is */
    int64_t deadline_ms, try_ms;
    enum lookup_state state;
    bool is_orphan;
    loop_lookup_fn fn;
    void *ctx;
    char *host;
    uint16_t port;
    struct sockaddr_storage storage[ADDRESSES_MAX];
    struct loop_address addresses[ADDRESSES_MAX];
    size_t count;
    const char *error;
};

static void destroy_lookup(struct loop_lookup *lookup)
{
    if (lookup->is_orphan)
        lookup->loop->orphans--;
    if (lookup->dns)
        evdns_base_free(lookup->dns, 0);
    loop_timer_free(lookup->timer);
    free(lookup->host);
    free(lookup);
}

static void add_address(struct loop_lookup *lookup, const struct sockaddr *addr, size_t len)
{
    if (lookup->count == ADDRESSES_MAX || len > sizeof(lookup->storage[0]))
        return;
    memcpy(&lookup->storage[lookup->count], addr, len);
    lookup->addresses[lookup->count].addr = (const struct sockaddr *)&lookup->storage[lookup->count];
    lookup->addresses[lookup->count].addr_len = (unsigned)len;
    lookup->count++;
}

static void finish_lookup(struct loop_lookup *lookup, const char *error)
{
    lookup->state = LOOKUP_ANSWERED;
    lookup->error = lookup->count > 0 ? NULL : error;
    loop_timer_set(lookup->timer, 0);
}

/* The server may be dead or ill; that there is no such name is an answer. */
static bool is_worth_another_try(const struct loop_lookup *lookup, int result)
{
    return lookup->count == 0 && result != EVUTIL_EAI_NONAME &&
           loop_now_ms() + lookup->try_ms < lookup->deadline_ms;
}

static void on_dns_answer(int result, struct evutil_addrinfo *found, void *arg)
{
    struct loop_lookup *lookup = arg;

    lookup->request = NULL;
    for (struct evutil_addrinfo *a = found; a && !lookup->is_orphan; a = a->ai_next)
        add_address(lookup, a->ai_addr, a->ai_addrlen);
    if (found)
        evutil_freeaddrinfo(found);
    if (lookup->state != LOOKUP_WAITING) {
        loop_timer_set(lookup->timer, 0);
    } else if (is_worth_another_try(lookup, result)) {
        lookup->state = LOOKUP_PAUSING;
        loop_timer_set(lookup->timer, lookup->try_ms / 4);
    } else {
        finish_lookup(lookup, result ? evutil_gai_strerror(result) : "no address");
    }
}

static void put_question(struct loop_lookup *lookup)
{
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    char service[NUMBER_TEXT_MAX];

    (void)number_format_u64(service, lookup->port);
    lookup->state = LOOKUP_WAITING;
    loop_timer_set(lookup->timer, lookup->deadline_ms - loop_now_ms());

    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(lookup->dns, lookup->host, service, &hints, on_dns_answer, lookup);

    if (lookup->state == LOOKUP_WAITING)
        lookup->request = request;
}

/* Runs in a turn of its own, so neither the caller nor the resolver is on the stack. */
static void on_lookup_timer(void *arg)
{
    struct loop_lookup *lookup = arg;

    if (lookup->is_orphan) {
        if (!lookup->request)
            destroy_lookup(lookup);
        return;
    }
    if (lookup->state == LOOKUP_PAUSING) {
        put_question(lookup);
        return;
    }
    if (lookup->state == LOOKUP_WAITING) {
        lookup->error = "timed out";
        lookup->state = LOOKUP_ANSWERED;
    }
    if (lookup->state != LOOKUP_ANSWERED)
        return;
    lookup->state = LOOKUP_DONE;
    lookup->fn(lookup->ctx, lookup->addresses, lookup->count, lookup->error);
}

static bool add_numeric_address(struct loop_lookup *lookup)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(lookup->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(lookup->port)};

    if (inet_pton(AF_INET, lookup->host, &v4.sin_addr) == 1)
        add_address(lookup, (const struct sockaddr *)&v4, sizeof(v4));
    else if (inet_pton(AF_INET6, lookup->host, &v6.sin6_addr) == 1)
        add_address(lookup, (const struct sockaddr *)&v6, sizeof(v6));
    return lookup->count > 0;
}

static void set_seconds(struct evdns_base *dns, const char *option, int64_t ms)
{
    char text[NUMBER_TEXT_MAX];

    (void)number_format_double(text, (double)ms / 1000);
    (void)evdns_base_set_option(dns, option, text); /* fails for unknown options only */
}

static void start_resolver(struct loop_lookup *lookup)
{
    lookup->dns = evdns_base_new(loop_event_base(lookup->loop), 0);
    if (!lookup->dns) {
        finish_lookup(lookup, "no resolver");
        return;
    }
    /* Without nameservers /etc/hosts still counts; the look-up itself says what is missing. */
    (void)evdns_base_resolv_conf_parse(lookup->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    (void)evdns_base_set_option(lookup->dns, "attempts:", "1"); /* fails for unknown options only */
    set_seconds(lookup->dns, "timeout:", lookup->try_ms);
    set_seconds(lookup->dns, "getaddrinfo-allow-skew:", lookup->try_ms + SKEW_MS);
    put_question(lookup);
}

struct loop_lookup *loop_lookup_new(struct loop *loop, const char *host, uint16_t port, int64_t timeout_ms,
                                    loop_lookup_fn fn, void *ctx)
{
    struct loop_lookup *lookup = mem_new(1, sizeof(*lookup));

    lookup->loop = loop;
    lookup->fn = fn;
    lookup->ctx = ctx;
    lookup->port = port;
    lookup->host = mem_copy_text(host, strlen(host));
    lookup->timer = loop_timer_new(loop, on_lookup_timer, lookup);
    lookup->deadline_ms = loop_now_ms() + timeout_ms;
    lookup->try_ms = timeout_ms / TRIES + 1;
    if (add_numeric_address(lookup))
        finish_lookup(lookup, NULL);
    else
        start_resolver(lookup);
    return lookup;
}

void loop_lookup_free(struct loop_lookup *lookup)
{
    if (!lookup)
        return;
    if (!lookup->dns) {
        destroy_lookup(lookup);
        return;
    }
    lookup->is_orphan = true;
    lookup->loop->orphans++;
    lookup->state = LOOKUP_DONE;
    if (lookup->request)
        evdns_getaddrinfo_cancel(lookup->request);
    loop_timer_set(lookup->timer, 0);
}
