/* The link against a real Redis server. */
#include "redis_fixture.h"

#include "../../../src/adapters/redis_link_internal.h"

#include "util/macros.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/sds.h>

static void test_command_gives_every_type_of_answer(void **state)
{
    static const struct {
        const char *command;
        int type;
        const char *answer;
    } rows[] = {
        {"SET k v", REDIS_REPLY_STATUS, "OK"},
        {"GET k", REDIS_REPLY_STRING, "v"},
        {"GET missing", REDIS_REPLY_NIL, ""},
        {"INCR n", REDIS_REPLY_INTEGER, "1"},
        {"LRANGE l 0 -1", REDIS_REPLY_ARRAY, ""},
        {"CLIENT GETNAME", REDIS_REPLY_STRING, "unit-test"},
        {"NOSUCH", REDIS_REPLY_ERROR, NULL},
        {"INCR k", REDIS_REPLY_ERROR, NULL},
        {"ECHO still-up", REDIS_REPLY_STRING, "still-up"},
    };
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *answer = fixture_ask(&f, rows[i].command);

        assert_int_equal(f.last_type, rows[i].type);
        if (rows[i].answer)
            assert_string_equal(answer, rows[i].answer);
    }
    assert_int_equal(f.ups, 1);
    fixture_clear(&f);
}

static void test_command_is_refused_while_not_up(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_make_link(&f);
    assert_int_equal(fixture_send(&f, "PING", 0), -ENOTCONN);
    redis_link_start(f.link);
    assert_int_equal(f.downs, 0); /* never from inside a call */
    assert_int_equal(fixture_send(&f, "PING", 0), -ENOTCONN);
    WAIT(&f, f.downs > 2);
    assert_non_null(strstr(f.reason, "redis.sock: No such file or directory"));
    assert_int_equal(f.downs_after_up, 0);

    struct redis_link_stats stats;

    redis_link_get_stats(f.link, &stats);
    assert_int_equal(stats.connects, 0);
    assert_int_equal(stats.connect_failures, f.downs);
    assert_int_equal(stats.losses, 0);
    assert_int_equal(f.answers + f.unknown, 0);
    fixture_start_server(&f, NULL);
    WAIT(&f, f.ups == 1);
    fixture_clear(&f);
}

static void test_command_is_binary_safe(void **state)
{
    static const char bytes[] = "a\0b\r\n$5\r\n*\xff%s\0";
    struct slice set[] = {SLICE("SET"), SLICE("k\0\r\n"), SLICE(bytes)};
    struct slice len[] = {SLICE("STRLEN"), SLICE("k\0\r\n")};
    struct slice empty[] = {SLICE("ECHO"), {NULL, 0}};
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    assert_int_equal(redis_link_command(f.link, set, 3, 0, fixture_on_answer, &f), 0);
    assert_int_equal(redis_link_command(f.link, len, 2, 0, fixture_on_answer, &f), 0);
    assert_int_equal(redis_link_inflight(f.link), 2);
    WAIT(&f, f.answers == 2);
    assert_int_equal(atoi(f.last), sizeof(bytes) - 1);
    assert_int_equal(redis_link_command(f.link, empty, 2, 0, fixture_on_answer, &f), 0);
    WAIT(&f, f.answers == 3);
    assert_string_equal(f.last, "");
    assert_int_equal(redis_link_inflight(f.link), 0);
    fixture_clear(&f);
}

/* 100,000 commands through a link that takes 500 at a time. */
struct pipeline {
    struct fixture *f;
    int sent, answered, refused;
    size_t most;
};

static void fill_pipeline(struct pipeline *p);

static void on_echo(void *ctx, void *reply)
{
    struct pipeline *p = ctx;
    const struct redisReply *r = reply;

    assert_non_null(r);
    assert_int_equal(atoi(r->str), p->answered);
    p->answered++;
    if (p->answered % 100 == 0)
        fill_pipeline(p);
}

static void fill_pipeline(struct pipeline *p)
{
    while (p->sent < 100000) {
        char text[16];
        struct slice argv[] = {SLICE("ECHO"), {text, (size_t)snprintf(text, sizeof(text), "%d", p->sent)}};
        int r = redis_link_command(p->f->link, argv, 2, 0, on_echo, p);

        if (redis_link_inflight(p->f->link) > p->most)
            p->most = redis_link_inflight(p->f->link);
        if (r < 0) {
            assert_int_equal(r, -ENOBUFS);
            p->refused++;
            return;
        }
        p->sent++;
    }
}

