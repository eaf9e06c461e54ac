/* What others did to the hashes and sets of instances. Stands for reconcile.c, look.c and follow.c. */
#include "shell_private.h"

#include "util/alloc.h"
#include "util/number.h"
#include <math.h>
#include <stdio.h>

#define GATHER_MS    50
#define BLOCKED_MS   1000
#define SIGNALS_STEP 3

void id_list_add(struct id_list *list, struct slice id)
{
    if (!ident_is_valid(id, IDENT_MAX))
        return;
    for (uint32_t i = 0; i < list->count; i++) {
        if (slice_equal(ident_slice(&list->ids[i]), id))
            return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->ids = mem_resize(list->ids, list->cap, sizeof(*list->ids));
    }
    ident_set(&list->ids[list->count++], id);
}

void look_at(const struct store *store, struct slice id, struct look *ret)
{
    const struct store_key *load = store_find_text(store, KEY_LOAD);
    const struct store_key *seq = store_find_text(store, KEY_SEQ);
    const struct store_pair *score = load && load->type == STORE_SORTED ? key_find_pair(load, id) : NULL;
    const struct store_pair *last = seq && seq->type == STORE_HASH ? key_find_pair(seq, id) : NULL;

    ident_set(&ret->id, id);
    for (int k = 0; k < 3; k++) {
        struct key name = key_record((enum record_kind)k, id);
        const struct store_key *key = store_find(store, key_slice(&name));

        ret->is_wrong[k] = key && key->type != STORE_HASH;
        ret->hash[k] = key_copy(ret->is_wrong[k] ? NULL : key);
    }
    for (int s = 0; s < INSTANCE_STATES; s++) {
        struct key name = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        const struct store_key *set = store_find(store, key_slice(&name));

        ret->member[s] = set && set->type == STORE_SET && key_find_pair(set, id);
    }
    ret->has_score = score && number_parse_decimal(pair_value(score), &ret->score);
    ret->seq = 0;
    if (last)
        (void)number_parse_u64(pair_value(last), UINT64_MAX, &ret->seq); /* none: no event yet */
}

void look_clear(struct look *look)
{
    for (int k = 0; k < 3; k++)
        key_clear(&look->hash[k]);
}

void look_read(const struct look *look, struct instance_record *ret, char scratch[REPORT_TEXT_MAX])
{
    instance_record_init(ret);
    for (int k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < look->hash[k].pair_count; i++)
            instance_record_parse_field(ret, (enum record_kind)k, pair_name(&look->hash[k].pairs[i]),
                                        pair_value(&look->hash[k].pairs[i]), scratch);
    }
}

enum instance_state look_index_state(const struct look *look)
{
    enum instance_state state = STATE_NONE;

    for (int s = 0; s < INSTANCE_STATES; s++) {
        if (!look->member[s])
            continue;
        if (state != STATE_NONE)
            return STATE_NONE;
        state = (enum instance_state)s;
    }
    return state;
}

static struct blocked *find_blocked(const struct shell *sh, struct slice id)
{
    for (uint32_t i = 0; i < sh->blocked_count; i++) {
        if (slice_equal(ident_slice(&sh->blocked[i].id), id))
            return &sh->blocked[i];
    }
    return NULL;
}

const char *follow_blocked(const struct shell *sh, struct slice id)
{
    const struct blocked *blocked = find_blocked(sh, id);

    return blocked ? blocked->reason : NULL;
}

static struct instance *keep(const struct instance *instance)
{
    struct instance *kept = mem_new(1, sizeof(*kept));

    *kept = *instance;
    if (instance->last_error)
        kept->last_error = mem_copy_text(instance->last_error, strlen(instance->last_error));
    return kept;
}

void follow_block(struct shell *sh, struct slice id, const char *reason)
{
    struct instance *instance = fleet_find(&sh->fleet, id);
    struct blocked *blocked;

    if (!find_blocked(sh, id)) {
        if (sh->blocked_count == sh->blocked_cap) {
            sh->blocked_cap = sh->blocked_cap ? sh->blocked_cap * 2 : 8;
            sh->blocked = mem_resize(sh->blocked, sh->blocked_cap, sizeof(*sh->blocked));
        }
        blocked = &sh->blocked[sh->blocked_count++];
        ident_set(&blocked->id, id);
        (void)snprintf(blocked->reason, sizeof(blocked->reason), "%s", reason);
        blocked->kept = instance ? keep(instance) : NULL;
    }
    if (instance)
        fleet_forget(&sh->fleet, instance);
    if (!sh->follow_at_ms)
        sh->follow_at_ms = sh->store->now_ms + BLOCKED_MS;
}

