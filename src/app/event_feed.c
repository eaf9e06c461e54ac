/* Keeping the copy of the stream of events. */
#include "app/event_feed.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/event_pack.h"
#include "event_clients.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

#define RETRY_MS  1000
#define REREAD_MS 1000 /* at least between two */
/* What is taken of a value that others have written: more than any of ours has. */
#define VALUE_MAX 1024
/* Clients are told together, so that what it costs to tell many does not grow with the events. */
#define TELL_MS 50

struct question {
    struct event_feed *feed;
    uint64_t generation;
    bool is_page; /* of all there is */
};

static void ask(struct event_feed *feed);
static void ask_page(struct event_feed *feed);
static void on_page(void *ctx, void *object);

static void on_retry(void *ctx)
{
    ask(ctx);
}

static void on_reread(void *ctx)
{
    struct event_feed *feed = ctx;
    feed->reread_ms = loop_now_ms();
    event_feed_begin_reading(feed);
    ask_page(feed);
}

static void on_tell(void *ctx)
{
    struct event_feed *feed = ctx;
    if (event_clients_tell(feed)) {
        loop_timer_set(feed->tell, 0);
        return;
    }
    feed->untold = 0;
    feed->told_ms = loop_now_ms();
}

void event_feed_init(struct event_feed *feed, struct daemon *d)
{
    *feed = (struct event_feed){.d = d};
    event_ring_init(&feed->ring);
    event_ring_init(&feed->fresh);
    feed->retry = loop_timer_new(d->loop, on_retry, feed);
    feed->reread = loop_timer_new(d->loop, on_reread, feed);
    feed->tell = loop_timer_new(d->loop, on_tell, feed);
    event_clients_init(feed);
}

void event_feed_clear(struct event_feed *feed)
{
    if (!feed->d)
        return;
    event_ring_clear(&feed->ring);
    event_ring_clear(&feed->fresh);
    loop_timer_free(feed->retry);
    loop_timer_free(feed->reread);
    loop_timer_free(feed->tell);
}

static void ring_reset(struct event_ring *ring)
{
    event_ring_clear(ring);
    event_ring_init(ring);
}

/* What has been asked is of no use any more. */
static void forget_questions(struct event_feed *feed)
{
    feed->generation++;
    feed->is_asking = feed->is_reading = feed->is_behind = false;
    feed->expected = 0;
    loop_timer_stop(feed->retry);
    loop_timer_stop(feed->reread);
}

void event_feed_reset(struct event_feed *feed)
{
    forget_questions(feed);
    feed->told = event_feed_told(feed);
    feed->left += feed->ring.left;
    ring_reset(&feed->ring);
    ring_reset(&feed->fresh);
    sse_list_close(&feed->clients);
}

static struct slice text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_of(reply->str, reply->len) : slice_of("", 0);
}

/* An entry as an event. False for one that is none: others may write to the stream. */
static bool read_event(const redisReply *reply, struct buf *packed, struct ring_event *ret_event)
{
    struct slice names[EVENT_PACK_FIELDS_MAX], values[EVENT_PACK_FIELDS_MAX];
    const redisReply *fields = reply->element[1];
    size_t count = 0;
    for (size_t i = 0; i + 1 < fields->elements && count < EVENT_PACK_FIELDS_MAX; i += 2) {
        struct slice name = text_of(fields->element[i]), value = text_of(fields->element[i + 1]);
        if (!ident_is_valid(name, IDENT_MAX))
            continue;
        value.len = value.len < VALUE_MAX ? value.len : VALUE_MAX;
        names[count] = name;
        values[count++] = value;
    }
    if (!event_find_ident(names, values, count, "event").len)
        return false;
    packed->len = 0;
    event_pack(packed, ret_event->id, names, values, count);
    ret_event->packed = buf_slice(packed);
    return true;
}

static bool read_id(const redisReply *reply, struct stream_id *ret_id)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[1]->type == REDIS_REPLY_ARRAY &&
           stream_id_parse(text_of(reply->element[0]), ret_id);
}

static void tell_soon(struct event_feed *feed)
{
    feed->untold = feed->clients.count; /* those who were told in this round are, once more */
    if (loop_timer_is_set(feed->tell) || !feed->untold)
        return;
    int64_t left_ms = feed->told_ms + TELL_MS - loop_now_ms();
    loop_timer_set(feed->tell, left_ms > 0 ? left_ms : 0);
}

static void take_new(struct event_feed *feed, const redisReply *reply)
{
    struct buf packed = BUF_INIT;
    struct ring_event event;
    for (size_t i = 0; i < reply->elements; i++) {
        if (read_id(reply->element[i], &event.id) && read_event(reply->element[i], &packed, &event))
            event_ring_add(&feed->ring, &event);
    }
    buf_clear(&packed);
    feed->expected -= reply->elements < feed->expected ? reply->elements : feed->expected;
    tell_soon(feed);
}

/* Where all of it is being read already, what was missed is found behind that. */
static void reread_soon(struct event_feed *feed)
{
    if (feed->is_reading)
        return;
    int64_t left_ms = feed->reread_ms + REREAD_MS - loop_now_ms();
    if (!loop_timer_is_set(feed->reread))
        loop_timer_set(feed->reread, left_ms > 0 ? left_ms : 0);
}

