"""The real daemon on the real Redis at a given rate: what the model of scaling_model.py is held against. The load comes from
bench_feed.c, which says when each lot of results was sent and when the last of them was gone."""

import bisect
import pathlib
import subprocess
import time
from dataclasses import dataclass

import scaling_wire as wire
from figure import percentile_of_weighted

from mt5.daemon import Daemon, default_config
from mt5.redis_server import RedisServer
from mt5.wait import let_pass, wait_until

WARM_S = 1
TAKEN = 250       # READ_COUNT of bench_feed.c
LOT = 100
INSTANCES = REPORTS_PER_S = 1000


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


def line_through(points):
    """The a and b of a + b * n that are nearest to [(n, value)]."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


def latencies(sent, gone, begin_us, end_us):
    """µs from sending results to the end of the last of them in Redis, of those sent in this time, and how many they were."""
    numbers, found = [number for number, _ in gone], []
    for number, count, at_us, _ in sent:
        place = bisect.bisect_left(numbers, number)
        if begin_us <= at_us < end_us and place < len(gone):
            found.append((gone[place][1] - at_us, count))
    return found


def live(feed, folder, per_s, seconds, aof=True):
    options = {"aof": True, "fsync": "everysec"} if aof else {}
    server = RedisServer(folder, shipped=False, users=["user default on nopass ~* &* +@all"], **options)
    admin = server.client()
    daemon = Daemon(folder, {**default_config(folder, server), "signals.ttl_ms": 600000})
    try:
        # A rewrite forks, which is another story.
        admin.config_set("auto-aof-rewrite-percentage", 0)
        admin.xgroup_create("trade_signals", "executors", 0, mkstream=True)
        daemon.start()
        return run(feed, server, admin, daemon, per_s, seconds)
    finally:
        daemon.stop()
        admin.close()
        server.stop()


def run(feed, server, admin, daemon, per_s, seconds):
    said = folder_of(server) / "feed"
    with said.open("w") as file:
        process = subprocess.Popen([feed, server.socket, str(per_s), str(REPORTS_PER_S), str(INSTANCES), str(WARM_S + seconds + 0.3)],
                                   stdout=file)
    let_pass(WARM_S)
    before = state(server, admin, daemon)
    let_pass(seconds)
    after = state(server, admin, daemon)
    assert process.wait(60) == 0, "bench_feed has failed"
    found = {"sent": [], "gone": [], "waited": []}
    for line in said.read_text().splitlines():
        name, *values = line.split()
        found[name].append(tuple(map(float, values)))
    return tell(per_s, before, after, found)


def at_full_speed(folder, aof=True, lots=3000):
    """µs of Redis and of the daemon a signal where lot after lot of LOT signals is written, taken and answered without a pause, and
    what batches and reads there were for each. By CPU time alone, so whoever else uses the machine counts little."""
    options = {"aof": True, "fsync": "everysec"} if aof else {}
    server = RedisServer(folder, shipped=False, users=["user default on nopass ~* &* +@all"], **options)
    admin = server.client()
    daemon = Daemon(folder, {**default_config(folder, server), "signals.ttl_ms": 600000})
    client = wire.Connection(server.socket)
    try:
        admin.config_set("auto-aof-rewrite-percentage", 0)
        admin.xgroup_create("trade_signals", "executors", 0, mkstream=True)
        daemon.start()
        before = state(server, admin, daemon)
        read = wire.command("XREADGROUP", "GROUP", "executors", "one", "COUNT", LOT, "STREAMS", "trade_signals", ">")
        for start in range(0, lots * LOT, LOT):
            numbers = range(start, start + LOT)
            client.call(b"".join(wire.with_id(wire.signal(i), i + 1) for i in numbers), 2 * LOT)
            client.call(read, 5 + LOT * wire.entry_lines(5))
            client.call(b"".join(map(wire.result, numbers))
                        + wire.command("XACK", "trade_signals", "executors", *(wire.known_id(i + 1) for i in numbers)), 2 * LOT + 1)
        wait_until(lambda: admin.hget("mt5stated:totals", "processed:buy") == str(lots * LOT), "all to end", deadline_s=60)
        after = state(server, admin, daemon)
        return {name: (after[name] - before[name]) / (lots * LOT) for name in ("redis", "daemon", "batches", "reads")}
    finally:
        client.close()
        daemon.stop()
        admin.close()
        server.stop()


def folder_of(server):
    return pathlib.Path(server.socket).parent


def tell(per_s, before, after, found):
    begin_us, end_us = before["at"] * 1e6, after["at"] * 1e6
    steady = [one for one in found["sent"] if begin_us <= one[2] < end_us]
    times = latencies(found["sent"], found["gone"], begin_us, end_us)
    span = after["at"] - before["at"]
    change = {name: (after[name] - before[name]) / span for name in before}
    think_call_us, think_entry_us = line_through([(count, thought) for _, count, _, thought in steady])
    return Lived(per_s=per_s, ended_per_s=change["ended"], redis=change["redis"], daemon=change["daemon"],
                 batches_per_s=change["batches"], reads_per_s=change["reads"], p50_us=percentile_of_weighted(times, 0.5),
                 p99_us=percentile_of_weighted(times, 0.99), aof_bytes_per_s=change["aof"],
                 redis_wait_us=change["redis_waited"] / change["redis_turns"] * 1e6,
                 daemon_wait_us=change["daemon_waited"] / change["daemon_turns"] * 1e6, client_wait_us=found["waited"][0][0],
                 think_call_us=max(0.0, think_call_us), think_entry_us=max(0.0, think_entry_us),
                 taken_mean=sum(one[1] for one in steady) / max(1, len(steady)))


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
