#include "app/far_events.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

#define FAR_EVENTS_MAX 10000U
#define KEPT_MAX       256U

static struct far_event *event_at(const struct far_events *far, uint32_t i)
{
    return &far->items[(far->first + i) % far->cap];
}

static void drop_first(struct far_events *far)
{
    far->first = (far->first + 1) % far->cap;
    far->count--;
    far->handed -= far->handed > 0;
}

static struct far_event *append(struct far_events *far)
{
    if (far->count == far->cap) {
        uint32_t cap = far->cap ? far->cap * 2 : 64;
        struct far_event *items = mem_new(cap, sizeof *items);
        for (uint32_t i = 0; i < far->count; i++)
            items[i] = *event_at(far, i);
        free(far->items);
        far->items = items;
        far->cap = cap;
        far->first = 0;
    }
    return event_at(far, far->count++);
}

void far_event_format(const struct far_event *item, struct buf *out)
{
    char cause[CAUSE_TEXT_MAX];
    size_t len = cause_format(cause, &item->cause);
    buf_add_format(out, "%s %lld %.*s %.*s %.*s %.*s", event_name(item->kind), (long long)item->at_ms,
                   (int)len, cause, (int)item->signal_id.len, item->signal_id.text,
                   item->instance_id.len ? (int)item->instance_id.len : 1,
                   item->instance_id.len ? item->instance_id.text : "-", (int)item->reason_len, item->reason);
}

static bool parse_kind(struct slice word, enum event_kind *ret_kind)
{
    static const enum event_kind kinds[] = {EVENT_SIGNAL_DROPPED, EVENT_LATE_EXECUTION};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!slice_is(word, event_name(kinds[i])))
            continue;
        *ret_kind = kinds[i];
        return true;
    }
    return false;
}

/* The next word of *REST, up to a space. */
static struct slice take_word(struct slice *rest)
{
    const char *space = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    struct slice word = slice_of(rest->data, space ? (size_t)(space - rest->data) : rest->len);
    size_t taken = word.len + (space ? 1 : 0);
    *rest = slice_of(rest->data + taken, rest->len - taken);
    return word;
}

bool far_event_parse(struct slice number, struct slice text, struct far_event *ret_item)
{
    struct far_event item = {0};
    uint64_t at_ms;
    bool is_good = number_parse_u64(number, UINT64_MAX - 1, &item.number) && item.number > 0 &&
                   parse_kind(take_word(&text), &item.kind) &&
                   number_parse_u64(take_word(&text), INT64_MAX, &at_ms) &&
                   cause_parse(take_word(&text), &item.cause);
    struct slice signal_id = take_word(&text), instance_id = take_word(&text);
    bool has_instance = !slice_is(instance_id, "-");
    if (!is_good || !ident_is_valid(signal_id, IDENT_MAX) ||
        (has_instance && !ident_is_valid(instance_id, IDENT_MAX)) || text.len > FAR_REASON_MAX)
        return false;
    item.at_ms = (int64_t)at_ms;
    ident_set(&item.signal_id, signal_id);
    ident_set(&item.instance_id, has_instance ? instance_id : slice_of("", 0));
    item.reason_len = (unsigned char)text.len;
    if (text.len)
        memcpy(item.reason, text.data, text.len);
    *ret_item = item;
    return true;
}

static struct daemon *home_of(const struct far_events *far)
{
    return daemon_of(far->d, LAYER_RIS);
}

static void keep(struct far_events *far, const struct far_event *item)
{
    struct buf text = BUF_INIT;
    far_event_format(item, &text);
    batch_keep_event(far->d->commit.filling, item->number, buf_slice(&text));
    buf_clear(&text);
}

/* Also over a restart, and where the server was wiped. */
static uint64_t next_number(struct far_events *far)
{
    uint64_t least = (uint64_t)daemon_now_ms(far->d) * 1000, told = home_of(far)->far_told.given + 1;
    far->last = far->last + 1 > least ? far->last + 1 : least;
    far->last = far->last > told ? far->last : told;
    return far->last;
}

