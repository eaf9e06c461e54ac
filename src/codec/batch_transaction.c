/* A large batch as a transaction: the same operations as commands of their own, which cost Redis a third of
 * what they cost it as arguments of a script (docs/decisions/0018-large-batches.md).
 *
 * What the script checks is looked at before, with lease, meta and all that instances share watched, so EXEC
 * does nothing where these have changed since. Records are too many to be watched: where somebody puts a
 * foreign value on one behind the look, all is as if he had done so behind the transaction. */
#include "batch_private.h"
#include "codec/scripts.h"

/* Below this one round trip more costs more than the script. */
#define KEYS_MIN 100

/* Asked before, for a connection that may do MULTI and not EXEC would be stuck in it. */
static const char may_transact[] = "for _, name in ipairs({'MULTI', 'EXEC', 'UNWATCH'}) do if not "
                                   "redis.acl_check_cmd(name) then return name end end "
                                   "return redis.acl_check_cmd('WATCH', KEYS[1]) and 'OK' or 'WATCH'";

/* One operation of a part, as batch_add_operation has written it. */
struct operation {
    struct slice command; /* with its length, as a word of RESP */
    uint64_t key;         /* 0: none */
    uint64_t count;
    struct slice args; /* COUNT words of RESP */
    bool is_special;   /* the script knows what it means */
};

/* Of nothing there is no place behind it. */
static const char *end_of(const struct buf *words)
{
    return words->len ? words->data + words->len : words->data;
}

static uint64_t take_digits(const char **at)
{
    uint64_t value = 0;
    for (; **at != '\r'; ++*at)
        value = value * 10 + (uint64_t)(**at - '0');
    *at += 2;
    return value;
}

/* The text of the next word. */
static struct slice take_word(const char **at)
{
    ++*at; /* $ */
    uint64_t len = take_digits(at);
    struct slice word = slice_of(*at, len);
    *at += len + 2;
    return word;
}

static uint64_t take_number(const char **at)
{
    ++*at; /* $ */
    (void)take_digits(at);
    return take_digits(at);
}

/* False at the end. */
static bool next_operation(const char **at, const char *end, struct operation *ret)
{
    if (*at == end)
        return false;
    ret->count = take_number(at);
    const char *start = *at;
    ret->is_special = take_word(at).data[0] == '!';
    ret->command = slice_of(start, (size_t)(*at - start));
    ret->key = take_number(at);
    start = *at;
    for (uint64_t i = 0; i < ret->count; i++)
        (void)take_word(at);
    ret->args = slice_of(start, (size_t)(*at - start));
    return true;
}

bool batch_suits_transaction(const struct batch *b)
{
    return !b->needs_script && b->key_count >= KEYS_MIN;
}

static void add_command(struct buf *out, const char *const *words, size_t count)
{
    resp_add_head(out, count);
    for (size_t i = 0; i < count; i++)
        resp_add_text(out, words[i]);
}

#define ADD_COMMAND(out, ...)                                                                                \
    add_command(out, (const char *const[]){__VA_ARGS__},                                                     \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A stream that is read is written by others all the time, and the script looks at it again. */
static bool is_watched(const struct batch *b, uint32_t index)
{
    if (b->keys[index].is_record)
        return false;
    for (int k = 0; k < STREAM_KINDS; k++)
        if (slice_is(batch_key_text(b, index), b->options.names.stream[k]))
            return false;
    return true;
}

static void render_watch(const struct batch *b, struct buf *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < b->key_count; i++)
        count += is_watched(b, i);
    resp_add_head(out, 3 + count);
    resp_add_text(out, "WATCH");
    resp_add_text(out, KEY_LEADER);
    resp_add_text(out, KEY_META);
    for (uint32_t i = 0; i < b->key_count; i++)
        if (is_watched(b, i))
            resp_add(out, batch_key_text(b, i));
}

size_t batch_render_look(const struct batch *b, struct buf *out)
{
    ADD_COMMAND(out, "EVAL", may_transact, "1", KEY_META);
    ADD_COMMAND(out, "UNWATCH");
    render_watch(b, out);
    ADD_COMMAND(out, "GET", KEY_LEADER);
    ADD_COMMAND(out, "HMGET", KEY_META, "epoch", "applied_seq");
    for (uint32_t i = 0; i < b->key_count; i++) {
        resp_add_head(out, 2);
        resp_add_text(out, "TYPE");
        resp_add(out, batch_key_text(b, i));
    }
    return BATCH_LOOK_HEAD + b->key_count;
}

