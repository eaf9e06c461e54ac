#include "adapters/redis_stream.h"
#include "util/alloc.h"
#include "util/number.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* The answer of XREAD is [[stream, [[id, [name, value, …]], …]], …]: what stands at each depth. The reader hands each
 * piece over with its parent; ours are marked by their depth, which is all the memory there is. */
enum depth { DEPTH_ANSWER, DEPTH_STREAM, DEPTH_STREAM_PART, DEPTH_ENTRY, DEPTH_ENTRY_PART, DEPTH_FIELD, DEPTHS };

#define NO_FIELD UINT32_MAX

struct redis_stream {
    struct redis_link *link;
    struct redis_stream_events events;
    void *ctx;
    const struct redis_stream_names *names;
    bool reading;
    char depth_marks[DEPTHS + 1]; /* their addresses are the objects */

    /* The answer that is being decoded. */
    const struct redis_stream_names *current; /* the stream that its entries belong to; NULL: none of ours */
    struct entry entry;
    bool entry_valid;
    uint32_t field;      /* of the name read last, NO_FIELD for an unknown one */
    uint32_t next_field; /* the one expected next: writers repeat an order */
    struct redis_read_result result;
    char error[256];
    char values[ENTRY_FIELDS_MAX][ENTRY_VALUE_MAX];
};

static struct redis_stream *stream_of(const redisReadTask *task)
{
    return task->privdata;
}

static int depth_of(const redisReadTask *task)
{
    const struct redis_stream *s = stream_of(task);
    if (!task->parent)
        return DEPTH_ANSWER;
    long depth = (const char *)task->parent->obj - s->depth_marks + 1;
    return depth < DEPTHS ? (int)depth : DEPTHS;
}

static void *mark(const redisReadTask *task, int depth)
{
    return &stream_of(task)->depth_marks[depth];
}

static void on_stream_name(struct redis_stream *s, struct slice name)
{
    s->current = NULL;
    for (uint32_t k = 0; k < STREAM_KINDS; k++) {
        if (slice_is(name, s->names[k].stream)) {
            s->current = &s->names[k];
            s->entry.stream = (enum stream_kind)k;
            return;
        }
    }
}

static void on_entry_id(struct redis_stream *s, struct slice text)
{
    s->entry.present = s->entry.oversize = 0;
    s->next_field = 0;
    s->field = NO_FIELD;
    s->entry_valid = s->current && stream_id_parse(text, &s->entry.id);
}

static void finish_entry(struct redis_stream *s)
{
    if (!s->entry_valid)
        return;
    s->entry_valid = false;
    s->result.entries[s->entry.stream]++;
    s->events.entry(s->ctx, &s->entry);
}

static void on_field_name(struct redis_stream *s, struct slice name)
{
    s->field = NO_FIELD;
    if (!s->entry_valid)
        return;
    const struct redis_stream_names *n = s->current;
    for (uint32_t i = 0; i < n->field_count; i++) {
        uint32_t field = s->next_field + i;
        if (field >= n->field_count)
            field -= (uint32_t)n->field_count;
        if (slice_equal(n->fields[field], name)) {
            s->field = field;
            s->next_field = field + 1 < n->field_count ? field + 1 : 0;
            return;
        }
    }
}

/* Every field has a place of its own, so that a name that comes again and again takes no more room. */
static void on_field_value(struct redis_stream *s, struct slice value)
{
    if (s->field == NO_FIELD || !s->entry_valid)
        return;
    uint32_t bit = 1U << s->field;
    size_t len = value.len < ENTRY_VALUE_MAX ? value.len : ENTRY_VALUE_MAX;
    char *to = s->values[s->field];
    memcpy(to, value.data, len);
    s->entry.value[s->field] = slice_of(to, len);
    s->entry.present |= bit;
    s->entry.oversize = value.len > ENTRY_VALUE_MAX ? s->entry.oversize | bit : s->entry.oversize & ~bit;
}

static bool is_last(const redisReadTask *task)
{
    return task->idx == task->parent->elements - 1;
}

static void *on_string(const redisReadTask *task, char *text, size_t len)
{
    struct redis_stream *s = stream_of(task);
    struct slice value = slice_of(text, len);
    int depth = depth_of(task);
    switch (depth) {
    case DEPTH_ANSWER:
        s->result.outcome = REDIS_READ_ERROR;
        len = len < sizeof s->error ? len : sizeof s->error;
        memcpy(s->error, text, len);
        s->result.error_text = slice_of(s->error, len);
        s->result.error = redis_error_classify(s->result.error_text);
        break;
    case DEPTH_STREAM_PART:
        if (task->idx == 0)
            on_stream_name(s, value);
        break;
    case DEPTH_ENTRY_PART:
        if (task->idx == 0)
            on_entry_id(s, value);
        break;
    case DEPTH_FIELD:
        if (task->idx % 2 == 0)
            on_field_name(s, value);
        else
            on_field_value(s, value);
        if (is_last(task))
            finish_entry(s);
        break;
    default:
        break;
    }
    return mark(task, depth);
}

static void *on_array(const redisReadTask *task, int elements)
{
    struct redis_stream *s = stream_of(task);
    int depth = depth_of(task);
    if (depth == DEPTH_ENTRY_PART && elements == 0)
        finish_entry(s);
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

static redisReplyObjectFunctions reply_functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

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
                                      const struct redis_stream_names *names, const struct redis_stream_events *events,
                                      void *ctx)
{
    struct redis_stream *s = mem_new(1, sizeof *s);
    s->events = *events;
    s->ctx = ctx;
    s->names = names;
    struct redis_link_options options = *link;
    options.reply_functions = &reply_functions;
    options.reply_privdata = s;
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
    struct redis_read_result result = s->result;
    if (!reply)
        result.outcome = REDIS_READ_LOST;
    if (s->events.done)
        s->events.done(s->ctx, &result);
}

int redis_stream_read(struct redis_stream *s, uint32_t mask, const struct stream_id after[STREAM_KINDS], int64_t count,
                      int64_t block_ms)
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
            words[n++] = slice_text(s->names[k].stream);
    for (uint32_t k = 0; k < STREAM_KINDS; k++)
        if (mask & 1U << k)
            words[n++] = slice_of(id_text[k], stream_id_format(id_text[k], after[k]));
    s->result = (struct redis_read_result){.outcome = REDIS_READ_DONE};
    int r = redis_link_command(s->link, words, n, block_ms, on_answer, s);
    if (r == 0)
        s->reading = true;
    return r;
}

bool redis_stream_is_reading(const struct redis_stream *s)
{
    return s->reading;
}
