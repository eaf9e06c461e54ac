"""Measures how long it takes until one that stands by has taken over: from the end of the active daemon to the first batch of the
next, and of that from the lease to the batch. There are a large fleet, many open signals, and a producer at work all the time."""

import contextlib
import re
import signal
import statistics
import sys
import threading
import time

import redis

from figure import Table, at_most, percentile

from mt5.bus import Bus
from mt5.daemon import Daemon, default_config
from mt5.invariants import REPORTS, SIGNALS
from mt5.redis_server import RedisServer
from mt5.wait import wait_until

LEASE_MS = 3000
FIRST_BATCH_MS = 100
LOOK_S = 0.001
CHUNK = 5000
PASSES, FOLLOWED_PASSES = "mt5stated_standby_passes_total", 10
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000, "instances.heartbeat_timeout_ms": 0,
        "guard.hold_ms": 0, "ha.lease_ms": LEASE_MS}

# How the active one ends; and within which time the next one is active.
KINDS = {"standby": (Daemon.kill9, LEASE_MS + 1000), "stop": (lambda daemon: daemon.send(signal.SIGTERM), 1000)}


class Producer:
    """A signal and its result, and a report, each 5 ms."""

    def __init__(self, server, instances):
        self._server, self._instances, self._is_over = server, instances, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self):
        self._is_over.set()
        self._thread.join()

    def _work(self):
        count = 0
        with self._server.client() as client:
            bus = Bus(client)
            while not self._is_over.wait(0.005):
                count += 1
                bus.signal(f"w-{count}")
                bus.result(f"r-{count}", f"w-{count}")
                bus.report(f"mt5-{count % self._instances}", cpu_usage=count % 100)


def fill(bus, instances, signals):
    for first in range(0, instances, CHUNK):
        bus.many(REPORTS, [{"instance_id": f"mt5-{i}", "broker_id": f"b{i % 7}", "state": "running", "cpu_usage": i % 50,
                            "memory_usage": 100, "queue_length": i % 90}
                           for i in range(first, min(first + CHUNK, instances))])
    for first in range(0, signals, CHUNK):
        bus.many(SIGNALS, [{"signal_id": f"open-{i}", "action": "buy", "instance_id": f"mt5-{i % instances}"}
                           for i in range(first, min(first + CHUNK, signals))])
    wait_until(lambda: bus.is_handled(SIGNALS) and bus.is_handled(REPORTS), "all to be taken in", deadline_s=120)


def value(daemon, name):
    """Of a metric, found in the text: of so many series it would take long to read them all."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", daemon.get("/metrics").text, re.MULTILINE)
    return float(found[1])


def wait_warm(daemon):
    daemon.wait_serving()
    wait_until(lambda: value(daemon, "mt5stated_standby_warm") == 1, "it to hold the state", poll_s=0.2, deadline_s=60)


def measure(kind, active, waiting, client):
    """From the end of ACTIVE to the first batch of WAITING, and from its lease to there; ms."""
    last = holder, _ = client.hmget("mt5stated:meta", "holder", "pos:signals")

    def is_written():
        nonlocal last
        found = client.hmget("mt5stated:meta", "holder", "pos:signals")
        if found[0] == holder:
            last = found
        return time.monotonic() if found[0] != holder and found[1] != last[1] else None

    began = time.monotonic()
    KINDS[kind][0](active)
    first = wait_until(is_written, "a batch", poll_s=LOOK_S, deadline_s=30)
    if kind == "stop":
        active.wait_exit()
    wait_until(lambda: value(waiting, "mt5stated_takeover_seconds") > 0, "it to say so")
    return (first - began) * 1000, value(waiting, "mt5stated_takeover_seconds") * 1000


def told(values):
    return "/".join(f"{value:.1f}" for value in (statistics.median(values), percentile(values, 0.95), max(values)))


def run(kinds, count, folder, sizes):
    instances, signals = sizes
    table = Table("takeover", f"Taking over with {instances:,} instances and {signals:,} open signals, ms",
                  ("the active one", "runs", "until the first batch of the next (p50/p95/max)",
                   "from its lease to that batch (p50/p95/max)"))
    (folder / "redis").mkdir()
    server = RedisServer(folder / "redis")
    server.start()
    daemons = []
    try:
        for name in ("one", "two"):
            own = folder / name
            own.mkdir()
            daemons.append(Daemon(own, {**default_config(own, server), **SLOW, "streams.consumer": name}))
        active, waiting = daemons
        active.start()
        with server.client() as client:
            fill(Bus(client), instances, signals)
            producer = Producer(server, instances)
            for kind in kinds:
                ends, leases = [], []
                for _ in range(count):
                    waiting.start(ready=False)
                    wait_warm(waiting)
                    passed = value(waiting, PASSES)
                    wait_until(lambda before=passed: value(waiting, PASSES) >= before + FOLLOWED_PASSES, "it to follow for a while")
                    until_batch, from_lease = measure(kind, active, waiting, client)
                    ends.append(until_batch)
                    leases.append(from_lease)
                    assert value(waiting, 'mt5stated_takeovers_total{state="warm"}') == 1
                    active, waiting = waiting, active
                table.add({"standby": "is killed (kill -9)", "stop": "is stopped"}[kind], count, told(ends), told(leases),
                          value=percentile(leases, 0.95), goal=at_most(FIRST_BATCH_MS, " ms at p95 from the lease"))
                print(table.markdown().splitlines()[-1], file=sys.stderr, flush=True)
                if max(ends) > KINDS[kind][1]:
                    print(f"later than {KINDS[kind][1]} ms: {max(ends):.0f}", file=sys.stderr)
            producer.stop()
        active.stop()
    finally:
        for daemon in daemons:
            if daemon.is_running():
                daemon.kill9()
        with contextlib.suppress(redis.exceptions.RedisError):
            server.kill9()
    return table
