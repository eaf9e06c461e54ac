/* The queue of batches. The first one may be under way; the last one may still be open.
 *
 * A batch that Redis refuses as a whole (it is loading, out of memory, read-only) has done nothing, and is
 * sent again later. */
#include "writer.h"

#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "codec/resp.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_BYTES   (64 * 1024)
#define BATCH_ENTRIES 512
#define FULL_BYTES    (8 * 1024 * 1024)
#define RETRY_MS      100
#define NUMBER_TTL_S  "604800"
#define ACK           STREAM_KINDS /* in place of a stream */
#define KEYS          (1 + STREAM_KINDS)

/* ARGV: the batch's number, how long it is remembered, the group; then for each operation the number of its
 * words, the number of its key, the words. No words but an ID: an acknowledgement. */
static const char script[] =
    "#!lua\n"
    "local number = tonumber(ARGV[1])\n"
    "local last = tonumber(redis.call('GET', KEYS[1]) or '0')\n"
    "if last >= number then return 'again' end\n"
    "if last ~= number - 1 then return 'gap' end\n"
    "local answers, at = {}, 4\n"
    "while at <= #ARGV do\n"
    "  local words, key = tonumber(ARGV[at]), KEYS[tonumber(ARGV[at + 1])]\n"
    "  local answer\n"
    "  if words == 0 then\n"
    "    answer = redis.pcall('XACK', key, ARGV[3], ARGV[at + 2])\n"
    "    at = at + 3\n"
    "  else\n"
    "    answer = redis.pcall('XADD', key, '*', unpack(ARGV, at + 2, at + 1 + words))\n"
    "    at = at + 2 + words\n"
    "  end\n"
    "  answers[#answers + 1] = answer\n"
    "end\n"
    "redis.call('SET', KEYS[1], number, 'EX', ARGV[2])\n"
    "return answers\n";

struct operation {
    uint32_t stream; /* or ACK */
    written_fn fn;
    void *ctx;
    uint64_t arg;
};

struct batch {
    struct batch *next;
    uint64_t number;
    struct buf body;
    size_t words; /* in body */
    struct operation *operations;
    size_t count, cap;
};

struct writer {
    struct writer_options options;
    struct redis_link *link;
    struct loop_timer *retry;
    char key[64];
    struct batch *first, *last;
    uint64_t numbers;
    size_t bytes; /* in all batches */
    bool under_way, was_sent, told_down;
    struct buf entry; /* the words of the entry that is being put together */
    size_t entry_words;
    enum stream_kind entry_stream;
    struct buf command;
    char fault[160];
    struct writer_stats stats;
};

static void set_fault(struct writer *writer, const char *text)
{
    if (writer->fault[0] == '\0')
        (void)snprintf(writer->fault, sizeof(writer->fault), "%s", text);
}

static struct batch *open_batch(struct writer *writer)
{
    struct batch *batch = writer->last;
    bool sealed = !batch || (batch == writer->first && writer->was_sent);

    if (!sealed && batch->count < BATCH_ENTRIES && batch->body.len < BATCH_BYTES)
        return batch;
    batch = mem_new(1, sizeof(*batch));
    batch->number = ++writer->numbers;
    if (writer->last)
        writer->last->next = batch;
    else
        writer->first = batch;
    writer->last = batch;
    return batch;
}

static void free_batch(struct batch *batch)
{
    buf_clear(&batch->body);
    free(batch->operations);
    free(batch);
}

static void add_operation(struct writer *writer, struct operation operation, size_t key, size_t words,
                          struct slice text)
{
    struct batch *batch = open_batch(writer);
    size_t before = batch->body.len;

    if (batch->count == batch->cap) {
        batch->cap = batch->cap ? batch->cap * 2 : 32;
        batch->operations = mem_resize(batch->operations, batch->cap, sizeof(*batch->operations));
    }
    batch->operations[batch->count++] = operation;
    resp_add_u64(&batch->body, operation.stream == ACK ? 0 : words);
    resp_add_u64(&batch->body, key);
    buf_add_slice(&batch->body, text);
    batch->words += 2 + words;
    writer->bytes += batch->body.len - before;
}

