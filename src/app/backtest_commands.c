/* Commands of a backtest and the answers to them: which of ours is which of the recording
 * (docs/decisions/0012-backtest.md). */
#include "backtest_private.h"
#include "util/alloc.h"

/* An agent takes so long to do what it is told, at the least. */
#define ANSWER_MS 1000

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

void backtest_on_command(void *ctx, struct slice instance_id, enum command_kind kind, uint64_t number)
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

/* The number that the open command of KIND has here, or the last cancel; 0 for none. */
static uint64_t open_number(const struct instance *instance, enum command_kind kind)
{
    const struct watch_record *record = instance->watched ? &instance->watched->record : NULL;
    if (record && kind == COMMAND_CANCEL)
        return record->cancel_number;
    return record && record->command.is_open && record->command.kind == kind ? record->command.number : 0;
}

void backtest_follow_command(struct backtest_run *run, const struct recorded_line *line)
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

static bool was_given(const struct backtest_given *given, enum command_kind kind, uint64_t number)
{
    for (int i = 0; i < BACKTEST_GIVEN; i++)
        if (given->number[i] == number && given->kind[i] == kind)
            return true;
    return false;
}

void backtest_translate_answer(struct backtest_run *run, struct report *report,
                               char id[IDENT_COMMAND_MAX + 1])
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

void backtest_assume_answer(struct backtest_run *run, struct report *report, char id[IDENT_COMMAND_MAX + 1])
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
