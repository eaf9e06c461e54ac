"""Starting, stopping, reloading, and what /-/healthy and /-/ready say meanwhile (SPEC 1.1, 2, 8.1)."""

import json
import signal
import socket

import pytest

from mt5.wait import wait_until

SIGNALS, RESULTS, REPORTS = "trade_signals", "trade_results", "instance_reports"


# ---- stopping ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(daemon, bus, number):
    one = daemon()
    bus.register("mt5-1")
    one.send(number)
    assert one.wait_exit() == 0
    assert one.log_lines(msg="stopped")
    assert not bus.client.exists("mt5stated:leader")


def test_a_stop_in_the_middle_of_work_finishes_what_it_took(daemon, bus):
    one = daemon({"results.max_len": 10})
    for round_ in range(5):
        bus.many(SIGNALS, [{"signal_id": f"s{round_}-{i}", "action": "buy"} for i in range(2000)])
        bus.many(RESULTS, [{"result_id": f"r{round_}-{i}", "signal_id": f"s{round_}-{i}", "status": "executed"}
                           for i in range(2000)])
        one.stop()
        one.start()
    bus.settle()
    assert bus.totals() == {"received:buy": 10000, "processed:buy": 10000, "result:executed": 10000}


@pytest.mark.no_invariants(reason="the server is stopped at the end")
def test_it_stops_while_redis_hangs(daemon, redis_server, bus):
    one = daemon()
    redis_server.pause()
    bus_is_stuck = one.get("/-/healthy").status
    assert bus_is_stuck == 200
    one.send(signal.SIGTERM)
    assert one.wait_exit() == 0
    redis_server.resume()


@pytest.mark.no_invariants(reason="there is no Redis")
def test_it_stops_while_redis_is_away(daemon, redis_server):
    redis_server.stop()
    one = daemon(ready=False)
    one.wait_serving()
    one.stop()


