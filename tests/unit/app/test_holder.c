/* app/holder.h: whose token it is, and when its process can be told to be dead. */
#include "app/holder.h"
#include "util/macros.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that waits until it is killed, and the token it would make. */
struct other {
    pid_t pid;
    char token[HOLDER_TOKEN_MAX];
};

static void start_other(struct other *other, const char *consumer, const char *name)
{
    int ends[2];
    size_t got = 0;

    assert_int_equal(pipe(ends), 0);
    other->pid = fork();
    assert_true(other->pid >= 0);
    if (other->pid == 0) {
        char token[HOLDER_TOKEN_MAX] = {0};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (name)
            (void)prctl(PR_SET_NAME, name);
        holder_make_token(token, consumer);
        if (write(ends[1], token, sizeof(token)) != sizeof(token))
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]);
    while (got < sizeof(other->token)) {
        ssize_t n = read(ends[0], other->token + got, sizeof(other->token) - got);

        assert_true(n > 0);
        got += (size_t)n;
    }
    (void)close(ends[0]);
}

static void kill_other(struct other *other)
{
    assert_int_equal(kill(other->pid, SIGKILL), 0);
    assert_int_equal(waitpid(other->pid, NULL, 0), other->pid);
}

static void test_holder_make_token_names_the_process(void **state)
{
    char token[HOLDER_TOKEN_MAX], again[HOLDER_TOKEN_MAX], expected[64];
    const char *hash, *random;

    UNUSED(state);
    holder_make_token(token, "mt5stated");
    holder_make_token(again, "mt5stated");
    assert_int_equal(strncmp(token, "mt5stated@", 10), 0);
    (void)snprintf(expected, sizeof(expected), "]:%ld:", (long)getpid());
    assert_non_null(strstr(token, expected));
    hash = strchr(token, '#');
    assert_non_null(hash);
    random = hash + 1;
    assert_int_equal(strspn(random, "0123456789abcdef"), 16);
    assert_int_equal(strlen(random), 16);
    assert_string_not_equal(token, again); /* two lives of one process, as after exec */
    assert_memory_equal(token, again, (size_t)(random - token));
    assert_null(strpbrk(token, " \r\n"));
}

/* The longest name that configuration allows leaves the whole token its room. */
static void test_holder_make_token_is_whole_for_the_longest_consumer(void **state)
{
    char consumer[65], token[HOLDER_TOKEN_MAX];

    UNUSED(state);
    memset(consumer, 'c', sizeof(consumer) - 1);
    consumer[sizeof(consumer) - 1] = '\0';
    holder_make_token(token, consumer);
    assert_non_null(strchr(token, '#'));
    assert_int_equal(strlen(strchr(token, '#')), 17);
}

static void test_holder_is_dead_only_once_it_is(void **state)
{
    char own[HOLDER_TOKEN_MAX];
    struct other other;

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    start_other(&other, "mt5stated", NULL);
    assert_false(holder_is_dead(other.token, own));
    assert_int_equal(kill(other.pid, SIGSTOP), 0); /* frozen is not dead */
    assert_false(holder_is_dead(other.token, own));
    assert_int_equal(kill(other.pid, SIGCONT), 0);
    kill_other(&other);
    assert_true(holder_is_dead(other.token, own));
}

static void test_holder_that_nobody_has_waited_for_is_dead(void **state)
{
    char own[HOLDER_TOKEN_MAX];
    struct other other;
    siginfo_t info;

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    start_other(&other, "mt5stated", NULL);
    assert_int_equal(kill(other.pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)other.pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(holder_is_dead(other.token, own));
    assert_int_equal(waitpid(other.pid, NULL, 0), other.pid);
}

/* The name of a process stands in /proc before what is read, and may hold anything. */
static void test_holder_is_alive_whatever_it_is_called(void **state)
{
    static const char *const names[] = {") Z 1 1", "a b) X (c", ")))", " ", "\n) Z"};
    char own[HOLDER_TOKEN_MAX];

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct other other;

        start_other(&other, "mt5stated", names[i]);
        assert_false(holder_is_dead(other.token, own));
        kill_other(&other);
        assert_true(holder_is_dead(other.token, own));
    }
}

