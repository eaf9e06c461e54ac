#include "backtest_words.h"
#include "app/backtest_report.h"
#include "util/macros.h"
#include "util/time_text.h"
#include <math.h>

#define MS_PER_S 1000

void words_add_time(struct buf *out, int64_t ms)
{
    char text[TIME_TEXT_MS_LEN + 1];
    time_text_format_ms(text, ms);
    buf_add_text(out, text);
}

void backtest_add_duration(struct buf *out, int64_t ms)
{
    int64_t s = ms / MS_PER_S, min = s / 60, h = min / 60;
    if (h > 0)
        buf_add_format(out, "%lld h %02lld min", (long long)h, (long long)(min % 60));
    else if (min > 0)
        buf_add_format(out, "%lld min %02lld s", (long long)min, (long long)(s % 60));
    else if (s > 0 && ms % MS_PER_S == 0)
        buf_add_format(out, "%lld s", (long long)s);
    else if (s > 0)
        buf_add_format(out, "%lld.%03lld s", (long long)s, (long long)(ms % MS_PER_S));
    else
        buf_add_format(out, "%lld ms", (long long)ms);
}

void words_add_condition(struct buf *out, const struct config *config, const struct rule *rule)
{
    buf_add_format(out, "%s %s ", rule_metric_name(rule->metric), rule_op_name(rule->op));
    if (rule->by_max_attempts)
        buf_add_i64(out, config->recovery.max_attempts);
    else if (rule->metric == METRIC_STATE)
        buf_add_text(out, instance_state_name((enum instance_state)(int)rule->threshold));
    else
        buf_add_double(out, rule->threshold);
    if (rule->for_ms) {
        buf_add_text(out, " for ");
        backtest_add_duration(out, rule->for_ms);
    }
}

static void add_none(struct buf *out, size_t before)
{
    if (out->len == before)
        buf_add_char(out, '-');
}

static void add_count(struct buf *out, size_t before, const char *word, uint64_t count)
{
    if (count)
        buf_add_format(out, "%s%s %llu", out->len > before ? ", " : "", word, (unsigned long long)count);
}

void words_add_commands(struct buf *out, const struct account_deeds *deeds)
{
    size_t before = out->len;
    for (int k = 0; k < COMMAND_KINDS; k++)
        add_count(out, before, command_kind_name((enum command_kind)k), deeds->commands[k]);
    add_none(out, before);
}

void words_add_held(struct buf *out, const struct account_deeds *deeds)
{
    size_t before = out->len;
    for (int k = 0; k < COMMAND_KINDS; k++) {
        const char *separator = ": ";
        if (!deeds->held[k])
            continue;
        buf_add_format(out, "%s%s", out->len > before ? "; " : "", command_kind_name((enum command_kind)k));
        for (int h = 0; h < HOLDS; h++) {
            if (!(deeds->held[k] & 1U << h))
                continue;
            buf_add_format(out, "%s%s", separator, hold_name((enum hold)h));
            separator = ", ";
        }
    }
    add_none(out, before);
}

void words_add_rule_commands(struct buf *out, const struct account_rule *rule)
{
    size_t before = out->len;
    for (int k = 0; k < COMMAND_KINDS; k++)
        add_count(out, before, command_kind_name((enum command_kind)k), rule->commands[k]);
    add_none(out, before);
}

void words_add_rule_held(struct buf *out, const struct account_rule *rule)
{
    size_t before = out->len;
    for (int k = 0; k < COMMAND_KINDS; k++) {
        const char *separator = ": ";
        bool has_begun = false;
        for (int h = 0; h < HOLDS; h++) {
            if (!rule->held[k][h])
                continue;
            if (!has_begun)
                buf_add_format(out, "%s%s", out->len > before ? "; " : "",
                               command_kind_name((enum command_kind)k));
            has_begun = true;
            buf_add_format(out, "%s%s %llu", separator, hold_name((enum hold)h),
                           (unsigned long long)rule->held[k][h]);
            separator = ", ";
        }
    }
    add_none(out, before);
}

static bool is_state(double value)
{
    return value >= 0 && value < INSTANCE_STATES;
}

void words_add_value(struct buf *out, const struct account *account, const struct account_firing *firing)
{
    const struct account_rule *rule = &account->rules[account->tracks[firing->track].place];
    if (firing->has_value && rule->is_about_state && is_state(firing->value))
        buf_add_text(out, instance_state_name((enum instance_state)(int)firing->value));
    else if (firing->has_value && isfinite(firing->value))
        buf_add_double(out, firing->value);
    else
        buf_add_char(out, '-');
}

void words_add_beginning(struct buf *out, const struct account_firing *firing)
{
    if (firing->was_there)
        buf_add_text(out, "from before");
    else
        words_add_time(out, firing->from_ms);
}

void words_add_end(struct buf *out, const struct account_firing *firing)
{
    if (firing->to_ms == ACCOUNT_OPEN)
        buf_add_text(out, "still at the end");
    else
        words_add_time(out, firing->to_ms);
}
