"""The checks of SPEC 4 that every other test ends with: each finds what it is there for. No daemon runs here;
the tests play the daemon, rightly once and then wrongly."""

import pytest

from mt5.invariants import POSITIONS, Expected, check_invariants, find_faults, read_snapshot


@pytest.fixture
def store(redis):
    """What a daemon leaves behind after one instance, one signal that was processed and one that is open."""
    for stream in ("instance_reports", "trade_signals", "trade_results", "trade_updates"):
        redis.xgroup_create(stream, "mt5stated", id="0", mkstream=True)
    redis.hset("instance:mt5-1", mapping={"broker_id": "b", "state": "running"})
    redis.sadd("instance:state:running", "mt5-1")
    redis.zadd("instance:index:load", {"mt5-1": 0.5})
    redis.xadd("instance_events", {"event": "instance_registered", "instance_id": "mt5-1", "seq": 1})
    redis.xadd("instance_events", {"event": "instance_started", "instance_id": "mt5-1", "seq": 2, "to": "running"})
    redis.hset("trade:t1", "state", "pending")
    redis.sadd("trade:state:pending", "t1")
    redis.xadd("trade_signals", {"signal_id": "s1", "action": "buy"}, id="1-1")
    redis.xadd("trade_signals", {"signal_id": "s2", "action": "Buy"}, id="1-2")
    redis.xdel("trade_signals", "1-1")
    redis.xadd("trade_results", {"result_id": "r1", "signal_id": "s1", "status": "executed"}, id="2-1")
    redis.hset("mt5stated:totals", mapping={"received:buy": 2, "processed:buy": 1, "result:executed": 1})
    move(redis, "trade_signals", "1-2")
    move(redis, "trade_results", "2-1")
    return redis


def move(redis, stream, position):
    redis.hset("mt5stated:meta", POSITIONS[stream], position)
    redis.xgroup_setid(stream, "mt5stated", position)


def faults(redis, **expected):
    return find_faults(read_snapshot(redis), Expected(**expected))


def test_check_invariants_of_a_right_store(store):
    check_invariants(store)


def test_check_invariants_of_an_empty_redis(redis):
    check_invariants(redis)


def test_check_invariants_names_the_fault(store):
    store.srem("instance:state:running", "mt5-1")
    with pytest.raises(AssertionError, match="mt5-1 is running and in the sets"):
        check_invariants(store)


@pytest.mark.parametrize("command, check", [
    (("SADD", "instance:state:stopped", "mt5-1"), "check_instance_in_one_set"),
    (("HSET", "instance:mt5-1", "state", "crashed"), "check_instance_in_one_set check_last_event_is_state"),
    (("SADD", "instance:state:stopped", "ghost"), "check_instance_in_one_set"),
    (("ZADD", "instance:index:load", "1", "mt5-2"), "check_load_index"),
    (("ZREM", "instance:index:load", "mt5-1"), "check_load_index"),
    (("XADD", "instance_events", "*", "event", "instance_failed", "instance_id", "mt5-1", "seq", "3",
      "from", "running", "to", "crashed"), "check_last_event_is_state"),
    (("XADD", "instance_events", "*", "event", "instance_started", "instance_id", "mt5-1", "seq", "3",
      "from", "crashed", "to", "running"), "check_last_event_is_state"),
    (("XADD", "instance_events", "*", "event", "instance_started", "instance_id", "mt5-1", "seq", "4",
      "from", "running", "to", "running"), "check_last_event_is_state"),
    (("HSET", "mt5stated:totals", "received:buy", "3"), "check_signal_account"),
    (("HSET", "mt5stated:totals", "processed:buy", "2"), "check_signal_account"),
    (("HSET", "mt5stated:totals", "dropped:sell", "1"), "check_signal_account"),
    (("XDEL", "trade_signals", "1-2"), "check_signal_account"),
    (("HSET", "mt5stated:totals", "result:executed", "2"), "check_results_counted"),
    (("HDEL", "mt5stated:totals", "result:executed"), "check_results_counted"),
    (("XGROUP", "SETID", "trade_signals", "mt5stated", "1-1"), "check_groups_follow"),
    (("SMOVE", "trade:state:pending", "trade:state:closed", "t1"), "check_trade_in_one_set"),
    (("SADD", "instance:index:throttled", "mt5-2"), "check_throttled_are_known"),
    (("XADD", "instance_commands", "*", "command_id", "mt5-1.recover.1", "instance_id", "mt5-1", "command",
      "recover"), "check_commands_are_announced"),
    (("XADD", "instance_events", "*", "event", "command_issued", "instance_id", "mt5-1", "seq", "3", "command_id",
      "mt5-1.stop.1"), "check_one_command_open"),
    (("XADD", "instance_events", "*", "event", "command_completed", "instance_id", "mt5-1", "seq", "3", "command_id",
      "mt5-1.stop.1"), "check_one_command_open"),
    (("XADD", "instance_events", "*", "event", "alert_firing", "instance_id", "mt5-1", "seq", "3", "alert", "A"),
     "check_alerts_alternate"),
    (("XADD", "instance_events", "*", "event", "alert_resolved", "instance_id", "mt5-1", "seq", "3", "alert", "A"),
     "check_alerts_alternate"),
    (("HSET", "mt5stated:alerts", "mt5-1:A", "status=firing value=1"), "check_alerts_alternate"),
])
def test_find_faults_after_one_wrong_write(store, command, check):
    store.execute_command(*command)
    found = faults(store)
    assert {line.partition(":")[0] for line in found} == set(check.split()), found


