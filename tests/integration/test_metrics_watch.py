"""What /metrics says about alerts, commands, recoveries, guard, breaker, notifications and hooks (SPEC 9.2)."""

import pytest

from mt5.receiver import answer
from mt5.wait import wait_until

SLOW = {"recovery.timeout_ms": 600000, "recovery.backoff_ms": [0]}
HANGS = ["/bin/sh", "-c", "exec sleep 600"]


def wait_values(daemon, name, wanted):
    """wanted: [(labels, value)]. Waits until one scrape has them all, and returns it."""
    def scrape():
        metrics = daemon.metrics()
        for labels, value in wanted:
            assert metrics.value(name, **labels) == value, (labels, metrics.series(name))
        return metrics
    return wait_until(scrape, f"{name} to be {wanted}")


def wait_value(daemon, value, name, **labels):
    return wait_values(daemon, name, [(labels, value)])


def alerts(metrics, alert, severity="warning"):
    """(pending, firing)"""
    return tuple(metrics.value("mt5stated_alerts", alert=alert, severity=severity, status=status)
                 for status in ("pending", "firing"))


def wait_alerts(daemon, alert, counts, severity="warning"):
    def scrape():
        metrics = daemon.metrics()
        assert alerts(metrics, alert, severity) == counts
        return metrics
    return wait_until(scrape, f"{alert} to be {counts}")


def firing(metrics):
    return {(labels["instance_id"], labels["alert"]) for labels, _ in metrics.series("mt5stated_alert_firing")}


def wait_command(bus, instance_id, command):
    """The id of the newest one of that kind that has no answer yet."""
    def find():
        ids = [entry["command_id"] for entry in bus.entries("instance_commands")
               if entry["instance_id"] == instance_id and entry["command"] == command]
        ended = {event["command_id"] for event in bus.events(event="command_completed")}
        return [one for one in ids if one not in ended]
    return wait_until(find, f"{command} for {instance_id}")[-1]


def respond(bus, instance_id, command_id, status, **fields):
    bus.report(instance_id, command_id=command_id, command_status=status, **fields)


# ---- alerts ----

def test_metrics_of_a_calm_daemon_count_from_0(daemon):
    metrics = daemon({"rules.HighLoadAverage.enabled": False}).metrics()
    for name in ("HighCpuUsage", "HighMemoryUsage", "HighQueueLength"):
        assert alerts(metrics, name) == (0, 0)
    for name in ("InstanceCrash", "NetworkFailure", "SocketFailure", "RecoveryFailure", "FleetFailure"):
        assert alerts(metrics, name, "critical") == (0, 0)
    assert not metrics.series("mt5stated_alerts", alert="HighLoadAverage")
    assert not metrics.series("mt5stated_alert_firing") and not metrics.series("mt5stated_rule_unevaluable")
    for name, count in (("commands", 54), ("recoveries", 5), ("notifications", 12), ("guard_trips", 3),
                        ("decisions_held", 10), ("command_answers_ignored", 2), ("hook_runs", 7)):
        series = metrics.series(f"mt5stated_{name}_total")
        assert len(series) == count and not any(value for _, value in series), series
    assert metrics.series("mt5stated_breaker_open") == [({"group": "all"}, 0)]
    for name in ("guard_active", "recoveries_under_way", "notices", "why_steps"):
        assert metrics.value(f"mt5stated_{name}") == 0


def test_metrics_alerts_pending_and_firing(bus, daemon):
    one = daemon(SLOW)
    bus.register("mt5-1", cpu_usage=95, queue_length=500)
    bus.register("mt5-2", queue_length=500)
    metrics = wait_alerts(one, "HighQueueLength", (0, 2))
    assert alerts(metrics, "HighCpuUsage") == (1, 0)
    assert firing(metrics) == {("mt5-1", "HighQueueLength"), ("mt5-2", "HighQueueLength")}
    bus.report("mt5-1", queue_length=1, cpu_usage=5)
    metrics = wait_alerts(one, "HighQueueLength", (0, 1))
    assert firing(metrics) == {("mt5-2", "HighQueueLength")}
    assert alerts(metrics, "HighCpuUsage") == (0, 0)
    one.restart()
    metrics = one.metrics()
    assert alerts(metrics, "HighQueueLength") == (0, 1) and firing(metrics) == {("mt5-2", "HighQueueLength")}
    bus.report("mt5-2", queue_length=1)
    assert not firing(wait_alerts(one, "HighQueueLength", (0, 0)))


def test_metrics_alerts_of_a_page_agree(bus, daemon):
    """However the alerts come and go: what is counted as firing is what has a series."""
    one = daemon(SLOW)
    ids = [f"mt5-{i}" for i in range(8)]
    bus.many("instance_reports", [{"instance_id": name, "broker_id": "b1", "state": "running"} for name in ids])
    seen = set()
    for turn in range(40):
        bus.many("instance_reports", [{"instance_id": name, "queue_length": 500 if (i + turn) % 3 else 1}
                                      for i, name in enumerate(ids)])
        metrics = one.metrics()
        count = alerts(metrics, "HighQueueLength")[1]
        assert count == len(firing(metrics))
        seen.add(count)
    assert len(seen) > 1


