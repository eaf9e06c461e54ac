/* Entries of the bytes of a reply, as hiredis' parser finds them. */
#include "redis_stream_internal.h"
#include "util/number.h"
#include <hiredis/hiredis.h>

#define NO_FIELD UINT32_MAX
/* A decoder keeps at least this much memory where it has used it once. */
#define KEPT_SMALL_BYTES ((size_t)64 << 10)
#define KEPT_ALIGN       _Alignof(struct kept_entry)

/* Of an entry that waits to be handed over. Behind it, for each bit in present from the lowest on, the length
 * of the value and its bytes. */
struct kept_entry {
    struct stream_id id;
    uint32_t present, oversize;
    uint32_t stream;
    uint32_t bytes; /* to the next one */
};
typedef uint16_t kept_len;
_Static_assert(ENTRY_VALUE_MAX <= UINT16_MAX, "kept_len is too short");

static struct stream_decoder *decoder_of(const redisReadTask *task)
{
    return task->privdata;
}

static int depth_of(const redisReadTask *task)
{
    const struct stream_decoder *d = decoder_of(task);
    if (!task->parent)
        return DEPTH_ANSWER;
    long depth = (const char *)task->parent->obj - d->depth_marks + 1;
    return depth < DEPTHS ? (int)depth : DEPTHS;
}

static void *mark(const redisReadTask *task, int depth)
{
    return &decoder_of(task)->depth_marks[depth];
}

static void on_stream_name(struct stream_decoder *d, struct slice name)
{
    d->current = NULL;
    for (uint32_t k = 0; k < STREAM_KINDS; k++) {
        if (slice_is(name, d->names[k].stream)) {
            d->current = &d->names[k];
            d->entry.stream = (enum stream_kind)k;
            return;
        }
    }
}

static void on_entry_id(struct stream_decoder *d, struct slice text)
{
    d->entry.present = d->entry.oversize = 0;
    d->next_field = 0;
    d->field = NO_FIELD;
    d->entry_valid = d->current && stream_id_parse(text, &d->entry.id);
}

static size_t kept_bytes(const struct entry *entry)
{
    size_t bytes = sizeof(struct kept_entry);
    for (uint32_t bits = entry->present; bits; bits &= bits - 1)
        bytes += sizeof(kept_len) + entry->value[__builtin_ctz(bits)].len;
    return (bytes + KEPT_ALIGN - 1) & ~(KEPT_ALIGN - 1);
}

static bool keep_entry(struct stream_decoder *d)
{
    const struct entry *entry = &d->entry;
    size_t bytes = kept_bytes(entry);
    if (bytes > d->kept_max - d->kept.len)
        return false;
    char *at = buf_reserve(&d->kept, bytes);
    *(struct kept_entry *)(void *)at = (struct kept_entry){.id = entry->id,
                                                           .present = entry->present,
                                                           .oversize = entry->oversize,
                                                           .stream = entry->stream,
                                                           .bytes = (uint32_t)bytes};
    at += sizeof(struct kept_entry);
    for (uint32_t bits = entry->present; bits; bits &= bits - 1) {
        struct slice value = entry->value[__builtin_ctz(bits)];
        kept_len len = (kept_len)value.len;
        memcpy(at, &len, sizeof len);
        memcpy(at + sizeof len, value.data, len);
        at += sizeof len + len;
    }
    d->kept.len += bytes;
    return true;
}

void stream_decoder_hand_over(struct stream_decoder *d)
{
    struct entry entry;
    for (size_t place = 0; place < d->kept.len;) {
        const struct kept_entry *kept = (const void *)(d->kept.data + place);
        const char *at = (const char *)(kept + 1);
        entry.stream = (enum stream_kind)kept->stream;
        entry.id = kept->id;
        entry.present = kept->present;
        entry.oversize = kept->oversize;
        for (uint32_t bits = kept->present; bits; bits &= bits - 1) {
            kept_len len;
            memcpy(&len, at, sizeof len);
            entry.value[__builtin_ctz(bits)] = slice_of(at + sizeof len, len);
            at += sizeof len + len;
        }
        place += kept->bytes;
        d->on_entry(d->ctx, &entry);
    }
    stream_decoder_forget(d);
}

/* A little stays for the next reply, and a lot where replies are large. */
void stream_decoder_forget(struct stream_decoder *d)
{
    buf_reset(&d->kept, d->kept.len > KEPT_SMALL_BYTES ? SIZE_MAX : KEPT_SMALL_BYTES);
}

