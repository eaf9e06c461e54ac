"""Recovery and the other commands: what is asked of agents, what their answers do, what holds commands back
(SPEC 6.4, 7.2, 8.2)."""

import re
import time

import pytest

from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

REPORTS = "instance_reports"
DAY_MS = 86400000
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


@pytest.fixture
def watching(daemon, bus, folder):
    def make(config=None, **options):
        return Watching(bus, daemon(with_token({**QUICK, **(config or {})}, folder), **options))
    return make


def crash(one, name="mt5-1", **fields):
    """A running instance, and its crash; the command that follows."""
    one.bus.register(name, **fields)
    one.bus.report(name, state="crashed")
    return one.wait_command(name, "recover")


def attempts(bus, name="mt5-1"):
    return int(bus.health(name)["recovery_attempts"])


def epoch_s(text):
    return time.mktime(time.strptime(text + "UTC", "%Y-%m-%dT%H:%M:%SZ%Z")) - time.timezone


# ---- an episode ----

def test_a_crash_is_recovered(watching, bus):
    one = watching({"recovery.timeout_ms": 60000})
    bus.trade("t1", instance_id="mt5-1", state="executing")
    bus.settle()
    command = crash(one)
    issued, expires = command.pop("issued_at"), command.pop("expires_at")
    assert TIME.match(issued) and TIME.match(expires)
    assert 60 <= epoch_s(expires) - epoch_s(issued) <= 61
    assert command.pop("reason").startswith("InstanceCrash")
    assert command == {"command_id": "mt5-1.recover.1", "instance_id": "mt5-1", "command": "recover", "attempt": "1",
                       "open_trades": "1"}
    fired = one.wait_alert("mt5-1", "InstanceCrash")
    [announced] = bus.events(event="command_issued")
    assert announced["command_id"] == "mt5-1.recover.1"
    assert announced["correlation_id"] == fired["correlation_id"]
    assert attempts(bus) == 1

    one.answer(command, "accepted", state="restarting")
    bus.settle()
    assert one.completed(command) == []
    one.answer(command, "ok", state="running")
    one.wait_completed(command, "ok")
    assert bus.wait_event(event="instance_recovered", instance_id="mt5-1")["to"] == "running"
    over = one.wait_alert("mt5-1", "InstanceCrash", "alert_resolved")
    assert over["correlation_id"] == fired["correlation_id"]
    one.pass_a_round()
    assert one.kinds("mt5-1") == ["recover"]
    assert attempts(bus) == 1
    steps = [(step["step"], step.get("status")) for step in one.why("mt5-1")]
    assert steps == [("sample", "true"), ("alert", "firing"), ("decision", "recover"), ("command", "issued"),
                     ("answer", "accepted"), ("answer", "ok"), ("alert", "resolved")]
    assert {step["correlation_id"] for step in one.why("mt5-1")} == {fired["correlation_id"]}


def test_attempts_are_kept_until_it_has_run_well_for_long_enough(watching, bus):
    one = watching({"recovery.stable_ms": DAY_MS})
    one.answer(crash(one), "ok", state="running")
    bus.report("mt5-1", state="crashed")
    second = one.wait_commands("mt5-1", 2, "recover")[1]
    assert (second["attempt"], second["command_id"]) == ("2", "mt5-1.recover.2")
    one.answer(second, "ok", state="running", queue_length="500")
    one.wait_completed(second, "ok")
    one.one.write_config(**{"recovery.stable_ms": 50})
    one.one.reload()
    wait_until(lambda: one.one.log_lines(msg="configuration reloaded"), "the reload")
    # Something fires, so it does not run well.
    one.pass_a_round()
    assert attempts(bus) == 2
    bus.report("mt5-1", queue_length="1")
    wait_until(lambda: attempts(bus) == 0, "the attempts to be forgotten")


