/* The parts of the ledger, each in a file of its own; nobody but src/core/ledger*.c includes this.
 *
 * HASH is everywhere map_hash of a signal_id: all maps of a ledger share one key, so it is computed once. */
#pragma once

#include "core/ledger.h"
#include "id_log.h"

#define NONE UINT32_MAX

struct signal_link {
    uint32_t prev, next;
};

/* Ids up to this length lie in their signal, longer ones in a slab of their own: most are UUIDs, which have
 * 36 bytes, or shorter. */
#define SHORT_ID_MAX 40

struct long_id {
    union {
        char text[IDENT_MAX];
        uint32_t next_free;
    };
};

struct open_signal {
    struct stream_id entry;
    uint64_t accepted_ms; /* of the result that accepted it; meaningless where it was not */
    union {
        char id[SHORT_ID_MAX];
        uint32_t long_id; /* its number, where id_len is above SHORT_ID_MAX */
    };
    struct signal_link link[2];    /* in the list of all, and in the one of its deadline */
    uint32_t duplicates;           /* the first of the entries that wait with it, or NONE */
    uint32_t instance, generation; /* the addressee's slot in the fleet, or NONE (ledger_addressee.c) */
    unsigned char id_len;
    unsigned char action; /* number of its label */
    bool is_accepted;
    bool is_journaled; /* false for one that only the stream told of at the start */
};

/* Every open signal is in LIST_ALL and in one of the others, each sorted as it says. */
enum signal_list_kind { LIST_ALL, LIST_WAITING, LIST_ACCEPTED };
#define SIGNAL_LISTS 3

struct signal_list {
    uint32_t first, last;
};

struct duplicate {
    struct stream_id entry;
    uint32_t next;
};

struct open_signals {
    struct open_signal *items;
    uint32_t item_count, cap, free_head; /* free ones are chained through link[0].next */
    uint32_t count;
    struct map map;
    struct signal_list lists[SIGNAL_LISTS];
    struct duplicate *duplicates;
    uint32_t duplicate_items, duplicate_cap, duplicate_free, duplicate_count;
    struct long_id *long_ids;
    uint32_t long_items, long_cap, long_free;
    uint32_t retell;       /* the next to be told the journal anew (ledger_journal.c); NONE: nobody */
    uint32_t retell_ahead; /* likewise, of those whose IDs were ahead of the clock */
    uint32_t write_back;   /* likewise, by ledger_write_back.c */
    bool is_sorted;        /* false while loading: what is found is appended, and sorted once at the end */
};

/* A result whose signal has not been read. Those of one signal are chained in order of arrival, and the first
 * of them is in the map. */
struct early_result {
    struct stream_id result;
    struct ident signal_id;
    unsigned char status;
    bool was_due; /* already when it was loaded: it has been counted before */
    uint32_t prev, next;
    uint32_t next_same;
    uint32_t last_same; /* of the first one only */
};

/* Addressees that were not there yet when the journal named them. Empty but while the state is read. */
struct addressee_names {
    struct ident *names;
    uint32_t count, cap;
    struct map map;
};

struct early_results {
    struct early_result *items;
    uint32_t item_count, cap, free_head;
    uint32_t count, oldest, newest;
    uint32_t write_back; /* the next to be told anew (ledger_write_back.c); NONE: nobody */
    struct map map;
};

struct entry_list {
    struct stream_id *items;
    size_t count, cap;
};

/* Ended signals that were left in their stream (ledger_left.c). 0-0: none. */
struct left_entries {
    struct stream_id until;   /* up to here there may be some */
    struct stream_id stored;  /* as the sink was last told */
    struct stream_id trimmed; /* those before it have been removed after all */
};

#define LATENCY_BUCKETS   15
#define SLIPPAGE_BUCKETS  13
#define EXECUTION_BUCKETS 14

