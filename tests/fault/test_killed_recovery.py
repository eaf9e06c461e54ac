"""The daemon or Redis is killed at any moment while a fleet of unruly agents is recovered: no decision is commanded
twice, no id is used twice, an instance never has two commands (SPEC 6.4, 7.2). What can be seen at any moment is
checked by mt5.invariants; here is what only the whole story tells."""

import contextlib
import http.client
import random
from collections import Counter

import pytest

from mt5.wait import wait_a_moment, wait_until
from mt5.watching import Watching, with_token

QUICK_RECOVERY = {
    "recovery.timeout_ms": 250, "recovery.backoff_ms": [0, 20, 60], "recovery.max_attempts": 3,
    "recovery.stable_ms": 300, "recovery.cooldown_ms": 200, "recovery.max_concurrent": 4,
    "recovery.fleet_breaker_percent": 100,      # more than all never crash
    "rules.HighCpuUsage.for_ms": 50, "rules.HighMemoryUsage.for_ms": 50, "rules.NetworkFailure.for_ms": 50,
    "instances.heartbeat_timeout_ms": 1000, "instances.restarting_timeout_ms": 1000,
    "guard.stall_ms": 500, "guard.hold_ms": 20, "ha.lease_ms": 300, "redis.reconnect_max_ms": 50,
}
UNRULY = {
    "instances": 10, "report_interval_ms": 40, "crash_every_s": 1, "stay_down": True, "restart_ms": 40,
    "restart_fail_share": 0.3, "silence_every_s": 6, "silence_ms": 1200,
    "cpu_trouble_every_s": 4, "latency_trouble_every_s": 4, "queue_trouble_every_s": 4, "load_trouble_every_s": 4,
    "socket_trouble_every_s": 4, "trouble_ms": 800,
    "command_refuse_share": 0.1, "command_ignore_share": 0.1, "command_late_share": 0.1, "command_late_ms": 400,
    "command_twice_share": 0.2, "command_unknown_share": 0.1, "seconds": 12,
}


def check_story(bus, expected_kinds):
    """What the streams tell of the whole run."""
    commands = bus.entries("instance_commands")
    cause_of = {event["command_id"]: event["correlation_id"] for event in bus.events(event="command_issued")}
    decisions = Counter()
    starts = Counter()      # an operator's start arms recovery again: attempts begin anew
    for command in commands:
        name = command["instance_id"]
        if command["command"] == "start":
            starts[name] += 1
        elif command["command"] == "recover":
            decisions[cause_of[command["command_id"]], name, command["attempt"], starts[name]] += 1
    assert [decision for decision, times in decisions.items() if times > 1] == [], "commanded twice"
    for command in commands:
        if command["command"] == "cancel":
            assert command["cancels"].startswith(command["instance_id"] + ".")
    # No stop before all of the attempts; they are kept where an instance that was stopped runs again.
    last_of = {}
    for command in commands:
        if command["command"] == "stop":
            assert last_of[command["instance_id"]] in (("recover", "3"), ("stop", None))
        if command["command"] in ("recover", "start", "stop"):
            last_of[command["instance_id"]] = command["command"], command.get("attempt")
    kinds = Counter(command["command"] for command in commands)
    assert expected_kinds <= set(kinds), kinds


def start_stopped(one, bus):
    """An operator, who is refused now and then."""
    for name in sorted(bus.members("stopped")):
        with contextlib.suppress(OSError, http.client.HTTPException):
            Watching(bus, one).ask("POST", f"/api/v1/instances/{name}/commands", {"command": "start"})


def finish(one, run, bus):
    run.finish(deadline_s=60)
    one.wait_ready()
    bus.settle()
    wait_until(lambda: not bus.client.hgetall("mt5stated:watch") or all(
        " command=" not in value for value in bus.client.hvals("mt5stated:watch")), "every command to have ended")
    check_story(bus, {"recover", "reconnect", "throttle", "stop", "start"})     # whether there is a cancel is chance


@pytest.mark.parametrize("seed", [1, 2])
def test_a_daemon_killed_again_and_again(daemon, sim, bus, folder, watch, seed):
    rng = random.Random(seed)
    one = daemon(with_token(QUICK_RECOVERY, folder))
    look = watch()
    run = sim(**UNRULY, seed=seed)
    kills = 0
    while run.is_running():
        wait_a_moment(rng, 0.6)
        start_stopped(one, bus)
        one.restart(kill=True, ready=False)
        kills += 1
    finish(one, run, bus)
    assert kills >= 8 and look.count > 50


@pytest.mark.redis(aof=True)
def test_a_redis_killed_again_and_again_that_keeps_its_writes(daemon, redis_server, sim, bus, folder, watch):
    rng = random.Random(3)
    one = daemon(with_token(QUICK_RECOVERY, folder))
    watch()
    run = sim(**UNRULY, seed=3)
    kills = 0
    while run.is_running():
        wait_a_moment(rng, 1.2)
        start_stopped(one, bus)
        redis_server.restart(kill=True)
        kills += 1
    finish(one, run, bus)
    assert kills >= 5
    assert one.metrics().total("mt5stated_redis_rollbacks_total") == 0


def test_a_pair_whose_active_one_is_killed_or_frozen(daemon, sim, bus, folder, watch):
    rng = random.Random(4)
    config = with_token(QUICK_RECOVERY, folder)
    pair = [daemon({**config, "streams.consumer": name}, ready=False) for name in ("one", "two")]
    wait_until(lambda: any(one.is_ready() for one in pair), "one to be active")
    watch()
    run = sim(**UNRULY, seed=4)
    handovers = 0
    while run.is_running():
        wait_a_moment(rng, 0.6)
        active = next((one for one in pair if one.is_ready()), None)
        if not active:
            continue
        other = pair[1 - pair.index(active)]
        frozen = rng.random() < 0.5
        active.pause() if frozen else active.kill9()
        other.wait_ready()
        active.resume() if frozen else active.start(ready=False)
        start_stopped(other, bus)
        handovers += 1
    active = wait_until(lambda: next((one for one in pair if one.is_ready()), None), "one to be active")
    finish(active, run, bus)
    assert handovers >= 3


def test_without_trouble_the_story_is_the_same(daemon, sim, bus, folder, watch):
    """Nobody is killed: the checks of this file hold for a plain run too."""
    rng = random.Random(5)
    one = daemon(with_token(QUICK_RECOVERY, folder))
    watch()
    run = sim(**{**UNRULY, "seconds": 8}, seed=5)
    while run.is_running():
        wait_a_moment(rng, 0.3)
        start_stopped(one, bus)
    finish(one, run, bus)
    assert len(Watching(bus, one).alerts()) > 10
