/* Trades (SPEC §5.3): every transition, what an update writes, the lists, and open_trades of the instances.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/trade.h"
#include "recording_sink.h"
#include "util/macros.h"

#define AT_MS   1742638530987 /* 2025-03-22T10:15:30.987Z */
#define AT      "2025-03-22T10:15:30Z"
#define TTL_S   2592000
#define TEXT(t) slice_text(t)

struct world {
    struct fleet fleet;
    struct trade_book book;
    struct recording_sink said;
    unsigned refusals;
    enum trade_state refused_to;
};

static void note_refusal(void *ctx, const struct trade *trade, enum trade_state to)
{
    struct world *w = ctx;

    assert_true(trade->used);
    w->refusals++;
    w->refused_to = to;
}

static int set_up(void **state)
{
    static const struct fleet_options options = {.max = 100};
    static struct world world;
    struct hash_key key = {1, 2};

    memset(&world, 0, sizeof(world));
    fleet_init(&world.fleet, &options, key);
    trade_book_init(&world.book, &world.fleet, TTL_S, key);
    world.book.on_refused = note_refusal;
    world.book.ctx = &world;
    recording_sink_init(&world.said);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    trade_book_clear(&w->book);
    fleet_clear(&w->fleet);
    recording_sink_clear(&w->said);
    return 0;
}

static struct trade_update update_of(const char *id, enum trade_state state)
{
    struct trade_update update = {.present = 1U << TRADE_TRADE_ID, .state = state};

    update.value[TRADE_TRADE_ID] = TEXT(id);
    if (state != TRADE_NONE) {
        update.present |= 1U << TRADE_STATE;
        update.value[TRADE_STATE] = TEXT("as it was spelled");
    }
    return update;
}

static struct trade_update with(struct trade_update update, enum trade_field field, const char *value)
{
    update.present |= 1U << field;
    update.value[field] = TEXT(value);
    return update;
}

static void apply_stored(struct world *w, struct trade_update update, enum trade_state state,
                         const char *instance_id)
{
    const struct cause cause = {CAUSE_TRADE, {1742638530987, 0}};
    const struct trade_stored stored = {state, TEXT(instance_id)};

    recording_sink_reset(&w->said);
    trade_book_on_update(&w->book, &update, &stored, &cause, AT_MS, &w->said.sink);
}

static void apply(struct world *w, struct trade_update update)
{
    const struct cause cause = {CAUSE_TRADE, {1742638530987, 0}};

    recording_sink_reset(&w->said);
    trade_book_on_update(&w->book, &update, NULL, &cause, AT_MS, &w->said.sink);
}

static void load_instance(struct world *w, const char *id)
{
    struct instance_record record = {.exists = {true, true, true}, .updated_s = {-1, -1, -1}};

    record.values.present = 1U << REPORT_BROKER_ID | 1U << REPORT_STATE;
    record.values.broker_id = TEXT("b1");
    record.values.state = STATE_RUNNING;
    assert_true(fleet_load(&w->fleet, TEXT(id), &record, STATE_RUNNING, 0, AT_MS));
}

static uint32_t open_trades_of(struct world *w, const char *id)
{
    return fleet_find(&w->fleet, TEXT(id))->open_trades;
}

static enum trade_state state_of(struct world *w, const char *id)
{
    return trade_book_find(&w->book, TEXT(id))->state;
}

static void test_trade_state_parse_takes_any_case(void **state)
{
    static const struct {
        const char *text;
        enum trade_state expected;
    } rows[] = {
        {"pending", TRADE_PENDING}, {"EXECUTING", TRADE_EXECUTING}, {"Executed", TRADE_EXECUTED},
        {"failed", TRADE_FAILED},   {"cLOSED", TRADE_CLOSED},       {"", TRADE_NONE},
        {"open", TRADE_NONE},       {"pending ", TRADE_NONE},       {"pendin", TRADE_NONE},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum trade_state parsed = TRADE_NONE;

        assert_int_equal(trade_state_parse(TEXT(rows[i].text), &parsed), rows[i].expected != TRADE_NONE);
        assert_int_equal(parsed, rows[i].expected);
    }
    assert_null(trade_state_name(TRADE_NONE));
    for (int s = 0; s < TRADE_STATES; s++) {
        enum trade_state parsed = TRADE_NONE;

        assert_true(trade_state_parse(TEXT(trade_state_name((enum trade_state)s)), &parsed));
        assert_int_equal(parsed, s);
    }
}

