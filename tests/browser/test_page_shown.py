"""What the page shows is what Redis holds."""

import json

import pytest

from mt5 import http as mt5_http
from mt5.forger import Forger
from mt5.status_page import number
from mt5.tokens import TOKENS
from mt5.wait import wait_until

TROUBLE = {"rules.HighQueueLength.threshold": 10, "rules.HighLoadAverage.threshold": 1.5,
           "rules.HighLoadAverage.for_ms": 3600000, "recovery.timeout_ms": 60000, "signals.ttl_ms": 1000,
           "signals.execution_ttl_ms": 1000, "streams.reports_max_len": 100, "guard.stall_ms": 60000}
STATES = ("running", "stopped", "crashed", "restarting")
# What changes by itself, and is compared by other means or not at all.
MOVING = {"last_updated_at", "uptime_seconds"}


def by_api(one, path):
    response = one.get("/api/v1/" + path)
    assert response.status == 200, response.text
    return json.loads(response.text)


def admin_says(one, instance_id, command):
    return mt5_http.request(one.listen, f"/api/v1/instances/{instance_id}/commands", "POST",
                            {"Authorization": "Bearer " + TOKENS["admin"]}, json.dumps({"command": command})).status


def run_fleet(fleet, sim, bus):
    """A fleet with a bit of everything, after it has come to rest: every signal has ended."""
    one = fleet(TROUBLE)
    sim(instances=9, brokers=3, hosts=2, signals=300, signals_per_sec=300, trades_per_sec=20, fail_share=0.1,
        partial_share=0.1, accepted_share=0.2, unanswered_share=0.05, duplicate_share=0.05, followup_share=0.05,
        malformed_share=0.02, drain=True).finish()
    for state in STATES:
        bus.report(f"now-{state}", broker_id="broker-9", host_id="host-9", state=state, launch_mode="manual")
    bus.report("mt5-1", queue_length=50, load_average=1.75, last_error="spread too wide: 12 > 10")
    bus.settle()
    wait_until(lambda: by_api(one, "status")["signals_open"] == 0, "every signal to have ended")
    return one


def test_the_fleet_is_what_redis_holds(fleet, sim, bus, page):
    one = run_fleet(fleet, sim, bus)
    shown = page(one)
    ids = {key.partition(":")[2] for key in bus.client.scan_iter("instance:*", count=1000, _type="hash")}
    assert len(ids) == 13

    def same():
        tiles = shown.tiles()
        assert set(tiles) == ids
        assert {name: tile["state"] for name, tile in tiles.items()} == {name: bus.state(name) for name in ids}
        assert {name: tile["health"] for name, tile in tiles.items()} == {
            name: bus.health(name)["health_status"] for name in ids}
        for state in STATES:
            assert {name for name, tile in tiles.items() if tile["state"] == state} == bus.members(state)
            assert shown.counts()[state] == bus.client.scard(f"instance:state:{state}")
        for name, tile in tiles.items():
            assert tile["group"] == bus.instance(name)["broker_id"]
            assert (tile.get("throttled") not in (None, "", "false")) == bool(
                bus.client.sismember("instance:index:throttled", name))
            assert name in tile["text"]
        return True
    shown.wait(same, "what Redis holds")
    assert {bus.state(name) for name in ids} == set(STATES)


def test_alerts_are_those_that_are_stored(fleet, sim, bus, page):
    one = run_fleet(fleet, sim, bus)
    shown = page(one)

    def same():
        alerts = by_api(one, "alerts?limit=1000")["alerts"]
        assert sorted(shown.alerts()) == sorted(
            (alert["instance_id"], alert["alert"], alert["status"], alert["severity"]) for alert in alerts)
        stored = {(*key.split(":"), "firing" if "status=firing" in value else "pending")
                  for key, value in bus.client.hgetall("mt5stated:alerts").items()}
        assert {row[:3] for row in shown.alerts()} == stored
        return len(alerts) >= 3
    shown.wait(same, "the alerts")
    statuses = {status for _, _, status, _ in shown.alerts()}
    assert statuses == {"pending", "firing"}
    shown.wait(lambda: shown.doing() == {(alert["instance_id"], alert["alert"]): alert.get("doing")
                                         for alert in by_api(one, "alerts?limit=1000")["alerts"]}, "what is done")


