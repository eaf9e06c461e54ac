#include "app/backtest_run.h"
#include "app/core_options.h"
#include "codec/signal_entry.h"
#include "util/alloc.h"
#include <stdlib.h>

/* As the daemon looks for what is due (app/ingest.c). */
#define GRAIN_MS 10
/* Calls in a row that leave something due at the same time: more than a fleet of any size needs. */
#define CALLS_MAX 4096
/* A longer time in which no report came at all is no time of the fleet: nobody recorded. */
#define PAUSE_MAX_MS INT64_C(86400000)
/* An agent takes so long to do what it is told, at the least. */
#define ANSWER_MS 1000
/* Signals and results between two ends of a batch. */
#define FLUSH_STRIDE 500
#define LATE_MAX     500

static void on_held(void *ctx, const struct instance *instance, enum command_kind command, enum hold hold,
                    const struct alert *alert)
{
    struct backtest_run *run = ctx;
    account_note_hold(&run->account, ident_slice(&instance->id), command, hold,
                      alert ? ident_slice(&alert->name) : slice_of("", 0));
}

static void on_unevaluable(void *ctx, const struct instance *instance, const struct rule *rule)
{
    struct backtest_run *run = ctx;
    UNUSED(instance);
    UNUSED(rule);
    run->unevaluable++;
}

static struct backtest_given *given_of(struct backtest_run *run, const struct instance *instance)
{
    uint32_t place = fleet_index_of(&run->fleet, instance);
    if (place >= run->given_count) {
        uint32_t count = place + 1 > run->given_count * 2 ? place + 1 : run->given_count * 2;
        run->given = mem_resize(run->given, count, sizeof *run->given);
        memset(run->given + run->given_count, 0, (count - run->given_count) * sizeof *run->given);
        run->given_count = count;
    }
    if (run->given[place].generation != instance->generation)
        run->given[place] = (struct backtest_given){.generation = instance->generation};
    return &run->given[place];
}

static void on_command(void *ctx, struct slice instance_id, enum command_kind kind, uint64_t number)
{
    struct backtest_run *run = ctx;
    const struct instance *instance = fleet_find(&run->fleet, instance_id);
    if (!instance)
        return;
    struct backtest_given *given = given_of(run, instance);
    given->number[given->next % BACKTEST_GIVEN] = number;
    given->kind[given->next++ % BACKTEST_GIVEN] = kind;
    if (given->is_recorded_open && given->recorded_kind == kind && run->now_ms <= given->recorded_until_ms)
        given->paired = number;
}

void backtest_run_init(struct backtest_run *run, const struct config *config)
{
    /* Always the same, so that two runs over one recording tell the same. */
    static const struct hash_key key = {1, 2};
    struct fleet_options fleet = core_fleet_options(config);
    struct watch_options watch = core_watch_options(config);
    struct ledger_options ledger = core_ledger_options(config);
    *run = (struct backtest_run){.config = config};
    account_init(&run->account, &config->rules, key);
    run->account.on_command = on_command;
    run->account.ctx = run;
    fleet_init(&run->fleet, &fleet, key);
    run->fleet.batch = 1;
    run->fleet.watch->on_held = on_held;
    run->fleet.watch->on_unevaluable = on_unevaluable;
    run->fleet.watch->ctx = run;
    watch_configure(&run->fleet, &watch, 0);
    ledger.per_id_max = 0;
    run->ledger = ledger_new(&ledger, &run->fleet, key);
    run->acts = mem_new(BACKTEST_ACTS_MAX, sizeof *run->acts);
}

void backtest_run_clear(struct backtest_run *run)
{
    ledger_free(run->ledger);
    fleet_clear(&run->fleet);
    account_clear(&run->account);
    free(run->given);
    free(run->acts);
}

static struct sink *sink_of(struct backtest_run *run)
{
    return &run->account.sink;
}

/* ---- time ---- */

static void set_time(struct backtest_run *run, int64_t now_ms)
{
    if (now_ms > run->now_ms)
        run->now_ms = now_ms;
    run->account.now_ms = run->now_ms;
}

