"""Ten times as much of everything: what it costs then against ten times what it cost before; and a whole that is as large as
the limits allow."""

import contextlib
import json
import multiprocessing
import time

from drain import PATIENT
from figure import Table, at_most, fastest, number, rounded
from latency import has_read
from load import reports, results, signals
from memory import EMPTY, PER_INSTANCE, PER_SIGNAL, bound, settled
from reports import Backlog, drain_reports
from scrape import cpu_of_requests
from stage import Daemon, Redis, ask, connect_to

from mt5.wait import let_pass, wait_until

METRICS = ("cpu_usage", "memory_usage", "network_usage", "disk_usage", "network_latency", "queue_length", "load_average",
           "socket_connections", "active_connections")
PROBE_EVERY_S = 0.0005


def more_rules(count):
    """Settings that add so many rules, of which none is ever true."""
    rule = {"op": ">", "threshold": 1e9, "for_ms": 5000, "severity": "warning", "actions": ["notify"]}
    return [f"rules.More{i}={json.dumps({'metric': METRICS[i % len(METRICS)], **rule})}" for i in range(count)]


def cost_of_reports(bench, instances, turns, *settings):
    backlog = Backlog(bench, instances, turns)
    run = fastest([drain_reports(bench, backlog, *settings) for _ in range(bench.rounds)])
    return run.client_us, run.redis_us


def cost_of_scrape(bench, instances):
    """µs of the daemon."""
    def make(server):
        server.feed(reports(instances, 0))
    with Redis(bench.folder, bench.stock.get(f"fleet of {instances}", make)) as server:
        with Daemon(bench.daemon, server, *PATIENT) as daemon:
            wait_until(lambda: has_read(server, "instance_reports"), "the fleet")
            with contextlib.closing(daemon.wait_ready().connect()) as connection:
                cpu_of_requests(daemon, connection, "/metrics", 2)
                return cpu_of_requests(daemon, connection, "/metrics", 10) / 1e3


def cost_of_open(bench, count):
    """Seconds of the daemon's CPU for so many signals that are open together and then end; what its start takes is off."""
    def make(server):
        server.feed(signals(count))
    with Redis(bench.folder, bench.stock.get(f"signals, {count}", make)) as server:
        with Daemon(bench.daemon, server, *PATIENT) as daemon:
            wait_until(lambda: server.total("received:buy") == count, "the signals")
            server.feed(results(range(count)))
            wait_until(lambda: server.total("processed:buy") == count, "the results")
            used_ns = daemon.cpu_ns()
    with Redis(bench.folder) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        wait_until(server.is_taken, "the daemon")
        return (used_ns - daemon.cpu_ns()) / 1e9


def add_tenfold(table, text, small, large, unit):
    table.add(text, f"{number(small)} {unit}", f"{number(large)} {unit}", number(large / small), value=large / small,
              goal=at_most(11, " times"))


def bench_growth(bench):
    instances, turns = bench.sizes.instances, bench.sizes.report_turns // 2
    count = bench.sizes.most_open // 10
    table = Table("growth", "Ten times as much", ("", "cost", "of ten times as much", "times"))
    few, many = cost_of_reports(bench, instances, turns), cost_of_reports(bench, 10 * instances, turns // 4)
    for i, who in enumerate(("mt5stated", "Redis")):
        add_tenfold(table, f"a report of each of {instances:,} and of {10 * instances:,} instances, {who}",
                    few[i] * instances / 1e3, many[i] * 10 * instances / 1e3, "ms")
    add_tenfold(table, f"a scrape with {instances:,} and with {10 * instances:,} instances",
                cost_of_scrape(bench, instances) / 1e3, cost_of_scrape(bench, 10 * instances) / 1e3, "ms")
    small, large = (min(cost_of_open(bench, n) for _ in range(min(2, bench.rounds))) for n in (count, 10 * count))
    add_tenfold(table, f"{count:,} and {10 * count:,} signals, open together and then ended", small, large, "s")
    ruled = cost_of_reports(bench, instances, turns, *more_rules(72))
    add_tenfold(table, "a report with 8 and with 80 rules", few[0], ruled[0], "µs")
    table.notes.append(f"CPU of the daemon but where it says Redis. {bench.told_rounds()}")
    return table


def probe(path, asked, stop, out):
    """Pairs of when it asked and how long the answer took; `asked` is set with the first."""
    connection, found = connect_to(path), []
    while not stop.is_set():
        began = time.monotonic()
        ask(connection, "/-/healthy")
        found.append((began, time.monotonic() - began))
        asked.set()
        let_pass(PROBE_EVERY_S)
    out.put(found)


def longest_gap(found, began, ended):
    return max((took for at, took in found if began <= at <= ended), default=0)


def bench_largest(bench):
    """As much as the limits allow, at one time."""
    instances, count = bench.sizes.most_instances, bench.sizes.most_open
    with Redis(bench.folder) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        wait_until(server.is_taken, "the daemon")
        daemon.wait_ready()
        out, asked, stop = multiprocessing.Queue(), multiprocessing.Event(), multiprocessing.Event()
        process = multiprocessing.Process(target=probe, args=(daemon.http, asked, stop, out), daemon=True)
        process.start()
        wait_until(asked.is_set, "the probe")
        marks, rates = [time.monotonic()], []

        def phase(commands, units, is_done, what):
            began, before = time.monotonic(), daemon.cpu_ns()
            server.feed(commands)
            wait_until(is_done, what, poll_s=0.05, deadline_s=300)
            marks.append(time.monotonic())
            rates.append((units / (marks[-1] - began), (daemon.cpu_ns() - before) / units / 1e3))

        def are_reports_read():
            return has_read(server, "instance_reports")
        phase(reports(instances, 0), instances, are_reports_read, "the instances")
        phase(signals(count), count, lambda: server.total("received:buy") == count, "the signals")
        whole = settled(daemon)
        marks[-1] = time.monotonic()
        phase(reports(instances, 1), instances, are_reports_read, "their reports")
        page = daemon.get("/metrics")
        marks.append(time.monotonic())
        phase(results(range(count)), count, lambda: server.total("processed:buy") == count, "the results")
        stop.set()
        found = out.get()
        process.join()
    gaps = [longest_gap(found, *span) * 1e3 for span in zip(marks, marks[1:])]
    table = Table("largest", f"{instances:,} instances and {count:,} open signals at one time",
                  ("", "a second", "daemon µs each", "longest wait for /-/healthy"))
    texts = ("instances registered", "signals taken in", "a further report of each", "all signals ended")
    for text, rate, gap in zip(texts, rates, (gaps[0], gaps[1], gaps[2], gaps[4])):
        table.add(text, rounded(rate[0]), number(rate[1]), f"{gap:.0f} ms")
    table.add(f"a scrape of {len(page) / 1e6:.0f} MB", "", "", f"{gaps[3]:.0f} ms")
    limit = EMPTY + instances * PER_INSTANCE + count * PER_SIGNAL
    table.add("resident memory", f"{whole / 1e6:.0f} MB", "", "", value=whole, goal=bound(limit, f"{limit / 1e6:.0f} MB"))
    table.notes.append("What was fed came as fast as redis-cli writes it: the rates are the feeder's where the daemon is faster.")
    return table
