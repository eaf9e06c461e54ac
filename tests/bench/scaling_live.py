"""The real daemon on the real Redis at a given rate: what the model of scaling_model.py is held against.

Four processes beside the two: a producer that writes what is due each millisecond in one call, an executor that reads, answers and
acknowledges at once, agents that report one by one, and a watcher that waits for the journal's entries, whose coming is the moment
at which the signals named there are gone."""

import bisect
import itertools
import multiprocessing
import os
import pathlib
import re
import time
from dataclasses import dataclass

import scaling_wire as wire
from scaling_wire import Connection, command

from mt5.daemon import Daemon, default_config
from mt5.redis_server import RedisServer
from mt5.wait import let_pass, wait_until

TICK_S = 0.001
READ_COUNT = 1000
SIGNAL_ID = re.compile(rb"signal-(\d+)")
ENDED = re.compile(rb"E P signal-(\d+)\n")
ENTRY_ID = re.compile(rb"\r\n(\d+-\d+)\r\n")


@dataclass
class Lived:
    """Of one run: what was asked for, what the two processes used, how long results took."""
    per_s: float
    ended_per_s: float
    redis: float                # share of a core
    daemon: float
    batches_per_s: float
    reads_per_s: float
    p50_us: float
    p99_us: float
    aof_bytes_per_s: float
    redis_wait_us: float        # from being woken until it had a core, in the mean: what the machine adds
    daemon_wait_us: float
    client_wait_us: float
    think_call_us: float        # of the executor, as measured
    think_entry_us: float
    taken_mean: float           # signals in an answer to it


def produce(path, per_s, end):
    connection = Connection(path)
    connection.socket.setblocking(False)
    number, began, carried, due, left = 0, time.monotonic(), 0.0, time.monotonic(), b""
    while due < end:
        due += TICK_S
        carried += per_s * TICK_S
        count, carried = int(carried), carried - int(carried)
        left += wire.SIGNAL * count % tuple(range(number, number + count))
        number += count
        time.sleep(max(0, due - time.monotonic()))
        try:
            while True:
                connection.socket.recv(1 << 20)
        except BlockingIOError:
            pass
        try:
            left = left[connection.socket.send(left):]
        except BlockingIOError:
            pass
    return number / (end - began)


def run_producer(path, per_s, end, out):
    out.put(("produced", produce(path, per_s, end)))


