/* Reading signals and trades (SPEC §8.1): from memory, at once. */
#include "app/daemon.h"
#include "app/list_page.h"
#include "codec/json_text.h"
#include "util/alloc.h"
#include "util/time_text.h"
#include <stdlib.h>

/* Between the two parts of a place in the list; in no id. */
#define PLACE_MARK ':'

/* `{entry}:{signal_id}`, or an entry's ID alone. */
static bool read_place(struct slice text, struct ledger_place *ret_place)
{
    const char *mark = text.len ? memchr(text.data, PLACE_MARK, text.len) : NULL;
    struct slice entry = mark ? slice_of(text.data, (size_t)(mark - text.data)) : text;
    struct ledger_place place = {.signal_id = slice_of("", 0)};
    if (mark)
        place.signal_id = slice_of(mark + 1, text.len - entry.len - 1);
    if (!stream_id_parse(entry, &place.entry) || (mark && !ident_is_valid(place.signal_id, IDENT_MAX)))
        return false;
    *ret_place = place;
    return true;
}

static void add_signal(struct buf *out, const struct ledger_signal *signal, int64_t now_ms)
{
    char entry[STREAM_ID_TEXT_MAX];
    uint64_t now = now_ms > 0 ? (uint64_t)now_ms : 0;
    stream_id_format(entry, signal->place.entry);
    buf_add_text(out, "{\"signal_id\":");
    json_add_string(out, signal->place.signal_id);
    buf_add_text(out, ",\"action\":");
    json_add_string(out, signal->action);
    if (signal->instance_id.len) {
        buf_add_text(out, ",\"instance_id\":");
        json_add_string(out, signal->instance_id);
    }
    buf_add_format(out, ",\"entry_id\":\"%s\",\"accepted\":%s,\"age_ms\":", entry,
                   signal->is_accepted ? "true" : "false");
    buf_add_u64(out, now > signal->place.entry.ms ? now - signal->place.entry.ms : 0);
    buf_add_char(out, '}');
}

static void add_next(struct buf *out, const struct ledger_place *place)
{
    char entry[STREAM_ID_TEXT_MAX];
    stream_id_format(entry, place->entry);
    buf_add_format(out, ",\"next\":\"%s%c%.*s\"", entry, PLACE_MARK, (int)place->signal_id.len,
                   place->signal_id.data);
}

void api_get_signals(const struct api_call *call)
{
    const struct daemon *d = daemon_of(call->server->d, LAYER_RTSS);
    struct ledger_place after = {.signal_id = slice_of("", 0)};
    struct slice text = api_arg(call, "after");
    size_t limit;
    if (!api_check_layer(call, LAYER_RTSS) || !api_read_limit(call, &limit))
        return;
    if (text.len && !read_place(text, &after)) {
        api_refuse(call->request, 400, "after: not what next said");
        return;
    }
    struct ledger_signal *signals = mem_new(limit + 1, sizeof *signals);
    struct buf out = BUF_INIT;
    int64_t now_ms = daemon_now_ms(d); /* one for all */
    size_t count = ledger_list_open(d->ledger, &after, signals, limit + 1);
    buf_add_text(&out, "{\"signals\":[");
    for (size_t i = 0; i < count && i < limit; i++) {
        if (i)
            buf_add_char(&out, ',');
        add_signal(&out, &signals[i], now_ms);
    }
    buf_add_char(&out, ']');
    if (count > limit)
        add_next(&out, &signals[limit - 1].place);
    buf_add_text(&out, "}\n");
    free(signals);
    api_answer_json(call->request, 200, &out);
}

void api_get_trade(const struct api_call *call)
{
    const struct daemon *d = daemon_of(call->server->d, LAYER_RTS);
    struct slice id = call->parameter;
    char updated_at[TIME_TEXT_LEN + 1];
    struct buf out = BUF_INIT;
    if (!api_check_layer(call, LAYER_RTS))
        return;
    const struct trade *trade = ident_is_valid(id, IDENT_MAX) ? trade_book_find(&d->trades, id) : NULL;
    if (!trade) {
        api_refuse(call->request, 404, "no trade %.*s is held here",
                   (int)(id.len < IDENT_MAX ? id.len : IDENT_MAX), id.data);
        return;
    }
    time_text_format(updated_at, trade->updated_ms);
    buf_add_text(&out, "{\"trade_id\":");
    json_add_string(&out, ident_slice(&trade->id));
    if (trade->instance_id.len) {
        buf_add_text(&out, ",\"instance_id\":");
        json_add_string(&out, ident_slice(&trade->instance_id));
    }
    buf_add_format(&out, ",\"state\":\"%s\",\"last_updated_at\":\"%s\"}\n", trade_state_name(trade->state),
                   updated_at);
    api_answer_json(call->request, 200, &out);
}
