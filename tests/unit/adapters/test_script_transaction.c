/* A batch as a look and a transaction in a real Redis server: that it does what the script does, all of it or
 * nothing. */
#include "commit_store.h"

struct answers {
    size_t left;
    struct buf lines;
};

static void on_one(void *ctx, void *reply)
{
    struct answers *answers = ctx;

    assert_non_null(reply);
    reply_text_add(reply, &answers->lines);
    buf_add_char(&answers->lines, '\n');
    answers->left--;
}

/* The answers to COUNT commands, one a line. */
static struct buf ask_all(struct store *t, struct slice resp, size_t count)
{
    struct answers answers = {count, BUF_INIT};

    assert_int_equal(redis_link_send(t->f.link, resp, count, 0, on_one, &answers), 0);
    WAIT(&t->f, answers.left == 0);
    return answers.lines;
}

static struct buf look(struct store *t)
{
    struct buf rendered = BUF_INIT, answers;

    if (!t->batch->sealed)
        batch_seal(t->batch);
    size_t count = batch_render_look(t->batch, &rendered);

    answers = ask_all(t, buf_slice(&rendered), count);
    buf_clear(&rendered);
    return answers;
}

static void assert_look(struct store *t, const char *expected)
{
    struct buf answers = look(t);

    assert_string_equal(buf_text(&answers), expected);
    buf_clear(&answers);
}

/* What EXEC answers. */
static struct buf execute(struct store *t)
{
    struct buf rendered = BUF_INIT, answers, last = BUF_INIT;
    size_t count = batch_render_transaction(t->batch, &rendered);
    const char *text, *line;

    answers = ask_all(t, buf_slice(&rendered), count);
    text = buf_text(&answers);
    answers.data[answers.len - 1] = '\0';
    line = strrchr(text, '\n');
    buf_add_text(&last, line ? line + 1 : text);
    buf_clear(&rendered);
    buf_clear(&answers);
    (void)buf_text(&last);
    return last;
}

static void assert_executed(struct store *t, const char *expected)
{
    struct buf last = execute(t);

    assert_string_equal(buf_text(&last), expected);
    buf_clear(&last);
}

/* EXEC answers EXPECTED, and not a byte of the data is another. */
static void assert_nothing_executed(struct store *t, const char *expected)
{
    struct buf before = ask(&t->f, "DEBUG DIGEST"), after;

    assert_executed(t, expected);
    after = ask(&t->f, "DEBUG DIGEST");
    assert_string_equal(buf_text(&before), buf_text(&after));
    buf_clear(&before);
    buf_clear(&after);
}

static void init_filled(struct store *t)
{
    init_store(t);
    give(&t->f, "SADD instance:state:stopped i1");
    give(&t->f, "XADD reports 1-0 a b");
    fill(t);
}

/* One that is filled and has been looked at; then somebody else does CHANGE. */
static void init_looked(struct store *t, const char *change)
{
    struct buf answers;

    init_filled(t);
    answers = look(t);
    buf_clear(&answers);
    give(&t->f, change);
}

static void test_transaction_stores_what_the_script_does(void **state)
{
    struct store t;

    UNUSED(state);
    init_filled(&t);
    assert_look(&t, "OK\nOK\nOK\n" TOKEN "\n[" EPOCH " 0]\n"
                    "none\nset\nnone\nnone\nnone\nnone\nstream\nnone\nnone\n");

    struct buf last = execute(&t);

    /* HSET, SREM, SADD, ZADD, XADD, PUBLISH, HSET of seq, then XADD of the journal, totals, meta, the script
     */
    assert_int_equal(strncmp(buf_text(&last), "[1 1 1 1 ", 9), 0);
    assert_non_null(strstr(buf_text(&last), " 2 [ok]]"));
    buf_clear(&last);
    assert_filled_once(&t);
    assert_answer(&t.f, "XINFO GROUPS reports",
                  "[[name readers consumers 0 pending 0 last-delivered-id 1-0 entries-read (nil) lag 0]]");
    clear_store(&t);
}

