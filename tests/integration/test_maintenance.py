"""Maintenance: by a window, by an operator, for a time (SPEC 6.4)."""

import json
import re
import time

import pytest

from mt5.invariants import entry_id
from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

REPORTS = "instance_reports"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@pytest.fixture
def watching(daemon, bus, folder):
    def make(config=None):
        return Watching(bus, daemon(with_token({**QUICK, **(config or {})}, folder)))
    return make


def window(bus, **fields):
    """Three days with today in the middle."""
    today = time.gmtime(bus.now_ms() // 1000).tm_wday
    weekly = f"{DAYS[(today - 1) % 7]} 00:00-{DAYS[(today + 2) % 7]} 00:00"
    return {"name": "days", "instances": "*", "brokers": "*", "weekly": weekly, **fields}


def test_in_a_maintenance_window_nothing_is_commanded(watching, bus):
    one = watching({"maintenance_windows": [window(bus, instances="mt5-*")],
                    "instances.heartbeat_timeout_ms": 200})
    bus.register("mt5-1", queue_length="500")
    one.wait_hold("mt5-1", "throttle", "maintenance")
    bus.register("other-1")
    # Silence is no crash in maintenance: the other one, silent for less long, is one.
    one.wait_command("other-1", "recover")
    assert bus.state("mt5-1") == "running"
    assert one.commands("mt5-1") == []
    one.one.write_config(**{"maintenance_windows": [], "instances.heartbeat_timeout_ms": 0})
    one.one.reload()
    one.wait_command("mt5-1", "throttle")


@pytest.mark.parametrize("by", ["window", "operator", "time"])
def test_silence_in_maintenance_counts_for_nothing_afterwards(watching, bus, by):
    """A whole heartbeat timeout passes from its end on."""
    timeout_ms = 600
    one = watching({"maintenance_windows": [window(bus)] if by == "window" else [],
                    "instances.heartbeat_timeout_ms": timeout_ms})
    bus.register("mt5-1")
    if by != "window":
        one.set_maintenance("mt5-1", reason="test", **({"seconds": 1} if by == "time" else {}))
    bus.wait_age(REPORTS, timeout_ms + timeout_ms // 2)
    assert bus.state("mt5-1") == "running"
    ended_ms = bus.now_ms()
    if by == "operator":
        one.set_maintenance("mt5-1")
    elif by == "window":
        one.one.write_config(**{"maintenance_windows": []})
        one.one.reload()
    else:
        ended_ms, _ = entry_id(bus.last_id(REPORTS))
        ended_ms += 1000
    wait_until(lambda: bus.events(event="instance_failed"), "the silent one to be missed")
    [failed_ms] = [entry_id(entry)[0] for entry, event in bus.client.xrange("instance_events")
                   if event["event"] == "instance_failed"]
    assert failed_ms > ended_ms + timeout_ms


def test_an_operators_maintenance_holds_and_ends(watching, bus):
    one = watching()
    bus.register("mt5-1")
    one.set_maintenance("mt5-1", reason="new disk")
    on = bus.wait_event(event="maintenance_changed", instance_id="mt5-1")
    assert (on["to"], on["reason"]) == ("on", "new disk")
    bus.report("mt5-1", state="crashed")
    one.wait_hold("mt5-1", "recover", "maintenance")
    one.one.restart(kill=True)
    one.pass_a_round()
    assert one.commands("mt5-1") == []
    one.set_maintenance("mt5-1")
    one.wait_command("mt5-1", "recover")


def test_maintenance_for_a_time_ends_by_itself(watching, bus):
    one = watching()
    bus.register("mt5-1")
    one.set_maintenance("mt5-1", reason="quick", seconds=1)
    bus.report("mt5-1", state="crashed")
    one.wait_hold("mt5-1", "recover", "maintenance")
    one.wait_command("mt5-1", "recover")
    assert [(event["from"], event["to"]) for event in bus.events(event="maintenance_changed")] == [
        ("off", "on"), ("on", "off")]


def test_what_a_window_keeps_in_maintenance_is_not_ended_by_an_operator(watching, bus):
    one = watching({"maintenance_windows": [window(bus, instances="mt5-*")]})
    bus.register("mt5-1")
    bus.register("other-1")
    refused = one.ask("DELETE", "/api/v1/instances/mt5-1/maintenance")
    assert refused.status == 409
    detail = json.loads(refused.text)["detail"]
    assert "window days" in detail and "00:00-" in detail and re.search(r"until \d{4}-\d\d-\d\dT00:00:00Z", detail)
    assert not bus.events(event="maintenance_changed")
    # Where no window is, and where an operator's own is to be ended, it is done.
    assert one.ask("DELETE", "/api/v1/instances/other-1/maintenance").status == 204
    one.set_maintenance("mt5-1", reason="longer than the window")
    assert one.ask("DELETE", "/api/v1/instances/mt5-1/maintenance").status == 204
    assert one.ask("DELETE", "/api/v1/instances/mt5-1/maintenance").status == 409
