/* Where the server listens, and what happens when it cannot, or when descriptors run out. */
#include "http_support.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct client connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    assert_true(c.fd >= 0);
    (void)strcpy(address.sun_path, path);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
    return c;
}

static void make_path(char *path, size_t room)
{
    char directory[] = "/tmp/mt5-http-XXXXXX";

    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, room, "%s/http.sock", directory);
}

static void remove_directory_of(char *path)
{
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

/* Leaves a socket at PATH that nobody listens on. */
static void make_stale_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)strcpy(address.sun_path, path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(fd), 0);
}

static void test_http_listen_unix(void **state)
{
    struct fixture *f = fixture_new();
    struct stat status;
    struct client c;
    char path[64];

    UNUSED(state);
    make_path(path, sizeof(path));
    make_stale_socket(path);
    f->options.host = path;
    f->options.is_unix = true;
    fixture_serve(f);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_true(http_server_is_loopback(f->server));
    assert_int_equal(http_server_port(f->server), 0);
    c = connect_unix(path);
    client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "path=/p local=1");
    client_close(&c);
    fixture_free(f);
    assert_int_equal(lstat(path, &status), -1);
    remove_directory_of(path);
}

static int serve(struct fixture *f, struct errmsg *why)
{
    struct http_server *server = NULL;
    int error;

    f->options.handler = on_request;
    f->options.ctx = f;
    error = http_server_new(f->loop, &f->options, &server, why);
    if (!error)
        http_server_free(server);
    else
        assert_null(server);
    return error;
}

static void test_http_listen_unix_refusals(void **state)
{
    struct fixture *f = fixture_new(), *other = fixture_new();
    struct errmsg why;
    char path[64], long_path[200];
    int fd;

    UNUSED(state);
    make_path(path, sizeof(path));
    f->options.host = other->options.host = path;
    f->options.is_unix = other->options.is_unix = true;

    fixture_serve(f);
    assert_int_equal(serve(other, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, path));
    assert_non_null(strstr(why.text, "in use"));
    assert_int_equal(access(path, F_OK), 0);
    http_server_free(f->server);
    f->server = NULL;

    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(serve(other, &why), -EADDRINUSE);
    assert_int_equal(unlink(path), 0);

    other->options.host = "/nonexistent/http.sock";
    assert_int_equal(serve(other, &why), -ENOENT);
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    other->options.host = long_path;
    assert_int_equal(serve(other, &why), -ENAMETOOLONG);
    fixture_free(f);
    fixture_free(other);
    remove_directory_of(path);
}

/* Somebody else's socket at our path stays where it is. */
static void test_http_listen_unix_replaced(void **state)
{
    struct fixture *f = fixture_new();
    char path[64];

    UNUSED(state);
    make_path(path, sizeof(path));
    f->options.host = path;
    f->options.is_unix = true;
    fixture_serve(f);
    assert_int_equal(unlink(path), 0);
    make_stale_socket(path);
    fixture_free(f);
    assert_int_equal(unlink(path), 0);
    remove_directory_of(path);
}

static void test_http_listen_tcp_refusals(void **state)
{
    struct fixture *f = fixture_new_serving(), *other = fixture_new();
    struct errmsg why;

    UNUSED(state);
    assert_true(http_server_is_loopback(f->server));
    other->options.port = http_server_port(f->server);
    assert_int_equal(serve(other, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, "127.0.0.1 port "));
    assert_non_null(strstr(why.text, "in use"));
    other->options.host = "192.0.2.1";
    assert_int_equal(serve(other, &why), -EADDRNOTAVAIL);
    other->options.host = "no such name";
    assert_true(serve(other, &why) < 0);
    assert_non_null(strstr(why.text, "no such name"));
    assert_int_equal(serve(other, NULL), serve(other, &why));
    fixture_free(f);
    fixture_free(other);
}

static void test_http_listen_again_at_once(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, " end\n");
    f->options.port = http_server_port(f->server);
    http_server_free(f->server); /* closes first, so the port is in TIME_WAIT */
    fixture_serve(f);
    assert_int_equal(http_server_port(f->server), f->options.port);
    client_close(&c);
    fixture_free(f);
}

static void test_http_listen_ipv6(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct fixture *f = fixture_new();
    struct client c = {.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct errmsg why;

    UNUSED(state);
    f->options.host = "::1";
    f->options.handler = on_request;
    f->options.ctx = f;
    if (c.fd < 0 || http_server_new(f->loop, &f->options, &f->server, &why)) {
        print_message("no IPv6 here: %s\n", c.fd < 0 ? "" : why.text);
        client_close(&c);
        fixture_free(f);
        skip();
        return;
    }
    assert_true(http_server_is_loopback(f->server));
    address.sin6_port = htons(http_server_port(f->server));
    assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "path=/p local=1");
    client_close(&c);
    fixture_free(f);
}

static void test_http_listen_everywhere_is_no_loopback(void **state)
{
    struct fixture *f = fixture_new();
    struct client c;

    UNUSED(state);
    f->options.host = "0.0.0.0";
    fixture_serve(f);
    assert_false(http_server_is_loopback(f->server));
    c = client_connect(f);
    client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "local=1");
    client_close(&c);
    fixture_free(f);
}

static int64_t cpu_ms(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* With no descriptor left a client is sent away at once, the others are served, and nothing spins. */
static void test_http_out_of_descriptors(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client served = client_connect(f), extra[3];
    struct rlimit before, limit;
    int64_t started_cpu_ms;
    int highest;

    UNUSED(state);
    client_send(f, &served, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &served, " end\n");
    for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
        extra[i] = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
        assert_true(extra[i].fd >= 0);
    }
    highest = dup(0);
    assert_true(highest >= 0);
    assert_int_equal(close(highest), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)highest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    started_cpu_ms = cpu_ms();
    for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};

        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(connect(extra[i].fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
        assert_int_equal(fcntl(extra[i].fd, F_SETFL, O_NONBLOCK), 0);
        expect_end(f, &extra[i]);
    }
    run_for(f, 300);
    assert_in_range(cpu_ms() - started_cpu_ms, 0, 250);
    assert_int_equal(http_server_stats(f->server).out_of_files, ARRAY_LEN(extra));
    client_send(f, &served, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &served, "path=/again");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < ARRAY_LEN(extra); i++)
        client_close(&extra[i]);
    extra[0] = client_connect(f);
    client_send(f, &extra[0], "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &extra[0], " end\n");
    client_close(&extra[0]);
    client_close(&served);
    fixture_free(f);
}

/* Nobody connected, nothing due: no turn of the loop, whatever happened before. */
static void test_http_idle_server_does_nothing(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    int64_t started_cpu_ms;

    UNUSED(state);
    client_send(f, &c, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(f, 20);
    client_send(f, &c, "more");
    run_for(f, 20);
    started_cpu_ms = cpu_ms();
    f->is_done = never;
    f->give_up_ms = 0;
    loop_timer_set(f->tick, 400);
    assert_int_equal(loop_run(f->loop), 0);
    assert_in_range(cpu_ms() - started_cpu_ms, 0, 40);
    client_close(&c);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_listen_unix),
        cmocka_unit_test(test_http_listen_unix_refusals),
        cmocka_unit_test(test_http_listen_unix_replaced),
        cmocka_unit_test(test_http_listen_tcp_refusals),
        cmocka_unit_test(test_http_listen_again_at_once),
        cmocka_unit_test(test_http_listen_ipv6),
        cmocka_unit_test(test_http_listen_everywhere_is_no_loopback),
        cmocka_unit_test(test_http_out_of_descriptors),
        cmocka_unit_test(test_http_idle_server_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
