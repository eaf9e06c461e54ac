/* The command line of mt5statectl: a table of commands and one of options, which also print the help. */
#pragma once

#include "util/errmsg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX 2 /* behind the command */

struct ctl;
struct command;

/* Texts borrow from the command line and the environment; NULL is not given. */
struct options {
    const struct command *command;
    const char *words[WORDS_MAX];
    size_t word_count;
    const char *url, *token_file, *timeout;
    const char *state, *health, *broker, *instance, *since, *limit, *reason, *duration;
    bool json, follow, help, version;
    int64_t timeout_ms;
    int64_t duration_ms;  /* 0: not given */
    uint64_t limit_count; /* 0: not given */
};

struct command {
    const char *name;
    const char *words; /* `ID`, `ID on|off`; empty: none */
    size_t word_count;
    unsigned options; /* bits of enum option_for */
    int (*run)(struct ctl *ctl);
    const char *summary;
    const char *help; /* more about it, lines with their ends */
};

/* False, with WHY filled, for what makes no sense. With help or version set nothing else is checked. */
bool options_parse(int argc, char **argv, struct options *ret_options, struct errmsg *why);
/* Of COMMAND, or of all where that is NULL. */
void options_print_help(const struct command *command);
