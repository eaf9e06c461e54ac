"""What /metrics says (SPEC 9), over a real Redis, read by strict parsers and by a real Prometheus."""

import gzip
import pathlib
import re

import pytest

from mt5 import http as mt5_http
from mt5.daemon import OPENMETRICS
from mt5.metrics import Metrics
from mt5.ports import own_address, port_free
from mt5.prometheus import promtool_check
from mt5.wait import wait_until

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "METRICS.md"
ENDS = ("processed", "failed", "dropped", "lost")

EVERYTHING = {
    "broker_id": "b1", "host_id": "h1", "state": "running", "cpu_usage": 12.5, "memory_usage": 2,
    "memory_limit": 4, "network_usage": 1.5, "disk_usage": 1, "network_latency": 250, "queue_length": 7,
    "load_average": 1.25, "socket_connections": 0, "active_connections": 3, "uptime_seconds": 3600,
    "restart_count": 2,
}


def report(redis, instance_id, **fields):
    redis.xadd("instance_reports", {"instance_id": instance_id, **fields})


def signal(redis, signal_id, action="buy", **fields):
    redis.xadd("trade_signals", {"signal_id": signal_id, "action": action, **fields})


def result(redis, result_id, signal_id, status="executed", **fields):
    redis.xadd("trade_results", {"result_id": result_id, "signal_id": signal_id, "status": status, **fields})


def trade(redis, trade_id, **fields):
    redis.xadd("trade_updates", {"trade_id": trade_id, **fields})


def wait_metric(daemon, wanted, name, **labels):
    """Waits until a series has a value, and returns that scrape."""
    def scrape():
        metrics = daemon.metrics()
        assert metrics.value(name, **labels) == wanted
        return metrics
    return wait_until(scrape, f"{name}{labels} to be {wanted}")


def bring_everything_about(redis, daemon):
    """So that every family has a series."""
    report(redis, "mt5-1", **EVERYTHING)
    report(redis, "mt5-2", broker_id="b1", state="stopped")
    report(redis, "mt5-3", cpu_usage="nan")
    report(redis, "mt5-4", broker_id="b1", state="running", memory_usage=2)
    for i in range(4):
        signal(redis, f"s{i}", "sell" if i % 2 else "buy", instance_id="mt5-1")
    result(redis, "r0", "s0", slippage=-0.5, execution_time=40)
    result(redis, "r1", "s1", "failed")
    for state in ("pending", "executed"):
        trade(redis, "t1", instance_id="mt5-1", state=state)

    def everything():
        metrics = daemon.metrics()
        assert metrics.total("mt5stated_signals_dropped_total") == 2
        assert metrics.series("retrieval_latency_us")
        assert metrics.series("hit_ratio")
        assert metrics.value("mt5stated_trades", state="executed") == 1
        assert metrics.value("mt5stated_alert_firing", instance_id="mt5-1", alert="SocketFailure") == 1
        assert metrics.series("mt5stated_rule_unevaluable")
        return metrics
    return wait_until(everything, "every family to have a series")


@pytest.fixture
def busy(redis, daemon):
    """A daemon whose page shows every family."""
    one = daemon({"signals.ttl_ms": 200, "redis.info_interval_ms": 50}, tcp=True)
    bring_everything_about(redis, one)
    return one


def test_metrics_parse_strictly_in_both_formats(busy):
    plain, opened = busy.metrics(), busy.metrics(openmetrics=True)
    assert plain.value("keyspace_hits", instance_id="redis-1") > 0
    assert opened.families["keyspace_hits"].type == "unknown"
    assert opened.value("mt5stated_signals_received_total", action="buy") == 2
    assert opened.families["mt5stated_signals_received"].type == "counter"
    assert opened.text.endswith("\n# EOF\n")
    assert "# EOF" not in plain.text
    assert "mt5stated_slippage_sum" in plain.text and "mt5stated_slippage_sum" not in opened.text


def test_metrics_pass_promtool(busy):
    promtool_check(busy.get("/metrics").text)


def examples():
    """The queries at the end of METRICS.md; one that is longer than a line goes on further indented."""
    return [" ".join(query.split()) for query in
            re.findall(r"^    \S.*\n(?:     +.*\n)*", DOCUMENT.read_text().split("## Asking")[1], re.M)]


