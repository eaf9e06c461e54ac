/* SipHash-1-3: a keyed hash, so that ids from outside cannot be chosen to collide. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

/* A key from the system's random source. */
struct hash_key hash_key_random(void);

uint64_t hash_bytes(struct hash_key key, const void *data, size_t len);
