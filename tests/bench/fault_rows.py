"""The rows of the table: what is done to the daemon or around it, for how long, and what the bound is. What the soak can
do already is taken from there."""

import contextlib
import fcntl
import os
import select
import shlex
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Callable

import redis

from mt5 import http as mt5_http
from mt5.daemon import binary
from mt5.invariants import STREAMS
from mt5.wait import let_pass, wait_until
from mt5.watching import Watching
from soak import faults
from soak.faults import WORDS, processes_in

MIB = 1 << 20
KILL_AFTER_S = 5
HOOK_LIMIT_S = 2
WEBHOOK_LIMIT_S = 1
CROWD = 2000
BALLAST = ("ballast:1", "ballast:2")
BALLAST_FIELDS = 150000
FILL = """for i = ARGV[1] + 0, ARGV[1] + 9999 do redis.call('HSET', KEYS[1], 'field-' .. i, 'x' .. i .. string.rep('y', 600)) end"""
# "never" is a FIFO that nobody writes to: whoever opens it stays until he is killed.
MISUSES = {
    "hang": "exec cat never",
    "deaf": "trap '' TERM; exec cat never",
    "flood": "exec yes flood",
    "fork": "for i in $(seq 100); do cat never & done; exec cat never",
    "detach": "for i in $(seq 20); do setsid cat never & done; exec cat never",
    "detach deaf": "trap '' TERM; for i in $(seq 20); do setsid cat never & done; exec cat never",
    "breed": "trap '' TERM; for i in $(seq 4); do setsid sh -c 'while :; do setsid cat never & wait $!; done' & done; "
             "exec cat never",
}
HOOK = """#!/bin/sh
cd {folder} || exit 2
mode=$(cat mode)
echo $$ >> pids
case $mode in
{cases}
esac
"""


def nothing(world):
    return None


@dataclass(frozen=True)
class Row:
    """`span_s` is how long a hold of the soak's fault lasts. `bounds`: names of measured values and what they may be at
    most."""
    name: str
    run: Callable
    bounds: dict = field(default_factory=dict)
    span_s: float = 5
    away: bool = False          # the daemon itself is dead or frozen, so its gap counts from the end of that
    hides: bool = False
    prepare: Callable = nothing
    restore: Callable = nothing


# ---- hooks ----

def write_misused_hook(folder):
    cases = "\n".join(f"'{mode}') {code} ;;" for mode, code in MISUSES.items())
    os.mkfifo(folder / "never")
    path = folder / "hook"
    path.write_text(HOOK.format(folder=shlex.quote(str(folder)), cases=cases))
    path.chmod(0o755)
    return path


def new_instance(world):
    world.made += 1
    name = f"bench-{world.made}"
    world.bus.report(name, broker_id=f"broker-{name}", state="running")
    world.bus.wait_state(name, "running")
    return name


def start_misused_hook(world, mode):
    """The number of its program, and the instance."""
    (world.misused / "mode").write_text(mode)
    (world.misused / "pids").unlink(missing_ok=True)
    name = new_instance(world)
    Watching(world.bus, world.daemon).order(name, "stop")
    pid = int(wait_until(lambda: (world.misused / "pids").exists() and (world.misused / "pids").read_text(),
                         "the hook to run", world.plan.deadline_s).split()[0])
    (world.misused / "mode").write_text("")     # the next try succeeds
    return pid, name


