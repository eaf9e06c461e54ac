/* Preloaded: allocations fail where the file MT5_MEMORY_FILE says so, which others may change at any moment.
 * They are counted, but for those of the constructors of libraries. Where this comes before the sanitizer's
 * runtime, its allocator is the next one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For what is wanted while the real allocator is looked for. */
#define EARLY_BYTES 4096

struct plan {
    atomic_int_fast64_t count;  /* allocations so far */
    atomic_int_fast64_t first;  /* the first of them that fails; 0: none */
    atomic_int_fast64_t last;   /* and the last */
    atomic_int_fast64_t failed; /* so many have */
};

static struct plan *plan;
static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_memalign)(size_t, size_t);
static void (*real_free)(void *);
static char early[EARLY_BYTES] __attribute__((aligned(16)));
static size_t early_used;

static int is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + EARLY_BYTES;
}

static void *take_early(size_t size)
{
    void *memory = early + early_used;

    early_used += (size + 15) / 16 * 16;
    if (early_used > EARLY_BYTES)
        abort();
    return memory;
}

/* On first use: libraries allocate before our constructor runs. False within itself. */
static int find_real(void)
{
    static int is_searching;

    if (real_malloc || is_searching)
        return real_malloc != NULL;
    is_searching = 1;
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_memalign = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "memalign");
    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    is_searching = 0;
    return 1;
}

__attribute__((constructor)) static void open_plan(void)
{
    const char *path = getenv("MT5_MEMORY_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map != MAP_FAILED)
        plan = map;
    if (fd >= 0)
        close(fd);
}

static int fails(void)
{
    int_fast64_t number, first;

    if (!plan)
        return 0;
    number = atomic_fetch_add(&plan->count, 1) + 1;
    first = atomic_load(&plan->first);
    if (!first || number < first || number > atomic_load(&plan->last))
        return 0;
    atomic_fetch_add(&plan->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    if (!find_real())
        return take_early(size);
    return fails() ? NULL : real_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!find_real())
        return take_early(count * size);
    return fails() ? NULL : real_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    void *memory;

    if (find_real() && !is_early(old))
        return fails() ? NULL : real_realloc(old, size);
    memory = malloc(size);
    if (memory && old) {
        size_t room = (size_t)(early + EARLY_BYTES - (char *)old);

        memcpy(memory, old, size < room ? size : room);
    }
    return memory;
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (!__builtin_mul_overflow(count, size, &bytes))
        return realloc(old, bytes);
    errno = ENOMEM;
    return NULL;
}

void *memalign(size_t alignment, size_t size)
{
    return !find_real() || fails() ? NULL : real_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (!memory)
        return ENOMEM;
    *ret = memory;
    return 0;
}

void free(void *memory)
{
    if (memory && !is_early(memory) && find_real())
        real_free(memory);
}
