"""The HTTP API (SPEC 8): reading the fleet and changing it, over the real daemon."""

import contextlib
import http.client
import json

import pytest

from mt5 import http as mt5_http
from mt5.ports import port_free
from mt5.tokens import TOKENS
from mt5.wait import wait_until

INSTANCE = "/api/v1/instances/mt5-1"
COMMANDS, MAINTENANCE, REPORTS, WHY = (INSTANCE + path for path in ("/commands", "/maintenance", "/reports", "/why"))
# Of each changing endpoint one request that is in order, and the roles that may make it.
CHANGES = [
    ("POST", COMMANDS, {"command": "restart", "reason": "weekly"}, {"admin"}),
    ("PUT", MAINTENANCE, {"reason": "update", "seconds": 600}, {"admin"}),
    ("DELETE", MAINTENANCE, None, {"admin"}),
    ("POST", REPORTS, {"cpu_usage": 1}, {"admin", "report"}),
    ("POST", "/-/reload", None, {"admin"}),
    ("DELETE", INSTANCE, None, {"admin"}),
]


class Api:
    """A daemon and how to ask it."""

    def __init__(self, one):
        self.daemon = one

    def ask(self, method, path, body=None, role="admin", timeout=20, **headers):
        if role:
            headers["Authorization"] = "Bearer " + TOKENS.get(role, role)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        return mt5_http.request(self.daemon.listen, path, method=method, headers=headers, body=body, timeout=timeout)

    @contextlib.contextmanager
    def send(self, method, path, body):
        """A client that has asked over TCP and does not wait for the answer."""
        host, _, port = self.daemon.listen.rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=20)) as client:
            client.request(method, path, json.dumps(body), {"Authorization": "Bearer " + TOKENS["admin"]})
            yield

    def get(self, path):
        response = self.ask("GET", path, role=None)
        assert response.status == 200, response.text
        assert response.headers["Content-Type"] == "application/json"
        return json.loads(response.text)

    def instance(self, instance_id="mt5-1"):
        return self.get(f"/api/v1/instances/{instance_id}")


@pytest.fixture
def api(daemon, tokens):
    def make(config=None, **options):
        return Api(daemon({"http.tokens": tokens, **(config or {})}, **options))
    return make


def assert_problem(response, status, *words):
    assert response.status == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.text)
    assert problem["status"] == status and problem["title"]
    for word in words:
        assert word in problem["detail"], problem
    return problem


# ---- who may ----

@pytest.mark.parametrize("method, path, body, roles", CHANGES)
def test_changing_needs_a_token_of_the_right_role(api, bus, method, path, body, roles):
    one = api()
    bus.register("mt5-1")
    for wrong in (None, "nonsense-nonsense", TOKENS["admin"][:-1]):
        response = one.ask(method, path, body, role=wrong)
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    for role in set(TOKENS) - roles:
        assert_problem(one.ask(method, path, body, role=role), 403, "role")
    assert bus.state("mt5-1") == "running" and not bus.entries("instance_commands")
    assert not one.daemon.log_lines(msg="operator")
    for role in roles:
        assert one.ask(method, path, body, role=role).status in (200, 202, 204)


@pytest.mark.parametrize("method, path, body, roles", CHANGES)
def test_changing_without_any_token_configured_names_the_key(daemon, bus, method, path, body, roles):
    one = Api(daemon())
    bus.register("mt5-1")
    assert_problem(one.ask(method, path, body, role=None), 403, "http.tokens")
    assert_problem(one.ask(method, path, body), 403, "http.tokens")


def test_a_change_is_logged_with_who_made_it(api, bus):
    one = api()
    bus.register("mt5-1")
    one.ask("POST", COMMANDS, {"command": "restart", "reason": "weekly, as agreed"})
    assert one.daemon.log_lines(msg="operator", token="the-admin", instance_id="mt5-1", command="restart",
                                reason="weekly, as agreed")
    assert not any(secret in one.daemon.log() for secret in TOKENS.values())


# ---- whose browser ----

