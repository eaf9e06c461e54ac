"""Notifications at a real Alertmanager: what fires is there, what is over is resolved (SPEC 7.4)."""

import datetime

import pytest

from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

# Announced only, and no waiting for a lease.
ANNOUNCE = {**QUICK, "recovery.launch_modes": ["manual"], "ha.lease_ms": 300}
QUEUE = 'alertname="HighQueueLength"'


@pytest.fixture
def watching(daemon, bus, folder, alertmanager, receiver):
    """A daemon whose webhook is an Alertmanager, which tells a receiver what it is told."""
    def make(config=None, **options):
        pager = receiver()
        server = alertmanager(webhook=pager.url("/pager"))
        one = daemon({**with_token(ANNOUNCE, folder), "notify.webhooks": [{"url": server.url}], **(config or {})},
                     **options)
        return Watching(bus, one), server, pager
    return make


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def told(pager, alertname):
    """(status, instance or group) of what Alertmanager has told its receiver about an alert."""
    return [(alert["status"], alert["labels"].get("instance_id") or alert["labels"].get("group"))
            for message in pager.taken() for alert in message["alerts"] if alert["labels"]["alertname"] == alertname]


def wait_told(pager, alertname, *expected):
    wait_until(lambda: told(pager, alertname) == list(expected), f"{alertname} to be told as {expected}")


def wait_forgotten(bus):
    wait_until(lambda: not bus.client.hlen("mt5stated:notices"), "nothing to be owed any more")


def reload(one, **changes):
    before = len(one.one.log_lines(msg="configuration reloaded"))
    one.one.write_config(**changes)
    one.one.reload()
    wait_until(lambda: len(one.one.log_lines(msg="configuration reloaded")) > before, "the reload")


def crash(bus, *names):
    bus.many("instance_reports", [{"instance_id": name, "state": "crashed"} for name in names])