/* Does all that is due before UNTIL_MS, each at its time. */
static void advance(struct backtest_run *run, int64_t until_ms)
{
    int64_t due_ms, at_ms;
    int calls = 0;
    while ((due_ms = fleet_next_deadline(&run->fleet)) < until_ms) {
        at_ms = due_ms > run->now_ms ? due_ms : run->now_ms;
        if (at_ms > run->now_ms)
            calls = 0;
        else if (++calls > CALLS_MAX)
            at_ms += GRAIN_MS;
        if (at_ms >= until_ms)
            return;
        set_time(run, at_ms);
        fleet_on_timer(&run->fleet, at_ms, at_ms, sink_of(run));
    }
}

/* What came between now and AT_MS is not known. */
static void pass_over(struct backtest_run *run, int64_t at_ms)
{
    set_time(run, at_ms);
    watch_hold(&run->fleet, run->now_ms);
    watch_release(&run->fleet, run->now_ms);
    run->has_gap = false;
}

static void finish_loading(struct backtest_run *run)
{
    if (run->is_loading)
        watch_load_finish(&run->fleet, run->now_ms);
    run->is_loading = false;
}

/* ---- what operators did ---- */

static void act_command(struct backtest_run *run, struct instance *instance, const struct backtest_act *act)
{
    struct watch_order order = {act->command, slice_text("recorded")};
    char id[IDENT_COMMAND_MAX + 1];
    if (!run->config->observe_only)
        (void)watch_command(&run->fleet, instance, &order, &act->cause, run->now_ms, sink_of(run),
                            id); /* refused here, where something is under way that was not then */
}

static void act(struct backtest_run *run, const struct backtest_act *act)
{
    struct instance *instance = fleet_find(&run->fleet, ident_slice(&act->instance_id));
    struct sink *sink = sink_of(run);
    if (!instance)
        return;
    switch (act->kind) {
    case ACT_COMMAND:
        act_command(run, instance, act);
        break;
    case ACT_MAINTENANCE:
        watch_set_maintenance(&run->fleet, instance, act->is_on ? INT64_MAX : 0, slice_text("recorded"),
                              &act->cause, run->now_ms, sink);
        break;
    case ACT_REMOVE:
        sink->ops->begin(sink->ctx, &act->cause);
        fleet_remove(&run->fleet, instance, slice_text("recorded"), &act->cause, run->now_ms, sink);
        break;
    }
}

/* Does what is due before UNTIL_MS, and what operators did up to then, in its place. */
static void advance_with_acts(struct backtest_run *run, int64_t until_ms)
{
    uint32_t done = 0;
    for (; done < run->act_count && run->acts[done].cause.id.ms <= (uint64_t)until_ms; done++) {
        int64_t at_ms = (int64_t)run->acts[done].cause.id.ms;
        advance(run, at_ms);
        set_time(run, at_ms);
        act(run, &run->acts[done]);
    }
    run->act_count -= done;
    memmove(run->acts, run->acts + done, run->act_count * sizeof *run->acts);
    advance(run, until_ms);
}

static bool read_act(const struct recorded_line *line, struct backtest_act *ret_act)
{
    struct backtest_act act = {.kind = ACT_COMMAND};
    struct slice id = recorded_text(line, "instance_id"), event = recorded_text(line, "event");
    uint64_t number;
    if (!ident_is_valid(id, IDENT_MAX) || !cause_parse(recorded_text(line, "correlation_id"), &act.cause))
        return false;
    ident_set(&act.instance_id, id);
    /* A maintenance that has run out ends by itself. */
    if (slice_is(event, event_name(EVENT_MAINTENANCE_CHANGED))) {
        act.kind = ACT_MAINTENANCE;
        act.is_on = slice_is(recorded_text(line, "to"), "on");
    } else if (slice_is(event, event_name(EVENT_INSTANCE_REMOVED)) && act.cause.kind == CAUSE_OPERATOR) {
        act.kind = ACT_REMOVE;
    } else if (!slice_is(event, event_name(EVENT_COMMAND_ISSUED)) || act.cause.kind != CAUSE_OPERATOR ||
               !command_id_parse(recorded_text(line, "command_id"), id, &act.command, &number) ||
               act.command > COMMAND_START) {
        return false;
    }
    *ret_act = act;
    return true;
}

