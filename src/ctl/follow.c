/* All on one multi handle of libcurl, with the signals as a descriptor among the sockets. */
#include "ctl/follow.h"

#include "codec/json_text.h"
#include "util/alloc.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MIN_MS  200
#define RETRY_MAX_MS  2000
#define PROBLEM_MAX   65536
#define SILENCE_MAX_S 60 /* the daemon says something every few seconds, if only that it is there */
#define EVENT_STREAM  "text/event-stream"

struct channel {
    struct ctl *ctl;
    struct follow *follow;
    CURL *curl; /* NULL: waits for retry_ms */
    struct curl_slist *headers;
    struct response problem; /* what came instead of events */
    char error[CURL_ERROR_SIZE];
    bool has_begun; /* this connection has brought a 200 */
    bool was_up;    /* any has */
    bool is_lost;   /* and that was said */
    bool has_ended; /* by a callback */
    int64_t began_ms, retry_ms, delay_ms;
};

struct run {
    struct channel *channels;
    size_t count;
    CURLM *multi;
    int signals;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- one connection ---- */

static bool is_event_stream(CURL *curl)
{
    const char *type = NULL;
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type && strncasecmp(type, EVENT_STREAM, strlen(EVENT_STREAM)) == 0;
}

static void note_up(struct channel *channel)
{
    if (channel->has_begun)
        return;
    channel->has_begun = channel->was_up = true;
    channel->delay_ms = RETRY_MIN_MS;
    if (channel->is_lost) {
        ctl_complain("connected again");
        if (channel->follow->on_return)
            channel->has_ended = !channel->follow->on_return(channel->follow->sse.ctx);
    }
    channel->is_lost = false;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct channel *channel = ctx;
    size_t len = size * count;

    if (!is_event_stream(channel->curl)) {
        if (channel->problem.body.len + len <= PROBLEM_MAX)
            buf_add(&channel->problem.body, data, len);
        return len;
    }
    note_up(channel);
    if (!channel->has_ended && sse_feed(&channel->follow->sse, slice_of(data, len)))
        return len;
    channel->has_ended = true;
    return 0;
}

/* The header has come, though no event has yet. */
static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct channel *channel = ctx;
    size_t len = size * count;

    if (len == 2 && data[0] == '\r' && is_event_stream(channel->curl))
        note_up(channel);
    return len;
}

static struct curl_slist *make_headers(const struct channel *channel)
{
    const struct client *client = &channel->ctl->client;
    struct buf *id = &channel->follow->sse.last_id, line = BUF_INIT;
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: " EVENT_STREAM);

    if (client->token)
        headers = curl_slist_append(headers, client->token->data);
    if (id->len > 0 && !memchr(id->data, '\n', id->len)) {
        buf_add_text(&line, "Last-Event-ID: ");
        buf_add_slice(&line, buf_slice(id));
        headers = curl_slist_append(headers, buf_text(&line));
    }
    buf_clear(&line);
    return headers;
}

static void connect_channel(struct run *run, struct channel *channel)
{
    CURL *curl;

    channel->headers = make_headers(channel);
    curl = client_open(&channel->ctl->client, channel->follow->path, channel->headers);
    if (!curl)
        abort(); /* out of memory */
    channel->curl = curl;
    channel->has_begun = false;
    channel->began_ms = now_ms();
    channel->error[0] = '\0';
    buf_reset(&channel->problem.body, SIZE_MAX);
    sse_restart(&channel->follow->sse);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, channel);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, channel->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, channel);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, channel);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_MAX_S);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    (void)curl_multi_add_handle(run->multi, curl);
}

static void disconnect_channel(struct run *run, struct channel *channel)
{
    if (!channel->curl)
        return;
    (void)curl_multi_remove_handle(run->multi, channel->curl);
    curl_easy_cleanup(channel->curl);
    curl_slist_free_all(channel->headers);
    channel->curl = NULL;
    channel->headers = NULL;
}

/* ---- what becomes of it ---- */

