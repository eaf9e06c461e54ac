/* What the commands share, and the commands. */
#pragma once

#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/options.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "util/macros.h"

enum ctl_code { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_AWAY = 3 };

struct ctl {
    struct options options;
    struct client client;
    struct terminal terminal;
    struct buf out; /* what is to be written to standard output */
};

/* ---- say.c ---- */
/* A line on standard error; what it holds from outside is made harmless. */
void ctl_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* Writes and forgets what OUT holds. CTL_DONE, or CTL_REFUSED where standard output takes it not. */
int ctl_flush(struct ctl *ctl);
/* Adds JSON of the API to OUT, as it is, but harmless where OUT is a terminal. */
void ctl_add_json(struct ctl *ctl, struct slice json);

/* ---- ask.c: each says on standard error what went wrong, and returns a code ---- */
/* PATH's answer as bytes; the caller clears it where the code is CTL_DONE. */
int ctl_ask(struct ctl *ctl, const char *method, const char *path, struct slice body,
            struct response *ret_response);
/* What PATH answers to GET: its JSON is added to OUT where JSON is asked for, and *RET_ROOT is NULL then;
 * else the caller deletes it. */
int ctl_get(struct ctl *ctl, const char *path, cJSON **ret_root);
/* The same, of what is only said besides: NULL, and no word, where there is none. */
cJSON *ctl_look(struct ctl *ctl, const char *path);
/* All pages of the list NAME at PATH, which may have a query; its items as one array, as ctl_get does.
 * PAGE_ARG is the argument that takes `next`. At most MAX items; 0: all. */
struct list_query {
    const char *path, *name, *page_arg;
    size_t max;
};
int ctl_get_list(struct ctl *ctl, const struct list_query *query, cJSON **ret_items);
/* Says what RESPONSE, whose status is no success, holds, and where a token is missing how one is given; a
 * code. */
int ctl_refused(const struct ctl *ctl, const struct response *response);
/* The path /api/v1/instances/{id of the command line}TAIL; the caller clears it. */
void ctl_instance_path(const struct ctl *ctl, struct buf *out, const char *tail);

/* ---- the commands ---- */
int cmd_status(struct ctl *ctl);
int cmd_instances(struct ctl *ctl);
int cmd_instance(struct ctl *ctl);
int cmd_why(struct ctl *ctl);
int cmd_events(struct ctl *ctl);
int cmd_alerts(struct ctl *ctl);
int cmd_signals(struct ctl *ctl);
int cmd_command(struct ctl *ctl);
int cmd_maintenance(struct ctl *ctl);
int cmd_record(struct ctl *ctl);
int cmd_remove(struct ctl *ctl);
int cmd_reload(struct ctl *ctl);
