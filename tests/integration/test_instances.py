"""Instances by their reports: registration, transitions, what is stored, events, silence (SPEC 5.1, 5.2, 6.3, 13)."""

import json
import re

import pytest

from mt5.wait import wait_until

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
REPORTS = "instance_reports"


# ---- the first report ----

def test_a_first_report_registers_the_instance(daemon, bus):
    daemon()
    bus.report("mt5-1", broker_id="icmarkets", state="running")
    bus.settle()
    stored = bus.instance("mt5-1")
    assert TIME.match(stored.pop("last_updated_at"))
    assert TIME.match(stored.pop("state_changed_at"))
    assert stored == {"broker_id": "icmarkets", "state": "running", "launch_mode": "auto", "active_connections": "0"}
    health = bus.health("mt5-1")
    assert TIME.match(health.pop("last_updated_at"))
    assert {key: health[key] for key in ("uptime_seconds", "restart_count", "health_status", "last_error")} == {
        "uptime_seconds": "0", "restart_count": "0", "health_status": "healthy", "last_error": ""}
    assert bus.metrics("mt5-1") == {}
    assert bus.members("running") == {"mt5-1"}


def test_a_first_report_with_everything_is_stored_as_it_came(daemon, bus):
    instance = {"broker_id": "b", "host_id": "h", "state": "running", "launch_mode": "manual",
                "active_connections": "4"}
    metrics = {"cpu_usage": "12.5", "memory_usage": "512", "memory_limit": "2048", "network_usage": "33.25",
               "disk_usage": "1000", "network_latency": "17", "queue_length": "3", "load_average": "0.75",
               "socket_connections": "2"}
    health = {"uptime_seconds": "86400", "restart_count": "7", "health_status": "warning",
              "last_error": "no \"route\" to\nhost"}
    daemon()
    bus.report("mt5-1", **instance, **metrics, **health)
    bus.settle()
    assert instance.items() <= bus.instance("mt5-1").items()
    assert metrics.items() <= bus.metrics("mt5-1").items()
    assert health.items() <= bus.health("mt5-1").items()
    assert bus.health("mt5-1")["reported_health"] == "warning"


@pytest.mark.parametrize("fields, named", [
    ({"broker_id": "b"}, "state"),
    ({"state": "running"}, "broker_id"),
    ({}, "broker_id"),
])
def test_a_first_report_without_what_it_needs_registers_nothing(daemon, bus, fields, named):
    daemon()
    entry = bus.report("mt5-1", cpu_usage="3", **fields)
    bus.settle()
    [rejected] = bus.rejected(REPORTS)
    assert rejected["reject_reason"].startswith(named)
    assert rejected["rejected_id"] == entry
    assert rejected["cpu_usage"] == "3"
    assert bus.client.keys("instance*:mt5-1") == []
    assert bus.events() == []


def test_registrations_beyond_the_limit_are_rejected(daemon, bus):
    daemon({"instances.max": 2})
    for i in (1, 2, 3):
        bus.report(f"mt5-{i}", broker_id="b", state="running")
    bus.report("mt5-1", cpu_usage="5")
    bus.settle()
    assert bus.members("running") == {"mt5-1", "mt5-2"}
    [rejected] = bus.rejected(REPORTS)
    assert rejected["instance_id"] == "mt5-3"
    assert "instances.max" in rejected["reject_reason"]
    assert bus.metrics("mt5-1")["cpu_usage"] == "5"


# ---- later reports ----

def test_a_report_updates_just_its_fields(daemon, bus):
    daemon()
    bus.register("mt5-1", cpu_usage="10", queue_length="4", last_error="one")
    bus.report("mt5-1", queue_length="5")
    bus.settle()
    assert bus.metrics("mt5-1")["cpu_usage"] == "10"
    assert bus.metrics("mt5-1")["queue_length"] == "5"
    assert bus.health("mt5-1")["last_error"] == "one"
    assert bus.instance("mt5-1")["broker_id"] == "broker-1"


def test_fields_that_others_put_into_a_hash_stay_there(daemon, bus):
    daemon()
    bus.register("mt5-1")
    bus.client.hset("instance:mt5-1", "colour", "green")
    bus.report("mt5-1", state="stopped", broker_id="other")
    bus.settle()
    assert bus.instance("mt5-1")["colour"] == "green"
    assert bus.instance("mt5-1")["broker_id"] == "other"