static void drop_kept(struct blocked *blocked)
{
    if (blocked->kept)
        free(blocked->kept->last_error);
    free(blocked->kept);
}

void follow_reset(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->blocked_count; i++)
        drop_kept(&sh->blocked[i]);
    sh->blocked_count = sh->marked.count = 0;
}

static void follow_unblock(struct shell *sh, const struct look *look, const struct instance_record *record)
{
    struct slice id = ident_slice(&look->id);
    struct blocked *found = find_blocked(sh, id), blocked;
    enum instance_state indexed = look_index_state(look);
    int64_t now_ms = shell_now_ms(sh);
    bool is_back = fleet_load(&sh->fleet, id, record, indexed, look->seq, now_ms);

    blocked = *found;
    *found = sh->blocked[--sh->blocked_count];
    if (!is_back && blocked.kept && (look->seq || indexed != STATE_NONE)) {
        struct instance_record kept;
        struct cause cause = {CAUSE_RECONCILE, {(uint64_t)now_ms, 0}};
        struct sink *sink = commit_sink(sh);

        instance_record_of(blocked.kept, &kept);
        is_back = fleet_load(&sh->fleet, id, &kept, indexed, look->seq, now_ms);
        sink->ops->begin(sink->ctx, &cause);
        fleet_write_back(&sh->fleet, fleet_find(&sh->fleet, id), sink);
    }
    if (is_back)
        trade_book_tie_instance(&sh->trades, fleet_find(&sh->fleet, id));
    drop_kept(&blocked);
}

void follow_mark(struct shell *sh, struct slice id)
{
    id_list_add(&sh->marked, id);
    if (!sh->follow_at_ms)
        sh->follow_at_ms = sh->store->now_ms + GATHER_MS;
}

void shell_notify(struct shell *sh, struct slice id)
{
    if (sh->is_running && sh->is_up && sh->sim->settings.adopts)
        follow_mark(sh, id);
}

static void look_on(struct shell *sh)
{
    struct call *call;
    uint32_t left = sh->queue.count - sh->done;

    if (sh->is_looking || (left == 0 && !sh->wants_keys) || !lead_is_active(sh) || !sh->is_up)
        return;
    commit_hold(sh, true);
    if (sh->has_sent)
        return;
    if (sh->wants_keys)
        (void)call_send(sh, CALL_KEYS); /* the next pass asks again */
    sh->wants_keys = false;
    sh->asked = left < LOOK_MAX ? left : LOOK_MAX;
    call = call_send(sh, CALL_LOOK);
    sh->is_looking = call != NULL;
    if (!call) {
        commit_hold(sh, false);
        return;
    }
    for (uint32_t i = 0; i < sh->asked; i++)
        call_add_id(call, ident_slice(&sh->queue.ids[sh->done + i]), 0);
    call->count = sh->asked;
}

static void reconcile_look(struct shell *sh, struct slice id)
{
    id_list_add(&sh->queue, id);
    look_on(sh);
}

/* As many signals, instances, then trades, as fit into the batch that is being filled. Of the signals they
 * are few at a time, so that much happens in between. */
static void write_back_some(struct shell *sh)
{
    const struct fleet *fleet = &sh->fleet;
    struct sink *sink = commit_sink(sh);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)shell_now_ms(sh), sh->passes}};
    struct instance *i = fleet_next(fleet, sh->restore_next);
    bool has_signals;

    sink->ops->begin(sink->ctx, &cause);
    has_signals = ledger_write_back_on(sh->ledger, SIGNALS_STEP, sink);
    while (i && !commit_is_full(sh)) {
        sink->ops->begin(sink->ctx, &cause);
        fleet_write_back(&sh->fleet, i, sink);
        sh->restore_next = fleet_index_of(fleet, i) + 1;
        i = fleet_next(fleet, sh->restore_next);
    }
    while (!i && sh->restore_trade < sh->trades.slot_count && !commit_is_full(sh)) {
        struct trade *trade = &sh->trades.slots[sh->restore_trade++];

        sink->ops->begin(sink->ctx, &cause);
        if (trade->used)
            trade_book_write_back(&sh->trades, trade, shell_now_ms(sh), sink);
    }
    sh->is_writing_back = has_signals || i || sh->restore_trade < sh->trades.slot_count;
}

