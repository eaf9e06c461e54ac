/* Strings of a reply that are longer than anything we could want are cut on the way to the parser, which
 * would gather them whole: one entry of a stream may have half a GiB, and must not keep us from what is
 * behind it. Whoever gets a string of REDIS_CLIP_BYTES knows it for one that is too long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define REDIS_CLIP_BYTES ((size_t)1 << 20)

struct redisReader;

struct redis_clip {
    size_t skip; /* bytes that are still to come of a string that was cut, with the line break behind it */
};

/* Looks at what the parser could not finish, and cuts it. */
void redis_clip_look(struct redis_clip *clip, struct redisReader *reader);

/* How many of the next LEN bytes are not for the parser. Where *RET_ENDED, the line break that they ended
 * with is. */
size_t redis_clip_skip(struct redis_clip *clip, size_t len, bool *ret_ended);
