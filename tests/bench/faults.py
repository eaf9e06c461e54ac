"""Measures what an operator feels of each fault of docs/RELIABILITY.md: how soon the daemon is ready and has handled all that
came, how long its loop stood, what it used and what it said. Prints a row a fault, then all of them as a table in Markdown.
Whether a value is within its bound is said; in the end, as after a soak, that nothing was lost.

With --realtime (as root) the daemon and who asks it run before everything else on the machine, so that what is seen is the daemon
and not the scheduler."""

import argparse
import math
import pathlib
import shutil
import sys
import tempfile
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime

from fault_probe import Probe, run_first
from fault_rows import HOOK_LIMIT_S, ROWS, write_misused_hook
from options import parse, positive, some_of, whole

from mt5.logfmt import texts_of_trouble
from mt5.small_disk import SmallDisk
from mt5.usage import cpu_s, cpu_share, rss_bytes
from mt5.wait import let_pass, wait_until
from mt5.watching import with_token
from soak.run import Soak
from soak.world import Plan, World

MIB = 1 << 20
REDIS_DISK_BYTES = 4096 * MIB
LOG_DISK_BYTES = 512 * MIB
# By then as much is remembered as ever will be of what has ended.
WARM_UP_S = 40
USUAL_S = 4
SETTLE_S = 15
UNITS = {"ready_s": "ready after {:g} s", "working_s": "working after {:g} s", "gap_ms": "gap {:g} ms", "cpu_percent": "CPU {:g} % more",
         "growth_mb": "{:g} MB more", "left_mb": "back to {:g} MB more", "most": "{:g} lines of a text in 10 s",
         "dead_ms": "dead after {:g} ms"}
HEAD = ("fault", "lasted", "ready after", "working after", "longest gap", "CPU more", "memory before, most, after",
        "warnings (of one text in 10 s)", "bound", "")


class BenchWorld(World):
    """As shipped, so Redis syncs each second. A fault lasts as long as its row says."""

    def __init__(self, plan, folder, realtime):
        self.span_s, self.made, self.measured, self.pipe = 0, 0, {}, None
        self.realtime = realtime
        self.misused = folder / "misused"
        for path in (self.misused, folder / "redis-disk", folder / "log-disk"):
            path.mkdir()
        self.disk = SmallDisk(folder / "redis-disk", REDIS_DISK_BYTES)
        self.log_disk = SmallDisk(folder / "log-disk", LOG_DISK_BYTES)
        hook = write_misused_hook(self.misused)
        super().__init__(plan, folder, server={"fsync": "everysec", "data": self.disk.path},
                         config=with_token({"hooks.stop": [str(hook)], "hooks_timeout_ms": HOOK_LIMIT_S * 1000}, folder),
                         load={"malformed_share": 0})
        self.daemon.log_path = self.log_disk.path / "mt5stated.log"

    def hold(self, least_s, most_s):
        let_pass(self.span_s)
        return self.span_s

    def stop(self):
        super().stop()
        self.disk.stop()
        self.log_disk.stop()


@dataclass
class Measured:
    row: object
    what: str
    values: dict
    lines: int
    lasted_s: float
    memory_mb: tuple
    machine_ms: float

    def over(self):
        """The bounds that do not hold."""
        return [name for name, bound in self.row.bounds.items() if not self.values[name] <= bound]

    def cells(self):
        value, before, most, after = self.values, *self.memory_mb
        cpu = "" if math.isnan(value["cpu_percent"]) else f"{value['cpu_percent']:+.1f} %"
        bound = ", ".join(UNITS[name].format(limit) for name, limit in self.row.bounds.items())
        return (self.row.name, f"{self.lasted_s:.1f} s", f"{value['ready_s']:.2f} s", f"{value['working_s']:.2f} s",
                f"{value['gap_ms']:.0f} ms", cpu, f"{before:.1f}, {most:.1f}, {after:.1f} MB",
                f"{self.lines} ({value['most']})", bound,
                "ok" if not self.over() else "NOT ok: " + ", ".join(self.over()))


class Log:
    """What the daemon's log gained since it was made."""

    def __init__(self, daemon):
        self._daemon, self._skip = daemon, len(daemon.log().splitlines())

    def troubles(self):
        return list(texts_of_trouble(self._daemon.log().splitlines()[self._skip:]))


def most_in_10_s(troubles):
    most, seen = 0, defaultdict(deque)
    for at, text in troubles:
        at_s = datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
        times = seen[text]
        times.append(at_s)
        while times[0] <= at_s - 9.9:
            times.popleft()
        most = max(most, len(times))
    return most


