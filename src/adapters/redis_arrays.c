#include "redis_arrays.h"

#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

struct redis_arrays {
    redisReplyObjectFunctions functions;
    void *(*create_array)(const redisReadTask *task, int elements); /* hiredis' own */
    size_t left;
    bool refused;
};

struct redis_arrays *redis_arrays_new(void)
{
    return mem_new(1, sizeof(struct redis_arrays));
}

void redis_arrays_free(struct redis_arrays *arrays)
{
    free(arrays);
}

static void *create_array(const redisReadTask *task, int elements)
{
    struct redis_arrays *arrays = task->privdata;

    if (elements > 0 && (size_t)elements > arrays->left) {
        arrays->refused = true;
        return NULL;
    }
    arrays->left -= elements > 0 ? (size_t)elements : 0;
    return arrays->create_array(task, elements);
}

redisReader *redis_arrays_reader(struct redis_arrays *arrays)
{
    redisReader *reader = redisReaderCreate();

    if (!reader)
        return NULL;
    if (!arrays->create_array) {
        arrays->functions = *reader->fn;
        arrays->create_array = arrays->functions.createArray;
        arrays->functions.createArray = create_array;
    }
    reader->fn = &arrays->functions;
    reader->privdata = arrays;
    return reader;
}

void redis_arrays_begin(struct redis_arrays *arrays, size_t max)
{
    arrays->left = max;
    arrays->refused = false;
}

bool redis_arrays_refused(const struct redis_arrays *arrays)
{
    return arrays->refused;
}
