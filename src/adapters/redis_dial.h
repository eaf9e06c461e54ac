/* One try to reach a server: look up its name, connect to one address after the other, TLS. */
#pragma once

#include "adapters/redis_link.h"
#include "redis_socket.h"

struct loop;
struct redis_dial;

/* On success ERROR is NULL and the callee takes SOCKET over by copying it; else ERROR says what failed, last.
 */
typedef void (*redis_dial_fn)(void *ctx, const struct redis_socket *socket, const char *error);

/* FN is called once, from the loop, within TIMEOUT_MS; it may free the dial. FIRST rotates the order of the
 * addresses, for a server that takes connections and does not answer. ENDPOINT is borrowed. */
struct redis_dial *redis_dial_new(struct loop *loop, const struct redis_endpoint *endpoint,
                                  int64_t timeout_ms, unsigned first, redis_dial_fn fn, void *ctx);
/* Gives up. NULL is fine. */
void redis_dial_free(struct redis_dial *dial);
