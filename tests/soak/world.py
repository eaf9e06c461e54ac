"""What a soak runs on: a Redis that keeps its writes, a wire to it, the daemon with hooks, the simulator."""

import contextlib
import os
import random
import shlex
import signal
from dataclasses import dataclass

import redis

from mt5.bus import Bus
from mt5.clock import Clock
from mt5.daemon import Daemon, default_config
from mt5.invariants import POSITIONS, STREAMS, Expected, entry_id
from mt5.redis_server import RedisServer
from mt5.sim import Sim
from mt5.wait import let_pass, wait_until
from soak.relay import Relay

# Longer than any fault, so that what is answered is never late; short enough for the open signals to be as many at the
# end as soon after the start.
TTL_MS = 120000
CONFIG = {
    "signals.ttl_ms": TTL_MS, "signals.execution_ttl_ms": TTL_MS, "signals.dedup_ms": 30000,
    "streams.events_max_len": 5000, "streams.commands_max_len": 2000,
    "instances.reconcile_interval_ms": 1000, "instances.heartbeat_timeout_ms": 30000, "hooks_timeout_ms": 2000,
}
LOAD = {
    "crash_every_s": 300, "restart_fail_share": 0.2, "executors": 4, "latency_ms": 100, "shuffle": 10, "drain": True,
    "fail_share": 0.1, "partial_share": 0.05, "accepted_share": 0.2, "followup_share": 0.05, "unanswered_share": 0.002,
    "early_share": 0.02, "duplicate_share": 0.02, "duplicate_result_share": 0.01, "malformed_share": 0.002,
    "cpu_trouble_every_s": 1800, "memory_trouble_every_s": 1800, "latency_trouble_every_s": 1800,
    "queue_trouble_every_s": 1800, "load_trouble_every_s": 1800, "socket_trouble_every_s": 1800,
    "command_refuse_share": 0.05, "command_ignore_share": 0.05, "command_late_share": 0.02,
    "command_twice_share": 0.05, "command_unknown_share": 0.05, "verbose": True,
}
TRADES_MAX = 3000
# Works in a folder of its own, by which whatever it leaves behind is found. "never" is a FIFO that nobody writes to.
HOOK = """#!/bin/sh
cd {folder} || exit 2
case $(cat mode) in
    hang) trap '' TERM; exec cat never ;;
    flood) exec yes flood ;;
    fork) for i in 1 2 3 4 5 6 7 8; do cat never & done; exec cat never ;;
esac
"""


@dataclass
class Plan:
    """How long and how much. `scale` multiplies how long each fault lasts."""
    seed: int
    seconds: float
    instances: int = 1000
    signals_per_sec: float = 2000
    interval_s: float = 10
    scale: float = 1
    report_interval_ms: int = 1000
    deadline_s: float = 60      # for each recovery: beyond it the soak has failed
    is_whole: bool = False      # goes on until each fault has come at least once

    @property
    def trades_per_sec(self):
        return min(5.0, TRADES_MAX / self.seconds)


class World:
    def __init__(self, plan, folder, server=None, config=None, load=None):
        """`server`, `config` and `load`: what is to be otherwise than above."""
        self.plan, self.folder = plan, folder
        self._load = {**LOAD, **(load or {})}
        self.rng = random.Random(plan.seed)
        self.expected = Expected(skip=frozenset({"check_results_counted"}))
        self.injected = {}          # stream → invalid entries that were added besides the simulator's
        self.daemon_is_away = False
        self._own = []
        (folder / "redis").mkdir()
        self.server = RedisServer(folder / "redis", **{"aof": True, "shipped": True, "clock": True, **(server or {})})
        self._own.append(self.server.kill9)
        self.client = self.server.client(socket_timeout=60)
        self.bus = Bus(self.client)
        self.relay = Relay(folder, self.server.socket)
        self._own.append(self.relay.stop)
        wait_until(self.relay.is_listening, "the relay to listen")
        self.hook_folder = folder / "hook"
        self.clock, self.daemon = self._make_daemon(config or {})
        self.sim = None

    def _make_daemon(self, changes):
        self.hook_folder.mkdir()
        os.mkfifo(self.hook_folder / "never")
        hook = self.hook_folder / "hook"
        hook.write_text(HOOK.format(folder=shlex.quote(str(self.hook_folder))))
        hook.chmod(0o755)
        self.set_hook("")
        own = self.folder / "daemon"
        own.mkdir()
        config = {**default_config(own, self.server, tcp=True), **CONFIG, "redis.url": self.relay.url,
                  "redis.reconnect_max_ms": 200, "hooks.recover": [str(hook)], "hooks.reconnect": [str(hook)], **changes}
        clock = Clock(own)
        daemon = Daemon(own, config, env=clock.env)
        self._own.append(lambda: daemon.is_running() and daemon.kill9())
        return clock, daemon

    def make_other(self):
        """A second daemon beside the first, made and not started."""
        own = self.folder / "other"
        if not own.exists():
            own.mkdir()
        config = {**self.daemon.config, "http.listen": f"unix:{own / 'http.sock'}", "streams.consumer": "other"}
        other = Daemon(own, config)
        self._own.append(lambda: other.is_running() and other.kill9())
        return other

    def start(self):
        self.daemon.start()
        own = self.folder / "sim"
        own.mkdir()
        plan = self.plan
        self.sim = Sim(own, self.server.url, quiet=False, seed=plan.seed, instances=plan.instances,
                       signals_per_sec=plan.signals_per_sec, trades_per_sec=plan.trades_per_sec,
                       report_interval_ms=plan.report_interval_ms, silence_every_s=0,
                       **self.server.harness_login(own), **self._load)
        self._own.append(lambda: self.sim.is_running() and self.sim.kill9())
        wait_until(lambda: self.bus.client.scard("instance:state:running") >= plan.instances * 0.8,
                   "most of the fleet to run", plan.deadline_s)

    def stop(self):
        for stop in reversed(self._own):
            stop()

    def hold(self, least_s, most_s):
        """That long a trouble lasts. Returns it."""
        span_s = self.rng.uniform(least_s, most_s) * self.plan.scale
        let_pass(span_s)
        return span_s

    def last_ids(self):
        """Of each stream, where it ends now."""
        def read():
            with contextlib.suppress(redis.exceptions.RedisError):
                return {stream: entry_id(self.bus.last_id(stream)) for stream in STREAMS}
        return wait_until(read, "Redis to answer", self.plan.deadline_s)

    def has_handled(self, targets):
        """Whether the daemon has come to these last ids."""
        with contextlib.suppress(redis.exceptions.RedisError):
            meta = self.client.hgetall("mt5stated:meta")
            return all(entry_id(meta.get(POSITIONS[stream], "0-0")) >= last for stream, last in targets.items())
        return False

    def set_hook(self, mode):
        (self.hook_folder / "mode").write_text(mode)

    def stop_simulator(self):
        """What was begun is finished; the ledger of it."""
        self.sim.send(signal.SIGTERM)
        ledger = self.sim.finish(deadline_s=4 * self.plan.deadline_s)
        for stream, count in self.injected.items():
            ledger["malformed"][stream] += count
        return ledger
