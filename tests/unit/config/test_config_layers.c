/* redis.layers (src/config/config_layers.c): per layer, what is different about its Redis. */
#include "config_support.h"

#include "core/stream.h"

static const char base[] = "\"url\": \"redis://:secret@a:1/2\", \"username\": \"u\", \"reconnect_min_ms\": 7";

/* CONTENT is the value of redis.layers. */
static struct config *load_layers(struct problems *problems, const char *content, const char *const *sets)
{
    struct buf text = BUF_INIT;
    struct config *config;

    buf_add_format(&text, "{\"redis\": {%s, \"layers\": %s}, \"signals\": {\"ttl_ms\": 5}}", base, content);
    config = load(problems, buf_text(&text), sets);
    buf_clear(&text);
    return config;
}

static void test_layers_have_the_keys_of_the_whole_but_for_their_own(void **state)
{
    static const char *const sets[] = {"redis.layers.rts.url=unix:///s?db=3",
                                       "redis.layers.rts.instance_id=r5", "redis.layers.ris={\"db\": 1}",
                                       NULL};
    struct problems problems;
    struct config *config =
        load_layers(&problems, "{\"rts\": {\"url\": \"redis://x:1\", \"info_interval_ms\": 9}, \"rtrs\": {}}",
                    (const char *const[]){sets[0], sets[1], NULL});
    const struct config *rts;

    UNUSED(state);
    assert_non_null(config);
    assert_ptr_equal(config_of_layer(config, LAYER_RIS), config);
    assert_ptr_equal(config_of_layer(config, LAYER_RTSS), config);
    rts = config_of_layer(config, LAYER_RTS);
    assert_string_equal(rts->redis.host, "/s");
    assert_int_equal(rts->redis.db, 3);
    assert_string_equal(rts->redis.instance_id, "r5");
    assert_string_equal(rts->redis.username, "u");
    assert_int_equal(rts->redis.reconnect_min_ms, 7);
    assert_int_equal(rts->redis.info_interval_ms, 9);
    assert_int_equal(rts->signals.ttl_ms, 5);
    assert_string_equal(config_of_layer(config, LAYER_RTRS)->redis.host, "a");
    assert_true(config_share_redis(config, LAYER_RTRS, LAYER_RIS));
    assert_false(config_share_redis(config, LAYER_RTS, LAYER_RIS));
    config_free(config);
    assert_null(load_layers(&problems, "{}", (const char *const[]){sets[2], NULL}));
    assert_string_equal(problems.key[0], "redis.layers.ris.db");
}

static void test_layers_problems_are_told_by_their_names(void **state)
{
    static const struct {
        const char *layers, *key, *what;
    } rows[] = {
        {"{\"rts\": {\"url\": \"h\"}}", "redis.layers.rts.url", ""},
        {"{\"rts\": {\"ur\": \"redis://h\"}}", "redis.layers.rts.ur", "unknown key"},
        {"{\"rts\": {\"url\": 5}}", "redis.layers.rts.url", "must be text"},
        {"{\"rts\": {\"connect_timeout_ms\": 0}}", "redis.layers.rts.connect_timeout_ms", "must be from"},
        {"{\"rts\": {\"sentinels\": [\"a:1\"]}}", "redis.layers.rts.master_name", "must be set with"},
        {"{\"rts\": {\"layers\": {}}}", "redis.layers.rts", "layers have no layers"},
        {"{\"rsst\": {}}", "redis.layers.rsst", "must be one of ris, rtss, rtrs or rts"},
        {"{\"rts\": []}", "redis.layers.rts", "must be an object"},
        {"{\"rts\": {}, \"rts\": {}}", "redis.layers.rts", "is there twice"},
        {"{\"rts\": {\"url\": \"unix:///x\", \"url\": \"unix:///x\"}}", "redis.layers.rts.url",
         "is there twice"},
        {"{\"rts\": {\"username\": \"other\"}}", "redis.layers.rts", "is the same Redis as that of ris"},
        {"{\"ris\": {\"url\": \"unix:///x\"}, \"rts\": {\"url\": \"unix:///x\", \"command_timeout_ms\": 5}}",
         "redis.layers.rts", "differs in redis.command_timeout_ms"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct problems problems;

        if (load_layers(&problems, rows[i].layers, NULL))
            fail_msg("%s is taken", rows[i].layers);
        if (problems.count != 1 || strcmp(problems.key[0], rows[i].key) != 0 ||
            !strstr(problems.what[0], rows[i].what))
            fail_msg("%s: %zu problems, %s: %s", rows[i].layers, problems.count, problems.key[0],
                     problems.what[0]);
    }
}

/* Told once, and by the name that everybody knows. */
static void test_layers_repeat_no_problem_of_the_whole(void **state)
{
    struct problems problems;

    UNUSED(state);
    assert_null(
        load(&problems, "{\"signals\": {\"ttl_ms\": 0}, \"redis\": {\"layers\": {\"rts\": {}}}}", NULL));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.key[0], "signals.ttl_ms");
}

