"""Signals from their entry to their one end (SPEC 5.5)."""

import pytest

from mt5.invariants import CHECKS
from mt5.wait import wait_until

SIGNALS, RESULTS = "trade_signals", "trade_results"
QUICK = {"signals.ttl_ms": 150}
# Nothing is judged late in the time of a test.
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}


def counts(bus, action="buy"):
    return {name.partition(":")[0]: count for name, count in bus.totals().items() if name.endswith(f":{action}")}


# ---- processed and failed ----

@pytest.mark.parametrize("status, end", [
    ("executed", "processed"), ("partially_filled", "processed"), ("closed", "processed"),
    ("failed", "failed"), ("rejected", "failed"), ("cancelled", "failed"), ("expired", "failed"),
    ("EXECUTED", "processed"), ("Rejected", "failed"),
])
def test_a_result_ends_its_signal(daemon, bus, status, end):
    daemon(SLOW)
    bus.signal("s1")
    bus.settle()
    assert bus.client.xlen(SIGNALS) == 1
    bus.result("r1", "s1", status=status)
    bus.settle()
    assert bus.totals() == {"received:buy": 1, f"{end}:buy": 1, f"result:{status.lower()}": 1}
    assert bus.client.xlen(SIGNALS) == 0


def test_an_accepted_signal_stays_open(daemon, bus):
    one = daemon(SLOW)
    bus.signal("s1")
    bus.result("r1", "s1", status="accepted")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "result:accepted": 1}
    assert bus.client.xlen(SIGNALS) == 1
    assert one.metrics().value("mt5stated_signals_open") == 1
    bus.result("r2", "s1", status="executed")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:accepted": 1, "result:executed": 1}


def test_signals_end_in_any_order_and_leave_the_stream_when_they_do(daemon, bus):
    daemon(SLOW)
    for i in range(10):
        bus.signal(f"s{i}")
    bus.settle()
    for i in (9, 3, 4, 0, 1, 7):
        bus.result(f"r{i}", f"s{i}")
        bus.settle()
        assert f"s{i}" not in [fields["signal_id"] for fields in bus.entries(SIGNALS)]
    assert [fields["signal_id"] for fields in bus.entries(SIGNALS)] == ["s2", "s5", "s6", "s8"]


def test_actions_are_told_apart_in_lower_case(daemon, bus):
    daemon(SLOW)
    for i, action in enumerate(["buy", "BUY", "Sell", "close_all", "a.b-C", "x" * 32]):
        bus.signal(f"s{i}", action=action)
    bus.settle()
    assert bus.totals() == {"received:buy": 2, "received:sell": 1, "received:close_all": 1, "received:a.b-c": 1,
                            f"received:{'x' * 32}": 1}


def test_actions_beyond_the_64th_are_other(daemon, bus):
    one = daemon(SLOW)
    for i in range(70):
        bus.signal(f"s{i}", action=f"action{i}")
    bus.settle()
    assert bus.total("received:action63") == 1
    assert bus.total("received:other") == 6
    assert len([name for name in bus.totals() if name.startswith("received:")]) == 65
    # The same ones over a restart.
    one.restart()
    for i in range(70):
        bus.result(f"r{i}", f"s{i}")
    bus.signal("new", action="action5")
    bus.signal("newer", action="action69")
    bus.settle()
    assert bus.total("processed:other") == 6
    assert bus.total("processed:action5") == 1
    assert bus.total("received:action5") == 2
    assert bus.total("received:other") == 7


# ---- dropped and lost ----

