/* A batch: everything that a run of inputs brings about, as the one script call that stores it (commit.lua),
 * or a large one as a transaction behind a look (batch_transaction.c).
 *
 * Filled through its sink, sealed once, rendered as often as it must be sent; the rendering is the same each
 * time. Holds no pointers into what was handed over. A group (between two `begin`s) can be cut out again
 * where Redis holds a foreign type on a record that it writes. What is added before any `begin` belongs to no
 * group and is never cut. */
#pragma once

#include "codec/keys.h"
#include "core/command.h"
#include "core/sink.h"
#include "util/buf.h"
#include "util/map.h"

struct batch_options {
    struct key_names names;
    const char *group;
    int64_t events_max_len, commands_max_len;
};

struct batch_key {
    uint32_t offset, len; /* in key_text */
    char type;            /* h s z t */
    uint32_t writes;      /* HSETs of it in this batch */
    bool is_record;       /* the record of an instance or a trade, not a key that all share */
};

struct batch_group {
    struct cause cause;
    size_t start, end; /* its operations in body */
    size_t args;       /* their arguments; where they began while the group is open */
    uint32_t first_event, events;
    uint32_t first_command, commands;
    uint32_t first_notice, notices;
    bool closed, cut;
};

struct batch_use {
    uint32_t group, key;
};

/* What is done once the batch is stored: an event is told (log, counters), a command's hook is run, whoever
 * is notified is told of a notice. The fields are read with batch_get_field. */
struct batch_event {
    enum event_kind kind;
    uint32_t first_field, fields;
    bool cut;
    enum event_gravity gravity;
    const char *severity; /* or NULL */
    int64_t until_ms;
};

struct batch_command {
    enum command_kind kind;
    uint32_t first_field, fields; /* of the entry, as they are written */
    bool cut;
};

struct batch_notice {
    uint64_t change;              /* of the notice, at that time */
    uint32_t first_field, fields; /* of its event */
    size_t key_offset, key_len;
    bool cut;
};

struct batch_field {
    struct slice name; /* static */
    size_t offset, len;
};

struct batch {
    struct batch_options options;
    struct sink sink;
    uint64_t number;
    bool sealed;
    bool needs_script; /* has what must be refused as a whole where the script would */

    struct buf key_text;
    struct batch_key *keys;
    uint32_t key_count, key_cap;
    struct map key_map;

    struct buf body, rejects, tail;
    size_t body_args, reject_args, tail_args;
    size_t cut_args; /* of body_args: of groups that are cut, and not yet taken out of body */
    struct batch_group *groups;
    uint32_t group_count, group_cap;
    struct batch_use *uses;
    uint32_t use_count, use_cap;

    struct buf field_text;
    struct batch_field *fields;
    uint32_t field_count, field_cap;
    struct batch_event *events;
    uint32_t event_count, event_cap;
    struct batch_command *commands;
    uint32_t command_count, command_cap;
    struct batch_notice *notices;
    uint32_t notice_count, notice_cap;

    struct buf journal, totals, meta;
    size_t total_args, meta_args;
    uint64_t journal_min_ms;
};

/* Copies OPTIONS but not the text they point to. */
struct batch *batch_new(const struct batch_options *options);
void batch_free(struct batch *batch);
/* Empties it for batch NUMBER. Big memory is given back. */
void batch_reset(struct batch *batch, uint64_t number);
/* Gives all of its memory back where it is empty; it takes some again as it is filled. */
void batch_give_back(struct batch *batch);
/* New options, from a reload: the text of the old ones may be gone. */
void batch_configure(struct batch *batch, const struct batch_options *options);

struct sink *batch_sink(struct batch *batch);
bool batch_is_empty(const struct batch *batch);
size_t batch_bytes(const struct batch *batch);

/* STREAM has been taken in up to ID. Once per stream and batch. */
void batch_set_position(struct batch *batch, enum stream_kind stream, struct stream_id id);
/* The same of a stream that is on another server: there is no group to be moved here. */
void batch_note_position(struct batch *batch, enum stream_kind stream, struct stream_id id);
/* Trims the handled part of STREAM below MIN. HANDLED is the position. */
void batch_trim(struct batch *batch, enum stream_kind stream, struct stream_id min, struct stream_id handled);
/* A field of mt5stated:meta. */
void batch_set_meta(struct batch *batch, const char *name, struct slice value);

/* Notes when the hash of a trade will be gone (seconds since 1970), for the sweep; forgets it. */
void batch_expect_expiry(struct batch *batch, struct slice trade_id, int64_t at_s);
void batch_forget_expiry(struct batch *batch, struct slice trade_id);

/* Keeps an event until it is stored on the server that events are on (KEY_FAR_EVENTS); it is. */
void batch_keep_event(struct batch *batch, uint64_t number, struct slice text);
void batch_forget_event(struct batch *batch, uint64_t number);

/* Nothing can be added after this. */
void batch_seal(struct batch *batch);

/* The field at PLACE, from an event's first_field on, or a command's or a notice's. Borrowed until the batch
 * changes; the name is static text. */
void batch_get_field(const struct batch *batch, uint32_t place, struct slice *ret_name,
                     struct slice *ret_value);
/* The key of a notice of this batch (core/notice.h); borrowed until the batch changes. */
struct slice batch_notice_key(const struct batch *batch, const struct batch_notice *notice);

/* The command: EVALSHA, or EVAL with the whole script. Sealed batches only. */
void batch_render(struct batch *batch, struct slice token, struct slice epoch, bool whole_script,
                  struct buf *out);

/* A large sealed batch whose operations may be commands of a transaction. */
bool batch_suits_transaction(const struct batch *batch);
/* How many answers batch_render_look brings before those about the keys. */
#define BATCH_LOOK_HEAD 5
/* Everything that the script would check, to be asked before the transaction: whether the user may do one
 * (`OK`, or the first command that he may not do), UNWATCH, WATCH of lease, meta and what instances share,
 * the lease's holder, epoch and applied_seq of meta, the TYPE of each key. Returns how many commands it is:
 * BATCH_LOOK_HEAD and one for each key. */
size_t batch_render_look(const struct batch *batch, struct buf *out);
/* Whether TYPE's answer about the key at INDEX, from 0, is one that the batch can write. */
bool batch_type_suits(const struct batch *batch, uint32_t index, struct slice type);
/* MULTI, the operations, meta, EXEC. To be sent only behind a look that found all as it should be, on the
 * same connection. Renders the same each time. Returns how many commands it is; the answer of the last is nil
 * where something that is watched has changed, and nothing was stored then. */
size_t batch_render_transaction(struct batch *batch, struct buf *out);

/* Names what EXEC's answer at INDEX, from 0, is about: `3 XADD instance_events: `. */
void batch_name_operation(const struct batch *batch, size_t index, struct buf *out);

/* The text of the key at INDEX, from 0; borrowed until the batch changes. */
struct slice batch_key_text(const struct batch *batch, uint32_t index);
/* The key that the script calls NUMBER (as in its answer 'types'); false for none of ours. */
bool batch_key_by_number(const struct batch *batch, uint64_t number, struct slice *ret_key,
                         bool *ret_is_record);

/* What KEY holds does not matter: the operations on it fail one by one and are told in the answer. */
void batch_ignore_key(struct batch *batch, struct slice key);

/* Cuts every group that writes a record of object ID (of an instance: any of its three hashes), and rejects
 * the entries behind them with REASON. Returns how many were cut. Works on sealed and unsealed batches. */
uint32_t batch_cut(struct batch *batch, bool is_trade, struct slice id, struct slice reason);