static void test_pipeline_keeps_order_and_bounds(void **state)
{
    static const struct {
        size_t max_inflight, max_bytes, most;
    } rows[] = {{500, 1 << 20, 500}, {1 << 20, 10000, 1000}, {1 << 20, 64 << 20, 100000}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct pipeline p = {.f = &f};
        struct redis_link_stats stats;

        fixture_init(&f);
        f.options.max_inflight = rows[i].max_inflight;
        f.options.max_bytes = rows[i].max_bytes;
        fixture_connect(&f, NULL);
        fill_pipeline(&p);
        WAIT(&f, p.answered == 100000);
        assert_true(p.most <= rows[i].most);
        assert_true(p.most > 300);
        redis_link_get_stats(f.link, &stats);
        assert_int_equal(stats.refused, p.refused);
        assert_int_equal(p.refused > 0, rows[i].most < 100000);
        assert_int_equal(stats.losses, 0);
        assert_true(stats.bytes_out > 100000 * 20);
        assert_true(stats.bytes_in > 100000 * 7);
        fixture_clear(&f);
    }
}

static void test_send_gives_each_answer_to_the_same_receiver(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    assert_int_equal(redis_link_send(f.link, slice_text("PING\r\nINCR n\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"),
                                     3, 0, fixture_on_answer, &f),
                     0);
    assert_int_equal(redis_link_inflight(f.link), 3);
    WAIT(&f, f.answers == 3);
    assert_string_equal(f.last, "2");
    assert_int_equal(
        redis_link_send(f.link, slice_text("PING\r\n"), f.options.max_inflight + 1, 0, NULL, NULL), -ENOBUFS);
    assert_int_equal(redis_link_send(f.link, slice_text("INCR n\r\n"), 1, 0, NULL, NULL), 0);
    assert_string_equal(fixture_ask(&f, "GET n"), "3");
    fixture_clear(&f);
}

/* A link that takes MAX_BYTES, and ARGV that sets "big" to LEN bytes, which are the caller's to free. */
static char *connect_for_large(struct fixture *f, size_t max_bytes, struct slice argv[3], size_t len)
{
    char *value = malloc(len);

    assert_non_null(value);
    for (size_t i = 0; i < len; i++)
        value[i] = (char)(i * 31);
    argv[0] = slice_text("SET");
    argv[1] = slice_text("big");
    argv[2] = slice_of(value, len);
    fixture_init(f);
    f->options.max_bytes = max_bytes;
    fixture_connect(f, NULL);
    return value;
}

static void test_large_values_pass_both_ways(void **state)
{
    struct slice argv[3];
    struct fixture f;
    char *value = connect_for_large(&f, 4000000, argv, 5000000);

    UNUSED(state);
    assert_int_equal(redis_link_command(f.link, argv, 3, 0, fixture_on_answer, &f), -ENOBUFS);
    argv[2].len = 3900000;
    assert_int_equal(redis_link_command(f.link, argv, 3, 0, fixture_on_answer, &f), 0);
    WAIT(&f, f.answers == 1);
    for (int i = 0; i < 5; i++)
        (void)fixture_ask(&f, "GET big");
    assert_int_equal(f.answers, 6);
    assert_memory_equal(f.last, value, 1); /* a NUL ends the rest as text */
    assert_string_equal(fixture_ask(&f, "STRLEN big"), "3900000");
    fixture_clear(&f);
    free(value);
}

static void test_memory_is_given_back_after_large_traffic(void **state)
{
    struct slice argv[3];
    struct fixture f;
    char *value = connect_for_large(&f, 10000000, argv, 6000000);

    UNUSED(state);
    assert_int_equal(redis_link_command(f.link, argv, 3, 0, fixture_on_answer, &f), 0);
    WAIT(&f, f.answers == 1);
    assert_int_equal(fixture_send(&f, "GET big", 0), 0);
    WAIT(&f, f.answers == 2);
    assert_true(sdsalloc(f.link->wire.reader->buf) < 1000000);
    assert_true(f.link->wire.out.cap < 1000000);
    assert_string_equal(fixture_ask(&f, "PING"), "PONG");
    fixture_clear(&f);
    free(value);
}