def test_a_signal_without_a_result_is_dropped(daemon, bus):
    one = daemon(QUICK)
    bus.register("mt5-1")
    entry = bus.signal("s1", action="Sell", instance_id="mt5-1", symbol="EURUSD", lots="0.1", note="a\nb")
    bus.wait_total("dropped:sell", 1)
    assert bus.client.xlen(SIGNALS) == 0
    [dropped] = bus.dropped()
    assert int(dropped.pop("age_ms")) > 150
    assert dropped == {"signal_id": "s1", "action": "Sell", "instance_id": "mt5-1", "symbol": "EURUSD", "lots": "0.1",
                       "note": "a\nb", "dropped_id": entry}
    event = bus.events(event="signal_dropped")[0]
    assert (event["signal_id"], event["instance_id"], event["seq"]) == ("s1", "mt5-1", "3")
    wait_until(lambda: one.log_lines(event="signal_dropped", signal_id="s1"), "the log line")


@pytest.mark.parametrize("fields", [{}, {"instance_id": "nobody"}])
def test_a_dropped_signal_without_a_known_addressee_has_an_event_without_one(daemon, bus, fields):
    daemon(QUICK)
    bus.signal("s1", **fields)
    bus.wait_total("dropped:buy", 1)
    [event] = bus.events(event="signal_dropped")
    assert event["signal_id"] == "s1"
    assert "instance_id" not in event and "seq" not in event


def test_an_accepted_signal_is_dropped_after_its_execution_ttl(daemon, bus):
    daemon({"signals.ttl_ms": 200, "signals.execution_ttl_ms": 1000})
    bus.signal("s1")
    accepted = bus.result("r1", "s1", status="accepted")
    bus.signal("s2")
    bus.wait_total("dropped:buy", 1)
    assert [fields["signal_id"] for fields in bus.dropped()] == ["s2"]
    bus.wait_total("dropped:buy", 2)
    [event] = bus.events(event="signal_dropped", signal_id="s1")
    assert "accepted" in event["reason"]
    dropped_ms = int(bus.client.xrevrange(SIGNALS + "_dropped", count=1)[0][0].partition("-")[0])
    assert dropped_ms - int(accepted.partition("-")[0]) >= 1000


