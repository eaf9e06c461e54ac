/* A list of clients, on a server of its own: who comes is told, also at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/http.h"
#include "adapters/loop.h"
#include "app/sse.h"
#include "util/macros.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 5000

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct http_server *server;
    struct sse_list list;
    int fd;
    char in[4096];
    size_t len;
    const char *needle;
    int64_t give_up_ms;
};

static void on_request(void *ctx, struct http_request *request)
{
    struct fixture *f = ctx;
    struct api_call call = {.request = request};

    (void)sse_open(&f->list, &call, sizeof(struct sse));
}

static void on_tick(void *ctx)
{
    struct fixture *f = ctx;
    ssize_t got = recv(f->fd, f->in + f->len, sizeof f->in - 1 - f->len, MSG_DONTWAIT);

    f->len += got > 0 ? (size_t)got : 0;
    f->in[f->len] = '\0';
    if (strstr(f->in, f->needle) || loop_now_ms() > f->give_up_ms)
        loop_stop(f->loop);
    else
        loop_timer_set(f->tick, 1);
}

static void expect(struct fixture *f, const char *needle)
{
    f->needle = needle;
    f->give_up_ms = loop_now_ms() + PATIENCE_MS;
    loop_timer_set(f->tick, 0);
    assert_int_equal(loop_run(f->loop), 0);
    if (!strstr(f->in, needle))
        fail_msg("no %s in: %s", needle, f->in);
}

static void ask(struct fixture *f)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(f->fd, request, sizeof request - 1, 0), sizeof request - 1);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct http_options options = {
        .host = "127.0.0.1", .max_connections = 8, .handler = on_request, .ctx = &f};
    struct errmsg why;

    f = (struct fixture){.loop = loop_new(), .fd = -1};
    assert_non_null(f.loop);
    f.tick = loop_timer_new(f.loop, on_tick, &f);
    sse_list_init(&f.list, f.loop, 4, 1024, NULL);
    assert_int_equal(http_server_new(f.loop, &options, &f.server, &why), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sse_list_clear(&f->list);
    http_server_free(f->server);
    (void)close(f->fd);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    return 0;
}

static void test_sse_client_is_told(void **state)
{
    struct fixture *f = *state;

    ask(f);
    expect(f, "retry: ");
    assert_int_equal(f->list.count, 1);
    assert_true(sse_send(TAILQ_FIRST(&f->list.clients), slice_text("data: 1\n\n")));
    expect(f, "data: 1\n\n");
    sse_list_close(&f->list);
    expect(f, "\r\n0\r\n");
    assert_int_equal(f->list.count, 0);
}

/* The server is freed behind the list, and serves what has come until then. */
static void test_sse_cleared_list_takes_nobody(void **state)
{
    struct fixture *f = *state;

    sse_list_clear(&f->list);
    ask(f);
    expect(f, "HTTP/1.1 503");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sse_client_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sse_cleared_list_takes_nobody, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