@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("127.0.0.1:1", 200), ("[::1]:10555", 200), ("localhost", 200), ("LOCALHOST:80", 200),
    ("fleet.localhost", 200), ("fleet-1", 200),
    ("evil.example", 403), ("evil.example:10555", 403), ("127.0.0.1.evil.example", 403),
])
def test_a_foreign_host_is_refused_on_a_loopback_address(api, bus, host, status):
    one = api(tcp=True)
    bus.register("mt5-1")
    for method, path, body in (("GET", INSTANCE, None), ("GET", "/metrics", None), ("GET", "/-/ready", None),
                               ("PUT", MAINTENANCE, {"reason": "x"})):
        response = one.ask(method, path, body, Host=host)
        assert response.status == status, response.text
        if status == 403:
            assert_problem(response, 403, "Host")
    assert one.ask("GET", "/-/healthy", Host=host).status == 200


def test_any_host_is_served_on_a_unix_socket(api, bus):
    one = api()
    bus.register("mt5-1")
    assert one.ask("GET", INSTANCE, Host="fleet.example").status == 200


def test_on_other_addresses_a_token_is_what_counts(api, bus):
    one = api({"http.listen": f"0.0.0.0:{port_free()}"}, ready=False)
    one.daemon.wait_serving()
    wait_until(lambda: one.ask("GET", "/-/ready", role="read", Host="fleet.example").status == 200, "it to be ready")
    bus.register("mt5-1")
    for path in (INSTANCE, "/api/v1/nothing", "/-/ready", "/"):
        assert_problem(one.ask("GET", path, role=None), 401)
        assert_problem(one.ask("GET", path, role="report"), 403, "report")
    assert one.ask("GET", INSTANCE, role="read", Host="fleet.example").status == 200
    assert one.ask("POST", REPORTS, {"cpu_usage": 1}, role="report", Host="fleet.example").status == 202
    assert one.ask("PUT", MAINTENANCE, {"reason": "x"}, Host="fleet.example").status == 200


# ---- paths, methods, arguments ----

@pytest.mark.parametrize("method, path", [
    ("GET", "/api"), ("GET", "/api/v1"), ("GET", "/api/v1/"), ("GET", "/api/v1/instances/"),
    ("GET", "/api/v1/instances//why"), ("GET", INSTANCE + "/"), ("GET", INSTANCE + "/what"),
    ("GET", "/api/v1/instances/nobody"), ("GET", "/api/v1/instances/nobody/why"),
    ("GET", "/api/v1/instances/-bad-"), ("GET", "/api/v1/instances/a%20b"), ("GET", "/api/v1/instances/" + "x" * 65),
    ("GET", "/api/v1/instances/%ff%fe"), ("GET", "/api/v1/instances/../status"), ("GET", "/api/v1/instances/a%2fb"),
    ("POST", "/api/v1/instances/nobody/commands"), ("PUT", "/api/v1/instances/nobody/maintenance"),
    ("DELETE", "/api/v1/instances/nobody/maintenance"), ("DELETE", "/api/v1/instances/nobody"),
])
def test_what_is_not_there_is_not_found(api, bus, method, path):
    one = api()
    bus.register("mt5-1")
    assert_problem(one.ask(method, path, {"command": "start", "reason": "x"} if method != "GET" else None), 404)


@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/api/v1/status", {"GET", "HEAD"}), ("DELETE", "/api/v1/instances", {"GET", "HEAD"}),
    ("PUT", INSTANCE, {"GET", "HEAD", "DELETE"}), ("GET", COMMANDS, {"POST"}), ("POST", MAINTENANCE, {"PUT", "DELETE"}),
    ("GET", "/-/reload", {"POST"}), ("PATCH", INSTANCE, {"GET", "HEAD", "DELETE"}),
])
def test_a_wrong_method_is_told_the_right_ones(api, bus, method, path, allow):
    one = api()
    bus.register("mt5-1")
    response = one.ask(method, path)
    assert response.status == 405
    assert set(response.headers["Allow"].split(", ")) == allow


@pytest.mark.parametrize("path, word", [
    ("/api/v1/instances?colour=red", "colour"), ("/api/v1/instances?State=running", "State"),
    ("/api/v1/instances?state=running&state=stopped", "state"), ("/api/v1/instances?state=flying", "state"),
    ("/api/v1/instances?state=", "state"), ("/api/v1/instances?health=fine", "health"),
    ("/api/v1/instances?broker=a%20b", "broker"), ("/api/v1/instances?after=a%20b", "after"),
    ("/api/v1/instances?limit=0", "limit"), ("/api/v1/instances?limit=1001", "limit"),
    ("/api/v1/instances?limit=-1", "limit"), ("/api/v1/instances?limit=ten", "limit"),
    ("/api/v1/instances?limit=", "limit"), ("/api/v1/instances?%00", ""),
    ("/api/v1/alerts?limit=1e1", "limit"), ("/api/v1/alerts?after=x", "after"),
    ("/api/v1/alerts?state=running", "state"),
    ("/api/v1/status?x", "x"), (INSTANCE + "?x=1", "x"), (WHY + "?limit=1", "limit"),
])
def test_a_wrong_query_argument_is_named(api, path, word):
    assert_problem(api().ask("GET", path, role=None), 400, word)


