/* What people and metrics are shown of the watch. */
#include "watch_private.h"

/* The first reason for which something is not commanded. */
enum hold watched_first_hold(const struct watched *watched)
{
    for (int k = 0; k < COMMAND_KINDS; k++) {
        if (watched->held[k] != HOLD_NONE)
            return (enum hold)watched->held[k];
    }
    return HOLD_NONE;
}

void watch_describe(const struct fleet *fleet, const struct instance *instance, struct errmsg *out)
{
    const struct watched *watched = instance->watched;
    const struct recovery *recovery = watched ? &watched->record.recovery : NULL;

    errmsg_set(out, "nothing");
    if (!watched)
        return;
    if (recovery->phase == RECOVERY_UNDER_WAY)
        errmsg_set(out, "recovery attempt %llu of %u is under way",
                   (unsigned long long)instance->recovery_attempts,
                   fleet->watch->options.recovery.max_attempts);
    else if (watched->record.command.is_open)
        errmsg_set(out, "%s is under way", command_kind_name(watched->record.command.kind));
    else if (recovery->is_disarmed)
        errmsg_set(out, "nothing: recovery was given up after %llu attempts, until it is armed again",
                   (unsigned long long)fleet->watch->options.recovery.max_attempts);
    else if (watched_first_hold(watched) == HOLD_DISARMED)
        errmsg_set(out, "nothing: an operator has stopped it, automatic recovery rests until it is started");
    else if (watched_first_hold(watched) != HOLD_NONE)
        errmsg_set(out, "nothing: %s", hold_name(watched_first_hold(watched)));
    else if (recovery->phase == RECOVERY_WAITING)
        errmsg_set(out, "recovery attempt %llu of %u waits for its backoff",
                   (unsigned long long)instance->recovery_attempts,
                   fleet->watch->options.recovery.max_attempts);
    else if (watched->record.is_throttled)
        errmsg_set(out, "it is throttled");
}

void watch_count_alerts(const struct fleet *fleet, uint32_t ret_counts[RULES_MAX][ALERT_STATUSES])
{
    const struct instance *instance;

    memset(ret_counts, 0, sizeof(ret_counts[0]) * RULES_MAX);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        const struct watched *watched = instance->watched;

        for (uint32_t k = 0; watched && k < watched->alert_count; k++) {
            if (watched->alerts[k].rule != ALERT_NO_RULE)
                ret_counts[watched->alerts[k].rule][watched->alerts[k].status]++;
        }
    }
}
