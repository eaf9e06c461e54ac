/* What the scripts of src/codec/lua do, on the store of the simulation. The batch is taken as it was rendered
 * for the wire, so that the rendering is part of what is tested. */
#pragma once

#include "codec/keys.h"
#include "store.h"
#include <stddef.h>

enum commit_word {
    COMMIT_OK,
    COMMIT_AGAIN,
    COMMIT_FENCED,
    COMMIT_BEHIND,
    COMMIT_TYPES,
    COMMIT_CHANGED,   /* the answer of a transaction: what it watches has changed */
    COMMIT_MALFORMED, /* what was rendered is no such command: a bug */
};

#define COMMIT_BAD_MAX 16

struct commit_answer {
    enum commit_word word;
    uint64_t bad[COMMIT_BAD_MAX]; /* numbers of keys of a wrong type */
    const char *bad_type[COMMIT_BAD_MAX];
    size_t bad_count;
    size_t failed_count; /* operations that were refused one by one */
    char failed[160];    /* the first of them */
};

void script_run_commit(struct store *store, struct slice rendered, struct commit_answer *ret);

#define SCRIPT_TEXT_MAX 64

/* What batch_render_look finds. */
struct look_answer {
    char holder[SCRIPT_TEXT_MAX], epoch[SCRIPT_TEXT_MAX];
    bool has_applied;
    uint64_t applied;
    const char **types; /* of each key; to be freed */
    size_t type_count;
};

/* What a connection watches. All 0 at first. */
struct key_watch {
    struct watched_key {
        char *name;
        struct store_key seen; /* what it was; no entries */
    } * keys;
    size_t count;
};

void key_watch_clear(struct key_watch *watch);
bool key_watch_is_unchanged(const struct key_watch *watch, const struct store *store);

/* False where what was rendered is no look. */
bool script_run_look(struct store *store, struct slice rendered, struct key_watch *watch,
                     struct look_answer *ret);
/* What batch_render_transaction does where nothing has changed. */
void script_run_transaction(struct store *store, struct slice rendered, struct commit_answer *ret);

struct lease_answer {
    bool ours, has_changed, has_applied;
    char holder[SCRIPT_TEXT_MAX], epoch[SCRIPT_TEXT_MAX];
    uint64_t applied, beat;
    int64_t server_ms;
};

/* LEASE_MS 0 gives the lease up; DEAD is a holder who is known to be dead, or empty. */
void script_run_lease(struct store *store, const char *token, int64_t lease_ms, const char *dead,
                      struct lease_answer *ret);
