/* A real Redis server of a test's own, a link to it that records what it is told, and waiting for a condition
 * by running the loop. */
#pragma once

#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct redis_link *link;
    struct redis_link_options options;
    char dir[64];
    char socket_path[96];
    pid_t server;

    /* What the link told. */
    int ups, downs, downs_after_up, pushes, answers, unknown;
    char reason[512];
    char last[4096]; /* the last answer as text */
    int last_type;
    char push[512]; /* the last message, its parts joined by spaces */
};

static inline void fixture_on_tick(void *ctx)
{
    (void)ctx;
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->loop = loop_new();
    assert_non_null(f->loop);
    f->tick = loop_timer_new(f->loop, fixture_on_tick, f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/mt5-unit-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/redis.sock", f->dir);
    f->options = (struct redis_link_options){
        .endpoint = {.scheme = REDIS_UNIX,
                     .host = f->socket_path,
                     .username = "",
                     .password = "",
                     .password_file = "",
                     .tls_ca_file = "",
                     .tls_cert_file = "",
                     .tls_key_file = ""},
        .client_name = "unit-test",
        .connect_timeout_ms = 5000,
        .command_timeout_ms = 5000,
        .reconnect_min_ms = 5,
        .reconnect_max_ms = 50,
        .max_inflight = 1000,
        .max_bytes = 1 << 20,
    };
}

/* One turn of the loop, of 2 ms at most. */
static inline void fixture_turn(struct fixture *f)
{
    loop_timer_set(f->tick, 2);
    assert_int_equal(event_base_loop(loop_event_base(f->loop), EVLOOP_ONCE), 0);
}

/* Runs the loop until the condition holds; fails the test where it does not within WAIT_MS. */
#define WAIT(f, condition)                                                                                   \
    do {                                                                                                     \
        int64_t wait_end_ms = loop_now_ms() + WAIT_MS;                                                       \
        while (!(condition)) {                                                                               \
            if (loop_now_ms() > wait_end_ms)                                                                 \
                fail_msg("never came: %s (last reason: %s)", #condition, (f)->reason);                       \
            fixture_turn(f);                                                                                 \
        }                                                                                                    \
    } while (0)

/* Runs the loop for so long: for what must not happen. */
static inline void fixture_run_for(struct fixture *f, int64_t ms)
{
    int64_t end_ms = loop_now_ms() + ms;

    while (loop_now_ms() < end_ms)
        fixture_turn(f);
}

static inline void fixture_file(const struct fixture *f, const char *name, const char *content,
                                char *ret_path)
{
    FILE *file;

    (void)snprintf(ret_path, PATH_MAX, "%s/%s", f->dir, name);
    file = fopen(ret_path, "we");
    assert_non_null(file);
    (void)fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

/* Runs argv in the fixture's folder, its output to a file there. */
static inline pid_t fixture_spawn(const struct fixture *f, char *const argv[])
{
    pid_t parent = getpid();
    pid_t child = fork();

    assert_true(child >= 0);
    if (child > 0)
        return child;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(f->dir) < 0 || !freopen("output.log", "a", stdout) ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        _exit(127);
    (void)execvp(argv[0], argv);
    _exit(127);
}

/* Starts redis-server on the unix socket, with further arguments up to NULL. */
static inline void fixture_start_server(struct fixture *f, char *const more[])
{
    char *argv[40] = {"redis-server",
                      "--unixsocket",
                      f->socket_path,
                      "--save",
                      "",
                      "--appendonly",
                      "no",
                      "--daemonize",
                      "no",
                      "--enable-debug-command",
                      "yes",
                      "--maxmemory-policy",
                      "noeviction"};
    size_t argc = 13;
    bool has_port = false;

    for (size_t i = 0; more && more[i] && argc < 37; i++) {
        has_port = has_port || strcmp(more[i], "--port") == 0;
        argv[argc++] = more[i];
    }
    if (!has_port) {
        argv[argc++] = "--port";
        argv[argc++] = "0";
    }
    f->server = fixture_spawn(f, argv);
}

static inline void fixture_stop_server(struct fixture *f)
{
    if (f->server <= 0)
        return;
    (void)kill(f->server, SIGCONT);
    (void)kill(f->server, SIGKILL);
    assert_int_equal(waitpid(f->server, NULL, 0), f->server);
    f->server = 0;
}

static inline uint16_t fixture_free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    (void)close(fd);
    return ntohs(addr.sin_port);
}

static inline void fixture_on_up(void *ctx)
{
    ((struct fixture *)ctx)->ups++;
}

static inline void fixture_on_down(void *ctx, const char *reason, bool was_up)
{
    struct fixture *f = ctx;

    f->downs++;
    f->downs_after_up += was_up;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static inline void fixture_on_push(void *ctx, const struct redisReply *message)
{
    struct fixture *f = ctx;

    f->pushes++;
    f->push[0] = '\0';
    if (message->type != REDIS_REPLY_ARRAY)
        (void)snprintf(f->push, sizeof(f->push), "%s", message->str);
    for (size_t i = 0; message->type == REDIS_REPLY_ARRAY && i < message->elements; i++) {
        size_t len = strlen(f->push);
        const struct redisReply *part = message->element[i];

        (void)snprintf(f->push + len, sizeof(f->push) - len, "%s%s", i > 0 ? " " : "",
                       part->str ? part->str : "-");
    }
}

static inline void fixture_on_answer(void *ctx, void *reply)
{
    struct fixture *f = ctx;
    const struct redisReply *r = reply;

    if (!r) {
        f->unknown++;
        return;
    }
    f->answers++;
    f->last_type = r->type;
    if (r->type == REDIS_REPLY_INTEGER)
        (void)snprintf(f->last, sizeof(f->last), "%lld", r->integer);
    else
        (void)snprintf(f->last, sizeof(f->last), "%s", r->str ? r->str : "");
}

static inline void fixture_make_link(struct fixture *f)
{
    static const struct redis_link_events events = {fixture_on_up, fixture_on_down, fixture_on_push};

    f->link = redis_link_new(f->loop, &f->options, &events, f);
}

static inline void fixture_start_link(struct fixture *f)
{
    fixture_make_link(f);
    redis_link_start(f->link);
}

/* A server and a link that is up, with the tries made before the server listened forgotten. */
static inline void fixture_connect(struct fixture *f, char *const more[])
{
    fixture_start_server(f, more);
    fixture_start_link(f);
    WAIT(f, redis_link_is_up(f->link));
    f->downs = 0;
}

/* Sends the words of TEXT as a command. */
static inline int fixture_send(struct fixture *f, const char *text, int64_t extra_ms)
{
    struct slice argv[16];
    size_t argc = 0;

    while (*text && argc < 16) {
        size_t len = strcspn(text, " ");

        argv[argc++] = slice_of(text, len);
        text += len;
        text += strspn(text, " ");
    }
    return redis_link_command(f->link, argv, argc, extra_ms, fixture_on_answer, f);
}

/* Sends a command and waits for its answer, which is left in f->last. */
static inline const char *fixture_ask(struct fixture *f, const char *text)
{
    int before = f->answers + f->unknown;

    assert_int_equal(fixture_send(f, text, 0), 0);
    WAIT(f, f->answers + f->unknown > before);
    return f->last;
}

static inline void fixture_clear(struct fixture *f)
{
    char command[128];

    redis_link_free(f->link);
    fixture_stop_server(f);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}
