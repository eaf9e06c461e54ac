/* Families with one or two labels whose values are few, or are bounded where they are counted. What can be
 * named beforehand is there from 0 on. */
#include "metrics_private.h"

#include "adapters/http.h"

static void write_one(const struct scrape *s, const char *label, const char *value, uint64_t count)
{
    prom_sample_u64(s->writer, scrape_label(s, label, slice_text(value)), count);
}

void metrics_write_instances(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int state = 0; state < INSTANCE_STATES; state++)
        write_one(s, "state", instance_state_name((enum instance_state)state), s->d->fleet.by_state[state]);
}

static bool is_refused(int from, int to)
{
    enum event_kind event;

    return from != to && !transition_find((enum instance_state)from, (enum instance_state)to, false, &event);
}

/* Of trades; no name of theirs is an instance's too. */
static void write_trade_transitions(const struct scrape *s)
{
    for (int pair = 0; pair < TRADE_STATES * TRADE_STATES; pair++) {
        enum trade_state from = (enum trade_state)(pair / TRADE_STATES);
        enum trade_state to = (enum trade_state)(pair % TRADE_STATES);

        if (from != to && !trade_transition_is_allowed(from, to))
            prom_sample_u64(s->writer,
                            scrape_labels(s, "from", slice_text(trade_state_name(from)), "to",
                                          slice_text(trade_state_name(to))),
                            daemon_of(s->d, LAYER_RTS)->trades.refused[from][to]);
    }
}

void metrics_write_transitions(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int pair = 0; pair < INSTANCE_STATES * INSTANCE_STATES; pair++) {
        int from = pair / INSTANCE_STATES, to = pair % INSTANCE_STATES;
        uint64_t count = s->d->fleet.stats.refused[from][to];

        if (is_refused(from, to) || count)
            prom_sample_u64(s->writer,
                            scrape_labels(s, "from",
                                          slice_text(instance_state_name((enum instance_state)from)), "to",
                                          slice_text(instance_state_name((enum instance_state)to))),
                            count);
    }
    write_trade_transitions(s);
}

void metrics_write_events(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        write_one(s, "event", event_name((enum event_kind)kind), s->d->event_counts[kind]);
}

/* What is beyond the actions that are told apart has a series once there is any. */
static bool has_action(const struct scrape *s, uint32_t action)
{
    const struct action_counts *counts = &s->view.counts[action];

    if (action < s->view.actions->count)
        return true;
    return action == LABELS_OTHER && (counts->total[TOTAL_RECEIVED] || counts->total[TOTAL_DUPLICATE]);
}

void metrics_write_actions(const struct scrape *s, int total_kind)
{
    for (uint32_t action = 0; action <= LABELS_OTHER; action++) {
        const struct action_counts *counts = &s->view.counts[action];

        if (has_action(s, action))
            prom_sample_u64(s->writer, scrape_label(s, "action", labels_name(s->view.actions, action)),
                            counts->total[total_kind] - counts->base[total_kind]);
    }
}

void metrics_write_results(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int status = 0; status < RESULT_STATUSES; status++)
        write_one(s, "status", result_status_name((enum result_status)status), s->view.results[status]);
}

void metrics_write_unmatched(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int reason = 0; reason < UNMATCHED_REASONS; reason++)
        write_one(s, "reason", unmatched_reason_name((enum unmatched_reason)reason),
                  s->view.unmatched[reason]);
}

void metrics_write_trades(const struct scrape *s, int which)
{
    const struct poll *poll = &daemon_of(s->d, LAYER_RTS)->poll;

    UNUSED(which);
    for (int state = 0; poll->trades_known && state < TRADE_STATES; state++)
        write_one(s, "state", trade_state_name((enum trade_state)state), poll->trades[state]);
}

void metrics_write_entries(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int k = 0; k < STREAM_KINDS; k++)
        write_one(s, "stream", s->d->names.stream[k],
                  daemon_of(s->d, (enum layer)k)->ingest.streams[k].entries);
}

static void write_rejected(const struct scrape *s, const struct ingest *in)
{
    for (uint32_t i = 0; i < in->reason_count; i++) {
        const struct ingest_reason *reason = &in->reasons[i];

        prom_sample_u64(s->writer,
                        scrape_labels(s, "stream", slice_text(s->d->names.stream[reason->stream]), "reason",
                                      slice_text(reason->field)),
                        reason->count);
    }
}

void metrics_write_rejected(const struct scrape *s, int which)
{
    UNUSED(which);
    for (size_t i = 0; i < s->d->store_count; i++)
        write_rejected(s, &s->d->stores[i]->ingest);
}

void metrics_write_load(const struct scrape *s, int which)
{
    const struct load *load = &s->d->load;

    UNUSED(which);
    for (int part = 0; load->started_ms && part < LOAD_PARTS; part++)
        prom_sample(s->writer, scrape_label(s, "part", slice_text(load_part_name((enum load_part)part))),
                    (double)load->parts[part].ms / 1000);
}

void metrics_write_repairs(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int kind = 0; kind < REPAIR_KINDS; kind++) {
        uint64_t count = 0;

        for (size_t i = 0; i < s->d->store_count; i++)
            count += s->d->stores[i]->reconcile.repairs[kind];
        write_one(s, "kind", repair_kind_name((enum repair_kind)kind), count);
    }
}

void metrics_write_rollbacks(const struct scrape *s, int which)
{
    static const char *const names[ROLLBACK_KINDS] = {
        [ROLLBACK_WIPED] = "wiped", [ROLLBACK_ROLLED_BACK] = "rolled_back"};

    UNUSED(which);
    for (int kind = 0; kind < ROLLBACK_KINDS; kind++) {
        uint64_t count = 0;

        for (size_t i = 0; i < s->d->store_count; i++)
            count += s->d->stores[i]->lead.rollbacks[kind];
        write_one(s, "kind", names[kind], count);
    }
}

static uint64_t count_lost(const struct daemon *d, enum loss_kind kind)
{
    uint64_t count = 0;

    for (size_t i = 0; i < d->store_count; i++)
        count += d->stores[i]->lead.loss.total[kind];
    return count;
}

void metrics_write_losses(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int kind = 0; kind < LOSS_KINDS; kind++)
        write_one(s, "kind", loss_kind_name((enum loss_kind)kind), count_lost(s->d, (enum loss_kind)kind));
}

void metrics_write_takeovers(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int kind = 0; kind < TAKEOVER_KINDS; kind++)
        write_one(s, "state", takeover_kind_name((enum takeover_kind)kind), s->d->standby.takeovers[kind]);
}

void metrics_write_http_closed(const struct scrape *s, int which)
{
    struct http_stats stats = http_server_stats(s->d->server.http);

    UNUSED(which);
    write_one(s, "reason", "deadline", stats.expired);
    write_one(s, "reason", "room", stats.evicted);
    write_one(s, "reason", "descriptors", stats.out_of_files);
}

void metrics_write_histories(const struct scrape *s, int which)
{
    const struct daemon *d = s->d;

    UNUSED(which);
    write_one(s, "history", "why", d->fleet.watch->why_bytes);
    write_one(s, "history", "events", d->event_feed.ring.bytes);
    write_one(s, "history", "trades", trade_book_bytes(&daemon_of(d, LAYER_RTS)->trades));
}

void metrics_write_evicted(const struct scrape *s, int which)
{
    UNUSED(which);
    if (!s->d->config->metrics.per_id)
        return;
    for (size_t i = 0; i < id_family_count; i++)
        write_one(s, "family", id_families[i].info.name, metrics_count_evicted(s, id_families[i].which));
}
