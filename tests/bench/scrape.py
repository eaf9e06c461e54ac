"""What a scrape costs, how long it holds the loop, and what it takes from a drain."""

import contextlib
import struct
import threading
import time
import zlib

from drain import PATIENT, all_processed, check, measure
from figure import Table, at_least, at_most, median, number, rounded
from load import reports, results, signals
from stage import Daemon, Redis, ask

from mt5.wait import let_pass, wait_until

GZIP_LEVEL = 1      # as src/app/metrics.c has it


def with_instances(bench):
    """A fleet of which everything was reported."""
    def make(server):
        server.feed(reports(bench.sizes.scraped, 0))
    return bench.stock.get("fleet", make)


def is_fleet_there(server, instances):
    return sum(server.client.scard(f"instance:state:{state}") for state in ("running", "stopped")) == instances


def series_of(page):
    return sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))


def cpu_of_requests(daemon, connection, path, times):
    before = daemon.cpu_ns()
    for _ in range(times):
        ask(connection, path)
    return (daemon.cpu_ns() - before) / times


class Turns:
    """How long the loop was held at a time, of a daemon that is started `under` it (turns.c)."""

    LAYOUT = struct.Struct("=QQ")

    def __init__(self, bench):
        self.path = bench.folder / "turns"
        self.under = ("env", f"LD_PRELOAD={bench.turns}", f"MT5_TURNS={self.path}")

    def reset(self):
        with self.path.open("r+b") as file:
            file.write(bytes(self.LAYOUT.size))

    def longest_ms(self):
        """Since the reset: by the clock, and of CPU time, which is the daemon's own doing however busy the machine is."""
        return [us / 1e3 for us in self.LAYOUT.unpack(self.path.read_bytes())]


def longest_turns(bench):
    """Of each scrape, and of spans as long without one: pairs of ms by the clock and of CPU time."""
    turns, held, idle = Turns(bench), [], []
    with Redis(bench.folder, with_instances(bench)) as server, Daemon(bench.daemon, server, *PATIENT, under=turns.under) as daemon:
        wait_until(lambda: is_fleet_there(server, bench.sizes.scraped), "the fleet")
        with contextlib.closing(daemon.wait_ready().connect()) as connection:
            for _ in range(bench.sizes.scrapes):
                turns.reset()
                began = time.monotonic()
                ask(connection, "/metrics")
                span = time.monotonic() - began
                ask(connection, "/-/healthy")       # the turn that sent the last of it is over
                held.append(turns.longest_ms())
                turns.reset()
                let_pass(span)
                idle.append(turns.longest_ms())
    return held, idle


def scraped_drain(bench, count, scrapes):
    """The rate of a drain; with a scrape each second, the first at once."""
    def make(server):
        server.feed(reports(bench.sizes.scraped, 0))
        server.feed(signals(count))
        server.feed(results(range(count)))
    with Redis(bench.folder, bench.stock.get(f"fleet and signals, {count}", make)) as server:
        with Daemon(bench.daemon, server, *PATIENT) as daemon:
            over = threading.Event()

            def go_on_scraping():
                wait_until(lambda: server.total("processed:buy"), "the first batch", poll_s=0.002)
                while True:
                    daemon.get("/metrics")
                    if over.wait(1):
                        return
            thread = threading.Thread(target=go_on_scraping) if scrapes else None
            if thread:
                thread.start()
            drained = measure(server, daemon, count)
            over.set()
            if thread:
                thread.join()
            check(server, all_processed(count))
            return drained.rate


def bench_scrape(bench):
    instances, times = bench.sizes.scraped, bench.sizes.scrapes
    with Redis(bench.folder, with_instances(bench)) as server, Daemon(bench.daemon, server, *PATIENT) as daemon:
        wait_until(lambda: is_fleet_there(server, instances), "the fleet")
        daemon.wait_ready()
        connection = daemon.connect()
        page = ask(connection, "/metrics")
        series = series_of(page)
        empty_ns = cpu_of_requests(daemon, connection, "/-/healthy", 20 * times)
        whole_ns = cpu_of_requests(daemon, connection, "/metrics", times)
        connection.close()
    held, idle = longest_turns(bench)
    began = time.thread_time()
    packed = zlib.compressobj(GZIP_LEVEL, wbits=31)
    packed.compress(page) + packed.flush()
    gzip_ns = (time.thread_time() - began) * 1e9
    rates = [(scraped_drain(bench, bench.sizes.signals, True), scraped_drain(bench, bench.sizes.signals, False))
             for _ in range(bench.rounds)]
    scraped, alone = (max(rate) for rate in zip(*rates))
    ratio = scraped / alone
    table = Table("scrape", f"Scrapes of {instances:,} instances: {series:,} series, {len(page) / 1e6:.1f} MB")
    per_series = (whole_ns - empty_ns) / series
    table.add("daemon CPU a series, an empty answer taken off", f"{number(per_series)} ns", value=per_series,
              goal=at_most(60, " ns"))
    table.add("gzip besides, a series (zlib by itself)", f"{number(gzip_ns / series)} ns")
    by_clock, own = zip(*held)
    table.add("longest turn of the loop in a scrape, its CPU time: of all scrapes", f"{max(own):.1f} ms", value=max(own),
              goal=at_most(5, " ms"))
    table.add("the same, median of scrapes", f"{median(own):.1f} ms")
    table.add("the same by the clock, other work of the machine in it: median, longest",
              f"{median(by_clock):.1f} ms, {max(by_clock):.1f} ms")
    table.add("CPU time of the longest turn as long without a scrape: median, longest",
              f"{median(cpu for _, cpu in idle):.1f} ms, {max(cpu for _, cpu in idle):.1f} ms")
    table.add("drain while scraped each second, of the rate without", f"{number(ratio)} ({rounded(scraped)} a second)",
              value=ratio, goal=at_least(0.9))
    table.notes.append(f"{times} scrapes one after the other over a unix socket; drains of {bench.sizes.signals:,} signals with "
                       f"that fleet. {bench.told_rounds()}")
    return table
