/* TLS for a link: version 1.2 or later, the server's certificate and its name always verified. */
#pragma once

#include "adapters/redis_link.h"
#include "util/errmsg.h"

struct ssl_st;

/* A TLS client over FD, which stays the caller's. The files are read at each call. NULL, with ERR, where one
 * of them is unfit. */
struct ssl_st *redis_tls_new(const struct redis_endpoint *endpoint, int fd, struct errmsg *err);

enum redis_tls_state { REDIS_TLS_DONE, REDIS_TLS_WANT_READ, REDIS_TLS_WANT_WRITE, REDIS_TLS_FAILED };

/* Goes on with the handshake; ERR says why it failed. */
enum redis_tls_state redis_tls_connect(struct ssl_st *ssl, struct errmsg *err);
