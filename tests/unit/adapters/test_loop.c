/* The loop against the real kernel: timers, signals, stopping, name look-ups. */
#include "adapters/loop.h"

#include "util/macros.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct probe {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_signal *handler;
    struct loop_lookup *lookup;
    int64_t at_us;
    int calls;
    size_t count;
    char first[INET6_ADDRSTRLEN];
    char error[128];
};

static void stop_loop(void *ctx)
{
    loop_stop(((struct probe *)ctx)->loop);
}

static void note_call(void *ctx)
{
    struct probe *p = ctx;

    p->calls++;
    p->at_us = loop_now_us();
    loop_stop(p->loop);
}

static void free_own_timer(void *ctx)
{
    struct probe *p = ctx;

    loop_timer_free(p->timer);
    p->timer = NULL;
    note_call(p);
}

static void free_own_signal(void *ctx)
{
    struct probe *p = ctx;

    loop_signal_free(p->handler);
    p->handler = NULL;
    note_call(p);
}

static void test_timer_fires_never_early(void **state)
{
    UNUSED(state);
    for (int64_t delay_ms = 0; delay_ms < 12; delay_ms++) {
        struct probe p = {.loop = loop_new()};

        p.timer = loop_timer_new(p.loop, note_call, &p);
        assert_false(loop_timer_is_set(p.timer));

        int64_t begin_us = loop_now_us();

        loop_timer_set(p.timer, delay_ms);
        assert_true(loop_timer_is_set(p.timer));
        assert_int_equal(loop_run(p.loop), 0);
        assert_int_equal(p.calls, 1);
        assert_true(p.at_us - begin_us >= delay_ms * 1000);
        assert_false(loop_timer_is_set(p.timer));
        loop_timer_free(p.timer);
        loop_free(p.loop);
    }
}

static void test_timers_that_are_aligned_share_their_moment(void **state)
{
    struct loop *loop = loop_new();
    struct probe p = {.loop = loop};
    int64_t begin_us = loop_now_us();

    UNUSED(state);
    p.timer = loop_timer_new(loop, note_call, &p);
    for (int64_t delay_ms = 0; delay_ms < 100; delay_ms++) {
        int64_t due_us = loop_timer_set_aligned(p.timer, delay_ms, 20);

        assert_int_equal(due_us % 20000, 0);
        assert_true(due_us > begin_us && due_us > begin_us + (delay_ms - 20) * 1000);
        assert_true(due_us <= loop_now_us() + (delay_ms < 20 ? 20 : delay_ms) * 1000);
    }

    int64_t due_us = loop_timer_set_aligned(p.timer, 20, 20);

    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(p.calls, 1);
    assert_true(p.at_us >= due_us);
    loop_timer_free(p.timer);
    loop_free(loop);
}

static void test_timer_of_a_busy_loop_fires_never_early(void **state)
{
    struct probe p = {.loop = loop_new()};

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, note_call, &p);
    for (int round = 1; round <= 60; round++) {
        int64_t delay_ms = round % 12 + 1;
        int64_t begin_us = loop_now_us();

        loop_timer_set(p.timer, delay_ms);
        while (p.calls < round) /* turns without waiting, as with other events */
            assert_true(event_base_loop(loop_event_base(p.loop), EVLOOP_NONBLOCK) >= 0);
        assert_true(p.at_us - begin_us >= delay_ms * 1000);
    }
    loop_timer_free(p.timer);
    loop_free(p.loop);
}

static void work_long(void *ctx)
{
    int64_t begin_us = loop_now_us();

    UNUSED(ctx);
    while (loop_now_us() - begin_us < 300000)
        continue;
}

static void test_timer_is_not_late_by_the_work_of_others(void **state)
{
    struct probe p = {.loop = loop_new()};
    struct loop_timer *worker = loop_timer_new(p.loop, work_long, NULL);
    int64_t begin_us = loop_now_us();

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, note_call, &p);
    loop_timer_set(worker, 0);
    loop_timer_set(p.timer, 250);
    assert_int_equal(loop_run(p.loop), 0);
    assert_in_range(p.at_us - begin_us, 300000, 500000);
    loop_timer_free(worker);
    loop_timer_free(p.timer);
    loop_free(p.loop);
}

