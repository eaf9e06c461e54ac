/* The files of the status page (docs/decisions/0011-status-page.md): embedded at build from src/app/page/,
 * served from memory with the headers that keep everything from elsewhere out. */
#pragma once

#include "app/api.h"

/* `/` and `/page/{name}`. */
void page_get_index(const struct api_call *call);
void page_get_file(const struct api_call *call);

/* True where IF_NONE_MATCH, the value of that header, names ETAG (with its quotes), weakly or not, or is `*`.
 * Pure. */
bool page_is_known(struct slice if_none_match, const char *etag);