def test_unknown_fields_of_a_report_are_ignored(daemon, bus):
    daemon()
    bus.register("mt5-1", favourite_colour="green", **{"": "empty name", "a b": "c"})
    assert bus.rejected(REPORTS) == []
    assert "favourite_colour" not in {**bus.instance("mt5-1"), **bus.metrics("mt5-1"), **bus.health("mt5-1")}


def test_free_text_is_cut_and_made_valid(daemon, redis_server, bus):
    daemon()
    bus.register("mt5-1")
    binary = redis_server.client(decode_responses=False)
    binary.xadd(REPORTS, {"instance_id": "mt5-1", "last_error": b"caf\xe9 \xff\x00 " + "é".encode() * 2000})
    bus.settle()
    stored = binary.hget("instance_health:mt5-1", "last_error")
    assert len(stored) <= 1024
    assert stored.decode("utf-8").startswith("caf\ufffd \ufffd\ufffd ééé")


# ---- transitions ----

@pytest.mark.parametrize("path, last", [
    (["running"], ("instance_started", None, "running")),
    (["crashed"], ("instance_failed", None, "crashed")),
    (["restarting"], ("instance_restarting", None, "restarting")),
    (["stopped", "running"], ("instance_started", "stopped", "running")),
    (["stopped", "restarting"], ("instance_restarting", "stopped", "restarting")),
    (["running", "crashed"], ("instance_failed", "running", "crashed")),
    (["running", "stopped"], ("instance_stopped", "running", "stopped")),
    (["running", "restarting"], ("instance_restarting", "running", "restarting")),
    (["crashed", "running"], ("instance_recovered", "crashed", "running")),
    (["crashed", "stopped"], ("instance_stopped", "crashed", "stopped")),
    (["crashed", "restarting"], ("instance_restarting", "crashed", "restarting")),
    (["restarting", "running"], ("instance_started", "restarting", "running")),
    (["restarting", "stopped"], ("instance_stopped", "restarting", "stopped")),
    (["restarting", "crashed"], ("instance_failed", "restarting", "crashed")),
    (["running", "restarting", "running"], ("instance_started", "restarting", "running")),
    (["crashed", "restarting", "running"], ("instance_recovered", "restarting", "running")),
    (["running", "FAILED"], ("instance_failed", "running", "crashed")),
    (["Stopped", "rUNNING"], ("instance_started", "stopped", "running")),
])
def test_each_transition_has_its_event(daemon, bus, path, last):
    daemon()
    bus.register("mt5-1", state=path[0])
    for state in path[1:]:
        bus.report("mt5-1", state=state)
    bus.settle()
    moves = [event for event in bus.transitions("mt5-1") if event[0] not in (
        "instance_registered", "instance_degraded")]
    assert moves[-1] == last
    assert len(moves) == len(path) - (path[0].lower() == "stopped")
    assert bus.state("mt5-1") == last[2]
    assert bus.members(last[2]) == {"mt5-1"}
    if len(path) > 1:
        assert bus.instance("mt5-1")["previous_state"] == last[1]


def test_a_first_report_as_stopped_has_no_event_of_its_state(daemon, bus):
    daemon()
    bus.register("mt5-1", state="stopped")
    assert bus.transitions("mt5-1") == [("instance_registered", None, None)]
    assert bus.members("stopped") == {"mt5-1"}


def test_the_same_state_again_is_no_transition(daemon, bus):
    daemon()
    bus.register("mt5-1")
    before = len(bus.events())
    for _ in range(5):
        bus.report("mt5-1", state="RUNNING")
    bus.settle()
    assert len(bus.events()) == before


def test_stopped_to_crashed_is_refused_and_the_rest_applies(daemon, bus):
    one = daemon()
    bus.register("mt5-1", state="stopped")
    for _ in range(3):
        bus.report("mt5-1", state="crashed", cpu_usage="7", last_error="gone")
    bus.settle()
    assert bus.state("mt5-1") == "stopped"
    assert bus.metrics("mt5-1")["cpu_usage"] == "7"
    assert bus.health("mt5-1")["last_error"] == "gone"
    assert bus.rejected(REPORTS) == []
    assert [event[0] for event in bus.transitions("mt5-1")] == ["instance_registered"]
    assert len(one.log_lines(level="warning", msg="transition refused", instance_id="mt5-1")) == 1
    assert one.metrics().value("mt5stated_transitions_refused_total", **{"from": "stopped", "to": "crashed"}) == 3


