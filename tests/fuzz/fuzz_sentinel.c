/* Bytes as if from Sentinels: what four of them answer, in turn, and tell by themselves; and which address is
 * taken by that. The first byte says in pieces of which size they come: it must make no difference. The
 * second says how much time passes between two answers. */
#include "../../src/adapters/redis_replies.h"
#include "../../src/adapters/redis_sentinel_vote.h"
#include "fuzz.h"

#include "util/buf.h"
#include "util/macros.h"
#include <ctype.h>
#include <hiredis/hiredis.h>

#define PEERS  4
#define NAME   "mt5"
#define NOW_MS 1000000
/* As many as a link to a Sentinel takes of a reply. */
#define ELEMENTS_MAX (1 << 18)

/* One way of reading the input, and what came of it. */
struct run {
    struct sentinel_vote votes[PEERS];
    struct sentinel_choice choice;
    struct buf told;
    int64_t now_ms, step_ms;
    size_t replies;
    bool failed;
};

static void check_address(const struct sentinel_address *at)
{
    char text[SENTINEL_ADDRESS_TEXT_MAX];
    size_t len = strnlen(at->host, sizeof(at->host));

    CHECK(len > 0 && len < sizeof(at->host) && at->host[0] != '-' && at->port > 0);
    for (size_t i = 0; i < len; i++)
        CHECK(isalnum((unsigned char)at->host[i]) || strchr(".-_:%", at->host[i]));
    CHECK(sentinel_address_equal(at, at));
    sentinel_address_format(at, text);
    CHECK(strlen(text) > len && strlen(text) < sizeof(text) && strstr(text, at->host));
    CHECK((text[0] == '[') == (strchr(at->host, ':') != NULL));
}

static void check_votes(struct run *run)
{
    const struct sentinel_vote *list[PEERS];
    struct sentinel_result result = {PEERS, PEERS}, again;
    struct sentinel_choice taken;

    for (size_t i = 0; i < PEERS; i++)
        list[i] = &run->votes[i];
    if (!sentinel_choose(list, PEERS, &run->choice, run->now_ms, &result)) {
        CHECK(result.index == PEERS && result.other == PEERS);
        return;
    }
    CHECK(result.index < PEERS && result.other < PEERS);
    check_address(&list[result.index]->master);
    CHECK((result.other == result.index) ==
          sentinel_address_equal(&list[result.index]->master, &list[result.other]->master));
    CHECK(run->now_ms - list[result.index]->said_ms <= SENTINEL_VOTE_LIFE_MS);
    for (size_t i = 0; i < PEERS; i++)
        CHECK(!list[i]->master.host[0] || run->now_ms - list[i]->said_ms > SENTINEL_VOTE_LIFE_MS ||
              list[i]->epoch <= list[result.index]->epoch);
    /* Nobody is sent back to an epoch that somebody still stands for. */
    CHECK(!run->choice.master.host[0] || list[result.index]->epoch >= run->choice.epoch ||
          run->now_ms - run->choice.said_ms > SENTINEL_MEMORY_MS);
    taken = (struct sentinel_choice){list[result.index]->master, list[result.index]->epoch, run->now_ms};
    /* What was taken stays taken while nobody says anything else. */
    CHECK(sentinel_choose(list, PEERS, &taken, run->now_ms, &again));
    CHECK(sentinel_address_equal(&list[again.index]->master, &taken.master));
    run->choice = taken;
    buf_add_format(&run->told, "> %zu %zu\n", result.index, result.other);
}

static void take_address(struct run *run, struct sentinel_vote *vote, const redisReply *reply)
{
    vote->master.host[0] = '\0';
    if (!sentinel_parse_address(reply, &vote->master))
        return;
    check_address(&vote->master);
    buf_add_format(&run->told, "%s %u\n", vote->master.host, vote->master.port);
}

static void take_state(struct run *run, struct sentinel_vote *vote, const redisReply *reply)
{
    struct sentinel_state state = {0};

    (void)sentinel_parse_state(reply, &state);
    vote->epoch = state.epoch;
    vote->said_ms = run->now_ms;
    buf_add_format(&run->told, "%llu %d\n", (unsigned long long)state.epoch, state.is_in_trouble);
    check_votes(run);
}

static void take_others(struct run *run, const redisReply *reply)
{
    struct sentinel_other other;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (!sentinel_parse_other(reply->element[i], &other))
            continue;
        check_address(&other.at);
        CHECK(strlen(other.id) == 0 || strlen(other.id) == SENTINEL_ID_LEN);
        buf_add_format(&run->told, "%s %s\n", other.at.host, other.id);
    }
}

static void take_rest(struct run *run, const redisReply *reply)
{
    char id[SENTINEL_ID_LEN + 1] = "";

    CHECK(sentinel_parse_id(reply, id) == (strlen(id) == SENTINEL_ID_LEN));
    take_others(run, reply);
    if (!sentinel_message_is_about(reply, NAME))
        return;
    CHECK(memmem(reply->element[2]->str, reply->element[2]->len, NAME, strlen(NAME)));
    buf_add_text(&run->told, "a message\n");
}

static void take_reply(struct run *run, const redisReply *reply)
{
    struct sentinel_vote *vote = &run->votes[run->replies / 3 % PEERS];

    run->now_ms += run->step_ms;
    if (run->replies % 3 == 0)
        take_address(run, vote, reply);
    else if (run->replies % 3 == 1)
        take_state(run, vote, reply);
    else
        take_rest(run, reply);
    run->replies++;
}

static void take_replies(struct run *run, redisReader *reader, struct redis_replies *replies)
{
    void *reply = NULL;

    for (;;) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            run->failed = true;
            return;
        }
        if (!reply)
            return;
        take_reply(run, reply);
        redis_replies_reset(replies);
    }
}

static struct run *run_new(struct slice bytes, size_t piece, int64_t step_ms)
{
    struct run *run = calloc(1, sizeof(*run));
    struct redis_replies replies = {.max_elements = ELEMENTS_MAX};
    redisReader *reader =
        redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&redis_replies_functions);

    CHECK(run && reader);
    reader->privdata = &replies;
    run->now_ms = NOW_MS;
    run->step_ms = step_ms;
    for (size_t at = 0; at < bytes.len && !run->failed; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;

        CHECK(redisReaderFeed(reader, bytes.data + at, len) == REDIS_OK);
        take_replies(run, reader, &replies);
    }
    redisReaderFree(reader);
    redis_replies_clear(&replies);
    return run;
}

static void run_free(struct run *run)
{
    buf_clear(&run->told);
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;

    struct slice bytes = slice_of((const char *)data + 2, size - 2);
    struct run *whole = run_new(bytes, size, (int64_t)data[1] * 64);
    struct run *pieces = run_new(bytes, data[0] % 31 + 1U, (int64_t)data[1] * 64);

    CHECK(whole->replies == pieces->replies && whole->failed == pieces->failed);
    CHECK(slice_equal(buf_slice(&whole->told), buf_slice(&pieces->told)));
    run_free(whole);
    run_free(pieces);
    return 0;
}
