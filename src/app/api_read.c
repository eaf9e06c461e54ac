/* Reading the fleet (SPEC §8.1, §8.2): from memory, at once. */
#include "app/api.h"

#include "adapters/http.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/list_page.h"
#include "codec/json_text.h"
#include "codec/watch_json.h"
#include "core/watch.h"

/* Between the two parts of an alert's key; in no id. */
#define ALERT_MARK ':'

static void add_bool(struct buf *out, const char *name, bool value)
{
    buf_add_format(out, "\"%s\":%s,", name, value ? "true" : "false");
}

static void add_states(struct buf *out, const struct fleet *fleet)
{
    buf_add_format(out, "\"instances\":{\"total\":%u", fleet->count);
    for (int s = 0; s < INSTANCE_STATES; s++)
        buf_add_format(out, ",\"%s\":%u", instance_state_name((enum instance_state)s), fleet->by_state[s]);
    buf_add_text(out, "},");
}

static void add_alert_counts(struct buf *out, const struct fleet *fleet)
{
    uint32_t counts[RULES_MAX][ALERT_STATUSES], sums[ALERT_STATUSES] = {0};
    watch_count_alerts(fleet, counts);
    for (uint32_t r = 0; r < fleet->watch->options.rules.count; r++) {
        for (int s = 0; s < ALERT_STATUSES; s++)
            sums[s] += counts[r][s];
    }
    buf_add_text(out, "\"alerts\":{");
    for (int s = 0; s < ALERT_STATUSES; s++)
        buf_add_format(out, "%s\"%s\":%u", s ? "," : "", alert_status_name((enum alert_status)s), sums[s]);
    buf_add_text(out, "},");
}

static void add_notifications(struct buf *out, const struct webhooks *webhooks)
{
    struct errmsg error = {""};
    size_t failing = webhooks_count_failing(webhooks, &error);
    buf_add_format(out, "\"notifications\":{\"failing\":%zu,\"error\":", failing);
    if (failing)
        json_add_string(out, slice_text(error.text));
    else
        buf_add_text(out, "null");
    buf_add_text(out, "},");
}

/* The groups in which nothing is commanded. */
static void add_breaker(struct buf *out, const struct breaker *breaker)
{
    const char *comma = "";
    buf_add_text(out, "\"breaker_open\":[");
    for (uint32_t i = 0; i < breaker->group_count; i++) {
        const struct breaker_group *group = &breaker->groups[i];
        if (!group->used || !group->is_open)
            continue;
        buf_add_text(out, comma);
        json_add_string(out, breaker_group_key(group));
        comma = ",";
    }
    buf_add_text(out, "]}\n");
}

static void add_text(struct buf *out, const char *name, const char *text)
{
    buf_add_format(out, "\"%s\":", name);
    if (text)
        json_add_string(out, slice_text(text));
    else
        buf_add_text(out, "null");
    buf_add_char(out, ',');
}

void api_get_status(const struct api_call *call)
{
    const struct daemon *d = call->server->d;
    struct readiness readiness;
    struct ledger_view ledger;
    struct buf out = BUF_INIT;
    readiness_look(d, &readiness);
    daemon_view_ledger(d, &ledger);
    buf_add_text(&out, "{\"version\":\"" MT5_VERSION "\",");
    buf_add_format(&out, "\"uptime_seconds\":%lld,",
                   (long long)((loop_wall_ms() - d->started_wall_ms) / 1000));
    buf_add_format(&out, "\"now_ms\":%lld,", (long long)daemon_now_ms(d));
    add_bool(&out, "ready", readiness.is_ready);
    add_text(&out, "unready", readiness.word);
    if (d->store_count > 1)
        add_text(&out, "unready_layers", *readiness.layers ? readiness.layers : NULL);
    buf_add_format(&out, "\"readiness_since_ms\":%lld,", (long long)readiness.store->lead.told_ms);
    add_bool(&out, "redis_up", redis_link_is_up(readiness.store->link));
    add_bool(&out, "leader", lead_is_active(&d->lead));
    add_bool(&out, "observe_only", d->config->observe_only);
    add_bool(&out, "config_reload_ok", d->reload_ok);
    add_states(&out, &d->fleet);
    buf_add_format(&out, "\"instances_set_aside\":%u,", d->follow.blocked_count);
    buf_add_format(&out, "\"signals_open\":%llu,\"trades_open\":%u,", (unsigned long long)ledger.open,
                   daemon_of(d, LAYER_RTS)->trades.open_count);
    api_add_signals(&out, &ledger, daemon_now_ms(daemon_of(d, LAYER_RTSS)));
    api_add_streams(&out, d);
    api_add_redis(&out, readiness.store);
    api_add_layers(&out, d);
    add_alert_counts(&out, &d->fleet);
    add_notifications(&out, &d->webhooks);
    add_bool(&out, "guard_active", d->fleet.watch->is_held);
    add_breaker(&out, &d->fleet.watch->breaker);
    api_answer_json(call->request, 200, &out);
}

