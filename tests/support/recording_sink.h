/* A sink that writes each call down as a line of text, for tests to read:
 * - begin report-1-0
 * - set instance mt5-1 broker_id=b1 state=running
 * - unset metrics mt5-1 cpu_usage
 * - remove health mt5-1
 * - expire trade t1 60
 * - move instance mt5-1 - running (the set left, the set entered; - for none)
 * - load mt5-1 0.5
 * - unload mt5-1
 * - event instance_started instance_id=mt5-1 seq=1 at=1970-01-01T00:00:01Z to=running
 * correlation_id=report-1-0
 * - seq mt5-1 2
 * - forget_seq mt5-1
 * - reject report-1-0 broker_id: required in the first report
 * - watch mt5-1 commands=3 open=recover.3 attempt=1 expires=90000 recovery=under_way (what is not so, is
 * empty or 0 is left out)
 * - unset_watch mt5-1
 * - alert mt5-1 HighCpuUsage firing since=1000 fired=11000 value=92.5
 * - unset_alert mt5-1 HighCpuUsage
 * - notice mt5-1:HighCpuUsage starts=11000 hook_due
 * - unset_notice mt5-1:HighCpuUsage
 * - breaker broker:b1 opened=5000 crashed=5 of=8
 * - unset_breaker broker:b1
 * - throttled mt5-1 (unthrottled where it leaves the set)
 * - command recover command_id=mt5-1.recover.3 instance_id=mt5-1 reason=InstanceCrash attempt=1 issued=30000
 *   expires=90000 open_trades=2
 * - notify mt5-1:HighCpuUsage alert_firing
 * - journal received s1 1-0 buy mt5-1
 * - journal accepted s1 5
 * - journal ended s1 failed
 * - journal early s1 executed 2-0
 * - journal trim 5
 * - drop 1-0 30001
 * - delete signals 1-0 2-0 (or results)
 * - trim signals 3-0 (or results)
 * - total received buy 7 */
#pragma once

#include "core/sink.h"

struct recording_sink {
    struct sink sink; /* to be handed to what is tested; the struct must stay where it is */
    char **lines;
    size_t count, cap;
};

void recording_sink_init(struct recording_sink *r);
void recording_sink_clear(struct recording_sink *r);
/* Forgets the lines. */
void recording_sink_reset(struct recording_sink *r);

/* How many lines begin with PREFIX. */
size_t recording_sink_count(const struct recording_sink *r, const char *prefix);
/* The first line that begins with PREFIX, or NULL; borrowed. */
const char *recording_sink_find(const struct recording_sink *r, const char *prefix);

/* Fails the test where the lines since the last reset are not EXPECTED (each ended by a newline), and shows
 * both; then forgets them. */
void assert_recorded(struct recording_sink *r, const char *expected);
/* The same for those lines alone that begin with PREFIX; forgets all. */
void assert_recorded_only(struct recording_sink *r, const char *prefix, const char *expected);
