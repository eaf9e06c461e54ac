"""A large batch goes to Redis as a look and a transaction (docs/decisions/0018-large-batches.md): what comes between the two, what
ends either, and what stands in their way."""

import signal
import threading

import pytest

from mt5.wait import wait_until
from mt5.wire import Wire

INSTANCES = 150
IDS = [f"mt5-{i}" for i in range(INSTANCES)]
QUIET = {"streams.reports_max_len": 10, "instances.adopt_external_writes": False, "instances.heartbeat_timeout_ms": 600000, "instances.max": 1000}


@pytest.fixture
def wire(folder, redis_server):
    """Counts transactions."""
    made = Wire(folder, redis_server.socket, call=rb"\r\nEXEC\r\n")
    yield made
    made.stop()


def report_all(bus, state="running", **fields):
    """Each instance at once, so that one read brings them all."""
    with bus.client.pipeline(transaction=True) as pipe:
        for instance_id in IDS:
            pipe.xadd("instance_reports", {"instance_id": instance_id, "broker_id": "b", "state": state, **fields})
        pipe.execute()


def applied(bus):
    return int(bus.client.hget("mt5stated:meta", "applied_seq"))


def assert_all(bus, state, events):
    assert bus.members(state) == set(IDS)
    assert {bus.state(instance_id) for instance_id in IDS} == {state}
    for instance_id in IDS:
        assert [event["event"] for event in bus.events(instance_id=instance_id)] == events
    assert bus.client.xlen("instance_reports") < INSTANCES
    assert bus.client.xinfo_groups("instance_reports")[0]["last-delivered-id"] == bus.last_id("instance_reports")


STARTED = ["instance_registered", "instance_started"]
STOPPED = [*STARTED, "instance_stopped"]


@pytest.fixture
def one(daemon, wire, bus):
    """A daemon that knows all the instances, as running."""
    made = daemon({**QUIET, "redis.url": wire.url})
    report_all(bus)
    bus.settle()
    return made


def test_many_reports_are_stored_by_transactions(one, wire, bus):
    assert wire.calls >= 1
    assert_all(bus, "running", STARTED)
    wire.plan()
    report_all(bus, "stopped", cpu_usage="12.5")
    bus.settle()
    assert wire.calls >= 1
    assert_all(bus, "stopped", STOPPED)
    assert {bus.metrics(instance_id)["cpu_usage"] for instance_id in IDS} == {"12.5"}
    assert one.metrics().value("mt5stated_failed_operations_total") == 0


@pytest.mark.parametrize("is_executed", [False, True], ids=["not executed", "executed, not answered"])
@pytest.mark.parametrize("dies", [False, True], ids=["link lost", "killed"])
def test_one_that_ends_at_its_transaction_stores_all_of_it_once(one, wire, bus, dies, is_executed):
    done, before = threading.Event(), applied(bus)

    def act():
        if is_executed:
            wait_until(lambda: applied(bus) > before, "the transaction to be executed")
        if dies:
            one.send(signal.SIGKILL)
        done.set()
    wire.plan(1, is_executed, act)
    report_all(bus, "stopped")
    wait_until(done.is_set, "the transaction")
    if dies:
        one.kill9()
        one.start(ready=False)
    one.wait_ready()
    bus.settle()
    assert_all(bus, "stopped", STOPPED)


def test_nothing_of_it_is_stored_where_another_has_taken_the_lease(one, wire, bus):
    wire.plan(1, act=lambda: bus.client.set("mt5stated:leader", "another", px=1500), goes_on=True)
    report_all(bus, "stopped")
    wait_until(lambda: one.ready_word() == "standby", "it to stand by")
    assert bus.members("stopped") == set()
    assert not bus.events(event="instance_stopped")
    one.wait_ready()    # the other one is gone
    bus.settle()
    assert_all(bus, "stopped", STOPPED)


def test_a_foreign_value_that_comes_behind_the_look_concerns_its_instance_alone(one, wire, bus):
    bad, others = IDS[7], set(IDS) - {IDS[7]}

    def plant():
        with bus.client.pipeline(transaction=True) as pipe:
            pipe.delete(f"instance_metrics:{bad}")
            pipe.set(f"instance_metrics:{bad}", "foreign")
            pipe.execute()
    wire.plan(1, act=plant, goes_on=True)
    report_all(bus, "stopped", cpu_usage="12.5")
    bus.settle()
    assert bus.members("stopped") >= others
    assert {bus.metrics(instance_id)["cpu_usage"] for instance_id in others} == {"12.5"}
    assert bus.client.get(f"instance_metrics:{bad}") == "foreign"
    assert one.metrics().value("mt5stated_failed_operations_total") == 1
    bus.report(bad, cpu_usage="13.5")
    wait_until(lambda: bus.rejected("instance_reports"), "its next report to be rejected")
    bus.client.delete(f"instance_metrics:{bad}")
    wait_until(lambda: any("can be stored again" in line for line in one.log_lines(level="info")), "it to be back")
    bus.report(bad, cpu_usage="14.5")
    bus.settle()
    assert bus.metrics(bad)["cpu_usage"] == "14.5" and bad in bus.members("stopped")


def test_a_foreign_value_on_a_record_that_is_there_before_the_look(one, wire, bus):
    bad = IDS[7]
    bus.client.set(f"instance_metrics:{bad}", "foreign")
    report_all(bus, "stopped", cpu_usage="12.5")
    bus.settle()
    assert bus.members("stopped") == set(IDS) - {bad}
    wait_until(lambda: [entry["instance_id"] for entry in bus.rejected("instance_reports")] == [bad], "it to be rejected")
    bus.client.delete(f"instance_metrics:{bad}")
    wait_until(lambda: bus.state(bad) == "running" and bad in bus.members("running"), "it to be back")


def test_a_right_that_ends_behind_the_look_leaves_the_rest_to_the_script(one, redis_server, wire, bus):
    wire.plan(1, act=lambda: redis_server.set_user("default", "-exec"), goes_on=True)
    report_all(bus, "stopped")
    bus.settle()
    assert_all(bus, "stopped", STOPPED)


@pytest.mark.parametrize("right", ["multi", "exec", "watch", "unwatch"])
def test_a_user_who_may_do_no_transactions(daemon, redis_server, bus, right):
    redis_server.set_user("default", f"-{right}")
    one = daemon(QUIET)
    report_all(bus)
    bus.settle()
    assert_all(bus, "running", STARTED)
    assert any("may not do transactions" in line and right.upper() in line for line in one.log_lines(level="warning"))
