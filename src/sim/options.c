/* Every option takes a value but the flags; `--name value` and `--name=value` are the same. */
#include "options.h"

#include "core/ident.h"
#include "util/macros.h"
#include "util/number.h"
#include "util/slice.h"
#include <stddef.h>
#include <stdio.h>

enum option_kind { OPTION_TEXT, OPTION_WHOLE, OPTION_RATE, OPTION_SHARE, OPTION_FLAG };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    const char *initial; /* NULL for a flag */
    double min, max;     /* of whole numbers and rates */
    const char *meaning;
};

#define ROW(name, kind, field, initial, min, max, meaning)                                                   \
    {                                                                                                        \
        name, kind, offsetof(struct options, field), initial, min, max, meaning                              \
    }
#define TEXT(name, field, initial, meaning) ROW(name, OPTION_TEXT, field, initial, 0, 0, meaning)
#define WHOLE(name, field, initial, min, max, meaning)                                                       \
    ROW(name, OPTION_WHOLE, field, initial, min, max, meaning)
#define RATE(name, field, initial, meaning)  ROW(name, OPTION_RATE, field, initial, 0, 100000, meaning)
#define SHARE(name, field, initial, meaning) ROW(name, OPTION_SHARE, field, initial, 0, 1, meaning)
#define FLAG(name, field, meaning)           ROW(name, OPTION_FLAG, field, NULL, 0, 0, meaning)
#define TROUBLE(name, kind, until)                                                                           \
    WHOLE(name "-trouble-every-s", trouble_every_s[kind], "0", 0, MANY,                                      \
          "mean time between two in one instance, each lasts " until "; 0: never")
#define TITLE(title)                                                                                         \
    {                                                                                                        \
        title, OPTION_TEXT, 0, NULL, 0, 0, NULL                                                              \
    }

#define MANY 1e9
#define MS   86400000

