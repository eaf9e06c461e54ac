"""Results: counted once each, matched where there is something to match, trimmed exactly (SPEC 5.6)."""

import pytest

from mt5.wait import wait_until

SIGNALS, RESULTS = "trade_signals", "trade_results"
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}
QUICK = {"signals.ttl_ms": 150}


def unmatched(daemon):
    return {labels["reason"]: int(value) for labels, value in
            daemon.metrics().series("mt5stated_results_unmatched_total") if value}


@pytest.mark.parametrize("status", ["accepted", "executed", "partially_filled", "closed", "failed", "rejected",
                                    "cancelled", "expired"])
def test_every_result_is_counted_by_its_status(daemon, bus, status):
    one = daemon(SLOW)
    bus.result("r1", "nobody", status=status.upper())
    bus.result("r2", "nobody", status=status)
    bus.settle()
    assert bus.totals() == {f"result:{status}": 2}
    assert one.metrics().value("mt5stated_results_total", status=status) == 2


def test_an_early_result_is_matched_as_soon_as_its_signal_is_read(daemon, bus):
    one = daemon(SLOW)
    bus.result("r1", "s1")
    bus.settle()
    assert unmatched(one) == {}
    bus.signal("s1")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:executed": 1}
    assert unmatched(one) == {"early": 1}
    assert bus.client.xlen(SIGNALS) == 0


def test_early_results_are_applied_in_their_order(daemon, bus):
    one = daemon(SLOW)
    bus.result("r1", "s1", status="accepted")
    bus.result("r2", "s1", status="rejected")
    bus.result("r3", "s1", status="executed")
    bus.settle()
    bus.signal("s1")
    bus.settle()
    assert bus.total("failed:buy") == 1
    assert bus.total("processed:buy") == 0
    assert unmatched(one) == {"early": 3}


def test_an_early_result_is_kept_over_a_restart(daemon, bus):
    one = daemon(SLOW)
    bus.result("r1", "s1")
    bus.settle()
    one.restart()
    bus.signal("s1")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:executed": 1}


def test_a_result_whose_signal_never_comes_is_unknown(daemon, bus):
    one = daemon(QUICK)
    bus.result("r1", "nobody")
    wait_until(lambda: unmatched(one) == {"unknown": 1}, "it to be unknown")
    assert bus.totals() == {"result:executed": 1}


def test_a_signal_that_comes_later_than_the_ttl_behind_its_result_is_not_matched(daemon, bus):
    one = daemon(QUICK)
    bus.result("r1", "s1")
    wait_until(lambda: unmatched(one) == {"unknown": 1}, "it to be unknown")
    bus.signal("s1")
    bus.wait_total("dropped:buy", 1)
    assert unmatched(one) == {"unknown": 1}


@pytest.mark.parametrize("first, second", [("executed", "partially_filled"), ("rejected", "executed")])
def test_a_result_for_an_ended_signal_is_a_followup(daemon, bus, first, second):
    one = daemon(SLOW)
    bus.signal("s1")
    bus.result("r1", "s1", status=first)
    bus.result("r2", "s1", status=second)
    bus.settle()
    assert unmatched(one) == {"followup": 1}
    assert bus.total("received:buy") == bus.total("processed:buy") + bus.total("failed:buy") == 1
    assert bus.total(f"result:{second}") == 1
    one.restart()
    bus.result("r3", "s1", status=second)
    bus.settle()
    assert unmatched(one) == {"followup": 1}


@pytest.mark.parametrize("status, is_execution", [
    ("executed", True), ("partially_filled", True), ("closed", True), ("failed", False), ("accepted", False)])
def test_a_result_for_a_dropped_signal_is_late(daemon, bus, status, is_execution):
    one = daemon(QUICK)
    bus.register("mt5-1")
    bus.signal("s1")
    bus.wait_total("dropped:buy", 1)
    bus.result("r1", "s1", status=status, instance_id="mt5-1")
    bus.settle()
    assert unmatched(one) == {"late": 1}
    assert bus.totals() == {"received:buy": 1, "dropped:buy": 1, f"result:{status}": 1}
    late = bus.events(event="late_execution")
    assert [event["signal_id"] for event in late] == ["s1"] * is_execution
    if is_execution:
        assert (late[0]["instance_id"], late[0]["seq"]) == ("mt5-1", "3")


def test_a_result_for_a_lost_signal_is_late(daemon, bus):
    one = daemon(QUICK)
    entry = bus.signal("s1")
    bus.settle()
    bus.client.xdel(SIGNALS, entry)
    bus.wait_total("lost:buy", 1)
    bus.result("r1", "s1")
    bus.settle()
    assert unmatched(one) == {"late": 1}
    assert len(bus.events(event="late_execution", signal_id="s1")) == 1


def test_a_late_result_is_known_as_late_over_a_restart(daemon, bus):
    one = daemon(QUICK)
    bus.signal("s1")
    bus.wait_total("dropped:buy", 1)
    one.restart()
    bus.result("r1", "s1")
    bus.settle()
    assert unmatched(one) == {"late": 1}


