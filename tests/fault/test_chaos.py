"""Many who do as they please, at random and at once. In the end everything fits together again (SPEC 4, 5.4)."""

import contextlib
import random
import threading

import pytest
import redis as redis_py

from mt5.invariants import find_faults, read_snapshot
from mt5.wait import wait_a_moment, wait_until

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
STATES = ["running", "stopped", "crashed", "restarting"]
SECONDS_OF_CHAOS = 4


class Chaos:
    """Threads, each with a client and a seed of its own, that call their function until stopped."""

    def __init__(self, server, seed):
        self._server, self._seed = server, seed
        self._stop = threading.Event()
        self._threads = []
        self.errors = []

    def add(self, act):
        thread = threading.Thread(target=self._run, args=(act, random.Random(f"{self._seed} {len(self._threads)}")))
        self._threads.append(thread)
        thread.start()

    def _run(self, act, rng):
        try:
            with self._server.client() as client:
                while not self._stop.is_set():
                    with contextlib.suppress(redis_py.exceptions.ResponseError):
                        act(client, rng)
        except Exception as error:   # the test's thread tells it
            self.errors.append(error)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.errors == []


@pytest.fixture
def chaos(redis_server):
    made = []

    def start(seed):
        made.append(Chaos(redis_server, seed))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def wait_consistent(bus, expected):
    bus.settle()
    wait_until(lambda: find_faults(read_snapshot(bus.client), expected) == [], "everything to fit together")


def some_instance(rng):
    return f"mt5-{rng.randrange(8)}"


def report(client, rng):
    client.xadd(REPORTS, {"instance_id": some_instance(rng), "broker_id": "b", "state": rng.choice(STATES),
                          "load_average": str(rng.randrange(100) / 10)})


def interfere_with_instances(client, rng):
    """What agents may do, and what nobody should."""
    instance = some_instance(rng)
    act = rng.randrange(12)
    if act < 3:
        client.hset(f"instance:{instance}", "state", rng.choice([*STATES, "FAILED", "dancing", ""]))
    elif act == 3:
        client.hset(f"instance:{instance}", mapping={"broker_id": "b", "state": rng.choice(STATES)})
    elif act == 4:
        client.hset(f"instance_metrics:{instance}", mapping={"load_average": rng.choice(["1", "x"]), "cpu_usage": "5"})
    elif act == 5:
        client.hset(f"instance_health:{instance}", "health_status", rng.choice(["healthy", "critical", "odd"]))
    elif act == 6:
        client.sadd(f"instance:state:{rng.choice(STATES)}", instance, "stranger", "no id")
    elif act == 7:
        client.srem(f"instance:state:{rng.choice(STATES)}", instance)
    elif act == 8:
        client.zadd("instance:index:load", {instance: 5, "stranger": 1})
    elif act == 9:
        client.zrem("instance:index:load", instance)
    elif act == 10:
        client.delete(f"{rng.choice(['instance', 'instance_metrics', 'instance_health'])}:{instance}")
    else:
        client.hdel(f"instance:{instance}", rng.choice(["state", "broker_id", "launch_mode"]))


@pytest.mark.parametrize("seed", [1, 2])
def test_writes_by_others_to_every_hash_and_index(daemon, bus, expected, chaos, seed):
    rng = random.Random(seed)
    one = daemon({"instances.reconcile_interval_ms": 100, "instances.heartbeat_timeout_ms": 0})
    everybody = chaos(seed)
    everybody.add(report)
    everybody.add(interfere_with_instances)
    for _ in range(SECONDS_OF_CHAOS):
        wait_a_moment(rng, 2)
        one.reload()
        bus.cut(rng.sample(bus.links(), 1))
    everybody.stop()
    wait_consistent(bus, expected)
    for i in range(8):
        stored = bus.instance(f"mt5-{i}")
        assert stored["state"] in STATES and stored["broker_id"] == "b"
    # And it is still the master of it all.
    for i in range(8):
        bus.report(f"mt5-{i}", state="running")
    bus.settle()
    assert bus.members("running") == {f"mt5-{i}" for i in range(8)}


def trouble_signals(client, rng):
    """Producers, executors, and those who trim, delete and destroy."""
    number = rng.randrange(1, 500)
    act = rng.randrange(40)
    if act < 16:
        client.xadd(SIGNALS, {"signal_id": f"s-{rng.randrange(10 ** 9)}-{number}", "action": rng.choice(["buy", "sell"])})
    elif act < 30:
        found = client.xrevrange(SIGNALS, count=50)
        if found:
            status = rng.choice(["executed", "accepted", "failed", "closed"])
            client.xadd(RESULTS, {"result_id": f"r-{rng.randrange(10 ** 15)}",
                                  "signal_id": rng.choice(found)[1].get("signal_id", "none"), "status": status})
    elif act < 33:
        found = client.xrange(SIGNALS, count=20)
        if found:
            client.xadd(SIGNALS, rng.choice(found)[1])
    elif act < 36:
        found = client.xrange(SIGNALS, count=100)
        if found:
            client.xdel(SIGNALS, rng.choice(found)[0])
    elif act == 36:
        client.xtrim(SIGNALS, maxlen=rng.randrange(20, 200), approximate=False)
    elif act == 37:
        client.xgroup_destroy(rng.choice([SIGNALS, RESULTS]), "mt5stated")
    elif act == 38:
        client.script_flush()
    else:
        client.xadd(rng.choice([SIGNALS, RESULTS]), {"x": "y"})


@pytest.mark.parametrize("seed", [3, 4])
def test_trouble_in_the_streams_while_the_daemon_is_killed(daemon, bus, expected, chaos, seed):
    rng = random.Random(seed)
    one = daemon({"signals.ttl_ms": 400, "signals.execution_ttl_ms": 400, "results.max_len": 100, "ha.lease_ms": 300})
    everybody = chaos(seed)
    everybody.add(trouble_signals)
    everybody.add(trouble_signals)
    for _ in range(2 * SECONDS_OF_CHAOS):
        wait_a_moment(rng, 1)
        if rng.random() < 0.5:
            one.restart(kill=True, ready=False)
        else:
            bus.cut(bus.links())
            bus.client.delete("mt5stated:leader")
    everybody.stop()
    one.wait_ready()
    # Each that was received has ended, once, whoever removed its entry.
    bus.settle()
    wait_until(lambda: one.metrics().value("mt5stated_signals_open") == 0 and bus.client.xlen(SIGNALS) == 0,
               "all signals to have ended")
    wait_consistent(bus, expected)
    totals = bus.totals()
    for action in ("buy", "sell"):
        ended = sum(totals.get(f"{end}:{action}", 0) for end in ("processed", "failed", "dropped", "lost"))
        assert totals[f"received:{action}"] == ended
        assert all(totals.get(f"{end}:{action}", 0) > 0 for end in ("processed", "failed", "dropped", "lost", "duplicate"))
    dropped = bus.client.xinfo_stream(SIGNALS + "_dropped")["entries-added"]
    assert dropped == totals["dropped:buy"] + totals["dropped:sell"] == len(bus.events(event="signal_dropped"))
    assert bus.client.xlen(RESULTS) == 100
