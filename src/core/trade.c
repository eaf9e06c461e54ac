/* The table of a trade's fields and states, and the book of the trades in memory.
 *
 * A trade lies in one of two lists, that of the open ones or that of the others, as its state says;
 * place_trade is the only one that puts it there, and keeps the counts and the tally of its instance with it.
 */
#include "core/trade.h"

#include "util/alloc.h"
#include "util/macros.h"
#include "util/time_text.h"
#include <assert.h>
#include <stdlib.h>

/* One row a field: the name of its number, its name outside, its kind. */
#define TRADE_ROWS(ROW)                                                                                      \
    ROW(TRADE_ID, "trade_id", ID)                                                                            \
    ROW(ACCOUNT_ID, "account_id", ID)                                                                        \
    ROW(BROKER_ID, "broker_id", ID)                                                                          \
    ROW(INSTANCE_ID, "instance_id", ID)                                                                      \
    ROW(SYMBOL, "symbol", TEXT)                                                                              \
    ROW(ORDER_TYPE, "order_type", TEXT)                                                                      \
    ROW(DIRECTION, "direction", TEXT)                                                                        \
    ROW(LOT_SIZE, "lot_size", NUMBER)                                                                        \
    ROW(REQUESTED_PRICE, "requested_price", NUMBER)                                                          \
    ROW(EXECUTION_PRICE, "execution_price", NUMBER)                                                          \
    ROW(STOP_LOSS, "stop_loss", NUMBER)                                                                      \
    ROW(TAKE_PROFIT, "take_profit", NUMBER)                                                                  \
    ROW(PARTIAL_FILL_PERCENTAGE, "partial_fill_percentage", NUMBER)                                          \
    ROW(STATE, "state", STATE)                                                                               \
    ROW(BALANCE, "balance", SIGNED_NUMBER)                                                                   \
    ROW(EQUITY, "equity", SIGNED_NUMBER)                                                                     \
    ROW(POSITION, "position", SIGNED_NUMBER)                                                                 \
    ROW(LEVERAGE, "leverage", NUMBER)

#define INFO_ROW(field, name, kind) [TRADE_##field] = {SLICE(name), TRADE_FIELD_##kind},
#define NAME_ROW(field, name, kind) [TRADE_##field] = SLICE(name),

const struct trade_field_info trade_field_table[TRADE_FIELDS] = {TRADE_ROWS(INFO_ROW)};

const struct slice trade_entry_names[TRADE_FIELDS] = {TRADE_ROWS(NAME_ROW)};

static const char *const state_names[TRADE_STATES] = {
    [TRADE_PENDING] = "pending", [TRADE_EXECUTING] = "executing", [TRADE_EXECUTED] = "executed",
    [TRADE_FAILED] = "failed",   [TRADE_CLOSED] = "closed",
};

static const bool allowed[TRADE_STATES][TRADE_STATES] = {
    [TRADE_PENDING] =
        {[TRADE_EXECUTING] = true, [TRADE_EXECUTED] = true, [TRADE_FAILED] = true, [TRADE_CLOSED] = true},
    [TRADE_EXECUTING] = {[TRADE_EXECUTED] = true, [TRADE_FAILED] = true, [TRADE_CLOSED] = true},
    [TRADE_EXECUTED] = {[TRADE_CLOSED] = true},
};

const char *trade_state_name(enum trade_state state)
{
    return state == TRADE_NONE ? NULL : state_names[state];
}

bool trade_state_parse(struct slice text, enum trade_state *ret_state)
{
    for (int i = 0; i < TRADE_STATES; i++) {
        if (slice_is_nocase(text, state_names[i])) {
            *ret_state = (enum trade_state)i;
            return true;
        }
    }
    return false;
}

bool trade_state_is_open(enum trade_state state)
{
    return state == TRADE_PENDING || state == TRADE_EXECUTING || state == TRADE_EXECUTED;
}

bool trade_transition_is_allowed(enum trade_state from, enum trade_state to)
{
    return allowed[from][to];
}

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct trade_book *book = owner;

    return ident_slice(&book->slots[index].id);
}

