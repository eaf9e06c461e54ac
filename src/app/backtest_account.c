#include "app/backtest_account.h"
#include "core/breaker.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <stdlib.h>

static const struct slice no_owner = {"", 0};

/* ---- rules and tracks ---- */

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct account *account = owner;
    return slice_of(account->tracks[index].key, account->tracks[index].key_len);
}

static void add_rule(struct account *account, struct slice name, bool is_about_state)
{
    struct account_rule *rule = &account->rules[account->rule_count++];
    ident_set(&rule->name, name);
    rule->is_about_state = is_about_state;
}

void account_clear(struct account *account)
{
    free(account->rules);
    free(account->tracks);
    free(account->firings);
    map_clear(&account->map);
}

static uint32_t find_rule(const struct account *account, struct slice name)
{
    uint32_t last = account->rule_count - 1;
    for (uint32_t i = 0; i < last; i++)
        if (slice_equal(ident_slice(&account->rules[i].name), name))
            return i;
    return last;
}

static void make_track(struct account_track *track, uint32_t place, struct slice rule, struct slice owner)
{
    size_t len = owner.len < GROUP_TEXT_MAX ? owner.len : GROUP_TEXT_MAX;
    *track = (struct account_track){.owner_len = (unsigned char)len, .place = place, .last = MAP_NONE};
    memcpy(track->owner, owner.data, len);
    ident_set(&track->rule, rule);
    memcpy(track->key, track->rule.text, track->rule.len);
    track->key[track->rule.len] = ' ';
    memcpy(track->key + track->rule.len + 1, owner.data, len);
    track->key_len = (unsigned char)(track->rule.len + 1 + len);
}

/* NULL where the rule is none of ours, or where there is none yet and MAKES_ONE is not set. */
static struct account_track *find_track(struct account *account, struct slice rule, struct slice owner,
                                        bool makes_one)
{
    uint32_t place = find_rule(account, rule), index;
    struct account_track track;
    if (place == account->rule_count - 1)
        return NULL;
    make_track(&track, place, rule, owner);
    index = map_find(&account->map, slice_of(track.key, track.key_len));
    if (index != MAP_NONE)
        return &account->tracks[index];
    if (!makes_one)
        return NULL;
    if (account->track_count == account->track_cap) {
        account->track_cap = account->track_cap ? account->track_cap * 2 : 64;
        account->tracks = mem_resize(account->tracks, account->track_cap, sizeof *account->tracks);
    }
    index = account->track_count++;
    account->tracks[index] = track;
    map_insert(&account->map, index);
    account->rules[place].owners++;
    return &account->tracks[index];
}

/* ---- firings ---- */

static void keep_firing(struct account *account, struct account_track *track,
                        const struct account_firing *firing)
{
    track->last = MAP_NONE;
    if (account->firing_count == ACCOUNT_FIRINGS_MAX) {
        account->left_out++;
        return;
    }
    if (account->firing_count == account->firing_cap) {
        account->firing_cap = account->firing_cap ? account->firing_cap * 2 : 64;
        account->firings = mem_resize(account->firings, account->firing_cap, sizeof *account->firings);
    }
    track->last = account->firing_count++;
    account->firings[track->last] = *firing;
}

static void begin_firing(struct account *account, struct slice rule, struct slice owner,
                         const struct account_firing *draft)
{
    struct account_track *track = find_track(account, rule, owner, true);
    if (!track || track->fires)
        return;
    struct account_firing firing = *draft;
    firing.track = (uint32_t)(track - account->tracks);
    firing.to_ms = ACCOUNT_OPEN;
    track->fires = true;
    track->from_ms = firing.from_ms;
    account->rules[track->place].firings++;
    keep_firing(account, track, &firing);
}

static void add_length(struct account *account, const struct account_track *track, int64_t until_ms)
{
    struct account_rule *rule = &account->rules[track->place];
    int64_t ms = until_ms > track->from_ms ? until_ms - track->from_ms : 0;
    rule->total_ms += ms;
    if (ms > rule->longest_ms)
        rule->longest_ms = ms;
}

static void end_firing(struct account *account, struct slice rule, struct slice owner, int64_t at_ms)
{
    struct account_track *track = find_track(account, rule, owner, false);
    if (!track || !track->fires)
        return;
    track->fires = false;
    add_length(account, track, at_ms);
    if (track->last != MAP_NONE)
        account->firings[track->last].to_ms = at_ms;
}

/* Nothing is told of the time before ACCOUNT knew it. */
static int64_t loaded_from_ms(const struct account *account, int64_t fired_ms)
{
    return fired_ms > account->now_ms ? fired_ms : account->now_ms;
}

void account_add_loaded(struct account *account, struct slice instance_id, const struct alert *alert)
{
    struct account_firing firing = {.from_ms = loaded_from_ms(account, alert->fired_ms),
                                    .value = alert->value,
                                    .has_value = true,
                                    .was_there = true};
    if (alert->status == ALERT_FIRING)
        begin_firing(account, ident_slice(&alert->name), instance_id, &firing);
}

