/* The fleet under the recorded clock: time, what operators did, states and reports. */
#include "app/backtest_run.h"
#include "app/core_options.h"
#include "backtest_private.h"
#include "util/alloc.h"
#include <stdlib.h>

/* As the daemon looks for what is due (app/ingest.c). */
#define GRAIN_MS 10
/* Calls in a row that leave something due at the same time: more than a fleet of any size needs. */
#define CALLS_MAX 4096
/* A longer time in which no report came at all is no time of the fleet: nobody recorded. */
#define PAUSE_MAX_MS INT64_C(86400000)

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

void backtest_run_init(struct backtest_run *run, const struct config *config)
{
    /* Always the same, so that two runs over one recording tell the same. */
    static const struct hash_key key = {1, 2};
    struct fleet_options fleet = core_fleet_options(config);
    struct watch_options watch = core_watch_options(config);
    struct ledger_options ledger = core_ledger_options(config);
    *run = (struct backtest_run){.config = config};
    account_init(&run->account, &config->rules, key);
    run->account.on_command = backtest_on_command;
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
        fleet_on_timer(&run->fleet, at_ms, at_ms, backtest_sink(run));
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
        (void)watch_command(&run->fleet, instance, &order, &act->cause, run->now_ms, backtest_sink(run),
                            id); /* refused here, where something is under way that was not then */
}

static void act(struct backtest_run *run, const struct backtest_act *act)
{
    struct instance *instance = fleet_find(&run->fleet, ident_slice(&act->instance_id));
    struct sink *sink = backtest_sink(run);
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
    if (act.cause.id.ms >
        line->id.ms) /* it was told once it was done; the daemon only estimates that clock */
        act.cause.id.ms = line->id.ms;
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

static void take_event(struct backtest_run *run, const struct recorded_line *line)
{
    struct backtest_act next;
    backtest_follow_command(run, line);
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
    struct sink *sink = backtest_sink(run);
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

static void take_report(struct backtest_run *run, const struct entry *entry)
{
    struct report_scratch scratch;
    struct report report;
    struct slice field;
    struct errmsg why;
    int64_t at_ms = (int64_t)entry->id.ms;
    struct sink *sink = backtest_sink(run);
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
    backtest_translate_answer(run, &report, command_id);
    backtest_assume_answer(run, &report, command_id);
    sink->ops->begin(sink->ctx, &cause);
    if (!fleet_on_report(&run->fleet, &report, &cause, at_ms, sink))
        run->rejected++;
}

/* ---- the whole ---- */

static void take_entry(struct backtest_run *run, const struct entry *entry)
{
    switch (entry->stream) {
    case STREAM_REPORTS:
        take_report(run, entry);
        return;
    case STREAM_SIGNALS:
        backtest_take_signal(run, entry);
        return;
    case STREAM_RESULTS:
        backtest_take_result(run, entry);
        return;
    case STREAM_TRADES:
        return; /* not recorded */
    }
}

static void take_gap(struct backtest_run *run, const struct recorded_line *line)
{
    if (line->is_of_signals)
        backtest_hold_signals(run);
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
    backtest_end_signals(run, end_ms);
    account_finish(&run->account, end_ms);
}
