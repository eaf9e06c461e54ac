/* The notifications against a socket of ours in the manager's place. */
#include "adapters/systemd.h"

#include "adapters/loop.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct manager {
    int fd;
    char address[64]; /* as in $NOTIFY_SOCKET */
    char path[64];
    char got[256];
    struct loop *loop;
    struct systemd *systemd;
    struct loop_timer *poll;
    const char *wanted; /* the loop is stopped once it has come this often */
    int wanted_left;
};

static void listen_at(struct manager *m, const char *address)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", address);
    size_t len = offsetof(struct sockaddr_un, sun_path) + strlen(address);
    if (address[0] == '@')
        at.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&at, (socklen_t)len), 0);
}

static bool receive(struct manager *m)
{
    ssize_t len = recv(m->fd, m->got, sizeof m->got - 1, 0);
    m->got[len > 0 ? len : 0] = '\0';
    return len >= 0;
}

static void assert_next(struct manager *m, const char *message)
{
    assert_true(receive(m));
    assert_string_equal(m->got, message);
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

/* Runs the loop until nothing is due at once. */
static void turn(struct manager *m)
{
    struct loop_timer *timer = loop_timer_new(m->loop, stop_loop, m->loop);
    loop_timer_set(timer, 1);
    assert_int_equal(loop_run(m->loop), 0);
    loop_timer_free(timer);
}

static void on_poll(void *ctx)
{
    struct manager *m = ctx;
    while (receive(m))
        if (strncmp(m->got, m->wanted, strlen(m->wanted)) == 0 && --m->wanted_left == 0)
            loop_stop(m->loop);
    loop_timer_set(m->poll, 1);
}

static void wait_for(struct manager *m, const char *message, int times)
{
    m->wanted = message;
    m->wanted_left = times;
    m->poll = loop_timer_new(m->loop, on_poll, m);
    loop_timer_set(m->poll, 1);
    assert_int_equal(loop_run(m->loop), 0);
    loop_timer_free(m->poll);
}

static int setup(void **state)
{
    struct manager *m = calloc(1, sizeof *m);
    assert_non_null(m);
    (void)snprintf(m->address, sizeof m->address, "@mt5-test-%d", getpid());
    listen_at(m, m->address);
    assert_int_equal(setenv("NOTIFY_SOCKET", m->address, 1), 0);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    m->loop = loop_new();
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct manager *m = *state;
    systemd_free(m->systemd);
    loop_free(m->loop);
    (void)close(m->fd);
    if (m->path[0])
        (void)unlink(m->path);
    free(m);
    return unsetenv("NOTIFY_SOCKET");
}

static void test_start_says_ready_with_the_first_turn(void **state)
{
    struct manager *m = *state;
    m->systemd = systemd_new(m->loop, NULL);
    systemd_start(m->systemd);
    assert_false(receive(m));
    turn(m);
    assert_next(m, "READY=1");
    assert_false(receive(m));
}

static void test_a_socket_may_be_a_path(void **state)
{
    struct manager *m = *state;
    (void)close(m->fd);
    (void)snprintf(m->path, sizeof m->path, "/tmp/mt5-notify-%d.sock", getpid());
    listen_at(m, m->path);
    assert_int_equal(setenv("NOTIFY_SOCKET", m->path, 1), 0);
    m->systemd = systemd_new(m->loop, NULL);
    systemd_start(m->systemd);
    turn(m);
    assert_next(m, "READY=1");
}

static void test_status_is_told_where_it_differs(void **state)
{
    struct manager *m = *state;
    m->systemd = systemd_new(m->loop, NULL);
    systemd_tell_status(m->systemd, "connecting");
    systemd_tell_status(m->systemd, "connecting");
    systemd_tell_status(m->systemd, "ready");
    assert_next(m, "STATUS=connecting");
    assert_next(m, "STATUS=ready");
    assert_false(receive(m));
}

static void test_a_reload_is_told_with_its_time(void **state)
{
    struct manager *m = *state;
    m->systemd = systemd_new(m->loop, NULL);
    int64_t before_us = loop_now_us();
    systemd_tell_reloading(m->systemd);
    systemd_tell_reloaded(m->systemd);
    systemd_tell_stopping(m->systemd);
    assert_true(receive(m));
    long long at_us = 0;
    assert_int_equal(sscanf(m->got, "RELOADING=1\nMONOTONIC_USEC=%lld", &at_us), 1);
    assert_in_range(at_us, before_us, loop_now_us());
    assert_next(m, "READY=1");
    assert_next(m, "STOPPING=1");
}

static void test_the_watchdog_is_fed_again_and_again(void **state)
{
    struct manager *m = *state;
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%d", getpid());
    assert_int_equal(setenv("WATCHDOG_USEC", "20000", 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    m->systemd = systemd_new(m->loop, NULL);
    systemd_start(m->systemd);
    int64_t before_us = loop_now_us();
    wait_for(m, "WATCHDOG=1", 4);
    assert_true(loop_now_us() - before_us >= 3 * 10000); /* half of it each time, and no more often */
}

/* A timer that is due before the manager's time is up, and was set later, comes behind it. */
static void test_the_watchdog_is_fed_in_time(void **state)
{
    struct manager *m = *state;
    struct loop_timer *timer = loop_timer_new(m->loop, stop_loop, m->loop);
    assert_int_equal(setenv("WATCHDOG_USEC", "400000", 1), 0);
    m->systemd = systemd_new(m->loop, NULL);
    systemd_start(m->systemd);
    turn(m);
    loop_timer_set(timer, 300);
    assert_int_equal(loop_run(m->loop), 0);
    assert_next(m, "READY=1");
    assert_next(m, "WATCHDOG=1");
    assert_next(m, "WATCHDOG=1");
    loop_timer_free(timer);
}

static void test_the_watchdog_of_another_is_left_alone(void **state)
{
    static const struct {
        const char *usec, *pid;
    } rows[] = {{NULL, NULL}, {"0", NULL}, {"-5", NULL}, {"x", NULL}, {"1000", "1"}, {"1000", "x"}};
    struct manager *m = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)unsetenv("WATCHDOG_USEC");
        (void)unsetenv("WATCHDOG_PID");
        if (rows[i].usec)
            assert_int_equal(setenv("WATCHDOG_USEC", rows[i].usec, 1), 0);
        if (rows[i].pid)
            assert_int_equal(setenv("WATCHDOG_PID", rows[i].pid, 1), 0);
        struct systemd *s = systemd_new(m->loop, NULL);
        systemd_start(s);
        turn(m);
        assert_next(m, "READY=1");
        assert_false(receive(m));
        systemd_free(s);
    }
}

static void test_what_is_not_taken_is_sent_later_in_order(void **state)
{
    struct manager *m = *state;
    m->systemd = systemd_new(m->loop, NULL);
    int sent = 0;
    struct sockaddr_un at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(m->fd, (struct sockaddr *)&at, &len), 0);
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The kernel holds a few datagrams for a reader that does not come. */
    while (sendto(other, "fill", 4, 0, (struct sockaddr *)&at, len) == 4)
        sent++;
    (void)close(other);
    assert_true(sent > 0);
    systemd_tell_status(m->systemd, "loading");
    systemd_tell_status(m->systemd, "ready");
    while (sent-- > 0)
        assert_next(m, "fill");
    assert_false(receive(m));
    wait_for(m, "STATUS=ready", 1);
    systemd_tell_stopping(m->systemd);
    assert_next(m, "STOPPING=1");
}

static void test_without_anybody_to_tell_nothing_happens(void **state)
{
    static const char *const addresses[] = {
        NULL,
        "",
        "relative",
        "/",
        "@",
        "/nowhere/at/all",
        "/123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678",
    };
    struct manager *m = *state;
    assert_int_equal(setenv("WATCHDOG_USEC", "2000", 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        (void)unsetenv("NOTIFY_SOCKET");
        if (addresses[i])
            assert_int_equal(setenv("NOTIFY_SOCKET", addresses[i], 1), 0);
        struct systemd *s = systemd_new(m->loop, NULL);
        systemd_start(s);
        turn(m);
        for (int k = 0; k < 100; k++)
            systemd_tell_reloading(s);
        systemd_free(s);
        assert_false(receive(m));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_says_ready_with_the_first_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_socket_may_be_a_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_is_told_where_it_differs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reload_is_told_with_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_watchdog_is_fed_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_watchdog_is_fed_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_watchdog_of_another_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_taken_is_sent_later_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_anybody_to_tell_nothing_happens, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
