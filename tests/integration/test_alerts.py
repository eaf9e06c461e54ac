"""Alert rules by real reports: when they fire, when they are resolved, what survives (SPEC 6.1, 6.2, 6.3)."""

import re

import pytest

from mt5.wait import wait_until
from mt5.watching import QUICK, Watching

REPORTS = "instance_reports"
DAY_MS = 86400000

# Announced only: what is done about alerts is another test's.
ANNOUNCE = {**QUICK, "recovery.launch_modes": ["manual"]}

# Name, a report beyond the threshold, one within it, value, threshold, severity, event, and how long it is held.
THRESHOLDS = [
    ("HighCpuUsage", {"cpu_usage": "90"}, {"cpu_usage": "80"}, "90", "80", "warning", None, 10000),
    ("HighMemoryUsage", {"memory_usage": "900", "memory_limit": "1000"}, {"memory_usage": "800"},
     "90", "80", "warning", None, 10000),
    ("NetworkFailure", {"network_latency": "501"}, {"network_latency": "500"}, "501", "500", "critical",
     "network_issue", 5000),
    ("HighQueueLength", {"queue_length": "101"}, {"queue_length": "100"}, "101", "100", "warning", None, 0),
    ("HighLoadAverage", {"load_average": "2.5"}, {"load_average": "2"}, "2.5", "2", "warning", None, 0),
    ("SocketFailure", {"socket_connections": "0"}, {"socket_connections": "1"}, "0", "0", "critical",
     "socket_failure", 0),
]


@pytest.fixture
def watching(daemon, bus):
    def make(config=None, **options):
        return Watching(bus, daemon({**ANNOUNCE, **(config or {})}, **options))
    return make


# ---- the rules ----

@pytest.mark.parametrize("name, bad, good, value, threshold, severity, own_event, for_ms", THRESHOLDS,
                         ids=[row[0] for row in THRESHOLDS])
def test_a_threshold_rule_fires_and_is_resolved(watching, bus, name, bad, good, value, threshold, severity, own_event,
                                                for_ms):
    one = watching({f"rules.{name}.for_ms": 40} if for_ms else None)
    bus.register("mt5-1")
    entry = bus.report("mt5-1", **bad)
    fired = one.wait_alert("mt5-1", name)
    assert (fired["value"], fired["threshold"], fired["correlation_id"]) == (value, threshold, f"report-{entry}")
    assert fired["reason"]
    assert one.alerts() == [("alert_firing", name)]
    own = [event for event in bus.events(instance_id="mt5-1") if event["event"] in ("network_issue", "socket_failure")]
    assert [event["event"] for event in own] == ([own_event] if own_event else [])
    for event in own:
        assert (event["alert"], event["value"], event["correlation_id"]) == (name, value, f"report-{entry}")
    [degraded] = bus.events(event="instance_degraded", instance_id="mt5-1")
    assert (degraded["from"], degraded["to"], degraded["correlation_id"]) == ("healthy", severity, f"report-{entry}")
    assert bus.health("mt5-1")["health_status"] == severity
    assert one.status_of("mt5-1", name) == "firing"

    bus.report("mt5-1", **good)
    over = one.wait_alert("mt5-1", name, "alert_resolved")
    assert over["correlation_id"] == f"report-{entry}"
    assert float(over["value"]) <= float(threshold) or name == "SocketFailure"
    assert bus.health("mt5-1")["health_status"] == "healthy"
    assert one.status_of("mt5-1", name) is None
    assert one.alerts() == [("alert_firing", name), ("alert_resolved", name)]
    assert one.commands() == []


def test_a_crash_fires_at_once_and_is_resolved_by_running(watching, bus):
    one = watching()
    bus.register("mt5-1")
    entry = bus.report("mt5-1", state="crashed")
    fired = one.wait_alert("mt5-1", "InstanceCrash")
    assert (fired["value"], fired["threshold"], fired["correlation_id"]) == ("crashed", "crashed", f"report-{entry}")
    assert bus.health("mt5-1")["health_status"] == "critical"
    bus.report("mt5-1", state="restarting")
    bus.settle()
    assert one.status_of("mt5-1", "InstanceCrash") == "firing"
    bus.report("mt5-1", state="running")
    one.wait_alert("mt5-1", "InstanceCrash", "alert_resolved")
    assert bus.health("mt5-1")["health_status"] == "healthy"


