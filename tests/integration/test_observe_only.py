"""observe_only: everything is counted, and nothing leaves a stream of others (SPEC 2, docs/decisions/0006)."""

import pytest

from mt5.invariants import GROUP, POSITIONS, REPORTS, RESULTS, SIGNALS, STREAMS, TRADES
from mt5.wait import wait_until

# With it an ended signal stays, so what is open cannot be told from the stream.
pytestmark = pytest.mark.expected(skip=frozenset({"check_signal_account"}))

OBSERVE = {"observe_only": True}
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}
QUICK = {"signals.ttl_ms": 150}


def process(bus, signal_id, **fields):
    entry = bus.signal(signal_id, **fields)
    bus.settle()
    bus.result(f"r-{signal_id}-{entry}", signal_id)
    bus.settle()
    return entry


def open_signals(daemon):
    return daemon.metrics().value("mt5stated_signals_open")


def switch(daemon, observe_only, **changes):
    count = len(daemon.log_lines(msg="configuration reloaded"))
    daemon.write_config(observe_only=observe_only, **changes)
    daemon.reload()
    wait_until(lambda: len(daemon.log_lines(msg="configuration reloaded")) > count, "the reload")


def forget_journal(client):
    """As after a long time: what has ended long ago is in it no more."""
    client.xtrim("mt5stated:journal", maxlen=0)


# ---- nothing is removed ----

@pytest.mark.parametrize("status, end", [("executed", "processed"), ("rejected", "failed")])
def test_a_signal_that_a_result_ended_stays(daemon, bus, status, end):
    one = daemon({**OBSERVE, **SLOW})
    entry = bus.signal("s1")
    bus.result("r1", "s1", status=status)
    bus.settle()
    assert bus.totals() == {"received:buy": 1, f"{end}:buy": 1, f"result:{status}": 1}
    assert bus.ids(SIGNALS) == [entry]
    assert open_signals(one) == 0


def test_a_dropped_signal_stays_and_is_announced(daemon, bus):
    daemon({**OBSERVE, **QUICK})
    entry = bus.signal("s1", note="opaque")
    bus.wait_total("dropped:buy", 1)
    assert bus.ids(SIGNALS) == [entry]
    assert [(fields["dropped_id"], fields["note"]) for fields in bus.dropped()] == [(entry, "opaque")]
    assert len(bus.events(event="signal_dropped", signal_id="s1")) == 1


def test_a_signal_that_others_removed_is_lost(daemon, bus):
    daemon({**OBSERVE, **QUICK})
    entry = bus.signal("s1")
    bus.settle()
    bus.client.xdel(SIGNALS, entry)
    bus.wait_total("lost:buy", 1)
    assert bus.dropped() == []


def test_duplicates_are_counted_and_stay(daemon, bus):
    daemon({**OBSERVE, **SLOW})
    entries = [bus.signal("s1"), bus.signal("s1")]
    bus.settle()
    bus.result("r1", "s1")
    bus.settle()
    entries.append(bus.signal("s1"))
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "duplicate:buy": 2, "result:executed": 1}
    assert bus.ids(SIGNALS) == entries


@pytest.mark.parametrize("stream", STREAMS)
def test_a_malformed_entry_stays_and_is_rejected_once(daemon, bus, stream):
    one = daemon(OBSERVE)
    entry = bus.add(stream, {"nothing": "of use"})
    bus.settle()
    one.restart()
    bus.settle()
    assert bus.ids(stream) == [entry]
    assert [fields["rejected_id"] for fields in bus.rejected(stream)] == [entry]


