/* What the tests of the configuration share: problems remembered, files of a test's own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
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

static struct config *load_set(struct problems *problems, const char *set)
{
    const char *sets[] = {set, NULL};

    return load(problems, NULL, sets);
}
