/* The first words on a new connection: AUTH, SELECT, CLIENT SETNAME (PING where there is no name), and ROLE
 * where only a master will do; sent at once, judged one by one. */
#pragma once

#include "adapters/redis_link.h"
#include "util/buf.h"
#include "util/errmsg.h"

struct redisReply;

enum redis_greeting { REDIS_GREET_AUTH, REDIS_GREET_SELECT, REDIS_GREET_NAME, REDIS_GREET_ROLE };

struct redis_handshake {
    enum redis_greeting steps[4];
    size_t count;
    size_t done;
    bool no_master;      /* ROLE has said that this is something else */
    struct buf password; /* kept to see whether an error repeats it; wiped at the end */
};

/* Adds the commands to OUT. False, with ERR, where the password cannot be read. */
bool redis_handshake_begin(struct redis_handshake *h, const struct redis_endpoint *endpoint,
                           const char *client_name, bool needs_master, struct buf *out, struct errmsg *err);

enum redis_handshake_state { REDIS_HANDSHAKE_MORE, REDIS_HANDSHAKE_DONE, REDIS_HANDSHAKE_FAILED };

/* Judges the next answer; ERR says what the server refused. */
enum redis_handshake_state redis_handshake_take(struct redis_handshake *h, const struct redisReply *reply,
                                                struct errmsg *err);
/* What is being waited for, for the log. */
const char *redis_handshake_step(const struct redis_handshake *h);
void redis_handshake_clear(struct redis_handshake *h);
