"""Failures of many at once: nobody is commanded while the cause is not theirs (SPEC 6.6)."""

import pytest

from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

GROUP = [f"mt5-{number}" for number in range(1, 7)]
OTHERS = [f"other-{number}" for number in range(1, 11)]


@pytest.fixture
def fleet(daemon, bus, folder):
    """Six instances of one broker and ten of others, so that the six are no half of the fleet; each on a host of its
    own."""
    def make(config=None):
        one = Watching(bus, daemon(with_token({**QUICK, **(config or {})}, folder)))
        bus.many("instance_reports", [
            {"instance_id": name, "broker_id": "bad", "host_id": f"host-{name}", "state": "running"} for name in GROUP])
        bus.many("instance_reports", [
            {"instance_id": name, "broker_id": f"broker-{number}", "host_id": f"host-{name}", "state": "running"}
            for number, name in enumerate(OTHERS)])
        bus.settle()
        return one
    return make


def report_all(bus, names, **fields):
    """All at one moment."""
    with bus.client.pipeline(transaction=True) as pipe:
        for name in names:
            pipe.xadd("instance_reports", {"instance_id": name, **fields})
        pipe.execute()
    bus.settle()


def failures(bus, event="alert_firing"):
    return bus.events(event=event, alert="FleetFailure")


def breaker(one, group="broker:bad"):
    return one.one.metrics().value("mt5stated_breaker_open", group=group)


def commanded(one, names):
    return sorted(entry["instance_id"] for entry in one.commands() if entry["instance_id"] in names)


def break_down(one, count=4):
    report_all(one.bus, GROUP[:count], state="crashed")
    return wait_until(lambda: failures(one.bus), "FleetFailure")


def test_more_than_half_of_a_broker_is_not_commanded(fleet, bus):
    one = fleet()
    [failure] = break_down(one)
    assert "broker:bad" in failure["reason"] and "4 of 6" in failure["reason"]
    assert "instance_id" not in failure and "seq" not in failure
    assert breaker(one) == 1
    for name in GROUP[:4]:
        one.wait_alert(name, "InstanceCrash")
        one.wait_hold(name, "recover", "breaker")
    # One that crashes later waits as well; the others are recovered.
    report_all(bus, [GROUP[4]], state="crashed")
    one.wait_hold(GROUP[4], "recover", "breaker")
    report_all(bus, [OTHERS[0]], state="crashed")
    one.wait_command(OTHERS[0], "recover")
    one.pass_a_round()
    assert commanded(one, GROUP) == []
    # Not even what has nothing to do with it.
    report_all(bus, [GROUP[5]], queue_length="500")
    one.wait_hold(GROUP[5], "throttle", "breaker")
    assert len(failures(bus)) == 1
    shown = [alert for alert in one.get("/api/v1/alerts")["alerts"] if alert["alert"] == "FleetFailure"]
    assert [alert["group"] for alert in shown] == ["broker:bad"]


def test_exactly_half_is_not_a_failure_of_all(fleet, bus):
    one = fleet()
    report_all(bus, GROUP[:3], state="crashed")
    for name in GROUP[:3]:
        one.wait_command(name, "recover")
    assert failures(bus) == []


def test_a_group_of_three_has_no_breaker(fleet, bus):
    one = fleet()
    report_all(bus, GROUP[3:], state="stopped")
    report_all(bus, GROUP[:3], state="crashed")
    for name in GROUP[:3]:
        one.wait_command(name, "recover")
    assert failures(bus) == []


def test_the_share_is_configured(fleet, bus):
    one = fleet({"recovery.fleet_breaker_percent": 80})
    report_all(bus, GROUP[:4], state="crashed")
    one.wait_command(GROUP[0], "recover")
    assert failures(bus) == []


def test_silence_of_a_host(daemon, bus):
    """They have gone silent together, and all of them are missed before anybody is commanded."""
    one = Watching(bus, daemon({**QUICK, "instances.heartbeat_timeout_ms": 300}))
    now_ms = bus.now_ms()
    for number, name in enumerate(GROUP, 1):
        bus.client.xadd("instance_reports", {"instance_id": name, "broker_id": f"b-{name}", "host_id": "bad",
                                             "state": "running"}, id=f"{now_ms}-{number}")
    # These report on.
    for name in OTHERS:
        bus.report(name, broker_id=f"b-{name}", host_id=f"h-{name}", state="running")

    def crashed_with_the_others_alive():
        bus.many("instance_reports", [{"instance_id": name, "cpu_usage": "5"} for name in OTHERS])
        return bus.members("crashed") == set(GROUP)

    wait_until(crashed_with_the_others_alive, "all of the host to be missed")
    wait_until(lambda: failures(bus), "FleetFailure")
    assert "host:bad" in failures(bus)[0]["reason"]
    assert commanded(one, GROUP) == []


