#include "ctl/duration.h"

#include "util/macros.h"
#include "util/number.h"
#include "util/time_text.h"

#define S_MS   INT64_C(1000)
#define MIN_MS (60 * S_MS)
#define H_MS   (60 * MIN_MS)
#define DAY_MS (24 * H_MS)
#define MS_MAX (365250 * DAY_MS)

/* The larger first. */
static const struct unit {
    const char *written, *shown;
    int64_t ms;
} units[] = {
    {"w", NULL, 7 * DAY_MS}, {"d", "d", DAY_MS}, {"h", "h", H_MS},
    {"m", "min", MIN_MS},    {"s", "s", S_MS},   {"ms", "ms", 1},
};

static size_t span(struct slice text, size_t at, bool of_number)
{
    size_t end = at;

    while (end < text.len &&
           ((text.data[end] >= '0' && text.data[end] <= '9') || text.data[end] == '.') == of_number)
        end++;
    return end;
}

/* The place in UNITS of the unit NAME, if it is one of those from FIRST on; else how many there are. */
static size_t find_unit(struct slice name, size_t first)
{
    while (first < ARRAY_LEN(units) && !slice_is(name, units[first].written))
        first++;
    return first;
}

/* Numbers with their units; false where it is anything else. */
static bool sum_parts(struct slice text, double *ret_ms)
{
    size_t next_unit = 0, number_end, unit_end, unit;
    double number;

    *ret_ms = 0;
    for (size_t i = 0; i < text.len; i = unit_end) {
        number_end = span(text, i, true);
        unit_end = span(text, number_end, false);
        unit = find_unit(slice_of(text.data + number_end, unit_end - number_end), next_unit);
        if (unit == ARRAY_LEN(units) ||
            !number_parse_decimal(slice_of(text.data + i, number_end - i), &number))
            return false;
        *ret_ms += number * (double)units[unit].ms;
        next_unit = unit + 1;
    }
    return true;
}

bool duration_parse(struct slice text, int64_t plain_ms, int64_t *ret_ms)
{
    double ms;

    if (plain_ms > 0 && number_parse_decimal(text, &ms))
        ms *= (double)plain_ms;
    else if (!sum_parts(text, &ms))
        return false;
    if (!(ms >= 1 && ms <= (double)MS_MAX))
        return false;
    *ret_ms = (int64_t)(ms + 0.5);
    return true;
}

static void add_parts(struct buf *out, int64_t ms, int parts)
{
    if (ms < 0)
        ms = 0;
    for (size_t i = 1; i < ARRAY_LEN(units); i++) {
        int64_t count = ms / units[i].ms;

        if (count == 0 && units[i].ms > 1)
            continue;
        buf_add_format(out, "%lld %s", (long long)count, units[i].shown);
        ms -= count * units[i].ms;
        if (parts > 1 && units[i].ms > S_MS && ms / units[i + 1].ms > 0)
            buf_add_format(out, " %lld %s", (long long)(ms / units[i + 1].ms), units[i + 1].shown);
        return;
    }
}

void duration_add(struct buf *out, int64_t ms)
{
    add_parts(out, ms, 2);
}

void duration_add_relative(struct buf *out, int64_t at_ms, int64_t now_ms)
{
    int64_t age_ms = now_ms - at_ms;

    if (age_ms > -S_MS && age_ms < S_MS) {
        buf_add_text(out, "now");
        return;
    }
    if (age_ms > 0) {
        add_parts(out, age_ms, 1);
        buf_add_text(out, " ago");
    } else {
        buf_add_text(out, "in ");
        add_parts(out, -age_ms + S_MS - 1, 2); /* what began a moment ago still lasts for all its time */
    }
}

void time_add_clock(struct buf *out, int64_t at_ms, int64_t now_ms, bool is_short)
{
    char at[TIME_TEXT_LEN + 1], now[TIME_TEXT_LEN + 1];

    time_text_format(at, at_ms);
    time_text_format(now, now_ms);
    if (memcmp(at, now, sizeof("2025-03-22") - 1) != 0) {
        buf_add(out, at, sizeof("2025-03-22") - 1);
        buf_add_char(out, ' ');
    }
    buf_add(out, at + sizeof("2025-03-22T") - 1, is_short ? sizeof("10:15") - 1 : sizeof("10:15:30") - 1);
}
