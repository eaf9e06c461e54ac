"""Preloaded signals with their results, taken in at full speed: by the daemon, by the floor, by peers; with results in other
orders. The rate counts from the first batch that is stored to the last, so that nobody's start counts."""

import os
import pathlib
import time
from dataclasses import dataclass

from figure import Table, at_least, at_most, fastest, number, rounded
from load import results, shuffled_within, signals
from stage import Daemon, Program, Redis, fail, shipped_nodes

from mt5.wait import wait_until

PEERS = {"python3-redis": "python_peer.py", "redigo": "redigo_peer.go", "node-redis": "node_peer.js"}
KEPT = 10000
PATIENT = ("signals.ttl_ms=86400000", "instances.heartbeat_timeout_ms=0")


@dataclass
class Drained:
    rate: float
    client_us: float
    redis_us: float


def stock_of(bench, count):
    """That many signals with a result each, in order."""
    def make(server):
        server.feed(signals(count))
        server.feed(results(range(count)))
    return bench.stock.get(f"in order, {count}", make)


def measure(server, program, count, total=lambda server: server.total("processed:buy"), ends=False):
    """Until TOTAL is COUNT. `ends`: the program ends by itself then, and what it used is asked for behind that."""
    first = wait_until(lambda: total(server), "the first batch", poll_s=0.002)
    began, client_ns, redis_ns = time.monotonic(), program.cpu_ns(), server.cpu_ns()
    wait_until(lambda: total(server) >= count, "the last batch", poll_s=0.005)
    seconds = time.monotonic() - began
    redis_ns = server.cpu_ns() - redis_ns
    client_ns = (program.end() if ends else program.cpu_ns()) - client_ns
    units = count - first
    return Drained(units / seconds, client_ns / units / 1e3, redis_ns / units / 1e3)


def check(server, expected, left=0):
    """Totals are exact, the ended signals gone, the newest results kept."""
    wanted = {name: str(value) for name, value in expected.items()}
    totals = server.client.hgetall("mt5stated:totals")
    if {name: totals.get(name) for name in wanted} != wanted:
        fail(f"totals are {totals}, not {wanted}")
    if server.client.xlen("trade_signals") != left:
        fail("signals that have ended are in the stream still")
    wait_until(lambda: server.client.xlen("trade_results") <= KEPT + 1, "the results to be trimmed", 3)


def all_processed(count):
    return {"received:buy": count, "processed:buy": count, "result:executed": count}


def drain_daemon(bench, data, count):
    with Redis(bench.folder, data) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        drained = measure(server, daemon, count)
        check(server, all_processed(count))
        return drained


def drain_program(bench, data, count, words, settings=(), **more):
    with Redis(bench.folder, data, settings) as server, Program([*words, server.socket, count], **more) as program:
        drained = measure(server, program, count, ends=True)
        check(server, all_processed(count))
        return drained


def words_of_peer(bench, name):
    """How it is started and with which environment; None where it cannot be had here."""
    source = pathlib.Path(__file__).parent / "peers" / PEERS[name]
    if name == "python3-redis":
        return ["/usr/bin/python3", source], {}
    if name == "redigo":
        program = bench.peers / "redigo_peer"
        return ([program], {}) if program.exists() else None
    modules = bench.peers / "node" / "node_modules"
    if not (modules / "redis").is_dir():
        return None
    return ["node", source], {"env": {**os.environ, "NODE_PATH": str(modules)}}


def bench_drain(bench):
    count, fewer = bench.sizes.signals, bench.sizes.peer_signals
    data, data_of_peers = stock_of(bench, count), stock_of(bench, fewer)
    peers = {name: words_of_peer(bench, name) for name in PEERS}
    found = {"floor": [], "mt5stated": [], **{name: [] for name, words in peers.items() if words}}
    for _ in range(bench.rounds):
        found["floor"].append(drain_program(bench, data, count, [bench.floor]))
        found["mt5stated"].append(drain_daemon(bench, data, count))
        for name in found.keys() & peers.keys():
            words, more = peers[name]
            found[name].append(drain_program(bench, data_of_peers, fewer, words, **more))
    return drain_table(bench, found, [name for name, words in peers.items() if not words])


