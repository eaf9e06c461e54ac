/* Agents, trades, and those who write where they should not. */
#include "world_private.h"

#include "codec/keys.h"

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
void draft_add(struct draft *draft, const char *name, struct slice value)
{
    draft->words[draft->count++] = slice_text(name);
    draft->words[draft->count++] = value;
}

void draft_add_number(struct draft *draft, const char *name, const char *prefix, uint64_t number)
{
    char *text = draft->text[draft->texts++];

    (void)snprintf(text, 64, "%s%" PRIu64, prefix, number);
    draft_add(draft, name, slice_text(text));
}

struct stream_id draft_send(struct world *world, const struct draft *draft, enum stream_kind stream)
{
    struct store_key *key = store_make(world->store, slice_text(sim_streams[stream]), STORE_STREAM);

    return stream_add(world->store, key, draft->words, draft->count);
}

bool chance(struct world *world, uint32_t percent)
{
    return rng_chance(&world->sim->rng, percent);
}

uint32_t below(struct world *world, uint32_t bound)
{
    return rng_below(&world->sim->rng, bound);
}
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
                    world->sim->settings.cuts_streams || chance(world, 30);

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

/* A part of what the daemon alone writes. */
static void cut_shared(struct world *world)
{
    struct store_key *journal = store_find_text(world->store, KEY_JOURNAL);
    struct store_key *totals = store_find_text(world->store, KEY_TOTALS);

    if (chance(world, 60) && journal && journal->entry_count) {
        stream_trim(journal, journal->entries[below(world, journal->entry_count)]->id);
        sim_note(world->sim, "somebody trims the journal to %" PRIu32 " entries", journal->entry_count);
    } else if (totals && totals->type == STORE_HASH && totals->pair_count) {
        struct store_pair *pair = &totals->pairs[below(world, totals->pair_count)];

        sim_note(world->sim, "somebody takes %.*s out of the totals", (int)pair_name(pair).len,
                 pair_name(pair).data);
        (void)key_take(totals, pair_name(pair)); /* it is there */
    }
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
    const struct settings *settings = &world->sim->settings;
    struct slice name = slice_text(names[below(world, ARRAY_LEN(names))]);

    /* A daemon that starts then knows no better. */
    if (settings->crashes || settings->has_second)
        world->sim->has_lost_data = true;
    if (chance(world, 30)) {
        cut_shared(world);
        return;
    }
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
