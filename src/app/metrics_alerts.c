#include "app/metrics_alerts.h"

#include "util/alloc.h"
#include "util/macros.h"
#include <stdlib.h>

void alert_marks_init(struct alert_marks *marks, const struct watch *watch)
{
    const struct rule_set *set = &watch->options.rules;

    *marks = (struct alert_marks){.rule_count = set->count};
    marks->rules = mem_new(set->count, sizeof(*marks->rules));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct prom_label label = {"alert", ident_slice(&set->rules[i].name)};

        marks->rules[i].rule = set->rules[i];
        prom_labels_add(&marks->rules[i].label, &label, 1);
    }
}

void alert_marks_clear(struct alert_marks *marks)
{
    for (uint32_t i = 0; i < marks->rule_count; i++)
        buf_clear(&marks->rules[i].label);
    free(marks->rules);
    free(marks->items);
    *marks = (struct alert_marks){0};
}

/* ---- copying ---- */

static void add_mark(struct alert_marks *marks, uint32_t rule, enum mark_kind kind)
{
    if (marks->count == marks->cap) {
        marks->cap = marks->cap ? marks->cap * 2 : 64;
        marks->items = mem_resize(marks->items, marks->cap, sizeof(*marks->items));
    }
    marks->items[marks->count++] = (struct alert_mark){(uint16_t)rule, (uint16_t)kind};
}

static bool is_rule_of(const struct marked_rule *marked, const struct alert *alert)
{
    return slice_equal(ident_slice(&marked->rule.name), ident_slice(&alert->name));
}

/* The rule's place among those that were copied, which a reload may have made another one than in the alert;
 * rule_count where it is none of them. */
static uint32_t find_rule(const struct alert_marks *marks, const struct alert *alert)
{
    uint32_t place = 0;

    if (alert->rule < marks->rule_count && is_rule_of(&marks->rules[alert->rule], alert))
        return alert->rule;
    while (place < marks->rule_count && !is_rule_of(&marks->rules[place], alert))
        place++;
    return place;
}

static void add_alerts(struct alert_marks *marks, const struct watched *watched)
{
    for (uint32_t i = 0; i < watched->alert_count; i++) {
        const struct alert *alert = &watched->alerts[i];
        uint32_t rule = alert->rule == ALERT_NO_RULE ? marks->rule_count : find_rule(marks, alert);

        if (rule == marks->rule_count)
            continue;
        add_mark(marks, rule, alert->status == ALERT_FIRING ? MARK_FIRING : MARK_PENDING);
        marks->rules[rule].counts[alert->status]++;
    }
}

struct mark_range alert_marks_add(struct alert_marks *marks, const struct fleet *fleet,
                                  const struct instance *instance)
{
    struct mark_range range = {.first = marks->count};

    if (instance->watched)
        add_alerts(marks, instance->watched);
    for (uint32_t i = 0; i < marks->rule_count; i++) {
        if (watch_is_unevaluable(fleet, instance, &marks->rules[i].rule))
            add_mark(marks, i, MARK_UNEVALUABLE);
    }
    range.count = marks->count - range.first;
    return range;
}

void alert_marks_drop(struct alert_marks *marks, struct mark_range range)
{
    for (uint32_t i = 0; i < range.count; i++) {
        const struct alert_mark *mark = &marks->items[range.first + i];

        if (mark->kind != MARK_UNEVALUABLE)
            marks->rules[mark->rule].counts[mark->kind == MARK_FIRING ? ALERT_FIRING : ALERT_PENDING]--;
    }
}

static bool is_told(const struct watch *watch, const struct breaker_group *group)
{
    char key[NOTICE_KEY_MAX];
    size_t len = notice_key_format(key, breaker_group_key(group), true, slice_text(NOTICE_FLEET_FAILURE));
    const struct notice *notice = notices_find(&watch->notices, slice_of(key, len));

    return notice && notice->ends_ms == 0;
}

bool alert_marks_count_groups(struct alert_marks *marks, const struct watch *watch, uint32_t max)
{
    const struct breaker *breaker = &watch->breaker;

    if (breaker->open_count == 0)
        return true;
    for (; max > 0 && marks->next_group < breaker->group_count; max--, marks->next_group++) {
        const struct breaker_group *group = &breaker->groups[marks->next_group];

        marks->told_groups += group->used && group->is_open && is_told(watch, group);
    }
    return marks->next_group >= breaker->group_count;
}

/* ---- writing ---- */

uint32_t alert_marks_count(const struct alert_marks *marks, struct mark_range range, enum mark_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < range.count; i++)
        count += marks->items[range.first + i].kind == kind;
    return count;
}

void alert_marks_write(const struct alert_marks *marks, struct mark_range range, enum mark_kind kind,
                       struct slice id_labels, struct prom_writer *writer)
{
    for (uint32_t i = 0; i < range.count; i++) {
        const struct alert_mark *mark = &marks->items[range.first + i];

        if (mark->kind == kind)
            prom_sample_more(writer, id_labels, buf_slice(&marks->rules[mark->rule].label), 1);
    }
}

static void write_count(struct prom_writer *writer, struct slice alert, enum severity severity,
                        const uint32_t counts[ALERT_STATUSES])
{
    for (int status = 0; status < ALERT_STATUSES; status++) {
        const struct prom_label labels[] = {
            {"alert", alert},
            {"severity", slice_text(severity_name(severity))},
            {"status", slice_text(alert_status_name((enum alert_status)status))}};
        struct buf text = BUF_INIT;

        prom_labels_add(&text, labels, ARRAY_LEN(labels));
        prom_sample_u64(writer, buf_slice(&text), counts[status]);
        buf_clear(&text);
    }
}

/* A rule that somebody has given the name and the severity of ours is shown with it: a series is there once.
 */
static bool is_fleet_failure(const struct rule *rule)
{
    return slice_is(ident_slice(&rule->name), NOTICE_FLEET_FAILURE) && rule->severity == SEVERITY_CRITICAL;
}

const struct metric_info alerts_family_info = {
    "mt5stated_alerts", PROM_GAUGE, "alert, severity, status",
    "Alerts of each enabled rule that are pending or firing; FleetFailure: groups that it has been told of",
    ""};

void alert_marks_write_counts(const struct alert_marks *marks, struct prom_writer *writer)
{
    uint32_t groups[ALERT_STATUSES] = {[ALERT_FIRING] = marks->told_groups};

    prom_family_begin(writer, alerts_family_info.name, alerts_family_info.type, alerts_family_info.help);
    for (uint32_t i = 0; i < marks->rule_count; i++) {
        const struct marked_rule *marked = &marks->rules[i];

        if (is_fleet_failure(&marked->rule)) {
            for (int status = 0; status < ALERT_STATUSES; status++)
                groups[status] += marked->counts[status];
        } else if (marked->rule.enabled) {
            write_count(writer, ident_slice(&marked->rule.name), marked->rule.severity, marked->counts);
        }
    }
    write_count(writer, slice_text(NOTICE_FLEET_FAILURE), SEVERITY_CRITICAL, groups);
}
