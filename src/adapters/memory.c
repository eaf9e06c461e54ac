#include "adapters/memory.h"

#include "curl_library.h"
#include "util/alloc.h"
#include <cjson/cJSON.h>
#include <event2/event.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define GIVEN_BACK_BYTES (128 * 1024)

static void *take(size_t size)
{
    return mem_resize(NULL, size, 1);
}

static void *take_zeroed(size_t count, size_t size)
{
    return mem_new(count, size);
}

static void *resize(void *old, size_t size)
{
    return mem_resize(old, size, 1);
}

static char *copy_text(const char *text)
{
    return mem_copy_text(text, strlen(text));
}

/* OpenSSL takes nothing for no bytes, and says where it asks. */
static void *take_for_openssl(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size ? take(size) : NULL;
}

static void *resize_for_openssl(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size)
        return resize(old, size);
    free(old);
    return NULL;
}

static void free_for_openssl(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

void memory_give_back_early(void)
{
    /* Set, they stay: left alone, glibc raises both with the largest block ever freed, and what an outage
     * once needed is kept, in pieces, for good. Refused, they are as they were. */
    (void)mallopt(M_MMAP_THRESHOLD, GIVEN_BACK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, GIVEN_BACK_BYTES);
}

void memory_give_back(void)
{
    (void)malloc_trim(0);
}

void memory_guard_libraries(void)
{
    cJSON_Hooks cjson = {.malloc_fn = take, .free_fn = free};

    event_set_mem_functions(take, resize, free);
    cJSON_InitHooks(&cjson);
    /* Refused where it has memory already; then that is as it always was. */
    (void)CRYPTO_set_mem_functions(take_for_openssl, resize_for_openssl, free_for_openssl);
}

bool memory_init_curl(const struct curl_library *curl)
{
    return curl->global_init_mem(CURL_GLOBAL_DEFAULT, take, free, resize, copy_text, take_zeroed) == CURLE_OK;
}
