/* mt5stated --backtest (SPEC §11): what the rules of a configuration would have done with a recording. */
#pragma once

struct config;

struct backtest_options {
    const char *file;
    const struct config *config;
    const char *config_name;      /* for people */
    const struct config *against; /* NULL: none */
    const char *against_name;
};

/* Reads the recording and writes what it comes to to standard output; warnings go to standard error. Returns
 * the exit code: EX_USAGE where FILE cannot be read or is no recording, which was said. */
int backtest(const struct backtest_options *options);
