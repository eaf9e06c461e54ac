"""Two daemons in network namespaces of their own, and Redis in a third: links are cut both ways, so that each sees the other
dead. Never do both write, whoever is cut off changes nothing when it comes back, and stands by (SPEC 10)."""

import os
import shutil
import subprocess
import threading

import pytest

from mt5.wait import wait_until

CONFIG = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000, "ha.lease_ms": 600,
          "redis.command_timeout_ms": 400, "redis.connect_timeout_ms": 400, "instances.heartbeat_timeout_ms": 0}


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Place:
    """A namespace with one link to where Redis is. `address` is that of the other end."""

    def __init__(self, number):
        self.name = f"mt5-{os.getpid()}-{number}"
        self._link = f"mt5{os.getpid() % 100000}{number}"
        net = f"169.254.{os.getpid() % 250 + 1}"     # others may run the same test here
        self.address, own = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}/30"
        ip("netns", "add", self.name)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.address}/30", "dev", self._link)
        ip("link", "set", self._link, "up")
        for words in (("addr", "add", own, "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("link", "set", "lo", "up")):
            ip("-n", self.name, *words)

    def cut(self):
        ip("link", "set", self._link, "down")

    def heal(self):
        ip("link", "set", self._link, "up")

    def remove(self):
        ip("link", "del", self._link)
        ip("netns", "del", self.name)


@pytest.fixture
def places():
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and ip")
    made = []
    try:
        for number in (0, 1):
            made.append(Place(number))
    except subprocess.CalledProcessError as error:
        for place in made:
            place.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    yield made
    for place in made:
        place.remove()


@pytest.fixture
def pair(places, daemon, redis_server):
    """Daemons in both places, the first of which is active and the second warm."""
    redis_server.config_set(bind="127.0.0.1 " + " ".join(place.address for place in places), protected_mode="no")
    made = []
    for number, place in enumerate(places):
        one = daemon({**CONFIG, "redis.url": f"redis://{place.address}:{redis_server.tcp_port}/0",
                      "streams.consumer": f"place-{number}"}, start=False)
        one.command = ["ip", "netns", "exec", place.name, *one.command]
        one.start(ready=number == 0)
        made.append(one)
    wait_warm(made[1])
    return made


def wait_warm(one):
    one.wait_serving()
    wait_until(lambda: one.metrics().value("mt5stated_standby_warm") == 1, "it to hold the state")


class Work:
    """Signals, their results and reports, all the time, next to Redis."""

    def __init__(self, bus):
        self._bus, self._is_over = bus, threading.Event()
        self.count = 0
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self):
        while not self._is_over.wait(0.002):
            self._bus.signal(f"s-{self.count}")
            self._bus.result(f"r-{self.count}", f"s-{self.count}")
            self._bus.report("mt5-1", broker_id="b", state=("running", "crashed", "restarting")[self.count % 3])
            self.count += 1

    def stop(self):
        self._is_over.set()
        self._thread.join()


def assert_counted_once(bus, work):
    bus.settle()
    assert bus.totals() == {"received:buy": work.count, "processed:buy": work.count, "result:executed": work.count}
    seqs = [int(event["seq"]) for event in bus.events(instance_id="mt5-1")]
    assert seqs == list(range(1, len(seqs) + 1))


def holders(bus):
    return bus.client.hget("mt5stated:meta", "holder").split("@")[0]


@pytest.mark.redis(tcp=True)
def test_each_in_turn_is_cut_off(places, pair, bus, watch):
    look, work = watch(), Work(bus)
    for active, waiting in ((0, 1), (1, 0)):
        places[active].cut()
        pair[waiting].wait_ready()
        assert holders(bus) == f"place-{waiting}"
        assert pair[waiting].metrics().value("mt5stated_takeovers_total", state="warm") == 1
        at = work.count
        wait_until(lambda at=at: work.count > at + 50, "some work")
        places[active].heal()
        wait_warm(pair[active])
        assert pair[waiting].is_ready()
        assert holders(bus) == f"place-{waiting}"
    work.stop()
    assert_counted_once(bus, work)
    look.stop()
    assert look.faults == []


@pytest.mark.redis(tcp=True)
def test_the_one_that_stands_by_is_cut_off(places, pair, bus):
    work = Work(bus)
    places[1].cut()
    wait_until(lambda: pair[1].ready_word() == "connecting", "it to miss Redis")
    at = work.count
    wait_until(lambda: work.count > at + 200, "some work")
    assert pair[0].is_ready()
    assert pair[1].metrics().value("mt5stated_leader") == 0
    places[1].heal()
    wait_warm(pair[1])
    work.stop()
    assert_counted_once(bus, work)
    assert holders(bus) == "place-0"


@pytest.mark.redis(tcp=True)
def test_both_are_cut_off(places, pair, bus):
    work = Work(bus)
    for place in places:
        place.cut()
    wait_until(lambda: {one.ready_word() for one in pair} == {"connecting"}, "both to miss Redis")
    wait_until(lambda: not bus.client.exists("mt5stated:leader"), "the lease to end")
    for place in places:
        place.heal()
    wait_until(lambda: sorted(one.ready_word() for one in pair) == ["ready", "standby"], "one of them to be active")
    work.stop()
    assert_counted_once(bus, work)
    assert sum(one.metrics().value("mt5stated_leader") for one in pair) == 1
