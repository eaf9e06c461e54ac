/* The scripts that run in Redis (src/codec/lua), as text and as the name that EVALSHA knows them by. */
#pragma once

#include "util/slice.h"

struct script {
    const unsigned char *text;
    const size_t *len;
    const char *sha1;
};

extern const struct script script_commit;   /* stores a batch */
extern const struct script script_lease;    /* takes, renews, gives up the lease */
extern const struct script script_probe;    /* which entries are still in a stream */
extern const struct script script_look;     /* all about instances at one moment */
extern const struct script script_poll;     /* sizes of streams and sets */
extern const struct script script_displace; /* moves a foreign value out of the way */
extern const struct script script_group;    /* makes streams and groups, tells positions */
extern const struct script script_range;    /* entries of a stream, whatever their size */
extern const struct script script_epoch;    /* makes the data recognisable */
extern const struct script script_clear;    /* moves what is in the way of lease and meta */
extern const struct script script_ahead;    /* lets streams of ours go on behind what was told */
extern const struct script script_remove;   /* takes entries out of a stream, ahead of all else */
extern const struct script script_settle;   /* says on which server the data is in order */
extern const struct script script_follow;   /* what a daemon that stands by has to know of the active one */

/* What stands behind EVAL (WHOLE) or EVALSHA. */
struct slice script_word(const struct script *script, bool whole);
