/* A link whose address somebody else names: asked before each try, told what came of it, moved. */
#include "redis_fixture.h"

#include "util/macros.h"

struct world {
    struct fixture f;
    struct redis_locator locator;
    uint16_t ports[2]; /* a master, and a replica of it */
    pid_t servers[2];
    bool knows;
    int index; /* of the port that is named */
    int joins, leaves, finds, reached, ended, no_master;
};

static void on_join(void *ctx, struct redis_link *link)
{
    UNUSED(link);
    ((struct world *)ctx)->joins++;
}

static void on_leave(void *ctx, struct redis_link *link)
{
    UNUSED(link);
    ((struct world *)ctx)->leaves++;
}

static bool on_find(void *ctx, const struct redis_link *link, const char **ret_host, uint16_t *ret_port)
{
    struct world *w = ctx;

    UNUSED(link);
    w->finds++;
    *ret_host = "127.0.0.1";
    *ret_port = w->ports[w->index];
    return w->knows;
}

static void on_reached(void *ctx, const struct redis_link *link)
{
    UNUSED(link);
    ((struct world *)ctx)->reached++;
}

static void on_ended(void *ctx, const struct redis_link *link, bool no_master)
{
    struct world *w = ctx;

    UNUSED(link);
    w->ended++;
    w->no_master += no_master;
}

static pid_t start_server(struct world *w, uint16_t port, char *master)
{
    char text[16];
    char *argv[] = {"redis-server", "--port",      text,        "--save", "",  "--dir",
                    w->f.dir,       "--replicaof", "127.0.0.1", master,   NULL};

    (void)snprintf(text, sizeof(text), "%u", port);
    if (!master)
        argv[7] = NULL;
    return fixture_spawn(&w->f, argv);
}

static void init_world(struct world *w)
{
    char master[16];

    memset(w, 0, sizeof(*w));
    fixture_init(&w->f);
    w->locator = (struct redis_locator){w, on_join, on_leave, on_find, on_reached, on_ended};
    w->f.options.locator = &w->locator;
    w->f.options.endpoint.scheme = REDIS_TCP;
    w->knows = true;
    for (int i = 0; i < 2; i++)
        w->ports[i] = fixture_free_port();
    (void)snprintf(master, sizeof(master), "%u", w->ports[0]);
    w->servers[0] = start_server(w, w->ports[0], NULL);
    w->servers[1] = start_server(w, w->ports[1], master);
}

static void clear_world(struct world *w)
{
    redis_link_free(w->f.link);
    w->f.link = NULL;
    assert_int_equal(w->joins, w->leaves);
    for (int i = 0; i < 2; i++) {
        (void)kill(w->servers[i], SIGKILL);
        assert_int_equal(waitpid(w->servers[i], NULL, 0), w->servers[i]);
    }
    fixture_clear(&w->f);
}

static void test_link_waits_until_it_is_told_where_to(void **state)
{
    struct world w;

    UNUSED(state);
    init_world(&w);
    w.knows = false;
    w.f.options.reconnect_min_ms = w.f.options.reconnect_max_ms = 3600000;
    fixture_start_link(&w.f);
    WAIT(&w.f, w.finds == 1);
    redis_link_look_again(w.f.link);
    WAIT(&w.f, w.finds == 2);
    redis_link_hurry(w.f.link);
    WAIT(&w.f, w.finds == 3);
    assert_int_equal(w.ended, 0);
    assert_string_equal(redis_link_endpoint(w.f.link)->host, "");
    w.knows = true;
    /* Each look is one try: the server may not listen yet. */
    while (!redis_link_is_up(w.f.link)) {
        redis_link_look_again(w.f.link);
        redis_link_hurry(w.f.link);
        fixture_turn(&w.f);
    }
    assert_int_equal(w.reached, 1);
    assert_int_equal(w.no_master, 0);
    assert_string_equal(redis_link_endpoint(w.f.link)->host, "127.0.0.1");
    assert_int_equal(redis_link_endpoint(w.f.link)->port, w.ports[0]);
    clear_world(&w);
}

static void test_link_asks_again_by_itself(void **state)
{
    struct world w;

    UNUSED(state);
    init_world(&w);
    w.knows = false;
    fixture_start_link(&w.f);
    WAIT(&w.f, w.finds > 5);
    assert_int_equal(w.f.downs, 0);
    w.knows = true;
    WAIT(&w.f, redis_link_is_up(w.f.link));
    clear_world(&w);
}

static void test_link_refuses_what_is_no_master(void **state)
{
    struct world w;

    UNUSED(state);
    init_world(&w);
    w.index = 1;
    fixture_start_link(&w.f);
    WAIT(&w.f, w.no_master >= 3);
    assert_string_equal(w.f.reason, "not a master: ROLE says slave");
    assert_int_equal(w.f.ups, 0);
    assert_int_equal(w.reached, 0);
    w.index = 0;
    WAIT(&w.f, redis_link_is_up(w.f.link));
    clear_world(&w);
}

/* With a delay of an hour before each try but the first: a link that is moved has none. */
static void test_moved_link_tries_at_once(void **state)
{
    struct world w;

    UNUSED(state);
    init_world(&w);
    fixture_start_link(&w.f);
    WAIT(&w.f, redis_link_is_up(w.f.link));
    w.f.downs = 0;

    int before = w.ended;

    redis_link_set_backoff(w.f.link, 3600000, 3600000);
    redis_link_move(w.f.link, "moved away");
    WAIT(&w.f, w.f.ups == 2);
    assert_int_equal(w.f.downs_after_up, 1);
    assert_string_equal(w.f.reason, "moved away");
    assert_int_equal(w.ended, before + 1);
    redis_link_drop(w.f.link, "dropped", true);
    WAIT(&w.f, w.f.downs == 2);
    redis_link_look_again(w.f.link); /* it waits for its time, not for the locator */
    fixture_turn(&w.f);
    fixture_turn(&w.f);
    assert_int_equal(w.f.ups, 2);
    redis_link_move(w.f.link, "moved while waiting");
    WAIT(&w.f, w.f.ups == 3);
    assert_int_equal(w.f.downs, 2);
    clear_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_waits_until_it_is_told_where_to),
        cmocka_unit_test(test_link_asks_again_by_itself),
        cmocka_unit_test(test_link_refuses_what_is_no_master),
        cmocka_unit_test(test_moved_link_tries_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
