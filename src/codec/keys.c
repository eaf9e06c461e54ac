#include "codec/keys.h"
#include "core/ident.h"
#include "util/macros.h"
#include <stdio.h>

static const char *const record_prefixes[RECORD_KINDS] = {
    "instance:", "instance_metrics:", "instance_health:", "trade:"};
static const char *const index_prefixes[] = {"instance:state:", "trade:state:"};

static void key_add(struct key *key, const char *text, size_t len)
{
    size_t room = sizeof key->text - 1 - key->len, part = len < room ? len : room;
    if (part)
        memcpy(key->text + key->len, text, part);
    key->len += part;
}

static struct key key_join(const char *prefix, struct slice middle, const char *suffix)
{
    struct key key;
    key.len = 0;
    key_add(&key, prefix, strlen(prefix));
    key_add(&key, middle.data, middle.len);
    key_add(&key, suffix, strlen(suffix));
    key.text[key.len] = '\0';
    return key;
}

struct key key_record(enum record_kind kind, struct slice id)
{
    return key_join(record_prefixes[kind], id, "");
}

struct key key_index(enum index_kind kind, const char *state)
{
    return key_join(index_prefixes[kind], slice_text(state), "");
}

struct key key_rejected(const char *stream)
{
    return key_join("", slice_text(stream), "_rejected");
}

struct key key_dropped(const char *stream)
{
    return key_join("", slice_text(stream), "_dropped");
}

struct key key_displaced(struct slice key)
{
    return key_join(KEY_DISPLACED, key, "");
}

const char *key_record_prefix(enum record_kind kind)
{
    return record_prefixes[kind];
}

bool key_parse_record(struct slice key, enum record_kind *ret_kind, struct slice *ret_id)
{
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        size_t len = strlen(record_prefixes[kind]);
        if (key.len <= len || memcmp(key.data, record_prefixes[kind], len) != 0)
            continue;
        struct slice id = slice_of(key.data + len, key.len - len);
        if (!ident_is_valid(id, IDENT_MAX))
            return false;
        *ret_kind = (enum record_kind)kind;
        *ret_id = id;
        return true;
    }
    return false;
}

static const char *const stream_words[STREAM_KINDS] = {"reports", "signals", "results", "trades"};

const char *key_stream_word(enum stream_kind stream)
{
    return stream_words[stream];
}

struct key key_position(enum stream_kind stream)
{
    return key_join("pos:", slice_text(stream_words[stream]), "");
}

bool key_parse_total(struct slice field, enum total_kind *ret_kind, struct slice *ret_label)
{
    const char *colon = field.len ? memchr(field.data, ':', field.len) : NULL;
    if (!colon)
        return false;
    struct slice kind = slice_of(field.data, (size_t)(colon - field.data));
    struct slice label = slice_of(colon + 1, field.len - kind.len - 1);
    if (label.len == 0 || label.len > IDENT_MAX)
        return false;
    for (int k = 0; k < TOTAL_KINDS; k++) {
        if (!slice_is(kind, total_kind_name((enum total_kind)k)))
            continue;
        *ret_kind = (enum total_kind)k;
        *ret_label = label;
        return true;
    }
    return false;
}
