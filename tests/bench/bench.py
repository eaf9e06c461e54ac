"""Measures each goal of docs/PERFORMANCE.md, prints a table a subject, and with --write puts them there.

What counts are ratios between runs that take turns, CPU times and instructions: the speed of a shared machine drifts."""

import argparse
import os
import pathlib
import re
import sys
import tempfile
from dataclasses import dataclass

from drain import bench_drain, bench_orders
from growth import bench_growth, bench_largest
from idle import bench_idle
from instructions import bench_instructions
from latency import bench_beside, bench_latency
from memory import bench_memory
from nodes import bench_nodes
from options import parse, some_of, whole
from reports import bench_reports
from scrape import bench_scrape
from stage import Stock

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRIORITY = 10
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"


@dataclass(frozen=True)
class Sizes:
    signals: int = 500000
    peer_signals: int = 100000
    instances: int = 1000
    report_turns: int = 200
    watched: int = 5000             # results, and reports
    beside_s: float = 4             # longer than a drain takes
    scraped: int = 10000            # instances
    scrapes: int = 20
    idle_s: int = 60
    remembered: int = 10000         # instances with a full history
    most_instances: int = 100000
    most_open: int = 1000000


QUICK = Sizes(signals=50000, peer_signals=10000, report_turns=40, watched=1000, scraped=1000, scrapes=5, idle_s=10, remembered=1000,
              most_instances=10000, most_open=100000)

# Each returns its Table.
SUBJECTS = {
    "drain": bench_drain,
    "orders": bench_orders,
    "nodes": bench_nodes,
    "reports": bench_reports,
    "latency": bench_latency,
    "scrape": bench_scrape,
    "growth": bench_growth,
    "largest": bench_largest,
    "idle": bench_idle,
    "memory": bench_memory,
    "beside": bench_beside,
    "instructions": bench_instructions,
}


class Bench:
    def __init__(self, arguments, folder):
        self.daemon, self.floor, self.peers = arguments.daemon, arguments.floor, arguments.peers
        self.latency, self.turns = self.floor.with_name("bench_latency"), self.floor.with_name("libbench_turns.so").resolve()
        self.sizes = QUICK if arguments.quick else Sizes()
        self.is_quick = arguments.quick
        self.rounds = 1 if arguments.quick else arguments.rounds
        self.folder = pathlib.Path(folder) / "stage"
        self.folder.mkdir()
        self.stock = Stock(folder)

    def told_rounds(self, which="fastest"):
        return f"The {which} of {self.rounds} runs each, in turn." if self.rounds > 1 else "One run each."


def write_to_document(table):
    text = DOCUMENT.read_text()
    begin, end = f"<!-- scripts/bench: {table.name} -->\n", "<!-- end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"bench: {DOCUMENT} has no place for {table.name}")
    DOCUMENT.write_text(pattern.sub(lambda _: begin + table.markdown() + "\n" + end, text))


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--daemon", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--floor", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--peers", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=some_of(SUBJECTS), default=list(SUBJECTS), metavar="REGEX",
                        help="the subjects whose name it is found in: " + " ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="small sizes and one run each: whether it works")
    parser.add_argument("--rounds", type=whole, default=3)
    parser.add_argument("--realtime", action="store_true", help="run before everything else on the machine (as root)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/PERFORMANCE.md")
    return parse(parser)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    arguments = read_arguments()
    missed = []
    if arguments.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))     # and so is whatever is started from here
    with tempfile.TemporaryDirectory(prefix="mt5stated-bench-") as folder:
        bench = Bench(arguments, folder)
        for name in arguments.only:
            table = SUBJECTS[name](bench)
            print(table.markdown() + "\n")
            missed += [f"{name}: {what}" for what in table.missed()]
            if arguments.write:
                write_to_document(table)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}. " +
          (f"Goals that are missed: {'; '.join(missed)}" if missed else "All goals of these subjects are met."))


if __name__ == "__main__":
    main()
