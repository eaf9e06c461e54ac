/* Families about commands, recoveries, the guard, the breaker, notifications and hooks. Their labels have few
 * values, all there from 0 on; only groups of the breaker come and go, and there are no more open ones than a
 * quarter of the instances for each kind. */
#include "metrics_private.h"

#include "adapters/hook.h"

struct count {
    const char *name;
    uint64_t value;
};

static void write_counts(const struct scrape *s, const char *label, const struct count *counts, size_t length)
{
    for (size_t i = 0; i < length; i++)
        prom_sample_u64(s->writer, scrape_label(s, label, slice_text(counts[i].name)), counts[i].value);
}

static const struct watch_stats *stats_of(const struct scrape *s)
{
    return &s->d->fleet.watch->stats;
}

void metrics_write_commands(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        for (int status = 0; status < COMMAND_STATUSES; status++)
            prom_sample_u64(s->writer,
                            scrape_labels(s, "command",
                                          slice_text(command_kind_name((enum command_kind)kind)), "status",
                                          slice_text(command_status_name((enum command_status)status))),
                            stats_of(s)->commands[kind][status]);
    }
}

void metrics_write_recoveries(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int outcome = 0; outcome < RECOVERY_OUTCOMES; outcome++)
        prom_sample_u64(
            s->writer,
            scrape_label(s, "outcome", slice_text(recovery_outcome_name((enum recovery_outcome)outcome))),
            stats_of(s)->recoveries[outcome]);
}

void metrics_write_held(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int hold = HOLD_NONE + 1; hold < HOLDS; hold++)
        prom_sample_u64(s->writer, scrape_label(s, "reason", slice_text(hold_name((enum hold)hold))),
                        stats_of(s)->held[hold]);
}

void metrics_write_answers_ignored(const struct scrape *s, int which)
{
    const struct count counts[] = {{"unknown", stats_of(s)->answers_unknown},
                                   {"late", stats_of(s)->answers_late}};

    UNUSED(which);
    write_counts(s, "reason", counts, ARRAY_LEN(counts));
}

void metrics_write_guard_trips(const struct scrape *s, int which)
{
    UNUSED(which);
    for (int cause = 0; cause < GUARD_CAUSES; cause++)
        prom_sample_u64(s->writer,
                        scrape_label(s, "cause", slice_text(guard_cause_name((enum guard_cause)cause))),
                        s->d->guarding.guard.trips[cause]);
}

void metrics_write_breaker(const struct scrape *s, int which)
{
    const struct breaker *breaker = &s->d->fleet.watch->breaker;
    const struct slice all = slice_text("all");
    const struct breaker_group *of_all = breaker_find(breaker, all);
    bool all_is_open = of_all && of_all->is_open;

    UNUSED(which);
    prom_sample(s->writer, scrape_label(s, "group", all), all_is_open);
    for (uint32_t i = 0, left = breaker->open_count - all_is_open; left > 0 && i < breaker->group_count;
         i++) {
        const struct breaker_group *group = &breaker->groups[i];

        if (!group->used || !group->is_open || group == of_all)
            continue;
        prom_sample(s->writer, scrape_label(s, "group", breaker_group_key(group)), 1);
        left--;
    }
}

void metrics_write_notifications(const struct scrape *s, int which)
{
    static const char *const statuses[] = {"sent", "failed", "dropped"};
    const struct hook_calls *hook = &s->d->hook_calls;
    const struct webhooks *webhooks = &s->d->webhooks;
    /* The batch that begins or ends a notice brings its event, and the event's log line, with it. */
    uint64_t told = stats_of(s)->notified + stats_of(s)->resolved;
    const struct {
        const char *name;
        uint64_t counts[ARRAY_LEN(statuses)];
    } channels[] = {{"log", {told}},
                    {"event", {told}},
                    {"hook", {hook->notified, hook->not_notified, hook->dropped}},
                    {"webhook", {webhooks->sent, webhooks->failed, webhooks->dropped}}};

    UNUSED(which);
    for (size_t c = 0; c < ARRAY_LEN(channels); c++) {
        for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
            prom_sample_u64(
                s->writer,
                scrape_labels(s, "channel", slice_text(channels[c].name), "status", slice_text(statuses[i])),
                channels[c].counts[i]);
    }
}

void metrics_write_hooks(const struct scrape *s, int which)
{
    const struct hooks_stats stats = hooks_stats(s->d->hook_calls.hooks);
    const struct count counts[] = {{"running", stats.running},
                                   {"lingering", stats.lingering},
                                   {"queued", stats.queued},
                                   {"retrying", stats.retrying}};

    UNUSED(which);
    write_counts(s, "state", counts, ARRAY_LEN(counts));
}

void metrics_write_hook_runs(const struct scrape *s, int which)
{
    const struct hooks_stats stats = hooks_stats(s->d->hook_calls.hooks);
    const struct count counts[] = {{"done", stats.done},
                                   {"failed", stats.failed},
                                   {"not_executable", stats.not_executable},
                                   {"dropped", stats.dropped},
                                   {"cancelled", stats.cancelled},
                                   {"retried", stats.retried},
                                   {"timed_out", stats.timed_out}};

    UNUSED(which);
    write_counts(s, "outcome", counts, ARRAY_LEN(counts));
}