# ---- events ----

def test_events_count_up_and_carry_their_fields(daemon, bus):
    daemon({"rules.InstanceCrash": None})
    entry = bus.report("mt5-1", broker_id="b", state="running")
    bus.report("mt5-2", broker_id="b", state="stopped")
    bus.settle()
    bus.report("mt5-1", state="crashed")
    bus.settle()
    one = bus.events(instance_id="mt5-1")
    assert [(event["event"], event["seq"]) for event in one] == [
        ("instance_registered", "1"), ("instance_started", "2"), ("instance_failed", "3"), ("instance_degraded", "4")]
    assert all(TIME.match(event["at"]) for event in one)
    assert [event["seq"] for event in bus.events(instance_id="mt5-2")] == ["1"]
    # One report brought about the first two, another the others.
    assert len({event["correlation_id"] for event in one[:2]}) == 1
    assert one[0]["correlation_id"] != one[2]["correlation_id"] == one[3]["correlation_id"]
    assert entry in one[0]["correlation_id"]
    assert (one[3]["from"], one[3]["to"]) == ("healthy", "critical")


def test_events_are_published_as_json_with_the_same_fields(daemon, redis_server, bus):
    daemon()
    listener = redis_server.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe("instance:events")
    listener.get_message(timeout=5)
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    stored = [{**event, "seq": int(event["seq"])} for event in bus.events()]
    heard = []
    while len(heard) < len(stored):
        message = listener.get_message(timeout=20)
        assert message, f"heard only {heard}"
        heard.append(json.loads(message["data"]))
    assert heard == stored