/* The number that the open command of KIND has here, or the last cancel; 0 for none. */
static uint64_t open_number(const struct instance *instance, enum command_kind kind)
{
    const struct watch_record *record = instance->watched ? &instance->watched->record : NULL;
    if (record && kind == COMMAND_CANCEL)
        return record->cancel_number;
    return record && record->command.is_open && record->command.kind == kind ? record->command.number : 0;
}

/* Follows the command that was open when the recording was made. */
static void follow_command(struct backtest_run *run, const struct recorded_line *line)
{
    struct slice id = recorded_text(line, "instance_id"), event = recorded_text(line, "event");
    bool is_issued = slice_is(event, event_name(EVENT_COMMAND_ISSUED));
    const struct instance *instance = fleet_find(&run->fleet, id);
    enum command_kind kind;
    uint64_t number;
    if (!instance || !(is_issued || slice_is(event, event_name(EVENT_COMMAND_COMPLETED))) ||
        !command_id_parse(recorded_text(line, "command_id"), id, &kind, &number) || kind == COMMAND_CANCEL)
        return;
    struct backtest_given *given = given_of(run, instance);
    if (!is_issued) {
        given->is_recorded_open = given->is_recorded_open && given->recorded_number != number;
        return;
    }
    given->is_recorded_open = true;
    given->recorded_kind = kind;
    given->recorded_number = number;
    given->recorded_until_ms = (int64_t)line->id.ms + 2 * run->config->recovery.timeout_ms;
    if (open_number(instance, kind))
        given->paired = open_number(instance, kind);
}

static void take_event(struct backtest_run *run, const struct recorded_line *line)
{
    struct backtest_act next;
    follow_command(run, line);
    if (!read_act(line, &next))
        return;
    if (run->act_count == BACKTEST_ACTS_MAX) /* no report has come for long: there is nothing to wait for */
        advance_with_acts(run, (int64_t)run->acts[run->act_count - 1].cause.id.ms);
    if (run->now_ms >= (int64_t)next.cause.id.ms)
        act(run, &next);
    else
        run->acts[run->act_count++] = next;
}

/* ---- states ---- */

static void load_group(struct backtest_run *run, const struct breaker_group *group)
{
    breaker_load(&run->fleet.watch->breaker, breaker_group_key(group), group->opened_ms, group->crashed,
                 group->of);
    account_add_loaded_group(&run->account, breaker_group_key(group), group->opened_ms, group->crashed);
}

static void load_instance(struct backtest_run *run, struct recorded_state *state)
{
    if (!fleet_load(&run->fleet, state->instance_id, &state->record, STATE_NONE, state->seq, run->now_ms))
        return;
    struct instance *instance = fleet_find(&run->fleet, state->instance_id);
    struct alert alert;
    instance->batch = run->fleet.batch;
    if (state->has_watch)
        watch_load(&run->fleet, instance, &state->watch, run->now_ms);
    while (recorded_state_next_alert(state, &alert)) {
        watch_load_alert(&run->fleet, instance, &alert, run->now_ms);
        account_add_loaded(&run->account, state->instance_id, &alert);
    }
}

/* Known from before a gap: what it has come to meanwhile. What is done about it is our own affair. */
static void follow_state(struct backtest_run *run, struct instance *instance,
                         const struct recorded_state *state)
{
    struct cause cause = {CAUSE_ADOPTED, {(uint64_t)run->now_ms, run->fleet.timers++}};
    struct sink *sink = sink_of(run);
    sink->ops->begin(sink->ctx, &cause);
    (void)fleet_adopt(&run->fleet, ident_slice(&instance->id), &state->record, true, &cause, run->now_ms,
                      sink);
    instance->batch = run->fleet.batch;
}

static bool take_state(struct backtest_run *run, const struct recorded_line *line)
{
    struct recorded_state_scratch scratch;
    struct recorded_state state;
    struct errmsg why;
    if (!recorded_state_parse(line, &scratch, &state, &why))
        return false;
    if (run->has_gap)
        pass_over(run, (int64_t)line->id.ms);
    set_time(run, (int64_t)line->id.ms);
    struct instance *instance = fleet_find(&run->fleet, state.instance_id);
    run->is_loading = true;
    if (state.is_group)
        load_group(run, &state.group);
    else if (!instance)
        load_instance(run, &state);
    else if (instance->batch < run->fleet.batch)
        follow_state(run, instance, &state);
    return true;
}

