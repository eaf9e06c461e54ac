/* Loading libcurl. MT5_LIBCURL is the name that the linker would have recorded (CMakeLists.txt). */
#include "curl_library.h"

#include "util/macros.h"
#include <dlfcn.h>
#include <string.h>

static const char *const names[] = {
#define CURL_LIBRARY_NAME(name) "curl_" #name,
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_NAME)
#undef CURL_LIBRARY_NAME
};

static bool find(const struct curl_library *library, const char *name, void *ret_function, struct errmsg *err)
{
    void *symbol = dlsym(library->handle, name);

    if (!symbol) {
        errmsg_set(err, "%s has no %s", MT5_LIBCURL, name);
        return false;
    }
    memcpy(ret_function, &symbol, sizeof(symbol)); /* POSIX: a function fits, ISO C does not say so */
    return true;
}

static bool find_all(struct curl_library *library, struct errmsg *err)
{
    void *const places[] = {
#define CURL_LIBRARY_PLACE(name) &library->name,
        CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_PLACE)
#undef CURL_LIBRARY_PLACE
    };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!find(library, names[i], places[i], err))
            return false;
    }
    return true;
}

bool curl_library_open(struct curl_library *library, struct errmsg *err)
{
    const char *said;

    *library = (struct curl_library){.handle = dlopen(MT5_LIBCURL, RTLD_NOW | RTLD_NODELETE)};
    if (!library->handle) {
        said = dlerror();
        errmsg_set(err, "%s", said ? said : MT5_LIBCURL);
        return false;
    }
    if (find_all(library, err))
        return true;
    curl_library_close(library);
    return false;
}

void curl_library_close(struct curl_library *library)
{
    if (library->handle)
        (void)dlclose(library->handle); /* there is nothing to be done about it */
    *library = (struct curl_library){0};
}
