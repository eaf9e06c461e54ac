/* Allocation that cannot fail: where memory is out, one line goes to standard error and the process
 * exits with 70. That is safe at any moment, because the daemon's state lives in Redis and every batch
 * is stored whole or not at all (docs/ARCHITECTURE.md). */
#pragma once

#include <stddef.h>

/* What happens where memory is out, for those who ask somebody else for it. */
_Noreturn void mem_fail(void);

/* Zeroed memory for COUNT objects of SIZE bytes; never NULL, for a count of 0 neither. The caller frees it.
 */
void *mem_new(size_t count, size_t size);

/* Like realloc to COUNT * SIZE bytes, checked for overflow; never NULL. What is gained is not zeroed. */
void *mem_resize(void *old, size_t count, size_t size);

/* A NUL-terminated copy of LEN bytes at DATA, which may be NULL where LEN is 0. The caller frees it. */
char *mem_copy_text(const char *data, size_t len);