def test_totals_and_streams_are_those_of_redis(fleet, sim, bus, page):
    one = run_fleet(fleet, sim, bus)
    shown = page(one)

    def same():
        totals = {name: 0 for name in ("received", "processed", "failed", "dropped", "lost")}
        for key, value in bus.totals().items():
            if key.partition(":")[0] in totals:
                totals[key.partition(":")[0]] += value
        told = shown.totals()
        assert {name: number(told[name]) for name in totals} == totals
        assert totals["received"] == 300 and totals["dropped"] > 0
        assert number(told["open"]) == 0
        return True
    shown.wait(same, "the totals")

    def same_streams():
        rows = {row["stream"]: row["text"] for row in shown.rows("#streams tr[data-stream]")}
        assert {"instance_reports", "trade_signals", "trade_results", "trade_updates"} <= set(rows)
        for stream, text in rows.items():
            words = text.replace(stream, "").split()
            assert str(bus.client.xlen(stream)) in [word.replace(",", "") for word in words], (stream, text)
        return True
    shown.wait(same_streams, "the streams")
    server = shown.redis()
    assert server, "nothing of Redis"


def test_open_signals_are_counted_with_the_age_of_the_oldest(fleet, bus, page):
    one = fleet({"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000})
    shown = page(one)
    bus.many("trade_signals", [{"signal_id": f"s{number}", "action": "buy"} for number in range(7)])
    bus.settle()
    shown.wait(lambda: number(shown.totals()["open"]) == 7, "seven open ones")
    assert float(shown.totals()["oldest"]) > 0

    def oldest():
        return [row["signal"] for row in shown.rows("#open-signals tr[data-signal]")]
    shown.wait(lambda: oldest() == ["s0", "s1", "s2", "s3", "s4"], "the oldest")
    bus.many("trade_results", [{"result_id": f"r{number}", "signal_id": f"s{number}", "status": "executed"}
                               for number in range(5)])
    shown.wait(lambda: number(shown.totals()["open"]) == 2 == bus.client.xlen("trade_signals"), "two open ones")
    shown.wait(lambda: number(shown.totals()["processed"]) == 5, "five processed ones")
    shown.wait(lambda: oldest() == ["s5", "s6"], "the oldest of those")
    for plot in ("flow", "open", "latency"):
        shown.wait(lambda: shown.js(    # noqa: B023
            "return document.querySelectorAll(`[data-plot=${arguments[0]}] svg path, [data-plot=${arguments[0]}] path,"
            "[data-plot=${arguments[0]}] polyline`).length", plot) > 0, f"the plot {plot}")     # noqa: B023


def test_an_instance_is_shown_as_its_hashes_are(fleet, bus, page):
    one = fleet({"observe_only": True})
    fields = {"state": "Running", "launch_mode": "manual", "active_connections": 3, "cpu_usage": 12.5, "memory_usage": 1500.25,
              "network_usage": 4321.5, "disk_usage": 123456.75, "memory_limit": 4000, "network_latency": 7.125,
              "queue_length": 12, "load_average": 0.75, "socket_connections": 2, "restart_count": 4,
              "health_status": "warning", "last_error": "error 10004: requote", "uptime_seconds": 86400}
    bus.register("mt5-1", host_id="host-1", **fields)
    bus.register("bare")
    bus.report("mt5-1", state="stopped")
    bus.settle()
    shown = page(one)
    shown.go_instance("mt5-1")

    def same():
        seen = {**shown.fields(), **shown.metrics()}
        stored = {**bus.instance("mt5-1"), **bus.metrics("mt5-1"), **bus.health("mt5-1")}
        missing = {name for name in stored if name not in seen}
        assert not missing, missing
        different = {name: (seen[name], value) for name, value in stored.items()
                     if name not in MOVING and not is_same(seen[name], value)}
        assert not different, different
        return True
    shown.wait(same, "its hashes")

    # What was never reported is not there, rather than a zero.
    shown.go_instance("bare")
    for name in ("cpu_usage", "queue_length"):
        shown.wait(lambda: not any(char.isdigit() for char in shown.metrics().get(name, "")), f"no {name}")   # noqa: B023
    assert bus.metrics("bare").get("cpu_usage") is None


def is_same(seen, value):
    try:
        return float(seen) == float(value)
    except ValueError:
        return seen == value


def by_chain(steps):
    """Steps of one cause together, in the order in which each cause began."""
    chains = {}
    for step in steps:
        chains.setdefault(step["correlation_id"], []).append(step)
    return [step for chain in chains.values() for step in chain]


def test_the_chain_of_causes_is_told_in_its_order(fleet, bus, page):
    one = fleet({"recovery.timeout_ms": 60000})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed", last_error="gone")
    [command] = wait_until(lambda: bus.entries("instance_commands"), "the command")
    bus.report("mt5-1", command_id=command["command_id"], command_status="ok", state="running")
    bus.wait_event(event="instance_recovered", instance_id="mt5-1")
    bus.settle()
    shown = page(one)
    shown.go_instance("mt5-1")

    def same():
        steps = by_chain(by_api(one, "instances/mt5-1/why")["why"])
        rows = shown.why()
        assert [(row["kind"], row["status"]) for row in rows] == [(step["step"], step.get("status", "")) for step in steps]
        for row, step in zip(rows, steps):
            assert step.get("command_id", "") in row["text"], (step, row)
            assert step["step"] not in ("sample", "alert") or step["alert"] in row["text"], (step, row)
        return len(steps) >= 4
    shown.wait(same, "the chain")

    # And while it goes on.
    count = len(shown.why())
    bus.report("mt5-1", state="crashed")
    shown.wait(lambda: len(shown.why()) > count and same(), "what followed")
    assert shown.was_not_reloaded()


TELL = """
const [steps, isGivenUp] = arguments;
return import('/page/why.js').then(({ drawWhy }) => {
    const root = document.createElement('div');
    drawWhy(root, steps, isGivenUp);
    return [...root.querySelectorAll('.step-text')].map(one => one.textContent);
});
"""


def test_one_that_an_operator_stopped_was_not_given_up(fleet, bus, page):
    one = fleet()
    bus.register("mt5-1")
    assert admin_says(one, "mt5-1", "stop") == 202
    [command] = wait_until(lambda: bus.entries("instance_commands"), "the command")
    bus.report("mt5-1", command_id=command["command_id"], command_status="failed", state="crashed")
    shown = page(one)
    shown.wait(lambda: "an operator has stopped it" in (shown.text("#alerts") or ""), "that somebody wanted it so")
    assert "given up" not in shown.text("#alerts")
    shown.go_instance("mt5-1")
    shown.wait(lambda: any("an operator has stopped it" in row["text"] for row in shown.why()), "the same in why")
    assert not any("given up" in row["text"] for row in shown.why())
    assert any("InstanceCrash is true: crashed" in row["text"] for row in shown.why())

    def step(status, reason=""):
        return {"step": "decision", "status": status, "reason": reason, "at_ms": 1, "correlation_id": "timer-1-0"}
    held = step("no recover", "disarmed")
    for steps, is_given_up, words in [
            ([held], False, ["operator"]), ([held], True, ["given up"]),
            ([held, step("give up"), held, step("armed"), held], True, ["operator", "", "given up", "", "operator"]),
            ([held, step("armed"), held], False, ["given up", "", "operator"]),
            ([step("recover", "attempt 2 of 3 in 65000 ms")], False, ["attempt 2 of 3 in 1 min 5 s"])]:
        told = shown.js(TELL, steps, is_given_up)
        assert len(told) == len(words) and all(word in text for word, text in zip(words, told)), told


def test_events_of_an_instance_are_those_of_the_stream(fleet, bus, page):
    one = fleet({"observe_only": True})
    bus.register("mt5-1")
    bus.register("mt5-2")
    for state in ("stopped", "running", "crashed"):
        bus.report("mt5-1", state=state)
        bus.report("mt5-2", state=state)
    bus.settle()
    shown = page(one)
    shown.go_instance("mt5-1")

    def same():
        stored = [(event["event"], event["seq"]) for event in bus.events(instance_id="mt5-1")]
        assert [(row["event"], row["seq"]) for row in shown.events()] == stored[::-1]
        return len(stored) >= 6
    shown.wait(same, "its events")
    bus.report("mt5-1", state="running")
    bus.settle()
    shown.wait(same, "its events as they come")
    shown.go("#/events")

    def all_of_them():
        rows = shown.events()
        assert [(row["event"], row["seq"]) for row in rows] == [
            (event["event"], event["seq"]) for event in reversed(bus.events())]
        assert all(event["instance_id"] in row["text"] for event, row in zip(reversed(bus.events()), rows))
        return True
    shown.wait(all_of_them, "all events")


@pytest.fixture
def between(fleet):
    """A daemon behind a Forger that holds answers back."""
    one = fleet({"observe_only": True})
    forger = Forger(one.listen)
    yield forger
    forger.stop()


def all_once(shown, bus, instance_id=None):
    stored = [event["seq"] for event in bus.events(**({"instance_id": instance_id} if instance_id else {}))]
    assert [row["seq"] for row in shown.events()] == stored[::-1]
    return True


def test_why_is_asked_at_once_and_loading_until_it_is_there(between, bus, page):
    bus.register("mt5-1")
    shown = page(between)
    between.hold("/why")
    shown.go_instance("mt5-1")
    wait_until(lambda: between.held, "the question")
    assert shown.text("#why-empty") == "Loading…"
    between.release("/why")
    shown.wait(lambda: "Nothing to tell" in (shown.text("#why-empty") or ""), "that there is nothing")


@pytest.mark.parametrize("route", ["#/instance/mt5-1", "#/events"])
def test_events_that_come_by_two_ways_are_shown_once(between, bus, page, route):
    """In the list that is read first, and by the stream later."""
    bus.register("mt5-1")
    shown = page(between)
    between.hold("stream")
    for state in ("stopped", "running", "stopped"):
        bus.report("mt5-1", state=state)
    bus.settle()
    shown.go(route)
    between.release("stream")
    bus.report("mt5-1", state="running")
    bus.settle()
    shown.wait(lambda: all_once(shown, bus), "each event once")


def test_events_that_come_while_a_list_is_read_are_shown(between, bus, page):
    """By the stream first; the list that was asked for before does not have them."""
    bus.register("mt5-1")
    shown = page(between)
    asked = len(between.asked)
    between.hold("/api/v1/events?")
    shown.go("#/instance/mt5-1")
    shown.wait(lambda: any("/api/v1/events?" in path for _, path in between.asked[asked:]), "that it asks for the list")
    wait_until(lambda: between.held, "the answer")
    bus.report("mt5-1", state="stopped")
    bus.settle()
    shown.wait(lambda: shown.fields().get("state") == "stopped", "that it has stopped")
    between.release("/api/v1/events?")
    shown.wait(lambda: all_once(shown, bus, "mt5-1"), "each event once")


def test_an_instance_that_is_not_there_is_said_not_to_be(fleet, bus, page):
    bus.client.ping()
    shown = page(fleet(), "#/instance/nobody")
    shown.wait(lambda: "nobody" in shown.text("main") and "no instance" in shown.text("main"), "that there is none")
    shown.go("#/nowhere")
    shown.wait(lambda: shown.is_shown("#fleet") or "nowhere" in shown.text("main"), "something")
