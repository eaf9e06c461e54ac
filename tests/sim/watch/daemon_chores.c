/* What happens outside once a batch is stored, and takes its time: hooks, and the delivery of notices. */
#include "run.h"
#include "util/alloc.h"

#define NEVER INT64_MAX

static struct sink *sink_of(struct daemon *daemon)
{
    return &daemon->run->model.sink;
}

void daemon_add_chore(struct daemon *daemon, const struct chore *chore)
{
    if (daemon->chore_count == daemon->chore_cap) {
        daemon->chore_cap = daemon->chore_cap ? daemon->chore_cap * 2 : 16;
        daemon->chores = mem_resize(daemon->chores, daemon->chore_cap, sizeof(*daemon->chores));
    }
    daemon->chores[daemon->chore_count++] = *chore;
    if (chore->at_ms < daemon->chore_ms)
        daemon->chore_ms = chore->at_ms;
}

static struct notice *find_notice(struct daemon *daemon, const struct chore *chore)
{
    char key[NOTICE_KEY_MAX], id_text[ID_TEXT_MAX];
    size_t len;

    if (chore->group != GROUP_NONE) {
        struct slice stored = notice_key(&daemon->run->model.groups[chore->group].notice);

        return notices_find(&daemon->fleet.watch->notices, stored);
    }
    len = notice_key_format(key, world_format_id(id_text, chore->agent), false,
                            slice_text(rule_names[chore->rule]));
    return notices_find(&daemon->fleet.watch->notices, slice_of(key, len));
}

static void end_hook(struct daemon *daemon, const struct chore *chore)
{
    char id_text[ID_TEXT_MAX], command_text[IDENT_COMMAND_MAX + 1];
    struct slice id = world_format_id(id_text, chore->agent);
    struct slice command =
        slice_of(command_text, command_id_format(command_text, id, chore->command, chore->number));
    bool is_done = daemon->run->is_calm || rng_chance(&daemon->run->rng, 80);
    struct cause cause = {CAUSE_TIMER, {(uint64_t)daemon->run->now_ms, daemon->fleet.timers++}};

    daemon->sums.hooks++;
    run_note(daemon->run, "hook of %s: %s", command_text, is_done ? "done" : "failed");
    if (is_done)
        world_take_hook(&daemon->run->world, chore->agent, chore->command);
    watch_on_hook_done(&daemon->fleet, id, command, is_done, &cause, daemon->at_ms, sink_of(daemon));
}

static void do_chore(struct daemon *daemon, struct chore chore)
{
    struct run *run = daemon->run;
    struct cause cause = {CAUSE_TIMER, {(uint64_t)run->now_ms, daemon->fleet.timers++}};
    struct notice *notice;

    if (chore.kind == CHORE_HOOK) {
        end_hook(daemon, &chore);
        return;
    }
    notice = find_notice(daemon, &chore);
    if (!notice || notice->change != chore.number)
        return; /* something newer is on its way */
    if (chore.kind == CHORE_NOTIFIED) {
        watch_on_notified(&daemon->fleet, notice, chore.number, &cause, sink_of(daemon));
        chore.kind = CHORE_DELIVERED;
        chore.at_ms = run->now_ms + rng_between(&run->rng, 0, 5000);
        daemon_add_chore(daemon, &chore);
    } else if (notice->ends_ms > 0) {
        watch_forget_notice(&daemon->fleet, notice, &cause, sink_of(daemon));
    }
}

bool daemon_do_chores(struct daemon *daemon)
{
    int64_t next_ms = NEVER;

    if (daemon->chore_ms > daemon->run->now_ms)
        return true;
    for (uint32_t i = 0; i < daemon->chore_count;) {
        struct chore chore = daemon->chores[i];

        if (chore.at_ms > daemon->run->now_ms) {
            next_ms = chore.at_ms < next_ms ? chore.at_ms : next_ms;
            i++;
            continue;
        }
        daemon->chores[i] = daemon->chores[--daemon->chore_count];
        do_chore(daemon, chore);
        if (daemon_dies(daemon))
            return false;
    }
    daemon->chore_ms = next_ms;
    for (uint32_t i = 0; i < daemon->chore_count; i++) {
        if (daemon->chores[i].at_ms < daemon->chore_ms)
            daemon->chore_ms = daemon->chores[i].at_ms;
    }
    return true;
}

void daemon_resume_chores(struct daemon *daemon)
{
    struct run *run = daemon->run;
    const struct notice *notice;

    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct kept *kept = &run->model.stored[i];
        const struct command *command = &kept->watch.record.command;

        if (kept->account.exists && kept->watch.exists && command->is_open && command->hook_is_due)
            daemon_add_chore(daemon, &(struct chore){.kind = CHORE_HOOK,
                                                     .at_ms = run->now_ms + rng_between(&run->rng, 1, 2000),
                                                     .agent = i,
                                                     .group = GROUP_NONE,
                                                     .command = command->kind,
                                                     .number = command->number});
    }
    for (uint32_t i = 0; (notice = notices_next(&daemon->fleet.watch->notices, i));
         i = notices_place_of(&daemon->fleet.watch->notices, notice) + 1) {
        struct chore chore = {.kind = CHORE_NOTIFIED,
                              .at_ms = run->now_ms + rng_between(&run->rng, 1, 2000),
                              .group = GROUP_NONE,
                              .number = notice->change};

        if (notice->group[0]) {
            chore.group = group_parse(run, slice_text(notice->group));
        } else {
            chore.agent = world_parse_id(ident_slice(&notice->instance_id));
            chore.rule = rule_place(ident_slice(&notice->alert));
        }
        daemon_add_chore(daemon, &chore);
    }
}
