/* What mt5statectl reads from whoever answers: an event stream in pieces, JSON, and text that is to be shown.
 * Pieces of any size give the same events; what is shown holds no control, and is as wide as it says. */
#include "fuzz.h"

#include "ctl/duration.h"
#include "ctl/json.h"
#include "ctl/sse.h"
#include "ctl/text.h"
#include "util/utf8.h"

static bool on_event(void *ctx, const struct sse_event *event)
{
    struct buf *heard = ctx;

    buf_add_slice(heard, event->name);
    buf_add_char(heard, '\0');
    buf_add_slice(heard, event->data);
    buf_add_char(heard, '\0');
    buf_add_slice(heard, event->id);
    return true;
}

/* All that comes out of TEXT in pieces of PIECE bytes, and the last position. */
static void hear(struct slice text, size_t piece, struct buf *heard)
{
    struct sse sse = {.on_event = on_event, .ctx = heard};

    for (size_t at = 0; at < text.len; at += piece)
        CHECK(sse_feed(&sse, slice_of(text.data + at, text.len - at < piece ? text.len - at : piece)));
    buf_add_slice(heard, buf_slice(&sse.last_id));
    sse_clear(&sse);
}

static void check_events(struct slice text, size_t piece)
{
    struct buf whole = BUF_INIT, parts = BUF_INIT;

    hear(text, text.len + 1, &whole);
    hear(text, piece, &parts);
    CHECK(slice_equal(buf_slice(&whole), buf_slice(&parts)));
    buf_clear(&whole);
    buf_clear(&parts);
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

static void check_shown(struct slice text, size_t width)
{
    struct buf shown = BUF_INIT, cut = BUF_INIT, wrapped = BUF_INIT;

    text_add_shown(&shown, text);
    CHECK(utf8_is_valid(buf_slice(&shown)) && !has_control(buf_slice(&shown)));
    text_add_cut(&cut, buf_slice(&shown), width);
    CHECK(text_width(buf_slice(&cut)) <= width && utf8_is_valid(buf_slice(&cut)));
    text_add_wrapped(&wrapped, buf_slice(&shown), 0, 2, width + 12);
    for (size_t at = 0, len; at < wrapped.len; at += len + 1) {
        len = strcspn(buf_text(&wrapped) + at, "\n");
        CHECK(text_width(slice_of(wrapped.data + at, len)) <= width + 12);
    }
    buf_clear(&shown);
    buf_clear(&cut);
    buf_clear(&wrapped);
}

static void check_json(struct slice text)
{
    struct errmsg why = {""};
    cJSON *root = json_read(text, &why), *again;
    struct buf shown = BUF_INIT;
    struct slice raw;

    CHECK(root || why.text[0]);
    if (root) {
        text_add_shown_json(&shown, text);
        again = json_read(buf_slice(&shown), &why);
        CHECK(again);
        cJSON_Delete(again);
        if (json_find_raw(text, "next", &raw))
            CHECK(raw.data >= text.data && raw.data + raw.len <= text.data + text.len);
    }
    buf_clear(&shown);
    cJSON_Delete(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data + 1, size ? size - 1 : 0);
    int64_t ms = 0;

    if (size == 0)
        return 0;
    check_events(text, 1 + (data[0] & 31U));
    check_shown(text, data[0] & 63U);
    check_json(text);
    if (duration_parse(text, data[0] & 1 ? 1000 : 0, &ms))
        CHECK(ms > 0);
    return 0;
}
