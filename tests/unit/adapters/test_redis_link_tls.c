/* The link over TLS against a real Redis server, with certificates made for the test. */
#include "redis_fixture.h"

#include "util/macros.h"

struct tls_fixture {
    struct fixture f;
    char ca[PATH_MAX], other_ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], locked_key[PATH_MAX];
    char port[8];
};

static void make_path(struct tls_fixture *t, char *ret_path, const char *name)
{
    (void)snprintf(ret_path, PATH_MAX, "%s/%s", t->f.dir, name);
}

static void run_shell(struct tls_fixture *t, const char *script)
{
    char *argv[] = {"sh", "-ec", (char *)script, NULL};
    int status;

    assert_int_equal(waitpid(fixture_spawn(&t->f, argv), &status, 0) > 0, 1);
    assert_int_equal(status, 0);
}

static void make_certificates(struct tls_fixture *t)
{
    run_shell(t, "new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
                 "for ca in ca other-ca; do\n"
                 "  $new -x509 -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.crt\n"
                 "done\n"
                 "echo subjectAltName=DNS:localhost,IP:127.0.0.1 >good.ext\n"
                 "echo subjectAltName=DNS:elsewhere.example,IP:192.0.2.1 >elsewhere.ext\n"
                 "for name in good elsewhere client; do\n"
                 "  $new -subj /CN=$name -keyout $name.key -out $name.csr\n"
                 "  ext=; test ! -e $name.ext || ext=\"-extfile $name.ext\"\n"
                 "  openssl x509 -req -days 2 -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial $ext "
                 "-out $name.crt\n"
                 "done\n"
                 "openssl ec -in client.key -aes128 -passout pass:locked -out locked.key\n");
    make_path(t, t->ca, "ca.crt");
    make_path(t, t->other_ca, "other-ca.crt");
    make_path(t, t->cert, "client.crt");
    make_path(t, t->key, "client.key");
    make_path(t, t->locked_key, "locked.key");
}

static void start_tls_server(struct tls_fixture *t, char *name, char *auth_clients, char *protocols)
{
    char cert[PATH_MAX], key[PATH_MAX], file[32];
    char *more[] = {"--port",
                    "0",
                    "--tls-port",
                    t->port,
                    "--tls-cert-file",
                    cert,
                    "--tls-key-file",
                    key,
                    "--tls-ca-cert-file",
                    t->ca,
                    "--tls-auth-clients",
                    auth_clients,
                    "--tls-protocols",
                    protocols,
                    NULL};

    (void)snprintf(file, sizeof(file), "%s.crt", name);
    make_path(t, cert, file);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    make_path(t, key, file);
    t->f.options.endpoint.port = fixture_free_port();
    (void)snprintf(t->port, sizeof(t->port), "%u", t->f.options.endpoint.port);
    fixture_start_server(&t->f, more);
}

static void init_tls(struct tls_fixture *t)
{
    memset(t, 0, sizeof(*t));
    fixture_init(&t->f);
    make_certificates(t);
    t->f.options.endpoint.scheme = REDIS_TLS;
    t->f.options.endpoint.host = "localhost";
    t->f.options.endpoint.tls_ca_file = t->ca;
}

/* Starts a link and waits until it is up, where REASON is NULL, or has failed for REASON. */
static void check_link(struct tls_fixture *t, const char *reason)
{
    t->f.reason[0] = '\0';
    t->f.ups = 0;
    fixture_start_link(&t->f);
    if (reason) {
        WAIT(&t->f, strstr(t->f.reason, reason));
        assert_int_equal(t->f.ups, 0);
    } else {
        WAIT(&t->f, redis_link_is_up(t->f.link));
        assert_string_equal(fixture_ask(&t->f, "PING"), "PONG");
    }
    redis_link_free(t->f.link);
    t->f.link = NULL;
}

static void test_tls_connects_where_certificate_and_name_are_right(void **state)
{
    static char *const protocols[] = {"TLSv1.2", "TLSv1.3"};
    struct tls_fixture t;

    UNUSED(state);
    init_tls(&t);
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        start_tls_server(&t, "good", "no", protocols[i]);
        t.f.options.endpoint.host = "localhost";
        check_link(&t, NULL);
        t.f.options.endpoint.host = "127.0.0.1";
        check_link(&t, NULL);
        fixture_stop_server(&t.f);
    }
    fixture_clear(&t.f);
}

static void test_tls_refuses_a_foreign_certificate(void **state)
{
    struct tls_fixture t;

    UNUSED(state);
    init_tls(&t);
    start_tls_server(&t, "good", "no", "TLSv1.2 TLSv1.3");
    check_link(&t, NULL);
    t.f.options.endpoint.tls_ca_file = t.other_ca;
    check_link(&t, "certificate refused: ");
    t.f.options.endpoint.tls_ca_file = ""; /* the system's do not know it either */
    check_link(&t, "certificate refused: ");
    fixture_clear(&t.f);
}

static void test_tls_refuses_a_wrong_name(void **state)
{
    static const struct {
        const char *host, *reason;
    } rows[] = {
        {"localhost", "certificate refused: hostname mismatch"},
        {"127.0.0.1", "certificate refused: IP address mismatch"},
    };
    struct tls_fixture t;

    UNUSED(state);
    init_tls(&t);
    start_tls_server(&t, "elsewhere", "no", "TLSv1.2 TLSv1.3");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        t.f.options.endpoint.host = rows[i].host;
        check_link(&t, rows[i].reason);
    }
    fixture_clear(&t.f);
}

