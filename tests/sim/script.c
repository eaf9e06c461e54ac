#include "script.h"

#include "codec/batch.h"
#include "codec/scripts.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdio.h>
#include <stdlib.h>

#define REJECTED_MAX 10000

/* The command as words, and how far it is carried out. */
struct run {
    struct store *store;
    struct slice *words;
    size_t count;
    const struct slice *keys, *args; /* from KEYS[1] and ARGV[1] on */
    size_t key_count, arg_count;
};

static bool read_number(const char **at, const char *end, char mark, uint64_t *ret)
{
    const char *p = *at;

    if (p >= end || *p != mark)
        return false;
    for (p++; p < end && *p != '\r'; p++)
        ;
    if (p + 1 >= end || p[1] != '\n' ||
        !number_parse_u64(slice_of(*at + 1, (size_t)(p - *at - 1)), UINT32_MAX, ret))
        return false;
    *at = p + 2;
    return true;
}

/* Reads the command at *AT and moves behind it. */
static bool read_command(struct run *run, const char **at, const char *end)
{
    uint64_t count, len;

    if (!read_number(at, end, '*', &count))
        return false;
    run->words = mem_resize(run->words, count + 1, sizeof(*run->words));
    for (run->count = 0; run->count < count; run->count++) {
        if (!read_number(at, end, '$', &len) || (uint64_t)(end - *at) < len + 2 || (*at)[len] != '\r' ||
            (*at)[len + 1] != '\n')
            return false;
        run->words[run->count] = slice_of(*at, len);
        *at += len + 2;
    }
    return true;
}

/* Reads one command, and that nothing is behind it. */
static bool read_words(struct run *run, struct slice rendered)
{
    const char *at = rendered.data, *end = at + rendered.len;

    return read_command(run, &at, end) && at == end;
}

/* EVALSHA sha count key... arg... */
static bool find_parts(struct run *run)
{
    uint64_t keys;
    bool is_known =
        run->count > 3 &&
        ((slice_is(run->words[0], "EVALSHA") &&
          slice_equal(run->words[1], script_word(&script_commit, false))) ||
         (slice_is(run->words[0], "EVAL") && slice_equal(run->words[1], script_word(&script_commit, true))));

    if (!is_known || !number_parse_u64(run->words[2], UINT32_MAX, &keys) || keys + 3 + 5 > run->count)
        return false;
    run->keys = run->words + 3;
    run->key_count = keys;
    run->args = run->keys + keys;
    run->arg_count = run->count - 3 - keys;
    return run->args[3].len == keys - 2;
}

static void find_wrong_types(const struct run *run, struct commit_answer *ret)
{
    for (size_t k = 2; k < run->key_count; k++) {
        const struct store_key *key = store_find(run->store, run->keys[k]);
        char wanted = run->args[3].data[k - 2];

        if (!key || wanted == '-' || (char)key->type == wanted || ret->bad_count == COMMIT_BAD_MAX)
            continue;
        ret->bad[ret->bad_count] = k + 1;
        ret->bad_type[ret->bad_count++] = store_type_name(key);
    }
}

/* One operation. */
struct operation {
    struct slice command, key;
    const struct slice *args;
    size_t count;
};

static const char *const wrong_type = "WRONGTYPE";

/* Each returns why it fails, or NULL. */
static const char *run_hash(struct run *run, const struct operation *op)
{
    bool sets = slice_is(op->command, "HSET");
    struct store_key *key =
        sets ? store_make(run->store, op->key, STORE_HASH) : store_find(run->store, op->key);

    if (sets && (op->count == 0 || op->count % 2))
        return "ERR wrong number of arguments";
    if (!key)
        return sets ? wrong_type : NULL;
    if (key->type != STORE_HASH)
        return wrong_type;
    for (size_t i = 0; i < op->count; i += sets ? 2 : 1) {
        if (sets)
            key_put(key, op->args[i], op->args[i + 1]);
        else
            (void)key_take(key, op->args[i]); /* HDEL of what is not there is no error */
    }
    if (key->pair_count == 0)
        store_remove(run->store, op->key);
    return NULL;
}

