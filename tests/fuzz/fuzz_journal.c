/* Text in place of the journal's: what is told is valid, and is told again by the text that is written of it.
 */
#include "fuzz.h"

#include "codec/journal.h"

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    CHECK(ident_is_valid(signal_id, IDENT_MAX) && ident_is_valid(action, IDENT_ACTION_MAX));
    CHECK(instance_id.len == 0 || ident_is_valid(instance_id, IDENT_MAX));
    journal_add_received(ctx, signal_id, entry, action, instance_id);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    CHECK(ident_is_valid(signal_id, IDENT_MAX));
    journal_add_accepted(ctx, signal_id, accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    CHECK(ident_is_valid(signal_id, IDENT_MAX) && (unsigned)outcome <= OUTCOME_LOST);
    journal_add_ended(ctx, signal_id, outcome);
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    CHECK(ident_is_valid(signal_id, IDENT_MAX) && (unsigned)status < RESULT_STATUSES);
    journal_add_early(ctx, signal_id, slice_text(result_status_name(status)), result);
}

static size_t count_lines(struct slice text)
{
    size_t lines = 0;

    while (text.len > 0) {
        (void)fuzz_take(&text, '\n');
        lines++;
    }
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct buf told = BUF_INIT, again = BUF_INIT;
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, &told};
    size_t bad = journal_read(text, &reader);

    CHECK(bad + count_lines(buf_slice(&told)) == count_lines(text));
    reader.ctx = &again;
    CHECK(journal_read(buf_slice(&told), &reader) == 0);
    CHECK(slice_equal(buf_slice(&told), buf_slice(&again)));
    buf_clear(&told);
    buf_clear(&again);
    return 0;
}