/* At any moment: with a command that waits to be sent, with half a reply, with nothing. */
static void test_give_back_takes_no_part_of_what_is_under_way(void **state)
{
    struct slice argv[3];
    struct fixture f;
    char *value = connect_for_large(&f, 10000000, argv, 3000000);

    UNUSED(state);
    redis_link_give_back(f.link);
    assert_int_equal(redis_link_command(f.link, argv, 3, 0, fixture_on_answer, &f), 0);
    redis_link_give_back(f.link);
    WAIT(&f, f.answers == 1);
    assert_int_equal(fixture_send(&f, "GET big", 0), 0);
    for (int64_t end_ms = loop_now_ms() + WAIT_MS; f.answers == 1; fixture_turn(&f)) {
        assert_true(loop_now_ms() < end_ms);
        redis_link_give_back(f.link);
    }
    redis_link_give_back(f.link);
    assert_null(f.link->wire.input);
    assert_int_equal(f.link->wire.out.cap, 0);
    assert_string_equal(fixture_ask(&f, "STRLEN big"), "3000000");
    fixture_clear(&f);
    free(value);
}

/* Reply functions that make no objects but count. */
struct counted {
    int made, freed;
    char text[64];
};

static struct counted counted;

static void *count_string(const redisReadTask *task, char *text, size_t len)
{
    struct counted *c = task->privdata;

    assert_ptr_equal(c, &counted);
    c->made++;
    (void)snprintf(c->text, sizeof(c->text), "%.*s", (int)len, text);
    return c;
}

static void *count_array(const redisReadTask *task, int elements)
{
    UNUSED(elements);
    return count_string(task, "array", 5);
}

static void *count_integer(const redisReadTask *task, long long value)
{
    char text[32];

    return count_string(task, text, (size_t)snprintf(text, sizeof(text), "%lld", value));
}

static void *count_nil(const redisReadTask *task)
{
    return count_string(task, "nil", 3);
}

static void count_free(void *object)
{
    assert_ptr_equal(object, &counted);
    counted.freed++;
}

static void on_counted(void *ctx, void *reply)
{
    struct fixture *f = ctx;

    if (!reply) {
        f->unknown++;
        return;
    }
    assert_ptr_equal(reply, &counted);
    f->answers++;
}

static void test_reply_functions_are_used_from_up_on(void **state)
{
    static const redisReplyObjectFunctions functions = {count_string, count_array, count_integer, count_nil,
                                                        count_free};
    struct slice name[] = {SLICE("CLIENT"), SLICE("GETNAME")};
    struct slice set[] = {SLICE("RPUSH"), SLICE("l"), SLICE("a"), SLICE("b")};
    struct slice get[] = {SLICE("LRANGE"), SLICE("l"), SLICE("0"), SLICE("-1")};
    struct slice subscribe[] = {SLICE("SUBSCRIBE"), SLICE("c")};
    struct fixture f;

    UNUSED(state);
    counted = (struct counted){0};
    fixture_init(&f);
    f.options.endpoint.db = 3;
    f.options.reply_functions = &functions;
    f.options.reply_privdata = &counted;
    fixture_connect(&f, NULL);
    assert_int_equal(counted.made, 0);
    assert_int_equal(redis_link_command(f.link, name, 2, 0, on_counted, &f), 0);
    WAIT(&f, f.answers == 1);
    assert_string_equal(counted.text, "unit-test");
    assert_int_equal(redis_link_command(f.link, set, 4, 0, on_counted, &f), 0);
    assert_int_equal(redis_link_command(f.link, get, 4, 0, on_counted, &f), 0);
    WAIT(&f, f.answers == 3);
    assert_string_equal(counted.text, "b");
    assert_int_equal(counted.made, 1 + 1 + 3);
    assert_int_equal(counted.freed, 3); /* one an answer */
    assert_int_equal(redis_link_subscribe(f.link, subscribe, 2), -EINVAL);
    fixture_clear(&f);
}

/* The handshake. */
static void test_handshake_selects_the_database_and_sets_the_name(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.endpoint.db = 7;
    fixture_connect(&f, NULL);
    assert_string_equal(fixture_ask(&f, "SET only-in-7 x"), "OK");
    assert_string_equal(fixture_ask(&f, "SELECT 7"), "OK");
    assert_string_equal(fixture_ask(&f, "EXISTS only-in-7"), "1");
    assert_string_equal(fixture_ask(&f, "CLIENT GETNAME"), "unit-test");
    fixture_clear(&f);
}

static void test_handshake_without_name_still_proves_the_server(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.client_name = "";
    fixture_connect(&f, NULL);
    assert_string_equal(fixture_ask(&f, "CLIENT GETNAME"), "");
    fixture_clear(&f);
}

