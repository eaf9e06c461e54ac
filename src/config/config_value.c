/* Reading and printing what the types of values are made of. */
#include "config_value.h"

#include "config/json_comments.h"
#include "config/nearest.h"
#include "core/ident.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/number.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#define EXACT_LIMIT 9007199254740992.0 /* 2^53 */

void key_path_set(struct key_path *path, struct slice name)
{
    path->len = utf8_sanitize(path->text, sizeof(path->text) - 1, name);
    path->text[path->len] = '\0';
}

void key_path_add(struct key_path *path, const char *separator, const char *name)
{
    struct errmsg joined;

    errmsg_set(&joined, "%.*s%s%s", (int)path->len, path->text, path->len ? separator : "", name);
    key_path_set(path, slice_text(joined.text));
}

void key_path_add_index(struct key_path *path, size_t index)
{
    struct errmsg text;

    errmsg_set(&text, "[%zu]", index);
    key_path_add(path, "", text.text);
}

int choice_find(const char *const *choices, const char *name)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], name) == 0)
            return i;
    }
    return -1;
}

void tell_wrong_choice(struct loader *loader, const char *name, const char *text, const char *const *choices)
{
    struct buf list = BUF_INIT;
    struct nearest nearest;

    nearest_init(&nearest, slice_text(text));
    for (size_t i = 0; choices[i]; i++) {
        if (i)
            buf_add_text(&list, choices[i + 1] ? ", " : " or ");
        buf_add_text(&list, choices[i]);
        nearest_offer(&nearest, choices[i]);
    }
    if (nearest.found)
        buf_add_format(&list, "; did you mean %s?", nearest.found);
    loader_problem(loader, loader->where, name, "must be one of %s", buf_text(&list));
    buf_clear(&list);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* People write "30s": what is counted is said with it. */
static const char *unit_of(const char *name, const char *expected)
{
    if (strcmp(expected, CONFIG_WHOLE_NUMBER) != 0)
        return "";
    return ends_with(name, "_ms") ? " of milliseconds" : ends_with(name, "_s") ? " of seconds" : "";
}

void tell_wrong_type(struct loader *loader, const char *name, const char *expected)
{
    loader_problem(loader, loader->where, name, "must be %s%s", expected, unit_of(name, expected));
}

const char *text_fault(const char *text, bool may_control)
{
    if (strlen(text) > TEXT_MAX)
        return "is too long";
    if (!utf8_is_valid(slice_text(text)))
        return "is not valid UTF-8";
    if (json_text_is_marked(text))
        return "must not hold a NUL character";
    for (const char *c = text; *c && !may_control; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "must not hold a control character";
    }
    return NULL;
}

const char *ident_fault(const char *text)
{
    if (ident_is_valid(slice_text(text), IDENT_MAX))
        return NULL;
    return "must be 1 to 64 letters, digits, dots, underscores and dashes, with a letter or digit at both "
           "ends";
}

const char *text_read(struct loader *loader, const char *name, const cJSON *item)
{
    const char *fault;

    if (!cJSON_IsString(item)) {
        tell_wrong_type(loader, name, "text");
        return NULL;
    }
    fault = text_fault(item->valuestring, false);
    if (fault)
        loader_problem(loader, loader->where, name, "%s", fault);
    return fault ? NULL : item->valuestring;
}

void text_replace(char **at, const char *text)
{
    free(*at);
    *at = mem_copy_text(text, strlen(text));
}

static void tell_wrong_number(struct loader *loader, const char *name, const struct number_range *range)
{
    char least[NUMBER_TEXT_MAX], most[NUMBER_TEXT_MAX];

    (void)number_format_double(least, range->min);
    (void)number_format_double(most, range->max);
    loader_problem(loader, loader->where, name,
                   range->above_min ? "must be above %s and up to %s" : "must be from %s to %s", least, most);
}

bool number_read(struct loader *loader, const char *name, const cJSON *item, const struct number_range *range,
                 double *ret_value)
{
    double value = item->valuedouble;

    if (!cJSON_IsNumber(item)) {
        tell_wrong_type(loader, name, range->is_whole ? CONFIG_WHOLE_NUMBER : "a number");
        return false;
    }
    if (range->is_whole && isfinite(value) && fabs(value) < EXACT_LIMIT && floor(value) != value) {
        tell_wrong_type(loader, name, range->is_whole ? CONFIG_WHOLE_NUMBER : "a number");
        return false;
    }
    if (!(value >= range->min && value <= range->max) || (range->above_min && value == range->min)) {
        tell_wrong_number(loader, name, range);
        return false;
    }
    *ret_value = value + 0.0; /* no -0 */
    return true;
}

static void tell_unknown_field(struct loader *loader, const char *name, const char *text,
                               const struct field_table *table)
{
    struct nearest nearest;
    struct buf list = BUF_INIT;

    nearest_init(&nearest, slice_text(text));
    for (size_t i = 0; i < table->count; i++) {
        if (i)
            buf_add_text(&list, i + 1 < table->count ? ", " : " and ");
        buf_add_text(&list, table->fields[i].about.name);
        nearest_offer(&nearest, table->fields[i].about.name);
    }
    if (nearest.found)
        loader_problem(loader, loader->where, name, "unknown key; did you mean %s?", nearest.found);
    else
        loader_problem(loader, loader->where, name, "unknown key; there are %s", buf_text(&list));
    buf_clear(&list);
}

static size_t field_find(const struct field_table *table, const char *name)
{
    size_t i = 0;

    while (i < table->count && strcmp(table->fields[i].about.name, name) != 0)
        i++;
    return i;
}

bool fields_apply(struct loader *loader, const struct key_path *path, const cJSON *object,
                  const struct field_table *table, void *record, uint32_t *ret_seen)
{
    bool good = true;

    *ret_seen = 0;
    for (const cJSON *item = object->child; item && loader->problems < LOADER_PROBLEMS_MAX;
         item = item->next) {
        size_t i = field_find(table, item->string);
        struct key_path below = *path;

        key_path_add(&below, ".", item->string);
        if (i == table->count) {
            tell_unknown_field(loader, below.text, item->string, table);
            good = false;
        } else if (*ret_seen & (1U << i)) {
            loader_problem(loader, loader->where, below.text, "is there twice");
            good = false;
        } else {
            *ret_seen |= 1U << i;
            good &= table->fields[i].apply(loader, below.text, item, record);
        }
    }
    return good;
}

bool fields_are_complete(struct loader *loader, const char *where, const char *name,
                         const struct field_table *table, uint32_t seen, const char *hint)
{
    struct buf list = BUF_INIT;
    size_t required = 0, listed = 0;
    bool good = true;

    for (size_t i = 0; i < table->count; i++) {
        required += !table->fields[i].about.fallback;
        good &= table->fields[i].about.fallback || (seen & (1U << i));
    }
    for (size_t i = 0; i < table->count && !good; i++) {
        if (table->fields[i].about.fallback)
            continue;
        listed++;
        if (listed > 1)
            buf_add_text(&list, listed < required ? ", " : " and ");
        buf_add_text(&list, table->fields[i].about.name);
    }
    if (!good)
        loader_problem(loader, where, name, "must have %s%s", buf_text(&list), hint);
    buf_clear(&list);
    return good;
}

static bool record_read(struct loader *loader, const struct key_path *path, const cJSON *item,
                        const struct list_kind *kind, void *record)
{
    uint32_t seen = 0;
    bool good;

    if (!cJSON_IsObject(item)) {
        tell_wrong_type(loader, path->text, "an object");
        return false;
    }
    if (kind->init)
        kind->init(record);
    good = fields_apply(loader, path, item, &kind->table, record, &seen);
    return fields_are_complete(loader, loader->where, path->text, &kind->table, seen, "") && good;
}

void records_free(const struct list_kind *kind, void *records, size_t count)
{
    for (size_t i = 0; i < count && kind->clear; i++)
        kind->clear((char *)records + i * kind->size);
    free(records);
}

bool records_read(struct loader *loader, const char *name, const cJSON *list, const struct list_kind *kind,
                  void **ret_records, size_t *ret_count)
{
    size_t count = (size_t)cJSON_GetArraySize(list), index = 0;
    void *records;
    bool good = true;

    if (count > kind->max) {
        loader_problem(loader, loader->where, name, "may hold %zu %s at most", kind->max, kind->plural);
        return false;
    }
    records = count ? mem_new(count, kind->size) : NULL;
    for (const cJSON *item = list->child; item && loader->problems < LOADER_PROBLEMS_MAX;
         item = item->next, index++) {
        struct key_path path = {.len = 0};

        key_path_set(&path, slice_text(name));
        key_path_add_index(&path, index);
        good &= record_read(loader, &path, item, kind, (char *)records + index * kind->size);
    }
    if (!good || index < count) {
        records_free(kind, records, count);
        return false;
    }
    *ret_records = records;
    *ret_count = count;
    return true;
}

void print_text(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ') {
            buf_add_format(out, "\\u%04x", (unsigned char)*c);
            continue;
        }
        if (*c == '"' || *c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *c);
    }
    buf_add_char(out, '"');
}

void print_break(struct buf *out, size_t indent)
{
    buf_add_format(out, "\n%*s", (int)indent, "");
}
