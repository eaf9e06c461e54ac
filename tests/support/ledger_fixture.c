/* See the header: feeding and looking, no more. */
#include "ledger_fixture.h"

#include "util/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LATE_MAX 16

static const struct hash_key key = {1, 2};

struct ledger_options ledger_fixture_options(void)
{
    return (struct ledger_options){
        .ttl_ms = 1000,
        .execution_ttl_ms = 2000,
        .dedup_ms = 5000,
        .max_tracked = 100,
        .results_max_len = 50,
        .per_id_max = 10,
        .per_id_ttl_ms = 10000,
    };
}

int ledger_fixture_setup(void **state)
{
    static const struct fleet_options fleet_options = {.metric_max_age_ms = 60000, .max = 10};
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = mem_new(1, sizeof(*f));
    struct instance_record record = {
        .exists = {true, true, true},
        .values = {.present = 1U << REPORT_BROKER_ID, .broker_id = SLICE("b1")},
    };

    fleet_init(&f->fleet, &fleet_options, key);
    assert_true(fleet_load(&f->fleet, slice_text("mt5-1"), &record, STATE_RUNNING, 0, 0));
    recording_sink_init(&f->sink);
    f->ledger = ledger_new(&options, &f->fleet, key);
    *state = f;
    return 0;
}

int ledger_fixture_teardown(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_free(f->ledger);
    recording_sink_clear(&f->sink);
    fleet_clear(&f->fleet);
    free(f);
    return 0;
}

void ledger_fixture_restart(struct ledger_fixture *f, const struct ledger_options *options)
{
    ledger_free(f->ledger);
    f->ledger = ledger_new(options, &f->fleet, key);
    recording_sink_reset(&f->sink);
}

struct stream_id entry_id(const char *text)
{
    struct stream_id id;

    assert_true(stream_id_parse(slice_text(text), &id));
    return id;
}

void feed_signal(struct ledger_fixture *f, const char *entry, const char *signal_id, const char *action,
                 const char *instance_id)
{
    struct signal_entry signal = {
        .id = entry_id(entry),
        .signal_id = slice_text(signal_id),
        .action = slice_text(action),
        .instance_id = slice_text(instance_id),
    };

    ledger_on_signal(f->ledger, &signal, &f->sink.sink);
}

void feed_signals(struct ledger_fixture *f, unsigned ms, unsigned first, unsigned count)
{
    for (unsigned number = first; number < first + count; number++) {
        char entry[32], id[32];

        (void)snprintf(entry, sizeof(entry), "%u-%u", ms, number);
        (void)snprintf(id, sizeof(id), "s%u", number);
        feed_signal(f, entry, id, "buy", NULL);
    }
}

void feed_result(struct ledger_fixture *f, const char *entry, const char *result_id, const char *signal_id,
                 const char *status)
{
    struct result_entry result = {
        .id = entry_id(entry),
        .result_id = slice_text(result_id),
        .signal_id = slice_text(signal_id),
    };

    assert_true(result_status_parse(slice_text(status), &result.status));
    ledger_on_result(f->ledger, &result, (int64_t)result.id.ms, &f->sink.sink);
}

void flush(struct ledger_fixture *f, const char *position, int64_t now_ms)
{
    ledger_flush(f->ledger, entry_id(position), now_ms, &f->sink.sink);
}

size_t end_late(struct ledger_fixture *f, int64_t horizon_ms, int64_t now_ms, bool present)
{
    struct stream_id entries[LATE_MAX];
    bool is_present[LATE_MAX];
    size_t count = ledger_collect_late(f->ledger, horizon_ms, entries, LATE_MAX);

    for (size_t i = 0; i < count; i++)
        is_present[i] = present;
    ledger_end_late(f->ledger, entries, is_present, count, horizon_ms, now_ms, &f->sink.sink);
    return count;
}

const struct action_counts *look(struct ledger_fixture *f, const char *action)
{
    static const struct action_counts none;

    ledger_view(f->ledger, &f->view);
    for (uint32_t i = 0; i < f->view.actions->count; i++) {
        if (slice_is(labels_name(f->view.actions, i), action))
            return &f->view.counts[i];
    }
    return slice_is(slice_text(action), "other") ? &f->view.counts[LABELS_OTHER] : &none;
}

void assert_totals(struct ledger_fixture *f, const char *action, uint64_t received, uint64_t processed,
                   uint64_t failed, uint64_t dropped, uint64_t lost, uint64_t duplicate)
{
    const struct action_counts *counts = look(f, action);

    assert_int_equal(counts->total[TOTAL_RECEIVED], received);
    assert_int_equal(counts->total[TOTAL_PROCESSED], processed);
    assert_int_equal(counts->total[TOTAL_FAILED], failed);
    assert_int_equal(counts->total[TOTAL_DROPPED], dropped);
    assert_int_equal(counts->total[TOTAL_LOST], lost);
    assert_int_equal(counts->total[TOTAL_DUPLICATE], duplicate);
    assert_int_equal(received, processed + failed + dropped + lost + counts->open);
}

void assert_unmatched(struct ledger_fixture *f, uint64_t early, uint64_t followup, uint64_t late,
                      uint64_t unknown, uint64_t duplicate)
{
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.unmatched[UNMATCHED_EARLY], early);
    assert_int_equal(f->view.unmatched[UNMATCHED_FOLLOWUP], followup);
    assert_int_equal(f->view.unmatched[UNMATCHED_LATE], late);
    assert_int_equal(f->view.unmatched[UNMATCHED_UNKNOWN], unknown);
    assert_int_equal(f->view.unmatched[UNMATCHED_DUPLICATE], duplicate);
}

bool is_open(struct ledger_fixture *f, const char *signal_id)
{
    return ledger_is_open(f->ledger, slice_text(signal_id));
}
