/* What a service tells the manager that started it (sd_notify's protocol, written here: a datagram of
 * NAME=value lines to $NOTIFY_SOCKET), and the watchdog that it feeds.
 *
 * Started by hand there is no $NOTIFY_SOCKET, and nothing happens. Nothing here blocks: what the manager does
 * not take at once is kept, in order and bounded, and sent again. The watchdog is fed by a timer of the loop
 * and by nothing else, so a loop that hangs is found out. */
#pragma once

struct log;
struct loop;
struct systemd;

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. Never NULL; LOG gets one warning where the socket's
 * address is no good, and later one where it does not answer. LOG may be NULL. */
struct systemd *systemd_new(struct loop *loop, struct log *log);
/* Sends what still waits, as far as it is taken at once. NULL is fine. */
void systemd_free(struct systemd *systemd);

/* READY=1 with the first turn of the loop, and from then on WATCHDOG=1 at half of $WATCHDOG_USEC. */
void systemd_start(struct systemd *systemd);
/* STATUS=WORD, where it differs from the last one. WORD is text of ours, of less than 96 bytes. */
void systemd_tell_status(struct systemd *systemd, const char *word);
/* RELOADING=1, and READY=1 when that is over, however it ended. */
void systemd_tell_reloading(struct systemd *systemd);
void systemd_tell_reloaded(struct systemd *systemd);
/* STOPPING=1. The watchdog is fed on until systemd_free. */
void systemd_tell_stopping(struct systemd *systemd);
