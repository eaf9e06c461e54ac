/* A seeded simulation of the watch: fleets whose instances fail in every way, agents that obey, refuse and
 * ignore, operators, maintenance, outages, and a daemon that is paused, killed and started again between any
 * two steps. Time is made, there is no I/O. What the daemon says is checked at once, and again whenever
 * nothing is due; at the end of a run all that was ever begun must have ended. */
#include "run.h"
#include "util/number.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_SEED UINT64_C(20250322)
#define DEFAULT_RUNS 30
#define LOOK_MS      20000 /* between two looks at everything */
#define CALM_MS      INT64_C(2700000)

struct options {
    uint64_t seed, runs;
    struct sizes sizes;
    bool verbose, keeps_on;
};

static int64_t min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void start_run(struct run *run, uint64_t seed, const struct options *options, struct trace *trace)
{
    *run = (struct run){.rng = {seed}, .now_ms = START_MS, .trace = trace, .verbose = options->verbose};
    trace_reset(trace);
    settings_draw(&run->settings, &run->rng, &options->sizes);
    run->options = run->settings.watch;
    run->options.windows = run->settings.windows;
    run->least_attempts = run->options.recovery.max_attempts;
    world_init(&run->world, run);
    model_init(&run->model, run);
    daemon_init(&run->daemon, run);
    run->order_ms = run_draw_time(run, run->settings.order_ms);
    run->reload_ms = run_draw_time(run, run->settings.reload_ms);
    run->look_ms = run->now_ms + LOOK_MS;
}

static void end_run(struct run *run)
{
    daemon_clear(&run->daemon);
    model_clear(&run->model);
    world_clear(&run->world);
}

static void take_step(struct run *run)
{
    int64_t next_ms = min_ms(world_next_ms(&run->world), daemon_next_ms(&run->daemon));

    next_ms = min_ms(next_ms, min_ms(run->order_ms, min_ms(run->reload_ms, run->look_ms)));
    run->now_ms = next_ms > run->now_ms ? next_ms : run->now_ms;
    run->step++;
    world_act(&run->world);
    if (run->order_ms <= run->now_ms) {
        run->order_ms = run_draw_time(run, run->settings.order_ms);
        daemon_take_order(&run->daemon);
    }
    if (run->reload_ms <= run->now_ms) {
        run->reload_ms = run_draw_time(run, run->settings.reload_ms);
        options_change(run);
        daemon_reload(&run->daemon);
    }
    daemon_act(&run->daemon);
    if (run->look_ms <= run->now_ms) {
        run->look_ms = run->now_ms + LOOK_MS * (1 + run->settings.instances / 50);
        check_all(run);
    }
}

/* All is well again, for long enough that every alert, command and attempt is over. */
static void settle(struct run *run)
{
    int64_t until_ms = run->now_ms + CALM_MS;

    run_note(run, "from here on nothing goes wrong");
    run->is_calm = true;
    run->order_ms = run->reload_ms = INT64_MAX;
    options_calm(run);
    world_calm(&run->world);
    daemon_calm(&run->daemon);
    for (int64_t phase_ms = run->now_ms; phase_ms < until_ms && !run->failed;) {
        phase_ms += CALM_MS / 4;
        while (run->now_ms < phase_ms && !run->failed)
            take_step(run);
        if (phase_ms < until_ms)
            daemon_start_stopped(&run->daemon);
    }
    if (!run->failed)
        check_end(run);
}

struct sums {
    uint64_t reports, events, fired, notified, breaks, stops, compared, lost, deaths, restarts, pauses,
        reloads, orders, hooks, commands[COMMAND_KINDS];
};

