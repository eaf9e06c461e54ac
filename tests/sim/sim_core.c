/* A seeded simulation of core and codec: one or two daemons without I/O, a store that loses replies, refuses,
 * restarts empty and rolls back, and everybody else. The invariants of SPEC §4 are looked at after every
 * step. */
#include "checks.h"

#include "util/number.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_SEED  UINT64_C(20250322)
#define DEFAULT_RUNS  100
#define DEFAULT_STEPS 1500
#define START_MS      INT64_C(1742638530000)
#define SETTLE_MS     12000
#define SHELLS        2

struct run {
    struct sim sim;
    struct store store, snapshot;
    bool has_snapshot;
    struct world world;
    struct checks checks;
    struct shell shells[SHELLS];
    int64_t refusing_until_ms, quiet_until_ms;
    uint64_t retire_step; /* when the one who took over leaves again; 0: not */
    struct shell *retiring;
    uint64_t batches, faults;
};

/* ---- what a run is like ---- */

static struct settings base_settings(struct rng *rng)
{
    return (struct settings){
        .ledger = {.ttl_ms = 400,
                   .execution_ttl_ms = 600,
                   /* Shorter than a signal may be open: then those are told the journal anew. */
                   .dedup_ms = rng_chance(rng, 70) ? 1500 : 200,
                   .max_tracked = 2000,
                   .results_max_len = (uint32_t)rng_between(rng, 3, 40),
                   .per_id_max = 10,
                   .per_id_ttl_ms = 1000},
        .fleet = {.heartbeat_timeout_ms = rng_chance(rng, 80) ? rng_between(rng, 300, 1500) : 0,
                  .restarting_timeout_ms = rng_chance(rng, 80) ? rng_between(rng, 300, 1500) : 0,
                  .metric_max_age_ms = 1000,
                  .forget_after_s = rng_chance(rng, 20) ? 1 : 0,
                  .max = 100},
        .closed_ttl_s = rng_between(rng, 1, 4),
        .lease_ms = rng_between(rng, 200, 1000),
        .reconcile_ms = rng_between(rng, 300, 1500),
        .poll_ms = 300,
        .reports_max_len = rng_chance(rng, 30) ? 0 : rng_between(rng, 1, 60),
        .trades_max_len = rng_chance(rng, 30) ? 0 : rng_between(rng, 1, 60),
        .events_max_len = 1000,
        .skew_max_ms = rng_chance(rng, 50) ? 0 : rng_between(rng, 1, 15),
        .read_count = (uint32_t)rng_between(rng, 1, 30),
        .full_bytes = (size_t)rng_between(rng, 400, 20000),
        .adopts = true,
    };
}

/* Some runs are about one kind of trouble, so that it is not drowned by the others. */
static struct settings draw_settings(struct rng *rng)
{
    struct settings s = base_settings(rng);
    uint32_t kind = rng_below(rng, 15);

    if (kind == 0)
        return s;
    s.loses_links = rng_chance(rng, 80);
    s.refuses = rng_chance(rng, 40);
    s.jumps = rng_chance(rng, 60);
    s.takes_signals = rng_chance(rng, 60);
    s.is_tight = kind == 5;
    if (s.is_tight)
        s.ledger.max_tracked = (uint32_t)rng_between(rng, 1, 12);
    s.wipes = kind == 6 || kind == 8;
    s.rolls_back = kind == 7 || kind == 8;
    s.cuts_streams = kind == 13;
    s.crashes = kind != 6 && kind != 7 && kind != 12 && kind != 13 && rng_chance(rng, 80);
    s.has_second = kind != 6 && kind != 7 && kind != 12 && kind != 13 && rng_chance(rng, 40);
    s.spoils_shared = kind == 12 || kind == 14;
    /* A stream that begins anew with IDs that count as read is another matter. */
    s.jumps_back = s.jumps && !s.wipes && !s.rolls_back && !s.cuts_streams && rng_chance(rng, 30);
    s.plants = kind == 9 || kind == 11;
    s.writes_hashes = kind == 10 || kind == 11;
    s.adopts = kind != 10 || rng_chance(rng, 70);
    s.observes = !s.cuts_streams && rng_chance(rng, 15);
    s.changes_mind = !s.cuts_streams && !s.observes && rng_chance(rng, 15);
    s.ledger.removes_nothing = s.observes;
    return s;
}

/* ---- one step ---- */

static struct shell *pick_shell(struct run *run)
{
    return &run->shells[run->sim.settings.has_second ? rng_below(&run->sim.rng, SHELLS) : 0];
}