void reconcile_on_settled(struct shell *sh)
{
    if (sh->is_writing_back && !sh->has_sent) {
        write_back_some(sh);
        commit_kick(sh);
    }
    if (sh->is_held && !sh->is_looking)
        look_on(sh);
}

static void fix_indexes(struct shell *sh, const struct look *look, const struct instance *instance)
{
    struct sink *sink = commit_sink(sh);
    struct slice id = ident_slice(&look->id);
    bool is_scored = instance && !isnan(instance->load_score);

    for (int s = 0; s < INSTANCE_STATES; s++) {
        bool belongs = instance && instance->state == (enum instance_state)s;
        const char *name = instance_state_name((enum instance_state)s);

        if (look->member[s] == belongs)
            continue;
        sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, belongs ? NULL : name,
                              belongs ? name : NULL);
        sh->repairs++;
    }
    if (is_scored && (!look->has_score || look->score != instance->load_score)) {
        sink->ops->load_set(sink->ctx, id, instance->load_score);
        sh->repairs++;
    } else if (!is_scored && look->has_score) {
        sink->ops->load_remove(sink->ctx, id);
        sh->repairs++;
    }
}

void reconcile_take(struct shell *sh, const struct look *look)
{
    struct slice id = ident_slice(&look->id);
    int64_t now_ms = shell_now_ms(sh);
    char scratch[REPORT_TEXT_MAX];
    struct instance_record record;
    struct instance *instance;
    struct cause cause = {CAUSE_ADOPTED, {(uint64_t)now_ms, sh->passes}};
    struct sink *sink = commit_sink(sh);
    enum adopt_result result;

    if (look->is_wrong[0] || look->is_wrong[1] || look->is_wrong[2]) {
        follow_block(sh, id, "wrong type in Redis");
        return;
    }
    look_read(look, &record, scratch);
    instance = fleet_find(&sh->fleet, id);
    if (follow_blocked(sh, id)) {
        follow_unblock(sh, look, &record);
        instance = fleet_find(&sh->fleet, id);
    }
    if (instance && instance->batch == sh->fleet.batch) {
        follow_mark(sh, id);
        return;
    }
    sink->ops->begin(sink->ctx, &cause);
    result = fleet_adopt(&sh->fleet, id, &record, sh->sim->settings.adopts, &cause, now_ms, sink);
    instance = fleet_find(&sh->fleet, id);
    if (result == ADOPT_REGISTERED)
        trade_book_tie_instance(&sh->trades, instance);
    if (result == ADOPT_REPAIRED)
        sh->repairs++;
    if (!instance || result == ADOPT_NOTHING || result == ADOPT_REPAIRED)
        fix_indexes(sh, look, instance);
    else
        follow_mark(sh, id);
}

void reconcile_reset(struct shell *sh)
{
    sh->queue.count = sh->done = sh->asked = 0;
    sh->is_looking = sh->is_walking = sh->wants_keys = sh->is_writing_back = false;
    sh->is_held = false;
    sh->reconcile_at_ms = 0;
}

void reconcile_pause(struct shell *sh)
{
    sh->is_looking = sh->is_walking = false;
    commit_hold(sh, false);
}

void reconcile_start(struct shell *sh)
{
    reconcile_pause(sh);
    if (!sh->reconcile_at_ms)
        sh->reconcile_at_ms = sh->store->now_ms + sh->sim->settings.reconcile_ms;
    look_on(sh);
}

void reconcile_on_looked(struct shell *sh, const struct call *call, bool lost)
{
    if (!sh->is_looking)
        return;
    sh->is_looking = false;
    for (size_t i = 0; !lost && !call->is_refused && i < call->count; i++)
        reconcile_take(sh, &call->looks[i]);
    if (!lost)
        sh->done += sh->asked;
    if (sh->done == sh->queue.count)
        sh->queue.count = sh->done = 0;
    commit_hold(sh, false);
    if (!lost)
        look_on(sh);
}

