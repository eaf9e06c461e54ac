"""Layers that have a Redis of their own (redis.layers): each has its keys and its account, and one that is away
does not stop the others."""

import contextlib
import json
import pathlib
import random
import re

import pytest

from mt5.invariants import RESULTS, SIGNALS, TRADES
from mt5.layers import LAYERS, Layers
from mt5.wait import wait_a_moment, wait_until

FOUR = ("ris", "rts", "rtss", "rtrs")
TWO = ("ris rts", "rtss rtrs")
CONFIG = {"ha.lease_ms": 600, "redis.reconnect_max_ms": 100, "redis.command_timeout_ms": 500, "guard.hold_ms": 50,
          "instances.heartbeat_timeout_ms": 0, "redis.info_interval_ms": 100}
PATIENT = {**CONFIG, "signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000}
# What is on which server, by the beginnings of the keys.
OWN = ("mt5stated:leader", "mt5stated:meta", "mt5stated:totals")
KEYS = {
    "ris": ("instance", "mt5stated:seq", "mt5stated:watch", "mt5stated:alerts", "mt5stated:notices"),
    "rts": ("trade:", "trade_updates", "mt5stated:trade_expiry"),
    "rtss": ("trade_signals", "mt5stated:journal", "mt5stated:far_events"),
    "rtrs": ("trade_results",),
}


@pytest.fixture
def layers(request, folder, redis_server, logs):
    marker = request.node.get_closest_marker("redis")
    users = marker.kwargs.get("users", ()) if marker else ()
    made = Layers(folder, redis_server, getattr(request, "param", FOUR), users)
    logs.extend(made.logs())
    yield made
    made.stop()


def work(layers, name, count=20):
    """Signals that are all processed, and a trade and an instance that changes its state."""
    layers.rtss.many(SIGNALS, [{"signal_id": f"s-{name}-{i}", "action": "buy", "instance_id": "mt5-1"}
                               for i in range(count)])
    layers.rtrs.many(RESULTS, [{"result_id": f"r-{name}-{i}", "signal_id": f"s-{name}-{i}", "status": "executed"}
                               for i in range(count)])
    layers.rts.trade(f"t-{name}", instance_id="mt5-1", state="executing")
    layers.ris.report("mt5-1", broker_id="b", state="running")


def assert_keys(layers):
    for server in {id(server): server for server in layers.servers.values()}.values():
        served = [layer for layer in LAYERS if layers.servers[layer] is server]
        allowed = OWN + sum((KEYS[layer] for layer in served), ())
        with server.client() as client:
            strange = [key for key in client.scan_iter() if not key.startswith(allowed)]
        assert not strange, f"{served}: {strange}"


@pytest.mark.parametrize("layers", [FOUR, TWO], indirect=True)
def test_each_layer_has_its_keys_and_its_account(layers, daemon):
    one = daemon({**CONFIG, **layers.config, "signals.ttl_ms": 300, "signals.execution_ttl_ms": 300})
    work(layers, "1")
    layers.rtss.signal("s-dropped", instance_id="mt5-1")
    layers.rtss.signal("bad id")
    layers.rtrs.result("r-unknown", "nobody", status="failed")
    layers.rtrs.add(RESULTS, {"result_id": "r-bad"})
    layers.rts.trade("t-bad", state="nonsense")
    layers.settle()
    layers.ris.wait_event(event="signal_dropped", signal_id="s-dropped", instance_id="mt5-1")
    assert layers.totals() == {"received:buy": 21, "processed:buy": 20, "dropped:buy": 1,
                               "result:executed": 20, "result:failed": 1}
    layers.assert_balance()
    assert layers.rtss.client.xlen(SIGNALS) == 0
    assert [entry["signal_id"] for entry in layers.rtss.dropped()] == ["s-dropped"]
    assert len(layers.rtss.rejected(SIGNALS)) == len(layers.rtrs.rejected(RESULTS)) == 1
    assert len(layers.rts.rejected(TRADES)) == 1
    assert layers.rts.trades_in("executing") == {"t-1"}
    assert layers.ris.members("running") == {"mt5-1"}
    assert json.loads(one.get("/api/v1/instances/mt5-1").text)["open_trades"] == 1
    assert_keys(layers)
    metrics = one.metrics()
    assert metrics.total("mt5stated_signals_processed_total") == 20
    assert metrics.total("mt5stated_results_total") == 21
    names = {labels["instance_id"] for labels, _ in metrics.series("used_memory")}
    assert len(names) == len({id(server) for server in layers.servers.values()})


@pytest.mark.redis(users=["user default off", "user mt5stated on nopass ~* &* +@all"])
@pytest.mark.parametrize("layers", [("ris rts", "rtss", "rtrs")], indirect=True)
def test_the_configuration_that_comes_with_it(layers, daemon):
    text = (pathlib.Path(__file__).parents[2] / "config/redis/mt5stated-layers.json").read_text()
    for layer, host in [("ris", "10.0.0.1"), ("rtss", "10.0.0.2"), ("rtrs", "10.0.0.3")]:
        text = text.replace(f"redis://{host}:6379/0", layers.servers[layer].url)
    shipped = json.loads(re.sub(r"^//.*$", "", text, flags=re.MULTILINE))["redis"]
    one = daemon({f"redis.{key}": value for key, value in shipped.items()})
    work(layers, "1")
    layers.settle()
    assert_keys(layers)
    assert {labels["instance_id"] for labels, _ in one.metrics().series("used_memory")} == \
        {"state", "signals", "results"}
    assert [(row["layers"], row["instance_id"]) for row in json.loads(one.get("/api/v1/status").text)["layers"]] == \
        [("ris,rts", "state"), ("rtss", "signals"), ("rtrs", "results")]


def test_a_reload_takes_what_may_change_and_refuses_the_rest(layers, daemon):
    one = daemon({**CONFIG, **layers.config})
    one.write_config(**{"redis__layers__rts__info_interval_ms": 50})
    one.reload()
    wait_until(lambda: one.log_lines(msg="configuration reloaded", changed="redis.layers"), "the reload")
    one.write_config(**{"redis__layers__rts__url": "unix:///nowhere.sock"})
    one.reload()
    wait_until(lambda: one.log_lines(msg="configuration not reloaded; the old one stays", key="redis.layers"),
               "the refusal")
    work(layers, "1")
    layers.settle()


def test_a_rule_about_trades_of_another_server(layers, daemon):
    rule = {"metric": "open_trades", "op": ">", "threshold": 1, "severity": "warning", "actions": ["notify"]}
    daemon({**CONFIG, **layers.config, "rules": {"ManyTrades": rule}})
    layers.ris.register("mt5-1")
    layers.rts.trade("t1", instance_id="mt5-1", state="executing")
    layers.rts.trade("t2", instance_id="mt5-1", state="executing")
    layers.ris.wait_event(event="alert_firing", alert="ManyTrades", instance_id="mt5-1", value="2")
    layers.rts.trade("t2", state="closed")
    layers.ris.wait_event(event="alert_resolved", alert="ManyTrades", instance_id="mt5-1")


def test_a_restart_goes_on_where_it_was_on_each_server(layers, daemon):
    one = daemon({**PATIENT, **layers.config})
    work(layers, "1")
    layers.rtss.many(SIGNALS, [{"signal_id": f"open-{i}", "action": "buy"} for i in range(5)])
    layers.rtrs.result("r-early", "comes-later")
    layers.settle()
    one.restart()
    layers.rtss.signal("comes-later")
    layers.rtrs.result("r-open", "open-0", status="rejected")
    work(layers, "2")
    layers.settle()
    assert layers.totals() == {"received:buy": 46, "processed:buy": 41, "failed:buy": 1,
                               "result:executed": 41, "result:rejected": 1}
    layers.assert_balance()


@pytest.mark.parametrize("layers", [FOUR, TWO], indirect=True)
def test_a_daemon_killed_again_and_again_counts_exactly_on_each_server(layers, daemon):
    rng = random.Random(7)
    one = daemon({**PATIENT, **layers.config, "results.max_len": 50, "streams.batch": 10})
    for turn in range(6):
        for part in range(3):
            work(layers, f"{turn}-{part}", count=100)
        wait_a_moment(rng, 0.1)
        one.kill9()
        one.start(ready=False)
    one.wait_ready()
    layers.settle()
    assert layers.totals() == {"received:buy": 1800, "processed:buy": 1800, "result:executed": 1800}
    layers.assert_balance()
    wait_until(lambda: layers.rtrs.client.xlen(RESULTS) == 50, "results to be trimmed")
    assert layers.rtss.client.xlen(SIGNALS) == 0


def told(layers):
    return sorted(event["signal_id"] for event in layers.events(event="signal_dropped"))


def test_events_of_signals_are_written_once_over_crashes(layers, daemon):
    rng = random.Random(11)
    one = daemon({**CONFIG, **layers.config, "signals.ttl_ms": 100, "signals.execution_ttl_ms": 100,
                  "streams.consumer": "same"})
    layers.ris.register("mt5-1")
    for turn in range(8):
        layers.rtss.many(SIGNALS, [{"signal_id": f"s-{turn}-{i:03}", "action": "buy", "instance_id": "mt5-1"}
                                   for i in range(100)])
        wait_a_moment(rng, 0.4)
        one.kill9()
        one.start(ready=False)
    one.wait_ready()
    layers.rtss.wait_total("dropped:buy", 800)
    wait_until(lambda: len(told(layers)) >= 800, "the events")
    assert told(layers) == [f"s-{turn}-{i:03}" for turn in range(8) for i in range(100)]
    wait_until(lambda: layers.rtss.client.hlen("mt5stated:far_events") == 0, "nothing to be kept any more")


def test_events_of_signals_wait_for_the_server_of_the_instances(layers, daemon):
    one = daemon({**CONFIG, **layers.config, "signals.ttl_ms": 100, "signals.execution_ttl_ms": 100})
    layers.ris.register("mt5-1")
    with away(layers.servers["ris"], "frozen"):
        wait_until(lambda: not one.is_ready(), "it to notice")
        layers.rtss.signal("s1", instance_id="mt5-1")
        layers.rtss.wait_total("dropped:buy", 1)
        one.kill9()
        one.start(ready=False)
        layers.rtss.signal("s2", instance_id="mt5-1")
        layers.rtss.wait_total("dropped:buy", 2)
        assert layers.rtss.client.hlen("mt5stated:far_events") == 2
    one.wait_ready()
    wait_until(lambda: told(layers) == ["s1", "s2"], "the events")
    assert [event.get("instance_id") for event in layers.events(event="signal_dropped")][0] == "mt5-1"
    wait_until(lambda: layers.rtss.client.hlen("mt5stated:far_events") == 0, "nothing to be kept any more")


def others_work(layers, away, name):
    """What does not need the layer that is AWAY goes on."""
    if away != "ris":
        state = "stopped" if layers.ris.state("mt5-1") == "running" else "running"
        layers.ris.report("mt5-1", broker_id="b", state=state)
        layers.ris.wait_state("mt5-1", state)
    if away != "rts":
        layers.rts.trade(f"t-{name}", state="executing")
        layers.settle("rts")
        assert f"t-{name}" in layers.rts.trades_in("executing")
    if away != "rtss":
        layers.rtss.signal(f"s-{name}")
        layers.settle("rtss")
    if away != "rtrs":
        layers.rtrs.result(f"r-{name}", f"s-{name}")
        layers.settle("rtrs")
    if away not in ("rtss", "rtrs"):
        wait_until(lambda: layers.rtss.client.xlen(SIGNALS) == 0, "the signal to end")


@contextlib.contextmanager
def away(server, how):
    if how == "frozen":
        server.pause()
        yield
        server.resume()
    else:
        server.kill9()
        yield
        server.start()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("how", ["frozen", "killed"])
@pytest.mark.redis(aof=True)
def test_a_layer_that_is_away_is_named_and_stops_no_other(layers, daemon, layer, how):
    one = daemon({**PATIENT, **layers.config})
    work(layers, "1")
    layers.settle()
    with away(layers.servers[layer], how):
        wait_until(lambda: not one.is_ready(), "it to notice")
        assert layer in one.ready_word().split()
        status = json.loads(one.get("/api/v1/status").text)
        assert (status["ready"], status["unready_layers"]) == (False, layer)
        assert {row["layers"]: row["unready"] for row in status["layers"]} == \
            {name: status["unready"] if name == layer else None for name in LAYERS}
        for i in range(3):
            others_work(layers, layer, f"away-{i}")
        assert one.get("/-/ready").status == 503
    one.wait_ready()
    if layer == "rtss":
        for i in range(3):
            layers.rtss.signal(f"s-away-{i}")
    if layer == "rtrs":
        for i in range(3):
            layers.rtrs.result(f"r-away-{i}", f"s-away-{i}")
    layers.settle()
    assert layers.totals() == {"received:buy": 23, "processed:buy": 23, "result:executed": 23}
    layers.assert_balance()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_start_without_a_layer_serves_the_others(layers, daemon, layer):
    one = daemon({**PATIENT, **layers.config})
    work(layers, "1")
    layers.settle()
    one.kill9()
    with away(layers.servers[layer], "frozen"):
        one.start(ready=False)
        for i in range(2):
            others_work(layers, layer, f"away-{i}")
        assert layer in one.ready_word().split()
    one.wait_ready()
    for i in range(2 if layer == "rtss" else 0):
        layers.rtss.signal(f"s-away-{i}")
    for i in range(2 if layer == "rtrs" else 0):
        layers.rtrs.result(f"r-away-{i}", f"s-away-{i}")
    layers.settle()
    assert layers.totals() == {"received:buy": 22, "processed:buy": 22, "result:executed": 22}
    wait_until(lambda: json.loads(one.get("/api/v1/instances/mt5-1").text)["open_trades"] == 1, "the trade to tie")


def test_no_signal_is_late_while_nobody_knows_the_results(layers, daemon):
    daemon({**CONFIG, **layers.config, "signals.ttl_ms": 200, "signals.execution_ttl_ms": 200})
    with away(layers.servers["rtrs"], "frozen"):
        layers.rtss.signal("s1")
        layers.settle("rtss")
        layers.rtss.wait_age(SIGNALS, 600)
        assert layers.rtss.totals() == {"received:buy": 1}
    layers.rtss.wait_total("dropped:buy", 1)
    layers.assert_balance()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_that_lost_everything_gets_back_what_is_held(layers, daemon, layer):
    one = daemon({**PATIENT, **layers.config})
    work(layers, "1")
    layers.rtss.many(SIGNALS, [{"signal_id": f"open-{i}", "action": "buy"} for i in range(5)])
    layers.settle()
    layers.__getattr__(layer).client.flushall()
    wait_until(lambda: one.metrics().value("mt5stated_redis_rollbacks_total", kind="wiped") == 1, "it to notice")
    one.wait_ready()
    assert one.metrics().total("mt5stated_redis_rollbacks_total") == 1
    work(layers, "2")
    layers.settle()
    assert layers.totals() == {"received:buy": 45, "processed:buy": 40, "result:executed": 40}
    assert layers.ris.members("running") == {"mt5-1"}
    assert layers.rts.trades_in("executing") == {"t-1", "t-2"}


def test_who_has_the_instances_has_the_others_too(layers, daemon):
    one = daemon({**PATIENT, **layers.config})
    two = daemon({**PATIENT, **layers.config, "streams.consumer": "other"}, ready=False)
    wait_until(lambda: two.ready_word() == "standby", "it to stand by")
    work(layers, "1")
    layers.settle()
    one.kill9()
    two.wait_ready()
    work(layers, "2")
    layers.settle()
    one.start(ready=False)
    wait_until(lambda: one.ready_word() == "standby", "it to stand by")
    two.stop()
    one.wait_ready()
    work(layers, "3")
    layers.settle()
    assert layers.totals() == {"received:buy": 60, "processed:buy": 60, "result:executed": 60}


@pytest.mark.redis(aof=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_servers_and_daemons_killed_at_random_and_everything_is_counted_once(layers, daemon, seed):
    rng = random.Random(seed)
    one = daemon({**PATIENT, **layers.config, "ha.lease_ms": 300, "results.max_len": 5000})
    servers = [layers.servers[layer] for layer in LAYERS]
    layers.ris.register("mt5-1")
    for turn in range(10):
        work(layers, str(turn), count=100)
        wait_a_moment(rng, 0.1)
        if rng.random() < 0.4:
            one.kill9()
            one.start(ready=False)
        else:
            server = rng.choice(servers)
            server.kill9()
            wait_a_moment(rng, 0.3)
            server.start()
    one.wait_ready()
    layers.settle()
    assert layers.totals() == {"received:buy": 1000, "processed:buy": 1000, "result:executed": 1000}
    layers.assert_balance()
    assert layers.rts.trades_in("executing") == {f"t-{turn}" for turn in range(10)}
    assert one.metrics().total("mt5stated_redis_rollbacks_total") == 0