static void test_timer_set_replaces_earlier_delay(void **state)
{
    struct probe p = {.loop = loop_new()}, end = {.loop = p.loop};
    struct loop_timer *last = loop_timer_new(p.loop, stop_loop, &end);

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, note_call, &p);
    loop_timer_set(p.timer, 1);
    loop_timer_set(p.timer, 600000);
    loop_timer_set(last, 20);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 0);
    loop_timer_set(p.timer, -5);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 1);
    loop_timer_free(p.timer);
    loop_timer_free(last);
    loop_free(p.loop);
}

static void test_timer_stop_prevents_call(void **state)
{
    struct probe p = {.loop = loop_new()}, end = {.loop = p.loop};
    struct loop_timer *last = loop_timer_new(p.loop, stop_loop, &end);

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, note_call, &p);
    loop_timer_set(p.timer, 1);
    loop_timer_stop(p.timer);
    loop_timer_stop(p.timer);
    assert_false(loop_timer_is_set(p.timer));
    loop_timer_set(last, 20);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 0);
    loop_timer_free(p.timer);
    loop_timer_free(last);
    loop_free(p.loop);
}

static void test_timer_may_be_freed_in_its_callback(void **state)
{
    struct probe p = {.loop = loop_new()};

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, free_own_timer, &p);
    loop_timer_set(p.timer, 0);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 1);
    assert_null(p.timer);
    loop_free(p.loop);
}

/* Bytes came in front of the timer's moment and behind it, before the loop looked. */
struct order_probe {
    struct loop *loop;
    struct loop_timer *timer;
    int received, received_before_timer;
    bool goes_on; /* the timer sets itself */
};

static void on_bytes(evutil_socket_t fd, short what, void *arg)
{
    struct order_probe *p = arg;
    char byte;

    UNUSED(what);
    assert_int_equal(read(fd, &byte, 1), 1);
    if (++p->received == 2)
        loop_stop(p->loop);
}

static void note_order(void *ctx)
{
    struct order_probe *p = ctx;

    p->received_before_timer = p->received;
    if (p->goes_on)
        loop_timer_set(p->timer, 0);
    else
        loop_stop(p->loop);
}