/* The connection of CHANNEL has ended with RESULT; a code, or -1 where it is made again. */
static int judge(struct channel *channel, CURLcode result)
{
    struct errmsg why;
    long status = 0;
    bool is_stream = is_event_stream(channel->curl);

    (void)curl_easy_getinfo(channel->curl, CURLINFO_RESPONSE_CODE, &status);
    channel->problem.status = (int)status;
    if (channel->has_ended)
        return CTL_REFUSED;
    if (result == CURLE_OK && !is_stream && status >= 300 && (status < 500 || !channel->was_up))
        return ctl_refused(channel->ctl, &channel->problem);
    if (result == CURLE_OK && !is_stream && status < 300) {
        ctl_complain("what answers at %s is not mt5stated", channel->ctl->client.shown);
        return CTL_AWAY;
    }
    if (!channel->was_up) {
        client_explain(&channel->ctl->client, channel->curl, result, channel->error, &why);
        ctl_complain("%s", why.text);
        return CTL_AWAY;
    }
    if (!channel->is_lost)
        ctl_complain("connection to the daemon lost, trying again");
    channel->is_lost = true;
    return -1;
}

static void wait_to_retry(struct channel *channel)
{
    channel->retry_ms = now_ms() + channel->delay_ms;
    channel->delay_ms = channel->delay_ms * 2 < RETRY_MAX_MS ? channel->delay_ms * 2 : RETRY_MAX_MS;
}

/* Takes care of the connections that have ended; a code, or -1. */
static int take_ends(struct run *run)
{
    int left, code = -1;
    const CURLMsg *message;

    while (code < 0 && (message = curl_multi_info_read(run->multi, &left))) {
        CURLcode result = message->data.result;
        struct channel *channel = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&channel);
        code = judge(channel, result);
        disconnect_channel(run, channel);
        wait_to_retry(channel);
    }
    return code;
}

/* Who accepts a connection and then says nothing is given up as well; a code, or -1. */
static int take_timeouts(struct run *run)
{
    int code = -1;

    for (size_t i = 0; code < 0 && i < run->count; i++) {
        struct channel *channel = &run->channels[i];

        if (!channel->curl && now_ms() >= channel->retry_ms) {
            connect_channel(run, channel);
        } else if (channel->curl && !channel->has_begun &&
                   now_ms() - channel->began_ms > channel->ctl->client.timeout_ms) {
            code = judge(channel, CURLE_OPERATION_TIMEDOUT);
            disconnect_channel(run, channel);
            wait_to_retry(channel);
        }
    }
    return code;
}

static int run_round(struct run *run)
{
    struct curl_waitfd signals = {.fd = run->signals, .events = CURL_WAIT_POLLIN};
    int running, code = take_timeouts(run);

    if (code >= 0)
        return code;
    (void)curl_multi_perform(run->multi, &running);
    code = take_ends(run);
    if (code >= 0)
        return code;
    (void)curl_multi_poll(run->multi, &signals, 1, RETRY_MIN_MS, NULL);
    return signals.revents ? CTL_DONE : -1;
}

static bool open_run(struct run *run)
{
    sigset_t mask;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    run->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    run->multi = curl_multi_init();
    return run->signals >= 0 && run->multi;
}

int follow_run(struct ctl *ctl, struct follow *follows, size_t count)
{
    struct run run = {.channels = mem_new(count, sizeof(struct channel)), .count = count};
    int code = open_run(&run) ? -1 : CTL_AWAY;

    if (code >= 0)
        ctl_complain("cannot wait for events: %s", strerror(errno));
    for (size_t i = 0; i < count; i++)
        run.channels[i] = (struct channel){.ctl = ctl, .follow = &follows[i], .delay_ms = RETRY_MIN_MS};
    while (code < 0)
        code = run_round(&run);
    for (size_t i = 0; i < count; i++) {
        disconnect_channel(&run, &run.channels[i]);
        buf_clear(&run.channels[i].problem.body);
        sse_clear(&follows[i].sse);
    }
    (void)curl_multi_cleanup(run.multi);
    if (run.signals >= 0)
        (void)close(run.signals);
    free(run.channels);
    return code;
}

/* ---- what came ---- */

bool follow_add_json(struct buf *out, const struct sse_event *event, bool has_id)
{
    struct errmsg why;
    cJSON *root = json_read(event->data, &why);
    bool is_object = cJSON_IsObject(root), is_empty = is_object && !root->child;
    const char *at = is_object ? memchr(event->data.data, '{', event->data.len) : NULL;

    cJSON_Delete(root);
    if (!at)
        return false;
    buf_add_char(out, '{');
    if (has_id) {
        buf_add_text(out, "\"id\":");
        json_add_string(out, event->id);
        buf_add_text(out, is_empty ? "" : ",");
    }
    for (at++; at < event->data.data + event->data.len; at++)
        buf_add_char(out, *at == '\n' ? ' ' : *at); /* outside of texts only */
    return true;
}
