/* Plain arrays, searched from the front: there are never more than a few ids. */
#include "model_store.h"

#include "core/watch.h"
#include "util/alloc.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

static void text_set(char *out, size_t room, struct slice text)
{
    assert(text.len < room);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

static struct model_field *field_find(const struct model_store *store, enum record_kind kind, struct slice id,
                                      struct slice name)
{
    for (size_t i = 0; i < store->field_count; i++) {
        struct model_field *field = &store->fields[i];

        if (field->kind == kind && slice_is(id, field->id) && slice_is(name, field->name))
            return field;
    }
    return NULL;
}

static void field_put(struct model_store *store, enum record_kind kind, struct slice id, struct slice name,
                      struct slice value)
{
    struct model_field *field = field_find(store, kind, id, name);

    if (!field) {
        if (store->field_count == store->field_cap) {
            store->field_cap = store->field_cap ? store->field_cap * 2 : 64;
            store->fields = mem_resize(store->fields, store->field_cap, sizeof(*store->fields));
        }
        field = &store->fields[store->field_count++];
        field->kind = kind;
        text_set(field->id, sizeof(field->id), id);
        text_set(field->name, sizeof(field->name), name);
    }
    text_set(field->value, sizeof(field->value), value);
}

static void field_drop(struct model_store *store, struct model_field *field)
{
    if (field)
        *field = store->fields[--store->field_count];
}

static struct model_member *member_find(const struct model_store *store, enum index_kind index,
                                        const char *state, struct slice id)
{
    for (size_t i = 0; i < store->member_count; i++) {
        struct model_member *member = &store->members[i];

        if (member->index == index && strcmp(member->state, state) == 0 && slice_is(id, member->id))
            return member;
    }
    return NULL;
}

static struct model_member *member_put(struct model_store *store, enum index_kind index, const char *state,
                                       struct slice id)
{
    struct model_member *member = member_find(store, index, state, id);

    if (member)
        return member;
    if (store->member_count == store->member_cap) {
        store->member_cap = store->member_cap ? store->member_cap * 2 : 16;
        store->members = mem_resize(store->members, store->member_cap, sizeof(*store->members));
    }
    member = &store->members[store->member_count++];
    member->index = index;
    text_set(member->state, sizeof(member->state), slice_text(state));
    text_set(member->id, sizeof(member->id), id);
    return member;
}

static void on_begin(void *ctx, const struct cause *cause)
{
    (void)ctx;
    (void)cause;
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    struct model_store *store = ctx;

    for (size_t i = 0; i < count; i++) {
        for (size_t other = 0; other < i; other++)
            store->was_wrong |= slice_equal(fields[i].name, fields[other].name);
        field_put(store, kind, id, fields[i].name, fields[i].value);
    }
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    for (size_t i = 0; i < count; i++)
        field_drop(ctx, field_find(ctx, kind, id, names[i]));
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    struct model_store *store = ctx;

    for (size_t i = store->field_count; i-- > 0;) {
        if (store->fields[i].kind == kind && slice_is(id, store->fields[i].id))
            field_drop(store, &store->fields[i]);
    }
}

static void on_record_expire(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s)
{
    (void)ctx;
    (void)kind;
    (void)id;
    (void)ttl_s;
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    struct model_store *store = ctx;
    struct model_member *member = from ? member_find(store, kind, from, id) : NULL;

    store->was_wrong |= from && to && !member;
    if (member)
        *member = store->members[--store->member_count];
    if (to)
        (void)member_put(store, kind, to, id); /* a set has no score */
}

static void on_load_set(void *ctx, struct slice id, double score)
{
    member_put(ctx, INDEX_INSTANCE_STATE, "", id)->score = score;
}

static void on_load_remove(void *ctx, struct slice id)
{
    struct model_store *store = ctx;
    struct model_member *member = member_find(store, INDEX_INSTANCE_STATE, "", id);

    store->was_wrong |= !member;
    if (member)
        *member = store->members[--store->member_count];
}

static void on_event(void *ctx, const struct event *event)
{
    struct model_store *store = ctx;

    (void)event;
    store->events++;
}

static void on_seq_set(void *ctx, struct slice instance_id, uint64_t seq)
{
    (void)ctx;
    (void)instance_id;
    (void)seq;
}

static void on_seq_forget(void *ctx, struct slice instance_id)
{
    (void)ctx;
    (void)instance_id;
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    (void)ctx;
    (void)cause;
    (void)reason;
}

static struct model_own *own_find(const struct model_store *store, enum model_own_kind kind,
                                  struct slice field)
{
    for (size_t i = 0; i < store->own_count; i++) {
        if (store->own[i].kind == kind && slice_is(field, store->own[i].field))
            return &store->own[i];
    }
    return NULL;
}

static void own_set(struct model_store *store, enum model_own_kind kind, struct slice field, bool is_there)
{
    struct model_own *own = own_find(store, kind, field);

    if (own && !is_there)
        *own = store->own[--store->own_count];
    if (own || !is_there)
        return;
    if (store->own_count == store->own_cap) {
        store->own_cap = store->own_cap ? store->own_cap * 2 : 16;
        store->own = mem_resize(store->own, store->own_cap, sizeof(*store->own));
    }
    own = &store->own[store->own_count++];
    own->kind = kind;
    text_set(own->field, sizeof(own->field), field);
}

static void on_watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    (void)record;
    own_set(ctx, MODEL_WATCH, id, true);
}