static const char *run_members(struct run *run, const struct operation *op, enum store_type type, bool adds)
{
    struct store_key *key = adds ? store_make(run->store, op->key, type) : store_find(run->store, op->key);
    struct slice member = op->args[op->count - 1];

    if (!key)
        return adds ? wrong_type : NULL;
    if (key->type != type)
        return wrong_type;
    if (adds)
        key_put(key, member, op->count > 1 ? op->args[0] : slice_of("", 0));
    else
        (void)key_take(key, member); /* nor is SREM */
    if (key->pair_count == 0)
        store_remove(run->store, op->key);
    return NULL;
}

static const char *run_add(struct run *run, const struct operation *op)
{
    struct store_key *key = store_make(run->store, op->key, STORE_STREAM);
    bool by_length = slice_is(op->args[0], "MAXLEN"), by_id = slice_is(op->args[0], "MINID");
    size_t first = by_length || by_id ? 4 : 1;
    uint64_t bound = 0;

    if (!key)
        return wrong_type;
    if (first > 1 && (!slice_is(op->args[1], "~") || !number_parse_u64(op->args[2], UINT64_MAX, &bound)))
        return "ERR syntax error";
    if (!slice_is(op->args[first - 1], "*") || op->count <= first || (op->count - first) % 2)
        return "ERR wrong number of arguments";
    (void)stream_add(run->store, key, op->args + first, op->count - first);
    if (by_length)
        stream_trim_length_about(key, bound);
    else if (by_id)
        stream_trim_about(key, (struct stream_id){bound, 0});
    return NULL;
}

static const char *run_delete_entries(struct run *run, const struct operation *op)
{
    struct store_key *key = store_find(run->store, op->key);
    struct stream_id id;

    if (key && key->type != STORE_STREAM)
        return wrong_type;
    for (size_t i = 0; i < op->count; i++) {
        if (!stream_id_parse(op->args[i], &id))
            return "ERR Invalid stream ID";
        if (key)
            (void)stream_remove(key, id); /* nor XDEL */
    }
    return NULL;
}

/* !reject and !drop: a copy of an entry with two fields behind its own. */
static const char *run_copy(struct run *run, const struct operation *op, bool is_reject)
{
    uint64_t source;
    struct stream_id id;
    const struct store_key *from;
    const struct store_entry *entry;
    struct store_key *to = store_make(run->store, op->key, STORE_STREAM);
    struct slice *words;
    size_t count;

    if (!to)
        return wrong_type;
    if (op->count != 3 || !number_parse_u64(op->args[0], run->key_count, &source) || source < 1 ||
        !stream_id_parse(op->args[1], &id))
        return "ERR wrong arguments";
    from = store_find(run->store, run->keys[source - 1]);
    entry = from && from->type == STORE_STREAM ? stream_find(from, id) : NULL;
    count = entry ? entry->word_count : 0;
    words = mem_new(count + 4, sizeof(*words));
    if (entry)
        memcpy(words, entry->words, count * sizeof(*words));
    words[count] = slice_text(is_reject ? "reject_reason" : "dropped_id");
    words[count + 1] = op->args[is_reject ? 2 : 1];
    words[count + 2] = slice_text(is_reject ? "rejected_id" : "age_ms");
    words[count + 3] = op->args[is_reject ? 1 : 2];
    (void)stream_add(run->store, to, words, count + 4);
    stream_trim_length_about(to, REJECTED_MAX);
    free(words);
    return NULL;
}

static const char *run_position(struct run *run, const struct operation *op)
{
    struct store_key *key = store_make(run->store, op->key, STORE_STREAM);

    if (!key)
        return wrong_type;
    key->has_group = true;
    return stream_id_parse(op->args[1], &key->group_id) ? NULL : "ERR Invalid stream ID";
}

