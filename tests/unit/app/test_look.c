/* app/look.h: the answer of look.lua as a real Redis server gives it, and answers that no server should give.
 */
#include "reply_text.h"

#include "app/look.h"
#include "util/macros.h"

static struct ident ident_of(const char *text)
{
    struct ident id;

    ident_set(&id, slice_text(text));
    return id;
}

/* The answer to the command that look_render makes for IDS. */
struct looking {
    struct fixture f;
    struct redisReply *reply;
};

/* The link frees a reply after the call, so it is asked for with a connection of its own. */
static void look(struct looking *t, const struct ident *ids, size_t count)
{
    redisContext *context = redisConnectUnix(t->f.socket_path);
    struct buf command = BUF_INIT;
    void *reply = NULL;

    assert_non_null(context);
    assert_int_equal(context->err, 0);
    look_render(ids, count, &command);
    assert_int_equal(redisAppendFormattedCommand(context, command.data, command.len), REDIS_OK);
    assert_int_equal(redisGetReply(context, &reply), REDIS_OK);
    if (t->reply)
        freeReplyObject(t->reply);
    t->reply = reply;
    redisFree(context);
    buf_clear(&command);
}

static void init_looking(struct looking *t)
{
    memset(t, 0, sizeof(*t));
    fixture_init(&t->f);
    fixture_connect(&t->f, NULL);
}

static void clear_looking(struct looking *t)
{
    freeReplyObject(t->reply);
    fixture_clear(&t->f);
}

static void test_look_sees_everything_of_an_instance(void **state)
{
    struct ident ids[] = {ident_of("i1"), ident_of("i2")};
    struct looking t;
    struct looked looked;

    UNUSED(state);
    init_looking(&t);
    give(&t.f, "HSET instance:i1 broker_id b state crashed previous_state running foreign field");
    give(&t.f, "HSET instance_metrics:i1 cpu_usage 12.5 memory_usage odd");
    give(&t.f, "HSET instance_health:i1 last_error a\xff"
               "b restart_count 3");
    give(&t.f, "SADD instance:state:crashed i1");
    give(&t.f, "ZADD instance:index:load 0.125 i1");
    give(&t.f, "HSET mt5stated:seq i1 17");
    look(&t, ids, ARRAY_LEN(ids));
    assert_true(look_parse(t.reply, 0, &looked));
    assert_true(slice_is(looked.id, "i1"));
    assert_true(looked.record.exists[RECORD_INSTANCE] && looked.record.exists[RECORD_METRICS] &&
                looked.record.exists[RECORD_HEALTH]);
    assert_false(looked.wrong_type[RECORD_INSTANCE] || looked.wrong_type[RECORD_METRICS] ||
                 looked.wrong_type[RECORD_HEALTH]);
    assert_true(slice_is(looked.record.values.broker_id, "b"));
    assert_int_equal(looked.record.values.state, STATE_CRASHED);
    assert_int_equal(looked.record.previous_state, STATE_RUNNING);
    assert_true(looked.record.values.number[REPORT_CPU_USAGE] == 12.5);
    assert_true(looked.record.invalid >> REPORT_MEMORY_USAGE & 1U);
    assert_true(slice_is(looked.record.values.last_error, "a\xef\xbf\xbd"
                                                          "b"));
    assert_true(looked.record.values.number[REPORT_RESTART_COUNT] == 3);
    assert_int_equal(looked_index_state(&looked), STATE_CRASHED);
    assert_true(looked.has_score && looked.score == 0.125);
    assert_int_equal(looked.seq, 17);

    assert_true(look_parse(t.reply, 1, &looked)); /* nothing is left of the first */
    assert_true(slice_is(looked.id, "i2"));
    assert_false(looked.record.exists[RECORD_INSTANCE] || looked.record.exists[RECORD_METRICS] ||
                 looked.record.exists[RECORD_HEALTH]);
    assert_int_equal(looked.record.values.present, 0);
    assert_int_equal(looked_index_state(&looked), STATE_NONE);
    assert_false(looked.has_score);
    assert_int_equal(looked.seq, 0);
    assert_false(look_parse(t.reply, 2, &looked));
    clear_looking(&t);
}

