#include "world.h"

#include "codec/keys.h"
#include "core/trade.h"
#include "util/alloc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX
/* Of the newest signals, one of which is answered. */
#define ANSWERED_AMONG 15

const char *const world_actions[WORLD_ACTIONS] = {"buy", "sell", "close", "modify.stop"};

#define GROW(array, count, cap)                                                                              \
    do {                                                                                                     \
        if ((count) == (cap)) {                                                                              \
            (cap) = (cap) ? (cap)*2 : 64;                                                                    \
            (array) = mem_resize((array), (cap), sizeof(*(array)));                                          \
        }                                                                                                    \
    } while (0)

void world_init(struct world *world, struct sim *sim, struct store *store)
{
    *world = (struct world){.sim = sim, .store = store};
    for (uint32_t i = 0; i < WORLD_AGENTS; i++)
        world->agents[i].is_spoiled = sim->settings.spoils_shared;
    for (uint32_t i = 0; i < WORLD_TRADES; i++) {
        world->trade_states[i] = TRADE_PENDING;
        world->trade_numbers[i] = world->next_trade++;
    }
}

void world_clear(struct world *world)
{
    free(world->signals);
    free(world->results);
    free(world->reports);
    free(world->trades);
    free(world->lives);
    free(world->last_answer_ms);
}

void world_format_agent(char out[32], uint32_t agent)
{
    (void)snprintf(out, 32, "mt5-%" PRIu32, agent);
}

/* An entry that is being written. */
struct draft {
    struct slice words[32];
    size_t count;
    char text[16][64];
    size_t texts;
};

static void draft_add(struct draft *draft, const char *name, struct slice value)
{
    draft->words[draft->count++] = slice_text(name);
    draft->words[draft->count++] = value;
}

static void draft_add_number(struct draft *draft, const char *name, const char *prefix, uint64_t number)
{
    char *text = draft->text[draft->texts++];

    (void)snprintf(text, 64, "%s%" PRIu64, prefix, number);
    draft_add(draft, name, slice_text(text));
}

static struct stream_id draft_send(struct world *world, const struct draft *draft, enum stream_kind stream)
{
    struct store_key *key = store_make(world->store, slice_text(sim_streams[stream]), STORE_STREAM);

    return stream_add(world->store, key, draft->words, draft->count);
}

static bool chance(struct world *world, uint32_t percent)
{
    return rng_chance(&world->sim->rng, percent);
}

static uint32_t below(struct world *world, uint32_t bound)
{
    return rng_below(&world->sim->rng, bound);
}

static struct slice junk(struct world *world)
{
    static const struct slice values[] = {SLICE(""),      SLICE("a\nb"),  SLICE("\"q\""), SLICE("x:y"),
                                          SLICE("-lead"), SLICE("\0nul"), SLICE("nan"),   SLICE("0x10"),
                                          SLICE("-1"),    SLICE("1e999")};

    return values[below(world, ARRAY_LEN(values))];
}

/* ---- signals ---- */

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
                         world->sim->now_ms - world->promised_ms <= world->sim->settings.ledger.ttl_ms / 2;
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

    if (!first ||
        world->sim->now_ms + margin_ms(world) > (int64_t)first->id.ms + world->sim->settings.ledger.dedup_ms)
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
        world->sim->now_ms < first->ended_ms + options->dedup_ms + margin_ms(world) ||
        world->last_answer_ms[first->number] > results_position.ms ||
        world->sim->now_ms < (int64_t)world->last_answer_ms[first->number] + 2 * options->ttl_ms)
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
    return !world->sim->settings.is_tight && !world->sim->settings.wipes && !world->sim->settings.rolls_back;
}

static void make_signal(struct world *world)
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