/* OWN with the part between the last two marks replaced. */
static void replace(char out[HOLDER_TOKEN_MAX], const char *own, const char *from, const char *to,
                    const char *with)
{
    const char *start = strstr(own, from), *end;

    assert_non_null(start);
    start += strlen(from);
    end = strstr(start, to);
    assert_non_null(end);
    (void)snprintf(out, HOLDER_TOKEN_MAX, "%.*s%s%s", (int)(start - own), own, with, end);
}

static void test_holder_of_a_number_used_again_is_dead(void **state)
{
    char own[HOLDER_TOKEN_MAX], token[HOLDER_TOKEN_MAX], mark[32];

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    (void)snprintf(mark, sizeof(mark), "]:%ld:", (long)getpid());
    replace(token, own, mark, "#", "1"); /* this process, but it did not start then */
    assert_true(holder_is_dead(token, own));
}

static void test_holder_elsewhere_is_never_dead(void **state)
{
    static const struct {
        const char *from, *to, *with;
    } rows[] = {
        {"", "@", "other"},                    /* another consumer */
        {"", "@", ""},                         /* none */
        {"@", ":", "00000000-0000-0000-0000"}, /* another boot, or host */
        {"pid:[", "]", "1"},                   /* another namespace */
    };
    char own[HOLDER_TOKEN_MAX];
    struct other other;

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    start_other(&other, "mt5stated", NULL);
    kill_other(&other);
    assert_true(holder_is_dead(other.token, own));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char token[HOLDER_TOKEN_MAX];

        replace(token, other.token, rows[i].from, rows[i].to, rows[i].with);
        assert_false(holder_is_dead(token, own));
    }
}

static void test_holder_that_is_no_token_is_never_dead(void **state)
{
    static const char *const ends[] = {
        "",      ":",      "1",         "1:",    "1:5",   "0:5#x",  "-1:5#x",
        "x:5#x", "1x:5#x", "1:0#x",     "1:x#x", "1:5x#", "1::5#x", "99999999999999999999:5#x",
        "#",     "1 :5#x", "4194305:x",
    };
    char own[HOLDER_TOKEN_MAX];
    const char *place;

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    place = strstr(own, "]:");
    assert_non_null(place);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char token[HOLDER_TOKEN_MAX];

        (void)snprintf(token, sizeof(token), "%.*s%s", (int)(place + 2 - own), own, ends[i]);
        assert_false(holder_is_dead(token, own));
    }
    assert_false(holder_is_dead("", own));
    assert_false(holder_is_dead("somebody", own));
    assert_false(holder_is_dead(own, own));
    /* Where this process does not know its own place, nobody can be told. */
    assert_false(holder_is_dead("c@:4194305:5#1", "c@::4194304:5#1"));
    assert_false(holder_is_dead("", ""));
}

/* Else a standby that has run out of descriptors would take the lease from one that works. */
static void test_holder_is_alive_where_no_file_can_be_opened(void **state)
{
    struct rlimit before, none;
    struct other other;
    char own[HOLDER_TOKEN_MAX], poor[HOLDER_TOKEN_MAX];
    bool is_dead;

    UNUSED(state);
    holder_make_token(own, "mt5stated");
    start_other(&other, "mt5stated", NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    is_dead = holder_is_dead(other.token, own);
    holder_make_token(poor, "mt5stated");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(is_dead);
    assert_false(holder_is_dead(poor, own));
    assert_false(holder_is_dead(poor, poor));
    kill_other(&other);
    assert_true(holder_is_dead(other.token, own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holder_make_token_names_the_process),
        cmocka_unit_test(test_holder_make_token_is_whole_for_the_longest_consumer),
        cmocka_unit_test(test_holder_is_dead_only_once_it_is),
        cmocka_unit_test(test_holder_that_nobody_has_waited_for_is_dead),
        cmocka_unit_test(test_holder_is_alive_whatever_it_is_called),
        cmocka_unit_test(test_holder_of_a_number_used_again_is_dead),
        cmocka_unit_test(test_holder_elsewhere_is_never_dead),
        cmocka_unit_test(test_holder_that_is_no_token_is_never_dead),
        cmocka_unit_test(test_holder_is_alive_where_no_file_can_be_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