def drain_table(bench, found, absent):
    table = Table("drain", f"Drain of {bench.sizes.signals:,} preloaded signals with a result each",
                  ("", "signals/s", "client µs", "Redis µs"))
    of = {name: fastest(runs) for name, runs in found.items()}
    for name, one in of.items():
        table.add(name, rounded(one.rate), number(one.client_us), number(one.redis_us))
    ours, best = of["mt5stated"], max((name for name in found if name in PEERS), key=lambda name: of[name].rate)
    to_floor, to_best = ours.rate / of["floor"].rate, ours.rate / of[best].rate
    table.add("mt5stated to the floor", number(to_floor), number(ours.client_us / of["floor"].client_us),
              number(ours.redis_us / of["floor"].redis_us), value=to_floor, goal=at_least(0.85, " of the rate"))
    table.add(f"mt5stated to {best}", number(to_best), number(ours.client_us / of[best].client_us),
              number(ours.redis_us / of[best].redis_us), value=to_best, goal=at_least(3, " times the rate"))
    table.add("mt5stated, its CPU a signal", "", number(ours.client_us), "", value=ours.client_us, goal=at_most(3, " µs"))
    table.add("mt5stated, Redis' CPU a signal", "", "", number(ours.redis_us), value=ours.redis_us, goal=at_most(6, " µs"))
    table.notes.append(f"{bench.told_rounds()} Peers: {bench.sizes.peer_signals:,} signals. Totals were exact at the end of "
                       "each run.")
    table.notes += [f"{name} could not be had here and is left out." for name in absent]
    return table


# ---- the order of results ----

TTL_MS = 1000


def answered_of(count):
    return [i for i in range(count) if i % 100 != 50]


ORDERS = {
    "in order": lambda count: range(count),
    "shuffled within 64": lambda count: shuffled_within(count, 64),
    "shuffled within 1,000": lambda count: shuffled_within(count, 1000),
    "one in a hundred never answered": answered_of,
}


def wait_late(server, ttl_ms):
    """Whoever has no result is late as soon as all results are read."""
    newest_ms = int(server.client.xinfo_stream("trade_signals")["last-generated-id"].partition("-")[0])

    def is_late():
        seconds, us = server.client.time()
        return seconds * 1000 + us // 1000 >= newest_ms + ttl_ms
    wait_until(is_late, "the ttl of the newest signal")


def stock_of_order(bench, name, settings=()):
    count = bench.sizes.signals

    def make(server):
        server.feed(signals(count))
        server.feed(results(ORDERS[name](count)))
        wait_late(server, TTL_MS)
    return bench.stock.get(f"{name}, {count}, {settings}", make, settings)


def drain_order(bench, name, settings=()):
    """`settings` of Redis."""
    count, data = bench.sizes.signals, stock_of_order(bench, name, settings)
    answered = len(ORDERS[name](count))
    with (Redis(bench.folder, data, settings) as server,
          Daemon(bench.daemon, server, *PATIENT, f"signals.ttl_ms={TTL_MS}") as daemon):
        drained = measure(server, daemon, count,
                          total=lambda server: server.total("processed:buy") + server.total("dropped:buy"))
        expected = {"received:buy": count, "processed:buy": answered, "result:executed": answered}
        if answered < count:
            expected["dropped:buy"] = count - answered
        check(server, expected)
        return drained


def bench_orders(bench):
    found, settings = {name: [] for name in ORDERS}, shipped_nodes()
    for _ in range(bench.rounds):
        for name in ORDERS:
            found[name].append(drain_order(bench, name, settings))
    table = Table("orders", f"Results in other orders, {bench.sizes.signals:,} signals",
                  ("results", "signals/s", "daemon µs", "Redis µs", "of the rate in order"))
    for name, runs in found.items():
        run = fastest(runs)
        ratio = run.rate / fastest(found["in order"]).rate
        table.add(name, rounded(run.rate), number(run.client_us), number(run.redis_us), number(ratio), value=ratio,
                  goal=None if name == "in order" else at_least(0.7))
    table.notes.append(f"{bench.told_rounds()} Who is never answered has its ttl behind it when the results have been read, and "
                       "is dropped, with its event, before the clock stops. Redis keeps at most "
                       f"{settings[1]} entries in a node of a stream, as config/redis has it; all other subjects are on its default.")
    return table
