"""Events over HTTP (SPEC 8.1): pages, and streams that go on over everything."""

import json
import os
import socket
import time

import pytest

from mt5 import http as mt5_http
from mt5.invariants import EVENTS
from mt5.sse import Stream, connect_deaf
from mt5.wait import wait_until

PATH = "/api/v1/events"


def page(one, query="", **headers):
    response = mt5_http.request(one.listen, PATH + ("?" + query if query else ""), headers=headers, timeout=20)
    assert response.status == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    return json.loads(response.text)


def walk(one, limit, query=""):
    found, since = [], ""
    while True:
        answer = page(one, f"limit={limit}{query}{since}")
        assert answer["gap"] is False
        found += answer["events"]
        if "next" not in answer:
            return found
        assert len(answer["events"]) == limit and answer["next"] == answer["events"][-1]["id"]
        since = "&since=" + answer["next"]


def stored(bus):
    """All events of the stream as the API shows them."""
    return [{"id": entry, **fields, **({"seq": int(fields["seq"])} if "seq" in fields else {})}
            for entry, fields in bus.client.xrange(EVENTS)]


def told(messages):
    return [{"id": message.id, **message.data} for message in messages]


def make_events(bus, count, prefix="i"):
    """Some instances come: two events each."""
    bus.many("instance_reports", [{"instance_id": f"{prefix}{number}", "broker_id": "b1", "state": "running"}
                                  for number in range(count)])
    bus.settle()


def wait_page(one, bus):
    """Until the API shows what is stored; it is told right behind the answer that it is."""
    def shows_all():
        assert walk(one, 1000) == stored(bus)
        return True
    wait_until(shows_all, "the API to show all events")


# ---- pages ----

def test_events_are_shown_as_they_are_stored(daemon, bus):
    one = daemon()
    assert page(one) == {"events": [], "gap": False}
    make_events(bus, 60)
    wait_page(one, bus)
    assert walk(one, 7) == walk(one, 1000) == stored(bus)
    assert len(page(one)["events"]) == 100 and page(one)["next"]
    assert "next" not in page(one, "limit=120") and "next" in page(one, "limit=119")
    last = stored(bus)[-1]["id"]
    assert page(one, f"since={last}") == {"events": [], "gap": False}
    assert page(one, "since=0")["events"] == page(one)["events"]


def test_events_of_one_instance(daemon, bus):
    one = daemon()
    make_events(bus, 12)
    bus.signal("s1")    # an event without an instance, later
    wait_page(one, bus)
    wanted = [event for event in stored(bus) if event["instance_id"] == "i1"]
    assert len(wanted) == 2 and walk(one, 1, "&instance=i1") == wanted
    assert page(one, "instance=nobody") == {"events": [], "gap": False}