def most_resident_mb(pid):
    [line] = [line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


class Bench(Soak):
    """The load, the onlookers and the verdict of a soak, with rows in place of random faults."""

    def __init__(self, plan, folder, rows, realtime):
        super().__init__(plan, folder, world=BenchWorld(plan, folder, realtime))
        self.rows, self.probe, self.measured = rows, None, []

    def _provoke(self):
        world = self.world
        self.probe = Probe(world.daemon.listen, world.folder / "probe", world.realtime)
        try:
            let_pass(WARM_UP_S)
            for row in self.rows:
                self._measure(row)
                self._assert_observed()
        finally:
            self.probe.stop()

    def _measure(self, row):
        world = self.world
        world.span_s, world.measured = row.span_s, {}
        row.prepare(world)
        self._wait_working()
        self._run_daemon_first()
        pid = world.daemon.pid
        usual = cpu_share(pid, USUAL_S) * 100
        before_mb = rss_bytes(pid) / 1e6
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")     # the most from here on
        log, used_s, began_s = Log(world.daemon), cpu_s(pid), time.monotonic()
        world.daemon_is_away = row.away
        with self.look.hidden(row.hides):
            what = row.run(world) or ""
            healed_s = time.monotonic()
            used = math.nan if row.away else (cpu_s(pid) - used_s) / (healed_s - began_s) * 100
            ready_s, working_s = self._wait_working()
        world.daemon_is_away = False
        let_pass(1)
        self._run_daemon_first()
        gap_ms, machine_ms = self.probe.longest(healed_s if row.away else began_s, time.monotonic())
        memory_mb = self._settled_memory(before_mb)
        troubles = log.troubles()
        values = {"ready_s": ready_s, "working_s": working_s, "gap_ms": gap_ms, "cpu_percent": used - usual,
                  "growth_mb": memory_mb[1] - before_mb, "left_mb": memory_mb[2] - before_mb, "most": most_in_10_s(troubles),
                  **world.measured}
        self.measured.append(Measured(row, what, values, len(troubles), healed_s - began_s, memory_mb, machine_ms))
        self._tell(self.measured[-1], troubles)
        row.restore(world)

    def _run_daemon_first(self):
        if self.world.realtime:
            run_first(self.world.daemon.pid)

    def _wait_working(self):
        """Seconds from now until it is ready, and until it has handled all that there is now."""
        world, from_s = self.world, time.monotonic()
        targets = world.last_ids()
        wait_until(world.daemon.is_ready, "the daemon to be ready", self.plan.deadline_s)
        ready_s = time.monotonic() - from_s
        wait_until(lambda: world.has_handled(targets), "all to be handled", self.plan.deadline_s)
        return ready_s, time.monotonic() - from_s

    def _settled_memory(self, before_mb):
        pid, end_s = self.world.daemon.pid, time.monotonic() + SETTLE_S
        most_mb = most_resident_mb(pid)
        while rss_bytes(pid) / 1e6 > before_mb + 1 and time.monotonic() < end_s:
            let_pass(0.5)
        return before_mb, most_mb, rss_bytes(pid) / 1e6

    def _tell(self, one, troubles):
        self.say(" | ".join(cell for cell in one.cells() if cell) + f" | {one.what}"
                 f" | the machine itself: {one.machine_ms:.0f} ms")
        if "most" in one.over():
            for at, text in troubles:
                self.say(f"        {at} {text[:200]}")


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instances", type=whole, default=200)
    parser.add_argument("--signals-per-sec", type=positive, default=200)
    names = [row.name for row in ROWS]
    parser.add_argument("--only", type=some_of(names), default=names, metavar="REGEX",
                        help="rows whose name this regular expression is found in")
    parser.add_argument("--realtime", action="store_true")
    return parse(parser)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    arguments = read_arguments()
    rows = [row for row in ROWS if row.name in arguments.only]
    plan = Plan(seed=arguments.seed, seconds=300, instances=arguments.instances, signals_per_sec=arguments.signals_per_sec,
                deadline_s=120)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mt5-faults-"))
    bench = Bench(plan, folder, rows, arguments.realtime)
    try:
        verdict = bench.run()
        for ok, line in verdict.lines:
            print(f"{ {True: 'ok', False: 'WRONG', None: ''}[ok]:6} {line}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for one in bench.measured:
        print("| " + " | ".join(one.cells()) + " |")
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