static const struct option_row rows[] = {
    TITLE("Where"),
    TEXT("redis", redis_url, "redis://127.0.0.1:6379/0",
         "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss://…, unix:///PATH[?db=DB]"),
    TEXT("redis-username", redis_username, "", "ACL user"),
    TEXT("redis-password-file", redis_password_file, "", "the password, read again at each connect"),
    TEXT("redis-tls-ca-file", tls_ca_file, "", "the system's CAs where empty"),
    TEXT("redis-tls-cert-file", tls_cert_file, "", "client certificate"),
    TEXT("redis-tls-key-file", tls_key_file, "", "its key"),
    TEXT("stream-reports", stream[STREAM_REPORTS], "instance_reports", ""),
    TEXT("stream-signals", stream[STREAM_SIGNALS], "trade_signals", ""),
    TEXT("stream-results", stream[STREAM_RESULTS], "trade_results", ""),
    TEXT("stream-trades", stream[STREAM_TRADES], "trade_updates", ""),
    TEXT("stream-commands", stream_commands, "instance_commands", "what the agents obey"),
    TEXT("executor-group", executor_group, "executors", "consumer group through which signals are read"),
    TITLE("How long"),
    WHOLE("seconds", seconds, "0", 0, MANY, "from the first connection on; 0: until SIGINT or SIGTERM"),
    WHOLE("signals", signals, "0", 0, MANY, "end after so many signals were written; 0: no limit"),
    FLAG("drain", drain, "at the end let the executors finish what is there, then print the ledger"),
    WHOLE("seed", seed, "1", 0, MANY, "the same seed, the same behaviour"),
    TEXT("run-id", run_id, "",
         "part of every id that is written, 1 to 24 id characters; by default from the time"),
    FLAG("verbose", verbose, "a line about the progress on standard error every 5 seconds"),
    TITLE("Fleet"),
    WHOLE("instances", instances, "12", 0, 100000, "agents mt5-1, mt5-2, …"),
    WHOLE("brokers", brokers, "3", 1, 100000, "broker-1, …, in turn"),
    WHOLE("hosts", hosts, "4", 1, 100000, "host-1, …, in turn"),
    WHOLE("report-interval-ms", report_interval_ms, "1000", 10, MS, "of each agent"),
    SHARE("crash-share", crash_share, "1", "the instances that ever crash"),
    WHOLE("crash-every-s", crash_every_s, "300", 0, MANY,
          "mean time between two crashes of one of them; 0: never"),
    WHOLE("down-ms", down_ms, "5000", 1, MS, "mean time from a crash to the restart"),
    WHOLE("restart-ms", restart_ms, "3000", 1, MS, "how long a restart takes, half to one and a half of it"),
    SHARE("restart-fail-share", restart_fail_share, "0.1", "restarts that end in a crash"),
    FLAG("stay-down", stay_down, "crashed instances wait for a command"),
    WHOLE("silence-every-s", silence_every_s, "600", 0, MANY,
          "mean time between two silences of one agent; 0: never"),
    WHOLE("silence-ms", silence_ms, "10000", 1, MS, "mean length of a silence"),
    WHOLE("doomed", doomed, "0", 0, 100000,
          "so many of the last instances crash once and never come up again"),
    WHOLE("doomed-after-s", doomed_after_s, "5", 1, MANY, "when they do"),
    WHOLE("outage-after-s", outage_after_s, "0", 0, MANY,
          "when all instances of one broker crash within a second; 0: never"),
    WHOLE("outage-seconds", outage_seconds, "30", 1, MANY,
          "how long no restart of them helps; then they come up by themselves"),
    WHOLE("outage-broker", outage_broker, "1", 1, 100000, "the number of that broker"),
    TITLE("Trouble of running instances, beyond the thresholds of the default rules"),
    TROUBLE("cpu", TROUBLE_CPU, "until recover"),
    TROUBLE("memory", TROUBLE_MEMORY, "until recover"),
    TROUBLE("latency", TROUBLE_LATENCY, "until reconnect"),
    TROUBLE("queue", TROUBLE_QUEUE, "until throttle"),
    TROUBLE("load", TROUBLE_LOAD, "until redistribute"),
    TROUBLE("socket", TROUBLE_SOCKET, "until reconnect"),
    WHOLE("trouble-ms", trouble_ms, "30000", 0, MS,
          "how long each lasts where no command ends it; 0: for ever"),
    TITLE("How agents misbehave with commands"),
    SHARE("command-refuse-share", command_refuse_share, "0", "answered with failed, at once"),
    SHARE("command-ignore-share", command_ignore_share, "0", "neither obeyed nor answered"),
    SHARE("command-late-share", command_late_share, "0", "obeyed and answered late, expired or not"),
    WHOLE("command-late-ms", command_late_ms, "45000", 1, MS, "how late"),
    SHARE("command-twice-share", command_twice_share, "0", "each of their answers is written twice"),
    SHARE("command-unknown-share", command_unknown_share, "0",
          "besides them a command that nobody has issued is answered"),
    TITLE("Signals and results"),
    RATE("signals-per-sec", signals_per_sec, "20", "mean rate"),
    WHOLE("executors", executors, "2", 0, 64, "consumers of the group; with 0 no signal is answered"),
    WHOLE("latency-ms", latency_ms, "150", 0, MS,
          "mean time from reading a signal to its result, log-normal"),
    WHOLE("shuffle", shuffle, "1", 1, 10000, "results are written in random order within windows of so many"),
    SHARE("fail-share", fail_share, "0.05", "answered with failed, rejected, cancelled or expired"),
    SHARE("partial-share", partial_share, "0.05", "answered with partially_filled"),
    SHARE("accepted-share", accepted_share, "0.2", "answered with accepted first"),
    SHARE("followup-share", followup_share, "0.02", "of those processed: a second result, another fill"),
    SHARE("unanswered-share", unanswered_share, "0.01",
          "get no final result, so they are going to be dropped"),
    SHARE("early-share", early_share, "0.01", "the result is written before the signal"),
    TITLE("Trades"),
    RATE("trades-per-sec", trades_per_sec, "2", "new trades, each with several updates"),
    TITLE("Bad input"),
    SHARE("duplicate-share", duplicate_share, "0.01", "signals that are written twice"),
    SHARE("duplicate-result-share", duplicate_result_share, "0.005", "results that are written twice"),
    SHARE("malformed-share", malformed_share, "0.002",
          "for each entry of any stream, one more that is invalid"),
};

static void *field_at(struct options *options, const struct option_row *row)
{
    return (char *)options + row->offset;
}

static bool parse_share(const char *text, double *ret_share)
{
    size_t len = strlen(text);
    bool percent = len > 0 && text[len - 1] == '%';
    double value;

    if (!number_parse_decimal(slice_of(text, percent ? len - 1 : len), &value))
        return false;
    if (percent)
        value /= 100;
    if (!(value >= 0 && value <= 1))
        return false;
    *ret_share = value;
    return true;
}

static bool refuse(const struct option_row *row, struct errmsg *why, const char *wanted)
{
    errmsg_set(why, "--%s takes %s", row->name, wanted);
    return false;
}

static bool refuse_range(const struct option_row *row, struct errmsg *why, const char *what)
{
    errmsg_set(why, "--%s takes a %s from %.0f to %.0f", row->name, what, row->min, row->max);
    return false;
}

