/* How long it takes until what was caused can be seen, for one who looks from outside: Redis tells him by
 * itself (client tracking, or a blocking read), so looking costs the same whoever is watched, and nobody
 * polls.
 *
 * bench_latency SOCKET signals COUNT EVERY_US: the first COUNT entries of trade_signals are answered one by
 *   one, in their order; from the moment that a result is in Redis, by its own clock, until the signal is
 *   gone.
 * bench_latency SOCKET reports COUNT EVERY_US: instances mt5-00000000 to mt5-00000999 are stopped and started
 *   in turn; from the moment that a report is there until hash, set and event are seen, which have to come
 *   together.
 * bench_latency SOCKET peer COUNT EVERY_US: from before an XADD until a blocked XREADGROUP has it.
 *
 * Prints a line each: when it began (peer: CLOCK_MONOTONIC, else the wall clock) and how long it took, in ns.
 * Load goes on by the clock, whether or not what came before is done. Exits with 1 where anything is not as
 * it must be. */
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define INSTANCES  1000
#define DEADLINE_S 10
#define ID_SIZE    48

struct sample {
    int64_t began_ns, ended_ns;
};

struct watcher {
    redisContext *link, *told; /* asks and writes; is told of changes, or blocks */
    struct sample *samples;
    uint64_t count, started, ended;
    uint64_t burst; /* the most that were under way since none was */
    int64_t every_ns;
    char (*ids)[ID_SIZE];         /* of the signals */
    uint64_t pending[INSTANCES];  /* which sample, counted from 1 */
    uint64_t answers_outstanding; /* peer: XADDs not answered */
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench_latency: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static redisReply *checked(redisContext *link, void *reply)
{
    if (!reply)
        fail("%s", link->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        fail("%s", ((redisReply *)reply)->str);
    return reply;
}

static redisReply *take_reply(redisContext *link)
{
    void *reply = NULL;
    if (redisGetReply(link, &reply) != REDIS_OK)
        fail("%s", link->errstr);
    return checked(link, reply);
}

static redisContext *connect_to(const char *path)
{
    redisContext *link = redisConnectUnix(path);
    if (!link || link->err)
        fail("cannot connect to %s", path);
    return link;
}

/* From now on a change of any key that `link` has read since it was last told of is told to `told`. */
static void ask_to_be_told(struct watcher *w)
{
    redisReply *id = checked(w->told, redisCommand(w->told, "CLIENT ID"));
    freeReplyObject(checked(w->link, redisCommand(w->link, "CLIENT TRACKING ON REDIRECT %lld", id->integer)));
    freeReplyObject(id);
    freeReplyObject(checked(w->told, redisCommand(w->told, "SUBSCRIBE __redis__:invalidate")));
}

/* Takes the answers to XADD and to the TIME behind it: when the entry was there. When these are read says
 * less: others may have needed the core first, and the effect been seen before its cause. */
static int64_t take_time_of_entry(struct watcher *w)
{
    freeReplyObject(take_reply(w->link));
    redisReply *time = take_reply(w->link);
    int64_t s = strtoll(time->element[0]->str, NULL, 10), us = strtoll(time->element[1]->str, NULL, 10);
    freeReplyObject(time);
    return (s * 1000000 + us) * 1000;
}

static void start_sample(struct watcher *w, int64_t at_ns)
{
    if (w->started == w->ended)
        w->burst = 0;
    w->samples[w->started++].began_ns = at_ns;
    if (w->started - w->ended > w->burst)
        w->burst = w->started - w->ended;
}

static void end_sample(struct watcher *w, uint64_t number, int64_t at_ns)
{
    w->samples[number].ended_ns = at_ns;
    w->ended++;
}

/* ---- signals ---- */

static void prepare_signals(struct watcher *w)
{
    redisReply *entries = checked(
        w->link, redisCommand(w->link, "XRANGE trade_signals - + COUNT %llu", (unsigned long long)w->count));
    if (entries->elements != w->count)
        fail("%zu signals are there", entries->elements);
    w->ids = calloc(w->count, ID_SIZE);
    for (size_t i = 0; i < entries->elements; i++)
        (void)snprintf(w->ids[i], ID_SIZE, "%s", entries->element[i]->element[0]->str);
    freeReplyObject(entries);
    ask_to_be_told(w);
    freeReplyObject(checked(w->link, redisCommand(w->link, "XRANGE trade_signals - + COUNT 1")));
}

static void start_signal(struct watcher *w)
{
    uint64_t i = w->started;
    redisAppendCommand(
        w->link,
        "XADD trade_results * result_id result-%llu signal_id signal-%08llu status executed slippage "
        "0.1 execution_time 12.5",
        (unsigned long long)i, (unsigned long long)i);
    redisAppendCommand(w->link, "TIME");
    start_sample(w, take_time_of_entry(w));
}

/* All in front of the first entry that is still there are gone. */
static void look_at_signals(struct watcher *w, const redisReply *told, int64_t at_ns)
{
    (void)told;
    redisReply *first = checked(w->link, redisCommand(w->link, "XRANGE trade_signals - + COUNT 1"));
    const char *left = first->elements ? first->element[0]->element[0]->str : "";
    while (w->ended < w->started && strcmp(w->ids[w->ended], left) != 0)
        end_sample(w, w->ended, at_ns);
    freeReplyObject(first);
}

/* ---- reports ---- */

static const char *state_of(uint64_t number)
{
    return number / INSTANCES % 2 ? "running" : "stopped";
}

static void start_report(struct watcher *w)
{
    uint64_t i = w->started;
    unsigned instance = (unsigned)(i % INSTANCES);
    if (w->pending[instance])
        fail("the report before last of mt5-%08u has no effect yet; of %llu reports %llu have", instance,
             (unsigned long long)w->started, (unsigned long long)w->ended);
    redisAppendCommand(w->link, "HGET instance:mt5-%08u state", instance); /* so that its change is told */
    redisAppendCommand(
        w->link, "XADD instance_reports * instance_id mt5-%08u state %s cpu_usage %llu memory_usage %llu",
        instance, state_of(i), (unsigned long long)(i % 50 + i / 50 % 2), (unsigned long long)(i % 997));
    redisAppendCommand(w->link, "TIME");
    freeReplyObject(take_reply(w->link));
    w->pending[instance] = i + 1;
    start_sample(w, take_time_of_entry(w));
}

static bool has_event(const redisReply *events, const char *instance, const char *state)
{
    for (size_t i = 0; i < events->elements; i++) {
        const redisReply *fields = events->element[i]->element[1];
        bool is_of_instance = false, is_of_state = false;
        for (size_t f = 0; f + 1 < fields->elements; f += 2) {
            const char *name = fields->element[f]->str, *value = fields->element[f + 1]->str;
            is_of_instance |= strcmp(name, "instance_id") == 0 && strcmp(value, instance) == 0;
            is_of_state |= strcmp(name, "to") == 0 && strcmp(value, state) == 0;
        }
        if (is_of_instance && is_of_state)
            return true;
    }
    return false;
}

static void look_at_instance(struct watcher *w, const char *id, int64_t at_ns)
{
    unsigned instance = (unsigned)strtoul(id + strlen("mt5-"), NULL, 10) % INSTANCES;
    uint64_t number = w->pending[instance];
    if (!number)
        return;
    const char *wanted = state_of(number - 1);
    redisAppendCommand(w->link, "HGET instance:%s state", id);
    redisAppendCommand(w->link, "SISMEMBER instance:state:%s %s", wanted, id);
    redisAppendCommand(w->link, "XREVRANGE instance_events + - COUNT %llu", (unsigned long long)w->burst);
    redisReply *state = take_reply(w->link), *member = take_reply(w->link), *events = take_reply(w->link);
    if (state->str && strcmp(state->str, wanted) == 0) {
        if (!member->integer || !has_event(events, id, wanted))
            fail("the hash of %s is seen without its set or its event", id);
        w->pending[instance] = 0;
        end_sample(w, number - 1, at_ns);
    }
    freeReplyObject(state);
    freeReplyObject(member);
    freeReplyObject(events);
}

static void look_at_reports(struct watcher *w, const redisReply *told, int64_t at_ns)
{
    const redisReply *keys = told->elements == 3 ? told->element[2] : NULL;
    for (size_t i = 0; keys && i < keys->elements; i++)
        if (strncmp(keys->element[i]->str, "instance:mt5-", 13) == 0)
            look_at_instance(w, keys->element[i]->str + strlen("instance:"), at_ns);
}

/* ---- a peer ---- */

static void read_on(struct watcher *w)
{
    redisAppendCommand(w->told, "XREADGROUP GROUP peer one NOACK COUNT 100 BLOCK 0 STREAMS bench:peer >");
    int is_done = 0;
    while (!is_done)
        if (redisBufferWrite(w->told, &is_done) != REDIS_OK)
            fail("%s", w->told->errstr);
}

static void prepare_peer(struct watcher *w)
{
    freeReplyObject(checked(w->link, redisCommand(w->link, "DEL bench:peer")));
    freeReplyObject(checked(w->link, redisCommand(w->link, "XGROUP CREATE bench:peer peer $ MKSTREAM")));
    read_on(w);
}

/* The answer to XADD is of no interest, and is taken when the next one comes. */
static void start_peer(struct watcher *w)
{
    for (; w->answers_outstanding; w->answers_outstanding--)
        freeReplyObject(take_reply(w->link));
    start_sample(w, now_ns());
    redisAppendCommand(w->link, "XADD bench:peer MAXLEN ~ 1000 * number %llu text some-order",
                       (unsigned long long)(w->started - 1));
    int is_done = 0;
    while (!is_done)
        if (redisBufferWrite(w->link, &is_done) != REDIS_OK)
            fail("%s", w->link->errstr);
    w->answers_outstanding = 1;
}

static void look_at_peer(struct watcher *w, const redisReply *read, int64_t at_ns)
{
    if (read->type != REDIS_REPLY_ARRAY)
        fail("the reader was answered something else");
    const redisReply *entries = read->element[0]->element[1];
    for (size_t i = 0; i < entries->elements; i++)
        end_sample(w, w->ended, at_ns);
    read_on(w);
}

/* ---- all ---- */

struct subject {
    const char *name;
    clockid_t clock; /* Redis' own, where it says when something began */
    void (*prepare)(struct watcher *w);
    void (*start)(struct watcher *w);
    void (*look)(struct watcher *w, const redisReply *told, int64_t at_ns);
};

static const struct subject subjects[] = {
    {"signals", CLOCK_REALTIME, prepare_signals, start_signal, look_at_signals},
    {"reports", CLOCK_REALTIME, ask_to_be_told, start_report, look_at_reports},
    {"peer", CLOCK_MONOTONIC, prepare_peer, start_peer, look_at_peer},
};

static void take_what_is_told(struct watcher *w, const struct subject *subject)
{
    int64_t at_ns = clock_ns(subject->clock);
    if (redisBufferRead(w->told) != REDIS_OK)
        fail("%s", w->told->errstr);
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(w->told, &reply) != REDIS_OK)
            fail("%s", w->told->errstr);
        if (!reply)
            return;
        subject->look(w, checked(w->told, reply), at_ns);
        freeReplyObject(reply);
    }
}

