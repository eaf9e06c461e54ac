"""Requests as bytes, against the real daemon (SPEC 8.4): whatever comes, there is one well-formed answer, a refusal is
problem+json and says what was wrong, and the daemon goes on."""

import json

import pytest

from mt5 import http as mt5_http
from mt5.wait import wait_until

SECRET = "admin-secret-01234"
GET = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n"
POST = (b"POST /api/v1/instances/mt5-1/reports HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + SECRET.encode() + b"\r\n")
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "no request at all": (b"GARBAGE\r\n\r\n", 400, "request line"),
    "binary": (bytes(range(1, 255)) * 3 + b"\r\n\r\n", 400, "method"),
    "TLS": (bytes.fromhex("16030102000100") + bytes(64), 400, "method"),
    "HTTP/0.9": (b"GET /-/healthy\r\n", 400, "request line"),
    "HTTP/0.9 by name": (b"GET /-/healthy HTTP/0.9\r\n\r\n", 505, "version"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
    "a version in small letters": (b"GET /-/healthy http/1.1\r\n\r\n", 400, "HTTP/1.1"),
    "no target": (b"GET  HTTP/1.1\r\n\r\n", 400, "request line"),
    "a target that is no path": (b"GET healthy HTTP/1.1\r\n\r\n", 400, "target"),
    "another scheme": (b"GET https://localhost/-/healthy HTTP/1.1\r\n\r\n", 400, "target"),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1\r\n\r\n", 400, "target"),
    "a space in the target": (b"GET /-/hea lthy HTTP/1.1\r\n\r\n", 400, "HTTP/1.1"),
    "NUL in the target": (b"GET /-/hea\0lthy HTTP/1.1\r\n\r\n", 400, "escaped"),
    "no ASCII in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400, "escaped"),
    "a broken escape": (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    "an escaped NUL": (b"GET /api/v1/instances/a%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    "a broken escape in the query": (b"GET /-/ready?a=%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "query"),
    "many arguments": (b"GET /-/ready?" + b"a&" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, "arguments"),
    "33 arguments": (b"GET /-/ready?" + b"a&" * 33 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, "32"),
    "a header without a colon": (GET + b"foo\r\n\r\n", 400, "colon"),
    "a space before the colon": (GET + b"Foo : x\r\n\r\n", 400, "token"),
    "no name": (GET + b": x\r\n\r\n", 400, "token"),
    "a folded header": (GET + b"Foo: x\r\n y\r\n\r\n", 400, "folded"),
    "CR in a header": (GET + b"Foo: x\ry: z\r\n\r\n", 400, "control"),
    "NUL in a header": (GET + b"Foo: x\0y\r\n\r\n", 400, "control"),
    "two Hosts": (GET + b"Host: localhost\r\n\r\n", 400, "Host"),
    "9 KB of headers": (GET + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, "8192"),
    "90 KB of headers": (GET + b"X: " + b"a" * 90000 + b"\r\n\r\n", 431, "8192"),
    "a path of 90 KB": (b"GET /" + b"a" * 90000 + b" HTTP/1.1\r\n\r\n", 431, "8192"),
    "headers without end": (GET + b"a: b\r\n" * 100000, 431, "100 headers"),
    "many cookies": (GET + b"Cookie: " + b"a;" * 3000 + b"\r\n\r\n", 431, "cookies"),
    "Content-Length and Transfer-Encoding": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400,
                                             "together"),
    "Transfer-Encoding and Content-Length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 400,
                                             "together"),
    "two Content-Lengths": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, "more than one"),
    "two Content-Lengths in one": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400, "not a number"),
    "a length that is none": (POST + b"Content-Length: two\r\n\r\n{}", 400, "not a number"),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400, "not a number"),
    "a length with a sign": (POST + b"Content-Length: +2\r\n\r\n{}", 400, "not a number"),
    "no length": (POST + b"Content-Length:\r\n\r\n", 400, "not a number"),
    "a length beyond all numbers": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 413, "65536"),
    "another coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400, "chunked"),
    "two codings": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "chunked"),
    "the coding identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400, "chunked"),
    "chunked in HTTP/1.0": (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", 400, "HTTP/1.0"),
    "a bad chunk": (CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", 400, "chunk"),
    "a negative chunk": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400, "chunk"),
    "a chunk that is too long": (CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", 400, "chunk"),
    "a chunk beyond all numbers": (CHUNKED + b"f" * 20 + b"\r\nabc", 413, "65536"),
    "a line of a chunk without end": (CHUNKED + b"3;" + b"x" * 20000, 400, "chunk"),
    "a trailer without a colon": (CHUNKED + b"0\r\nfoo\r\n\r\n", 400, "colon"),
    "another expectation": (POST + b"Expect: more\r\nContent-Length: 2\r\n\r\n{}", 417, "Expect"),
    "a body of 65537 bytes": (POST + b"Content-Length: 65537\r\n\r\n" + b" " * 65537, 413, "65536"),
    "a body of 17 MB": (POST + b"Content-Length: 17825792\r\n\r\n" + b" " * 100000, 413, "65536"),
    "a body of 100 chunks of 1 KB": (CHUNKED + (b"400\r\n" + b" " * 1024 + b"\r\n") * 100 + b"0\r\n\r\n", 413, "65536"),
    "a body of 65537 bytes, announced": (POST + b"Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n", 413, "65536"),
}


@pytest.fixture
def one(daemon, folder, bus):
    path = folder / "token"
    path.write_text(SECRET)
    made = daemon({"http.tokens": [{"name": "boss", "role": "admin", "file": str(path)}]}, tcp=True)
    bus.register("mt5-1")
    bus.settle()
    return made


def problem_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.text)
    assert problem["status"] == answer.status and problem["title"] and problem["detail"], problem
    return problem


