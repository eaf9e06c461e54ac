#include "redis_replies.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES ((size_t)4096)
#define PART_BYTES  ((size_t)64 * 1024)
#define ALIGNMENT   sizeof(void *)

struct redis_replies_part {
    struct redis_replies_part *before;
    size_t used, room;
    char data[];
};

static struct redis_replies_part *add_part(struct redis_replies *replies, size_t size)
{
    size_t room = replies->newest ? PART_BYTES : FIRST_BYTES;
    struct redis_replies_part *part;

    if (room < size)
        room = size;
    if (room > SIZE_MAX - sizeof(*part))
        return NULL;
    /* A length that the server names in front of what it never sends must not be the end of us: as much as
     * that is zero where it is touched, and is not there before. */
    part = room > PART_BYTES ? calloc(1, sizeof(*part) + room) : malloc(sizeof(*part) + room);
    if (!part)
        return NULL;
    part->before = replies->newest;
    part->used = 0;
    part->room = room;
    replies->newest = part;
    return part;
}

/* NULL where there is no memory: the reader makes an error of it. */
static void *take(struct redis_replies *replies, size_t size)
{
    struct redis_replies_part *part = replies->newest;
    char *data;

    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!part || part->room - part->used < size)
        part = add_part(replies, size);
    if (!part)
        return NULL;
    data = part->data + part->used;
    part->used += size;
    return data;
}

static redisReply *make(const redisReadTask *task)
{
    redisReply *reply = take(task->privdata, sizeof(*reply));

    if (reply)
        *reply = (redisReply){.type = task->type};
    return reply;
}

/* Ties REPLY to the array that it stands in. */
static void *tie(const redisReadTask *task, redisReply *reply)
{
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = reply;
    return reply;
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
    redisReply *reply = make(task);

    if (!reply || !(reply->str = take(task->privdata, len + 1)))
        return NULL;
    memcpy(reply->str, text, len);
    reply->str[len] = '\0';
    reply->len = len;
    return tie(task, reply);
}

static bool admit(struct redis_replies *replies, size_t elements)
{
    replies->is_refused = replies->max_elements && elements > replies->max_elements - replies->elements;
    replies->elements += replies->is_refused ? 0 : elements;
    return !replies->is_refused;
}

static void *make_array(const redisReadTask *task, int elements)
{
    redisReply *reply = admit(task->privdata, elements > 0 ? (size_t)elements : 0) ? make(task) : NULL;
    size_t bytes = elements > 0 ? (size_t)elements * sizeof(redisReply *) : 0;

    if (!reply || (bytes && !(reply->element = take(task->privdata, bytes))))
        return NULL;
    if (bytes && bytes <= PART_BYTES) /* what is larger has a part of its own, which is new */
        memset((void *)reply->element, 0, bytes);
    reply->elements = elements > 0 ? (size_t)elements : 0;
    return tie(task, reply);
}

static void *make_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = make(task);

    if (!reply)
        return NULL;
    reply->integer = value;
    return tie(task, reply);
}

static void *make_nil(const redisReadTask *task)
{
    redisReply *reply = make(task);

    if (!reply)
        return NULL;
    reply->type = REDIS_REPLY_NIL; /* the task has that of what is not there */
    return tie(task, reply);
}

const struct redisReplyObjectFunctions redis_replies_functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = NULL,
};

static void drop_newest(struct redis_replies *replies)
{
    struct redis_replies_part *part = replies->newest;

    replies->newest = part->before;
    free(part);
}

void redis_replies_reset(struct redis_replies *replies)
{
    while (replies->newest && (replies->newest->before || replies->newest->room > FIRST_BYTES))
        drop_newest(replies);
    if (replies->newest)
        replies->newest->used = 0;
    replies->elements = 0;
}

void redis_replies_clear(struct redis_replies *replies)
{
    while (replies->newest)
        drop_newest(replies);
    replies->elements = 0;
}
