"""The status page as it is served (SPEC 8.1), and the numbers that it asks for; what it shows is for tests/browser."""

import base64
import json
import pathlib
import re

import pytest

from mt5 import http as mt5_http
from mt5.ports import port_free
from mt5.receiver import answer
from mt5.tokens import TOKENS
from mt5.wait import wait_until

PAGE = pathlib.Path(__file__).parents[2] / "src" / "app" / "page"
FILES = sorted(path.name for path in PAGE.iterdir())
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def ask(one, path, method="GET", body=None, **headers):
    return mt5_http.request(one.listen, path, method=method, body=body, headers=headers)


def basic(secret, name="anybody"):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


# ---- files ----

def test_each_file_is_served_as_it_is(daemon):
    one = daemon()
    for name in FILES:
        response = ask(one, "/page/" + name)
        assert response.status == 200 and response.body == (PAGE / name).read_bytes(), name
        assert response.headers["Content-Type"] == TYPES[pathlib.Path(name).suffix]
        assert {header: response.headers[header] for header in HEADERS} == HEADERS
    assert ask(one, "/").body == (PAGE / "index.html").read_bytes()
    assert {header: ask(one, "/").headers[header] for header in HEADERS} == HEADERS


def test_what_a_browser_has_is_not_sent_again(daemon):
    one = daemon()
    tags = set()
    for path in ("/", "/page/style.css", "/page/main.js"):
        tag = ask(one, path).headers["ETag"]
        tags.add(tag)
        for known in (tag, "W/" + tag, f'"other", {tag}', "*"):
            response = ask(one, path, **{"If-None-Match": known})
            assert response.status == 304 and response.body == b"" and response.headers["ETag"] == tag
            assert response.headers["Content-Security-Policy"]
        assert ask(one, path, **{"If-None-Match": '"other"'}).status == 200
    assert len(tags) == 3


def test_head_has_the_headers_of_get(daemon):
    one = daemon()
    for path in ("/", "/page/main.js"):
        got, head = ask(one, path), ask(one, path, method="HEAD")
        assert head.status == 200 and head.body == b""
        assert head.headers["Content-Length"] == str(len(got.body))
        for name in (*HEADERS, "ETag", "Content-Type"):
            assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("path, status", [
    ("/page/nothing.js", 404), ("/page/", 404), ("/page", 404), ("/page/a/b", 404), ("/page/..%2Fmain.js", 404),
    ("/page/main.js%00", 400), ("/page/MAIN.js", 404), ("/page/main.js?x=1", 400), ("/?x=1", 200),
])
def test_what_is_not_there(daemon, path, status):
    assert ask(daemon(), path).status == status


def test_files_are_only_read(daemon):
    one = daemon()
    for path in ("/", "/page/main.js"):
        response = ask(one, path, method="POST")
        assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"


# What the policy forbids would only fail in a browser, and only where it is looked at.
def test_nothing_is_loaded_from_elsewhere():
    served = {"/page/" + name for name in FILES}
    index = (PAGE / "index.html").read_text()
    assert set(re.findall(r'(?:src|href)="(/page/[^"]*)"', index)) <= served
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", index)
    for name in FILES:
        text = (PAGE / name).read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), name
        assert {"/page/" + found for found in re.findall(r'from "\./([^"]*)"', text)} <= served, name


def test_the_page_names_what_programs_read(daemon):
    index = ask(daemon(), "/").text
    for path in ("/metrics", "/-/ready", "/-/healthy", "/api/v1/status", "/api/v1/instances", "/api/v1/alerts"):
        assert f'href="{path}"' in index


# ---- who may ----

@pytest.fixture
def public(daemon, tokens):
    """A daemon on an address that is no loopback one."""
    one = daemon({"http.tokens": tokens, "http.listen": f"0.0.0.0:{port_free()}"}, ready=False)
    one.wait_serving()
    wait_until(lambda: ask(one, "/-/ready", Authorization=basic(TOKENS["read"])).status == 200, "it to be ready")
    return one