def test_a_silent_agent_is_given_up_and_its_instance_stopped(watching, bus):
    one = watching({"recovery.timeout_ms": 100, "recovery.backoff_ms": [0, 30, 60], "recovery.max_attempts": 3})
    crash(one)
    stop = one.wait_command("mt5-1", "stop")
    sent = one.commands("mt5-1", "recover")
    assert [command["attempt"] for command in sent] == ["1", "2", "3"]
    assert [command["command_id"] for command in sent] == [f"mt5-1.recover.{number}" for number in (1, 2, 3)]
    for command in sent:
        one.wait_completed(command, "expired")
    failure = one.wait_alert("mt5-1", "RecoveryFailure")
    assert (failure["value"], failure["threshold"]) == ("4", "3")
    assert stop["command_id"] == "mt5-1.stop.4"
    bus.wait_state("mt5-1", "stopped")
    assert bus.instance("mt5-1")["desired_state"] == "stopped"
    assert attempts(bus) == 4
    one.wait_alert("mt5-1", "InstanceCrash", "alert_resolved")
    one.wait_completed(stop, "expired")
    one.pass_a_round()
    assert one.kinds("mt5-1") == ["recover", "recover", "recover", "stop"]
    assert one.status_of("mt5-1", "RecoveryFailure") == "firing"
    assert bus.transitions("mt5-1")[-1] != ("instance_failed", "stopped", "crashed")
    # Where the daemon dies, it stays given up.
    one.one.restart(kill=True)
    one.pass_a_round()
    assert one.status_of("mt5-1", "RecoveryFailure") == "firing"
    assert len(one.commands("mt5-1")) == 4


def test_an_agent_that_fails_is_asked_again_after_the_backoff(watching, bus):
    one = watching({"recovery.backoff_ms": [0, 150], "recovery.max_attempts": 2})
    first = crash(one)
    one.answer(first, "failed", command_error="no display")
    event = one.wait_completed(first, "failed")
    assert event["reason"] == "failed: no display"
    second = one.wait_commands("mt5-1", 2, "recover")[1]
    issued = [step["at_ms"] for step in one.why("mt5-1") if (step["step"], step.get("status")) == ("command", "issued")]
    [failed] = [step["at_ms"] for step in one.why("mt5-1") if (step["step"], step.get("status")) == ("answer", "failed")]
    assert issued[1] - failed >= 150
    one.answer(second, "failed")
    one.wait_command("mt5-1", "stop")