void reconcile_gather(const struct store *store, struct call *call)
{
    for (int s = 0; s <= INSTANCE_STATES; s++) {
        struct key name = {.len = sizeof(KEY_LOAD) - 1, .text = KEY_LOAD};
        const struct store_key *key;

        if (s < INSTANCE_STATES)
            name = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        key = store_find(store, key_slice(&name));
        call->wrong_sets[s] = key && key->type != (s < INSTANCE_STATES ? STORE_SET : STORE_SORTED);
        for (uint32_t i = 0; key && !call->wrong_sets[s] && i < key->pair_count; i++)
            call_add_id(call, pair_name(&key->pairs[i]), 0);
    }
    for (uint32_t i = 0; i < store->count; i++) {
        const struct store_key *key = &store->keys[i];
        enum record_kind kind;
        struct slice id;

        if (key->type == STORE_HASH && key_parse_record(slice_of(key->name, key->name_len), &kind, &id) &&
            kind == RECORD_INSTANCE)
            call_add_id(call, id, 0);
    }
}

void reconcile_on_gathered(struct shell *sh, const struct call *call)
{
    if (!sh->is_walking)
        return;
    for (uint32_t i = 0; i < call->id_count; i++)
        id_list_add(&sh->queue, ident_slice(&call->ids[i]));
    for (int s = 0; s <= INSTANCE_STATES && !call->is_refused; s++) {
        struct key name = {.len = sizeof(KEY_LOAD) - 1, .text = KEY_LOAD};

        if (s < INSTANCE_STATES)
            name = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        if (call->wrong_sets[s])
            displace(sh, key_slice(&name), false);
    }
    sh->is_walking = false;
    sh->passes++;
    look_on(sh);
}

void reconcile_on_timer(struct shell *sh)
{
    const struct fleet *fleet = &sh->fleet;
    struct call *call;

    sh->reconcile_at_ms = sh->store->now_ms + sh->sim->settings.reconcile_ms;
    if (sh->is_walking || !lead_is_active(sh))
        return;
    for (struct instance *i = fleet_next(fleet, 0); i; i = fleet_next(fleet, fleet_index_of(fleet, i) + 1))
        reconcile_look(sh, ident_slice(&i->id));
    sh->is_walking = call_send(sh, CALL_GATHER) != NULL;
    sh->wants_keys = true;
    call = call_send(sh, CALL_DUE);
    if (!call)
        return;
    call->generation = sh->trade_generation;
    call->number = sh->trades.batch - (sh->has_sent ? 1 : 0);
}

void follow_on_timer(struct shell *sh)
{
    if (!lead_is_active(sh))
        return;
    for (uint32_t i = 0; i < sh->blocked_count; i++)
        reconcile_look(sh, ident_slice(&sh->blocked[i].id));
    for (uint32_t i = 0; i < sh->marked.count; i++)
        reconcile_look(sh, ident_slice(&sh->marked.ids[i]));
    sh->marked.count = 0;
    if (sh->blocked_count)
        sh->follow_at_ms = sh->store->now_ms + BLOCKED_MS;
}

void reconcile_write_back(struct shell *sh)
{
    struct sink *sink = commit_sink(sh);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)shell_now_ms(sh), sh->passes}};

    sink->ops->begin(sink->ctx, &cause);
    ledger_write_back(sh->ledger, sink);
    ledger_write_back_newest(sh->ledger, sink);
    for (int k = 0; k < STREAM_KINDS; k++)
        sh->streams[k].stored = (struct stream_id){0, 1};
    sh->restore_next = sh->restore_trade = 0;
    write_back_some(sh);
}

static void write_back_index(struct shell *sh, struct slice key, struct sink *sink)
{
    const struct fleet *fleet = &sh->fleet;

    for (struct instance *i = fleet_next(fleet, 0); i; i = fleet_next(fleet, fleet_index_of(fleet, i) + 1)) {
        const char *state = instance_state_name(i->state);
        struct key index = key_index(INDEX_INSTANCE_STATE, state);

        if (slice_is(key, KEY_LOAD) && !isnan(i->load_score))
            sink->ops->load_set(sink->ctx, ident_slice(&i->id), i->load_score);
        else if (slice_equal(key, key_slice(&index)))
            sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, ident_slice(&i->id), NULL, state);
    }
}

