/* Epochs of the data that were replaced by newer ones of ours, each after a loss.
 *
 * Data with one of them is ours still, as it was before: a server that fails over and back may hold it. It
 * has gone back where no more was applied to it than when we left it; else another daemon has written there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EPOCH_LEN       32
#define LEFT_EPOCHS_MAX 8 /* the newest are kept */

struct left_epochs {
    struct {
        char epoch[EPOCH_LEN + 1];
        uint64_t applied;
    } list[LEFT_EPOCHS_MAX];
    size_t next;
};

/* EPOCH ("" is none) is not the current one any more; APPLIED is the number of the last batch that was stored
 * under it, as far as is known. */
void left_epochs_add(struct left_epochs *left, const char *epoch, uint64_t applied);
/* True where data with this epoch and number is ours, from before. */
bool left_epochs_holds(const struct left_epochs *left, const char *epoch, uint64_t applied);
void left_epochs_clear(struct left_epochs *left);