static void test_handshake_says_what_the_server_refused(void **state)
{
    static const struct {
        const char *username, *password;
        int db;
        const char *reason;
    } rows[] = {
        {"", "", 0, "refused: NOAUTH"},
        {"", "wrong-password", 0, "AUTH refused: WRONGPASS"},
        {"nobody", "secret-word", 0, "AUTH refused: WRONGPASS"},
        {"", "secret-word", 99, "SELECT refused: ERR DB index is out of range"},
        {"narrow", "pw", 1, "SELECT refused: NOPERM"},
    };
    char *more[] = {"--requirepass", "secret-word", "--user", "narrow", "on", ">pw", "+ping", NULL};
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_start_server(&f, more);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        f.options.endpoint.username = rows[i].username;
        f.options.endpoint.password = rows[i].password;
        f.options.endpoint.db = rows[i].db;
        fixture_start_link(&f);
        WAIT(&f, strstr(f.reason, rows[i].reason));
        assert_null(strstr(f.reason, "wrong-password"));
        assert_int_equal(f.ups, 0);
        redis_link_free(f.link);
    }
    f.link = NULL;
    fixture_clear(&f);
}

static void test_handshake_lets_a_refused_name_pass(void **state)
{
    char *more[] = {"--user", "narrow", "on", ">pw", "+ping", NULL};
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.endpoint.username = "narrow";
    f.options.endpoint.password = "pw";
    fixture_connect(&f, more);
    assert_string_equal(fixture_ask(&f, "PING"), "PONG");
    (void)fixture_ask(&f, "GET k");
    assert_int_equal(redis_error_classify(slice_text(f.last)), REDIS_ERROR_NOPERM);
    fixture_clear(&f);
}

static void test_password_file_is_read_at_each_connect(void **state)
{
    char *more[] = {"--user", "mt5", "on", ">first", "~*", "+@all", NULL};
    char path[PATH_MAX];
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_file(&f, "password", "stale\n", path);
    f.options.endpoint.username = "mt5";
    f.options.endpoint.password = "from-the-url";
    f.options.endpoint.password_file = path;
    fixture_start_server(&f, more);
    fixture_start_link(&f);
    WAIT(&f, strstr(f.reason, "WRONGPASS"));
    fixture_file(&f, "password", "first\n", path);
    WAIT(&f, redis_link_is_up(f.link));
    assert_string_equal(fixture_ask(&f, "ACL WHOAMI"), "mt5");
    assert_string_equal(fixture_ask(&f, "ACL SETUSER mt5 resetpass >second"), "OK");
    fixture_file(&f, "password", "second\r\n", path);
    redis_link_drop(f.link, "test", true);
    WAIT(&f, f.ups == 2);
    fixture_clear(&f);
}

static void test_password_file_that_cannot_be_used_is_named(void **state)
{
    static const struct {
        const char *name, *content, *reason;
    } rows[] = {
        {"missing", NULL, "missing: No such file or directory"},
        {"empty", "\n", "empty: empty"},
        {"..", NULL, "Is a directory"},
    };
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_start_server(&f, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[PATH_MAX];

        if (rows[i].content)
            fixture_file(&f, rows[i].name, rows[i].content, path);
        else
            (void)snprintf(path, sizeof(path), "%s/%s", f.dir, rows[i].name);
        f.options.endpoint.password_file = path;
        fixture_start_link(&f);
        WAIT(&f, strstr(f.reason, rows[i].reason));
        redis_link_free(f.link);
    }
    f.link = NULL;
    assert_int_equal(f.ups, 0);
    fixture_clear(&f);
}

/* Where it connects. */
static void test_tcp_connects_by_address_and_by_name(void **state)
{
    char port[8];
    char *more[] = {"--port", port, "--bind", "127.0.0.1", NULL};
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.endpoint.scheme = REDIS_TCP;
    f.options.endpoint.port = fixture_free_port();
    (void)snprintf(port, sizeof(port), "%u", f.options.endpoint.port);
    fixture_start_server(&f, more);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        f.options.endpoint.host = hosts[i];
        fixture_start_link(&f);
        WAIT(&f, redis_link_is_up(f.link));
        assert_string_equal(fixture_ask(&f, "PING"), "PONG");
        redis_link_free(f.link);
    }
    f.link = NULL;
    fixture_clear(&f);
}

