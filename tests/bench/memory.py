"""Resident memory: of an idle daemon, for an instance, for an open signal. What is per unit is the difference of two sizes."""

import math
import time

from drain import PATIENT
from figure import Goal, Table, megabytes, number
from load import reports, signals
from stage import Daemon, Redis, resident_bytes

from mt5.wait import wait_until

EMPTY, PER_INSTANCE, PER_SIGNAL = 10e6, 2048, 128
# By then instances have a full history of what was decided, and the ring of events is full.
TRANSITIONS = 100


def settled(daemon, seconds=1):
    """The least, once it was not undercut for so long: what a batch needed in passing is no part of it."""
    least, found_s = math.inf, 0

    def stays():
        nonlocal least, found_s
        now, seen = time.monotonic(), resident_bytes(daemon.pid)
        if seen < least:
            least, found_s = seen, now
        return now - found_s >= seconds
    wait_until(stays, "the memory to settle", deadline_s=60 + 10 * seconds, poll_s=0.05)
    return least


def bound(most, text):
    return Goal(f"at most {text}", most=most)


def is_taken_in(server, stream):
    groups = server.client.xinfo_groups(stream)
    return groups and groups[0]["last-delivered-id"] == server.client.xinfo_stream(stream)["last-generated-id"]


def bench_memory(bench):
    sizes = bench.sizes
    few, many, half = sizes.remembered // 10, sizes.remembered, sizes.signals // 2
    given_back_s = 1 if bench.is_quick else 65       # what is free goes back to the system once a minute
    with Redis(bench.folder) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        wait_until(server.is_taken, "the daemon")
        daemon.get("/metrics")
        empty = settled(daemon)

        def feed(stream, commands, seconds=1):
            server.feed(commands)
            wait_until(lambda: is_taken_in(server, stream), f"all of {stream}", deadline_s=600)
            return settled(daemon, seconds)

        def have_histories(instances, seconds=1):
            for turn in range(10, 10 * TRANSITIONS, 10):
                server.feed(reports(instances, turn))
            return feed("instance_reports", reports(instances, 10 * TRANSITIONS), seconds)

        server.feed(reports(few, 0))
        few_full = have_histories(few, given_back_s)
        at_many = feed("instance_reports", reports(many - few, 0, first=few))
        at_full = have_histories(many)
        first = feed("trade_signals", signals(half))
        second = feed("trade_signals", signals(half, first=half))
        whole = settled(daemon, given_back_s)
    table = Table("memory", "Resident memory of the daemon")
    table.add("empty", megabytes(empty), value=empty, goal=bound(EMPTY, "10 MB"))
    for text, value, most, told in (
            ("an instance", (at_many - few_full) / (many - few), PER_INSTANCE, "2 KB"),
            (f"an instance after {TRANSITIONS} transitions", (at_full - few_full) / (many - few), PER_INSTANCE, "2 KB"),
            ("an open signal", (second - first) / half, PER_SIGNAL, "128 bytes")):
        table.add(text, f"{number(round(value))} bytes", value=value, goal=bound(most, told))
    for instances, open_signals, value in ((few, 0, few_full), (many, 2 * half, whole)):
        most = EMPTY + instances * PER_INSTANCE + open_signals * PER_SIGNAL
        table.add(f"all of it: {instances:,} such instances, {open_signals:,} open signals", megabytes(value), value=value,
                  goal=bound(most, megabytes(most)))
    return table
