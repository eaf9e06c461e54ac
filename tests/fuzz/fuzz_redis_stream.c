/* Bytes as if from a Redis server, read by a link's parser with the functions of the stream reader. The first
 * byte says in pieces of which size they come: it must make no difference. */
#include "../../src/adapters/redis_stream_internal.h"
#include "fuzz.h"

#include "core/report.h"
#include "core/signal.h"
#include "core/trade.h"
#include "util/buf.h"

static const struct redis_stream_names names[STREAM_KINDS] = {
    [STREAM_REPORTS] = {"reports", report_entry_names, REPORT_FIELDS},
    [STREAM_SIGNALS] = {"signals", signal_field_names, SIGNAL_FIELDS},
    [STREAM_RESULTS] = {"results", result_field_names, RESULT_FIELDS},
    [STREAM_TRADES] = {"trades", trade_entry_names, TRADE_FIELDS},
};

/* One way of reading the input, and what it told. */
struct run {
    struct stream_decoder decoder;
    struct buf told;
    uint32_t entries[STREAM_KINDS];
    uint32_t answers;
    bool failed;
};

static void on_entry(void *ctx, const struct entry *entry)
{
    struct run *run = ctx;
    char id[STREAM_ID_TEXT_MAX];

    CHECK((unsigned)entry->stream < STREAM_KINDS);
    CHECK((entry->oversize & ~entry->present) == 0);
    CHECK((uint64_t)entry->present >> names[entry->stream].field_count == 0);
    run->entries[entry->stream]++;
    buf_add(&run->told, id, stream_id_format(id, entry->id));
    for (uint32_t i = 0; i < names[entry->stream].field_count; i++) {
        struct slice value = entry->value[i];

        if (!(entry->present >> i & 1U))
            continue;
        CHECK(value.len <= ENTRY_VALUE_MAX);
        CHECK(!(entry->oversize >> i & 1U) || value.len == ENTRY_VALUE_MAX);
        buf_add_format(&run->told, " %u %zu ", i, value.len);
        buf_add_slice(&run->told, value);
    }
    buf_add_char(&run->told, '\n');
}

static void take_answers(struct run *run, redisReader *reader)
{
    void *reply = NULL;

    for (;;) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            run->failed = true;
            return;
        }
        if (!reply)
            return;
        for (int k = 0; k < STREAM_KINDS; k++) {
            CHECK(run->decoder.result.entries[k] == run->entries[k]);
            run->entries[k] = 0;
        }
        CHECK(run->decoder.result.error_text.len <= sizeof(run->decoder.error));
        buf_add_format(&run->told, "= %d %d\n", run->decoder.result.outcome, run->decoder.result.error);
        run->answers++;
        stream_decoder_start(&run->decoder);
    }
}

static struct run *run_new(struct slice bytes, size_t piece)
{
    struct run *run = calloc(1, sizeof(*run));
    redisReader *reader = redisReaderCreateWithFunctions(&stream_decoder_functions);

    CHECK(run && reader);
    run->decoder.names = names;
    run->decoder.on_entry = on_entry;
    run->decoder.ctx = run;
    stream_decoder_start(&run->decoder);
    reader->privdata = &run->decoder;
    for (size_t at = 0; at < bytes.len && !run->failed; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;

        CHECK(redisReaderFeed(reader, bytes.data + at, len) == REDIS_OK);
        take_answers(run, reader);
    }
    redisReaderFree(reader);
    return run;
}

static void run_free(struct run *run)
{
    buf_clear(&run->told);
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;

    struct slice bytes = slice_of((const char *)data + 1, size - 1);
    struct run *whole = run_new(bytes, size);
    struct run *pieces = run_new(bytes, data[0] % 31 + 1U);

    CHECK(whole->answers == pieces->answers && whole->failed == pieces->failed);
    CHECK(slice_equal(buf_slice(&whole->told), buf_slice(&pieces->told)));
    run_free(whole);
    run_free(pieces);
    return 0;
}
