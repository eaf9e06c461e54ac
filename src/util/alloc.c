/* Owns the one decision about memory that is not there: say so in one line and exit with 70. */
#include "util/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_NO_MEMORY 70

void mem_fail(void)
{
    static const char line[] = "out of memory\n";
    /* Whether the line arrives or not, there is nothing left to do but to go. */
    ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);

    (void)ignored;
    /* exit() would run handlers and flush streams, which may want memory themselves. */
    _exit(EXIT_NO_MEMORY);
}

void *mem_new(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (!memory)
        mem_fail();
    return memory;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes))
        mem_fail();
    memory = realloc(old, bytes > 0 ? bytes : 1);
    if (!memory)
        mem_fail();
    return memory;
}

char *mem_copy_text(const char *data, size_t len)
{
    char *text;

    if (len == SIZE_MAX)
        mem_fail();
    text = mem_resize(NULL, len + 1, 1);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}