/* ---- reports ---- */

static bool was_given(const struct backtest_given *given, enum command_kind kind, uint64_t number)
{
    for (int i = 0; i < BACKTEST_GIVEN; i++)
        if (given->number[i] == number && given->kind[i] == kind)
            return true;
    return false;
}

/* The command that was answered has another number here, or was never given. */
static void translate_answer(struct backtest_run *run, struct report *report, char id[IDENT_COMMAND_MAX + 1])
{
    const struct instance *instance = fleet_find(&run->fleet, report->instance_id);
    enum command_kind kind;
    uint64_t number, open;
    if (!report_has(report, REPORT_COMMAND_ID))
        return;
    if (instance && command_id_parse(report->command_id, report->instance_id, &kind, &number)) {
        open = open_number(instance, kind);
        if (open == number || was_given(given_of(run, instance), kind, number)) {
            run->answers_heard++;
            return;
        }
        if (open) {
            report->command_id = slice_of(id, command_id_format(id, report->instance_id, kind, open));
            run->answers_heard++;
            return;
        }
    }
    report->present &= ~(1U << REPORT_COMMAND_ID | 1U << REPORT_COMMAND_STATUS | 1U << REPORT_COMMAND_ERROR);
    run->answers_unheard++;
}

/* Whether the report of a running instance may answer a command that was never given to its agent. */
static bool may_assume(const struct backtest_run *run, const struct command *command)
{
    int64_t wait_ms = run->config->recovery.timeout_ms / 2;
    wait_ms = wait_ms < ANSWER_MS ? wait_ms : ANSWER_MS;
    return command->is_open && !command->has_succeeded && run->now_ms - command->issued_ms >= wait_ms &&
           command->kind != COMMAND_STOP && command->kind != COMMAND_START &&
           command->kind != COMMAND_RESTART;
}

/* Nobody obeyed what was commanded here alone: the agent is taken to have done it. */
static void assume_answer(struct backtest_run *run, struct report *report, char id[IDENT_COMMAND_MAX + 1])
{
    const struct instance *instance = fleet_find(&run->fleet, report->instance_id);
    const struct command *command = instance && instance->watched ? &instance->watched->record.command : NULL;
    enum instance_state state = report_has(report, REPORT_STATE) ? report->state
                                : instance                       ? instance->state
                                                                 : STATE_NONE;
    if (report_has(report, REPORT_COMMAND_ID) || !command || state != STATE_RUNNING ||
        !may_assume(run, command) || given_of(run, instance)->paired == command->number)
        return;
    report->command_id =
        slice_of(id, command_id_format(id, report->instance_id, command->kind, command->number));
    report->command_status = COMMAND_OK;
    report->present |= 1U << REPORT_COMMAND_ID | 1U << REPORT_COMMAND_STATUS;
    run->answers_assumed++;
}

static void take_report(struct backtest_run *run, const struct entry *entry)
{
    struct report_scratch scratch;
    struct report report;
    struct slice field;
    struct errmsg why;
    int64_t at_ms = (int64_t)entry->id.ms;
    struct sink *sink = sink_of(run);
    if (run->has_gap || (run->now_ms && at_ms - run->now_ms > PAUSE_MAX_MS))
        pass_over(run, at_ms);
    advance_with_acts(run, at_ms);
    set_time(run, at_ms);
    if (!report_parse(entry, &scratch, &report, &field, &why)) {
        run->rejected++;
        fleet_on_heartbeat(&run->fleet, report_find_instance_id(entry), at_ms);
        return;
    }
    struct cause cause = {CAUSE_REPORT, entry->id};
    char command_id[IDENT_COMMAND_MAX + 1];
    translate_answer(run, &report, command_id);
    assume_answer(run, &report, command_id);
    sink->ops->begin(sink->ctx, &cause);
    if (!fleet_on_report(&run->fleet, &report, &cause, at_ms, sink))
        run->rejected++;
}