static bool set_option(struct options *options, const struct option_row *row, const char *text,
                       struct errmsg *why)
{
    uint64_t whole;
    double number;

    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)field_at(options, row) = text;
        return true;
    case OPTION_FLAG:
        *(bool *)field_at(options, row) = true;
        return true;
    case OPTION_WHOLE:
        if (!number_parse_u64(slice_text(text), (uint64_t)row->max, &whole) || (double)whole < row->min)
            return refuse_range(row, why, "whole number");
        *(int64_t *)field_at(options, row) = (int64_t)whole;
        return true;
    case OPTION_RATE:
        if (!number_parse_decimal(slice_text(text), &number) || number < row->min || number > row->max)
            return refuse_range(row, why, "number");
        *(double *)field_at(options, row) = number;
        return true;
    case OPTION_SHARE:
        if (!parse_share(text, field_at(options, row)))
            return refuse(row, why, "a share from 0 to 1, or a percentage such as 5%");
        return true;
    }
    return false;
}

static const struct option_row *find_row(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].meaning && slice_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

static bool check_together(const struct options *options, struct errmsg *why)
{
    if (options->fail_share + options->partial_share + options->unanswered_share > 1) {
        errmsg_set(why, "--fail-share, --partial-share and --unanswered-share are more than 1 together");
        return false;
    }
    if (options->command_refuse_share + options->command_ignore_share + options->command_late_share > 1) {
        errmsg_set(why, "--command-refuse-share, --command-ignore-share and --command-late-share are more "
                        "than 1 together");
        return false;
    }
    if (options->doomed > options->instances) {
        errmsg_set(why, "--doomed is more than --instances");
        return false;
    }
    if (options->outage_after_s > 0 && options->outage_broker > options->brokers) {
        errmsg_set(why, "--outage-broker is more than --brokers");
        return false;
    }
    if (options->run_id[0] != '\0' && !ident_is_valid(slice_text(options->run_id), 24)) {
        errmsg_set(
            why, "--run-id takes 1 to 24 characters of A-Z a-z 0-9 . _ -, a letter or digit first and last");
        return false;
    }
    return true;
}

static bool parse_words(int argc, char **argv, struct options *options, struct errmsg *why)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : "";
        size_t name_len = strcspn(name, "=");
        const struct option_row *row = find_row(slice_of(name, name_len));
        const char *value = name[name_len] == '=' ? name + name_len + 1 : NULL;

        if (!row || (value && row->kind == OPTION_FLAG)) {
            errmsg_set(why, "%s: no such option; --help lists them", word);
            return false;
        }
        if (!value && row->kind != OPTION_FLAG) {
            if (++i == argc)
                return refuse(row, why, "a value");
            value = argv[i];
        }
        if (!set_option(options, row, value, why))
            return false;
    }
    return check_together(options, why);
}

enum options_outcome options_parse(int argc, char **argv, struct options *ret_options, struct errmsg *why)
{
    struct options options = {0};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].initial && !set_option(&options, &rows[i], rows[i].initial, why))
            return OPTIONS_WRONG;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return OPTIONS_HELP;
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
            return OPTIONS_VERSION;
    }
    if (!parse_words(argc, argv, &options, why))
        return OPTIONS_WRONG;
    *ret_options = options;
    return OPTIONS_RUN;
}

static const char *value_word(enum option_kind kind)
{
    static const char *const words[] = {
        [OPTION_TEXT] = "TEXT",   [OPTION_WHOLE] = "N", [OPTION_RATE] = "R",
        [OPTION_SHARE] = "SHARE", [OPTION_FLAG] = "",
    };

    return words[kind];
}

void options_print_help(void)
{
    (void)printf("Usage: mt5sim [OPTION]...\n"
                 "A simulated fleet of MetaTrader 5 terminals on a Redis: agents that report and obey "
                 "commands, signal\n"
                 "producers, executors and trades, with as much trouble as is asked for. At the end its "
                 "ledger, which says\n"
                 "what it has written, is printed as one JSON object on standard output.\n"
                 "A SHARE is a number from 0 to 1, or a percentage such as 5%%.\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct option_row *row = &rows[i];
        char left[64];

        if (!row->meaning) {
            (void)printf("\n%s:\n", row->name);
            continue;
        }
        (void)snprintf(left, sizeof(left), "--%s %s", row->name, value_word(row->kind));
        (void)printf("  %-28s %s", left, row->meaning);
        if (row->initial && row->initial[0] != '\0')
            (void)printf("%s[%s]", row->meaning[0] != '\0' ? " " : "", row->initial);
        (void)putchar('\n');
    }
    (void)printf("\n  %-28s this text\n  %-28s the version\n", "-h, --help", "-V, --version");
    (void)printf(
        "\nExit codes: 0 the ledger is exact, 1 it is not (it says why), 64 usage, 70 internal error.\n");
}
