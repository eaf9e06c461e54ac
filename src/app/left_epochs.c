#include "app/left_epochs.h"

#include <stdio.h>
#include <string.h>

void left_epochs_add(struct left_epochs *left, const char *epoch, uint64_t applied)
{
    if (!epoch[0])
        return;
    (void)snprintf(left->list[left->next].epoch, sizeof left->list[left->next].epoch, "%s", epoch);
    left->list[left->next].applied = applied;
    left->next = (left->next + 1) % LEFT_EPOCHS_MAX;
}

bool left_epochs_holds(const struct left_epochs *left, const char *epoch, uint64_t applied)
{
    for (size_t i = 0; i < LEFT_EPOCHS_MAX; i++) {
        if (epoch[0] && strcmp(left->list[i].epoch, epoch) == 0)
            return applied <= left->list[i].applied;
    }
    return false;
}

void left_epochs_clear(struct left_epochs *left)
{
    *left = (struct left_epochs){0};
}