# ---- reading ----

def test_status_says_how_the_fleet_is(api, bus):
    one = api()
    bus.register("mt5-1")
    bus.register("mt5-2", state="stopped")
    bus.signal("s1")
    bus.trade("t1", state="pending")
    bus.settle()
    status = one.get("/api/v1/status")
    assert status["ready"] is True and status["unready"] is None
    assert status["redis_up"] is True and status["leader"] is True
    assert status["instances"] == {"total": 2, "running": 1, "stopped": 1, "crashed": 0, "restarting": 0}
    assert status["signals_open"] == 1 and status["trades_open"] == 1
    assert status["alerts"] == {"pending": 0, "firing": 0}
    assert status["guard_active"] is False and status["breaker_open"] == []
    assert status["version"] and status["uptime_seconds"] >= 0


def test_an_instance_is_shown_with_all_that_is_known(api, bus):
    one = api()
    bus.register("mt5-1", broker_id="b1", host_id="h1", cpu_usage=12.5, memory_usage=100, last_error='a "b"\n',
                 active_connections=3)
    bus.trade("t1", instance_id="mt5-1", state="executed")
    bus.settle()
    shown = one.instance()
    assert shown["instance_id"] == "mt5-1" and shown["broker_id"] == "b1" and shown["host_id"] == "h1"
    assert shown["state"] == "running" and shown["launch_mode"] == "auto" and shown["active_connections"] == 3
    assert shown["metrics"]["cpu_usage"] == 12.5 and "queue_length" not in shown["metrics"]
    assert shown["health"]["health_status"] == "healthy" and shown["health"]["last_error"] == 'a "b"\n'
    assert shown["alerts"] == [] and shown["throttled"] is False and shown["open_trades"] == 1
    assert shown["command"] is None
    assert shown["heartbeat_age_ms"] >= 0
    bus.register("mt5-2", state="stopped")
    assert one.instance("mt5-2").get("host_id") is None


def test_what_is_under_way_is_shown_until_it_has_ended(api, bus):
    one = api({"recovery.timeout_ms": 60000})
    bus.register("mt5-1", broker_id="b1", state="crashed")
    [entry] = wait_until(lambda: bus.entries("instance_commands"), "a command")
    shown = wait_until(lambda: one.instance()["command"], "it to be shown")
    assert {name: shown[name] for name in ("command_id", "command", "status", "attempt", "issued_at", "alert")} == {
        "command_id": entry["command_id"], "command": "recover", "status": "issued", "attempt": 1,
        "issued_at": entry["issued_at"], "alert": "InstanceCrash"}
    assert shown["correlation_id"].startswith("report-") and shown["expires_at"] <= entry["expires_at"]
    bus.report("mt5-1", command_id=shown["command_id"], command_status="accepted")
    wait_until(lambda: one.instance()["command"]["status"] == "accepted", "the answer")
    bus.report("mt5-1", state="running", command_id=shown["command_id"], command_status="ok")
    wait_until(lambda: one.instance()["command"] is None, "its end")


def test_instances_are_listed_in_pages_that_hold_still(api, bus):
    one = api()
    ids = sorted(f"i{number:03d}" for number in range(130))
    bus.many("instance_reports", [{"instance_id": name, "broker_id": "b1" if name < "i100" else "b2",
                                   "state": "running" if name[-1] in "02468" else "stopped"} for name in reversed(ids)])
    bus.settle()

    def walk(query):
        found, after = [], ""
        while True:
            page = one.get(f"/api/v1/instances?{query}{'&after=' + after if after else ''}")
            found += [row["instance_id"] for row in page["instances"]]
            if "next" not in page:
                return found
            after = page["next"]

    assert len(one.get("/api/v1/instances")["instances"]) == 100
    assert "next" not in one.get("/api/v1/instances?limit=1000")
    assert "next" not in one.get("/api/v1/instances?limit=130")
    assert walk("limit=1000") == walk("limit=7") == walk("limit=100") == ids
    assert walk("limit=9&state=stopped") == [name for name in ids if name[-1] in "13579"]
    assert walk("limit=9&broker=b2&state=RUNNING") == [name for name in ids if name >= "i100" and name[-1] in "02468"]
    assert walk("health=healthy") == ids and walk("health=critical") == [] and walk("broker=b3") == []
    page = one.get("/api/v1/instances?limit=5")
    assert page["next"] == "i004"
    one.ask("DELETE", "/api/v1/instances/i004")
    bus.register("i0030")
    assert one.get("/api/v1/instances?limit=1&after=i004")["instances"][0]["instance_id"] == "i005"