def test_what_is_no_request_is_refused_in_one_form(one, bus):
    wrong = []
    for name, (data, status, word) in REFUSED.items():
        try:
            answer = mt5_http.raw_exchange(one.listen, data)
            assert answer, "closed without an answer"
            problem = problem_of(answer)
            assert answer.status == status and word in problem["detail"], problem
        except (AssertionError, OSError) as error:
            wrong.append(f"{name}: {error!r}")
        assert mt5_http.request(one.listen, "/-/healthy").status == 200
    assert wrong == []
    assert len(bus.entries("instance_reports")) <= 1
    # What the others may see of it.
    wait_until(lambda: one.metrics().value("mt5stated_http_connections") == 1, "all to be gone")
    assert one.metrics().value("mt5stated_http_refused_total") == len(REFUSED)


def test_the_same_on_a_connection_that_is_kept(one):
    """What comes as a whole. The connection is closed behind it."""
    wrong = []
    for name, (data, status, word) in REFUSED.items():
        if len(data) > 8000:
            continue
        with mt5_http.connect(one.listen, 5) as client:
            client.sendall(GET + b"\r\n")
            whole = client.recv(1 << 16)
            assert whole.startswith(b"HTTP/1.1 200 ")
            while not whole.endswith(b"]}\n"):
                whole += client.recv(1 << 16)
            client.sendall(data)
            whole = b""
            try:
                while b"}\n" not in whole and (part := client.recv(1 << 16)):
                    whole += part
            except TimeoutError:
                whole += b" and no more"
        head, _, body = whole.partition(b"\r\n\r\n")
        try:
            assert int(head.split()[1]) == status and word in json.loads(body)["detail"]
        except (AssertionError, IndexError, ValueError) as error:
            wrong.append(f"{name}: {error!r} in {whole!r}")
    assert wrong == []


