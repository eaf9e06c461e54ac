/* Going through a key that grows with the fleet, page by page: neither Redis nor the loop stands still for
 * it. What others add or remove meanwhile may be seen or not, as if it had come a moment later; a member may
 * come twice. */
#include "load_private.h"
#include <assert.h>

/* Members of a page, about. Small keys come as a whole. */
#define PAGE_TEXT "1000"

static void ask(struct load *load, uint32_t w, struct slice cursor);

static void on_page(struct load *load, const redisReply *reply, int w)
{
    const struct load_walk *walk = &load->ids->walks[w];
    uint64_t generation = load->generation;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return;
    struct slice cursor = load_text(reply->element[0]);
    /* Redis makes the next page ready while this one is read here. */
    if (!slice_is(cursor, "0"))
        ask(load, (uint32_t)w, cursor);
    if (load->generation == generation)
        walk->take(load, reply->element[1], walk->arg);
}

static void ask(struct load *load, uint32_t w, struct slice cursor)
{
    const struct load_walk *walk = &load->ids->walks[w];
    struct slice words[] = {slice_text(walk->command), key_slice(&walk->key), cursor, slice_text("COUNT"),
                            slice_text(PAGE_TEXT)};
    load_send(load, words, ARRAY_LEN(words), on_page, (int)w, key_slice(&walk->key));
}

void load_walk(struct load *load, const char *command, struct slice key,
               void (*take)(struct load *load, const redisReply *members, int arg), int arg)
{
    struct load_ids *ids = load->ids;
    assert(ids->walk_count < LOAD_WALKS_MAX && key.len < KEY_MAX);
    struct load_walk *walk = &ids->walks[ids->walk_count];
    *walk = (struct load_walk){.command = command, .take = take, .arg = arg, .key.len = key.len};
    memcpy(walk->key.text, key.data, key.len);
    ask(load, ids->walk_count++, slice_text("0"));
}
