#include "record_words.h"

#include "core/ident.h"
#include "core/stream.h"
#include "util/number.h"
#include "util/time_text.h"
#include <assert.h>
#include <math.h>

#define NEVER "never"
/* The first and the last moment that have a date. */
#define DATE_FIRST_MS 0
#define DATE_LAST_MS  INT64_C(253402300799999)

static_assert(sizeof(unsigned) == sizeof(enum word_kind), "an enum is read and written as an unsigned");

static uint64_t load_bits(const void *member, size_t size)
{
    return size == sizeof(uint8_t) ? *(const uint8_t *)member : *(const uint32_t *)member;
}

/* ---- writing ---- */

static void add_time(struct buf *out, int64_t ms)
{
    char text[TIME_TEXT_MS_LEN + 1];

    if (ms == INT64_MAX) {
        buf_add_text(out, NEVER);
    } else if (ms < DATE_FIRST_MS || ms > DATE_LAST_MS) {
        buf_add_i64(out, ms);
    } else {
        time_text_format_ms(text, ms);
        buf_add(out, text, TIME_TEXT_MS_LEN);
    }
}

static void add_names(struct buf *out, uint64_t bits, const struct vocabulary *vocabulary)
{
    const char *mark = "";

    for (unsigned i = 0; i < vocabulary->count; i++) {
        if (!((bits >> i) & 1U))
            continue;
        buf_add_text(out, mark);
        buf_add_text(out, vocabulary->name_of(i));
        mark = ",";
    }
}

static void add_cause(struct buf *out, const struct cause *cause)
{
    char text[CAUSE_TEXT_MAX];

    buf_add(out, text, cause_format(text, cause));
}

static void add_value(struct buf *out, const struct word *word, const void *member)
{
    switch (word->kind) {
    case WORD_BOOL:
        buf_add_char(out, '1');
        break;
    case WORD_U32:
        buf_add_u64(out, *(const uint32_t *)member);
        break;
    case WORD_U64:
        buf_add_u64(out, *(const uint64_t *)member);
        break;
    case WORD_TIME:
        add_time(out, *(const int64_t *)member);
        break;
    case WORD_NUMBER:
        buf_add_double(out, *(const double *)member);
        break;
    case WORD_NAME:
        buf_add_text(out, word->vocabulary->name_of(*(const unsigned *)member));
        break;
    case WORD_NAMES:
        add_names(out, load_bits(member, word->size), word->vocabulary);
        break;
    case WORD_IDENT:
        buf_add_slice(out, ident_slice(member));
        break;
    case WORD_CAUSE:
        add_cause(out, member);
        break;
    }
}

static bool is_zero(const struct word *word, const void *member)
{
    const struct cause *cause = member;

    switch (word->kind) {
    case WORD_BOOL:
        return !*(const bool *)member;
    case WORD_U32:
        return *(const uint32_t *)member == 0;
    case WORD_U64:
        return *(const uint64_t *)member == 0;
    case WORD_TIME:
        return *(const int64_t *)member == 0;
    case WORD_NAMES:
        return (load_bits(member, word->size) & ((UINT64_C(1) << word->vocabulary->count) - 1)) == 0;
    case WORD_IDENT:
        return ((const struct ident *)member)->len == 0;
    case WORD_CAUSE:
        return cause->kind == 0 && cause->id.ms == 0 && cause->id.seq == 0;
    case WORD_NUMBER:
    case WORD_NAME:
        break;
    }
    return false;
}

static bool is_written(const struct word *word, const char *record)
{
    const void *member = record + word->offset;
    const void *flag = record + word->flag;

    if (word->kind == WORD_NUMBER && !isfinite(*(const double *)member))
        return false;
    return word->has_flag ? *(const bool *)flag : !is_zero(word, member);
}

void record_words_add(struct buf *out, const struct word *table, size_t count, const void *record)
{
    const char *space = "";

    for (size_t i = 0; i < count; i++) {
        if (!is_written(&table[i], record))
            continue;
        buf_add_text(out, space);
        buf_add_slice(out, table[i].name);
        buf_add_char(out, '=');
        add_value(out, &table[i], (const char *)record + table[i].offset);
        space = " ";
    }
}

