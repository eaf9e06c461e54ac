"""Open signals, trades and the tap over HTTP (SPEC 8.1, 13)."""

import json
import os

import pytest

from mt5 import http as mt5_http
from mt5.sse import Stream, connect_deaf
from mt5.tokens import TOKENS
from mt5.wait import wait_until

SIGNALS, TAP = "/api/v1/signals", "/api/v1/tap"


def get(one, path, status=200):
    response = mt5_http.request(one.listen, path, timeout=20)
    assert response.status == status, response.text
    return json.loads(response.text)


def walk(one, limit):
    found, after = [], ""
    while True:
        answer = get(one, f"{SIGNALS}?limit={limit}{after}")
        found += answer["signals"]
        if "next" not in answer:
            return found
        assert len(answer["signals"]) == limit
        after = "&after=" + answer["next"]


# ---- signals ----

def test_open_signals_are_listed_oldest_first(daemon, bus):
    one = daemon({"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000})
    assert get(one, SIGNALS) == {"signals": []}
    bus.register("mt5-1")
    entries = bus.many("trade_signals", [{"signal_id": f"s{number:03d}", "action": "Buy" if number % 2 else "sell",
                                          **({"instance_id": "mt5-1"} if number % 3 == 0 else {})}
                                         for number in range(130)])
    bus.result("r1", "s000", "accepted")
    bus.result("r2", "s001", "executed")
    bus.settle()
    signals = walk(one, 1000)
    assert [signal["signal_id"] for signal in signals] == [f"s{n:03d}" for n in range(130) if n != 1]
    assert [signal["entry_id"] for signal in signals] == entries[:1] + entries[2:]
    assert signals[0] == {"signal_id": "s000", "action": "sell", "instance_id": "mt5-1", "entry_id": entries[0],
                          "accepted": True, "age_ms": signals[0]["age_ms"]}
    assert signals[1]["action"] == "sell" and signals[2]["action"] == "buy" and "instance_id" not in signals[1]
    assert not any(signal["accepted"] for signal in signals[1:])
    ages = [signal["age_ms"] for signal in signals]
    assert ages == sorted(ages, reverse=True) and ages[-1] >= 0

    def ids(found):
        return [signal["signal_id"] for signal in found]
    assert ids(walk(one, 7)) == ids(walk(one, 43)) == ids(walk(one, 129)) == ids(signals)
    assert len(get(one, SIGNALS)["signals"]) == 100


def test_pages_of_signals_hold_still(daemon, bus):
    """Also where the signal at which a page ended has ended, and from its entry alone."""
    one = daemon({"signals.ttl_ms": 3600000})
    entries = bus.many("trade_signals", [{"signal_id": f"s{number}", "action": "buy"} for number in range(20)])
    bus.settle()
    answer = get(one, f"{SIGNALS}?limit=5")
    assert answer["next"] == f"{entries[4]}:s4"
    bus.result("r1", "s4")
    bus.result("r2", "s7")
    bus.settle()
    for after in (answer["next"], entries[4]):
        found = get(one, f"{SIGNALS}?limit=3&after={after}")
        assert [signal["signal_id"] for signal in found["signals"]] == ["s5", "s6", "s8"]
    assert [signal["signal_id"] for signal in get(one, f"{SIGNALS}?after={entries[15]}")["signals"]] == [
        "s16", "s17", "s18", "s19"]
    # An id that is open, but under another entry.
    assert get(one, f"{SIGNALS}?limit=1&after={entries[9]}:s19")["signals"][0]["signal_id"] == "s10"
    assert get(one, f"{SIGNALS}?after={entries[19]}:s19") == {"signals": []}
    assert get(one, f"{SIGNALS}?after=18446744073709551615-18446744073709551615") == {"signals": []}
    one.restart()
    assert [signal["signal_id"] for signal in get(one, SIGNALS)["signals"]] == [
        f"s{number}" for number in range(20) if number not in (4, 7)]


@pytest.mark.parametrize("query, word", [
    ("after=x", "after"), ("after=1-0:", "after"), ("after=1-0:a%20b", "after"), ("after=:s1", "after"),
    ("after=1-0:" + "x" * 65, "after"), ("after=1-0:s1:s2", "after"), ("limit=0", "limit"), ("limit=9999", "limit"),
    ("since=1", "since"), ("limit=1&limit=2", "limit"),
])
def test_a_wrong_argument_is_named(daemon, query, word):
    assert word in get(daemon(), f"{SIGNALS}?{query}", 400)["detail"]


# ---- trades ----

def test_a_trade_is_shown_as_it_is_held(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    bus.trade("t1", instance_id="mt5-1", state="executing")
    bus.trade("t2", state="closed")
    bus.settle()
    shown = get(one, "/api/v1/trades/t1")
    assert shown == {"trade_id": "t1", "instance_id": "mt5-1", "state": "executing",
                     "last_updated_at": bus.stored_trade("t1")["last_updated_at"]}
    assert get(one, "/api/v1/trades/t2")["state"] == "closed"
    assert "instance_id" not in get(one, "/api/v1/trades/t2")
    bus.trade("t1", state="closed")
    bus.settle()
    assert get(one, "/api/v1/trades/t1")["state"] == "closed"
    assert "nowhere" in get(one, "/api/v1/trades/nowhere", 404)["detail"]
    for path in ("/api/v1/trades/", "/api/v1/trades", "/api/v1/trades/a%20b", "/api/v1/trades/" + "x" * 65,
                 "/api/v1/trades/t1/x", "/api/v1/trades/%00"):
        assert mt5_http.request(one.listen, path).status in (400, 404)
    assert mt5_http.request(one.listen, "/api/v1/trades/t1?x=1").status == 400


def shown_trades(one, numbers):
    """What is held of these, None for what is not."""
    answers = [mt5_http.request(one.listen, f"/api/v1/trades/t{number}") for number in numbers]
    assert {answer.status for answer in answers} <= {200, 404}
    return [json.loads(answer.text) if answer.status == 200 else None for answer in answers]


def make_trades(bus):
    """Of each state some, one of them with an instance and an update after its end."""
    bus.many("trade_updates", [{"trade_id": f"t{number}", "state": state} for number in range(40)
                               for state in ("pending", ("executing", "executed", "closed", "failed")[number % 4])])
    bus.trade("t2", instance_id="mt5-1", lot_size="1")
    bus.settle()


@pytest.mark.parametrize("kill", [False, True])
def test_trades_are_shown_after_a_restart_as_before(daemon, bus, kill):
    one = daemon()
    make_trades(bus)
    before = shown_trades(one, range(40))
    assert before[2]["instance_id"] == "mt5-1" and {trade["state"] for trade in before} == {
        "executing", "executed", "closed", "failed"}
    one.restart(kill=kill)
    assert shown_trades(one, range(40)) == before
    # It is still the same trade: nothing that has ended begins again.
    bus.trade("t2", state="executing")
    bus.settle()
    assert shown_trades(one, [2])[0]["state"] == "closed"


def test_who_takes_over_shows_the_trades_of_the_other(daemon, bus):
    one = daemon({"ha.lease_ms": 1000})
    two = daemon({"ha.lease_ms": 1000, "streams.consumer": "other"}, ready=False)
    wait_until(lambda: two.ready_word() == "standby", "it to stand by")
    make_trades(bus)
    before = shown_trades(one, range(40))
    one.pause()
    two.wait_ready()
    assert shown_trades(two, range(40)) == before
    bus.trade("t40", state="closed")
    bus.settle()
    one.resume()
    wait_until(lambda: one.ready_word() == "standby", "the first to see that it was replaced")
    two.stop()
    one.wait_ready()
    assert shown_trades(one, range(40)) == before
    assert shown_trades(one, [40])[0]["state"] == "closed"


def test_a_trade_that_expired_meanwhile_is_not_shown_after_a_restart(daemon, bus):
    one = daemon()
    make_trades(bus)
    before = shown_trades(one, range(40))
    one.stop()
    bus.client.pexpire("trade:t2", 1)
    wait_until(lambda: not bus.client.exists("trade:t2"), "it to expire")
    one.start()
    before[2] = None
    assert shown_trades(one, range(40)) == before


@pytest.mark.no_invariants(reason="a foreign value stays where a trade belongs")
def test_a_foreign_value_in_place_of_an_ended_trade_holds_up_no_start(daemon, bus):
    one = daemon()
    make_trades(bus)
    before = shown_trades(one, range(40))
    one.stop()
    for number in (2, 39):
        bus.client.delete(f"trade:t{number}")
        bus.client.set(f"trade:t{number}", "foreign")
        before[number] = None
    one.start()
    assert shown_trades(one, range(40)) == before


def test_of_the_trades_that_have_ended_the_newest_10000_are_shown_after_a_restart(daemon, bus):
    one = daemon()
    now_ms = bus.now_ms()
    for number in range(300):
        bus.add("trade_updates", {"trade_id": f"t{number}", "state": "closed"}, f"{now_ms - 9000}-{number + 1}")
    bus.add("trade_updates", {"trade_id": "t300", "state": "executed"}, f"{now_ms - 8000}-1")
    bus.many("trade_updates", [{"trade_id": f"t{number}", "state": "failed"} for number in range(301, 10300)])
    bus.trade("t7", lot_size="1")
    bus.settle()
    sample = [*range(0, 600), *range(10200, 10301)]
    before = shown_trades(one, sample)
    assert [number for number, trade in zip(sample, before) if not trade] == [
        *(number for number in range(300) if number != 7), 10300]
    one.restart()
    assert shown_trades(one, sample) == before
    assert len(one.log_lines(msg="state loaded", open_trades=1, ended_trades=10000)) == 1


@pytest.mark.no_invariants(reason="there is no Redis")
def test_nothing_is_shown_before_anything_is_known(daemon, redis_server, tokens):
    redis_server.stop()
    one = daemon({"http.tokens": tokens}, ready=False)
    one.wait_serving()
    for path in (SIGNALS, "/api/v1/trades/t1", "/api/v1/events", TAP):
        response = mt5_http.request(one.listen, path, headers={"Authorization": "Bearer " + TOKENS["admin"]})
        assert response.status == 503 and "connecting" in response.text


# ---- the tap ----

def tap(one, role="admin", query=""):
    return Stream(one.listen, TAP + query, {"Authorization": "Bearer " + TOKENS[role]})


def test_the_tap_needs_an_admin(daemon, tokens):
    one = daemon({"http.tokens": tokens})
    assert mt5_http.request(one.listen, TAP).status == 401
    for role in ("read", "report"):
        with tap(one, role) as client:
            assert client.status == 403, client.text
    with tap(one) as client:
        assert client.status == 200 and client.headers["Content-Type"] == "text/event-stream"
    response = mt5_http.request(one.listen, TAP + "?x=1", headers={"Authorization": "Bearer " + TOKENS["admin"]})
    assert response.status == 400
    response = mt5_http.request(one.listen, TAP, method="HEAD",
                                headers={"Authorization": "Bearer " + TOKENS["admin"]})
    assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream"


def test_without_tokens_the_tap_names_the_key(daemon):
    assert "http.tokens" in get(daemon(), TAP, 403)["detail"]


def test_the_tap_shows_what_is_read(daemon, bus, tokens):
    one = daemon({"http.tokens": tokens, "signals.ttl_ms": 3600000})
    bus.register("before")
    order = {"reports": 0, "signals": 1, "results": 2}
    with tap(one) as client, tap(one) as other:
        ids = [
            bus.report("mt5-1", broker_id="b1", state="Running", cpu_usage="12.50", unknown="x"),
            bus.report("mt5-1", cpu_usage="nonsense", last_error='a\n"b"\x00\u2028'),
            bus.add("instance_reports", {b"instance_id": b"mt5-1", b"last_error": b"\xff" + b"y" * 9000}),
            bus.signal("s1", action="BUY", lots="1"),
            bus.add("trade_signals", {"nothing": "of ours"}),
            bus.result("r1", "s1", slippage="0.10", order="9"),
        ]
        bus.trade("t1", state="pending")
        bus.settle()
        messages = sorted(client.wait(6), key=lambda message: order[message.event])    # as they are within a stream
        assert [message.event for message in messages] == ["reports"] * 3 + ["signals"] * 2 + ["results"]
        assert [message.data["id"] for message in messages] == ids
        assert all(message.data["stream"] == message.event and message.id is None for message in messages)
        assert messages[0].data["fields"] == {"instance_id": "mt5-1", "broker_id": "b1", "state": "Running",
                                              "cpu_usage": "12.50"}
        assert messages[1].data["fields"]["cpu_usage"] == "nonsense"
        assert messages[1].data["fields"]["last_error"] == 'a\n"b"\x00\u2028'
        assert messages[2].data["fields"]["last_error"] == "\ufffd" + "y" * 4095
        assert messages[3].data["fields"] == {"signal_id": "s1", "action": "BUY"}
        assert messages[4].data["fields"] == {}
        assert messages[5].data["fields"] == {"result_id": "r1", "signal_id": "s1", "status": "executed",
                                              "slippage": "0.10"}
        assert other.wait(6) and other.take() == client.take()
    bus.report("mt5-1", state="stopped")
    bus.settle()


def test_the_tap_misses_nothing_of_a_flood(daemon, bus, tokens):
    one = daemon({"http.tokens": tokens, "signals.ttl_ms": 3600000})
    with tap(one) as client:
        ids = []
        for start in range(0, 20000, 2000):
            ids += bus.many("trade_signals", [{"signal_id": f"s{start + i}", "action": "buy"} for i in range(2000)])
        assert [message.data["id"] for message in client.wait(20000)] == ids


def test_the_tap_tells_of_each_instance_once_and_ahead_of_its_reports(daemon, bus, tokens):
    """Far more than goes out at once, while all of them go on reporting."""
    one = daemon({"http.tokens": tokens, "instances.heartbeat_timeout_ms": 0})
    ids = [f"mt5-{number}" for number in range(1500)]
    bus.many("instance_reports", [{"instance_id": id, "broker_id": "b1", "state": "running", "last_error": "x" * 500} for id in ids])
    bus.settle()
    with tap(one, query="?state=1") as client, tap(one) as plain:
        for start in range(0, 1500, 100):
            bus.many("instance_reports", [{"instance_id": id, "cpu_usage": "5"} for id in reversed(ids[start:start + 100])])
        bus.register("new")
        messages = client.wait(3001)
        told = [message.data["fields"]["instance_id"] for message in messages if message.event == "state"]
        assert set(told) == set(ids) and all(message.event == "reports" for message in plain.wait(1501))
        known = set()
        for message in messages:
            known |= {message.data["fields"]["instance_id"]} if message.event == "state" else set()
            assert message.data["fields"]["instance_id"] in known | {"new"}
        state = next(message.data for message in messages if message.event == "state")
        assert state["fields"]["instance.broker_id"] == "b1" and state["fields"]["health.last_error"] == "x" * 500
    with tap(one, query="?state=2") as refused:
        assert refused.status == 400
    with tap(one, query="?since=2") as refused:
        assert refused.status == 400


def test_the_tap_is_bounded(daemon, bus, tokens):
    """In clients, and in what waits for one that does not read: that one is given up, and the rest goes on."""
    one = daemon({"http.tokens": tokens}, tcp=True)
    clients = [tap(one) for _ in range(3)]
    deaf = connect_deaf(one.listen, TAP, {"Authorization": "Bearer " + TOKENS["admin"]}, receive_bytes=4096)
    try:
        wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 4, "all of them")
        with tap(one) as refused:
            assert refused.status == 503
        junk = os.urandom(2000).hex()
        sent = 0

        def given_up():
            nonlocal sent
            bus.many("instance_reports", [{"instance_id": "x", "last_error": junk} for _ in range(500)])
            sent += 500
            bus.settle("instance_reports")
            for client in clients:
                client.take()
            return one.metrics().value("mt5stated_http_streams_slow_total") == 1
        wait_until(given_up, "the deaf one to be given up", deadline_s=60)
        wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 3, "it to be gone")
        for client in clients:
            assert len(client.wait(sent)) == sent
    finally:
        deaf.close()
        for client in clients:
            client.close()