static void empty_lists(struct trade_book *book)
{
    book->slot_count = 0;
    book->free_head = MAP_NONE;
    book->open_head = book->open_tail = MAP_NONE;
    book->other_head = book->other_tail = MAP_NONE;
    book->open_count = book->other_count = 0;
    memset(book->by_state, 0, sizeof(book->by_state));
}

void trade_book_init(struct trade_book *book, struct fleet *fleet, int64_t closed_ttl_s, struct hash_key key)
{
    *book = (struct trade_book){
        .fleet = fleet, .closed_ttl_s = closed_ttl_s, .max_others = TRADE_BOOK_MAX_OTHERS};
    map_init(&book->map, key, key_of, book);
    trade_tally_init(&book->tally, key);
    empty_lists(book);
}

void trade_book_clear(struct trade_book *book)
{
    map_clear(&book->map);
    trade_tally_clear(&book->tally);
    free(book->slots);
    book->slots = NULL;
    book->slot_cap = 0;
    empty_lists(book);
}

static void show_open_trades(const struct trade_book *book, struct slice instance_id, uint32_t open,
                             int64_t at_ms)
{
    struct instance *instance = instance_id.len > 0 ? fleet_find(book->fleet, instance_id) : NULL;

    if (!instance)
        return;
    instance->open_trades = open;
    watch_touch(book->fleet, instance, at_ms);
}

size_t trade_book_bytes(const struct trade_book *book)
{
    return book->slot_cap * sizeof(*book->slots) + map_bytes(&book->map);
}

void trade_book_reset(struct trade_book *book)
{
    for (uint32_t i = 0; i < book->tally.slot_count; i++)
        show_open_trades(book, ident_slice(&book->tally.slots[i].instance_id), 0, INT64_MAX);
    trade_tally_reset(&book->tally);
    map_reset(&book->map);
    empty_lists(book);
}

struct trade *trade_book_find(const struct trade_book *book, struct slice trade_id)
{
    uint32_t index = map_find(&book->map, trade_id);

    return index == MAP_NONE ? NULL : &book->slots[index];
}

void trade_book_tie_instance(const struct trade_book *book, struct instance *instance)
{
    instance->open_trades = trade_tally_get(&book->tally, ident_slice(&instance->id));
}

static uint32_t take_slot(struct trade_book *book)
{
    uint32_t index = book->free_head;

    if (index != MAP_NONE) {
        assert(book->slots);
        book->free_head = book->slots[index].next;
        return index;
    }
    if (book->slot_count == book->slot_cap) {
        book->slot_cap = book->slot_cap ? book->slot_cap * 2 : 64;
        book->slots = mem_resize(book->slots, book->slot_cap, sizeof(*book->slots));
    }
    return book->slot_count++;
}

/* At the newest end of the list that its state names. */
static void place_trade(struct trade_book *book, struct trade *trade)
{
    bool open = trade_state_is_open(trade->state);
    uint32_t *head = open ? &book->open_head : &book->other_head;
    uint32_t *tail = open ? &book->open_tail : &book->other_tail;
    uint32_t index = (uint32_t)(trade - book->slots);

    trade->prev = *tail;
    trade->next = MAP_NONE;
    if (*tail == MAP_NONE)
        *head = index;
    else
        book->slots[*tail].next = index;
    *tail = index;
    book->by_state[trade->state]++;
    if (open) {
        struct slice instance_id = ident_slice(&trade->instance_id);

        book->open_count++;
        show_open_trades(book, instance_id, trade_tally_add(&book->tally, instance_id), trade->updated_ms);
    } else {
        book->other_count++;
    }
}

/* Out of its list, before its state or its instance_id changes. */
static void displace_trade(struct trade_book *book, const struct trade *trade)
{
    bool open = trade_state_is_open(trade->state);

    if (trade->prev == MAP_NONE)
        *(open ? &book->open_head : &book->other_head) = trade->next;
    else
        book->slots[trade->prev].next = trade->next;
    if (trade->next == MAP_NONE)
        *(open ? &book->open_tail : &book->other_tail) = trade->prev;
    else
        book->slots[trade->next].prev = trade->prev;
    book->by_state[trade->state]--;
    if (open) {
        struct slice instance_id = ident_slice(&trade->instance_id);

        book->open_count--;
        show_open_trades(book, instance_id, trade_tally_take(&book->tally, instance_id), trade->updated_ms);
    } else {
        book->other_count--;
    }
}