struct ledger {
    struct ledger_options options;
    struct fleet *fleet;
    struct hash_key key;
    int64_t now_ms;           /* the last one that was told */
    int64_t expired_ms;       /* the last one that was told to ledger_expire */
    int64_t read_ms;          /* up to here signals and results are known to have been read */
    int64_t hold_ms;          /* nothing is given up before; INT64_MIN: no hold */
    ledger_event_fn on_event; /* NULL: events are told to the sink */
    void *event_ctx;

    struct open_signals open;
    struct addressee_names addressees;
    struct early_results early;
    struct id_log ended;                  /* tag: the outcome; payload: the time, in 6 bytes */
    struct id_log results;                /* payload: the entry's ID */
    struct id_log_place ended_write_back; /* of ended: the next to be told anew (ledger_write_back.c) */
    uint64_t ended_evicted;

    struct labels actions;
    struct action_counts counts[LABELS_MAX + 1];
    bool is_dirty[LABELS_MAX + 1];
    unsigned char dirty[LABELS_MAX + 1];
    uint32_t dirty_count;
    uint64_t result_total[RESULT_STATUSES], result_stored[RESULT_STATUSES], results_counted[RESULT_STATUSES];
    uint64_t unmatched[UNMATCHED_REASONS];

    struct entry_list removed_signals, removed_results;
    struct stream_id results_needed; /* from here on none is trimmed */
    struct stream_id results_cut_to; /* the last trim */
    struct left_entries left;
    bool is_loading;       /* what is counted is not yet what it will be */
    bool is_following;     /* and what comes is behind what has been loaded: the lists stay in order */
    bool results_are_cut;  /* the oldest of the kept ones have left since the last flush */
    bool has_found;        /* open ones that are not journaled */
    bool has_journaled;    /* since the last flush */
    int64_t journaled_ms;  /* the flush that did so last */
    int64_t trim_tried_ms; /* the journal, by this clock */
    int64_t trimmed_ms;    /* up to where it was trimmed */
    int64_t retelling_ms;  /* what was received before is told anew; 0 while nothing is */
    int64_t retold_ms;     /* of all that is open the journal has a line from then on */
    uint64_t newest_told;  /* the highest entry told the journal since the last flush, in ms */
    int64_t ahead_told_ms; /* of what was ahead of the clock when it was told, likewise; 0: nothing was */
    int64_t ahead_retelling_ms; /* when telling that anew began; 0 while nothing is */

    struct histogram latency_seconds, slippage, execution_seconds;
    struct exemplar exemplars[LATENCY_BUCKETS + 1];
    struct recent received, processed, failed, dropped, latency, result, result_slippage, result_execution;
};

/* ledger_signal.c: the life of a signal. */

/* Opens a signal, told to nobody; returns its index. */
uint32_t signal_open(struct ledger *l, struct slice id, uint64_t hash, struct stream_id entry,
                     uint32_t action, struct slice instance_id);
/* Ends the open signal at INDEX, which is then gone. */
void signal_end(struct ledger *l, uint32_t index, uint64_t hash, enum signal_outcome outcome, int64_t now_ms,
                struct sink *sink);
/* The duplicates of a signal are removed with the next flush. */
void signal_remove_duplicates(struct ledger *l, uint32_t index);
/* Writes what a replay must know of an open signal. */
void signal_journal(struct ledger *l, uint32_t index, struct sink *sink);
/* Appends an event of INSTANCE, or of none (NULL). */
void signal_tell(const struct ledger *l, struct instance *instance, const struct event *event,
                 struct sink *sink);

/* ledger_addressee.c: whom open signals are for. */
void addressee_names_init(struct addressee_names *names, struct hash_key key);
void addressee_names_clear(struct addressee_names *names);
/* SIGNAL is for INSTANCE_ID (may be empty); where that is not known and the state is being read, it is looked
 * up again by addressees_settle. */
void signal_address(struct ledger *l, struct open_signal *signal, struct slice instance_id);
/* Those that are known by now; the others may come still. */
void addressees_find(struct ledger *l);
/* The state has been read: all instances are known. */
void addressees_settle(struct ledger *l);
/* The instance that SIGNAL was sent to; NULL where it is unknown or gone. */
struct instance *signal_addressee(const struct ledger *l, const struct open_signal *signal);

