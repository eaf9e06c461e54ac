#include "ctl/client.h"

#include "util/alloc.h"
#include "util/number.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_MAX      4096
#define CLOCK_SLACK_MS 2000 /* the header Date has whole seconds */
#define SOCKET_MAX     (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* ---- where, and who we are ---- */

static bool has_scheme(const char *url, const char *scheme)
{
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static bool is_plain(const char *url)
{
    for (; *url; url++) {
        if ((unsigned char)*url <= ' ' || *url == 0x7f || strchr("?#@\\", *url))
            return false;
    }
    return true;
}

static bool set_unix(struct client *client, const char *path, struct errmsg *why)
{
    if (path[0] != '/' || strlen(path) > SOCKET_MAX) {
        errmsg_set(why, "the path of a unix socket begins with / and has at most %zu bytes", SOCKET_MAX);
        return false;
    }
    client->socket = mem_copy_text(path, strlen(path));
    client->base = mem_copy_text("http://localhost", strlen("http://localhost"));
    return true;
}

static bool set_http(struct client *client, const char *url, struct errmsg *why)
{
    bool is_http = has_scheme(url, "http://") || has_scheme(url, "https://");
    const char *host = is_http ? strchr(url, ':') + 3 : url;
    struct buf base = BUF_INIT;

    if (!is_plain(url) || *host == '\0' || *host == '/' || (!is_http && strstr(url, "://"))) {
        errmsg_set(why, "the URL is none of http://HOST:PORT, https://HOST:PORT, HOST:PORT, unix:/PATH");
        return false;
    }
    buf_add_text(&base, is_http ? "" : "http://");
    buf_add_text(&base, url);
    while (base.data[base.len - 1] == '/')
        base.len--;
    client->base = mem_copy_text(base.data, base.len);
    buf_clear(&base);
    return true;
}

static bool is_bare(int fd)
{
    struct stat found;

    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && (found.st_mode & S_IROTH) != 0;
}

/* Reads the file whole; false where it cannot be, or is longer than a token. */
static bool read_token(struct client *client, const char *path, char text[TOKEN_MAX + 1], size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;
    size_t len = 0;

    if (fd < 0)
        return false;
    while (len <= TOKEN_MAX && got > 0) {
        got = read(fd, text + len, TOKEN_MAX + 1 - len);
        if (got > 0)
            len += (size_t)got;
    }
    client->is_token_bare = is_bare(fd);
    (void)close(fd);
    if (len > TOKEN_MAX)
        errno = EFBIG;
    *ret_len = len;
    return got == 0;
}

static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f)
            return false;
    }
    return len > 0;
}

static bool set_token(struct client *client, const char *path, struct errmsg *why)
{
    char text[TOKEN_MAX + 1];
    struct buf header = BUF_INIT;
    size_t len = 0;

    if (!read_token(client, path, text, &len)) {
        errmsg_set(why, "%s: %s", path, strerror(errno));
        return false;
    }
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (!is_token(text, len)) {
        errmsg_set(why, "%s: there is no token in it", path);
        return false;
    }
    buf_add_text(&header, "Authorization: Bearer ");
    buf_add(&header, text, len);
    client->token = curl_slist_append(NULL, buf_text(&header));
    explicit_bzero(header.data, header.len);
    explicit_bzero(text, sizeof(text));
    buf_clear(&header);
    return true;
}

bool client_init(struct client *client, const char *url, const char *token_file, int64_t timeout_ms,
                 struct errmsg *why)
{
    *client = (struct client){.timeout_ms = timeout_ms, .shown = mem_copy_text(url, strlen(url))};
    if ((has_scheme(url, "unix:") ? set_unix(client, url + strlen("unix:"), why)
                                  : set_http(client, url, why)) &&
        (token_file[0] == '\0' || set_token(client, token_file, why)))
        client->curl = curl_easy_init();
    if (client->curl)
        return true;
    client_clear(client);
    return false;
}

void client_clear(struct client *client)
{
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->token);
    free(client->base);
    free(client->socket);
    free(client->shown);
    *client = (struct client){0};
}

