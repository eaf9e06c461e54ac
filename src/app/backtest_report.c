#include "app/backtest_report.h"
#include "backtest_table.h"
#include "backtest_words.h"
#include <stdlib.h>

static void print_words(FILE *out, struct buf *text)
{
    (void)fwrite(text->data, 1, text->len, out);
    buf_clear(text);
}

/* ---- the head ---- */

static void add_count(struct buf *out, uint64_t count, const char *one, const char *many)
{
    buf_add_format(out, ", %llu %s", (unsigned long long)count, count == 1 ? one : many);
}

void backtest_report_head(FILE *out, const struct backtest_summary *summary)
{
    struct buf text = BUF_INIT;
    buf_add_format(&text, "Recording      %s: ", summary->file);
    words_add_time(&text, summary->from_ms);
    buf_add_text(&text, " to ");
    words_add_time(&text, summary->until_ms);
    buf_add_text(&text, ", ");
    backtest_add_duration(&text, summary->until_ms - summary->from_ms);
    buf_add_text(&text, "\n              ");
    buf_add_format(&text, " %llu reports", (unsigned long long)summary->reports);
    add_count(&text, summary->signals, "signal", "signals");
    add_count(&text, summary->results, "result", "results");
    add_count(&text, summary->events, "event", "events");
    add_count(&text, summary->states, "state of an instance", "states of instances");
    if (summary->gaps)
        add_count(&text, summary->gaps, "gap", "gaps");
    if (summary->left_out)
        add_count(&text, summary->left_out, "line left out", "lines left out");
    buf_add_text(&text, "\nAssumed        Reports, signals and results come as they were recorded, whatever "
                        "is commanded here.\n"
                        "               An answer in the recording is heard where a command of its kind is "
                        "open here. A command\n"
                        "               that was not given then is answered ok by the next report that says "
                        "running, a second\n"
                        "               later at the earliest; stop, start and restart are answered by "
                        "nobody. What operators\n"
                        "               did is done again. No hook runs, and the guard does not hold.\n");
    print_words(out, &text);
}

/* ---- rules ---- */

static const struct rule *rule_of(const struct backtest_run *run, const struct account_rule *rule)
{
    const struct rule_set *rules = &run->config->rules;
    for (uint32_t i = 0; i < rules->count; i++)
        if (slice_equal(ident_slice(&rules->rules[i].name), ident_slice(&rule->name)))
            return &rules->rules[i];
    return NULL;
}

static bool add_rule(const void *ctx, size_t number, struct buf cells[TABLE_COLUMNS])
{
    const struct backtest_run *run = ctx;
    if (number >= run->account.rule_count)
        return false;
    const struct account_rule *row = &run->account.rules[number];
    const struct rule *rule = rule_of(run, row);
    if (number + 1 == run->account.rule_count) {
        buf_add_text(&cells[0], "(no rule)");
        buf_add_text(&cells[1], "ends, replacements, operators");
    } else {
        buf_add_slice(&cells[0], ident_slice(&row->name));
    }
    if (rule)
        words_add_condition(&cells[1], run->config, rule);
    else if (!cells[1].len)
        buf_add_format(&cells[1], "%.12g %% of a group crashed", run->config->recovery.fleet_breaker_percent);
    buf_add_u64(&cells[2], row->firings);
    buf_add_u64(&cells[3], row->owners);
    backtest_add_duration(&cells[4], row->total_ms);
    backtest_add_duration(&cells[5], row->longest_ms);
    words_add_rule_commands(&cells[6], row);
    words_add_rule_held(&cells[7], row);
    return true;
}

/* ---- firings ---- */

struct listing {
    const struct account *account;
    const uint32_t *places;
    int64_t until_ms;
};

