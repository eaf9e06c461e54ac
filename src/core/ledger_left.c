/* Entries of signals that have ended and were left in their stream, because nothing is to be removed from it
 * (docs/decisions/0006-observe-only.md). They are not listed: whatever lies at or before `until` and is not
 * open has ended. Once removing is allowed again they leave from the front, as far as nothing is open. */
#include "ledger_private.h"

static bool is_none(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

void left_note(struct ledger *l, struct stream_id entry)
{
    if (stream_id_compare(entry, l->left.until) > 0)
        l->left.until = entry;
}

bool left_covers(const struct ledger *l, struct stream_id entry)
{
    return !is_none(l->left.until) && stream_id_compare(entry, l->left.until) <= 0;
}

void left_limit(struct ledger *l, struct stream_id position)
{
    if (stream_id_compare(l->left.until, position) <= 0)
        return;
    l->left.until = position;
    l->left.trimmed = (struct stream_id){0, 0};
}

bool left_trim(struct ledger *l, struct stream_id keep_from)
{
    if (is_none(l->left.until) || stream_id_compare(keep_from, l->left.trimmed) <= 0)
        return false;
    if (left_covers(l, keep_from))
        l->left.trimmed = keep_from;
    else
        l->left.until = l->left.trimmed = (struct stream_id){0, 0};
    return true;
}

void left_tell(struct ledger *l, struct sink *sink)
{
    if (stream_id_compare(l->left.until, l->left.stored) == 0)
        return;
    l->left.stored = l->left.until;
    sink->ops->signals_left(sink->ctx, l->left.until);
}

void left_write_back(struct ledger *l, struct sink *sink)
{
    l->left.stored = l->left.trimmed = (struct stream_id){0, 0};
    left_tell(l, sink);
}

void ledger_load_left(struct ledger *l, struct stream_id until)
{
    l->left.until = l->left.stored = until;
}

struct stream_id ledger_find_unsettled(const struct ledger *l)
{
    struct stream_id from = {0, 0};

    if (is_none(l->left.until))
        return from;
    from = stream_id_next(l->left.until);
    for (uint32_t i = l->open.lists[LIST_ALL].first; i != NONE; i = l->open.items[i].link[0].next) {
        if (stream_id_compare(l->open.items[i].entry, from) < 0)
            from = l->open.items[i].entry;
    }
    return from;
}