def test_alerts_and_why_tell_what_is_wrong(api, bus):
    one = api({"rules.HighQueueLength.threshold": 10, "observe_only": True})
    bus.register("mt5-1", queue_length=50)
    bus.register("mt5-2", queue_length=5)

    def firing():
        return one.get("/api/v1/alerts")["alerts"]
    alerts = wait_until(firing, "the alert")
    assert [(row["instance_id"], row["alert"], row["status"]) for row in alerts] == [
        ("mt5-1", "HighQueueLength", "firing")]
    assert one.get("/api/v1/status")["alerts"] == {"pending": 0, "firing": 1}
    assert [row["alert"] for row in one.instance()["alerts"]] == ["HighQueueLength"]

    def told():
        steps = one.get(WHY)["why"]
        assert any(step.get("reason") == "observe_only" for step in steps), steps
        return steps
    assert wait_until(told, "why to say that nothing is done")
    assert one.get("/api/v1/instances/mt5-2/why")["why"] == []


def test_alerts_are_listed_in_pages(api, bus):
    one = api({"rules.HighQueueLength.threshold": 10, "rules.HighLoadAverage.threshold": 1, "observe_only": True})
    bus.many("instance_reports", [{"instance_id": f"i{number}", "broker_id": "b1", "state": "running",
                                   "queue_length": 50, "load_average": 3} for number in range(5)])
    wanted = [(f"i{number}", name) for number in range(5) for name in ("HighLoadAverage", "HighQueueLength")]

    def walk():
        found, page = [], {"next": ""}
        while "next" in page:
            page = one.get("/api/v1/alerts?limit=3" + ("&after=" + page["next"] if page["next"] else ""))
            found += [(row["instance_id"], row["alert"]) for row in page["alerts"]]
        assert found == wanted
        return True
    wait_until(walk, "all alerts, each once")


def test_alerts_of_a_whole_group_come_first(api, bus):
    one = api()
    ids = [f"i{number}" for number in range(4)]
    bus.many("instance_reports", [{"instance_id": name, "broker_id": "b1", "state": "running"} for name in ids])
    bus.settle()
    bus.many("instance_reports", [{"instance_id": name, "state": "crashed"} for name in ids[:3]])
    status = wait_until(lambda: (found := one.get("/api/v1/status"))["breaker_open"] and found, "the breaker to open")
    assert sorted(status["breaker_open"]) == ["all", "broker:b1"]

    def walk(limit):
        found, page = [], {"next": ""}
        while "next" in page:
            page = one.get(f"/api/v1/alerts?limit={limit}" + ("&after=" + page["next"] if page["next"] else ""))
            found += [(row.get("group"), row.get("instance_id"), row["alert"]) for row in page["alerts"]]
        return found
    assert walk(1) == walk(1000) == [("all", None, "FleetFailure"), ("broker:b1", None, "FleetFailure"),
                                     *((None, name, "InstanceCrash") for name in ids[:3])]
    assert not bus.entries("instance_commands")


def test_reading_goes_on_while_redis_is_away(api, bus, redis_server):
    one = api()
    bus.register("mt5-1")
    redis_server.stop()
    wait_until(lambda: not one.daemon.is_ready(), "the daemon to notice")
    assert one.instance()["state"] == "running"
    status = one.get("/api/v1/status")
    assert status["ready"] is False and status["unready"] == "connecting" and status["redis_up"] is False
    redis_server.start()
    one.daemon.wait_ready()


@pytest.mark.no_invariants(reason="there is no Redis")
def test_nothing_is_shown_before_anything_is_known(api, redis_server):
    redis_server.stop()
    one = api(ready=False)
    one.daemon.wait_serving()
    for path in ("/api/v1/instances", INSTANCE, WHY, "/api/v1/alerts"):
        assert_problem(one.ask("GET", path, role=None), 503, "connecting")
    assert one.get("/api/v1/status")["ready"] is False