def test_it_ends_when_half_run_again_and_the_rest_is_recovered(fleet, bus):
    one = fleet()
    break_down(one)
    report_all(bus, GROUP[:1], state="running")
    one.pass_a_round()
    assert breaker(one) == 1 and commanded(one, GROUP) == []
    report_all(bus, GROUP[1:2], state="running")
    wait_until(lambda: failures(bus, "alert_resolved"), "the end of FleetFailure")
    for name in GROUP[2:4]:
        one.wait_command(name, "recover")
    assert commanded(one, GROUP) == sorted(GROUP[2:4])
    assert not breaker(one)
    [begin], [end] = failures(bus), failures(bus, "alert_resolved")
    assert begin["correlation_id"] == end["correlation_id"]


def test_an_operators_recover_ends_it(fleet, bus):
    one = fleet()
    break_down(one)
    one.wait_hold(GROUP[0], "recover", "breaker")
    given = one.order(GROUP[0], "recover")
    wait_until(lambda: failures(bus, "alert_resolved"), "the end of FleetFailure")
    for name in GROUP[1:4]:
        one.wait_command(name, "recover")
    assert [entry["command_id"] for entry in one.commands(GROUP[0])] == [given]
    # What has led to the first does not make a second one.
    one.one.restart()
    report_all(bus, [GROUP[5]], state="crashed")
    one.wait_command(GROUP[5], "recover")
    assert len(failures(bus)) == 1


@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill9"])
def test_it_survives_the_daemon(fleet, bus, kill):
    one = fleet({"ha.lease_ms": 300})
    break_down(one)
    for _ in range(2):
        one.one.restart(kill=kill)
        assert breaker(one) == 1
        one.pass_a_round()
        assert commanded(one, GROUP) == []
    assert len(failures(bus)) == 1 and failures(bus, "alert_resolved") == []
    report_all(bus, GROUP[:2], state="running")
    wait_until(lambda: failures(bus, "alert_resolved"), "the end of FleetFailure")
    for name in GROUP[2:4]:
        one.wait_command(name, "recover")


def test_crashes_that_a_killed_daemon_had_only_begun_to_see_count(fleet, bus):
    """Three crash, are commanded, and the daemon dies; the fourth crash comes while it is away."""
    one = fleet({"recovery.timeout_ms": 60000, "ha.lease_ms": 300})
    report_all(bus, GROUP[:3], state="crashed")
    for name in GROUP[:3]:
        one.wait_command(name, "recover")
    one.one.kill9()
    for name in GROUP[3:]:
        bus.report(name, state="crashed")
    one.one.start()
    wait_until(lambda: failures(bus), "FleetFailure")
    assert commanded(one, GROUP[3:]) == []


def test_all_of_the_fleet(fleet, bus):
    one = fleet()
    report_all(bus, GROUP + OTHERS[:4], state="crashed")
    wait_until(lambda: failures(bus), "FleetFailure")
    assert breaker(one, "all") == 1
    # The widest says it for all.
    assert len(failures(bus)) == 1 and "all" in failures(bus)[0]["reason"]
    report_all(bus, [OTHERS[9]], state="crashed")
    one.wait_hold(OTHERS[9], "recover", "breaker")
    assert one.commands() == []
    report_all(bus, GROUP + OTHERS[:4], state="running")
    wait_until(lambda: failures(bus, "alert_resolved"), "the end of FleetFailure")
    one.wait_command(OTHERS[9], "recover")


def test_what_only_fires_in_a_broken_group_is_told_by_the_group(fleet, bus, receiver):
    """Notifications: one FleetFailure in place of theirs; theirs when it is over and they still fire."""
    hook = receiver()
    one = fleet({"notify.webhooks": [{"url": hook.url()}]})
    break_down(one)
    names = lambda: [(alert["labels"]["alertname"], alert["labels"].get("instance_id")) for alert in hook.alerts()]
    wait_until(lambda: ("FleetFailure", None) in names(), "FleetFailure to be told")
    one.pass_a_round()
    wait_until(lambda: any(name == "InstanceCrash" for name, _ in names()), "the canary's to be told")
    assert not any(instance_id in GROUP for _, instance_id in names())
    fleet_failure = [alert for alert in hook.alerts() if alert["labels"]["alertname"] == "FleetFailure"][0]
    assert fleet_failure["labels"]["group"] == "broker:bad" and fleet_failure["labels"]["count"] == "4"
    report_all(bus, GROUP[:2], state="running")
    wait_until(lambda: {("InstanceCrash", name) for name in GROUP[2:4]} <= set(names()), "theirs to be told")
    assert ("InstanceCrash", GROUP[0]) not in names()