static void test_connect_failures_say_where(void **state)
{
    char long_path[200];
    char refused[64];
    const struct {
        enum redis_scheme scheme;
        const char *host;
        const char *reason;
    } rows[] = {
        {REDIS_TCP, "127.0.0.1", refused},
        {REDIS_TCP, "no-such-host.invalid", "look up no-such-host.invalid: "},
        {REDIS_TCP, "", "look up : "},
        {REDIS_UNIX, long_path, "199 bytes, but 1 to 107 are possible"},
        {REDIS_UNIX, "", "0 bytes"},
        {REDIS_UNIX, "/", "connect to /: Connection refused"},
    };
    struct fixture f;

    UNUSED(state);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    fixture_init(&f);
    f.options.connect_timeout_ms = 400;
    f.options.endpoint.port = fixture_free_port();
    (void)snprintf(refused, sizeof(refused), "connect to 127.0.0.1:%u: Connection refused",
                   f.options.endpoint.port);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        f.options.endpoint.scheme = rows[i].scheme;
        f.options.endpoint.host = rows[i].host;
        fixture_start_link(&f);
        WAIT(&f, strstr(f.reason, rows[i].reason));
        redis_link_free(f.link);
    }
    f.link = NULL;
    fixture_clear(&f);
}

/* Lost and found again. */
static void test_killed_client_gets_unknown_answers_and_comes_back(void **state)
{
    struct fixture f;
    struct redis_link_stats stats;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    assert_int_equal(fixture_send(&f, "INCR before", 0), 0);
    assert_int_equal(fixture_send(&f, "CLIENT KILL TYPE normal SKIPME no", 0), 0);
    assert_int_equal(fixture_send(&f, "INCR after", 0), 0);
    assert_int_equal(fixture_send(&f, "INCR after", 0), 0);
    WAIT(&f, f.downs == 1);
    assert_int_equal(f.answers + f.unknown, 4);
    assert_true(f.unknown >= 2);
    assert_int_equal(f.downs_after_up, 1);
    assert_string_equal(f.reason, "the server closed the connection");
    assert_false(redis_link_is_up(f.link));
    assert_int_equal(redis_link_inflight(f.link), 0);
    WAIT(&f, f.ups == 2);
    assert_string_equal(fixture_ask(&f, "GET before"), "1");
    redis_link_get_stats(f.link, &stats);
    assert_int_equal(stats.connects, 2);
    assert_int_equal(stats.losses, 1);
    fixture_clear(&f);
}

static void test_overdue_answer_ends_the_link(void **state)
{
    struct fixture f;
    struct redis_link_stats stats;
    int64_t begin_ms;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 150;
    fixture_connect(&f, NULL);
    begin_ms = loop_now_ms();
    assert_int_equal(fixture_send(&f, "DEBUG SLEEP 0.6", 0), 0);
    assert_int_equal(fixture_send(&f, "INCR n", 0), 0);
    WAIT(&f, f.downs == 1);
    assert_in_range(loop_now_ms() - begin_ms, 150, 590);
    assert_int_equal(f.unknown, 2);
    assert_string_equal(f.reason, "no answer within 150 ms");
    redis_link_get_stats(f.link, &stats);
    assert_int_equal(stats.timeouts, 1);
    WAIT(&f, f.ups == 2);
    assert_string_equal(fixture_ask(&f, "GET n"), "1"); /* unknown is not failed */
    fixture_clear(&f);
}

static void test_extra_time_is_for_blocking_commands(void **state)
{
    struct fixture f;
    int64_t begin_ms;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 100;
    fixture_connect(&f, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fixture_send(&f, "BLPOP nothing 0.3", 20000), 0);
    assert_int_equal(fixture_send(&f, "PING", 0), 0); /* its answer waits behind theirs */
    WAIT(&f, f.answers == 3);
    assert_int_equal(f.downs, 0);
    begin_ms = loop_now_ms();
    assert_int_equal(fixture_send(&f, "BLPOP nothing 30", 0), 0); /* due before what the timer is set to */
    WAIT(&f, f.downs == 1);
    assert_true(loop_now_ms() - begin_ms < 10000);
    fixture_clear(&f);
}

static void test_idle_link_has_no_deadline(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 20;
    f.options.connect_timeout_ms = 300;
    fixture_connect(&f, NULL);
    (void)fixture_ask(&f, "PING");
    fixture_run_for(&f, 400);
    assert_int_equal(f.downs, 0);
    fixture_clear(&f);
}

static void test_time_in_which_the_process_did_not_run_does_not_count(void **state)
{
    struct fixture f;
    int64_t end_ms;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 150;
    fixture_connect(&f, NULL);
    (void)fixture_ask(&f, "SETRANGE big 3000000 x");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_send(&f, "GET big", 0), 0); /* more than a socket holds */
        assert_int_equal(event_base_loop(loop_event_base(f.loop), EVLOOP_NONBLOCK), 0);
        end_ms = loop_now_ms() + 250;
        while (loop_now_ms() < end_ms)
            continue; /* as if it had been stopped */
        WAIT(&f, f.answers == i + 2 || f.downs > 0);
        assert_int_equal(f.downs, 0);
    }
    fixture_clear(&f);
}