static const char *run_trim(struct run *run, const struct operation *op)
{
    struct store_key *key = store_find(run->store, op->key);
    struct stream_id min, handled;

    if (!key)
        return "ERR no such key";
    if (key->type != STORE_STREAM)
        return wrong_type;
    if (op->count != 2 || !stream_id_parse(op->args[0], &min) || !stream_id_parse(op->args[1], &handled))
        return "ERR Invalid stream ID";
    if (stream_id_compare(key->last_id, handled) < 0)
        return "ERR the stream was made anew";
    stream_trim(key, min);
    return NULL;
}

static const char *run_expire(struct run *run, const struct operation *op)
{
    struct store_key *key = store_find(run->store, op->key);
    uint64_t seconds;

    if (op->count != 1 || !number_parse_u64(op->args[0], UINT32_MAX, &seconds))
        return "ERR value is not an integer or out of range";
    if (key)
        key->expires_ms = run->store->now_ms + (int64_t)seconds * 1000;
    return NULL;
}

static const char *run_operation(struct run *run, const struct operation *op)
{
    if (slice_is(op->command, "HSET") || slice_is(op->command, "HDEL"))
        return run_hash(run, op);
    if (slice_is(op->command, "SADD") || slice_is(op->command, "SREM"))
        return run_members(run, op, STORE_SET, slice_is(op->command, "SADD"));
    if (slice_is(op->command, "ZADD") || slice_is(op->command, "ZREM"))
        return run_members(run, op, STORE_SORTED, slice_is(op->command, "ZADD"));
    if (slice_is(op->command, "XADD"))
        return run_add(run, op);
    if (slice_is(op->command, "XDEL"))
        return run_delete_entries(run, op);
    if (slice_is(op->command, "!reject") || slice_is(op->command, "!drop"))
        return run_copy(run, op, slice_is(op->command, "!reject"));
    if (slice_is(op->command, "!position"))
        return run_position(run, op);
    if (slice_is(op->command, "!trim"))
        return run_trim(run, op);
    if (slice_is(op->command, "EXPIRE"))
        return run_expire(run, op);
    if (slice_is(op->command, "DEL")) {
        store_remove(run->store, op->key);
        return NULL;
    }
    return slice_is(op->command, "PUBLISH") && op->count == 2 ? NULL : "ERR unknown command";
}

static void carry_out(struct run *run, const struct operation *op, struct commit_answer *ret)
{
    const char *why = run_operation(run, op);

    if (why && ret->failed_count++ == 0)
        (void)snprintf(ret->failed, sizeof(ret->failed), "%.*s %.*s: %s", (int)op->command.len,
                       op->command.data, (int)op->key.len, op->key.data, why);
}

static bool run_operations(struct run *run, size_t at, struct commit_answer *ret)
{
    while (at < run->arg_count) {
        uint64_t count, key;
        struct operation op;

        if (at + 3 > run->arg_count || !number_parse_u64(run->args[at], run->arg_count, &count) ||
            !number_parse_u64(run->args[at + 2], run->key_count, &key) || at + 3 + count > run->arg_count)
            return false;
        op = (struct operation){.command = run->args[at + 1],
                                .key = key ? run->keys[key - 1] : slice_of("", 0),
                                .args = run->args + at + 3,
                                .count = count};
        carry_out(run, &op, ret);
        at += 3 + count;
    }
    return true;
}

static enum commit_word run_commit(struct run *run, struct commit_answer *ret)
{
    const struct store_key *holder = store_find(run->store, run->keys[0]);
    struct store_key *meta = store_find(run->store, run->keys[1]);
    uint64_t number, applied, meta_args;

    if (!number_parse_u64(run->args[2], UINT64_MAX, &number) ||
        !number_parse_u64(run->args[4], run->arg_count, &meta_args) || meta_args % 2)
        return COMMIT_MALFORMED;
    if (!holder || !slice_equal(pair_value(&holder->pairs[0]), run->args[0]))
        return COMMIT_FENCED;
    if (!slice_equal(key_get(meta, "epoch"), run->args[1]) ||
        !number_parse_u64(key_get(meta, "applied_seq"), UINT64_MAX, &applied) ||
        (applied != number - 1 && applied != number))
        return COMMIT_BEHIND;
    if (applied == number)
        return COMMIT_AGAIN;
    find_wrong_types(run, ret);
    if (ret->bad_count)
        return COMMIT_TYPES;
    if (!run_operations(run, 5 + meta_args, ret))
        return COMMIT_MALFORMED;
    meta = store_make(run->store, run->keys[1], STORE_HASH); /* the slots may have moved */
    key_put(meta, slice_text("applied_seq"), run->args[2]);
    for (size_t i = 0; i < meta_args; i += 2)
        key_put(meta, run->args[5 + i], run->args[6 + i]);
    return COMMIT_OK;
}

