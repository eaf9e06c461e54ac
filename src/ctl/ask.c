/* Asking the daemon, and saying what it refuses. */
#include "ctl/command.h"

#define PAGES_MAX  100000
#define PAGE_ITEMS 1000 /* as many as the daemon gives at once */

static bool is_json(const struct response *response)
{
    return strcmp(response->content_type, "application/json") == 0;
}

/* A detail may have lines: one for each key of a configuration that is wrong. */
static void complain_lines(int status, struct slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;

        if (len > 0)
            ctl_complain("%.*s (%d)", (int)(len < 3000 ? len : 3000), text.data, status);
        len += end != NULL;
        text = slice_of(text.data + len, text.len - len);
    }
}

int ctl_refused(const struct ctl *ctl, const struct response *response)
{
    struct errmsg why;
    cJSON *problem = json_read(buf_slice(&response->body), &why);
    struct slice detail = json_text(problem, "detail");

    if (detail.len == 0)
        detail = json_text(problem, "title");
    if (detail.len > 0)
        complain_lines(response->status, detail);
    else
        ctl_complain("the answer is %d, and does not say why", response->status);
    if (response->status == 401 && !ctl->client.token)
        ctl_complain(
            "no token was given: --token-file FILE or MT5STATED_TOKEN_FILE names the file that holds it");
    cJSON_Delete(problem);
    return CTL_REFUSED;
}

int ctl_ask(struct ctl *ctl, const char *method, const char *path, struct slice body,
            struct response *ret_response)
{
    struct errmsg why;

    if (!client_ask(&ctl->client, method, path, body, ret_response, &why)) {
        ctl_complain("%s", why.text);
        return CTL_AWAY;
    }
    if (ret_response->status >= 200 && ret_response->status < 300)
        return CTL_DONE;
    (void)ctl_refused(ctl, ret_response);
    response_clear(ret_response);
    return CTL_REFUSED;
}

/* Somebody else's server may listen where the daemon is looked for. */
static int complain_of_stranger(const struct ctl *ctl)
{
    ctl_complain("what answers at %s is not mt5stated", ctl->client.shown);
    return CTL_AWAY;
}

/* As ctl_ask, for an answer that is JSON. */
static int ask_json(struct ctl *ctl, const char *path, struct response *ret_response, cJSON **ret_root)
{
    struct errmsg why;
    int code = ctl_ask(ctl, "GET", path, slice_of("", 0), ret_response);

    if (code != CTL_DONE)
        return code;
    *ret_root = is_json(ret_response) ? json_read(buf_slice(&ret_response->body), &why) : NULL;
    if (*ret_root)
        return CTL_DONE;
    response_clear(ret_response);
    return complain_of_stranger(ctl);
}

int ctl_get(struct ctl *ctl, const char *path, cJSON **ret_root)
{
    struct response response;
    cJSON *root;
    int code = ask_json(ctl, path, &response, &root);

    if (code != CTL_DONE)
        return code;
    *ret_root = root;
    if (ctl->options.json) {
        ctl_add_json(ctl, buf_slice(&response.body));
        cJSON_Delete(root);
        *ret_root = NULL;
    }
    response_clear(&response);
    return CTL_DONE;
}

cJSON *ctl_look(struct ctl *ctl, const char *path)
{
    struct response response;
    struct errmsg why;
    cJSON *root;

    if (!client_ask(&ctl->client, "GET", path, slice_of("", 0), &response, &why))
        return NULL;
    root = response.status == 200 && is_json(&response) ? json_read(buf_slice(&response.body), &why) : NULL;
    response_clear(&response);
    return root;
}

/* ---- lists ---- */

struct pages {
    const struct list_query *query;
    cJSON *items;
    struct buf next;   /* of the last page; empty: there is no more */
    struct buf single; /* the first page as it came */
    struct buf merged; /* the content of all arrays */
    size_t count;
};

