/* The log against pipes, sockets and files: what a line looks like, and that nobody is ever waited for. */
#include "adapters/log.h"

#include "adapters/loop.h"
#include "util/macros.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <event2/event.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TS_LEN 24

struct reader {
    int in, out;
    char text[4 << 20];
    size_t len;
};

static struct reader reader;

static void open_pipe(int size)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    reader.in = ends[0];
    reader.out = ends[1];
    reader.len = 0;
    assert_int_equal(fcntl(reader.in, F_SETFL, O_NONBLOCK), 0);
    if (size > 0)
        assert_true(fcntl(reader.out, F_SETPIPE_SZ, size) > 0);
}

static void close_pipe(void)
{
    if (reader.in >= 0)
        (void)close(reader.in);
    (void)close(reader.out);
}

/* Reads what is there, behind what was read before; returns all. */
static const char *read_some(void)
{
    ssize_t n;

    while ((n = read(reader.in, reader.text + reader.len, sizeof(reader.text) - 1 - reader.len)) > 0)
        reader.len += (size_t)n;
    reader.text[reader.len] = '\0';
    return reader.text;
}

static const char *read_line(void)
{
    reader.len = 0;
    return read_some();
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

static void run_for(struct loop *loop, int64_t ms)
{
    struct loop_timer *timer = loop_timer_new(loop, (loop_fn)loop_stop, loop);

    loop_timer_set(timer, ms);
    assert_int_equal(loop_run(loop), 0);
    loop_timer_free(timer);
}

static void test_logfmt_line_has_time_level_message_and_fields(void **state)
{
    struct log *log;
    const char *line;

    UNUSED(state);
    open_pipe(0);
    log = log_new(NULL, reader.out);
    log_configure(log, LOG_DEBUG_LEVEL, LOG_FORMAT_LOGFMT);
    LOG(log, WARN, "something odd", log_text("id", "mt5-1"), log_int("count", -3), log_number("value", 0.1));
    line = read_line();
    assert_memory_equal(line, "ts=20", 5);
    assert_int_equal(line[3 + 10], 'T');
    assert_int_equal(line[3 + TS_LEN - 1], 'Z');
    assert_string_equal(line + 3 + TS_LEN,
                        " level=warning msg=\"something odd\" id=mt5-1 count=-3 value=0.1\n");
    log_event(log, LOG_INFO_LEVEL, "instance_failed", NULL, 0);
    assert_string_equal(read_line() + 3 + TS_LEN, " level=info event=instance_failed\n");
    log_free(log);
    close_pipe();
}

static void test_levels_have_names_and_priorities(void **state)
{
    static const struct {
        enum log_level level;
        const char *start, *name;
    } rows[] = {
        {LOG_DEBUG_LEVEL, "<7>ts=", " level=debug "},
        {LOG_INFO_LEVEL, "<6>ts=", " level=info "},
        {LOG_WARN_LEVEL, "<4>ts=", " level=warning "},
        {LOG_ERROR_LEVEL, "<3>ts=", " level=error "},
    };
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(NULL, reader.out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *line;

        log_configure(log, LOG_DEBUG_LEVEL, LOG_FORMAT_JOURNAL);
        log_write(log, rows[i].level, "m", NULL, 0);
        line = read_line();
        assert_memory_equal(line, rows[i].start, strlen(rows[i].start));
        assert_non_null(strstr(line, rows[i].name));
        for (size_t least = 0; least < ARRAY_LEN(rows); least++) {
            log_configure(log, rows[least].level, LOG_FORMAT_LOGFMT);
            log_write(log, rows[i].level, "m", NULL, 0);
            assert_int_equal(*read_line() != '\0', i >= least);
            log_event(log, LOG_INFO_LEVEL, "e", NULL, 0);
            assert_int_equal(strstr(read_line(), "event=e") != NULL, least <= LOG_INFO_LEVEL);
        }
    }
    log_free(log);
    close_pipe();
}

static void test_logfmt_quotes_and_escapes_values(void **state)
{
#define ROW(value, text)                                                                                     \
    {                                                                                                        \
        {value, sizeof(value) - 1}, text                                                                     \
    }
    static const struct {
        struct slice value;
        const char *text;
    } rows[] = {
        ROW("plain", "plain"),
        ROW("mt5:1/a-b_c.d,e;f'g", "mt5:1/a-b_c.d,e;f'g"),
        ROW("", "\"\""),
        ROW("a b", "\"a b\""),
        ROW("a=b", "\"a=b\""),
        ROW("say \"hi\"", "\"say \\\"hi\\\"\""),
        ROW("C:\\dir", "C:\\dir"),
        ROW("C:\\my dir", "\"C:\\\\my dir\""),
        ROW("a\nb", "\"a\\nb\""),
        ROW("\r\t", "\"\\r\\t\""),
        ROW("nul\0end", "\"nul\\u0000end\""),
        ROW("\x1b[2J", "\"\\u001b[2J\""),
        ROW("\x7f", "\"\\u007f\""),
        ROW("\xc2\x85", "\"\\u0085\""),
        ROW("\xc2\x9b", "\"\\u009b\""),
        ROW("\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\""),
        ROW("Z\xc3\xbcrich", "Z\xc3\xbcrich"),
        ROW("\xc2\xa0", "\xc2\xa0"),
        ROW("\xf0\x9f\x93\x88", "\xf0\x9f\x93\x88"),
        ROW("bad\xff", "\"bad\xef\xbf\xbd\""),
        ROW("\xc3", "\"\xef\xbf\xbd\""),
    };
#undef ROW
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(NULL, reader.out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[128];

        LOG(log, INFO, "m", log_slice("v", rows[i].value));
        (void)snprintf(expected, sizeof(expected), " level=info msg=m v=%s\n", rows[i].text);
        assert_string_equal(read_line() + 3 + TS_LEN, expected);
    }
    log_free(log);
    close_pipe();
}

static void test_any_bytes_make_one_line_of_valid_text(void **state)
{
    static const enum log_format formats[] = {LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL};
    unsigned seed = 1;
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(NULL, reader.out);
    for (int i = 0; i < 3000; i++) {
        unsigned char bytes[64];
        const char *line;

        for (size_t b = 0; b < sizeof(bytes); b++) {
            seed = seed * 1103515245u + 12345u;
            bytes[b] = (unsigned char)(seed >> 16);
            if (seed & 0x1000000)
                bytes[b] = (unsigned char)"\n\r\"\\ =\xe2\x80"[bytes[b] % 8];
        }
        log_configure(log, LOG_DEBUG_LEVEL, formats[i % 3]);
        LOG(log, INFO, "m", log_slice("v", slice_of((const char *)bytes, (size_t)i % sizeof(bytes))));
        line = read_line();
        assert_int_equal(count_lines(line), 1);
        assert_int_equal(line[reader.len - 1], '\n');
        assert_true(utf8_is_valid(slice_of(line, reader.len)));
        for (size_t b = 0; b < reader.len - 1; b++)
            assert_true((unsigned char)line[b] >= 0x20 && line[b] != 0x7f);
        if (formats[i % 3] == LOG_FORMAT_JSON) {
            cJSON *json = cJSON_ParseWithOpts(line, NULL, false);

            assert_non_null(json);
            cJSON_Delete(json);
        }
    }
    log_free(log);
    close_pipe();
}

static void test_json_gives_values_back(void **state)
{
    static const char odd[] = "a \"b\" \\ \n\t\x01 \xc3\xbc";
    struct log *log;
    cJSON *json;

    UNUSED(state);
    open_pipe(0);
    log = log_new(NULL, reader.out);
    log_configure(log, LOG_INFO_LEVEL, LOG_FORMAT_JSON);
    LOG(log, ERROR, odd, log_text("t", odd), log_int("i", INT64_MIN), log_number("n", 2.5),
        log_number("nan", NAN), log_number("inf", -INFINITY));
    json = cJSON_Parse(read_line());
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "level")->valuestring, "error");
    assert_int_equal(strlen(cJSON_GetObjectItem(json, "ts")->valuestring), TS_LEN);
    assert_string_equal(cJSON_GetObjectItem(json, "msg")->valuestring, odd);
    assert_string_equal(cJSON_GetObjectItem(json, "t")->valuestring, odd);
    assert_true(cJSON_GetObjectItem(json, "n")->valuedouble == 2.5);
    assert_string_equal(cJSON_GetObjectItem(json, "nan")->valuestring, "NaN");
    assert_string_equal(cJSON_GetObjectItem(json, "inf")->valuestring, "-Inf");
    assert_non_null(strstr(reader.text, "\"i\":-9223372036854775808,"));
    cJSON_Delete(json);
    log_event(log, LOG_INFO_LEVEL, "e", NULL, 0);
    assert_non_null(strstr(read_line(), ",\"level\":\"info\",\"event\":\"e\"}\n"));
    log_free(log);
    close_pipe();
}