/* ---- signals and results ---- */

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void end_batch(struct backtest_run *run)
{
    int64_t now_ms = max_i64(run->signals_ms, run->results_ms);
    run->since_flush = 0;
    ledger_flush(run->ledger, (struct stream_id){(uint64_t)now_ms, UINT64_MAX}, now_ms, sink_of(run));
}

/* Ends what was late before HORIZON_MS. Who took it from its stream is not recorded: nobody. */
static void judge_signals(struct backtest_run *run, int64_t horizon_ms)
{
    static bool present[LATE_MAX];
    struct stream_id late[LATE_MAX];
    size_t count;
    if (ledger_next_deadline(run->ledger) > horizon_ms)
        return;
    memset(present, true, sizeof present);
    ledger_expire(run->ledger, horizon_ms, horizon_ms);
    while ((count = ledger_collect_late(run->ledger, horizon_ms, late, LATE_MAX)) > 0) {
        ledger_end_late(run->ledger, late, present, count, horizon_ms, horizon_ms, sink_of(run));
        end_batch(run);
    }
}

static void take_signal(struct backtest_run *run, const struct entry *entry)
{
    struct signal_entry signal;
    struct signal_entry_scratch scratch;
    struct slice field;
    struct errmsg why;
    run->signals_ms = (int64_t)entry->id.ms;
    if (!signal_entry_parse(entry, &scratch, &signal, &field, &why)) {
        run->rejected++;
        ledger_on_rejected(run->ledger, entry->stream, entry->id);
        return;
    }
    ledger_on_signal(run->ledger, &signal, sink_of(run));
    /* Nobody answers any more: the time of the signals must do. */
    if (ledger_is_full(run->ledger))
        judge_signals(run, max_i64(run->signals_ms, run->results_ms));
}

static void take_result(struct backtest_run *run, const struct entry *entry)
{
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    judge_signals(run, (int64_t)entry->id.ms - 1);
    run->results_ms = (int64_t)entry->id.ms;
    if (!result_entry_parse(entry, &result, &field, &why)) {
        run->rejected++;
        ledger_on_rejected(run->ledger, entry->stream, entry->id);
        return;
    }
    ledger_on_result(run->ledger, &result, max_i64(run->signals_ms, run->results_ms), sink_of(run));
}

/* ---- the whole ---- */

static void take_entry(struct backtest_run *run, const struct entry *entry)
{
    switch (entry->stream) {
    case STREAM_REPORTS:
        take_report(run, entry);
        return;
    case STREAM_SIGNALS:
        take_signal(run, entry);
        break;
    case STREAM_RESULTS:
        take_result(run, entry);
        break;
    case STREAM_TRADES:
        return; /* not recorded */
    }
    if (++run->since_flush >= FLUSH_STRIDE)
        end_batch(run);
}

/* A result may be among what is missing: no signal is dropped for it. */
static void take_gap(struct backtest_run *run, const struct recorded_line *line)
{
    if (line->is_of_signals)
        ledger_hold(run->ledger, max_i64(run->signals_ms, run->results_ms) + run->config->signals.ttl_ms);
    if (!line->is_of_reports)
        return;
    run->has_gap = true;
    run->fleet.batch++;
}

bool backtest_run_take(struct backtest_run *run, const struct recorded_line *line)
{
    if (line->kind == RECORDED_STATE)
        return take_state(run, line);
    finish_loading(run);
    if (line->kind == RECORDED_ENTRY)
        take_entry(run, &line->entry);
    else if (line->kind == RECORDED_EVENT)
        take_event(run, line);
    else if (line->kind == RECORDED_GAP)
        take_gap(run, line);
    return true;
}

void backtest_run_finish(struct backtest_run *run, int64_t end_ms)
{
    finish_loading(run);
    if (!run->has_gap && run->now_ms && end_ms - run->now_ms <= PAUSE_MAX_MS)
        advance_with_acts(run, end_ms + 1);
    set_time(run, end_ms);
    judge_signals(run, end_ms);
    end_batch(run);
    account_finish(&run->account, end_ms);
}
