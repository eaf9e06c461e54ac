/* Plain XREAD: everybody may read a command, and its agent knows what it has done. */
#include "commands.h"

#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "util/alloc.h"
#include "util/number.h"
#include "util/time_text.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MS        1000
#define BLOCK_TEXT      "1000"
#define RETRY_MS        200
#define INSTANCE_PREFIX "mt5-"

struct commands {
    struct sim *sim;
    struct agents *agents;
    struct redis_link *link;
    struct loop_timer *retry;
    bool is_placed; /* cursor is known */
    char cursor[STREAM_ID_TEXT_MAX];
    void (*on_progress)(void *ctx);
    void *ctx;
};

static struct slice reply_slice(const redisReply *reply)
{
    return slice_of(reply->str, (size_t)reply->len);
}

static struct slice find_field(const redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (slice_is(reply_slice(fields->element[i]), name))
            return reply_slice(fields->element[i + 1]);
    }
    return slice_of(NULL, 0);
}

static uint32_t parse_number(struct slice instance_id)
{
    size_t prefix_len = strlen(INSTANCE_PREFIX);
    uint64_t number = 0;

    if (instance_id.len > prefix_len && memcmp(instance_id.data, INSTANCE_PREFIX, prefix_len) == 0 &&
        instance_id.data[prefix_len] != '0')
        (void)number_parse_u64(slice_of(instance_id.data + prefix_len, instance_id.len - prefix_len),
                               UINT32_MAX, &number);
    return (uint32_t)number;
}

/* Of a time in whole seconds the second that it names still counts: it may have been rounded down. */
static bool is_expired(struct slice expires_at)
{
    int64_t expires_ms;

    if (!time_text_parse(expires_at, &expires_ms))
        return false;
    if (expires_at.len == TIME_TEXT_LEN)
        expires_ms += 1000;
    return expires_ms <= loop_wall_ms();
}

static void take_entry(struct commands *commands, const redisReply *entry)
{
    const redisReply *fields = entry->element[1];
    struct agent_command command = {.command_id = find_field(fields, "command_id"),
                                    .command = find_field(fields, "command"),
                                    .cancels = find_field(fields, "cancels"),
                                    .target = find_field(fields, "target_instance_id"),
                                    .is_expired = is_expired(find_field(fields, "expires_at"))};

    command.target_number = parse_number(command.target);

    agents_obey(commands->agents, parse_number(find_field(fields, "instance_id")), &command);
}

static bool is_entry(const redisReply *entry)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
           entry->element[0]->type == REDIS_REPLY_STRING && entry->element[0]->len < STREAM_ID_TEXT_MAX &&
           entry->element[1]->type == REDIS_REPLY_ARRAY;
}

static void go_on(struct commands *commands);

static void retry_later(struct commands *commands)
{
    loop_timer_set(commands->retry, RETRY_MS);
}

static void on_read(void *ctx, void *answer)
{
    struct commands *commands = ctx;
    const redisReply *reply = answer;
    const redisReply *entries;

    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        retry_later(commands);
        return;
    }
    commands->sim->now_ms = loop_now_ms();
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 && reply->element[0]->elements == 2) {
        entries = reply->element[0]->element[1];
        for (size_t i = 0; i < entries->elements; i++) {
            if (!is_entry(entries->element[i]))
                continue;
            (void)snprintf(commands->cursor, sizeof(commands->cursor), "%s",
                           entries->element[i]->element[0]->str);
            take_entry(commands, entries->element[i]);
        }
    }
    commands->on_progress(commands->ctx);
    go_on(commands);
}

static void on_placed(void *ctx, void *answer)
{
    struct commands *commands = ctx;
    const redisReply *reply = answer;

    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_ARRAY) {
        retry_later(commands);
        return;
    }
    commands->is_placed = true;
    if (reply->elements == 1 && is_entry(reply->element[0]))
        (void)snprintf(commands->cursor, sizeof(commands->cursor), "%s", reply->element[0]->element[0]->str);
    commands->on_progress(commands->ctx);
    go_on(commands);
}

static void go_on(struct commands *commands)
{
    struct slice stream = slice_text(commands->sim->options->stream_commands);
    struct slice place[] = {SLICE("XREVRANGE"), stream, SLICE("+"), SLICE("-"), SLICE("COUNT"), SLICE("1")};
    struct slice read[] = {SLICE("XREAD"),    SLICE("COUNT"),   SLICE("100"), SLICE("BLOCK"),
                           SLICE(BLOCK_TEXT), SLICE("STREAMS"), stream,       slice_text(commands->cursor)};
    int error;

    if (!redis_link_is_up(commands->link))
        return;
    error = commands->is_placed ? redis_link_command(commands->link, read, 8, BLOCK_MS, on_read, commands)
                                : redis_link_command(commands->link, place, 6, 0, on_placed, commands);
    if (error < 0)
        retry_later(commands);
}

static void on_retry(void *ctx)
{
    go_on(ctx);
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct commands *commands = ctx;

    (void)reason; /* the writer, which goes the same way, tells it */
    (void)was_up;
    loop_timer_stop(commands->retry);
}

struct commands *commands_new(struct sim *sim, struct agents *agents, struct loop *loop,
                              const struct redis_link_options *link, void (*on_progress)(void *ctx),
                              void *ctx)
{
    struct commands *commands = mem_new(1, sizeof(*commands));
    const struct redis_link_events events = {.up = on_retry, .down = on_down};
    struct redis_link_options own = *link;

    *commands = (struct commands){
        .sim = sim, .agents = agents, .on_progress = on_progress, .ctx = ctx, .cursor = "0-0"};
    own.client_name = "mt5sim-agents";
    commands->retry = loop_timer_new(loop, on_retry, commands);
    commands->link = redis_link_new(loop, &own, &events, commands);
    redis_link_start(commands->link);
    return commands;
}

bool commands_are_placed(const struct commands *commands)
{
    return commands->is_placed;
}

void commands_free(struct commands *commands)
{
    if (!commands)
        return;
    redis_link_free(commands->link);
    loop_timer_free(commands->retry);
    free(commands);
}
