/* A recording as anything may stand in its file: every line is read or says why not, and a backtest of what
 * is read comes to its end, whatever the entries, the states and the times in it. */
#include "fuzz.h"

#include "app/backtest_report.h"
#include "config/config.h"
#include <stdio.h>

#define LINES_MAX 2000

static void on_problem(void *ctx, const char *where, const char *name, const char *what)
{
    UNUSED(ctx);
    UNUSED(where);
    UNUSED(name);
    UNUSED(what);
}

static void check_state(const struct recorded_line *line)
{
    struct recorded_state_scratch scratch;
    struct recorded_state state;
    struct alert alert;
    struct errmsg why = {""};

    if (!recorded_state_parse(line, &scratch, &state, &why)) {
        CHECK(why.text[0] != '\0');
        return;
    }
    CHECK(state.is_group || ident_is_valid(state.instance_id, IDENT_MAX));
    while (recorded_state_next_alert(&state, &alert))
        CHECK(ident_is_valid(ident_slice(&alert.name), IDENT_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{

    static struct config *config;
    static FILE *nowhere;
    struct config_source source = {0};
    struct slice rest = slice_of((const char *)data, size);
    struct recording_reader reader = {0};
    struct stream_id last[STREAM_KINDS] = {{0, 0}};
    int64_t until_ms = 0;

    if (!config) {
        config = config_load(&source, on_problem, NULL);
        nowhere = fopen("/dev/null", "w");
        CHECK(config && nowhere);
    }
    struct backtest_run *run = calloc(1, sizeof *run);
    CHECK(run);
    backtest_run_init(run, config);
    for (int i = 0; i < LINES_MAX && rest.len > 0; i++) {
        struct recorded_line line;
        struct errmsg why = {""};

        if (!recording_read(&reader, fuzz_take(&rest, '\n'), &line, &why)) {
            CHECK(why.text[0] != '\0');
            continue;
        }
        if (line.kind == RECORDED_STATE)
            check_state(&line);
        if (line.kind == RECORDED_ENTRY) {
            if (stream_id_compare(line.id, last[line.entry.stream]) <= 0)
                continue;
            last[line.entry.stream] = line.id;
        }
        (void)backtest_run_take(run, &line); /* a state that cannot be read */
        if (line.kind != RECORDED_GAP && (int64_t)line.id.ms > until_ms)
            until_ms = (int64_t)line.id.ms;
    }
    backtest_run_finish(run, until_ms);
    backtest_report_run(nowhere, run, "new", until_ms);
    backtest_report_difference(nowhere, run, run, "new", "old", until_ms);
    backtest_run_clear(run);
    free(run);
    recording_reader_clear(&reader);
    return 0;
}
