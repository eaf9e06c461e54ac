/* Answers that are made while they are sent: they come whole, nothing is made ahead of who does not take it,
 * and the end is always told. */
#include "http_support.h"

#define ANSWERS   4 /* that a test keeps */
#define PARTS     9 /* of an answer, and a small one behind */
#define STILL_MS  20
#define GET_PARTS "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n"

struct answers {
    struct fixture *f;
    struct loop_timer *timer;
    struct http_parts *open[ANSWERS];
    struct http_request *suspended;
    size_t made[ANSWERS]; /* bytes */
    size_t part_bytes, bytes;
    size_t count, closed;
    size_t awaited;          /* count, where one is waited for */
    bool is_late;            /* parts are made from the timer */
    struct http_parts *late; /* for whom; NULL: nobody */
    bool is_never;           /* parts are not made at all */
    struct buf part;
};

static size_t number_of(const struct answers *a, const struct http_parts *parts)
{
    size_t i = 0;

    while (a->open[i] != parts)
        i++;
    return i;
}

static void make_part(struct answers *a, struct http_parts *parts)
{
    size_t *made = &a->made[number_of(a, parts)];
    size_t part = a->bytes - *made < a->part_bytes ? a->bytes - *made : a->part_bytes;

    if (part > 0) {
        char *out = buf_reserve(&a->part, part);

        for (size_t i = 0; i < part; i++)
            out[i] = (char)('a' + (*made + i) % 26);
        a->part.len = part;
        *made += part;
        http_parts_send(parts, &a->part);
        assert_int_equal(a->part.len, 0);
    }
    if (*made == a->bytes)
        http_parts_end(parts);
}

static void on_wanted(void *ctx, struct http_parts *parts)
{
    struct answers *a = ctx;

    if (!a->is_late && !a->is_never) {
        make_part(a, parts);
        return;
    }
    a->late = parts;
    if (!a->is_never)
        loop_timer_set(a->timer, 1);
}

static void on_late(void *ctx)
{
    struct answers *a = ctx;

    if (a->late)
        make_part(a, a->late);
    a->late = NULL;
}

static void on_closed(void *ctx, struct http_parts *parts)
{
    struct answers *a = ctx;

    a->open[number_of(a, parts)] = NULL;
    if (a->late == parts)
        a->late = NULL;
    a->closed++;
}

static void answer_parts(struct answers *a, struct http_request *request)
{
    static const struct http_parts_events events = {on_wanted, on_closed};
    static const struct http_header header = {"X-Parts", "yes"};
    struct http_parts *parts = http_parts_new(request, "text/plain", &header, 1, &events, a);

    assert_true(a->count < ANSWERS);
    a->open[a->count++] = parts;
}

static void on_parts_cancelled(void *ctx, struct http_request *request)
{
    struct answers *a = ctx;

    assert_ptr_equal(a->suspended, request);
    a->suspended = NULL;
}

static void on_parts_request(void *ctx, struct http_request *request)
{
    struct answers *a = ctx;

    if (slice_is(http_request_path(request), "/later")) {
        http_request_suspend(request, on_parts_cancelled, a);
        a->suspended = request;
    } else if (slice_is(http_request_path(request), "/parts")) {
        answer_parts(a, request);
    } else {
        on_request(a->f, request);
    }
}

static struct answers *answers_new(int64_t send_ms)
{
    struct answers *a = mem_new(1, sizeof(*a));
    struct errmsg why = {""};

    a->f = fixture_new();
    a->timer = loop_timer_new(a->f->loop, on_late, a);
    a->part_bytes = 100000;
    a->bytes = (size_t)8 << 20; /* more than the buffers of both sides */
    a->f->options.handler = on_parts_request;
    a->f->options.ctx = a;
    a->f->options.send_ms = send_ms;
    if (http_server_new(a->f->loop, &a->f->options, &a->f->server, &why))
        fail_msg("%s", why.text);
    return a;
}

static void answers_free(struct answers *a)
{
    size_t open = a->count - a->closed;

    http_server_free(a->f->server);
    a->f->server = NULL;
    assert_int_equal(a->closed, a->count);
    assert_in_range(open, 0, a->count);
    loop_timer_free(a->timer);
    fixture_free(a->f);
    buf_clear(&a->part);
    free(a);
}

static bool all_are_closed(struct fixture *f, void *arg)
{
    const struct answers *a = arg;

    UNUSED(f);
    return a->closed == a->count;
}

static bool has_no_connections(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).connections == 0;
}

/* Its answer is under way and stands still: its client takes nothing, or the next part is not there. */
static bool stands_still(struct fixture *f, void *arg)
{
    const struct answers *a = arg;
    const struct http_parts *last = a->count == a->awaited ? a->open[a->count - 1] : NULL;

    UNUSED(f);
    return last && (a->late == last || http_parts_waiting_ms(last) >= STILL_MS);
}

