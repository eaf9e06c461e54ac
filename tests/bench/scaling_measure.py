"""Measures what each kind of work costs the one thread of Redis, in calls and in entries: the parameters of scaling_costs.py.

A cost is the CPU time of that thread over many calls with N entries each; two values of N give what a call costs and what an
entry adds. Nothing here is timed by a clock."""

import pathlib
import random
import statistics
import tempfile
import time
from collections import deque

import scaling_wire as wire
from scaling_wire import Connection, command, entry_lines, thread_cpu_s

from mt5.daemon import Daemon, default_config
from mt5.redis_server import RedisServer
from mt5.usage import rss_bytes
from mt5.wait import wait_until

# Few and many entries in a call; entries in all, so that each takes long enough to be seen.
FEW, MANY = 1, 128
ENTRIES = {FEW: 6000, MANY: 128 * 400}
ROUNDS = 3
READS = (10, 1000)


def fit(work, rounds=ROUNDS):
    """µs a call and µs an entry, of WORK(entries a call, entries) → CPU seconds."""
    us = {n: statistics.median(work(n, ENTRIES[n]) / ENTRIES[n] for _ in range(rounds)) * 1e6 for n in (FEW, MANY)}
    # us[n] = call / n + entry
    call = (us[FEW] - us[MANY]) / (1 / FEW - 1 / MANY)
    return call, us[MANY] - call / MANY


