/* A batch as its script gets it, read back from the protocol by an eye of its own: the command word by word,
 * and the operations as lines of text with their keys by name. Whatever does not add up (a length, a count, a
 * key's number, a byte too many) fails the test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/batch.h"
#include "util/number.h"
#include <stdlib.h>

#define BATCH_TOKEN "mt5stated@boot:pid:[1]:2:3#4"
#define BATCH_EPOCH "epoch-1"
/* EVALSHA, the script, how many keys. */
#define BATCH_KEYS_AT 3

struct batch_words {
    struct buf bytes;
    struct slice *words;
    size_t count;
    size_t keys;     /* how many */
    size_t argv;     /* where ARGV[1] is */
    size_t first_op; /* where the first operation is */
};

static inline size_t batch_words_number(struct slice text)
{
    uint64_t value = 0;

    assert_true(number_parse_u64(text, 1U << 30, &value));
    return (size_t)value;
}

/* The number in a line `MARKnumber\r\n` at *AT, which is moved behind it. */
static inline size_t batch_words_head(struct slice bytes, size_t *at, char mark)
{
    const char *end = memchr(bytes.data + *at, '\r', bytes.len - *at);
    size_t value;

    assert_non_null(end);
    assert_int_equal(bytes.data[*at], mark);
    assert_int_equal(end[1], '\n');
    value = batch_words_number(slice_of(bytes.data + *at + 1, (size_t)(end - bytes.data) - *at - 1));
    *at = (size_t)(end - bytes.data) + 2;
    return value;
}

static inline void batch_words_init(struct batch_words *w, struct batch *batch, bool whole_script)
{
    struct slice bytes;
    size_t at = 0;

    memset(w, 0, sizeof(*w));
    batch_render(batch, slice_text(BATCH_TOKEN), slice_text(BATCH_EPOCH), whole_script, &w->bytes);
    bytes = buf_slice(&w->bytes);
    w->count = batch_words_head(bytes, &at, '*');
    w->words = calloc(w->count, sizeof(*w->words));
    assert_non_null(w->words);
    for (size_t i = 0; i < w->count; i++) {
        size_t len = batch_words_head(bytes, &at, '$');

        assert_true(at + len + 2 <= bytes.len);
        w->words[i] = slice_of(bytes.data + at, len);
        assert_memory_equal(bytes.data + at + len, "\r\n", 2);
        at += len + 2;
    }
    assert_int_equal(at, bytes.len);
    w->keys = batch_words_number(w->words[2]);
    w->argv = BATCH_KEYS_AT + w->keys;
    assert_true(w->argv + 5 <= w->count);
    w->first_op = w->argv + 5 + batch_words_number(w->words[w->argv + 4]);
    assert_true(w->first_op <= w->count);
}

static inline void batch_words_clear(struct batch_words *w)
{
    buf_clear(&w->bytes);
    free(w->words);
}

/* KEYS[number] of the script. */
static inline struct slice batch_words_key(const struct batch_words *w, size_t number)
{
    assert_true(number >= 1 && number <= w->keys);
    return w->words[BATCH_KEYS_AT + number - 1];
}

/* ARGV[number] of the script. */
static inline struct slice batch_words_arg(const struct batch_words *w, size_t number)
{
    assert_true(number >= 1 && w->argv + number <= w->count);
    return w->words[w->argv + number - 1];
}

static inline void batch_text_add_key(const struct batch_words *w, struct slice number, struct buf *out)
{
    size_t value = batch_words_number(number);

    buf_add_char(out, ' ');
    if (value == 0) {
        buf_add_char(out, '-');
        return;
    }
    assert_true(value >= 3);
    buf_add_slice(out, batch_words_key(w, value));
}

/* Appends one line an operation: `COMMAND key word word`, the key `-` for a command without one. */
static inline void batch_text_add(struct batch *batch, struct buf *out)
{
    struct batch_words w;

    batch_words_init(&w, batch, false);
    for (size_t at = w.first_op; at < w.count;) {
        assert_true(at + 3 <= w.count);

        size_t args = batch_words_number(w.words[at]);
        struct slice command = w.words[at + 1];
        bool copies = slice_is(command, "!reject") || slice_is(command, "!drop");

        assert_true(at + 3 + args <= w.count);
        buf_add_slice(out, command);
        batch_text_add_key(&w, w.words[at + 2], out);
        for (size_t i = 0; i < args; i++) {
            if (i == 0 && copies) {
                batch_text_add_key(&w, w.words[at + 3], out);
                continue;
            }
            buf_add_char(out, ' ');
            buf_add_slice(out, w.words[at + 3 + i]);
        }
        buf_add_char(out, '\n');
        at += 3 + args;
    }
    batch_words_clear(&w);
}

/* The batch, sealed by now, does exactly this. */
static inline void batch_text_assert(struct batch *batch, const char *expected)
{
    struct buf out = BUF_INIT;

    batch_text_add(batch, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
}

static inline struct batch *batch_text_new(void)
{
    static const struct batch_options options = {
        .names = {.stream = {"reports", "signals", "results", "trades"},
                  .events = "events",
                  .commands = "commands"},
        .group = "readers",
        .events_max_len = 500,
        .commands_max_len = 300,
    };
    struct batch *batch = batch_new(&options);

    batch_reset(batch, 1);
    return batch;
}

static inline struct slice s(const char *text)
{
    return slice_text(text);
}
