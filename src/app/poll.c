#include "app/poll.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

static const char *const info_names[INFO_FIELDS] = {
    "instantaneous_ops_per_sec", "used_memory",           "maxmemory",       "mem_fragmentation_ratio",
    "used_cpu_sys",              "used_cpu_user",         "used_cpu_sys_children", "used_cpu_user_children",
    "keyspace_hits",             "keyspace_misses",       "expired_keys",    "evicted_keys",
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
    p->info_known = p->trades_known = 0;
    p->pending = 0;
    for (int k = 0; k < STREAM_KINDS; k++)
        p->streams[k].known = p->streams[k].based = false;
}

void poll_start(struct poll *p)
{
    loop_timer_set(p->timer, 0);
}

static void take_info_line(struct poll *p, struct slice name, struct slice value)
{
    for (int f = 0; f < INFO_FIELDS; f++) {
        if (slice_is(name, info_names[f]) && number_parse_decimal(value, &p->info[f]))
            p->info_known |= 1U << f;
    }
    if (slice_is(name, "maxmemory_policy") && !slice_is(value, "noeviction") && !p->policy_told) {
        p->policy_told = true;
        LOG(p->d->log, WARN, "redis may evict keys: set maxmemory-policy noeviction", log_slice("maxmemory_policy", value));
    }
}

static void on_info(void *ctx, void *object)
{
    struct poll *p = ctx;
    const redisReply *reply = object;
    p->asking = false;
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
            take_info_line(p, slice_of(at, (size_t)(colon - at)), slice_of(colon + 1, len - (size_t)(colon + 1 - at)));
        at = line_end + 1;
    }
}

struct polled {
    struct poll *p;
    int which; /* stream, or trade state */
    struct stream_id read; /* of the stream, when it was asked for */
};

static struct polled *polled(struct poll *p, int which)
{
    struct polled *one = mem_new(1, sizeof *one);
    *one = (struct polled){.p = p, .which = which};
    return one;
}

/* The lag is what was added less what was handled. Redis' own is wrong after XDEL and XTRIM; ours is set right whenever
 * a read finds the end. */
static void take_lag(struct poll *p, int k)
{
    struct poll_stream *s = &p->streams[k];
    const struct ingest_stream *in = &p->d->ingest.streams[k];
    if (in->at_end || !s->based) {
        double waiting = in->at_end ? 0 : (double)s->length;
        s->base = (double)s->added - waiting;
        s->handled_at_base = in->entries;
        s->based = true;
    }
    double lag = (double)s->added - s->base - (double)(in->entries - s->handled_at_base);
    s->lag = lag > 0 ? lag : 0;
}

static void on_stream(void *ctx, void *object)
{
    struct polled *one = ctx;
    struct poll *p = one->p;
    int k = one->which;
    const redisReply *reply = object;
    struct stream_id read = one->read;
    free(one);
    if (!reply)
        return;
    struct poll_stream *s = &p->streams[k];
    if (reply->type == REDIS_REPLY_ERROR) {
        struct slice text = slice_of(reply->str, reply->len);
        s->known = true;
        s->length = 0;
        s->lag = 0;
        if (redis_error_classify(text) == REDIS_ERROR_WRONGTYPE)
            ingest_stream_is_wrong(&p->d->ingest, slice_text(p->d->names.stream[k]), slice_text("not a stream"));
        else
            ingest_stream_is_right(&p->d->ingest, (enum stream_kind)k);
        return;
    }
    struct stream_id last = {UINT64_MAX, 0};
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice name = slice_of(reply->element[i]->str, reply->element[i]->len);
        const redisReply *value = reply->element[i + 1];
        if (slice_is(name, "length"))
            s->length = (uint64_t)value->integer;
        else if (slice_is(name, "entries-added"))
            s->added = (uint64_t)value->integer;
        else if (slice_is(name, "last-generated-id") && value->type == REDIS_REPLY_STRING)
            (void)stream_id_parse(slice_of(value->str, value->len), &last);
    }
    s->known = true;
    ingest_stream_is_right(&p->d->ingest, (enum stream_kind)k);
    if (lead_is_active(&p->d->lead)) {
        bool empty_again = last.ms == 0 && last.seq == 0;
        if (!empty_again && stream_id_compare(last, read) < 0) {
            reconcile_count(&p->d->reconcile, REPAIR_STREAM);
            ingest_stream_restarted(&p->d->ingest, (enum stream_kind)k);
        }
        take_lag(p, k);
    }
}

static void on_set_size(void *ctx, void *object)
{
    struct polled *one = ctx;
    const redisReply *reply = object;
    if (reply && reply->type == REDIS_REPLY_INTEGER) {
        one->p->trades[one->which] = (uint64_t)reply->integer;
        one->p->trades_known |= 1U << one->which;
    }
    free(one);
}

static void ask_streams(struct poll *p)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct slice words[] = {slice_text("XINFO"), slice_text("STREAM"), slice_text(p->d->names.stream[k])};
        struct polled *one = polled(p, k);
        one->read = p->d->ingest.streams[k].read;
        if (redis_link_command(p->d->link, words, ARRAY_LEN(words), 0, on_stream, one))
            free(one);
    }
}

void poll_stream_types(struct poll *p)
{
    ask_streams(p);
}

static void ask(struct poll *p)
{
    struct slice info[] = {slice_text("INFO")};
    p->asking = redis_link_command(p->d->link, info, 1, 0, on_info, p) == 0;
    ask_streams(p);
    for (int s = 0; s < TRADE_STATES; s++) {
        struct key key = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        struct slice words[] = {slice_text("SCARD"), key_slice(&key)};
        struct polled *one = polled(p, s);
        if (redis_link_command(p->d->link, words, ARRAY_LEN(words), 0, on_set_size, one))
            free(one);
    }
}

static void on_timer(void *ctx)
{
    struct poll *p = ctx;
    loop_timer_set(p->timer, p->d->config->redis.info_interval_ms);
    if (redis_link_is_up(p->d->link) && !p->asking)
        ask(p);
}
