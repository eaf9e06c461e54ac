/* Producers and executors, and what may become of a signal. */
#include "world_private.h"

#include "codec/keys.h"

/* Of the newest signals, one of which is answered. */
#define ANSWERED_AMONG 15

const char *const world_actions[WORLD_ACTIONS] = {"buy", "sell", "close", "modify.stop"};

static struct slice junk(struct world *world)
{
    static const struct slice values[] = {SLICE(""),      SLICE("a\nb"),  SLICE("\"q\""), SLICE("x:y"),
                                          SLICE("-lead"), SLICE("\0nul"), SLICE("nan"),   SLICE("0x10"),
                                          SLICE("-1"),    SLICE("1e999")};

    return values[below(world, ARRAY_LEN(values))];
}
struct made_signal *world_find_signal(const struct world *world, uint32_t number)
{
    if (number >= world->life_count || world->lives[number] == NOBODY)
        return NULL;
    return &world->signals[world->lives[number]];
}

struct made_signal *world_find_entry(const struct world *world, struct stream_id id)
{
    uint32_t low = 0, high = world->signal_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (stream_id_compare(world->signals[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < world->signal_count && stream_id_compare(world->signals[low].id, id) == 0
               ? &world->signals[low]
               : NULL;
}

static uint32_t next_number(struct world *world)
{
    if (world->life_count == world->life_cap) {
        world->life_cap = world->life_cap ? world->life_cap * 2 : 64;
        world->lives = mem_resize(world->lives, world->life_cap, sizeof(*world->lives));
        world->last_answer_ms =
            mem_resize(world->last_answer_ms, world->life_cap, sizeof(*world->last_answer_ms));
    }
    world->lives[world->life_count] = NOBODY;
    world->last_answer_ms[world->life_count] = 0;
    return world->life_count++;
}

static struct made_signal *add_signal(struct world *world, enum signal_kind kind, uint32_t number)
{
    struct made_signal *signal;

    GROW(world->signals, world->signal_count, world->signal_cap);
    signal = &world->signals[world->signal_count++];
    *signal = (struct made_signal){.kind = kind, .number = number, .action = below(world, WORLD_ACTIONS)};
    return signal;
}

static void send_signal(struct world *world, struct made_signal *signal)
{
    static const char *const spelled[WORLD_ACTIONS] = {"BUY", "sell", "Close", "modify.stop"};
    struct draft draft = {0};

    draft_add_number(&draft, "signal_id", "s-", signal->number);
    draft_add(&draft, "action", slice_text(spelled[signal->action]));
    if (chance(world, 50))
        draft_add_number(&draft, "instance_id", "mt5-", below(world, WORLD_AGENTS + 2));
    draft_add(&draft, "opaque", slice_text("anything at all\n"));
    signal->id = draft_send(world, &draft, STREAM_SIGNALS);
    sim_note(world->sim, "signal s-%" PRIu32 " (%s) made%s as %" PRIu64 "-%" PRIu64, signal->number,
             world_actions[signal->action], signal->kind == SIGNAL_REPEATED ? " again" : "", signal->id.ms,
             signal->id.seq);
}

static void make_malformed_signal(struct world *world)
{
    struct made_signal *signal = add_signal(world, SIGNAL_MALFORMED, NOBODY);
    struct draft draft = {0};

    if (chance(world, 50))
        draft_add(&draft, "action", slice_text("buy"));
    if (chance(world, 50))
        draft_add(&draft, "signal_id", slice_text("bad id"));
    else
        draft_add(&draft, "nothing", junk(world));
    signal->id = draft_send(world, &draft, STREAM_SIGNALS);
}

/* The first of a new id, for which there may be results already. */
static void make_new_signal(struct world *world)
{
    bool keeps_promise = world->promised_ms &&
                         world->sim->latest_ms - world->promised_ms <= world->sim->settings.ledger.ttl_ms / 2;
    uint32_t number = keeps_promise ? world->life_count - 1 : next_number(world);
    struct made_signal *signal = add_signal(world, SIGNAL_FIRST, number);

    if (keeps_promise) {
        memcpy(signal->answers, world->promised, sizeof(world->promised));
        signal->answer_count = world->promised_count;
    }
    world->promised_ms = 0;
    world->lives[number] = world->signal_count - 1;
    send_signal(world, signal);
}

static struct made_signal *pick_signal(struct world *world, uint32_t among)
{
    uint32_t newest = world->signal_count < among ? world->signal_count : among;
    struct made_signal *signal;

    if (!newest)
        return NULL;
    signal = &world->signals[world->signal_count - 1 - below(world, newest)];
    return signal->kind == SIGNAL_MALFORMED ? NULL : world_find_signal(world, signal->number);
}

static int64_t margin_ms(const struct world *world)
{
    return 2 * world->sim->settings.skew_max_ms + 2;
}

/* An id that is open, or cannot have left the dedup window yet. */
static void repeat_signal(struct world *world)
{
    struct made_signal *first = pick_signal(world, 10);
    struct made_signal *signal;
    uint32_t number;

    if (!first || world->sim->latest_ms + margin_ms(world) >
                      (int64_t)first->id.ms + world->sim->settings.ledger.dedup_ms)
        return;
    number = first->number;
    signal = add_signal(world, SIGNAL_REPEATED, number);
    signal->first = world->lives[number];
    send_signal(world, signal);
}

/* Everything that was ever said about the id has been read, and the window is over. */
static void reuse_signal(struct world *world, struct stream_id results_position)
{
    const struct ledger_options *options = &world->sim->settings.ledger;
    struct made_signal *first = pick_signal(world, 200);
    struct made_signal *signal;
    uint32_t number;

    if (!first || !first->is_ended ||
        world->sim->latest_ms < first->ended_ms + options->dedup_ms + margin_ms(world) ||
        world->last_answer_ms[first->number] > results_position.ms ||
        world->sim->latest_ms < (int64_t)world->last_answer_ms[first->number] + 2 * options->ttl_ms)
        return;
    number = first->number;
    signal = add_signal(world, SIGNAL_FIRST, number);
    world->lives[number] = world->signal_count - 1;
    send_signal(world, signal);
}

static struct stream_id stored_position(const struct world *world, enum stream_kind stream)
{
    struct key field = key_position(stream);
    struct stream_id position = {0, 0};

    (void)stream_id_parse(key_get(store_find_text(world->store, KEY_META), field.text),
                          &position); /* 0 at first */
    return position;
}

static bool may_repeat(const struct world *world)
{
    const struct settings *settings = &world->sim->settings;

    /* Nobody knows how long an id is remembered by a clock that is set back. */
    return !settings->is_tight && !settings->jumps_back && !settings->wipes && !settings->rolls_back &&
           !settings->cuts_streams;
}

void make_signal(struct world *world)
{
    uint32_t dice = below(world, 100);

    if (dice < 6)
        make_malformed_signal(world);
    else if (dice < 12 && may_repeat(world))
        repeat_signal(world);
    else if (dice < 17 && may_repeat(world))
        reuse_signal(world, stored_position(world, STREAM_RESULTS));
    else
        make_new_signal(world);
}

void remove_signal(struct world *world)
{
    struct made_signal *signal = pick_signal(world, 30);
    struct store_key *key = store_find_text(world->store, sim_streams[STREAM_SIGNALS]);

    if (!signal || !key || stream_id_compare(signal->id, stored_position(world, STREAM_SIGNALS)) > 0 ||
        !stream_remove(key, signal->id))
        return;
    signal->is_removed = true;
    signal->removed_ms = world->sim->latest_ms;
    sim_note(world->sim, "somebody removes signal s-%" PRIu32, signal->number);
}

static void forget_answer(struct answer *answers, uint32_t *count, const struct made_result *result)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (answers[i].ms != result->id.ms || answers[i].status != result->status)
            continue;
        memmove(answers + i, answers + i + 1, (--*count - i) * sizeof(*answers));
        return;
    }
}

static void take_signals(struct world *world, struct stream_id to, struct stream_id read)
{
    for (uint32_t i = world->signal_count; i > 0; i--) {
        struct made_signal *signal = &world->signals[i - 1];

        if (signal->is_removed || stream_id_compare(signal->id, to) > 0)
            continue;
        signal->is_removed = true;
        signal->removed_ms = world->sim->latest_ms;
        signal->is_gone = stream_id_compare(signal->id, read) > 0;
    }
}

static void take_results(struct world *world, struct stream_id to, struct stream_id read)
{
    for (uint32_t i = world->result_count; i > 0; i--) {
        struct made_result *result = &world->results[i - 1];
        struct made_signal *signal = world_find_signal(world, result->signal);

        if (result->is_taken || stream_id_compare(result->id, to) > 0)
            continue;
        result->is_taken = true;
        result->is_gone = stream_id_compare(result->id, read) > 0;
        if (result->is_gone && signal)
            forget_answer(signal->answers, &signal->answer_count, result);
        else if (result->is_gone && world->promised_ms && result->signal + 1 == world->life_count)
            forget_answer(world->promised, &world->promised_count, result);
    }
}

void world_take_entries(struct world *world, enum stream_kind k, struct stream_id to, struct stream_id read)
{
    if (k == STREAM_SIGNALS)
        take_signals(world, to, read);
    if (k == STREAM_RESULTS)
        take_results(world, to, read);
    for (uint32_t i = world->report_count; k == STREAM_REPORTS && i > 0; i--) {
        struct made_report *report = &world->reports[i - 1];

        if (stream_id_compare(report->id, to) > 0 || report->is_taken)
            continue;
        report->is_taken = true;
        report->is_gone = stream_id_compare(report->id, read) > 0;
    }
    for (uint32_t i = world->trade_count; k == STREAM_TRADES && i > 0; i--) {
        struct made_trade *trade = &world->trades[i - 1];

        if (stream_id_compare(trade->id, to) > 0 || trade->is_taken)
            continue;
        trade->is_taken = true;
        trade->is_gone = stream_id_compare(trade->id, read) > 0;
    }
}

static bool is_ending(enum result_status status)
{
    return result_status_effect(status) != RESULT_ACCEPTS;
}

static enum signal_outcome outcome_of(enum result_status status)
{
    return result_status_effect(status) == RESULT_PROCESSES ? OUTCOME_PROCESSED : OUTCOME_FAILED;
}

bool world_allows(const struct world *world, const struct made_signal *signal, enum signal_outcome outcome)
{
    const struct ledger_options *options = &world->sim->settings.ledger;
    int64_t deadline_ms = (int64_t)signal->id.ms + options->ttl_ms;
    /* A result that waits for its signal may be given up: for want of room, or since the clock was set back.
     */
    bool is_tight = world->sim->settings.is_tight || world->sim->settings.jumps_back;
    bool may_expire = is_tight, must_end = false, allows = false;

    for (uint32_t i = 0; i < signal->answer_count && !must_end; i++) {
        const struct answer *answer = &signal->answers[i];

        if ((int64_t)answer->ms > deadline_ms - margin_ms(world))
            may_expire = true; /* before the result was read, or not */
        if (is_ending(answer->status)) {
            allows = allows || outcome == outcome_of(answer->status);
            must_end = !is_tight;
        } else {
            deadline_ms = (int64_t)answer->ms + options->execution_ttl_ms;
        }
    }
    if (must_end && !may_expire)
        return allows;
    if (!may_expire && world->sim->latest_ms < deadline_ms - margin_ms(world))
        return allows; /* it has time left */
    if (outcome == OUTCOME_DROPPED)
        return !signal->is_removed || signal->removed_ms >= deadline_ms - margin_ms(world) || must_end ||
               may_expire;
    if (outcome == OUTCOME_LOST)
        return signal->is_removed;
    return allows;
}

static bool is_repeated(const struct world *world, uint32_t number)
{
    uint32_t seen = 0;

    for (uint32_t i = world->result_count; i > 0 && seen < world->sim->settings.ledger.results_max_len; i--) {
        if (world->results[i - 1].is_malformed) {
            seen += world->sim->settings.observes; /* it stays, and is one of those that are kept */
            continue;
        }
        seen++;
        if (world->results[i - 1].number == number)
            return true;
    }
    return false;
}

static struct made_result *add_result(struct world *world, struct made_result result)
{
    GROW(world->results, world->result_count, world->result_cap);
    world->results[world->result_count] = result;
    return &world->results[world->result_count++];
}

static void send_result(struct world *world, uint32_t number, uint32_t signal, enum result_status status)
{
    struct draft draft = {0};
    bool repeated = is_repeated(world, number);
    struct made_result *result = add_result(
        world,
        (struct made_result){.number = number, .signal = signal, .status = status, .is_repeated = repeated});

    draft_add_number(&draft, "result_id", "r-", number);
    draft_add_number(&draft, "signal_id", signal == NOBODY ? "x-" : "s-", signal == NOBODY ? number : signal);
    draft_add(&draft, "status", slice_text(result_status_name(status)));
    if (chance(world, 30))
        draft_add(&draft, "slippage", slice_text("-0.5"));
    if (chance(world, 30))
        draft_add_number(&draft, "execution_time", "", below(world, 900));
    if (chance(world, 30))
        draft_add_number(&draft, "instance_id", "mt5-", below(world, WORLD_AGENTS + 2));
    result->id = draft_send(world, &draft, STREAM_RESULTS);
    sim_note(world->sim, "result r-%" PRIu32 " %s for %s%" PRIu32 "%s as %" PRIu64 "-%" PRIu64, number,
             result_status_name(status), signal == NOBODY ? "x-" : "s-", signal == NOBODY ? number : signal,
             repeated ? " again" : "", result->id.ms, result->id.seq);
}

static enum result_status pick_status(struct world *world)
{
    static const enum result_status statuses[] = {STATUS_ACCEPTED,         STATUS_ACCEPTED,  STATUS_ACCEPTED,
                                                  STATUS_EXECUTED,         STATUS_EXECUTED,  STATUS_EXECUTED,
                                                  STATUS_PARTIALLY_FILLED, STATUS_CLOSED,    STATUS_FAILED,
                                                  STATUS_REJECTED,         STATUS_CANCELLED, STATUS_EXPIRED};