@pytest.mark.parametrize("query, word", [
    ("since=x", "since"), ("since=", "since"), ("since=-1", "since"), ("since=1-2-3", "since"),
    ("since=18446744073709551616", "since"), ("since=%ff", "since"), ("since=1-%0a", "since"),
    ("instance=", "instance"), ("instance=a%20b", "instance"), ("instance=" + "x" * 65, "instance"),
    ("instance=a%0ab", "instance"), ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"),
    ("after=1-0", "after"), ("since=1-0&since=2-0", "since"), ("x", "x"),
])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_wrong_argument_is_named(daemon, query, word, accept):
    response = mt5_http.request(daemon().listen, f"{PATH}?{query}", headers={"Accept": accept})
    assert response.status == 400, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert word in json.loads(response.text)["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [PATH, "/api/v1/tap", "/api/v1/signals", "/api/v1/trades/t1"])
def test_other_methods_are_refused(daemon, method, path):
    response = mt5_http.request(daemon().listen, path, method=method, body=b"{}")
    assert response.status in (403, 405), response.text
    if path != "/api/v1/tap":
        assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"


def test_a_position_that_is_not_known_is_told(daemon, bus):
    one = daemon()
    make_events(bus, 3)
    wait_page(one, bus)
    everything = stored(bus)
    for since in ("1", "0-1", "18446744073709551615-0", f"{int(everything[0]['id'].split('-')[0]) - 1000}-0"):
        assert page(one, f"since={since}") == {"events": everything, "gap": True}
        with Stream(one.listen, PATH, {"Last-Event-ID": since}) as client:
            messages = client.wait(1 + len(everything))
            assert messages[0].event == "gap" and messages[0].id is None and told(messages[1:]) == everything
    for strange in ("x", "", "-", "1-2-3", "9" * 200, "a: b"):
        with Stream(one.listen, PATH, {"Last-Event-ID": strange}) as client:
            if strange:
                assert client.wait(1)[0].event == "gap"


@pytest.mark.no_invariants(reason="most of the events are made up")
def test_only_the_newest_events_are_kept(daemon, bus):
    bus.many(EVENTS, [{"event": "instance_stopped", "instance_id": "old", "reason": str(number)}
                      for number in range(10100)])
    one = daemon()
    assert walk(one, 1000) == stored(bus)[100:]
    assert page(one, f"since={stored(bus)[50]['id']}")["gap"] is True
    make_events(bus, 150)
    everything = stored(bus)
    assert len(everything) == 10400
    wait_until(lambda: page(one, "limit=1")["events"][0]["id"] == everything[400]["id"], "old events to leave")
    assert walk(one, 1000) == everything[400:]
    assert page(one, f"limit=1&since={everything[398]['id']}")["gap"] is True
    assert page(one, f"limit=1&since={everything[399]['id']}") == {
        "events": [everything[400]], "gap": False, "next": everything[400]["id"]}
    assert one.metrics().value("mt5stated_events_evicted_total") == 300
    assert one.metrics().value("mt5stated_events_kept") == 10000
    one.restart()
    assert walk(one, 1000) == everything[400:]


@pytest.mark.no_invariants(reason="some of the events are made up")
def test_what_others_write_to_the_stream_harms_nobody(daemon, bus):
    one = daemon()
    evil = {"event": "x\ndata: {}\n\nid: 9", "instance_id": "a\nb", "seq": "1}", "reason": "\x00\x1f\u2028\"\\"}
    bus.client.xadd(EVENTS, evil)
    bus.client.xadd(EVENTS, {"event": "strange_thing", "seq": "007", "a\nb": "c", "instance_id": "i-x",
                             **{f"f{number}": "v" * 5000 for number in range(40)}})
    bus.client.xadd(EVENTS, {b"reason": b"\xff\xfe"})
    with Stream(one.listen, PATH + "?since=0") as client:
        make_events(bus, 1)
        messages = client.wait(3)
    assert [message.event for message in messages] == ["strange_thing", "instance_registered", "instance_started"]
    assert messages[0].data["seq"] == 7 and "a\nb" not in messages[0].data
    assert len(messages[0].data["f0"]) == 1024 and len(messages[0].data) <= 16
    assert [event["event"] for event in page(one)["events"]] == [message.event for message in messages]
    one.restart()
    assert [event["event"] for event in page(one)["events"]] == [message.event for message in messages]


# ---- streams ----

def test_a_stream_tells_what_happens(daemon, bus):
    one = daemon()
    make_events(bus, 2, "before")
    wait_page(one, bus)
    with Stream(one.listen, PATH) as client, Stream(one.listen, PATH + "?instance=i1") as chosen:
        assert client.status == 200 and client.headers["Content-Type"] == "text/event-stream"
        assert client.headers["Cache-Control"] == "no-store"
        published = bus.client.pubsub(ignore_subscribe_messages=True)
        published.subscribe("instance:events")
        make_events(bus, 20)
        messages = client.wait(40)
        assert client.take().startswith("retry: ")
        assert told(messages) == stored(bus)[4:]
        assert all(message.event == message.data["event"] for message in messages)
        on_channel = []
        while len(on_channel) < 40:
            if message := published.get_message(timeout=1):
                on_channel.append(json.loads(message["data"]))
        assert [message.data for message in messages] == on_channel
        assert [message.data["instance_id"] for message in chosen.wait(2)] == ["i1", "i1"]


def test_everybody_is_told_the_same(daemon, bus):
    one = daemon(tcp=True)
    clients = [Stream(one.listen, PATH) for _ in range(50)]
    try:
        make_events(bus, 300)
        wanted = stored(bus)
        for client in clients:
            assert told(client.wait(600)) == wanted
        assert one.metrics().value("mt5stated_http_streams") == 50
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 0, "the streams to be gone")


@pytest.mark.parametrize("how", ["header", "argument", "both"])
def test_a_stream_resumes_where_it_was(daemon, bus, how):
    one = daemon()
    make_events(bus, 10)
    wait_page(one, bus)
    everything = stored(bus)
    since = "" if how == "header" else "?since=" + everything[7 if how == "argument" else 2]["id"]
    headers = {} if how == "argument" else {"Last-Event-ID": everything[7]["id"]}
    with Stream(one.listen, PATH + since, headers) as client:
        assert told(client.wait(12)) == everything[8:]


def test_more_than_waits_for_one_client_comes_whole(daemon, bus):
    """A backlog that is far above what is buffered for a client."""
    one = daemon()
    make_events(bus, 1500)
    wanted = stored(bus)
    with Stream(one.listen, PATH + "?since=0") as client:
        assert told(client.wait(3000)) == wanted
    with Stream(one.listen, PATH + "?since=0") as slow:
        make_events(bus, 500, "later")
        assert told(slow.wait(4000)) == stored(bus)


