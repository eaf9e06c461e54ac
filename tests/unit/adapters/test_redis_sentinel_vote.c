/* Whose word counts where Sentinels do not agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/adapters/redis_sentinel_vote.h"

#include "util/macros.h"

#define NOW 1000000

/* A vote as `PORT@EPOCH-AGE`; port 0: it knows no master. */
struct said {
    uint16_t port;
    uint64_t epoch;
    int64_t age_ms;
};

static struct sentinel_address address_of(uint16_t port)
{
    return (struct sentinel_address){.host = {port ? 'h' : '\0'}, .port = port};
}

struct row {
    const char *what;
    struct said said[5];
    size_t count;
    struct said before; /* port 0: nothing was taken yet */
    uint16_t taken;     /* port; 0: none */
    uint16_t other;     /* port of who disagrees; 0: nobody */
};

static const struct row rows[] = {
    {"nobody said anything", {{0}}, 0, {0}, 0, 0},
    {"nobody knows it", {{0, 3, 0}, {0, 4, 0}}, 2, {0}, 0, 0},
    {"the only one", {{1, 0, 0}}, 1, {0}, 1, 0},
    {"all agree", {{1, 2, 0}, {1, 2, 9}, {1, 2, 9}}, 3, {1, 2, 0}, 1, 0},
    {"one does not know it", {{0, 0, 0}, {1, 2, 9}}, 2, {0}, 1, 0},
    {"the highest epoch, against most", {{1, 2, 0}, {1, 2, 0}, {2, 3, 0}}, 3, {1, 2, 0}, 2, 1},
    {"the highest epoch, wherever it is", {{2, 3, 0}, {1, 2, 0}, {1, 2, 0}}, 3, {1, 2, 0}, 2, 1},
    {"most, where the epoch is the same", {{1, 2, 0}, {2, 2, 0}, {2, 2, 0}}, 3, {1, 2, 0}, 2, 1},
    {"what is in use, where as many", {{1, 2, 0}, {2, 2, 0}}, 2, {2, 2, 0}, 2, 1},
    {"the first, where nothing is in use", {{2, 2, 0}, {1, 2, 0}}, 2, {0}, 2, 1},
    {"what was said too long ago", {{2, 9, SENTINEL_VOTE_LIFE_MS + 1}, {1, 2, 0}}, 2, {0}, 1, 0},
    {"what was said long ago but not too long", {{2, 9, SENTINEL_VOTE_LIFE_MS}, {1, 2, 0}}, 2, {0}, 2, 1},
    {"not back to a lower epoch", {{1, 2, 0}, {1, 2, 0}}, 2, {2, 3, SENTINEL_MEMORY_MS}, 0, 0},
    {"but after a while", {{1, 2, 0}, {1, 2, 0}}, 2, {2, 3, SENTINEL_MEMORY_MS + 1}, 1, 0},
    {"a new epoch of the same address", {{1, 2, 0}, {1, 3, 0}}, 2, {1, 2, 0}, 1, 0},
    {"votes of a lower epoch weigh nothing", {{1, 3, 0}, {2, 3, 0}, {2, 2, 0}}, 3, {1, 3, 0}, 1, 2},
};

static void test_choose_takes_the_highest_epoch_then_most(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sentinel_vote votes[5];
        const struct sentinel_vote *list[5];
        struct sentinel_choice before = {address_of(rows[i].before.port), rows[i].before.epoch,
                                         NOW - rows[i].before.age_ms};
        struct sentinel_result result = {0, 0};
        bool found;

        for (size_t k = 0; k < rows[i].count; k++) {
            const struct said *said = &rows[i].said[k];

            votes[k] = (struct sentinel_vote){address_of(said->port), said->epoch, NOW - said->age_ms};
            list[k] = &votes[k];
        }
        found = sentinel_choose(list, rows[i].count, &before, NOW, &result);
        if (found != (rows[i].taken != 0) || (found && votes[result.index].master.port != rows[i].taken) ||
            (found && (result.other == result.index ? 0 : votes[result.other].master.port) != rows[i].other))
            fail_msg("%s: found %d, vote %zu, other %zu", rows[i].what, found, result.index, result.other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose_takes_the_highest_epoch_then_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
