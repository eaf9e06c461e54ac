"""More than one daemon over one Redis: one is active, the others stand by (SPEC 10)."""

import pytest

from mt5.wait import wait_until

SIGNALS, RESULTS, REPORTS = "trade_signals", "trade_results", "instance_reports"
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}
# Another name: so nobody can tell that the holder is dead but by its lease.
OTHER = {**SLOW, "streams.consumer": "other"}


def leader(daemon):
    return daemon.metrics().value("mt5stated_leader")


def wait_standby(daemon):
    wait_until(lambda: daemon.ready_word() == "standby", "it to stand by")


def work(bus, name, count=50):
    bus.many(SIGNALS, [{"signal_id": f"s-{name}-{i}", "action": "buy"} for i in range(count)])
    bus.many(RESULTS, [{"result_id": f"r-{name}-{i}", "signal_id": f"s-{name}-{i}", "status": "executed"}
                       for i in range(count)])
    bus.many(REPORTS, [{"instance_id": "mt5-1", "broker_id": "b", "state": state}
                       for state in ("running", "crashed", "restarting", "running", "stopped")])


def assert_worked(bus, times, count=50):
    bus.settle()
    assert bus.totals() == {"received:buy": times * count, "processed:buy": times * count,
                            "result:executed": times * count}
    assert len(bus.events(event="instance_restarting")) == times
    assert bus.client.xlen(SIGNALS) == 0


def test_the_second_stands_by(daemon, bus):
    one = daemon(SLOW)
    two = daemon(OTHER, ready=False)
    wait_standby(two)
    assert two.get("/-/ready").status == 503
    assert two.get("/-/healthy").status == 200
    assert (leader(one), leader(two)) == (1, 0)
    work(bus, "1")
    assert_worked(bus, 1)
    assert two.metrics().value("mt5stated_redis_up") == 1
    assert one.is_ready()


def test_a_clean_stop_hands_over_at_once(daemon, bus):
    # A lease of an hour: nobody waits for its end.
    one = daemon({**SLOW, "ha.lease_ms": 3600000})
    two = daemon({**OTHER, "ha.lease_ms": 3600000}, ready=False)
    wait_standby(two)
    work(bus, "1")
    one.stop()
    two.wait_ready()
    work(bus, "2")
    assert_worked(bus, 2)
    assert leader(two) == 1


def test_a_killed_one_is_followed_when_its_lease_ends(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 1000})
    two = daemon({**OTHER, "ha.lease_ms": 1000}, ready=False)
    wait_standby(two)
    work(bus, "1")
    one.kill9()
    two.wait_ready()
    work(bus, "2")
    assert_worked(bus, 2)


def test_a_killed_one_of_the_same_name_is_known_to_be_dead(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 3600000})
    two = daemon({**SLOW, "ha.lease_ms": 3600000}, ready=False)
    wait_standby(two)
    work(bus, "1")
    one.kill9()
    two.wait_ready()
    assert_worked(bus, 1)
    # The same after a restart of it alone.
    two.restart(kill=True)
    work(bus, "2")
    assert_worked(bus, 2)


def test_one_that_was_frozen_changes_nothing_when_it_comes_back(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 300})
    two = daemon({**OTHER, "ha.lease_ms": 300}, ready=False)
    wait_standby(two)
    work(bus, "1")
    one.pause()
    two.wait_ready()
    work(bus, "2")
    bus.settle()
    before = bus.totals(), bus.events()
    one.resume()
    wait_standby(one)
    assert two.is_ready()
    assert (bus.totals(), bus.events()) == before
    assert_worked(bus, 2)
    # It is of use again: it takes over.
    two.stop()
    one.wait_ready()
    work(bus, "3")
    assert_worked(bus, 3)


def test_the_lease_goes_round_under_load_and_everything_is_counted_once(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 200})
    two = daemon({**OTHER, "ha.lease_ms": 200}, ready=False)
    wait_standby(two)
    pair, rounds = [one, two], 8
    for round_ in range(rounds):
        active, waiting = pair
        work(bus, round_, count=300)
        active.pause()
        waiting.wait_ready()
        active.resume()
        wait_standby(active)
        pair = [waiting, active]
    assert_worked(bus, rounds, count=300)


def test_a_standby_that_takes_over_knows_all_that_the_first_knew(daemon, bus):
    one = daemon(SLOW)
    two = daemon(OTHER, ready=False)
    wait_standby(two)
    bus.register("mt5-1", state="crashed")
    bus.report("mt5-1", state="restarting")
    bus.signal("open")
    bus.signal("accepted")
    bus.signal("done")
    bus.result("r1", "done")
    bus.result("r2", "accepted", status="accepted")
    bus.result("r3", "comes-later")
    bus.trade("t1", state="executed")
    bus.settle()
    one.stop()
    two.wait_ready()
    bus.signal("done")
    bus.signal("comes-later")
    bus.result("r4", "open", status="failed")
    bus.report("mt5-1", state="running")
    bus.trade("t1", state="pending", lot_size="2")
    bus.settle()
    assert bus.totals() == {"received:buy": 4, "processed:buy": 2, "failed:buy": 1, "duplicate:buy": 1,
                            "result:executed": 2, "result:accepted": 1, "result:failed": 1}
    assert bus.transitions(bus.events()[-1]["instance_id"])[-1][0] == "instance_recovered"
    assert bus.stored_trade("t1")["state"] == "executed"
    assert two.metrics().value("mt5stated_signals_open") == 1


@pytest.mark.parametrize("value", ["somebody", "somebody@else:1:2:3#4", ""])
def test_a_lease_of_a_stranger_is_respected_until_it_ends(daemon, bus, value):
    bus.client.set("mt5stated:leader", value, px=700)
    one = daemon(SLOW, ready=False)
    if value:
        wait_standby(one)
    one.wait_ready()
    work(bus, "1")
    assert_worked(bus, 1)


def test_a_lease_that_somebody_deletes_is_taken_again(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 300})
    for round_ in range(5):
        work(bus, round_)
        bus.client.delete("mt5stated:leader")
        wait_until(lambda: bus.client.exists("mt5stated:leader"), "the lease to be taken again")
    assert_worked(bus, 5)
    one.wait_ready()


def test_a_lease_that_somebody_else_takes_makes_it_stand_by(daemon, bus):
    one = daemon({**SLOW, "ha.lease_ms": 300})
    work(bus, "1")
    assert_worked(bus, 1)
    bus.client.set("mt5stated:leader", "thief", px=1000)
    wait_standby(one)
    work(bus, "2")
    one.wait_ready()
    assert_worked(bus, 2)