# ---- commands ----

@pytest.mark.parametrize("command", ["start", "stop", "restart", "recover"])
def test_a_command_is_answered_once_it_is_stored(api, bus, command):
    one = api()
    bus.register("mt5-1")
    body = {"command": command, "reason": 'because "I" say so\n', "instance_id": "mt5-1"}
    response = one.ask("POST", COMMANDS, body)
    assert response.status == 202, response.text
    answer = json.loads(response.text)
    entries = bus.entries("instance_commands")     # no waiting: 202 says that it is there
    assert [entry["command_id"] for entry in entries] == [answer["command_id"]] == [f"mt5-1.{command}.1"]
    assert entries[0]["command"] == command and entries[0]["reason"] == 'because "I" say so\n'
    issued = bus.events(event="command_issued", command_id=answer["command_id"])
    assert issued and issued[0]["correlation_id"].startswith("operator-")


def test_a_second_command_names_the_one_under_way(api, bus):
    one = api()
    bus.register("mt5-1")
    first = json.loads(one.ask("POST", COMMANDS, {"command": "restart"}).text)["command_id"]
    assert_problem(one.ask("POST", COMMANDS, {"command": "start"}), 409, first)
    assert_problem(one.ask("POST", COMMANDS, {"command": "restart"}), 409, first)
    assert one.ask("POST", COMMANDS, {"command": "stop"}).status == 202     # the stronger one
    assert {entry["command"] for entry in bus.entries("instance_commands")} == {"restart", "cancel", "stop"}


def test_nothing_is_commanded_where_only_observing(api, bus):
    one = api({"observe_only": True})
    bus.register("mt5-1")
    assert_problem(one.ask("POST", COMMANDS, {"command": "restart"}), 409, "observe_only")
    assert not bus.entries("instance_commands")


