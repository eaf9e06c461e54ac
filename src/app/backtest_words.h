/* Words that the parts of a report share. Each appends. */
#pragma once

#include "app/backtest_account.h"
#include "config/config.h"

/* `2025-03-22T10:15:30.123Z`. */
void words_add_time(struct buf *out, int64_t ms);
/* `cpu_usage > 80 for 10 s`. */
void words_add_condition(struct buf *out, const struct config *config, const struct rule *rule);
/* `recover 2, stop 1`; `-` for none. */
void words_add_commands(struct buf *out, const struct account_deeds *deeds);
/* `recover: cooldown, breaker; throttle: maintenance`; `-` for none. */
void words_add_held(struct buf *out, const struct account_deeds *deeds);
/* The same of a rule, with how often. */
void words_add_rule_commands(struct buf *out, const struct account_rule *rule);
void words_add_rule_held(struct buf *out, const struct account_rule *rule);
/* The value at which FIRING of ACCOUNT began: a number, or the name of a state. */
void words_add_value(struct buf *out, const struct account *account, const struct account_firing *firing);
/* Its beginning, or `from before`. */
void words_add_beginning(struct buf *out, const struct account_firing *firing);
/* Its end, or `still`. */
void words_add_end(struct buf *out, const struct account_firing *firing);