static void remove_signal(struct world *world)
{
    struct made_signal *signal = pick_signal(world, 30);
    struct store_key *key = store_find_text(world->store, sim_streams[STREAM_SIGNALS]);

    if (!signal || !key || stream_id_compare(signal->id, stored_position(world, STREAM_SIGNALS)) > 0 ||
        !stream_remove(key, signal->id))
        return;
    signal->is_removed = true;
    signal->removed_ms = world->sim->now_ms;
    sim_note(world->sim, "somebody removes signal s-%" PRIu32, signal->number);
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
    bool is_tight = world->sim->settings.is_tight;
    bool may_expire = is_tight, must_end = false, allows = false;

    for (uint32_t i = 0; i < signal->answer_count && !must_end; i++) {
        const struct answer *answer = &signal->answers[i];

        if ((int64_t)answer->ms > deadline_ms - margin_ms(world))
            may_expire = true; /* before the result was read, or not */
        if (is_ending(answer->status)) {
            allows = allows || outcome == outcome_of(answer->status);
            must_end = !is_tight; /* else it may have been given up, waiting for its signal */
        } else {
            deadline_ms = (int64_t)answer->ms + options->execution_ttl_ms;
        }
    }
    if (must_end && !may_expire)
        return allows;
    if (!may_expire && world->sim->now_ms < deadline_ms - margin_ms(world))
        return allows; /* it has time left */
    if (outcome == OUTCOME_DROPPED)
        return !signal->is_removed || signal->removed_ms >= deadline_ms - margin_ms(world) || must_end ||
               may_expire;
    if (outcome == OUTCOME_LOST)
        return signal->is_removed;
    return allows;
}

/* ---- results ---- */

