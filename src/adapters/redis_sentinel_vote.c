#include "redis_sentinel_vote.h"

static bool counts(const struct sentinel_vote *vote, const struct sentinel_choice *before, int64_t now_ms)
{
    if (!vote->master.host[0] || now_ms - vote->said_ms > SENTINEL_VOTE_LIFE_MS)
        return false;
    return !before->master.host[0] || vote->epoch >= before->epoch ||
           now_ms - before->said_ms > SENTINEL_MEMORY_MS;
}

/* Votes for the address of INDEX with its epoch, doubled, and one more for what is in use. */
static size_t weigh(const struct sentinel_vote *const *votes, size_t count, size_t index,
                    const struct sentinel_choice *before, int64_t now_ms)
{
    const struct sentinel_vote *vote = votes[index];
    size_t weight = sentinel_address_equal(&vote->master, &before->master);

    for (size_t i = 0; i < count; i++) {
        if (counts(votes[i], before, now_ms) && votes[i]->epoch == vote->epoch &&
            sentinel_address_equal(&votes[i]->master, &vote->master))
            weight += 2;
    }
    return weight;
}

static size_t find_other(const struct sentinel_vote *const *votes, size_t count, size_t taken, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (votes[i]->master.host[0] && now_ms - votes[i]->said_ms <= SENTINEL_VOTE_LIFE_MS &&
            !sentinel_address_equal(&votes[i]->master, &votes[taken]->master))
            return i;
    }
    return taken;
}

bool sentinel_choose(const struct sentinel_vote *const *votes, size_t count,
                     const struct sentinel_choice *before, int64_t now_ms, struct sentinel_result *ret_result)
{
    size_t best = count, best_weight = 0;

    for (size_t i = 0; i < count; i++) {
        if (!counts(votes[i], before, now_ms))
            continue;

        size_t weight = weigh(votes, count, i, before, now_ms);

        if (best == count || votes[i]->epoch > votes[best]->epoch ||
            (votes[i]->epoch == votes[best]->epoch && weight > best_weight)) {
            best = i;
            best_weight = weight;
        }
    }
    if (best == count)
        return false;
    *ret_result = (struct sentinel_result){.index = best, .other = find_other(votes, count, best, now_ms)};
    return true;
}