def test_metrics_are_scraped_by_prometheus(busy, prometheus):
    server = prometheus(busy)
    found = server.wait_for('mt5_instance_cpu_usage_percent{instance_id="mt5-1"}')
    assert found[0]["value"][1] == "12.5"
    assert server.target()["health"] == "up", server.target()
    assert server.query("sum(mt5stated_signals_received_total)")[0]["value"][1] == "4"
    assert server.query("mt5_instance_up == 0")[0]["metric"]["instance_id"] == "mt5-2"
    assert len(examples()) >= 10
    for example in examples():
        server.query(example)
    account = next(example for example in examples() if example.startswith("sum(mt5stated_signals_received"))
    assert server.query(account)[0]["value"][1] == "0"


@pytest.mark.parametrize("accept, content_type", [
    (None, "text/plain; version=0.0.4; charset=utf-8"),
    ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
    ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
    (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     "application/openmetrics-text; version=1.0.0; charset=utf-8"),
])
def test_metrics_format_follows_accept(daemon, accept, content_type):
    response = daemon().get("/metrics", **({"accept": accept} if accept else {}))
    assert response.status == 200
    assert response.headers["Content-Type"] == content_type
    assert "Accept" in response.headers["Vary"]


def test_metrics_head_has_the_headers_of_get(daemon):
    one = daemon()
    response = mt5_http.request(one.listen, "/metrics", method="HEAD")
    assert response.status == 200 and response.body == b""
    assert int(response.headers["Content-Length"]) > 1000


