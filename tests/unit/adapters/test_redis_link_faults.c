/* The link against servers that do not behave: each is a listener in this process that answers as a test
 * says. */
#include "redis_fixture.h"

#include "util/macros.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sys/un.h>

struct fake {
    struct fixture f;
    struct evconnlistener *listener;
    struct bufferevent *peer; /* the newest connection */
    const char *greeting;     /* sent at once to who connects */
    size_t greeting_len;
    const char *answer; /* sent for each read */
    bool closes;        /* after the greeting or the answer */
    int connects;
    char received[4096]; /* by the newest connection */
    size_t received_len;
};

static void close_peer(struct fake *t)
{
    if (t->peer)
        bufferevent_free(t->peer);
    t->peer = NULL;
}

static void on_fake_written(struct bufferevent *peer, void *ctx)
{
    struct fake *t = ctx;

    if (t->closes && peer == t->peer)
        close_peer(t);
}

static void on_fake_read(struct bufferevent *peer, void *ctx)
{
    struct fake *t = ctx;
    size_t room = sizeof(t->received) - 1 - t->received_len;
    size_t n = evbuffer_get_length(bufferevent_get_input(peer));

    n = evbuffer_remove(bufferevent_get_input(peer), t->received + t->received_len, n < room ? n : room) < 0
            ? 0
            : n;
    t->received_len += n < room ? n : room;
    t->received[t->received_len] = '\0';
    if (t->answer)
        (void)bufferevent_write(peer, t->answer, strlen(t->answer));
}

static void on_fake_event(struct bufferevent *peer, short what, void *ctx)
{
    struct fake *t = ctx;

    UNUSED(what);
    if (peer == t->peer)
        close_peer(t);
}

static void on_fake_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                           int len, void *ctx)
{
    struct fake *t = ctx;

    UNUSED(listener);
    UNUSED(addr);
    UNUSED(len);
    t->connects++;
    close_peer(t);
    t->received_len = 0;
    if (t->closes && !t->greeting && !t->answer) {
        (void)close(fd);
        return;
    }
    t->peer = bufferevent_socket_new(loop_event_base(t->f.loop), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(t->peer, on_fake_read, on_fake_written, on_fake_event, t);
    if (t->greeting)
        (void)bufferevent_write(t->peer, t->greeting, t->greeting_len);
    (void)bufferevent_enable(t->peer, EV_READ | EV_WRITE);
}

static void init_fake(struct fake *t)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    memset(t, 0, sizeof(*t));
    fixture_init(&t->f);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", t->f.socket_path);
    t->listener = evconnlistener_new_bind(loop_event_base(t->f.loop), on_fake_accept, t,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
                                          (struct sockaddr *)&addr, sizeof(addr));
    assert_non_null(t->listener);
}

static void greet(struct fake *t, const char *greeting)
{
    t->greeting = greeting;
    t->greeting_len = strlen(greeting);
}

static void say(struct fake *t, const char *text)
{
    assert_non_null(t->peer);
    assert_int_equal(bufferevent_write(t->peer, text, strlen(text)), 0);
}

static void clear_fake(struct fake *t)
{
    redis_link_free(t->f.link);
    t->f.link = NULL;
    close_peer(t);
    evconnlistener_free(t->listener);
    fixture_clear(&t->f);
}

/* A link that is up, with a server that is silent from then on. */
static void init_up(struct fake *t)
{
    init_fake(t);
    greet(t, "+OK\r\n");
    fixture_start_link(&t->f);
    WAIT(&t->f, redis_link_is_up(t->f.link) && t->received_len > 0);
    t->received_len = 0;
}

