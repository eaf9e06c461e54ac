"""Every route of the table in src/app/server.c × wrong methods, tokens, paths, arguments, headers, types, sizes and
encodings, and random mutations of them from a seed. Each time: one well-formed answer with a status that makes sense, a
refusal is problem+json that says what was wrong, the daemon answers /-/healthy, and what was refused has changed nothing in
Redis. MT5_HTTP_FUZZ is how many random requests each route gets."""

import json
import os
import pathlib
import random
import re

import pytest

from mt5 import http as mt5_http
from mt5.tokens import TOKENS

SOURCE = pathlib.Path(__file__).parents[2] / "src" / "app" / "server.c"
RANDOM_REQUESTS = int(os.environ.get("MT5_HTTP_FUZZ", 60))
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get", "G", "X" * 300]
REFUSALS = {400, 401, 403, 404, 405, 409, 413, 417, 422, 431, 503, 505}


def read_routes():
    """(method, path) of each row of the table, with mt5-1 for its parameter."""
    text = SOURCE.read_text()
    words = dict(re.findall(r'#define (\w+)\s+"([^"]*)"', text))
    for name, value in re.findall(r'#define (\w+)\s+(\w+ "[^"]*")', text):
        first, rest = value.split(" ", 1)
        words[name] = words[first] + rest.strip('"')
    table = re.search(r"\} routes\[\] = \{\n(.*?)\n\};", text, re.DOTALL)[1]
    rows = re.findall(r"\{\s*((?:\w+ ?)?(?:\"[^\"]*\")?),\s*HTTP_(\w+),", table)
    assert len(rows) == table.count("HTTP_"), "a row of the table of routes cannot be read"
    found = []
    for path, method in rows:
        parts = re.findall(r'"([^"]*)"|(\w+)', path)
        found.append((method, "".join(quoted or words.get(name, "") for quoted, name in parts)))
    return found


ROUTES = read_routes()
# Something to begin mutations with; a route that is not here gets an empty object.
BODIES = {
    "/reports": {"cpu_usage": 12.5, "memory_usage": "100", "state": "running", "broker_id": "b1", "last_error": "none",
                 "command_id": "mt5-1.stop.1", "command_status": "ok"},
    "/commands": {"command": "restart", "reason": "weekly", "instance_id": "mt5-1"},
    "/maintenance": {"reason": "update", "seconds": 600},
}
VALUES = [None, True, False, 0, -1, 1.5, 1e308, 10 ** 400, "", "x", "mt5-1", "nan", "x" * 2000, "\0", "ä\u2028\uffff", "%s%n",
          "../../etc", [], [[]], {}, {"a": {"b": [1]}}, "restart", "crashed", "\r\nX: y", "🎉" * 300]
RAW_BODIES = [b"", b"{", b"}", b"[]", b"null", b'"x"', b"0", b"{}x", b"{} {}", b"{}\0", b"\xff\xfe{}", b"\xef\xbb\xbf{}",
              b'{"a":1,"a":2}', b'{"command":"restart","command":"stop"}', b'{"seconds":1e99999}', b'{"seconds":NaN}',
              b'{"reason":"\xff\xc0\x80"}', b'{"reason":"\\ud800"}', b'{"reason":"\\u0000"}', b'{"reason":"\n"}',
              b'{"reason":"x","seconds":' + b"9" * 60000 + b"}", b"[" * 60000, b'{"a":' * 10000, b"{" + b" " * 65534 + b"}",
              b" " * 65537, b"{" + b",".join(b'"k%d":1' % n for n in range(200)) + b"}", b"a=b&c=d", b"<xml/>",
              b"\x1f\x8b\x08\0\0\0\0\0", b'{"reason":"x"//\n}', b"{'reason':'x'}", b'{"reason":"x",}']
TAILS = ["", "?", "??", "?x", "?x=1", "?limit=1", "?limit=0", "?limit=-1", "?limit=1&limit=2", "?limit=99999999999999999999",
         "?since=1-1", "?since=%00", "?after=x%2f", "?after=%ff", "?state=running&state=running", "?%41=1", "?a=%", "?a=%4",
         "?&&&", "?=", "?" + "a=b&" * 40, "?" + "a" * 3000, "?instance=mt5-1", "?instance=../x", "?broker=%0d%0aX:%20y", "/", "//",
         "/.", "/..", "/x", "%2f", "%2F..", "%00", "%", "%zz", "%c0%ae", ";x", "#x", "+", "\\"]