@pytest.mark.parametrize("max_len", [0, 1, 70])
def test_no_handled_entry_leaves_its_stream(daemon, bus, max_len):
    one = daemon({**OBSERVE, **SLOW, "streams.reports_max_len": max_len, "streams.trades_max_len": max_len,
                  "results.max_len": max_len or 1})
    for _ in range(2):
        bus.many(REPORTS, [{"instance_id": "mt5-1", "broker_id": "b", "state": "running"}] * 300)
        bus.many(TRADES, [{"trade_id": "t1", "state": "pending"}] * 300)
        bus.many(RESULTS, [{"result_id": f"r{bus.now_ms()}-{i}", "signal_id": "s", "status": "executed"}
                           for i in range(300)])
        bus.settle()
        one.restart()
    assert [bus.client.xlen(stream) for stream in (REPORTS, TRADES, RESULTS)] == [600, 600, 600]
    assert bus.total("result:executed") == 600


def test_positions_and_groups_move(daemon, bus):
    daemon(OBSERVE)
    process(bus, "s1")
    last = bus.last_id(SIGNALS)
    assert bus.client.hget("mt5stated:meta", POSITIONS[SIGNALS]) == last
    [group] = [group for group in bus.client.xinfo_groups(SIGNALS) if group["name"] == GROUP]
    assert (group["last-delivered-id"], group["pending"]) == (last, 0)


# ---- over restarts ----

@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("remembered", [True, False])
def test_what_has_ended_is_not_received_again(daemon, bus, kill, remembered):
    one = daemon({**OBSERVE, "signals.ttl_ms": 300})
    process(bus, "s1")
    bus.signal("s2")
    bus.wait_total("dropped:buy", 1)
    bus.add(SIGNALS, {"x": "y"})
    bus.signal("s1")
    bus.settle()
    before = bus.totals()
    assert before == {"received:buy": 2, "processed:buy": 1, "dropped:buy": 1, "duplicate:buy": 1,
                      "result:executed": 1}
    for _ in range(2):
        one.kill9() if kill else one.stop()
        if not remembered:
            forget_journal(bus.client)
        one.start()
        assert open_signals(one) == 0
        bus.settle()
    # What was received after these restarts is judged by then: so would the old ones be.
    bus.signal("s3")
    bus.wait_total("dropped:buy", 2)
    assert bus.totals() == {**before, "received:buy": 3, "dropped:buy": 2}
    assert len(bus.rejected(SIGNALS)) == 1
    assert len(bus.dropped()) == len(bus.events(event="signal_dropped")) == 2
    assert bus.client.xlen(SIGNALS) == 5


def test_an_open_one_among_those_that_ended_stays_open(daemon, bus):
    one = daemon({**OBSERVE, **SLOW})
    process(bus, "s1")
    bus.signal("s2")
    process(bus, "s3")
    one.restart()
    assert open_signals(one) == 1
    bus.result("r2", "s2")
    bus.settle()
    assert bus.totals() == {"received:buy": 3, "processed:buy": 3, "result:executed": 3}


def test_an_id_that_is_used_again_after_its_window_is_received_again(daemon, bus):
    one = daemon({**OBSERVE, **SLOW, "signals.dedup_ms": 50})
    process(bus, "s1")
    bus.wait_age(RESULTS, 100)
    bus.signal("s1")
    bus.settle()
    one.restart()
    assert bus.totals() == {"received:buy": 2, "processed:buy": 1, "result:executed": 1}
    assert open_signals(one) == 1
    bus.result("r2", "s1")
    bus.settle()
    one.restart()
    assert open_signals(one) == 0
    assert bus.total("processed:buy") == 2
    assert bus.client.xlen(SIGNALS) == 2


def test_a_malformed_result_does_not_make_its_corrected_one_a_duplicate(daemon, bus):
    one = daemon({**OBSERVE, **SLOW})
    bus.signal("s1")
    bus.result("r1", "s1", status="done")
    bus.settle()
    one.restart()
    bus.result("r1", "s1")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:executed": 1}


# ---- switched off and on ----

def off_by_reload(daemon, **changes):
    switch(daemon, False, **changes)


def off_by_restart(daemon, **changes):
    daemon.stop()
    daemon.write_config(observe_only=False, **changes)
    daemon.start()