static void test_transaction_does_nothing_where_what_it_watches_changed(void **state)
{
    static const char *const changes[] = {
        "SET mt5stated:leader other",
        "PEXPIRE mt5stated:leader 1000",
        "DEL mt5stated:leader",
        "HSET mt5stated:meta applied_seq 1",
        "HSET mt5stated:meta epoch other",
        "DEL mt5stated:meta",
        "SET events x",
        "SET mt5stated:totals x",
        "SET mt5stated:journal x",
        "SADD instance:state:running i2",
        "FLUSHALL",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct store t;

        init_looked(&t, changes[i]);
        assert_nothing_executed(&t, "(nil)");
        clear_store(&t);
    }
}

/* Producers write into the streams that are read all the time, others into other records. */
static void test_transaction_goes_on_beside_others(void **state)
{
    static const char *const changes[] = {
        "XADD reports 2-0 a b",
        "HSET instance:i1 broker_id b1",
        "HSET instance:i2 broker_id b1",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct store t;

        init_looked(&t, changes[i]);
        struct buf answer = execute(&t);

        assert_int_equal(buf_text(&answer)[0], '[');
        buf_clear(&answer);
        assert_answer(&t.f, "HGET instance:i1 state", "running");
        assert_answer(&t.f, "HGET mt5stated:meta applied_seq", "1");
        clear_store(&t);
    }
}

/* As if the foreign value had come a moment later. */
static void test_transaction_leaves_a_foreign_record_and_stores_the_others(void **state)
{
    struct store t;
    struct buf answers;

    UNUSED(state);
    init_store(&t);
    begin(&t, CAUSE_REPORT, 1);
    set_state(&t, "i1", "running");
    begin(&t, CAUSE_REPORT, 2);
    set_state(&t, "i2", "stopped");
    answers = look(&t);
    buf_clear(&answers);
    give(&t.f, "SET instance:i1 x");
    assert_executed(&t, "[!WRONGTYPE Operation against a key holding the wrong kind of value 1 0]");
    assert_answer(&t.f, "GET instance:i1", "x");
    assert_answer(&t.f, "HGETALL instance:i2", "[state stopped]");
    assert_answer(&t.f, "HGET mt5stated:meta applied_seq", "1");
    clear_store(&t);
}

static void test_transaction_is_refused_as_a_whole(void **state)
{
    static const char *const changes[] = {
        "CONFIG SET maxmemory 1",
        "ACL SETUSER default -zadd",
        "REPLICAOF 127.0.0.1 1",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct store t;

        init_looked(&t, changes[i]);
        assert_nothing_executed(&t, "!EXECABORT Transaction discarded because of previous errors.");
        clear_store(&t);
    }
}

/* The look says it, so that no connection gets stuck in a transaction that it may not end. */
static void test_look_says_which_right_is_missing(void **state)
{
    static const char *const rights[] = {"MULTI", "EXEC", "WATCH", "UNWATCH"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        char command[64];
        struct store t;
        struct buf answers;

        init_filled(&t);
        (void)snprintf(command, sizeof(command), "ACL SETUSER default -%s", rights[i]);
        give(&t.f, command);
        answers = look(&t);
        (void)buf_text(&answers); /* ends it */
        assert_string_equal(strtok(answers.data, "\n"), rights[i]);
        buf_clear(&answers);
        clear_store(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transaction_stores_what_the_script_does),
        cmocka_unit_test(test_transaction_does_nothing_where_what_it_watches_changed),
        cmocka_unit_test(test_transaction_goes_on_beside_others),
        cmocka_unit_test(test_transaction_leaves_a_foreign_record_and_stores_the_others),
        cmocka_unit_test(test_transaction_is_refused_as_a_whole),
        cmocka_unit_test(test_look_says_which_right_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
