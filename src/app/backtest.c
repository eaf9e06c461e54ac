/* One pass over the recording; every configuration gets each line. */
#include "app/backtest.h"
#include "app/backtest_lines.h"
#include "app/backtest_report.h"
#include "util/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define RUNS_MAX 2

/* Of the events, behind the streams that are read. */
#define EVENTS_PLACE ((size_t)STREAM_KINDS)

enum fault { FAULT_BAD, FAULT_CUT, FAULT_LONG, FAULT_UNKNOWN, FAULT_OLD };
#define FAULTS 5

struct bench {
    const struct backtest_options *options;
    struct backtest_run *runs[RUNS_MAX];
    int run_count;
    struct backtest_lines lines;
    struct recording_reader reader;
    struct stream_id last[STREAM_KINDS + 1];
    struct backtest_summary summary;
    uint64_t faults[FAULTS];
    uint64_t first_bad; /* the number of that line */
    struct errmsg why_bad;
};

static void note_fault(struct bench *bench, enum fault fault, const struct errmsg *why)
{
    if (fault == FAULT_BAD && bench->faults[FAULT_BAD] == 0) {
        bench->first_bad = bench->lines.number;
        bench->why_bad = *why;
        for (char *c = bench->why_bad.text; *c; c++) /* it may quote the file */
            *c = (char)((unsigned char)*c < 0x20 || *c == 0x7f || (unsigned char)*c >= 0x80 ? '?' : *c);
    }
    bench->faults[fault]++;
    bench->summary.left_out++;
}

static bool is_new(struct bench *bench, const struct recorded_line *line)
{
    if (line->kind != RECORDED_ENTRY && line->kind != RECORDED_EVENT)
        return true;
    struct stream_id *last =
        &bench->last[line->kind == RECORDED_EVENT ? EVENTS_PLACE : (size_t)line->entry.stream];
    if (stream_id_compare(line->id, *last) <= 0)
        return false;
    *last = line->id;
    return true;
}

static void count_line(struct backtest_summary *summary, const struct recorded_line *line)
{
    uint64_t *const entries[STREAM_KINDS] = {&summary->reports, &summary->signals, &summary->results,
                                             &summary->results};
    int64_t ms = (int64_t)line->id.ms;
    if (line->kind == RECORDED_GAP) {
        summary->gaps += line->is_of_reports;
        return;
    }
    if (line->kind == RECORDED_ENTRY)
        ++*entries[line->entry.stream];
    summary->events += line->kind == RECORDED_EVENT;
    summary->states += line->kind == RECORDED_STATE;
    if (!summary->until_ms || ms < summary->from_ms)
        summary->from_ms = ms;
    if (ms > summary->until_ms)
        summary->until_ms = ms;
}

static void take_line(struct bench *bench, struct slice text)
{
    struct recorded_line line;
    struct errmsg why = {"a state that cannot be read"};
    bool is_good;
    if (!recording_read(&bench->reader, text, &line, &why)) {
        note_fault(bench, bench->lines.is_cut ? FAULT_CUT : FAULT_BAD, &why);
        return;
    }
    if (line.kind == RECORDED_UNKNOWN || !is_new(bench, &line)) {
        note_fault(bench, line.kind == RECORDED_UNKNOWN ? FAULT_UNKNOWN : FAULT_OLD, &why);
        return;
    }
    is_good = true;
    for (int i = 0; i < bench->run_count; i++)
        is_good = backtest_run_take(bench->runs[i], &line) && is_good;
    if (is_good)
        count_line(&bench->summary, &line);
    else
        note_fault(bench, FAULT_BAD, &why);
}

static int complain(const struct bench *bench, const char *what)
{
    (void)fprintf(stderr, "mt5stated: %s: %s\n", bench->options->file, what);
    return EX_USAGE;
}

