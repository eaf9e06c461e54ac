/* One connected, non-blocking stream socket, plain or with TLS: bytes in, bytes out.
 *
 * libevent's bufferevents read 4 KiB a call in this version whatever they are told, with an ioctl before
 * each; this reads what the caller has room for. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

struct redis_socket {
    int fd;                /* -1: none */
    struct ssl_st *ssl;    /* NULL: plain */
    ssize_t ended;         /* what the next receive will give, no event tells of it any more; 0: nothing */
    const char *tls_error; /* what the last -EPROTO was about */
};

#define REDIS_SOCKET_NONE                                                                                    \
    (struct redis_socket)                                                                                    \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* The least room a reader must offer: a TLS record's data. Less would leave data behind that no event tells
 * of. */
#define REDIS_SOCKET_ROOM_MIN (16 * 1024)

/* Closes, if anything is open. */
void redis_socket_close(struct redis_socket *s);
/* Bytes read; 0 where there is nothing now; -ENODATA where the peer has closed; else -errno (-EPROTO: TLS).
 */
ssize_t redis_socket_receive(struct redis_socket *s, char *data, size_t room);
/* Bytes sent; 0 where nothing can be sent now (what is offered next must begin with the same bytes); else
 * -errno. */
ssize_t redis_socket_send(struct redis_socket *s, const char *data, size_t len);
/* What an error of these means, for the log. */
const char *redis_socket_error(const struct redis_socket *s, ssize_t error);
