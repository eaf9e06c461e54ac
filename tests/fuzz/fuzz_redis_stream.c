/* Bytes as if from a Redis server, read by a link's parser with the functions of the stream reader. The first
 * byte says in pieces of which size they come: it must make no difference. Nor must it how much of an answer
 * is kept before it is handed over. */
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
    bool begun, failed;
};

static void on_begin(void *ctx, const struct redis_read_result *result)
{
    struct run *run = ctx;

    CHECK(!run->begun && result == &run->decoder.result);
    run->begun = true;
}

static void on_entry(void *ctx, const struct entry *entry)
{
    struct run *run = ctx;
    char id[STREAM_ID_TEXT_MAX];

    CHECK(run->begun && (unsigned)entry->stream < STREAM_KINDS);
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

static const struct redis_read some_read = {.count = 10};
static const struct redis_stream_events events = {.begin = on_begin, .entry = on_entry};

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
        if (!run->decoder.overflows) {
            on_begin(run, &run->decoder.result);
            stream_decoder_hand_over(&run->decoder);
        }
        for (int k = 0; k < STREAM_KINDS; k++) {
            CHECK(run->decoder.result.entries[k] == run->entries[k]);
            run->entries[k] = 0;
        }
        CHECK(run->decoder.result.error_text.len <= sizeof(run->decoder.error));
        buf_add_format(&run->told, "= %d %d\n", run->decoder.result.outcome, run->decoder.result.error);
        run->answers++;
        run->begun = false;
        stream_decoder_start(&run->decoder, &some_read);
    }
}

static struct run *run_new(struct slice bytes, size_t piece, size_t kept_max)
{
    struct run *run = calloc(1, sizeof(*run));
    redisReader *reader = redisReaderCreateWithFunctions(&stream_decoder_functions);

    CHECK(run && reader);
    stream_decoder_init(&run->decoder, names, &events, run);
    run->decoder.kept_max = kept_max;
    stream_decoder_start(&run->decoder, &some_read);
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
    stream_decoder_clear(&run->decoder);
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;

    struct slice bytes = slice_of((const char *)data + 1, size - 1);
    struct run *whole = run_new(bytes, size, STREAM_KEPT_MAX_BYTES);
    struct run *pieces = run_new(bytes, data[0] % 31 + 1U, STREAM_KEPT_MAX_BYTES);
    struct run *spilt = run_new(bytes, size, data[0]);

    CHECK(whole->answers == pieces->answers && whole->failed == pieces->failed);
    CHECK(slice_equal(buf_slice(&whole->told), buf_slice(&pieces->told)));
    /* Of an answer that never ends it may have told more. */
    CHECK(whole->answers == spilt->answers && whole->failed == spilt->failed);
    CHECK(spilt->told.len >= whole->told.len);
    spilt->told.len = whole->told.len;
    CHECK(slice_equal(buf_slice(&whole->told), buf_slice(&spilt->told)));
    run_free(whole);
    run_free(pieces);
    run_free(spilt);
    return 0;
}