def test_a_crash_is_resolved_by_being_stopped(watching, bus):
    one = watching()
    bus.register("mt5-1", state="crashed")
    one.wait_alert("mt5-1", "InstanceCrash")
    bus.report("mt5-1", state="stopped")
    one.wait_alert("mt5-1", "InstanceCrash", "alert_resolved")


def test_health_is_the_worst_of_what_is_reported_and_what_fires(watching, bus):
    one = watching()
    bus.register("mt5-1", queue_length="500")
    bus.report("mt5-1", health_status="critical")
    bus.report("mt5-1", socket_connections="0")
    bus.report("mt5-1", health_status="healthy", socket_connections="3")
    bus.settle()
    degraded = [(event["from"], event["to"]) for event in bus.events(event="instance_degraded")]
    assert degraded == [("healthy", "warning"), ("warning", "critical")]
    assert bus.health("mt5-1")["health_status"] == "warning"
    bus.report("mt5-1", queue_length="1")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    assert bus.health("mt5-1")["health_status"] == "healthy"


def test_memory_without_a_limit_is_said_and_not_judged(watching, bus):
    one = watching({"rules.HighMemoryUsage.for_ms": 0})
    bus.register("mt5-1", memory_usage="5000")
    bus.report("mt5-1", memory_usage="6000")
    bus.settle()
    assert one.one.metrics().value("mt5stated_rule_unevaluable", instance_id="mt5-1", alert="HighMemoryUsage") == 1
    assert len(one.one.log_lines(level="warning", instance_id="mt5-1", alert="HighMemoryUsage")) == 1
    assert one.alerts() == []
    one.one.write_config(**{"instances.memory_limit_mb": 6000})
    one.one.reload()
    one.wait_alert("mt5-1", "HighMemoryUsage")
    assert not one.one.metrics().value("mt5stated_rule_unevaluable", instance_id="mt5-1", alert="HighMemoryUsage")


# ---- life ----

