#include "redis_stream_internal.h"
#include "util/alloc.h"
#include "util/number.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#define NO_FIELD UINT32_MAX

struct redis_stream {
    struct redis_link *link;
    struct redis_stream_events events;
    void *ctx;
    bool reading;
    struct stream_decoder decoder;
};

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

static void finish_entry(struct stream_decoder *d)
{
    if (!d->entry_valid)
        return;
    d->entry_valid = false;
    d->result.entries[d->entry.stream]++;
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

void stream_decoder_start(struct stream_decoder *d)
{
    d->result = (struct redis_read_result){.outcome = REDIS_READ_DONE};
}

static void on_link_up(void *ctx)
{
    struct redis_stream *s = ctx;
    s->events.up(s->ctx);
}

static void on_link_down(void *ctx, const char *reason, bool was_up)
{
    struct redis_stream *s = ctx;
    s->events.down(s->ctx, reason, was_up);
}

struct redis_stream *redis_stream_new(struct loop *loop, const struct redis_link_options *link,
                                      const struct redis_stream_names *names,
                                      const struct redis_stream_events *events, void *ctx)
{
    struct redis_stream *s = mem_new(1, sizeof *s);
    s->events = *events;
    s->ctx = ctx;
    s->decoder.names = names;
    s->decoder.on_entry = events->entry;
    s->decoder.ctx = ctx;
    struct redis_link_options options = *link;
    options.reply_functions = &stream_decoder_functions;
    options.reply_privdata = &s->decoder;
    struct redis_link_events link_events = {.up = on_link_up, .down = on_link_down};
    s->link = redis_link_new(loop, &options, &link_events, s);
    return s;
}

void redis_stream_free(struct redis_stream *s)
{
    if (!s)
        return;
    s->events.done = NULL;
    redis_link_free(s->link);
    free(s);
}

struct redis_link *redis_stream_link(struct redis_stream *s)
{
    return s->link;
}

static void on_answer(void *ctx, void *reply)
{
    struct redis_stream *s = ctx;
    s->reading = false;
    struct redis_read_result result = s->decoder.result;
    if (!reply)
        result.outcome = REDIS_READ_LOST;
    if (s->events.done)
        s->events.done(s->ctx, &result);
}

int redis_stream_read(struct redis_stream *s, uint32_t mask, const struct stream_id after[STREAM_KINDS],
                      int64_t count, int64_t block_ms)
{
    if (s->reading)
        return -EBUSY;
    struct slice words[6 + 2 * STREAM_KINDS];
    char count_text[NUMBER_TEXT_MAX], block_text[NUMBER_TEXT_MAX], id_text[STREAM_KINDS][STREAM_ID_TEXT_MAX];
    size_t n = 0;
    words[n++] = slice_text("XREAD");
    words[n++] = slice_text("COUNT");
    words[n++] = slice_of(count_text, number_format_i64(count_text, count));
    if (block_ms > 0) {
        words[n++] = slice_text("BLOCK");
        words[n++] = slice_of(block_text, number_format_i64(block_text, block_ms));
    }
    words[n++] = slice_text("STREAMS");
    for (uint32_t k = 0; k < STREAM_KINDS; k++)
        if (mask & 1U << k)
            words[n++] = slice_text(s->decoder.names[k].stream);
    for (uint32_t k = 0; k < STREAM_KINDS; k++)
        if (mask & 1U << k)
            words[n++] = slice_of(id_text[k], stream_id_format(id_text[k], after[k]));
    stream_decoder_start(&s->decoder);
    int r = redis_link_command(s->link, words, n, block_ms, on_answer, s);
    if (r == 0)
        s->reading = true;
    return r;
}

bool redis_stream_is_reading(const struct redis_stream *s)
{
    return s->reading;
}