/* A part of it is of no use: from the beginning, once that can be. */
static void give_up_reading(struct event_feed *feed)
{
    feed->is_reading = false;
    reread_soon(feed);
}

/* True where the answer counts, and REPLY holds entries; else what there is to be done is done. */
static bool check_answer(struct question *question, const redisReply *reply)
{
    struct event_feed *feed = question->feed;
    bool counts = question->generation == feed->generation, is_page = question->is_page;
    free(question);
    if (!counts)
        return false;
    feed->is_asking = false;
    if (reply && reply->type == REDIS_REPLY_ARRAY)
        return true;
    feed->is_behind = true; /* asked again once the link is up */
    if (is_page)
        give_up_reading(feed);
    if (!reply)
        return false;
    LOG_LIMITED(feed->d->log, WARN, slice_text("events"), "cannot read the events back",
                log_slice("error", slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0)));
    if (!is_page)
        loop_timer_set(feed->retry, RETRY_MS);
    return false;
}

static void on_new(void *ctx, void *object)
{
    struct event_feed *feed = ((struct question *)ctx)->feed;
    const redisReply *reply = object;
    if (!check_answer(ctx, reply))
        return;
    take_new(feed, reply);
    if (reply->elements == EVENT_FEED_PAGE || feed->is_behind)
        ask(feed);
    else if (feed->expected)
        reread_soon(feed);
}

static void send_range(struct event_feed *feed, bool is_page, struct slice from, struct slice to)
{
    char count[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text(is_page ? "XREVRANGE" : "XRANGE"),
                            slice_text(feed->d->names.events),
                            from,
                            to,
                            slice_text("COUNT"),
                            slice_of(count, number_format_u64(count, EVENT_FEED_PAGE))};
    struct question *question = mem_new(1, sizeof *question);
    *question = (struct question){feed, feed->generation, is_page};
    feed->is_asking = true;
    feed->is_behind = false;
    if (redis_link_command(feed->d->link, words, ARRAY_LEN(words), 0, is_page ? on_page : on_new, question) ==
        0)
        return;
    free(question);
    feed->is_asking = false;
    feed->is_behind = true;
    if (is_page)
        give_up_reading(feed);
}

/* Asks for what has come. */
static void ask(struct event_feed *feed)
{
    char from[STREAM_ID_TEXT_MAX];
    if (feed->is_asking) {
        feed->is_behind = true;
        return;
    }
    size_t len = stream_id_format(from, stream_id_next(event_ring_newest(&feed->ring)));
    send_range(feed, false, slice_of(from, len), slice_text("+"));
}

void event_feed_on_stored(struct event_feed *feed, uint64_t count)
{
    if (!count)
        return;
    feed->expected += count;
    ask(feed);
}

void event_feed_go_on(struct event_feed *feed)
{
    if (feed->is_behind || feed->expected)
        ask(feed);
}

void event_feed_poke(struct event_feed *feed)
{
    if (!feed->is_asking && !feed->is_reading)
        ask(feed);
}

void event_feed_begin_reading(struct event_feed *feed)
{
    forget_questions(feed);
    feed->is_reading = true;
    ring_reset(&feed->fresh);
    feed->fresh_to = (struct stream_id){UINT64_MAX, UINT64_MAX};
}

struct stream_id event_feed_told(const struct event_feed *feed)
{
    struct stream_id newest = event_ring_newest(&feed->ring);
    return stream_id_compare(newest, feed->told) > 0 ? newest : feed->told;
}

uint64_t event_feed_count_behind(const struct event_feed *feed, struct stream_id last)
{
    return feed->ring.count - event_ring_find(&feed->ring, last);
}

/* Behind the newest that was read something may have come meanwhile. */
static void swap_rings(struct event_feed *feed)
{
    feed->told = event_feed_told(feed);
    struct event_ring old = feed->ring;
    feed->ring = feed->fresh;
    feed->fresh = old;
    feed->left += old.left;
    ring_reset(&feed->fresh);
    forget_questions(feed);
    tell_soon(feed);
    ask(feed);
}

bool event_feed_take_page(struct event_feed *feed, const redisReply *reply)
{
    struct buf packed = BUF_INIT;
    struct ring_event event = {.id = feed->fresh_to};
    bool is_full = false;
    for (size_t i = 0; i < reply->elements && !is_full; i++) {
        if (read_id(reply->element[i], &event.id) && read_event(reply->element[i], &packed, &event))
            is_full = !event_ring_add_older(&feed->fresh, &event);
    }
    buf_clear(&packed);
    if (!is_full && reply->elements == EVENT_FEED_PAGE) {
        feed->fresh_to = stream_id_prev(event.id);
        return true;
    }
    swap_rings(feed);
    return false;
}

static void on_page(void *ctx, void *object)
{
    struct event_feed *feed = ((struct question *)ctx)->feed;
    if (check_answer(ctx, object) && event_feed_take_page(feed, object))
        ask_page(feed);
}

static void ask_page(struct event_feed *feed)
{
    char to[STREAM_ID_TEXT_MAX];
    size_t len = stream_id_format(to, feed->fresh_to);
    send_range(feed, true, slice_of(to, len), slice_text("-"));
}