static void pass_time(struct run *run, int64_t ms)
{
    if (ms < 0)
        store_expire(&run->store); /* what is gone does not come back */
    run->sim.now_ms += ms;
    if (run->sim.now_ms > run->sim.latest_ms)
        run->sim.latest_ms = run->sim.now_ms;
    run->store.now_ms = run->sim.now_ms;
}

static void take_store_step(struct run *run, struct shell *sh)
{
    bool executed = shell_execute(sh);

    if (!executed)
        return;
    run->batches++;
    checks_look(&run->checks);
}

/* Something moves between a daemon and the store. */
static void work(struct run *run, struct shell *sh)
{
    if (!sh->is_running)
        return;
    switch (rng_below(&run->sim.rng, 5)) {
    case 0:
        take_store_step(run, sh);
        break;
    case 1:
        (void)shell_answer(sh); /* nothing to do is fine here and below */
        break;
    case 2:
        (void)shell_execute_read(sh);
        break;
    case 3:
        (void)shell_deliver_read(sh, 1 + rng_below(&run->sim.rng, 12));
        break;
    default:
        shell_tick(sh);
        break;
    }
}

/* Some of what is on its way has been carried out, and nobody hears of it. */
static void carry_out_some(struct run *run, struct shell *sh)
{
    for (uint32_t some = rng_below(&run->sim.rng, 4); some > 0; some--)
        take_store_step(run, sh);
}

static void lose_link(struct run *run, struct shell *sh)
{
    if (!sh->is_running || !sh->is_up)
        return;
    carry_out_some(run, sh);
    shell_lose_link(sh);
    if (rng_chance(&run->sim.rng, 60))
        shell_lose_reading(sh);
}

/* The active one is cut off with a batch on its way, another takes over for a short while, and the first
 * comes back. */
static void cut_off_active(struct run *run)
{
    struct sim *sim = &run->sim;

    for (int i = 0; i < SHELLS; i++) {
        struct shell *sh = &run->shells[i];

        if (!sh->is_running || sh->phase != PHASE_ACTIVE || !sh->has_sent)
            continue;
        shell_lose_link(sh);
        shell_lose_reading(sh);
        pass_time(run, sim->settings.lease_ms);
        sh->reconnect_at_ms = sim->now_ms + rng_between(&sim->rng, 300, 900);
        run->retiring = &run->shells[SHELLS - 1 - i];
        run->retire_step = sim->step + (uint64_t)rng_between(&sim->rng, 20, 120);
        return;
    }
}

static void retire(struct run *run)
{
    if (!run->retire_step || run->sim.step < run->retire_step)
        return;
    run->retire_step = 0;
    if (run->retiring->is_running)
        shell_stop(run->retiring);
}

static void crash(struct run *run, struct shell *sh)
{
    if (!sh->is_running)
        return;
    if (rng_chance(&run->sim.rng, 15)) {
        shell_stop(sh);
        return;
    }
    carry_out_some(run, sh);
    shell_kill(sh);
}

static void start_again(struct run *run, struct shell *sh)
{
    char dead[SCRIPT_TEXT_MAX];

    (void)snprintf(dead, sizeof(dead), "%s", rng_chance(&run->sim.rng, 50) ? sh->token : "");
    shell_start(sh, dead);
}

/* The snapshot lacks a batch that a daemon was told to be stored. One that lacks only what others wrote
 * cannot be told from streams that others made anew. */
static bool is_behind(const struct run *run)
{
    uint64_t applied = 0;

    (void)number_parse_u64(key_get(store_find_text(&run->snapshot, KEY_META), "applied_seq"), UINT64_MAX,
                           &applied); /* 0 where it is missing */
    return !run->shells[0].has_state || applied < run->shells[0].applied;
}

static void act(struct run *run)
{
    uint32_t agent = world_act(&run->world);
    char id[32];

    if (agent == UINT32_MAX)
        return;
    world_format_agent(id, agent);
    for (int i = 0; i < SHELLS; i++) {
        if (rng_chance(&run->sim.rng, 70))
            shell_notify(&run->shells[i], slice_text(id));
    }
}

