#include "app/displace.h"
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "codec/scripts.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

struct displacing {
    struct daemon *d;
    struct key key;
    displace_fn fn;
    void *ctx;
};

static void on_displaced(void *ctx, void *object)
{
    struct displacing *x = ctx;
    struct daemon *d = x->d;
    const redisReply *reply = object;
    struct slice key = key_slice(&x->key);
    bool moved = reply && reply->type == REDIS_REPLY_STRING;
    if (moved) {
        LOG(d->log, WARN, "a foreign value in the way of a key is moved aside", log_slice("key", key),
            log_slice("to", slice_of(reply->str, reply->len)));
        reconcile_count(&d->reconcile, REPAIR_DISPLACED);
        reconcile_write_back_key(&d->reconcile, key);
    } else if (reply) {
        LOG_LIMITED(
            d->log, ERROR, key, "a foreign value in the way of a key cannot be moved aside",
            log_slice("key", key),
            log_slice("error", slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0)));
    }
    if (reply && x->fn)
        x->fn(x->ctx, moved);
    free(x);
}

void displace(struct daemon *d, struct slice key, struct slice type, displace_fn fn, void *ctx)
{
    struct displacing *x = mem_new(1, sizeof *x);
    *x = (struct displacing){.d = d, .fn = fn, .ctx = ctx};
    x->key.len = key.len < KEY_MAX ? key.len : KEY_MAX;
    memcpy(x->key.text, key.data, x->key.len);
    struct slice words[] = {slice_text("EVAL"),       script_word(&script_displace, true),
                            slice_text("2"),          slice_text(KEY_LEADER),
                            key_slice(&x->key),       lead_token(&d->lead),
                            slice_text(KEY_DISPLACED)};
    LOG_LIMITED(d->log, WARN, key, "a key of ours holds a foreign type", log_slice("key", key),
                log_slice("type", type));
    if (redis_link_command(d->link, words, ARRAY_LEN(words), 0, on_displaced, x)) {
        free(x);
        if (fn)
            fn(ctx, false);
    }
}
