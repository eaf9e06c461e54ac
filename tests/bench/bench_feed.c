/* The load of `scripts/bench scaling --validate`, with as little of a core as it can be had for: a producer
 * that writes what is due each millisecond in one call, an executor that reads, answers and acknowledges at
 * once, agents that report one by one, and a watcher that waits for the journal's entries, whose coming is
 * the moment at which the signals named there are gone.
 *
 * bench_feed SOCKET SIGNALS_PER_S REPORTS_PER_S INSTANCES SECONDS prints, in µs of the monotonic clock,
 * - `sent NUMBER COUNT AT THOUGHT`: COUNT results, the last one that of signal NUMBER, THOUGHT after their
 *   signals had come;
 * - `gone NUMBER AT`: the journal says that signal NUMBER has ended;
 * - `waited MEAN`: from being woken until the executor had a core.
 *
 * An answer is complete when it has as many lines as its head says; no value has a newline in it but the
 * journal's, which ends with one. */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TICK_US     1000
#define READ_COUNT  250
#define ENTRY_LINES 24 /* of a signal of five fields, in the answer to XREADGROUP */
#define BUFFER      ((size_t)4 << 20)
#define RECORDS     2000000

struct record {
    uint64_t number, count;
    int64_t at_us, thought_us;
};

struct worker {
    pthread_t thread;
    int fd;
    char *in, *out;
    size_t in_len, out_len;
    struct record *records;
    size_t record_count;
};

static const char *socket_path;
static double signals_per_s, reports_per_s;
static unsigned instances;
static int64_t end_us;
static double waited_us;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until_us(int64_t at_us)
{
    struct timespec t = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void worker_init(struct worker *w)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    int send_bytes = 4 << 20;

    w->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    /* A call is handed over as a whole where that is allowed: who writes does not wait for Redis to read. */
    if (w->fd >= 0 && setsockopt(w->fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes)) < 0)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
    if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("bench_feed: connect");
    w->in = malloc(BUFFER);
    w->out = malloc(BUFFER);
    w->records = malloc(RECORDS * sizeof(*w->records));
    if (!w->in || !w->out || !w->records)
        fail("bench_feed: malloc");
}

static void note(struct worker *w, struct record record)
{
    if (w->record_count < RECORDS)
        w->records[w->record_count++] = record;
}

__attribute__((format(printf, 2, 3))) static void add(struct worker *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(w->out + w->out_len, BUFFER - w->out_len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= BUFFER - w->out_len)
        fail("bench_feed: a call larger than the buffer");
    w->out_len += (size_t)len;
}

static void send_all(struct worker *w)
{
    for (size_t at = 0; at < w->out_len;) {
        ssize_t n = send(w->fd, w->out + at, w->out_len - at, MSG_NOSIGNAL);
        if (n <= 0)
            fail("bench_feed: send");
        at += (size_t)n;
    }
    w->out_len = 0;
}

/* Adds what has come to `in`, and returns how many lines that was. */
static size_t receive(struct worker *w)
{
    ssize_t n = recv(w->fd, w->in + w->in_len, BUFFER - w->in_len - 1, 0);
    size_t lines = 0;

    if (n <= 0)
        fail("bench_feed: recv");
    for (const char *at = w->in + w->in_len, *stop = at + n; (at = memchr(at, '\n', (size_t)(stop - at)));
         at++)
        lines++;
    w->in_len += (size_t)n;
    w->in[w->in_len] = '\0';
    return lines;
}

static void take_lines(struct worker *w, size_t lines)
{
    while (lines > 0) {
        w->in_len = 0;
        lines -= receive(w);
    }
}

static void add_signal(struct worker *w, uint64_t number)
{
    add(w,
        "*13\r\n$4\r\nXADD\r\n$13\r\ntrade_signals\r\n$1\r\n*\r\n$9\r\nsignal_id\r\n$16\r\nsignal-%09llu\r\n"
        "$6\r\naction\r\n$3\r\nbuy\r\n$11\r\ninstance_id\r\n$5\r\nmt5-7\r\n$6\r\nsymbol\r\n$6\r\nEURUSD\r\n"
        "$8\r\nlot_size\r\n$4\r\n0.10\r\n",
        (unsigned long long)number);
}

