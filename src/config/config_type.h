/* The one table of types: how a value is read, checked, printed and let go. A new type is one row here and
 * one in enum config_type. Two values are the same where they print the same (texts: where they are the same
 * text), so there is nothing to say about that. For the files of this layer alone. */
#pragma once

#include "config/loader.h"
#include <cjson/cJSON.h>

#define CONFIG_BACKOFF_EXPECTED "a list of 1 to 16 whole numbers of milliseconds, such as [0, 5000, 15000]"

struct field_table;

struct config_type_row {
    const char *name;     /* in the documentation */
    const char *expected; /* `must be …` */
    cJSON_bool (*accepts)(const cJSON *item);
    /* Into a configuration that is all zero. NULL: zero is the default. */
    void (*set_default)(struct loader *loader, const struct config_key *key);
    /* ITEM is one that `accepts` takes. False, with the problem told, where it is wrong. */
    bool (*apply)(struct loader *loader, const struct config_key *key, const cJSON *item);
    /* After all sources were read, what one of them alone does not show. NULL: nothing. */
    void (*check)(struct loader *loader, const struct config_key *key);
    /* INDENT is that of the line on which the value begins. */
    void (*print)(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
    /* NULL: holds no memory. */
    void (*clear)(struct config *config, const struct config_key *key);
    /* For `--set KEY.BELOW=…` where the value is an object: how many bytes of BELOW are the name of the
     * member; what follows behind a dot is a field of that. NULL: nothing is below. */
    size_t (*member_len)(struct slice below, const cJSON *item);
    const struct field_table *fields; /* of its objects; NULL: it has none */
};

/* By enum config_type. */
extern const struct config_type_row config_types[];

/* The functions of the rows, by the file that has them. Hooks, rules, tokens, webhooks and windows know where
 * they are in struct config. */

/* config_scalar.c */
void text_set_default(struct loader *loader, const struct config_key *key);
bool text_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void text_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void text_clear(struct config *config, const struct config_key *key);
void path_check(struct loader *loader, const struct config_key *key);
void number_set_default(struct loader *loader, const struct config_key *key);
bool number_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void number_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void bool_set_default(struct loader *loader, const struct config_key *key);
bool bool_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void bool_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void enum_set_default(struct loader *loader, const struct config_key *key);
bool enum_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void enum_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);

/* config_lists.c */
void backoff_set_default(struct loader *loader, const struct config_key *key);
bool backoff_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void backoff_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void launch_modes_set_default(struct loader *loader, const struct config_key *key);
bool launch_modes_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void launch_modes_print(struct buf *out, const struct config *config, const struct config_key *key,
                        size_t indent);

/* config_sentinels.c */
bool sentinels_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void sentinels_check(struct loader *loader, const struct config_key *key);
void sentinels_print(struct buf *out, const struct config *config, const struct config_key *key,
                     size_t indent);
void sentinels_clear(struct config *config, const struct config_key *key);

bool config_same_sentinels(const struct config *a, const struct config *b);

/* config_layers.c */
bool layers_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void layers_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void layers_clear(struct config *config, const struct config_key *key);
size_t layers_member_len(struct slice below, const cJSON *item);
bool layers_have_frozen_change(const struct config *old_config, const struct config *new_config);

/* config_tokens.c */
extern const struct field_table token_table;
bool tokens_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void tokens_check(struct loader *loader, const struct config_key *key);
void tokens_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void tokens_clear(struct config *config, const struct config_key *key);

/* config_rules.c, config_rules_print.c */
extern const struct field_table rule_table;
void rules_set_default(struct loader *loader, const struct config_key *key);
bool rules_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void rules_check(struct loader *loader, const struct config_key *key);
void rules_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
size_t rules_member_len(struct slice below, const cJSON *item);

/* config_windows.c */
extern const struct field_table window_table;
bool windows_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void windows_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void windows_clear(struct config *config, const struct config_key *key);

/* config_webhooks.c */
extern const struct field_table webhook_table;
bool webhooks_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void webhooks_print(struct buf *out, const struct config *config, const struct config_key *key,
                    size_t indent);
void webhook_list_clear(struct config *config, const struct config_key *key);

/* config_hooks.c */
bool hooks_apply(struct loader *loader, const struct config_key *key, const cJSON *item);
void hooks_check(struct loader *loader, const struct config_key *key);
void hooks_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent);
void hooks_clear(struct config *config, const struct config_key *key);
size_t hooks_member_len(struct slice below, const cJSON *item);