/* ---- asking ---- */

struct answer {
    struct response *response;
    bool is_too_long;
};

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct answer *answer = ctx;
    size_t len = size * count;

    if (answer->response->body.len + len > CLIENT_BODY_MAX_BYTES) {
        answer->is_too_long = true;
        return 0;
    }
    buf_add(&answer->response->body, data, len);
    return len;
}

static void note_clock(struct client *client, const char *line)
{
    time_t daemon_s = curl_getdate(line, NULL);
    int64_t ahead_ms = (int64_t)daemon_s * 1000 - (client_now_ms(client) - client->ahead_ms);

    if (daemon_s > 0 && (ahead_ms > CLOCK_SLACK_MS || ahead_ms < -CLOCK_SLACK_MS))
        client->ahead_ms = ahead_ms;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    static const char name[] = "Date:";
    size_t len = size * count;

    if (len > sizeof(name) && len < 100 && strncasecmp(data, name, sizeof(name) - 1) == 0) {
        char *value = mem_copy_text(data + sizeof(name) - 1, len - sizeof(name) + 1);

        note_clock(ctx, value);
        free(value);
    }
    return len;
}

/* What holds for every request. */
static void set_common(const struct client *client, CURL *curl, const char *path)
{
    struct buf url = BUF_INIT;

    buf_add_text(&url, client->base);
    buf_add_text(&url, path);
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url)); /* copied */
    buf_clear(&url);
    if (client->socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mt5statectl/" MT5_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->timeout_ms);
}

static void set_body(CURL *curl, const char *method, struct slice body)
{
    bool is_get = strcmp(method, "GET") == 0;

    if (!is_get)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body.len > 0 || strcmp(method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.len ? body.data : "");
    }
}

static struct curl_slist *make_headers(const struct client *client, bool has_body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    if (client->token)
        headers = curl_slist_append(headers, client->token->data);
    if (has_body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    return headers;
}

static void take_content_type(CURL *curl, struct response *response)
{
    const char *type = NULL;
    size_t len;

    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    len = type ? strcspn(type, "; ") : 0;
    if (len < sizeof(response->content_type))
        memcpy(response->content_type, type ? type : "", len);
}

bool client_ask(struct client *client, const char *method, const char *path, struct slice body,
                struct response *ret_response, struct errmsg *why)
{
    struct response response = {0};
    struct answer answer = {.response = &response};
    struct curl_slist *headers = make_headers(client, body.len > 0);
    char error[CURL_ERROR_SIZE] = "";
    CURL *curl = client->curl;
    long status = 0;
    CURLcode code;

    curl_easy_reset(curl); /* keeps the connection */
    set_common(client, curl, path);
    set_body(curl, method, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        client_explain(client, curl, code, answer.is_too_long ? "the answer is too long" : error, why);
        buf_clear(&response.body);
        return false;
    }
    response.status = (int)status;
    take_content_type(curl, &response);
    *ret_response = response;
    return true;
}

void response_clear(struct response *response)
{
    buf_clear(&response->body);
}

CURL *client_open(const struct client *client, const char *path, const struct curl_slist *headers)
{
    CURL *curl = curl_easy_init();

    if (!curl)
        return NULL;
    set_common(client, curl, path);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return curl;
}

/* libcurl's own text for a unix socket names a host and a port that play no part. */
void client_explain(const struct client *client, CURL *curl, CURLcode code, const char *error,
                    struct errmsg *why)
{
    long number = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number > 0)
        error = strerror((int)number);
    errmsg_set(why, "cannot reach the daemon at %s: %s", client->shown,
               error && error[0] ? error : curl_easy_strerror(code));
}

int64_t client_now_ms(const struct client *client)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + client->ahead_ms;
}

void client_add_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_safe = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       (c != '\0' && strchr("-._~", c) != NULL);

        if (is_safe)
            buf_add_char(out, (char)c);
        else
            buf_add_format(out, "%%%02X", c);
    }
}
