/* A JSON object with members of its own only: what clients send as the body of a request (SPEC §8.3).
 *
 * Read strictly (RFC 8259) and without loss: a number keeps its digits, names are told apart by case, an
 * escaped NUL does not end a text, and no name may come twice. Values that are lists or objects are checked
 * for being JSON, and kept as they were written. Bytes of a text that are no valid UTF-8 are left as they
 * are: what becomes of them is for whoever uses the text. */
#pragma once

#include "util/buf.h"
#include "util/errmsg.h"
#include "util/slice.h"

#define JSON_MEMBERS_MAX 128
#define JSON_DEPTH_MAX   16

enum json_kind { JSON_TEXT, JSON_NUMBER, JSON_BOOL, JSON_NULL, JSON_NESTED };
/* `text`, `a number`, …, for people. */
const char *json_kind_name(enum json_kind kind);

struct json_member {
    struct slice name;
    enum json_kind kind;
    struct slice value; /* of a text, decoded; of all else as it was written */
};

/* Slices borrow from the text that was parsed and from the decoded texts in SCRATCH. */
struct json_object {
    struct json_member members[JSON_MEMBERS_MAX];
    size_t count;
    struct buf scratch;
};

/* Reads TEXT, which must outlive OBJECT. False, with WHY filled and nothing to clear, where it is no such
 * object. */
bool json_object_parse(struct json_object *object, struct slice text, struct errmsg *why);
void json_object_clear(struct json_object *object);
/* Where TEXT stops being such an object, and what is wrong there, for a message to whoever wrote it. False
 * where nothing is, or the fault has no place. */
bool json_find_fault(struct slice text, size_t *ret_at, struct errmsg *ret_what);
/* NULL where there is none of that name. */
const struct json_member *json_object_find(const struct json_object *object, const char *name);