BAD_BODIES = [
    (COMMANDS, "", 400, ""), (COMMANDS, "{", 400, "it ends where a name in double quotes should be, at byte 2"),
    (COMMANDS, '{"command":"stop",}', 400, "a comma too many, before }, at byte 18"),
    (COMMANDS, "{'command':'stop'}", 400, "' where a name in double quotes should be, at byte 2"),
    (COMMANDS, '{"command"="stop"}', 400, "= where a colon should be, at byte 11"),
    (COMMANDS, '{"command":stop}', 400, "s where a value should be, at byte 12"),
    (COMMANDS, "[]", 400, ""), (COMMANDS, '"stop"', 400, ""),
    (COMMANDS, "null", 400, ""), (COMMANDS, '{"command":"stop"} x', 400, ""), (COMMANDS, "\xff", 400, ""),
    (COMMANDS, '{"command":"stop","command":"start"}', 400, "command"), (COMMANDS, "[" * 30000, 400, ""),
    (COMMANDS, '{"a":' * 10000, 400, ""),
    (COMMANDS, {}, 422, "command"), (COMMANDS, {"command": ""}, 422, "command"),
    (COMMANDS, {"command": 1}, 422, "command"),
    (COMMANDS, {"command": None}, 422, "command"), (COMMANDS, {"command": ["stop"]}, 422, "command"),
    (COMMANDS, {"command": "explode"}, 422, "command"), (COMMANDS, {"command": "STOP"}, 422, "command"),
    (COMMANDS, {"command": "cancel"}, 422, "command"), (COMMANDS, {"command": "stop\0"}, 422, "command"),
    (COMMANDS, {"Command": "stop"}, 422, "Command"), (COMMANDS, {"command": "stop", "when": "now"}, 422, "when"),
    (COMMANDS, {"command": "stop", "reason": 5}, 422, "reason"),
    (COMMANDS, {"command": "stop", "reason": "x" * 1025}, 422, "reason"),
    (COMMANDS, {"command": "stop", "reason": "ä" * 513}, 422, "reason"),
    (COMMANDS, {"command": "stop", "reason": "a\0b"}, 422, "reason"),
    (COMMANDS, b'{"command":"stop","reason":"\xff"}', 422, "reason"),
    (COMMANDS, {"command": "stop", "instance_id": "mt5-2"}, 422, "instance_id"),
    (COMMANDS, {"command": "stop", "instance_id": 1}, 422, "instance_id"),
    (MAINTENANCE, "", 400, ""), (MAINTENANCE, {}, 422, "reason"), (MAINTENANCE, {"seconds": 5}, 422, "reason"),
    (MAINTENANCE, {"reason": ""}, 422, "reason"), (MAINTENANCE, {"reason": "x", "seconds": "5"}, 422, "seconds"),
    (MAINTENANCE, {"reason": "x", "seconds": 0}, 422, "seconds"),
    (MAINTENANCE, {"reason": "x", "seconds": -1}, 422, "seconds"),
    (MAINTENANCE, {"reason": "x", "seconds": None}, 422, "seconds"),
    (MAINTENANCE, {"reason": "x", "for": "5m"}, 422, "for"),
    (MAINTENANCE, '{"reason":"x","seconds":1e400}', 422, "seconds"),
    (MAINTENANCE, '{"reason":"x","seconds":NaN}', 400, ""),
    (MAINTENANCE, '{"reason":"x","seconds":5e9}', 422, "seconds"),
    (REPORTS, "", 400, ""), (REPORTS, "[1]", 400, ""), (REPORTS, '{"cpu_usage":01}', 400, ""),
    (REPORTS, {"cpu_usage": -1}, 422, "cpu_usage"), (REPORTS, {"cpu_usage": "nan"}, 422, "cpu_usage"),
    (REPORTS, '{"cpu_usage":1e999}', 422, "cpu_usage"), (REPORTS, {"cpu_usage": None}, 422, "cpu_usage"),
    (REPORTS, {"cpu_usage": True}, 422, "cpu_usage"), (REPORTS, {"cpu_usage": [1]}, 422, "cpu_usage"),
    (REPORTS, {"cpu_usage": ""}, 422, "cpu_usage"), (REPORTS, {"state": "flying"}, 422, "state"),
    (REPORTS, {"state": 1}, 422, "state"), (REPORTS, {"broker_id": 12345678901234567890}, 422, "broker_id"),
    (REPORTS, {"broker_id": "a b"}, 422, "broker_id"), (REPORTS, {"broker_id": "b1\0"}, 422, "broker_id"),
    (REPORTS, {"last_error": {"text": "x"}}, 422, "last_error"),
    (REPORTS, {"launch_mode": "never"}, 422, "launch_mode"),
    (REPORTS, {"instance_id": "mt5-2"}, 422, "instance_id"),
    (REPORTS, {"command_status": "done"}, 422, "command_status"),
    (REPORTS, '{"cpu_usage":1,"cpu_usage":2}', 400, "cpu_usage"),
]


@pytest.mark.parametrize("path, body, status, word", BAD_BODIES)
def test_a_bad_body_is_refused_with_what_is_wrong(api, bus, path, body, status, word):
    one = api()
    bus.register("mt5-1")
    length = bus.client.xlen("instance_reports")
    if body == "\xff":
        body = b"\xff"
    assert_problem(one.ask("PUT" if path == MAINTENANCE else "POST", path, body), status, word)
    assert not bus.entries("instance_commands") and bus.client.xlen("instance_reports") == length
    assert one.instance()["maintenance"] in (None, False)


@pytest.mark.parametrize("method, path", [("POST", COMMANDS), ("POST", REPORTS), ("PUT", MAINTENANCE)])
def test_a_body_that_is_too_long_is_refused(api, bus, method, path):
    one = api()
    bus.register("mt5-1")
    assert_problem(one.ask(method, path, b" " * 65537), 413)


# ---- maintenance ----

def test_maintenance_begins_and_ends(api, bus):
    one = api()
    bus.register("mt5-1")
    response = one.ask("PUT", MAINTENANCE, {"reason": "new build", "seconds": 3600})
    assert response.status == 200
    answer = json.loads(response.text)["maintenance"]
    assert answer["reason"] == "new build" and answer["until"].endswith("Z")
    assert bus.events(event="maintenance_changed", instance_id="mt5-1")     # no waiting
    assert one.instance()["maintenance"]["reason"] == "new build"
    assert json.loads(one.ask("PUT", MAINTENANCE, {"reason": "longer"}).text)["maintenance"] == {
        "reason": "longer", "until": None}
    one.daemon.restart()
    assert one.instance()["maintenance"]["reason"] == "longer"
    assert one.ask("DELETE", MAINTENANCE, {"reason": "done"}).status == 204
    assert one.instance()["maintenance"] in (None, False)
    assert one.ask("DELETE", MAINTENANCE).status == 204     # as often as one likes