def test_one_false_sample_ends_pending(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": DAY_MS})
    bus.register("mt5-1", cpu_usage="99")
    one.wait_status("mt5-1", "HighCpuUsage", "pending")
    assert bus.health("mt5-1")["health_status"] == "healthy"
    bus.report("mt5-1", cpu_usage="10")
    one.wait_status("mt5-1", "HighCpuUsage", None)
    assert one.alerts() == []


def test_hysteresis_holds_an_alert_until_it_is_past_clear(watching, bus):
    one = watching({"rules.HighQueueLength.clear": 50})
    bus.register("mt5-1", queue_length="90")
    bus.report("mt5-1", queue_length="101")
    for still in ("100", "60", "51"):
        bus.report("mt5-1", queue_length=still)
    bus.settle()
    assert one.alerts() == [("alert_firing", "HighQueueLength")]
    bus.report("mt5-1", queue_length="50")
    over = one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    assert over["value"] == "50"


def test_keep_firing_bridges_false_samples(watching, bus):
    one = watching({"rules.HighQueueLength.keep_firing_ms": DAY_MS})
    bus.register("mt5-1", queue_length="101")
    one.wait_alert("mt5-1", "HighQueueLength")
    bus.report("mt5-1", queue_length="1")
    bus.settle()
    assert one.status_of("mt5-1", "HighQueueLength") == "firing"
    one.one.write_config(**{"rules.HighQueueLength.keep_firing_ms": 50})
    one.one.reload()
    # On a timer: no further report comes.
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")


def test_a_field_that_becomes_too_old_ends_pending(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": DAY_MS, "instances.metric_max_age_ms": 100})
    bus.register("mt5-1", cpu_usage="99")
    wait_until(lambda: ("alert", "inactive", "HighCpuUsage", "no sample") in one.told("mt5-1"), "pending to end")
    assert one.status_of("mt5-1", "HighCpuUsage") is None
    assert one.alerts() == []


def test_a_field_that_becomes_too_old_leaves_firing_as_it_is(watching, bus):
    one = watching({"instances.metric_max_age_ms": 100, "rules.HighCpuUsage.for_ms": 20})
    bus.register("mt5-1", queue_length="101", cpu_usage="99")
    one.wait_alert("mt5-1", "HighQueueLength")
    one.wait_alert("mt5-1", "HighCpuUsage")
    bus.wait_age(REPORTS, 150)
    bus.report("mt5-1", load_average="0.1")
    bus.settle()
    assert one.status_of("mt5-1", "HighQueueLength") == one.status_of("mt5-1", "HighCpuUsage") == "firing"
    bus.report("mt5-1", queue_length="1", cpu_usage="2")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.wait_alert("mt5-1", "HighCpuUsage", "alert_resolved")


def test_a_field_that_is_too_old_for_its_rule_never_fires(watching, bus):
    one = watching({"instances.metric_max_age_ms": 50, "rules.HighCpuUsage.for_ms": 500})
    bus.register("mt5-1", cpu_usage="99")
    bus.wait_age(REPORTS, 600)
    bus.register("mt5-2", queue_length="101")
    one.wait_alert("mt5-2", "HighQueueLength")
    assert one.alerts("mt5-1") == []


@pytest.mark.parametrize("state", ["stopped", "restarting", "crashed"])
def test_leaving_running_resolves_threshold_alerts(watching, bus, state):
    one = watching()
    bus.register("mt5-1", queue_length="101")
    one.wait_alert("mt5-1", "HighQueueLength")
    bus.report("mt5-1", state=state)
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    # What was sampled before says nothing about the next life, and nobody is judged who does not run.
    bus.report("mt5-1", queue_length="102")
    bus.wait_age(REPORTS, 1)
    bus.report("mt5-1", state="running")
    bus.settle()
    assert one.alerts("mt5-1", "HighQueueLength") == [("alert_firing", "HighQueueLength"),
                                                      ("alert_resolved", "HighQueueLength")]
    bus.report("mt5-1", queue_length="103")
    bus.settle()
    assert len(one.alerts("mt5-1", "HighQueueLength")) == 3


@pytest.mark.parametrize("metric, rule, report", [
    ("uptime_seconds", {"op": ">=", "threshold": 100}, {"uptime_seconds": "100"}),
    ("restart_count", {"op": "!=", "threshold": 3}, {"restart_count": "4"}),
    ("active_connections", {"op": "<", "threshold": 2}, {"active_connections": "1"}),
    ("disk_usage", {"op": "<=", "threshold": 7.5}, {"disk_usage": "7.5"}),
    ("network_usage", {"op": "==", "threshold": 12}, {"network_usage": "12"}),
    ("memory_usage", {"op": ">", "threshold": 12}, {"memory_usage": "13"}),
])
def test_any_number_of_a_report_can_have_a_rule(watching, bus, metric, rule, report):
    one = watching({"rules.Mine": {"metric": metric, "severity": "critical", "actions": ["notify"], **rule}})
    bus.register("mt5-1", active_connections="5", restart_count="3")
    bus.report("mt5-1", **report)
    one.wait_alert("mt5-1", "Mine")
    assert bus.health("mt5-1")["health_status"] == "critical"


def test_silence_and_open_trades_can_have_a_rule(watching, bus):
    one = watching({
        "rules.Quiet": {"metric": "heartbeat_age_ms", "op": ">", "threshold": 100, "actions": ["notify"]},
        "rules.Busy": {"metric": "open_trades", "op": ">=", "threshold": 2, "actions": ["notify"]}})
    bus.register("mt5-1")
    one.wait_alert("mt5-1", "Quiet")
    bus.report("mt5-1", cpu_usage="1")
    one.wait_alert("mt5-1", "Quiet", "alert_resolved")
    for trade in ("t1", "t2"):
        bus.trade(trade, instance_id="mt5-1", state="executing")
    one.wait_alert("mt5-1", "Busy")
    bus.trade("t2", state="failed")
    one.wait_alert("mt5-1", "Busy", "alert_resolved")


# ---- a backlog is judged as it happened ----

BACKLOGS = {
    "exactly for_ms is not longer": ([(0, 90), (10000, 95), (10000, 50)], 0),
    "a millisecond more is": ([(0, 90), (10001, 95), (10002, 50)], 1),
    "fires between two samples": ([(0, 90), (20000, 50)], 1),
    "one false sample starts anew": ([(0, 90), (9000, 80), (9500, 90), (19000, 90), (19400, 70)], 0),
    "twice": ([(0, 90), (11000, 50), (12000, 90), (24000, 3)], 2),
}


@pytest.mark.parametrize("samples, times", BACKLOGS.values(), ids=[name.replace(" ", "_") for name in BACKLOGS])
def test_a_backlog_is_judged_by_the_time_of_its_entries(watching, bus, samples, times):
    began_ms = bus.now_ms() - 40000
    bus.add(REPORTS, {"instance_id": "mt5-1", "broker_id": "b", "state": "running"}, f"{began_ms}-0")
    for number, (at_ms, cpu) in enumerate(samples, 1):
        bus.add(REPORTS, {"instance_id": "mt5-1", "cpu_usage": cpu}, f"{began_ms + at_ms}-{number}")
    one = watching()
    bus.settle()
    assert one.alerts("mt5-1") == [("alert_firing", "HighCpuUsage"), ("alert_resolved", "HighCpuUsage")] * times


def test_a_backlog_that_ends_in_trouble_fires_as_of_then(watching, bus):
    began_ms = bus.now_ms() - 40000
    bus.add(REPORTS, {"instance_id": "mt5-1", "broker_id": "b", "state": "running", "cpu_usage": 99}, f"{began_ms}-0")
    one = watching()
    one.wait_alert("mt5-1", "HighCpuUsage")
    [shown] = one.get("/api/v1/alerts")["alerts"]
    # Long ago, not now: what the daemon did not see then counts as held.
    assert shown["since"] < shown["fired_at"]
    [pending] = [step for step in one.why("mt5-1") if step["step"] == "sample"]
    assert pending["at_ms"] == began_ms


# ---- the configuration ----

def reload(one, **changes):
    before = len(one.log_lines(msg="configuration reloaded"))
    one.write_config(**changes)
    one.reload()
    wait_until(lambda: len(one.log_lines(msg="configuration reloaded")) > before, "the reload")


def test_rules_come_change_and_go_with_a_reload(watching, bus):
    one = watching()
    bus.register("mt5-1", disk_usage="500")
    mine = {"metric": "disk_usage", "op": ">", "threshold": 400, "severity": "info", "actions": ["notify"]}
    reload(one.one, **{"rules.Full": mine})
    bus.report("mt5-1", disk_usage="500")
    one.wait_alert("mt5-1", "Full")
    assert bus.health("mt5-1")["health_status"] == "healthy"
    reload(one.one, **{"rules.Full": {**mine, "severity": "critical"}})
    wait_until(lambda: bus.health("mt5-1")["health_status"] == "critical", "the new severity to count")
    reload(one.one, **{"rules.Full": {**mine, "threshold": 600}})
    one.wait_alert("mt5-1", "Full", "alert_resolved")
    reload(one.one, **{"rules.Full": mine})
    bus.report("mt5-1", disk_usage="501")
    wait_until(lambda: len(one.alerts("mt5-1", "Full")) == 3, "it to fire again")
    del one.one.config["rules.Full"]
    reload(one.one)
    wait_until(lambda: len(one.alerts("mt5-1", "Full")) == 4, "it to end with its rule")
    assert bus.health("mt5-1")["health_status"] == "healthy"


def test_a_default_rule_can_be_removed_or_disabled(watching, bus):
    one = watching({"rules.HighQueueLength": None, "rules.HighLoadAverage.enabled": False})
    bus.register("mt5-1", queue_length="500", load_average="50", socket_connections="0")
    one.wait_alert("mt5-1", "SocketFailure")
    assert one.alerts() == [("alert_firing", "SocketFailure")]
    reload(one.one, **{"rules.SocketFailure.enabled": False})
    one.wait_alert("mt5-1", "SocketFailure", "alert_resolved")


BAD = [
    ("rules.Mine", {"metric": "cpu_usag", "op": ">", "threshold": 1}, "rules.Mine.metric", "cpu_usag"),
    ("rules.Mine", {"metric": "cpu_usage", "op": "~", "threshold": 1}, "rules.Mine.op", "must be one of"),
    ("rules.Mine", {"metric": "cpu_usage", "op": ">", "threshold": 1, "actions": ["dance"]}, "rules.Mine.actions",
     "must be one of"),
    ("hooks.recover", ["/nowhere/at/all"], "hooks.recover", "/nowhere/at/all"),
    ("hooks.recover", ["/etc/passwd"], "hooks.recover", "/etc/passwd"),
    ("maintenance_windows", [{"name": "w", "instances": "*", "brokers": "*", "weekly": "Fri 25:00-Sun 22:05"}],
     "maintenance_windows", "times of the week"),
]


@pytest.mark.parametrize("key, value, named, word", BAD, ids=[f"{row[0]}-{number}" for number, row in enumerate(BAD)])
def test_a_reload_with_a_bad_rule_hook_or_window_keeps_what_was(watching, bus, daemon, key, value, named, word):
    one = watching({"rules.HighQueueLength.threshold": 10})
    one.one.write_config(**{key: value, "rules.HighQueueLength.threshold": 20})
    one.one.reload()
    [problem] = wait_until(lambda: one.one.log_lines(msg="configuration problem"), "the problem to be told")
    assert re.search(rf'key="?{re.escape(named)}', problem), problem
    assert word in problem
    wait_until(lambda: one.one.log_lines(level="error", msg="configuration not reloaded; the old one stays"), "that")
    bus.register("mt5-1", queue_length="15")
    one.wait_alert("mt5-1", "HighQueueLength")
    # And --check-config says the same.
    checked = daemon(one.one.config, start=False, args=["--check-config"])
    checked.start(ready=False)
    assert checked.wait_exit() == 78
    assert any(f": {named}" in line and word in line for line in checked.log().splitlines()), checked.log()


# ---- surviving ----

@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill9"])
def test_alerts_survive_the_daemon_and_are_not_told_again(watching, bus, kill):
    one = watching({"rules.HighCpuUsage.for_ms": DAY_MS, "ha.lease_ms": 300})
    bus.register("mt5-1", queue_length="500", cpu_usage="99")
    bus.register("mt5-2")
    bus.report("mt5-2", state="crashed")
    one.wait_alert("mt5-1", "HighQueueLength")
    one.wait_alert("mt5-2", "InstanceCrash")
    one.wait_status("mt5-1", "HighCpuUsage", "pending")

    def pending_since():
        return [alert["since"] for alert in one.get("/api/v1/alerts")["alerts"] if alert["status"] == "pending"]

    before = pending_since()
    for _ in range(3):
        one.one.restart(kill=kill)
        assert one.status_of("mt5-1", "HighQueueLength") == one.status_of("mt5-2", "InstanceCrash") == "firing"
        assert pending_since() == before
        assert bus.health("mt5-1")["health_status"] == "warning"
        bus.report("mt5-1", queue_length="501", cpu_usage="98")
        bus.settle()
    assert sorted(one.alerts()) == [("alert_firing", "HighQueueLength"), ("alert_firing", "InstanceCrash")]
    assert len(bus.events(event="instance_degraded", instance_id="mt5-1")) == 1
    bus.report("mt5-1", queue_length="1", cpu_usage="1")
    bus.report("mt5-2", state="running")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.wait_alert("mt5-2", "InstanceCrash", "alert_resolved")
    assert one.status_of("mt5-1", "HighCpuUsage") is None
    assert len(one.alerts()) == 4


def test_what_ended_while_the_daemon_was_away_is_resolved_at_its_start(watching, bus):
    one = watching()
    bus.register("mt5-1", queue_length="500")
    bus.register("mt5-2", state="crashed")
    one.wait_alert("mt5-1", "HighQueueLength")
    one.wait_alert("mt5-2", "InstanceCrash")
    one.one.stop()
    bus.report("mt5-1", queue_length="1")
    bus.report("mt5-2", state="running")
    one.one.write_config(**{"rules.InstanceCrash.keep_firing_ms": 0})
    one.one.start()
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.wait_alert("mt5-2", "InstanceCrash", "alert_resolved")
    assert len(one.alerts()) == 4


def test_a_rule_that_is_gone_after_a_restart_has_ended(watching, bus):
    one = watching()
    bus.register("mt5-1", queue_length="500")
    one.wait_alert("mt5-1", "HighQueueLength")
    one.one.stop()
    one.one.write_config(**{"rules.HighQueueLength": None})
    one.one.start()
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    wait_until(lambda: bus.health("mt5-1")["health_status"] == "healthy", "its health to be its own")