static void test_trade_state_is_open_until_failed_or_closed(void **state)
{
    UNUSED(state);
    assert_true(trade_state_is_open(TRADE_PENDING));
    assert_true(trade_state_is_open(TRADE_EXECUTING));
    assert_true(trade_state_is_open(TRADE_EXECUTED));
    assert_false(trade_state_is_open(TRADE_FAILED));
    assert_false(trade_state_is_open(TRADE_CLOSED));
    assert_false(trade_state_is_open(TRADE_NONE));
}

/* Rows: from pending, executing, executed, failed, closed. Columns: to the same. `=` the same state, `y`
 * allowed, `n` refused. */
static const char *const transitions[TRADE_STATES] = {"=yyyy", "n=yyy", "nn=ny", "nnn=n", "nnnn="};

static void test_trade_book_on_update_every_transition(void **state)
{
    for (int from = 0; from < TRADE_STATES; from++) {
        for (int to = 0; to < TRADE_STATES; to++) {
            struct world *w;
            char expected = transitions[from][to];
            bool moves = expected == 'y';

            (void)tear_down(state);
            (void)set_up(state);
            w = *state;
            apply(w, update_of("t1", (enum trade_state)from));
            apply(w, with(update_of("t1", (enum trade_state)to), TRADE_BALANCE, "5"));
            assert_int_equal(state_of(w, "t1"), moves ? to : from);
            assert_int_equal(w->book.refused[from][to], expected == 'n');
            assert_int_equal(w->refusals, expected == 'n');
            assert_int_equal(recording_sink_find(&w->said, "move trade t1 ") != NULL,
                             moves || !trade_state_is_open((enum trade_state)from));
            assert_non_null(strstr(recording_sink_find(&w->said, "set trade t1 "), "balance=5"));
            assert_int_equal(recording_sink_find(&w->said, "expire trade t1 ") != NULL,
                             !trade_state_is_open(state_of(w, "t1")));
            assert_int_equal(w->book.by_state[state_of(w, "t1")], 1);
            assert_int_equal(w->book.open_count + w->book.other_count, 1);
            assert_int_equal(w->book.updates, 2);
        }
    }
}