void api_get_instance(const struct api_call *call)
{
    const struct daemon *d = call->server->d;
    struct buf out = BUF_INIT;
    const struct instance *instance = api_check_state(call) ? api_find_instance(call) : NULL;
    if (!instance)
        return;
    instance_json_add(&out, &d->fleet, instance, daemon_now_ms(d));
    buf_add_char(&out, '\n');
    api_answer_json(call->request, 200, &out);
}

void api_get_why(const struct api_call *call)
{
    struct buf out = BUF_INIT;
    const struct instance *instance = api_check_state(call) ? api_find_instance(call) : NULL;
    if (!instance)
        return;
    why_json_add(&out, ident_slice(&instance->id), instance->watched ? &instance->watched->why : NULL);
    buf_add_char(&out, '\n');
    api_answer_json(call->request, 200, &out);
}

/* What a list of instances is asked for; what was not asked for is true of every one. */
struct filter {
    bool has_state, has_health;
    enum instance_state state;
    enum health health;
    struct slice broker; /* empty: any */
    struct slice after;
    size_t limit;
};

static bool read_filter(const struct api_call *call, struct filter *ret_filter)
{
    struct filter filter = {.broker = api_arg(call, "broker"), .after = api_arg(call, "after")};
    struct slice state, health;
    filter.has_state = http_request_arg(call->request, "state", &state);
    filter.has_health = http_request_arg(call->request, "health", &health);
    if (filter.has_state && !instance_state_parse(state, &filter.state))
        api_refuse(call->request, 400, "state: not one of running stopped crashed restarting");
    else if (filter.has_health && !health_parse(health, &filter.health))
        api_refuse(call->request, 400, "health: not one of healthy warning critical");
    else if (filter.broker.len && !ident_is_valid(filter.broker, IDENT_MAX))
        api_refuse(call->request, 400, "broker: not an id");
    else if (filter.after.len && !ident_is_valid(filter.after, IDENT_MAX))
        api_refuse(call->request, 400, "after: not an instance_id");
    else if (api_read_limit(call, &filter.limit)) {
        *ret_filter = filter;
        return true;
    }
    return false;
}

static bool fits(const struct filter *filter, const struct instance *instance)
{
    return (!filter->has_state || instance->state == filter->state) &&
           (!filter->has_health || instance->health == filter->health) &&
           (!filter->broker.len || slice_equal(filter->broker, ident_slice(&instance->broker_id)));
}

/* Ends a list: where its next page begins. */
static void end_list(struct buf *out, const struct list_page *page)
{
    buf_add_char(out, ']');
    if (page->has_more) {
        const struct list_page_key *last = &page->items[page->count - 1].key;
        struct buf next = BUF_INIT;
        buf_add_slice(&next, last->first);
        if (last->second.len) {
            buf_add_char(&next, ALERT_MARK);
            buf_add_slice(&next, last->second);
        }
        buf_add_text(out, ",\"next\":");
        json_add_string(out, buf_slice(&next));
        buf_clear(&next);
    }
    buf_add_text(out, "}\n");
}

