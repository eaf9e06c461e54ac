/* The totals of each action and of each status: counted here alone, and told to the sink where they changed.
 */
#include "ledger_private.h"

static void mark_dirty(struct ledger *l, uint32_t action)
{
    if (l->is_dirty[action])
        return;
    l->is_dirty[action] = true;
    l->dirty[l->dirty_count++] = (unsigned char)action;
}

void counts_add(struct ledger *l, uint32_t action, enum total_kind kind, uint64_t by)
{
    l->counts[action].total[kind] += by;
    mark_dirty(l, action);
}

static void tell_action(struct ledger *l, uint32_t action, struct sink *sink)
{
    struct action_counts *counts = &l->counts[action];

    for (unsigned kind = 0; kind <= TOTAL_DUPLICATE; kind++) {
        if (counts->total[kind] == counts->stored[kind])
            continue;
        counts->stored[kind] = counts->total[kind];
        sink->ops->total_set(sink->ctx, (enum total_kind)kind, labels_name(&l->actions, action),
                             counts->total[kind]);
    }
}

void counts_flush(struct ledger *l, struct sink *sink)
{
    for (uint32_t i = 0; i < l->dirty_count; i++) {
        tell_action(l, l->dirty[i], sink);
        l->is_dirty[l->dirty[i]] = false;
    }
    l->dirty_count = 0;
    for (unsigned i = 0; i < RESULT_STATUSES; i++) {
        if (l->result_total[i] == l->result_stored[i])
            continue;
        l->result_stored[i] = l->result_total[i];
        sink->ops->total_set(sink->ctx, TOTAL_RESULT, slice_text(result_status_name((enum result_status)i)),
                             l->result_total[i]);
    }
}

/* A total of 0 is not in the store, so nothing is told about it. */
void counts_write_back(struct ledger *l, struct sink *sink)
{
    for (uint32_t i = 0; i <= LABELS_MAX; i++) {
        memset(l->counts[i].stored, 0, sizeof(l->counts[i].stored));
        mark_dirty(l, i);
    }
    memset(l->result_stored, 0, sizeof(l->result_stored));
    counts_flush(l, sink);
}

static void load_result_total(struct ledger *l, struct slice status, uint64_t value)
{
    for (unsigned i = 0; i < RESULT_STATUSES; i++) {
        if (slice_is(status, result_status_name((enum result_status)i)))
            l->result_total[i] = l->result_stored[i] = value;
    }
}

void ledger_load_total(struct ledger *l, enum total_kind kind, struct slice label, uint64_t value)
{
    uint32_t action;

    if (kind == TOTAL_RESULT) {
        load_result_total(l, label, value);
        return;
    }
    if (!ident_is_valid(label, IDENT_ACTION_MAX))
        return;
    action = labels_intern(&l->actions, label);
    /* More labels than can be told apart were not written by us. */
    if (slice_equal(labels_name(&l->actions, action), label))
        l->counts[action].total[kind] = l->counts[action].stored[kind] = value;
}

/* Books what is missing on either side of received = processed + failed + dropped + lost + open. */
static uint64_t balance_action(struct ledger *l, uint32_t action)
{
    const struct action_counts *counts = &l->counts[action];
    const uint64_t *total = counts->total;
    uint64_t known = total[TOTAL_PROCESSED] + total[TOTAL_FAILED] + total[TOTAL_DROPPED] + total[TOTAL_LOST] +
                     counts->open;
    uint64_t difference;

    if (total[TOTAL_RECEIVED] == known)
        return 0;
    if (total[TOTAL_RECEIVED] > known) {
        difference = total[TOTAL_RECEIVED] - known;
        counts_add(l, action, TOTAL_LOST, difference);
    } else {
        difference = known - total[TOTAL_RECEIVED];
        counts_add(l, action, TOTAL_RECEIVED, difference);
    }
    return difference;
}

uint64_t counts_finish_loading(struct ledger *l)
{
    uint64_t difference = 0;

    for (uint32_t i = 0; i <= LABELS_MAX; i++) {
        struct action_counts *counts = &l->counts[i];

        difference += balance_action(l, i);
        memcpy(counts->base, counts->total, sizeof(counts->base));
        counts->base[TOTAL_RECEIVED] -= counts->open;
    }
    memset(l->results_counted, 0, sizeof(l->results_counted));
    memset(l->unmatched, 0, sizeof(l->unmatched));
    l->ended_evicted = 0;
    return difference;
}

bool ledger_is_stored(const struct ledger *l, enum total_kind kind, struct slice label, uint64_t value)
{
    if (kind == TOTAL_RESULT) {
        enum result_status status;

        return result_status_parse(label, &status) && l->result_stored[status] == value;
    }
    for (uint32_t i = 0; i <= LABELS_MAX; i++) {
        if (l->counts[i].stored[kind] == value && slice_equal(labels_name(&l->actions, i), label))
            return true;
    }
    return false;
}

size_t ledger_count_stored(const struct ledger *l)
{
    size_t count = 0;

    for (uint32_t i = 0; i <= LABELS_MAX; i++) {
        for (unsigned kind = 0; kind <= TOTAL_DUPLICATE; kind++)
            count += l->counts[i].stored[kind] != 0;
    }
    for (unsigned i = 0; i < RESULT_STATUSES; i++)
        count += l->result_stored[i] != 0;
    return count;
}
