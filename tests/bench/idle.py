"""What the daemon uses where next to nothing happens."""

import time

from figure import Table, at_most, number
from load import reports
from stage import Daemon, Redis

from mt5.wait import let_pass, wait_until

INSTANCES, PERIOD_S = 100, 10


def report_evenly(server, turn, seconds):
    """Each instance each ten seconds, one after the other."""
    began = time.monotonic()
    for number_of in range(int(seconds * INSTANCES / PERIOD_S)):
        let_pass(max(0, began + number_of * PERIOD_S / INSTANCES - time.monotonic()))
        for command in reports(1, turn + number_of // INSTANCES, first=number_of % INSTANCES):
            server.feed_one(command)
    let_pass(max(0, began + seconds - time.monotonic()))
    return time.monotonic() - began


def bench_idle(bench):
    with Redis(bench.folder) as server, Daemon(bench.daemon, server) as daemon:
        wait_until(server.is_taken, "the daemon")
        server.feed(reports(INSTANCES, 0))
        report_evenly(server, 1, PERIOD_S / 2)
        before = daemon.cpu_ns()
        seconds = report_evenly(server, 2, bench.sizes.idle_s)
        share = (daemon.cpu_ns() - before) / 1e9 / seconds * 100
    table = Table("idle", f"{INSTANCES} instances that report each {PERIOD_S} s")
    table.add("CPU of the daemon, all of its threads", f"{share:.2f} % of a core", value=share, goal=at_most(0.1, " %"))
    table.notes.append(f"Over {seconds:.0f} s: {number(bench.sizes.idle_s * INSTANCES / PERIOD_S)} reports, a tenth of them "
                       "with a change of state.")
    return table
