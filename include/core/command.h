/* Commands to agents (SPEC §7.2): their kinds, how strong they are, their ids, and the one that is under way
 * for an instance. */
#pragma once

#include "core/ident.h"
#include "core/stream.h"
#include <stdbool.h>
#include <stdint.h>

/* The strongest first: it replaces any behind it that is under way. `cancel` ends one and is none of them. */
enum command_kind {
    COMMAND_STOP,
    COMMAND_RECOVER,
    COMMAND_RESTART,
    COMMAND_START,
    COMMAND_RECONNECT,
    COMMAND_REDISTRIBUTE,
    COMMAND_THROTTLE,
    COMMAND_UNTHROTTLE,
    COMMAND_CANCEL
};
#define COMMAND_KINDS 9

/* What has become of a command; the last four end it. */
enum command_status {
    COMMAND_ISSUED,
    COMMAND_ACCEPTED,
    COMMAND_OK,
    COMMAND_FAILED,
    COMMAND_EXPIRED,
    COMMAND_CANCELLED
};
#define COMMAND_STATUSES 6

const char *command_kind_name(enum command_kind kind);
bool command_kind_parse(struct slice text, enum command_kind *ret_kind);
const char *command_status_name(enum command_status status);
/* What an agent may answer: accepted, ok, failed. False for all else. */
bool command_answer_parse(struct slice text, enum command_status *ret_status);

/* The command that is under way for an instance. */
struct command {
    bool is_open;
    enum command_kind kind;
    uint64_t number; /* in its command_id */
    bool by_operator;
    bool is_accepted;   /* its agent has said so */
    bool has_succeeded; /* answered ok; a recover stays open until the instance runs */
    bool hook_is_due;   /* its hook has not come to an end */
    uint32_t attempt;   /* of the recovery; 0 where it is none */
    int64_t issued_ms, expires_ms;
    struct ident alert;  /* that asked for it; empty for an operator's */
    struct ident target; /* of a redistribute */
    struct cause cause;
};

/* A command as it goes out: the entry of the stream. Borrowed slices, empty where they do not apply. */
struct command_order {
    struct slice command_id, instance_id;
    enum command_kind kind;
    struct slice reason;
    uint32_t attempt; /* 0: does not apply */
    int64_t issued_ms, expires_ms;
    uint32_t open_trades;
    struct slice target_instance_id, cancels;
    struct cause cause;
};

/* `{instance_id}.{command}.{number}`, always the same for the same decision. Writes a NUL behind it, returns
 * the length. */
size_t command_id_format(char out[IDENT_COMMAND_MAX + 1], struct slice instance_id, enum command_kind kind,
                         uint64_t number);
/* True where ID is one that command_id_format makes for INSTANCE_ID. */
bool command_id_parse(struct slice id, struct slice instance_id, enum command_kind *ret_kind,
                      uint64_t *ret_number);
