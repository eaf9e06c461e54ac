"""What a scrape costs, how long it holds the loop, and what it takes from a drain."""

import multiprocessing
import threading
import time
import zlib

from drain import PATIENT, all_processed, check, measure
from figure import Table, at_least, at_most, median, number, rounded
from load import reports, results, signals
from stage import Daemon, Redis, ask, connect_to

from mt5.wait import let_pass, wait_until

GZIP_LEVEL = 1      # as src/app/metrics.c has it
PROBE_EVERY_S = 0.0005


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


def probe(path, seconds, out, stop=None):
    """Pairs of when it asked and how long the answer took."""
    connection = connect_to(path)
    found, end = [], time.monotonic() + seconds
    while (began := time.monotonic()) < end and not (stop and stop.is_set()):
        ask(connection, "/-/healthy")
        found.append((began, time.monotonic() - began))
        let_pass(PROBE_EVERY_S)
    out.put(found)


def gaps(bench, daemon, connection):
    """The longest answer to /-/healthy in ms during each scrape, and in spans as long without one."""
    out, spans, idle = multiprocessing.Queue(), [], []
    scrapes = bench.sizes.scrapes
    process = multiprocessing.Process(target=probe, args=(daemon.http, 0.3 * scrapes + 1, out))
    process.start()
    time.sleep(0.3)
    for _ in range(scrapes):
        began = time.monotonic()
        ask(connection, "/metrics")
        ended = time.monotonic()
        spans.append((began, ended))
        let_pass(max(0.1, ended - began))
        idle.append((time.monotonic() - (ended - began), time.monotonic()))
    found = out.get()
    process.join()

    def longest(span):
        return max((took for at, took in found if at <= span[1] and at + took >= span[0]), default=0) * 1e3
    return [longest(span) for span in spans], [longest(span) for span in idle]


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
        held, idle = gaps(bench, daemon, connection)
        connection.close()
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
    table.add("longest wait for /-/healthy in a scrape: median of scrapes", f"{median(held):.1f} ms", value=median(held),
              goal=at_most(5, " ms"))
    table.add("the same, the longest of all", f"{max(held):.1f} ms")
    table.add("as long without a scrape: median, longest", f"{median(idle):.1f} ms, {max(idle):.1f} ms")
    table.add("drain while scraped each second, of the rate without", f"{number(ratio)} ({rounded(scraped)} a second)",
              value=ratio, goal=at_least(0.9))
    table.notes.append(f"{times} scrapes one after the other over a unix socket; drains of {bench.sizes.signals:,} signals with "
                       f"that fleet. {bench.told_rounds()}")
    return table