def run_agents(path, instances, per_s, end, out):
    connection, sent, due = Connection(path), 0, time.monotonic()
    while due < end and per_s:
        due += 1 / per_s
        time.sleep(max(0, due - time.monotonic()))
        connection.call(wire.report(sent % instances, sent // instances), 2)
        sent += 1
    out.put(("reported", sent))


def run_executor(path, end, out):
    connection = Connection(path)
    read = command("XREADGROUP", "GROUP", "executors", "one", "COUNT", READ_COUNT, "BLOCK", 100, "STREAMS", "trade_signals", ">")
    sent, thoughts = [], []
    while time.monotonic() < end + 0.5:
        connection.send(read)
        answer = take_answer(connection)
        began = time.monotonic()
        numbers = [int(text) for text in SIGNAL_ID.findall(answer)]
        if not numbers:
            continue
        ids = ENTRY_ID.findall(answer)
        data = (wire.RESULT * len(numbers) % tuple(itertools.chain(*zip(numbers, numbers)))
                + command("XACK", "trade_signals", "executors", *ids))
        now = time.monotonic()
        thoughts.append((len(numbers), now - began))
        sent.append((numbers[-1], len(numbers), now))
        connection.call(data, 2 * len(numbers) + 1)
    _, waited, turns = schedule(os.getpid())
    out.put(("waited", waited / turns))
    out.put(("executed", (sent, *line_through(thoughts))))


def line_through(points):
    """The a and b of a + b * n that are nearest to [(n, value)]."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


def take_answer(connection):
    """The answer to XREADGROUP, whole: what it holds is counted in its head."""
    answer = connection.socket.recv(1 << 20)
    while True:
        head = re.match(rb"\*1\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n\*(\d+)\r\n", answer)
        lines = 5 + int(head[1]) * wire.entry_lines(5) if head else 1
        if answer.startswith(b"*-1") or (head and answer.count(b"\n") >= lines):
            return answer
        answer += connection.socket.recv(1 << 20)


def run_watcher(path, end, out):
    connection, last, seen = Connection(path), b"$", []
    while time.monotonic() < end + 0.5:
        connection.send(command("XREAD", "BLOCK", 100, "STREAMS", "mt5stated:journal", last))
        answer = connection.socket.recv(1 << 20)
        # *1 *2 name *entries, and of each: *2 id *2 `lines` text
        while not answer.startswith(b"*-1"):
            head = re.match(rb"\*1\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n\*(\d+)\r\n", answer)
            if head and answer.count(b"\r\n") >= 5 + 8 * int(head[1]) and answer.endswith(b"\n\r\n"):
                break
            answer += connection.socket.recv(1 << 20)
        now, ids, ended = time.monotonic(), ENTRY_ID.findall(answer), ENDED.findall(answer)
        last = ids[-1] if ids else last
        if ended:
            seen.append((int(ended[-1]), now))
    out.put(("gone", seen))


def percentile(weighted, share):
    """Of [(value, weight)]."""
    weighted = sorted(weighted)
    wanted = sum(weight for _, weight in weighted) * share
    for value, weight in weighted:
        wanted -= weight
        if wanted <= 0:
            return value
    return float("nan")


def latencies(sent, gone, begin, end):
    """µs from sending a result to the signal's end in Redis, of those sent in this time, and how many each stands for."""
    numbers, found = [number for number, _ in gone], []
    for number, count, at in sent:
        place = bisect.bisect_left(numbers, number)
        if begin <= at < end and place < len(gone):
            found.append(((gone[place][1] - at) * 1e6, count))
    return found


def live(folder, per_s, seconds=8, warm_s=2, instances=1000, reports_per_s=1000, aof=True):
    options = {"aof": True, "fsync": "everysec"} if aof else {}
    server = RedisServer(folder, shipped=False, users=["user default on nopass ~* &* +@all"], **options)
    admin = server.client()
    daemon = Daemon(folder, {**default_config(folder, server), "signals.ttl_ms": 600000})
    try:
        # A rewrite forks, which is another story.
        admin.config_set("auto-aof-rewrite-percentage", 0)
        admin.xgroup_create("trade_signals", "executors", 0, mkstream=True)
        daemon.start()
        return run(server, admin, daemon, per_s, seconds, warm_s, instances, reports_per_s)
    finally:
        daemon.stop()
        admin.close()
        server.stop()


def run(server, admin, daemon, per_s, seconds, warm_s, instances, reports_per_s):
    out, path, began = multiprocessing.Queue(), server.socket, time.monotonic() + 0.5
    end = began + warm_s + seconds
    jobs = [(run_watcher, (path, end, out)), (run_executor, (path, end, out)),
            (run_agents, (path, instances, reports_per_s, end, out)), (run_producer, (path, per_s, end, out))]
    workers = [multiprocessing.Process(target=job, args=args) for job, args in jobs]
    for worker in workers:
        worker.start()
    let_pass(began + warm_s - time.monotonic())
    before = state(server, admin, daemon)
    let_pass(end - time.monotonic())
    after = state(server, admin, daemon)
    found = dict(out.get(timeout=30) for _ in range(len(workers) + 1))
    for worker in workers:
        worker.join()
    return tell(before, after, found)


def tell(before, after, found):
    sent, think_call_s, think_entry_s = found["executed"]
    times = latencies(sent, found["gone"], before["at"], after["at"])
    span = after["at"] - before["at"]
    change = {name: (after[name] - before[name]) / span for name in before}
    steady = [count for _, count, at in sent if before["at"] <= at < after["at"]]
    return Lived(per_s=found["produced"], ended_per_s=change["ended"], redis=change["redis"], daemon=change["daemon"],
                 batches_per_s=change["batches"], reads_per_s=change["reads"], p50_us=percentile(times, 0.5),
                 p99_us=percentile(times, 0.99), aof_bytes_per_s=change["aof"],
                 redis_wait_us=change["redis_waited"] / change["redis_turns"] * 1e6,
                 daemon_wait_us=change["daemon_waited"] / change["daemon_turns"] * 1e6, client_wait_us=found["waited"] * 1e6,
                 think_call_us=think_call_s * 1e6, think_entry_us=think_entry_s * 1e6, taken_mean=sum(steady) / max(1, len(steady)))


def schedule(pid):
    """Of its first thread: seconds that it ran, seconds that it waited for a core, how often it was given one."""
    ran, waited, turns = map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split())
    return ran / 1e9, waited / 1e9, turns


def state(server, admin, daemon):
    info = admin.info("everything")
    found = {}
    for name, pid in (("redis", server.pid), ("daemon", daemon.pid)):
        found[name], found[name + "_waited"], found[name + "_turns"] = schedule(pid)
    return {**found, "at": time.monotonic(), "batches": int(admin.hget("mt5stated:meta", "applied_seq")),
            "ended": int(admin.hget("mt5stated:totals", "processed:buy") or 0), "reads": info["cmdstat_xread"]["calls"],
            "aof": info.get("aof_current_size", 0)}
