/* Numbers, times, IDs, ids and UTF-8: what is read is written as text that reads back as the same, and what
 * is written of any value is read as that value. The first eight bytes are a value, all of them a text. */
#include "fuzz.h"

#include "codec/json_text.h"
#include "core/ident.h"
#include "util/buf.h"
#include "util/number.h"
#include "util/stream_id.h"
#include "util/time_text.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <math.h>

static void check_double(double value)
{
    char text[NUMBER_TEXT_MAX];
    size_t len = number_format_double(text, value);
    double back;

    CHECK(len < NUMBER_TEXT_MAX && text[len] == '\0' && strlen(text) == len);
    if (!isfinite(value)) {
        CHECK(!number_parse_decimal(slice_of(text, len), &back));
        return;
    }
    CHECK(number_parse_decimal(slice_of(text, len), &back));
    CHECK(back == value && signbit(back) == signbit(value));
}

static void check_integers(uint64_t value)
{
    char text[NUMBER_TEXT_MAX];
    uint64_t back;
    int64_t signed_value = (int64_t)value;
    size_t len = number_format_u64(text, value);

    CHECK(number_parse_u64(slice_of(text, len), UINT64_MAX, &back) && back == value);
    CHECK(value == 0 || !number_parse_u64(slice_of(text, len), value - 1, &back));
    len = number_format_i64(text, signed_value);
    CHECK(strtoll(text, NULL, 10) == signed_value && strlen(text) == len);
}

static void check_time(int64_t ms)
{
    char text[TIME_TEXT_MS_LEN + 1];
    int64_t back;

    time_text_format_ms(text, ms);
    CHECK(time_text_parse(slice_of(text, TIME_TEXT_MS_LEN), &back));
    CHECK(back == ms || ms < 0 || back < ms);
    time_text_format_ms(text, back);
    CHECK(time_text_parse(slice_of(text, TIME_TEXT_MS_LEN), &ms) && ms == back);
    time_text_format(text, ms);
    CHECK(time_text_parse(slice_of(text, TIME_TEXT_LEN), &back) && back == ms - ms % 1000);
}

static void check_number_text(struct slice text)
{
    double value;
    uint64_t count;

    if (number_parse_decimal(text, &value)) {
        char copy[65];

        CHECK(text.len > 0 && text.len < sizeof(copy));
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';

        double other = strtod(copy, NULL);

        CHECK(isfinite(value));
        CHECK(other == value);
        check_double(value);
    }
    if (number_parse_u64(text, UINT64_MAX, &count))
        check_integers(count);
}

static void check_id_text(struct slice text)
{
    char written[STREAM_ID_TEXT_MAX];
    struct stream_id id, back;

    if (stream_id_parse(text, &id)) {
        CHECK(stream_id_parse(slice_of(written, stream_id_format(written, id)), &back));
        CHECK(stream_id_compare(id, back) == 0);
        CHECK(stream_id_compare(stream_id_next(id), id) >= 0 &&
              stream_id_compare(stream_id_prev(id), id) <= 0);
        if (id.seq != UINT64_MAX || id.ms != UINT64_MAX)
            CHECK(stream_id_compare(stream_id_prev(stream_id_next(id)), id) == 0);
    }
    if (ident_is_valid(text, IDENT_MAX)) {
        struct ident ident;

        ident_set(&ident, text);
        CHECK(slice_equal(ident_slice(&ident), text) && utf8_is_valid(text));
        CHECK(!memchr(text.data, ':', text.len) && !memchr(text.data, '\n', text.len));
    }
}

static void check_time_text(struct slice text)
{
    char written[TIME_TEXT_MS_LEN + 1];
    int64_t ms;

    if (!time_text_parse(text, &ms))
        return;
    CHECK(ms >= 0);
    if (text.len == TIME_TEXT_LEN)
        time_text_format(written, ms);
    else
        time_text_format_ms(written, ms);
    CHECK(slice_is(text, written));
}

static void check_utf8(struct slice text)
{
    size_t room = text.len * 3;
    char *once = malloc(room + 1), *twice = malloc(room + 1);
    size_t len, again;

    CHECK(once && twice);
    len = utf8_sanitize(once, room, text);
    again = utf8_sanitize(twice, room, slice_of(once, len));
    CHECK(utf8_is_valid(slice_of(once, len)));
    CHECK(slice_equal(slice_of(once, len), slice_of(twice, again)));
    CHECK(utf8_is_valid(text) == slice_equal(text, slice_of(once, len)));
    for (size_t small = 0; small <= 8 && small <= room; small++) {
        again = utf8_sanitize(twice, small, text);
        CHECK(again <= small && again <= len && memcmp(once, twice, again) == 0);
    }
    free(twice);

    struct buf json = BUF_INIT;
    cJSON *read;

    json_add_string(&json, text);
    read = cJSON_Parse(buf_text(&json));
    CHECK(read && cJSON_IsString(read));
    once[len] = '\0';
    CHECK(strcmp(read->valuestring, once) == 0); /* both end at the first NUL */
    cJSON_Delete(read);
    buf_clear(&json);
    free(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    uint64_t bits = 0;
    double value;

    memcpy(&bits, data, size < sizeof(bits) ? size : sizeof(bits));
    memcpy(&value, &bits, sizeof(value));
    check_double(value);
    check_integers(bits);
    check_time((int64_t)bits);
    check_time((int64_t)(bits >> 16));
    check_number_text(text);
    check_id_text(text);
    check_time_text(text);
    check_utf8(text);
    return 0;
}