static void test_trade_book_on_update_first_carries_any_state(void **state)
{
    static const struct {
        enum trade_state carried;
        const char *said;
    } rows[] = {
        {TRADE_NONE,
         "set trade t1 trade_id=t1 state=pending last_updated_at=" AT "\nmove trade t1 - pending\n"},
        {TRADE_PENDING,
         "set trade t1 trade_id=t1 state=pending last_updated_at=" AT "\nmove trade t1 - pending\n"},
        {TRADE_EXECUTING,
         "set trade t1 trade_id=t1 state=executing last_updated_at=" AT "\nmove trade t1 - executing\n"},
        {TRADE_EXECUTED,
         "set trade t1 trade_id=t1 state=executed last_updated_at=" AT "\nmove trade t1 - executed\n"},
        {TRADE_FAILED, "set trade t1 trade_id=t1 state=failed last_updated_at=" AT
                       "\nmove trade t1 - failed\nexpire trade t1 2592000\n"},
        {TRADE_CLOSED, "set trade t1 trade_id=t1 state=closed last_updated_at=" AT
                       "\nmove trade t1 - closed\nexpire trade t1 2592000\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w;

        (void)tear_down(state);
        (void)set_up(state);
        w = *state;
        apply(w, update_of("t1", rows[i].carried));
        assert_recorded(&w->said, rows[i].said);
        assert_int_equal(w->refusals, 0);
    }
}

/* And its id and state, which the hash may have lost since (seed 900899 of tests/sim). */
static void test_trade_book_on_update_writes_what_was_reported_and_the_state(void **state)
{
    struct world *w = *state;

    apply(w, update_of("t1", TRADE_PENDING));
    apply(w, with(with(update_of("t1", TRADE_NONE), TRADE_EXECUTION_PRICE, "1.10"), TRADE_SYMBOL, "EURUSD"));
    assert_recorded(&w->said, "set trade t1 trade_id=t1 symbol=EURUSD execution_price=1.10 state=pending "
                              "last_updated_at=" AT "\n");
    apply(w, update_of("t1", TRADE_PENDING));
    assert_recorded(&w->said, "set trade t1 trade_id=t1 state=pending last_updated_at=" AT "\n");
    assert_int_equal(trade_book_find(&w->book, TEXT("t1"))->updated_ms, AT_MS);
}

static void test_trade_book_on_update_writes_all_that_can_be_reported(void **state)
{
    struct world *w = *state;
    struct trade_update update = update_of("t1", TRADE_EXECUTED);
    const char *line;

    for (int i = 0; i < TRADE_FIELDS; i++) {
        if (i != TRADE_TRADE_ID && i != TRADE_STATE)
            update = with(update, (enum trade_field)i, "x");
    }
    apply(w, update);
    line = recording_sink_find(&w->said, "set trade t1 ");
    for (int i = 0; i < TRADE_FIELDS; i++) {
        char field[80];

        (void)snprintf(field, sizeof(field), " %s=%s", trade_field_table[i].name.data,
                       i == TRADE_TRADE_ID ? "t1"
                       : i == TRADE_STATE  ? "executed"
                                           : "x");
        assert_non_null(strstr(line, field));
    }
    assert_non_null(strstr(line, " last_updated_at=" AT));
}

static void test_trade_book_on_update_refused_state_leaves_rest(void **state)
{
    struct world *w = *state;

    apply(w, update_of("t1", TRADE_EXECUTED));
    apply(w, with(update_of("t1", TRADE_PENDING), TRADE_POSITION, "-2"));
    assert_recorded(&w->said, "set trade t1 trade_id=t1 position=-2 state=executed last_updated_at=" AT "\n");
    assert_int_equal(w->refusals, 1);
    assert_int_equal(w->refused_to, TRADE_PENDING);
}

static void test_trade_book_on_update_of_ended_trade_restores_state_set_and_ttl(void **state)
{
    struct world *w = *state;

    apply(w, update_of("t1", TRADE_CLOSED));
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_BALANCE, "7"));
    assert_recorded(&w->said, "set trade t1 trade_id=t1 balance=7 state=closed last_updated_at=" AT
                              "\nmove trade t1 - closed\nexpire trade t1 2592000\n");
}

static void test_trade_book_on_update_knows_what_redis_holds(void **state)
{
    struct world *w = *state;

    apply_stored(w, update_of("t1", TRADE_PENDING), TRADE_CLOSED, "i1");
    assert_int_equal(state_of(w, "t1"), TRADE_CLOSED);
    assert_int_equal(w->book.refused[TRADE_CLOSED][TRADE_PENDING], 1);
    assert_null(recording_sink_find(&w->said, "move trade t1 closed"));
    assert_true(slice_is(ident_slice(&trade_book_find(&w->book, TEXT("t1"))->instance_id), "i1"));

    apply_stored(w, update_of("t2", TRADE_CLOSED), TRADE_EXECUTED, "");
    assert_non_null(recording_sink_find(&w->said, "move trade t2 executed closed"));

    apply_stored(w, update_of("t3", TRADE_NONE), TRADE_NONE, "");
    assert_non_null(recording_sink_find(&w->said, "move trade t3 - pending"));

    apply_stored(w, update_of("t3", TRADE_EXECUTING), TRADE_CLOSED, "");
    assert_int_equal(state_of(w, "t3"), TRADE_EXECUTING);
}

/* A loss and a death in the middle of writing back left its hash alone. */
static void test_trade_book_on_update_lists_an_open_one_that_redis_alone_knows(void **state)
{
    struct world *w = *state;

    apply_stored(w, update_of("t1", TRADE_NONE), TRADE_EXECUTING, "");
    assert_non_null(recording_sink_find(&w->said, "move trade t1 - executing"));
    apply(w, update_of("t1", TRADE_NONE));
    assert_null(recording_sink_find(&w->said, "move trade t1"));
}