static void make_path(const struct pages *pages, struct buf *out)
{
    const struct list_query *query = pages->query;
    size_t left = query->max ? query->max - (size_t)cJSON_GetArraySize(pages->items) : PAGE_ITEMS;

    buf_reset(out, SIZE_MAX);
    buf_add_format(out, "%s%climit=%zu", query->path, strchr(query->path, '?') ? '&' : '?',
                   left < PAGE_ITEMS ? left : PAGE_ITEMS);
    if (pages->next.len > 0) {
        buf_add_format(out, "&%s=", query->page_arg);
        client_add_escaped(out, buf_slice(&pages->next));
    }
}

/* The inside of the array LIST, with the comma in front that it needs. */
static void merge(struct pages *pages, struct slice list)
{
    struct slice inside = slice_of(list.data + 1, list.len - 2);

    if (inside.len == 0)
        return;
    if (pages->merged.len > 0)
        buf_add_char(&pages->merged, ',');
    buf_add_slice(&pages->merged, inside);
}

static bool take_page(struct pages *pages, cJSON *root, struct slice json)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(root, pages->query->name), *item;
    struct slice raw, next = json_text(root, "next");
    bool is_stuck = next.len > 0 && slice_equal(next, buf_slice(&pages->next));

    if (!cJSON_IsArray(list) || !json_find_raw(json, pages->query->name, &raw) || raw.len < 2 || is_stuck)
        return false;
    merge(pages, raw);
    if (pages->count++ == 0)
        buf_add_slice(&pages->single, json);
    while ((item = cJSON_DetachItemFromArray(list, 0)))
        cJSON_AddItemToArray(pages->items, item);
    buf_reset(&pages->next, SIZE_MAX);
    buf_add_slice(&pages->next, next);
    return true;
}

static int get_page(struct ctl *ctl, struct pages *pages, const char *path)
{
    struct response response;
    cJSON *root;
    int code = ask_json(ctl, path, &response, &root);

    if (code != CTL_DONE)
        return code;
    if (!take_page(pages, root, buf_slice(&response.body)))
        code = complain_of_stranger(ctl);
    cJSON_Delete(root);
    response_clear(&response);
    return code;
}

static bool is_complete(const struct pages *pages)
{
    size_t max = pages->query->max;

    return pages->next.len == 0 || pages->count >= PAGES_MAX ||
           (max > 0 && (size_t)cJSON_GetArraySize(pages->items) >= max);
}

static void add_merged(struct ctl *ctl, const struct pages *pages)
{
    if (pages->count == 1) {
        ctl_add_json(ctl, buf_slice(&pages->single));
        return;
    }
    buf_add_format(&ctl->out, "{\"%s\":[", pages->query->name);
    ctl_add_json(ctl, buf_slice(&pages->merged));
    buf_add_text(&ctl->out, "]}\n");
}

int ctl_get_list(struct ctl *ctl, const struct list_query *query, cJSON **ret_items)
{
    struct pages pages = {.query = query, .items = cJSON_CreateArray()};
    struct buf path = BUF_INIT;
    int code;

    do {
        make_path(&pages, &path);
        code = get_page(ctl, &pages, buf_text(&path));
    } while (code == CTL_DONE && !is_complete(&pages));
    if (code == CTL_DONE && ctl->options.json)
        add_merged(ctl, &pages);
    *ret_items = code == CTL_DONE && !ctl->options.json ? pages.items : NULL;
    if (!*ret_items)
        cJSON_Delete(pages.items);
    buf_clear(&path);
    buf_clear(&pages.next);
    buf_clear(&pages.single);
    buf_clear(&pages.merged);
    return code;
}

void ctl_instance_path(const struct ctl *ctl, struct buf *out, const char *tail)
{
    buf_add_text(out, "/api/v1/instances/");
    client_add_escaped(out, slice_text(ctl->options.words[0]));
    buf_add_text(out, tail);
}
