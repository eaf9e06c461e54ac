"""What the estimate of docs/SCALING.md is measured with: a connection without a library's own costs, the commands of
producers, executors and agents as bytes, and the CPU time of Redis' one thread.

An answer is complete when it has as many lines as it must have; no value of ours has a newline in it."""

import pathlib
import socket
import time

ID_WIDTH = 9
STARTED_MS = int(time.time() * 1000)


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


def template(*words):
    """A command into which numbers are put by the operator %, which is many times faster than putting it together."""
    return command(*(word.replace("#", "0" * ID_WIDTH) for word in words)).replace(b"0" * ID_WIDTH, b"%%0%dd" % ID_WIDTH)


# Of 5 fields each, as docs/AGENTS.md has them.
SIGNAL = template("XADD", "trade_signals", "*", "signal_id", "signal-#", "action", "buy", "instance_id", "mt5-7", "symbol", "EURUSD",
                  "lot_size", "0.10")
RESULT = template("XADD", "trade_results", "*", "result_id", "result-#", "signal_id", "signal-#", "status", "executed", "slippage", "0.1",
                  "execution_time", "12.5")
TRADE = template("XADD", "trade_updates", "*", "trade_id", "t-#", "state", "executed", "direction", "buy", "instance_id", "mt5-7",
                 "symbol", "EURUSD", "lot_size", "0.10")
# What docs/examples/executor.py claims a signal's id with.
CLAIM = template("SET", "executed:signal-#", "executor-1 1742638530123", "NX", "EX", "86400")


def signal(number):
    return SIGNAL % number


def result(number):
    return RESULT % (number, number)


def trade(number):
    return TRADE % number


def claim(number):
    return CLAIM % number


def report(instance, tenth, state="running"):
    """Ten numbers, of which one changes with TENTH."""
    return command("XADD", "instance_reports", "*", "instance_id", f"mt5-{instance}", "broker_id", f"b{instance % 5}", "host_id",
                   f"h{instance % 20}", "state", state, "cpu_usage", f"{instance % 70}.{tenth % 10}", "memory_usage", "512.5",
                   "memory_limit", "2048", "network_usage", "12.5", "disk_usage", "1024", "network_latency", "12", "queue_length",
                   "3", "load_average", "0.45", "socket_connections", "4", "active_connections", "2")


def known_id(number):
    """IDs that are known without being read; by the clock of Redis, so that nothing is late."""
    return b"%d-%d" % (STARTED_MS, number)


def with_id(xadd, number):
    entry_id = known_id(number)
    return xadd.replace(b"$1\r\n*\r\n", b"$%d\r\n%b\r\n" % (len(entry_id), entry_id), 1)


def entry_lines(fields):
    """The lines of one entry in the answer to XREAD."""
    return 4 + 4 * fields


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def send(self, data):
        self.socket.sendall(data)

    def take_lines(self, lines):
        """Reads until so many lines have come."""
        while lines > 0:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError("redis-server has closed the connection")
            lines -= data.count(b"\n")
        if lines < 0:
            raise ValueError(f"{-lines} lines more than expected, the last ones {data[-200:]}")

    def call(self, data, lines):
        self.send(data)
        self.take_lines(lines)

    def close(self):
        self.socket.close()


def thread_cpu_s(pid):
    """Of its first thread alone: what else it has writes the disk, and is no core that is short."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
