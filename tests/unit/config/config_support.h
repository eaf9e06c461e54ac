/* What the tests of the configuration share: problems remembered, files of a test's own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/buf.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBLEMS_MAX 150

struct problems {
    size_t count;
    char where[PROBLEMS_MAX][300], key[PROBLEMS_MAX][300], what[PROBLEMS_MAX][600];
};

static void remember_problem(void *ctx, const char *where, const char *key, const char *what)
{
    struct problems *problems = ctx;
    size_t i = problems->count++;

    assert_true(i < PROBLEMS_MAX);
    (void)snprintf(problems->where[i], sizeof(problems->where[i]), "%s", where);
    (void)snprintf(problems->key[i], sizeof(problems->key[i]), "%s", key);
    (void)snprintf(problems->what[i], sizeof(problems->what[i]), "%s", what);
}

/* A new file with that content; its path in PATH (at least 64 bytes). */
static void write_file(char *path, const char *content, size_t len)
{
    int fd;

    (void)strcpy(path, "/tmp/mt5-config-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

/* Loads CONTENT as a file (NULL: an empty object) with SETS, which end with NULL. */
static struct config *load(struct problems *problems, const char *content, const char *const *sets)
{
    struct config_source source = {.sets = sets};
    struct config *config;
    char path[64];

    while (sets && sets[source.set_count])
        source.set_count++;
    problems->count = 0;
    write_file(path, content ? content : "{}", strlen(content ? content : "{}"));
    source.file = path;
    config = config_load(&source, remember_problem, problems);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(config == NULL, problems->count > 0);
    return config;
}

__attribute__((unused)) static struct config *load_set(struct problems *problems, const char *set)
{
    const char *sets[] = {set, NULL};

    return load(problems, NULL, sets);
}

/* What CONFIG prints loads again, to a configuration that prints the same. */
__attribute__((unused)) static void expect_loads_again(const struct config *config)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct problems problems;
    struct config *again;

    config_print(config, &first);
    again = load(&problems, buf_text(&first), NULL);
    if (!again)
        fail_msg("%s: %s in %s", problems.key[0], problems.what[0], first.data);
    config_print(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    config_free(again);
    buf_clear(&first);
    buf_clear(&second);
}

/* CONFIG prints TEXT somewhere. */
__attribute__((unused)) static void expect_printed(const struct config *config, const char *text)
{
    struct buf out = BUF_INIT;

    config_print(config, &out);
    if (!strstr(buf_text(&out), text))
        fail_msg("no %s in %s", text, out.data);
    buf_clear(&out);
}

/* A configuration (NULL: an empty object) or a `--set` (NULL: none) and the one problem that it has. */
struct bad_row {
    const char *file, *set, *key, *what;
};

__attribute__((unused)) static void expect_bad_rows(const struct bad_row *rows, size_t count)
{
    struct problems problems;

    for (size_t i = 0; i < count; i++) {
        const char *sets[] = {rows[i].set, NULL};
        const char *shown = rows[i].set ? rows[i].set : rows[i].file;

        if (load(&problems, rows[i].file, sets))
            fail_msg("%s was taken", shown);
        if (problems.count != 1 || strcmp(problems.key[0], rows[i].key) != 0 ||
            !strstr(problems.what[0], rows[i].what))
            fail_msg("%s: %zu problems, told at %s: %s", shown, problems.count, problems.key[0],
                     problems.what[0]);
    }
}