/* ledger_journal.c: the end of a batch for the journal. Tells anew what has been open for long, and trims
 * what nobody needs any more. */
void journal_flush(struct ledger *l, int64_t now_ms, struct sink *sink);
/* The sink's journal was told of the open signal with this ENTRY. */
void journal_note_told(struct ledger *l, struct stream_id entry);
/* The journal was found to say so in an entry of AT_MS. */
void journal_note_loaded(struct ledger *l, struct stream_id entry, uint64_t at_ms);

/* ledger_open.c: the open signals. */
void open_init(struct open_signals *open, struct hash_key key);
void open_clear(struct open_signals *open);
/* Gives the memory of a burst back once nothing is open. */
void open_release(struct open_signals *open);
uint32_t open_find(const struct open_signals *open, struct slice id, uint64_t hash);
/* Adds a signal that is not accepted, without an addressee. Its id is not open. */
uint32_t open_add(struct open_signals *open, struct slice id, uint64_t hash, struct stream_id entry,
                  uint32_t action);
/* Its duplicates have been taken. */
void open_remove(struct open_signals *open, uint32_t index);
void open_accept(struct open_signals *open, uint32_t index, uint64_t accepted_ms);
void open_add_duplicate(struct open_signals *open, uint32_t index, struct stream_id entry);
/* Takes one of the duplicates that wait with a signal; false where there is none left. */
bool open_take_duplicate(struct open_signals *open, uint32_t index, struct stream_id *ret_entry);
/* Brings the lists in order after loading. */
void open_sort(struct open_signals *open);

/* Valid until a signal is added or removed. */
static inline struct slice open_id(const struct open_signals *open, const struct open_signal *signal)
{
    return slice_of(signal->id_len > SHORT_ID_MAX ? open->long_ids[signal->long_id].text : signal->id,
                    signal->id_len);
}

/* The first open signal of a list, or NULL. */
static inline const struct open_signal *open_first(const struct open_signals *open,
                                                   enum signal_list_kind list)
{
    return open->lists[list].first == NONE ? NULL : &open->items[open->lists[list].first];
}

/* The one behind SIGNAL in the list of all (0), or in that of its deadline (1), or NULL. */
static inline const struct open_signal *open_next(const struct open_signals *open,
                                                  const struct open_signal *signal, unsigned link)
{
    return signal->link[link].next == NONE ? NULL : &open->items[signal->link[link].next];
}

/* ledger_ended.c: the ids of the dedup window. */
void ended_init(struct ledger *l);
/* ID is not in the window; whoever adds it again has it forgotten first. */
void ended_add(struct ledger *l, struct slice id, uint64_t hash, enum signal_outcome outcome,
               int64_t ended_ms);
/* The number of an id, to be asked about below, or MAP_NONE. */
uint32_t ended_find(const struct ledger *l, struct slice id, uint64_t hash);
/* True where it had ended less than dedup_ms before AT_MS; false for MAP_NONE. */
bool ended_is_remembered(const struct ledger *l, uint32_t index, uint64_t at_ms,
                         enum signal_outcome *ret_outcome);
/* It is open again. Nothing happens for MAP_NONE. */
void ended_forget(struct ledger *l, uint32_t index);
/* Forgets what ended dedup_ms before read_ms, some at a time. */
void ended_expire(struct ledger *l);
/* When ended_expire is to be called next; INT64_MAX for never. */
int64_t ended_deadline(const struct ledger *l);
/* INT64_MAX where nothing is remembered. */
int64_t ended_oldest_ms(const struct ledger *l);
/* Tells the sink's journal the newest ids at once. */
void ended_tell_newest(const struct ledger *l, struct sink *sink);
/* Tells the sink's journal up to *LEFT ids, which becomes less by as many. */
void ended_write_back(struct ledger *l, uint32_t *left, struct sink *sink);

