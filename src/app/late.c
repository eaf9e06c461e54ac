#include "app/late.h"
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/resp.h"
#include "codec/scripts.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>

/* Signals that are looked up at once. */
#define LATE_MAX 500

static void on_probed(void *ctx, void *object);

static void send_probe(struct ingest *in)
{
    struct buf command = BUF_INIT;
    resp_add_head(&command, 4 + in->late_count);
    resp_add_text(&command, in->probe_whole_script ? "EVAL" : "EVALSHA");
    resp_add(&command, script_word(&script_probe, in->probe_whole_script));
    resp_add_text(&command, "1");
    resp_add_text(&command, in->names[STREAM_SIGNALS].stream);
    for (size_t i = 0; i < in->late_count; i++) {
        char text[STREAM_ID_TEXT_MAX];
        resp_add(&command, slice_of(text, stream_id_format(text, in->late[i])));
    }
    in->probing = redis_link_send(in->d->link, buf_slice(&command), 1, 0, on_probed, in) == 0;
    buf_clear(&command);
}

static void on_probed(void *ctx, void *object)
{
    struct ingest *in = ctx;
    const redisReply *reply = object;
    in->probing = false;
    if (!reply || !in->late_count)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        struct slice text = slice_of(reply->str, reply->len);
        if (redis_error_classify(text) == REDIS_ERROR_NOSCRIPT && !in->probe_whole_script) {
            in->probe_whole_script = true;
            send_probe(in);
            return;
        }
        LOG_LIMITED(in->d->log, ERROR, slice_text("probe"), "cannot look up late signals",
                    log_slice("error", text));
        return;
    }
    in->probe_whole_script = false;
    if (reply->type != REDIS_REPLY_STRING || reply->len != in->late_count)
        return;
    for (size_t i = 0; i < in->late_count; i++)
        in->late_present[i] = reply->str[i] == '1';
    ledger_end_late(in->d->ledger, in->late, in->late_present, in->late_count,
                    in->streams[STREAM_RESULTS].horizon_ms, daemon_now_ms(in->d),
                    commit_sink(&in->d->commit));
    in->late_count = 0;
    ingest_judge(in);
    commit_kick(&in->d->commit);
    ingest_go_on(in);
}

void late_look(struct ingest *in)
{
    if (in->probing || !redis_link_is_up(in->d->link))
        return;
    if (!in->late) {
        in->late = mem_new(LATE_MAX, sizeof *in->late);
        in->late_present = mem_new(LATE_MAX, sizeof *in->late_present);
    }
    in->late_count =
        ledger_collect_late(in->d->ledger, in->streams[STREAM_RESULTS].horizon_ms, in->late, LATE_MAX);
    if (in->late_count)
        send_probe(in);
}
