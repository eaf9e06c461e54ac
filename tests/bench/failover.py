"""Measures what the daemon adds to a failover of Sentinel: from the moment at which a Sentinel answers with the new address to
the daemon's first write on the new master, and to the first batch of what came in meanwhile. Also looks for writes on the old
master after that moment. Prints a table in Markdown; and another one of how long it takes until one that stands by has taken over
(takeover.py).

Everything is on this machine, in real programs, with a producer at work all the time. The Sentinels look at the servers more
often than they do by themselves (mt5.sentinels.Sentinels.quicken), so that a run is short; what they take for it is not what
is measured."""

import argparse
import contextlib
import math
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

import redis

import takeover
from figure import Table, at_most
from options import parse, whole

from mt5.bus import Bus
from mt5.daemon import Daemon, default_config
from mt5.sentinels import DOWN, Sentinels
from mt5.wait import wait_until

BOUND_MS = 250
DOWN_AFTER_MS = 1000
META = ("epoch", "beat", "applied_seq", "pos:signals")
LOOK_S = 0.001
CALM_S = 1.0


def kill(group):
    group.master().kill9()


def stop(group):
    group.master().pause()


def ask(group):
    group.fail_over()


KINDS = {"kill -9": kill, "SIGSTOP": stop, "SENTINEL FAILOVER": ask}


@dataclass
class Spans:
    """Of one kind, in ms."""
    outage: list = field(default_factory=list)      # from the fault to the answer of Sentinel
    write: list = field(default_factory=list)       # from there to the first write
    work: list = field(default_factory=list)        # and to the first batch
    late: list = field(default_factory=list)        # the last write on the old master, where there was one


class Producer:
    """A signal and its result each 5 ms, to whoever the Sentinels name."""

    def __init__(self, group):
        self._group, self._is_over = group, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self):
        self._is_over.set()
        self._thread.join()

    def _work(self):
        count = 0
        while not self._is_over.is_set():
            with contextlib.suppress(redis.exceptions.RedisError, StopIteration), \
                    self._group.client(socket_timeout=0.2) as client:
                bus, named = Bus(client), self._group.master()
                while not self._is_over.wait(0.005) and named is self._group.last_named:
                    count += 1
                    bus.signal(f"s-{count}")
                    bus.result(f"r-{count}", f"s-{count}")


class Looks:
    """What the daemon has written on a server, looked at all the time on one connection."""

    def __init__(self, group, server):
        self._client = group.client_of(server, socket_timeout=1)

    def meta(self):
        with contextlib.suppress(*DOWN):
            return self._client.hmget("mt5stated:meta", *META)
        return None


def measure(group, kind, spans):
    """One failover."""
    old, new = group.master(), group.replica()
    looks, old_looks = Looks(group, new), Looks(group, old)
    began = time.monotonic()
    KINDS[kind](group)
    views = [group.client_of(sentinel) for sentinel in group.sentinels]
    named, before = wait_named(views, new, looks)
    group.last_named = new
    spans.outage.append((named - began) * 1000)
    first = wait_until(lambda: changed(looks, before, 3), "the first write", poll_s=LOOK_S)
    worked = wait_until(lambda: changed(looks, before, 4), "the first batch", poll_s=LOOK_S)
    spans.write.append((first - named) * 1000)
    spans.work.append((worked - named) * 1000)
    if kind != "kill -9":
        old.resume()
        spans.late += [(late - named) * 1000 for late in [last_write(group, old, old_looks)] if late]


def wait_named(views, new, looks):
    """When a Sentinel first names the new master, and what that one held just before."""

    before = looks.meta()

    def is_named():
        nonlocal before
        before = looks.meta() or before
        for view in views:
            address = view.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "mt5")
            if int(address[1]) == new.port:
                return time.monotonic(), before
        return None

    return wait_until(is_named, "a failover", poll_s=LOOK_S)


def changed(looks, before, count):
    """When it was seen that one of the first COUNT values is another one than before."""
    found = looks.meta()
    return time.monotonic() if found and found[:count] != before[:count] else None


def last_write(group, old, looks):
    """When the old master, a master still, was last seen to change; None where it was not. It is looked at for a second."""
    last, before, end = None, looks.meta(), time.monotonic() + CALM_S
    while time.monotonic() < end:
        with contextlib.suppress(*DOWN), group.client_of(old) as client:
            role, found = client.pipeline().execute_command("ROLE").hmget("mt5stated:meta", *META).execute()
            if role[0] != "master":
                break
            if before and found != before:
                last, before = time.monotonic(), found
            before = before or found
    return last


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def row(kind, spans):
    def told(values):
        return "/".join(f"{value:.1f}" for value in (statistics.median(values), percentile(values, 0.95), max(values)))

    late = f"{max(spans.late):.1f}" if spans.late else "none"
    return (kind, len(spans.write), f"{statistics.median(spans.outage):.0f}", told(spans.write), told(spans.work), late)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench failover", description=__doc__)
    parser.add_argument("--only", choices=[*KINDS, *takeover.KINDS], help="this kind alone")
    parser.add_argument("--count", type=whole, default=20, help="failovers of each kind")
    parser.add_argument("--instances", type=whole, default=10000, help="for one that stands by")
    parser.add_argument("--signals", type=whole, default=100000, help="open ones, likewise")
    options = parse(parser)
    kinds = [options.only] if options.only else [*KINDS, *takeover.KINDS]
    tables = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mt5-"))
    try:
        if any(kind in KINDS for kind in kinds):
            tables.append(measure_sentinels(options, [kind for kind in kinds if kind in KINDS], folder))
        if any(kind in takeover.KINDS for kind in kinds):
            tables.append(takeover.run([kind for kind in kinds if kind in takeover.KINDS], options.count, folder,
                                       (options.instances, options.signals)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for table in tables:
        print(table.markdown() + "\n")
    return 1 if any(table.missed() for table in tables) else 0


def measure_sentinels(options, kinds, folder):
    daemon = None
    table = Table("failover", "What the daemon adds to a failover, ms",
                  ("failover by", "runs", "Sentinel took (p50)", "until the first write (p50/p95/max)",
                   "until the first batch (p50/p95/max)", "last write on the old master"))
    group = Sentinels(folder, down_after_ms=DOWN_AFTER_MS)
    try:
        group.last_named = group.master()
        own = folder / "daemon"
        own.mkdir()
        daemon = Daemon(own, {**default_config(own, group), **group.config, "guard.hold_ms": 0})
        group.quicken()
        daemon.start()
        producer = Producer(group)
        for kind in kinds:
            spans = Spans()
            for _ in range(options.count):
                measure(group, kind, spans)
                group.heal()
                wait_until(daemon.is_ready, "the daemon to be ready")
            table.add(*row(kind, spans), value=percentile(spans.write, 0.95), goal=at_most(BOUND_MS, " ms at p95"))
            print(table.markdown().splitlines()[-1], file=sys.stderr, flush=True)
        producer.stop()
        daemon.stop()
    finally:
        group.kill()
        if daemon and daemon.is_running():
            daemon.kill9()
    return table


if __name__ == "__main__":
    sys.exit(main())