static void test_long_value_is_cut_at_a_whole_character(void **state)
{
    struct log *log;
    char value[9000];

    UNUSED(state);
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = "\xe2\x82\xac"[i % 3];
    open_pipe(0);
    log = log_new(NULL, reader.out);
    LOG(log, INFO, "m", log_slice("v", slice_of(value, sizeof(value))));
    read_line();
    assert_in_range(reader.len, 4096, 4200);
    assert_true(utf8_is_valid(slice_of(reader.text, reader.len)));
    assert_memory_equal(reader.text + reader.len - 7, "\xe2\x82\xac\xe2\x80\xa6\n", 7);
    assert_null(strstr(reader.text, "\xef\xbf\xbd"));
    LOG(log, INFO, "m", log_slice("v", slice_of(value, 4095)));
    read_line();
    assert_memory_equal(reader.text + reader.len - 4, "\xe2\x82\xac\n", 4);
    memset(value, 0xff, sizeof(value));
    LOG(log, INFO, "m", log_slice("v", slice_of(value, sizeof(value))));
    read_line();
    assert_in_range(reader.len, 3 * 4096, 3 * 4096 + 100);
    log_free(log);
    close_pipe();
}

static void test_auto_format_knows_the_journal(void **state)
{
    struct stat st;
    char name[64];
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    assert_int_equal(fstat(reader.out, &st), 0);
    (void)snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", name, 1), 0);
    log = log_new(NULL, reader.out);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_memory_equal(read_line(), "<6>ts=", 6);
    log_configure(log, LOG_INFO_LEVEL, LOG_FORMAT_LOGFMT);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_memory_equal(read_line(), "ts=", 3);
    log_configure(log, LOG_INFO_LEVEL, LOG_FORMAT_AUTO);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_memory_equal(read_line(), "<6>ts=", 6);
    log_free(log);

    (void)strcat(name, "1");
    assert_int_equal(setenv("JOURNAL_STREAM", name, 1), 0);
    log = log_new(NULL, reader.out);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_memory_equal(read_line(), "ts=", 3);
    log_free(log);
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    close_pipe();
}

