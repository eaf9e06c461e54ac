#include "app/poll.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/refusal.h"
#include "codec/keys.h"
#include "codec/resp.h"
#include "codec/scripts.h"
#include "util/number.h"
#include <hiredis/hiredis.h>

static const char *const info_names[INFO_FIELDS] = {
    "instantaneous_ops_per_sec",
    "used_memory",
    "maxmemory",
    "mem_fragmentation_ratio",
    "used_cpu_sys",
    "used_cpu_user",
    "used_cpu_sys_children",
    "used_cpu_user_children",
    "keyspace_hits",
    "keyspace_misses",
    "expired_keys",
    "evicted_keys",
};

static void on_timer(void *ctx);

void poll_init(struct poll *p, struct daemon *d)
{
    *p = (struct poll){.d = d};
    p->timer = loop_timer_new(d->loop, on_timer, p);
}

void poll_clear(struct poll *p)
{
    loop_timer_free(p->timer);
}

void poll_reset(struct poll *p)
{
    p->info_known = 0;
    p->version[0] = p->replid[0] = '\0';
    p->trades_known = false;
    for (int k = 0; k < STREAM_KINDS; k++)
        p->streams[k].known = p->streams[k].based = false;
}

void poll_start(struct poll *p)
{
    loop_timer_set(p->timer, 0);
}

static void keep_text(char *out, size_t size, struct slice value)
{
    if (value.len >= size)
        return;
    memcpy(out, value.data, value.len);
    out[value.len] = '\0';
}

static void take_info_line(struct poll *p, struct slice name, struct slice value)
{
    for (int f = 0; f < INFO_FIELDS; f++) {
        if (slice_is(name, info_names[f]) && number_parse_decimal(value, &p->info[f]))
            p->info_known |= 1U << f;
    }
    if (slice_is(name, "redis_version"))
        keep_text(p->version, sizeof p->version, value);
    if (slice_is(name, "master_replid"))
        keep_text(p->replid, sizeof p->replid, value);
    if (slice_is(name, "maxmemory_policy") && !slice_is(value, "noeviction") && !p->policy_told) {
        p->policy_told = true;
        LOG(p->d->log, WARN, "redis may evict keys: set maxmemory-policy noeviction",
            log_slice("maxmemory_policy", value));
    }
}

static void on_info(void *ctx, void *object)
{
    struct poll *p = ctx;
    const redisReply *reply = object;
    p->asking = false;
    refusal_tell(p->d, "INFO", reply);
    if (!reply || reply->type != REDIS_REPLY_STRING)
        return;
    p->info_known = 0;
    const char *at = reply->str, *end = reply->str + reply->len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        size_t len = (size_t)(line_end - at);
        if (len && at[len - 1] == '\r')
            len--;
        const char *colon = memchr(at, ':', len);
        if (colon)
            take_info_line(p, slice_of(at, (size_t)(colon - at)),
                           slice_of(colon + 1, len - (size_t)(colon + 1 - at)));
        at = line_end + 1;
    }
}

/* The lag is what was added less what was handled. Redis' own is wrong after XDEL and XTRIM; ours is set
 * right whenever a read finds the end. */
static void take_lag(struct poll *p, int k)
{
    struct poll_stream *s = &p->streams[k];
    const struct ingest_stream *in = &p->d->ingest.streams[k];
    bool at_end = in->at_end && redis_stream_is_reading(p->d->ingest.reader);
    if (at_end || !s->based) {
        double waiting = at_end ? 0 : (double)s->length;
        s->base = (double)s->added - waiting;
        s->handled_at_base = in->entries;
        s->based = true;
    }
    double lag = (double)s->added - s->base - (double)(in->entries - s->handled_at_base);
    s->lag = lag > 0 ? lag : 0;
}

static struct slice text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_of(reply->str, reply->len) : slice_of("", 0);
}

