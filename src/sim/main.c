/* mt5sim: wiring, the phases from start to ledger, and what people see meanwhile. */
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "agents.h"
#include "commands.h"
#include "config/url.h"
#include "executors.h"
#include "producer.h"
#include "sim.h"
#include "trader.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#define TICK_MS        2     /* what becomes due within it goes out together */
#define AGENDA_MAX     20000 /* calls per round, so that answers are read in between */
#define PROGRESS_MS    5000
#define CLOSING_MAX_MS 15000
#define AWAY_MAX_MS    5000 /* of Redis, once the end has begun: longer than a restart takes */

struct program {
    struct options options;
    struct sim sim;
    struct redis_url url;
    struct spoiler spoiler;
    struct signals signals;
    struct answers answers;
    struct producer producer;
    struct executors executors;
    struct agents agents;
    struct commands *commands;
    struct trader trader;
    struct redis_link_options link;
    struct loop_timer *tick;
    struct loop_signal *on_term, *on_int;
    bool started, finished, gave_up, is_down;
    int64_t started_ms, ended_ms, closing_ms;
    int64_t up_ms; /* when the link for writing was last seen up */
};

static void pump(void *ctx);

static void print_progress(void *ctx, uint64_t arg, int64_t due_ms);

static void start_fleet(struct program *program)
{
    struct sim *sim = &program->sim;

    program->started = true;
    program->started_ms = sim->now_ms = loop_now_ms();
    agents_start(&program->agents);
    producer_start(&program->producer);
    trader_start(&program->trader);
    if (program->options.verbose)
        agenda_add(&sim->agenda, sim->now_ms + PROGRESS_MS, print_progress, program, 0);
    executors_start(&program->executors, sim->loop, &program->link, pump, program);
}

/* Nobody reports before it would hear what is commanded on that. */
static void prepare_fleet(struct program *program)
{
    struct sim *sim = &program->sim;

    if (program->started || sim->phase != SIM_RUNNING)
        return;
    if (!program->commands)
        program->commands = commands_new(sim, &program->agents, sim->loop, &program->link, pump, program);
    else if (commands_are_placed(program->commands))
        start_fleet(program);
}

static void on_link(void *ctx, bool up, const char *text)
{
    struct program *program = ctx;

    if (!up)
        (void)fprintf(stderr, "mt5sim: no writing to Redis for now: %s\n", text);
    else if (program->is_down)
        (void)fprintf(stderr, "mt5sim: connected to Redis\n");
    program->is_down = !up;
    if (up)
        prepare_fleet(program);
    loop_timer_set(program->tick, 0);
}

static void begin_closing(struct program *program)
{
    program->sim.phase = SIM_CLOSING;
    program->closing_ms = loop_now_ms();
}

/* One step nearer to the end: what is asked for at first, then less and less patience. */
static void hurry(struct program *program)
{
    if (program->sim.phase == SIM_RUNNING) {
        program->ended_ms = loop_now_ms();
        program->sim.phase = SIM_DRAINING;
        if (!program->options.drain || !program->started)
            begin_closing(program);
    } else if (program->sim.phase == SIM_DRAINING) {
        begin_closing(program);
    } else {
        program->gave_up = true;
    }
}

static void on_stop(void *ctx)
{
    hurry(ctx);
    pump(ctx);
}

static void check_running(struct program *program)
{
    int64_t ran_ms = loop_now_ms() - program->started_ms;
    bool time_is_up = program->options.seconds > 0 && ran_ms >= program->options.seconds * 1000;

    if (program->started && (time_is_up || producer_is_done(&program->producer)))
        hurry(program);
}

static void check_draining(struct program *program)
{
    bool quiet = program->producer.pending == 0 && writer_is_idle(program->sim.writer);

    if (quiet && !program->executors.is_draining)
        executors_begin_drain(&program->executors);
    if (quiet && executors_are_drained(&program->executors) && program->answers.pending == 0)
        begin_closing(program);
}

static void check_closing(struct program *program)
{
    struct writer *writer = program->sim.writer;

    if (loop_now_ms() - program->closing_ms > CLOSING_MAX_MS)
        program->gave_up = true;
    if (!program->finished && program->producer.pending == 0 && writer_is_idle(writer)) {
        program->finished = true;
        writer_finish(writer);
    }
    if (program->gave_up || (program->finished && writer_is_idle(writer)))
        loop_stop(program->sim.loop);
}

