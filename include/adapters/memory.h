/* Memory of the libraries: where it is out, the process ends as util/alloc.h says, instead of each library
 * going on in its own way without. libmicrohttpd and hiredis cannot be told: what they return is looked at.
 */
#pragma once

#include <stdbool.h>

/* For libevent, OpenSSL and cJSON. Before anything of theirs is called. */
void memory_guard_libraries(void);

/* curl_global_init with such memory; curl_global_cleanup undoes it. False where it does not start. */
bool memory_init_curl(void);
