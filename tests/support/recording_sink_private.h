/* What the files of the recording sink share. */
#pragma once

#include "recording_sink.h"

#include "util/buf.h"

/* Append a word, behind a space where it is not the first. */
void line_add_word(struct buf *line, struct slice word);
void line_add_text(struct buf *line, const char *text);
void line_add_pair(struct buf *line, struct slice name, struct slice value);
/* Takes the line over. */
void line_record(struct recording_sink *r, struct buf *line);

/* The calls about the watch. */
void recording_on_watch_set(void *ctx, struct slice id, const struct watch_record *stored);
void recording_on_watch_unset(void *ctx, struct slice id);
void recording_on_alert_set(void *ctx, struct slice id, const struct alert *alert);
void recording_on_alert_unset(void *ctx, struct slice id, struct slice rule);
void recording_on_notice_set(void *ctx, const struct notice *notice);
void recording_on_notice_unset(void *ctx, const struct notice *notice);
void recording_on_breaker_set(void *ctx, const struct breaker_group *group);
void recording_on_breaker_unset(void *ctx, const struct breaker_group *group);
void recording_on_throttled_set(void *ctx, struct slice id, bool throttled);
void recording_on_command(void *ctx, const struct command_order *order);
void recording_on_notify(void *ctx, const struct notice *notice, const struct event *event);