def test_metrics_name_rules_that_lack_a_limit(bus, daemon):
    one = daemon()
    bus.register("mt5-1", memory_usage=100)
    bus.register("mt5-2", memory_usage=100, memory_limit=1000)
    labels = {"instance_id": "mt5-1", "alert": "HighMemoryUsage"}
    metrics = wait_value(one, 1, "mt5stated_rule_unevaluable", **labels)
    assert len(metrics.series("mt5stated_rule_unevaluable")) == 1
    bus.report("mt5-1", memory_limit=1000)
    assert not wait_value(one, None, "mt5stated_rule_unevaluable", **labels).series("mt5stated_rule_unevaluable")


def test_metrics_name_rules_that_lack_a_limit_until_one_is_configured(bus, daemon):
    one = daemon()
    bus.register("mt5-1", memory_usage=100)
    wait_value(one, 1, "mt5stated_rule_unevaluable", instance_id="mt5-1", alert="HighMemoryUsage")
    one.write_config(instances__memory_limit_mb=1000)
    one.reload()
    wait_value(one, None, "mt5stated_rule_unevaluable", instance_id="mt5-1", alert="HighMemoryUsage")


# ---- commands and recoveries ----

def test_metrics_commands_by_status(bus, daemon):
    one = daemon(SLOW)
    bus.register("mt5-1", queue_length=500)
    throttle = wait_command(bus, "mt5-1", "throttle")
    for status in ("accepted", "ok", "ok"):
        respond(bus, "mt5-1", throttle, status)
    respond(bus, "mt5-1", "mt5-1.stop.99", "ok")
    wait_values(one, "mt5stated_commands_total", [
        ({"command": "throttle", "status": "issued"}, 1), ({"command": "throttle", "status": "accepted"}, 1),
        ({"command": "throttle", "status": "ok"}, 1), ({"command": "throttle", "status": "failed"}, 0)])
    wait_values(one, "mt5stated_command_answers_ignored_total",
                [({"reason": "late"}, 1), ({"reason": "unknown"}, 1)])
    bus.report("mt5-1", queue_length=1)
    respond(bus, "mt5-1", wait_command(bus, "mt5-1", "unthrottle"), "failed", command_error="no")
    wait_values(one, "mt5stated_commands_total", [
        ({"command": "unthrottle", "status": "issued"}, 1), ({"command": "unthrottle", "status": "failed"}, 1)])


def test_metrics_recoveries_by_outcome(bus, daemon):
    """One attempt fails, one is not answered, one more would be needed."""
    one = daemon({"recovery.max_attempts": 2, "recovery.timeout_ms": 600, "recovery.backoff_ms": [0]})
    bus.register("mt5-1", state="crashed")
    respond(bus, "mt5-1", wait_command(bus, "mt5-1", "recover"), "failed")
    metrics = wait_values(one, "mt5stated_recoveries_total", [
        ({"outcome": "failed"}, 1), ({"outcome": "timeout"}, 1), ({"outcome": "given_up"}, 1),
        ({"outcome": "succeeded"}, 0), ({"outcome": "unneeded"}, 0)])
    assert metrics.value("mt5stated_commands_total", command="recover", status="expired") == 1
    assert metrics.value("mt5stated_commands_total", command="recover", status="failed") == 1
    assert metrics.value("mt5stated_commands_total", command="stop", status="issued") == 1
    assert metrics.value("mt5_instance_recovery_attempts", instance_id="mt5-1") == 3


def test_metrics_recovery_under_way_succeeds(bus, daemon):
    one = daemon(SLOW)
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    wait_value(one, 1, "mt5stated_recoveries_under_way")
    bus.report("mt5-1", state="running")
    metrics = wait_value(one, 1, "mt5stated_recoveries_total", outcome="succeeded")
    assert metrics.value("mt5stated_recoveries_under_way") == 0
    assert metrics.value("mt5stated_why_steps") >= 4
    assert alerts(metrics, "InstanceCrash", "critical") == (0, 0)


def test_metrics_decisions_held_by_reason(bus, daemon):
    one = daemon()
    bus.register("mt5-1", state="crashed", launch_mode="manual")
    wait_value(one, 1, "mt5stated_decisions_held_total", reason="launch_mode")
    one.write_config(observe_only=True)
    one.reload()
    metrics = wait_value(one, 1, "mt5stated_decisions_held_total", reason="observe_only")
    assert metrics.total("mt5stated_decisions_held_total") == 2
    assert metrics.total("mt5stated_commands_total") == 0


# ---- guard and breaker ----

def test_metrics_guard_is_active_after_a_stall(bus, daemon):
    one = daemon({"guard.stall_ms": 1000, "guard.hold_ms": 4000})
    bus.register("mt5-1")
    wait_value(one, 0, "mt5stated_guard_active")
    before = one.metrics().value("mt5stated_guard_trips_total", cause="stall")
    one.pause()
    paused_ms = bus.now_ms()
    wait_until(lambda: bus.now_ms() > paused_ms + 1500, "longer than guard.stall_ms")
    one.resume()
    metrics = wait_value(one, 1, "mt5stated_guard_active")
    assert metrics.value("mt5stated_guard_trips_total", cause="stall") > before
    wait_value(one, 0, "mt5stated_guard_active")
    assert one.log_lines(msg="guard: judging again")