static void on_watch_unset(void *ctx, struct slice id)
{
    own_set(ctx, MODEL_WATCH, id, false);
}

static void alert_set(struct model_store *store, struct slice id, struct slice rule, bool is_there)
{
    char field[NOTICE_KEY_MAX];

    own_set(store, MODEL_ALERTS, slice_of(field, notice_key_format(field, id, false, rule)), is_there);
}

static void on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    alert_set(ctx, id, ident_slice(&alert->name), true);
}

static void on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    alert_set(ctx, id, rule, false);
}

static void on_notice_set(void *ctx, const struct notice *notice)
{
    own_set(ctx, MODEL_NOTICES, notice_key(notice), true);
}

static void on_notice_unset(void *ctx, const struct notice *notice)
{
    own_set(ctx, MODEL_NOTICES, notice_key(notice), false);
}

static void on_breaker_set(void *ctx, const struct breaker_group *group)
{
    own_set(ctx, MODEL_BREAKER, breaker_group_key(group), true);
}

static void on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    own_set(ctx, MODEL_BREAKER, breaker_group_key(group), false);
}

static void on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    own_set(ctx, MODEL_THROTTLED, id, throttled);
}

static void on_command(void *ctx, const struct command_order *order)
{
    struct model_store *store = ctx;

    (void)order;
    store->commands++;
}

static void on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    struct model_store *store = ctx;

    (void)notice;
    (void)event;
    store->notifications++;
}

static const struct sink_ops ops = {
    .begin = on_begin,
    .record_set = on_record_set,
    .record_unset = on_record_unset,
    .record_remove = on_record_remove,
    .record_expire = on_record_expire,
    .index_move = on_index_move,
    .load_set = on_load_set,
    .load_remove = on_load_remove,
    .event = on_event,
    .seq_set = on_seq_set,
    .seq_forget = on_seq_forget,
    .reject = on_reject,
    .watch_set = on_watch_set,
    .watch_unset = on_watch_unset,
    .alert_set = on_alert_set,
    .alert_unset = on_alert_unset,
    .notice_set = on_notice_set,
    .notice_unset = on_notice_unset,
    .breaker_set = on_breaker_set,
    .breaker_unset = on_breaker_unset,
    .throttled_set = on_throttled_set,
    .command = on_command,
    .notify = on_notify,
};

void model_store_init(struct model_store *store)
{
    *store = (struct model_store){.sink = {&ops, store}};
}

void model_store_clear(struct model_store *store)
{
    free(store->fields);
    free(store->members);
    free(store->own);
    *store = (struct model_store){0};
}

const char *model_store_get(const struct model_store *store, enum record_kind kind, const char *id,
                            const char *name)
{
    const struct model_field *field = field_find(store, kind, slice_text(id), slice_text(name));

    return field ? field->value : NULL;
}

void model_store_put(struct model_store *store, enum record_kind kind, const char *id, const char *name,
                     const char *value)
{
    field_put(store, kind, slice_text(id), slice_text(name), slice_text(value));
}

void model_store_unset(struct model_store *store, enum record_kind kind, const char *id, const char *name)
{
    field_drop(store, field_find(store, kind, slice_text(id), slice_text(name)));
}

void model_store_remove(struct model_store *store, enum record_kind kind, const char *id)
{
    on_record_remove(store, kind, slice_text(id));
}

size_t model_store_count_sets(const struct model_store *store, enum index_kind index, const char *id)
{
    size_t count = 0;

    for (size_t i = 0; i < store->member_count; i++) {
        const struct model_member *member = &store->members[i];

        count += member->index == index && member->state[0] != '\0' && strcmp(member->id, id) == 0;
    }
    return count;
}

bool model_store_is_in(const struct model_store *store, enum index_kind index, const char *state,
                       const char *id)
{
    return member_find(store, index, state, slice_text(id)) != NULL;
}

bool model_store_has_own(const struct model_store *store, enum model_own_kind kind, const char *field)
{
    return own_find(store, kind, slice_text(field)) != NULL;
}

double model_store_load(const struct model_store *store, const char *id)
{
    const struct model_member *member = member_find(store, INDEX_INSTANCE_STATE, "", slice_text(id));

    return member ? member->score : NAN;
}