def test_maintenance_ends_by_itself(api, bus):
    one = api()
    bus.register("mt5-1")
    assert one.ask("PUT", MAINTENANCE, {"reason": "blink", "seconds": 0.2}).status == 200
    wait_until(lambda: one.instance()["maintenance"] in (None, False), "maintenance to end")


# ---- removing ----

def test_an_instance_is_removed(api, bus):
    one = api()
    bus.register("mt5-1")
    bus.register("mt5-2")
    assert one.ask("POST", COMMANDS, {"command": "restart"}).status == 202
    assert one.ask("PUT", MAINTENANCE, {"reason": "x"}).status == 200
    assert bus.client.hkeys("mt5stated:watch") == ["mt5-1"]
    assert one.ask("DELETE", INSTANCE).status == 204
    assert "mt5-1" not in bus.client.hkeys("mt5stated:watch")
    assert bus.instance("mt5-1") == {} and bus.members("running") == {"mt5-2"}     # no waiting
    assert bus.events(event="instance_removed", instance_id="mt5-1")
    assert_problem(one.ask("GET", INSTANCE, role=None), 404)
    assert_problem(one.ask("DELETE", INSTANCE), 404)
    bus.register("mt5-1", state="stopped")
    assert one.instance()["state"] == "stopped"


# ---- reloading ----

def test_reload_takes_the_file_or_says_what_is_wrong(api, bus, folder, tokens):
    one = api()
    bus.register("mt5-1")
    one.daemon.write_config(observe_only=True)
    assert one.ask("POST", "/-/reload").status == 200
    assert one.get("/api/v1/status")["observe_only"] is True
    one.daemon.write_config(signals__ttl_ms="soon", nonsense=1)
    problem = assert_problem(one.ask("POST", "/-/reload"), 422, "signals.ttl_ms", "nonsense")
    assert "mt5stated.json" in problem["detail"]
    one.daemon.write_config(signals__ttl_ms=50, nonsense=None)
    del one.daemon.config["nonsense"]
    one.daemon.write_config(streams__group="other")
    assert_problem(one.ask("POST", "/-/reload"), 422, "streams.group")
    del one.daemon.config["streams.group"]
    (folder / "token-admin").write_text("another-secret-0123\n")
    one.daemon.write_config()
    assert one.ask("POST", "/-/reload").status == 200
    assert_problem(one.ask("POST", "/-/reload"), 401)
    assert one.ask("POST", "/-/reload", role="another-secret-0123").status == 200


# ---- reports ----

def test_a_report_goes_to_the_stream_as_it_is(api, bus):
    one = api({"streams.reports_max_len": 1000})
    fields = {"broker_id": "b1", "state": "Running", "cpu_usage": 12.50, "uptime_seconds": 123456789012,
              "network_latency": "7.5", "last_error": "ü\u0000\x1f\"", "instance_id": "mt5-1",
              "unheard_of": {"a": [1]}}
    response = one.ask("POST", REPORTS, fields, role="report")
    assert response.status == 202, response.text
    entry_id = json.loads(response.text)["id"]
    (found, entry), = bus.client.xrange("instance_reports")
    assert found == entry_id
    assert entry == {"instance_id": "mt5-1", "broker_id": "b1", "state": "Running", "cpu_usage": "12.5",
                     "uptime_seconds": "123456789012", "network_latency": "7.5", "last_error": "ü\0\x1f\""}
    bus.settle()
    assert one.instance()["metrics"]["cpu_usage"] == 12.5 and bus.state("mt5-1") == "running"
    assert one.instance()["health"]["last_error"] == "ü\ufffd\x1f\""


def test_a_report_keeps_every_digit_and_mends_broken_text(api, bus):
    one = api()
    bus.register("mt5-1")
    body = b'{"memory_usage":0.1000000000000000055511151231257827,"last_error":"\xff' + b"x" * 3000 + b'"}'
    assert one.ask("POST", REPORTS, body).status == 202
    assert bus.entries("instance_reports")[-1]["memory_usage"] == "0.1000000000000000055511151231257827"
    bus.settle()
    assert bus.health("mt5-1")["last_error"] == "\ufffd" + "x" * 1021
    assert not bus.rejected("instance_reports")


