"""The Alertmanager and the receiver of webhooks that the tests start: what is promised of them is what the other
tests lean on."""

import datetime
import http.client
import json

import pytest

from mt5 import http as mt5_http
from mt5 import receiver as mt5_receiver
from mt5.wait import wait_until


def time_text(seconds_from_now=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return moment.isoformat()


def make_alert(instance="mt5-1", **more):
    return {"labels": {"alertname": "InstanceDown", "instance_id": instance, "severity": "critical"},
            "annotations": {"value": "1"}, "startsAt": time_text(-5), **more}


def post(receiver, body, path="/api/v2/alerts", timeout=10):
    return mt5_http.request(f"127.0.0.1:{receiver.port}", path, "POST", {"Content-Type": "application/json"},
                            body, timeout)


def test_alertmanager_shows_an_alert_and_its_resolution(alertmanager):
    server = alertmanager()
    alert = make_alert()
    assert server.alerts() == []
    assert server.post([alert]).status == 200

    seen, = server.wait_for('instance_id="mt5-1"')
    assert seen["labels"] == alert["labels"]
    assert seen["annotations"] == alert["annotations"]
    assert datetime.datetime.fromisoformat(seen["startsAt"].replace("Z", "+00:00")).timestamp() == pytest.approx(
        datetime.datetime.fromisoformat(alert["startsAt"]).timestamp(), abs=0.002)
    assert [one["labels"] for one in server.api_alerts()] == [alert["labels"]]
    assert server.alerts('instance_id="mt5-2"') == []

    assert server.post([{**alert, "endsAt": time_text()}]).status == 200
    server.wait_until_gone('instance_id="mt5-1"')
    assert server.api_alerts() == []


def test_alertmanager_notifies_its_webhook_of_both(alertmanager, receiver):
    hook = receiver()
    server = alertmanager(webhook=hook.url("/hook"))
    alert = make_alert()
    server.post([alert])
    wait_until(lambda: [one["status"] for one in hook.taken()] == ["firing"], "a notification")
    server.post([{**alert, "endsAt": time_text()}])
    wait_until(lambda: [one["status"] for one in hook.taken()] == ["firing", "resolved"], "its resolution")
    assert hook.requests()[0].path == "/hook"
    assert hook.taken()[1]["alerts"][0]["labels"] == alert["labels"]


def test_alertmanager_refuses_a_bad_label_and_takes_the_rest(alertmanager):
    server = alertmanager()
    bad = make_alert("mt5-2")
    bad["labels"]["no such name"] = "x"
    assert server.post([make_alert("mt5-1"), bad]).status == 400
    assert [one["labels"]["instance_id"] for one in server.wait_for()] == ["mt5-1"]


def test_alertmanager_silences(alertmanager):
    server = alertmanager()
    server.silence('instance_id="mt5-1"')
    server.post([make_alert("mt5-1"), make_alert("mt5-2")])
    wait_until(lambda: [one["labels"]["instance_id"] for one in server.alerts()] == ["mt5-2"], "one to be silenced")


def test_receiver_remembers_what_came(receiver):
    hook = receiver()
    assert post(hook, '[{"labels": {"a": "b"}}]', "/x?y=1").status == 200
    assert post(hook, "[]").status == 200
    first, second = hook.requests()
    assert (first.method, first.path, first.json) == ("POST", "/x?y=1", [{"labels": {"a": "b"}}])
    assert first.headers["Content-Type"] == "application/json"
    assert hook.taken() == [[{"labels": {"a": "b"}}], []]
    assert hook.alerts() == [{"labels": {"a": "b"}}]
    assert second.taken


def test_receiver_keeps_connections(receiver):
    hook = receiver()
    connection = http.client.HTTPConnection("127.0.0.1", hook.port, timeout=10)
    for _ in range(2):
        connection.request("POST", "/", "[]")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()
    assert len(hook.requests()) == 2


def test_receiver_url_with_credentials(receiver):
    assert receiver().url("/x", "us@er", "p:w").startswith("http://us%40er:p%3Aw@127.0.0.1:")


def test_receiver_refuses_a_label(receiver):
    hook = receiver(mt5_receiver.refuse_label("instance_id", "bad"))
    alerts = [{"labels": {"instance_id": one}} for one in ("good", "bad")]
    assert post(hook, json.dumps(alerts)).status == 400
    assert post(hook, json.dumps(alerts[:1])).status == 200
    assert hook.taken() == [alerts[:1]]


def test_receiver_follows_its_script(receiver):
    hook = receiver()
    hook.script(mt5_receiver.answer(500, "oops"), mt5_receiver.close, mt5_receiver.answer(302, "", {"Location": "/"}))
    answer = post(hook, "[]")
    assert (answer.status, answer.text) == (500, "oops")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        post(hook, "[]")
    assert post(hook, "[]").status == 302
    assert post(hook, "[1]").status == 200
    assert len(hook.requests()) == 4
    assert hook.taken() == [[1]]


def test_receiver_hangs_until_it_is_released(receiver):
    hook = receiver(mt5_receiver.hang)
    with pytest.raises(TimeoutError):
        post(hook, "[]", timeout=0.05)
    wait_until(hook.requests, "the request to have come")
    assert hook.taken() == []
    hook.release()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        post(hook, "[]")
    hook.behaviour = mt5_receiver.answer(200)
    assert post(hook, "[2]").status == 200
    assert hook.taken() == [[2]]
