/* Looking at instances as Redis holds them, all of each at one moment (look.lua): for loading and for
 * reconciling. */
#pragma once

#include "core/fleet.h"
#include <stdbool.h>

struct buf;
struct redisReply;

struct looked {
    struct slice id;
    struct instance_record record;
    bool wrong_type[3];           /* by enum record_kind: something else than a hash */
    bool member[INSTANCE_STATES]; /* of which sets */
    bool has_score;
    double score;
    uint64_t seq;
    char scratch[REPORT_TEXT_MAX];
};

/* The command that looks at COUNT ids. */
void look_render(const struct ident *ids, size_t count, struct buf *out);
/* The instance at place I of an answer; borrows from it and lies in RET. False where it is malformed. */
bool look_parse(const struct redisReply *reply, size_t i, struct looked *ret);

/* The one set that names it, STATE_NONE for none or several. */
enum instance_state looked_index_state(const struct looked *looked);
