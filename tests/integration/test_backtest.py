"""mt5stated --backtest (SPEC 11): what it finds in a recording of the real daemon is what that did."""

import json
import signal

import pytest

from mt5.backtest import Backtest
from mt5.ctl import Ctl
from mt5.daemon import nest
from mt5.wait import wait_until

ADMIN = "admin-secret-01234"
QUICK = {
    "recovery.backoff_ms": [0, 200], "recovery.timeout_ms": 3000, "recovery.cooldown_ms": 1000,
    "recovery.stable_ms": 5000, "instances.heartbeat_timeout_ms": 1500,
    "rules.HighCpuUsage.for_ms": 300, "rules.HighMemoryUsage.for_ms": 300, "rules.NetworkFailure.for_ms": 300,
}


@pytest.fixture
def record(daemon, folder):
    """record(config) makes a daemon and records it; .lines() is the recording so far, .end() ends it."""
    made = []

    class Recording:
        def __init__(self, config):
            token = folder / "token"
            token.write_text(ADMIN)
            self.config = {"http.tokens": [{"name": "a", "role": "admin", "file": str(token)}], **config}
            self.daemon = daemon(self.config)
            self.path = folder / "recording.jsonl"
            self.ctl = Ctl(folder, self.daemon.listen, token)

        def begin(self):
            self.process = self.ctl.follow("record", self.path)
            wait_until(lambda: self.path.exists() and self.daemon.get("/api/v1/status").status == 200, "the recording")

        def lines(self):
            text = self.path.read_text()
            return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

        def of(self, stream):
            return [line for line in self.lines() if line["stream"] == stream and "fields" in line]

        def events(self, *names):
            return [line for line in self.of("events") if line["fields"]["event"] in names]

        def end(self):
            self.process.send(signal.SIGINT)
            assert self.process.wait() == 0
            return self

        def write_config(self, name, **changes):
            path = folder / name
            path.write_text(json.dumps(nest({**QUICK, **{key.replace("__", "."): value for key, value in changes.items()}})))
            return path

    def make(config=None):
        made.append(Recording({**QUICK, **(config or {})}))
        return made[-1]

    yield make
    for one in made:
        one.ctl.stop()


def id_ms(line):
    return int(line["id"].split("-")[0])


def recorded_firings(recording):
    """(instance, rule) of what began to fire, in the order of its events."""
    return sorted((line["fields"]["instance_id"], line["fields"]["alert"], id_ms(line))
                  for line in recording.events("alert_firing") if "instance_id" in line["fields"])


def recorded_commands(recording):
    return sorted((line["fields"]["instance_id"], line["fields"]["command_id"].split(".")[-2])
                  for line in recording.events("command_issued"))


def test_it_finds_what_the_daemon_did(record, sim, bus):
    recording = record()
    fleet = sim(instances=10, report_interval_ms=100, crash_every_s=6, down_ms=300, restart_ms=300, silence_every_s=15,
                silence_ms=2500, cpu_trouble_every_s=6, latency_trouble_every_s=8, queue_trouble_every_s=8,
                load_trouble_every_s=10, socket_trouble_every_s=10, trouble_ms=4000, signals_per_sec=20, executors=1,
                seed=7)
    wait_until(lambda: len(bus.events(event="alert_firing")) > 3, "the first trouble")
    recording.begin()
    wait_until(lambda: len(recording.events("alert_firing")) > 40, "more of it")
    recording.end()
    fleet.kill9()
    assert {line["fields"]["instance_id"] for line in recording.of("state")} == {f"mt5-{i}" for i in range(1, 11)}

    found = Backtest("--backtest", recording.path, "-c", recording.write_config("same.json"))
    print(found.out, found.err)
    assert (found.code, found.err) == (0, "")
    print(recorded_firings(recording))
    print(sorted((f.instance_id, f.rule, f.from_ms) for f in found.firings))
    print(recorded_commands(recording))
    assert 0
