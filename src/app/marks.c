#include "app/marks.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/refusal.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

#define PAGE 1000

struct question {
    struct marks *marks;
    uint64_t generation;
    enum stream_kind stream;
};

static void ask(struct marks *m, enum stream_kind k);

void marks_init(struct marks *m, struct daemon *d)
{
    *m = (struct marks){.d = d};
}

void marks_reset(struct marks *m)
{
    m->generation++;
    for (int k = 0; k < STREAM_KINDS; k++)
        m->searches[k].is_on = m->searches[k].is_asking = false;
}

/* Some more than may stay, so that it is seen whether there are more. */
static uint64_t wanted(const struct marks *m, enum stream_kind k)
{
    const struct config *config = m->d->config;
    int64_t max_len = k == STREAM_REPORTS ? config->streams.reports_max_len : config->streams.trades_max_len;
    return 2 * (uint64_t)m->d->ingest.streams[k].marks.stride + (uint64_t)max_len;
}

static void take_page(struct marks *m, enum stream_kind k, const redisReply *reply)
{
    struct mark_search *search = &m->searches[k];
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *entry = reply->element[i];
        struct stream_id id;
        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
            !stream_id_parse(slice_of(entry->element[0]->str, entry->element[0]->len), &id))
            continue;
        ingest_note_older(&m->d->ingest, k, id);
        search->to = stream_id_prev(id);
        search->taken++;
    }
    search->is_on = reply->elements == search->page && search->taken < wanted(m, k);
    if (search->is_on)
        ask(m, k);
    else
        commit_kick(&m->d->commit); /* there may be something to trim */
}

static void on_page(void *ctx, void *object)
{
    struct question question = *(struct question *)ctx;
    struct marks *m = question.marks;
    struct mark_search *search = &m->searches[question.stream];
    const redisReply *reply = object;
    free(ctx);
    if (question.generation != m->generation)
        return;
    search->is_asking = false;
    if (!reply) {
        /* Entries may have any size, and a page of them, or even one, be too large for an answer: the link
         * must not be lost over them for ever. What is not found leaves with the first trim at a newer mark.
         */
        search->is_on = search->page > 1;
        search->page /= 2;
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        take_page(m, question.stream, reply);
    } else {
        search->is_on = false;
        refusal_tell(m->d, "XREVRANGE", reply);
    }
}

static void ask(struct marks *m, enum stream_kind k)
{
    struct mark_search *search = &m->searches[k];
    char to[STREAM_ID_TEXT_MAX], count[NUMBER_TEXT_MAX];
    struct slice words[] = {slice_text("XREVRANGE"),
                            slice_text(m->d->names.stream[k]),
                            slice_of(to, stream_id_format(to, search->to)),
                            slice_text("-"),
                            slice_text("COUNT"),
                            slice_of(count, number_format_u64(count, search->page))};
    struct question *question = mem_new(1, sizeof *question);
    *question = (struct question){m, m->generation, k};
    search->is_asking = redis_link_command(m->d->link, words, ARRAY_LEN(words), 0, on_page, question) == 0;
    if (!search->is_asking)
        free(question); /* once the link is up */
}

void marks_go_on(struct marks *m)
{
    for (int k = 0; k < STREAM_KINDS; k++)
        if (m->searches[k].is_on && !m->searches[k].is_asking)
            ask(m, (enum stream_kind)k);
}

void marks_start(struct marks *m)
{
    static const enum stream_kind kinds[] = {STREAM_REPORTS, STREAM_TRADES};
    static const struct stream_id none = {0, 0};
    marks_reset(m);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!daemon_serves(m->d, (enum layer)kinds[i]))
            continue;
        struct stream_id handled = m->d->ingest.streams[kinds[i]].handled;
        m->searches[kinds[i]] =
            (struct mark_search){.is_on = stream_id_compare(handled, none) != 0, .to = handled, .page = PAGE};
    }
    marks_go_on(m);
}
