/* A configuration file, and behind a NUL what `--set` says, each ended by a NUL. Either there is a problem,
 * or the configuration that was made prints as one that is read back the same. */
#include "fuzz.h"

#include "config/config.h"
#include "config/json_comments.h"
#include "config/schema.h"
#include "config/url.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/utf8.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETS_MAX 8

static void on_problem(void *ctx, const char *where, const char *key, const char *what)
{
    CHECK(where && key && what && *what);
    CHECK(utf8_is_valid(slice_text(key)));
    ++*(size_t *)ctx;
}

static struct config *load(struct slice text, const char *const *sets, size_t set_count)
{
    struct config_source source = {.sets = sets, .set_count = set_count};
    struct config *config;
    size_t problems = 0;
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(write(fd, text.data, text.len) == (ssize_t)text.len);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    source.file = path;
    config = config_load(&source, on_problem, &problems);
    CHECK((config == NULL) == (problems > 0));
    CHECK(close(fd) == 0);
    return config;
}

/* Blanking leaves every newline where it was, and nothing to blank. */
static void check_comments(struct slice text)
{
    char *once = malloc(text.len + 1), *twice = malloc(text.len + 1);
    size_t bad;

    CHECK(once && twice);
    memcpy(once, text.data, text.len);
    once[text.len] = '\0';
    if (json_blank_comments(once, text.len, &bad)) {
        for (size_t i = 0; i < text.len; i++)
            CHECK((once[i] == '\n') == (text.data[i] == '\n'));
        memcpy(twice, once, text.len + 1);
        CHECK(json_blank_comments(twice, text.len, &bad));
        CHECK(memcmp(once, twice, text.len) == 0);
        json_mark_nuls(twice, text.len);
    } else {
        CHECK(bad < text.len);
    }
    free(once);
    free(twice);
}

/* Every value is in the range that the table allows. */
static void check_ranges(const struct config *config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (key->type == CONFIG_TYPE_INTEGER) {
            double value = (double)*config_integer_at(config, key);

            CHECK(value >= key->min && value <= key->max);
        } else if (key->type == CONFIG_TYPE_NUMBER) {
            CHECK(*config_number_at(config, key) >= key->min && *config_number_at(config, key) <= key->max);
        } else if (config_type_is_text(key->type)) {
            CHECK(*config_text_at(config, key));
        }
    }
}

/* Every rule that there is can be judged. */
static void check_rules(const struct config *config)
{
    const struct rule_set *set = &config->rules;

    CHECK(set->count <= RULES_MAX);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct rule *rule = &set->rules[i];

        CHECK(ident_is_valid(ident_slice(&rule->name), IDENT_MAX));
        CHECK(!rule_find_fault(rule));
        CHECK(rule->metric < RULE_METRICS && rule->op < RULE_OPS && rule->severity < SEVERITIES);
        CHECK(rule->actions < ACTION_BIT(RULE_ACTIONS) && rule->for_ms >= 0 && rule->keep_firing_ms >= 0);
        for (uint32_t j = 0; j < i; j++)
            CHECK(!slice_equal(ident_slice(&rule->name), ident_slice(&set->rules[j].name)));
    }
}

static void check_lists(const struct config *config)
{
    CHECK(config->recovery.backoff_count >= 1 && config->recovery.backoff_count <= CONFIG_BACKOFFS_MAX);
    for (uint32_t i = 0; i < config->recovery.backoff_count; i++)
        CHECK(config->recovery.backoff_ms[i] >= 0);
    for (size_t i = 0; i < config->maintenance_window_count; i++) {
        const struct maintenance_window *window = &config->maintenance_windows[i];

        CHECK(glob_is_valid(slice_text(window->instances)) && glob_is_valid(slice_text(window->brokers)));
        CHECK(window->from_min != window->until_min);
    }
    for (size_t i = 0; i < config->notify.webhook_count; i++)
        CHECK(http_url_check(config->notify.webhooks[i].url, NULL));
    for (size_t i = 0; i < CONFIG_HOOKS; i++)
        CHECK(!config->hooks[i].argv || config->hooks[i].argv[0][0] == '/');
}

static void check_printed(const struct config *config)
{
    struct buf printed = BUF_INIT, again = BUF_INIT;

    config_print(config, &printed);
    if (!strstr(buf_text(&printed), "<redacted>")) {
        struct config *second = load(buf_slice(&printed), NULL, 0);

        CHECK(second);
        config_print(second, &again);
        CHECK(slice_equal(buf_slice(&printed), buf_slice(&again)));
        CHECK(!config_find_frozen_change(config, second));
        config_free(second);
    }
    buf_clear(&printed);
    buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size), text = fuzz_take(&rest, '\0');
    char *sets[SETS_MAX];
    size_t set_count = 0;
    struct config *config;

    check_comments(slice_of((const char *)data, size));
    while (rest.len > 0 && set_count < SETS_MAX) {
        struct slice set = fuzz_take(&rest, '\0');

        sets[set_count++] = mem_copy_text(set.data, set.len);
    }
    config = load(text, (const char *const *)sets, set_count);
    if (config) {
        check_ranges(config);
        check_rules(config);
        check_lists(config);
        check_printed(config);
    }
    config_free(config);
    for (size_t i = 0; i < set_count; i++)
        free(sets[i]);
    return 0;
}