static void lose_data(struct run *run, bool wiped)
{
    struct sim *sim = &run->sim;
    bool is_unnoticed = false;

    if (!wiped && (!run->has_snapshot || !is_behind(run)))
        return;
    for (int i = 0; i < SHELLS; i++) {
        if (!run->shells[i].is_running)
            continue;
        shell_lose_reading(&run->shells[i]);
        /* Only FLUSHALL leaves the links alone. */
        if (run->shells[i].is_up && (!wiped || rng_chance(&sim->rng, 70))) {
            carry_out_some(run, &run->shells[i]);
            shell_lose_link(&run->shells[i]);
        } else if (rng_chance(&sim->rng, 50)) {
            run->shells[i].read_retry_ms = sim->now_ms + 1;
            run->shells[i].lease_at_ms = sim->now_ms + rng_between(&sim->rng, 1, 80);
            is_unnoticed = true;
        }
    }
    sim_note(sim, "the store %s", wiped ? "is wiped" : "is rolled back");
    sim->has_lost_data = true;
    if (wiped)
        store_wipe(&run->store);
    else
        store_copy(&run->store, &run->snapshot);
    run->has_snapshot = false;
    pass_time(run, 1); /* no ID comes twice */
    checks_lose_data(&run->checks, &run->shells[0]);
    for (int some = is_unnoticed ? 40 : 0; some > 0; some--)
        act(run);
    if (rng_chance(&sim->rng, 50))
        run->quiet_until_ms = sim->now_ms + rng_between(&sim->rng, 100, 2000);
}

/* Others trim or delete a stream that the daemon reads, or destroy the group in it. What was read is taken
 * in, what was only on its way is asked for again, in vain. */
static void cut_stream(struct run *run)
{
    struct sim *sim = &run->sim;
    struct shell *sh = &run->shells[0];
    enum stream_kind k = (enum stream_kind)rng_below(&sim->rng, STREAM_KINDS);
    struct store_key *key = store_find_text(&run->store, sim_streams[k]);
    uint32_t dice = rng_below(&sim->rng, 3);
    uint32_t count;

    if (!key || sh->phase == PHASE_LOADING)
        return;
    sim_note(sim, "somebody %s %s",
             dice == 0   ? "destroys the group of"
             : dice == 1 ? "deletes"
                         : "trims",
             sim_streams[k]);
    count = dice == 0 ? 0 : dice == 1 ? key->entry_count : rng_below(&sim->rng, key->entry_count + 1);
    if (count) {
        if (sh->is_running)
            shell_lose_reading(sh);
        world_take_entries(&run->world, k, key->entries[count - 1]->id, sh->streams[k].read);
    }
    if (dice == 0)
        key->has_group = false;
    else if (dice == 1)
        store_remove(&run->store, slice_text(sim_streams[k]));
    else if (count)
        stream_trim(key, stream_id_next(key->entries[count - 1]->id));
    pass_time(run, 1); /* no ID comes twice */
    checks_take_entries(&run->checks, k);
}

static void go_wrong(struct run *run)
{
    const struct settings *s = &run->sim.settings;
    struct rng *rng = &run->sim.rng;
    struct shell *sh = pick_shell(run);

    run->faults++;
    if (s->cuts_streams && rng_chance(rng, 30)) {
        cut_stream(run);
        return;
    }
    switch (rng_below(rng, 8)) {
    case 0:
        if (s->loses_links)
            lose_link(run, sh);
        break;
    case 1:
        if (s->loses_links && sh->is_running && rng_chance(rng, 50))
            shell_stall_reading(sh, rng_between(rng, 1, 2000));
        else if (s->loses_links && sh->is_running)
            shell_lose_reading(sh);
        break;
    case 2:
        if (s->crashes)
            crash(run, sh);
        break;
    case 3:
        if (s->refuses) {
            run->sim.refusal = (enum refusal)rng_between(rng, REFUSES_WRITES, REFUSES_ONE);
            run->sim.refused_call =
                rng_below(rng, run->sim.settings.transacts ? CALL_KINDS : CALL_KINDS_BY_SCRIPT);
            run->refusing_until_ms = run->sim.now_ms + rng_between(rng, 10, 1000);
            sim_note(&run->sim, "from here on the store refuses (%d, %" PRIu32 ")", (int)run->sim.refusal,
                     run->sim.refused_call);
        }
        break;
    case 4:
        if (s->jumps)
            pass_time(run, s->jumps_back ? rng_between(rng, -1500, 1500) : rng_between(rng, 50, 3000));
        break;
    case 5:
        if (s->wipes && rng_chance(rng, 50))
            lose_data(run, true);
        break;
    case 6:
        if (s->rolls_back && rng_chance(rng, 50))
            lose_data(run, false);
        break;
    default:
        if (s->has_second)
            cut_off_active(run);
        break;
    }
}

