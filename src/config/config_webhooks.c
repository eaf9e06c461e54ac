/* notify.webhooks: where notifications are POSTed. */
#include "config_type.h"
#include "config_value.h"

#include "config/url.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include <stdlib.h>

#define WEBHOOKS_MAX       8
#define DEFAULT_TIMEOUT_MS 5000
#define TEXT_OF(number)    #number
#define DEFAULT_TEXT(name) TEXT_OF(name)

static bool url_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct config_webhook *webhook = record;
    const char *text = text_read(loader, name, item);
    struct errmsg why;

    if (!text)
        return false;
    if (!http_url_check(text, &why)) {
        loader_problem(loader, loader->where, name, "%s", why.text);
        return false;
    }
    text_replace(&webhook->url, text);
    return true;
}

static bool timeout_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    static const struct number_range range = {.min = 1, .max = TEN_YEARS_MS, .is_whole = true};
    struct config_webhook *webhook = record;
    double value;

    if (!number_read(loader, name, item, &range, &value))
        return false;
    webhook->timeout_ms = (int64_t)value;
    return true;
}

static void webhook_init(void *record)
{
    struct config_webhook *webhook = record;

    webhook->timeout_ms = DEFAULT_TIMEOUT_MS;
}

static void webhook_clear(void *record)
{
    struct config_webhook *webhook = record;

    if (webhook->url)
        explicit_bzero(webhook->url, strlen(webhook->url));
    free(webhook->url);
}

static const struct field webhook_fields[] = {
    {{"url", "URL", NULL,
      "http:// or https://, path and all; a user and password in it are sent as basic authentication"},
     url_apply,
     NULL},
    {{"timeout_ms", "integer", DEFAULT_TEXT(DEFAULT_TIMEOUT_MS), "how long a POST may take; from 1"},
     timeout_apply,
     NULL},
};
const struct field_table webhook_table = {webhook_fields, ARRAY_LEN(webhook_fields)};

static const struct list_kind webhook_kind = {
    .plural = "webhooks",
    .max = WEBHOOKS_MAX,
    .size = sizeof(struct config_webhook),
    .table = {webhook_fields, ARRAY_LEN(webhook_fields)},
    .init = webhook_init,
    .clear = webhook_clear,
};

bool webhooks_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    struct config *config = loader->config;
    void *webhooks;
    size_t count;

    if (!records_read(loader, key->name, list, &webhook_kind, &webhooks, &count))
        return false;
    webhook_list_clear(config, key);
    config->notify.webhooks = webhooks;
    config->notify.webhook_count = count;
    return true;
}

void webhooks_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < config->notify.webhook_count; i++) {
        const struct config_webhook *webhook = &config->notify.webhooks[i];
        struct buf shown = BUF_INIT;

        if (i)
            buf_add_char(out, ',');
        print_break(out, indent + 2);
        buf_add_text(out, "{\"url\": ");
        url_redact(webhook->url, &shown);
        print_text(out, buf_text(&shown));
        buf_clear(&shown);
        buf_add_text(out, ", \"timeout_ms\": ");
        buf_add_i64(out, webhook->timeout_ms);
        buf_add_char(out, '}');
    }
    if (config->notify.webhook_count)
        print_break(out, indent);
    buf_add_char(out, ']');
}

void webhook_list_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    records_free(&webhook_kind, config->notify.webhooks, config->notify.webhook_count);
}
