#include "redis_sentinel_answer.h"

#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

bool sentinel_address_equal(const struct sentinel_address *a, const struct sentinel_address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void sentinel_address_format(const struct sentinel_address *address, char out[SENTINEL_ADDRESS_TEXT_MAX])
{
    (void)snprintf(out, SENTINEL_ADDRESS_TEXT_MAX, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u",
                   address->host, address->port);
}

static struct slice text_of(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_of(reply->str, reply->len) : slice_text("");
}

static bool is_host(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_alnum && !memchr(".-_:%", c, 5))
            return false;
    }
    return text.len > 0 && text.len < REDIS_HOST_MAX && text.data[0] != '-';
}

static bool make_address(struct slice host, struct slice port, struct sentinel_address *ret_address)
{
    uint64_t number;

    if (!is_host(host) || !number_parse_u64(port, UINT16_MAX, &number) || number == 0)
        return false;
    memcpy(ret_address->host, host.data, host.len);
    ret_address->host[host.len] = '\0';
    ret_address->port = (uint16_t)number;
    return true;
}

bool sentinel_parse_address(const struct redisReply *reply, struct sentinel_address *ret_address)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           make_address(text_of(reply->element[0]), text_of(reply->element[1]), ret_address);
}

/* The value of a field in a list of names and values; empty where it is not there. */
static struct slice field_of(const struct redisReply *list, const char *name)
{
    for (size_t i = 0; i + 1 < list->elements; i += 2) {
        if (slice_is(text_of(list->element[i]), name))
            return text_of(list->element[i + 1]);
    }
    return slice_text("");
}

static bool has_word(struct slice list, const char *word)
{
    size_t len = strlen(word);

    while (list.len >= len) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t end = comma ? (size_t)(comma - list.data) : list.len;

        if (end == len && memcmp(list.data, word, len) == 0)
            return true;
        if (!comma)
            return false;
        list = slice_of(comma + 1, list.len - end - 1);
    }
    return false;
}

bool sentinel_parse_state(const struct redisReply *reply, struct sentinel_state *ret_state)
{
    struct sentinel_state state = {0};

    if (reply->type != REDIS_REPLY_ARRAY ||
        !number_parse_u64(field_of(reply, "config-epoch"), UINT64_MAX, &state.epoch))
        return false;

    struct slice flags = field_of(reply, "flags");

    state.is_in_trouble =
        has_word(flags, "s_down") || has_word(flags, "o_down") || has_word(flags, "failover_in_progress");
    *ret_state = state;
    return true;
}

static bool make_id(struct slice text, char ret_id[SENTINEL_ID_LEN + 1])
{
    if (text.len != SENTINEL_ID_LEN || memchr(text.data, '\0', text.len))
        return false;
    memcpy(ret_id, text.data, text.len);
    ret_id[text.len] = '\0';
    return true;
}

bool sentinel_parse_id(const struct redisReply *reply, char ret_id[SENTINEL_ID_LEN + 1])
{
    return make_id(text_of(reply), ret_id);
}

bool sentinel_parse_other(const struct redisReply *item, struct sentinel_other *ret_other)
{
    struct sentinel_other other = {0};

    if (item->type != REDIS_REPLY_ARRAY ||
        !make_address(field_of(item, "ip"), field_of(item, "port"), &other.at))
        return false;
    (void)make_id(field_of(item, "runid"), other.id); /* "" until they have met */
    *ret_other = other;
    return true;
}

/* Cuts the next word off *text. */
static struct slice next_word(struct slice *text)
{
    const char *space = text->len ? memchr(text->data, ' ', text->len) : NULL;
    size_t len = space ? (size_t)(space - text->data) : text->len;
    struct slice word = slice_of(text->data, len);

    *text = space ? slice_of(space + 1, text->len - len - 1) : slice_text("");
    return word;
}

bool sentinel_message_is_about(const struct redisReply *message, const char *name)
{
    if (message->type != REDIS_REPLY_ARRAY || message->elements != 3 ||
        !slice_is(text_of(message->element[0]), "message"))
        return false;

    struct slice text = text_of(message->element[2]), word = next_word(&text);

    if (slice_is(text_of(message->element[1]), "+switch-master"))
        return slice_is(word, name);
    if (slice_is(word, "master"))
        return slice_is(next_word(&text), name);
    while (text.len > 0) {
        if (slice_is(next_word(&text), "@"))
            return slice_is(next_word(&text), name);
    }
    return false;
}
