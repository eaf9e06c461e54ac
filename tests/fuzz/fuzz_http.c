/* What comes over HTTP and is read by ourselves: the head of a request and a chunked body, the target, the
 * host, the paths and arguments that the table of routes knows, what a client accepts, the positions that it
 * comes back with, and the body of a report. What is refused says why; what is whole stays so whatever is
 * behind it, and is never refused when it comes in pieces. */
#include "fuzz.h"

#include "adapters/http.h"
#include "app/route.h"
#include "codec/http_head.h"
#include "codec/http_target.h"
#include "codec/json_object.h"
#include "codec/report.h"
#include "util/alloc.h"
#include "util/stream_id.h"

static void check_refusal(int status, const char *detail)
{
    CHECK(status == 400 || status == 413 || status == 417 || status == 431 || status == 505);
    CHECK(detail && *detail);
}

static bool is_within(struct slice inner, const char *begin, size_t len)
{
    return inner.len == 0 || (inner.data >= begin && inner.data + inner.len <= begin + len);
}

/* A verdict on a piece is that on the whole, or was left open. */
static void check_head(struct slice text, size_t piece)
{
    struct http_head head, part;
    enum http_verdict whole = http_head_read(&head, text), partial;

    partial = http_head_read(&part, slice_of(text.data, piece < text.len ? piece : text.len));
    if (partial == HTTP_WHOLE) {
        CHECK(whole == HTTP_WHOLE && head.bytes == part.bytes);
        CHECK(!http_framing_fault(&head.framing));
    }
    if (partial == HTTP_REFUSED) {
        check_refusal(part.status, part.detail);
        CHECK(whole == HTTP_REFUSED);
    }
    if (whole == HTTP_WHOLE)
        CHECK(head.bytes > 0 && head.bytes <= text.len && head.bytes <= HTTP_HEAD_MAX_BYTES);
    if (whole == HTTP_PARTIAL)
        CHECK(text.len <= HTTP_HEAD_MAX_BYTES);
}

static void check_chunks(struct slice text, size_t piece)
{
    int status = 0;
    const char *detail = NULL;
    enum http_verdict whole, partial;

    partial = http_chunks_read(slice_of(text.data, piece < text.len ? piece : text.len), &status, &detail);
    if (partial == HTTP_REFUSED)
        check_refusal(status, detail);
    whole = http_chunks_read(text, &status, &detail);
    CHECK(partial == HTTP_PARTIAL || partial == whole);
}

static void check_routes(const struct http_target *target, size_t len)
{
    static const char *const patterns[] = {"/", "/metrics", "/api/v1/instances/{id}",
                                           "/api/v1/instances/{id}/why"};
    struct slice parameter = slice_of("", 0);

    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        if (!route_matches(patterns[i], target->path, &parameter) || !parameter.len)
            continue;
        CHECK(is_within(parameter, target->text, len));
        CHECK(!memchr(parameter.data, '/', parameter.len));
    }
    for (size_t i = 0; i < target->arg_count; i++) {
        CHECK(is_within(target->args[i].name, target->text, len));
        CHECK(is_within(target->args[i].value, target->text, len));
        if (route_allows_arg("state health limit", target->args[i].name))
            CHECK(target->args[i].name.len >= 5);
    }
}

static void check_target(struct slice text)
{
    char *copy = mem_copy_text(text.data, strnlen(text.data, text.len));
    struct http_target target;
    const char *fault = http_target_parse(&target, copy);

    CHECK(!fault || *fault);
    CHECK(target.arg_count <= HTTP_ARGS_MAX);
    CHECK(target.path.len <= strlen(copy) + 1);
    if (!fault) {
        CHECK(!target.path.len || !memchr(target.path.data, '\0', target.path.len));
        check_routes(&target, strlen(copy));
    }
    http_target_clear(&target);
    free(copy);
}

static void check_host(struct slice text)
{
    struct slice name = text;

    if (!route_host_is_ours(text, "fleet.lan") || !text.len)
        return;
    /* Whatever is believed holds nothing by which it could be a name of somebody else's. */
    for (size_t i = 0; i < name.len; i++)
        CHECK((unsigned char)name.data[i] > ' ' && !strchr("/@?#\\%", name.data[i]));
}

static void check_headers(struct slice text)
{
    struct stream_id id;
    char again[STREAM_ID_TEXT_MAX];
    int weight = http_accept_weight(text, "text/event-stream");

    CHECK(weight >= 0 && weight <= 1000);
    if (http_accept_prefers(text, "text/event-stream", "application/json"))
        CHECK(weight > 0);
    if (stream_id_parse(text, &id)) {
        struct stream_id same;

        CHECK(stream_id_parse(slice_of(again, stream_id_format(again, id)), &same));
        CHECK(same.ms == id.ms && same.seq == id.seq);
    }
}

static void check_report(struct slice text)
{
    struct json_object object;
    struct entry entry = {.stream = STREAM_REPORTS};
    struct report_scratch scratch;
    struct report report;
    struct slice field;
    struct errmsg why = {""};

    if (!json_object_parse(&object, text, &why)) {
        CHECK(why.text[0]);
        return;
    }
    for (size_t i = 0; i < object.count; i++) {
        for (unsigned k = 0; k < REPORT_FIELDS; k++) {
            if (!slice_equal(report_entry_names[k], object.members[i].name))
                continue;
            entry.present |= 1U << k;
            entry.value[k] = object.members[i].value;
        }
    }
    if (!report_parse(&entry, &scratch, &report, &field, &why))
        CHECK(why.text[0]);
    json_object_clear(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data + 1, size ? size - 1 : 0);

    if (size == 0)
        return 0;
    switch (data[0] & 7U) {
    case 0:
        check_chunks(text, data[0] * 4U);
        break;
    case 1:
        check_target(text);
        break;
    case 2:
        check_host(text);
        break;
    case 3:
        check_headers(text);
        break;
    case 4:
        check_report(text);
        break;
    default:
        check_head(text, data[0] * 4U);
        break;
    }
    return 0;
}
