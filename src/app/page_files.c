/* One table of files, by the name below /page/; a row needs its file in src/app/page/, or does not link. */
#include "app/page_files.h"

#include "adapters/http.h"
#include <stdio.h>

#define CSS    "text/css; charset=utf-8"
#define HTML   "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define SVG    "image/svg+xml"

/* The first is `/` as well. */
#define FILES(FILE)                                                                                          \
    FILE("index.html", index_html, HTML)                                                                     \
    FILE("style.css", style_css, CSS)                                                                        \
    FILE("icon.svg", icon_svg, SVG)                                                                          \
    FILE("act.js", act_js, SCRIPT)                                                                           \
    FILE("alerts.js", alerts_js, SCRIPT)                                                                     \
    FILE("api.js", api_js, SCRIPT)                                                                           \
    FILE("events.js", events_js, SCRIPT)                                                                     \
    FILE("feed.js", feed_js, SCRIPT)                                                                         \
    FILE("fleet.js", fleet_js, SCRIPT)                                                                       \
    FILE("format.js", format_js, SCRIPT)                                                                     \
    FILE("frame.js", frame_js, SCRIPT)                                                                       \
    FILE("instance.js", instance_js, SCRIPT)                                                                 \
    FILE("keys.js", keys_js, SCRIPT)                                                                         \
    FILE("main.js", main_js, SCRIPT)                                                                         \
    FILE("plots.js", plots_js, SCRIPT)                                                                       \
    FILE("signals.js", signals_js, SCRIPT)                                                                   \
    FILE("state.js", state_js, SCRIPT)                                                                       \
    FILE("why.js", why_js, SCRIPT)

#define DECLARE(name, symbol, type)                                                                          \
    extern const unsigned char page_##symbol[];                                                              \
    extern const size_t page_##symbol##_len;                                                                 \
    extern const char page_##symbol##_sha1[];
FILES(DECLARE)

struct page_file {
    const char *name, *content_type;
    const unsigned char *bytes;
    const size_t *len;
    const char *sha1;
};

#define ROW(name, symbol, type) {name, type, page_##symbol, &page_##symbol##_len, page_##symbol##_sha1},
static const struct page_file files[] = {FILES(ROW)};

#define ETAG_MAX 64

bool page_is_known(struct slice if_none_match, const char *etag)
{
    size_t at = 0, len = strlen(etag);

    while (at < if_none_match.len) {
        struct slice rest = slice_of(if_none_match.data + at, if_none_match.len - at);
        const char *comma = memchr(rest.data, ',', rest.len);
        struct slice one = slice_of(rest.data, comma ? (size_t)(comma - rest.data) : rest.len);

        at += one.len + 1;
        one = slice_trim(one);
        if (one.len > 2 && memcmp(one.data, "W/", 2) == 0)
            one = slice_of(one.data + 2, one.len - 2);
        if (slice_equal(one, slice_of(etag, len)) || slice_is(one, "*"))
            return true;
    }
    return false;
}

/* What is not named here a page may not load, run, send to, or be shown in. */
#define CONTENT_SECURITY_POLICY                                                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "          \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void answer_file(struct http_request *request, const struct page_file *file)
{
    char etag[ETAG_MAX];
    const struct http_header headers[] = {
        {"ETag", etag},
        {"Cache-Control", "no-cache"},
        {"Content-Security-Policy", CONTENT_SECURITY_POLICY},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    struct buf body = BUF_INIT;
    struct http_answer answer = {.status = 304, .headers = headers, .header_count = ARRAY_LEN(headers)};

    (void)snprintf(etag, sizeof etag, "\"%s\"", file->sha1);
    if (!page_is_known(http_request_header(request, "If-None-Match"), etag)) {
        buf_add(&body, file->bytes, *file->len);
        answer.status = 200;
        answer.content_type = file->content_type;
        answer.body = &body;
    }
    http_request_answer(request, &answer);
}

void page_get_index(const struct api_call *call)
{
    answer_file(call->request, &files[0]);
}

void page_get_file(const struct api_call *call)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (slice_is(call->parameter, files[i].name)) {
            answer_file(call->request, &files[i]);
            return;
        }
    }
    http_request_answer_problem(call->request, 404, "the page has no such file");
}
