/* What the daemon answers, taken apart by cJSON. cJSON skips controls, ignores the case of names, ends texts
 * at an escaped NUL and keeps numbers as doubles: controls are refused here, names are compared exactly, an
 * escaped NUL becomes U+FFFD, and what is handed on as JSON is never written by cJSON but copied from what
 * came. Texts may hold any bytes. */
#pragma once

#include "util/buf.h"
#include "util/errmsg.h"
#include <cjson/cJSON.h>

/* NULL, with WHY filled, where TEXT is no JSON from its beginning to its end. The caller deletes it. */
cJSON *json_read(struct slice text, struct errmsg *why);

/* The member NAME of OBJECT; NULL where it is not there, is null, or OBJECT is no object. */
const cJSON *json_get(const cJSON *object, const char *name);
/* Empty where there is no such text. */
struct slice json_text(const cJSON *object, const char *name);
bool json_number(const cJSON *object, const char *name, double *ret_number);
/* 0 where there is no such number. */
double json_number_or_0(const cJSON *object, const char *name);
bool json_is_true(const cJSON *object, const char *name);
/* Milliseconds since 1970 of a time; false where there is none. */
bool json_time(const cJSON *object, const char *name, int64_t *ret_ms);

/* Appends a text, number or truth as people read it; nothing for all else. */
void json_add_plain(struct buf *out, const cJSON *item);

/* The value of the member NAME of the object TEXT, which is valid JSON, as it is written there; false where
 * there is none. */
bool json_find_raw(struct slice text, const char *name, struct slice *ret_value);