def test_find_faults_entries_beyond_the_position_are_not_open_yet(store):
    store.xadd("trade_signals", {"signal_id": "s3", "action": "sell"}, id="3-1")
    store.xadd("trade_results", {"result_id": "r2", "signal_id": "s3", "status": "executed"}, id="4-1")
    assert faults(store) == []


def test_find_faults_a_duplicate_of_an_open_signal_is_not_open_twice(store):
    store.xadd("trade_signals", {"signal_id": "s2", "action": "buy"}, id="3-1")
    move(store, "trade_signals", "3-1")
    assert faults(store) == []


def test_find_faults_actions_beyond_the_bound_are_other(store):
    store.xadd("trade_signals", {"signal_id": "s3", "action": "rare"}, id="3-1")
    move(store, "trade_signals", "3-1")
    store.hset("mt5stated:totals", "received:other", 1)
    assert faults(store) == []


def test_find_faults_with_what_the_test_did_itself(store):
    store.xdel("trade_signals", "1-2")
    assert faults(store, signals_removed=1) == []
    assert faults(store, signals_removed=2) != []
    store.xadd("trade_results", {"result_id": "r1", "signal_id": "s1", "status": "executed"}, id="2-2")
    move(store, "trade_results", "2-2")
    assert faults(store, signals_removed=1, results_duplicate=1) == []


def write_story(redis, *steps):
    """Events of mt5-1 from its third on, as (event, alert or command_id); each command that is issued is written."""
    for seq, (event, name) in enumerate(steps, 3):
        which = "alert" if event.startswith("alert") else "command_id"
        redis.xadd("instance_events", {"event": event, "instance_id": "mt5-1", "seq": seq, which: name})
        if event == "command_issued":
            redis.xadd("instance_commands", {"command_id": name, "instance_id": "mt5-1", "command": name.split(".")[1]})


ONE_AFTER_THE_OTHER = [
    ("alert_firing", "A"), ("command_issued", "mt5-1.throttle.1"), ("alert_firing", "B"),
    ("command_issued", "mt5-1.cancel.2"), ("command_completed", "mt5-1.throttle.1"),
    ("command_issued", "mt5-1.recover.3"), ("command_completed", "mt5-1.cancel.2"),
    ("command_completed", "mt5-1.recover.3"), ("alert_resolved", "A"), ("alert_resolved", "B"), ("alert_firing", "A"),
]


def test_find_faults_of_commands_and_alerts_that_follow_each_other(store):
    write_story(store, *ONE_AFTER_THE_OTHER)
    store.hset("mt5stated:alerts", mapping={"mt5-1:A": "status=firing value=1", "mt5-1:C": "status=pending value=2"})
    assert faults(store) == []


@pytest.mark.parametrize("steps, check", [
    ([("command_issued", "mt5-1.throttle.1"), ("command_issued", "mt5-1.stop.2")], "check_one_command_open"),
    ([("command_issued", "mt5-1.stop.2"), ("command_completed", "mt5-1.stop.2"),
      ("command_issued", "mt5-1.stop.2"), ("command_completed", "mt5-1.stop.2")], "check_command_ids"),
    ([("command_issued", "mt5-1.stop.2"), ("command_completed", "mt5-1.stop.2"),
      ("command_issued", "mt5-1.start.1"), ("command_completed", "mt5-1.start.1")], "check_command_ids"),
    ([("command_issued", "mt5-1.stop.1"), ("command_completed", "mt5-1.stop.1"),
      ("command_completed", "mt5-1.stop.1")], "check_one_command_open"),
    ([("alert_firing", "A"), ("alert_firing", "A"), ("alert_resolved", "A")], "check_alerts_alternate"),
])
def test_find_faults_of_a_story_that_is_wrong(store, steps, check):
    write_story(store, *steps)
    found = faults(store)
    assert {line.partition(":")[0] for line in found} == {check}, found


def test_find_faults_judges_nothing_by_events_that_are_gone(store):
    write_story(store, *ONE_AFTER_THE_OTHER[:1], ("alert_firing", "A"))
    assert faults(store) != []
    store.xtrim("instance_events", maxlen=1, approximate=False)
    assert faults(store) == []


def test_find_faults_survives_hostile_bytes(store):
    store.execute_command("HSET", b"instance:\xff\x00", b"state", b"\xfe", b"broker_id", b"\xfe")
    store.execute_command("XADD", "trade_signals", "9-1", b"\xff", b"\x00", "signal_id", b"\xff" * 500)
    assert any("check_instance_in_one_set" in line for line in faults(store))


def test_watch_reports_a_fault_of_one_moment(store, redis_server):
    from mt5.invariants import Watch
    from mt5.wait import wait_until
    watch = Watch(redis_server, Expected())
    wait_until(lambda: watch.count > 1, "the watch to look twice")
    store.zrem("instance:index:load", "mt5-1")
    wait_until(lambda: watch.faults, "the watch to see it")
    with pytest.raises(AssertionError, match="load index"):
        watch.stop()
