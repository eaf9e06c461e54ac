/* Events over HTTP (SPEC §8.1): a page of them, or a stream that goes on.
 *
 * A client of a stream has a position in the ring of the feed, and is given more only when it has taken what
 * it was given: what a slow one has not read waits in the ring, once for all, and where that goes on without
 * it the client is told of the gap. */
#include "adapters/http.h"
#include "app/daemon.h"
#include "codec/event_json.h"
#include "codec/event_pack.h"
#include "event_clients.h"

#define CLIENTS_MAX    4096 /* the HTTP server has a bound of its own */
#define CLIENTS_A_TURN 16   /* told without a look at what else there is to do */
#define FILL_BYTES     ((size_t)64 << 10)
#define WAIT_BYTES     ((size_t)256 << 10)

struct event_client {
    struct sse sse;
    struct event_feed *feed;
    struct stream_id after;
    struct ident instance_id; /* empty: all */
};

static void add_id(struct buf *out, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    buf_add(out, text, stream_id_format(text, id));
}

static struct slice find_ident(const struct event_unpacked *fields, const char *name)
{
    return event_find_ident(fields->names, fields->values, fields->count, name);
}

static bool fits(const struct event_unpacked *fields, struct slice instance_id)
{
    return !instance_id.len || slice_equal(find_ident(fields, "instance_id"), instance_id);
}

static void add_message(struct buf *out, struct stream_id id, const struct event_unpacked *fields)
{
    buf_add_text(out, "id: ");
    add_id(out, id);
    buf_add_text(out, "\nevent: ");
    buf_add_slice(out, find_ident(fields, "event"));
    buf_add_text(out, "\ndata: ");
    event_json_add(out, fields->names, fields->values, fields->count);
    buf_add_text(out, "\n\n");
}

/* Something between the client's position and what is kept may be missing. */
static void add_gap(struct buf *out, const struct event_client *client)
{
    buf_add_text(out, "event: gap\ndata: {\"since\":\"");
    add_id(out, client->after);
    buf_add_text(out, "\"}\n\n");
}

/* Gives the client what comes next, if there is anything. */
static void feed_client(struct sse *sse)
{
    struct event_client *client = (struct event_client *)sse;
    const struct event_ring *ring = &client->feed->ring;
    struct buf out = BUF_INIT;
    if (!event_ring_knows(ring, client->after)) {
        add_gap(&out, client);
        client->after = (struct stream_id){0, 0};
    }
    uint32_t i = event_ring_find(ring, client->after);
    for (; i < ring->count && out.len < FILL_BYTES; i++) {
        struct ring_event event = event_ring_at(ring, i);
        struct event_unpacked fields;
        event_unpack(event.packed, event.id, &fields);
        client->after = event.id;
        if (fits(&fields, ident_slice(&client->instance_id)))
            add_message(&out, event.id, &fields);
    }
    if (out.len)
        (void)sse_send(sse, buf_slice(&out)); /* one that is given up is gone */
    buf_clear(&out);
}

void event_clients_init(struct event_feed *feed)
{
    sse_list_init(&feed->clients, feed->d->loop, CLIENTS_MAX, WAIT_BYTES, feed_client);
}

/* Those who were told go to the end of the list, so that the first are the next. */
bool event_clients_tell(struct event_feed *feed)
{
    struct sse_list *list = &feed->clients;
    struct sse *sse;
    for (int i = 0; i < CLIENTS_A_TURN && feed->untold && (sse = TAILQ_FIRST(&list->clients)); i++) {
        feed->untold--;
        TAILQ_REMOVE(&list->clients, sse, link);
        TAILQ_INSERT_TAIL(&list->clients, sse, link);
        if (sse_is_drained(sse))
            feed_client(sse);
    }
    return feed->untold > 0 && !TAILQ_EMPTY(&list->clients);
}

/* Where a page, or a stream, begins. */
struct query {
    struct slice instance_id; /* empty: all */
    bool has_since;
    struct stream_id since;
};

static bool read_query(const struct api_call *call, struct query *ret_query)
{
    struct query query = {.instance_id = api_arg(call, "instance")};
    struct slice since, instance;
    query.has_since = http_request_arg(call->request, "since", &since);
    if (http_request_arg(call->request, "instance", &instance) && !ident_is_valid(instance, IDENT_MAX)) {
        api_refuse(call->request, 400, "instance: not an instance_id");
    } else if (query.has_since && !stream_id_parse(since, &query.since)) {
        api_refuse(call->request, 400, "since: not the id of an event");
    } else {
        *ret_query = query;
        return true;
    }
    return false;
}

