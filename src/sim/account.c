/* The ledger as JSON: its names are those of account.h. */
#include "account.h"

#include "codec/json_text.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <stdlib.h>

const char *const action_names[ACTIONS] = {"buy", "sell", "close", "modify"};

void account_init(struct account *account, uint32_t instance_count)
{
    *account = (struct account){.instance_count = instance_count};
    account->instances = mem_new(instance_count, sizeof(*account->instances));
    for (uint32_t i = 0; i < instance_count; i++)
        account->instances[i].state = STATE_NONE;
}

void account_clear(struct account *account)
{
    free(account->instances);
    account->instances = NULL;
}

static uint64_t unanswered_of(const struct action_account *action)
{
    return action->written - action->processed - action->failed;
}

uint64_t account_unanswered(const struct account *account)
{
    uint64_t sum = 0;

    for (int i = 0; i < ACTIONS; i++)
        sum += unanswered_of(&account->action[i]);
    return sum;
}

static void open_object(struct buf *out, const char *name)
{
    if (out->data[out->len - 1] != '{')
        buf_add_char(out, ',');
    buf_add_format(out, "\n\"%s\":{", name);
}

static void add_name(struct buf *out, const char *name)
{
    if (out->data[out->len - 1] != '{')
        buf_add_char(out, ',');
    buf_add_format(out, "\"%s\":", name);
}

static void add_count(struct buf *out, const char *name, uint64_t count)
{
    add_name(out, name);
    buf_add_u64(out, count);
}

static void add_text(struct buf *out, const char *name, const char *text)
{
    add_name(out, name);
    json_add_string(out, slice_text(text));
}

static void print_frame(const struct account_frame *frame, struct buf *out)
{
    add_name(out, "exact");
    buf_add_text(out, frame->fault ? "false" : "true");
    add_text(out, "fault", frame->fault ? frame->fault : "");
    add_text(out, "run_id", frame->run_id);
    add_count(out, "seed", (uint64_t)frame->seed);
    add_count(out, "ran_ms", (uint64_t)frame->ran_ms);
    add_count(out, "refused_entries", frame->refused);
    add_count(out, "batches_resent", frame->resent);
    add_count(out, "connects", frame->connects);
    open_object(out, "entries");
    for (int i = 0; i < STREAM_KINDS; i++)
        add_count(out, key_stream_word((enum stream_kind)i), frame->entries[i]);
    buf_add_char(out, '}');
}

static void print_signals(const struct account *account, struct buf *out)
{
    open_object(out, "signals");
    for (int i = 0; i < ACTIONS; i++) {
        const struct action_account *action = &account->action[i];

        open_object(out, action_names[i]);
        add_count(out, "written", action->written);
        add_count(out, "duplicate", action->duplicate);
        add_count(out, "processed", action->processed);
        add_count(out, "failed", action->failed);
        add_count(out, "unanswered", unanswered_of(action));
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
    add_count(out, "unanswered", account_unanswered(account));
    open_object(out, "signals_foreign");
    add_count(out, "taken", account->foreign.taken);
    add_count(out, "processed", account->foreign.processed);
    add_count(out, "failed", account->foreign.failed);
    buf_add_char(out, '}');
    add_count(out, "signals_abandoned", account->abandoned_signals);
    add_count(out, "slowest_answer_ms", (uint64_t)account->slowest_answer_ms);
}

static void print_results(const struct account *account, struct buf *out)
{
    open_object(out, "results");
    for (int i = 0; i < RESULT_STATUSES; i++)
        add_count(out, result_status_name((enum result_status)i), account->result[i]);
    buf_add_char(out, '}');
    add_count(out, "results_duplicate", account->results_duplicate);
    add_count(out, "results_followup", account->results_followup);
    add_count(out, "results_early", account->results_early);
    open_object(out, "malformed");
    for (int i = 0; i < STREAM_KINDS; i++)
        add_count(out, key_stream_word((enum stream_kind)i), account->malformed[i]);
    buf_add_char(out, '}');
}

static void print_trades(const struct account *account, struct buf *out)
{
    add_count(out, "trades", account->trades);
    add_count(out, "trade_updates", account->trade_updates);
    open_object(out, "trade_states");
    for (int i = 0; i < TRADE_STATES; i++)
        add_count(out, trade_state_name((enum trade_state)i), account->trade_state[i]);
    buf_add_char(out, '}');
}

static void print_commands(const struct account *account, struct buf *out)
{
    const struct command_account *commands = &account->commands;

    open_object(out, "commands");
    add_count(out, "read", commands->read);
    add_count(out, "missed", commands->missed);
    add_count(out, "expired", commands->expired);
    add_count(out, "repeated", commands->repeated);
    add_count(out, "refused", commands->refused);
    add_count(out, "ignored", commands->ignored);
    add_count(out, "obeyed", commands->obeyed);
    add_count(out, "failed", commands->failed);
    add_count(out, "under_way", commands->under_way);
    add_count(out, "late", commands->late);
    buf_add_char(out, '}');
}

static void print_replies(const struct account *account, struct buf *out)
{
    static const char *const names[REPLIES] = {[REPLY_ACCEPTED] = "accepted",
                                               [REPLY_OK] = "ok",
                                               [REPLY_FAILED] = "failed",
                                               [REPLY_TWICE] = "twice",
                                               [REPLY_UNKNOWN] = "unknown"};

    open_object(out, "command_answers");
    for (int i = REPLY_ACCEPTED; i < REPLIES; i++)
        add_count(out, names[i], account->replies[i]);
    buf_add_char(out, '}');
}

static void print_troubles(const struct account *account, struct buf *out)
{
    open_object(out, "troubles");
    for (int i = 0; i < TROUBLES; i++) {
        open_object(out, trouble_name((enum trouble)i));
        add_count(out, "begun", account->troubles[i].begun);
        add_count(out, "cured", account->troubles[i].cured);
        add_count(out, "passed", account->troubles[i].passed);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void print_instances(const struct account *account, struct buf *out)
{
    add_count(out, "reports", account->reports);
    add_count(out, "crashes", account->crashes);
    open_object(out, "instances");
    for (uint32_t i = 0; i < account->instance_count; i++) {
        const struct instance_account *instance = &account->instances[i];

        if (instance->state == STATE_NONE)
            continue;
        buf_add_format(out, "%s\n\"mt5-%u\":{", out->data[out->len - 1] == '{' ? "" : ",", i + 1);
        add_text(out, "state", instance_state_name(instance->state));
        add_count(out, "reports", instance->reports);
        add_name(out, "silent");
        buf_add_text(out, instance->silent ? "true}" : "false}");
    }
    buf_add_char(out, '}');
}

void account_print(const struct account *account, const struct account_frame *frame, struct buf *out)
{
    buf_add_char(out, '{');
    print_frame(frame, out);
    print_signals(account, out);
    print_results(account, out);
    print_trades(account, out);
    print_commands(account, out);
    print_replies(account, out);
    print_troubles(account, out);
    print_instances(account, out);
    buf_add_text(out, "}\n");
}