static void test_layers_print_no_secret(void **state)
{
    struct problems problems;
    struct config *config = load_layers(&problems, "{\"rts\": {\"url\": \"redis://:hidden@b:1\"}}", NULL);
    struct buf out = BUF_INIT;

    UNUSED(state);
    config_print(config, &out);
    assert_null(strstr(buf_text(&out), "hidden"));
    assert_null(strstr(buf_text(&out), "secret"));
    assert_non_null(strstr(buf_text(&out), "\"redis://<redacted>@b:1\""));
    buf_clear(&out);
    config_free(config);
}

static void test_layers_frozen_changes(void **state)
{
    static const struct {
        const char *from, *to, *frozen;
    } rows[] = {
        {"{}", "{}", NULL},
        {"{\"rts\": {\"url\": \"unix:///x\"}}", "{\"rts\": {\"url\": \"unix:///x\"}}", NULL},
        {"{\"rts\": {\"url\": \"unix:///x\"}}", "{\"rts\": {\"url\": \"unix:///y\"}}", "redis.layers"},
        {"{\"rts\": {\"url\": \"redis://:p@x\"}}", "{\"rts\": {\"url\": \"redis://:q@x\"}}", "redis.layers"},
        {"{\"rts\": {\"url\": \"unix:///x\"}}", "{\"rtss\": {\"url\": \"unix:///x\"}}", "redis.layers"},
        {"{\"rts\": {\"url\": \"unix:///x\"}}",
         "{\"rts\": {\"url\": \"unix:///x\", \"reconnect_min_ms\": 9, \"info_interval_ms\": 3}}", NULL},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct problems problems;
        struct config *from = load_layers(&problems, rows[i].from, NULL);
        struct config *to = load_layers(&problems, rows[i].to, NULL);
        const char *frozen = config_find_frozen_change(from, to);

        if (rows[i].frozen)
            assert_string_equal(frozen, rows[i].frozen);
        else
            assert_null(frozen);
        config_free(from);
        config_free(to);
    }
}

static void test_layers_share_a_master_by_its_name(void **state)
{
    static const char content[] = "{\"redis\": {\"sentinels\": [\"a:1\"], \"master_name\": \"m\", "
                                  "\"layers\": {\"rts\": {\"master_name\": "
                                  "\"n\"}, \"rtss\": {}, \"rtrs\": {\"sentinels\": [\"b:1\"]}}}}";
    struct problems problems;
    struct config *config = load(&problems, content, NULL);

    UNUSED(state);
    assert_non_null(config);
    assert_false(config_share_redis(config, LAYER_RIS, LAYER_RTS));
    assert_true(config_share_redis(config, LAYER_RIS, LAYER_RTSS));
    assert_false(config_share_redis(config, LAYER_RIS, LAYER_RTRS));
    expect_loads_again(config);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_have_the_keys_of_the_whole_but_for_their_own),
        cmocka_unit_test(test_layers_problems_are_told_by_their_names),
        cmocka_unit_test(test_layers_repeat_no_problem_of_the_whole),
        cmocka_unit_test(test_layers_print_no_secret),
        cmocka_unit_test(test_layers_frozen_changes),
        cmocka_unit_test(test_layers_share_a_master_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