def test_a_browser_reads_with_basic(public):
    for path in ("/", "/page/main.js", "/api/v1/status", "/metrics", "/-/ready"):
        for secret, status in ((TOKENS["read"], 200), (TOKENS["admin"], 200), (TOKENS["report"], 403), ("x", 401)):
            assert ask(public, path, Authorization=basic(secret)).status == status, (path, secret)
        assert ask(public, path, Authorization=basic(TOKENS["read"], name="")).status == 200
        assert ask(public, path, Authorization="Bearer " + TOKENS["read"]).status == 200
        assert ask(public, path).status == 401


def test_basic_is_offered_for_the_page_only(public):
    for path, schemes in (("/", ["Bearer", "Basic"]), ("/page/main.js", ["Bearer", "Basic"]),
                          ("/page/nothing", ["Bearer", "Basic"]), ("/pages", ["Bearer"]),
                          ("/api/v1/status", ["Bearer"]), ("/metrics", ["Bearer"])):
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": basic("nonsense")}):
            response = ask(public, path, **headers)
            offered = response.headers.get_all("WWW-Authenticate")
            assert response.status == 401 and [value.split()[0] for value in offered] == schemes, path


def test_nothing_is_changed_with_basic(public, bus):
    bus.register("mt5-1")
    instance = "/api/v1/instances/mt5-1"
    for method, path, body in (("POST", instance + "/commands", {"command": "stop"}),
                               ("PUT", instance + "/maintenance", {"reason": "x"}),
                               ("POST", instance + "/reports", {"cpu_usage": 1}),
                               ("DELETE", instance, None), ("POST", "/-/reload", None), ("GET", "/api/v1/tap", None)):
        response = ask(public, path, method=method, body=body and json.dumps(body),
                       Authorization=basic(TOKENS["admin"]))
        assert response.status == 401, path
        assert [value.split()[0] for value in response.headers.get_all("WWW-Authenticate")] == ["Bearer"]
    assert bus.state("mt5-1") == "running" and not bus.entries("instance_commands")


# ---- the numbers ----

def read(one, path):
    response = ask(one, path)
    assert response.status == 200, response.text
    return json.loads(response.text)