    return statuses[below(world, ARRAY_LEN(statuses))];
}

static void answer_signal(struct world *world)
{
    struct made_signal *signal = pick_signal(world, ANSWERED_AMONG);
    enum result_status status = pick_status(world);

    if (!signal || signal->answer_count == ANSWERS_MAX)
        return;
    send_result(world, world->next_result++, signal->number, status);
    if (world->results[world->result_count - 1].is_repeated)
        return;
    signal->answers[signal->answer_count++] =
        (struct answer){world->results[world->result_count - 1].id.ms, status};
    world->last_answer_ms[signal->number] = world->results[world->result_count - 1].id.ms;
}

/* A result for a signal that is yet to be made, soon or never. */
static void answer_too_early(struct world *world)
{
    enum result_status status = pick_status(world);
    bool is_same = world->promised_ms &&
                   world->sim->latest_ms - world->promised_ms <= world->sim->settings.ledger.ttl_ms / 2;
    uint32_t number;

    if (world->sim->settings.is_tight || (is_same && world->promised_count == ANSWERS_MAX))
        return;
    if (!is_same) {
        world->promised_count = 0;
        world->promised_ms = world->sim->latest_ms;
    }
    number = is_same ? world->life_count - 1 : next_number(world);
    send_result(world, world->next_result++, number, status);
    world->promised[world->promised_count++] =
        (struct answer){world->results[world->result_count - 1].id.ms, status};
    world->last_answer_ms[number] = world->results[world->result_count - 1].id.ms;
}

static void repeat_result(struct world *world)
{
    const struct made_result *earlier;

    if (!world->result_count || !may_repeat(world))
        return;
    earlier = &world->results[world->result_count - 1 -
                              below(world, world->result_count < 6 ? world->result_count : 6)];
    if (!earlier->is_malformed && is_repeated(world, earlier->number))
        send_result(world, earlier->number, earlier->signal, earlier->status);
}

static void make_malformed_result(struct world *world)
{
    struct draft draft = {0};
    struct made_result *result;

    if (world->sim->settings.changes_mind)
        return; /* nobody knows whether it will be one of those that are kept */
    result = add_result(world, (struct made_result){.is_malformed = true, .signal = NOBODY});
    draft_add_number(&draft, "result_id", "r-", world->next_result++);
    draft_add(&draft, "signal_id", slice_text("s-0"));
    draft_add(&draft, "status", slice_text(chance(world, 50) ? "done" : ""));
    result->id = draft_send(world, &draft, STREAM_RESULTS);
}

void make_result(struct world *world)
{
    uint32_t dice = below(world, 100);

    if (dice < 5)
        make_malformed_result(world);
    else if (dice < 12)
        repeat_result(world);
    else if (dice < 20)
        answer_too_early(world);
    else if (dice < 25)
        send_result(world, world->next_result++, NOBODY, pick_status(world));
    else
        answer_signal(world);
}
