/* Who gets a lease that is free. One that stood by has no part in what Redis has lost: where the data is not
 * what it was while another held the lease, or the link was lost in between, that other one may know more,
 * and is given the time to come back for it (SPEC §10). Pure. */
#pragma once

#include "app/holder.h"
#include "app/left_epochs.h"
#include "util/number.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

/* At least how often it asks for its lease again, and how long it may take to connect again. */
#define YIELD_MAX_MS 3000

struct yield {
    char holder[HOLDER_TOKEN_MAX]; /* who held it last; "" where nobody was seen to */
    char epoch[EPOCH_LEN + 1];     /* of the data then */
    uint64_t applied, beat;
    bool is_cut;      /* the link was lost since */
    int64_t until_ms; /* monotonic: it is left to him till then; 0: it was not free so far */
};

/* Another one holds the lease, and the data is this. */
void yield_note(struct yield *y, const char *holder, const char *epoch, uint64_t applied, uint64_t beat);
/* The next answer may be another server's. */
void yield_link_lost(struct yield *y);
/* We hold it: nobody is waited for. */
void yield_clear(struct yield *y);

/* What lease.lua is told: the epoch, or `*` for any; the number of the last batch; the beat. Behind these it
 * takes no lease that is free. All are empty where it may be taken. TEXT is what the words lie in. */
#define YIELD_WORDS 3
void yield_words(const struct yield *y, const char *own_token, int64_t now_ms, char text[2][NUMBER_TEXT_MAX],
                 struct slice ret_words[YIELD_WORDS]);
/* It was free and has been left. True for the first time. */
bool yield_begin(struct yield *y, int64_t lease_ms, int64_t now_ms);
