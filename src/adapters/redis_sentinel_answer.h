/* What a Sentinel answers, as values. Everything in it is from outside: an address is one only where a name
 * or address could be spelled so, and what cannot be understood is no answer. */
#pragma once

#include "adapters/redis_link.h"

struct redisReply;

struct sentinel_address {
    char host[REDIS_HOST_MAX]; /* "" for none */
    uint16_t port;
};

bool sentinel_address_equal(const struct sentinel_address *a, const struct sentinel_address *b);
/* HOST:PORT, an IPv6 address in brackets. */
#define SENTINEL_ADDRESS_TEXT_MAX (REDIS_HOST_MAX + 9)
void sentinel_address_format(const struct sentinel_address *address, char out[SENTINEL_ADDRESS_TEXT_MAX]);

/* SENTINEL GET-MASTER-ADDR-BY-NAME: a list of address and port. */
bool sentinel_parse_address(const struct redisReply *reply, struct sentinel_address *ret_address);

/* SENTINEL MASTER: of its many fields these. */
struct sentinel_state {
    uint64_t epoch;     /* of its configuration: the higher, the newer */
    bool is_in_trouble; /* down for this one or for most, or being replaced */
};
bool sentinel_parse_state(const struct redisReply *reply, struct sentinel_state *ret_state);

#define SENTINEL_ID_LEN 40
/* SENTINEL MYID. The text is NUL-terminated. */
bool sentinel_parse_id(const struct redisReply *reply, char ret_id[SENTINEL_ID_LEN + 1]);

/* One of the list that SENTINEL SENTINELS gives. ID is "" where it has none. */
struct sentinel_other {
    struct sentinel_address at;
    char id[SENTINEL_ID_LEN + 1];
};
bool sentinel_parse_other(const struct redisReply *item, struct sentinel_other *ret_other);

/* True where a message of its channels is about the master NAME: `NAME …` (+switch-master) or
 * `TYPE NAME …` with TYPE master, or `TYPE … @ NAME …` for what belongs to it. */
bool sentinel_message_is_about(const struct redisReply *message, const char *name);
