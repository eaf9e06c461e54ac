#include "app/tap.h"
#include "app/daemon.h"
#include "codec/json_text.h"

#define CLIENTS_MAX 4
/* A whole read of the streams may come before a client can take any of it. */
#define WAIT_BYTES ((size_t)8 << 20)
#define KEEP_BYTES ((size_t)16 << 10)

void tap_init(struct tap *tap, struct daemon *d)
{
    *tap = (struct tap){.d = d};
    sse_list_init(&tap->clients, d->loop, CLIENTS_MAX, WAIT_BYTES, NULL);
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
        (void)sse_send(sse, buf_slice(&tap->message)); /* one that is given up is gone */
    }
}

void api_get_tap(const struct api_call *call)
{
    if (api_check_state(call))
        (void)sse_open(&call->server->d->tap.clients, call, sizeof(struct sse));
}