/* ledger_early.c: the results that came before their signal. */
void early_init(struct early_results *early, struct hash_key key);
void early_clear(struct early_results *early);
void early_release(struct early_results *early);
/* Keeps a result; the oldest one leaves, counted as unknown, where there are too many. */
void early_add(struct ledger *l, struct slice id, uint64_t hash, enum result_status status,
               struct stream_id result);
/* Takes the first result for ID; false where there is none. The id in *RET_RESULT is valid for as long as the
 * copy. */
bool early_take(struct early_results *early, struct slice id, uint64_t hash, struct early_result *ret_result);
/* Those whose signal cannot come any more count as unknown. Not while there is a hold. */
void early_expire(struct ledger *l, int64_t now_ms);
/* When early_expire has something to do; INT64_MAX for never. */
int64_t early_deadline(const struct ledger *l);
/* Brings them in order after loading, each once: the journal may hold a line twice. */
void early_sort(struct ledger *l);
/* Signals have been read up to READ_MS: those that wait for earlier ones leave, counted by nobody. */
void early_forget(struct ledger *l, int64_t read_ms);
/* What is due at NOW_MS, after loading, is not counted again. */
void early_mark_due(struct ledger *l, int64_t now_ms);
/* As ended_write_back. */
void early_write_back(struct ledger *l, uint32_t *left, struct sink *sink);

/* ledger_kept.c: the results that are kept. */
void kept_init(struct ledger *l);
/* Keeps a result; true where its id is that of one that is kept already. The empty id is never. */
bool kept_add(struct ledger *l, struct stream_id entry, struct slice result_id);
/* True where the newest result that is kept with this id is ENTRY, and was not the first. */
bool kept_was_repeated(const struct ledger *l, struct stream_id entry, struct slice result_id);
/* Those beyond the bound leave. */
void kept_shrink(struct ledger *l);
/* The oldest one that is kept; false where there is none. */
bool kept_oldest(const struct ledger *l, struct stream_id *ret_entry);

/* ledger_counts.c: the totals. */
void counts_add(struct ledger *l, uint32_t action, enum total_kind kind, uint64_t by);
/* Tells the sink what has changed. */
void counts_flush(struct ledger *l, struct sink *sink);
/* Tells the sink everything. */
void counts_write_back(struct ledger *l, struct sink *sink);
/* Makes the totals agree with what is open and sets the bases; returns by how much they did not. */
uint64_t counts_finish_loading(struct ledger *l);

/* MS is the time of an entry, from outside: it may be any number. */
static inline int64_t time_of(uint64_t ms)
{
    return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

static inline int64_t time_add(int64_t ms, int64_t by)
{
    return ms > INT64_MAX - by ? INT64_MAX : ms + by;
}

/* The moment at which something due at DEADLINE_MS is judged: not before the hold ends. */
static inline int64_t held_until(const struct ledger *l, int64_t deadline_ms)
{
    return deadline_ms > l->hold_ms ? deadline_ms : l->hold_ms;
}

/* ledger_left.c: ended signals that stay in their stream. */
void left_note(struct ledger *l, struct stream_id entry);
/* True where ENTRY lies among those that may have been left. */
bool left_covers(const struct ledger *l, struct stream_id entry);
/* Nothing lies beyond POSITION: what seems to was in a stream that has been made anew. */
void left_limit(struct ledger *l, struct stream_id position);
/* Everything below KEEP_FROM is to be removed: true where there may be some that were left, which counts as
 * done. */
bool left_trim(struct ledger *l, struct stream_id keep_from);
/* Tells the sink what has changed. */
void left_tell(struct ledger *l, struct sink *sink);
void left_write_back(struct ledger *l, struct sink *sink);

/* ledger_flush.c: entries that are to be removed. */
void removed_add(struct entry_list *list, struct stream_id entry);
void removed_clear(struct entry_list *list);
/* The entry of a signal that has ended, or was never one: it is removed with the next flush, or left. */
void signal_remove(struct ledger *l, struct stream_id entry);
