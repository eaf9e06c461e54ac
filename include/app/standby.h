/* Standing by: the state is held ready while another daemon is active (SPEC §10,
 * docs/decisions/0016-warm-standby.md).
 *
 * All of it is loaded once, and then followed: the active one tells with each batch which keys it changes
 * (codec/changes.h), and these are read again; the journal of signals is read on. Nothing is written.
 * Invariant: what is held is what Redis held at some moment at or behind batch `number`, and whatever has
 * changed since is named behind that number, or the state is dropped and loaded anew: numbers without a gap,
 * one epoch, a link that was never lost. Taking over is therefore one more pass, with nobody else writing any
 * more. */
#pragma once

#include "app/id_queue.h"
#include "app/left_epochs.h"
#include "core/stream.h"
#include "util/buf.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct loop_timer;

enum standby_state {
    STANDBY_OFF,       /* nobody else is active */
    STANDBY_WAITING,   /* until the active one knows that its changes are wanted, or to try again */
    STANDBY_LOADING,   /* the state is read for the first time */
    STANDBY_FOLLOWING, /* it is held */
    STANDBY_TAKING,    /* the lease is ours: the last pass */
};

enum takeover_kind { TAKEOVER_WARM, TAKEOVER_COLD };
#define TAKEOVER_KINDS 2
const char *takeover_kind_name(enum takeover_kind kind);

/* A field of a hash that is read again: its name in `names`. */
struct standby_field {
    size_t at, len;
    struct ident instance_id;
};

struct standby_fields {
    struct buf names;
    struct standby_field *items;
    uint32_t count, cap;
};

struct standby {
    struct daemon *d;
    struct loop_timer *timer;
    enum standby_state state;
    bool is_passing;
    char epoch[EPOCH_LEN + 1];         /* of the data that is held */
    uint64_t number;                   /* the changes of all batches up to it have been read */
    uint64_t page_number;              /* likewise, with the page that is at work */
    uint64_t applied;                  /* the last batch, when that was read */
    uint64_t gap;                      /* numbers that taking the lease has left out */
    bool has_more;                     /* there are further pages */
    bool has_instances;                /* some were read in this pass */
    struct id_queue instances, trades; /* of the page: to be read again */
    struct standby_fields alerts, notices;
    struct buf late;                  /* lines of it that are taken once the journal has been read */
    int64_t announced_ms, current_ms; /* monotonic; current_ms: nothing was missing then */
    int64_t begun_ms;                 /* monotonic: since when, or from when on, its state is that */
    int64_t retry_ms;                 /* how long to wait after the next failure */
    uint64_t batches, records; /* since the lease: whose changes were read; keys that were read again */

    /* Taking over. */
    bool is_measuring, is_warm;
    int64_t lease_us, taken_us; /* monotonic */
    double takeover_seconds;    /* of the last one, from the lease to the first batch; 0: none yet */
    uint64_t takeovers[TAKEOVER_KINDS], loads, passes;
};

void standby_init(struct standby *s, struct daemon *d);
void standby_clear(struct standby *s);
/* Another daemon is active: begins to hold the state ready. */
void standby_start(struct standby *s);
/* Nothing is followed any more; what is held is the caller's to forget. */
void standby_stop(struct standby *s);
/* What is held may be wrong: it is dropped, and read anew soon. */
void standby_drop(struct standby *s, const char *why);
/* The lease is ours since now, after it was another's where HAS_CHANGED: the state of EPOCH is brought up to
 * date, and lead_on_loaded called. False where none is held: nothing is done. */
bool standby_take_over(struct standby *s, const char *epoch, bool has_changed);
/* It is active by now. */
void standby_on_active(struct standby *s);
/* A batch is stored. */
void standby_on_stored(struct standby *s);

/* For load.c: the first read is through / something has failed, of it or of a pass. */
void standby_on_loaded(struct standby *s);
void standby_on_failed(struct standby *s, const char *why);

/* Whether the state is held. */
bool standby_is_warm(const struct standby *s);
/* Batches whose changes have not been read; for how long that has been so. 0 where nothing is followed. */
uint64_t standby_lag_batches(const struct standby *s);
double standby_lag_seconds(const struct standby *s);