static void test_hostile_bytes_end_the_handshake(void **state)
{
    static const struct {
        const char *greeting, *reason;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n", "protocol error: "},
        {"\r\n", "protocol error: "},
        {"$-2\r\n", ""},
        {"$99999999999999999999\r\n", "protocol error: "},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "protocol error: "},
        {"*-5\r\n", ""},
        {"*2000000000\r\n", "protocol error: reply too large"}, /* room for which is 16 GB */
        {":5\r\n", "CLIENT SETNAME: not an answer of Redis"},
        {"*2\r\n+a\r\n+b\r\n", "CLIENT SETNAME: not an answer of Redis"},
        {"$-1\r\n", "CLIENT SETNAME: not an answer of Redis"},
        {"-NOAUTH Authentication required.\r\n", "refused: NOAUTH"},
        {"-DENIED Redis is running in protected mode\r\n", "refused: DENIED"},
        {"-ERR max number of clients reached\r\n", "refused: ERR max number of clients reached"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake t;

        init_fake(&t);
        greet(&t, rows[i].greeting);
        t.f.options.connect_timeout_ms = 500;
        fixture_start_link(&t.f);
        WAIT(&t.f, t.f.downs >= 2);
        assert_int_equal(t.f.ups, 0);
        assert_non_null(strstr(t.f.reason, rows[i].reason));
        clear_fake(&t);
    }
}

static void test_a_reason_given_before_closing_is_heard(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    greet(&t, "-ERR max number of clients reached\r\n");
    t.closes = true;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs >= 20);
    assert_non_null(strstr(t.f.reason, "max number of clients"));
    clear_fake(&t);
}

static void test_loading_does_not_keep_the_link_down(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    greet(&t, "-LOADING Redis is loading the dataset in memory\r\n");
    fixture_start_link(&t.f);
    WAIT(&t.f, redis_link_is_up(t.f.link));
    clear_fake(&t);
}

static void test_repeated_password_is_not_told(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.f.options.endpoint.password = "hunter2";
    greet(&t, "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n");
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs > 0);
    assert_non_null(strstr(t.f.reason, "AUTH refused"));
    assert_null(strstr(t.f.reason, "hunter2"));
    clear_fake(&t);
}

static void test_handshake_is_sent_as_commands(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.f.options.endpoint.username = "u";
    t.f.options.endpoint.password = "p w";
    t.f.options.endpoint.db = 12;
    t.f.options.client_name = "n";
    fixture_start_link(&t.f);
    WAIT(&t.f, t.received_len > 60);
    assert_string_equal(t.received, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$3\r\np w\r\n"
                                    "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"
                                    "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nn\r\n");
    say(&t, "+OK\r\n+OK\r\n");
    fixture_run_for(&t.f, 20);
    assert_int_equal(t.f.ups, 0);
    say(&t, "+OK\r\n");
    WAIT(&t.f, t.f.ups == 1);
    clear_fake(&t);
}

static void test_silent_server_is_given_up_in_the_handshake(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.f.options.connect_timeout_ms = 60;
    t.f.options.endpoint.password = "p";
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs == 2);
    assert_string_equal(t.f.reason, "no answer to AUTH within 60 ms");
    clear_fake(&t);
}

static void test_dripping_handshake_is_given_up(void **state)
{
    struct fake t;
    int64_t begin_ms;

    UNUSED(state);
    init_fake(&t);
    t.f.options.connect_timeout_ms = 200;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.received_len > 0);
    begin_ms = loop_now_ms();
    say(&t, "+");
    while (t.f.downs == 0) {
        say(&t, "O");
        fixture_turn(&t.f);
        assert_true(loop_now_ms() - begin_ms < WAIT_MS);
    }
    assert_string_equal(t.f.reason, "no answer to CLIENT SETNAME within 200 ms");
    clear_fake(&t);
}

static void test_answers_in_odd_pieces_are_put_together(void **state)
{
    static const char answers[] =
        "$5\r\nhe\r\no\r\n:42\r\n*2\r\n$1\r\na\r\n*1\r\n$-1\r\n-ERR no\r\n+last\r\n";
    struct fake t;

    UNUSED(state);
    for (size_t piece = 1; piece < sizeof(answers); piece += piece < 8 ? 1 : 7) {
        init_up(&t);
        for (int i = 0; i < 5; i++)
            assert_int_equal(fixture_send(&t.f, "X", 0), 0);
        for (size_t at = 0; at < sizeof(answers) - 1; at += piece) {
            size_t len = sizeof(answers) - 1 - at < piece ? sizeof(answers) - 1 - at : piece;

            assert_int_equal(bufferevent_write(t.peer, answers + at, len), 0);
            fixture_turn(&t.f);
        }
        WAIT(&t.f, t.f.answers == 5);
        assert_string_equal(t.f.last, "last");
        assert_int_equal(t.f.downs, 0);
        clear_fake(&t);
    }
}

