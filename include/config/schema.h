/* The one table of configuration keys (SPEC §2): name, type, default, range, whether a reload may change it,
 * and where the value goes in struct config. Loading, printing, comparing and the documentation all read it;
 * a new key is one row, and a new type one row of the table in src/config/config_types.c. */
#pragma once

#include "config/config.h"
#include "util/slice.h"

struct buf;

enum config_type {
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_PATH,   /* text: a file that must be readable, or empty */
    CONFIG_TYPE_URL,    /* text: config/url.h, with credentials that are never shown */
    CONFIG_TYPE_LISTEN, /* text: config/url.h */
    CONFIG_TYPE_STREAM, /* text: 1 to 256 printable ASCII characters without spaces */
    CONFIG_TYPE_ID,     /* text: an identifier of SPEC §3 */
    CONFIG_TYPE_INTEGER,
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_ENUM,
    CONFIG_TYPE_BACKOFF,      /* list of integers */
    CONFIG_TYPE_LAUNCH_MODES, /* list of names */
    CONFIG_TYPE_SENTINELS,    /* list of text: config/url.h */
    CONFIG_TYPE_LAYERS,       /* object by enum layer: keys of redis */
    CONFIG_TYPE_RULES,        /* object by name */
    CONFIG_TYPE_WINDOWS,      /* list of {"name","instances","brokers","weekly"} */
    CONFIG_TYPE_WEBHOOKS,     /* list of {"url","timeout_ms"} */
    CONFIG_TYPE_HOOKS,        /* object by enum config_hook_kind: lists of text */
    CONFIG_TYPE_TOKENS,       /* list of {"name","role","file"} */
};

struct config_key {
    const char *name; /* dotted */
    enum config_type type;
    bool reloadable; /* R in SPEC §2 */
    bool secret;     /* may hold credentials, which are printed as <redacted> */
    size_t offset;   /* of a char *, int64_t, double, bool or int in struct config; unused for the others */
    const char *text_default;   /* of the text types; an enum's is a name of choices */
    double number_default;      /* of integer, number and bool */
    double min, max;            /* of integer, number and backoff, both allowed */
    bool above_min;             /* min is not */
    const char *const *choices; /* of an enum: its names by value, NULL behind the last */
    const char *meaning;        /* one line for the documentation */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* What a value of this type is called in an error message and in the documentation. */
const char *config_type_name(enum config_type type);

/* A field of the objects that the value of a key holds, for the documentation. */
struct config_field {
    const char *name;
    const char *value;    /* what it takes, as config_type_name says it */
    const char *fallback; /* where it is not there; NULL: it must be */
    const char *meaning;  /* one line */
};
/* NULL where KEY has no objects with fields, and behind the last. */
const struct config_field *config_field_at(const struct config_key *key, size_t index);
/* Appends the names that the field takes, each in quotes, with ", " between; nothing where it takes no names.
 */
void config_field_add_words(const struct config_key *key, size_t index, struct buf *out);
/* Appends the default of KEY as --print-config prints it. */
void config_print_default(const struct config_key *key, struct buf *out);

/* The key of that exact name, or NULL. */
const struct config_key *config_key_find(struct slice name);
/* The key that NAME is below of: `rules` for `rules.X.for_ms`; or NULL. */
const struct config_key *config_key_above(struct slice name);
/* The key that NAME was probably meant to be, or NULL where none is close. */
const struct config_key *config_key_nearest(struct slice name);
/* True where NAME holds keys below it: `redis`. */
bool config_section_exists(struct slice name);

/* The names of enum config_role, NULL behind the last. */
extern const char *const config_role_names[];

/* Where the value of KEY is. A pointer of the wrong type would be a mistake in the table; its unit test looks
 * at each. */
static inline char **config_text_at(const struct config *config, const struct config_key *key)
{
    return (char **)(void *)((char *)(uintptr_t)config + key->offset);
}

static inline int64_t *config_integer_at(const struct config *config, const struct config_key *key)
{
    return (int64_t *)(void *)((char *)(uintptr_t)config + key->offset);
}

static inline double *config_number_at(const struct config *config, const struct config_key *key)
{
    return (double *)(void *)((char *)(uintptr_t)config + key->offset);
}

static inline bool *config_bool_at(const struct config *config, const struct config_key *key)
{
    return (bool *)(void *)((char *)(uintptr_t)config + key->offset);
}

static inline int *config_enum_at(const struct config *config, const struct config_key *key)
{
    return (int *)(void *)((char *)(uintptr_t)config + key->offset);
}

/* True where the value is held as text. */
static inline bool config_type_is_text(enum config_type type)
{
    return type <= CONFIG_TYPE_ID;
}
