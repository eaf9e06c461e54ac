/* The command line of mt5sim: one table of options, which also prints the help. */
#pragma once

#include "core/stream.h"
#include "trouble.h"
#include "util/errmsg.h"
#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *redis_url, *redis_username, *redis_password_file;
    const char *tls_ca_file, *tls_cert_file, *tls_key_file;
    const char *stream[STREAM_KINDS];
    const char *stream_commands;
    const char *executor_group;
    const char *run_id; /* empty: made from the time */

    int64_t instances, brokers, hosts, executors;
    int64_t seconds, signals, seed;
    double signals_per_sec, trades_per_sec;
    bool drain, verbose;

    int64_t report_interval_ms;
    double crash_share;
    int64_t crash_every_s, silence_every_s, silence_ms, down_ms, restart_ms;
    double restart_fail_share;
    bool stay_down;
    int64_t doomed, doomed_after_s;
    int64_t outage_after_s, outage_seconds, outage_broker;

    int64_t trouble_every_s[TROUBLES], trouble_ms;

    double command_refuse_share, command_ignore_share, command_late_share;
    double command_twice_share, command_unknown_share;
    int64_t command_late_ms;

    double fail_share, partial_share, accepted_share, followup_share, unanswered_share, early_share;
    double duplicate_share, duplicate_result_share, malformed_share;
    int64_t latency_ms, shuffle;
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

/* Texts borrow from ARGV. For OPTIONS_WRONG *WHY says what is wrong. */
enum options_outcome options_parse(int argc, char **argv, struct options *ret_options, struct errmsg *why);
void options_print_help(void);
