/* What hook_calls.c and hook_resume.c share. */
#pragma once

#include "adapters/hook.h"
#include "app/hook_calls.h"
#include "config/config.h"
#include "core/ident.h"
#include "util/buf.h"

#define HOOK_FIELDS_MAX 16

struct hook_field {
    const char *name; /* static */
    size_t offset, len;
};

/* What a hook is about, until it has ended. */
struct hook_call {
    TAILQ_ENTRY(hook_call) link;
    struct hook_calls *calls; /* NULL once nobody waits for it any more */
    enum config_hook_kind kind;
    uint64_t change;
    struct ident instance_id;
    char key[IDENT_COMMAND_MAX + 1]; /* command_id, or the key of a notice */
    struct hook_field fields[HOOK_FIELDS_MAX];
    size_t field_count;
    struct buf text;
    struct hook_call *next; /* a later change of the same alert, not begun yet */
    int64_t expires_ms;     /* of a cancel, on Redis' clock */
    bool is_over;           /* it was found to be too late for it */
    bool has_ended;
    enum hook_outcome outcome;
};

/* A call about KEY, still without fields. */
struct hook_call *hook_call_new(enum config_hook_kind kind, struct slice key);
/* NAME is static text. Fields that do not apply are empty, and left out. */
void hook_call_add(struct hook_call *call, const char *name, struct slice value);
bool hook_calls_has(const struct hook_calls *calls, enum config_hook_kind kind);
/* Executes it; owned by CALLS from now on. */
void hook_call_begin(struct hook_calls *calls, struct hook_call *call);
