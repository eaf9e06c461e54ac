"""Trades by their updates: hash, set, TTL, sweep (SPEC 5.3)."""

import pytest

from mt5.wait import wait_until
from mt5.wire import Dam

TRADES = "trade_updates"
STATES = ["pending", "executing", "executed", "failed", "closed"]
FORWARD = {("pending", "executing"), ("pending", "executed"), ("pending", "closed"), ("pending", "failed"),
           ("executing", "executed"), ("executing", "closed"), ("executing", "failed"), ("executed", "closed")}
EVERYTHING = {
    "account_id": "500123", "broker_id": "icmarkets", "instance_id": "mt5-1", "symbol": "EURUSD.r",
    "order_type": "limit", "direction": "buy", "lot_size": "0.10", "requested_price": "1.08450",
    "execution_price": "1.08455", "stop_loss": "0", "take_profit": "1.09", "partial_fill_percentage": "50",
    "state": "executing", "balance": "-12.5", "equity": "10000", "position": "-0.1", "leverage": "500"}


def open_trades(daemon, instance_id):
    return daemon.metrics().value("mt5_instance_open_trades", instance_id=instance_id)


def test_an_update_is_stored_as_it_came(daemon, bus):
    daemon()
    bus.trade("t1", **EVERYTHING, colour="green")
    bus.settle()
    stored = bus.stored_trade("t1")
    assert stored.pop("last_updated_at").endswith("Z")
    assert stored == {"trade_id": "t1", **EVERYTHING}
    assert bus.trades_in("executing") == {"t1"}
    assert bus.client.ttl("trade:t1") == -1


def test_a_first_update_without_a_state_is_pending(daemon, bus):
    daemon()
    bus.trade("t1", symbol="GBPUSD")
    bus.settle()
    assert bus.stored_trade("t1")["state"] == "pending"
    assert bus.trades_in("pending") == {"t1"}


def test_later_updates_change_just_their_fields(daemon, bus):
    daemon()
    bus.trade("t1", **EVERYTHING)
    bus.trade("t1", lot_size="0.2")
    bus.settle()
    stored = bus.stored_trade("t1")
    assert stored["lot_size"] == "0.2"
    assert stored["symbol"] == "EURUSD.r"
    assert stored["state"] == "executing"


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_trade_goes_forward_only(daemon, bus, before, after):
    one = daemon()
    bus.trade("t1", state=before)
    bus.trade("t1", state=after.upper(), lot_size="3")
    bus.settle()
    moves = before == after or (before, after) in FORWARD
    assert bus.stored_trade("t1")["state"] == (after if moves else before)
    assert bus.stored_trade("t1")["lot_size"] == "3"
    assert bus.trades_in(after if moves else before) == {"t1"}
    assert bus.rejected(TRADES) == []
    refused = one.log_lines(level="warning", msg="transition refused", trade_id="t1")
    assert len(refused) == (not moves)
    counted = one.metrics().value("mt5stated_transitions_refused_total", **{"from": before, "to": after}) or 0
    assert counted == (not moves)


@pytest.mark.parametrize("state", ["closed", "failed"])
def test_an_ended_trade_gets_a_ttl(daemon, bus, state):
    daemon({"trades.closed_ttl_s": 1000})
    bus.trade("t1", state="executing")
    bus.trade("t1", state=state)
    bus.trade("t2", state=state)
    bus.settle()
    assert 990 <= bus.client.ttl("trade:t1") <= 1000
    assert 990 <= bus.client.ttl("trade:t2") <= 1000


def test_an_expired_trade_is_swept_out_of_its_set(daemon, bus):
    daemon({"trades.closed_ttl_s": 1, "instances.reconcile_interval_ms": 50})
    bus.trade("gone", state="closed")
    bus.trade("too", state="failed")
    bus.trade("stays", state="executed")
    bus.settle()
    wait_until(lambda: not bus.client.exists("trade:gone") and not bus.client.exists("trade:too"), "them to expire")
    wait_until(lambda: not bus.trades_in("closed") and not bus.trades_in("failed"), "the sets to be swept")
    assert bus.trades_in("executed") == {"stays"}


def test_a_trade_that_expired_while_the_daemon_was_away_is_swept_too(daemon, bus):
    one = daemon({"trades.closed_ttl_s": 1, "instances.reconcile_interval_ms": 50})
    bus.trade("gone", state="closed")
    bus.settle()
    one.stop()
    wait_until(lambda: not bus.client.exists("trade:gone"), "it to expire")
    one.start()
    wait_until(lambda: not bus.trades_in("closed"), "the set to be swept")