def test_a_report_answers_a_command(api, bus):
    one = api()
    bus.register("mt5-1")
    command_id = json.loads(one.ask("POST", COMMANDS, {"command": "restart"}).text)["command_id"]
    assert one.ask("POST", REPORTS, {"command_id": command_id, "command_status": "failed", "command_error": "no"},
                   role="report").status == 202
    bus.wait_event(event="command_completed", command_id=command_id)
    assert one.ask("POST", COMMANDS, {"command": "restart"}).status == 202


# ---- without Redis ----

@pytest.mark.parametrize("method, path, body, roles", [row for row in CHANGES if row[1] != "/-/reload"])
def test_changes_are_refused_while_redis_is_away(api, bus, redis_server, method, path, body, roles):
    one = api()
    bus.register("mt5-1")
    redis_server.stop()
    wait_until(lambda: not one.daemon.is_ready(), "the daemon to notice")
    assert_problem(one.ask(method, path, body), 503)
    redis_server.start()
    one.daemon.wait_ready()
    assert one.instance()["maintenance"] in (None, False) and not bus.entries("instance_commands")
    assert one.ask(method, path, body).status in (200, 202, 204)


def test_changes_are_refused_by_a_standby(api, daemon, bus, tokens):
    one = api()
    bus.register("mt5-1")
    other = Api(daemon({"http.tokens": tokens, "streams.consumer": "second"}, ready=False))
    wait_until(lambda: other.daemon.ready_word() == "standby", "the second to stand by")
    assert_problem(other.ask("POST", COMMANDS, {"command": "restart"}), 503, "standby")
    assert_problem(other.ask("GET", INSTANCE, role=None), 503, "standby")
    assert one.ask("POST", COMMANDS, {"command": "restart"}).status == 202


@pytest.mark.parametrize("method, path, body, roles", [row for row in CHANGES if row[1] in (COMMANDS, REPORTS)])
def test_changes_are_answered_in_time_while_redis_hangs(api, bus, redis_server, method, path, body, roles):
    """And are done, once, where Redis comes back."""
    one = api({"redis.command_timeout_ms": 60000})
    bus.register("mt5-1")
    redis_server.pause()
    try:
        assert_problem(one.ask(method, path, body), 503)
    finally:
        redis_server.resume()
    if path == COMMANDS:
        wait_until(lambda: [entry["command"] for entry in bus.entries("instance_commands")] == ["restart"],
                   "the command")
    one.daemon.wait_ready()


def test_a_client_that_goes_away_takes_nothing_back(api, bus, redis_server):
    one = api(tcp=True)
    bus.register("mt5-1")
    redis_server.pause()
    try:
        with one.send("POST", COMMANDS, {"command": "restart"}):
            wait_until(lambda: one.instance()["desired_state"] == "running", "the command to be taken")
    finally:
        redis_server.resume()
    wait_until(lambda: len(bus.entries("instance_commands")) == 1, "the command")
    wait_until(lambda: one.daemon.log_lines(msg="operator", command="restart"), "the log to say so")


def test_changes_that_wait_are_bounded(api, bus, redis_server):
    """Clients that ask and go away while Redis hangs pile up nothing."""
    one = api({"redis.command_timeout_ms": 60000}, tcp=True)
    bus.register("mt5-1")
    redis_server.pause()
    def full():
        # Some may be turned away for want of a connection: as many as it takes.
        for _ in range(100):
            with one.send("PUT", MAINTENANCE, {"reason": "again", "seconds": 600}):
                pass
        with contextlib.suppress(TimeoutError):
            return "256 changes" in one.ask("PUT", MAINTENANCE, {"reason": "x"}, timeout=1).text

    try:
        wait_until(full, "the bound to be met", deadline_s=60)
    finally:
        redis_server.resume()
    wait_until(lambda: len(one.daemon.log_lines(msg="operator")) == 256, "all that was taken to be stored")
    wait_until(lambda: one.ask("PUT", MAINTENANCE, {"reason": "x"}).status == 200, "it to take changes again")


def test_it_stops_while_changes_wait(api, bus, redis_server):
    one = api({"redis.command_timeout_ms": 60000}, tcp=True)
    bus.register("mt5-1")
    redis_server.pause()
    try:
        with one.send("POST", COMMANDS, {"command": "restart"}), one.send("POST", REPORTS, {"cpu_usage": 1}):
            wait_until(lambda: one.instance()["desired_state"] == "running", "the command to be taken")
            one.daemon.stop()
    finally:
        redis_server.resume()
