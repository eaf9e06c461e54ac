"""Clients that are slow, dead or ill-meaning (SPEC 8.4): the others are served, instances still move, and nothing grows
beyond its bound. What they cost in milliseconds is measured by tests/bench/clients.py."""

import concurrent.futures
import contextlib
import re
import socket

import pytest

from mt5 import http as mt5_http
from mt5.usage import rss_bytes
from mt5.wait import wait_until

COUNT = 200
KINDS = {
    "silent": b"",
    "half a request": b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a body": b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
    "metrics not read": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "instances not read": b"GET /api/v1/instances?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n",
    "events not read": b"GET /api/v1/events?since=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
    "refused and still there": b"GARBAGE\r\n\r\n",
}
# ASan keeps what was freed for a while.
GROWTH_BYTES = 400 << 20


def connect(listen, data):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    host, _, port = listen.rpartition(":")
    client.connect((host, int(port)))
    with contextlib.suppress(OSError):
        client.sendall(data)
    return client


def read_whole(client):
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


def value(one, name):
    """Of the page of a whole fleet one line, without taking all of it apart."""
    answer = one.get("/metrics")
    assert answer.status == 200, answer.text
    return float(re.search(rf"^{re.escape(name)} (\S+)$", answer.text, re.MULTILINE)[1])


@contextlib.contextmanager
def clients(listen, count, data):
    opened = [connect(listen, data) for _ in range(count)]
    try:
        yield opened
    finally:
        for client in opened:
            client.close()


def drip(opened, byte=b"x"):
    for client in opened:
        with contextlib.suppress(OSError):
            client.send(byte)


@pytest.fixture
def fleet(bus):
    def make(count):
        bus.many("instance_reports", [{"instance_id": f"i{number:04d}", "broker_id": "b1", "state": "running", "cpu_usage": 1,
                                       "memory_usage": 2, "queue_length": 3, "load_average": 0.5} for number in range(count)])
        bus.settle()
    return make


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_keep_nobody_from_being_served(daemon, bus, fleet, kind):
    one = daemon(tcp=True)
    fleet(500)
    before = rss_bytes(one.pid)
    with clients(one.listen, COUNT, KINDS[kind]) as opened:
        for number in range(3):
            if kind.startswith("half"):
                drip(opened)
            assert mt5_http.request(one.listen, "/-/healthy").text == "ok"
            # A page that is being made for others may have been begun before.
            wait_until(lambda: value(one, 'mt5stated_instances{state="running"}') == 500 - number, "metrics of now")
            bus.register(f"i{number:04d}", state="stopped")
            wait_until(lambda: bus.state(f"i{number:04d}") == "stopped", "the instance to move")
        assert rss_bytes(one.pid) - before < GROWTH_BYTES
    wait_until(lambda: value(one, "mt5stated_http_connections") == 1, "all to be gone")
    assert value(one, "mt5stated_http_answer_bytes") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_gets_in_where_all_connections_are_taken(daemon, bus, fleet, kind):
    """Whoever is of no use goes, the longest first; streams leave some connections from the beginning."""
    one = daemon({"http.max_connections": 8}, tcp=True)
    fleet(500)
    with clients(one.listen, 12, KINDS[kind]) as opened:
        for _ in range(3):
            drip(opened[:8] if kind.startswith("half") else [])
            assert mt5_http.request(one.listen, "/-/healthy", timeout=60).text == "ok"
            assert mt5_http.request(one.listen, "/metrics", timeout=60).status == 200
    wait_until(lambda: value(one, "mt5stated_http_connections") == 1, "all to be gone")
    if not kind.startswith(("refused", "events")):
        assert value(one, 'mt5stated_http_closed_total{reason="room"}') > 0


def test_pages_that_nobody_takes_do_not_use_up_all_that_there_are(daemon, fleet):
    """One after the other, so that each gets a page of its own."""
    one = daemon(tcp=True)
    fleet(1000)
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            (client,) = stack.enter_context(clients(one.listen, 1, KINDS["metrics not read"]))
            assert client.recv(1) == b"H"
            assert mt5_http.request(one.listen, "/metrics").status == 200
        assert value(one, "mt5stated_scrapes_refused_total") == 0


def test_many_who_want_the_same_at_once_are_all_served(daemon, bus, fleet):
    one = daemon(tcp=True)
    fleet(300)
    for path in ("/metrics", "/api/v1/instances?limit=1000"):
        with clients(one.listen, COUNT, b"") as opened:
            for client in opened:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert mt5_http.request(one.listen, "/-/healthy").text == "ok"
            with concurrent.futures.ThreadPoolExecutor(COUNT) as readers:
                for whole in readers.map(read_whole, opened):
                    assert whole.startswith(b"HTTP/1.1 200 ") and whole.count(b'i0299"') >= 1


@pytest.mark.parametrize("taken", [b"GET /half", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"],
                         ids=["half", "served"])
def test_no_descriptor_is_lost(daemon, bus, taken):
    one = daemon(tcp=True)
    wait_until(lambda: len(bus.links()) == 3, "all its links to Redis")
    before = value(one, "process_open_fds")
    for _ in range(5):
        with clients(one.listen, 50, taken):
            pass
    wait_until(lambda: value(one, "process_open_fds") == before, "all descriptors to be free")