bool batch_type_suits(const struct batch *b, uint32_t index, struct slice type)
{
    static const struct {
        char letter;
        const char *name;
    } types[] = {{'h', "hash"}, {'s', "set"}, {'z', "zset"}, {'t', "stream"}};
    if (b->keys[index].type == '-' || slice_is(type, "none"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].letter == b->keys[index].type)
            return slice_is(type, types[i].name);
    return false;
}

static size_t render_plain(const struct batch *b, const struct buf *words, struct buf *out)
{
    size_t commands = 0;
    struct operation op;
    for (const char *at = words->data, *end = end_of(words); next_operation(&at, end, &op);) {
        if (op.is_special)
            continue;
        resp_add_head(out, (op.key ? 2 : 1) + op.count);
        buf_add_slice(out, op.command);
        if (op.key)
            resp_add(out, batch_key_text(b, (uint32_t)(op.key - BATCH_FIRST_KEY)));
        buf_add_slice(out, op.args);
        commands++;
    }
    return commands;
}

static void render_meta(const struct batch *b, struct buf *out)
{
    resp_add_head(out, 4 + b->meta_args);
    resp_add_text(out, "HSET");
    resp_add_text(out, KEY_META);
    resp_add_text(out, "applied_seq");
    resp_add_u64(out, b->number);
    buf_add_slice(out, buf_slice(&b->meta));
}

/* What only the script can do, each operation with a key of its own; all of it stands in the tail. */
static size_t render_special(const struct batch *b, struct buf *out)
{
    struct buf keys = BUF_INIT, types = BUF_INIT, args = BUF_INIT;
    size_t count = 0, arg_count = 0;
    struct operation op;
    for (const char *at = b->tail.data, *end = end_of(&b->tail); next_operation(&at, end, &op);) {
        if (!op.is_special)
            continue;
        resp_add(&keys, batch_key_text(b, (uint32_t)(op.key - BATCH_FIRST_KEY)));
        buf_add_char(&types, '-');
        resp_add_u64(&args, op.count);
        buf_add_slice(&args, op.command);
        resp_add_u64(&args, BATCH_FIRST_KEY + count++);
        buf_add_slice(&args, op.args);
        arg_count += 3 + op.count;
    }
    if (count) {
        resp_add_head(out, 3 + 2 + count + 5 + arg_count);
        resp_add_text(out, "EVAL");
        resp_add(out, script_word(&script_commit, true));
        resp_add_u64(out, 2 + count);
        resp_add_text(out, KEY_LEADER);
        resp_add_text(out, KEY_META);
        buf_add_slice(out, buf_slice(&keys));
        resp_add_text(out, "");
        resp_add_text(out, "");
        resp_add_u64(out, 0);
        resp_add(out, buf_slice(&types));
        resp_add_u64(out, 0);
        buf_add_slice(out, buf_slice(&args));
    }
    buf_clear(&keys);
    buf_clear(&types);
    buf_clear(&args);
    return count != 0;
}

size_t batch_render_transaction(struct batch *b, struct buf *out)
{
    batch_remove_cut(b);
    buf_reserve(out, b->body.len + b->tail.len + 2 * b->key_text.len + 4096);
    ADD_COMMAND(out, "MULTI");
    size_t commands = render_plain(b, &b->body, out);
    commands += render_plain(b, &b->tail, out);
    render_meta(b, out);
    commands += render_special(b, out);
    ADD_COMMAND(out, "EXEC");
    return commands + 3;
}

/* The one at *INDEX of a part's plain operations; else *INDEX counts on behind them. */
static bool find_plain(const struct buf *words, size_t *index, struct operation *ret)
{
    for (const char *at = words->data, *end = end_of(words); next_operation(&at, end, ret);)
        if (!ret->is_special && (*index)-- == 0)
            return true;
    return false;
}

void batch_name_operation(const struct batch *b, size_t index, struct buf *out)
{
    struct operation op;
    size_t left = index;
    buf_add_format(out, "%zu ", index + 1);
    if (find_plain(&b->body, &left, &op) || find_plain(&b->tail, &left, &op)) {
        const char *at = op.command.data;
        struct slice key = slice_of("", 0);
        buf_add_slice(out, take_word(&at));
        if (op.key)
            key = batch_key_text(b, (uint32_t)(op.key - BATCH_FIRST_KEY));
        buf_add_format(out, " %.*s: ", (int)key.len, key.data);
    } else {
        buf_add_text(out, left ? "EVAL: " : "HSET " KEY_META ": ");
    }
}
