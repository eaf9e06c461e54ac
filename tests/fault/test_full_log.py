"""A log that cannot be written: nothing waits for it, what is lost is counted, and said once there is room (SPEC 12)."""

import os
import re
import resource

from mt5.usage import cpu_share
from mt5.wait import wait_until

CALM = 0.3
BEGINNING = re.compile(r"ts=\d{4}-\d\d-\d\dT")


def bustle(bus, count=20):
    """A line for each of these transitions, and more."""
    for state in ("running", "crashed"):
        bus.many("instance_reports", [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": state} for i in range(count)])
    bus.settle()


def lost(one):
    return one.metrics().value("mt5stated_log_lines_dropped_total")


def test_a_full_disk_costs_lines_and_nothing_else(daemon, bus):
    one = daemon(start=False)
    one.log_path.symlink_to("/dev/full")
    one.start(ready=False)
    # Whoever reads that has no end of it.
    one.log_path.unlink()
    one.log_path.touch()
    one.wait_ready()
    bustle(bus)
    assert bus.members("crashed") == {f"mt5-{i}" for i in range(20)}
    assert lost(one) >= 40
    assert one.get("/-/healthy").status == 200
    assert cpu_share(one.pid) < CALM
    bus.report("mt5-1", state="running")
    bus.settle()
    assert bus.state("mt5-1") == "running"


def test_a_file_that_may_grow_no_more_is_written_again_when_it_may(daemon, bus):
    one = daemon()
    bustle(bus, 3)
    before = resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (os.path.getsize(one.log_path) + 50, resource.RLIM_INFINITY))
    bustle(bus)
    wait_until(lambda: lost(one) >= 40, "lines to be lost")
    assert one.get("/-/healthy").status == 200
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, before)
    bus.report("mt5-1", state="running")
    bus.settle()
    [line] = wait_until(lambda: one.log_lines(msg="log lines dropped"), "the log to say how many are missing")
    assert "level=warning" in line and f"lines={lost(one):.0f}" in line
    # The line that was being written when there was no room any more is not mixed up with the next.
    assert all(BEGINNING.match(line) and len(BEGINNING.findall(line)) == 1 for line in one.log().splitlines())
    assert one.log_lines(instance_id="mt5-1", to="running")
