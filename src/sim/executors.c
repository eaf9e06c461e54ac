/* One executor goes from making the group over what is pending for it to new entries, and starts over
 * whenever its link comes up. */
#include "executors.h"

#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_COUNT     "100"
#define BLOCK_MS       1000
#define BLOCK_DRAIN_MS 50
#define RETRY_MS       200

enum executor_phase { EXECUTOR_JOINING, EXECUTOR_PENDING, EXECUTOR_LIVE };

struct executor {
    struct executors *all;
    struct redis_link *link;
    struct loop_timer *retry;
    char name[32];
    enum executor_phase phase;
    bool is_reading,
        is_known; /* known: it has been live before, so what is pending was delivered to this run */
    bool reads_for_drain, is_drained;
    char cursor[STREAM_ID_TEXT_MAX]; /* in the pending ones */
};

void executors_init(struct executors *executors, struct sim *sim, struct signals *signals,
                    struct answers *answers)
{
    *executors = (struct executors){.sim = sim,
                                    .signals = signals,
                                    .answers = answers,
                                    .stream = sim->options->stream[STREAM_SIGNALS],
                                    .group = sim->options->executor_group};
}

/* False where this id of somebody else's has been executed before. */
static bool remember_foreign(struct executors *executors, const char *id)
{
    uint64_t hash = hash_bytes((struct hash_key){1, 2}, id, strlen(id));
    uint64_t kept = executors->foreign_count < FOREIGN_IDS ? executors->foreign_count : FOREIGN_IDS;

    for (uint64_t i = 0; i < kept; i++) {
        if (executors->foreign[i] == hash)
            return false;
    }
    executors->foreign[executors->foreign_count++ % FOREIGN_IDS] = hash;
    return true;
}

struct delivery {
    struct stream_id entry;
    struct slice signal_id, action, instance_id;
    bool has_signal_id, has_action, has_instance_id;
};

static void take_field(struct delivery *delivery, struct slice name, struct slice value)
{
    if (slice_is(name, "signal_id")) {
        delivery->signal_id = value;
        delivery->has_signal_id = true;
    } else if (slice_is(name, "action")) {
        delivery->action = value;
        delivery->has_action = true;
    } else if (slice_is(name, "instance_id")) {
        delivery->instance_id = value;
        delivery->has_instance_id = true;
    }
}

static struct slice reply_slice(const redisReply *reply)
{
    return slice_of(reply->str, (size_t)reply->len);
}

/* One entry as XREADGROUP gives it: its ID, and its fields or nil where it has been removed. */
static bool parse_delivery(const redisReply *reply, struct delivery *ret_delivery)
{
    struct delivery delivery = {.entry = {0, 0}};

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        !stream_id_parse(reply_slice(reply->element[0]), &delivery.entry))
        return false;
    if (reply->element[1]->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i + 1 < reply->element[1]->elements; i += 2)
            take_field(&delivery, reply_slice(reply->element[1]->element[i]),
                       reply_slice(reply->element[1]->element[i + 1]));
    }
    *ret_delivery = delivery;
    return true;
}

static bool is_valid(const struct delivery *delivery)
{
    return delivery->has_signal_id && ident_is_valid(delivery->signal_id, IDENT_MAX) &&
           delivery->has_action && ident_is_valid(delivery->action, IDENT_ACTION_MAX) &&
           (!delivery->has_instance_id || ident_is_valid(delivery->instance_id, IDENT_MAX));
}

static struct planned_signal *plan_foreign(struct executors *executors, struct slice id, uint64_t *ret_number)
{
    char text[IDENT_MAX + 1];
    struct planned_signal *signal;

    memcpy(text, id.data, id.len);
    text[id.len] = '\0';
    if (!remember_foreign(executors, text))
        return NULL;
    signal = signals_plan(executors->signals, text, ret_number);
    signal->written = true;
    executors->sim->account.foreign.taken++;
    return signal;
}

/* The signal behind a delivery that is to be executed, or NULL. */
static struct planned_signal *find_work(struct executors *executors, const struct delivery *delivery,
                                        uint64_t *ret_number)
{
    struct planned_signal *signal;

    if (!is_valid(delivery))
        return NULL;
    if (!signals_parse_id(executors->signals, delivery->signal_id, ret_number))
        return plan_foreign(executors, delivery->signal_id, ret_number);
    signal = signals_find(executors->signals, *ret_number);
    return signal && !signal->taken ? signal : NULL;
}

static void take_delivery(struct executors *executors, const struct delivery *delivery)
{
    uint64_t number;
    struct planned_signal *signal = find_work(executors, delivery, &number);

    if (!signal) {
        writer_ack(executors->sim->writer, delivery->entry);
        return;
    }
    signal->taken = true;
    signal->entry = delivery->entry;
    signal->waiting_since = (int64_t)delivery->entry.ms;
    if (!signal->is_answered)
        writer_ack(executors->sim->writer, delivery->entry);
    answers_begin(executors->answers, signal, number);
}

/* What was delivered before the link was lost: done, under way, or new to us. */
static void take_pending(struct executor *executor, const struct delivery *delivery)
{
    struct executors *executors = executor->all;
    uint64_t number;
    const struct planned_signal *signal;

    if (!executor->is_known) {
        executors->sim->account.abandoned_signals++;
        writer_ack(executors->sim->writer, delivery->entry);
        return;
    }
    if (delivery->has_signal_id && signals_parse_id(executors->signals, delivery->signal_id, &number)) {
        signal = signals_find(executors->signals, number);
        if (signal && signal->taken && signal->pending > 0)
            return;
    }
    take_delivery(executors, delivery);
}

static void go_on(struct executor *executor);