static bool add_firing(const void *ctx, size_t number, struct buf cells[TABLE_COLUMNS])
{
    const struct listing *listing = ctx;
    const struct account *account = listing->account;
    if (number >= account->firing_count)
        return false;
    const struct account_firing *firing = &account->firings[listing->places[number]];
    const struct account_track *track = &account->tracks[firing->track];
    buf_add_slice(&cells[0], ident_slice(&track->rule));
    buf_add_slice(&cells[1], account_owner(track));
    words_add_beginning(&cells[2], firing);
    words_add_end(&cells[3], firing);
    backtest_add_duration(&cells[4], account_length_ms(firing, listing->until_ms));
    words_add_value(&cells[5], account, firing);
    words_add_commands(&cells[6], &firing->deeds);
    words_add_held(&cells[7], &firing->deeds);
    return true;
}

/* ---- the whole ---- */

static void add_recoveries(struct buf *text, const struct backtest_run *run)
{
    buf_add_text(text, "\nRecoveries     ");
    for (int o = 0; o < RECOVERY_OUTCOMES; o++)
        buf_add_format(text, "%s%s %llu", o ? ", " : "", recovery_outcome_name((enum recovery_outcome)o),
                       (unsigned long long)run->fleet.watch->stats.recoveries[o]);
    buf_add_format(text,
                   "\nAnswers        heard %llu, assumed %llu, to commands that were not given here %llu\n",
                   (unsigned long long)run->answers_heard, (unsigned long long)run->answers_assumed,
                   (unsigned long long)run->answers_unheard);
}

static void sum_signals(const struct backtest_run *run, uint64_t sums[TOTAL_DUPLICATE + 1],
                        uint64_t *ret_open)
{
    struct ledger_view view;
    ledger_view(run->ledger, &view);
    memset(sums, 0, (TOTAL_DUPLICATE + 1) * sizeof *sums);
    for (uint32_t a = 0; a <= LABELS_MAX; a++)
        for (int k = 0; k <= TOTAL_DUPLICATE; k++)
            sums[k] += view.counts[a].total[k] - view.counts[a].base[k];
    *ret_open = view.open;
}

static void add_signals(struct buf *text, const struct backtest_run *run)
{
    uint64_t sums[TOTAL_DUPLICATE + 1], open;
    sum_signals(run, sums, &open);
    buf_add_text(text, "Signals        ");
    for (int k = 0; k <= TOTAL_DUPLICATE; k++)
        if (k != TOTAL_LOST) /* who removes one is not recorded */
            buf_add_format(text, "%s%s %llu", k ? ", " : "", total_kind_name((enum total_kind)k),
                           (unsigned long long)sums[k]);
    buf_add_format(text, ", open %llu\n", (unsigned long long)open);
}

void backtest_report_run(FILE *out, const struct backtest_run *run, const char *name, int64_t until_ms)
{
    static const char *const rule_titles[] = {"RULE",    "CONDITION", "FIRED",         "ON", "FOR IN ALL",
                                              "LONGEST", "COMMANDED", "NOT COMMANDED", NULL};
    static const char *const firing_titles[] = {"RULE",  "INSTANCE",  "FROM",          "TO", "FOR",
                                                "VALUE", "COMMANDED", "NOT COMMANDED", NULL};
    uint32_t *places = account_sort(&run->account, false);
    struct listing listing = {&run->account, places, until_ms};
    struct buf text = BUF_INIT;
    buf_add_format(&text, "\n%s\n", name);
    print_words(out, &text);
    table_print(out, &(struct table){rule_titles, 1U << 2 | 1U << 3, add_rule, run});
    add_recoveries(&text, run);
    add_signals(&text, run);
    if (run->rejected)
        buf_add_format(&text, "Rejected       %llu entries\n", (unsigned long long)run->rejected);
    buf_add_char(&text, '\n');
    print_words(out, &text);
    if (run->account.firing_count)
        table_print(out, &(struct table){firing_titles, 1U << 5, add_firing, &listing});
    else
        (void)fputs("No rule would have fired.\n", out);
    if (run->account.left_out)
        (void)fprintf(out, "and %llu more, counted above\n", (unsigned long long)run->account.left_out);
    free(places);
}
