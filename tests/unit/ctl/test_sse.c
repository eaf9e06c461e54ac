#include "ctl/sse.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct heard {
    struct buf text;
    unsigned most; /* ends the reading behind so many; 0: never */
    unsigned count;
};

static bool on_event(void *ctx, const struct sse_event *event)
{
    struct heard *heard = ctx;

    buf_add_slice(&heard->text, event->name);
    buf_add_char(&heard->text, '|');
    buf_add_slice(&heard->text, event->data);
    buf_add_char(&heard->text, '|');
    buf_add_slice(&heard->text, event->id);
    buf_add_char(&heard->text, ';');
    return ++heard->count != heard->most;
}

static const struct {
    struct slice sent;
    const char *heard, *last_id;
} rows[] = {
    {SLICE(""), "", ""},
    {SLICE("data: x\n\n"), "message|x|;", ""},
    {SLICE("data:x\ndata:  y\n\n"), "message|x\n y|;", ""},
    {SLICE("id: 1-0\nevent: a\ndata: {}\n\ndata: z\n\n"), "a|{}|1-0;message|z|1-0;", "1-0"},
    {SLICE("id: 1-0\r\nevent: a\r\ndata: {}\r\n\r\n"), "a|{}|1-0;", "1-0"},
    {SLICE("id: 1-0\revent: a\rdata: {}\r\r"), "a|{}|1-0;", "1-0"},
    {SLICE(": comment\n\n:\nretry: 5\n\ndata\n\n"), "message||;", ""},
    {SLICE("id: 7\n\n"), "", "7"},
    {SLICE("id: 7\n\nid\ndata: a\n\n"), "message|a|;", ""},
    {SLICE("id: 7\n\nid: 8\0\ndata: a\n\n"), "message|a|7;", "7"},
    {SLICE("id: 7\n\nid: 8\ndata: cut off\n"), "", "7"},
    {SLICE("\xef\xbb\xbf"
           "data: x\n\ndata: y\n\n"),
     "message|x|;message|y|;", ""},
    {SLICE("event: a\n\ndata: x\n\n"), "message|x|;", ""},
};

static void assert_heard(size_t row, size_t piece)
{
    struct heard heard = {.text = BUF_INIT};
    struct sse sse = {.on_event = on_event, .ctx = &heard};

    for (size_t at = 0; at < rows[row].sent.len; at += piece) {
        size_t left = rows[row].sent.len - at;

        assert_true(sse_feed(&sse, slice_of(rows[row].sent.data + at, left < piece ? left : piece)));
    }
    assert_string_equal(buf_text(&heard.text), rows[row].heard);
    assert_string_equal(buf_text(&sse.last_id), rows[row].last_id);
    sse_clear(&sse);
    buf_clear(&heard.text);
}

static void test_sse_feed_finds_events_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        for (size_t piece = 1; piece < 12; piece++)
            assert_heard(row, piece);
        assert_heard(row, SIZE_MAX / 2);
    }
}

static void test_sse_restart_forgets_what_was_not_complete(void **state)
{
    struct heard heard = {.text = BUF_INIT};
    struct sse sse = {.on_event = on_event, .ctx = &heard};

    (void)state;
    assert_true(sse_feed(&sse, slice_text("id: 1\ndata: a\n\nid: 2\nevent: e\ndata: b\ndata: ha")));
    sse_restart(&sse);
    assert_string_equal(buf_text(&sse.last_id), "1");
    assert_true(sse_feed(&sse, slice_text("data: c\n\n")));
    assert_string_equal(buf_text(&heard.text), "message|a|1;message|c|1;");
    sse_clear(&sse);
    buf_clear(&heard.text);
}

static void test_sse_feed_ends_where_the_callback_says_so(void **state)
{
    struct heard heard = {.text = BUF_INIT, .most = 1};
    struct sse sse = {.on_event = on_event, .ctx = &heard};

    (void)state;
    assert_false(sse_feed(&sse, slice_text("data: a\n\ndata: b\n\n")));
    assert_string_equal(buf_text(&heard.text), "message|a|;");
    sse_clear(&sse);
    buf_clear(&heard.text);
}

static void test_sse_feed_takes_no_event_without_end(void **state)
{
    static char line[1024];
    struct heard heard = {.text = BUF_INIT};
    struct sse sse = {.on_event = on_event, .ctx = &heard};
    bool goes_on = true;
    size_t lines = 0;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "data:", 5);
    line[sizeof(line) - 1] = '\n';
    while (goes_on && lines++ < 2 * SSE_EVENT_MAX_BYTES / sizeof(line))
        goes_on = sse_feed(&sse, slice_of(line, sizeof(line)));
    assert_false(goes_on);
    assert_int_equal(heard.count, 0);
    sse_clear(&sse);
    buf_clear(&heard.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse_feed_finds_events_in_pieces_of_any_size),
        cmocka_unit_test(test_sse_restart_forgets_what_was_not_complete),
        cmocka_unit_test(test_sse_feed_ends_where_the_callback_says_so),
        cmocka_unit_test(test_sse_feed_takes_no_event_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
