"""How soon what has come has its effect: a result, a report; and how long others wait for Redis meanwhile. Watched from outside
(bench_latency.c)."""

import subprocess
import threading
import time

from drain import PATIENT, stock_of
from figure import Goal, Table, at_most, number, percentile
from load import reports, signals
from stage import Daemon, Program, Redis

from mt5.wait import wait_until

EVERY_US = 1000
WATCHED = 1000      # instances, as many as bench_latency knows


def watch(bench, server, what, count):
    """Pairs of the second that it began (time.monotonic) and the µs that it took."""
    words = [bench.latency, server.socket, what, str(count), str(EVERY_US)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return [(int(began) / 1e9, int(took) / 1e3) for began, took in (line.split() for line in done.stdout.splitlines())]


def has_read(server, *streams):
    for stream in streams:
        groups = server.client.xinfo_groups(stream)
        if not groups or groups[0]["last-delivered-id"] != server.client.xinfo_stream(stream)["last-generated-id"]:
            return False
    return True


def start_live(bench, server, who):
    if who == "floor":
        return Program([bench.floor, server.socket, "live"])
    return Daemon(bench.daemon, server, *PATIENT)


def latencies(bench, who):
    """µs, of results and of reports."""
    count = bench.sizes.watched

    def make(server):
        server.feed(signals(count))
        server.feed(reports(WATCHED, 0, state="running"))
    with Redis(bench.folder, bench.stock.get(f"watched {count}", make)) as server, start_live(bench, server, who):
        wait_until(lambda: has_read(server, "trade_signals", "instance_reports"), "what was there")
        return {what: [took for _, took in watch(bench, server, what, count)] for what in ("signals", "reports")}


def bench_latency(bench):
    table = Table("latency", f"From Redis to its effect, {1000000 // EVERY_US:,} each second",
                  ("", "floor p50 µs", "p99 µs", "mt5stated p50 µs", "p99 µs", "ratio p50", "p99"))
    found = {"floor": [], "mt5stated": []}
    for _ in range(bench.rounds):
        for who in found:
            found[who].append(latencies(bench, who))
    for what, text in (("signals", "a result, until its signal is gone"),
                       ("reports", "a report, until hash, set and event are seen")):
        floor, ours = (least_percentiles(run[what] for run in runs) for runs in found.values())
        ratios = [a / b for a, b in zip(ours, floor)]
        table.add(text, *(number(round(value)) for value in (*floor, *ours)), *(number(ratio) for ratio in ratios),
                  value=max(ratios[0] / 1.2, ratios[1] / 1.5), goal=Goal("at most 1.2 and 1.5 times", most=1))
    table.notes.append(f"{bench.told_rounds('least')} {bench.sizes.watched:,} each a run, by the clock, whether or not "
                       "those before are done. Whoever looks is told by Redis (client tracking), so nobody polls. It counts from "
                       "Redis' own TIME behind the XADD.")
    return table


def least_percentiles(runs):
    """p50 and p99, the least of the runs: what else the machine does can only add to them."""
    runs = list(runs)
    return [min(percentile(run, share) for run in runs) for share in (0.5, 0.99)]


# ---- others beside it ----

class Peer:
    """XADD to a blocked XREADGROUP, until it has lasted as long as the other work."""

    def __init__(self, bench, server, seconds):
        self.found = []
        self.thread = threading.Thread(
            target=lambda: self.found.extend(watch(bench, server, "peer", int(seconds * 1000000 / EVERY_US))))
        self.thread.start()

    def within(self, began, ended):
        self.thread.join()
        return [took for at, took in self.found if began <= at <= ended]


def beside_reader(bench, data, seconds):
    with Redis(bench.folder, data) as server, Program([bench.floor, server.socket, "read"]):
        began = time.monotonic()
        return Peer(bench, server, seconds).within(began, began + seconds)


def beside_drain(bench, data, count, seconds, start):
    """What was measured while the drain lasted; the peer is there before it begins."""
    with Redis(bench.folder, data) as server:
        server.client.delete("bench:peer")
        peer = Peer(bench, server, seconds)
        wait_until(lambda: server.client.exists("bench:peer"), "the peer")
        with start(server):
            wait_until(lambda: server.total("processed:buy"), "the first batch", poll_s=0.002)
            began = time.monotonic()
            wait_until(lambda: server.total("processed:buy") >= count, "the drain", poll_s=0.005)
            return peer.within(began, time.monotonic())


def bench_beside(bench):
    count, seconds = bench.sizes.signals, bench.sizes.beside_s
    data = stock_of(bench, count)
    ways = {
        "one who only reads, at full speed": lambda: beside_reader(bench, data, 1),
        "the floor, in a drain": lambda: beside_drain(
            bench, data, count, seconds, lambda server: Program([bench.floor, server.socket, count])),
        "mt5stated, in a drain": lambda: beside_drain(
            bench, data, count, seconds, lambda server: Daemon(bench.daemon, server, *PATIENT)),
    }
    found = {way: [] for way in ways}
    for _ in range(bench.rounds):
        for way, run in ways.items():
            found[way].append(run())
    table = Table("beside", "What others wait for Redis: XADD until a blocked XREADGROUP has it, 1,000 each second",
                  ("beside", "p50 µs", "p99 µs", "p99, times that beside the reader"))
    first = None
    for way, runs in found.items():
        p50, p99 = least_percentiles(runs)
        first = first or p99
        table.add(way, number(round(p50)), number(round(p99)), number(p99 / first), value=p99 / first,
                  goal=at_most(2) if way.startswith("mt5stated") else None)
    table.notes.append(f"{bench.told_rounds('least')} {sum(len(run) for run in found['mt5stated, in a drain']):,} orders "
                       "beside the daemon.")
    return table