void script_run_commit(struct store *store, struct slice rendered, struct commit_answer *ret)
{
    struct run run = {.store = store};

    *ret = (struct commit_answer){.word = COMMIT_MALFORMED};
    if (read_words(&run, rendered) && find_parts(&run))
        ret->word = run_commit(&run, ret);
    free(run.words);
}

static bool has_words(const struct run *run, const char *first, size_t count)
{
    return run->count == count && slice_is(run->words[0], first);
}

static void copy_text(char out[SCRIPT_TEXT_MAX], struct slice text);

void key_watch_clear(struct key_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        free(watch->keys[i].name);
        key_clear(&watch->keys[i].seen);
    }
    free(watch->keys);
    *watch = (struct key_watch){0};
}

static void watch_keys(const struct run *run, struct key_watch *watch)
{
    key_watch_clear(watch);
    watch->keys = mem_new(run->count, sizeof(*watch->keys));
    for (size_t i = 1; i < run->count; i++) {
        const struct store_key *key = store_find(run->store, run->words[i]);
        struct watched_key *watched = &watch->keys[watch->count++];

        watched->name = mem_new(run->words[i].len + 1, 1);
        memcpy(watched->name, run->words[i].data, run->words[i].len);
        watched->seen = key_copy(key);
        watched->seen.added = key ? key->added : 0;
    }
}

static bool is_same(const struct store_key *seen, const struct store_key *key)
{
    if (!key)
        return seen->type == STORE_NONE;
    if (seen->type != key->type || seen->added != key->added || seen->pair_count != key->pair_count)
        return false;
    for (uint32_t i = 0; i < seen->pair_count; i++) {
        const struct store_pair *pair = key_find_pair(key, pair_name(&seen->pairs[i]));

        if (!pair || !slice_equal(pair_value(pair), pair_value(&seen->pairs[i])))
            return false;
    }
    return true;
}

bool key_watch_is_unchanged(const struct key_watch *watch, const struct store *store)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (!is_same(&watch->keys[i].seen, store_find_text(store, watch->keys[i].name)))
            return false;
    }
    return true;
}

static bool run_look(struct run *run, struct slice rendered, struct key_watch *watch, struct look_answer *ret)
{
    static const struct {
        const char *name;
        size_t words;
    } head[BATCH_LOOK_HEAD] = {{"EVAL", 4}, {"UNWATCH", 1}, {"WATCH", 3}, {"GET", 2}, {"HMGET", 4}};
    const char *at = rendered.data, *end = at + rendered.len;
    const struct store_key *holder = store_find_text(run->store, KEY_LEADER);
    const struct store_key *meta = store_find_text(run->store, KEY_META);

    for (size_t i = 0; i < BATCH_LOOK_HEAD; i++) {
        if (!read_command(run, &at, end) || run->count < head[i].words ||
            !has_words(run, head[i].name, run->count))
            return false;
        if (slice_is(run->words[0], "WATCH"))
            watch_keys(run, watch);
    }
    copy_text(ret->holder, holder ? pair_value(&holder->pairs[0]) : slice_of("", 0));
    copy_text(ret->epoch, key_get(meta, "epoch"));
    ret->has_applied = number_parse_u64(key_get(meta, "applied_seq"), UINT64_MAX, &ret->applied);
    for (; at < end; ret->type_count++) {
        if (!read_command(run, &at, end) || !has_words(run, "TYPE", 2))
            return false;
        const struct store_key *key = store_find(run->store, run->words[1]);

        ret->types = mem_resize(ret->types, ret->type_count + 1, sizeof(*ret->types));
        ret->types[ret->type_count] = key ? store_type_name(key) : "none";
    }
    return true;
}