/* A client that comes back says what it saw last; a new one hears what happens from now on, unless it says
 * since when. What cannot be read is taken for something that was long ago. */
static struct stream_id first_position(const struct api_call *call, const struct query *query)
{
    struct slice last = http_request_header(call->request, "Last-Event-ID");
    struct stream_id position = {0, 1};
    if (last.len)
        (void)stream_id_parse(last, &position);
    else if (query->has_since)
        position = query->since;
    else
        position = event_ring_newest(&call->server->d->event_feed.ring);
    return position;
}

/* An id without data is no event, and where a client comes back to: one that was cut off before anything had
 * happened misses nothing either. False where the client is gone. */
static bool send_position(struct event_client *client)
{
    struct buf out = BUF_INIT;
    buf_add_text(&out, "id: ");
    add_id(&out, client->after);
    buf_add_text(&out, "\n\n");
    bool is_there = sse_send(&client->sse, buf_slice(&out));
    buf_clear(&out);
    return is_there;
}

static void open_stream(const struct api_call *call, const struct query *query)
{
    struct event_feed *feed = &call->server->d->event_feed;
    struct slice limit;
    if (http_request_arg(call->request, "limit", &limit)) {
        api_refuse(call->request, 400, "limit: a stream has no end");
        return;
    }
    struct event_client *client =
        (struct event_client *)sse_open(&feed->clients, call, sizeof(struct event_client));
    if (!client)
        return;
    client->feed = feed;
    client->after = first_position(call, query);
    ident_set(&client->instance_id, query->instance_id);
    if (send_position(client))
        feed_client(&client->sse);
}

/* Appends up to LIMIT events behind AFTER; true where there are more, *RET_LAST is then the last of these. */
static bool add_events(struct buf *out, const struct event_ring *ring, const struct query *query,
                       size_t limit, struct stream_id *ret_last)
{
    size_t count = 0;
    for (uint32_t i = event_ring_find(ring, query->since); i < ring->count; i++) {
        struct ring_event event = event_ring_at(ring, i);
        struct event_unpacked fields;
        event_unpack(event.packed, event.id, &fields);
        if (!fits(&fields, query->instance_id))
            continue;
        if (count == limit)
            return true;
        buf_add_text(out, count++ ? ",{\"id\":\"" : "{\"id\":\"");
        add_id(out, event.id);
        buf_add_text(out, "\",");
        event_json_add_members(out, fields.names, fields.values, fields.count);
        buf_add_char(out, '}');
        *ret_last = event.id;
    }
    return false;
}

static void answer_page(const struct api_call *call, struct query *query, size_t limit)
{
    static const struct http_header headers[] = {{"Cache-Control", "no-store"}, {"Vary", "Accept"}};
    const struct event_ring *ring = &call->server->d->event_feed.ring;
    struct buf out = BUF_INIT;
    struct http_answer answer = {.status = 200,
                                 .content_type = "application/json",
                                 .body = &out,
                                 .headers = headers,
                                 .header_count = ARRAY_LEN(headers)};
    struct stream_id last = query->since;
    bool has_gap = !event_ring_knows(ring, query->since);
    if (has_gap)
        query->since = (struct stream_id){0, 0};
    buf_add_text(&out, "{\"events\":[");
    bool has_more = add_events(&out, ring, query, limit, &last);
    buf_add_format(&out, "],\"gap\":%s", has_gap ? "true" : "false");
    if (has_more) {
        buf_add_text(&out, ",\"next\":\"");
        add_id(&out, last);
        buf_add_char(&out, '"');
    }
    buf_add_text(&out, "}\n");
    http_request_answer(call->request, &answer);
}

void api_get_events(const struct api_call *call)
{
    struct query query;
    size_t limit;
    if (!api_check_state(call) || !read_query(call, &query))
        return;
    if (http_accept_prefers(http_request_header(call->request, "Accept"), SSE_CONTENT_TYPE,
                            "application/json"))
        open_stream(call, &query);
    else if (api_read_limit(call, &limit))
        answer_page(call, &query, limit);
}