def test_metrics_breaker_open_by_group(bus, daemon):
    one = daemon(SLOW)
    names = [f"mt5-{i}" for i in range(6)]

    def all_say(state):
        bus.many("instance_reports",
                 [{"instance_id": name, "broker_id": "b1", "host_id": f"h{i}", "state": state}
                  for i, name in enumerate(names)])
    all_say("running")
    bus.settle()
    all_say("crashed")
    metrics = wait_values(one, "mt5stated_breaker_open", [({"group": "all"}, 1), ({"group": "broker:b1"}, 1)])
    assert len(metrics.series("mt5stated_breaker_open")) == 2
    assert metrics.value("mt5stated_breaker_trips_total") == 2
    wait_value(one, 6, "mt5stated_decisions_held_total", reason="breaker")
    metrics = wait_alerts(one, "FleetFailure", (0, 1), "critical")
    assert metrics.value("mt5stated_notices") == 1
    assert alerts(metrics, "InstanceCrash", "critical") == (0, 6)
    all_say("running")
    metrics = wait_values(one, "mt5stated_breaker_open", [({"group": "all"}, 0), ({"group": "broker:b1"}, None)])
    assert alerts(metrics, "FleetFailure", "critical") == (0, 0)
    assert metrics.value("mt5stated_commands_total", command="recover", status="issued") == 0


# ---- notifications and hooks ----

def notifications(*rows):
    return [({"channel": channel, "status": status}, value) for channel, status, value in rows]


def fire(bus, instance_id="mt5-1"):
    bus.register(instance_id, queue_length=500)


def test_metrics_notifications_that_arrive(bus, daemon, receiver):
    there = receiver()
    one = daemon({"notify.webhooks": [{"url": there.url()}], "hooks.notify": ["/bin/true"]})
    fire(bus)
    name = "mt5stated_notifications_total"
    wait_values(one, name, notifications(
        ("log", "sent", 1), ("event", "sent", 1), ("hook", "sent", 1), ("webhook", "sent", 1)))
    bus.report("mt5-1", queue_length=1)
    metrics = wait_values(one, name, notifications(
        ("log", "sent", 2), ("event", "sent", 2), ("hook", "sent", 2), ("webhook", "sent", 2)))
    assert metrics.total(name) == 8
    wait_value(one, 0, "mt5stated_notices")
    assert metrics.value("mt5stated_hook_runs_total", outcome="done") == 2


@pytest.mark.parametrize("status, counted", [(500, "failed"), (400, "dropped")])
def test_metrics_notifications_that_a_webhook_does_not_take(bus, daemon, receiver, status, counted):
    one = daemon({"notify.webhooks": [{"url": receiver(answer(status)).url()}]})
    fire(bus)

    def refused():
        metrics = one.metrics()
        assert metrics.value("mt5stated_notifications_total", channel="webhook", status=counted) >= 1
        return metrics
    metrics = wait_until(refused, f"the webhook's notification to be {counted}")
    assert metrics.value("mt5stated_notifications_total", channel="webhook", status="sent") == 0


def test_metrics_notifications_of_a_hook_that_gives_up(bus, daemon):
    one = daemon({"hooks.notify": ["/bin/sh", "-c", "exit 2"]})
    fire(bus)
    metrics = wait_value(one, 1, "mt5stated_notifications_total", channel="hook", status="failed")
    assert metrics.value("mt5stated_hook_runs_total", outcome="failed") == 1


def test_metrics_hooks_that_hang_wait_and_are_dropped(bus, daemon):
    """One runs, one waits; a third takes the place of the one that waits."""
    one = daemon({"hooks.notify": HANGS, "hooks_max_running": 1, "hooks_max_queued": 1})
    for i in range(3):
        fire(bus, f"mt5-{i}")
    metrics = wait_value(one, 1, "mt5stated_notifications_total", channel="hook", status="dropped")
    assert metrics.value("mt5stated_notifications_total", channel="hook", status="failed") == 0
    assert metrics.value("mt5stated_hook_runs_total", outcome="dropped") == 1
    for state, count in (("running", 1), ("queued", 1), ("retrying", 0), ("lingering", 0)):
        assert metrics.value("mt5stated_hooks", state=state) == count


def test_metrics_hooks_that_are_tried_again(bus, daemon):
    one = daemon({"hooks.notify": ["/bin/false"]})
    fire(bus)
    wait_value(one, 1, "mt5stated_hooks", state="retrying")
    metrics = wait_until(lambda: (page := one.metrics()).value("mt5stated_hook_runs_total", outcome="retried") and page,
                         "a try that was not the last")
    assert metrics.value("mt5stated_notifications_total", channel="hook", status="failed") == 0
