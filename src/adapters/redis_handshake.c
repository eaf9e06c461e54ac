/* Authentication, database and name of a connection. Secrets: the password is kept in memory that is wiped,
 * and no error text that repeats it is passed on (a server without AUTH quotes the arguments of the command
 * it does not know). */
#include "redis_handshake.h"

#include "redis_format.h"
#include "util/macros.h"
#include "util/number.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD_MAX_BYTES 4096

static const char *const step_names[] = {
    [REDIS_GREET_AUTH] = "AUTH",
    [REDIS_GREET_SELECT] = "SELECT",
    [REDIS_GREET_NAME] = "CLIENT SETNAME",
    [REDIS_GREET_ROLE] = "ROLE",
};

static void wipe_buf(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_clear(b);
}

void redis_handshake_clear(struct redis_handshake *h)
{
    wipe_buf(&h->password);
    *h = (struct redis_handshake){0};
}

/* Bytes read up to the end of the file, or -errno. Never waits, whatever kind of file it is. */
static ssize_t read_small_file(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    do {
        n = read(fd, out + len, room - len);
        if (n > 0)
            len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        n = -errno;
    (void)close(fd); /* read only */
    return n < 0 ? n : (ssize_t)len;
}

static size_t without_last_newline(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '\n')
        return len;
    len--;
    return len > 0 && text[len - 1] == '\r' ? len - 1 : len;
}

static bool read_password(struct redis_handshake *h, const struct redis_endpoint *endpoint,
                          struct errmsg *err)
{
    const char *path = endpoint->password_file;

    if (!path[0]) {
        buf_add_text(&h->password, endpoint->password);
        return true;
    }

    char *at = buf_reserve(&h->password, PASSWORD_MAX_BYTES + 1);
    ssize_t n = read_small_file(path, at, PASSWORD_MAX_BYTES + 1);

    if (n < 0) {
        errmsg_set(err, "password file %s: %s", path, strerror((int)-n));
        return false;
    }
    if (n > PASSWORD_MAX_BYTES) {
        errmsg_set(err, "password file %s: more than %d bytes", path, PASSWORD_MAX_BYTES);
        return false;
    }
    h->password.len = without_last_newline(at, (size_t)n);
    if (h->password.len == 0)
        errmsg_set(err, "password file %s: empty", path);
    return h->password.len > 0;
}

static void add_step(struct redis_handshake *h, enum redis_greeting step, struct buf *out,
                     const struct slice *argv, size_t argc)
{
    redis_format_command(out, argv, argc);
    h->steps[h->count++] = step;
}

static void add_auth(struct redis_handshake *h, const struct redis_endpoint *endpoint, struct buf *out)
{
    struct slice argv[3] = {SLICE("AUTH")};
    size_t argc = 1;

    if (endpoint->username[0])
        argv[argc++] = slice_text(endpoint->username);
    argv[argc++] = buf_slice(&h->password);
    add_step(h, REDIS_GREET_AUTH, out, argv, argc);
}

bool redis_handshake_begin(struct redis_handshake *h, const struct redis_endpoint *endpoint,
                           const char *client_name, bool needs_master, struct buf *out, struct errmsg *err)
{
    redis_handshake_clear(h);
    if (!read_password(h, endpoint, err))
        return false;
    if (endpoint->username[0] || h->password.len > 0)
        add_auth(h, endpoint, out);
    if (endpoint->db != 0) {
        char db[NUMBER_TEXT_MAX];
        struct slice argv[] = {SLICE("SELECT"), slice_of(db, number_format_i64(db, endpoint->db))};

        add_step(h, REDIS_GREET_SELECT, out, argv, ARRAY_LEN(argv));
    }
    if (client_name && client_name[0]) {
        struct slice argv[] = {SLICE("CLIENT"), SLICE("SETNAME"), slice_text(client_name)};

        add_step(h, REDIS_GREET_NAME, out, argv, ARRAY_LEN(argv));
    } else {
        struct slice argv[] = {SLICE("PING")};

        add_step(h, REDIS_GREET_NAME, out, argv, ARRAY_LEN(argv));
    }
    if (needs_master) {
        struct slice argv[] = {SLICE("ROLE")};

        add_step(h, REDIS_GREET_ROLE, out, argv, ARRAY_LEN(argv));
    }
    return true;
}

static bool contains_text(struct slice text, const char *part)
{
    return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* Without a name one can live, so most errors of the last step do not matter. These say that the connection
 * is not ours to use, and are what a server says to whatever comes first. */
static bool is_refusal(struct slice text)
{
    return redis_error_classify(text) == REDIS_ERROR_NOAUTH || contains_text(text, "DENIED") ||
           contains_text(text, "max number of clients");
}

static void explain_refusal(const struct redis_handshake *h, enum redis_greeting step, struct slice text,
                            struct errmsg *err)
{
    struct slice password = buf_slice(&h->password);

    if (password.len > 0 && memmem(text.data, text.len, password.data, password.len))
        errmsg_set(err, "%s refused (the server's answer repeats the password)", step_names[step]);
    else
        errmsg_set(err, "%s refused: %.*s", step_names[step], (int)(text.len < 200 ? text.len : 200),
                   text.data);
}

/* An array whose first element is a word. */
static bool judge_role(struct redis_handshake *h, const struct redisReply *reply, struct errmsg *err)
{
    const struct redisReply *role =
        reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 ? reply->element[0] : NULL;

    if (!role || role->type != REDIS_REPLY_STRING) {
        errmsg_set(err, "%s: not an answer of Redis", step_names[REDIS_GREET_ROLE]);
        return false;
    }
    if (slice_is(slice_of(role->str, role->len), "master"))
        return true;
    h->no_master = true;
    errmsg_set(err, "not a master: %s says %.*s", step_names[REDIS_GREET_ROLE],
               (int)(role->len < 20 ? role->len : 20), role->str);
    return false;
}

static bool judge_status(enum redis_greeting step, const struct redisReply *reply, struct errmsg *err)
{
    if (reply->type == REDIS_REPLY_ERROR || reply->type == REDIS_REPLY_STATUS)
        return true;
    errmsg_set(err, "%s: not an answer of Redis", step_names[step]);
    return false;
}

enum redis_handshake_state redis_handshake_take(struct redis_handshake *h, const struct redisReply *reply,
                                                struct errmsg *err)
{
    enum redis_greeting step = h->steps[h->done];
    struct slice text = reply->str ? slice_of(reply->str, reply->len) : slice_text("");

    if (reply->type == REDIS_REPLY_ERROR && (step != REDIS_GREET_NAME || is_refusal(text))) {
        explain_refusal(h, step, text, err);
        return REDIS_HANDSHAKE_FAILED;
    }
    if (step == REDIS_GREET_ROLE ? !judge_role(h, reply, err) : !judge_status(step, reply, err))
        return REDIS_HANDSHAKE_FAILED;
    h->done++;
    return h->done == h->count ? REDIS_HANDSHAKE_DONE : REDIS_HANDSHAKE_MORE;
}

const char *redis_handshake_step(const struct redis_handshake *h)
{
    return step_names[h->done < h->count ? h->steps[h->done] : REDIS_GREET_NAME];
}
