/* The calendar, by arithmetic alone: years are counted from 1 March, so that a leap day is the last day of
 * its year and the days before a month follow from one formula. */
#include "util/time_text.h"

#define MS_PER_DAY     86400000
#define DAYS_PER_4Y    (4 * 365 + 1)
#define DAYS_PER_100Y  (25 * DAYS_PER_4Y - 1)
#define DAYS_PER_400Y  (4 * DAYS_PER_100Y + 1)
#define DAYS_TO_1970   719468 /* from 1 March of the year 0 */
#define MS_END_OF_9999 253402300799999

struct date {
    int year, month, day;
};

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Days from 1 March to the first of the MONTH that is so many months later: 31 30 31 30 31 repeats in 153
 * days. */
static int days_before_month(int months_since_march)
{
    return (153 * months_since_march + 2) / 5;
}

static struct date date_of_day(int day_since_1970)
{
    int day = day_since_1970 + DAYS_TO_1970;
    int year = day / DAYS_PER_400Y * 400;
    int part;
    int month;

    day %= DAYS_PER_400Y;
    /* The last day of a cycle belongs to its last part, which is one day longer than the others. */
    part = min_int(day / DAYS_PER_100Y, 3);
    year += part * 100;
    day -= part * DAYS_PER_100Y;
    year += day / DAYS_PER_4Y * 4;
    day %= DAYS_PER_4Y;
    part = min_int(day / 365, 3);
    year += part;
    day -= part * 365;

    month = (5 * day + 2) / 153;
    day -= days_before_month(month);
    return month < 10 ? (struct date){year, month + 3, day + 1} : (struct date){year + 1, month - 9, day + 1};
}

static int day_of_date(struct date d)
{
    int year = d.month > 2 ? d.year : d.year - 1;
    int month = d.month > 2 ? d.month - 3 : d.month + 9;

    return year * 365 + year / 4 - year / 100 + year / 400 + days_before_month(month) + d.day - 1 -
           DAYS_TO_1970;
}

static int month_len(int year, int month)
{
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    if (month == 2)
        return is_leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static void put_digits(char *out, int value, int count)
{
    while (count-- > 0) {
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* The 19 characters up to the whole second; returns the milliseconds behind it. */
static int put_seconds(char *out, int64_t ms)
{
    int64_t clamped = ms < 0 ? 0 : ms > MS_END_OF_9999 ? MS_END_OF_9999 : ms;
    struct date d = date_of_day((int)(clamped / MS_PER_DAY));
    int rest = (int)(clamped % MS_PER_DAY);

    memcpy(out, "0000-00-00T00:00:00", 19);
    put_digits(out, d.year, 4);
    put_digits(out + 5, d.month, 2);
    put_digits(out + 8, d.day, 2);
    put_digits(out + 11, rest / 3600000, 2);
    put_digits(out + 14, rest / 60000 % 60, 2);
    put_digits(out + 17, rest / 1000 % 60, 2);
    return rest % 1000;
}

void time_text_format(char out[TIME_TEXT_LEN + 1], int64_t ms)
{
    (void)put_seconds(out, ms); /* this form has no milliseconds */
    memcpy(out + 19, "Z", 2);
}

void time_text_format_ms(char out[TIME_TEXT_MS_LEN + 1], int64_t ms)
{
    int rest = put_seconds(out, ms);

    memcpy(out + 19, ".000Z", 6);
    put_digits(out + 20, rest, 3);
}

/* Whether TEXT has a digit for each `0` of SHAPE and elsewhere the same bytes. */
static bool has_shape(struct slice text, const char *shape)
{
    if (text.len != strlen(shape))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
            return false;
    }
    return true;
}

static int take_digits(const char *at, int count)
{
    int value = 0;

    while (count-- > 0)
        value = value * 10 + (*at++ - '0');
    return value;
}

bool time_text_parse(struct slice text, int64_t *ret_ms)
{
    bool has_ms = has_shape(text, "0000-00-00T00:00:00.000Z");
    struct date d;
    int hour, minute, second;

    if (!has_ms && !has_shape(text, "0000-00-00T00:00:00Z"))
        return false;
    d = (struct date){take_digits(text.data, 4), take_digits(text.data + 5, 2),
                      take_digits(text.data + 8, 2)};
    hour = take_digits(text.data + 11, 2);
    minute = take_digits(text.data + 14, 2);
    second = take_digits(text.data + 17, 2);
    if (d.year < 1970 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > month_len(d.year, d.month))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_ms = (int64_t)day_of_date(d) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000 +
              (has_ms ? take_digits(text.data + 20, 3) : 0);
    return true;
}