static void test_trade_book_on_update_marks_batch(void **state)
{
    struct world *w = *state;

    w->book.batch = 41;
    apply(w, update_of("t1", TRADE_NONE));
    assert_int_equal(trade_book_find(&w->book, TEXT("t1"))->batch, 41);
    w->book.batch = 42;
    apply(w, update_of("t1", TRADE_NONE));
    assert_int_equal(trade_book_find(&w->book, TEXT("t1"))->batch, 42);
}

static void test_open_trades_follows_state(void **state)
{
    struct world *w = *state;

    load_instance(w, "i1");
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    apply(w, with(update_of("t2", TRADE_EXECUTED), TRADE_INSTANCE_ID, "i1"));
    apply(w, with(update_of("t3", TRADE_CLOSED), TRADE_INSTANCE_ID, "i1"));
    assert_int_equal(open_trades_of(w, "i1"), 2);
    apply(w, update_of("t1", TRADE_FAILED));
    assert_int_equal(open_trades_of(w, "i1"), 1);
    apply(w, update_of("t2", TRADE_CLOSED));
    assert_int_equal(open_trades_of(w, "i1"), 0);
    apply(w, with(update_of("t2", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    assert_int_equal(open_trades_of(w, "i1"), 0);
    assert_int_equal(w->book.tally.map.count, 0);
}

static void test_open_trades_moves_with_instance_id(void **state)
{
    struct world *w = *state;

    load_instance(w, "i1");
    load_instance(w, "i2");
    apply(w, update_of("t1", TRADE_NONE));
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    assert_int_equal(open_trades_of(w, "i1"), 1);
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i2"));
    assert_int_equal(open_trades_of(w, "i1"), 0);
    assert_int_equal(open_trades_of(w, "i2"), 1);
    apply(w, with(update_of("t1", TRADE_CLOSED), TRADE_INSTANCE_ID, "i1"));
    assert_int_equal(open_trades_of(w, "i1"), 0);
    assert_int_equal(open_trades_of(w, "i2"), 0);
}

static void test_open_trades_of_instance_that_registers_later(void **state)
{
    struct world *w = *state;

    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    trade_book_load(&w->book, TEXT("t2"), TEXT("i1"), TRADE_EXECUTED, AT_MS);
    load_instance(w, "i1");
    trade_book_tie_instance(&w->book, fleet_find(&w->fleet, TEXT("i1")));
    assert_int_equal(open_trades_of(w, "i1"), 2);
    apply(w, update_of("t2", TRADE_CLOSED));
    assert_int_equal(open_trades_of(w, "i1"), 1);
}

static void test_trade_book_load_tells_nobody(void **state)
{
    struct world *w = *state;

    load_instance(w, "i1");
    trade_book_load(&w->book, TEXT("t1"), TEXT("i1"), TRADE_EXECUTING, 7);
    trade_book_load(&w->book, TEXT("t1"), TEXT("i1"), TRADE_EXECUTING, 7);
    assert_int_equal(w->said.count, 0);
    assert_int_equal(open_trades_of(w, "i1"), 1);
    assert_int_equal(w->book.by_state[TRADE_EXECUTING], 1);
    assert_int_equal(w->book.updates, 0);
    assert_int_equal(trade_book_find(&w->book, TEXT("t1"))->updated_ms, 7);
}

static void test_trade_book_load_keeps_the_newest_others(void **state)
{
    struct world *w = *state;

    w->book.max_others = 2;
    trade_book_load(&w->book, TEXT("open"), TEXT(""), TRADE_PENDING, 9);
    trade_book_load(&w->book, TEXT("t1"), TEXT(""), TRADE_CLOSED, 1);
    trade_book_load(&w->book, TEXT("t2"), TEXT("i1"), TRADE_FAILED, 2);
    trade_book_load(&w->book, TEXT("t3"), TEXT(""), TRADE_CLOSED, 3);
    assert_int_equal(w->book.other_count, 2);
    assert_null(trade_book_find(&w->book, TEXT("t1")));
    assert_non_null(trade_book_find(&w->book, TEXT("open")));
    apply(w, update_of("t4", TRADE_CLOSED)); /* what was loaded first goes first */
    assert_null(trade_book_find(&w->book, TEXT("t2")));
    assert_int_equal(trade_book_find(&w->book, TEXT("t3"))->updated_ms, 3);
    assert_int_equal(w->book.by_state[TRADE_CLOSED], 2);
}

static void write_back(struct world *w, const char *id, int64_t now_ms)
{
    recording_sink_reset(&w->said);
    trade_book_write_back(&w->book, trade_book_find(&w->book, TEXT(id)), now_ms, &w->said.sink);
}

/* After a loss its old set, or none, may hold it. */
static void test_trade_book_write_back_of_open_trade(void **state)
{
    struct world *w = *state;

    apply(w, with(update_of("t1", TRADE_EXECUTING), TRADE_INSTANCE_ID, "i1"));
    w->book.batch = 7;
    write_back(w, "t1", AT_MS + 5000);
    assert_recorded(&w->said, "move trade t1 pending -\nmove trade t1 executed -\nmove trade t1 failed -\n"
                              "move trade t1 closed -\n"
                              "set trade t1 trade_id=t1 state=executing last_updated_at=" AT
                              " instance_id=i1\nmove trade t1 - executing\n");
    assert_int_equal(trade_book_find(&w->book, TEXT("t1"))->batch, 7);
}

static void test_trade_book_write_back_of_ended_trade_keeps_what_is_left_of_its_ttl(void **state)
{
    struct world *w = *state;

    apply(w, update_of("t1", TRADE_CLOSED));
    write_back(w, "t1", AT_MS + 5000);
    assert_non_null(recording_sink_find(&w->said, "set trade t1 trade_id=t1 state=closed "));
    assert_non_null(recording_sink_find(&w->said, "expire trade t1 2591995"));
    write_back(w, "t1", AT_MS - 5000);
    assert_non_null(recording_sink_find(&w->said, "expire trade t1 2592000"));
}

static void test_trade_book_write_back_removes_what_would_have_expired(void **state)
{
    struct world *w = *state;

    apply(w, update_of("t1", TRADE_CLOSED));
    write_back(w, "t1", AT_MS + INT64_C(1000) * TTL_S);
    assert_null(recording_sink_find(&w->said, "set trade t1 "));
    assert_null(recording_sink_find(&w->said, "move trade t1 - "));
    assert_non_null(recording_sink_find(&w->said, "move trade t1 closed -"));
    assert_non_null(recording_sink_find(&w->said, "remove trade t1"));
}

static void test_trade_book_forget_leaves_no_trace(void **state)
{
    struct world *w = *state;

    load_instance(w, "i1");
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    apply(w, with(update_of("t2", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    apply(w, with(update_of("t3", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    recording_sink_reset(&w->said);
    trade_book_forget(&w->book, trade_book_find(&w->book, TEXT("t2")));
    assert_null(trade_book_find(&w->book, TEXT("t2")));
    assert_int_equal(w->said.count, 0);
    assert_int_equal(open_trades_of(w, "i1"), 2);
    assert_int_equal(w->book.open_count, 2);
    trade_book_forget(&w->book, trade_book_find(&w->book, TEXT("t1")));
    trade_book_forget(&w->book, trade_book_find(&w->book, TEXT("t3")));
    assert_int_equal(w->book.open_head, MAP_NONE);
    assert_int_equal(w->book.open_tail, MAP_NONE);
    assert_int_equal(w->book.by_state[TRADE_PENDING], 0);
    apply(w, update_of("t2", TRADE_NONE));
    assert_int_equal(w->book.slot_count, 3);
}

static void test_trade_book_reset_keeps_statistics(void **state)
{
    struct world *w = *state;

    load_instance(w, "i1");
    apply(w, with(update_of("t1", TRADE_EXECUTED), TRADE_INSTANCE_ID, "i1"));
    apply(w, update_of("t1", TRADE_PENDING));
    trade_book_reset(&w->book);
    assert_null(trade_book_find(&w->book, TEXT("t1")));
    assert_int_equal(open_trades_of(w, "i1"), 0);
    assert_int_equal(w->book.open_count, 0);
    assert_int_equal(w->book.updates, 2);
    assert_int_equal(w->book.refused[TRADE_EXECUTED][TRADE_PENDING], 1);
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_INSTANCE_ID, "i1"));
    assert_int_equal(open_trades_of(w, "i1"), 1);
}

static void test_trade_book_keeps_the_newest_others(void **state)
{
    struct world *w = *state;

    w->book.max_others = 3;
    apply(w, update_of("open", TRADE_NONE));
    apply(w, update_of("t1", TRADE_CLOSED));
    apply(w, update_of("t2", TRADE_FAILED));
    apply(w, update_of("t3", TRADE_CLOSED));
    apply(w, with(update_of("t1", TRADE_NONE), TRADE_BALANCE, "1")); /* now the newest */
    apply(w, update_of("t4", TRADE_CLOSED));
    assert_int_equal(w->book.other_count, 3);
    assert_null(trade_book_find(&w->book, TEXT("t2")));
    assert_non_null(trade_book_find(&w->book, TEXT("t1")));
    assert_non_null(trade_book_find(&w->book, TEXT("t3")));
    assert_non_null(trade_book_find(&w->book, TEXT("t4")));
    assert_non_null(trade_book_find(&w->book, TEXT("open")));
    assert_int_equal(w->book.by_state[TRADE_FAILED], 0);
    assert_int_equal(w->book.by_state[TRADE_CLOSED], 3);
}

static void test_trade_book_many_trades_and_instances(void **state)
{
    struct world *w = *state;
    char trade_id[32], instance_id[32];

    w->book.max_others = 50;
    load_instance(w, "i3");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(trade_id, sizeof(trade_id), "t%d-%d", round, i);
            (void)snprintf(instance_id, sizeof(instance_id), "i%d", i % 100);
            apply(w, with(update_of(trade_id, TRADE_NONE), TRADE_INSTANCE_ID, instance_id));
        }
        assert_int_equal(open_trades_of(w, "i3"), 20);
        assert_int_equal(w->book.open_count, 2000);
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(trade_id, sizeof(trade_id), "t%d-%d", round, i);
            apply(w, update_of(trade_id, i % 2 ? TRADE_CLOSED : TRADE_FAILED));
        }
        assert_int_equal(open_trades_of(w, "i3"), 0);
        assert_int_equal(w->book.open_count, 0);
        assert_int_equal(w->book.other_count, 50);
        assert_int_equal(w->book.tally.map.count, 0);
    }
    assert_true(w->book.slot_count <= 2051);
    assert_int_equal(w->book.tally.slot_count, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_trade_state_parse_takes_any_case),
        TEST(test_trade_state_is_open_until_failed_or_closed),
        TEST(test_trade_book_on_update_every_transition),
        TEST(test_trade_book_on_update_first_carries_any_state),
        TEST(test_trade_book_on_update_writes_what_was_reported_and_the_state),
        TEST(test_trade_book_on_update_writes_all_that_can_be_reported),
        TEST(test_trade_book_on_update_refused_state_leaves_rest),
        TEST(test_trade_book_on_update_of_ended_trade_restores_state_set_and_ttl),
        TEST(test_trade_book_on_update_knows_what_redis_holds),
        TEST(test_trade_book_on_update_lists_an_open_one_that_redis_alone_knows),
        TEST(test_trade_book_on_update_marks_batch),
        TEST(test_open_trades_follows_state),
        TEST(test_open_trades_moves_with_instance_id),
        TEST(test_open_trades_of_instance_that_registers_later),
        TEST(test_trade_book_load_tells_nobody),
        TEST(test_trade_book_load_keeps_the_newest_others),
        TEST(test_trade_book_write_back_of_open_trade),
        TEST(test_trade_book_write_back_of_ended_trade_keeps_what_is_left_of_its_ttl),
        TEST(test_trade_book_write_back_removes_what_would_have_expired),
        TEST(test_trade_book_forget_leaves_no_trace),
        TEST(test_trade_book_reset_keeps_statistics),
        TEST(test_trade_book_keeps_the_newest_others),
        TEST(test_trade_book_many_trades_and_instances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