/* From now on parts that are late never come. */
static void ask_and_stand_still(struct answers *a, struct client *c)
{
    a->awaited = a->count + 1;
    assert_int_equal(send(c->fd, GET_PARTS, strlen(GET_PARTS), 0), strlen(GET_PARTS));
    assert_true(run_until(a->f, stands_still, a, PATIENCE_MS));
    loop_timer_stop(a->timer);
}

static bool has_suspended(struct fixture *f, void *arg)
{
    UNUSED(f);
    return ((struct answers *)arg)->suspended != NULL;
}

/* The body of a whole answer in chunks, put together. */
static struct buf body_of(struct buf *in)
{
    struct buf body = BUF_INIT;
    const char *at = strstr(buf_text(in), "\r\n\r\n");

    assert_non_null(at);
    for (at += 4;;) {
        char *line;
        size_t size = strtoul(at, &line, 16);

        assert_memory_equal(line, "\r\n", 2);
        if (size == 0)
            return body;
        buf_add(&body, line + 2, size);
        at = line + 2 + size + 2;
    }
}

static void assert_body(struct answers *a, struct client *c)
{
    struct buf body = body_of(&c->in);

    assert_int_equal(body.len, a->bytes);
    for (size_t i = 0; i < body.len; i++) {
        if (body.data[i] != (char)('a' + i % 26))
            fail_msg("byte %zu is another", i);
    }
    buf_clear(&body);
}

/* Looks at the end only: an answer here has megabytes. */
static bool has_last_chunk(struct fixture *f, void *arg)
{
    static const char last[] = "\r\n0\r\n\r\n";
    struct client *c = arg;
    size_t len = sizeof(last) - 1;

    UNUSED(f);
    client_read(c);
    return c->in.len >= len && memcmp(c->in.data + c->in.len - len, last, len) == 0;
}

static void expect_last_chunk(struct answers *a, struct client *c)
{
    if (!run_until(a->f, has_last_chunk, c, PATIENCE_MS))
        fail_msg("no end behind %zu bytes", c->in.len);
}

static void get_whole(struct answers *a, struct client *c)
{
    client_send(a->f, c, GET_PARTS);
    expect_last_chunk(a, c);
    expect(a->f, c, "X-Parts: yes\r\n");
    assert_body(a, c);
    buf_reset(&c->in, 0);
}

static void test_http_parts_come_whole(void **state)
{
    static const size_t sizes[] = {1, 77, 60000, 131072};
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int late = 0; late < 2; late++) {
            a->is_late = late;
            a->part_bytes = sizes[i];
            a->bytes = sizes[i] * PARTS + 13;
            a->count = a->closed = 0;
            memset(a->made, 0, sizeof(a->made));
            get_whole(a, &c); /* on one connection */
            assert_true(run_until(a->f, all_are_closed, a, PATIENCE_MS));
        }
    }
    assert_int_equal(http_server_stats(a->f->server).answer_bytes, 0);
    client_close(&c);
    answers_free(a);
}

static void test_http_parts_without_a_body(void **state)
{
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);

    UNUSED(state);
    a->bytes = 0;
    get_whole(a, &c);
    client_close(&c);
    answers_free(a);
}

/* No byte behind the head: a client would take it for the beginning of the next answer. */
static void test_http_parts_of_which_the_head_is_wanted(void **state)
{
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);

    UNUSED(state);
    client_send(a->f, &c, "HEAD /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_end(a->f, &c);
    assert_non_null(strstr(buf_text(&c.in), "X-Parts: yes\r\n"));
    assert_string_equal(strstr(buf_text(&c.in), "\r\n\r\n"), "\r\n\r\n");
    assert_null(strstr(buf_text(&c.in), "Content-Length"));
    assert_true(run_until(a->f, all_are_closed, a, PATIENCE_MS));
    client_close(&c);
    answers_free(a);
}

static void test_http_parts_after_a_suspension(void **state)
{
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);

    UNUSED(state);
    client_send(a->f, &c, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(run_until(a->f, has_suspended, a, PATIENCE_MS));
    answer_parts(a, a->suspended);
    expect_last_chunk(a, &c);
    assert_body(a, &c);
    client_close(&c);
    answers_free(a);
}

/* A client of HTTP/1.0 knows no chunks: the end of the connection is that of the body. */
static void test_http_parts_for_an_old_client(void **state)
{
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);
    const char *body;

    UNUSED(state);
    client_send(a->f, &c, "GET /parts HTTP/1.0\r\n\r\n");
    expect_end(a->f, &c);
    body = strstr(buf_text(&c.in), "\r\n\r\n") + 4;
    assert_int_equal(c.in.len - (size_t)(body - c.in.data), a->bytes);
    client_close(&c);
    answers_free(a);
}

