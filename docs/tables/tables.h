/* The tables of docs/CONFIGURATION.md and docs/METRICS.md, made from those in the code. Each function appends
 * Markdown. */
#pragma once

#include "util/buf.h"
#include "util/slice.h"
#include <stdbool.h>

/* The document in which a table is, and the word with which the marks of its kind begin. */
struct marks {
    struct slice document;
    const char *kind;
};
/* True where a table of that kind begins with NAME. */
bool marks_have(const struct marks *marks, const char *name);

/* What stands between a mark and its end: `WHAT FIRST`. False where there is no such table, or nothing of
 * that name. A table of many ends before the next one with which another begins. */
typedef bool table_fn(struct buf *out, struct slice first, const struct marks *marks);

/* Keys from the key FIRST on. */
table_fn keys_add;
/* The fields of the objects of the key FIRST. */
table_fn fields_add;
/* The names that the key FIRST takes for its members. */
table_fn members_add;
/* The rules that everybody starts with. */
table_fn rules_add;
/* Families from the family FIRST on. */
table_fn families_add;

/* A cell of a table, with what Markdown or HTML would take for markup made harmless. */
void cell_add(struct buf *out, struct slice text);
/* The same set as code. */
void cell_add_code(struct buf *out, struct slice text);