static struct trade *add_trade(struct trade_book *book, struct slice id, struct slice instance_id,
                               enum trade_state state)
{
    uint32_t index = take_slot(book);
    assert(book->slots);
    struct trade *trade = &book->slots[index];

    *trade = (struct trade){.state = state, .used = true};
    ident_set(&trade->id, id);
    ident_set(&trade->instance_id, instance_id);
    map_insert(&book->map, index);
    place_trade(book, trade);
    return trade;
}

void trade_book_forget(struct trade_book *book, struct trade *trade)
{
    uint32_t index = (uint32_t)(trade - book->slots);

    displace_trade(book, trade);
    (void)map_remove(&book->map, index); /* a trade in use is in the map */
    trade->used = false;
    trade->next = book->free_head;
    book->free_head = index;
}

static void forget_oldest_others(struct trade_book *book)
{
    while (book->other_count > book->max_others)
        trade_book_forget(book, &book->slots[book->other_head]);
}

void trade_book_load(struct trade_book *book, struct slice trade_id, struct slice instance_id,
                     enum trade_state state, int64_t updated_ms)
{
    if (trade_book_find(book, trade_id))
        return;
    add_trade(book, trade_id, instance_id, state)->updated_ms = updated_ms;
    forget_oldest_others(book);
}

/* Writes what the update reports, and the state that the trade has. Both are there each time: the hash may
 * have expired, or others may have removed it, and a restart knows a trade by its state. */
static void store_fields(const struct trade *trade, const struct trade_update *update, int64_t at_ms,
                         struct sink *sink)
{
    struct record_field fields[TRADE_FIELDS + 1];
    char updated_at[TIME_TEXT_LEN + 1];
    size_t count = 0;

    for (unsigned i = 0; i < TRADE_FIELDS; i++) {
        if (i == TRADE_STATE || !((update->present >> i) & 1U))
            continue;
        fields[count++] = (struct record_field){trade_field_table[i].name, update->value[i]};
    }
    fields[count++] = (struct record_field){trade_field_table[TRADE_STATE].name,
                                            slice_text(trade_state_name(trade->state))};
    time_text_format(updated_at, at_ms);
    fields[count++] = (struct record_field){SLICE("last_updated_at"), slice_of(updated_at, TIME_TEXT_LEN)};
    sink->ops->record_set(sink->ctx, RECORD_TRADE, ident_slice(&trade->id), fields, count);
}

/* The state that TRADE has after the update; counts a refusal. */
static enum trade_state judge_state(struct trade_book *book, const struct trade *trade, enum trade_state to)
{
    if (to == TRADE_NONE || to == trade->state)
        return trade->state;
    if (trade_transition_is_allowed(trade->state, to))
        return to;
    book->refused[trade->state][to]++;
    if (book->on_refused)
        book->on_refused(book->ctx, trade, to);
    return trade->state;
}

static void change_trade(struct trade_book *book, struct trade *trade, const struct trade_update *update,
                         enum trade_state to)
{
    displace_trade(book, trade);
    trade->state = to;
    if ((update->present >> TRADE_INSTANCE_ID) & 1U)
        ident_set(&trade->instance_id, update->value[TRADE_INSTANCE_ID]);
    place_trade(book, trade);
}

static struct trade *register_trade(struct trade_book *book, const struct trade_update *update)
{
    bool tied = (update->present >> TRADE_INSTANCE_ID) & 1U;
    struct slice instance_id = tied ? update->value[TRADE_INSTANCE_ID] : slice_of(NULL, 0);
    enum trade_state state = update->state == TRADE_NONE ? TRADE_PENDING : update->state;

    return add_trade(book, update->value[TRADE_TRADE_ID], instance_id, state);
}