class Bench:
    def __init__(self, folder, aof):
        options = {"aof": True, "fsync": "everysec"} if aof else {}
        self.folder = folder
        self.server = RedisServer(folder, shipped=False, users=["user default on nopass ~* &* +@all"], **options)
        self.admin = self.server.client()
        # No rewrite in between: it would be counted for whoever works then.
        self.admin.config_set("auto-aof-rewrite-percentage", 0)
        self.client = Connection(self.server.socket)

    def close(self):
        self.client.close()
        self.admin.close()
        self.server.stop()

    def cpu_s(self):
        return thread_cpu_s(self.server.pid)

    def used_by(self, calls, lines):
        """CPU seconds that these calls take, each with so many lines of an answer."""
        calls = list(calls)
        before = self.cpu_s()
        for call in calls:
            self.client.call(call, lines)
        return self.cpu_s() - before

    def written(self, make):
        """The costs of pipelined commands, MAKE(number) each, with an answer of two lines or one."""
        def work(n, entries):
            self.admin.flushall()
            calls = (b"".join(make(i * n + k) for k in range(n)) for i in range(entries // n))
            return self.used_by(calls, n * lines)

        probe = Connection(self.server.socket)
        probe.send(make(0))
        lines = probe.socket.recv(4096).count(b"\n")
        probe.close()
        return fit(work)

    def fill(self, stream, count):
        """Entries 1 to COUNT, with IDs that are known."""
        make = {"trade_signals": wire.signal, "trade_results": wire.result}[stream]
        for start in range(1, count + 1, MANY):
            numbers = range(start, min(start + MANY, count + 1))
            ids = b"".join(wire.with_id(make(i), i) for i in numbers)
            self.client.call(ids, 2 * len(numbers))

    def taken(self):
        """XREADGROUP of signals that are there."""
        def work(n, entries):
            self.refill(entries)
            call = command("XREADGROUP", "GROUP", "executors", "one", "COUNT", n, "STREAMS", "trade_signals", ">")
            return self.used_by([call] * (entries // n), 5 + n * entry_lines(5))

        return fit(work)

    def acknowledged(self):
        def work(n, entries):
            self.refill(entries)
            read = command("XREADGROUP", "GROUP", "executors", "one", "COUNT", MANY, "STREAMS", "trade_signals", ">")
            for _ in range(entries // MANY):
                self.client.call(read, 5 + MANY * entry_lines(5))
            return self.used_by((command("XACK", "trade_signals", "executors", *(wire.known_id(i * n + k + 1) for k in range(n)))
                                 for i in range(entries // MANY * MANY // n)), 1)

        return fit(work)

    def refill(self, entries):
        self.admin.flushall()
        self.fill("trade_signals", entries)
        self.admin.xgroup_create("trade_signals", "executors", 0, mkstream=True)

    def read(self):
        """XREAD, as the daemon does it."""
        def work(n, entries):
            self.admin.flushall()
            self.fill("trade_signals", entries)
            return self.used_by((command("XREAD", "COUNT", n, "STREAMS", "trade_signals", wire.known_id(i * n))
                                 for i in range(entries // n)), 5 + n * entry_lines(5))

        return fit(work)

    def woken(self):
        """A client that waits in XREAD for an entry, together with the call that brings it."""
        reader = Connection(self.server.socket)
        wait = command("XREAD", "BLOCK", 0, "STREAMS", "trade_signals", "$")

        def work(count):
            before = self.cpu_s()
            for i in range(count):
                reader.send(wait)
                wait_until_blocked()
                self.client.call(wire.signal(i), 2)
                reader.take_lines(5 + entry_lines(5))
            return (self.cpu_s() - before) / count * 1e6

        def wait_until_blocked():
            # Redis takes its clients in the order in which they came.
            self.client.call(b"PING\r\n", 1)

        self.admin.flushall()
        alone = statistics.median(self.used_by([b"PING\r\n"] * 3000, 1) / 3000 * 1e6 for _ in range(ROUNDS))
        woken = statistics.median(work(3000) for _ in range(ROUNDS)) - alone
        reader.close()
        return woken

    def waiting(self, clients=200, count=1000):
        """What each executor that waits for a signal adds to an XADD that brings one to the first of them."""
        connections = [Connection(self.server.socket) for _ in range(clients)]
        wait = command("XREADGROUP", "GROUP", "executors", "one", "BLOCK", 0, "STREAMS", "trade_signals", ">")

        def work(waiting):
            self.refill(0)
            queue = deque(connections[:waiting])
            for connection in queue:
                connection.send(wait)
            before = self.cpu_s()
            for i in range(count):
                self.client.call(b"PING\r\n", 1)      # behind it, the one before waits again
                self.client.call(wire.signal(i), 2)
                queue[0].take_lines(5 + entry_lines(5))
                queue[0].send(wait)
                queue.rotate(-1)
            used = (self.cpu_s() - before) / count * 1e6
            self.client.call(b"".join(wire.signal(i) for i in range(waiting)), 2 * waiting)
            for connection in queue:
                connection.take_lines(5 + entry_lines(5))
            return used

        one, all_of_them = (statistics.median(work(n) for _ in range(ROUNDS)) for n in (1, clients))
        for connection in connections:
            connection.close()
        return (all_of_them - one) / (clients - 1)

    def together(self, clients=32, rounds=200):
        """What each of many calls costs that Redis finds when it looks, and what looking costs: CLIENTS send while it stands still."""
        connections = [Connection(self.server.socket) for _ in range(clients)]

        def work(count):
            before = self.cpu_s()
            for _ in range(rounds):
                self.server.pause()
                for connection in connections[:count]:
                    connection.send(b"PING\r\n")
                self.server.resume()
                for connection in connections[:count]:
                    connection.take_lines(1)
            return (self.cpu_s() - before) / rounds * 1e6

        one, all_of_them = (statistics.median(work(count) for _ in range(ROUNDS)) for count in (1, clients))
        for connection in connections:
            connection.close()
        each = (all_of_them - one) / (clients - 1)
        return each, one - each

    def round_trip_us(self):
        """By the clock, for once: of a call to a Redis with nothing else to do."""
        times = []
        for _ in range(3000):
            began = time.perf_counter()
            self.client.call(b"PING\r\n", 1)
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1e6

    def aof_bytes(self):
        return self.admin.info("persistence").get("aof_current_size", 0)


class Drain:
    """The real daemon over streams that were filled before it began. What its start costs is taken off."""

    def __init__(self, bench, batch):
        self.bench, self.batch = bench, batch

    def run(self, entries, is_done, start=None):
        """Both CPUs in µs an entry, reads and batches an entry, bytes of AOF an entry; START is what an empty run has used."""
        bench = self.bench
        config = {**default_config(bench.folder, bench.server), "streams.batch": self.batch, "signals.ttl_ms": 600000,
                  "instances.heartbeat_timeout_ms": 0, "redis.info_interval_ms": 600000}
        daemon = Daemon(bench.folder, config)
        bench.admin.config_resetstat()
        batches = int(bench.admin.hget("mt5stated:meta", "applied_seq") or 0)
        redis, bytes_before = bench.cpu_s(), bench.aof_bytes()
        daemon.start()
        wait_until(is_done, "the daemon to have handled all", deadline_s=60)
        # Both before anything is asked: what is asked costs too.
        used = {"redis": bench.cpu_s() - redis, "daemon": thread_cpu_s(daemon.pid)}
        reads = bench.admin.info("commandstats")["cmdstat_xread"]["calls"]
        batches = int(bench.admin.hget("mt5stated:meta", "applied_seq")) - batches
        resident = rss_bytes(daemon.pid)
        daemon.stop()
        start = start or {"redis": 0, "daemon": 0}
        return {**used, "resident": resident, "redis_us": (used["redis"] - start["redis"]) / entries * 1e6,
                "daemon_us": (used["daemon"] - start["daemon"]) / entries * 1e6, "reads": reads / entries,
                "batches": batches / entries, "aof_bytes": (bench.aof_bytes() - bytes_before) / entries}


def drain_nothing(bench):
    bench.admin.flushall()
    return Drain(bench, 1000).run(1, lambda: bench.admin.hexists("mt5stated:meta", "applied_seq"))


def drain_signals(bench, batch, count, shuffled=1):
    """SHUFFLED: results come in random order within as many."""
    bench.admin.flushall()
    start, rng = drain_nothing(bench), random.Random(1)
    order = list(range(count))
    for at in range(0, count, shuffled):
        part = order[at:at + shuffled]
        rng.shuffle(part)
        order[at:at + shuffled] = part
    for at in range(0, count, MANY):
        numbers = range(at, min(at + MANY, count))
        bench.client.call(b"".join(map(wire.signal, numbers)), 2 * len(numbers))
        bench.client.call(b"".join(wire.result(order[i]) for i in numbers), 2 * len(numbers))
    return Drain(bench, batch).run(count, lambda: bench.admin.hget("mt5stated:totals", "processed:buy") == str(count), start)


def drain_trades(bench, batch, count):
    bench.admin.flushall()
    start = drain_nothing(bench)
    for at in range(0, count, MANY):
        bench.client.call(b"".join(map(wire.trade, range(at, at + MANY))), 2 * MANY)
    last = bench.admin.xrevrange("trade_updates", count=1)[0][0]
    return Drain(bench, batch).run(count, lambda: bench.admin.hget("mt5stated:meta", "pos:trades") == last, start)


def drain_reports(bench, batch, instances, rounds, changed):
    """CHANGED: the share that brings another state, so moves the instance and publishes an event."""
    bench.admin.flushall()
    bench.client.call(b"".join(wire.report(i, 0) for i in range(instances)), 2 * instances)
    Drain(bench, batch).run(instances, lambda: bench.admin.scard("instance:state:running") == instances)
    start = Drain(bench, batch).run(1, lambda: True)
    states = ["running"] * instances
    every, number = int(1 / changed) if changed else 0, 0
    for tenth in range(1, rounds + 1):
        calls = []
        for i in range(instances):
            number += 1
            if every and number % every == 0:
                states[i] = "stopped" if states[i] == "running" else "running"
            calls.append(wire.report(i, tenth, states[i]))
        bench.client.call(b"".join(calls), 2 * instances)
    last = bench.admin.xrevrange("instance_reports", count=1)[0][0]
    return Drain(bench, batch).run(instances * rounds, lambda: bench.admin.hget("mt5stated:meta", "pos:reports") == last, start)


def measure_clients(bench):
    fits = {"xadd_signal": bench.written(wire.signal), "xadd_result": bench.written(wire.result),
            "xadd_report": bench.written(lambda i: wire.report(i % 1000, i)), "xadd_trade": bench.written(wire.trade),
            "claim": bench.written(wire.claim), "xreadgroup": bench.taken(), "xack": bench.acknowledged(), "xread": bench.read()}
    for name, (call, entry) in fits.items():
        print(f"  {name:14} a call {call:6.2f} µs, an entry {entry:6.2f} µs", flush=True)
    call, _ = bench.together()
    alone = statistics.median(fits[name][0] for name in ("xadd_signal", "xadd_result", "xadd_trade"))
    found = {name + "_us": entry for name, (_, entry) in fits.items()}
    return {**found, "call_us": call, "loop_us": alone - call, "xreadgroup_call_us": max(0, fits["xreadgroup"][0] - alone),
            "xread_call_us": max(0, fits["xread"][0] - alone), "waiting_us": bench.waiting(),
            "wake_us": max(0, bench.round_trip_us() - alone) / 2}


def measure_bytes(bench):
    """Bytes of AOF and of memory that an entry of each kind adds."""
    found, count = {}, 128 * 400
    kinds = {"signal": wire.signal, "result": wire.result, "report": lambda i: wire.report(i % 1000, i), "trade": wire.trade,
             "claim": wire.claim}

    def state():
        wait_until(lambda: bench.admin.info("persistence")["aof_buffer_length"] == 0, "the AOF")
        return bench.aof_bytes(), bench.admin.info("memory")["used_memory"]

    def note(name, before):
        aof, memory = state()
        found[f"aof_{name}_bytes"], found[f"memory_{name}_bytes"] = (aof - before[0]) / count, (memory - before[1]) / count

    for name, make in kinds.items():
        bench.admin.flushall()
        before = state()
        for start in range(0, count, MANY):
            bench.client.call(b"".join(make(i) for i in range(start, start + MANY)), MANY * (1 if name == "claim" else 2))
        note(name, before)
    bench.refill(count)
    before = state()
    for _ in range(count // MANY):
        bench.client.call(command("XREADGROUP", "GROUP", "executors", "one", "COUNT", MANY, "STREAMS", "trade_signals", ">"),
                          5 + MANY * entry_lines(5))
    note("taken", before)
    before = state()
    for start in range(0, count, MANY):
        bench.client.call(command("XACK", "trade_signals", "executors", *(wire.known_id(i + 1) for i in range(start, start + MANY))), 1)
    note("acked", before)
    return found


def show_drain(name, found):
    print(f"  {name:34} Redis {found['redis_us']:6.2f} µs, daemon {found['daemon_us']:6.2f} µs, reads {found['reads']:.5f},"
          f" batches {found['batches']:.5f}, AOF {found['aof_bytes']:6.1f} bytes", flush=True)
    return found


def measure_daemon(bench, costs, signals=128 * 1200, instances=1000):
    """COSTS: of reading, which is part of what a drain costs Redis."""
    few, many = READS
    small = show_drain(f"signal with result, batch {few}", drain_signals(bench, few, signals // 6))
    large = show_drain(f"signal with result, batch {many}", drain_signals(bench, many, signals))
    again = Drain(bench, many).run(signals, lambda: True)     # a start that has all of them to remember
    found = {"memory_journal_bytes": bench.admin.memory_usage("mt5stated:journal", samples=0) / signals,
             "aof_signal_daemon_bytes": large["aof_bytes"]}
    empty = drain_nothing(bench)
    found["remember_us"] = (again["daemon"] - empty["daemon"]) / signals * 1e6
    found["remember_bytes"] = (again["resident"] - empty["resident"]) / signals
    shuffled = show_drain(f"results shuffled within {many}", drain_signals(bench, many, signals // 2, many))
    traded = show_drain("trade update", drain_trades(bench, many, 128 * 200))
    plain = show_drain("report", drain_reports(bench, many, instances, 50, 0))
    found["aof_report_daemon_bytes"], found["aof_trade_daemon_bytes"] = plain["aof_bytes"], traded["aof_bytes"]
    changed = show_drain("report with a change of state", drain_reports(bench, many, instances, 50, 1))
    found["aof_change_bytes"] = changed["aof_bytes"] - plain["aof_bytes"]
    found["memory_instance_bytes"] = instance_bytes(bench, instances)

    # A turn is a call that reads and one that stores.
    turns = (small["batches"] + small["reads"] - large["batches"] - large["reads"]) / 2
    turn = {who: (small[who] - large[who]) / turns for who in ("redis_us", "daemon_us")}
    alone = costs["call_us"] + costs["loop_us"]
    read_call = alone + costs["xread_call_us"]

    def beyond(drain, entries, who):
        return drain[who] - (drain["batches"] + drain["reads"]) / 2 * turn[who] - (entries if who == "redis_us" else 0)

    found["commit_us"] = turn["redis_us"] - read_call - alone
    found["commit_signal_us"] = beyond(large, 2 * costs["xread_us"], "redis_us")
    found["commit_shuffled_us"] = beyond(shuffled, 2 * costs["xread_us"], "redis_us")
    found["trade_us"] = beyond(traded, 0, "redis_us")
    found["commit_report_us"] = beyond(plain, costs["xread_us"], "redis_us")
    found["commit_change_us"] = changed["redis_us"] - plain["redis_us"]
    # Of what a turn costs the daemon, a half each: nothing seen from outside tells reading and storing apart.
    found["daemon_read_us"] = found["daemon_batch_us"] = turn["daemon_us"] / 2
    found["daemon_signal_us"] = beyond(shuffled, 0, "daemon_us")
    found["daemon_trade_us"], found["daemon_report_us"] = beyond(traded, 0, "daemon_us"), beyond(plain, 0, "daemon_us")
    found["daemon_change_us"] = changed["daemon_us"] - plain["daemon_us"]
    return found


def instance_bytes(bench, instances):
    """Its hashes, its places in sets and in the daemon's own hashes."""
    for stream in ("instance_reports", "instance_events"):
        bench.admin.xtrim(stream, maxlen=0, approximate=False)
    filled = bench.admin.info("memory")["used_memory"]
    bench.admin.flushall()
    return (filled - bench.admin.info("memory")["used_memory"]) / instances


def measure(aof=True):
    """Every parameter by its name, in one order of measuring."""
    with tempfile.TemporaryDirectory(prefix="mt5stated-scaling-") as folder:
        bench = Bench(pathlib.Path(folder), aof)
        try:
            found = measure_clients(bench)
            if aof:
                found.update(measure_bytes(bench))
            found.update(measure_daemon(bench, found))
        finally:
            bench.close()
    return found
