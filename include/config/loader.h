/* How a configuration is put together, for the files of this layer alone: the values that came from the
 * defaults, the file and the command line, where each came from, and the problems found so far. */
#pragma once

#include "config/config.h"
#include "config/schema.h"
#include "util/macros.h"

struct buf;
struct cJSON;

#define LOADER_DEFAULTS     "built-in defaults" /* the source of what nobody set */
#define LOADER_KEY_MAX      160                 /* dotted names in messages are cut to this */
#define LOADER_PROBLEMS_MAX 100                 /* then reading stops: such a file is of another kind */

enum threshold_kind { THRESHOLD_NUMBER, THRESHOLD_STATE, THRESHOLD_MAX_ATTEMPTS };

/* A rule as far as it has been read. */
struct rule_draft {
    struct rule rule;
    enum threshold_kind threshold;
    uint32_t seen;      /* bits of the fields that somebody set; all of them for a default */
    bool is_bad;        /* a problem of it was told already */
    const char *origin; /* the last source that said something of it */
};

struct loader {
    struct config *config;
    const char *where;        /* the source being read */
    const char **origin;      /* by key: the source its value came from */
    bool *seen;               /* by key: already met in this source */
    bool *bad;                /* by key: a value of it was told as wrong, and left out */
    struct rule_draft *rules; /* RULES_MAX */
    uint32_t rule_count;
    const char *hook_origin[CONFIG_HOOKS];
    struct cJSON *layers[LAYERS]; /* what was said of each so far; NULL: nothing */
    const char *layer_origin[LAYERS];
    size_t problems;
    config_problem_fn on_problem;
    void *ctx;
};

/* Tells one problem, counted in loader->problems. KEY is made fit for a terminal. */
void loader_problem(struct loader *loader, const char *where, const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* With an empty configuration, to be taken out or freed with it. */
void loader_init(struct loader *loader, config_problem_fn on_problem, void *ctx);
void loader_clear(struct loader *loader);
/* Defaults, then the file, then each `--set`. */
void loader_read(struct loader *loader, const struct config_source *source);
/* Makes the configurations of the layers of which something was said. */
void loader_make_layers(struct loader *loader, const struct config_source *source);
/* Two values of KEY are not the same, as far as is seen without looking into files. */
bool config_value_differs(const struct config *a, const struct config *b, const struct config_key *key);

/* Where the value of KEY came from. */
const char *loader_origin(const struct loader *loader, const char *key);

/* A value of KEY was told as wrong and left out: that it is not there needs no further word. */
bool loader_left_out(const struct loader *loader, const char *key);

/* Puts every default of the table into the configuration. */
void loader_apply_defaults(struct loader *loader);
/* Applies the object at the top of a file. */
void loader_apply_file(struct loader *loader, const struct cJSON *root);
/* Applies one `--set`: ITEM is the value as JSON, or NULL where RAW is none. */
void loader_apply_set(struct loader *loader, struct slice name, const struct cJSON *item, const char *raw);

/* Reads all of the file PATH, at most MAX bytes, into *out with a NUL behind it. 0, -EFBIG where it is
 * longer, or -errno. */
int loader_read_file(const char *path, size_t max, struct buf *out);

/* Frees what was read, and leaves no copy of it. */
void loader_wipe(struct buf *content);

/* Completes what is derived from the values, and checks what one value alone does not show: files, names that
 * must differ. */
void loader_check(struct loader *loader);
