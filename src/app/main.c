/* mt5stated: the command line (SPEC §1.1). */
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/memory.h"
#include "app/backtest.h"
#include "app/daemon.h"
#include "config/config.h"
#include "util/alloc.h"
#include "util/buf.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "Usage: mt5stated [-c FILE] [--set KEY=VALUE]... [--check-config | --print-config] [-V] [-h]\n"
    "       mt5stated --backtest FILE [-c FILE] [--set KEY=VALUE]... [--against FILE]\n"
    "\n"
    "Keeps the state of a fleet of MetaTrader 5 terminals in Redis true, accounts for every\n"
    "trade signal, and serves Prometheus metrics.\n"
    "\n"
    "  -c, --config FILE      configuration as JSON, comments allowed; without it\n"
    "                         " CONFIG_DEFAULT_FILE " if that exists,\n"
    "                         else the built-in defaults\n"
    "      --set KEY=VALUE    override one key, dotted; VALUE is JSON, or else text\n"
    "      --check-config     validate everything, say what is wrong, exit\n"
    "      --print-config     print the effective configuration without secrets, exit\n"
    "      --backtest FILE    print what the rules would have done with a recording of\n"
    "                         mt5statectl record, exit; Redis is not asked\n"
    "      --against FILE     with --backtest: and what differs from this configuration\n"
    "  -V, --version          print the version, exit\n"
    "  -h, --help             print this, exit\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop, SIGHUP reloads the configuration, SIGUSR1 logs a summary.\n"
    "Exit codes: 0 clean stop, 64 usage or no recording, 69 the HTTP address cannot be bound, 70 internal "
    "error,\n"
    "78 configuration error.\n";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT, ACTION_BACKTEST, ACTION_EXIT };

struct arguments {
    enum action action;
    struct config_source source;
    const char **sets;
    const char *recording, *against;
};

static bool choose(struct arguments *args, enum action action)
{
    if (args->action != ACTION_RUN) {
        (void)fputs("mt5stated: --check-config, --print-config and --backtest exclude each other\n", stderr);
        return false;
    }
    args->action = action;
    return true;
}

static int parse_arguments(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, 's'},
        {"check-config", no_argument, NULL, 'k'},
        {"print-config", no_argument, NULL, 'p'},
        {"backtest", required_argument, NULL, 'b'},
        {"against", required_argument, NULL, 'a'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    args->sets = mem_new((size_t)argc, sizeof *args->sets);
    int c;
    while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            args->source.file = optarg;
            break;
        case 's':
            args->sets[args->source.set_count++] = optarg;
            break;
        case 'k':
        case 'p':
            if (!choose(args, c == 'k' ? ACTION_CHECK : ACTION_PRINT))
                return EX_USAGE;
            break;
        case 'b':
            args->recording = optarg;
            if (!choose(args, ACTION_BACKTEST))
                return EX_USAGE;
            break;
        case 'a':
            args->against = optarg;
            break;
        case 'V':
            (void)printf("mt5stated %s (%s)\n", MT5_VERSION, MT5_COMMIT);
            args->action = ACTION_EXIT;
            return 0;
        case 'h':
            (void)fputs(usage, stdout);
            args->action = ACTION_EXIT;
            return 0;
        default:
            (void)fputs("Try 'mt5stated --help'.\n", stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "mt5stated: unexpected argument '%s'\nTry 'mt5stated --help'.\n", argv[optind]);
        return EX_USAGE;
    }
    if (args->against && args->action != ACTION_BACKTEST) {
        (void)fputs("mt5stated: --against belongs to --backtest\nTry 'mt5stated --help'.\n", stderr);
        return EX_USAGE;
    }
    args->source.sets = args->sets;
    return 0;
}

static void on_problem(void *ctx, const char *where, const char *key, const char *what)
{
    UNUSED(ctx);
    (void)fprintf(stderr, "%s: %s: %s\n", where, key, what);
}

/* Standard output may be a full disk or a closed pipe: what did not get there is an error. */
static int finish_output(void)
{
    return fflush(stdout) || ferror(stdout) ? EX_IOERR : 0;
}

static int run(const struct arguments *args, struct config *config)
{
    struct loop *loop = loop_new();
    if (!loop) {
        perror("mt5stated: event loop");
        config_free(config);
        return EX_SOFTWARE;
    }
    struct log *log = log_new(loop, STDERR_FILENO);
    log_configure(log, (enum log_level)config->log.level, (enum log_format)config->log.format);
    int exit_code = 0;
    struct daemon *d = daemon_new(&args->source, config, log, loop, &exit_code);
    if (d) {
        exit_code = daemon_run(d);
        daemon_free(d);
    }
    log_free(log);
    loop_free(loop);
    return exit_code;
}

static int try_recording(const struct arguments *args, struct config *config)
{
    struct config_source source = {.file = args->against};
    struct backtest_options options = {.file = args->recording,
                                       .config = config,
                                       .config_name =
                                           args->source.file ? args->source.file : "this configuration",
                                       .against_name = args->against};
    struct config *against = args->against ? config_load(&source, on_problem, NULL) : NULL;
    int exit_code = EX_CONFIG;
    options.against = against;
    if (against || !args->against)
        exit_code = backtest(&options);
    config_free(against);
    config_free(config);
    return exit_code ? exit_code : finish_output();
}

static int act(const struct arguments *args)
{
    struct config *config = config_load(&args->source, on_problem, NULL);
    if (!config)
        return EX_CONFIG;
    if (args->action == ACTION_RUN)
        return run(args, config);
    if (args->action == ACTION_BACKTEST)
        return try_recording(args, config);
    if (args->action == ACTION_CHECK) {
        (void)puts("config ok");
    } else {
        struct buf out = BUF_INIT;
        config_print(config, &out);
        (void)fwrite(out.data, 1, out.len, stdout);
        buf_clear(&out);
    }
    config_free(config);
    return finish_output();
}

/* Whoever was started without standard streams must not get a socket in their place. */
static bool fill_standard_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 || close(fd) == 0;
}

int main(int argc, char **argv)
{
    if (!fill_standard_streams())
        return EX_OSERR;
    memory_give_back_early();
    memory_guard_libraries();
    struct arguments args = {0};
    int exit_code = parse_arguments(argc, argv, &args);
    if (exit_code == 0)
        exit_code = args.action == ACTION_EXIT ? finish_output() : act(&args);
    free(args.sets);
    return exit_code;
}