static void test_tls_gives_its_own_certificate(void **state)
{
    struct tls_fixture t;

    UNUSED(state);
    init_tls(&t);
    start_tls_server(&t, "good", "yes", "TLSv1.2 TLSv1.3");
    t.f.options.endpoint.tls_cert_file = t.cert;
    t.f.options.endpoint.tls_key_file = t.key;
    check_link(&t, NULL);
    t.f.options.endpoint.tls_cert_file = "";
    check_link(&t, "certificate required");
    fixture_clear(&t.f);
}

static void test_tls_files_that_cannot_be_used_are_named(void **state)
{
    struct tls_fixture t;
    char garbage[PATH_MAX], missing[PATH_MAX];

    UNUSED(state);
    init_tls(&t);
    make_path(&t, missing, "missing.pem");
    fixture_file(&t.f, "garbage.pem", "this is no certificate\n", garbage);
    start_tls_server(&t, "good", "no", "TLSv1.2 TLSv1.3");
    check_link(&t, NULL);

    const struct {
        const char *ca, *cert, *key, *reason;
    } rows[] = {
        {missing, "", "", "missing.pem: No such file or directory"},
        {garbage, "", "", "CA file "},
        {t.ca, missing, "", "certificate file "},
        {t.ca, garbage, t.key, "garbage.pem: no start line"},
        {t.ca, t.cert, missing, "key file "},
        {t.ca, t.cert, "", "key file "},
        {t.ca, t.cert, t.locked_key, "key file "}, /* and nobody is asked for the passphrase */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        t.f.options.endpoint.tls_ca_file = rows[i].ca;
        t.f.options.endpoint.tls_cert_file = rows[i].cert;
        t.f.options.endpoint.tls_key_file = rows[i].key;
        check_link(&t, rows[i].reason);
    }
    fixture_clear(&t.f);
}

static void test_tls_to_a_server_without_it_fails(void **state)
{
    struct tls_fixture t;
    char *more[] = {"--port", t.port, NULL};

    UNUSED(state);
    init_tls(&t);
    t.f.options.connect_timeout_ms = 300;
    t.f.options.endpoint.port = fixture_free_port();
    (void)snprintf(t.port, sizeof(t.port), "%u", t.f.options.endpoint.port);
    fixture_start_server(&t.f, more);
    fixture_start_link(&t.f);
    WAIT(&t.f, t.f.downs > 3 && !strstr(t.f.reason, "refused"));
    assert_int_equal(t.f.ups, 0);
    fixture_clear(&t.f);
}

static void test_tls_to_a_frozen_server_times_out(void **state)
{
    struct tls_fixture t;

    UNUSED(state);
    init_tls(&t);
    t.f.options.connect_timeout_ms = 200;
    t.f.options.endpoint.host = "127.0.0.1";
    start_tls_server(&t, "good", "no", "TLSv1.2 TLSv1.3");
    fixture_start_link(&t.f);
    WAIT(&t.f, redis_link_is_up(t.f.link));
    assert_int_equal(kill(t.f.server, SIGSTOP), 0);
    redis_link_drop(t.f.link, "test", true);
    WAIT(&t.f, strstr(t.f.reason, "TLS handshake timed out"));
    assert_int_equal(kill(t.f.server, SIGCONT), 0);
    WAIT(&t.f, t.f.ups == 2);
    fixture_clear(&t.f);
}

static void test_tls_carries_much_both_ways(void **state)
{
    size_t len = 900000;
    char *value = malloc(len);
    struct slice argv[] = {SLICE("ECHO"), {value, len}};
    struct tls_fixture t;
    int sent = 0;

    UNUSED(state);
    assert_non_null(value);
    memset(value, 'x', len);
    init_tls(&t);
    start_tls_server(&t, "good", "no", "TLSv1.2 TLSv1.3");
    fixture_start_link(&t.f);
    WAIT(&t.f, redis_link_is_up(t.f.link));
    while (sent < 60) {
        sent += redis_link_command(t.f.link, argv, 2, 0, fixture_on_answer, &t.f) == 0;
        fixture_turn(&t.f);
    }
    for (int i = 0; i < 500; i++)
        assert_int_equal(fixture_send(&t.f, "PING", 0), 0);
    WAIT(&t.f, t.f.answers == sent + 500);
    assert_int_equal(t.f.downs_after_up, 0);
    assert_string_equal(fixture_ask(&t.f, "CLIENT KILL TYPE normal SKIPME no"), "1");
    WAIT(&t.f, t.f.ups == 2);
    assert_string_equal(t.f.reason, "the server closed the connection");
    fixture_clear(&t.f);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_connects_where_certificate_and_name_are_right),
        cmocka_unit_test(test_tls_refuses_a_foreign_certificate),
        cmocka_unit_test(test_tls_refuses_a_wrong_name),
        cmocka_unit_test(test_tls_gives_its_own_certificate),
        cmocka_unit_test(test_tls_files_that_cannot_be_used_are_named),
        cmocka_unit_test(test_tls_to_a_server_without_it_fails),
        cmocka_unit_test(test_tls_to_a_frozen_server_times_out),
        cmocka_unit_test(test_tls_carries_much_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
