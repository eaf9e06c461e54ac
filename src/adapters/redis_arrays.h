/* How many elements a reply may announce. The parser makes room for all of an array as soon as it has read
 * its length: a dozen bytes of somebody who is no Redis would cost gigabytes, and a bound on the bytes of a
 * reply would never see them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct redisReader;
struct redis_arrays;

struct redis_arrays *redis_arrays_new(void);
/* NULL is allowed. The readers made of it are gone. */
void redis_arrays_free(struct redis_arrays *arrays);
/* A parser that makes hiredis' own replies. NULL where memory is out. Borrows ARRAYS, as its privdata. */
struct redisReader *redis_arrays_reader(struct redis_arrays *arrays);
/* A reply begins: all its arrays together, nested ones too, may have that many elements. */
void redis_arrays_begin(struct redis_arrays *arrays, size_t max);
/* The parser failed for that, and not for want of memory as it says. */
bool redis_arrays_refused(const struct redis_arrays *arrays);
