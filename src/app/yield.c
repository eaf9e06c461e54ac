#include "app/yield.h"

#include <stdio.h>
#include <string.h>

void yield_note(struct yield *y, const char *holder, const char *epoch, uint64_t applied, uint64_t beat)
{
    yield_clear(y);
    (void)snprintf(y->holder, sizeof(y->holder), "%s", holder);
    (void)snprintf(y->epoch, sizeof(y->epoch), "%s", epoch);
    y->applied = applied;
    y->beat = beat;
}

void yield_link_lost(struct yield *y)
{
    y->is_cut = true;
}

void yield_clear(struct yield *y)
{
    *y = (struct yield){0};
}

void yield_words(const struct yield *y, const char *own_token, int64_t now_ms, char text[2][NUMBER_TEXT_MAX],
                 struct slice ret_words[YIELD_WORDS])
{
    bool is_over = y->until_ms && now_ms >= y->until_ms;

    for (int i = 0; i < YIELD_WORDS; i++)
        ret_words[i] = slice_text("");
    if (!y->epoch[0] || is_over || holder_is_dead(y->holder, own_token))
        return;
    ret_words[0] = slice_text(y->is_cut ? "*" : y->epoch);
    ret_words[1] = slice_of(text[0], number_format_u64(text[0], y->applied));
    ret_words[2] = slice_of(text[1], number_format_u64(text[1], y->beat));
}

bool yield_begin(struct yield *y, int64_t lease_ms, int64_t now_ms)
{
    if (y->until_ms)
        return false;
    y->until_ms = now_ms + (lease_ms < YIELD_MAX_MS ? lease_ms : YIELD_MAX_MS);
    return true;
}