void writer_begin(struct writer *writer, enum stream_kind stream)
{
    buf_reset(&writer->entry, SIZE_MAX);
    writer->entry_words = 0;
    writer->entry_stream = stream;
}

void writer_add(struct writer *writer, const char *name, struct slice value)
{
    resp_add_text(&writer->entry, name);
    resp_add(&writer->entry, value);
    writer->entry_words += 2;
}

void writer_add_text(struct writer *writer, const char *name, const char *value)
{
    writer_add(writer, name, slice_text(value));
}

void writer_add_number(struct writer *writer, const char *name, double value, int decimals)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*f", decimals, value);

    writer_add(writer, name, slice_of(text, (size_t)len));
}

void writer_add_whole(struct writer *writer, const char *name, uint64_t value)
{
    resp_add_text(&writer->entry, name);
    resp_add_u64(&writer->entry, value);
    writer->entry_words += 2;
}

void writer_end(struct writer *writer, written_fn fn, void *ctx, uint64_t arg)
{
    struct operation operation = {writer->entry_stream, fn, ctx, arg};

    add_operation(writer, operation, 2 + (size_t)writer->entry_stream, writer->entry_words,
                  buf_slice(&writer->entry));
}

void writer_ack(struct writer *writer, struct stream_id entry)
{
    char text[STREAM_ID_TEXT_MAX];
    size_t len = stream_id_format(text, entry);

    buf_reset(&writer->entry, SIZE_MAX);
    resp_add(&writer->entry, slice_of(text, len));
    add_operation(writer, (struct operation){.stream = ACK}, 2 + STREAM_SIGNALS, 1,
                  buf_slice(&writer->entry));
}

static void render(struct writer *writer, const struct batch *batch)
{
    struct buf *out = &writer->command;

    buf_reset(out, SIZE_MAX);
    resp_add_head(out, 3 + KEYS + 3 + batch->words);
    resp_add_text(out, "EVAL");
    resp_add_text(out, script);
    resp_add_u64(out, KEYS);
    resp_add_text(out, writer->key);
    for (int i = 0; i < STREAM_KINDS; i++)
        resp_add_text(out, writer->options.stream[i]);
    resp_add_u64(out, batch->number);
    resp_add_text(out, NUMBER_TTL_S);
    resp_add_text(out, writer->options.group);
    buf_add_slice(out, buf_slice(&batch->body));
}

/* REPLY is NULL where the batch was stored but its answer was lost. */
static struct written settle_operation(struct writer *writer, const struct operation *operation,
                                       const redisReply *reply)
{
    struct written written = {true, loop_wall_ms()};
    struct stream_id id;

    if (operation->stream == ACK)
        return written;
    if (reply && reply->type == REDIS_REPLY_STRING &&
        stream_id_parse(slice_of(reply->str, (size_t)reply->len), &id)) {
        written.ms = (int64_t)id.ms;
    } else if (reply) {
        written.ok = false;
        writer->stats.refused++;
        return written;
    }
    writer->stats.entries[operation->stream]++;
    return written;
}

static void settle_first(struct writer *writer, const redisReply *answers)
{
    struct batch *batch = writer->first;

    writer->first = batch->next;
    if (!writer->first)
        writer->last = NULL;
    writer->was_sent = false;
    writer->bytes -= batch->body.len;
    writer->stats.batches++;
    for (size_t i = 0; i < batch->count; i++) {
        const struct operation *operation = &batch->operations[i];
        const redisReply *answer = answers ? answers->element[i] : NULL;
        struct written written = settle_operation(writer, operation, answer);

        if (operation->fn)
            operation->fn(operation->ctx, operation->arg, &written);
    }
    free_batch(batch);
}

static void retry_later(struct writer *writer)
{
    loop_timer_set(writer->retry, RETRY_MS);
}

static void on_forced(void *ctx, void *reply)
{
    struct writer *writer = ctx;

    writer->under_way = false;
    if (reply)
        retry_later(writer);
}

