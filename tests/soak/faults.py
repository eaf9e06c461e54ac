"""The faults: one function and one row each. A function provokes its fault, lets it last, and heals what would not heal by
itself; what it returns says what was done. None of them may change what the daemon's totals have to be in the end, so
nothing here loses a write or takes away an entry: what does has tests of its own (tests/fault/test_lost_data.py)."""

import contextlib
import os
import pathlib
import resource
import threading
from dataclasses import dataclass
from typing import Callable

import redis

from mt5 import http as mt5_http
from mt5.invariants import GROUP, STREAMS
from mt5.wait import wait_until

MAXMEMORY = "1gb"       # as shipped
USER = "mt5stated"
HOUR_S = 3600
# What all share and what is written back where somebody puts another type in its place.
SHARED_KEYS = ("instance:state:running", "instance:state:crashed", "instance:state:stopped", "instance:index:load",
               "trade:state:pending", "trade:state:executed", "mt5stated:totals", "mt5stated:seq", "mt5stated:journal",
               "mt5stated:leader")
# Rights without which it cannot work, and some without which it has to do with less.
RIGHTS = ("eval", "evalsha", "xread", "hset", "hgetall", "xadd", "xdel", "sadd", "zadd", "time", "info", "psubscribe",
          "scan", "xgroup|create", "xgroup|setid", "publish", "xinfo|stream", "set", "pttl")
SLOW_REQUESTS = (
    b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx", b"GARBAGE\r\n\r\n",
    b"GET /api/v1/events?since=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
)


@dataclass(frozen=True)
class Fault:
    name: str
    run: Callable
    ends_daemon: bool = False   # another process goes on, or it begins anew
    hides: bool = False         # shared keys are not what they should be for a while, so nobody looks


# ---- the daemon ----

def kill_daemon(world):
    world.daemon.kill9()
    away_s = world.hold(0, 1)
    world.daemon.start(ready=False)
    return f"away for {away_s:.1f} s"


def kill_daemon_often(world):
    times = world.rng.randint(3, 6)
    for _ in range(times):
        world.daemon.kill9()
        world.daemon.start(ready=False)
        world.hold(0, 0.3)
    return f"{times} times"


def restart_daemon(world):
    world.daemon.restart(ready=False)


def freeze_daemon(world):
    world.daemon.pause()
    away_s = world.hold(0.5, 8)
    world.daemon.resume()
    return f"for {away_s:.1f} s"


def reload_daemon(world):
    times = world.rng.randint(1, 10)
    for _ in range(times):
        world.daemon.write_config(instances__reconcile_interval_ms=world.rng.randint(500, 2000))
        world.daemon.reload()
        world.hold(0, 0.2)
    return f"{times} times"


def jump_daemon_clock(world):
    seconds = world.rng.choice([HOUR_S, -HOUR_S])
    world.clock.jump(seconds)
    world.hold(0.5, 3)
    return f"by {seconds} s"


