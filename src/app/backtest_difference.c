/* Two accounts of one recording, side by side. Firings of the same rule on the same instance that overlap are
 * one and the same; if they differ in their times or in what was commanded, it has changed. */
#include "app/backtest_report.h"
#include "backtest_table.h"
#include "backtest_words.h"
#include "util/alloc.h"
#include <stdlib.h>

enum mark { MARK_SAME, MARK_CHANGED, MARK_NEW, MARK_OLD };
#define MARKS 4

#define NONE UINT32_MAX

/* Places in the firings of the two; NONE where it is in the other only. */
struct pair {
    uint32_t place[2];
    enum mark mark;
};

struct difference {
    const struct backtest_run *runs[2]; /* new and old */
    const char *names[2];
    int64_t until_ms;
    struct pair *pairs;
    size_t pair_count;
    struct row_of_rule {
        struct slice name;
        uint64_t marks[MARKS];
    } * rules; /* those of the new one first */
    size_t rule_count;
};

static const struct account *account_at(const struct difference *d, int side)
{
    return &d->runs[side]->account;
}

static const struct account_firing *firing_at(const struct difference *d, const struct pair *pair, int side)
{
    return pair->place[side] == NONE ? NULL : &account_at(d, side)->firings[pair->place[side]];
}

static const struct account_track *track_of(const struct difference *d, const struct pair *pair)
{
    int side = pair->place[0] == NONE;
    return &account_at(d, side)->tracks[firing_at(d, pair, side)->track];
}

/* ---- pairing ---- */

/* Which of the two comes first in the order of account_sort by name; 0 where they are one. */
static int compare(const struct difference *d, const struct account_firing *a, const struct account_firing *b)
{
    const struct account_track *ta = &account_at(d, 0)->tracks[a->track],
                               *tb = &account_at(d, 1)->tracks[b->track];
    int r = slice_compare(ident_slice(&ta->rule), ident_slice(&tb->rule));
    if (!r)
        r = slice_compare(account_owner(ta), account_owner(tb));
    if (r)
        return r;
    if (a->to_ms < b->from_ms)
        return -1;
    return b->to_ms < a->from_ms;
}

static bool is_same(const struct account_firing *a, const struct account_firing *b)
{
    return a->from_ms == b->from_ms && a->to_ms == b->to_ms &&
           memcmp(a->deeds.commands, b->deeds.commands, sizeof a->deeds.commands) == 0 &&
           memcmp(a->deeds.held, b->deeds.held, sizeof a->deeds.held) == 0;
}

static void make_pairs(struct difference *d)
{
    uint32_t *sorted[2] = {account_sort(account_at(d, 0), true), account_sort(account_at(d, 1), true)};
    uint32_t count[2] = {account_at(d, 0)->firing_count, account_at(d, 1)->firing_count}, at[2] = {0, 0};
    d->pairs = mem_new((size_t)count[0] + count[1] + 1, sizeof *d->pairs);
    while (at[0] < count[0] || at[1] < count[1]) {
        struct pair pair = {{NONE, NONE}, MARK_NEW};
        const struct account_firing *a = at[0] < count[0] ? &account_at(d, 0)->firings[sorted[0][at[0]]]
                                                          : NULL,
                                    *b = at[1] < count[1] ? &account_at(d, 1)->firings[sorted[1][at[1]]]
                                                          : NULL;
        int order = !a ? 1 : !b ? -1 : compare(d, a, b);
        if (order <= 0)
            pair.place[0] = sorted[0][at[0]++];
        if (order >= 0)
            pair.place[1] = sorted[1][at[1]++];
        if (order > 0)
            pair.mark = MARK_OLD;
        else if (order == 0)
            pair.mark = is_same(a, b) ? MARK_SAME : MARK_CHANGED;
        d->pairs[d->pair_count++] = pair;
    }
    free(sorted[0]);
    free(sorted[1]);
}

/* ---- by rule ---- */

static const struct account_rule *find_rule(const struct difference *d, int side, struct slice name)
{
    const struct account *account = account_at(d, side);
    for (uint32_t i = 0; i < account->rule_count; i++)
        if (slice_equal(ident_slice(&account->rules[i].name), name))
            return &account->rules[i];
    return NULL;
}

static void list_rules(struct difference *d)
{
    d->rules = mem_new((size_t)account_at(d, 0)->rule_count + account_at(d, 1)->rule_count, sizeof *d->rules);
    for (int side = 0; side < 2; side++) {
        const struct account *account = account_at(d, side);
        for (uint32_t i = 0; i < account->rule_count; i++) {
            struct slice name = ident_slice(&account->rules[i].name);
            if (side == 0 || !find_rule(d, 0, name))
                d->rules[d->rule_count++].name = name;
        }
    }
}

/* Pairs are in the order of their rules' names, so that each rule is looked for once. */
static void count_marks(struct difference *d)
{
    struct row_of_rule *row = NULL;
    for (size_t i = 0; i < d->pair_count; i++) {
        struct slice name = ident_slice(&track_of(d, &d->pairs[i])->rule);
        if (!row || !slice_equal(row->name, name))
            for (row = d->rules; !slice_equal(row->name, name); row++)
                ;
        row->marks[d->pairs[i].mark]++;
    }
}

