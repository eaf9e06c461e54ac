"""Webhooks that hang, refuse, fail or are not there (SPEC 7.4): what could not be delivered is tried again, and one of
them is no trouble to another."""

import base64
from pathlib import Path

import pytest

from mt5.receiver import answer, close, hang, refuse_label
from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

ANNOUNCE = {**QUICK, "recovery.launch_modes": ["manual"], "ha.lease_ms": 300}


@pytest.fixture
def watching(daemon, bus, folder):
    """A daemon with these receivers as its webhooks, each with a short time limit."""
    def make(*receivers, config=None, **options):
        one = daemon({**with_token(ANNOUNCE, folder), "notify.webhooks": webhooks(*receivers), **(config or {})},
                     **options)
        return Watching(bus, one)
    return make


def webhooks(*receivers):
    return [{"url": one if isinstance(one, str) else one.url(), "timeout_ms": 300} for one in receivers]


def told(receiver):
    """(instance, "firing" or "resolved") of each alert that it has taken, in their order."""
    return [(alert["labels"]["instance_id"], "resolved" if "endsAt" in alert else "firing")
            for alert in receiver.alerts()]


def wait_told(receiver, *expected):
    wait_until(lambda: set(expected) <= set(told(receiver)), f"the receiver to take {expected}")


def wait_forgotten(bus):
    wait_until(lambda: not bus.client.hlen("mt5stated:notices"), "nothing to be owed any more")


def is_over(bus, name):
    """Of what is stored about it; None where nothing is."""
    stored = bus.client.hget("mt5stated:notices", f"{name}:HighQueueLength")
    return None if stored is None else "ends=" in stored


def total(one, status):
    return one.one.metrics().value("mt5stated_notifications_total", channel="webhook", status=status)


def busy(bus, *names, length="250"):
    bus.many("instance_reports", [{"instance_id": name, "broker_id": "b", "state": "running", "queue_length": length}
                                  for name in names])


def calm(bus, *names):
    busy(bus, *names, length="1")


def reload(one, **changes):
    before = len(one.one.log_lines(msg="configuration reloaded"))
    one.one.write_config(**changes)
    one.one.reload()
    wait_until(lambda: len(one.one.log_lines(msg="configuration reloaded")) > before, "the reload")


def dead_url(receiver):
    """Where nobody listens."""
    nobody = receiver()
    nobody.stop()
    return nobody.url()


# ---- what is sent ----

def test_a_post_is_what_alertmanager_takes(watching, bus, receiver):
    taker = receiver()
    one = watching(taker.url("/some/path?x=1", "us er", "p:w/d"))
    bus.register("a", broker_id="b", host_id="h", queue_length="250")
    [request] = wait_until(taker.requests, "a request")
    assert (request.method, request.path) == ("POST", "/some/path?x=1")
    assert request.headers["Content-Type"] == "application/json"
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"us er:p:w/d"
    [alert] = request.json
    assert sorted(alert) == ["annotations", "labels", "startsAt"]
    assert alert["labels"] == {"alertname": "HighQueueLength", "instance_id": "a", "broker_id": "b", "host_id": "h",
                               "severity": "warning"}
    assert alert["annotations"] == {"summary": "HighQueueLength on a", "value": "250", "threshold": "100",
                                    "doing": "nothing: launch_mode"}
    calm(bus, "a")
    wait_until(lambda: len(taker.requests()) == 2, "its end")
    [over] = taker.requests()[1].json
    assert (over["labels"], over["startsAt"]) == (alert["labels"], alert["startsAt"])
    assert over["endsAt"] >= over["startsAt"]
    assert "p:w" not in one.one.log() and "p%3Aw" not in one.one.log()


def test_nothing_is_sent_while_nothing_changes(watching, bus, receiver):
    taker = receiver()
    one = watching(taker)
    busy(bus, "a")
    wait_told(taker, ("a", "firing"))
    busy(bus, "a", length="260")
    busy(bus, "b")
    wait_told(taker, ("b", "firing"))
    calm(bus, "b")
    wait_told(taker, ("b", "resolved"))
    assert told(taker) == [("a", "firing"), ("b", "firing"), ("b", "resolved")]


