"""The load: signals, their results in several orders, reports. All of it as commands in Redis' own format."""

import random


def command(*words):
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def template(*words):
    """The same with %08d in it: lengths are those of numbers of eight digits."""
    return command(*(word.replace("%08d", "00000000") for word in words)).replace(b"00000000", b"%08d")


SIGNAL = template("XADD", "trade_signals", "*", "signal_id", "signal-%08d", "action", "buy", "instance_id", "mt5-%08d",
                  "symbol", "EURUSD", "lot_size", "0.10", "price", "1.08500")
RESULT = template("XADD", "trade_results", "*", "result_id", "result-%08d", "signal_id", "signal-%08d", "status", "executed",
                  "slippage", "0.1", "execution_time", "12.5")


def signals(count, first=0):
    for i in range(first, first + count):
        yield SIGNAL % (i, i % 100)


def results(order):
    for i in order:
        yield RESULT % (i, i)


def shuffled_within(count, window):
    """The numbers below count, none moved by more than the window."""
    chance = random.Random(window)
    return sorted(range(count), key=lambda i: i + chance.random() * window)


def reports(instances, turn, first=0, base_ms=0, with_uptime=False, state=None):
    """A report of each instance: three numbers are other than in the turn before, and of a tenth of the instances the
    state. With `base_ms` turns are ten seconds apart, and an entry's ID says which report it is (report_number)."""
    for i in range(first, first + instances):
        entry = f"{base_ms + 10000 * turn}-{i + 1}" if base_ms else "*"
        words = ["XADD", "instance_reports", entry, "instance_id", f"mt5-{i:08d}", "broker_id", f"b{i % 5}", "host_id",
                 f"h{i % 20}", "state", state or ("stopped" if (turn + i) // 10 % 2 else "running"), "cpu_usage",
                 f"{10 + i % 50}.{turn % 100}", "memory_usage", f"512.{turn % 100}", "memory_limit", "2048", "network_usage",
                 f"12.{turn % 100}", "disk_usage", "1024", "network_latency", "12", "queue_length", "3", "load_average",
                 "0.45", "socket_connections", "4", "active_connections", "2"]
        if with_uptime:
            words += ["uptime_seconds", str(1000 + 10 * turn)]
        yield command(*words)


def report_number(entry, base_ms, instances):
    """How many reports there are up to the one of that ID."""
    ms, _, sequence = entry.partition("-")
    return max(0, int(ms) - base_ms) // 10000 * instances + int(sequence)
