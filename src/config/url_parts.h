/* The parts that all addresses are made of: credentials, host and port. For the files of this layer alone. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

struct errmsg;

static inline struct slice slice_from(struct slice s, size_t at)
{
    return slice_of(s.data + at, s.len - at);
}

bool slice_begins(struct slice s, const char *prefix);
/* Cuts what is before the first SEPARATOR off *text into *ret_head; false, with nothing changed, where there
 * is none. */
bool cut_at(struct slice *text, char separator, struct slice *ret_head);

/* A percent-decoded copy, or NULL where an escape is broken or a byte is a control character. */
char *percent_decode(struct slice text);

/* Splits `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`. *port is left alone where none is given and NEED_PORT is
 * false. */
bool host_port_parse(struct slice text, bool need_port, struct slice *ret_host, uint16_t *port,
                     struct errmsg *why);

/* The part between `//`, behind which REST begins, and the path; the last @ in it ends the credentials. */
struct slice authority_of(struct slice rest);
/* How many bytes of AUTHORITY are credentials, the @ not counted. */
size_t credentials_len(struct slice authority);
