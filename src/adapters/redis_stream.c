#include "redis_stream_internal.h"
#include "util/alloc.h"
#include "util/number.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

struct redis_stream {
    struct redis_link *link;
    struct redis_stream_events events;
    void *ctx;
    bool reading; /* Redis has been asked */
    bool taking_in;
    struct stream_decoder decoder;
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
                                      const struct redis_stream_names *names,
                                      const struct redis_stream_events *events, void *ctx)
{
    struct redis_stream *s = mem_new(1, sizeof *s);
    s->events = *events;
    s->ctx = ctx;
    stream_decoder_init(&s->decoder, names, events, ctx);
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
    stream_decoder_clear(&s->decoder);
    free(s);
}

struct redis_link *redis_stream_link(struct redis_stream *s)
{
    return s->link;
}

static void take_in(struct redis_stream *s, const struct redis_read_result *result)
{
    s->events.begin(s->ctx, result);
    if (s->reading)
        redis_link_flush(s->link);
    s->taking_in = true;
    stream_decoder_hand_over(&s->decoder);
    s->taking_in = false;
}

static void on_answer(void *ctx, void *reply)
{
    struct redis_stream *s = ctx;
    struct redis_read_result result = s->decoder.result;
    s->reading = false;
    if (!reply) {
        stream_decoder_forget(&s->decoder);
        result.outcome = REDIS_READ_LOST;
    } else if (result.outcome == REDIS_READ_DONE) {
        result.is_whole = true;
        if (!s->decoder.overflows)
            take_in(s, &result);
    }
    if (s->events.done)
        s->events.done(s->ctx, &result);
}

int redis_stream_read(struct redis_stream *s, const struct redis_read *read)
{
    if (redis_stream_is_reading(s))
        return -EBUSY;
    struct slice words[6 + 2 * STREAM_KINDS];
    char count_text[NUMBER_TEXT_MAX], block_text[NUMBER_TEXT_MAX], id_text[STREAM_KINDS][STREAM_ID_TEXT_MAX];
    size_t n = 0;
    words[n++] = slice_text("XREAD");
    words[n++] = slice_text("COUNT");
    words[n++] = slice_of(count_text, number_format_i64(count_text, read->count));
    if (read->block_ms > 0) {
        words[n++] = slice_text("BLOCK");
        words[n++] = slice_of(block_text, number_format_i64(block_text, read->block_ms));
    }
    words[n++] = slice_text("STREAMS");
    for (uint32_t k = 0; k < STREAM_KINDS; k++)
        if (read->mask & 1U << k)
            words[n++] = slice_text(s->decoder.names[k].stream);
    for (uint32_t k = 0; k < STREAM_KINDS; k++)
        if (read->mask & 1U << k)
            words[n++] = slice_of(id_text[k], stream_id_format(id_text[k], read->after[k]));
    int r = redis_link_command(s->link, words, n, read->block_ms, on_answer, s);
    if (r)
        return r;
    stream_decoder_start(&s->decoder, read);
    s->reading = true;
    return 0;
}

bool redis_stream_is_reading(const struct redis_stream *s)
{
    return s->reading || s->taking_in;
}
