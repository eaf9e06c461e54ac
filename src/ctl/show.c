#include "ctl/show.h"

#include "ctl/duration.h"
#include "ctl/text.h"

void show_heading(struct ctl *ctl, const char *title)
{
    if (ctl->out.len > 0)
        buf_add_char(&ctl->out, '\n');
    terminal_add(&ctl->terminal, &ctl->out, PAINT_STRONG, slice_text(title));
    buf_add_char(&ctl->out, '\n');
}

void show_line(struct ctl *ctl, const char *name, enum paint paint, struct slice text)
{
    size_t name_len = strlen(name), at = name_len + 1 > SHOW_NAME_WIDTH ? name_len + 1 : SHOW_NAME_WIDTH;
    struct buf wrapped = BUF_INIT;

    text_add_wrapped(&wrapped, text, at, SHOW_NAME_WIDTH, ctl->terminal.width);
    buf_add_text(&ctl->out, name);
    text_add_spaces(&ctl->out, at - name_len);
    terminal_add(&ctl->terminal, &ctl->out, paint, buf_slice(&wrapped));
    buf_add_char(&ctl->out, '\n');
    buf_clear(&wrapped);
}

void show_cell(struct table *table, const cJSON *object, const char *name)
{
    struct buf text = BUF_INIT;

    json_add_plain(&text, json_get(object, name));
    table_add(table, paint_of(buf_slice(&text)), buf_slice(&text));
    buf_clear(&text);
}

void show_number_cell(struct table *table, const cJSON *object, const char *name)
{
    struct buf text = BUF_INIT;

    json_add_plain(&text, json_get(object, name));
    table_add(table, PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

void show_age_cell(const struct ctl *ctl, struct table *table, const cJSON *object, const char *name)
{
    struct buf text = BUF_INIT;
    int64_t at_ms;

    if (json_time(object, name, &at_ms))
        duration_add_relative(&text, at_ms, client_now_ms(&ctl->client));
    table_add(table, PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

void show_ms_cell(struct table *table, const cJSON *object, const char *name)
{
    struct buf text = BUF_INIT;
    double ms;

    if (json_number(object, name, &ms) && ms >= 0 && ms < 1e15)
        duration_add(&text, (int64_t)ms);
    table_add(table, PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

void show_maintenance(const struct ctl *ctl, struct buf *out, const cJSON *maintenance)
{
    int64_t until_ms, now_ms = client_now_ms(&ctl->client);
    struct slice reason = json_text(maintenance, "reason");

    if (json_time(maintenance, "until", &until_ms)) {
        buf_add_text(out, "until ");
        time_add_clock(out, until_ms, now_ms, true);
        buf_add_text(out, " (");
        duration_add_relative(out, until_ms, now_ms);
        buf_add_char(out, ')');
    } else {
        buf_add_text(out, "until it is ended");
    }
    if (reason.len > 0) {
        buf_add_text(out, ": ");
        buf_add_slice(out, reason);
    }
}