def test_events_are_logged_once(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    wait_until(lambda: len(one.log_lines(event="instance_failed", instance_id="mt5-1", to="crashed")) == 1,
               "the log line")
    one.restart()
    bus.report("mt5-1", state="crashed")
    bus.settle()
    assert len(one.log_lines(event="instance_failed")) == 1


def test_state_and_seq_go_on_after_a_restart(daemon, bus):
    one = daemon({"rules.InstanceCrash": None})
    bus.register("mt5-1", state="crashed", cpu_usage="4", last_error="x", host_id="h")
    bus.report("mt5-1", state="restarting")
    bus.settle()
    before = [bus.instance("mt5-1"), bus.metrics("mt5-1"), bus.health("mt5-1"), bus.events()]
    one.restart()
    bus.settle()
    assert [bus.instance("mt5-1"), bus.metrics("mt5-1"), bus.health("mt5-1"), bus.events()] == before
    # It still knows that it had crashed before it was restarting.
    bus.report("mt5-1", state="running")
    bus.settle()
    assert bus.transitions("mt5-1")[-1] == ("instance_recovered", "restarting", "running")
    assert [int(event["seq"]) for event in bus.events(instance_id="mt5-1")] == list(
        range(1, len(bus.events(instance_id="mt5-1")) + 1))


def test_reports_that_came_while_the_daemon_was_away_are_taken_in_order(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    one.stop()
    for state in ("crashed", "restarting", "running", "stopped"):
        bus.report("mt5-1", state=state)
    one.start()
    bus.settle()
    assert [event[0] for event in bus.transitions("mt5-1") if event[0] != "instance_degraded"] == [
        "instance_registered", "instance_started", "instance_failed", "instance_restarting", "instance_recovered",
        "instance_stopped"]


# ---- silence ----

def test_a_running_instance_that_falls_silent_has_crashed(daemon, bus):
    daemon({"instances.heartbeat_timeout_ms": 150})
    bus.register("mt5-2", state="stopped")
    bus.register("mt5-1", state="running")
    bus.wait_state("mt5-1", "crashed")
    event = bus.events(event="instance_failed")[0]
    assert event["reason"] == "heartbeat lost for 150 ms"
    assert (event["from"], event["to"]) == ("running", "crashed")
    assert bus.health("mt5-1")["health_status"] == "critical"
    assert bus.state("mt5-2") == "stopped"
    bus.report("mt5-1", state="running")
    bus.wait_event(event="instance_recovered", instance_id="mt5-1")


def test_without_a_heartbeat_timeout_silence_is_no_crash(daemon, bus):
    # The restarting one shows that time has passed and was judged.
    daemon({"instances.heartbeat_timeout_ms": 0, "instances.restarting_timeout_ms": 200})
    bus.register("mt5-1", state="running")
    bus.register("mt5-2", state="restarting")
    bus.wait_state("mt5-2", "crashed")
    assert bus.state("mt5-1") == "running"


@pytest.mark.parametrize("fields", [{"cpu_usage": "nan"}, {"state": "dancing"}, {"broker_id": "a b"}])
def test_a_rejected_entry_is_a_heartbeat_too(daemon, bus, fields):
    daemon({"instances.heartbeat_timeout_ms": 1000})
    bus.register("mt5-1")
    bus.register("mt5-2")

    def silent_one_has_crashed():
        bus.report("mt5-1", **fields)
        return bus.state("mt5-2") == "crashed"

    wait_until(silent_one_has_crashed, "mt5-2 to be crashed")
    assert bus.state("mt5-1") == "running"


def test_restarting_for_too_long_is_a_crash(daemon, bus):
    daemon({"instances.restarting_timeout_ms": 150})
    bus.register("mt5-1", state="restarting")
    bus.wait_state("mt5-1", "crashed")
    [event] = bus.events(event="instance_failed")
    assert event["reason"] == "restarting for longer than 150 ms"
    assert bus.health("mt5-1")["failed_restarts"] == "1"


def test_reports_that_waited_are_read_before_silence_is_judged(daemon, bus):
    one = daemon({"instances.heartbeat_timeout_ms": 300})
    bus.register("mt5-1")
    bus.register("mt5-2")
    one.stop()
    bus.many(REPORTS, [{"instance_id": "mt5-1", "state": "stopped"}])
    # Away for longer than the timeout; then everybody has a whole timeout again.
    bus.wait_age(REPORTS, 400)
    one.start()
    bus.settle()
    assert bus.state("mt5-1") == "stopped"
    bus.wait_state("mt5-2", "crashed")


# ---- what is derived ----

def test_restarts_are_counted_where_the_agent_does_not(daemon, bus):
    daemon()
    bus.register("mt5-1", uptime_seconds="100")
    for _ in range(2):
        bus.report("mt5-1", state="restarting")
        bus.report("mt5-1", state="running")
    bus.report("mt5-1", state="restarting")
    bus.report("mt5-1", state="crashed")
    bus.report("mt5-1", state="running")
    bus.settle()
    assert bus.health("mt5-1")["restart_count"] == "2"
    assert bus.health("mt5-1")["failed_restarts"] == "1"
    # From now on the agent knows better.
    bus.report("mt5-1", restart_count="9")
    bus.report("mt5-1", state="restarting")
    bus.report("mt5-1", state="running")
    bus.settle()
    assert bus.health("mt5-1")["restart_count"] == "9"


def test_derived_uptime_begins_anew_with_each_run(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    wait_until(lambda: one.metrics().value("mt5_instance_uptime_seconds", instance_id="mt5-1") >= 1,
               "a second of uptime")
    bus.report("mt5-1", state="stopped")
    bus.settle()
    assert one.metrics().value("mt5_instance_uptime_seconds", instance_id="mt5-1") == 0
    assert bus.health("mt5-1")["uptime_seconds"] == "0"


def test_health_is_the_worse_of_what_is_reported_and_of_the_state(daemon, bus):
    daemon()
    bus.register("mt5-1", health_status="WARNING")
    assert bus.health("mt5-1")["health_status"] == "warning"
    bus.report("mt5-1", state="crashed")
    bus.settle()
    assert bus.health("mt5-1")["health_status"] == "critical"
    assert bus.health("mt5-1")["reported_health"] == "warning"
    bus.report("mt5-1", state="running", health_status="healthy")
    bus.settle()
    assert bus.health("mt5-1")["health_status"] == "healthy"
    degraded = bus.events(event="instance_degraded")
    assert [(event["from"], event["to"]) for event in degraded][-1] == ("warning", "critical")


def test_a_stopped_instance_is_forgotten_after_its_time(daemon, bus):
    daemon({"instances.forget_after_s": 1})
    bus.register("mt5-2", state="running", cpu_usage="1")
    bus.register("mt5-1", state="stopped", cpu_usage="1")
    bus.wait_event(event="instance_removed", instance_id="mt5-1")
    assert bus.client.keys("instance*:mt5-1") == []
    assert bus.members("stopped") == set()
    assert bus.state("mt5-2") == "running"
    # It may come again, as a new one.
    bus.register("mt5-1")
    assert [event["seq"] for event in bus.events(instance_id="mt5-1")][-2:] == ["1", "2"]


# ---- the load index ----

@pytest.mark.parametrize("fields, score", [
    ({"load_average": "1.5", "cpu_usage": "80"}, 1.5),
    ({"cpu_usage": "80"}, 0.8),
    ({}, 0),
    ({"load_average": "0"}, 0),
])
def test_the_load_index_says_how_busy_an_instance_is(daemon, bus, fields, score):
    daemon()
    bus.register("mt5-1", **fields)
    bus.register("mt5-2", state="stopped", **fields)
    assert bus.scores() == {"mt5-1": pytest.approx(score)}


def test_the_load_index_holds_running_instances_only(daemon, bus):
    daemon()
    bus.register("mt5-1", load_average="3")
    bus.report("mt5-1", load_average="0.5")
    bus.settle()
    assert bus.scores() == {"mt5-1": 0.5}
    bus.report("mt5-1", state="restarting")
    bus.settle()
    assert bus.scores() == {}
    bus.report("mt5-1", state="running")
    bus.settle()
    assert bus.scores() == {"mt5-1": 0.5}


# ---- the stream ----

def test_handled_reports_are_removed_at_once_with_a_length_of_0(daemon, bus):
    one = daemon({"streams.reports_max_len": 0})
    bus.register("mt5-1")
    bus.many(REPORTS, [{"instance_id": "mt5-1", "cpu_usage": str(i)} for i in range(500)])
    bus.settle()
    assert bus.client.xlen(REPORTS) == 0
    one.stop()
    bus.report("mt5-1", cpu_usage="77")
    assert bus.client.xlen(REPORTS) == 1
    one.start()
    bus.settle()
    assert bus.metrics("mt5-1")["cpu_usage"] == "77"
    assert bus.client.xlen(REPORTS) == 0


def test_handled_reports_are_trimmed_to_about_their_length(daemon, bus):
    one = daemon({"streams.reports_max_len": 200})
    bus.register("mt5-1")
    bus.many(REPORTS, [{"instance_id": "mt5-1", "cpu_usage": str(i)} for i in range(2000)])
    bus.settle()
    assert 200 <= bus.client.xlen(REPORTS) <= 400
    # What was not handled is never trimmed, however much it is.
    one.stop()
    last = bus.many(REPORTS, [{"instance_id": "mt5-1", "queue_length": str(i)} for i in range(2000)])[-1]
    one.start()
    bus.settle()
    assert bus.metrics("mt5-1")["queue_length"] == "1999"
    assert 200 <= bus.client.xlen(REPORTS) <= 400
    assert bus.ids(REPORTS)[-1] == last


def test_a_report_by_its_own_odd_entry_id_is_read_too(daemon, bus):
    daemon()
    bus.add(REPORTS, {"instance_id": "mt5-1", "broker_id": "b", "state": "running"}, entry="1-1")
    bus.add(REPORTS, {"instance_id": "mt5-1", "cpu_usage": "1"}, entry="1-2")
    # From a clock that is ahead: what comes behind it is read all the same.
    bus.add(REPORTS, {"instance_id": "mt5-1", "cpu_usage": "2"}, entry="99999999999999-0")
    bus.add(REPORTS, {"instance_id": "mt5-1", "cpu_usage": "3"}, entry="99999999999999-*")
    bus.settle()
    assert bus.state("mt5-1") in ("running", "crashed")
    assert bus.metrics("mt5-1")["cpu_usage"] == "3"


def test_a_whole_fleet_that_falls_silent_at_once(daemon, bus):
    daemon({"instances.heartbeat_timeout_ms": 1500})
    bus.many(REPORTS, [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": "running"} for i in range(3000)])
    bus.settle()
    wait_until(lambda: len(bus.members("crashed")) == 3000, "all to be crashed")
    assert bus.members("running") == set()
    assert len(bus.events(event="instance_failed")) == 3000
    assert bus.scores() == {}


def test_a_server_that_may_evict_is_warned_of(daemon, redis_server):
    redis_server.config_set(maxmemory_policy="allkeys-lru")
    one = daemon()
    wait_until(lambda: one.log_lines(level="warning", maxmemory_policy="allkeys-lru"), "the warning")
