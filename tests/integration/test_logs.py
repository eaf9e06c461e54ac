"""The log: one line an event, in three formats, without secrets, and never in the way (SPEC 12)."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from mt5 import http as mt5_http
from mt5.daemon import SANITIZER_ENV, binary, default_config, nest
from mt5.logfmt import LINE, pairs_of
from mt5.wait import wait_until

REPORTS = "instance_reports"


def live(daemon, bus):
    """Enough for lines of every kind, with values that need care."""
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    bus.report("mt5-2", broker_id='a "quoted" = name\n', state="running")
    bus.report("mt5-1", state="stopped")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    daemon.send(signal.SIGUSR1)
    wait_until(lambda: "summary" in daemon.log(), "the summary")


def test_logfmt_is_pairs_a_line(daemon, bus):
    one = daemon({"log.format": "logfmt"})
    live(one, bus)
    one.stop()
    lines = one.log().splitlines()
    assert all(LINE.match(line) for line in lines)
    parsed = [pairs_of(line) for line in lines]
    assert {"event": "instance_failed", "instance_id": "mt5-1", "from": "running", "to": "crashed"}.items() <= next(
        line for line in parsed if line.get("event") == "instance_failed").items()


def test_json_is_an_object_a_line(daemon, bus):
    one = daemon({"log.format": "json"})
    live(one, bus)
    one.stop()
    parsed = [json.loads(line) for line in one.log().splitlines()]
    assert all({"ts", "level"} <= line.keys() and ("msg" in line or "event" in line) for line in parsed)
    assert any(line.get("event") == "instance_failed" and line["instance_id"] == "mt5-1" for line in parsed)


def test_the_journals_format_has_a_priority_before_each_line(daemon, bus):
    one = daemon({"log.format": "journal"})
    live(one, bus)
    one.stop()
    lines = one.log().splitlines()
    assert all(re.match(r"^<[3-7]>", line) for line in lines)
    assert {line[:3] for line in lines if "level=warning" in line or "level=warn " in line} == {"<4>"}
    assert {line[:3] for line in lines if "level=info" in line} == {"<6>"}


def test_auto_is_logfmt_where_standard_error_is_no_journal(daemon):
    one = daemon({"log.format": "auto"})
    assert LINE.match(one.log().splitlines()[0])


@contextlib.contextmanager
def journal_like(redis_server, folder, stream_of=None, log_format="auto"):
    """A daemon whose standard error is a socket, as systemd's is, and our end of it. $JOURNAL_STREAM names the socket,
    or what stream_of makes of its device and inode."""
    ours, theirs = socket.socketpair()
    path = folder / "journal.json"
    path.write_text(json.dumps(nest({**default_config(folder, redis_server), "log.format": log_format})))
    found = os.fstat(theirs.fileno())
    stream = f"{found.st_dev}:{found.st_ino}"
    child = subprocess.Popen([binary("MT5STATED", "mt5stated"), "-c", path], stderr=theirs, stdin=subprocess.DEVNULL,
                             env={**os.environ, **SANITIZER_ENV, "JOURNAL_STREAM": (stream_of or str)(stream)})
    theirs.close()
    try:
        yield child, ours
    finally:
        child.kill()
        child.wait()
        ours.close()


def read_lines(child, ours, bus):
    """All that it says until its end, with a transition that is refused in between."""
    bus.register("mt5-1", state="stopped")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    child.terminate()
    with ours.makefile("r") as log:
        return log.read().splitlines()


@pytest.mark.no_invariants(reason="what it writes is looked at, and it ends in between")
def test_auto_is_the_journals_format_where_standard_error_is_the_journal(redis_server, folder, bus):
    with journal_like(redis_server, folder) as (child, ours):
        lines = read_lines(child, ours, bus)
    priorities = {pairs_of(line[3:])["level"]: line[:3] for line in lines}
    assert priorities == {"info": "<6>", "warning": "<4>"}
    assert all(LINE.match(line[3:]) for line in lines)


@pytest.mark.no_invariants(reason="what it writes is looked at, and it ends in between")
@pytest.mark.parametrize(("stream_of", "log_format"), [
    (lambda stream: stream + "0", "auto"), (lambda stream: "", "auto"), (lambda stream: stream, "logfmt")],
    ids=["another file", "empty", "another format"])
def test_no_priority_is_written_anywhere_else(redis_server, folder, bus, stream_of, log_format):
    """What systemd has handed to a parent is inherited by all that it starts, whatever their standard error is."""
    with journal_like(redis_server, folder, stream_of, log_format) as (child, ours):
        lines = read_lines(child, ours, bus)
    assert len(lines) > 3 and all(LINE.match(line) for line in lines)


def test_the_level_leaves_out_what_is_less_severe(daemon, bus):
    one = daemon({"log.level": "warn"})
    bus.register("mt5-1", state="stopped")
    bus.report("mt5-1", state="crashed")
    bus.settle()
    wait_until(lambda: one.log(), "the warning")
    assert all("level=warn" in line for line in one.log().splitlines())


def test_a_message_that_repeats_is_collapsed(daemon, bus):
    one = daemon()
    for i in range(500):
        bus.add(REPORTS, {"instance_id": "not an id", "n": str(i)})
    bus.settle()
    # What was held back is told at the end at the latest; a change of readiness in between tells it too.
    one.stop()
    lines = [pairs_of(line) for line in one.log_lines(msg="entry rejected")]
    assert len(lines) <= 4
    assert sum(int(line.get("repeated", 1)) for line in lines) == 500


@pytest.mark.redis(users=["user mt5 on >password-in-acl ~* &* +@all", "user default off"], tcp=True)
def test_no_secret_is_ever_logged(daemon, redis_server, folder):
    secret = folder / "password"
    secret.write_text("wrong-password-in-file\n")
    url = "redis://mt5:password-in-url@127.0.0.1:%d/0" % redis_server.tcp_port
    made = [
        daemon({"redis.url": url, "log.level": "debug"}, ready=False),
        daemon({"redis.username": "mt5", "redis.password_file": str(secret), "log.level": "debug"}, ready=False),
        daemon({"redis.url": url.replace("127.0.0.1:%d" % redis_server.tcp_port, "127.0.0.1:1"), "log.level": "debug"},
               ready=False),
    ]
    for one in made:
        wait_until(lambda: one.log_lines(level="error"), "it to complain")
        one.send(signal.SIGHUP)
        one.send(signal.SIGUSR1)
        wait_until(lambda: "summary" in one.log(), "the summary")
        for text in (one.log(), one.metrics().text):
            assert "password-in" not in text
    secret.write_text("password-in-acl\n")
    made[1].wait_ready()
    assert "password-in" not in made[1].log()


@pytest.mark.parametrize("size", [4096])
def test_a_reader_that_stalls_does_not_stall_the_daemon(redis_server, folder, bus, size):
    """Standard error is a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, 1031, size)   # F_SETPIPE_SZ
    config = {**default_config(folder, redis_server), "log.level": "debug"}
    path = folder / "config.json"
    path.write_text(json.dumps(nest(config)))
    child = subprocess.Popen([binary("MT5STATED", "mt5stated"), "-c", path], stderr=write_end, stdin=subprocess.DEVNULL,
                             env={**os.environ, **SANITIZER_ENV})
    os.close(write_end)
    try:
        # Far more than a pipe and any buffer hold: each registration and each transition is a line of 150 bytes.
        states = ["crashed", "running"]
        for round_ in range(10):
            bus.many(REPORTS, [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": states[round_ % 2]}
                               for i in range(1000)])
        bus.settle()
        assert len(bus.members("running")) == 1000
        metrics = mt5_http.request(config["http.listen"], "/metrics").text
        assert int(re.search(r"^mt5stated_log_lines_dropped_total (\d+)$", metrics, re.MULTILINE)[1]) > 1000
        # A reader that goes on finds lines that are whole, and how many are missing; then it misses none.
        text = b""
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            os.set_blocking(pipe.fileno(), False)

            def read_on(word):
                nonlocal text
                text += pipe.read(1 << 20) or b""
                return word in text

            wait_until(lambda: read_on(b"log lines dropped"), "the count of the lines that are missing")
            child.send_signal(signal.SIGUSR1)
            wait_until(lambda: read_on(b"summary"), "the summary")
            child.send_signal(signal.SIGTERM)
            os.set_blocking(pipe.fileno(), True)
            text += pipe.read() or b""
            while chunk := pipe.read():
                text += chunk
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
    lines = text.decode().splitlines()
    assert all(LINE.match(line) for line in lines)
    dropped = [pairs_of(line) for line in lines if "dropped" in line]
    assert any(int(line.get("log_dropped") or line.get("lines") or line.get("dropped") or 0) > 0 for line in dropped), dropped[-3:]


@pytest.mark.no_invariants(reason="its log is closed, which is all that is looked at")
def test_a_log_that_is_closed_does_not_end_the_daemon(redis_server, folder, bus):
    read_end, write_end = os.pipe()
    path = folder / "config.json"
    path.write_text(json.dumps(nest(default_config(folder, redis_server))))
    child = subprocess.Popen([binary("MT5STATED", "mt5stated"), "-c", path], stderr=write_end, stdin=subprocess.DEVNULL,
                             env={**os.environ, **SANITIZER_ENV})
    os.close(write_end)
    os.close(read_end)
    try:
        bus.register("mt5-1")
        bus.report("mt5-1", state="crashed")
        bus.settle()
        assert bus.state("mt5-1") == "crashed"
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
