/* Connections that the library does not close by itself: it reads once for each edge, so it may never see an
 * end that came together with the last bytes. */
#include "http_support.h"

#include <sys/syscall.h>

#define SHORT_MS 50

static bool shutdown_is_lost;

/* In place of libc's: where a test says so, the library learns nothing of it, as where the client has ended
 * the connection before. */
int shutdown(int fd, int how)
{
    return shutdown_is_lost ? 0 : (int)syscall(SYS_shutdown, fd, how);
}

static bool nobody_is_connected(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).connections == 0;
}

static void test_http_end_that_came_with_the_last_bytes(void **state)
{
    struct fixture *f = fixture_new();

    UNUSED(state);
    f->options.request_ms = SHORT_MS;
    fixture_serve(f);
    shutdown_is_lost = true;
    for (size_t i = 0; i < 10; i++) {
        struct client c = client_connect(f);

        client_send(f, &c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
        run_for(f, 10);
        assert_int_equal(send(c.fd, "x", 1, MSG_NOSIGNAL), 1);
        client_close(&c); /* no turn of the loop in between */
    }
    assert_true(run_until(f, nobody_is_connected, NULL, PATIENCE_MS));
    shutdown_is_lost = false;
    assert_true(http_server_stats(f->server).expired > 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_end_that_came_with_the_last_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
