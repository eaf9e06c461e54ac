/* Weekly windows: how they are written, whether one is open, and whom it covers. */
#include "core/maintenance.h"

#include "util/macros.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MIN   1440
#define WEEK_MS   (7 * DAY_MIN * MINUTE_MS)
/* 1970 began on a Thursday: so long after Monday. */
#define EPOCH_MS (3 * DAY_MIN * MINUTE_MS)

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

#define DAY_LEN  3 /* Mon */
#define TIME_LEN 5 /* 22:05 */

static struct slice slice_behind(struct slice text, size_t len)
{
    return slice_of(text.data + len, text.len - len);
}

/* Takes `Fri ` off TEXT: the minute of the week with which the day begins. */
static bool take_day(struct slice *text, uint32_t *ret_min)
{
    if (text->len <= DAY_LEN || text->data[DAY_LEN] != ' ')
        return false;
    for (uint32_t day = 0; day < ARRAY_LEN(day_names); day++) {
        if (slice_is_nocase(slice_of(text->data, DAY_LEN), day_names[day])) {
            *ret_min = day * DAY_MIN;
            *text = slice_behind(*text, DAY_LEN + 1);
            return true;
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes `22:05` off TEXT: the minute of the day. */
static bool take_time(struct slice *text, uint32_t *ret_min)
{
    const char *t = text->data;

    if (text->len < TIME_LEN || !is_digit(t[0]) || !is_digit(t[1]) || t[2] != ':' || !is_digit(t[3]) ||
        !is_digit(t[4]))
        return false;
    uint32_t hour = (uint32_t)(t[0] - '0') * 10 + (uint32_t)(t[1] - '0');
    uint32_t minute = (uint32_t)(t[3] - '0') * 10 + (uint32_t)(t[4] - '0');
    if (hour > 23 || minute > 59)
        return false;
    *ret_min = hour * 60 + minute;
    *text = slice_behind(*text, TIME_LEN);
    return true;
}

bool window_parse_weekly(struct slice text, uint32_t *ret_from_min, uint32_t *ret_until_min)
{
    uint32_t day, from, until;

    if (!take_day(&text, &day) || !take_time(&text, &from) || text.len == 0 || text.data[0] != '-')
        return false;
    from += day;
    text = slice_behind(text, 1);
    bool has_day = take_day(&text, &day);
    if (!take_time(&text, &until) || text.len > 0)
        return false;
    until += day;
    /* `Mon 22:00-02:00` is meant to end on Tuesday: better refused than open for all but the night. */
    if (until == from || (!has_day && until < from))
        return false;
    *ret_from_min = from;
    *ret_until_min = until;
    return true;
}

bool glob_is_valid(struct slice glob)
{
    return glob.len > 0 && glob.len <= WINDOW_GLOB_MAX && !memchr(glob.data, 0, glob.len);
}

/* Only the last `*` is ever tried again, one byte further: what an earlier one could take more, it can take
 * too. So the work is at most the product of the lengths. */
bool glob_matches(const char *glob, struct slice text)
{
    const char *behind_star = NULL;
    size_t at = 0, star_at = 0;

    while (at < text.len) {
        if (*glob == '*') {
            behind_star = ++glob;
            star_at = at;
        } else if (*glob && (*glob == '?' || *glob == text.data[at])) {
            glob++;
            at++;
        } else if (behind_star) {
            glob = behind_star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

/* Milliseconds since Monday 00:00 UTC, for times before 1970 too. */
static int64_t week_ms(int64_t now_ms)
{
    return (now_ms % WEEK_MS + EPOCH_MS + WEEK_MS) % WEEK_MS;
}

bool window_is_open(const struct maintenance_window *window, int64_t now_ms)
{
    int64_t at = week_ms(now_ms) / MINUTE_MS;

    if (window->from_min <= window->until_min)
        return at >= window->from_min && at < window->until_min;
    return at >= window->from_min || at < window->until_min;
}

/* From AT, a time of the week, to the next time that it is minute MIN: more than 0. */
static int64_t wait_ms(int64_t at, uint32_t min)
{
    int64_t wait = min * MINUTE_MS - at;

    return wait > 0 ? wait : wait + WEEK_MS;
}

int64_t window_next_change(const struct maintenance_window *window, int64_t now_ms)
{
    int64_t at = week_ms(now_ms);
    int64_t opens = wait_ms(at, window->from_min);
    int64_t closes = wait_ms(at, window->until_min);

    return now_ms + (opens < closes ? opens : closes);
}

bool window_covers(const struct maintenance_window *window, struct slice instance_id, struct slice broker_id)
{
    return glob_matches(window->instances, instance_id) && glob_matches(window->brokers, broker_id);
}