static void add_sums(struct sums *sums, const struct run *run)
{
    sums->reports += run->world.reports;
    sums->events += run->model.sums.events;
    sums->fired += run->model.sums.fired;
    sums->notified += run->model.sums.notified;
    sums->breaks += run->model.sums.breaks;
    sums->stops += run->model.sums.stops;
    sums->compared += run->model.sums.compared;
    sums->lost += run->model.sums.lost;
    sums->deaths += run->daemon.sums.deaths;
    sums->restarts += run->daemon.sums.restarts;
    sums->pauses += run->daemon.sums.pauses;
    sums->reloads += run->daemon.sums.reloads;
    sums->orders += run->daemon.sums.orders;
    sums->hooks += run->daemon.sums.hooks;
    for (int k = 0; k < COMMAND_KINDS; k++)
        sums->commands[k] += run->model.sums.commands[k];
}

static void print_sums(const struct sums *sums)
{
    (void)printf("%" PRIu64 " reports, %" PRIu64 " events, %" PRIu64 " alerts, %" PRIu64 " notices, %" PRIu64
                 " breakers, %" PRIu64 " stops, %" PRIu64 " loads compared; %" PRIu64 " deaths (%" PRIu64
                 " lost something), %" PRIu64 " restarts, %" PRIu64 " pauses, %" PRIu64 " reloads, %" PRIu64
                 " orders, %" PRIu64 " hooks\ncommands:",
                 sums->reports, sums->events, sums->fired, sums->notified, sums->breaks, sums->stops,
                 sums->compared, sums->deaths, sums->lost, sums->restarts, sums->pauses, sums->reloads,
                 sums->orders, sums->hooks);
    for (int k = 0; k < COMMAND_KINDS; k++)
        (void)printf(" %" PRIu64 " %s", sums->commands[k], command_kind_name((enum command_kind)k));
    (void)printf("\n");
}

static bool run_seed(uint64_t seed, const struct options *options, struct trace *trace, struct sums *sums)
{
    struct run *run = malloc(sizeof(*run));
    int64_t until_ms;
    bool is_good;

    if (!run)
        abort();
    start_run(run, seed, options, trace);
    until_ms = run->now_ms + run->settings.span_ms;
    while (run->now_ms < until_ms && !run->failed)
        take_step(run);
    if (!run->failed)
        settle(run);
    is_good = !run->failed;
    if (!is_good) {
        (void)fprintf(stderr, "run with seed %" PRIu64 " fails (--seed %" PRIu64 " --runs 1):\n", seed, seed);
        trace_print(trace);
    }
    add_sums(sums, run);
    end_run(run);
    free(run);
    return is_good;
}

static bool read_options(int argc, char **argv, struct options *ret)
{
    for (int i = 1; i < argc; i++) {
        uint64_t *value = strcmp(argv[i], "--seed") == 0        ? &ret->seed
                          : strcmp(argv[i], "--runs") == 0      ? &ret->runs
                          : strcmp(argv[i], "--instances") == 0 ? &ret->sizes.instances
                          : strcmp(argv[i], "--hours") == 0     ? &ret->sizes.hours
                                                                : NULL;

        if (strcmp(argv[i], "--verbose") == 0)
            ret->verbose = true;
        else if (strcmp(argv[i], "--keep-on") == 0)
            ret->keeps_on = true;
        else if (!value || i + 1 == argc || !number_parse_u64(slice_text(argv[++i]), UINT32_MAX, value))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = DEFAULT_SEED, .runs = DEFAULT_RUNS};
    const char *more = getenv("SIM_SEED");
    struct sums sums = {0};
    uint64_t failed = 0, done = 0, extra = 0;
    bool has_extra = more && number_parse_u64(slice_text(more), UINT64_MAX, &extra);
    struct trace *trace;

    if (!read_options(argc, argv, &options)) {
        (void)fprintf(stderr,
                      "usage: sim_watch [--seed N] [--runs N] [--instances N] [--hours N] [--verbose] "
                      "[--keep-on]\n");
        return 64;
    }
    trace = trace_new();
    for (; done < options.runs + has_extra && (!failed || options.keeps_on); done++)
        failed += !run_seed(done < options.runs ? options.seed + done : extra, &options, trace, &sums);
    (void)printf("%" PRIu64 " runs, %" PRIu64 " failed: ", done, failed);
    print_sums(&sums);
    trace_free(trace);
    return failed ? 1 : 0;
}