@pytest.mark.parametrize("off", [off_by_reload, off_by_restart])
def test_what_was_left_is_removed_when_it_is_switched_off(daemon, bus, off):
    one = daemon({**OBSERVE, **SLOW, "results.max_len": 5, "streams.reports_max_len": 64, "streams.trades_max_len": 0})
    for i in range(20):
        process(bus, f"s{i}")
    bus.add(SIGNALS, {"x": "y"})
    bus.many(REPORTS, [{"instance_id": "mt5-1", "broker_id": "b", "state": "running"}] * 1000)
    bus.many(TRADES, [{"trade_id": "t1", "state": "pending"}] * 10)
    bus.settle()
    before = bus.totals()
    off(one)
    wait_until(lambda: bus.client.xlen(SIGNALS) == 0, "the signals to be removed")
    wait_until(lambda: bus.client.xlen(RESULTS) == 5, "the results to be trimmed")
    wait_until(lambda: bus.client.xlen(REPORTS) < 64 + 2 * 64, "the reports to be trimmed")
    wait_until(lambda: bus.client.xlen(TRADES) == 0, "the trade updates to be trimmed")
    assert bus.client.xlen(REPORTS) >= 64
    wait_until(lambda: bus.client.hget("mt5stated:meta", "left:signals") == "0-0", "it to be noted")
    one.restart()
    assert bus.totals() == before


@pytest.mark.parametrize("off", [off_by_reload, off_by_restart])
def test_what_lies_behind_an_open_one_leaves_when_that_has_ended(daemon, bus, off):
    one = daemon({**OBSERVE, **SLOW})
    process(bus, "s1")
    entry = bus.signal("s2")
    left = process(bus, "s3")
    forget = bus.signal("s4")
    bus.settle()
    off(one)
    wait_until(lambda: bus.ids(SIGNALS) == [entry, left, forget], "the first to be removed")
    # What ends from now on is removed at once, whatever lies before it.
    bus.result("r4", "s4")
    bus.settle()
    assert bus.ids(SIGNALS) == [entry, left]
    one.restart()
    assert open_signals(one) == 1
    bus.result("r2", "s2")
    bus.settle()
    wait_until(lambda: bus.client.xlen(SIGNALS) == 0, "the signals to be removed")
    assert bus.totals() == {"received:buy": 4, "processed:buy": 4, "result:executed": 4}


def test_it_begins_with_the_reload(daemon, bus):
    one = daemon({**SLOW, "results.max_len": 1})
    process(bus, "s1")
    assert bus.client.xlen(SIGNALS) == 0
    switch(one, True)
    entries = [process(bus, f"new{i}") for i in range(5)]
    assert bus.ids(SIGNALS) == entries
    assert bus.client.xlen(RESULTS) == 6
    switch(one, False)
    wait_until(lambda: bus.client.xlen(SIGNALS) == 0 and bus.client.xlen(RESULTS) == 1, "both to be trimmed")
    assert bus.totals() == {"received:buy": 6, "processed:buy": 6, "result:executed": 6}


def test_the_account_is_exact_over_switching_and_restarts(daemon, bus):
    one = daemon({**OBSERVE, "signals.ttl_ms": 400, "signals.dedup_ms": 100})
    for round_ in range(6):
        for i in range(30):
            bus.signal(f"s{round_}-{i}")
            if i % 3:
                bus.result(f"r{round_}-{i}", f"s{round_}-{i}", status="executed" if i % 3 == 1 else "failed")
        if round_ % 2:
            switch(one, round_ % 4 == 3)
        one.restart(kill=round_ in (2, 3))
    bus.settle()
    bus.wait_total("dropped:buy", 60)
    assert bus.totals() == {"received:buy": 180, "processed:buy": 60, "failed:buy": 60, "dropped:buy": 60,
                            "result:executed": 60, "result:failed": 60}
    switch(one, False)
    wait_until(lambda: bus.client.xlen(SIGNALS) == 0, "the signals to be removed")
