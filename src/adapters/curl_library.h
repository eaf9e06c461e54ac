/* libcurl, loaded by the first client that has something to send: it brings two dozen libraries along, which
 * a daemon without webhooks neither needs nor keeps in memory. */
#pragma once

#include "util/errmsg.h"
#include <curl/curl.h>
#include <stdbool.h>

/* Its functions, under their names without `curl_`. */
#define CURL_LIBRARY_FUNCTIONS(X)                                                                            \
    X(global_init_mem)                                                                                       \
    X(global_cleanup)                                                                                        \
    X(easy_init)                                                                                             \
    X(easy_cleanup)                                                                                          \
    X(easy_setopt)                                                                                           \
    X(easy_getinfo)                                                                                          \
    X(easy_strerror)                                                                                         \
    X(slist_append)                                                                                          \
    X(slist_free_all)                                                                                        \
    X(multi_init)                                                                                            \
    X(multi_cleanup)                                                                                         \
    X(multi_setopt)                                                                                          \
    X(multi_assign)                                                                                          \
    X(multi_add_handle)                                                                                      \
    X(multi_remove_handle)                                                                                   \
    X(multi_info_read)                                                                                       \
    X(multi_socket_action)

struct curl_library {
    void *handle; /* NULL: it is not loaded */
#define CURL_LIBRARY_FIELD(name) __typeof__(curl_##name) *name;
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_FIELD)
#undef CURL_LIBRARY_FIELD
};

/* Loads it and finds its functions. False, with LIBRARY zeroed, where it is not there or is too old. */
bool curl_library_open(struct curl_library *library, struct errmsg *err);
/* Of a zeroed one too. What was loaded stays in memory: some of what it brings along cannot be unloaded. */
void curl_library_close(struct curl_library *library);
