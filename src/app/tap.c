#include "app/tap.h"
#include "app/daemon.h"
#include "codec/json_text.h"
#include "codec/recording.h"
#include "codec/report.h"
#include <stddef.h>

#define CLIENTS_MAX 4
/* A whole read of the streams may come before a client can take any of it. */
#define WAIT_BYTES ((size_t)8 << 20)
#define KEEP_BYTES ((size_t)16 << 10)
/* What is told of instances at a time. */
#define FILL_BYTES ((size_t)64 << 10)

struct tap_client {
    struct sse sse;
    uint32_t told; /* instances in slots below this one were told of; UINT32_MAX: all */
};

static struct tap *tap_of(const struct sse *sse)
{
    return (struct tap *)((char *)sse->list - offsetof(struct tap, clients));
}

static void add_state(struct buf *out, struct daemon *d, struct instance *instance)
{
    buf_add_text(out, "event: state\ndata: ");
    recording_add_state(out, &d->fleet, instance, daemon_now_ms(d));
    buf_add_text(out, "\n\n");
}

static void add_groups(struct buf *out, struct daemon *d)
{
    const struct breaker *breaker = &d->fleet.watch->breaker;
    for (uint32_t i = 0; i < breaker->group_count; i++) {
        const struct breaker_group *group = &breaker->groups[i];
        if (!group->used || !group->is_open)
            continue;
        buf_add_text(out, "event: state\ndata: ");
        recording_add_group(out, group, daemon_now_ms(d));
        buf_add_text(out, "\n\n");
    }
}

/* The client has taken what it was given: the next instances. */
static void tell_more(struct sse *sse)
{
    struct tap_client *client = (struct tap_client *)sse;
    struct daemon *d = tap_of(sse)->d;
    struct buf out = BUF_INIT;
    struct instance *instance = NULL;
    while (client->told != UINT32_MAX && out.len < FILL_BYTES) {
        instance = fleet_next(&d->fleet, client->told);
        if (instance)
            add_state(&out, d, instance);
        client->told = instance ? fleet_index_of(&d->fleet, instance) + 1 : UINT32_MAX;
    }
    if (out.len)
        (void)sse_send(sse, buf_slice(&out)); /* one that is given up is gone */
    buf_clear(&out);
}

/* A report of an instance that the client has not been told of. False where the client is gone. */
static bool tell_first(struct tap *tap, struct tap_client *client, const struct entry *entry)
{
    if (client->told == UINT32_MAX || entry->stream != STREAM_REPORTS)
        return true;
    struct instance *instance = fleet_find(&tap->d->fleet, report_find_instance_id(entry));
    if (!instance || fleet_index_of(&tap->d->fleet, instance) < client->told)
        return true;
    struct buf out = BUF_INIT;
    add_state(&out, tap->d, instance);
    bool is_there = sse_send(&client->sse, buf_slice(&out));
    buf_clear(&out);
    return is_there;
}

void tap_init(struct tap *tap, struct daemon *d)
{
    *tap = (struct tap){.d = d};
    sse_list_init(&tap->clients, d->loop, CLIENTS_MAX, WAIT_BYTES, tell_more);
}

void tap_clear(struct tap *tap)
{
    sse_list_clear(&tap->clients);
    buf_clear(&tap->message);
}

void tap_close(struct tap *tap)
{
    sse_list_close(&tap->clients);
}

static void add_message(struct buf *out, const struct redis_stream_names *names, const struct entry *entry)
{
    char id[STREAM_ID_TEXT_MAX];
    const char *word = key_stream_word(entry->stream), *comma = "";
    stream_id_format(id, entry->id);
    buf_add_format(out, "event: %s\ndata: {\"stream\":\"%s\",\"id\":\"%s\",\"fields\":{", word, word, id);
    for (size_t f = 0; f < names->field_count; f++) {
        if (!(entry->present & 1U << f))
            continue;
        buf_add_text(out, comma);
        json_add_string(out, names->fields[f]);
        buf_add_char(out, ':');
        json_add_string(out, entry->value[f]);
        comma = ",";
    }
    buf_add_text(out, "}}\n\n");
}

void tap_on_entry(struct tap *tap, const struct entry *entry)
{
    if (entry->stream == STREAM_TRADES)
        return;
    buf_reset(&tap->message, KEEP_BYTES);
    add_message(&tap->message, &tap->d->ingest.names[entry->stream], entry);
    struct sse *next;
    for (struct sse *sse = TAILQ_FIRST(&tap->clients.clients); sse; sse = next) {
        next = TAILQ_NEXT(sse, link);
        if (tell_first(tap, (struct tap_client *)sse, entry))
            (void)sse_send(sse, buf_slice(&tap->message)); /* one that is given up is gone */
    }
}

/* What there is, ahead of what comes. */
static void tell_state(struct tap_client *client, struct daemon *d)
{
    struct buf groups = BUF_INIT;
    client->told = 0;
    add_groups(&groups, d);
    bool is_there = !groups.len || sse_send(&client->sse, buf_slice(&groups));
    buf_clear(&groups);
    if (is_there)
        tell_more(&client->sse);
}

void api_get_tap(const struct api_call *call)
{
    struct daemon *d = call->server->d;
    struct slice state = api_arg(call, "state");
    if (!api_check_state(call))
        return;
    if (state.len && !slice_is(state, "1")) {
        api_refuse(call->request, 400, "state: not 1");
        return;
    }
    struct tap_client *client =
        (struct tap_client *)sse_open(&d->tap.clients, call, sizeof(struct tap_client));
    if (!client)
        return;
    client->told = UINT32_MAX;
    if (state.len)
        tell_state(client, d);
}