static void test_commands_of_one_turn_leave_together(void **state)
{
    struct fake t;

    UNUSED(state);
    init_up(&t);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture_send(&t.f, "A b", 0), 0);
    WAIT(&t.f, t.received_len > 0);
    assert_string_equal(
        t.received, "*2\r\n$1\r\nA\r\n$1\r\nb\r\n*2\r\n$1\r\nA\r\n$1\r\nb\r\n*2\r\n$1\r\nA\r\n$1\r\nb\r\n");
    clear_fake(&t);
}

static void test_unasked_and_broken_replies_end_the_link(void **state)
{
    static const struct {
        const char *bytes, *reason;
        int answers;
    } rows[] = {
        {"+OK\r\n+OK\r\n", "protocol error: a reply that nothing asked for", 1},
        {"+OK\r\nxyz\r\n", "protocol error: Protocol error, got \"x\"", 1},
        {"garbage", "protocol error: Protocol error, got \"g\"", 0},
        {"*2\r\n+a\r\n!\r\n", "protocol error: Protocol error, got \"!\"", 0},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake t;

        init_up(&t);
        assert_int_equal(fixture_send(&t.f, "PING", 0), 0);
        say(&t, rows[i].bytes);
        WAIT(&t.f, t.f.downs == 1);
        assert_int_equal(t.f.answers, rows[i].answers);
        assert_int_equal(t.f.unknown, 1 - rows[i].answers);
        assert_non_null(strstr(t.f.reason, rows[i].reason));
        WAIT(&t.f, t.f.ups == 2);
        clear_fake(&t);
    }
}

/* Of many parts: what it becomes in memory is far more than its bytes. */
static void test_reply_beyond_the_bound_ends_the_link(void **state)
{
    static const char parts[] = ":1000000\r\n:1000000\r\n:1000000\r\n:1000000\r\n";
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.f.options.reply_max_bytes = 4096;
    greet(&t, "+OK\r\n");
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.ups == 1);
    assert_int_equal(fixture_send(&t.f, "X", 0), 0);
    say(&t, "*1024\r\n");
    for (size_t sent = 0; sent < 2 * 4096; sent += sizeof(parts) - 1)
        say(&t, parts);
    WAIT(&t.f, t.f.downs == 1);
    assert_string_equal(t.f.reason, "protocol error: reply too large");
    assert_int_equal(t.f.unknown, 1);
    clear_fake(&t);
}

/* Arrays in arrays: none is too long by itself. */
static void test_reply_that_announces_too_much_ends_the_link(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.f.options.reply_max_bytes = 4096;
    greet(&t, "+OK\r\n");
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.ups == 1);
    assert_int_equal(fixture_send(&t.f, "X", 0), 0);
    say(&t, "*1000\r\n*1000\r\n");
    WAIT(&t.f, t.f.downs == 1);
    assert_string_equal(t.f.reason, "protocol error: reply too large");
    clear_fake(&t);
}

static void *make_nothing(const redisReadTask *task, char *text, size_t len)
{
    UNUSED(task);
    UNUSED(text);
    UNUSED(len);
    return "";
}

static void test_greeting_with_more_behind_it_ends_the_link(void **state)
{
    static const redisReplyObjectFunctions functions = {.createString = make_nothing};
    static const redisReplyObjectFunctions *const rows[] = {NULL, &functions};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake t;

        init_fake(&t);
        t.f.options.reply_functions = rows[i];
        greet(&t, "+OK\r\n+surprise\r\n");
        fixture_start_link(&t.f);
        WAIT(&t.f, t.f.downs_after_up == 1);
        assert_string_equal(t.f.reason, "protocol error: a reply that nothing asked for");
        clear_fake(&t);
    }
}

static void test_server_that_closes_at_once_is_not_flooded(void **state)
{
    static const char *const greetings[] = {NULL, "+OK\r\n"}; /* before and after it is up */

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
        struct fake t;

        init_fake(&t);
        t.closes = true;
        if (greetings[i])
            greet(&t, greetings[i]);
        t.f.options.reconnect_min_ms = 10;
        t.f.options.reconnect_max_ms = 160;
        fixture_start_link(&t.f);
        fixture_run_for(&t.f, 1000);
        /* 10, 10-20, 20-40, 40-80, then 80 to 160 each */
        assert_in_range(t.connects, 5, 17);
        assert_true(t.f.downs >= t.connects - 1);
        clear_fake(&t);
    }
}