def test_a_reload_tells_all_that_fires_again(watching, bus, receiver):
    taker, other = receiver(), receiver()
    one = watching(taker)
    busy(bus, "a", "b")
    wait_told(taker, ("a", "firing"), ("b", "firing"))
    reload(one, **{"notify.webhooks": webhooks(taker, other)})
    wait_told(other, ("a", "firing"), ("b", "firing"))
    wait_until(lambda: len(told(taker)) == 4, "all to be told again")
    assert {alert["startsAt"] for alert in taker.alerts()} == {alert["startsAt"] for alert in other.alerts()}


def test_many_alerts_come_in_parts(watching, bus, receiver):
    names = [f"mt5-{number}" for number in range(500)]
    taker = receiver()
    one = watching(taker)
    busy(bus, *names)
    wait_told(taker, *((name, "firing") for name in names))
    one.one.restart()
    wait_until(lambda: sum(1 for array in taker.taken() if len(array) == 100) >= 5, "all of them once more")
    calm(bus, *names)
    wait_told(taker, *((name, "resolved") for name in names))
    assert max(len(array) for array in taker.taken()) <= 100
    wait_forgotten(bus)


def test_a_standby_sends_nothing(watching, bus, receiver):
    taker, other = receiver(), receiver()
    first = watching(taker)
    second = watching(other, ready=False)
    wait_until(lambda: second.one.ready_word() == "standby", "the second to be standby")
    busy(bus, "a")
    wait_told(taker, ("a", "firing"))
    assert other.requests() == []
    first.one.stop()
    wait_told(other, ("a", "firing"))
    calm(bus, "a")
    wait_told(other, ("a", "resolved"))
    assert ("a", "resolved") not in told(taker)
    wait_forgotten(bus)


# ---- what does not take it ----

@pytest.mark.parametrize("trouble", [answer(500, "oops"), answer(503), answer(404), answer(401), answer(429),
                                     answer(302, "", {"Location": "/elsewhere"}), close],
                         ids=["500", "503", "404", "401", "429", "302", "close"])
def test_what_was_not_taken_is_sent_again(watching, bus, receiver, trouble):
    taker = receiver()
    one = watching(taker)
    taker.script(trouble)
    busy(bus, "a")
    wait_told(taker, ("a", "firing"))
    taker.script(trouble)
    calm(bus, "a")
    wait_told(taker, ("a", "resolved"))
    wait_forgotten(bus)
    assert (total(one, "dropped"), total(one, "sent")) == (0, 2)
    # A kept connection that is closed is made again without being asked.
    assert total(one, "failed") == 2 or trouble is close and total(one, "failed") == 1
    assert {request.path for request in taker.requests()} == {"/api/v2/alerts"}
    assert len(one.one.log_lines(level="warning", msg="a webhook did not take alerts",
                                 webhook="notify.webhooks[0]")) >= 1


def test_one_that_hangs_is_left_at_its_time_limit_and_holds_up_nobody(watching, bus, receiver):
    stuck, taker = receiver(hang), receiver()
    one = watching(stuck, taker)
    busy(bus, "a")
    wait_told(taker, ("a", "firing"))
    calm(bus, "a")
    wait_told(taker, ("a", "resolved"))
    bus.register("b", queue_length="250")
    one.wait_alert("b", "HighQueueLength")
    wait_until(lambda: total(one, "failed") >= 1, "the time limit to pass")
    # Its share is kept, and is all there when it works again.
    assert bus.client.hexists("mt5stated:notices", "a:HighQueueLength")
    stuck.behaviour = answer(200)
    stuck.release()
    wait_told(stuck, ("a", "resolved"), ("b", "firing"))
    wait_until(lambda: bus.client.hkeys("mt5stated:notices") == ["b:HighQueueLength"], "the end to be forgotten")


def test_one_that_is_not_there_holds_up_nobody(watching, bus, receiver):
    taker, dead = receiver(), dead_url(receiver)
    one = watching(dead, taker)
    for _ in range(10):
        busy(bus, "a", "b")
        wait_until(lambda: [is_over(bus, name) for name in "ab"] == [False, False], "both to fire")
        calm(bus, "a", "b")
        wait_until(lambda: [is_over(bus, name) for name in "ab"] == [True, True], "both to be over")
    busy(bus, "c")
    wait_told(taker, ("a", "resolved"), ("b", "resolved"), ("c", "firing"))
    wait_until(lambda: total(one, "failed") >= 2, "it to be tried twice")
    # However often something changes, one is kept for each.
    assert bus.client.hlen("mt5stated:notices") == 3
    reload(one, **{"notify.webhooks": webhooks(taker)})
    wait_until(lambda: bus.client.hkeys("mt5stated:notices") == ["c:HighQueueLength"], "what is over to be forgotten")