def test_the_same_result_again_is_a_duplicate_and_no_more(daemon, bus, expected):
    expected.results_duplicate = 3
    one = daemon(SLOW)
    bus.signal("s1")
    bus.signal("s2")
    bus.result("r1", "s1")
    bus.result("r1", "s1")
    bus.result("r1", "s2", status="failed")
    bus.settle()
    assert bus.totals() == {"received:buy": 2, "processed:buy": 1, "result:executed": 1}
    assert unmatched(one) == {"duplicate": 2}
    # It is known for as long as it is kept, over restarts too.
    one.restart()
    bus.result("r1", "s2")
    bus.settle()
    assert unmatched(one) == {"duplicate": 1}
    assert bus.total("result:executed") == 1


def test_a_result_id_is_forgotten_when_it_is_trimmed(daemon, bus):
    daemon({**SLOW, "results.max_len": 3})
    bus.result("r1", "nobody")
    for i in range(5):
        bus.result(f"other{i}", "nobody")
    bus.settle()
    bus.result("r1", "nobody")
    bus.settle()
    assert bus.total("result:executed") == 7


# ---- trimming ----

@pytest.mark.parametrize("max_len", [1, 7, 100])
def test_exactly_the_newest_results_are_kept(daemon, bus, max_len):
    daemon({**SLOW, "results.max_len": max_len})
    entries = []
    for i in range(3 * max_len + 5):
        entries.append(bus.result(f"r{i}", "nobody"))
        if i % 10 == 0:
            bus.settle()
    bus.settle()
    wait_until(lambda: bus.client.xlen(RESULTS) == max_len, "the stream to be trimmed")
    assert bus.ids(RESULTS) == entries[-max_len:]


def test_no_result_is_trimmed_before_it_was_counted(daemon, bus):
    one = daemon({**SLOW, "results.max_len": 50})
    bus.result("r", "nobody")
    bus.settle()
    one.stop()
    bus.many(RESULTS, [{"result_id": f"r{i}", "signal_id": "nobody", "status": "failed"} for i in range(150)])
    one.start()
    bus.settle()
    assert bus.totals() == {"result:executed": 1, "result:failed": 150}
    wait_until(lambda: bus.client.xlen(RESULTS) == 50, "the stream to be trimmed")


def test_malformed_results_take_no_place_among_those_kept(daemon, bus):
    daemon({**SLOW, "results.max_len": 5})
    for i in range(10):
        bus.result(f"r{i}", "nobody")
        bus.add(RESULTS, {"x": "y"})
    bus.settle()
    assert [fields["result_id"] for fields in bus.entries(RESULTS)] == ["r5", "r6", "r7", "r8", "r9"]
    assert len(bus.rejected(RESULTS)) == 10


def test_a_smaller_length_by_reload_trims(daemon, bus):
    one = daemon({**SLOW, "results.max_len": 50})
    for i in range(60):
        bus.result(f"r{i}", "nobody")
    bus.settle()
    one.write_config(results__max_len=10)
    one.reload()
    bus.result("last", "nobody")
    wait_until(lambda: bus.client.xlen(RESULTS) == 10, "the stream to be trimmed")


def test_a_length_made_smaller_over_a_restart_trims(daemon, bus):
    one = daemon({**SLOW, "results.max_len": 50})
    for i in range(60):
        bus.result(f"r{i}", "nobody")
    bus.settle()
    one.stop()
    one.write_config(results__max_len=10)
    one.start()
    bus.result("last", "nobody")
    wait_until(lambda: bus.client.xlen(RESULTS) == 10, "the stream to be trimmed")


# ---- the same over restarts ----

def test_totals_are_exact_over_many_restarts(daemon, bus, redis_server):
    one = daemon({**SLOW, "results.max_len": 20})
    processed = failed = 0
    for round_ in range(6):
        for i in range(50):
            name = f"{round_}-{i}"
            bus.signal(f"s{name}", action="buy" if i % 2 else "sell")
            if i % 5:
                bus.result(f"r{name}", f"s{name}", status="executed" if i % 3 else "expired")
                processed, failed = processed + bool(i % 3), failed + (not i % 3)
        # Half of the time while it is reading, half of the time when it is done.
        if round_ % 2:
            bus.settle()
        one.restart(kill=round_ in (2, 3))
    bus.settle()
    totals = bus.totals()
    assert totals["received:buy"] + totals["received:sell"] == 300
    assert totals["processed:buy"] + totals["processed:sell"] == processed == totals["result:executed"]
    assert totals["failed:buy"] + totals["failed:sell"] == failed == totals["result:expired"]
    assert bus.client.xlen(SIGNALS) == 60


def test_what_ended_while_the_daemon_was_away_is_counted_once(daemon, bus):
    one = daemon(SLOW)
    bus.signal("s1")
    bus.settle()
    for i in range(4):
        one.stop()
        bus.result(f"r{i}", "s1", status="partially_filled")
        one.start()
        bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:partially_filled": 4}
