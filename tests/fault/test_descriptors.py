"""File descriptors that run out (SPEC 8.4): whoever cannot be served is told so by a close, what works goes on, and what
was missing is made up for when there are some again."""

import contextlib
import os
import resource

import pytest

from mt5 import http as mt5_http
from mt5.daemon import binary
from mt5.http import UnixConnection
from mt5.process import Process
from mt5.usage import cpu_share
from mt5.wait import wait_until

# Sanitizers cost several times what the daemon does; a loop that spins takes all there is.
CALM = 0.3
# A clean stop, those of SPEC 1.1, and what the loader says where a library cannot be opened.
CODES = {0, 69, 70, 71, 78, 127}


@contextlib.contextmanager
def limited(pid, count):
    """The process may not have a descriptor of this number or a higher one; those it has it keeps."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def highest(pid):
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def all_taken(one):
    """Clients have what there still is."""
    with limited(one.pid, highest(one.pid) + 1), contextlib.ExitStack() as stack:
        while True:
            client = stack.enter_context(mt5_http.connect(one.listen, 20))
            if not answer_of(client):
                yield
                return


def answer_of(client):
    """The beginning of it; nothing where the connection is closed."""
    try:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.recv(1000)
    except (BrokenPipeError, ConnectionResetError):
        return b""


def assert_calm(one, what):
    lines = len(one.log().splitlines())
    share = cpu_share(one.pid)
    print(f"{what}: {share:.1%} of a core")
    assert share < CALM
    assert len(one.log().splitlines()) <= lines + 10


def test_with_no_descriptor_left_all_goes_on_but_what_needs_one(daemon, bus):
    one = daemon()
    kept = UnixConnection(one.listen[len("unix:"):], timeout=20)
    kept.request("GET", "/-/healthy")
    assert kept.getresponse().read()
    with all_taken(one):
        waiting = [mt5_http.connect(one.listen, 20) for _ in range(50)]
        assert_calm(one, "nobody can be accepted")
        for client in waiting:
            assert answer_of(client) == b""
            client.close()
        bus.signal("s-1")
        bus.result("r-1", "s-1")
        bus.register("mt5-1")
        bus.settle()
        assert bus.total("processed:buy") == 1
        # Who is connected is served.
        kept.request("GET", "/-/healthy")
        assert kept.getresponse().status == 200
    assert one.get("/-/healthy").status == 200
    [line, *_] = one.log_lines(msg="cannot accept connections")
    assert "level=warning" in line and "Too many open files" in line


def test_a_link_that_cannot_be_opened_again_is_when_it_can(daemon, bus):
    one = daemon()
    bus.register("mt5-1")
    kept = UnixConnection(one.listen[len("unix:"):], timeout=20)
    kept.request("GET", "/-/ready")
    assert kept.getresponse().read()
    with limited(one.pid, 3):
        bus.cut(bus.links())
        bus.report("mt5-1", state="stopped")

        def is_not_ready():
            kept.request("GET", "/-/ready")
            answer = kept.getresponse()
            answer.read()
            return answer.status == 503

        wait_until(is_not_ready, "it to say that it is not ready")
        wait_until(lambda: "Too many open files" in one.log(), "the reason to be logged")
        assert_calm(one, "no link can be opened")
        one.reload()
        wait_until(lambda: one.log_lines(level="error", msg="configuration not reloaded; the old one stays"),
                   "the reload to be refused")
        assert any("Too many open files" in line for line in one.log_lines(msg="configuration problem"))
    one.wait_ready()
    bus.settle()
    assert bus.state("mt5-1") == "stopped"
    one.reload()
    wait_until(lambda: one.log_lines(msg="configuration reloaded"), "the configuration to be read again")


@pytest.mark.no_invariants(reason="most of them do not start")
def test_a_start_with_too_few_says_why_or_waits(daemon, folder):
    """At every number of descriptors, from where the libraries can be loaded at all."""
    one = daemon(start=False)
    one.write_config()
    log = folder / "log"
    codes = set()
    for count in range(4, 24):
        log.write_bytes(b"")
        child = Process(["prlimit", f"--nofile={count}:{count}", binary("MT5STATED", "mt5stated"), "-c", one.config_file],
                        log, env={"ASAN_OPTIONS": "detect_leaks=0"})
        wait_until(lambda: not child.is_running() or "msg=started" in child.log(),
                   f"a start with {count} descriptors to end or to come through")
        code = child.terminate()
        codes.add(code)
        assert code in CODES and child.log(), f"exit code {code}:\n{child.log()}"
    assert 0 in codes and codes - {0}
