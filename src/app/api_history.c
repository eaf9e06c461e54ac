/* The status page's numbers (docs/decisions/0011-status-page.md): the last minutes, and the daemon as a
 * whole. */
#include "app/api.h"

#include "adapters/http.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/json_text.h"
#include "util/number.h"
#include "util/time_text.h"

/* ---- the last minutes ---- */

static const char *const count_names[HISTORY_COUNTS] = {
    [HISTORY_RECEIVED] = "received", [HISTORY_PROCESSED] = "processed", [HISTORY_FAILED] = "failed",
    [HISTORY_DROPPED] = "dropped",   [HISTORY_LOST] = "lost",
};

static void add_latency(struct buf *out, const char *name, float ms)
{
    if (ms < 0)
        buf_add_format(out, ",\"%s\":null", name);
    else
        buf_add_format(out, ",\"%s\":%.1f", name, (double)ms);
}

static void add_sample(struct buf *out, const struct history_sample *sample)
{
    buf_add_format(out, "{\"at_ms\":%lld,\"over_ms\":%lld", (long long)sample->at_ms,
                   (long long)sample->over_ms);
    for (size_t c = 0; c < HISTORY_COUNTS; c++)
        buf_add_format(out, ",\"%s\":%u", count_names[c], sample->counts[c]);
    buf_add_format(out, ",\"open\":%llu,\"oldest_ms\":%lld", (unsigned long long)sample->open,
                   (long long)sample->oldest_ms);
    add_latency(out, "p50_ms", sample->p50_ms);
    add_latency(out, "p99_ms", sample->p99_ms);
    buf_add_char(out, '}');
}

void api_get_history(const struct api_call *call)
{
    const struct history *history = &call->server->d->history;
    struct slice text;
    struct buf out = BUF_INIT;
    uint64_t since = 0;
    const char *comma = "";

    if (http_request_arg(call->request, "since", &text) && !number_parse_u64(text, INT64_MAX, &since)) {
        api_refuse(call->request, 400, "since: not the at_ms of a sample");
        return;
    }
    buf_add_text(&out, "{\"history\":[");
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_sample *sample = history_get(history, i);

        if ((uint64_t)sample->at_ms <= since)
            continue;
        buf_add_text(&out, comma);
        add_sample(&out, sample);
        comma = ",";
    }
    buf_add_text(&out, "]}\n");
    api_answer_json(call->request, 200, &out);
}

/* ---- of the status: signals, streams, Redis ---- */

static uint64_t sum_total(const struct ledger_view *view, enum total_kind kind)
{
    uint64_t sum = 0;

    for (uint32_t a = 0; a <= LABELS_OTHER; a++)
        sum += view->counts[a].total[kind] - view->counts[a].base[kind];
    return sum;
}

void api_add_signals(struct buf *out, const struct ledger_view *view, int64_t now_ms)
{
    static const struct {
        const char *name;
        enum total_kind kind;
    } rows[] = {{"received", TOTAL_RECEIVED}, {"processed", TOTAL_PROCESSED}, {"failed", TOTAL_FAILED},
                {"dropped", TOTAL_DROPPED},   {"lost", TOTAL_LOST},           {"duplicate", TOTAL_DUPLICATE}};
    uint64_t now = now_ms > 0 ? (uint64_t)now_ms : 0, oldest = view->oldest_open_ms;

    buf_add_text(out, "\"signals\":{");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_add_format(out, "\"%s\":%llu,", rows[i].name, (unsigned long long)sum_total(view, rows[i].kind));
    buf_add_format(out, "\"open\":%llu,\"oldest_ms\":%llu},", (unsigned long long)view->open,
                   (unsigned long long)(oldest && now > oldest ? now - oldest : 0));
}

static uint64_t count_rejected(const struct ingest *in, int stream)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < in->reason_count; i++)
        count += (int)in->reasons[i].stream == stream ? in->reasons[i].count : 0;
    return count;
}

void api_add_streams(struct buf *out, const struct daemon *d)
{
    buf_add_text(out, "\"streams\":[");
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct daemon *store = daemon_of(d, (enum layer)k);
        const struct poll_stream *polled = &store->poll.streams[k];

        buf_add_text(out, k ? ",{\"stream\":" : "{\"stream\":");
        json_add_string(out, slice_text(d->names.stream[k]));
        if (polled->known)
            buf_add_format(out, ",\"length\":%llu,\"lag\":%.0f", (unsigned long long)polled->length,
                           polled->lag);
        else
            buf_add_text(out, ",\"length\":null,\"lag\":null");
        buf_add_format(out, ",\"left_out\":%s", store->ingest.streams[k].wrong_type ? "true" : "false");
        buf_add_format(out, ",\"entries\":%llu,\"rejected\":%llu}",
                       (unsigned long long)store->ingest.streams[k].entries,
                       (unsigned long long)count_rejected(&store->ingest, k));
    }
    buf_add_text(out, "],");
}

static void add_text_or_null(struct buf *out, const char *text)
{
    if (text)
        json_add_string(out, slice_text(text));
    else
        buf_add_text(out, "null");
}

void api_add_layers(struct buf *out, const struct daemon *d)
{
    const char *comma = "";

    if (d->store_count == 1)
        return;
    buf_add_text(out, "\"layers\":[");
    for (size_t i = 0; i < d->store_count; i++) {
        const struct daemon *store = d->stores[i];
        const char *unready = lead_unready(&store->lead), *error = lead_error(&store->lead);

        buf_add_format(out, "%s{\"layers\":\"%s\",\"instance_id\":", comma, store->layers_text);
        json_add_string(out, slice_text(store->server_name));
        buf_add_format(out,
                       ",\"redis_up\":%s,\"unready\":", redis_link_is_up(store->link) ? "true" : "false");
        add_text_or_null(out, unready);
        buf_add_text(out, ",\"error\":");
        add_text_or_null(out, error);
        buf_add_char(out, '}');
        comma = ",";
    }
    buf_add_text(out, "],");
}

void api_add_redis(struct buf *out, const struct daemon *d)
{
    static const struct {
        const char *name;
        enum info_field field;
    } rows[] = {{"used_memory_bytes", INFO_USED_MEMORY},
                {"maxmemory_bytes", INFO_MAXMEMORY},
                {"fragmentation_ratio", INFO_FRAGMENTATION},
                {"ops_per_sec", INFO_OPS_PER_SEC},
                {"evicted_keys", INFO_EVICTED}};
    struct redis_link_stats stats;

    redis_link_get_stats(d->link, &stats);
    buf_add_format(out,
                   "\"redis\":{\"up\":%s,\"instance_id\":", redis_link_is_up(d->link) ? "true" : "false");
    json_add_string(out, slice_text(d->server_name));
    buf_add_text(out, ",\"version\":");
    json_add_string(out, slice_text(d->poll.version));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_add_format(out, ",\"%s\":", rows[i].name);
        if (d->poll.info_known & 1U << rows[i].field)
            buf_add_double(out, d->poll.info[rows[i].field]);
        else
            buf_add_text(out, "null");
    }
    buf_add_text(out, ",\"error\":");
    add_text_or_null(out, lead_error(&d->lead));
    buf_add_format(out, ",\"reconnects\":%llu},",
                   (unsigned long long)(stats.connects ? stats.connects - 1 : 0));
}