HEADERS = ["Accept: */*", "Accept: text/event-stream", "Accept: text/html;q=nan", "Accept: " + "a/b," * 500, "Accept:",
           "Accept-Encoding: gzip;q=2", "Accept-Encoding: gzip, *", "Content-Type: text/plain", "Content-Type: application/xml",
           "Content-Type: application/json; charset=utf-16", "Content-Encoding: gzip", "Last-Event-ID: 1-1",
           "Last-Event-ID: \xff\xfe", "Last-Event-ID: -", "Last-Event-ID: " + "9" * 500, "If-None-Match: *", "If-Match: x",
           "If-Modified-Since: yesterday", "Range: bytes=0-0,5-", "Expect: 100-continue", "Expect: 200", "Upgrade: h2c",
           "Connection: keep-alive, Upgrade", "Connection: close", "TE: trailers", "Trailer: X", "Origin: http://evil.example",
           "Host: evil.example", "X-Forwarded-For: 127.0.0.1", "X-HTTP-Method-Override: DELETE", "Cookie: a=b; c",
           "Authorization: Basic eDp5", "Authorization: Bearer", "Authorization: Bearer  x", "Transfer-Encoding: identity",
           "Referer: %s%n", "X: " + "y" * 9000, "nocolon", " folded: x", "Bad Name: x", "X: a\0b"]


def assemble(method, target, headers, body):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (body or b"")


class Target:
    """The daemon, and what it must not change."""

    def __init__(self, one, bus):
        self.one, self.bus = one, bus
        self.before = self.snapshot()

    def snapshot(self):
        client = self.bus.client
        found = {}
        for key in sorted(key for pattern in ("instance*", "trade*", "mt5stated:*") for key in client.scan_iter(pattern)):
            kind = client.type(key)
            if key in ("mt5stated:meta", "mt5stated:leader") or kind == "none":
                continue    # these live by the clock
            found[key] = (client.xinfo_stream(key)["last-generated-id"] if kind == "stream"
                          else client.dump(key) if kind != "set" else sorted(client.smembers(key)))
        return found

    def send(self, data, what, changes=False):
        """What is refused, and what only reads, changes nothing."""
        is_head = data.startswith(b"HEAD ")
        try:
            answer = mt5_http.raw_exchange(self.one.listen, data, is_head, patience=2)
        except OSError as error:
            raise AssertionError(f"{what}: {error!r} for {data[:300]!r}") from None
        assert answer, f"{what}: no answer to {data[:300]!r}"
        try:
            self.check(answer, is_head, changes)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error} for {data[:300]!r}, {answer.status} {answer.body[:300]!r}") from None
        return answer

    def check(self, answer, is_head, changes):
        assert answer.status in REFUSALS | {200, 202, 204, 304}
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            problem = {} if is_head else json.loads(answer.text)
            assert is_head or (problem["status"] == answer.status and problem["title"] and problem["detail"])
            assert answer.status != 405 or answer.headers["allow"]
            assert answer.status != 401 or answer.headers["www-authenticate"].startswith(("Bearer", "Basic"))
        elif answer.headers.get("content-type") == "application/json" and answer.body:
            json.loads(answer.text)
        if changes and answer.status < 300:
            self.bus.settle()
            self.before = self.snapshot()
            return
        assert self.snapshot() == self.before, "something was written"

    def assert_alive(self):
        assert mt5_http.request(self.one.listen, "/-/healthy").text == "ok"


@pytest.fixture
def target(daemon, tokens, bus):
    # Nothing but requests may make a difference while the test runs.
    one = daemon({"http.tokens": tokens, "recovery.timeout_ms": 3600000, "instances.heartbeat_timeout_ms": 0,
                  "recovery.max_attempts": 1, "recovery.stable_ms": 3600000, "instances.restarting_timeout_ms": 0,
                  "recovery.launch_modes": [], "instances.metric_max_age_ms": 3600000, "rules": {"InstanceCrash": None}},
                 tcp=True)
    bus.register("mt5-1", cpu_usage=1)
    bus.trade("mt5-1", state="executing")
    bus.settle()
    return Target(one, bus)


def body_of(path):
    tail = "/" + path.rpartition("/")[2]
    return BODIES.get(tail, {})


def concrete(path):
    return path.replace("{id}", "mt5-1")


def bearer(role):
    return [f"Authorization: Bearer {TOKENS[role]}"] if role else []