static void test_null_log_takes_everything(void **state)
{
    UNUSED(state);
    LOG((struct log *)NULL, INFO, "m", log_int("a", 1));
    LOG_LIMITED((struct log *)NULL, INFO, slice_text(""), "m", log_int("a", 1));
    log_event(NULL, LOG_INFO_LEVEL, "e", NULL, 0);
    assert_int_equal(log_dropped_lines(NULL), 0);
    log_free(NULL);
}

static void test_shared_descriptor_stays_blocking(void **state)
{
    struct loop *loop = loop_new();
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(loop, reader.out);
    assert_int_equal(fcntl(reader.out, F_GETFL) & O_NONBLOCK, 0);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_int_equal(fcntl(reader.out, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(count_lines(read_line()), 1);
    log_free(log);
    assert_int_equal(write(reader.out, "still open\n", 11), 11);
    close_pipe();
    loop_free(loop);
}

/* Checks that lines n=0, 1, … came whole and in order, that a note says how many are missing where they are,
 * and that the sum is SENT. */
static void check_lines(uint64_t sent)
{
    uint64_t next = 0, notes = 0;
    char *line = reader.text;

    while (*line) {
        char *end = strchr(line, '\n'), *n = strstr(line, " n="), *lines = strstr(line, " lines=");

        assert_non_null(end);
        assert_memory_equal(line, "ts=20", 5);
        if (lines && lines < end) {
            next += strtoull(lines + 7, NULL, 10);
            notes++;
        } else {
            assert_true(n && n < end);
            assert_int_equal(strtoull(n + 3, NULL, 10), next);
            next++;
        }
        line = end + 1;
    }
    assert_int_equal(next, sent);
    assert_true(notes > 0);
}

static void open_socket_pair(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    reader.in = ends[0];
    reader.out = ends[1];
    reader.len = 0;
    assert_int_equal(fcntl(reader.in, F_SETFL, O_NONBLOCK), 0);
}

/* A log to a named pipe that could not be opened anew, because nobody read from it then. */
static struct log *open_fifo_log(struct loop *loop)
{
    char path[64];
    struct log *log;

    (void)snprintf(path, sizeof(path), "/tmp/mt5-fifo-%d", (int)getpid());
    assert_int_equal(mkfifo(path, 0600), 0);
    reader.in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    reader.out = open(path, O_WRONLY | O_CLOEXEC);
    reader.len = 0;
    assert_true(reader.in >= 0 && reader.out >= 0);
    (void)close(reader.in);
    log = log_new(loop, reader.out);
    reader.in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(unlink(path), 0);
    return log;
}

static void check_stalled_reader(struct loop *loop, struct log *log)
{
    for (int n = 0; n < 20000; n++)
        LOG(log, INFO, "stalled", log_int("n", n));
    assert_true(log_dropped_lines(log) > 1000);
    for (int turn = 0; turn < 20; turn++) {
        (void)read_some();
        run_for(loop, 1);
    }
    (void)read_some();
    check_lines(20000);
    LOG(log, INFO, "goes on", log_int("n", 20000));
    assert_non_null(strstr(read_some(), "n=20000\n"));
    check_lines(20001);
    log_free(log);
    close_pipe();
}

static void test_stalled_reader_costs_lines_and_no_time(void **state)
{
    struct loop *loop = loop_new();

    UNUSED(state);
    open_pipe(0);
    check_stalled_reader(loop, log_new(loop, reader.out));
    open_socket_pair();
    check_stalled_reader(loop, log_new(loop, reader.out));
    check_stalled_reader(loop, open_fifo_log(loop));
    loop_free(loop);
}

static void test_stalled_reader_without_loop_is_served_by_later_lines(void **state)
{
    struct log *log;
    int n;

    UNUSED(state);
    open_pipe(4096);
    log = log_new(NULL, reader.out);
    for (n = 0; n < 10000; n++)
        LOG(log, INFO, "stalled", log_int("n", n));
    assert_true(log_dropped_lines(log) > 0);
    for (; n < 10200; n++) {
        (void)read_some();
        LOG(log, INFO, "stalled", log_int("n", n));
    }
    log_free(log);
    (void)read_some();
    check_lines(10200);
    close_pipe();
}

static void test_reader_that_is_gone_is_counted(void **state)
{
    struct loop *loop = loop_new();
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(loop, reader.out);
    log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_int_equal(log_dropped_lines(log), 0);
    (void)close(reader.in);
    reader.in = -1;
    for (int i = 0; i < 10; i++)
        log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
    assert_true(log_dropped_lines(log) >= 10);
    log_free(log);
    close_pipe();
    loop_free(loop);
}

static void test_full_disk_and_closed_descriptor_are_counted(void **state)
{
    int fds[] = {open("/dev/full", O_WRONLY | O_CLOEXEC), 1000};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct log *log = log_new(NULL, fds[i]);

        log_write(log, LOG_INFO_LEVEL, "m", NULL, 0);
        assert_true(log_dropped_lines(log) > 0);
        log_free(log);
    }
    (void)close(fds[0]);
}

static void test_file_is_appended_to_with_others(void **state)
{
    char path[] = "/tmp/mt5-log-XXXXXX";
    struct loop *loop = loop_new();
    int fd = mkstemp(path);
    struct log *a, *b;

    UNUSED(state);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before\n", 7), 7);
    a = log_new(loop, fd);
    b = log_new(loop, fd);
    for (int i = 0; i < 100; i++) {
        LOG(a, INFO, "a", log_int("n", i));
        LOG(b, INFO, "b", log_int("n", i));
    }
    log_free(a);
    log_free(b);
    (void)close(fd);
    reader.in = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(count_lines(read_line()), 201);
    assert_memory_equal(reader.text, "before\nts=", 10);
    (void)close(reader.in);
    assert_int_equal(unlink(path), 0);
    loop_free(loop);
}

/* Runs the loop until LINES lines have come; returns them. */
static const char *await_lines(struct loop *loop, size_t lines)
{
    int64_t end_ms = loop_now_ms() + 20000;

    reader.len = 0;
    while (count_lines(read_some()) < lines && loop_now_ms() < end_ms)
        run_for(loop, 2);
    assert_int_equal(count_lines(reader.text), lines);
    return reader.text;
}

static void test_repeated_message_is_collapsed_with_its_count(void **state)
{
    struct loop *loop = loop_new();
    struct log *log;
    const char *text;

    UNUSED(state);
    open_pipe(0);
    log = log_new(loop, reader.out);
    log_set_repeat_ms(log, 300);
    for (int n = 0; n < 5; n++) {
        LOG_LIMITED(log, WARN, slice_text("k1"), "again", log_int("n", n));
        LOG_LIMITED(log, WARN, slice_text("k2"), "again", log_text("other", "key"));
        LOG_LIMITED(log, WARN, slice_text("k1"), "other message", log_int("n", n));
    }
    LOG_LIMITED(log, WARN, slice_of(NULL, 0), "once", log_int("n", 0));
    LOG_LIMITED(log, DEBUG, slice_text("k4"), "below the level", log_int("n", 0));
    assert_int_equal(count_lines(read_line()), 4);
    text = await_lines(loop, 3);
    assert_non_null(strstr(text, " level=warning msg=again n=4 repeated=4 last="));
    assert_non_null(strstr(text, " level=warning msg=again other=key repeated=4 last="));
    assert_non_null(strstr(text, " level=warning msg=\"other message\" n=4 repeated=4 last="));

    LOG_LIMITED(log, WARN, slice_text("k1"), "again", log_int("n", 5)); /* goes on repeating */
    LOG_LIMITED(log, WARN, slice_text("k1"), "again", log_int("n", 6));
    assert_string_equal(read_line(), "");
    assert_non_null(strstr(await_lines(loop, 1), " n=6 repeated=2 last="));
    run_for(loop, 700);
    assert_string_equal(read_line(), "");
    LOG_LIMITED(log, WARN, slice_text("k1"), "again", log_int("n", 7)); /* forgotten by now */
    assert_non_null(strstr(read_line(), " n=7\n"));
    log_free(log);
    close_pipe();
    loop_free(loop);
}

static void write_at(struct log *log, int n)
{
    LOG_LIMITED(log, WARN, slice_text("k"), "now and then", log_int("n", n));
}

static void test_single_line_is_written_as_it_comes(void **state)
{
    struct loop *loop = loop_new();
    struct log *log;

    UNUSED(state);
    open_pipe(0);
    log = log_new(loop, reader.out);
    log_set_repeat_ms(log, 4000);
    write_at(log, 0);
    assert_non_null(strstr(read_line(), " n=0\n"));
    run_for(loop, 450);
    write_at(log, 1); /* alone, though not the first */
    assert_non_null(strstr(read_line(), " n=1\n"));
    write_at(log, 2); /* the third goes on repeating */
    assert_string_equal(read_line(), "");
    assert_non_null(strstr(await_lines(loop, 1), " n=2 repeated=1 last="));
    log_free(log);
    close_pipe();
    loop_free(loop);
}

static void test_repeated_messages_are_bounded_and_told_at_the_end(void **state)
{
    struct loop *loop = loop_new();
    struct log *log;

    UNUSED(state);
    open_pipe(1 << 20);
    log = log_new(loop, reader.out);
    for (int round = 0; round < 2; round++) {
        for (int n = 0; n < 300; n++) {
            char key[16];

            (void)snprintf(key, sizeof(key), "%d", n);
            LOG_LIMITED(log, INFO, slice_text(key), "m", log_int("n", n));
        }
    }
    assert_int_equal(count_lines(read_line()), 300 + 44);
    log_configure(log, LOG_INFO_LEVEL, LOG_FORMAT_JSON); /* what is held back was kept in the old format */
    assert_int_equal(count_lines(read_line()), 256);
    assert_memory_equal(reader.text, "ts=", 3);
    LOG_LIMITED(log, INFO, slice_text("1"), "m", log_int("n", 1));
    LOG_LIMITED(log, INFO, slice_text("1"), "m", log_int("n", 2));
    assert_int_equal(count_lines(read_line()), 1);
    log_free(log);
    assert_non_null(strstr(read_line(), ",\"msg\":\"m\",\"n\":2,\"repeated\":1,\"last\":\""));
    close_pipe();
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt_line_has_time_level_message_and_fields),
        cmocka_unit_test(test_levels_have_names_and_priorities),
        cmocka_unit_test(test_logfmt_quotes_and_escapes_values),
        cmocka_unit_test(test_any_bytes_make_one_line_of_valid_text),
        cmocka_unit_test(test_json_gives_values_back),
        cmocka_unit_test(test_long_value_is_cut_at_a_whole_character),
        cmocka_unit_test(test_auto_format_knows_the_journal),
        cmocka_unit_test(test_null_log_takes_everything),
        cmocka_unit_test(test_shared_descriptor_stays_blocking),
        cmocka_unit_test(test_stalled_reader_costs_lines_and_no_time),
        cmocka_unit_test(test_stalled_reader_without_loop_is_served_by_later_lines),
        cmocka_unit_test(test_reader_that_is_gone_is_counted),
        cmocka_unit_test(test_full_disk_and_closed_descriptor_are_counted),
        cmocka_unit_test(test_file_is_appended_to_with_others),
        cmocka_unit_test(test_repeated_message_is_collapsed_with_its_count),
        cmocka_unit_test(test_single_line_is_written_as_it_comes),
        cmocka_unit_test(test_repeated_messages_are_bounded_and_told_at_the_end),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
