#include "redis_socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Larger writes cost Redis more than they save here: its socket buffer is about as large. */
#define SEND_MAX (192 * 1024)
/* What TLS makes one record of. A part that has to wait is offered again with at least the same length. */
#define TLS_SEND_MAX (16 * 1024)

void redis_socket_close(struct redis_socket *s)
{
    if (s->ssl) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* a courtesy: the peer may be gone */
        ERR_clear_error();
        SSL_free(s->ssl);
    }
    if (s->fd >= 0)
        (void)close(s->fd); /* nothing is lost by an error here: what was not answered is unknown anyway */
    *s = REDIS_SOCKET_NONE;
}

static ssize_t tls_result(struct redis_socket *s, int result)
{
    int saved = errno;

    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return -ENODATA;
    case SSL_ERROR_SYSCALL:
        return saved ? -saved : -ENODATA;
    default:
        s->tls_error = ERR_reason_error_string(ERR_peek_error());
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -ENODATA : -EPROTO;
    }
}

static ssize_t receive_tls(struct redis_socket *s, char *data, size_t room)
{
    size_t done = 0;

    if (s->ended)
        return s->ended;
    while (room - done >= REDIS_SOCKET_ROOM_MIN) {
        ERR_clear_error();
        errno = 0;

        int n = SSL_read(s->ssl, data + done, REDIS_SOCKET_ROOM_MIN);

        if (n <= 0) {
            ssize_t result = tls_result(s, n);

            s->ended = result;
            return done > 0 ? (ssize_t)done : result;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t redis_socket_receive(struct redis_socket *s, char *data, size_t room)
{
    if (s->ssl)
        return receive_tls(s, data, room);

    ssize_t n;

    do {
        n = recv(s->fd, data, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return -ENODATA;
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    return n;
}

ssize_t redis_socket_send(struct redis_socket *s, const char *data, size_t len)
{
    if (s->ssl) {
        ERR_clear_error();
        errno = 0;

        int n = SSL_write(s->ssl, data, (int)(len < TLS_SEND_MAX ? len : TLS_SEND_MAX));

        return n > 0 ? n : tls_result(s, n);
    }

    ssize_t n;

    do {
        n = send(s->fd, data, len < SEND_MAX ? len : SEND_MAX, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    return n;
}

const char *redis_socket_error(const struct redis_socket *s, ssize_t error)
{
    if (error == -ENODATA)
        return "the server closed the connection";
    if (error == -EPROTO)
        return s->tls_error ? s->tls_error : "TLS error";
    return strerror((int)-error);
}