/* Never of data that nobody has recognised yet: to come back behind two losses is to be other data. */
static void take_snapshot(struct run *run)
{
    const struct shell *sh = &run->shells[0];
    struct slice epoch = key_get(store_find_text(&run->store, KEY_META), "epoch");

    if (run->sim.has_lost_data && (sh->phase != PHASE_ACTIVE || !slice_is(epoch, sh->epoch)))
        return;
    store_copy(&run->snapshot, &run->store);
    run->has_snapshot = true;
}

static void change_mind(struct run *run)
{
    struct settings *s = &run->sim.settings;

    s->ledger.removes_nothing = !s->ledger.removes_nothing;
    sim_note(&run->sim, "from here on %s is removed",
             s->ledger.removes_nothing ? "nothing" : "what has ended");
    for (int i = 0; i < SHELLS; i++)
        shell_configure(&run->shells[i]);
}

static void take_step(struct run *run)
{
    struct sim *sim = &run->sim;
    struct rng *rng = &sim->rng;

    sim->step++;
    if (rng_chance(rng, 40))
        pass_time(run, rng_between(rng, 0, 25));
    if (sim->refusal && sim->now_ms >= run->refusing_until_ms)
        sim->refusal = REFUSES_NOTHING;
    if (rng_chance(rng, 40) && sim->now_ms >= run->quiet_until_ms)
        act(run);
    for (int i = 0; i < 4; i++)
        work(run, pick_shell(run));
    for (int i = 0; i < SHELLS; i++) {
        if (!run->shells[i].is_running && (i == 0 || sim->settings.has_second) && rng_chance(rng, 2))
            start_again(run, &run->shells[i]);
    }
    if (sim->settings.rolls_back && rng_chance(rng, 1))
        take_snapshot(run);
    if (rng_chance(rng, 2))
        go_wrong(run);
    retire(run);
    if (sim->settings.changes_mind && rng_chance(rng, 1))
        change_mind(run);
    /* Where data was lost the links are not well either. */
    if (run->shells[0].phase == PHASE_ROLLBACK && sim->settings.loses_links && rng_chance(rng, 5))
        lose_link(run, &run->shells[0]);
    else if (run->shells[0].phase == PHASE_ROLLBACK && sim->settings.loses_links && rng_chance(rng, 10))
        shell_stall_reading(&run->shells[0], rng_between(rng, 1, 500));
    for (int i = 0; i < SHELLS; i++)
        checks_look_at_daemon(&run->checks, &run->shells[i]);
}

/* Nothing goes wrong any more, nobody makes anything: one daemon brings all to its end. */
static void settle(struct run *run)
{
    struct shell *sh = &run->shells[0];
    int64_t until_ms = run->sim.now_ms + SETTLE_MS;

    sim_note(&run->sim, "from here on nothing goes wrong");
    run->sim.refusal = REFUSES_NOTHING;
    world_unplant(&run->world);
    if (run->sim.settings.ledger.removes_nothing)
        change_mind(run);
    if (run->shells[1].is_running)
        shell_kill(&run->shells[1]);
    if (!sh->is_running || sh->is_stopping)
        start_again(run, sh);
    shell_stall_reading(sh, 0);
    while (run->sim.now_ms < until_ms && !run->sim.failed) {
        run->sim.step++;
        shell_tick(sh);
        for (int i = 0; i < CALLS_MAX && sh->call_count && !run->sim.failed; i++) {
            take_store_step(run, sh);
            (void)shell_answer(sh); /* it has one: the step before */
        }
        (void)shell_execute_read(sh);
        (void)shell_deliver_read(sh, UINT32_MAX);
        checks_look_at_daemon(&run->checks, sh);
        pass_time(run, 10);
    }
    if (!run->sim.failed && sh->phase != PHASE_ACTIVE)
        sim_fail(&run->sim, "%s is not active at the end", sh->name);
    if (!run->sim.failed)
        checks_look_at_end(&run->checks, sh);
}

/* ---- runs ---- */

struct sums {
    uint64_t signals, results, reports, trades, batches, looks, faults;
};

struct options {
    uint64_t seed, runs, steps;
    bool transacts, verbose, keeps_on;
};

static void start_run(struct run *run, uint64_t seed, const struct options *options, struct history *history)
{
    static const char *const names[SHELLS] = {"A", "B"};

    *run = (struct run){.sim = {.rng = {seed},
                                .now_ms = START_MS,
                                .latest_ms = START_MS,
                                .history = history,
                                .verbose = options->verbose}};
    history_reset(history);
    run->sim.settings = draw_settings(&run->sim.rng);
    run->sim.settings.transacts = options->transacts;
    store_init(&run->store);
    store_init(&run->snapshot);
    run->store.now_ms = run->sim.now_ms;
    world_init(&run->world, &run->sim, &run->store);
    checks_init(&run->checks, &run->sim, &run->store, &run->world);
    for (int i = 0; i < SHELLS; i++) {
        run->shells[i] = (struct shell){.sim = NULL};
        shell_init(&run->shells[i], &run->sim, &run->store, names[i]);
    }
    shell_start(&run->shells[0], "");
}