static void test_frozen_server_is_noticed_and_met_again(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 100;
    f.options.connect_timeout_ms = 100;
    fixture_connect(&f, NULL);
    assert_int_equal(kill(f.server, SIGSTOP), 0);
    assert_int_equal(fixture_send(&f, "PING", 0), 0);
    WAIT(&f, f.unknown == 1);
    /* The kernel takes the connection for the server, which answers nothing. */
    WAIT(&f, strstr(f.reason, "no answer to CLIENT SETNAME within 100 ms"));
    assert_int_equal(f.ups, 1);
    assert_int_equal(kill(f.server, SIGCONT), 0);
    WAIT(&f, f.ups == 2);
    assert_string_equal(fixture_ask(&f, "PING"), "PONG");
    fixture_clear(&f);
}

static void test_frozen_server_does_not_fill_memory(void **state)
{
    struct fixture f;
    struct slice argv[] = {SLICE("ECHO"), {NULL, 1000}};
    char value[1000] = {0};
    int r = 0, sent = 0;

    UNUSED(state);
    argv[1].data = value;
    fixture_init(&f);
    f.options.max_inflight = 1000000;
    f.options.max_bytes = 200000;
    fixture_connect(&f, NULL);
    assert_int_equal(kill(f.server, SIGSTOP), 0);
    for (int turn = 0; turn < 50; turn++) {
        while ((r = redis_link_command(f.link, argv, 2, 0, fixture_on_answer, &f)) == 0)
            sent++;
        assert_int_equal(r, -ENOBUFS);
        fixture_turn(&f);
    }
    assert_in_range(sent, 190, 2000); /* the output and the socket buffers */
    assert_int_equal(kill(f.server, SIGCONT), 0);
    WAIT(&f, f.answers == sent);
    fixture_clear(&f);
}

static void test_restarted_server_is_met_again(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    for (int n = 2; n <= 4; n++) {
        fixture_stop_server(&f);
        WAIT(&f, !redis_link_is_up(f.link));
        assert_int_equal(fixture_send(&f, "PING", 0), -ENOTCONN);
        fixture_start_server(&f, NULL);
        WAIT(&f, f.ups == n);
        assert_string_equal(fixture_ask(&f, "PING"), "PONG");
    }
    fixture_clear(&f);
}

static void test_drop_ends_from_the_loop_and_reconnects_as_told(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    assert_int_equal(fixture_send(&f, "PING", 0), 0);
    redis_link_drop(f.link, "because of the test", true);
    redis_link_drop(f.link, "another reason", true);
    assert_int_equal(f.downs, 0);
    assert_false(redis_link_is_up(f.link));
    assert_int_equal(fixture_send(&f, "PING", 0), -ENOTCONN);
    WAIT(&f, f.downs == 1);
    assert_int_equal(f.unknown, 1);
    assert_string_equal(f.reason, "because of the test");
    WAIT(&f, f.ups == 2);

    redis_link_drop(f.link, "for good", false);
    WAIT(&f, f.downs == 2);
    redis_link_drop(f.link, "nothing to end", true);
    fixture_run_for(&f, 150);
    assert_int_equal(f.downs, 2);
    assert_int_equal(f.ups, 2);
    redis_link_start(f.link);
    redis_link_start(f.link);
    WAIT(&f, f.ups == 3);
    fixture_clear(&f);
}

static void test_drop_while_waiting_or_connecting(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_start_link(&f);
    WAIT(&f, f.downs == 2);
    redis_link_drop(f.link, "stop trying", false); /* waits for the next try */
    fixture_run_for(&f, 120);
    assert_int_equal(f.downs, 2);
    fixture_start_server(&f, NULL);
    redis_link_start(f.link);
    WAIT(&f, f.ups == 1);
    assert_int_equal(kill(f.server, SIGSTOP), 0);
    redis_link_drop(f.link, "once more", true);
    fixture_run_for(&f, 100); /* now in the handshake */
    redis_link_drop(f.link, "in the handshake", false);
    WAIT(&f, strcmp(f.reason, "in the handshake") == 0);
    redis_link_drop(f.link, "gone already", false);
    fixture_clear(&f);
}