/* Nothing more can be confirmed by a Redis that does not come back. */
static void check_link(struct program *program)
{
    int64_t now_ms = loop_now_ms();

    if (writer_is_up(program->sim.writer))
        program->up_ms = now_ms;
    if (program->sim.phase == SIM_RUNNING || now_ms - program->up_ms <= AWAY_MAX_MS ||
        now_ms - program->ended_ms <= AWAY_MAX_MS)
        return;
    if (program->sim.phase == SIM_DRAINING)
        begin_closing(program);
    program->gave_up = true;
}

static void check_end(struct program *program)
{
    check_link(program);
    if (program->sim.phase == SIM_RUNNING)
        check_running(program);
    if (program->sim.phase == SIM_DRAINING)
        check_draining(program);
    if (program->sim.phase == SIM_CLOSING)
        check_closing(program);
}

static int64_t next_tick(const struct program *program)
{
    int64_t next_ms = agenda_next(&program->sim.agenda);
    int64_t delay_ms = next_ms == INT64_MAX ? 100 : next_ms - loop_now_ms();

    if (delay_ms < TICK_MS)
        return TICK_MS;
    return delay_ms < 100 ? delay_ms : 100;
}

/* What is due, then out with it. Called by the timer and behind every answer. */
static void pump(void *ctx)
{
    struct program *program = ctx;
    struct sim *sim = &program->sim;

    sim->now_ms = loop_now_ms();
    if (program->commands)
        prepare_fleet(program);
    agenda_run(&sim->agenda, sim->now_ms, AGENDA_MAX);
    signals_release(&program->signals, loop_wall_ms());
    executors_resume(&program->executors);
    check_end(program);
    writer_flush(sim->writer);
    loop_timer_set(program->tick, next_tick(program));
}

static void print_progress(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct program *program = ctx;
    const struct account *account = &program->sim.account;
    uint64_t written = 0, processed = 0, failed = 0;

    (void)arg;
    for (int i = 0; i < ACTIONS; i++) {
        written += account->action[i].written;
        processed += account->action[i].processed;
        failed += account->action[i].failed;
    }
    (void)fprintf(stderr,
                  "mt5sim: %" PRId64 " s: signals %" PRIu64 " processed %" PRIu64 " failed %" PRIu64
                  " not answered %" PRIu64 " | reports %" PRIu64 " | trades %" PRIu64 " updates %" PRIu64
                  " | commands %" PRIu64 "\n",
                  (program->sim.now_ms - program->started_ms) / 1000, written, processed, failed,
                  account_unanswered(account), account->reports, account->trades, account->trade_updates,
                  account->commands.read);
    agenda_add(&program->sim.agenda, due_ms + PROGRESS_MS, print_progress, program, 0);
}

static const char *find_fault(const struct program *program)
{
    if (writer_fault(program->sim.writer))
        return writer_fault(program->sim.writer);
    if (writer_stats(program->sim.writer)->refused > 0)
        return "Redis has refused some of the entries";
    if (!program->finished)
        return "ended before Redis had confirmed the last writes";
    return NULL;
}

static bool print_ledger(const struct program *program)
{
    const struct writer_stats *stats = writer_stats(program->sim.writer);
    struct account_frame frame = {.run_id = program->sim.run_id,
                                  .seed = program->options.seed,
                                  .ran_ms = program->started ? program->ended_ms - program->started_ms : 0,
                                  .fault = find_fault(program),
                                  .refused = stats->refused,
                                  .resent = stats->resent,
                                  .connects = stats->connects};
    struct buf out = BUF_INIT;
    bool ok;

    memcpy(frame.entries, stats->entries, sizeof(frame.entries));
    account_print(&program->sim.account, &frame, &out);
    ok = fwrite(out.data, 1, out.len, stdout) == out.len;
    ok = fflush(stdout) == 0 && ok;
    buf_clear(&out);
    return ok && !frame.fault;
}