def test_an_alert_is_shown_and_resolved(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1", broker_id="broker-7", host_id="host-3")
    entry = bus.report("mt5-1", queue_length="250")
    [seen] = server.wait_for(QUEUE)
    assert seen["labels"] == {"alertname": "HighQueueLength", "instance_id": "mt5-1", "broker_id": "broker-7",
                              "host_id": "host-3", "severity": "warning"}
    assert seen["annotations"]["value"] == "250"
    assert seen["annotations"]["threshold"] == "100"
    assert seen["annotations"]["doing"] == "nothing: launch_mode"
    assert abs(seconds(seen["startsAt"]) - int(entry.partition("-")[0]) / 1000) < 1
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"))
    bus.report("mt5-1", queue_length="1")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    server.wait_until_gone(QUEUE)
    wait_forgotten(bus)
    sent = one.one.metrics().value("mt5stated_notifications_total", channel="webhook", status="sent")
    assert sent == 2


def test_what_is_done_about_a_crash_is_said(watching, bus):
    _, server, pager = watching({"recovery.launch_modes": ["auto"]})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    [seen] = server.wait_for('alertname="InstanceCrash"')
    assert seen["labels"] == {"alertname": "InstanceCrash", "instance_id": "mt5-1", "broker_id": "broker-1",
                              "severity": "critical"}
    assert (seen["annotations"]["value"], seen["annotations"]["threshold"]) == ("crashed", "crashed")
    assert seen["annotations"]["doing"] == "recovery attempt 1 of 3 is under way"
    bus.report("mt5-1", state="running")
    wait_told(pager, "InstanceCrash", ("firing", "mt5-1"), ("resolved", "mt5-1"))


@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill9"])
def test_its_beginning_is_kept_over_restarts_and_its_end_is_delivered(watching, bus, kill):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    [before] = server.wait_for(QUEUE)
    # Told again in full after a start; what Alertmanager has is replaced by the same.
    one.one.restart(kill=kill)
    wait_until(lambda: server.alerts(QUEUE)[0]["updatedAt"] > before["updatedAt"], "it to be sent again")
    [after] = server.alerts(QUEUE)
    assert (after["startsAt"], after["labels"]) == (before["startsAt"], before["labels"])
    one.one.kill9() if kill else one.one.stop()
    bus.report("mt5-1", queue_length="1")
    one.one.start()
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    wait_forgotten(bus)


def test_an_end_that_could_not_be_delivered_is_by_the_next_daemon(watching, bus, receiver):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    server.wait_for(QUEUE)
    nobody = receiver()
    nobody.stop()
    reload(one, **{"notify.webhooks": [{"url": nobody.url()}]})
    bus.report("mt5-1", queue_length="1")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.one.kill9()
    one.one.write_config(**{"notify.webhooks": [{"url": server.url}]})
    one.one.start()
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    wait_forgotten(bus)


def test_a_failure_of_the_fleet_takes_the_place_of_its_members(watching, bus):
    _, server, pager = watching()
    names = [f"mt5-{number}" for number in range(1, 7)]
    for name in names:
        bus.register(name, queue_length="1")
    crash(bus, *names[:5])
    [seen] = server.wait_for('alertname="FleetFailure"')
    assert seen["labels"] == {"alertname": "FleetFailure", "group": "all", "count": "5", "severity": "critical"}
    assert seen["annotations"]["value"] == "5" and seen["annotations"]["threshold"] == "6"
    assert seen["annotations"]["doing"]
    bus.many("instance_reports", [{"instance_id": name, "state": "running"} for name in names[:5]])
    wait_told(pager, "FleetFailure", ("firing", "all"), ("resolved", "all"))
    bus.report("mt5-6", queue_length="250")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-6"))
    assert told(pager, "InstanceCrash") == []
    bus.report("mt5-6", queue_length="1")
    wait_forgotten(bus)


def test_who_still_fires_when_the_failure_of_the_fleet_is_over_is_told_then(watching, bus):
    _, server, pager = watching()
    names = [f"mt5-{number}" for number in range(1, 5)]
    for name in names:
        bus.register(name)
    crash(bus, *names)
    server.wait_for('alertname="FleetFailure"')
    bus.many("instance_reports", [{"instance_id": name, "state": "running"} for name in names[:2]])
    wait_told(pager, "FleetFailure", ("firing", "all"), ("resolved", "all"))
    # Alertmanager tells of the first again where the second joins it later.
    wait_until(lambda: set(told(pager, "InstanceCrash")) == {("firing", "mt5-3"), ("firing", "mt5-4")}, "the rest")


def test_maintenance_is_silent_and_its_end_is_not(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1")
    bus.register("mt5-2")
    one.set_maintenance("mt5-1", reason="upgrade")
    bus.report("mt5-1", queue_length="250")
    one.wait_alert("mt5-1", "HighQueueLength")
    bus.report("mt5-2", queue_length="250")
    [seen] = server.wait_for(QUEUE)
    assert seen["labels"]["instance_id"] == "mt5-2"
    one.set_maintenance("mt5-1")
    [seen] = server.wait_for('instance_id="mt5-1"')
    fired = bus.events(event="alert_firing", instance_id="mt5-1")[0]
    assert abs(seconds(seen["startsAt"]) - seconds(fired["at"])) < 1
    assert ("resolved", "mt5-1") not in told(pager, "HighQueueLength")


def test_what_is_over_before_the_end_of_maintenance_is_told_to_nobody(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1")
    one.set_maintenance("mt5-1", reason="upgrade")
    bus.report("mt5-1", queue_length="250")
    one.wait_alert("mt5-1", "HighQueueLength")
    bus.report("mt5-1", queue_length="1")
    one.wait_alert("mt5-1", "HighQueueLength", "alert_resolved")
    one.set_maintenance("mt5-1")
    bus.register("mt5-2", queue_length="250")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-2"))


def test_what_was_told_before_maintenance_is_resolved_in_it(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    server.wait_for(QUEUE)
    one.set_maintenance("mt5-1", reason="upgrade")
    bus.report("mt5-1", queue_length="1")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))


def test_a_rule_without_notify_is_told_to_nobody(watching, bus):
    one, server, pager = watching({"rules.HighQueueLength.actions": ["throttle"]})
    bus.register("mt5-1", queue_length="250")
    one.wait_alert("mt5-1", "HighQueueLength")
    bus.register("mt5-2", load_average="9")
    server.wait_for('instance_id="mt5-2"')
    assert server.alerts(QUEUE) == []
    assert told(pager, "HighQueueLength") == []


def test_an_instance_that_is_removed_while_it_fires_is_resolved(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    server.wait_for(QUEUE)
    assert one.ask("DELETE", "/api/v1/instances/mt5-1").status in (200, 204)
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    wait_forgotten(bus)


@pytest.mark.parametrize("change", [{"rules.HighQueueLength": None}, {"rules.HighQueueLength.enabled": False},
                                    {"rules.HighQueueLength.threshold": 1000}], ids=["gone", "off", "raised"])
def test_a_rule_that_is_changed_while_it_fires_is_resolved(watching, bus, change):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    server.wait_for(QUEUE)
    reload(one, **change)
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    wait_forgotten(bus)


def test_a_rule_that_loses_notify_while_it_fires_is_resolved_all_the_same(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1", queue_length="250")
    server.wait_for(QUEUE)
    reload(one, **{"rules.HighQueueLength.actions": []})
    bus.report("mt5-1", queue_length="1")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    wait_forgotten(bus)


def test_what_is_silenced_is_resolved_without_a_word(watching, bus):
    one, server, pager = watching()
    server.silence('instance_id="mt5-1"')
    bus.register("mt5-1", queue_length="250")
    bus.register("mt5-2", queue_length="250")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-2"))
    for name in ("mt5-1", "mt5-2"):
        bus.report(name, queue_length="1")
    wait_told(pager, "HighQueueLength", ("firing", "mt5-2"), ("resolved", "mt5-2"))
    wait_forgotten(bus)


@pytest.mark.expected(skip=frozenset({"check_signal_account"}))
def test_observe_only_notifies(watching, bus):
    one, server, pager = watching({"observe_only": True})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    [seen] = server.wait_for('alertname="InstanceCrash"')
    assert seen["annotations"]["doing"] == "nothing: observe_only"
    bus.report("mt5-1", state="running")
    wait_told(pager, "InstanceCrash", ("firing", "mt5-1"), ("resolved", "mt5-1"))
    assert one.commands() == []


def test_flapping_ends_as_it_is(watching, bus):
    one, server, pager = watching()
    bus.register("mt5-1")
    for _ in range(20):
        bus.report("mt5-1", queue_length="250")
        bus.report("mt5-1", queue_length="1")
    bus.report("mt5-1", queue_length="300")
    bus.settle()
    wait_until(lambda: [alert["annotations"]["value"] for alert in server.alerts(QUEUE)] == ["300"], "the last one")
    # Of what ends before it was told of, Alertmanager tells nothing.
    wait_until(lambda: told(pager, "HighQueueLength")[-1:] == [("firing", "mt5-1")], "it to be told")
    bus.report("mt5-1", queue_length="1")
    server.wait_until_gone(QUEUE)
    wait_until(lambda: told(pager, "HighQueueLength")[-1:] == [("resolved", "mt5-1")], "its end to be told")
    wait_forgotten(bus)
