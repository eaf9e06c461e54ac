/* Sentinel: who the master is, asked of several, followed as it moves (SPEC §10).
 *
 * All Sentinels that are known are asked, those of the options first, then those that these name: each
 * second, and each 100 ms while a failover runs or no link has reached the master. Each also tells of what it
 * sees through its channels, and is asked at once when it does. Who counts where they differ is said in
 * src/adapters/redis_sentinel_vote.h. The one whose word was taken comes first from then on.
 *
 * The links that use the locator are moved when the address changes. Once one of them has ended, none
 * connects before a Sentinel has confirmed the address; one tries it first, and the others follow when it is
 * up.
 *
 * One that cannot be reached, refuses, or does not know the master is tried at most twice a second; so is a
 * server that is named as master and says that it is none. Each is a line in the log. */
#pragma once

#include "adapters/redis_link.h"

struct log;
struct redis_sentinel;

/* As many are known at most, those of the options among them. */
#define REDIS_SENTINELS_MAX 16

struct redis_sentinel_place {
    enum redis_scheme scheme; /* those that it names are reached in the same way */
    const char *host;
    uint16_t port;
};

/* Text is borrowed for the life of it. */
struct redis_sentinel_options {
    const struct redis_sentinel_place *places;
    size_t place_count; /* 1 at least */
    const char *master_name;
    const char *client_name;
    const char *username, *password_file; /* of the Sentinels; "" for none */
    const char *tls_ca_file, *tls_cert_file, *tls_key_file;
    int connect_timeout_ms, command_timeout_ms;
};

/* What keeps a Sentinel from being of use, for people; never a password. */
typedef void (*redis_sentinel_trouble_fn)(void *ctx, const char *text);

/* Copies OPTIONS but not what they point to. Never NULL. */
struct redis_sentinel *redis_sentinel_new(struct loop *loop, struct log *log,
                                          const struct redis_sentinel_options *options,
                                          redis_sentinel_trouble_fn trouble, void *ctx);
/* After the links that use its locator. NULL is fine. */
void redis_sentinel_free(struct redis_sentinel *sentinel);
void redis_sentinel_start(struct redis_sentinel *sentinel);

/* For the options of links; lives as long as the sentinel. */
const struct redis_locator *redis_sentinel_locator(struct redis_sentinel *sentinel);

struct redis_sentinel_stats {
    size_t known, answering; /* Sentinels; those that have named the master within 5 s */
    uint64_t switches;       /* times the address has changed */
};
void redis_sentinel_get_stats(const struct redis_sentinel *sentinel, struct redis_sentinel_stats *ret_stats);