/* Publish and subscribe. */
static void test_subscribed_link_pushes_messages_only(void **state)
{
    struct slice patterns[] = {SLICE("PSUBSCRIBE"), SLICE("a:*"), SLICE("b:*")};
    struct fixture f, other;

    UNUSED(state);
    fixture_init(&f);
    f.options.command_timeout_ms = 200;
    fixture_connect(&f, NULL);
    fixture_init(&other);
    other.options.endpoint.host = f.socket_path;
    fixture_start_link(&other);
    WAIT(&other, redis_link_is_up(other.link));

    assert_int_equal(fixture_send(&f, "INCR n", 0), 0);
    assert_int_equal(redis_link_subscribe(f.link, patterns, 3), 0);
    assert_int_equal(fixture_send(&f, "PING", 0), -EBUSY);
    assert_int_equal(redis_link_send(f.link, slice_text("PING\r\n"), 1, 0, NULL, NULL), -EBUSY);
    WAIT(&f, f.pushes == 2);
    assert_int_equal(f.answers, 1);
    assert_string_equal(f.push, "psubscribe b:* -");
    assert_string_equal(fixture_ask(&other, "PUBLISH b:1 hello"), "1");
    WAIT(&f, f.pushes == 3);
    assert_string_equal(f.push, "pmessage b:* b:1 hello");
    fixture_run_for(&f, 300); /* silence is no failure */
    assert_int_equal(f.downs, 0);

    assert_string_equal(fixture_ask(&other, "CLIENT KILL TYPE pubsub"), "1");
    WAIT(&f, f.ups == 2);
    assert_string_equal(fixture_ask(&f, "PING"), "PONG"); /* a new connection has not subscribed */
    fixture_clear(&other);
    fixture_clear(&f);
}

static void test_refused_subscription_is_pushed(void **state)
{
    char *more[] = {"--user", "default", "on", "nopass", "~*", "+@all", "-psubscribe", NULL};
    struct slice patterns[] = {SLICE("PSUBSCRIBE"), SLICE("*")};
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, more);
    assert_int_equal(redis_link_subscribe(f.link, patterns, 2), 0);
    WAIT(&f, f.pushes == 1);
    assert_int_equal(redis_error_classify(slice_text(f.push)), REDIS_ERROR_NOPERM);
    fixture_clear(&f);
}

/* Freed from inside each callback. */
struct freeing {
    struct fixture f;
    const char *where;
    int calls, unknown;
};

static void free_here(struct freeing *t, const char *where)
{
    if (strcmp(t->where, where) != 0)
        return;
    struct redis_link *link = t->f.link;

    t->calls++;
    t->f.link = NULL;
    redis_link_free(link);
}

static void on_freeing_answer(void *ctx, void *reply)
{
    struct freeing *t = ctx;

    t->unknown += !reply;
    if (t->f.link) {
        int r = redis_link_send(t->f.link, slice_text("PING\r\n"), 1, 0, NULL, NULL);

        if (strcmp(t->where, "push") != 0)
            assert_int_equal(r, reply ? 0 : -ENOTCONN);
        free_here(t, reply ? "answer" : "unknown");
    }
}

static void on_freeing_up(void *ctx)
{
    struct freeing *t = ctx;
    struct slice ping[] = {SLICE("PING")};
    struct slice quit[] = {SLICE("QUIT")};
    struct slice subscribe[] = {SLICE("SUBSCRIBE"), SLICE("c")};

    for (int i = 0; i < 3; i++)
        assert_int_equal(redis_link_command(t->f.link, ping, 1, 0, on_freeing_answer, t), 0);
    if (strcmp(t->where, "push") == 0)
        assert_int_equal(redis_link_subscribe(t->f.link, subscribe, 2), 0);
    else if (strcmp(t->where, "drop") == 0)
        redis_link_drop(t->f.link, "test", true);
    else
        assert_int_equal(redis_link_command(t->f.link, quit, 1, 0, NULL, NULL), 0);
    if (strcmp(t->where, "unknown") == 0)
        redis_link_drop(t->f.link, "test", true);
    free_here(t, "up");
}

static void on_freeing_down(void *ctx, const char *reason, bool was_up)
{
    UNUSED(reason);
    assert_non_null(((struct freeing *)ctx)->f.link); /* none after it is freed */
    free_here(ctx, was_up ? "drop" : "failed");
    free_here(ctx, was_up ? "down" : "");
}

static void on_freeing_push(void *ctx, const struct redisReply *message)
{
    UNUSED(message);
    free_here(ctx, "push");
}