@pytest.mark.parametrize("kill", [False, True])
def test_a_restart_loses_and_doubles_nothing(daemon, bus, kill):
    one = daemon({"ha.lease_ms": 300})
    seen = []
    for number in range(4):
        headers = {"Last-Event-ID": seen[-1]["id"]} if seen else {}
        with Stream(one.listen, PATH + "?since=0", headers) as client:
            make_events(bus, 20, f"a{number}-")
            bus.many("instance_reports", [{"instance_id": f"b{number}-{i}", "broker_id": "b", "state": "running"}
                                          for i in range(20)])
            client.wait(40)
            one.restart(kill=kill)
            client.wait_end()
            assert "gap" not in [message.event for message in client.messages()]
            seen += told(client.messages())
    bus.settle()
    wait_page(one, bus)
    with Stream(one.listen, PATH, {"Last-Event-ID": seen[-1]["id"]}) as client:
        wanted = stored(bus)
        seen += told(client.wait(len(wanted) - len(seen)) if len(wanted) > len(seen) else [])
    assert seen == wanted and len(wanted) == 320


def test_another_daemon_goes_on_where_the_first_was(daemon, bus):
    first = daemon({"ha.lease_ms": 300})
    second = daemon({"ha.lease_ms": 300, "streams.consumer": "second"}, ready=False)
    wait_until(lambda: second.ready_word() == "standby", "the second to stand by")
    assert second.get(PATH).status == 503
    assert second.get(PATH, accept="text/event-stream").status == 503
    with Stream(first.listen, PATH) as client:
        make_events(bus, 5)
        seen = told(client.wait(10))
        first.kill9()
        client.wait_end()
    second.wait_ready()
    make_events(bus, 5, "later")
    with Stream(second.listen, PATH, {"Last-Event-ID": seen[-1]["id"]}) as client:
        seen += told(client.wait(10))
    assert seen == stored(bus)


@pytest.mark.redis(aof=True)
def test_streams_stay_while_redis_is_away(daemon, bus, redis_server):
    one = daemon()
    with Stream(one.listen, PATH) as client:
        make_events(bus, 5)
        client.wait(10)
        redis_server.stop()
        wait_until(lambda: not one.is_ready(), "the daemon to notice")
        assert len(page(one)["events"]) == 10
        redis_server.start()
        one.wait_ready()
        make_events(bus, 5, "later")
        assert told(client.wait(20)) == stored(bus)
    with Stream(one.listen, PATH) as client:
        bus.cut(bus.links())
        make_events(bus, 50, "cut")
        assert told(client.wait(100)) == stored(bus)[20:]


@pytest.mark.no_invariants(reason="Redis is wiped")
def test_a_redis_that_was_wiped_is_a_gap(daemon, bus):
    one = daemon()
    make_events(bus, 5)
    wait_page(one, bus)
    with Stream(one.listen, PATH) as client:
        bus.client.flushall()
        wait_until(lambda: one.metrics().value("mt5stated_redis_rollbacks_total", kind="wiped") == 1, "it to be noticed")
        one.wait_ready()
        make_events(bus, 1, "later")
        wait_page(one, bus)
        messages = client.wait(2)
        assert "gap" in [message.event for message in messages] or told(messages) == stored(bus)
        assert told([message for message in messages if message.event != "gap"]) == stored(bus)


def test_a_stream_of_events_that_is_deleted_or_trimmed_is_noticed(daemon, bus):
    one = daemon()
    make_events(bus, 5)
    wait_page(one, bus)
    bus.client.delete(EVENTS)
    make_events(bus, 1, "later")
    wait_until(lambda: page(one)["events"][-1]["id"] == stored(bus)[-1]["id"], "new events")
    # Made anew with IDs that are far ahead, then once more with ordinary ones.
    bus.client.delete(EVENTS)
    bus.client.xadd(EVENTS, {"event": "far"}, id="99999999999999-0")
    make_events(bus, 1, "far")
    wait_page_shown = lambda: page(one)["events"][-1]["id"] == stored(bus)[-1]["id"]  # noqa: E731
    wait_until(wait_page_shown, "events with great IDs")
    bus.client.delete(EVENTS)
    with Stream(one.listen, PATH) as client:
        make_events(bus, 1, "near")
        messages = client.wait(3)
        assert messages[0].event == "gap" and told(messages[1:]) == stored(bus)
    wait_page(one, bus)


def test_a_head_request_has_the_headers_alone(daemon, bus):
    one = daemon()
    make_events(bus, 1)
    for accept, kind in (("text/event-stream", "text/event-stream"), ("*/*", "application/json")):
        response = mt5_http.request(one.listen, PATH, method="HEAD", headers={"Accept": accept})
        assert response.status == 200 and response.headers["Content-Type"] == kind and response.body == b""
    assert one.metrics().value("mt5stated_http_streams") == 0