def test_the_table_of_routes_is_read_whole():
    assert {("GET", "/metrics"), ("GET", "/api/v1/instances"), ("DELETE", "/api/v1/instances/{id}"),
            ("PUT", "/api/v1/instances/{id}/maintenance"), ("POST", "/-/reload")} <= set(ROUTES)
    assert len(ROUTES) == len(set(ROUTES)) >= 19


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_wrong_methods_and_tokens(target, path):
    known = {method for method, row in ROUTES if row == path}
    known |= {"HEAD"} if "GET" in known else set()
    body = json.dumps(body_of(path)).encode()
    for method in METHODS:
        for role in (None, "read", "report", "admin") if method not in known else (None,):
            answer = target.send(assemble(method, concrete(path), bearer(role), body), "method")
            if method not in known:
                assert answer.status == 405 and set(answer.headers["allow"].split(", ")) == known
            elif method not in ("GET", "HEAD"):
                assert answer.status == 401
    for header in ("Bearer", "Bearer x", "Bearer " + TOKENS["admin"][:-1], "Bearer " + TOKENS["admin"] + "x",
                   "bearer\t" + TOKENS["admin"], TOKENS["admin"], "Basic " + TOKENS["admin"], "Bearer " + "x" * 7000,
                   "Bearer " + TOKENS["admin"] + " " + TOKENS["admin"]):
        for method in known - {"GET", "HEAD"}:
            assert target.send(assemble(method, concrete(path), [f"Authorization: {header}"], body), "token").status == 401
    target.assert_alive()


@pytest.mark.parametrize("method, path", ROUTES)
def test_wrong_paths_arguments_and_headers(target, method, path):
    headers = bearer("admin" if method == "GET" else "read")    # so that a change would be a fault
    body = None if method == "GET" else json.dumps(body_of(path)).encode()
    for tail in TAILS:
        target.send(assemble(method, concrete(path) + tail, headers, body), "path")
    for wrong in ("", "-", ".", "..", "a%20b", "%2e%2e", "x" * 64, "x" * 65, "%ff", "%00", "a%2fb", "mt5-1%0d%0aX:y", "*", "nobody"):
        target.send(assemble(method, path.replace("{id}", wrong), headers, body), "parameter")
    for header in HEADERS:
        target.send(assemble(method, concrete(path), [*headers, header], body), "header")
    target.assert_alive()


@pytest.mark.parametrize("method, path", [row for row in ROUTES if row[0] != "GET"])
def test_wrong_bodies(target, method, path):
    """With a token that may: what is accepted is a change, what is not changes nothing."""
    for body in RAW_BODIES:
        target.send(assemble(method, concrete(path), bearer("admin"), body), "body", changes=True)
        restore(target, path)
    for name in body_of(path):
        for value in VALUES:
            body = json.dumps({**body_of(path), name: value}).encode()
            target.send(assemble(method, concrete(path), bearer("admin"), body), "value", changes=True)
            restore(target, path)
    target.assert_alive()


@pytest.mark.parametrize("method, path", ROUTES)
def test_random_requests(target, method, path):
    rng = random.Random(f"{method} {path}")
    for number in range(RANDOM_REQUESTS):
        data = random_request(rng, method, path)
        try:
            target.send(data, f"number {number}", changes=True)
        except AssertionError as error:
            if not str(error).startswith(f"number {number}: no answer"):
                raise
            assert is_cut_short(data), error
        restore(target, path)
    target.assert_alive()


def is_cut_short(data):
    """Its end is missing, so that the daemon waited for it until the deadline."""
    head, end, _ = data.partition(b"\r\n\r\n")
    return not end or b"\ncontent-length" in head.lower() or b"\ntransfer-encoding" in head.lower()


def restore(target, path):
    """What an accepted change takes away is there again for the next one."""
    if path == "/api/v1/instances/{id}" and target.bus.state("mt5-1") is None:
        target.bus.register("mt5-1", cpu_usage=1)
        target.bus.settle()
        target.before = target.snapshot()


def random_request(rng, method, path):
    target = concrete(path)
    body = json.dumps(body_of(path)).encode() if method != "GET" else None
    headers = bearer(rng.choice([None, "read", "report", "admin", "admin"]))
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(6)
        if kind == 0:
            target += rng.choice(TAILS)
        elif kind == 1:
            headers = headers + [rng.choice(HEADERS)]
        elif kind == 2:
            body = rng.choice(RAW_BODIES)
        elif kind == 3 and body:
            at = rng.randrange(len(body))
            body = body[:at] + bytes([rng.randrange(256)]) + body[at + rng.randrange(3):]
        elif kind == 4:
            target = target.replace("mt5-1", "".join(chr(rng.randrange(33, 127)) for _ in range(rng.randrange(1, 70))))
        else:
            method = rng.choice([method, *METHODS])
    data = assemble(method, target, headers, body)
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        at = rng.randrange(min(len(data), 300))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
    return data