def documented():
    """family → (type, labels) of the tables of METRICS.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\|", DOCUMENT.read_text(), re.M)
    assert len({name for name, _, _ in rows}) == len(rows), "a family is in METRICS.md twice"
    return {name: (kind, frozenset(word.strip() for word in labels.split(",") if word.strip()))
            for name, kind, labels in rows}


def exposed(metrics):
    """family → (type, labels) of a page in 0.0.4."""
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics.text, re.M))
    labels = {name: set() for name in families}
    for name, block in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$", metrics.text, re.M):
        labels[name] |= set(re.findall(r'(\w+)="', block)) - {"le"}
    return {name: (kind, frozenset(labels[name])) for name, kind in families.items()}


def test_metrics_document_and_page_agree(busy):
    assert exposed(busy.metrics()) == documented()


def assert_account(metrics):
    """received = processed + failed + dropped + lost + open."""
    ended = sum(metrics.total(f"mt5stated_signals_{end}_total") for end in ENDS)
    assert metrics.total("mt5stated_signals_received_total") == ended + metrics.value("mt5stated_signals_open")


def test_metrics_account_holds_at_every_scrape(redis, daemon):
    one = daemon({"signals.ttl_ms": 300})
    for i in range(3000):
        signal(redis, f"s{i}", f"a{i % 5}")
        if i % 3 == 0:
            result(redis, f"r{i}", f"s{i}", "executed" if i % 2 else "failed")
        if i % 7 == 0:
            signal(redis, f"s{i}", "again")
        if i % 50 == 0:
            assert_account(one.metrics(openmetrics=bool(i % 100)))

    def all_ended():
        metrics = one.metrics()
        assert_account(metrics)
        return metrics if metrics.value("mt5stated_signals_open") == 0 else None
    metrics = wait_until(all_ended, "all signals to end")
    assert metrics.total("mt5stated_signals_received_total") == 3000
    assert metrics.total("mt5stated_signals_duplicate_total") == 429
    assert metrics.total("mt5stated_signals_processed_total") + metrics.total("mt5stated_signals_failed_total") == 1000


def test_metrics_count_open_signals_as_received_after_a_restart(redis, daemon):
    one = daemon()
    for i in range(3):
        signal(redis, f"s{i}")
    result(redis, "r0", "s0")
    wait_metric(one, 1, "mt5stated_signals_processed_total", action="buy")
    one.restart()
    metrics = one.metrics()
    assert_account(metrics)
    assert metrics.value("mt5stated_signals_received_total", action="buy") == 2
    assert metrics.value("mt5stated_signals_processed_total", action="buy") == 0
    assert metrics.value("redis_tss_pending_signals", stream_id="trade_signals") == 2
    assert metrics.value("mt5stated_oldest_open_signal_seconds") > 0


def test_metrics_have_no_series_for_what_was_never_reported(redis, daemon):
    one = daemon()
    empty = one.metrics()
    assert "mt5_instance_" not in empty.text
    assert "mt5stated_signals_received_total" not in empty.text
    assert empty.value("mt5stated_results_total", status="executed") == 0
    assert empty.value("mt5stated_events_total", event="late_execution") == 0
    assert empty.value("mt5stated_transitions_refused_total", **{"from": "stopped", "to": "crashed"}) == 0
    report(redis, "mt5-1", broker_id="b1", state="stopped")
    metrics = wait_metric(one, 0, "mt5_instance_up", instance_id="mt5-1")
    assert metrics.value("mt5_instance_state", instance_id="mt5-1", state="stopped") == 1
    assert metrics.value("mt5_instance_info", instance_id="mt5-1", broker_id="b1", launch_mode="auto") == 1
    for field in ("cpu_usage", "memory", "network", "disk", "queue", "load_average", "socket"):
        assert f"mt5_instance_{field}" not in metrics.text


def test_metrics_have_no_series_for_what_is_too_old(redis, daemon):
    one = daemon({"instances.metric_max_age_ms": 300})
    report(redis, "mt5-1", broker_id="b1", state="running", cpu_usage=5, load_average=1)
    wait_metric(one, 5, "mt5_instance_cpu_usage_percent", instance_id="mt5-1")

    def gone():
        report(redis, "mt5-1", load_average=2)
        metrics = one.metrics()
        assert metrics.value("mt5_instance_load_average", instance_id="mt5-1") is not None
        return metrics if not metrics.series("mt5_instance_cpu_usage_percent") else None
    metrics = wait_until(gone, "the old number to vanish")
    assert metrics.value("mt5_instance_up", instance_id="mt5-1") == 1
    report(redis, "mt5-1", cpu_usage=6)
    wait_metric(one, 6, "mt5_instance_cpu_usage_percent", instance_id="mt5-1")


def test_metrics_take_the_memory_limit_from_the_configuration(redis, daemon):
    one = daemon({"instances.memory_limit_mb": 8})
    report(redis, "mt5-1", broker_id="b1", state="running")
    report(redis, "mt5-2", broker_id="b1", state="running", memory_limit=4)
    wait_metric(one, 8 << 20, "mt5_instance_memory_limit_bytes", instance_id="mt5-1")
    wait_metric(one, 4 << 20, "mt5_instance_memory_limit_bytes", instance_id="mt5-2")


def test_metrics_refused_and_rejected_are_counted(redis, daemon):
    one = daemon()
    report(redis, "mt5-1", broker_id="b1", state="stopped")
    report(redis, "mt5-1", state="crashed")
    report(redis, "mt5-1", cpu_usage="-1")
    trade(redis, "t1", lot_size="x")
    wait_metric(one, 1, "mt5stated_transitions_refused_total", **{"from": "stopped", "to": "crashed"})
    wait_metric(one, 1, "mt5stated_entries_rejected_total", stream="instance_reports", reason="cpu_usage")
    wait_metric(one, 1, "mt5stated_entries_rejected_total", stream="trade_updates", reason="lot_size")
    assert one.metrics().value("mt5stated_entries_total", stream="instance_reports") == 3


def test_metrics_by_id_are_bounded(redis, daemon):
    one = daemon({"metrics.max_ids_per_family": 3})
    for i in range(10):
        signal(redis, f"s{i}")
        result(redis, f"r{i}", f"s{i}", slippage=i)
        trade(redis, f"t{i}", state="pending")
    wait_metric(one, 10, "mt5stated_trade_updates_total")
    metrics = wait_metric(one, 10, "mt5stated_signals_processed_total", action="buy")
    newest = {f"s{i}" for i in (7, 8, 9)}
    for family in ("redis_tss_signals_received_total", "redis_tss_signals_processed_total",
                   "redis_tss_signal_processing_latency"):
        assert {labels["signal_id"] for labels, _ in metrics.series(family)} == newest
        assert metrics.value("mt5stated_series_evicted_total", family=family) == 7
    assert {labels["result_id"]: value for labels, value in metrics.series("redis_trade_slippage")} == {
        "r7": 7, "r8": 8, "r9": 9}
    assert metrics.value("redis_trade_result", result_id="r9", status="executed") == 1

    def trades_written():
        metrics = one.metrics()
        assert {labels["trade_id"] for labels, _ in metrics.series("set_latency_us")} == {"t7", "t8", "t9"}
        assert metrics.value("mt5stated_series_evicted_total", family="latency_us") == 7
        return True
    wait_until(trades_written, "the newest trades")


def test_metrics_by_id_end_by_age(redis, daemon):
    one = daemon({"metrics.id_ttl_s": 1})
    signal(redis, "s1")
    result(redis, "r1", "s1")
    wait_metric(one, 1, "redis_tss_signals_processed_total", signal_id="s1", action="buy")
    metrics = wait_metric(one, None, "redis_tss_signals_processed_total", signal_id="s1", action="buy")
    assert metrics.value("mt5stated_signals_processed_total", action="buy") == 1
    assert metrics.value("mt5stated_series_evicted_total", family="redis_tss_signals_processed_total") == 0


def test_metrics_by_id_can_be_turned_off(redis, daemon):
    one = daemon({"metrics.per_id": False})
    signal(redis, "s1")
    result(redis, "r1", "s1", slippage=1)
    trade(redis, "t1")
    wait_metric(one, 1, "mt5stated_trade_updates_total")
    metrics = wait_metric(one, 1, "mt5stated_signals_processed_total", action="buy")
    assert not re.search(r"signal_id=|result_id=|trade_id=|mt5stated_series_evicted", metrics.text)


def test_metrics_show_an_id_that_came_again_once(redis, daemon):
    """With another action, beyond the dedup window: two series where the action is a label, one where it is not."""
    one = daemon({"signals.dedup_ms": 20, "results.max_len": 1})
    for i, action in enumerate(("buy", "sell")):
        def ended():
            signal(redis, "s1", action)
            result(redis, f"x{i}", "other")
            result(redis, "r1", "s1", slippage=i, execution_time=i)
            return one.metrics().value("mt5stated_signals_processed_total", action=action)
        wait_until(ended, f"s1 to be taken as {action}")
    metrics = one.metrics(openmetrics=True)
    assert len(metrics.series("redis_tss_signals_processed_total", signal_id="s1")) == 2
    assert len(metrics.series("redis_tss_signal_processing_latency")) == 1
    assert len(metrics.series("redis_trade_slippage")) == 1


def test_metrics_exemplar_names_a_signal(redis, daemon):
    one = daemon()
    signal(redis, "s1")
    result(redis, "r1", "s1")
    wait_metric(one, 1, "mt5stated_signals_processed_total", action="buy")
    buckets = one.metrics(openmetrics=True).families["mt5stated_signal_latency_seconds"].samples
    assert [sample.exemplar.labels for sample in buckets if sample.exemplar] == [{"signal_id": "s1"}]


def test_metrics_without_redis(redis_server, redis, daemon):
    one = daemon({"redis.info_interval_ms": 50})
    report(redis, "mt5-1", broker_id="b1", state="running")
    wait_metric(one, 1, "mt5_instance_up", instance_id="mt5-1")
    wait_until(lambda: one.metrics().series("used_memory"), "INFO to be read")
    redis_server.stop()
    metrics = wait_metric(one, 0, "mt5stated_redis_up")
    assert not metrics.series("used_memory") and not metrics.series("mt5stated_stream_length")
    assert metrics.value("redis_tss_connection_errors_total", stream_id="trade_signals") >= 1
    assert metrics.value("mt5_instance_up", instance_id="mt5-1") == 1
    assert one.get("/-/ready").status == 503
    redis_server.start()
    one.wait_ready()
    metrics = wait_metric(one, 1, "mt5stated_redis_up")
    assert metrics.value("mt5stated_redis_reconnects_total") == 1


def test_metrics_of_a_standby(daemon):
    first = daemon()
    second = daemon(ready=False)
    second.wait_serving()
    wait_until(lambda: second.ready_word() == "standby", "the second to stand by")
    assert first.metrics().value("mt5stated_leader") == 1
    assert second.metrics().value("mt5stated_leader") == 0


def test_metrics_are_gzipped_for_clients_elsewhere_only(redis, daemon):
    one = daemon(tcp=True)
    for i in range(50):
        report(redis, f"mt5-{i}", **EVERYTHING)
    wait_metric(one, 50, "mt5stated_instances", state="running")
    local = one.get("/metrics", accept_encoding="gzip")
    assert "Content-Encoding" not in local.headers
    address = own_address()
    if address == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    # Seen from 127.0.0.1 a connection from the machine's other address is one from elsewhere.
    packed = mt5_http.request(one.listen, "/metrics", headers={"Accept-Encoding": "gzip", "Accept": OPENMETRICS},
                              source=address)
    assert packed.headers["Content-Encoding"] == "gzip"
    metrics = Metrics(gzip.decompress(packed.body).decode(), True)
    assert len(metrics.series("mt5_instance_up")) == 50
    assert len(packed.body) < len(local.body) / 4
    plain = mt5_http.request(one.listen, "/metrics", source=address)
    assert "Content-Encoding" not in plain.headers
    assert len(Metrics(plain.text).series("mt5_instance_up")) == 50


TOKENS = {"reader": "read", "reporter": "report", "admin": "admin"}


@pytest.fixture
def guarded(folder, daemon):
    """Makes a daemon that listens on every address."""
    def make(with_tokens=True):
        tokens = []
        for name, role in TOKENS.items():
            path = folder / name
            path.write_text(f"the-secret-of-{name}\n")
            path.chmod(0o600)
            tokens.append({"name": name, "role": role, "file": str(path)})
        one = daemon({"http.listen": f"0.0.0.0:{port_free()}", "http.tokens": tokens if with_tokens else []},
                     ready=False)
        wait_until(lambda: one.ready_word(), "the daemon to answer HTTP")
        return one
    return make


def bearer(name):
    return {"authorization": f"Bearer the-secret-of-{name}"}


def test_metrics_need_a_token_on_other_addresses(guarded):
    one = guarded()
    assert one.get("/-/healthy").status == 200
    for path in ("/metrics", "/-/ready", "/", "/nowhere"):
        response = one.get(path)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.headers["Content-Type"] == "application/problem+json"
        response = one.get(path, authorization="Bearer the-secret-of-nobody")
        assert response.status == 401 and "invalid_token" in response.headers["WWW-Authenticate"]
        assert one.get(path, **bearer("reporter")).status == 403
    assert one.get("/metrics", **bearer("reader")).status == 200
    assert one.get("/metrics", **bearer("admin")).status == 200
    assert one.get("/nowhere", **bearer("reader")).status == 404
    wait_until(lambda: one.get("/-/ready", **bearer("reader")).text == "ready", "the daemon to be ready")
    assert "secret-of-" not in one.log()


def test_metrics_without_any_token_name_the_key(guarded):
    one = guarded(with_tokens=False)
    response = one.get("/metrics", **bearer("reader"))
    assert response.status == 403 and "http.tokens" in response.text
    assert one.get("/-/healthy").status == 200


def test_server_routes(daemon):
    one = daemon()
    landing = one.get("/")
    assert landing.status == 200 and landing.headers["Content-Type"].startswith("text/html")
    for path in re.findall(r'href="([^"#][^"]*)"', landing.text):
        assert one.get(path).status == 200
    healthy, ready = one.get("/-/healthy"), one.get("/-/ready")
    assert (healthy.status, healthy.text) == (200, "ok")
    assert (ready.status, ready.text) == (200, "ready")
    assert mt5_http.request(one.listen, "/", method="HEAD").status == 200
    missing = one.get("/metrics/")
    assert missing.status == 404 and missing.headers["Content-Type"] == "application/problem+json"
    refused = mt5_http.request(one.listen, "/metrics", method="POST", body=b"x")
    assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD"