bool script_run_look(struct store *store, struct slice rendered, struct key_watch *watch,
                     struct look_answer *ret)
{
    struct run run = {.store = store};
    bool is_sound;

    *ret = (struct look_answer){0};
    is_sound = run_look(&run, rendered, watch, ret);
    free(run.words);
    return is_sound;
}

static bool run_transaction(struct run *run, struct slice rendered, struct commit_answer *ret)
{
    const char *at = rendered.data, *end = at + rendered.len;

    if (!read_command(run, &at, end) || !has_words(run, "MULTI", 1))
        return false;
    while (read_command(run, &at, end) && !has_words(run, "EXEC", 1)) {
        bool has_key = !slice_is(run->words[0], "PUBLISH");
        struct operation op = {.command = run->words[0],
                               .key = has_key && run->count > 1 ? run->words[1] : slice_of("", 0),
                               .args = run->words + 1 + has_key,
                               .count = run->count - 1 - has_key};

        if (!slice_is(run->words[0], "EVAL"))
            carry_out(run, &op, ret);
        else if (!find_parts(run) || !slice_is(run->args[2], "0") || !run_operations(run, 5, ret))
            return false;
    }
    return at == end && has_words(run, "EXEC", 1);
}

void script_run_transaction(struct store *store, struct slice rendered, struct commit_answer *ret)
{
    struct run run = {.store = store};

    *ret = (struct commit_answer){.word = COMMIT_OK};
    if (!run_transaction(&run, rendered, ret))
        ret->word = COMMIT_MALFORMED;
    free(run.words);
}

static void copy_text(char out[SCRIPT_TEXT_MAX], struct slice text)
{
    (void)snprintf(out, SCRIPT_TEXT_MAX, "%.*s", (int)text.len, text.data);
}

/* HINCRBY. */
static void add_to(struct store_key *key, const char *name, uint64_t by)
{
    uint64_t value = 0;
    char text[NUMBER_TEXT_MAX];

    (void)number_parse_u64(key_get(key, name), UINT64_MAX, &value); /* of none begins at 0 */
    key_put(key, slice_text(name), slice_of(text, number_format_u64(text, value + by)));
}

/* Another one held the lease last. */
static bool leave_gap(struct store_key *meta, const char *token)
{
    if (slice_is(key_get(meta, "holder"), token))
        return false;
    key_put(meta, slice_text("holder"), slice_text(token));
    if (key_find_pair(meta, slice_text("applied_seq")))
        add_to(meta, "applied_seq", 2);
    return true;
}

void script_run_lease(struct store *store, const char *token, int64_t lease_ms, const char *dead,
                      struct lease_answer *ret)
{
    struct slice leader = slice_text(KEY_LEADER);
    struct store_key *key = store_find(store, leader);
    struct store_key *meta = store_find_text(store, KEY_META);
    struct slice holder = key ? pair_value(&key->pairs[0]) : slice_of("", 0);

    *ret = (struct lease_answer){.server_ms = store->now_ms};
    if (lease_ms == 0) {
        if (slice_is(holder, token))
            store_remove(store, leader);
        return;
    }
    if (holder.len == 0 || slice_is(holder, token) || (dead[0] && slice_is(holder, dead))) {
        key = store_make(store, leader, STORE_STRING);
        key_put(key, slice_of("", 0), slice_text(token));
        key->expires_ms = store->now_ms + lease_ms;
        holder = slice_text(token);
        ret->ours = true;
        meta = store_find_text(store, KEY_META);
        if (key_find_pair(meta, slice_text("epoch"))) {
            add_to(meta, "beat", 1);
            ret->has_changed = leave_gap(meta, token);
        }
    }
    copy_text(ret->holder, holder);
    copy_text(ret->epoch, key_get(meta, "epoch"));
    ret->has_applied = number_parse_u64(key_get(meta, "applied_seq"), UINT64_MAX, &ret->applied);
    (void)number_parse_u64(key_get(meta, "beat"), UINT64_MAX, &ret->beat); /* 0 where it is missing */
}
