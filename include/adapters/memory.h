/* How the process gets memory and gives it back. Where a library finds none, the process ends as util/alloc.h
 * says, instead of each library going on in its own way without. libmicrohttpd and hiredis cannot be told:
 * what they return is looked at. */
#pragma once

#include <stdbool.h>

/* From now on a block of more than 128 KiB goes back to the system when it is freed, and so does as much at
 * the end of the heap: what a backlog or an attack needed is not kept. Before the first large block. */
void memory_give_back_early(void);

/* Gives back the pages between what is in use; to be called now and then. Tens of milliseconds where a
 * hundred thousand blocks are free. */
void memory_give_back(void);

/* For libevent, OpenSSL and cJSON. Before anything of theirs is called. */
void memory_guard_libraries(void);

/* curl_global_init with such memory; curl_global_cleanup undoes it. False where it does not start. CURL is
 * loaded (src/adapters/curl_library.h). */
struct curl_library;
bool memory_init_curl(const struct curl_library *curl);