def test_one_bad_alert_does_not_keep_the_good_ones(watching, bus, receiver):
    taker = receiver(refuse_label("instance_id", "bad"))
    one = watching(dead_url(receiver))
    names = [f"mt5-{number}" for number in range(30)]
    busy(bus, *names[:15], "bad", *names[15:])
    bus.settle()
    reload(one, **{"notify.webhooks": webhooks(taker)})
    wait_told(taker, *((name, "firing") for name in names))
    wait_until(lambda: total(one, "dropped") == 1, "the bad one to be counted")
    assert max(len(request.json) for request in taker.requests()) == 31
    calm(bus, "bad", *names)
    wait_told(taker, *((name, "resolved") for name in names))
    wait_forgotten(bus)


def test_a_webhook_that_goes_with_a_reload_while_it_hangs(watching, bus, receiver):
    stuck, taker = receiver(hang), receiver()
    one = watching(stuck, config={"notify.webhooks": [{"url": stuck.url(), "timeout_ms": 60000}]})
    busy(bus, "a")
    wait_until(stuck.requests, "a request to hang")
    reload(one, **{"notify.webhooks": webhooks(taker)})
    wait_told(taker, ("a", "firing"))
    calm(bus, "a")
    wait_told(taker, ("a", "resolved"))
    wait_forgotten(bus)


def test_a_daemon_stops_while_a_webhook_hangs(watching, bus, receiver):
    stuck, taker = receiver(hang), receiver()
    one = watching(stuck, config={"notify.webhooks": [{"url": stuck.url(), "timeout_ms": 60000}]})
    busy(bus, "a")
    wait_until(stuck.requests, "a request to hang")
    one.one.stop()
    one.one.write_config(**{"notify.webhooks": webhooks(taker)})
    one.one.start()
    wait_told(taker, ("a", "firing"))


def test_without_redis_what_fires_is_still_told(watching, bus, receiver, redis_server):
    taker = receiver(answer(500))
    one = watching(taker, config={"redis.command_timeout_ms": 200})
    busy(bus, "a")
    one.wait_alert("a", "HighQueueLength")
    wait_until(taker.requests, "the first try")
    redis_server.pause()
    wait_until(lambda: one.one.log_lines(msg="redis link lost"), "Redis to be missed")
    taker.behaviour = answer(200)
    wait_told(taker, ("a", "firing"))
    assert not one.one.is_ready()
    redis_server.resume()
    one.one.wait_ready()


def test_what_is_not_stored_is_told_to_nobody(watching, bus, receiver, redis_server):
    taker = receiver()
    one = watching(taker, config={"rules.HighQueueLength.for_ms": 500})
    busy(bus, "b")
    wait_told(taker, ("b", "firing"))
    busy(bus, "a")
    one.wait_status("a", "HighQueueLength", "pending")
    redis_server.config_set(maxmemory="1")
    one.wait_status("a", "HighQueueLength", "firing")
    wait_until(lambda: one.one.log_lines(msg="redis takes no writes"), "the batch to be refused")
    # A reload has everything told again that may be told.
    reload(one)
    wait_until(lambda: len(told(taker)) == 2, "that")
    assert told(taker) == [("b", "firing")] * 2
    redis_server.config_set(maxmemory="0")
    wait_told(taker, ("a", "firing"))


def test_without_a_webhook_nothing_is_kept(watching, bus):
    one = watching()
    busy(bus, "a", "b")
    one.wait_alert("b", "HighQueueLength")
    assert bus.client.hlen("mt5stated:notices") == 2
    calm(bus, "a", "b")
    one.wait_alert("b", "HighQueueLength", "alert_resolved")
    wait_forgotten(bus)


def test_libcurl_takes_no_memory_before_there_are_webhooks(watching, bus, receiver):
    """It brings two dozen libraries along."""
    taker, one = receiver(), watching()
    maps = Path(f"/proc/{one.one.pid}/maps")
    assert "libcurl" not in maps.read_text()
    reload(one, **{"notify.webhooks": webhooks(taker)})
    assert "libcurl" in maps.read_text()
    busy(bus, "a")
    wait_told(taker, ("a", "firing"))