static void finish_entry(struct stream_decoder *d)
{
    if (!d->entry_valid)
        return;
    d->entry_valid = false;
    d->result.entries[d->entry.stream]++;
    d->result.last[d->entry.stream] = d->entry.id;
    if (!d->overflows && keep_entry(d))
        return;
    if (!d->overflows) {
        d->overflows = true;
        d->on_begin(d->ctx, &d->result);
        stream_decoder_hand_over(d);
    }
    d->on_entry(d->ctx, &d->entry);
}

static void on_field_name(struct stream_decoder *d, struct slice name)
{
    d->field = NO_FIELD;
    if (!d->entry_valid)
        return;
    const struct redis_stream_names *n = d->current;
    for (uint32_t i = 0; i < n->field_count; i++) {
        uint32_t field = d->next_field + i;
        if (field >= n->field_count)
            field -= (uint32_t)n->field_count;
        if (slice_equal(n->fields[field], name)) {
            d->field = field;
            d->next_field = field + 1 < n->field_count ? field + 1 : 0;
            return;
        }
    }
}

/* Every field has a place of its own, so that a name that comes again and again takes no more room. */
static void on_field_value(struct stream_decoder *d, struct slice value)
{
    if (d->field == NO_FIELD || !d->entry_valid)
        return;
    uint32_t bit = 1U << d->field;
    size_t len = value.len < ENTRY_VALUE_MAX ? value.len : ENTRY_VALUE_MAX;
    char *to = d->values[d->field];
    memcpy(to, value.data, len);
    d->entry.value[d->field] = slice_of(to, len);
    d->entry.present |= bit;
    d->entry.oversize = value.len > ENTRY_VALUE_MAX ? d->entry.oversize | bit : d->entry.oversize & ~bit;
}

static bool is_last(const redisReadTask *task)
{
    return task->idx == task->parent->elements - 1;
}

static void *on_string(const redisReadTask *task, char *text, size_t len)
{
    struct stream_decoder *d = decoder_of(task);
    struct slice value = slice_of(text, len);
    int depth = depth_of(task);
    switch (depth) {
    case DEPTH_ANSWER:
        d->result.outcome = REDIS_READ_ERROR;
        len = len < sizeof d->error ? len : sizeof d->error;
        memcpy(d->error, text, len);
        d->result.error_text = slice_of(d->error, len);
        d->result.error = redis_error_classify(d->result.error_text);
        break;
    case DEPTH_STREAM_PART:
        if (task->idx == 0)
            on_stream_name(d, value);
        break;
    case DEPTH_ENTRY_PART:
        if (task->idx == 0)
            on_entry_id(d, value);
        break;
    case DEPTH_FIELD:
        if (task->idx % 2 == 0)
            on_field_name(d, value);
        else
            on_field_value(d, value);
        if (is_last(task))
            finish_entry(d);
        break;
    default:
        break;
    }
    return mark(task, depth);
}

/* Nothing of a stream or an entry before is left where the next begins, whatever that one lacks: an entry is
 * valid only within its stream. */
static void *on_array(const redisReadTask *task, int elements)
{
    struct stream_decoder *d = decoder_of(task);
    int depth = depth_of(task);
    if (depth == DEPTH_STREAM)
        d->current = NULL;
    if (depth == DEPTH_STREAM || depth == DEPTH_ENTRY)
        d->entry_valid = false;
    if (depth == DEPTH_ENTRY_PART && elements == 0)
        finish_entry(d);
    return mark(task, depth);
}

static void *on_integer(const redisReadTask *task, long long value)
{
    UNUSED(value);
    return mark(task, depth_of(task));
}

/* Nothing to read in time; or, inside, an entry without fields. */
static void *on_nil(const redisReadTask *task)
{
    return mark(task, depth_of(task));
}

static void on_free(void *object)
{
    UNUSED(object);
}

redisReplyObjectFunctions stream_decoder_functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

void stream_decoder_init(struct stream_decoder *d, const struct redis_stream_names *names,
                         const struct redis_stream_events *events, void *ctx)
{
    d->names = names;
    d->on_begin = events->begin;
    d->on_entry = events->entry;
    d->ctx = ctx;
    d->kept_max = STREAM_KEPT_MAX_BYTES;
}

void stream_decoder_clear(struct stream_decoder *d)
{
    buf_clear(&d->kept);
}

void stream_decoder_start(struct stream_decoder *d, const struct redis_read *read)
{
    d->result = (struct redis_read_result){.outcome = REDIS_READ_DONE, .read = *read};
    memcpy(d->result.last, read->after, sizeof read->after);
    d->overflows = false;
}