void api_get_instances(const struct api_call *call)
{
    static const struct slice none = SLICE("");
    const struct daemon *d = call->server->d;
    struct filter filter;
    struct list_page page;
    struct buf out = BUF_INIT;
    if (!api_check_state(call) || !read_filter(call, &filter))
        return;
    list_page_init(&page, filter.limit, (struct list_page_key){filter.after, none});
    const struct instance *instance = fleet_next(&d->fleet, 0);
    for (; instance; instance = fleet_next(&d->fleet, fleet_index_of(&d->fleet, instance) + 1)) {
        if (fits(&filter, instance))
            list_page_offer(&page, (struct list_page_key){ident_slice(&instance->id), none}, instance);
    }
    list_page_finish(&page);
    buf_add_text(&out, "{\"instances\":[");
    for (size_t i = 0; i < page.count; i++) {
        if (i)
            buf_add_char(&out, ',');
        instance_json_add(&out, &d->fleet, page.items[i].item, daemon_now_ms(d));
    }
    end_list(&out, &page);
    list_page_clear(&page);
    api_answer_json(call->request, 200, &out);
}

/* The key of an instance's alert is `{instance_id}:{alert}`, that of a group's `:{group}`. */
static bool split_alert_key(struct slice text, struct list_page_key *ret_key)
{
    const char *mark = text.len ? memchr(text.data, ALERT_MARK, text.len) : NULL;
    if (!mark)
        return text.len == 0;
    ret_key->first = slice_of(text.data, (size_t)(mark - text.data));
    ret_key->second = slice_of(mark + 1, text.len - ret_key->first.len - 1);
    return true;
}

static void offer_alerts(struct list_page *page, const struct fleet *fleet)
{
    const struct instance *instance = fleet_next(fleet, 0);
    for (; instance; instance = fleet_next(fleet, fleet_index_of(fleet, instance) + 1)) {
        const struct watched *watched = instance->watched;
        for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
            const struct alert *alert = &watched->alerts[i];
            list_page_offer(
                page, (struct list_page_key){ident_slice(&instance->id), ident_slice(&alert->name)}, alert);
        }
    }
}

static void offer_group_alerts(struct list_page *page, const struct breaker *breaker)
{
    for (uint32_t i = 0; i < breaker->group_count; i++) {
        const struct breaker_group *group = &breaker->groups[i];
        if (group->used && group->is_open)
            list_page_offer(page, (struct list_page_key){slice_of("", 0), breaker_group_key(group)}, group);
    }
}

static void add_alert(struct buf *out, const struct fleet *fleet, const struct list_page_item *item)
{
    struct errmsg doing = {""};
    if (item->key.first.len == 0) {
        group_alert_json_add(out, item->item,
                             slice_text("nothing is commanded in this group until half of it runs again"));
        return;
    }
    const struct instance *instance = fleet_find(fleet, item->key.first);
    watch_describe(fleet, instance, &doing);
    alert_json_add(out, fleet, instance, item->item, slice_text(doing.text));
}

void api_get_alerts(const struct api_call *call)
{
    const struct daemon *d = call->server->d;
    struct list_page_key after = {slice_of("", 0), slice_of("", 0)};
    size_t limit;
    struct list_page page;
    struct buf out = BUF_INIT;
    if (!api_check_state(call) || !api_read_limit(call, &limit))
        return;
    if (!split_alert_key(api_arg(call, "after"), &after)) {
        api_refuse(call->request, 400, "after: not what next said");
        return;
    }
    list_page_init(&page, limit, after);
    offer_alerts(&page, &d->fleet);
    offer_group_alerts(&page, &d->fleet.watch->breaker);
    list_page_finish(&page);
    buf_add_text(&out, "{\"alerts\":[");
    for (size_t i = 0; i < page.count; i++) {
        if (i)
            buf_add_char(&out, ',');
        add_alert(&out, &d->fleet, &page.items[i]);
    }
    end_list(&out, &page);
    list_page_clear(&page);
    api_answer_json(call->request, 200, &out);
}
