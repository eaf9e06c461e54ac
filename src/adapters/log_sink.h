/* Where the lines go: a descriptor that is never waited for, and a bounded buffer in front of it.
 *
 * The flag O_NONBLOCK belongs to the open file, which a terminal or a pipe shares with other processes, so it
 * is never set on the descriptor given: the file is opened anew, a socket is written to with MSG_DONTWAIT,
 * and where neither can be done a small write is made only when poll says that there is room for it. */
#pragma once

#include "util/buf.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct log_sink;
struct loop;

/* DRAINED (CTX) is called when all that waited was written. LOOP may be NULL. FD stays the caller's. */
struct log_sink *log_sink_new(struct loop *loop, int fd, void (*drained)(void *ctx), void *ctx);
/* Writes what can be written at once, and frees. */
void log_sink_free(struct log_sink *sink);

/* True where SIZE bytes more fit into the buffer. */
bool log_sink_has_room(const struct log_sink *sink, size_t size);
/* Takes whole lines that fit, and writes what can be written at once. */
void log_sink_add(struct log_sink *sink, struct slice lines);
/* Tries again to write what waits, where no loop does it. */
void log_sink_retry(struct log_sink *sink);
/* Lines lost to write errors (a full disk, a reader that is gone). */
uint64_t log_sink_lost_lines(const struct log_sink *sink);
/* True where FD is the stream to the journal that $JOURNAL_STREAM names. */
bool log_sink_is_journal(int fd);
