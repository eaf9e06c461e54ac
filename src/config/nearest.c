/* Suggestions: the candidate with the least edits, case aside, and few of them. */
#include "config/nearest.h"

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, case aside. Both texts have at most NEAREST_MAX_LEN bytes. */
static size_t text_distance(struct slice a, struct slice b)
{
    size_t row[NEAREST_MAX_LEN + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));

            row[j] = least_of(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b.len];
}

/* LONGER is SHORTER and an end that people forget or add: `ttl` for `ttl_ms`, `warning` for `warn`. */
static bool is_all_but_end(struct slice shorter, struct slice longer)
{
    if (shorter.len < 3 || longer.len <= shorter.len)
        return false;
    for (size_t i = 0; i < shorter.len; i++) {
        if (lower(shorter.data[i]) != lower(longer.data[i]))
            return false;
    }
    return longer.data[shorter.len] == '_' || longer.len - shorter.len <= 3;
}

void nearest_init(struct nearest *nearest, struct slice word)
{
    *nearest = (struct nearest){.word = word, .least = 1 + (word.len < 12 ? 2 : 4)};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    struct slice text = slice_text(candidate);
    size_t distance;
    bool is_end_alone;

    if (nearest->word.len > NEAREST_MAX_LEN || text.len > NEAREST_MAX_LEN)
        return;
    distance = text_distance(nearest->word, text);
    is_end_alone = is_all_but_end(nearest->word, text) || is_all_but_end(text, nearest->word);
    if (is_end_alone && distance > 1)
        distance = 1;
    /* Of two short words half the letters must stay. */
    if (distance < nearest->least &&
        (is_end_alone || distance * 2 <= (nearest->word.len > text.len ? nearest->word.len : text.len))) {
        nearest->least = distance;
        nearest->found = candidate;
    }
}