def test_history_counts_what_has_come(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    wait_until(lambda: len(read(one, "/api/v1/history")["history"]) >= 2, "samples")
    for n in range(5):
        bus.signal(f"s-{n}", "buy")
    for n in range(3):
        bus.result(f"r-{n}", f"s-{n}", "executed" if n else "failed")

    def counted():
        samples = read(one, "/api/v1/history")["history"]
        sums = {name: sum(sample[name] for sample in samples) for name in ("received", "processed", "failed", "dropped")}
        return sums == {"received": 5, "processed": 2, "failed": 1, "dropped": 0} and samples[-1]["open"] == 2

    wait_until(counted, "the signals to be counted")
    samples = read(one, "/api/v1/history")["history"]
    assert any(sample["p99_ms"] is not None and sample["p99_ms"] >= sample["p50_ms"] for sample in samples)
    times = [sample["at_ms"] for sample in samples]
    assert times == sorted(set(times))
    assert all(0 <= sample["over_ms"] <= 60_000 for sample in samples)


def test_history_goes_on_behind_since(daemon):
    one = daemon()
    wait_until(lambda: len(read(one, "/api/v1/history")["history"]) >= 2, "samples")
    at = read(one, "/api/v1/history")["history"][0]["at_ms"]
    assert all(sample["at_ms"] > at for sample in read(one, f"/api/v1/history?since={at}")["history"])
    assert read(one, f"/api/v1/history?since={2**62}")["history"] == []
    for wrong in ("x", "-1", "", "1.5", str(2**64)):
        response = ask(one, "/api/v1/history?since=" + wrong)
        assert response.status == 400 and "since" in json.loads(response.text)["detail"]


def test_status_has_streams_and_redis(daemon, bus, redis_server):
    one = daemon()
    bus.register("mt5-1")
    bus.signal("s-1", "buy")
    bus.add("trade_signals", {"nonsense": "1"})

    def seen():
        status = read(one, "/api/v1/status")
        rows = {row["stream"]: row for row in status["streams"]}
        signals = rows["trade_signals"]
        return (signals["length"] == 1 and signals["lag"] == 0 and signals["entries"] == 2
                and signals["rejected"] == 1 and status["redis"]["used_memory_bytes"])

    wait_until(seen, "what is polled")
    status = read(one, "/api/v1/status")
    assert status["redis"]["error"] is None and status["config_reload_ok"] is True
    assert status["instances_set_aside"] == 0 and status["notifications"] == {"failing": 0, "error": None}
    assert not any(row["left_out"] for row in status["streams"])
    assert status["signals"]["received"] == 1 and status["signals"]["open"] == 1
    assert status["signals"]["oldest_ms"] > 0 and status["now_ms"] > 1_500_000_000_000
    assert status["redis"]["up"] is True and re.fullmatch(r"\d+\.\d+\.\d+", status["redis"]["version"])
    since = status["readiness_since_ms"]
    redis_server.stop()
    wait_until(lambda: read(one, "/api/v1/status")["redis"]["up"] is False, "the link to be seen as down")
    wait_until(lambda: read(one, "/api/v1/status")["readiness_since_ms"] > since, "since when")
    wait_until(lambda: any(re.search(r'error="?[^" ]', line) for line in one.log_lines(msg="not ready")), "the log to say why")
    status = read(one, "/api/v1/status")
    assert status["redis"]["error"]
    assert status["redis"]["used_memory_bytes"] is None and status["streams"][0]["length"] is None


def test_status_says_what_was_left_out_and_set_aside(daemon, bus):
    one = daemon({"instances.reconcile_interval_ms": 50, "redis.info_interval_ms": 50})
    bus.register("mt5-1")
    bus.register("mt5-2")
    for key in ("trade_results", "instance_metrics:mt5-1"):
        bus.client.delete(key)
        bus.client.rpush(key, "foreign")
    bus.report("mt5-1", state="stopped", cpu_usage="5")

    def said():
        status = read(one, "/api/v1/status")
        return ([row["stream"] for row in status["streams"] if row["left_out"]], status["instances_set_aside"])

    def measured():
        metrics = one.metrics()
        return (metrics.value("mt5stated_stream_left_out", stream="trade_results"),
                metrics.value("mt5stated_stream_left_out", stream="trade_signals"),
                metrics.value("mt5stated_blocked_instances"))

    wait_until(lambda: said() == (["trade_results"], 1), "both")
    assert measured() == (1, 0, 1)
    bus.client.delete("trade_results", "instance_metrics:mt5-1")
    wait_until(lambda: said() == ([], 0), "neither")
    assert measured() == (0, 0, 0)


def test_status_says_that_notifications_fail(daemon, bus, receiver):
    taker = receiver(answer(500))
    url = taker.url()
    one = daemon({"rules.HighQueueLength.threshold": 10, "observe_only": True,
                  "notify.webhooks": [{"url": url, "timeout_ms": 300}]})

    def failing():
        return read(one, "/api/v1/status")["notifications"]

    bus.register("mt5-1", queue_length="50")
    wait_until(lambda: failing()["failing"] == 1, "it to be seen")
    assert failing()["error"].startswith("notify.webhooks[0]: ") and url not in failing()["error"]
    taker.behaviour = answer(200)
    wait_until(lambda: failing() == {"failing": 0, "error": None}, "it to be over")


def test_status_says_that_a_reload_was_refused(daemon):
    one = daemon()
    one.write_config(nonsense=1)
    one.reload()
    wait_until(lambda: read(one, "/api/v1/status")["config_reload_ok"] is False, "it to be refused")
