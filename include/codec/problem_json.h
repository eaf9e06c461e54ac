/* An error as `application/problem+json` (SPEC §8.4). */
#pragma once

#include "util/buf.h"
#include "util/slice.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* Appends `{"title":…,"status":…,"detail":…}` and a newline; without detail where it is empty. */
void problem_json_add(struct buf *out, int status, const char *title, struct slice detail);