def test_an_update_of_a_trade_that_has_expired_brings_back_no_torso(daemon, bus):
    daemon({"trades.closed_ttl_s": 1, "instances.reconcile_interval_ms": 3600000})
    bus.trade("t1", state="closed")
    bus.settle()
    wait_until(lambda: not bus.client.exists("trade:t1"), "it to expire")
    bus.trade("t1", lot_size="4")
    bus.settle()
    stored = bus.stored_trade("t1")
    assert stored["state"] == "closed" and stored["lot_size"] == "4"
    assert bus.client.ttl("trade:t1") >= 0


@pytest.mark.parametrize("state", ["executing", "closed"])
def test_a_trade_is_known_after_a_restart(daemon, bus, state):
    one = daemon()
    bus.trade("t1", state=state, instance_id="mt5-1")
    bus.settle()
    one.restart()
    bus.trade("t1", state="pending", lot_size="1")
    bus.settle()
    assert bus.stored_trade("t1")["state"] == state
    assert bus.stored_trade("t1")["lot_size"] == "1"
    assert bus.trades_in("pending") == set()
    bus.trade("t1", state="closed")
    bus.settle()
    assert bus.trades_in("closed") == {"t1"}


def test_open_trades_are_tied_to_their_instance(daemon, bus):
    one = daemon()
    bus.trade("before", state="pending", instance_id="mt5-1")
    bus.settle()
    bus.register("mt5-1")
    bus.register("mt5-2")
    assert open_trades(one, "mt5-1") == 1
    bus.trade("t1", state="pending", instance_id="mt5-1")
    bus.trade("t2", state="executed", instance_id="mt5-1")
    bus.trade("t3", state="closed", instance_id="mt5-1")
    bus.trade("t4", state="pending", instance_id="mt5-2")
    bus.settle()
    assert (open_trades(one, "mt5-1"), open_trades(one, "mt5-2")) == (3, 1)
    bus.trade("t2", state="closed")
    bus.trade("t4", instance_id="mt5-1")
    bus.settle()
    assert (open_trades(one, "mt5-1"), open_trades(one, "mt5-2")) == (3, 0)
    one.restart()
    assert (open_trades(one, "mt5-1"), open_trades(one, "mt5-2")) == (3, 0)


def test_updates_that_came_while_the_daemon_was_away_are_taken_in_order(daemon, bus):
    one = daemon()
    one.stop()
    for state in STATES:
        bus.trade("t1", state=state)
    bus.trade("t1", lot_size="9")
    one.start()
    bus.settle()
    # failed was refused behind executed, closed was not.
    assert bus.stored_trade("t1")["state"] == "closed"
    assert bus.stored_trade("t1")["lot_size"] == "9"


def test_many_unknown_trades_at_once_are_each_looked_up(daemon, bus):
    one = daemon()
    bus.many(TRADES, [{"trade_id": f"t{i}", "state": "closed"} for i in range(500)])
    bus.settle()
    one.restart()
    bus.many(TRADES, [{"trade_id": f"t{i % 500}", "state": "executing", "lot_size": str(i)} for i in range(1500)])
    bus.settle()
    assert len(bus.trades_in("closed")) == 500
    assert bus.trades_in("executing") == set()
    assert bus.stored_trade("t499")["lot_size"] == "1499"


def test_handled_updates_are_trimmed(daemon, bus):
    daemon({"streams.trades_max_len": 0})
    bus.many(TRADES, [{"trade_id": "t1", "lot_size": str(i)} for i in range(300)])
    bus.settle()
    assert bus.client.xlen(TRADES) == 0
    assert bus.stored_trade("t1")["lot_size"] == "299"


def test_text_of_an_update_is_made_valid(daemon, redis_server, bus):
    daemon()
    binary = redis_server.client(decode_responses=False)
    binary.xadd(TRADES, {"trade_id": "t1", "symbol": b"EUR\xffUSD\n"})
    bus.settle()
    assert binary.hget("trade:t1", "symbol").decode("utf-8").startswith("EUR\ufffdUSD")


def test_a_foreign_value_that_is_gone_again_when_the_trade_is_stored(daemon, bus, folder, redis_server):
    """Of two updates the look-up of the second saw it; the first was stored, and the trade left its set."""
    dam = Dam(folder, redis_server.socket, rb"HMGET\r\n\$8\r\ntrade:t1\r\n")
    try:
        daemon({"redis.url": dam.url})
        bus.trade("t1", state="executed")
        wait_until(lambda: b"*2\r\n$-1\r\n$-1\r\n" in dam.held, "the first look-up")
        bus.client.set("trade:t1", "foreign")
        bus.trade("t1", lot_size="0.2")
        wait_until(lambda: b"-WRONGTYPE" in dam.held, "the second look-up")
        bus.client.delete("trade:t1")
        dam.let_go()
        bus.settle()
        assert bus.stored_trade("t1")["state"] == "executed"
        assert bus.trades_in("executed") == {"t1"}
    finally:
        dam.stop()