static void test_look_sees_the_type_of_each_record(void **state)
{
    struct ident id = ident_of("i1");
    struct looking t;

    UNUSED(state);
    init_looking(&t);
    for (int bad = 0; bad < 3; bad++) {
        static const char *const makes[] = {"SET instance:i1 x", "LPUSH instance_metrics:i1 a b",
                                            "XADD instance_health:i1 * a b"};
        struct looked looked;

        give(&t.f, "FLUSHALL");
        give(&t.f, makes[bad]);
        look(&t, &id, 1);
        assert_true(look_parse(t.reply, 0, &looked));
        for (int kind = 0; kind < 3; kind++) {
            assert_int_equal(looked.wrong_type[kind], kind == bad);
            assert_false(looked.record.exists[kind]);
        }
    }
    clear_looking(&t);
}

static void test_look_sees_each_set(void **state)
{
    static const char *const states[INSTANCE_STATES] = {"running", "stopped", "crashed", "restarting"};
    struct ident id = ident_of("i1");
    struct looking t;
    struct looked looked;

    UNUSED(state);
    init_looking(&t);
    for (int s = 0; s < INSTANCE_STATES; s++) {
        char command[64];

        (void)snprintf(command, sizeof(command), "SADD instance:state:%s i1", states[s]);
        give(&t.f, command);
        look(&t, &id, 1);
        assert_true(look_parse(t.reply, 0, &looked));
        for (int k = 0; k < INSTANCE_STATES; k++)
            assert_int_equal(looked.member[k], k == s);
        assert_int_equal(looked_index_state(&looked), s);
        give(&t.f, "FLUSHALL");
    }
    give(&t.f, "SADD instance:state:running i1 i2");
    give(&t.f, "SADD instance:state:restarting i1");
    look(&t, &id, 1);
    assert_true(look_parse(t.reply, 0, &looked));
    assert_true(looked.member[STATE_RUNNING] && looked.member[STATE_RESTARTING]);
    assert_int_equal(looked_index_state(&looked), STATE_NONE); /* two name it */
    clear_looking(&t);
}

/* What stands where a shared key belongs hides nothing else. */
static void test_look_passes_shared_keys_of_a_wrong_type(void **state)
{
    struct ident id = ident_of("i1");
    struct looking t;
    struct looked looked;

    UNUSED(state);
    init_looking(&t);
    give(&t.f, "SET instance:state:running x");
    give(&t.f, "SADD instance:state:stopped i1");
    give(&t.f, "SET instance:index:load x");
    give(&t.f, "SET mt5stated:seq x");
    give(&t.f, "HSET instance:i1 state stopped");
    look(&t, &id, 1);
    assert_true(look_parse(t.reply, 0, &looked));
    assert_int_equal(looked_index_state(&looked), STATE_STOPPED);
    assert_int_equal(looked.record.values.state, STATE_STOPPED);
    assert_false(looked.has_score);
    assert_int_equal(looked.seq, 0);
    clear_looking(&t);
}

static void test_look_does_not_trust_what_others_wrote(void **state)
{
    static const struct {
        const char *score, *seq;
        bool has_score;
        uint64_t expected;
    } rows[] = {
        {"inf", "18446744073709551615", false, UINT64_MAX},
        {"-inf", "18446744073709551616", false, 0},
        {"1e300", "-1", true, 0},
        {"-3.5", "x", true, 0},
    };
    struct ident id = ident_of("i1");
    struct looking t;

    UNUSED(state);
    init_looking(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char command[128];
        struct looked looked;

        (void)snprintf(command, sizeof(command), "ZADD instance:index:load %s i1", rows[i].score);
        give(&t.f, command);
        (void)snprintf(command, sizeof(command), "HSET mt5stated:seq i1 %s", rows[i].seq);
        give(&t.f, command);
        look(&t, &id, 1);
        assert_true(look_parse(t.reply, 0, &looked));
        assert_int_equal(looked.has_score, rows[i].has_score);
        assert_true(looked.seq == rows[i].expected);
    }
    clear_looking(&t);
}

