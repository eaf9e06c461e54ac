/* Families of the Redis server and its streams, from what was polled last: a scrape asks Redis for nothing.
 * What is not known, because the link is away, has no series. */
#include "metrics_private.h"

#include "adapters/redis_link.h"
#include "adapters/redis_stream.h"

static void write_server(const struct scrape *s, const struct daemon *store, double value)
{
    prom_sample(s->writer, scrape_label(s, "instance_id", slice_text(store->server_name)), value);
}

static bool is_known(const struct daemon *store, enum info_field field)
{
    return store->poll.info_known & 1U << field;
}

void metrics_write_info(const struct scrape *s, int info_field)
{
    for (size_t i = 0; i < s->d->store_count; i++) {
        const struct daemon *store = s->d->stores[i];

        if (is_known(store, (enum info_field)info_field))
            write_server(s, store, store->poll.info[info_field]);
    }
}

void metrics_write_hit_ratio(const struct scrape *s, int which)
{
    UNUSED(which);
    for (size_t i = 0; i < s->d->store_count; i++) {
        const struct daemon *store = s->d->stores[i];
        double hits = store->poll.info[INFO_HITS], misses = store->poll.info[INFO_MISSES];

        if (is_known(store, INFO_HITS) && is_known(store, INFO_MISSES) && hits + misses > 0)
            write_server(s, store, hits / (hits + misses));
    }
}

static const struct poll_stream *polled(const struct scrape *s, int stream)
{
    return &daemon_of(s->d, (enum layer)stream)->poll.streams[stream];
}

static void write_stream(const struct scrape *s, const char *label, int stream, double value)
{
    prom_sample(s->writer, scrape_label(s, label, slice_text(s->d->names.stream[stream])), value);
}

static void write_lengths(const struct scrape *s, const char *label)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (polled(s, k)->known)
            write_stream(s, label, k, (double)polled(s, k)->length);
    }
}

void metrics_write_stream_size(const struct scrape *s, int which)
{
    UNUSED(which);
    write_lengths(s, "stream_id");
}

void metrics_write_stream_length(const struct scrape *s, int which)
{
    UNUSED(which);
    write_lengths(s, "stream");
}

void metrics_write_stream_lag(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (polled(s, k)->known)
            write_stream(s, "stream", k, polled(s, k)->lag);
    }
}

void metrics_write_stream_left_out(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int k = 0; k < STREAM_KINDS; k++)
        write_stream(s, "stream", k, daemon_of(s->d, (enum layer)k)->ingest.streams[k].wrong_type);
}

void metrics_write_pending(const struct scrape *s, int which)
{
    UNUSED(which);
    write_stream(s, "stream_id", STREAM_SIGNALS, (double)s->view.open);
}

static uint64_t count_errors(struct redis_link *link)
{
    struct redis_link_stats stats;

    redis_link_get_stats(link, &stats);
    return stats.connect_failures + stats.losses;
}

void metrics_write_connection_errors(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct daemon *store = daemon_of(s->d, (enum layer)k);

        write_stream(s, "stream_id", k,
                     (double)(count_errors(store->link) +
                              count_errors(redis_stream_link(store->ingest.reader)) +
                              (store->follow.link ? count_errors(store->follow.link) : 0)));
    }
}
