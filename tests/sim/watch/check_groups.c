/* The breaker, counted anew from the moves that were told. */
#include "run.h"

#define WINDOW_LEAST_MS 10000
#define FLEET_LEAST     4

static int64_t window_ms(const struct run *run)
{
    int64_t heartbeat_ms = run->settings.fleet.heartbeat_timeout_ms;

    return heartbeat_ms > WINDOW_LEAST_MS ? heartbeat_ms : WINDOW_LEAST_MS;
}

static enum group_kind kind_of(const struct run *run, uint32_t group)
{
    return group == 0 ? GROUP_ALL : (group <= run->settings.brokers ? GROUP_BROKER : GROUP_HOST);
}

/* Within the window of the newest one: those that are read late may have happened together all the same. */
static bool is_recent(const struct run *run, const struct account *account)
{
    return account->is_recent && account->crashed_ms >= run->model.crashed_ms - window_ms(run);
}

/* More than the share of those that ran have crashed, and most of these are still down. */
static bool is_tripped(const struct run *run, uint32_t group)
{
    uint32_t recent = 0, back = 0, running = 0, of;

    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct account *account = &run->model.told[i].account;
        bool runs = account->state == STATE_RUNNING;

        if (!account->exists || group_of(run, i, kind_of(run, group)) != group)
            continue;
        running += runs;
        recent += is_recent(run, account);
        back += is_recent(run, account) && runs;
    }
    of = running + recent - back;
    return of >= FLEET_LEAST && recent * 100.0 > run->options.breaker_percent * of && 2 * back < recent;
}

void check_group_members(struct run *run, uint32_t agent, enum instance_state from, enum instance_state to)
{
    struct account *account = model_account(&run->model, agent);

    if (from == STATE_RUNNING && to == STATE_CRASHED) {
        account->is_recent = true;
        account->crashed_ms = run->model.crashed_ms = run->daemon.at_ms;
    } else if (to == STATE_NONE) {
        account->is_recent = false;
    }
    for (int k = 0; k < GROUP_KINDS; k++) {
        uint32_t group = group_of(run, agent, (enum group_kind)k);

        if (from == STATE_RUNNING && to == STATE_CRASHED) {
            run->model.group_is_dirty[group] = run->model.any_group_dirty = true;
            if (run->model.groups[group].is_open)
                account->victim_of |= (uint8_t)(1U << k);
        } else if (to == STATE_STOPPED || to == STATE_NONE) {
            account->victim_of &= (uint8_t) ~(1U << k);
        }
    }
}

void check_group_open(struct run *run, uint32_t group)
{
    enum group_kind kind = kind_of(run, group);

    run->model.sums.breaks++;
    if (run->model.groups[group].is_open || !is_tripped(run, group))
        run_fail(run, "the breaker of group %u opens without a reason", group);
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct account *account = &run->model.told[i].account;

        if (account->exists && group_of(run, i, kind) == group && is_recent(run, account))
            model_account(&run->model, i)->victim_of |= (uint8_t)(1U << kind);
    }
}

static bool has_ended(const struct run *run, uint32_t group)
{
    uint32_t victims = 0, running = 0;
    enum group_kind kind = kind_of(run, group);

    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct account *account = &run->model.told[i].account;

        if (account->exists && group_of(run, i, kind) == group && account->victim_of & 1U << kind) {
            victims++;
            running += account->state == STATE_RUNNING;
        }
    }
    return 2 * running >= victims;
}

void check_group_end(struct run *run, uint32_t group)
{
    enum group_kind kind = kind_of(run, group);

    if (!run->model.groups[group].is_open || (!has_ended(run, group) && !run->daemon.is_operator))
        run_fail(run, "the breaker of group %u ends without a reason", group);
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct account *account = &run->model.told[i].account;

        if (!account->exists || group_of(run, i, kind) != group)
            continue;
        if (account->victim_of & 1U << kind || account->is_recent) {
            model_account(&run->model, i)->victim_of &= (uint8_t) ~(1U << kind);
            model_account(&run->model, i)->is_recent = false;
        }
    }
}

/* Every group in which somebody has crashed is judged by now. */
void check_groups(struct run *run)
{
    struct model *model = &run->model;

    if (!model->any_group_dirty)
        return;
    model->any_group_dirty = false;
    for (uint32_t i = 0; i < model->group_count; i++) {
        if (model->group_is_dirty[i] && !model->groups[i].is_open && is_tripped(run, i))
            run_fail(run, "the breaker of group %u does not open", i);
        if (model->group_is_dirty[i] && model->groups[i].is_open && has_ended(run, i))
            run_fail(run, "the breaker of group %u does not end", i);
        model->group_is_dirty[i] = false;
    }
}