/* One stream's {type, length, added, last ID, delivered ID}. */
static void take_stream(struct poll *p, int k, const redisReply *one)
{
    struct poll_stream *s = &p->streams[k];
    struct slice type = text_of(one->element[0]), key = slice_text(p->d->names.stream[k]);
    struct stream_id last = {0, 0};
    s->known = true;
    s->length = (uint64_t)one->element[1]->integer;
    s->added = (uint64_t)one->element[2]->integer;
    (void)stream_id_parse(text_of(one->element[3]), &last); /* 0-0 where there is none */
    if (!slice_is(type, "stream") && !slice_is(type, "none")) {
        ingest_stream_is_wrong(&p->d->ingest, key, type);
        return;
    }
    ingest_stream_is_right(&p->d->ingest, (enum stream_kind)k);
    if (!lead_is_active(&p->d->lead) || slice_is(type, "none"))
        return;
    /* Nothing was ever added since it was made anew: then there is nothing to be read from its beginning
     * either. */
    bool unused = last.ms == 0 && last.seq == 0;
    /* Where our group is of use still, the stream is the one that was read, and has only lost its newest
     * entries together with the rest of Redis. */
    struct stream_id delivered = {0, 0};
    bool same = stream_id_parse(text_of(one->element[4]), &delivered) && (delivered.ms || delivered.seq) &&
                stream_id_compare(delivered, last) <= 0;
    if (!unused && !same && stream_id_compare(last, p->asked_at[k]) < 0) {
        reconcile_count(&p->d->reconcile, REPAIR_STREAM);
        ingest_stream_restarted(&p->d->ingest, (enum stream_kind)k);
    }
    take_lag(p, k);
}

static void on_sizes(void *ctx, void *object)
{
    struct poll *p = ctx;
    const redisReply *reply = object;
    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != STREAM_KINDS + TRADE_STATES) {
        LOG_LIMITED(
            p->d->log, ERROR, slice_text("sizes"), "cannot ask for the sizes of the streams",
            log_slice("error", slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0)));
        return;
    }
    for (int k = 0; k < STREAM_KINDS; k++)
        if (reply->element[k]->elements == 5 && daemon_serves(p->d, (enum layer)k))
            take_stream(p, k, reply->element[k]);
    for (int s = 0; s < TRADE_STATES; s++)
        p->trades[s] = (uint64_t)reply->element[STREAM_KINDS + s]->integer;
    p->trades_known = daemon_serves(p->d, LAYER_RTS);
}

static void ask_sizes(struct poll *p)
{
    struct buf command = BUF_INIT;
    resp_add_head(&command, 3 + STREAM_KINDS + TRADE_STATES + 2);
    resp_add_text(&command, "EVAL");
    resp_add(&command, script_word(&script_poll, true));
    resp_add_u64(&command, STREAM_KINDS + TRADE_STATES);
    for (int k = 0; k < STREAM_KINDS; k++) {
        p->asked_at[k] = p->d->ingest.streams[k].read;
        resp_add_text(&command, p->d->names.stream[k]);
    }
    for (int s = 0; s < TRADE_STATES; s++) {
        struct key key = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        resp_add(&command, key_slice(&key));
    }
    resp_add_u64(&command, STREAM_KINDS);
    resp_add_text(&command, p->d->boot_config->streams.group);
    (void)redis_link_send(p->d->link, buf_slice(&command), 1, 0, on_sizes,
                          p); /* the next interval asks again */
    buf_clear(&command);
}

void poll_stream_types(struct poll *p)
{
    ask_sizes(p);
}

static void ask(struct poll *p)
{
    struct slice info[] = {slice_text("INFO")};
    p->asking = redis_link_command(p->d->link, info, 1, 0, on_info, p) == 0;
    ask_sizes(p);
}

static void on_timer(void *ctx)
{
    struct poll *p = ctx;
    int64_t interval_ms = p->d->config->redis.info_interval_ms;
    if (interval_ms % LOOP_GRAIN_MS == 0)
        (void)loop_timer_set_aligned(p->timer, interval_ms, LOOP_GRAIN_MS);
    else
        loop_timer_set(p->timer, interval_ms);
    if (redis_link_is_up(p->d->link) && !p->asking)
        ask(p);
}
