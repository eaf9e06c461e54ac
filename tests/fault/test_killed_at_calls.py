"""The daemon is killed at each of its script calls, before Redis has seen it and when Redis has executed it and nobody knows:
what was counted, told and stored is the same as if nothing had been (SPEC 4)."""

import signal
import threading
from collections import Counter

import pytest
from test_killed import LOAD, QUIET_DAEMON, TWICE

from mt5.account import assert_same_account
from mt5.invariants import check_invariants
from mt5.thorough import every
from mt5.wait import wait_until
from mt5.wire import Wire

# Few entries a batch, so that there are many calls; of them every so many one is killed at.
DAEMON = {**QUIET_DAEMON, "streams.batch": 5, "ha.lease_ms": 60000}
CALLS_STEP = 8
BACKLOG = {**LOAD, **TWICE, "signals": 150, "signals_per_sec": 300, "seed": 8}


@pytest.fixture
def wire(folder, redis_server):
    made = Wire(folder, redis_server.socket)
    yield made
    made.stop()


class Case:
    """What the simulator has written while nobody read, to be handled again and again from the beginning."""

    def __init__(self, one, wire, bus, sim, expected):
        self._one, self._wire, self._bus = one, wire, bus
        self._ledger = sim(**BACKLOG).finish()
        expected.results_duplicate = self._ledger["results_duplicate"]
        self._expected = expected
        self._backlog = {key: bus.client.dump(key) for key in bus.client.keys()}

    def run(self, number=0, is_executed=False):
        """Handles all of it, killed at the call of that number. Returns how many events of each kind there are, and how many
        calls the last life has made."""
        one, bus = self._one, self._bus
        bus.client.flushall()
        for key, value in self._backlog.items():
            bus.client.restore(key, 0, value)
        one.write_config(signals__ttl_ms=DAEMON["signals.ttl_ms"], signals__execution_ttl_ms=DAEMON["signals.ttl_ms"])
        killed = threading.Event()
        self._wire.plan(number, is_executed, lambda: (one.send(signal.SIGKILL), killed.set()))
        one.start(ready=False)
        if number:
            wait_until(killed.is_set, f"call {number}")
            one.kill9()
            self._wire.plan()
            one.start(ready=False)
        one.wait_ready()
        bus.settle()
        calls = self._wire.calls
        one.write_config(signals__ttl_ms=10, signals__execution_ttl_ms=10)
        one.reload()
        wait_until(lambda: bus.client.xlen("trade_signals") == 0, "what is open to be dropped")
        assert_same_account(bus, self._ledger)
        check_invariants(bus.client, self._expected)
        one.stop()
        return Counter(event["event"] for event in bus.events()), calls


@pytest.mark.parametrize("is_executed", [False, True], ids=["not executed", "executed, not answered"])
def test_a_daemon_killed_at_any_of_its_script_calls_counts_and_tells_the_same(daemon, wire, bus, sim, expected, is_executed):
    one = daemon({**DAEMON, "redis.url": wire.url}, start=False)
    case = Case(one, wire, bus, sim, expected)
    events, calls = case.run()
    assert calls >= 20 and events["instance_started"] and events["signal_dropped"]
    for number in every(calls, CALLS_STEP):
        assert case.run(number, is_executed)[0] == events, f"killed at call {number} of {calls}"