static void test_link_may_be_freed_in_each_callback(void **state)
{
    static const char *const rows[] = {"up", "answer", "unknown", "down", "drop", "push", "failed"};
    static const struct redis_link_events events = {on_freeing_up, on_freeing_down, on_freeing_push};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct freeing t = {.where = rows[i]};

        fixture_init(&t.f);
        if (strcmp(rows[i], "failed") != 0)
            fixture_start_server(&t.f, NULL);
        while (t.calls == 0) {
            redis_link_free(t.f.link);
            t.unknown = 0;
            t.f.link = redis_link_new(t.f.loop, &t.f.options, &events, &t);
            redis_link_start(t.f.link);
            for (int turn = 0; turn < 50 && t.calls == 0; turn++)
                fixture_turn(&t.f); /* the server may not listen yet */
        }
        assert_int_equal(t.calls, 1);
        fixture_run_for(&t.f, 30);
        assert_int_equal(t.calls, 1);
        if (strcmp(rows[i], "up") == 0 || strcmp(rows[i], "unknown") == 0 || strcmp(rows[i], "drop") == 0)
            assert_int_equal(t.unknown, 3);
        if (strcmp(rows[i], "answer") == 0)
            assert_int_equal(t.unknown, 2);
        fixture_clear(&t.f);
    }
}

static void test_free_gives_null_to_what_is_pending(void **state)
{
    struct fixture f;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_send(&f, "PING", 0), 0);
    redis_link_free(f.link);
    f.link = NULL;
    assert_int_equal(f.unknown, 5);
    assert_int_equal(f.downs, 0);
    fixture_run_for(&f, 20);
    assert_int_equal(f.unknown, 5);
    redis_link_free(NULL);
    fixture_clear(&f);
}

static void test_sockets_are_not_inherited(void **state)
{
    struct fixture f;
    int found = 0;

    UNUSED(state);
    fixture_init(&f);
    fixture_connect(&f, NULL);
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        int type = 0;
        socklen_t len = sizeof(type);

        if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
            continue;
        assert_true(flags & FD_CLOEXEC);
        found++;
    }
    assert_true(found > 0);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_gives_every_type_of_answer),
        cmocka_unit_test(test_command_is_refused_while_not_up),
        cmocka_unit_test(test_command_is_binary_safe),
        cmocka_unit_test(test_pipeline_keeps_order_and_bounds),
        cmocka_unit_test(test_send_gives_each_answer_to_the_same_receiver),
        cmocka_unit_test(test_large_values_pass_both_ways),
        cmocka_unit_test(test_memory_is_given_back_after_large_traffic),
        cmocka_unit_test(test_give_back_takes_no_part_of_what_is_under_way),
        cmocka_unit_test(test_reply_functions_are_used_from_up_on),
        cmocka_unit_test(test_handshake_selects_the_database_and_sets_the_name),
        cmocka_unit_test(test_handshake_without_name_still_proves_the_server),
        cmocka_unit_test(test_handshake_says_what_the_server_refused),
        cmocka_unit_test(test_handshake_lets_a_refused_name_pass),
        cmocka_unit_test(test_password_file_is_read_at_each_connect),
        cmocka_unit_test(test_password_file_that_cannot_be_used_is_named),
        cmocka_unit_test(test_tcp_connects_by_address_and_by_name),
        cmocka_unit_test(test_connect_failures_say_where),
        cmocka_unit_test(test_killed_client_gets_unknown_answers_and_comes_back),
        cmocka_unit_test(test_overdue_answer_ends_the_link),
        cmocka_unit_test(test_extra_time_is_for_blocking_commands),
        cmocka_unit_test(test_idle_link_has_no_deadline),
        cmocka_unit_test(test_time_in_which_the_process_did_not_run_does_not_count),
        cmocka_unit_test(test_frozen_server_is_noticed_and_met_again),
        cmocka_unit_test(test_frozen_server_does_not_fill_memory),
        cmocka_unit_test(test_restarted_server_is_met_again),
        cmocka_unit_test(test_drop_ends_from_the_loop_and_reconnects_as_told),
        cmocka_unit_test(test_drop_while_waiting_or_connecting),
        cmocka_unit_test(test_subscribed_link_pushes_messages_only),
        cmocka_unit_test(test_refused_subscription_is_pushed),
        cmocka_unit_test(test_link_may_be_freed_in_each_callback),
        cmocka_unit_test(test_free_gives_null_to_what_is_pending),
        cmocka_unit_test(test_sockets_are_not_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