def test_a_second_accepted_counts_the_execution_ttl_anew(daemon, bus):
    daemon({"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 500})
    bus.signal("s1")
    bus.result("r1", "s1", status="accepted")
    bus.settle()
    bus.wait_age(RESULTS, 250)
    again = bus.result("r2", "s1", status="accepted")
    bus.wait_total("dropped:buy", 1)
    dropped_ms = int(bus.client.xrevrange(SIGNALS + "_dropped", count=1)[0][0].partition("-")[0])
    assert dropped_ms - int(again.partition("-")[0]) >= 500


def test_an_open_signal_that_somebody_removed_is_lost(daemon, bus, expected):
    daemon({"signals.ttl_ms": 300})
    entry = bus.signal("s1")
    bus.signal("s2")
    bus.settle()
    bus.client.xdel(SIGNALS, entry)
    bus.wait_total("lost:buy", 1)
    bus.wait_total("dropped:buy", 1)
    assert [fields["signal_id"] for fields in bus.dropped()] == ["s2"]
    assert [event["signal_id"] for event in bus.events(event="signal_dropped")] == ["s2"]


def test_a_removed_signal_with_a_result_in_time_is_no_loss(daemon, bus):
    daemon(SLOW)
    entry = bus.signal("s1")
    bus.settle()
    bus.client.xdel(SIGNALS, entry)
    bus.result("r1", "s1")
    bus.settle()
    assert counts(bus) == {"received": 1, "processed": 1}


def test_a_producer_that_trims_its_stream_loses_nothing_from_the_account(daemon, bus):
    daemon({"signals.ttl_ms": 400})
    for i in range(50):
        bus.signal(f"s{i}")
    bus.settle()
    bus.client.xtrim(SIGNALS, maxlen=10, approximate=False)
    for i in range(0, 50, 10):
        bus.result(f"r{i}", f"s{i}")
    bus.wait_total("lost:buy", 36)
    bus.wait_total("dropped:buy", 9)
    assert counts(bus) == {"received": 50, "processed": 5, "lost": 36, "dropped": 9}


# ---- duplicates ----

def test_a_duplicate_of_an_open_signal_is_counted_and_goes_with_the_first(daemon, bus):
    daemon(SLOW)
    bus.signal("s1")
    bus.signal("s1", action="sell")
    bus.signal("s1")
    bus.settle()
    assert bus.totals() == {"received:buy": 1, "duplicate:buy": 1, "duplicate:sell": 1}
    bus.result("r1", "s1")
    bus.settle()
    assert bus.client.xlen(SIGNALS) == 0
    assert counts(bus) == {"received": 1, "processed": 1, "duplicate": 1}


def test_a_duplicate_of_an_ended_signal_is_counted_and_removed(daemon, bus):
    daemon(SLOW)
    bus.signal("s1")
    bus.result("r1", "s1", status="rejected")
    bus.settle()
    bus.signal("s1")
    bus.settle()
    assert counts(bus) == {"received": 1, "failed": 1, "duplicate": 1}
    assert bus.client.xlen(SIGNALS) == 0


def test_duplicates_are_known_over_a_restart(daemon, bus):
    one = daemon(SLOW)
    bus.signal("open")
    bus.signal("open")
    bus.signal("ended")
    bus.result("r1", "ended")
    bus.settle()
    one.restart()
    bus.signal("open")
    bus.signal("ended")
    bus.settle()
    assert counts(bus) == {"received": 2, "processed": 1, "duplicate": 3}
    bus.result("r2", "open")
    bus.settle()
    assert bus.client.xlen(SIGNALS) == 0


def test_an_id_may_be_used_again_after_the_dedup_window(daemon, bus):
    daemon({**SLOW, "signals.dedup_ms": 100})
    bus.signal("s1")
    bus.result("r1", "s1")
    bus.settle()
    bus.wait_age(RESULTS, 500)
    bus.signal("s1")
    bus.settle()
    assert counts(bus) == {"received": 2, "processed": 1}
    bus.result("r2", "s1", status="failed")
    bus.settle()
    assert counts(bus) == {"received": 2, "processed": 1, "failed": 1}


def test_a_dropped_signal_that_is_sent_again_is_a_duplicate(daemon, bus):
    daemon(QUICK)
    bus.signal("s1")
    bus.wait_total("dropped:buy", 1)
    bus.signal("s1")
    bus.settle()
    assert counts(bus) == {"received": 1, "dropped": 1, "duplicate": 1}
    assert bus.client.xlen(SIGNALS) == 0


# ---- entry IDs ----

def test_signals_with_entry_ids_of_their_own_are_read(daemon, bus):
    """An ID of 1970: late the moment it comes, unless its result is there."""
    one = daemon(QUICK, start=False)
    bus.signal("s1", entry="1-1")
    bus.signal("s2", entry="1-2")
    bus.signal("s3", entry="2-1")
    bus.result("r2", "s2")
    one.start()
    bus.wait_total("dropped:buy", 2)
    assert counts(bus) == {"received": 3, "processed": 1, "dropped": 2}
    assert bus.client.xlen(SIGNALS) == 0


def test_signals_from_a_clock_that_is_ahead_do_not_break_the_account(daemon, bus):
    daemon(QUICK)
    bus.signal("s1")
    bus.signal("ahead", entry="99999999999999-7")
    bus.signal("behind", entry="99999999999999-*")
    bus.wait_total("dropped:buy", 1)
    bus.result("r1", "behind")
    bus.settle()
    assert counts(bus) == {"received": 3, "dropped": 1, "processed": 1}
    assert [fields["signal_id"] for fields in bus.entries(SIGNALS)] == ["ahead"]


def test_the_group_follows_what_was_handled(daemon, bus):
    daemon(SLOW)
    last = [bus.signal(f"s{i}") for i in range(5)][-1]
    bus.settle()
    [group] = bus.client.xinfo_groups(SIGNALS)
    assert (group["name"], group["last-delivered-id"], group["pending"]) == ("mt5stated", last, 0)
    assert bus.client.xinfo_consumers(SIGNALS, "mt5stated")[0]["name"] == "mt5stated"


def test_a_group_that_others_made_says_where_to_begin(daemon, bus):
    """As XREADGROUP would: what is before the group's position was handled by somebody else."""
    bus.signal("before")
    bus.client.xgroup_create(SIGNALS, "mt5stated", id="$")
    bus.signal("behind")
    daemon(SLOW)
    bus.settle()
    assert bus.total("received:buy") >= 1
    assert "behind" in [fields["signal_id"] for fields in bus.entries(SIGNALS)]


def test_a_stream_that_was_there_before_is_read_from_its_beginning(daemon, bus):
    bus.many(SIGNALS, [{"signal_id": f"s{i}", "action": "buy"} for i in range(100)])
    daemon(SLOW)
    bus.settle()
    assert counts(bus) == {"received": 100}


# ---- bounds ----

def test_beyond_max_tracked_no_further_signals_are_read_until_some_end(daemon, bus):
    one = daemon({**SLOW, "signals.max_tracked": 10, "streams.batch": 5})
    bus.many(SIGNALS, [{"signal_id": f"s{i}", "action": "buy"} for i in range(100)])
    wait_until(lambda: bus.total("received:buy") >= 10, "the first signals to be read")
    # Other streams go on, and what ends makes room.
    bus.report("mt5-1", broker_id="b", state="running")
    bus.settle("instance_reports")
    assert bus.total("received:buy") < 25
    for i in range(100):
        bus.result(f"r{i}", f"s{i}")
    bus.settle()
    wait_until(lambda: counts(bus) == {"received": 100, "processed": 100}, "all to be processed")
    assert one.metrics().value("mt5stated_signals_open") == 0


# ---- restarts ----

def test_open_signals_are_open_after_a_restart(daemon, bus):
    one = daemon({"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000})
    bus.signal("waiting")
    bus.signal("accepted")
    bus.result("r1", "accepted", status="accepted")
    bus.signal("done")
    bus.result("r2", "done")
    bus.settle()
    one.restart()
    assert one.metrics().value("mt5stated_signals_open") == 2
    assert one.metrics().value("mt5stated_signals_received_total", action="buy") == 2
    bus.result("r3", "waiting")
    bus.result("r4", "accepted", status="failed")
    bus.settle()
    assert counts(bus) == {"received": 3, "processed": 2, "failed": 1}
    assert bus.client.xlen(SIGNALS) == 0


def test_an_accepted_signal_keeps_its_time_over_a_restart(daemon, bus):
    one = daemon({"signals.ttl_ms": 50, "signals.execution_ttl_ms": 3600000})
    bus.signal("accepted")
    bus.result("r1", "accepted", status="accepted")
    bus.settle()
    one.restart()
    bus.signal("late")
    bus.wait_total("dropped:buy", 1)
    assert [fields["signal_id"] for fields in bus.dropped()] == ["late"]
    one.write_config(signals__execution_ttl_ms=50)
    one.restart()
    bus.wait_total("dropped:buy", 2)


def test_no_signal_is_late_before_the_waiting_results_were_read(daemon, bus):
    """The daemon was away for longer than the ttl: the results came in time, and count."""
    one = daemon({"signals.ttl_ms": 300, "streams.batch": 10})
    for i in range(100):
        bus.signal(f"s{i}")
    bus.settle()
    one.stop()
    for i in range(100):
        bus.result(f"r{i}", f"s{i}")
        bus.signal(f"t{i}")
        bus.result(f"q{i}", f"t{i}")
    bus.wait_age(RESULTS, 400)
    one.start()
    bus.settle()
    assert counts(bus) == {"received": 200, "processed": 200}
    assert bus.dropped() == []


def test_signals_removed_while_the_daemon_was_away_are_lost(daemon, bus):
    one = daemon({"signals.ttl_ms": 300})
    entries = [bus.signal(f"s{i}") for i in range(10)]
    bus.settle()
    one.stop()
    bus.client.xdel(SIGNALS, *entries[:7])
    bus.result("r1", "s1")
    one.start()
    bus.wait_total("lost:buy", 6)
    bus.wait_total("dropped:buy", 3)
    assert counts(bus) == {"received": 10, "processed": 1, "lost": 6, "dropped": 3}


def test_a_shorter_ttl_by_reload_drops_what_is_open(daemon, bus):
    one = daemon(SLOW)
    bus.signal("s1")
    bus.settle()
    one.write_config(signals__ttl_ms=50)
    one.reload()
    bus.wait_total("dropped:buy", 1)


def test_a_signal_stream_that_was_deleted_is_read_again(daemon, bus):
    daemon({"signals.ttl_ms": 300, "redis.info_interval_ms": 50})
    bus.signal("s1")
    bus.settle()
    bus.client.delete(SIGNALS)
    bus.signal("s2")
    bus.wait_total("received:buy", 2)
    bus.wait_total("lost:buy", 1)
    bus.result("r2", "s2")
    bus.wait_total("result:executed", 1)


def test_a_signal_stream_made_anew_with_lower_ids_is_read_from_its_beginning(daemon, bus):
    one = daemon({"signals.ttl_ms": 300, "redis.info_interval_ms": 50})
    bus.signal("s1")
    bus.settle()
    bus.client.delete(SIGNALS)
    bus.signal("s2", entry="5-1")
    bus.wait_total("received:buy", 2)
    wait_until(lambda: one.log_lines(stream=SIGNALS, msg="a stream was made anew; it is read from its beginning"),
               "the log line")
    bus.wait_total("lost:buy", 1)
    bus.wait_total("dropped:buy", 1)


def test_many_signals_that_are_late_at_once(daemon, bus):
    one = daemon({"signals.ttl_ms": 300}, start=False)
    bus.many(SIGNALS, [{"signal_id": f"s{i}", "action": "buy"} for i in range(5000)])
    bus.wait_age(SIGNALS, 400)
    one.start()
    bus.wait_total("dropped:buy", 5000)
    assert bus.client.xlen(SIGNALS) == 0
    assert bus.client.xlen(SIGNALS + "_dropped") == 5000
    assert len({event["signal_id"] for event in bus.events(event="signal_dropped")}) == 5000
    assert len(bus.events(event="signal_dropped")) == 5000


def test_an_accepted_signal_that_somebody_removed_is_lost(daemon, bus):
    daemon({"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 300})
    entry = bus.signal("s1")
    bus.result("r1", "s1", status="accepted")
    bus.settle()
    bus.client.xdel(SIGNALS, entry)
    bus.wait_total("lost:buy", 1)


@pytest.mark.redis(shipped=False)
def test_streams_may_have_other_names(daemon, bus, expected):
    expected.skip = {check.__name__ for check in CHECKS}   # they look at the usual ones
    daemon({"streams.signals": "sig", "streams.results": "res", "streams.reports": "rep", "streams.trades": "tra",
            "streams.events": "eve", "streams.group": "grp", "streams.consumer": "con", "signals.ttl_ms": 100})
    bus.add("sig", {"signal_id": "s1", "action": "buy"})
    bus.add("rep", {"instance_id": "mt5-1", "broker_id": "b", "state": "running"})
    for stream in ("sig", "res", "rep", "tra"):
        bus.add(stream, {"x": "y"})
    wait_until(lambda: bus.client.exists("sig_dropped"), "the signal to be dropped")
    assert all(bus.client.xlen(f"{stream}_rejected") == 1 for stream in ("sig", "res", "rep", "tra"))
    assert bus.client.xlen("eve") == 3
    assert all(bus.client.xinfo_groups(stream)[0]["name"] == "grp" for stream in ("sig", "res", "rep", "tra"))
    assert bus.client.keys("trade_*") == bus.client.keys("instance_*s") == []
