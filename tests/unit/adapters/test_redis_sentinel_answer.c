/* What a Sentinel says, and what somebody might say who is none. */
#include "redis_fixture.h"

#include "../../../src/adapters/redis_sentinel_answer.h"

#include "util/macros.h"

#define ID_A "0123456789abcdef0123456789abcdef01234567"

static struct redisReply *reply_of(const char *resp, size_t len)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, resp, len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    return reply;
}

/* A list of these words, up to NULL. */
static struct redisReply *list_of(const char *const *words)
{
    char resp[2048];
    size_t count = 0, len;

    while (words[count])
        count++;
    len = (size_t)snprintf(resp, sizeof(resp), "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(resp + len, sizeof(resp) - len, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    return reply_of(resp, len);
}

static void test_parse_address_takes_what_can_be_one(void **state)
{
    static char long_host[REDIS_HOST_MAX + 1];
    static const struct {
        const char *words[4];
        const char *text; /* NULL: refused */
    } rows[] = {
        {{"10.0.0.1", "6379"}, "10.0.0.1:6379"},
        {{"fe80::1%eth0", "1"}, "[fe80::1%eth0]:1"},
        {{"redis-1.example_net", "65535"}, "redis-1.example_net:65535"},
        {{"", "6379"}, NULL},
        {{"10.0.0.1", "0"}, NULL},
        {{"10.0.0.1", "65536"}, NULL},
        {{"10.0.0.1", "-1"}, NULL},
        {{"10.0.0.1", "6379x"}, NULL},
        {{"10.0.0.1", ""}, NULL},
        {{"10.0.0.1 ", "6379"}, NULL},
        {{"-oProxy", "6379"}, NULL},
        {{"a/b", "6379"}, NULL},
        {{"a\nb", "6379"}, NULL},
        {{"\xff", "6379"}, NULL},
        {{long_host, "6379"}, NULL},
        {{"10.0.0.1"}, NULL},
        {{"10.0.0.1", "6379", "more"}, NULL},
        {{NULL}, NULL},
    };

    UNUSED(state);
    memset(long_host, 'a', REDIS_HOST_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redisReply *reply = list_of(rows[i].words);
        struct sentinel_address address = {"untouched", 7};
        char text[SENTINEL_ADDRESS_TEXT_MAX];

        assert_int_equal(sentinel_parse_address(reply, &address), rows[i].text != NULL);
        sentinel_address_format(&address, text);
        assert_string_equal(text, rows[i].text ? rows[i].text : "untouched:7");
        freeReplyObject(reply);
    }
}

static void test_parse_address_refuses_other_types(void **state)
{
    static const char *const rows[] = {"*-1\r\n",
                                       "$-1\r\n",
                                       ":1\r\n",
                                       "+OK\r\n",
                                       "-ERR no\r\n",
                                       "*2\r\n$-1\r\n:1\r\n",
                                       "*2\r\n:1\r\n$1\r\n1\r\n",
                                       "*2\r\n*0\r\n*0\r\n",
                                       "*2\r\n$3\r\na\0b\r\n$1\r\n1\r\n"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = i + 1 < ARRAY_LEN(rows) ? strlen(rows[i]) : 20;
        struct redisReply *reply = reply_of(rows[i], len);
        struct sentinel_address address;
        struct sentinel_state master;
        struct sentinel_other other;

        assert_false(sentinel_parse_address(reply, &address));
        assert_false(sentinel_parse_state(reply, &master));
        assert_false(sentinel_parse_other(reply, &other));
        freeReplyObject(reply);
    }
}

static void test_parse_state_finds_epoch_and_trouble(void **state)
{
    static const struct {
        const char *words[7];
        bool is_good, is_in_trouble;
        uint64_t epoch;
    } rows[] = {
        {{"name", "m", "flags", "master", "config-epoch", "7"}, true, false, 7},
        {{"flags", "master,disconnected", "config-epoch", "0"}, true, false, 0},
        {{"flags", "s_down,master", "config-epoch", "1"}, true, true, 1},
        {{"flags", "master,o_down", "config-epoch", "1"}, true, true, 1},
        {{"config-epoch", "2", "flags", "failover_in_progress"}, true, true, 2},
        {{"config-epoch", "2", "flags", "not_s_down,s_downs,s_dow"}, true, false, 2},
        {{"config-epoch", "2", "flags", ""}, true, false, 2},
        {{"config-epoch", "2", "flags"}, true, false, 2},
        {{"config-epoch", "18446744073709551615"}, true, false, UINT64_MAX},
        {{"config-epoch", "18446744073709551616"}, false, false, 0},
        {{"config-epoch", "-1"}, false, false, 0},
        {{"config-epoch"}, false, false, 0},
        {{"flags", "config-epoch", "1"}, false, false, 0},
        {{NULL}, false, false, 0},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redisReply *reply = list_of(rows[i].words);
        struct sentinel_state master = {0};

        assert_int_equal(sentinel_parse_state(reply, &master), rows[i].is_good);
        assert_int_equal(master.is_in_trouble, rows[i].is_in_trouble);
        assert_true(master.epoch == rows[i].epoch);
        freeReplyObject(reply);
    }
}

static void test_parse_other_may_lack_its_id(void **state)
{
    static const struct {
        const char *words[7];
        const char *host; /* NULL: refused */
        const char *id;
    } rows[] = {
        {{"name", "x", "ip", "10.0.0.2", "port", "26379"}, "10.0.0.2", ""},
        {{"ip", "10.0.0.2", "port", "26379", "runid", ID_A}, "10.0.0.2", ID_A},
        {{"ip", "10.0.0.2", "port", "26379", "runid", "short"}, "10.0.0.2", ""},
        {{"ip", "10.0.0.2", "port", "0"}, NULL, ""},
        {{"ip", "10.0.0.2"}, NULL, ""},
        {{NULL}, NULL, ""},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redisReply *reply = list_of(rows[i].words);
        struct sentinel_other other = {0};

        assert_int_equal(sentinel_parse_other(reply, &other), rows[i].host != NULL);
        assert_string_equal(other.at.host, rows[i].host ? rows[i].host : "");
        assert_string_equal(other.id, rows[i].id);
        freeReplyObject(reply);
    }
}

static void test_message_is_about_its_master(void **state)
{
    static const struct {
        const char *words[4];
        bool is_about;
    } rows[] = {
        {{"message", "+switch-master", "m 10.0.0.1 1 10.0.0.2 2"}, true},
        {{"message", "+switch-master", "m"}, true},
        {{"message", "+switch-master", "mm 10.0.0.1 1 10.0.0.2 2"}, false},
        {{"message", "+odown", "master m 10.0.0.1 1 #quorum 2/2"}, true},
        {{"message", "+odown", "master n 10.0.0.1 1 #quorum 2/2"}, false},
        {{"message", "+promoted-slave", "slave 1.1.1.1:1 1.1.1.1 1 @ m 10.0.0.1 1"}, true},
        {{"message", "+promoted-slave", "slave 1.1.1.1:1 1.1.1.1 1 @ n 10.0.0.1 1"}, false},
        {{"message", "+promoted-slave", "slave 1.1.1.1:1 1.1.1.1 1 @"}, false},
        {{"message", "+sdown", "slave m"}, false},
        {{"message", "+sdown", ""}, false},
        {{"subscribe", "+switch-master", "m"}, false},
        {{"message", "+switch-master"}, false},
        {{NULL}, false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redisReply *reply = list_of(rows[i].words);

        assert_int_equal(sentinel_message_is_about(reply, "m"), rows[i].is_about);
        freeReplyObject(reply);
    }
}

static void test_parse_id_is_of_one_length(void **state)
{
    static const struct {
        const char *resp;
        bool is_good;
    } rows[] = {{"$40\r\n" ID_A "\r\n", true},
                {"$41\r\n" ID_A "x\r\n", false},
                {"$39\r\n012345678901234567890123456789012345678\r\n", false},
                {"-ERR Unknown sentinel subcommand 'MYID'\r\n", false},
                {"*0\r\n", false}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redisReply *reply = reply_of(rows[i].resp, strlen(rows[i].resp));
        char id[SENTINEL_ID_LEN + 1] = "";

        assert_int_equal(sentinel_parse_id(reply, id), rows[i].is_good);
        assert_string_equal(id, rows[i].is_good ? ID_A : "");
        freeReplyObject(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_address_takes_what_can_be_one),
        cmocka_unit_test(test_parse_address_refuses_other_types),
        cmocka_unit_test(test_parse_state_finds_epoch_and_trouble),
        cmocka_unit_test(test_parse_other_may_lack_its_id),
        cmocka_unit_test(test_message_is_about_its_master),
        cmocka_unit_test(test_parse_id_is_of_one_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