def test_a_running_instance_that_is_given_up_is_stopped_by_its_agent(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": 0, "recovery.max_attempts": 1, "recovery.cooldown_ms": 0})
    bus.register("mt5-1", cpu_usage="99")
    one.answer(one.wait_command("mt5-1", "recover"), "failed")
    stop = one.wait_command("mt5-1", "stop")
    bus.settle()
    assert bus.state("mt5-1") == "running"
    assert bus.instance("mt5-1")["desired_state"] == "stopped"
    one.answer(stop, "ok", state="stopped")
    one.wait_completed(stop, "ok")
    assert bus.state("mt5-1") == "stopped"


# ---- arming ----

def give_up(one, name="mt5-1"):
    crash(one, name)
    one.wait_completed(one.wait_command(name, "stop"), "expired")
    one.bus.wait_state(name, "stopped")


GIVES_UP = {"recovery.timeout_ms": 50, "recovery.max_attempts": 1}


@pytest.mark.parametrize("command", ["start", "recover"])
def test_an_operator_arms_recovery_again(watching, bus, command):
    one = watching(GIVES_UP)
    give_up(one)
    given = one.order("mt5-1", command)
    assert given.startswith(f"mt5-1.{command}.")
    one.wait_alert("mt5-1", "RecoveryFailure", "alert_resolved")
    assert attempts(bus) == 0
    assert bus.instance("mt5-1")["desired_state"] == "running"
    bus.report("mt5-1", state="running", command_id=given, command_status="ok")
    bus.report("mt5-1", state="crashed")
    again = one.wait_commands("mt5-1", 2 + (command == "recover"), "recover")[-1]
    assert again["attempt"] == "1"


def test_running_after_having_been_stopped_arms_recovery_again(watching, bus):
    one = watching(GIVES_UP)
    give_up(one)
    before = attempts(bus)
    assert before == 2
    bus.report("mt5-1", state="running")
    one.wait_alert("mt5-1", "RecoveryFailure", "alert_resolved")
    assert bus.instance("mt5-1")["desired_state"] == "running"
    assert attempts(bus) == before


def test_an_operators_stop_rests_recovery(watching, bus):
    one = watching()
    bus.register("mt5-1")
    given = one.order("mt5-1", "stop")
    [entry] = one.commands("mt5-1")
    assert (entry["command_id"], entry["command"], entry["reason"]) == (given, "stop", "test")
    assert "attempt" not in entry
    bus.report("mt5-1", state="crashed")
    one.wait_alert("mt5-1", "InstanceCrash")
    one.wait_hold("mt5-1", "recover", "disarmed")
    assert one.kinds("mt5-1") == ["stop"]


# ---- what holds it back ----

def test_a_manual_instance_is_announced_only(watching, bus):
    one = watching()
    bus.register("mt5-1", launch_mode="manual")
    bus.report("mt5-1", state="crashed")
    one.wait_alert("mt5-1", "InstanceCrash")
    one.wait_hold("mt5-1", "recover", "launch_mode")
    one.pass_a_round()
    assert one.kinds("mt5-1") == []
    bus.report("mt5-1", launch_mode="auto")
    one.wait_command("mt5-1", "recover")


def test_only_so_many_recoveries_are_under_way_at_once(watching, bus):
    one = watching({"recovery.max_concurrent": 2})
    names = [f"mt5-{number}" for number in range(1, 8)]
    for number, name in enumerate(names):
        bus.register(name, broker_id=f"b{number}")
    for name in names[:3]:
        bus.report(name, state="crashed")
    first = wait_until(lambda: (lambda found: found if len(found) == 2 else None)(one.commands()), "two")
    waiting = (set(names[:3]) - {command["instance_id"] for command in first}).pop()
    one.wait_hold(waiting, "recover", "max_concurrent")
    assert len(one.commands()) == 2
    one.answer(first[0], "ok", state="running")
    one.wait_command(waiting, "recover")
    assert len(one.commands()) == 3


def test_a_threshold_rule_asks_again_only_after_the_cooldown(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": 0, "recovery.cooldown_ms": DAY_MS})
    bus.register("mt5-1", cpu_usage="99")
    first = one.wait_command("mt5-1", "recover")
    one.answer(first, "ok", cpu_usage="99")
    one.wait_completed(first, "ok")
    one.wait_hold("mt5-1", "recover", "cooldown")
    one.pass_a_round()
    assert len(one.commands("mt5-1")) == 1
    # A crash does not wait.
    bus.report("mt5-1", state="crashed")
    second = one.wait_commands("mt5-1", 2, "recover")[1]
    assert second["attempt"] == "2"
    assert second["reason"].startswith("InstanceCrash")


def test_it_is_asked_again_when_the_cooldown_is_over(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": 0, "recovery.cooldown_ms": 100})
    bus.register("mt5-1", cpu_usage="99")
    one.answer(one.wait_command("mt5-1", "recover"), "ok")
    assert one.wait_commands("mt5-1", 2, "recover")[1]["attempt"] == "2"


def test_nothing_is_commanded_where_only_observing(watching, bus):
    one = watching({"observe_only": True})
    bus.register("mt5-1", queue_length="500")
    bus.register("mt5-2")
    bus.report("mt5-2", state="crashed")
    one.wait_hold("mt5-1", "throttle", "observe_only")
    one.wait_hold("mt5-2", "recover", "observe_only")
    assert one.commands() == []
    assert bus.client.smembers("instance:index:throttled") == set()
    assert one.status_of("mt5-2", "InstanceCrash") == "firing"


# ---- the others ----

def test_reconnect_is_repeated_so_many_times(watching, bus):
    one = watching({"recovery.backoff_ms": [0, 20], "recovery.max_attempts": 3})
    bus.register("mt5-1", socket_connections="0")
    for number in (1, 2, 3):
        command = one.wait_commands("mt5-1", number, "reconnect")[-1]
        assert command["command_id"] == f"mt5-1.reconnect.{number}"
        one.answer(command, ("ok", "failed", "ok")[number - 1], socket_connections="0")
        one.wait_completed(command, ("ok", "failed", "ok")[number - 1])
    one.pass_a_round()
    one.pass_a_round()
    assert one.kinds("mt5-1") == ["reconnect"] * 3
    # A new firing is counted anew.
    bus.report("mt5-1", socket_connections="3")
    bus.report("mt5-1", socket_connections="0")
    one.wait_commands("mt5-1", 4, "reconnect")


def test_throttle_until_the_queue_is_short_again(watching, bus):
    one = watching()
    bus.register("mt5-1", queue_length="500")
    command = one.wait_command("mt5-1", "throttle")
    throttled = lambda: bus.client.smembers("instance:index:throttled")
    assert throttled() == {"mt5-1"}
    one.answer(command, "ok")
    one.wait_completed(command, "ok")
    one.one.restart(kill=True)
    assert throttled() == {"mt5-1"}
    bus.report("mt5-1", queue_length="1")
    un = one.wait_command("mt5-1", "unthrottle")
    assert throttled() == set()
    one.answer(un, "ok")
    one.pass_a_round()
    assert one.kinds("mt5-1") == ["throttle", "unthrottle"]


@pytest.mark.parametrize("others, target", [
    ({"b": dict(load_average="0.5", host_id="h2"), "c": dict(load_average="0.1", host_id="h2")}, "c"),
    ({"b": dict(load_average="0.5", host_id="h2"), "c": dict(load_average="0.1", host_id="h1")}, "b"),
    ({"b": dict(load_average="0.5", host_id="h2"), "c": dict(load_average="0.1", host_id="h2", broker_id="x")}, "b"),
    ({"b": dict(load_average="0.5", host_id="h2"), "c": dict(load_average="0.1", host_id="h2", state="stopped")}, "b"),
    ({"b": dict(load_average="0.5", host_id="h2"), "c": dict(load_average="0.1", host_id="h2", queue_length="900")},
     "b"),
    ({"b": dict(cpu_usage="3", host_id="h2"), "c": dict(load_average="0.1", host_id="h2")}, "b"),
])
def test_redistribute_names_the_least_loaded_that_fits(watching, bus, others, target):
    one = watching()
    for name, fields in others.items():
        bus.register(name, **{"broker_id": "broker-1", **fields})
    bus.register("mt5-1", load_average="5", host_id="h1")
    command = one.wait_command("mt5-1", "redistribute")
    assert command["target_instance_id"] == target


def test_redistribute_names_nobody_twice_and_nobody_in_maintenance(watching, bus):
    one = watching()
    for name, load in (("b", "0.1"), ("c", "0.2"), ("d", "0.3")):
        bus.register(name, load_average=load)
    one.set_maintenance("b", reason="test")
    for name in ("mt5-1", "mt5-2"):
        bus.register(name, load_average="5")
    named = [one.wait_command(name, "redistribute")["target_instance_id"] for name in ("mt5-1", "mt5-2")]
    assert named == ["c", "d"]
    bus.register("mt5-3", load_average="5")
    assert one.wait_command("mt5-3", "redistribute")["target_instance_id"] == "c"


def test_redistribute_with_nobody_fit_says_so(watching, bus):
    one = watching()
    bus.register("mt5-1", load_average="5")
    one.wait_hold("mt5-1", "redistribute", "no_target")
    assert one.commands("mt5-1") == []


# ---- one at a time ----

def test_a_stronger_command_replaces_a_weaker(watching, bus):
    one = watching()
    bus.register("mt5-1", queue_length="500")
    weaker = one.wait_command("mt5-1", "throttle")
    bus.report("mt5-1", state="crashed")
    recover = one.wait_command("mt5-1", "recover")
    [cancel] = one.commands("mt5-1", "cancel")
    assert cancel["cancels"] == weaker["command_id"]
    one.wait_completed(weaker, "cancelled")
    given = one.order("mt5-1", "stop")
    assert [entry["cancels"] for entry in one.commands("mt5-1", "cancel")] == [weaker["command_id"],
                                                                             recover["command_id"]]
    assert one.kinds("mt5-1") == ["throttle", "cancel", "recover", "cancel", "stop"]
    # A weaker one of an operator is refused.
    refused = one.ask("POST", "/api/v1/instances/mt5-1/commands", {"command": "recover", "reason": "x"})
    assert refused.status == 409 and given in refused.text


def test_a_weaker_command_waits_and_is_dropped_with_its_alert(watching, bus):
    one = watching()
    bus.register("mt5-1", socket_connections="0")
    strong = one.wait_command("mt5-1", "reconnect")
    bus.report("mt5-1", queue_length="500")
    one.wait_hold("mt5-1", "throttle", "under_way")
    bus.report("mt5-1", queue_length="5")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.answer(strong, "ok", socket_connections="4")
    one.pass_a_round()
    assert one.kinds("mt5-1") == ["reconnect"]


def test_an_instance_that_was_only_silent_is_not_restarted_any_more(watching, bus):
    one = watching({"instances.heartbeat_timeout_ms": 200})
    bus.register("mt5-1")
    command = one.wait_command("mt5-1", "recover")
    bus.report("mt5-1", state="running")
    cancel = one.wait_command("mt5-1", "cancel")
    assert cancel["cancels"] == command["command_id"]
    one.wait_completed(command, "cancelled")
    one.wait_alert("mt5-1", "InstanceCrash", "alert_resolved")


def test_alerts_are_frozen_while_a_command_of_ours_is_under_way(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": 0})
    bus.register("mt5-1", cpu_usage="99")
    command = one.wait_command("mt5-1", "recover")
    one.answer(command, "accepted", state="restarting")
    bus.settle()
    assert one.status_of("mt5-1", "HighCpuUsage") == "firing"
    one.answer(command, "ok", state="running", cpu_usage="5")
    one.wait_alert("mt5-1", "HighCpuUsage", "alert_resolved")
    assert one.alerts("mt5-1") == [("alert_firing", "HighCpuUsage"), ("alert_resolved", "HighCpuUsage")]


# ---- answers ----

def test_answers_that_fit_nothing_are_counted_and_ignored(watching, bus):
    one = watching()
    bus.register("mt5-1")
    bus.report("mt5-1", command_id="mt5-1.recover.1", command_status="ok")
    bus.report("mt5-1", command_id="somebody.stop.7", command_status="failed")
    command = crash(one, "mt5-2")
    for _ in range(2):
        one.answer(command, "failed")
    one.wait_completed(command, "failed")
    one.wait_commands("mt5-2", 2, "recover")
    bus.settle()
    assert bus.events(event="command_completed", instance_id="mt5-1") == []
    assert len(bus.events(event="command_completed", instance_id="mt5-2")) == 1
    assert one.commands("mt5-1") == []
    assert attempts(bus, "mt5-2") == 2
    metrics = one.one.metrics()
    assert metrics.total("mt5stated_commands_total", command="recover", status="issued") == 2
    assert metrics.total("mt5stated_commands_total", command="recover", status="failed") == 1
    ignored = "mt5stated_command_answers_ignored_total"
    assert (metrics.value(ignored, reason="unknown"), metrics.value(ignored, reason="late")) == (2, 1)


@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill9"])
def test_an_instance_that_was_removed_and_comes_back_uses_no_id_again(watching, bus, kill):
    """Its agent remembers what it has done, and would take a new command for an old one."""
    one = watching({"ha.lease_ms": 300})
    one.answer(crash(one), "ok", state="stopped")
    for _ in range(2):
        bus.settle()
        assert one.ask("DELETE", "/api/v1/instances/mt5-1").status in (200, 204)
        one.one.restart(kill=kill)
        assert bus.instance("mt5-1") == {}
        before = len(one.commands("mt5-1", "recover"))
        bus.register("mt5-1")
        bus.report("mt5-1", state="crashed")
        command = one.wait_commands("mt5-1", before + 1, "recover")[-1]
        assert command["attempt"] == "1"
        one.answer(command, "ok", state="stopped")
    ids = [command["command_id"] for command in one.commands("mt5-1")]
    assert len(ids) == len(set(ids))