/* Redis has forgotten batches that it had confirmed: nothing is certain any more, but the show goes on. */
static void force_number(struct writer *writer)
{
    char number[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(number, writer->first->number - 1);
    struct slice argv[] = {SLICE("SET"), slice_text(writer->key), slice_of(number, len)};

    set_fault(writer, "Redis has lost writes that it had confirmed");
    writer->under_way = redis_link_command(writer->link, argv, 3, 0, on_forced, writer) == 0;
}

static void on_stored(void *ctx, void *reply)
{
    struct writer *writer = ctx;
    const redisReply *answer = reply;
    const struct batch *batch = writer->first;

    writer->under_way = false;
    if (!answer)
        return;
    if (answer->type == REDIS_REPLY_ARRAY && answer->elements == batch->count) {
        settle_first(writer, answer);
    } else if (answer->type == REDIS_REPLY_STRING && strcmp(answer->str, "again") == 0) {
        settle_first(writer, NULL);
    } else if (answer->type == REDIS_REPLY_STRING && strcmp(answer->str, "gap") == 0) {
        force_number(writer);
        return;
    } else {
        if (!writer->told_down)
            writer->options.on_link(writer->options.ctx, false,
                                    answer->type == REDIS_REPLY_ERROR ? answer->str
                                                                      : "an answer of an unknown kind");
        writer->told_down = true;
        retry_later(writer);
        return;
    }
    writer->told_down = false;
    writer->options.on_progress(writer->options.ctx);
    writer_flush(writer);
}

void writer_flush(struct writer *writer)
{
    if (!writer->first || writer->under_way || !redis_link_is_up(writer->link) ||
        loop_timer_is_set(writer->retry))
        return;
    if (writer->was_sent)
        writer->stats.resent++;
    render(writer, writer->first);
    writer->was_sent = true;
    writer->under_way =
        redis_link_send(writer->link, buf_slice(&writer->command), 1, 0, on_stored, writer) == 0;
    if (!writer->under_way)
        retry_later(writer);
}

void writer_finish(struct writer *writer)
{
    struct slice argv[] = {SLICE("DEL"), slice_text(writer->key)};

    /* The key goes by itself after a while where this does not reach Redis. */
    writer->under_way = redis_link_command(writer->link, argv, 2, 0, on_forced, writer) == 0;
}

static void on_retry(void *ctx)
{
    writer_flush(ctx);
}

static void on_up(void *ctx)
{
    struct writer *writer = ctx;

    writer->stats.connects++;
    writer->told_down = false;
    writer->options.on_link(writer->options.ctx, true, "connected");
    writer_flush(writer);
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct writer *writer = ctx;

    if (was_up || !writer->told_down)
        writer->options.on_link(writer->options.ctx, false, reason);
    writer->told_down = true;
    loop_timer_stop(writer->retry);
}

struct writer *writer_new(struct loop *loop, const struct redis_link_options *link,
                          const struct writer_options *options)
{
    struct writer *writer = mem_new(1, sizeof(*writer));
    struct redis_link_options own = *link;
    const struct redis_link_events events = {.up = on_up, .down = on_down};

    writer->options = *options;
    own.reply_functions = NULL;
    (void)snprintf(writer->key, sizeof(writer->key), "mt5sim:%s:written", options->run_id);
    writer->retry = loop_timer_new(loop, on_retry, writer);
    writer->link = redis_link_new(loop, &own, &events, writer);
    redis_link_start(writer->link);
    return writer;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    redis_link_free(writer->link);
    loop_timer_free(writer->retry);
    while (writer->first) {
        struct batch *batch = writer->first;

        writer->first = batch->next;
        free_batch(batch);
    }
    buf_clear(&writer->entry);
    buf_clear(&writer->command);
    free(writer);
}

bool writer_is_up(const struct writer *writer)
{
    return redis_link_is_up(writer->link);
}

bool writer_is_idle(const struct writer *writer)
{
    return !writer->first && !writer->under_way;
}

bool writer_is_full(const struct writer *writer)
{
    return writer->bytes > FULL_BYTES;
}

const char *writer_fault(const struct writer *writer)
{
    return writer->fault[0] != '\0' ? writer->fault : NULL;
}

const struct writer_stats *writer_stats(const struct writer *writer)
{
    return &writer->stats;
}