/* Nothing that is left out goes without a word. */
static void warn_of_faults(const struct bench *bench)
{
    static const char *const texts[FAULTS] = {
        [FAULT_BAD] = "cannot be read",
        [FAULT_CUT] = "at the end is cut off",
        [FAULT_LONG] = "longer than 1 MiB",
        [FAULT_UNKNOWN] = "of a stream that is not known",
        [FAULT_OLD] = "not newer than what came before in its stream",
    };
    for (int i = 0; i < FAULTS; i++) {
        if (!bench->faults[i])
            continue;
        (void)fprintf(stderr, "mt5stated: %s: left out: %llu %s %s", bench->options->file,
                      (unsigned long long)bench->faults[i], bench->faults[i] == 1 ? "line" : "lines",
                      texts[i]);
        if (i == FAULT_BAD)
            (void)fprintf(stderr, ", the first is line %llu: %s", (unsigned long long)bench->first_bad,
                          bench->why_bad.text);
        (void)fputc('\n', stderr);
    }
}

/* What its rules look at that no recording has. */
static void warn_of_rules(const struct bench *bench)
{
    for (int i = 0; i < bench->run_count; i++) {
        const struct rule_set *rules = &bench->runs[i]->config->rules;
        for (uint32_t k = 0; k < rules->count; k++)
            if (rules->rules[k].enabled && rules->rules[k].metric == METRIC_OPEN_TRADES)
                (void)fprintf(stderr,
                              "mt5stated: %s: rule %.*s looks at open_trades, which are not recorded\n",
                              i ? bench->options->against_name : bench->options->config_name,
                              (int)rules->rules[k].name.len, rules->rules[k].name.text);
        if (bench->runs[i]->unevaluable)
            (void)fprintf(stderr,
                          "mt5stated: %s: no memory_limit of %llu instances: memory_usage_percent is not "
                          "judged there\n",
                          i ? bench->options->against_name : bench->options->config_name,
                          (unsigned long long)bench->runs[i]->unevaluable);
    }
}

static int read_all(struct bench *bench)
{
    struct slice text;
    int r;
    while ((r = backtest_lines_next(&bench->lines, &text)) > 0)
        take_line(bench, text);
    for (uint64_t i = 0; i < bench->lines.too_long; i++)
        note_fault(bench, FAULT_LONG, NULL);
    if (r < 0)
        return complain(bench, strerror(-r));
    warn_of_faults(bench);
    if (bench->summary.reports + bench->summary.states == 0)
        return complain(bench, bench->summary.events
                                   ? "no reports in it: it was recorded without the token of an admin"
                                   : "no recording: neither a report nor a state in it");
    warn_of_rules(bench);
    return 0;
}

static void report(const struct bench *bench)
{
    const struct backtest_options *options = bench->options;
    int64_t until_ms = bench->summary.until_ms;
    backtest_report_head(stdout, &bench->summary);
    backtest_report_run(stdout, bench->runs[0], options->config_name, until_ms);
    if (bench->run_count > 1)
        backtest_report_difference(stdout, bench->runs[0], bench->runs[1], options->config_name,
                                   options->against_name, until_ms);
}

static void add_run(struct bench *bench, const struct config *config)
{
    struct backtest_run *run = mem_new(1, sizeof *run);
    backtest_run_init(run, config);
    bench->runs[bench->run_count++] = run;
}

int backtest(const struct backtest_options *options)
{
    struct bench bench = {.options = options, .summary = {.file = options->file}};
    int code = backtest_lines_open(&bench.lines, options->file);
    if (code < 0)
        return complain(&bench, strerror(-code));
    add_run(&bench, options->config);
    if (options->against)
        add_run(&bench, options->against);
    code = read_all(&bench);
    if (!code) {
        for (int i = 0; i < bench.run_count; i++)
            backtest_run_finish(bench.runs[i], bench.summary.until_ms);
        report(&bench);
    }
    for (int i = 0; i < bench.run_count; i++) {
        backtest_run_clear(bench.runs[i]);
        free(bench.runs[i]);
    }
    recording_reader_clear(&bench.reader);
    backtest_lines_close(&bench.lines);
    return code;
}