static void run(struct watcher *w, const struct subject *subject)
{
    int64_t began_ns = now_ns(),
            end_ns = began_ns + (int64_t)w->count * w->every_ns + DEADLINE_S * 1000000000LL;
    while (w->ended < w->count) {
        int64_t at_ns = now_ns(), due_ns = began_ns + (int64_t)w->started * w->every_ns;
        if (at_ns > end_ns)
            fail("%llu of %llu were seen", (unsigned long long)w->ended, (unsigned long long)w->count);
        int64_t wait_ns = w->started == w->count ? 100000000 : due_ns > at_ns ? due_ns - at_ns : 0;
        struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
        struct pollfd told = {.fd = w->told->fd, .events = POLLIN};
        if (ppoll(&told, 1, &wait, NULL) > 0)
            take_what_is_told(w, subject);
        else if (w->started < w->count && now_ns() >= due_ns)
            subject->start(w);
    }
}

static const struct subject *subject_named(const char *name)
{
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
        if (strcmp(subjects[i].name, name) == 0)
            return &subjects[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct watcher w = {0};
    uint64_t every_us = 0;
    const struct subject *subject = argc == 5 ? subject_named(argv[2]) : NULL;
    if (!subject || !number_parse_u64(slice_text(argv[3]), 10000000, &w.count) ||
        !number_parse_u64(slice_text(argv[4]), 10000000, &every_us)) {
        (void)fputs("usage: bench_latency SOCKET signals|reports|peer COUNT EVERY_US\n", stderr);
        return 64;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1000UL); /* ns: it is to come when it is due */
    w.every_ns = (int64_t)every_us * 1000;
    w.samples = calloc(w.count, sizeof(*w.samples));
    w.link = connect_to(argv[1]);
    w.told = connect_to(argv[1]);
    subject->prepare(&w);
    run(&w, subject);
    for (uint64_t i = 0; i < w.count; i++)
        printf("%lld %lld\n", (long long)w.samples[i].began_ns,
               (long long)(w.samples[i].ended_ns - w.samples[i].began_ns));
    redisFree(w.link);
    redisFree(w.told);
    free(w.samples);
    free(w.ids);
    return 0;
}