@pytest.mark.parametrize("accept, kind", [
    ("text/event-stream", "text/event-stream"), ("text/event-stream, application/json;q=0.9", "text/event-stream"),
    ("application/json, text/event-stream;q=0.5", "application/json"), ("text/*", "application/json"),
    ("*/*", "application/json"), ("text/event-stream;q=0", "application/json"), ("", "application/json"),
])
def test_accept_decides(daemon, accept, kind):
    with Stream(daemon().listen, PATH, {"Accept": accept}) as client:
        assert client.status == 200 and client.headers["Content-Type"] == kind
        assert client.headers["Vary"] == "Accept"


def test_a_reload_and_a_stop_end_streams(daemon, bus):
    one = daemon()
    with Stream(one.listen, PATH) as first:
        one.reload()
        first.wait_end()
    with Stream(one.listen, PATH) as second:
        make_events(bus, 1)
        second.wait(2)
        one.stop()
        second.wait_end()
        assert len(second.messages()) == 2


def test_a_quiet_stream_has_a_heartbeat(daemon):
    """15 s, as SPEC has it no shorter way to see it."""
    with Stream(daemon().listen, PATH) as client:
        wait_until(lambda: "\n:\n" in client.take(), "a comment", deadline_s=40)
        assert client.messages() == [] and not client.has_ended


# ---- those who do not listen ----

def slowest_of(one, paths, times):
    """The longest time that an answer took, in ms, of each path."""
    slowest = dict.fromkeys(paths, 0.0)
    for _ in range(times):
        for path in paths:
            begun = time.monotonic()
            assert mt5_http.request(one.listen, path, timeout=20).status == 200
            slowest[path] = max(slowest[path], (time.monotonic() - begun) * 1000)
    return slowest


def test_slow_and_dead_clients_cost_nobody_anything(daemon, bus, capsys):
    """200 that never read, a part of them gone without a word, over thousands of events."""
    one = daemon(tcp=True)
    deaf = [connect_deaf(one.listen, PATH + ("?since=0" if number % 2 else ""), receive_bytes=4096)
            for number in range(200)]
    try:
        wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 200, "all of them")
        slowest = {}
        for number in range(5):
            make_events(bus, 200, f"a{number}-")
            for path, ms in slowest_of(one, ("/metrics", "/-/healthy"), 20).items():
                slowest[path] = max(slowest.get(path, 0), ms)
            for client in deaf[:20]:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            del deaf[:20]
        with capsys.disabled():
            print("\n  slowest answers with 200 deaf clients: "
                  + ", ".join(f"{path} {ms:.1f} ms" for path, ms in slowest.items()))
        with Stream(one.listen, PATH + "?since=0") as client:
            assert told(client.wait(2000)) == stored(bus)
        wait_until(lambda: one.metrics().value("mt5stated_http_streams") <= 100, "those that went to be gone")
        assert one.metrics().value("mt5stated_http_connections") <= 102
        # Deaf as they were, the others have been told everything once they listen again.
        odd = deaf[1]    # from the first event on
        text = b""
        odd.settimeout(20)
        while text.count(b"id: ") < 2000:
            part = odd.recv(1 << 20)
            assert part, "the stream ended"
            text += part
    finally:
        for client in deaf:
            client.close()


def test_streams_leave_connections_for_others(daemon, bus):
    one = daemon({"http.max_connections": 16}, tcp=True)
    clients = [Stream(one.listen, PATH) for _ in range(14)]
    try:
        with Stream(one.listen, PATH) as refused:
            assert refused.status == 503 and "too many" in refused.text
        for path in ("/-/healthy", "/metrics", PATH):
            assert mt5_http.request(one.listen, path).status == 200
    finally:
        for client in clients:
            client.close()

    def fits_again():
        with Stream(one.listen, PATH) as client:
            return client.status == 200
    wait_until(fits_again, "room for a stream")


def test_random_requests_for_streams_break_nothing(daemon, bus):
    """Whatever arguments and headers: an answer, and the daemon goes on."""
    one = daemon(tcp=True)
    make_events(bus, 10)
    for number in range(150):
        junk = os.urandom(number % 40 + 1)
        quoted = "".join(f"%{byte:02x}" for byte in junk)
        printable = "".join(chr(33 + byte % 90) for byte in junk)
        name = ("since", "instance", "limit", printable[:5])[number % 4].replace("#", "").replace("&", "")
        path = (PATH, "/api/v1/signals", "/api/v1/tap", f"/api/v1/trades/{quoted}")[number // 4 % 4]
        with Stream(one.listen, f"{path}?{name}={quoted}", {"Last-Event-ID": printable}) as client:
            assert client.status in (200, 400, 401, 403, 404), client.text
    make_events(bus, 1, "last")
    wait_page(one, bus)