def began_s(pid):
    """On the clock that goes on since the boot."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def boot_s():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_all_dead(pids):
    """When the last one had died."""
    poll = select.poll()
    last_s, left = boot_s(), set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            left.add(os.pidfd_open(pid))
            poll.register(max(left), select.POLLIN)
    end_s = last_s + 60
    while left and boot_s() < end_s:
        for fd, _ in poll.poll(100):
            last_s = boot_s()
            poll.unregister(fd)
            left.discard(fd)
            os.close(fd)
    assert not left, "processes of the hook live on"
    return last_s


def misuse(mode, crowd=0, resists=False):
    def run(world):
        with bystanders(crowd):
            pid, name = start_misused_hook(world, mode)
            due_s = began_s(pid) + HOOK_LIMIT_S + (KILL_AFTER_S if resists else 0)
            let_pass(max(0, due_s - 0.7 - boot_s()))
            found = processes_in(world.misused)
            last_s = wait_all_dead(found)
            while left := processes_in(world.misused):  # born since, perhaps
                last_s = wait_all_dead(left)
            world.bus.report(name, state="stopped")
            world.measured["dead_ms"] = (last_s - due_s) * 1000
            return f"{len(found)} processes, the last dead {world.measured['dead_ms']:.0f} ms after the limit"
    return run


@contextlib.contextmanager
def bystanders(count):
    if not count:
        yield
        return
    # They read from a pipe that says nothing.
    shell = subprocess.Popen(["sh", "-c", f"exec 3<&0; for i in $(seq {count}); do cat <&3 & done; echo there; wait"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        shell.stdout.readline()
        yield
    finally:
        os.killpg(shell.pid, 9)
        shell.wait()


# ---- webhooks ----

class Receiver:
    """Of webhooks: takes a request and does BEHAVE with the connection; notes how long the daemon kept it."""

    def __init__(self, behave):
        self._behave = behave
        self.kept_s = []
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/api/v2/alerts"

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._keep, args=(client, time.monotonic()), daemon=True).start()

    def _keep(self, client, came_s):
        with client, contextlib.suppress(OSError):
            client.settimeout(60)
            client.recv(1 << 16)
            self._behave(client)
        self.kept_s.append(time.monotonic() - came_s)

    def stop(self):
        self._server.close()


def hang(client):
    while client.recv(1 << 16):
        pass


def drip(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        client.sendall(b"x")
        let_pass(0.05)


def flood(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
    while True:
        client.sendall(b"x" * (1 << 16))


def misbehave(behave):
    def run(world):
        receiver = Receiver(behave)
        configure(world, notify__webhooks=[{"url": receiver.url, "timeout_ms": WEBHOOK_LIMIT_S * 1000}])
        name = new_instance(world)
        world.bus.report(name, state="crashed")
        wait_until(lambda: len(receiver.kept_s) >= 3, "the daemon to have left it three times", 60)
        configure(world, notify__webhooks=[])
        receiver.stop()
        world.bus.report(name, state="stopped")
        world.measured["dead_ms"] = (max(receiver.kept_s[:3]) - WEBHOOK_LIMIT_S) * 1000
        return f"left at the latest {world.measured['dead_ms']:.0f} ms after the limit"
    return run


def configure(world, **changes):
    before = len(world.daemon.log_lines(msg="configuration reloaded"))
    world.daemon.write_config(**changes)
    world.daemon.reload()
    wait_until(lambda: len(world.daemon.log_lines(msg="configuration reloaded")) > before, "the configuration to be read")


# ---- HTTP, descriptors, the log ----

def post_large_bodies(world):
    end_s = time.monotonic() + world.span_s
    count = 0
    while time.monotonic() < end_s:
        answer = mt5_http.request(world.daemon.listen, "/api/v1/instances/mt5-1/reports", "POST", body=b"x" * (65536 + 1))
        assert answer.status == 413, answer.status
        count += 1
        let_pass(0.05)
    return f"{count} of them"


def flap(world):
    """Lines for the log, as long as the fault lasts."""
    end_s = time.monotonic() + world.span_s
    while time.monotonic() < end_s:
        for state in ("running", "stopped"):
            world.bus.many("instance_reports", [{"instance_id": f"flap-{i}", "broker_id": "flap", "state": state}
                                                for i in range(60)])
        let_pass(0.25)


def lines_dropped(world):
    return world.daemon.metrics().value("mt5stated_log_lines_dropped_total")


def fill_log_disk(world):
    before = lines_dropped(world)
    with world.log_disk.full():
        flap(world)
    return f"{lines_dropped(world) - before:.0f} lines dropped and counted"


def log_to_pipe(world):
    fifo = world.folder / "log.fifo"
    os.mkfifo(fifo)
    world.pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(world.pipe, fcntl.F_SETPIPE_SZ, 4096)
    world.daemon.stop()
    world.daemon.command = ["sh", "-c", 'exec "$@" 2>"$0"', fifo, binary("MT5STATED", "mt5stated")]
    world.daemon.start()


def stall_log_pipe(world):
    """Nobody reads it, from the start on."""
    flap(world)
    dropped = lines_dropped(world)
    assert dropped > 0
    while True:     # read by somebody again
        try:
            if not os.read(world.pipe, 1 << 16):
                break
        except BlockingIOError:
            break
    return f"{dropped:.0f} lines dropped and counted"


def log_to_file(world):
    world.daemon.command = [binary("MT5STATED", "mt5stated")]
    world.daemon.restart()
    os.close(world.pipe)


# ---- the daemon, Redis ----

def kill_daemon(world):
    world.daemon.kill9()
    world.daemon.start(ready=False)


def kill_redis(world):
    world.server.kill9()
    world.server.start(ready=False)
    began = time.monotonic()
    wait_until(lambda: not is_loading(world), "Redis to have loaded its data", world.plan.deadline_s)
    return f"read its data for {time.monotonic() - began:.1f} s"


def is_loading(world):
    try:
        return not world.client.ping()
    except redis.exceptions.RedisError:     # not there, or LOADING
        return True


def add_ballast(world):
    for key in BALLAST:
        for first in range(0, BALLAST_FIELDS, 10000):
            world.client.eval(FILL, 1, key, first)


def drop_ballast(world):
    world.client.unlink(*BALLAST)


def fill_redis_disk(world):
    with world.disk.full():
        return f"for {world.hold(0, 0):.1f} s"



def add_hostile(make, streams=STREAMS):
    def run(world):
        for stream in streams:
            world.client.execute_command("XADD", stream, "*", *make())
            world.injected[WORDS[stream]] = world.injected.get(WORDS[stream], 0) + 1
        return f"one in each of {len(streams)} streams"
    return run


def a_large_field():
    return ["x", "y" * (64 * MIB)]


def many_fields():
    return [word for i in range(100000) for word in (f"field-{i}", "x")]


def pause_all_clients(world):
    world.client.client_pause(int(world.span_s * 1000), all=True)
    let_pass(world.span_s)
    return f"for {world.span_s:g} s"


GAP = {"gap_ms": 50}
# One at once, one a little later with how often it came since, then one each 10 s.
SAID = {"most": 2}
SMALL = {"growth_mb": 32}
BOUNDED = {**GAP, **SAID, **SMALL}
REFUSED = {**GAP, **SAID}
CALM = {**GAP, "cpu_percent": 5}
ENDED = {**GAP, "dead_ms": 100}
CLEAN = {"left_mb": 4}

ROWS = (
    Row("nothing", lambda world: world.hold(0, 0) and None, CALM, 10),
    Row("daemon: kill -9", kill_daemon, {"ready_s": 1}, away=True),
    Row("daemon: SIGSTOP for 60 s", faults.freeze_daemon, GAP, 60, away=True),
    Row("daemon: clock jumps by an hour", faults.jump_daemon_clock, GAP),
    Row("Redis: kill -9", kill_redis, {**GAP, "working_s": 0.5}),
    Row("Redis: kill -9, with 200 MB more", kill_redis, {**GAP, "working_s": 0.5}, prepare=add_ballast,
        restore=drop_ballast),
    Row("Redis: SIGSTOP for 1 s", faults.freeze_redis, BOUNDED, 1),
    Row("Redis: SIGSTOP for 60 s", faults.freeze_redis, BOUNDED, 60),
    Row("Redis: CLIENT PAUSE", pause_all_clients, BOUNDED, 5),
    Row("Redis: CLIENT KILL, again and again", faults.kill_clients, {**GAP, **SMALL}, 0.3),
    Row("link: held", faults.hold_link, BOUNDED, 10),
    Row("link: cut, again and again", faults.cut_link, {**GAP, **SMALL}, 0.3),
    Row("Redis: no room for the append-only file", fill_redis_disk, REFUSED, 12),
    Row("Redis: snapshots fail (MISCONF)", faults.fail_to_save, REFUSED, 12),
    Row("Redis: OOM", faults.run_out_of_memory, REFUSED, 12),
    Row("Redis: READONLY", faults.become_replica, REFUSED, 12),
    Row("Redis: NOPERM", faults.take_right, REFUSED, 12),
    Row("Redis: no login (NOAUTH)", faults.shut_out, REFUSED, 12),
    Row("Redis: BUSY", faults.run_long_script, REFUSED, 10),
    Row("data: groups destroyed", faults.destroy_groups, GAP),
    Row("data: wrong type planted", faults.plant_type, GAP, 4, hides=True),
    Row("data: a field of 64 MiB", add_hostile(a_large_field), CLEAN, hides=True),
    Row("data: 100,000 fields", add_hostile(many_fields), {**GAP, **CLEAN}, hides=True),
    Row("no descriptors, links cut", faults.exhaust_descriptors, CALM, 10),
    Row("HTTP: 200 slow clients", lambda world: faults.be_slow_clients(world, 200), CALM, 2),
    Row("HTTP: bodies of 64 KiB and a byte", post_large_bodies, CALM, 10),
    Row("log: no room on its disk", fill_log_disk, CALM, 10),
    Row("log: nobody reads the pipe", stall_log_pipe, CALM, 10, prepare=log_to_pipe, restore=log_to_file),
    Row("hook: hangs", misuse("hang"), ENDED),
    Row("hook: hangs and ignores SIGTERM", misuse("deaf", resists=True), ENDED),
    Row("hook: prints without end", misuse("flood"), {**ENDED, "growth_mb": 8}),
    Row("hook: 100 children", misuse("fork"), ENDED),
    Row("hook: 20 children in sessions of their own", misuse("detach"), ENDED),
    Row("hook: the same, ignoring SIGTERM", misuse("detach deaf", resists=True), ENDED),
    Row("hook: the same, among 2,000 processes", misuse("detach deaf", CROWD, resists=True), ENDED),
    Row("hook: 4 that detach a new child when theirs is killed", misuse("breed", resists=True), ENDED),
    Row("webhook: hangs", misbehave(hang), ENDED),
    Row("webhook: drips", misbehave(drip), ENDED),
    Row("webhook: answers without end", misbehave(flood), {**ENDED, "growth_mb": 8}),
)
