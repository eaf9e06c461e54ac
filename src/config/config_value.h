/* What the types of values share: dotted names for messages, texts, numbers, words of a vocabulary, objects
 * with fields, and lists of them. Each reading function tells what is wrong and then returns false, with what
 * it was to fill untouched. For the files of this layer alone. */
#pragma once

#include "config/loader.h"

#define TEXT_MAX     4096
#define TEN_YEARS_MS 315360000000.0

/* The dotted name of what is being read. */
struct key_path {
    char text[LOADER_KEY_MAX];
    size_t len;
};

void key_path_set(struct key_path *path, struct slice name);
void key_path_add(struct key_path *path, const char *separator, const char *name);
void key_path_add_index(struct key_path *path, size_t index);

/* Told with the unit that the name of its key ends in. */
#define CONFIG_WHOLE_NUMBER "a whole number"

/* NULL-terminated names: the index of NAME, or -1. */
int choice_find(const char *const *choices, const char *name);
/* Tells that TEXT is none of CHOICES, and which of them it was probably meant to be. */
void tell_wrong_choice(struct loader *loader, const char *name, const char *text, const char *const *choices);
void tell_wrong_type(struct loader *loader, const char *name, const char *expected);

/* What no text of the configuration may hold; NULL where TEXT is fine. MAY_CONTROL: control characters other
 * than NUL are fine. */
const char *text_fault(const char *text, bool may_control);
/* NULL where TEXT is an identifier (SPEC §3). */
const char *ident_fault(const char *text);
/* ITEM as text, borrowed from it, or NULL. */
const char *text_read(struct loader *loader, const char *name, const struct cJSON *item);
/* Puts a copy of TEXT where an old one may be. */
void text_replace(char **at, const char *text);

struct number_range {
    double min, max;
    bool above_min; /* min itself is not allowed */
    bool is_whole;
};
bool number_read(struct loader *loader, const char *name, const struct cJSON *item,
                 const struct number_range *range, double *ret_value);

/* Words of the core, by value from 0 to COUNT - 1. */
struct vocabulary {
    unsigned count;
    bool (*parse)(struct slice text, unsigned *ret_value);
    const char *(*name)(unsigned value); /* only those are listed to people that `parse` takes */
};
#define VOCABULARY_MAX 32 /* so that values are bits, too */
extern const struct vocabulary vocabulary_metrics, vocabulary_ops, vocabulary_severities, vocabulary_actions,
    vocabulary_rule_events, vocabulary_states, vocabulary_launch_modes;

bool word_read(struct loader *loader, const char *name, const struct cJSON *item,
               const struct vocabulary *vocabulary, unsigned *ret_value);
/* A list of different words as bits. */
bool words_read(struct loader *loader, const char *name, const struct cJSON *list,
                const struct vocabulary *vocabulary, uint32_t *ret_bits);
void words_print(struct buf *out, const struct vocabulary *vocabulary, uint32_t bits);

struct field {
    struct config_field about;
    bool (*apply)(struct loader *loader, const char *name, const struct cJSON *item, void *record);
    const struct vocabulary *words; /* what it takes, or members of its list; NULL: no names of the core */
};
struct field_table {
    const struct field *fields;
    size_t count;
};

/* Applies each field that OBJECT has to RECORD; *ret_seen gets the bits of those that were there, by index.
 * Does not look for the required ones. */
bool fields_apply(struct loader *loader, const struct key_path *path, const struct cJSON *object,
                  const struct field_table *table, void *record, uint32_t *ret_seen);
/* Tells, where fields that are required are not among the bits SEEN, which there must be; HINT is put behind.
 */
bool fields_are_complete(struct loader *loader, const char *where, const char *name,
                         const struct field_table *table, uint32_t seen, const char *hint);

/* A list of objects. */
struct list_kind {
    const char *plural;
    size_t max, size; /* of the list, and of a record */
    struct field_table table;
    void (*init)(void *record);  /* a record is all zero before; NULL: that is how it begins */
    void (*clear)(void *record); /* NULL: holds no memory */
};
/* *ret_records is NULL for an empty list, else records_free's. */
bool records_read(struct loader *loader, const char *name, const struct cJSON *list,
                  const struct list_kind *kind, void **ret_records, size_t *ret_count);
void records_free(const struct list_kind *kind, void *records, size_t count);

/* Printing. A text is quoted and escaped; a line break goes with so many spaces behind it. */
void print_text(struct buf *out, const char *text);
void print_break(struct buf *out, size_t indent);