def test_it_stops_with_http_connections_open(daemon):
    one = daemon(tcp=True)
    host, _, port = one.listen.rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(5)]
    idle[0].sendall(b"GET /metrics HTT")
    idle[1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    one.stop()
    for connection in idle:
        connection.close()


# ---- starting ----

def test_redis_may_be_away_at_the_start(daemon, redis_server, bus):
    redis_server.stop()
    one = daemon(ready=False)
    one.wait_serving()
    assert one.ready_word() == "connecting"
    assert one.get("/-/ready").status == 503
    assert one.get("/-/healthy").status == 200
    wait_until(lambda: one.log_lines(level="error", msg="cannot connect to redis"), "it to say so")
    redis_server.start()
    one.wait_ready()
    bus.register("mt5-1")
    assert bus.state("mt5-1") == "running"


def test_a_missing_redis_is_said_in_few_lines(daemon, redis_server):
    redis_server.stop()
    one = daemon({"redis.reconnect_min_ms": 1, "redis.reconnect_max_ms": 2}, ready=False)
    errors = lambda: one.metrics().total("redis_tss_connection_errors_total")
    one.wait_serving()
    wait_until(lambda: errors() > 50, "many attempts")
    assert len(one.log_lines(level="error")) <= 3
    redis_server.start()


def test_after_a_start_a_signal_has_the_addressee_that_it_had(daemon, bus):
    """Regression: the journal is read side by side with the instances, and whom it named was not known yet."""
    one = daemon({"signals.ttl_ms": 3600000})
    bus.register("mt5-1")
    bus.signal("s1", instance_id="mt5-1")
    bus.settle()
    one.restart()
    [signal_] = json.loads(one.get("/api/v1/signals").text)["signals"]
    assert signal_["instance_id"] == "mt5-1"


# ---- reloading ----

def reload_result(one):
    metrics = one.metrics()
    return (metrics.value("mt5stated_config_last_reload_successful"),
            metrics.value("mt5stated_config_last_reload_success_timestamp_seconds"))


def reloaded(one):
    return len(one.log_lines(msg="configuration reloaded"))


def refused(one):
    return one.log_lines(level="error", msg="configuration not reloaded; the old one stays")


def test_a_reload_takes_effect(daemon, bus):
    one = daemon({"signals.ttl_ms": 3600000, "instances.max": 1})
    assert reload_result(one)[0] == 1
    bus.signal("s1")
    bus.register("mt5-1")
    one.write_config(signals__ttl_ms=50, instances__max=2)
    one.reload()
    bus.wait_total("dropped:buy", 1)
    assert reloaded(one) == 1
    bus.register("mt5-2")
    assert bus.members("running") == {"mt5-1", "mt5-2"}


def test_a_reload_of_a_broken_file_leaves_the_old_one(daemon, bus):
    one = daemon({"instances.max": 1})
    bus.register("mt5-1")
    at = reload_result(one)[1]
    one.config_file.write_text('{"instances": {"max": 5},')
    one.reload()
    wait_until(lambda: refused(one), "it to say so")
    assert reload_result(one) == (0, at)
    one.write_config(instances__max=5, signals__ttl_ms=-1)
    one.reload()
    wait_until(lambda: len(one.log_lines(level="error", key="signals.ttl_ms")) == 1, "the key to be named")
    bus.register("mt5-2")
    assert bus.members("running") == {"mt5-1"}
    # And it heals.
    one.write_config(signals__ttl_ms=30000)
    one.reload()
    wait_until(lambda: reloaded(one), "the reload")
    assert reload_result(one)[0] == 1
    bus.register("mt5-2")
    assert bus.members("running") == {"mt5-1", "mt5-2"}


@pytest.mark.parametrize("key, value", [
    ("redis.url", "redis://127.0.0.1:1/0"), ("streams.signals", "other"), ("streams.group", "other"),
    ("http.listen", "127.0.0.1:1"), ("ha.lease_ms", 5000), ("redis.password_file", "/nowhere")])
def test_a_reload_that_changes_a_frozen_key_is_refused_whole(daemon, bus, key, value):
    one = daemon({"instances.max": 1})
    bus.register("mt5-1")
    before = dict(one.config)
    one.write_config(**{key: value, "instances.max": 5})
    one.config = before
    one.reload()
    wait_until(lambda: refused(one), "it to say so")
    assert len(one.log_lines(level="error", key=key)) == 1
    assert reload_result(one)[0] == 0
    bus.register("mt5-2")
    assert bus.members("running") == {"mt5-1"}


def test_set_on_the_command_line_wins_over_a_reload(daemon, bus):
    one = daemon({"instances.max": 5}, args=["--set", "instances.max=1"])
    one.write_config(instances__max=7)
    one.reload()
    wait_until(lambda: reloaded(one), "the reload")
    bus.register("mt5-1")
    bus.register("mt5-2")
    assert bus.members("running") == {"mt5-1"}


def test_many_reloads_under_load_lose_nothing(daemon, bus):
    one = daemon({"signals.ttl_ms": 3600000})
    for i in range(10):
        bus.many(SIGNALS, [{"signal_id": f"s{i}-{k}", "action": "buy"} for k in range(300)])
        bus.many(RESULTS, [{"result_id": f"r{i}-{k}", "signal_id": f"s{i}-{k}", "status": "executed"}
                           for k in range(300)])
        one.write_config(streams__batch=1 + 37 * i, results__max_len=10 + 100 * (i % 3))
        one.reload()
        wait_until(lambda: reloaded(one) > i, "the reload")
    bus.settle()
    assert bus.totals() == {"received:buy": 3000, "processed:buy": 3000, "result:executed": 3000}


# ---- looking ----

def test_a_summary_is_logged_on_demand(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    bus.signal("s1")
    bus.signal("s2")
    bus.result("r1", "s1")
    bus.add(REPORTS, {"x": "y"})
    bus.settle()
    one.send(signal.SIGUSR1)
    [line] = wait_until(lambda: one.log_lines(msg="summary"), "the summary")
    for word in ("ready=yes", "instances=1", "running=1", "received=2", "processed=1", "open=1", "rejected=1"):
        assert f" {word} " in line + " "


def test_ready_and_healthy_answer_a_word(daemon):
    one = daemon()
    for path, text in (("/-/healthy", "ok"), ("/-/ready", "ready")):
        answer = one.get(path)
        assert (answer.status, answer.text.strip()) == (200, text)
