/* What the files of the sink share. */
#pragma once

#include "model.h"

/* The agent with ID; 0 where it is none, which is a failure. */
uint32_t model_agent_of(struct run *run, struct slice id);

/* model_sink_watch.c: the calls about the watch. */
void model_on_watch_set(void *ctx, struct slice id, const struct watch_record *record);
void model_on_watch_unset(void *ctx, struct slice id);
void model_on_alert_set(void *ctx, struct slice id, const struct alert *alert);
void model_on_alert_unset(void *ctx, struct slice id, struct slice rule);
void model_on_notice_set(void *ctx, const struct notice *notice);
void model_on_notice_unset(void *ctx, const struct notice *notice);
void model_on_breaker_set(void *ctx, const struct breaker_group *group);
void model_on_breaker_unset(void *ctx, const struct breaker_group *group);
void model_on_throttled_set(void *ctx, struct slice id, bool throttled);
void model_on_command(void *ctx, const struct command_order *order);
void model_on_notify(void *ctx, const struct notice *notice, const struct event *event);
