/* Loading the newest events, which the API tells (app/event_feed.h). */
#include "app/daemon.h"
#include "load_private.h"
#include "util/number.h"

static void send_page(struct load *load);

static void on_page(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    if (event_feed_take_page(&load->d->event_feed, reply))
        send_page(load);
}

static void send_page(struct load *load)
{
    char to[STREAM_ID_TEXT_MAX], count[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text("XREVRANGE"),
                            slice_text(load->d->names.events),
                            slice_of(to, stream_id_format(to, load->d->event_feed.fresh_to)),
                            slice_text("-"),
                            slice_text("COUNT"),
                            slice_of(count, number_format_u64(count, EVENT_FEED_PAGE))};
    load_send(load, words, ARRAY_LEN(words), on_page, 0, words[1]);
}

void load_events(struct load *load)
{
    event_feed_begin_reading(&load->d->event_feed);
    send_page(load);
}

static void on_far_events(struct load *load, const redisReply *reply, int arg)
{
    struct far_events *far = &load->d->far_events;
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (!far_events_load(far, load_text(reply->element[i]), load_text(reply->element[i + 1])))
            LOG_LIMITED(load->d->log, WARN, slice_text(KEY_FAR_EVENTS),
                        "a field of ours cannot be read; it is ignored", log_text("key", KEY_FAR_EVENTS),
                        log_slice("field", load_text(reply->element[i])));
    far_events_load_finish(far);
}

/* As many as are held at most. */
void load_far_events(struct load *load)
{
    struct slice words[] = {slice_text("HGETALL"), slice_text(KEY_FAR_EVENTS)};
    if (!daemon_is_home(load->d))
        load_send(load, words, ARRAY_LEN(words), on_far_events, 0, words[1]);
}
