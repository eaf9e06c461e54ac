"""Resident memory: of an idle daemon, for an instance, for an open signal. What is per unit is the difference of two sizes."""

import time

from drain import PATIENT
from figure import Goal, Table, number
from load import reports, signals
from stage import Daemon, Redis, resident_bytes, wait_until

EMPTY, PER_INSTANCE, PER_SIGNAL = 10e6, 2048, 128
# By then instances have a full history of what was decided, and the ring of events is full.
TRANSITIONS = 100


def settled(daemon, seconds=1):
    """The least of some moments: what a batch needed in passing is no part of it."""
    seen, end = [], time.monotonic() + seconds
    while not seen or time.monotonic() < end:
        seen.append(resident_bytes(daemon.pid))
        time.sleep(0.05)
    return min(seen)


def bound(most, text):
    return Goal(f"at most {text}", most=most)


def is_taken_in(server, stream):
    groups = server.client.xinfo_groups(stream)
    return groups and groups[0]["last-delivered-id"] == server.client.xinfo_stream(stream)["last-generated-id"]


def bench_memory(bench):
    sizes = bench.sizes
    few, many = sizes.remembered // 10, sizes.remembered
    given_back_s = 1 if bench.is_quick else 65       # what is free goes back to the system once a minute
    with Redis(bench.folder) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        wait_until(server.is_taken, "the daemon")
        daemon.get("/metrics")
        empty = settled(daemon)

        def feed(stream, commands):
            server.feed(commands)
            wait_until(lambda: is_taken_in(server, stream), f"all of {stream}", seconds=600)
            return settled(daemon)

        at_few = feed("instance_reports", reports(few, 0))
        at_many = feed("instance_reports", reports(many - few, 0, first=few))
        for turn in range(10, 10 * TRANSITIONS, 10):
            server.feed(reports(many, turn))
        at_full = feed("instance_reports", reports(many, 10 * TRANSITIONS))
        first = feed("trade_signals", signals(sizes.signals // 2))
        second = feed("trade_signals", signals(sizes.signals // 2, first=sizes.signals // 2))
        whole = settled(daemon, given_back_s)
    return memory_table(sizes, empty, (at_many - at_few) / (many - few), (at_full - at_many) / many,
                        (second - first) / (sizes.signals // 2), whole,
                        EMPTY + many * PER_INSTANCE + sizes.signals // 2 * 2 * PER_SIGNAL)


def memory_table(sizes, empty, instance, full, signal, whole, whole_goal):
    table = Table("memory", "Resident memory of the daemon")
    table.add("empty", f"{empty / 1e6:.1f} MB", value=empty, goal=bound(EMPTY, "10 MB"))
    table.add("an instance", f"{number(instance)} bytes", value=instance, goal=bound(PER_INSTANCE, "2 KB"))
    table.add(f"an instance after {TRANSITIONS} transitions", f"{number(instance + full)} bytes", value=instance + full,
              goal=bound(PER_INSTANCE, "2 KB"))
    table.add("an open signal", f"{number(signal)} bytes", value=signal, goal=bound(PER_SIGNAL, "128 bytes"))
    table.add(f"all of it: {sizes.remembered:,} instances, {sizes.signals // 2 * 2:,} open signals", f"{whole / 1e6:.1f} MB",
              value=whole, goal=bound(whole_goal, f"{whole_goal / 1e6:.1f} MB"))
    return table
