/* The invariants of SPEC §4 and the accounts, looked at whenever the store may have changed. */
#pragma once

#include "shell.h"
#include "world.h"

struct checks {
    struct sim *sim;
    struct store *store;
    struct world *world;
    uint64_t applied; /* as of the last look */
    struct stream_id positions[STREAM_KINDS];
    struct seen {
        uint64_t born, added; /* of a stream, as of the last look */
    } events_seen, lines_seen;
    /* What has been announced of each agent. */
    struct mirror {
        bool is_known;
        bool has_state;
        enum instance_state state;
        uint64_t seq;
    } mirrors[WORLD_AGENTS];
    uint32_t unfinished; /* the first signal that may still be open */
    uint64_t ended[WORLD_ACTIONS][4], received[WORLD_ACTIONS], repeated[WORLD_ACTIONS];
    uint64_t results[RESULT_STATUSES];
    uint32_t counted_signals, counted_results, counted_reports,
        counted_trades; /* made ones at or before the position */
    uint64_t malformed[STREAM_KINDS], kept_results, dropped;
    bool lacks_group[STREAM_KINDS]; /* others have destroyed it, and nothing was handled since */
    uint64_t looks;
};

void checks_init(struct checks *checks, struct sim *sim, struct store *store, struct world *world);
/* After the store carried something out. */
void checks_look(struct checks *checks);
/* What a daemon counts since its start. */
void checks_look_at_daemon(struct checks *checks, const struct shell *sh);
/* The store was wiped or rolled back: READ is what the active daemon had read by then. */
void checks_lose_data(struct checks *checks, const struct shell *sh);
/* Others took entries of stream K, or its group, or all of it. */
void checks_take_entries(struct checks *checks, enum stream_kind k);
/* Everything is read and settled, and SH is active. */
void checks_look_at_end(struct checks *checks, struct shell *sh);