static void on_event(void *ctx, const struct instance *instance, const struct event *event)
{
    struct far_events *far = ctx;
    if (far->count == FAR_EVENTS_MAX) {
        batch_forget_event(far->d->commit.filling, event_at(far, 0)->number);
        drop_first(far);
        far->lost++;
    }
    struct far_event *item = append(far);
    *item = (struct far_event){.number = next_number(far),
                               .batch = commit_filling_number(&far->d->commit),
                               .kind = event->kind,
                               .at_ms = event->at_ms,
                               .cause = event->cause};
    ident_set(&item->signal_id, event->signal_id);
    ident_set(&item->instance_id, instance ? ident_slice(&instance->id) : slice_of("", 0));
    item->reason_len =
        (unsigned char)(event->reason.len < FAR_REASON_MAX ? event->reason.len : FAR_REASON_MAX);
    memcpy(item->reason, event->reason.data, item->reason_len);
    keep(far, item);
}

void far_events_init(struct far_events *far, struct daemon *d)
{
    *far = (struct far_events){.d = d};
    if (daemon_serves(d, LAYER_RTSS) && !daemon_is_home(d))
        ledger_send_events(d->ledger, on_event, far);
}

void far_events_reset(struct far_events *far)
{
    far->first = far->count = far->handed = 0;
}

void far_events_clear(struct far_events *far)
{
    far_events_reset(far);
    free(far->items);
    far->items = NULL;
    far->cap = 0;
}

static void tell(struct daemon *home, const struct far_event *item)
{
    struct slice nothing = slice_of("", 0), reason = slice_of(item->reason, item->reason_len);
    struct sink *sink = commit_sink(&home->commit);
    struct instance *instance = fleet_find(&home->fleet, ident_slice(&item->instance_id));
    struct event event = {.kind = item->kind,
                          .at_ms = item->at_ms,
                          .reason = reason,
                          .signal_id = ident_slice(&item->signal_id),
                          .cause = item->cause};
    sink->ops->begin(sink->ctx, &item->cause);
    if (instance)
        fleet_emit(instance, item->kind, nothing, nothing, reason, event.signal_id, &item->cause, item->at_ms,
                   sink);
    else
        sink->ops->event(sink->ctx, &event);
}

static void note_told(struct daemon *home, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];
    home->far_told.given = number;
    batch_set_meta(home->commit.filling, META_TOLD, slice_of(text, number_format_u64(text, number)));
}

/* Into the batch of the instances. */
static void hand_over(struct far_events *far)
{
    struct daemon *home = home_of(far);
    uint32_t before = far->handed;
    while (far->handed < far->count && event_at(far, far->handed)->batch <= far->d->commit.applied &&
           lead_is_active(&home->lead) && !commit_is_full(&home->commit)) {
        const struct far_event *item = event_at(far, far->handed++);
        if (item->number > home->far_told.stored)
            tell(home, item);
    }
    if (far->handed == before)
        return;
    note_told(home, event_at(far, far->handed - 1)->number);
    commit_kick(&home->commit);
}

/* What is stored there need not be kept here. */
static void forget_told(struct far_events *far)
{
    uint64_t told = home_of(far)->far_told.stored;
    struct sink *sink = commit_sink(&far->d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(far->d), 0}};
    if (!far->count || event_at(far, 0)->number > told || !lead_is_active(&far->d->lead))
        return;
    sink->ops->begin(sink->ctx, &cause);
    while (far->count && event_at(far, 0)->number <= told) {
        batch_forget_event(far->d->commit.filling, event_at(far, 0)->number);
        drop_first(far);
    }
    commit_kick(&far->d->commit);
    if (!far->count && far->cap > KEPT_MAX)
        far_events_clear(far);
}

void far_events_go_on(struct far_events *far)
{
    forget_told(far);
    hand_over(far);
}

void far_events_write_back(struct far_events *far)
{
    struct daemon *d = far->d;
    if (daemon_is_home(d) && d->far_told.given)
        note_told(d, d->far_told.given);
    for (uint32_t i = 0; i < far->count; i++)
        keep(far, event_at(far, i));
}

bool far_events_load(struct far_events *far, struct slice number, struct slice text)
{
    struct far_event item;
    if (!far_event_parse(number, text, &item))
        return false;
    *append(far) = item;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct far_event *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

void far_events_load_finish(struct far_events *far)
{
    if (!far->count)
        return;
    qsort(far->items, far->count, sizeof *far->items, compare); /* they begin at the first place */
    far->last = far->items[far->count - 1].number;
}
