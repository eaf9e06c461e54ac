/* What changes something: commands, maintenance, remove, reload. */
#include "codec/json_text.h"
#include "ctl/duration.h"
#include "ctl/show.h"
#include "ctl/text.h"

static void add_member(struct buf *body, const char *name, struct slice text)
{
    buf_add_text(body, body->len > 1 ? "," : "");
    json_add_string(body, slice_text(name));
    buf_add_char(body, ':');
    json_add_string(body, text);
}

/* Asks, and gives the answer's JSON: NULL where there is none, or where it was added to OUT as it is. */
static int change(struct ctl *ctl, const char *method, const char *path, struct slice body, cJSON **ret_root)
{
    struct response response;
    struct errmsg why;
    int code = ctl_ask(ctl, method, path, body, &response);

    *ret_root = NULL;
    if (code != CTL_DONE)
        return code;
    if (ctl->options.json) /* a 204 has no body, and whoever reads JSON gets some all the same */
        ctl_add_json(ctl, response.body.len > 0 ? buf_slice(&response.body) : slice_text("{}\n"));
    else
        *ret_root = json_read(buf_slice(&response.body), &why);
    response_clear(&response);
    return code;
}

/* Asks for TAIL of the instance of the command line. */
static int change_instance(struct ctl *ctl, const char *method, const char *tail, struct buf *body,
                           cJSON **ret_root)
{
    struct buf path = BUF_INIT;
    int code;

    ctl_instance_path(ctl, &path, tail);
    if (ctl->options.reason)
        add_member(body, "reason", slice_text(ctl->options.reason));
    buf_add_char(body, '}');
    code = change(ctl, method, buf_text(&path), body->len > 2 ? buf_slice(body) : slice_of("", 0), ret_root);
    buf_clear(&path);
    buf_clear(body);
    return code;
}

int cmd_command(struct ctl *ctl)
{
    const char *name = ctl->options.command->name;
    struct buf body = BUF_INIT;
    cJSON *answer;
    int code;

    buf_add_char(&body, '{');
    add_member(&body, "command", slice_text(name));
    code = change_instance(ctl, "POST", "/commands", &body, &answer);
    if (code == CTL_DONE && !ctl->options.json) {
        buf_add_format(&ctl->out, "%s asked to %s: ", ctl->options.words[0], name);
        text_add_shown(&ctl->out, json_text(answer, "command_id"));
        buf_add_char(&ctl->out, '\n');
    }
    cJSON_Delete(answer);
    return code;
}

static void show_begun(struct ctl *ctl, const cJSON *answer)
{
    struct buf text = BUF_INIT;

    show_maintenance(ctl, &text, json_get(answer, "maintenance"));
    buf_add_format(&ctl->out, "%s is in maintenance ", ctl->options.words[0]);
    text_add_shown(&ctl->out, buf_slice(&text));
    buf_add_char(&ctl->out, '\n');
    buf_clear(&text);
}

/* A window of the configuration may go on where an operator's maintenance ends; what the instance is in now
 * can be nothing else. */
static void show_ended(struct ctl *ctl)
{
    struct buf path = BUF_INIT;
    struct slice name;
    cJSON *instance;
    const cJSON *maintenance;
    int64_t until_ms;

    buf_add_format(&ctl->out, "maintenance of %s is ended", ctl->options.words[0]);
    ctl_instance_path(ctl, &path, "");
    instance = ctl_look(ctl, buf_text(&path));
    buf_clear(&path);
    maintenance = json_get(instance, "maintenance");
    name = json_text(maintenance, "reason");
    if (json_time(maintenance, "until", &until_ms)) {
        buf_add_text(&ctl->out, "; window ");
        text_add_shown(&ctl->out, name);
        buf_add_text(&ctl->out, " keeps it in maintenance until ");
        time_add_clock(&ctl->out, until_ms, client_now_ms(&ctl->client), true);
    }
    buf_add_char(&ctl->out, '\n');
    cJSON_Delete(instance);
}

int cmd_maintenance(struct ctl *ctl)
{
    bool is_on = strcmp(ctl->options.words[1], "on") == 0;
    struct buf body = BUF_INIT;
    cJSON *answer;
    int code;

    buf_add_char(&body, '{');
    if (ctl->options.duration_ms > 0)
        buf_add_format(&body, "\"seconds\":%lld.%03lld", (long long)(ctl->options.duration_ms / 1000),
                       (long long)(ctl->options.duration_ms % 1000));
    code = change_instance(ctl, is_on ? "PUT" : "DELETE", "/maintenance", &body, &answer);
    if (code == CTL_DONE && !ctl->options.json && is_on)
        show_begun(ctl, answer);
    else if (code == CTL_DONE && !ctl->options.json)
        show_ended(ctl);
    cJSON_Delete(answer);
    return code;
}

int cmd_remove(struct ctl *ctl)
{
    struct buf body = BUF_INIT;
    cJSON *answer;
    int code;

    buf_add_char(&body, '{');
    code = change_instance(ctl, "DELETE", "", &body, &answer);
    if (code == CTL_DONE && !ctl->options.json)
        buf_add_format(&ctl->out, "%s is removed\n", ctl->options.words[0]);
    cJSON_Delete(answer);
    return code;
}

int cmd_reload(struct ctl *ctl)
{
    cJSON *answer;
    int code = change(ctl, "POST", "/-/reload", slice_of("", 0), &answer);

    if (code == CTL_DONE && !ctl->options.json)
        buf_add_text(&ctl->out, "the configuration is read again\n");
    cJSON_Delete(answer);
    return code;
}
