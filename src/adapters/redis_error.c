/* The first word of a Redis error says what kind it is. One table knows them. */
#include "adapters/redis_link.h"

#include "util/macros.h"

static const struct {
    struct slice word;
    enum redis_error error;
} words[] = {
    {SLICE("NOAUTH"), REDIS_ERROR_NOAUTH},      {SLICE("WRONGPASS"), REDIS_ERROR_NOAUTH},
    {SLICE("NOPERM"), REDIS_ERROR_NOPERM},      {SLICE("LOADING"), REDIS_ERROR_LOADING},
    {SLICE("MASTERDOWN"), REDIS_ERROR_LOADING}, {SLICE("MISCONF"), REDIS_ERROR_MISCONF},
    {SLICE("NOREPLICAS"), REDIS_ERROR_MISCONF}, {SLICE("OOM"), REDIS_ERROR_OOM},
    {SLICE("READONLY"), REDIS_ERROR_READONLY},  {SLICE("WRONGTYPE"), REDIS_ERROR_WRONGTYPE},
    {SLICE("NOSCRIPT"), REDIS_ERROR_NOSCRIPT},  {SLICE("NOGROUP"), REDIS_ERROR_NOGROUP},
    {SLICE("BUSY"), REDIS_ERROR_BUSY},
};

/* Texts under the general ERR that have a kind nevertheless. */
static const struct {
    struct slice start;
    enum redis_error error;
} general[] = {
    {SLICE("ERR invalid password"), REDIS_ERROR_NOAUTH}, /* before Redis 6 */
    {SLICE("ERR The user executing the script can't"), REDIS_ERROR_NOPERM},
};

static const char *const names[] = {
    [REDIS_ERROR_OTHER] = "other",       [REDIS_ERROR_NOAUTH] = "noauth",
    [REDIS_ERROR_NOPERM] = "noperm",     [REDIS_ERROR_LOADING] = "loading",
    [REDIS_ERROR_MISCONF] = "misconf",   [REDIS_ERROR_OOM] = "oom",
    [REDIS_ERROR_READONLY] = "readonly", [REDIS_ERROR_WRONGTYPE] = "wrongtype",
    [REDIS_ERROR_NOSCRIPT] = "noscript", [REDIS_ERROR_NOGROUP] = "nogroup",
    [REDIS_ERROR_BUSY] = "busy",
};

static struct slice first_word(struct slice text)
{
    size_t len = 0;

    while (len < text.len && text.data[len] != ' ')
        len++;
    return slice_of(text.data, len);
}

enum redis_error redis_error_classify(struct slice text)
{
    struct slice word = first_word(text);

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_equal(word, words[i].word))
            return words[i].error;
    }
    for (size_t i = 0; i < ARRAY_LEN(general); i++) {
        struct slice start = general[i].start;

        if (text.len >= start.len && slice_equal(slice_of(text.data, start.len), start))
            return general[i].error;
    }
    return REDIS_ERROR_OTHER;
}

const char *redis_error_name(enum redis_error error)
{
    return (size_t)error < ARRAY_LEN(names) ? names[error] : names[REDIS_ERROR_OTHER];
}
