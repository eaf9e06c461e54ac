"""Memory that is out at any moment, once and for good: the daemon ends with 70 and a line that says so, or goes on; what
is stored stays true (SPEC 4)."""

import contextlib
import http.client
import os
import random
import signal
import threading

import pytest
from test_killed import LOAD, QUIET_DAEMON, finish

from mt5.daemon import binary, nest
from mt5.memory import FOR_EVER, Memory
from mt5.process import Process
from mt5.thorough import every
from mt5.wait import wait_a_moment, wait_until
from mt5.watching import with_token

LINE = "out of memory\n"
# sysexits.h, as SPEC 1.1 names them: a clean stop, no address, an internal error.
EXIT_NO_ADDRESS, EXIT_NO_MEMORY = 69, 70
STARTS = 60   # of which each has another allocation that fails
TIMES = pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "for ever"])


@pytest.fixture
def memory(folder):
    return Memory(folder)


def assert_ended_cleanly(code, log):
    """Of itself, and with a reason."""
    # libcurl is loaded at a start, and the loader says by itself that there is no memory.
    assert code == EXIT_NO_MEMORY and (log.endswith(LINE) or "cannot make an HTTP client" in log.splitlines()[-1]) or \
        code == EXIT_NO_ADDRESS and "cannot listen for HTTP" in log, f"exit code {code}:\n{log}"


@contextlib.contextmanager
def has_ended(one):
    """Of a daemon that may end at any moment: nobody answers."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        yield


def start(one, memory, number, times):
    """A start whose allocation of that number fails. Where it comes through, it is stopped again."""
    memory.reset()
    if number:
        memory.fail_at(number, times)
    one.log_path.write_bytes(b"")
    one.start(ready=False)
    wait_until(lambda: not one.is_running() or ready(one), "the daemon to have ended, or to be ready")
    total = memory.count
    came_through = one.is_running()
    if came_through:
        one.send(signal.SIGTERM)    # at which memory may be out as well
    code = one.wait_exit()
    if code or not came_through:
        assert memory.failed > 0
        assert_ended_cleanly(code, one.log())
    return total


def ready(one):
    with has_ended(one):
        return one.get("/-/ready").status == 200
    return False


@TIMES
def test_a_start_without_memory_ends_or_comes_through(daemon, bus, memory, times):
    """Over every part of a start, at another place each time."""
    daemon(QUIET_DAEMON).stop()
    bus.many("instance_reports", [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": "running"} for i in range(9)])
    bus.many("trade_signals", [{"signal_id": f"s-{i}", "action": "buy"} for i in range(9)])
    one = daemon(QUIET_DAEMON, start=False, env=memory.env)
    total = start(one, memory, 0, 1)
    for number in every(total, max(1, total // STARTS)):
        start(one, memory, number, times)
    memory.reset()
    one.start()
    bus.settle()
    assert bus.totals() == {"received:buy": 9}
    assert bus.members("running") == {f"mt5-{i}" for i in range(9)}


class Visitors:
    """Those who ask the daemon something all the while: pages, events, reloads. They mind no failure."""

    PATHS = ("/metrics", "/-/ready", "/", "/api/v1/instances", "/api/v1/alerts", "/api/v1/events?since=0", "/api/v1/none",
             "/api/v1/config", "/api/v1/signals")

    def __init__(self, one, seed):
        self._one, self._rng = one, random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            pid = self._one.pid
            with has_ended(self._one):
                self._one.get(self._rng.choice(self.PATHS), accept_encoding=self._rng.choice(["gzip", "identity"]))
                if self._rng.random() < 0.05:
                    # One that has answered knows what the signal means.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGHUP)
            self._stop.wait(0.005)

    def stop(self):
        self._stop.set()
        self._thread.join()


@TIMES
def test_memory_that_runs_out_under_load_loses_nothing(daemon, sim, bus, folder, expected, memory, hook, receiver, times):
    expected.skip = frozenset({"check_results_counted"})
    rng = random.Random(7)
    announced = receiver()
    config = with_token({**QUIET_DAEMON, "hooks.notify": hook().argv,
                         "notify.webhooks": [{"url": announced.url(), "timeout_ms": 300}]}, folder)
    one = daemon(config, env=memory.env)
    run = sim(**LOAD, seed=7)
    visitors = Visitors(one, 7)
    failures = ends = 0
    try:
        while run.is_running():
            wait_a_moment(rng, 0.2)
            before = memory.failed
            memory.fail_soon(rng.randrange(150), times)
            wait_until(lambda: memory.failed > before or not run.is_running() or not one.is_running(),
                       "an allocation to fail")
            failures += memory.failed > before
            if times == FOR_EVER and memory.failed > before:
                wait_until(lambda: not one.is_running(), "the daemon to end")
            if one.is_running():
                continue
            assert_ended_cleanly(one.wait_exit(), one.log())
            ends += 1
            memory.reset()
            one.start(ready=False)
    finally:
        visitors.stop()
    memory.reset()
    # The last failure may have come just now.
    wait_until(lambda: not one.is_running() or one.is_ready(), "it to be ready or to have ended")
    if not one.is_running():
        one.start(ready=False)
    one.wait_ready()
    finish(run, bus, one, expected)
    assert failures >= 5 and ends >= 1


def test_a_configuration_that_there_is_no_memory_for_is_not_taken_for_another(folder, memory):
    """cJSON tells neither from a syntax error."""
    log = folder / "log"
    path = folder / "config.json"
    path.write_text('{"http": {"listen": "127.0.0.1:9"}}')
    argv = [binary("MT5STATED", "mt5stated"), "-c", path, "--set", 'streams.group="quoted"', "--print-config"]

    def check(number):
        memory.reset()
        memory.fail_at(number)
        log.write_bytes(b"")
        return Process(argv, log, env=memory.env).wait(), log.read_text()

    code, whole = check(0)
    assert code == 0 and '"quoted"' in whole
    for number in every(memory.count, 3):
        code, text = check(number)
        assert (code, text) == (EXIT_NO_MEMORY, LINE) or memory.failed == 0 or (code == 0 and text == whole), \
            f"allocation {number}: exit code {code}:\n{text}"