static void write_back_trade_set(struct shell *sh, struct slice key, struct sink *sink)
{
    const struct trade_book *book = &sh->trades;

    for (int s = 0; s < TRADE_STATES; s++) {
        const char *name = trade_state_name((enum trade_state)s);
        struct key set = key_index(INDEX_TRADE_STATE, name);

        for (uint32_t i = 0; slice_equal(key, key_slice(&set)) && i < book->slot_count; i++) {
            if (book->slots[i].used && (int)book->slots[i].state == s)
                sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, ident_slice(&book->slots[i].id), NULL,
                                      name);
        }
    }
}

void reconcile_write_back_key(struct shell *sh, struct slice key)
{
    const struct fleet *fleet = &sh->fleet;
    struct sink *sink = commit_sink(sh);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)shell_now_ms(sh), sh->passes}};

    if (!lead_is_active(sh))
        return;
    sink->ops->begin(sink->ctx, &cause);
    if (slice_is(key, KEY_TOTALS) || slice_is(key, KEY_JOURNAL)) {
        ledger_write_back(sh->ledger, sink);
        if (!sh->is_writing_back)
            sh->restore_next = sh->restore_trade = UINT32_MAX;
        write_back_some(sh);
    } else if (slice_is(key, KEY_SEQ)) {
        for (struct instance *i = fleet_next(fleet, 0); i;
             i = fleet_next(fleet, fleet_index_of(fleet, i) + 1)) {
            if (i->seq)
                sink->ops->seq_set(sink->ctx, ident_slice(&i->id), i->seq);
        }
    } else if (slice_is(key, KEY_TRADE_EXPIRY)) {
        sh->restore_next = UINT32_MAX;
        sh->restore_trade = 0;
        write_back_some(sh);
    } else {
        write_back_index(sh, key, sink);
        write_back_trade_set(sh, key, sink);
    }
}

void reconcile_find_keys(const struct store *store, struct call *call)
{
    const struct store_key *totals = store_find_text(store, KEY_TOTALS);

    call->is_wrong = totals && totals->type != STORE_HASH;
    call->totals = key_copy(call->is_wrong ? NULL : totals);
    call->has_journal = store_find_text(store, KEY_JOURNAL) != NULL;
    call->has_seq = store_find_text(store, KEY_SEQ) != NULL;
}

static size_t count_right_totals(const struct shell *sh, const struct store_key *totals)
{
    size_t right = 0;

    for (uint32_t i = 0; i < totals->pair_count; i++) {
        enum total_kind kind;
        struct slice label;
        uint64_t value;

        right += key_parse_total(pair_name(&totals->pairs[i]), &kind, &label) &&
                 number_parse_u64(pair_value(&totals->pairs[i]), UINT64_MAX, &value) && value &&
                 ledger_is_stored(sh->ledger, kind, label, value);
    }
    return right;
}

static void mend_key(struct shell *sh, const char *key)
{
    sim_note(sh->sim, "%s: %s was changed by others and is written back", sh->name, key);
    reconcile_write_back_key(sh, slice_text(key));
}

static bool has_stored_seq(const struct fleet *fleet)
{
    for (struct instance *i = fleet_next(fleet, 0); i; i = fleet_next(fleet, fleet_index_of(fleet, i) + 1)) {
        if (i->seq > 0 && i->batch != fleet->batch)
            return true;
    }
    return false;
}

void reconcile_on_keys(struct shell *sh, const struct call *call)
{
    struct ledger_view view;

    if (!sh->is_looking)
        return;
    ledger_view(sh->ledger, &view);
    if (!call->is_wrong && count_right_totals(sh, &call->totals) != ledger_count_stored(sh->ledger))
        mend_key(sh, KEY_TOTALS);
    if (!call->has_journal && view.open + view.ended_remembered + view.early_waiting > 0 &&
        ledger_count_stored(sh->ledger) > 0)
        mend_key(sh, KEY_JOURNAL);
    if (!call->has_seq && has_stored_seq(&sh->fleet))
        mend_key(sh, KEY_SEQ);
}
