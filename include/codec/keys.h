/* The one place that spells Redis keys (SPEC §4). */
#pragma once

#include "core/sink.h"
#include "core/stream.h"
#include "util/slice.h"

#define KEY_MAX 320

/* Names that configuration decides; borrowed. */
struct key_names {
    const char *stream[STREAM_KINDS];
    const char *events, *commands;
};

struct key {
    size_t len;
    char text[KEY_MAX];
};

static inline struct slice key_slice(const struct key *key)
{
    return slice_of(key->text, key->len);
}

#define KEY_LEADER       "mt5stated:leader"
#define KEY_META         "mt5stated:meta"
#define KEY_TOTALS       "mt5stated:totals"
#define KEY_JOURNAL      "mt5stated:journal"
#define KEY_SEQ          "mt5stated:seq"
#define KEY_TRADE_EXPIRY "mt5stated:trade_expiry"
#define KEY_WATCH        "mt5stated:watch"
#define KEY_ALERTS       "mt5stated:alerts"
#define KEY_NOTICES      "mt5stated:notices"
#define KEY_BREAKER      "mt5stated:breaker"
#define KEY_CHANGES      "mt5stated:changes"
#define KEY_STANDBY      "mt5stated:standby"
#define KEY_FAR_EVENTS   "mt5stated:far_events"
#define KEY_LOAD         "instance:index:load"
#define KEY_THROTTLED    "instance:index:throttled"
#define KEY_DISPLACED    "mt5stated:displaced:"
#define CHANNEL_EVENTS   "instance:events"

/* `instance:{id}`, `instance_metrics:{id}`, `instance_health:{id}`, `trade:{id}`. */
struct key key_record(enum record_kind kind, struct slice id);
/* `instance:state:{state}`, `trade:state:{state}`. */
struct key key_index(enum index_kind kind, const char *state);
/* `{stream}_rejected`, `{stream}_dropped`. */
struct key key_rejected(const char *stream);
struct key key_dropped(const char *stream);
/* A key to which a foreign value in the way of ours is moved. */
struct key key_displaced(struct slice key);

/* The field of mt5stated:meta that says how far a stream has been handled: `pos:reports`. NUL-terminated. */
struct key key_position(enum stream_kind stream);
/* The field of mt5stated:meta that says up to which entry of the signals some that have ended were left. */
#define META_LEFT "left:signals"
/* The field that says up to which number events of KEY_FAR_EVENTS, on the server of the signals, are stored.
 */
#define META_TOLD "told:events"
/* `reports`, `signals`, `results`, `trades`. */
const char *key_stream_word(enum stream_kind stream);

/* A field of mt5stated:totals, `received:buy`. */
bool key_parse_total(struct slice field, enum total_kind *ret_kind, struct slice *ret_label);

/* The other way round: which record a key is, and whose. False for keys that are no record's. */
bool key_parse_record(struct slice key, enum record_kind *ret_kind, struct slice *ret_id);
/* The prefix of a kind of record, up to the colon. */
const char *key_record_prefix(enum record_kind kind);