/* What is in memory, else what Redis holds; NULL for a trade that nobody knows. */
static struct trade *recall_trade(struct trade_book *book, struct slice trade_id,
                                  const struct trade_stored *stored)
{
    struct trade *trade = trade_book_find(book, trade_id);

    if (trade || !stored || stored->state == TRADE_NONE)
        return trade;
    return add_trade(book, trade_id, stored->instance_id, stored->state);
}

/* An ended trade's hash may have expired since, and its id may have left its set: with each update it gets
 * its set and its TTL too, so that none comes back unlisted, or for ever. An open one that Redis alone knows
 * is in no set, or it would have been loaded. */
void trade_book_on_update(struct trade_book *book, const struct trade_update *update,
                          const struct trade_stored *stored, const struct cause *cause, int64_t at_ms,
                          struct sink *sink)
{
    bool is_held = trade_book_find(book, update->value[TRADE_TRADE_ID]) != NULL;
    struct trade *trade = recall_trade(book, update->value[TRADE_TRADE_ID], stored);
    enum trade_state from = trade ? trade->state : TRADE_NONE;
    struct slice id;
    bool moved;

    UNUSED(cause); /* the group is the caller's, and a trade has no events */
    if (trade)
        change_trade(book, trade, update, judge_state(book, trade, update->state));
    else
        trade = register_trade(book, update);
    trade->updated_ms = at_ms;
    trade->batch = book->batch;
    book->updates++;

    id = ident_slice(&trade->id);
    moved = from != trade->state;
    store_fields(trade, update, at_ms, sink);
    if (moved || !is_held || !trade_state_is_open(trade->state))
        sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, moved ? trade_state_name(from) : NULL,
                              trade_state_name(trade->state));
    if (!trade_state_is_open(trade->state))
        sink->ops->record_expire(sink->ctx, RECORD_TRADE, id, book->closed_ttl_s);
    forget_oldest_others(book);
}

/* What is left of the TTL of an ended trade, in seconds; 0 where it is over. */
static int64_t left_ttl_s(const struct trade_book *book, const struct trade *trade, int64_t now_ms)
{
    int64_t left_s = book->closed_ttl_s - (now_ms - trade->updated_ms) / 1000;

    if (left_s > book->closed_ttl_s)
        return book->closed_ttl_s; /* the clock was set back */
    return left_s > 0 ? left_s : 0;
}

bool trade_book_is_over(const struct trade_book *book, const struct trade *trade, int64_t now_ms)
{
    return !trade_state_is_open(trade->state) && left_ttl_s(book, trade, now_ms) == 0;
}

static void write_record(const struct trade *trade, struct sink *sink)
{
    struct slice instance_id = ident_slice(&trade->instance_id);
    char updated_at[TIME_TEXT_LEN + 1];
    struct record_field fields[4] = {
        {trade_field_table[TRADE_TRADE_ID].name, ident_slice(&trade->id)},
        {trade_field_table[TRADE_STATE].name, slice_text(trade_state_name(trade->state))},
        {SLICE("last_updated_at"), slice_of(updated_at, TIME_TEXT_LEN)},
        {trade_field_table[TRADE_INSTANCE_ID].name, instance_id},
    };

    time_text_format(updated_at, trade->updated_ms);
    sink->ops->record_set(sink->ctx, RECORD_TRADE, ident_slice(&trade->id), fields, instance_id.len ? 4 : 3);
}

void trade_book_write_back(const struct trade_book *book, struct trade *trade, int64_t now_ms,
                           struct sink *sink)
{
    struct slice id = ident_slice(&trade->id);
    bool open = trade_state_is_open(trade->state);
    int64_t left_s = open ? 0 : left_ttl_s(book, trade, now_ms);
    bool is_gone = !open && left_s == 0;

    trade->batch = book->batch;
    for (int s = 0; s < TRADE_STATES; s++)
        if (is_gone || trade->state != (enum trade_state)s)
            sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, trade_state_name((enum trade_state)s),
                                  NULL);
    if (is_gone) {
        sink->ops->record_remove(sink->ctx, RECORD_TRADE, id);
        return;
    }
    write_record(trade, sink);
    sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, NULL, trade_state_name(trade->state));
    if (!open)
        sink->ops->record_expire(sink->ctx, RECORD_TRADE, id, left_s);
}