static void add_result(struct worker *w, uint64_t number)
{
    add(w,
        "*13\r\n$4\r\nXADD\r\n$13\r\ntrade_results\r\n$1\r\n*\r\n$9\r\nresult_id\r\n$16\r\nresult-%09llu\r\n"
        "$9\r\nsignal_id\r\n$16\r\nsignal-%09llu\r\n$6\r\nstatus\r\n$8\r\nexecuted\r\n$8\r\nslippage\r\n$"
        "3\r\n0.1\r\n"
        "$14\r\nexecution_time\r\n$4\r\n12.5\r\n",
        (unsigned long long)number, (unsigned long long)number);
}

/* Does not wait for answers: they are read, and thrown away, by the thread beside it. */
static void *discard(void *ctx)
{
    char buffer[1 << 16];

    while (recv(((struct worker *)ctx)->fd, buffer, sizeof(buffer), 0) > 0)
        continue;
    return NULL;
}

static void *produce(void *ctx)
{
    struct worker *w = ctx;
    pthread_t answers;
    uint64_t number = 0;
    double carried = 0;

    if (pthread_create(&answers, NULL, discard, w) != 0)
        fail("bench_feed: thread");
    for (int64_t due = now_us(); due < end_us; due += TICK_US) {
        carried += signals_per_s * TICK_US / 1e6;
        uint64_t count = (uint64_t)carried;
        carried -= (double)count;
        while (count-- > 0)
            add_signal(w, number++);
        sleep_until_us(due);
        send_all(w);
    }
    shutdown(w->fd, SHUT_RDWR);
    pthread_join(answers, NULL);
    return NULL;
}

static void *report(void *ctx)
{
    struct worker *w = ctx;
    uint64_t sent = 0;
    int64_t began = now_us(), due = began;

    if (reports_per_s <= 0)
        return NULL;
    for (; due < end_us; due = began + (int64_t)((double)++sent * 1e6 / reports_per_s)) {
        char id[32];
        int len = snprintf(id, sizeof(id), "mt5-%llu", (unsigned long long)(sent % instances));
        add(w,
            "*19\r\n$4\r\nXADD\r\n$16\r\ninstance_reports\r\n$1\r\n*\r\n$11\r\ninstance_id\r\n$%d\r\n%s\r\n"
            "$9\r\nbroker_id\r\n$2\r\nb1\r\n$5\r\nstate\r\n$7\r\nrunning\r\n$9\r\ncpu_usage\r\n$4\r\n12.%"
            "llu\r\n"
            "$12\r\nmemory_usage\r\n$5\r\n512.5\r\n$12\r\nmemory_limit\r\n$4\r\n2048\r\n$12\r\nload_"
            "average\r\n$4\r\n0.45\r\n"
            "$18\r\nsocket_connections\r\n$1\r\n4\r\n",
            len, id, (unsigned long long)(sent / instances % 10));
        sleep_until_us(due);
        send_all(w);
        take_lines(w, 2);
    }
    return NULL;
}

/* Reads one answer to XREAD or XREADGROUP, which has LINES lines for each entry of its one stream, and
 * returns how many it has. */
static size_t take_entries(struct worker *w, size_t lines_each)
{
    size_t lines = 0, entries = 0;

    w->in_len = 0;
    for (;;) {
        lines += receive(w);
        if (lines == 1 && strncmp(w->in, "*-1", 3) == 0)
            return 0;
        const char *name = lines >= 5 ? strstr(w->in, "\n$") : NULL;
        const char *count = name ? strstr(name, "\n*") : NULL;
        if (count)
            entries = strtoul(count + 2, NULL, 10);
        if (entries > 0 && lines >= 5 + entries * lines_each && w->in[w->in_len - 1] == '\n' &&
            w->in[w->in_len - 2] == '\r')
            return entries;
    }
}

static double waited(void)
{
    char path[64], text[128] = "";
    unsigned long long ran, was_waiting, turns = 1;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/schedstat", syscall(SYS_gettid));
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof(text), file))
        fail("bench_feed: schedstat");
    (void)fclose(file);
    if (sscanf(text, "%llu %llu %llu", &ran, &was_waiting, &turns) != 3 || turns == 0)
        return 0;
    return (double)was_waiting / 1e3 / (double)turns;
}

