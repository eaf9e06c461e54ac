/* Taking in: keeps one read of the streams under way, hands each entry to the core, and judges what time
 * has done once it is known what was waiting.
 *
 * While there is more than one read brings, the next one is asked for before what the last has brought is
 * taken in, so that Redis and this process work at the same time. A read belongs to the positions that it was
 * asked behind: where something else has moved one of them since, nothing of it is taken in.
 *
 * A position is what has been taken in; it goes out with the batch that holds the effects. A horizon is the
 * Redis time up to which a stream is known to have been read to its end: nothing is judged late beyond it. */
#pragma once

#include "adapters/redis_stream.h"
#include "codec/batch.h"
#include "core/stream.h"
#include <stdbool.h>

struct daemon;
struct loop_timer;
struct tap;

/* Rejected entries by stream and field; the fields are static text. */
#define INGEST_REASONS_MAX 64
struct ingest_reason {
    enum stream_kind stream;
    const char *field;
    uint64_t count;
};

/* IDs of handled entries at regular distances: where to trim so that about max_len handled ones stay. */
struct id_marks {
    struct stream_id *ids;
    uint32_t cap, count, first;
    uint32_t stride;
    uint64_t handled; /* since the last mark */
    uint64_t older;   /* that were noted as such */
    bool has_old;     /* what lies before the first mark is to be trimmed */
};

struct ingest_stream {
    struct stream_id read;    /* the last entry that was read */
    struct stream_id handled; /* the last whose effects are in a batch */
    struct stream_id stored;  /* as it stands in the batches so far */
    int64_t horizon_ms;
    uint64_t entries;
    bool at_end;           /* the last read found nothing further */
    bool wrong_type;       /* not a stream: left out until that is mended */
    struct id_marks marks; /* reports and trades */
};

struct ingest {
    struct daemon *d;
    struct tap *tap; /* of home */
    struct redis_stream *reader;
    struct redis_stream_names names[STREAM_KINDS];
    struct ingest_stream streams[STREAM_KINDS];
    bool is_skipping; /* nothing more of this read is taken in */
    /* Where results and signals are on different servers (app/far_results.h). */
    bool is_far;                      /* the results are here, and the signals are not */
    bool results_wait;                /* of these: signals take none, so they are read again */
    struct stream_id results_applied; /* of the signals: to where that is stored */
    int64_t quick_ms;                 /* monotonic: the last read that did not wait */
    struct loop_timer *retry;
    bool probing;
    struct stream_id *late;
    bool *late_present;
    size_t late_count;
    bool probe_whole_script;
    struct ingest_reason reasons[INGEST_REASONS_MAX];
    uint32_t reason_count;
    const char *trouble; /* why the streams cannot be read; NULL while they can */
};

void ingest_init(struct ingest *in, struct daemon *d);
void ingest_clear(struct ingest *in);
void ingest_start(struct ingest *in);
/* Forgets positions and horizons. */
void ingest_reset(struct ingest *in);
void ingest_set_position(struct ingest *in, enum stream_kind stream, struct stream_id position);
/* An entry of the reports or trades that has been handled: for trimming. Ascending. */
void ingest_note_handled(struct ingest *in, enum stream_kind stream, struct stream_id id);
/* One at or before the position that is still there (loading). Descending, ahead of all others. */
void ingest_note_older(struct ingest *in, enum stream_kind stream, struct stream_id id);

/* Reads on if nothing is under way and there is room. */
void ingest_go_on(struct ingest *in);
/* Time, or an answer, may have made something due. */
void ingest_judge(struct ingest *in);
/* The same, and what it brings about goes out. */
void ingest_wake(struct ingest *in);
/* Positions, totals and trims for a batch that is about to be sealed. */
void ingest_finish_batch(struct ingest *in, struct batch *batch);
bool ingest_has_news(const struct ingest *in);

void ingest_count_rejected(struct ingest *in, enum stream_kind stream, const char *field, uint64_t count);
/* Takes in a signal or a result that lies below the position and that nobody has read: after Redis has gone
 * back, others may have written there. */
void ingest_take_unread(struct ingest *in, const struct entry *entry);
/* Rejects the entry of CAUSE; a known instance has given a sign of life. */
void ingest_reject(struct ingest *in, const struct entry *entry, const char *field, struct slice reason);
/* KEY is one of the streams that are read. */
bool ingest_owns_stream(const struct ingest *in, struct slice key);
void ingest_stream_is_wrong(struct ingest *in, struct slice key, struct slice type);
void ingest_stream_is_right(struct ingest *in, enum stream_kind stream);
/* The stream was made anew with lower IDs: it is read from its beginning. */
void ingest_stream_restarted(struct ingest *in, enum stream_kind stream);
/* Trades behind the lookup: everything up to ID has been taken in. */
void ingest_trade_handled(struct ingest *in, struct stream_id id);