static void test_look_of_many_and_of_none(void **state)
{
    static struct ident ids[500];
    struct looking t;
    struct looked looked;

    UNUSED(state);
    init_looking(&t);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        char id[24], command[64];

        (void)snprintf(id, sizeof(id), "i%zu", i);
        ids[i] = ident_of(id);
        (void)snprintf(command, sizeof(command), "HSET mt5stated:seq %s %zu", id, i + 1);
        give(&t.f, command);
    }
    look(&t, ids, ARRAY_LEN(ids));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_true(look_parse(t.reply, i, &looked));
        assert_true(slice_equal(looked.id, ident_slice(&ids[i])));
        assert_int_equal(looked.seq, i + 1);
    }
    assert_false(look_parse(t.reply, ARRAY_LEN(ids), &looked));
    look(&t, ids, 0);
    assert_int_equal(t.reply->type, REDIS_REPLY_ARRAY);
    assert_false(look_parse(t.reply, 0, &looked));
    clear_looking(&t);
}

/* RESP is one answer; true where look_parse takes its first instance. */
static bool parses(const char *resp, struct looked *ret)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    bool parsed;

    assert_non_null(reader);
    assert_int_equal(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    parsed = look_parse(reply, 0, ret);
    freeReplyObject(reply);
    redisReaderFree(reader);
    return parsed;
}

#define FIVE_NILS "$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"

static void test_look_parse_refuses_what_is_no_answer(void **state)
{
    static const char *const rows[] = {
        "-ERR no\r\n",
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n*-1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*9\r\n" FIVE_NILS "$-1\r\n$-1\r\n$-1\r\n$-1\r\n",
        "*1\r\n*11\r\n" FIVE_NILS FIVE_NILS "$-1\r\n",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct looked looked;

        assert_false(parses(rows[i], &looked));
    }
}

/* A hash that is a text, one with a name alone, one of numbers. */
#define ODD_HASHES                                                                                           \
    "*1\r\n*10\r\n$1\r\na\r\n$4\r\nhash\r\n$1\r\nx\r\n$4\r\nhash\r\n*1\r\n$1\r\nx\r\n$4\r\nhash\r\n"         \
    "*2\r\n:1\r\n:2\r\n$2\r\n00\r\n$0\r\n\r\n$0\r\n\r\n"

/* Ten parts of the wrong kind: nothing is read where there is nothing. */
static void test_look_parse_takes_parts_of_the_wrong_kind_for_empty(void **state)
{
    static const char *const rows[] = {
        "*1\r\n*10\r\n" FIVE_NILS FIVE_NILS,
        "*1\r\n*10\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        ODD_HASHES,
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct looked looked;

        assert_true(parses(rows[i], &looked));
        assert_int_equal(looked.record.values.present, 0);
        assert_int_equal(looked_index_state(&looked), STATE_NONE);
        assert_false(looked.has_score);
        assert_int_equal(looked.seq, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_sees_everything_of_an_instance),
        cmocka_unit_test(test_look_sees_the_type_of_each_record),
        cmocka_unit_test(test_look_sees_each_set),
        cmocka_unit_test(test_look_passes_shared_keys_of_a_wrong_type),
        cmocka_unit_test(test_look_does_not_trust_what_others_wrote),
        cmocka_unit_test(test_look_of_many_and_of_none),
        cmocka_unit_test(test_look_parse_refuses_what_is_no_answer),
        cmocka_unit_test(test_look_parse_takes_parts_of_the_wrong_kind_for_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