static void *execute(void *ctx)
{
    struct worker *w = ctx;

    while (now_us() < end_us + 500000) {
        add(w,
            "*11\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$9\r\nexecutors\r\n$3\r\none\r\n$5\r\nCOUNT\r\n$"
            "3\r\n%d\r\n"
            "$5\r\nBLOCK\r\n$3\r\n100\r\n$7\r\nSTREAMS\r\n$13\r\ntrade_signals\r\n$1\r\n>\r\n",
            READ_COUNT);
        send_all(w);
        size_t count = take_entries(w, ENTRY_LINES), found = 0;
        int64_t came_us = now_us();
        if (count == 0)
            continue;
        uint64_t number = 0;
        for (const char *at = w->in; found < count && (at = strstr(at, "signal-")); at++, found++) {
            number = strtoull(at + 7, NULL, 10);
            add_result(w, number);
        }
        add(w, "*%zu\r\n$4\r\nXACK\r\n$13\r\ntrade_signals\r\n$9\r\nexecutors\r\n", 3 + count);
        const char *at = strstr(w->in, "\n*2\r\n$");
        at = at ? strstr(at + 1, "\n*2\r\n$") : NULL; /* the first is that of the stream */
        for (size_t i = 0; i < count && at; i++, at = strstr(at, "\n*2\r\n$")) {
            at = strstr(at + 6, "\n") + 1;
            size_t len = strcspn(at, "\r");
            add(w, "$%zu\r\n%.*s\r\n", len, (int)len, at);
        }
        int64_t sent_us = now_us();
        note(w, (struct record){number, count, sent_us, sent_us - came_us});
        send_all(w);
        take_lines(w, 2 * count + 1);
    }
    waited_us = waited();
    return NULL;
}

static void *watch(void *ctx)
{
    struct worker *w = ctx;
    char last[32] = "$";

    while (now_us() < end_us + 500000) {
        add(w,
            "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$3\r\n100\r\n$7\r\nSTREAMS\r\n$17\r\nmt5stated:journal\r\n$%"
            "zu\r\n%s\r\n",
            strlen(last), last);
        send_all(w);
        size_t entries = take_entries(w, 8);
        int64_t at_us = now_us();
        const char *ended = NULL;
        for (const char *at = w->in; entries > 0 && (at = strstr(at, "E P signal-")); at++)
            ended = at;
        if (ended)
            note(w, (struct record){strtoull(ended + 11, NULL, 10), 0, at_us, 0});
        for (const char *at = w->in; entries > 0 && (at = strstr(at, "\r\n*2\r\n$")); at += 2) {
            const char *id = strchr(at + 7, '\n') + 1;
            size_t len = strcspn(id, "\r");
            if (len < sizeof(last) && strspn(id, "0123456789-") == len)
                (void)snprintf(last, sizeof(last), "%.*s", (int)len, id);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static void *(*const jobs[])(void *) = {watch, execute, report, produce};
    enum { WATCH, EXECUTE, JOBS = sizeof(jobs) / sizeof(*jobs) };
    static struct worker workers[JOBS];

    if (argc != 6) {
        (void)fputs("usage: bench_feed SOCKET SIGNALS_PER_S REPORTS_PER_S INSTANCES SECONDS\n", stderr);
        return 64;
    }
    socket_path = argv[1];
    signals_per_s = strtod(argv[2], NULL);
    reports_per_s = strtod(argv[3], NULL);
    instances = (unsigned)strtoul(argv[4], NULL, 10);
    end_us = now_us() + (int64_t)(strtod(argv[5], NULL) * 1e6);
    for (size_t i = 0; i < JOBS; i++) {
        worker_init(&workers[i]);
        if (pthread_create(&workers[i].thread, NULL, jobs[i], &workers[i]) != 0)
            fail("bench_feed: thread");
    }
    for (size_t i = 0; i < JOBS; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < workers[EXECUTE].record_count; i++) {
        const struct record *r = &workers[EXECUTE].records[i];
        printf("sent %llu %llu %lld %lld\n", (unsigned long long)r->number, (unsigned long long)r->count,
               (long long)r->at_us, (long long)r->thought_us);
    }
    for (size_t i = 0; i < workers[WATCH].record_count; i++)
        printf("gone %llu %lld\n", (unsigned long long)workers[WATCH].records[i].number,
               (long long)workers[WATCH].records[i].at_us);
    printf("waited %.1f\n", waited_us);
    return 0;
}
