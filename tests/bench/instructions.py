"""Instructions of the client, counted by callgrind: repeatable where times are not. Each is the difference of two amounts of
the same work, so that start and end do not count."""

import re

from drain import PATIENT, stock_of
from figure import Table, number
from load import reports
from reports import Backlog
from stage import Daemon, Program, Redis

from mt5.wait import wait_until

# Nothing that comes by the clock but the lease.
QUIET = (*PATIENT, "redis.info_interval_ms=60000", "ha.lease_ms=600000", "guard.stall_ms=600000",
         "redis.command_timeout_ms=60000", "instances.reconcile_interval_ms=600000")
SMALL, LARGE = 20000, 60000
SCRAPES = (10, 60)


def callgrind(bench):
    out = bench.folder / "callgrind.out"
    out.unlink(missing_ok=True)
    words = ("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}")
    return words, lambda: int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)[1])


def of_daemon(bench, data, work):
    """All that it executes, from its start to its end with work(server, daemon) between."""
    under, counted = callgrind(bench)
    with Redis(bench.folder, data) as server:
        with Daemon(bench.daemon, server, *QUIET, under=under) as daemon:
            wait_until(server.is_taken, "the daemon")
            work(server, daemon)
        return counted()


def of_floor(bench, data, count):
    under, counted = callgrind(bench)
    with Redis(bench.folder, data) as server, Program([*under, bench.floor, server.socket, count]) as floor:
        floor.end()
    return counted()


def per_signal(bench, run):
    return (run(stock_of(bench, LARGE), LARGE) - run(stock_of(bench, SMALL), SMALL)) / (LARGE - SMALL)


def drain(bench, data, count):
    return of_daemon(bench, data, lambda server, daemon: wait_until(lambda: server.total("processed:buy") == count, "the drain"))


def take_reports(bench, turns):
    backlog = Backlog(bench, 1000, turns)

    def work(server, daemon):
        base_ms = int(server.client.get("bench:base_ms"))
        wait_until(lambda: backlog.handled(server, base_ms) == backlog.count, "the reports")
    return of_daemon(bench, backlog.data, work)


def scrape(bench, times):
    """The instructions, and the series of one answer."""
    series = []

    def work(server, daemon):
        server.feed(reports(1000, 0))
        wait_until(lambda: sum(server.client.scard(f"instance:state:{state}") for state in ("running", "stopped")) == 1000,
                   "the reports")
        daemon.wait_ready()
        for _ in range(times):
            page = daemon.get("/metrics")
        series.append(sum(1 for line in page.splitlines() if line and not line.startswith(b"#")))
    return of_daemon(bench, None, work), series[0]


def bench_instructions(bench):
    floor = per_signal(bench, lambda data, count: of_floor(bench, data, count))
    daemon = per_signal(bench, lambda data, count: drain(bench, data, count))
    report = (take_reports(bench, 30) - take_reports(bench, 10)) / 20000
    (few, series), (many, _) = (scrape(bench, times) for times in SCRAPES)
    table = Table("instructions", "Instructions of the client", ("", "instructions"))
    table.add("a signal with its result, floor", number(round(floor)))
    table.add("a signal with its result, mt5stated", number(round(daemon)))
    table.add("a report, three numbers changed", number(round(report)))
    table.add("a series of a scrape", number((many - few) / (SCRAPES[1] - SCRAPES[0]) / series))
    table.notes.append(f"Counted by callgrind. Signals: {LARGE:,} less {SMALL:,}; reports of 1,000 instances: 30 each less 10; "
                       f"scrapes with 1,000 instances ({series:,} series): {SCRAPES[1]} less {SCRAPES[0]}.")
    return table