SERVED = {
    "HTTP/1.0": b"GET /-/healthy HTTP/1.0\r\n\r\n",
    "no Host": b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n",
    "LF alone": b"GET /-/healthy HTTP/1.1\nHost: x\nConnection: close\n\n",
    "empty lines before": b"\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "the form of proxies": b"GET http://localhost/-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escapes": b"GET /%2d/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query": b"GET /-/healthy?a=b&a=%20 HTTP/1.1\r\nHost: x\r\n\r\n",
    "odd headers": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t\r\nC: \xff\xfe\r\nRange: bytes=5-\r\n"
                   b"If-None-Match: *\r\nUpgrade: websocket\r\nConnection: close, upgrade\r\n\r\n",
    "a body where none is wanted": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "chunks where none are wanted": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    b"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "8 KB of headers": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 8100 + b"\r\n\r\n",
    "all that is allowed at once": b"GET /-/healthy?" + b"&" * 63 + b" HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b;" * 63
                                   + b"\r\n" + b"a: b\r\n" * 98 + b"\r\n",
}


@pytest.mark.parametrize("name", SERVED)
def test_what_is_odd_and_allowed_is_served(one, name):
    answer = mt5_http.raw_exchange(one.listen, SERVED[name])
    assert answer.status == 200 and answer.text == "ok"


def test_requests_may_come_in_single_bytes(one):
    data = POST + b"Content-Length: 15\r\n\r\n" + b'{"cpu_usage":7}' + GET + b"Connection: close\r\n\r\n"
    with mt5_http.connect(one.listen, 20) as client:
        for byte in data:
            client.sendall(bytes([byte]))
        whole = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert whole.count(b"HTTP/1.1 202 ") == 1 and whole.count(b"HTTP/1.1 200 ") == 1


def test_requests_may_come_all_at_once(one):
    with mt5_http.connect(one.listen, 20) as client:
        client.sendall((GET + b"\r\n") * 20 + POST + b'Content-Length: 15\r\n\r\n{"cpu_usage":7}' + GET
                       + b"Connection: close\r\n\r\n")
        whole = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert whole.count(b"HTTP/1.1 200 ") == 21 and whole.count(b"HTTP/1.1 202 ") == 1


def test_a_client_that_is_told_to_go_on_sends_its_body(one):
    with mt5_http.connect(one.listen, 20) as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 15\r\n\r\n")
        assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b'{"cpu_usage":7}')
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 202 ")


def test_a_chunked_report_is_taken(one, bus):
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"cpu_usage":42}') + b"0\r\n\r\n"
    assert mt5_http.raw_exchange(one.listen, CHUNKED + body).status == 202
    bus.settle()
    assert bus.metrics("mt5-1")["cpu_usage"] == "42"


@pytest.mark.parametrize("target, host, status", [
    (b"http://127.0.0.1/api/v1/status", b"evil.example", 200), (b"http://evil.example/api/v1/status", b"localhost", 403),
    (b"/api/v1/status", b"[::1].evil.example", 403), (b"/api/v1/status", b"localhost:evil.example", 403),
    (b"/api/v1/status", b"localhost.", 403), (b"/api/v1/status", b"127.0.0.1 evil.example", 403),
    (b"/api/v1/status", b"", 200),
])
def test_whom_a_request_is_for(one, target, host, status):
    """The proxy's form says it before the header does."""
    answer = mt5_http.raw_exchange(one.listen, b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert answer.status == status
    if status == 403:
        assert "Host" in problem_of(answer)["detail"]


def test_head_has_the_headers_of_get(one):
    for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status", "/api/v1/instances/mt5-1", "/api/v1/nothing",
                 "/api/v1/instances?limit=0"):
        request = f" {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        got, head = (mt5_http.raw_exchange(one.listen, method + request, method == b"HEAD") for method in (b"GET", b"HEAD"))
        assert head.status == got.status and head.body == b""
        assert head.headers.keys() == got.headers.keys()
        assert head.headers.get("content-type") == got.headers.get("content-type")
        assert int(head.headers["content-length"]) > 0


def test_gzip_is_for_other_machines(one):
    """Compressing costs more than what it spares on a loopback address."""
    answer = mt5_http.raw_exchange(one.listen, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n"
                                               b"Connection: close\r\n\r\n")
    assert answer.status == 200 and "content-encoding" not in answer.headers and "mt5stated_build_info" in answer.text