static void test_backoff_begins_again_after_a_link_that_held(void **state)
{
    struct fake t;
    int64_t begin_ms;
    int downs;

    UNUSED(state);
    init_fake(&t);
    t.closes = true;
    t.f.options.reconnect_min_ms = 1;
    t.f.options.reconnect_max_ms = 300;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs == 10); /* now it waits 150 to 300 ms */
    t.closes = false;
    greet(&t, "+OK\r\n");
    WAIT(&t.f, t.f.ups == 1);
    fixture_run_for(&t.f, 320);
    downs = t.f.downs;
    begin_ms = loop_now_ms();
    close_peer(&t);
    WAIT(&t.f, t.f.ups == 2);
    assert_int_equal(t.f.downs, downs + 1);
    assert_true(loop_now_ms() - begin_ms < 150);
    clear_fake(&t);
}

static void test_set_backoff_changes_the_next_delay(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.closes = true;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs == 3);
    redis_link_set_backoff(t.f.link, 100000, 200000);
    WAIT(&t.f, t.f.downs == 4);
    fixture_run_for(&t.f, 200);
    assert_int_equal(t.f.downs, 4);
    clear_fake(&t);
}

static void test_hurry_ends_the_waiting_of_who_could_not_connect(void **state)
{
    struct fake t;

    UNUSED(state);
    init_fake(&t);
    t.closes = true;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs == 3);
    redis_link_set_backoff(t.f.link, 100000, 200000);
    WAIT(&t.f, t.f.downs == 4);
    t.closes = false;
    greet(&t, "+OK\r\n");
    redis_link_hurry(t.f.link);
    WAIT(&t.f, t.f.ups == 1);
    /* Who was up is not hurried: two that are sent away at once would keep each other awake. */
    close_peer(&t);
    WAIT(&t.f, t.f.downs == 5);
    redis_link_hurry(t.f.link);
    fixture_run_for(&t.f, 200);
    assert_int_equal(t.f.ups, 1);
    clear_fake(&t);
}

static void test_dripping_answer_is_overdue_all_the_same(void **state)
{
    struct fake t;
    int64_t begin_ms;

    UNUSED(state);
    init_fake(&t);
    greet(&t, "+OK\r\n");
    t.f.options.command_timeout_ms = 150;
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.ups == 1 && t.peer);
    assert_int_equal(fixture_send(&t.f, "GET k", 0), 0);
    begin_ms = loop_now_ms();
    say(&t, "$1000000\r\n");
    for (int turn = 0; t.f.downs == 0; turn++) {
        if (turn % 10 == 0)
            say(&t, "x");
        fixture_turn(&t.f);
    }
    assert_in_range(loop_now_ms() - begin_ms, 150, 5000);
    assert_int_equal(t.f.unknown, 1);
    clear_fake(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_bytes_end_the_handshake),
        cmocka_unit_test(test_a_reason_given_before_closing_is_heard),
        cmocka_unit_test(test_loading_does_not_keep_the_link_down),
        cmocka_unit_test(test_repeated_password_is_not_told),
        cmocka_unit_test(test_handshake_is_sent_as_commands),
        cmocka_unit_test(test_silent_server_is_given_up_in_the_handshake),
        cmocka_unit_test(test_dripping_handshake_is_given_up),
        cmocka_unit_test(test_answers_in_odd_pieces_are_put_together),
        cmocka_unit_test(test_commands_of_one_turn_leave_together),
        cmocka_unit_test(test_unasked_and_broken_replies_end_the_link),
        cmocka_unit_test(test_reply_beyond_the_bound_ends_the_link),
        cmocka_unit_test(test_reply_that_announces_too_much_ends_the_link),
        cmocka_unit_test(test_greeting_with_more_behind_it_ends_the_link),
        cmocka_unit_test(test_server_that_closes_at_once_is_not_flooded),
        cmocka_unit_test(test_backoff_begins_again_after_a_link_that_held),
        cmocka_unit_test(test_set_backoff_changes_the_next_delay),
        cmocka_unit_test(test_hurry_ends_the_waiting_of_who_could_not_connect),
        cmocka_unit_test(test_dripping_answer_is_overdue_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
