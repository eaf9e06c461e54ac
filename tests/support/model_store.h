/* A sink that keeps hashes, index sets and load scores in memory, as Redis would: a tiny store for tests of
 * what the core believes to be stored. Of the watch it keeps which fields there are, not what they say. It
 * takes what concerns instances and trades; to be told of signals or totals is a crash. */
#pragma once

#include "core/ident.h"
#include "core/notice.h"
#include "core/sink.h"

#define MODEL_TEXT_MAX 128

struct model_field {
    enum record_kind kind;
    char id[IDENT_MAX + 1], name[MODEL_TEXT_MAX], value[MODEL_TEXT_MAX];
};

/* A member of a set of INDEX, or, where state is empty, of the load index. */
struct model_member {
    enum index_kind index;
    char state[MODEL_TEXT_MAX], id[IDENT_MAX + 1];
    double score;
};

/* The hashes of the watch, and the set of throttled instances. */
enum model_own_kind { MODEL_WATCH, MODEL_ALERTS, MODEL_NOTICES, MODEL_BREAKER, MODEL_THROTTLED };

struct model_own {
    enum model_own_kind kind;
    char field[NOTICE_KEY_MAX + 1];
};

struct model_store {
    struct sink sink; /* to be handed to what is tested; the struct must stay where it is */
    struct model_field *fields;
    size_t field_count, field_cap;
    struct model_member *members;
    size_t member_count, member_cap;
    struct model_own *own;
    size_t own_count, own_cap;
    size_t events, commands, notifications;
    /* An id was moved from a set that it was not in, or a hash was written with a field twice. */
    bool was_wrong;
};

void model_store_init(struct model_store *store);
void model_store_clear(struct model_store *store);

/* The value of a field, or NULL; borrowed until the next write. */
const char *model_store_get(const struct model_store *store, enum record_kind kind, const char *id,
                            const char *name);
/* Writes as others do. */
void model_store_put(struct model_store *store, enum record_kind kind, const char *id, const char *name,
                     const char *value);
void model_store_unset(struct model_store *store, enum record_kind kind, const char *id, const char *name);
void model_store_remove(struct model_store *store, enum record_kind kind, const char *id);

/* How many sets of INDEX hold ID, and whether that of STATE does. */
size_t model_store_count_sets(const struct model_store *store, enum index_kind index, const char *id);
bool model_store_is_in(const struct model_store *store, enum index_kind index, const char *state,
                       const char *id);
/* Whether there is that field (`mt5-1`, `mt5-1:HighCpuUsage`, a notice's key, a group) or member. */
bool model_store_has_own(const struct model_store *store, enum model_own_kind kind, const char *field);
/* The load score of ID, or NAN. */
double model_store_load(const struct model_store *store, const char *id);