static void receive_beside_timer(struct order_probe *p)
{
    struct event *readable[2];
    int pipes[2][2];
    int64_t due_ms;

    p->loop = loop_new();
    p->timer = loop_timer_new(p->loop, note_order, p);
    due_ms = loop_now_ms() + 5;
    loop_timer_set(p->timer, p->goes_on ? 0 : 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        readable[i] = event_new(loop_event_base(p->loop), pipes[i][0], EV_READ | EV_PERSIST, on_bytes, p);
        assert_int_equal(event_add(readable[i], NULL), 0);
    }
    assert_int_equal(write(pipes[0][1], "x", 1), 1);
    while (loop_now_ms() <= due_ms)
        ; /* the timer is due when both are read */
    assert_int_equal(write(pipes[1][1], "x", 1), 1);
    if (!p->goes_on) /* so that both are read and the loop goes on to the timer */
        p->received = -2;
    assert_int_equal(loop_run(p->loop), 0);
    for (int i = 0; i < 2; i++) {
        event_free(readable[i]);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    loop_timer_free(p->timer);
    loop_free(p->loop);
}

/* After a halt an answer that is there is read before it is judged to be late. */
static void test_timer_fires_behind_what_has_come(void **state)
{
    struct order_probe p = {0};

    UNUSED(state);
    receive_beside_timer(&p);
    assert_int_equal(p.received_before_timer, 0); /* from -2 on */
}

static void test_timer_that_sets_itself_lets_others_go_on(void **state)
{
    struct order_probe p = {.goes_on = true};

    UNUSED(state);
    receive_beside_timer(&p);
    assert_int_equal(p.received, 2);
}

#define CROWD 300

struct crowd {
    struct loop *loop;
    struct loop_timer *timers[CROWD];
    int64_t due_us[CROWD], last_us;
    int fired, next;
    struct crowd_member {
        struct crowd *crowd;
        int number;
    } members[CROWD];
};

/* Each frees itself, and another that has not fired yet now and then. */
static void on_member(void *ctx)
{
    const struct crowd_member *m = ctx;
    struct crowd *c = m->crowd;

    assert_true(c->due_us[m->number] <= loop_now_us());
    assert_true(c->due_us[m->number] + 1000 >= c->last_us); /* in their order, as far as is known here */
    c->last_us = c->due_us[m->number];
    c->fired++;
    loop_timer_free(c->timers[m->number]);
    c->timers[m->number] = NULL;
    for (c->next = (c->next + 7) % CROWD; c->fired % 3 == 0 && c->timers[c->next]; c->fired++) {
        loop_timer_free(c->timers[c->next]);
        c->timers[c->next] = NULL;
    }
    if (c->fired == CROWD)
        loop_stop(c->loop);
}

static void test_timers_in_a_crowd(void **state)
{
    struct crowd c = {.loop = loop_new()};

    UNUSED(state);
    for (int i = 0; i < CROWD; i++) {
        int64_t delay_ms = i * 7919 % 20;

        c.members[i] = (struct crowd_member){&c, i};
        c.timers[i] = loop_timer_new(c.loop, on_member, &c.members[i]);
        loop_timer_set(c.timers[i], 600000);
        loop_timer_stop(c.timers[i]);
        c.due_us[i] = loop_now_us() + delay_ms * 1000;
        loop_timer_set(c.timers[i], delay_ms);
    }
    assert_int_equal(loop_run(c.loop), 0);
    assert_int_equal(c.fired, CROWD);
    for (int i = 0; i < CROWD; i++)
        assert_null(c.timers[i]);
    loop_free(c.loop);
}

static void test_loop_stop_before_run_returns_at_once(void **state)
{
    struct probe p = {.loop = loop_new()};

    UNUSED(state);
    p.timer = loop_timer_new(p.loop, note_call, &p);
    loop_timer_set(p.timer, 0);
    loop_stop(p.loop);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 0);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 1);
    loop_timer_free(p.timer);
    loop_free(p.loop);
}

static void test_signal_reaches_callback(void **state)
{
    struct probe p = {.loop = loop_new()};

    UNUSED(state);
    p.handler = loop_signal_new(p.loop, SIGUSR1, note_call, &p);
    for (int n = 1; n <= 2; n++) {
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
        assert_int_equal(loop_run(p.loop), 0);
        assert_int_equal(p.calls, n);
    }
    loop_signal_free(p.handler);
    p.handler = loop_signal_new(p.loop, SIGUSR1, free_own_signal, &p);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(loop_run(p.loop), 0);
    assert_null(p.handler);
    loop_free(p.loop);
}

static void test_signal_new_refuses_impossible_number(void **state)
{
    struct loop *loop = loop_new();

    UNUSED(state);
    assert_null(loop_signal_new(loop, SIGKILL, stop_loop, NULL));
    assert_int_equal(errno, EINVAL);
    loop_free(loop);
}

static void test_loop_new_ignores_broken_pipes(void **state)
{
    struct loop *loop = loop_new();
    int ends[2];

    UNUSED(state);
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(ends[1]);
    loop_free(loop);
}

static void note_addresses(void *ctx, const struct loop_address *addresses, size_t count, const char *error)
{
    struct probe *p = ctx;

    p->count = count;
    if (count > 0) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)addresses[0].addr;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addresses[0].addr;
        const void *bytes =
            v4->sin_family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;

        assert_non_null(inet_ntop(v4->sin_family, bytes, p->first, sizeof(p->first)));
        assert_int_equal(ntohs(v4->sin_port), 6379);
        assert_null(error);
    } else {
        (void)strncpy(p->error, error, sizeof(p->error) - 1);
    }
    note_call(p);
}