static void end_run(struct run *run, struct sums *sums)
{
    sums->signals += run->world.signal_count;
    sums->results += run->world.result_count;
    sums->reports += run->world.report_count;
    sums->trades += run->world.trade_count;
    sums->batches += run->batches;
    sums->looks += run->checks.looks;
    sums->faults += run->faults;
    for (int i = 0; i < SHELLS; i++)
        shell_clear(&run->shells[i]);
    world_clear(&run->world);
    store_clear(&run->store);
    store_clear(&run->snapshot);
}

static void tell_settings(const struct settings *s)
{
    (void)fprintf(stderr,
                  "  crashes %d, jumps_back %d, loses_links %d, has_second %d, refuses %d, jumps %d, "
                  "takes_signals %d, wipes %d, "
                  "rolls_back %d, plants %d, writes_hashes %d, spoils_shared %d, cuts_streams %d, is_tight "
                  "%d, adopts %d, observes %d, "
                  "changes_mind %d\n",
                  s->crashes, s->jumps_back, s->loses_links, s->has_second, s->refuses, s->jumps,
                  s->takes_signals, s->wipes, s->rolls_back, s->plants, s->writes_hashes, s->spoils_shared,
                  s->cuts_streams, s->is_tight, s->adopts, s->observes, s->changes_mind);
}

static bool run_seed(uint64_t seed, const struct options *options, struct history *history, struct sums *sums)
{
    struct run run;
    bool is_good;

    start_run(&run, seed, options, history);
    while (run.sim.step < options->steps && !run.sim.failed)
        take_step(&run);
    if (!run.sim.failed)
        settle(&run);
    is_good = !run.sim.failed;
    if (!is_good) {
        (void)fprintf(
            stderr, "run with seed %" PRIu64 " fails (--seed %" PRIu64 " --runs 1 --steps %" PRIu64 "%s):\n",
            seed, seed, options->steps, options->transacts ? " --transactions" : "");
        tell_settings(&run.sim.settings);
        history_print(history);
    }
    end_run(&run, sums);
    return is_good;
}

static bool read_options(int argc, char **argv, struct options *ret)
{
    for (int i = 1; i < argc; i++) {
        uint64_t *value = strcmp(argv[i], "--seed") == 0    ? &ret->seed
                          : strcmp(argv[i], "--runs") == 0  ? &ret->runs
                          : strcmp(argv[i], "--steps") == 0 ? &ret->steps
                                                            : NULL;

        if (strcmp(argv[i], "--verbose") == 0)
            ret->verbose = true;
        else if (strcmp(argv[i], "--keep-on") == 0)
            ret->keeps_on = true;
        else if (strcmp(argv[i], "--transactions") == 0)
            ret->transacts = true;
        else if (!value || i + 1 == argc || !number_parse_u64(slice_text(argv[++i]), UINT64_MAX, value))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = DEFAULT_SEED, .runs = DEFAULT_RUNS, .steps = DEFAULT_STEPS};
    const char *more = getenv("SIM_SEED");
    struct history *history = history_new();
    struct sums sums = {0};
    uint64_t failed = 0, done = 0, extra;
    bool has_extra = more && number_parse_u64(slice_text(more), UINT64_MAX, &extra);

    if (!read_options(argc, argv, &options)) {
        (void)fprintf(
            stderr,
            "usage: sim_core [--seed N] [--runs N] [--steps N] [--transactions] [--verbose] [--keep-on]\n");
        history_free(history);
        return 64;
    }
    for (; done < options.runs + has_extra && (!failed || options.keeps_on); done++) {
        uint64_t seed = done < options.runs ? options.seed + done : extra;

        failed += !run_seed(seed, &options, history, &sums);
    }
    (void)printf("%" PRIu64 " runs, %" PRIu64 " failed: %" PRIu64 " signals, %" PRIu64 " results, %" PRIu64
                 " reports, %" PRIu64 " trade updates, %" PRIu64 " commands, %" PRIu64 " looks, %" PRIu64
                 " faults\n",
                 done, failed, sums.signals, sums.results, sums.reports, sums.trades, sums.batches,
                 sums.looks, sums.faults);
    history_free(history);
    return failed ? 1 : 0;
}