static void test_http_parts_are_not_made_for_who_takes_nothing(void **state)
{
    struct answers *a = answers_new(0);
    struct client c = client_connect(a->f);
    size_t made;

    UNUSED(state);
    ask_and_stand_still(a, &c);
    made = a->made[0];
    assert_in_range(made, a->part_bytes, a->bytes / 2);
    assert_in_range(http_server_stats(a->f->server).answer_bytes, a->part_bytes, 2 * a->part_bytes);
    run_for(a->f, STILL_MS);
    assert_int_equal(a->made[0], made);
    expect_last_chunk(a, &c);
    assert_body(a, &c);
    client_close(&c);
    answers_free(a);
}

static void test_http_parts_end_where_the_client_goes(void **state)
{
    struct answers *a = answers_new(0);

    UNUSED(state);
    for (int late = 0; late < 2; late++) {
        struct client c = client_connect(a->f);

        a->is_late = late;
        a->count = a->closed = 0;
        ask_and_stand_still(a, &c);
        client_close(&c);
        loop_timer_set(a->timer, 1);
        assert_true(run_until(a->f, all_are_closed, a, PATIENCE_MS));
        memset(a->made, 0, sizeof(a->made));
    }
    assert_true(run_until(a->f, has_no_connections, NULL, PATIENCE_MS));
    assert_int_equal(http_server_stats(a->f->server).answer_bytes, 0);
    answers_free(a);
}

static void test_http_parts_have_a_deadline(void **state)
{
    struct answers *a = answers_new(100);
    struct client c = client_connect(a->f);

    UNUSED(state);
    assert_int_equal(send(c.fd, GET_PARTS, strlen(GET_PARTS), 0), strlen(GET_PARTS));
    assert_true(run_until(a->f, has_no_connections, NULL, PATIENCE_MS));
    assert_int_equal(http_server_stats(a->f->server).expired, 1);
    assert_int_equal(a->closed, 1);
    client_close(&c);
    answers_free(a);
}

/* While it waits for the next part, which never comes, as well as for the client. */
static void test_http_parts_are_cut(void **state)
{
    struct answers *a = answers_new(0);

    UNUSED(state);
    for (int never = 0; never < 2; never++) {
        struct client c = client_connect(a->f);

        a->is_never = never;
        a->count = a->closed = 0;
        memset(a->made, 0, sizeof(a->made));
        ask_and_stand_still(a, &c);
        http_parts_cut(a->open[0]);
        http_parts_cut(a->open[0]); /* is cut once */
        assert_true(run_until(a->f, has_no_connections, NULL, PATIENCE_MS));
        assert_int_equal(a->closed, 1);
        assert_int_equal(http_server_stats(a->f->server).evicted, never + 1);
        client_close(&c);
    }
    answers_free(a);
}

/* Whoever takes the end of the connection for that of the body learns that this one was none. */
static void test_http_parts_that_are_cut_do_not_look_whole(void **state)
{
    struct answers *a = answers_new(0);

    UNUSED(state);
    for (int late = 0; late < 2; late++) {
        struct client c = client_connect(a->f);

        a->is_late = late;
        a->count = a->closed = a->made[0] = 0;
        a->awaited = 1;
        assert_int_equal(send(c.fd, "GET /parts HTTP/1.0\r\n\r\n", 23, 0), 23);
        assert_true(run_until(a->f, stands_still, a, PATIENCE_MS));
        loop_timer_stop(a->timer);
        http_parts_cut(a->open[0]);
        expect_end(a->f, &c);
        assert_true(c.was_reset);
        assert_true(run_until(a->f, has_no_connections, NULL, PATIENCE_MS));
        client_close(&c);
    }
    answers_free(a);
}

/* In every state: waiting for a part, for the client, just cut. */
static void test_http_parts_end_with_the_server(void **state)
{
    struct answers *a = answers_new(0);
    struct client clients[3];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_connect(a->f);
        a->is_never = i != 1;
        ask_and_stand_still(a, &clients[i]);
    }
    http_parts_cut(a->open[2]);
    answers_free(a);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        client_close(&clients[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_parts_come_whole),
        cmocka_unit_test(test_http_parts_without_a_body),
        cmocka_unit_test(test_http_parts_of_which_the_head_is_wanted),
        cmocka_unit_test(test_http_parts_after_a_suspension),
        cmocka_unit_test(test_http_parts_for_an_old_client),
        cmocka_unit_test(test_http_parts_are_not_made_for_who_takes_nothing),
        cmocka_unit_test(test_http_parts_end_where_the_client_goes),
        cmocka_unit_test(test_http_parts_have_a_deadline),
        cmocka_unit_test(test_http_parts_are_cut),
        cmocka_unit_test(test_http_parts_that_are_cut_do_not_look_whole),
        cmocka_unit_test(test_http_parts_end_with_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
