"""What a report costs: the daemon, and Redis through it. The reports are preloaded, so that who wrote them does not count."""

import time

from drain import PATIENT, Drained
from figure import Table, at_most, fastest, number, rounded
from load import report_number, reports
from stage import Daemon, Redis, fail

from mt5.wait import wait_until


class Backlog:
    """Reports of these instances, ten seconds between two of an instance, the last of them now."""

    def __init__(self, bench, instances, turns, with_uptime=False):
        self.instances, self.turns = instances, turns

        def make(server):
            base_ms = int(time.time() * 1000) - 10000 * turns
            server.client.set("bench:base_ms", base_ms)
            for turn in range(turns):
                server.feed(reports(instances, turn, base_ms=base_ms, with_uptime=with_uptime))
        self.data = bench.stock.get(f"reports: {instances}, {turns}, {with_uptime}", make)

    @property
    def count(self):
        return self.instances * self.turns

    def handled(self, server, base_ms):
        groups = server.client.xinfo_groups("instance_reports")
        return report_number(groups[0]["last-delivered-id"], base_ms, self.instances) if groups else 0

    def check(self, server, daemon):
        """The last report of each instance is stored, and each is in one set."""
        sets = [server.client.scard(f"instance:state:{state}") for state in ("running", "stopped")]
        last = self.instances - 1
        usage = server.client.hget(f"instance_metrics:mt5-{last:08d}", "cpu_usage")
        if sum(sets) != self.instances or usage != f"{10 + last % 50}.{(self.turns - 1) % 100}".rstrip("0").rstrip("."):
            fail(f"the reports were not stored: {sets} {usage}")


def drain_reports(bench, backlog, *settings):
    """Counts from the moment that all instances are registered."""
    with Redis(bench.folder, backlog.data) as server, Daemon(bench.daemon, server, *PATIENT, *settings) as daemon:
        base_ms = int(server.client.get("bench:base_ms"))

        def handled(count):
            found = backlog.handled(server, base_ms)
            return found if found >= count else 0
        first = wait_until(lambda: handled(backlog.instances), "the registrations", poll_s=0.002)
        began, daemon_ns, redis_ns = time.monotonic(), daemon.cpu_ns(), server.cpu_ns()
        wait_until(lambda: handled(backlog.count), "the reports", poll_s=0.005)
        seconds, units = time.monotonic() - began, backlog.count - first
        drained = Drained(units / seconds, (daemon.cpu_ns() - daemon_ns) / units / 1e3,
                          (server.cpu_ns() - redis_ns) / units / 1e3)
        backlog.check(server, daemon)
        return drained


def bench_reports(bench):
    instances, turns = bench.sizes.instances, bench.sizes.report_turns
    table = Table("reports", f"Reports of {instances:,} instances, a tenth of them with a change of state",
                  ("each report changes", "reports/s", "daemon µs", "Redis µs"))
    for text, with_uptime, has_goal in (("three numbers", False, True), ("three numbers and the uptime", True, False)):
        backlog = Backlog(bench, instances, turns, with_uptime)
        run = fastest([drain_reports(bench, backlog) for _ in range(bench.rounds)])
        table.add(text, rounded(run.rate), number(run.client_us), number(run.redis_us), value=max(run.client_us, run.redis_us),
                  goal=at_most(6, " µs each") if has_goal else None)
    table.notes.append(f"{bench.told_rounds()} {turns} preloaded reports of each instance, ten seconds apart by their IDs; the "
                       "eight rules are judged. While a backlog is read nobody listens to keyspace notifications: where they are heard, "
                       "each report costs Redis 2 to 3 µs more.")
    return table
