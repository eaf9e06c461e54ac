/* What all parts of a run share: what it is like, and how it tells its history. */
#pragma once

#include "core/fleet.h"
#include "core/ledger.h"
#include "rng.h"
#include "util/macros.h"

/* What a run is like, drawn from its seed. Times are short, so that much happens in few steps. */
struct settings {
    struct ledger_options ledger;
    struct fleet_options fleet;
    int64_t closed_ttl_s, lease_ms, reconcile_ms, poll_ms;
    int64_t reports_max_len, trades_max_len, events_max_len;
    int64_t skew_max_ms; /* how far a daemon's idea of the server's clock may be off */
    uint32_t read_count; /* entries per stream and read */
    size_t full_bytes;   /* of a batch, where reading waits */
    bool adopts;
    bool transacts; /* batches are stored by transactions too, however small; asked for, not drawn */
    /* What goes wrong. */
    bool crashes, loses_links, has_second, refuses, jumps, jumps_back;
    bool takes_signals; /* others remove signals */
    bool wipes, rolls_back;
    bool plants;        /* foreign types in the way of keys */
    bool writes_hashes; /* others write hashes of instances */
    bool spoils_shared; /* others plant or remove totals, journal and the like */
    bool cuts_streams;  /* others trim and delete streams, and destroy groups */
    bool is_tight;      /* max_tracked is reached */
    bool observes;      /* removes_nothing, up to the end */
    bool changes_mind;  /* removes_nothing now and then */
};

struct history;

/* What the store takes no more, for a while. */
enum refusal {
    REFUSES_NOTHING,
    REFUSES_WRITES,       /* OOM, MISCONF */
    REFUSES_AND_HANGS_UP, /* READONLY: writes, and the daemon drops its link */
    REFUSES_ALL,          /* BUSY, LOADING */
    REFUSES_ONE           /* NOPERM: one kind of command */
};

struct sim {
    struct rng rng;
    struct settings settings;
    uint64_t step;
    int64_t now_ms;    /* the server's clock, which may be set back */
    int64_t latest_ms; /* that it ever showed */
    bool failed, verbose;
    struct history *history;
    enum refusal refusal;
    uint32_t refused_call; /* with REFUSES_ONE: which (enum call_kind) */
    bool has_lost_data;    /* it was wiped or rolled back at least once */
};

struct history *history_new(void);
void history_free(struct history *history);
void history_reset(struct history *history);
void history_print(const struct history *history);

/* One line of the run's history. */
void sim_note(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
/* Something is wrong: the run ends after this step. */
void sim_fail(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);

/* Names of the streams, as configured by default. */
#define STREAM_NAMES  "instance_reports", "trade_signals", "trade_results", "trade_updates"
#define EVENTS_NAME   "instance_events"
#define COMMANDS_NAME "instance_commands"
#define GROUP_NAME    "mt5stated"
extern const char *const sim_streams[STREAM_KINDS];