static void free_own_lookup(void *ctx, const struct loop_address *addresses, size_t count, const char *error)
{
    struct probe *p = ctx;

    note_addresses(ctx, addresses, count, error);
    loop_lookup_free(p->lookup);
    p->lookup = NULL;
}

static void test_lookup_gives_numeric_addresses_as_they_are(void **state)
{
    static const char *const rows[] = {"127.0.0.1", "10.1.2.3", "::1", "2001:db8::7"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe p = {.loop = loop_new()};

        p.lookup = loop_lookup_new(p.loop, rows[i], 6379, 1000, free_own_lookup, &p);
        assert_int_equal(p.calls, 0); /* never from inside the call */
        assert_int_equal(loop_run(p.loop), 0);
        assert_int_equal(p.count, 1);
        assert_string_equal(p.first, rows[i]);
        loop_free(p.loop);
    }
}

static void test_lookup_honours_hosts_file(void **state)
{
    struct probe p = {.loop = loop_new()};

    UNUSED(state);
    p.lookup = loop_lookup_new(p.loop, "localhost", 6379, 1000, note_addresses, &p);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 1);
    assert_true(p.count > 0);
    loop_lookup_free(p.lookup);
    loop_free(p.loop);
}

static void test_lookup_of_unknown_name_ends_within_its_time(void **state)
{
    struct probe p = {.loop = loop_new()};
    int64_t begin_us = loop_now_us();

    UNUSED(state);
    p.lookup = loop_lookup_new(p.loop, "no-such-host.invalid", 6379, 300, free_own_lookup, &p);
    assert_int_equal(loop_run(p.loop), 0);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.count, 0);
    assert_true(strlen(p.error) > 0);
    assert_true(loop_now_us() - begin_us < 5000000);
    loop_free(p.loop);
}

static void test_lookup_free_prevents_call_and_leaks_nothing(void **state)
{
    static const char *const rows[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        struct probe p = {.loop = loop_new()}, end = {.loop = p.loop};
        struct loop_timer *last = loop_timer_new(p.loop, stop_loop, &end);

        p.lookup = loop_lookup_new(p.loop, rows[i / 2], 6379, 200, note_addresses, &p);
        loop_lookup_free(p.lookup);
        if (i % 2 == 0) {
            loop_timer_set(last, 30);
            assert_int_equal(loop_run(p.loop), 0);
        }
        assert_int_equal(p.calls, 0);
        loop_timer_free(last);
        loop_free(p.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_fires_never_early),
        cmocka_unit_test(test_timers_that_are_aligned_share_their_moment),
        cmocka_unit_test(test_timer_of_a_busy_loop_fires_never_early),
        cmocka_unit_test(test_timer_is_not_late_by_the_work_of_others),
        cmocka_unit_test(test_timer_set_replaces_earlier_delay),
        cmocka_unit_test(test_timer_stop_prevents_call),
        cmocka_unit_test(test_timer_may_be_freed_in_its_callback),
        cmocka_unit_test(test_timer_fires_behind_what_has_come),
        cmocka_unit_test(test_timer_that_sets_itself_lets_others_go_on),
        cmocka_unit_test(test_timers_in_a_crowd),
        cmocka_unit_test(test_loop_stop_before_run_returns_at_once),
        cmocka_unit_test(test_signal_reaches_callback),
        cmocka_unit_test(test_signal_new_refuses_impossible_number),
        cmocka_unit_test(test_loop_new_ignores_broken_pipes),
        cmocka_unit_test(test_lookup_gives_numeric_addresses_as_they_are),
        cmocka_unit_test(test_lookup_honours_hosts_file),
        cmocka_unit_test(test_lookup_of_unknown_name_ends_within_its_time),
        cmocka_unit_test(test_lookup_free_prevents_call_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