/* ---- reading ---- */

/* Takes the text up to the first MARK off the front of *REST; false where nothing is left. */
static bool cut_part(struct slice *rest, char mark, struct slice *ret_part)
{
    const char *end;

    if (!rest->data)
        return false;
    end = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    *ret_part = slice_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    *rest = end ? slice_of(end + 1, rest->len - ret_part->len - 1) : slice_of(NULL, 0);
    return true;
}

static bool read_integer(struct slice text, int64_t *ret_value)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    uint64_t value;

    if (is_negative)
        text = slice_of(text.data + 1, text.len - 1);
    if (!number_parse_u64(text, (uint64_t)INT64_MAX + is_negative, &value))
        return false;
    *ret_value = (int64_t)(is_negative ? 0 - value : value);
    return true;
}

/* The year 9999: what is later was not written by us. */
#define TIME_MAX_MS INT64_C(253402300799999)

static bool read_time(struct slice text, int64_t *ret_ms)
{
    int64_t ms = INT64_MAX;

    if (!slice_is(text, NEVER) && !time_text_parse(text, &ms) &&
        !(read_integer(text, &ms) && ms >= 0 && ms <= TIME_MAX_MS))
        return false;
    *ret_ms = ms;
    return true;
}

static bool find_name(struct slice text, const struct vocabulary *vocabulary, unsigned *ret_value)
{
    for (unsigned i = 0; i < vocabulary->count; i++) {
        if (slice_is(text, vocabulary->name_of(i))) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

static bool read_names(struct slice text, const struct word *word, void *member)
{
    uint64_t bits = 0;
    struct slice name;
    unsigned value;

    while (cut_part(&text, ',', &name)) {
        if (!find_name(name, word->vocabulary, &value))
            return false;
        bits |= UINT64_C(1) << value;
    }
    if (word->size == sizeof(uint8_t))
        *(uint8_t *)member = (uint8_t)bits;
    else
        *(uint32_t *)member = (uint32_t)bits;
    return true;
}

static bool read_u32(struct slice text, uint32_t *ret_value)
{
    uint64_t value;

    if (!number_parse_u64(text, UINT32_MAX, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool read_ident(struct slice text, struct ident *ret_ident)
{
    if (!ident_is_valid(text, IDENT_MAX))
        return false;
    ident_set(ret_ident, text);
    return true;
}

static bool read_value(struct slice text, const struct word *word, void *member)
{
    switch (word->kind) {
    case WORD_BOOL:
        *(bool *)member = true;
        return slice_is(text, "1");
    case WORD_U32:
        return read_u32(text, member);
    case WORD_U64:
        return number_parse_u64(text, UINT64_MAX, member);
    case WORD_TIME:
        return read_time(text, member);
    case WORD_NUMBER:
        return number_parse_decimal(text, member);
    case WORD_NAME:
        return find_name(text, word->vocabulary, member);
    case WORD_NAMES:
        return read_names(text, word, member);
    case WORD_IDENT:
        return read_ident(text, member);
    case WORD_CAUSE:
        break;
    }
    return cause_parse(text, member);
}

static size_t find_word(const struct word *table, size_t count, struct slice name)
{
    size_t i = 0;

    while (i < count && !slice_equal(table[i].name, name))
        i++;
    return i;
}

bool record_words_parse(struct slice text, const struct word *table, size_t count, void *record)
{
    uint64_t seen = 0;
    struct slice value, name;

    if (text.len == 0)
        return false;
    while (cut_part(&text, ' ', &value)) {
        size_t place;

        if (!cut_part(&value, '=', &name) || name.len == 0 || !value.data)
            return false;
        place = find_word(table, count, name);
        if (place == count)
            continue;
        if (((seen >> place) & 1U) || !read_value(value, &table[place], (char *)record + table[place].offset))
            return false;
        seen |= UINT64_C(1) << place;
        if (table[place].has_flag) {
            void *flag = (char *)record + table[place].flag;

            *(bool *)flag = true;
        }
    }
    return true;
}
