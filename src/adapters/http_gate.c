/* What is judged before anybody acts on a request.
 *
 * A connection is kept from libmicrohttpd until the head of its first request is whole and in order: what is
 * not is refused here, as problem+json, where the library would say it in HTML, twice, or by a close. The
 * bytes are looked at where they wait in the socket, and left there for the library. Of a chunked body the
 * beginning is judged as well, as far as it fits.
 *
 * Between two requests the connection is suspended in the library for the same end. But that reads as much as
 * there is: where it may have bytes of a next request already, because a client sends requests without
 * waiting for answers or a body has not come as a whole, the connection is not held any more, and what is
 * wrong later meets the library's own checks, and http_headers_check. */
#include "http_internal.h"

#include "codec/problem_json.h"
#include <errno.h>
#include <time.h>

/* Twice the head: that much of a body is judged. Less than any socket holds. */
#define LOOK_BYTES  (2 * HTTP_HEAD_MAX_BYTES)
#define DRAIN_READS 64
#define DATE_MAX    40

static void add_date(struct buf *out)
{
    time_t now = time(NULL);
    struct tm utc;
    char date[DATE_MAX];

    if (gmtime_r(&now, &utc) && strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc))
        buf_add_format(out, "Date: %s\r\n", date);
}

/* The answer to a request that no library has. What does not fit into the socket is lost, which takes a
 * client that has not read the answers before. */
static void send_problem(const struct http_connection *connection, const struct http_head *head)
{
    struct buf body = BUF_INIT, answer = BUF_INIT;

    problem_json_add(&body, head->status, http_status_title(head->status), slice_text(head->detail));
    buf_add_format(&answer, "HTTP/1.1 %d %s\r\n", head->status, http_status_title(head->status));
    add_date(&answer);
    buf_add_format(
        &answer, "Content-Type: " PROBLEM_CONTENT_TYPE "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        body.len);
    if (!head->is_head)
        buf_add_slice(&answer, buf_slice(&body));
    (void)send(connection->fd, answer.data, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_clear(&body);
    buf_clear(&answer);
}

/* Reads what there is and lets it go. False at the end. */
static bool throw_away(int fd)
{
    char bytes[LOOK_BYTES];

    for (int i = 0; i < DRAIN_READS; i++) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got == 0)
            return false;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
    }
    return true;
}

/* A socket that is closed with bytes unread resets the connection, and with it goes the answer: they are read
 * until the client has closed, or for a moment. */
static void refuse_head(struct http_connection *connection, const struct http_head *head)
{
    bool is_open = throw_away(connection->fd);

    connection->server->stats.refused++;
    send_problem(connection, head);
    if (!is_open) {
        http_connection_shut(connection);
        return;
    }
    (void)shutdown(connection->fd, SHUT_WR); /* it may be gone already */
    http_connection_enter(connection, HTTP_REFUSED_HEAD);
}

/* What lies behind the head: a body, another request, or nothing. */
static enum http_verdict judge_rest(struct http_connection *connection, struct http_head *head,
                                    struct slice rest)
{
    struct http_head next;

    connection->is_piped = head->framing.is_chunked || head->framing.content_length != rest.len;
    if (head->framing.is_chunked && !head->framing.expects_continue)
        return http_chunks_read(rest, &head->status, &head->detail);
    if (!head->framing.is_chunked && !head->framing.content_length)
        connection->closes_after = http_head_read(&next, rest) == HTTP_REFUSED;
    return HTTP_WHOLE;
}

static enum http_verdict judge(struct http_connection *connection, struct http_head *head, struct slice bytes)
{
    enum http_verdict verdict = http_head_read(head, bytes);

    if (verdict != HTTP_WHOLE)
        return verdict;
    verdict = judge_rest(connection, head, slice_of(bytes.data + head->bytes, bytes.len - head->bytes));
    return verdict == HTTP_PARTIAL && bytes.len == LOOK_BYTES ? HTTP_WHOLE : verdict;
}

void http_gate_look(struct http_connection *connection)
{
    char bytes[LOOK_BYTES];
    ssize_t got = recv(connection->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    struct http_head head;

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            http_connection_shut(connection);
        return;
    }
    if (connection->state == HTTP_WAITING)
        http_connection_enter(connection, HTTP_READING);
    switch (judge(connection, &head, slice_of(bytes, (size_t)got))) {
    case HTTP_REFUSED:
        refuse_head(connection, &head);
        break;
    case HTTP_WHOLE:
        http_connection_hand_over(connection);
        break;
    case HTTP_PARTIAL:
        if (http_socket_has_ended(connection->fd)) {
            head.status = 400;
            head.detail = "the request ends before it is whole";
            refuse_head(connection, &head);
        }
        break;
    }
}

void http_gate_hold(struct http_connection *connection)
{
    if (connection->state != HTTP_WAITING && connection->state != HTTP_READING)
        return;
    connection->is_held = true;
    MHD_suspend_connection(connection->mhd);
    http_gate_look(connection); /* what came meanwhile came without an edge that counts */
}

void http_gate_drain(struct http_connection *connection)
{
    if (!throw_away(connection->fd))
        http_connection_shut(connection);
}

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                    const char *value, size_t value_len)
{
    (void)kind; /* headers were asked for */
    http_framing_add(ctx, slice_of(name, name_len), slice_of(value, value_len));
    return MHD_YES;
}

static void refuse(struct http_request *request, int status, const char *detail, bool close_after)
{
    request->refusal = status;
    request->refusal_detail = detail;
    request->close_after |= close_after;
}

void http_headers_check(struct http_request *request)
{
    struct MHD_Connection *mhd = request->connection->mhd;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct http_framing framing = {0};
    const char *fault;

    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, count_header, &framing);
    fault = http_framing_fault(&framing);
    if (fault)
        refuse(request, 400, fault, true);
    else if (info && info->header_size > HTTP_HEAD_MAX_BYTES)
        refuse(request, 431, "the request line and headers are limited to 8192 bytes", true);
    else if (framing.content_length > HTTP_BODY_MAX_BYTES)
        /* A client that sends first and reads later sees the answer only if its body was read: so read it,
         * within reason. */
        refuse(request, 413, "the body is limited to 65536 bytes",
               framing.expects_continue || framing.content_length > HTTP_DRAIN_MAX_BYTES);
    else if (request->target_fault)
        refuse(request, 400, request->target_fault, false);
}
