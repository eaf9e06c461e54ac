/* Commands whose answers are compared as text, whatever they nest: `[ok [a b] 3 (nil)]`, `!ERR what` for an
 * error. */
#pragma once

#include "redis_fixture.h"

#include "codec/scripts.h"
#include "util/buf.h"

/* Appends REPLY to OUT. */
static inline void reply_text_add(const struct redisReply *reply, struct buf *out)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        buf_add_i64(out, reply->integer);
        break;
    case REDIS_REPLY_NIL:
        buf_add_text(out, "(nil)");
        break;
    case REDIS_REPLY_ARRAY:
        buf_add_char(out, '[');
        for (size_t i = 0; i < reply->elements; i++) {
            if (i > 0)
                buf_add_char(out, ' ');
            reply_text_add(reply->element[i], out);
        }
        buf_add_char(out, ']');
        break;
    case REDIS_REPLY_ERROR:
        buf_add_char(out, '!');
        /* fall through */
    default:
        buf_add(out, reply->str, reply->len);
    }
}

/* One answer that is waited for. */
struct asked {
    bool has_come;
    struct buf text;
};

static inline void asked_on_answer(void *ctx, void *reply)
{
    struct asked *asked = ctx;

    asked->has_come = true;
    assert_non_null(reply);
    reply_text_add(reply, &asked->text);
}

static inline void asked_wait(struct fixture *f, struct asked *asked)
{
    WAIT(f, asked->has_come);
    (void)buf_text(&asked->text);
}

/* The answer to one command that is in the protocol already; the caller clears it. */
static inline struct buf ask_resp(struct fixture *f, struct slice resp)
{
    struct asked asked = {.text = BUF_INIT};

    assert_int_equal(redis_link_send(f->link, resp, 1, 0, asked_on_answer, &asked), 0);
    asked_wait(f, &asked);
    return asked.text;
}

static inline struct buf ask_words(struct fixture *f, const struct slice *words, size_t count)
{
    struct asked asked = {.text = BUF_INIT};

    assert_int_equal(redis_link_command(f->link, words, count, 0, asked_on_answer, &asked), 0);
    asked_wait(f, &asked);
    return asked.text;
}

#define ASK_WORDS_MAX 64

/* The same for words parted by spaces. */
static inline struct buf ask(struct fixture *f, const char *command)
{
    struct slice words[ASK_WORDS_MAX];
    size_t count = 0;

    for (const char *p = command; *p;) {
        size_t len = strcspn(p, " ");

        assert_true(count < ASK_WORDS_MAX);
        words[count++] = slice_of(p, len);
        p += len;
        p += strspn(p, " ");
    }
    return ask_words(f, words, count);
}

static inline void assert_answer(struct fixture *f, const char *command, const char *expected)
{
    struct buf answer = ask(f, command);

    assert_string_equal(buf_text(&answer), expected);
    buf_clear(&answer);
}

/* Asks for what only has to go well. */
static inline void give(struct fixture *f, const char *command)
{
    struct buf answer = ask(f, command);

    if (answer.data[0] == '!')
        fail_msg("%s: %s", command, buf_text(&answer));
    buf_clear(&answer);
}

/* Runs a whole script with keys and arguments up to NULL each. */
static inline struct buf ask_script(struct fixture *f, const struct script *script, const char *const keys[],
                                    const char *const args[])
{
    struct slice words[ASK_WORDS_MAX] = {slice_text("EVAL"), script_word(script, true)};
    char key_count[16];
    size_t count = 3, keys_at = count;

    for (size_t i = 0; keys[i]; i++)
        words[count++] = slice_text(keys[i]);
    words[2] = slice_of(key_count, (size_t)snprintf(key_count, sizeof(key_count), "%zu", count - keys_at));
    for (size_t i = 0; args[i]; i++) {
        assert_true(count < ASK_WORDS_MAX);
        words[count++] = slice_text(args[i]);
    }
    return ask_words(f, words, count);
}
