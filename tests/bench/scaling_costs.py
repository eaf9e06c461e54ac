"""The one table of what the estimate of docs/SCALING.md rests on: each value with what it is. All of them were measured by
`scripts/bench scaling --measure`, which prints them beside those that it finds: Redis 7.0.15 with its append-only file written
each second, on a unix socket."""

from dataclasses import make_dataclass

ROWS = (
    # µs of the thread of Redis
    ("loop_us", 6.0, "a round of its loop"),
    ("call_us", 3.5, "a call: to read it, to answer it"),
    ("xadd_signal_us", 2.3, "XADD of a signal, in a pipeline"),
    ("xreadgroup_call_us", 4.4, "XREADGROUP, beyond a call"),
    ("xreadgroup_us", 2.5, "XREADGROUP, an entry"),
    ("waiting_us", 0.08, "each executor that waits, at an XADD"),
    ("xadd_result_us", 2.3, "XADD of a result"),
    ("xack_us", 0.4, "XACK, an entry"),
    ("claim_us", 2.1, "SET NX EX, with which an executor claims a signal"),
    ("xadd_report_us", 4.5, "XADD of a report"),
    ("xadd_trade_us", 3.1, "XADD of a trade update"),
    ("xread_call_us", 3.0, "the daemon's XREAD, beyond a call"),
    ("xread_us", 0.5, "XREAD, an entry"),
    ("commit_us", 60.0, "the script call that stores a batch, beyond a call"),
    ("commit_signal_us", 0.7, "in it a signal with its result, in order"),
    ("commit_shuffled_us", 1.3, "the same, results shuffled within 1,000"),
    ("commit_report_us", 6.1, "in it a report that changes one field"),
    ("commit_change_us", 23.6, "in it a change of state with its event, besides"),
    ("trade_us", 12.1, "a trade update, read and stored"),
    # µs of the daemon
    ("daemon_read_us", 9.5, "daemon: an answer to XREAD"),
    ("daemon_batch_us", 9.5, "daemon: a batch"),
    ("daemon_signal_us", 1.5, "daemon: a signal with its result"),
    ("daemon_report_us", 3.0, "daemon: a report"),
    ("daemon_change_us", 8.2, "daemon: a change of state, besides"),
    ("daemon_trade_us", 3.3, "daemon: a trade update"),
    ("remember_us", 0.55, "daemon: a signal that has ended and is remembered, at a start"),
    ("remember_bytes", 50.0, "memory of the daemon: a signal that has ended and is remembered"),
    ("scrape_series_us", 0.037, "daemon: a series of a scrape (docs/PERFORMANCE.md)"),
    # the machine
    ("wake_us", 8.8, "from an answer until whoever waits for it runs"),
    # bytes written to the append-only file
    ("aof_signal_bytes", 195.0, "AOF: XADD of a signal"),
    ("aof_taken_bytes", 183.0, "AOF: XREADGROUP, an entry: it is written as XCLAIM"),
    ("aof_acked_bytes", 13.0, "AOF: XACK, an entry"),
    ("aof_result_bytes", 214.0, "AOF: XADD of a result"),
    ("aof_claim_bytes", 106.0, "AOF: a claim"),
    ("aof_signal_daemon_bytes", 69.0, "AOF: of the daemon, a signal with its result in a large batch"),
    ("aof_report_bytes", 450.0, "AOF: XADD of a report"),
    ("aof_report_daemon_bytes", 76.0, "AOF: of the daemon, a report"),
    ("aof_change_bytes", 668.0, "AOF: of the daemon, a change of state"),
    ("aof_trade_bytes", 217.0, "AOF: XADD of a trade update"),
    ("aof_trade_daemon_bytes", 305.0, "AOF: of the daemon, a trade update"),
    # bytes in the memory of Redis
    ("memory_signal_bytes", 54.0, "memory: a signal in its stream"),
    ("memory_taken_bytes", 84.0, "memory: a signal that an executor has taken and not acknowledged"),
    ("memory_result_bytes", 68.0, "memory: a result in its stream"),
    ("memory_report_bytes", 82.0, "memory: a report in its stream"),
    ("memory_trade_bytes", 59.0, "memory: a trade update in its stream"),
    ("memory_claim_bytes", 164.0, "memory: a claim"),
    ("memory_journal_bytes", 78.0, "memory: a signal in the journal, for signals.dedup_ms"),
    ("memory_instance_bytes", 1090.0, "memory: an instance"),
)

Costs = make_dataclass("Costs", [(name, float, value) for name, value, _ in ROWS], frozen=True)