void account_add_loaded_group(struct account *account, struct slice group, int64_t opened_ms, double crashed)
{
    struct account_firing firing = {.from_ms = loaded_from_ms(account, opened_ms),
                                    .value = crashed,
                                    .has_value = true,
                                    .was_there = true};
    begin_firing(account, slice_text(NOTICE_FLEET_FAILURE), group, &firing);
}

void account_finish(struct account *account, int64_t end_ms)
{
    for (uint32_t i = 0; i < account->track_count; i++)
        if (account->tracks[i].fires)
            add_length(account, &account->tracks[i], end_ms);
}

int64_t account_length_ms(const struct account_firing *firing, int64_t end_ms)
{
    int64_t to_ms = firing->to_ms == ACCOUNT_OPEN ? end_ms : firing->to_ms;
    return to_ms > firing->from_ms ? to_ms - firing->from_ms : 0;
}

/* ---- what was done, and what was not ---- */

static struct account_firing *last_firing(struct account *account, struct slice rule, struct slice owner)
{
    struct account_track *track = find_track(account, rule, owner, false);
    return track && track->last != MAP_NONE ? &account->firings[track->last] : NULL;
}

static void take_command(struct account *account, const struct event *event)
{
    enum command_kind kind;
    uint64_t number;
    if (!command_id_parse(event->command_id, event->instance_id, &kind, &number))
        return;
    struct account_firing *firing = last_firing(account, event->alert, event->instance_id);
    account->rules[find_rule(account, event->alert)].commands[kind]++;
    if (firing)
        firing->deeds.commands[kind]++;
    if (account->on_command)
        account->on_command(account->ctx, event->instance_id, kind, number);
}

void account_note_hold(struct account *account, struct slice instance_id, enum command_kind command,
                       enum hold hold, struct slice alert)
{
    struct account_firing *firing = last_firing(account, alert, instance_id);
    account->rules[find_rule(account, alert)].held[command][hold]++;
    if (firing)
        firing->deeds.held[command] |= (uint16_t)(1U << hold);
}

static void on_event(void *ctx, const struct event *event)
{
    struct account *account = ctx;
    struct account_firing firing = {
        .from_ms = event->at_ms, .value = event->value, .has_value = event->has_value};
    if (event->kind == EVENT_ALERT_FIRING && event->instance_id.len)
        begin_firing(account, event->alert, event->instance_id, &firing);
    else if (event->kind == EVENT_ALERT_RESOLVED && event->instance_id.len)
        end_firing(account, event->alert, event->instance_id, event->at_ms);
    else if (event->kind == EVENT_COMMAND_ISSUED)
        take_command(account, event);
}

static void on_breaker_set(void *ctx, const struct breaker_group *group)
{
    struct account *account = ctx;
    struct account_firing firing = {.from_ms = group->opened_ms, .value = group->crashed, .has_value = true};
    begin_firing(account, slice_text(NOTICE_FLEET_FAILURE), slice_of(group->key, group->key_len), &firing);
}

static void on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    struct account *account = ctx;
    end_firing(account, slice_text(NOTICE_FLEET_FAILURE), slice_of(group->key, group->key_len),
               account->now_ms);
}

/* ---- in order ---- */

struct order {
    const struct account *account;
    bool by_name;
};

static int compare_firings(const void *left, const void *right, void *ctx)
{
    const struct order *order = ctx;
    const struct account_firing *a = &order->account->firings[*(const uint32_t *)left],
                                *b = &order->account->firings[*(const uint32_t *)right];
    const struct account_track *ta = &order->account->tracks[a->track],
                               *tb = &order->account->tracks[b->track];
    int owner = slice_compare(account_owner(ta), account_owner(tb)),
        from = (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms), r;
    r = order->by_name ? slice_compare(ident_slice(&ta->rule), ident_slice(&tb->rule))
                       : (ta->place > tb->place) - (ta->place < tb->place);
    if (!r)
        r = order->by_name ? owner : from;
    if (!r)
        r = order->by_name ? from : owner;
    return r;
}

uint32_t *account_sort(const struct account *account, bool by_name)
{
    struct order order = {account, by_name};
    uint32_t *places = mem_new(account->firing_count + 1, sizeof *places);
    for (uint32_t i = 0; i < account->firing_count; i++)
        places[i] = i;
    qsort_r(places, account->firing_count, sizeof *places, compare_firings, &order);
    return places;
}

/* ---- the whole ---- */

void account_init(struct account *account, const struct rule_set *rules, struct hash_key key)
{
    *account = (struct account){.rules = mem_new(rules->count + 2, sizeof *account->rules)};
    map_init(&account->map, key, key_of, account);
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->rules[i].enabled)
            add_rule(account, ident_slice(&rules->rules[i].name), rules->rules[i].metric == METRIC_STATE);
    add_rule(account, slice_text(NOTICE_FLEET_FAILURE), false);
    add_rule(account, no_owner, false);
    account->ops = sink_ops_silent;
    account->ops.event = on_event;
    account->ops.breaker_set = on_breaker_set;
    account->ops.breaker_unset = on_breaker_unset;
    account->sink = (struct sink){&account->ops, account};
}