static void fill_link(struct program *program)
{
    const struct options *options = &program->options;
    const struct redis_url *url = &program->url;
    static const enum redis_scheme schemes[] = {
        [CONFIG_REDIS_TCP] = REDIS_TCP, [CONFIG_REDIS_UNIX] = REDIS_UNIX, [CONFIG_REDIS_TLS] = REDIS_TLS};

    program->link = (struct redis_link_options){
        .endpoint = {.scheme = schemes[url->scheme],
                     .host = url->host,
                     .port = url->port,
                     .db = url->db,
                     .username = options->redis_username[0] != '\0' ? options->redis_username : url->username,
                     .password = url->password,
                     .password_file = options->redis_password_file,
                     .tls_ca_file = options->tls_ca_file,
                     .tls_cert_file = options->tls_cert_file,
                     .tls_key_file = options->tls_key_file},
        .client_name = "mt5sim",
        .connect_timeout_ms = 2000,
        .command_timeout_ms = 3000,
        .reconnect_min_ms = 50,
        .reconnect_max_ms = 1000,
        .max_inflight = 16,
        .max_bytes = 4 * 1024 * 1024,
    };
}

static void fill_sim(struct program *program)
{
    struct sim *sim = &program->sim;
    const struct options *options = &program->options;

    sim->options = options;
    if (options->run_id[0] != '\0')
        (void)snprintf(sim->run_id, sizeof(sim->run_id), "%s", options->run_id);
    else
        (void)snprintf(sim->run_id, sizeof(sim->run_id), "%" PRIx64, (uint64_t)loop_wall_ms());
    account_init(&sim->account, (uint32_t)options->instances);
    spoiler_init(&program->spoiler, sim);
    signals_init(&program->signals, sim);
    answers_init(&program->answers, sim, &program->signals, &program->spoiler);
    producer_init(&program->producer, sim, &program->signals, &program->answers, &program->spoiler);
    executors_init(&program->executors, sim, &program->signals, &program->answers);
    agents_init(&program->agents, sim, &program->spoiler);
    trader_init(&program->trader, sim, &program->spoiler);
}

static struct writer *make_writer(struct program *program)
{
    struct writer_options options = {.group = program->options.executor_group,
                                     .run_id = program->sim.run_id,
                                     .on_progress = pump,
                                     .on_link = on_link,
                                     .ctx = program};

    memcpy(options.stream, program->options.stream, sizeof(options.stream));
    return writer_new(program->sim.loop, &program->link, &options);
}

static bool open_loop(struct program *program)
{
    program->sim.loop = loop_new();
    if (!program->sim.loop)
        return false;
    program->on_term = loop_signal_new(program->sim.loop, SIGTERM, on_stop, program);
    program->on_int = loop_signal_new(program->sim.loop, SIGINT, on_stop, program);
    program->tick = loop_timer_new(program->sim.loop, pump, program);
    return program->on_term && program->on_int;
}

static void close_loop(struct program *program)
{
    if (!program->sim.loop)
        return;
    loop_timer_free(program->tick);
    loop_signal_free(program->on_int);
    loop_signal_free(program->on_term);
    loop_free(program->sim.loop);
}

static void clear_program(struct program *program)
{
    commands_free(program->commands);
    executors_clear(&program->executors);
    writer_free(program->sim.writer);
    close_loop(program);
    agents_clear(&program->agents);
    answers_clear(&program->answers);
    signals_clear(&program->signals);
    account_clear(&program->sim.account);
    agenda_clear(&program->sim.agenda);
    redis_url_clear(&program->url);
}

static int run(struct program *program)
{
    bool ok;

    fill_link(program);
    fill_sim(program);
    if (!open_loop(program)) {
        perror("mt5sim: event loop");
        return EX_SOFTWARE;
    }
    program->sim.writer = make_writer(program);
    loop_timer_set(program->tick, 0);
    if (loop_run(program->sim.loop) < 0)
        return EX_SOFTWARE;
    ok = print_ledger(program);
    return ok ? EX_OK : 1;
}

int main(int argc, char **argv)
{
    static struct program program;
    struct errmsg why;
    int code;

    switch (options_parse(argc, argv, &program.options, &why)) {
    case OPTIONS_HELP:
        options_print_help();
        return EX_OK;
    case OPTIONS_VERSION:
        (void)puts("mt5sim " MT5_VERSION);
        return EX_OK;
    case OPTIONS_WRONG:
        (void)fprintf(stderr, "mt5sim: %s\n", why.text);
        return EX_USAGE;
    case OPTIONS_RUN:
        break;
    }
    if (!redis_url_parse(program.options.redis_url, &program.url, &why)) {
        (void)fprintf(stderr, "mt5sim: --redis: %s\n", why.text);
        return EX_USAGE;
    }
    code = run(&program);
    clear_program(&program);
    return code;
}