static bool is_repeated(const struct world *world, uint32_t number)
{
    uint32_t seen = 0;

    for (uint32_t i = world->result_count; i > 0 && seen < world->sim->settings.ledger.results_max_len; i--) {
        if (world->results[i - 1].is_malformed)
            continue;
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
                   world->sim->now_ms - world->promised_ms <= world->sim->settings.ledger.ttl_ms / 2;
    uint32_t number;

    if (world->sim->settings.is_tight || (is_same && world->promised_count == ANSWERS_MAX))
        return;
    if (!is_same) {
        world->promised_count = 0;
        world->promised_ms = world->sim->now_ms;
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
    struct made_result *result =
        add_result(world, (struct made_result){.is_malformed = true, .signal = NOBODY});

    draft_add_number(&draft, "result_id", "r-", world->next_result++);
    draft_add(&draft, "signal_id", slice_text("s-0"));
    draft_add(&draft, "status", slice_text(chance(world, 50) ? "done" : ""));
    result->id = draft_send(world, &draft, STREAM_RESULTS);
}

static void make_result(struct world *world)
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

/* ---- reports and trades ---- */

static enum instance_state pick_state(struct world *world)
{
    uint32_t dice = below(world, 100);

    return dice < 60   ? STATE_RUNNING
           : dice < 75 ? STATE_STOPPED
           : dice < 88 ? STATE_CRASHED
                       : STATE_RESTARTING;
}

static void make_report(struct world *world)
{
    uint32_t number = below(world, WORLD_AGENTS);
    struct agent *agent = &world->agents[number];
    struct made_report report = {.agent = number, .is_malformed = chance(world, 8), .value = ++world->value};
    struct draft draft = {0};
    bool is_whole = !agent->has_reported || world->sim->settings.fleet.forget_after_s || agent->is_spoiled ||
                    chance(world, 30);

    draft_add_number(&draft, "instance_id", "mt5-", number);
    draft_add_number(&draft, "cpu_usage", "", report.value);
    if (chance(world, 20))
        agent->state = pick_state(world);
    if (is_whole || chance(world, 40)) {
        draft_add(&draft, "broker_id", slice_text("broker-1"));
        draft_add(&draft, "state", slice_text(instance_state_name(agent->state)));
    }
    if (chance(world, 20))
        draft_add(&draft, "health_status", slice_text(health_name((enum health)below(world, HEALTHS))));
    if (chance(world, 20))
        draft_add_number(&draft, "load_average", "0.", below(world, 100));
    if (chance(world, 10))
        draft_add_number(&draft, "uptime_seconds", "", below(world, 100));
    if (report.is_malformed)
        draft_add(&draft, "queue_length", slice_text("many"));
    else
        agent->has_reported = true;
    report.id = draft_send(world, &draft, STREAM_REPORTS);
    GROW(world->reports, world->report_count, world->report_cap);
    world->reports[world->report_count++] = report;
    sim_note(world->sim, "report %" PRIu64 " of mt5-%" PRIu32 "%s%s", report.value, number,
             report.is_malformed ? ", malformed " : " ",
             draft.count > 4 ? instance_state_name(agent->state) : "");
}

static void make_trade(struct world *world)
{
    uint32_t i = below(world, WORLD_TRADES);
    struct made_trade trade = {.number = world->trade_numbers[i], .value = ++world->value};
    struct draft draft = {0};

    draft_add_number(&draft, "trade_id", "t-", trade.number);
    draft_add_number(&draft, "lot_size", "", trade.value);
    if (chance(world, 40)) {
        world->trade_states[i] = (enum trade_state)below(world, TRADE_STATES);
        draft_add(&draft, "state", slice_text(trade_state_name(world->trade_states[i])));
    }
    if (chance(world, 50))
        draft_add_number(&draft, "instance_id", "mt5-", below(world, WORLD_AGENTS));
    if (chance(world, 6)) {
        draft_add(&draft, "leverage", slice_text("1:100"));
        trade.number = NOBODY;
    }
    trade.id = draft_send(world, &draft, STREAM_TRADES);
    GROW(world->trades, world->trade_count, world->trade_cap);
    world->trades[world->trade_count++] = trade;
    sim_note(world->sim, "update %" PRIu64 " of t-%" PRIu32 ", %s", trade.value, world->trade_numbers[i],
             draft.count > 4 ? trade_state_name(world->trade_states[i]) : "");
    if (chance(world, 10)) {
        world->trade_numbers[i] = world->next_trade++;
        world->trade_is_spoiled[i] = false;
    }
}

/* ---- others ---- */

static uint32_t write_hash(struct world *world)
{
    static const char *const states[] = {"running", "stopped", "crashed", "restarting",
                                         "RUNNING", "asleep",  ""};
    uint32_t number = below(world, WORLD_AGENTS);
    struct ident id;
    char text[32];
    struct key name;
    struct store_key *key;

    world_format_agent(text, number);
    ident_set(&id, slice_text(text));
    name = key_record((enum record_kind)below(world, 2), ident_slice(&id));
    key = store_make(world->store, key_slice(&name), STORE_HASH);
    if (!key)
        return NOBODY;
    world->agents[number].is_spoiled = true;
    if (chance(world, 50))
        key_put(key, slice_text("state"), slice_text(states[below(world, ARRAY_LEN(states))]));
    if (chance(world, 50))
        key_put(key, slice_text("broker_id"), slice_text("broker-2"));
    key_put(key, slice_text("cpu_usage"), slice_text(chance(world, 80) ? "12.5" : "lots"));
    sim_note(world->sim, "somebody writes %.*s", (int)name.len, name.text);
    return number;
}

/* Sets and hashes as nobody should leave them. */
static uint32_t disturb(struct world *world)
{
    uint32_t number = below(world, WORLD_AGENTS);
    char text[32];
    struct key name = key_index(INDEX_INSTANCE_STATE,
                                instance_state_name((enum instance_state)below(world, INSTANCE_STATES)));
    struct store_key *key;

    world_format_agent(text, number);
    world->agents[number].is_spoiled = true;
    if (chance(world, 30)) {
        name = key_record((enum record_kind)below(world, 3), slice_text(text));
        store_remove(world->store, key_slice(&name));
        sim_note(world->sim, "somebody removes %.*s", (int)name.len, name.text);
        return number;
    }
    key = store_make(world->store, key_slice(&name), STORE_SET);
    if (key && chance(world, 50))
        key_put(key, slice_text(text), slice_of("", 0));
    else if (key)
        (void)key_take(key, slice_text(text));
    sim_note(world->sim, "somebody changes %.*s for %s", (int)name.len, name.text, text);
    return NOBODY;
}

static void plant_key(struct world *world, struct slice name)
{
    struct store_key *key;

    if (world->planted.count == ARRAY_LEN(world->planted.names))
        return;
    store_remove(world->store, name);
    key = store_make(world->store, name, STORE_STRING);
    key_put(key, slice_of("", 0), slice_text("planted"));
    (void)snprintf(world->planted.names[world->planted.count++], sizeof(world->planted.names[0]), "%.*s",
                   (int)name.len, name.data);
    sim_note(world->sim, "somebody plants a string on %.*s", (int)name.len, name.data);
}

static uint32_t plant(struct world *world)
{
    uint32_t number = below(world, WORLD_AGENTS);
    char text[32];
    struct key name;

    if (chance(world, 20)) {
        for (uint32_t i = 0; i < WORLD_AGENTS; i++)
            world->agents[i].is_spoiled = true;
        name = key_index(INDEX_INSTANCE_STATE,
                         instance_state_name((enum instance_state)below(world, INSTANCE_STATES)));
        plant_key(world, key_slice(&name));
        return NOBODY;
    }
    if (chance(world, 30)) {
        number = below(world, WORLD_TRADES);
        world->trade_is_spoiled[number] = true;
        (void)snprintf(text, sizeof(text), "t-%" PRIu32, world->trade_numbers[number]);
        name = key_record(RECORD_TRADE, slice_text(text));
        plant_key(world, key_slice(&name));
        return NOBODY;
    }
    world_format_agent(text, number);
    world->agents[number].is_spoiled = true;
    name = key_record((enum record_kind)below(world, 3), slice_text(text));
    plant_key(world, key_slice(&name));
    return number;
}

/* Keys that the daemon alone writes, and holds in memory as well. */
static void spoil_shared(struct world *world)
{
    static const char *const names[] = {KEY_TOTALS,
                                        KEY_JOURNAL,
                                        KEY_SEQ,
                                        KEY_LOAD,
                                        EVENTS_NAME,
                                        "trade_signals_dropped",
                                        "trade_signals_rejected"};
    struct slice name = slice_text(names[below(world, ARRAY_LEN(names))]);

    if (chance(world, 50)) {
        plant_key(world, name);
        return;
    }
    store_remove(world->store, name);
    sim_note(world->sim, "somebody removes %.*s", (int)name.len, name.data);
}

void world_unplant(struct world *world)
{
    for (uint32_t i = 0; i < world->planted.count; i++) {
        const struct store_key *key = store_find_text(world->store, world->planted.names[i]);

        if (key && key->type == STORE_STRING)
            store_remove(world->store, slice_text(world->planted.names[i]));
        sim_note(world->sim, "what is planted on %s is taken away", world->planted.names[i]);
    }
    world->planted.count = 0;
}

uint32_t world_act(struct world *world)
{
    const struct settings *settings = &world->sim->settings;
    uint32_t dice = below(world, 100);

    if (dice < 32) {
        make_signal(world);
    } else if (dice < 64) {
        make_result(world);
    } else if (dice < 82) {
        make_report(world);
    } else if (dice < 94) {
        make_trade(world);
    } else if (settings->takes_signals && chance(world, 50)) {
        remove_signal(world);
    } else if (settings->plants && chance(world, 40)) {
        if (chance(world, 30))
            world_unplant(world);
        else
            return plant(world);
    } else if (settings->spoils_shared && chance(world, 20)) {
        spoil_shared(world);
    } else if (settings->writes_hashes) {
        return chance(world, 60) ? write_hash(world) : disturb(world);
    }
    return NOBODY;
}