static void take_entries(struct executor *executor, const redisReply *entries)
{
    for (size_t i = 0; i < entries->elements; i++) {
        struct delivery delivery;

        if (!parse_delivery(entries->element[i], &delivery))
            continue;
        if (executor->phase == EXECUTOR_PENDING) {
            (void)stream_id_format(executor->cursor, delivery.entry);
            take_pending(executor, &delivery);
        } else {
            take_delivery(executor->all, &delivery);
        }
    }
}

/* The entries of the one stream that was asked for, NULL for none. */
static const redisReply *find_entries(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
        reply->element[0]->type != REDIS_REPLY_ARRAY || reply->element[0]->elements != 2 ||
        reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
        return NULL;
    return reply->element[0]->element[1]->elements > 0 ? reply->element[0]->element[1] : NULL;
}

static void on_read(void *ctx, void *answer)
{
    struct executor *executor = ctx;
    const redisReply *reply = answer;
    const redisReply *entries;

    executor->is_reading = false;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        executor->phase = EXECUTOR_JOINING;
        loop_timer_set(executor->retry, RETRY_MS);
        return;
    }
    executor->all->sim->now_ms = loop_now_ms();
    entries = find_entries(reply);
    if (entries)
        take_entries(executor, entries);
    else if (executor->phase == EXECUTOR_PENDING)
        executor->phase = EXECUTOR_LIVE;
    else
        executor->is_drained = executor->reads_for_drain;
    executor->all->on_progress(executor->all->ctx);
    go_on(executor);
}

static void read_on(struct executor *executor)
{
    bool live = executor->phase == EXECUTOR_LIVE;
    int64_t block_ms = executor->all->sim->phase == SIM_RUNNING ? BLOCK_MS : BLOCK_DRAIN_MS;
    char block[NUMBER_TEXT_MAX];
    size_t block_len = number_format_i64(block, block_ms);
    struct slice argv[] = {SLICE("XREADGROUP"),
                           SLICE("GROUP"),
                           slice_text(executor->all->group),
                           slice_text(executor->name),
                           SLICE("COUNT"),
                           SLICE(READ_COUNT),
                           SLICE("BLOCK"),
                           slice_of(block, block_len),
                           SLICE("STREAMS"),
                           slice_text(executor->all->stream),
                           slice_text(live ? ">" : executor->cursor)};

    executor->reads_for_drain = executor->all->is_draining && live;
    executor->is_reading = redis_link_command(executor->link, argv, 11, block_ms, on_read, executor) == 0;
}

static void on_joined(void *ctx, void *answer)
{
    struct executor *executor = ctx;
    const redisReply *reply = answer;

    executor->is_reading = false;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "BUSYGROUP", 9) != 0) {
        loop_timer_set(executor->retry, RETRY_MS);
        return;
    }
    executor->phase = EXECUTOR_PENDING;
    (void)snprintf(executor->cursor, sizeof(executor->cursor), "0-0");
    go_on(executor);
}

static void join_group(struct executor *executor)
{
    struct slice argv[] = {SLICE("XGROUP"),
                           SLICE("CREATE"),
                           slice_text(executor->all->stream),
                           slice_text(executor->all->group),
                           SLICE("0"),
                           SLICE("MKSTREAM")};

    executor->is_reading = redis_link_command(executor->link, argv, 6, 0, on_joined, executor) == 0;
}

static void go_on(struct executor *executor)
{
    const struct sim *sim = executor->all->sim;

    if (executor->is_reading || !redis_link_is_up(executor->link) || loop_timer_is_set(executor->retry) ||
        executor->is_drained || sim->phase == SIM_CLOSING || writer_is_full(sim->writer))
        return;
    if (executor->phase == EXECUTOR_JOINING) {
        join_group(executor);
        return;
    }
    if (executor->phase == EXECUTOR_LIVE)
        executor->is_known = true;
    read_on(executor);
}

static void on_retry(void *ctx)
{
    go_on(ctx);
}

static void on_up(void *ctx)
{
    struct executor *executor = ctx;

    executor->phase = EXECUTOR_JOINING;
    go_on(executor);
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct executor *executor = ctx;

    (void)reason; /* the writer, which goes the same way, tells it */
    (void)was_up;
    loop_timer_stop(executor->retry);
}

void executors_start(struct executors *executors, struct loop *loop, const struct redis_link_options *link,
                     void (*on_progress)(void *ctx), void *ctx)
{
    const struct redis_link_events events = {.up = on_up, .down = on_down};

    executors->on_progress = on_progress;
    executors->ctx = ctx;
    executors->count = (size_t)executors->sim->options->executors;
    executors->all = mem_new(executors->count, sizeof(*executors->all));
    for (size_t i = 0; i < executors->count; i++) {
        struct executor *executor = &executors->all[i];
        struct redis_link_options own = *link;

        executor->all = executors;
        (void)snprintf(executor->name, sizeof(executor->name), "executor-%zu", i + 1);
        own.client_name = executor->name;
        executor->retry = loop_timer_new(loop, on_retry, executor);
        executor->link = redis_link_new(loop, &own, &events, executor);
        redis_link_start(executor->link);
    }
}

void executors_clear(struct executors *executors)
{
    for (size_t i = 0; i < executors->count; i++) {
        redis_link_free(executors->all[i].link);
        loop_timer_free(executors->all[i].retry);
    }
    free(executors->all);
    executors->all = NULL;
    executors->count = 0;
}

void executors_resume(struct executors *executors)
{
    for (size_t i = 0; i < executors->count; i++)
        go_on(&executors->all[i]);
}

void executors_begin_drain(struct executors *executors)
{
    executors->is_draining = true;
}

bool executors_are_drained(const struct executors *executors)
{
    for (size_t i = 0; i < executors->count; i++) {
        if (!executors->all[i].is_drained)
            return false;
    }
    return true;
}