def exhaust_descriptors(world):
    """None is left, and the links that it has are cut."""
    _, hard = resource.prlimit(world.daemon.pid, resource.RLIMIT_NOFILE)
    soft, _ = resource.prlimit(world.daemon.pid, resource.RLIMIT_NOFILE, (4, hard))
    world.bus.cut(world.bus.links())
    away_s = world.hold(1, 4)
    resource.prlimit(world.daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
    return f"for {away_s:.1f} s"


def be_taken_over(world):
    """By another one, while it is frozen; it comes back as if nothing had been, and gets the lease back."""
    other = world.make_other()
    other.start(ready=False)
    other.wait_serving()
    world.daemon.pause()
    wait_until(other.is_ready, "the other to take over", world.plan.deadline_s)
    world.hold(0, 2)
    world.daemon.resume()
    away_s = world.hold(0, 3)
    other.stop()
    return f"back for {away_s:.1f} s"


# ---- Redis ----

def kill_redis(world):
    world.server.kill9()
    away_s = world.hold(0, 2)
    world.server.start()
    return f"away for {away_s:.1f} s"


def kill_both(world):
    world.daemon.kill9()
    world.server.kill9()
    world.daemon.start(ready=False)
    world.hold(0, 1)
    world.server.start()


def freeze_redis(world):
    world.server.pause()
    away_s = world.hold(1, 10)
    world.server.resume()
    return f"for {away_s:.1f} s"


def jump_redis_clock(world):
    seconds = world.rng.choice([-1, 1]) * world.rng.randint(3, 20)
    world.server.clock.jump(seconds)
    world.hold(0.5, 3)
    return f"by {seconds} s"


@contextlib.contextmanager
def refusing(world, take, give):
    take()
    try:
        yield
    finally:
        give()


def run_out_of_memory(world):
    with refusing(world, lambda: world.server.config_set(maxmemory=1),
                  lambda: world.server.config_set(maxmemory=MAXMEMORY)):
        return f"for {world.hold(1, 4):.1f} s"


def become_replica(world):
    """Of a master that is not there: it keeps its data and takes no writes."""
    world.client.execute_command("CONFIG", "SET", "replica-serve-stale-data", "yes")
    with refusing(world, lambda: world.client.execute_command("REPLICAOF", "127.0.0.1", "1"),
                  lambda: world.client.execute_command("REPLICAOF", "NO", "ONE")):
        return f"for {world.hold(1, 4):.1f} s"


def fail_to_save(world):
    """A snapshot cannot be written, where a folder has its name; writes are refused from then on."""
    blocked = world.server.data / "dump.rdb"
    blocked.mkdir()
    (blocked / "x").touch()
    world.server.config_set(save="3600 1", stop_writes_on_bgsave_error="yes")
    try:
        with contextlib.suppress(redis.exceptions.ResponseError):   # one of the append-only file is under way
            world.client.bgsave()
        wait_until(lambda: world.client.info("persistence")["rdb_last_bgsave_status"] == "err", "the save to fail",
                   world.plan.deadline_s)
        away_s = world.hold(1, 4)
    finally:
        world.server.config_set(save="", stop_writes_on_bgsave_error="no")
        (blocked / "x").unlink()
        blocked.rmdir()
    return f"for {away_s:.1f} s"


def run_long_script(world):
    world.server.config_set(busy_reply_threshold=10)

    def work():
        with world.server.client(socket_timeout=120) as client, contextlib.suppress(redis.exceptions.RedisError):
            client.eval("while true do end", 0)

    script = threading.Thread(target=work)
    script.start()
    away_s = world.hold(0.5, 3)

    def is_over():
        with contextlib.suppress(redis.exceptions.RedisError):
            world.client.script_kill()
        return not script.is_alive()

    wait_until(is_over, "the script to be over", world.plan.deadline_s)
    world.server.config_set(busy_reply_threshold=5000)
    return f"for {away_s:.1f} s"


def take_right(world):
    right = world.rng.choice(RIGHTS)
    with refusing(world, lambda: world.client.execute_command("ACL", "SETUSER", USER, "-" + right),
                  lambda: world.client.execute_command("ACL", "SETUSER", USER, "+" + right)):
        return f"{right}, for {world.hold(1, 4):.1f} s"


def shut_out(world):
    with refusing(world, lambda: world.client.execute_command("ACL", "SETUSER", USER, "off"),
                  lambda: world.client.execute_command("ACL", "SETUSER", USER, "on")):
        world.bus.cut(world.bus.links())
        return f"for {world.hold(1, 4):.1f} s"


# ---- the way between them ----

def kill_clients(world):
    times = world.rng.randint(1, 8)
    for _ in range(times):
        links = world.bus.links()
        world.bus.cut(world.rng.sample(links, world.rng.randint(1, len(links))) if links else [])
        world.hold(0, 0.3)
    return f"{times} times"


def kill_all_clients(world):
    """The simulator's and the harness's too."""
    for kind in ("normal", "pubsub"):
        world.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")


def pause_clients(world):
    everything = world.rng.random() < 0.5
    span_ms = int(world.rng.uniform(300, 5000) * world.plan.scale)
    world.client.client_pause(span_ms, all=everything)
    return f"{'all' if everything else 'writes'}, for {span_ms / 1000:.1f} s"


def cut_link(world):
    times = world.rng.randint(1, 8)
    for _ in range(times):
        world.relay.cut()
        world.hold(0, 0.3)
    return f"{times} times"


def hold_link(world):
    """Nothing passes, either way, and nothing says so."""
    world.relay.pause()
    away_s = world.hold(1, 8)
    world.relay.resume()
    return f"for {away_s:.1f} s"


# ---- what lies in Redis ----

def flush_scripts(world):
    times = world.rng.randint(1, 20)
    for _ in range(times):
        world.client.script_flush()
        world.hold(0, 0.1)
    return f"{times} times"


def destroy_groups(world):
    streams = world.rng.sample(STREAMS, world.rng.randint(1, len(STREAMS)))
    for stream in streams:
        world.client.xgroup_destroy(stream, GROUP)

    def are_back():
        return all(GROUP in [group["name"] for group in world.client.xinfo_groups(stream)] for stream in streams)

    wait_until(are_back, "the groups to be made again", world.plan.deadline_s)
    return " ".join(streams)


def plant_type(world):
    key = world.rng.choice(SHARED_KEYS)
    with world.client.pipeline() as pipe:
        pipe.delete(key)
        pipe.rpush(key, "foreign")
        pipe.execute()
    wait_until(lambda: world.client.type(key) != "list", f"{key} to be moved aside", world.plan.deadline_s)
    world.client.delete(f"mt5stated:displaced:{key}")
    # What it holds comes back by the next look at it all.
    world.hold(3, 4)
    return key


HOSTILE = (
    lambda rng: {"": ""},
    lambda rng: {"x": "y" * rng.choice([1, 100000, 4 << 20])},
    lambda rng: {f"field-{i}": "x" for i in range(rng.choice([1000, 20000]))},
    lambda rng: {name: rng.randbytes(rng.choice([1, 64, 5000])) + b"\xff" for name in
                 ("instance_id", "signal_id", "result_id", "trade_id", "action", "status", "state")},
    lambda rng: {name: b"a\r\nlevel=error msg=forged" for name in ("instance_id", "signal_id", "result_id", "trade_id")},
    lambda rng: {name: "x" * (1 << 20) for name in ("instance_id", "signal_id", "result_id", "trade_id")},
)
WORDS = {"instance_reports": "reports", "trade_signals": "signals", "trade_results": "results", "trade_updates": "trades"}


def add_hostile_entries(world):
    count = world.rng.randint(5, 40)
    for _ in range(count):
        stream = world.rng.choice(STREAMS)
        world.client.xadd(stream, world.rng.choice(HOSTILE)(world.rng))
        world.injected[WORDS[stream]] = world.injected.get(WORDS[stream], 0) + 1
    return f"{count} of them"


# ---- clients and hooks ----

def be_slow_clients(world, count=None):
    """They take all connections that there are; they go, and all is as before."""
    opened = []
    try:
        for number in range(count or world.rng.randint(20, 200)):
            opened.append(mt5_http.connect(world.daemon.listen, 20))
            with contextlib.suppress(OSError):
                opened[-1].sendall(SLOW_REQUESTS[number % len(SLOW_REQUESTS)])
        answer = mt5_http.request(world.daemon.listen, "/api/v1/instances/mt5-1/reports", "POST", body=b"x" * (65536 + 1))
        assert answer.status in (401, 403, 413), answer.status
        for _ in range(5):
            world.hold(0, 0.5)
            for client in opened:
                with contextlib.suppress(OSError):
                    client.send(b"x")
    finally:
        for client in opened:
            client.close()
    return f"{len(opened)} of them"


def processes_in(folder):
    """The numbers of those that work in it."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd") == str(folder):
                found.append(int(process.name))
    return found


def left_of_hooks(world):
    return processes_in(world.hook_folder)


def let_hooks_hang(world):
    mode = world.rng.choice(["hang", "flood", "fork"])
    world.set_hook(mode)
    world.hold(3, 8)
    world.set_hook("")
    # Their time is up, and that of SIGTERM too.
    wait_until(lambda: not left_of_hooks(world), "all of the hooks to be gone", world.plan.deadline_s)
    return mode


FAULTS = (
    Fault("daemon: kill -9", kill_daemon, ends_daemon=True),
    Fault("daemon: kill -9 while it starts", kill_daemon_often, ends_daemon=True),
    Fault("daemon: restarted", restart_daemon, ends_daemon=True),
    Fault("daemon: SIGSTOP", freeze_daemon),
    Fault("daemon: frozen, taken over", be_taken_over, ends_daemon=True),
    Fault("daemon: reload", reload_daemon),
    Fault("daemon: clock jumps", jump_daemon_clock),
    Fault("daemon: no descriptors", exhaust_descriptors),
    Fault("Redis: kill -9", kill_redis),
    Fault("Redis: kill -9, daemon too", kill_both, ends_daemon=True),
    Fault("Redis: SIGSTOP", freeze_redis),
    Fault("Redis: clock jumps", jump_redis_clock),
    Fault("Redis: OOM", run_out_of_memory),
    Fault("Redis: READONLY", become_replica),
    Fault("Redis: MISCONF", fail_to_save),
    Fault("Redis: BUSY", run_long_script),
    Fault("Redis: NOPERM", take_right),
    Fault("Redis: no login", shut_out),
    Fault("Redis: CLIENT KILL", kill_clients),
    Fault("Redis: CLIENT KILL of all", kill_all_clients),
    Fault("Redis: CLIENT PAUSE", pause_clients),
    Fault("link: cut", cut_link),
    Fault("link: held", hold_link),
    Fault("data: SCRIPT FLUSH", flush_scripts),
    Fault("data: groups destroyed", destroy_groups),
    Fault("data: wrong type planted", plant_type, hides=True),
    Fault("data: hostile entries", add_hostile_entries),
    Fault("HTTP: slow clients", be_slow_clients),
    Fault("hooks: hang, flood, fork", let_hooks_hang),
)


def schedule(rng, faults=FAULTS):
    """All of them in an order of the seed's, again and again."""
    while True:
        yield from rng.sample(faults, len(faults))
