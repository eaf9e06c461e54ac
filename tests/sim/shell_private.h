/* What the parts of a daemon call in each other. */
#pragma once

#include "shell.h"
#include <stdlib.h>

/* shell.c */
struct call *call_send(struct shell *sh, enum call_kind kind);
void lead_on_fenced(struct shell *sh);
void lead_on_behind(struct shell *sh);
void lead_on_loaded(struct shell *sh);
void lead_on_settled(struct shell *sh);
bool lead_is_active(const struct shell *sh);
bool lead_may_write(const struct shell *sh);
void lead_on_load_failed(struct shell *sh);
/* Whether the store takes no command of KIND that WRITES, at this moment. */
bool shell_is_refused(const struct shell *sh, uint32_t kind, bool writes);
void daemon_forget(struct shell *sh);

static inline struct sink *commit_sink(struct shell *sh)
{
    return batch_sink(sh->filling);
}

/* shell_commit.c */
void commit_reset(struct shell *sh, uint64_t applied);
void commit_kick(struct shell *sh);
void commit_resume(struct shell *sh);
void commit_hold(struct shell *sh, bool hold);
bool commit_is_full(const struct shell *sh);
void commit_on_answer(struct shell *sh, const struct call *call);
void commit_on_looked(struct shell *sh, const struct call *call);
void commit_on_executed(struct shell *sh, const struct call *call);
void displace(struct shell *sh, struct slice key, bool is_for_batch);
void commit_on_displaced(struct shell *sh, const struct call *call, bool lost);

/* shell_ingest.c */
#define MARK_STRIDE 4
void ingest_reset(struct shell *sh);
void ingest_clear(struct shell *sh);
void ingest_set_position(struct shell *sh, enum stream_kind stream, struct stream_id position);
void ingest_note_handled(struct shell *sh, enum stream_kind stream, struct stream_id id);
void ingest_go_on(struct shell *sh);
void ingest_judge(struct shell *sh);
void ingest_finish_batch(struct shell *sh, struct batch *batch);
bool ingest_has_news(const struct shell *sh);
void ingest_on_polled(struct shell *sh, const struct call *call);
void late_on_probed(struct shell *sh, const struct call *call);
bool entry_decode(enum stream_kind kind, const struct store_entry *stored, struct entry *ret);
/* shell_trade.c */
void trade_io_take(struct shell *sh, struct store_entry *entry);
void trade_io_go_on(struct shell *sh);
bool trade_io_is_full(const struct shell *sh);
bool trade_io_has_room(const struct shell *sh, uint32_t count);
void trade_io_reset(struct shell *sh);
void trade_on_looked_up(struct shell *sh, const struct call *call, bool lost);
void trade_look_up(const struct store *store, struct call *call);
void trade_find_due(const struct store *store, struct call *call);
void trade_io_unindex(struct shell *sh, struct slice id);
void trade_on_due(struct shell *sh, const struct call *call);

/* shell_load.c */
void load_start(struct shell *sh);
void load_rescan(struct shell *sh);
void load_run_step(struct shell *sh);
bool load_step_writes(const struct shell *sh);
void load_on_step(struct shell *sh, const struct call *call);

/* shell_reconcile.c */
void look_at(const struct store *store, struct slice id, struct look *ret);
void look_clear(struct look *look);
void look_read(const struct look *look, struct instance_record *ret, char scratch[REPORT_TEXT_MAX]);
enum instance_state look_index_state(const struct look *look);
void reconcile_take(struct shell *sh, const struct look *look);
void reconcile_reset(struct shell *sh);
void reconcile_start(struct shell *sh);
void reconcile_pause(struct shell *sh);
/* LOST: nobody knows the answer. */
void reconcile_on_looked(struct shell *sh, const struct call *call, bool lost);
void reconcile_on_settled(struct shell *sh);
void reconcile_gather(const struct store *store, struct call *call);
void reconcile_on_gathered(struct shell *sh, const struct call *call);
void reconcile_find_keys(const struct store *store, struct call *call);
void reconcile_on_keys(struct shell *sh, const struct call *call);
void reconcile_write_back(struct shell *sh);
void reconcile_write_back_key(struct shell *sh, struct slice key);
void reconcile_on_timer(struct shell *sh);
void follow_on_timer(struct shell *sh);
void follow_mark(struct shell *sh, struct slice id);
void follow_reset(struct shell *sh);
void follow_block(struct shell *sh, struct slice id, const char *reason);
const char *follow_blocked(const struct shell *sh, struct slice id);
void id_list_add(struct id_list *list, struct slice id);
void call_add_id(struct call *call, struct slice id, int64_t ttl_s);