static bool add_rule(const void *ctx, size_t number, struct buf cells[TABLE_COLUMNS])
{
    static const struct account_rule none;
    const struct difference *d = ctx;
    if (number >= d->rule_count)
        return false;
    struct slice name = d->rules[number].name;
    const struct account_rule *rows[2] = {find_rule(d, 0, name), find_rule(d, 1, name)};
    if (name.len)
        buf_add_slice(&cells[0], name);
    else
        buf_add_text(&cells[0], "(no rule)");
    if (!rows[0] || !rows[1])
        buf_add_format(&cells[0], " (only in %s)", d->names[rows[0] ? 0 : 1]);
    for (int m = 0; m < MARKS; m++)
        buf_add_u64(&cells[1 + m], d->rules[number].marks[m]);
    backtest_add_duration(&cells[5], rows[0] ? rows[0]->total_ms : 0);
    backtest_add_duration(&cells[6], rows[1] ? rows[1]->total_ms : 0);
    words_add_rule_commands(&cells[7], rows[0] ? rows[0] : &none);
    words_add_rule_commands(&cells[8], rows[1] ? rows[1] : &none);
    return true;
}

/* ---- one by one ---- */

static void add_side(const struct difference *d, const struct pair *pair, int side, struct buf *cells)
{
    const struct account_firing *firing = firing_at(d, pair, side);
    words_add_beginning(&cells[0], firing);
    words_add_end(&cells[1], firing);
    backtest_add_duration(&cells[2], account_length_ms(firing, d->until_ms));
    words_add_commands(&cells[3], &firing->deeds);
    words_add_held(&cells[4], &firing->deeds);
}

/* A row for each side of a pair that differs. */
struct rows {
    const struct difference *d;
    struct row {
        size_t pair;
        int side;
    } * rows;
    size_t count;
};

static bool add_row(const void *ctx, size_t number, struct buf cells[TABLE_COLUMNS])
{
    const struct rows *rows = ctx;
    if (number >= rows->count)
        return false;
    const struct pair *pair = &rows->d->pairs[rows->rows[number].pair];
    const struct account_track *track = track_of(rows->d, pair);
    int side = rows->rows[number].side;
    buf_add_text(&cells[0], pair->mark == MARK_CHANGED ? (side ? "~-" : "~+") : side ? "-" : "+");
    buf_add_slice(&cells[1], ident_slice(&track->rule));
    buf_add_slice(&cells[2], account_owner(track));
    add_side(rows->d, pair, side, &cells[3]);
    return true;
}

static void print_rows(FILE *out, const struct difference *d)
{
    static const char *const titles[] = {"",    "RULE",      "INSTANCE",      "FROM", "TO",
                                         "FOR", "COMMANDED", "NOT COMMANDED", NULL};
    struct rows rows = {.d = d, .rows = mem_new(d->pair_count * 2 + 1, sizeof(struct row))};
    for (size_t i = 0; i < d->pair_count; i++)
        for (int side = 1; side >= 0 && d->pairs[i].mark != MARK_SAME; side--)
            if (d->pairs[i].place[side] != NONE)
                rows.rows[rows.count++] = (struct row){i, side};
    (void)fprintf(out,
                  "\n+ only in %s, - only in %s, ~ in both but otherwise: - as it was, + as it would be\n\n",
                  d->names[0], d->names[1]);
    if (rows.count)
        table_print(out, &(struct table){titles, 0, add_row, &rows});
    else
        (void)fputs("No firing differs.\n", out);
    free(rows.rows);
}

/* ---- the whole ---- */

static uint64_t count_dropped(const struct backtest_run *run)
{
    struct ledger_view view;
    uint64_t dropped = 0;
    ledger_view(run->ledger, &view);
    for (uint32_t a = 0; a <= LABELS_MAX; a++)
        dropped += view.counts[a].total[TOTAL_DROPPED] - view.counts[a].base[TOTAL_DROPPED];
    return dropped;
}

void backtest_report_difference(FILE *out, const struct backtest_run *run, const struct backtest_run *old,
                                const char *name, const char *old_name, int64_t until_ms)
{
    static const char *const titles[] = {"RULE",          "SAME",       "CHANGED",        "ONLY NEW",
                                         "ONLY OLD",      "FOR IN ALL", "OLD FOR IN ALL", "COMMANDED",
                                         "OLD COMMANDED", NULL};
    struct difference d = {.runs = {run, old}, .names = {name, old_name}, .until_ms = until_ms};
    make_pairs(&d);
    list_rules(&d);
    count_marks(&d);
    (void)fprintf(out, "\n%s against %s\n", name, old_name);
    table_print(out, &(struct table){titles, 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4, add_rule, &d});
    (void)fprintf(out, "\nDropped signals %llu, old %llu\n", (unsigned long long)count_dropped(run),
                  (unsigned long long)count_dropped(old));
    if (run->account.left_out + old->account.left_out)
        (void)fputs("There are more firings than are compared one by one.\n", out);
    print_rows(out, &d);
    free(d.pairs);
    free(d.rules);
}
