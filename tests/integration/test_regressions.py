"""What was once wrong and has been mended, one test for each, where Redis itself is well: writes of others at odd
moments, rights that are missing, bounds that are reached. With lost and planted data: fault/test_planted_data.py."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import threading

import pytest

from mt5 import http as mt5_http
from mt5.daemon import SANITIZER_ENV, binary, default_config, nest
from mt5.usage import cpu_share, rss_bytes
from mt5.wait import wait_until

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
NEVER = {"instances.reconcile_interval_ms": 3600000}
SLOW = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}
USER = "user mt5 on >right-password ~* &* +@all"
CALM = 0.3   # of a core; whoever turns in circles takes a whole one


@contextlib.contextmanager
def going_on(act):
    """Does act(0), act(1), ... until the end of the block; yields a function that says how often so far."""
    stop, count = threading.Event(), 0

    def run():
        nonlocal count
        while not stop.is_set():
            act(count)
            count += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: count
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def limited(daemon, folder):
    """limited(config) starts a daemon that logs in as the user mt5, from whom rights can be taken."""
    secret = folder / "password"
    secret.write_text("right-password")

    def make(config):
        return daemon({**SLOW, "redis.username": "mt5", "redis.password_file": str(secret), **config})

    return make


# ---- instances ----

def test_a_state_written_by_others_is_followed_while_reports_pour_in(daemon, redis_server, bus):
    """Each look is overtaken by a report, and there is no later pass that would see it."""
    daemon(NEVER)
    bus.register("mt5-1")
    with redis_server.client() as agent:
        with going_on(lambda i: agent.xadd(REPORTS, {"instance_id": "mt5-1", "cpu_usage": str(i % 100)})) as count:
            wait_until(lambda: count() > 100, "reports to pour in")
            for state, event in [("stopped", "instance_stopped"), ("running", "instance_started")] * 3:
                told = len(bus.events(event=event, instance_id="mt5-1"))
                bus.client.hset("instance:mt5-1", "state", state)
                wait_until(lambda: bus.members(state) == {"mt5-1"}, f"it to be followed to {state}")
                assert len(bus.events(event=event, instance_id="mt5-1")) == told + 1
    bus.settle()


def test_a_record_that_was_in_the_way_for_a_while_gives_the_instance_back(daemon, bus):
    daemon({"instances.reconcile_interval_ms": 100})
    bus.register("mt5-1", broker_id="broker-7", host_id="h", load_average="0.5")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    before, seq = bus.instance("mt5-1"), int(bus.events(instance_id="mt5-1")[-1]["seq"])
    bus.client.set("instance:mt5-1", "foreign")
    since_ms, sent = bus.now_ms(), 0
    while bus.now_ms() < since_ms + 1500:
        bus.report("mt5-1", state="running", cpu_usage="99")
        bus.settle()
        sent += 1
    assert len(bus.rejected(REPORTS)) == sent
    bus.client.delete("instance:mt5-1")

    def is_back():
        told = bus.instance("mt5-1")
        return all(told.get(name) == before[name] for name in ("broker_id", "host_id", "state", "launch_mode"))

    wait_until(is_back, "the instance to be back")
    assert bus.members("crashed") == {"mt5-1"} and bus.members("running") == set()
    bus.report("mt5-1", state="running", cpu_usage="7")
    bus.settle()
    assert len(bus.rejected(REPORTS)) == sent
    assert (bus.state("mt5-1"), bus.metrics("mt5-1")["cpu_usage"]) == ("running", "7")
    assert [event["seq"] for event in bus.events(instance_id="mt5-1", to="running")][-1] == str(seq + 1)


def test_a_hash_that_expired_is_written_back_whole(daemon, bus):
    daemon(NEVER)
    bus.register("mt5-1", host_id="h", active_connections="3")
    before = bus.instance("mt5-1")
    assert bus.client.pexpire("instance:mt5-1", 500)   # long after it was looked at for this
    wait_until(lambda: bus.client.pttl("instance:mt5-1") == -1 and bus.instance("mt5-1") == before, "it to be back")
    assert bus.members("running") == {"mt5-1"}
    assert [event[0] for event in bus.transitions("mt5-1")] == ["instance_registered", "instance_started"]


def test_a_hash_that_others_write_again_as_it_is_is_a_heartbeat(daemon, bus):
    daemon({**NEVER, "instances.heartbeat_timeout_ms": 1000})
    bus.register("mt5-1", cpu_usage="5")
    bus.register("mt5-2", cpu_usage="5")

    def silent_one_has_crashed():
        bus.client.hset("instance_metrics:mt5-1", "cpu_usage", "5")
        return bus.state("mt5-2") == "crashed"

    wait_until(silent_one_has_crashed, "mt5-2 to be crashed")
    assert bus.state("mt5-1") == "running"


# ---- signals and totals ----

def test_signals_with_results_behind_a_full_table_of_unanswered_ones(daemon, bus):
    """Their results come first, as no signal is read while the table is full: none may be given up."""
    one = daemon({**SLOW, "signals.max_tracked": 10})
    bus.many(SIGNALS, [{"signal_id": f"silent-{i}", "action": "sell"} for i in range(10)])
    bus.settle()
    bus.many(SIGNALS, [{"signal_id": f"s{i}", "action": "buy"} for i in range(100)])
    bus.many(RESULTS, [{"result_id": f"r{i}", "signal_id": f"s{i}", "status": "executed"} for i in range(100)])
    bus.wait_total("processed:buy", 100)
    bus.settle(RESULTS)
    assert bus.totals() == {"received:sell": 10, "received:buy": 100, "processed:buy": 100, "result:executed": 100}
    assert one.metrics().total("mt5stated_results_unmatched_total", reason="unknown") == 0
    assert bus.dropped() == []


def test_a_signal_whose_id_is_ahead_of_the_clock_is_open_over_a_restart(daemon, redis_server, bus):
    """The journal was trimmed by that ID: its line was gone while it was open, and among those that had ended and were
    left in the stream a start took it for one of them, and booked it as lost."""
    redis_server.config_set(stream_node_max_entries=1)  # else some that may be trimmed stay
    one = daemon({**SLOW, "signals.dedup_ms": 20, "observe_only": True})
    began_ms = bus.now_ms()
    bus.signal("ahead", entry=f"{began_ms + 3600000}-0")
    bus.settle()
    for i in itertools.count():
        bus.signal(f"s{i}")
        bus.result(f"r{i}", f"s{i}")
        bus.settle()
        if bus.now_ms() > began_ms + 2500:  # it is trimmed once a second, and a second is kept
            break
    done = i + 1
    one.stop()
    one.write_config(observe_only=False)
    one.start()
    assert one.metrics().value("mt5stated_signals_open") == 1
    assert bus.totals() == {"received:buy": done + 1, "processed:buy": done, "result:executed": done}
    bus.result("r-ahead", "ahead")
    bus.settle()
    assert bus.totals() == {"received:buy": done + 1, "processed:buy": done + 1, "result:executed": done + 1}
    assert bus.client.xlen(SIGNALS) == 0


def test_totals_deleted_under_traffic_come_back_whole(daemon, redis_server, bus):
    one = daemon({**SLOW, "instances.reconcile_interval_ms": 50})
    bus.signal("quiet", action="sell")
    bus.result("r-quiet", "quiet", status="rejected")
    bus.settle()
    quiet = {"received:sell": 1, "failed:sell": 1, "result:rejected": 1}
    assert bus.totals() == quiet
    with redis_server.client() as producer:
        def trade(i):
            producer.xadd(SIGNALS, {"signal_id": f"s{i}", "action": "buy"})
            producer.xadd(RESULTS, {"result_id": f"r{i}", "signal_id": f"s{i}", "status": "executed"})

        with going_on(trade) as count:
            for _ in range(3):
                before = bus.totals()
                bus.client.delete("mt5stated:totals")
                wait_until(lambda: all(bus.total(name) >= value for name, value in before.items()),
                           "the totals to be back")
                done = count()
                wait_until(lambda: count() > done + 20, "the traffic to go on")
        sent = count()
    bus.settle()
    wanted = {**quiet, "received:buy": sent, "processed:buy": sent, "result:executed": sent}
    assert bus.totals() == wanted
    one.restart()
    bus.settle()
    assert bus.totals() == wanted


def test_a_total_that_others_set_is_put_back(daemon, bus):
    one = daemon({**SLOW, "instances.reconcile_interval_ms": 50})
    bus.signal("s1")
    bus.result("r1", "s1")
    bus.settle()
    before = bus.totals()
    bus.client.hset("mt5stated:totals", "received:buy", 5)
    wait_until(lambda: bus.totals() == before, "the total to be back")
    wait_until(lambda: one.log_lines(level="warning", key="mt5stated:totals"), "the warning")


# ---- trades ----

def test_many_trades_that_expired_at_once_leave_their_set_in_one_pass(daemon, bus):
    """More than one sweep takes."""
    one = daemon({"trades.closed_ttl_s": 1, **NEVER})
    bus.many(TRADES, [{"trade_id": f"t{i}", "state": "closed"} for i in range(3000)])
    bus.settle()
    assert bus.client.scard("trade:state:closed") == 3000
    wait_until(lambda: bus.client.zcount("mt5stated:trade_expiry", "-inf", bus.now_ms() // 1000 - 1) == 3000,
               "all to be due")
    one.stop()
    one.write_config(instances__reconcile_interval_ms=500)
    bus.client.config_resetstat()
    one.start()
    wait_until(lambda: bus.client.scard("trade:state:closed") == 0, "the set to be empty")
    # The start asks for the newest trades, and each pass reads the load index once.
    assert bus.client.info("commandstats")["cmdstat_zrange"]["calls"] <= 3
    assert bus.client.zcard("mt5stated:trade_expiry") == 0


# ---- rights that are missing ----

@pytest.mark.redis(users=[USER])
def test_the_lag_is_told_while_reading_is_forbidden(limited, redis_server, bus):
    one = limited({"redis.info_interval_ms": 20})
    bus.register("mt5-1")

    def lag():
        return one.metrics().value("mt5stated_stream_lag", stream=REPORTS)

    wait_until(lambda: lag() == 0, "no lag at first")
    redis_server.set_user("mt5", "-xread")
    # A read that was under way already is still answered.
    bus.report("mt5-1", cpu_usage="1")
    wait_until(lambda: one.log_lines(msg="cannot read the streams"), "reading to be refused")
    before = bus.client.xlen(REPORTS)
    bus.many(REPORTS, [{"instance_id": "mt5-1", "cpu_usage": str(i)} for i in range(50)])
    wait_until(lambda: lag() >= 50, "the lag to be told")
    assert lag() <= before + 50
    redis_server.set_user("mt5", "+@all")
    bus.settle()
    wait_until(lambda: lag() == 0, "the lag to be gone")


@pytest.mark.redis(users=[USER])
def test_a_foreign_value_that_may_not_be_moved_aside_is_waited_out_calmly(limited, redis_server, bus):
    one = limited({"instances.reconcile_interval_ms": 50})
    bus.register("mt5-1")
    redis_server.set_user("mt5", "-rename")
    bus.client.set("instance:state:running", "foreign")
    bus.report("mt5-2", broker_id="b", state="running")
    wait_until(lambda: one.ready_word() == "read_only", "it to be not ready")
    rss = rss_bytes(one.pid)
    assert cpu_share(one.pid) < CALM
    assert rss_bytes(one.pid) < rss + (8 << 20)
    assert one.ready_word() == "read_only"
    assert len(one.log_lines(level="error")) <= 3
    redis_server.set_user("mt5", "+@all")
    one.wait_ready()
    bus.settle()
    wait_until(lambda: bus.client.type("instance:state:running") == "set" and
               bus.members("running") == {"mt5-1", "mt5-2"}, "the set to be back")
    assert bus.client.get("mt5stated:displaced:instance:state:running") == "foreign"


@pytest.mark.redis(users=[USER])
def test_trades_that_may_not_be_looked_up_are_waited_for_calmly(limited, redis_server, bus):
    one = limited({"ha.lease_ms": 3600000})   # renewing the lease takes the same right
    bus.register("mt5-1")
    redis_server.set_user("mt5", "-hmget")
    bus.many(TRADES, [{"trade_id": f"t{i}", "state": "pending"} for i in range(200)])
    wait_until(lambda: one.log_lines(msg="cannot look up a trade"), "the look-up to be refused")
    assert cpu_share(one.pid) < CALM
    assert bus.trades_in("pending") == set()
    redis_server.set_user("mt5", "+@all")
    bus.settle()
    assert len(bus.trades_in("pending")) == 200


# ---- the process ----

def test_started_without_standard_streams(redis_server, folder, bus):
    config = {**default_config(folder, redis_server), **SLOW}
    path = folder / "config.json"
    path.write_text(json.dumps(nest(config)))
    found = folder / "sanitizer"
    env = {name: f"{options}:log_path={found}" for name, options in SANITIZER_ENV.items()}
    argv = ["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', binary("MT5STATED", "mt5stated"), "-c", path]
    child = subprocess.Popen(argv, env={**os.environ, **env})
    try:
        bus.register("mt5-1")
        bus.report("mt5-1", state="crashed")   # which is worth a line
        bus.report("mt5-1", state="running")
        for i in range(20):
            bus.signal(f"s{i}")
            bus.result(f"r{i}", f"s{i}")
        bus.add(SIGNALS, {"x": "y"})
        bus.settle()
        assert bus.totals() == {"received:buy": 20, "processed:buy": 20, "result:executed": 20}
        assert mt5_http.request(config["http.listen"], "/-/ready").status == 200
        assert {os.readlink(f"/proc/{child.pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
        assert list(folder.glob("sanitizer*")) == []
    finally:
        child.kill()
        child.wait()


def test_each_change_of_readiness_is_one_line(daemon, redis_server, bus):
    one = daemon(SLOW)
    wait_until(lambda: one.log_lines(msg="ready"), "the first line")
    lines = {"ready": len(one.log_lines(msg="ready")), "not ready": len(one.log_lines(msg="not ready"))}
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    for _ in range(2):
        one.pause()
        bus.report("mt5-1", state="running")
        redis_server.config_set(maxmemory=1)
        one.resume()
        wait_until(lambda: one.ready_word() == "read_only", "it to be not ready")
        lines["not ready"] += 1
        wait_until(lambda: len(one.log_lines(msg="not ready")) == lines["not ready"], "it to say so")
        assert one.log_lines(msg="not ready", why="read_only", error="oom")
        redis_server.config_set(maxmemory=0)
        one.wait_ready()
        lines["ready"] += 1
        wait_until(lambda: len(one.log_lines(msg="ready")) == lines["ready"], "it to say so")
    one.stop()
    assert len(one.log_lines(msg="ready")) == lines["ready"]
    assert len(one.log_lines(msg="not ready", why="read_only")) == 2


def test_a_shorter_reconcile_interval_counts_at_once_after_a_reload(daemon, bus):
    one = daemon({"instances.reconcile_interval_ms": 3600000})
    bus.register("mt5-1")
    one.write_config(instances__reconcile_interval_ms=50)
    one.reload()
    wait_until(lambda: "configuration reloaded" in one.log(), "the reload")
    bus.client.sadd("instance:state:stopped", "mt5-1")
    wait_until(lambda: not bus.members("stopped"), "the repair")


def test_sets_of_trades_are_mended_without_those_whose_time_is_over(daemon, bus):
    """Nobody would take them out again: what told when they expire is gone."""
    daemon({"trades.closed_ttl_s": 1, "instances.reconcile_interval_ms": 100})
    bus.trade("over", instance_id="mt5-1", state="closed")
    bus.trade("open", instance_id="mt5-1", state="pending")
    bus.settle()
    wait_until(lambda: not bus.client.exists("trade:over") and not bus.client.scard("trade:state:closed"),
               "the trade that has expired to leave its set")
    bus.client.delete("trade:state:pending")
    bus.client.set("trade:state:pending", "foreign")
    bus.trade("open", instance_id="mt5-1", state="executing")
    bus.trade("another", instance_id="mt5-1", state="pending")
    wait_until(lambda: bus.client.type("trade:state:pending") == "set", "the set to be mended")
    bus.settle()
    assert bus.trades_in("closed") == set()
    assert bus.trades_in("pending") == {"another"} and bus.trades_in("executing") == {"open"}
