"""mt5stated --backtest (SPEC 11): what it finds in a recording of the real daemon is what that did."""

import datetime
import json
import signal
from collections import Counter

import pytest

from mt5.backtest import Backtest, counts
from mt5.ctl import Ctl
from mt5.daemon import nest
from mt5.tokens import TOKENS
from mt5.wait import wait_until

ADMIN = TOKENS["admin"]
QUICK = {
    "recovery.backoff_ms": [0, 200], "recovery.timeout_ms": 3000, "recovery.cooldown_ms": 1000,
    "recovery.stable_ms": 5000, "instances.heartbeat_timeout_ms": 0,
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
            token.chmod(0o600)
            self.config = {"http.tokens": [{"name": "a", "role": "admin", "file": str(token)}], **config}
            self.daemon = daemon(self.config)
            self.path = folder / "recording.jsonl"
            self.ctl = Ctl(folder, self.daemon.listen, token)

        def begin(self):
            self.process = self.ctl.follow("record", self.path)
            wait_until(lambda: self.daemon.metrics().value("mt5stated_http_streams") == 2, "the recording")

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
    """(instance, rule) of what began to fire, and when, in the order of its events."""
    return sorted((line["fields"]["instance_id"], line["fields"]["alert"], id_ms(line))
                  for line in recording.events("alert_firing") if "instance_id" in line["fields"])


def recorded_commands(recording, instance_id=None):
    """The kinds of what was commanded, by (instance, rule)."""
    given = {}
    for line in recording.events("command_issued"):
        fields = line["fields"]
        kinds = given.setdefault((fields["instance_id"], fields.get("alert", "(no rule)")), Counter())
        kinds[fields["command_id"].split(".")[-2]] += 1
    return {key: dict(kinds) for key, kinds in given.items() if instance_id in (None, key[0])}


def found_commands(found, instance_id=None):
    given = {}
    for firing in found.firings:
        kinds = given.setdefault((firing.instance_id, firing.rule), Counter())
        kinds.update(firing.commands)
    return {key: dict(kinds) for key, kinds in given.items() if kinds and instance_id in (None, key[0])}


# ---- what it finds is what was done ----

def test_it_finds_what_the_daemon_did_with_a_fleet_in_trouble(record, sim, bus):
    recording = record({"instances.heartbeat_timeout_ms": 1500})
    fleet = sim(instances=10, report_interval_ms=100, crash_every_s=6, down_ms=300, restart_ms=300, silence_every_s=15,
                silence_ms=2500, cpu_trouble_every_s=6, latency_trouble_every_s=8, queue_trouble_every_s=8,
                load_trouble_every_s=10, socket_trouble_every_s=10, trouble_ms=4000, signals_per_sec=20, executors=1,
                seed=7)
    wait_until(lambda: len(bus.events(event="alert_firing")) > 3, "the first trouble")
    recording.begin()
    wait_until(lambda: len(recording.events("alert_firing")) > 60, "more of it")
    recording.end()
    fleet.kill9()
    assert {line["fields"]["instance_id"] for line in recording.of("state")} == {f"mt5-{i}" for i in range(1, 11)}

    found = Backtest("--backtest", recording.path, "-c",
                     recording.write_config("same.json", instances__heartbeat_timeout_ms=1500))
    assert (found.code, found.err) == (0, "")
    # Between a second behind its beginning and a second before its end, where nothing is cut. The daemon decides when
    # it comes to it, which on a busy machine is later than when it was due: a few may have gone another way.
    reports = recording.of("reports")
    first, last = id_ms(reports[0]) + 1000, id_ms(reports[-1]) - 1000
    was = [one for one in recorded_firings(recording) if first <= one[2] <= last]
    begun = [(one.instance_id, one.rule, one.from_ms) for one in found.firings if one.from_ms]
    here = [one for one in begun if first <= one[2] <= last]

    def unmatched(some, others):
        return [one for one in some if not any(one[:2] == other[:2] and abs(one[2] - other[2]) < 2000 for other in others)]
    assert len(was) > 20
    assert len(unmatched(was, begun)) <= len(was) / 10, found.out
    assert len(unmatched(here, recorded_firings(recording))) <= len(here) / 10, found.out


SCRIPT = [   # what an agent reports, and the event that follows; each waits for it
    ({"cpu_usage": 20, "network_latency": 20, "queue_length": 0}, None),
    ({"network_latency": 900}, {"event": "command_issued", "alert": "NetworkFailure"}),
    ({"network_latency": 10}, {"event": "alert_resolved", "alert": "NetworkFailure"}),
    ({"queue_length": 500}, {"event": "command_issued", "alert": "HighQueueLength"}),
    ({"queue_length": 1}, {"event": "alert_resolved", "alert": "HighQueueLength"}),
    ({"state": "crashed"}, {"event": "command_issued", "alert": "InstanceCrash"}),
    ({"state": "running"}, {"event": "alert_resolved", "alert": "InstanceCrash"}),
    ({"cpu_usage": 99}, {"event": "command_issued", "alert": "HighCpuUsage"}),
    ({"cpu_usage": 3}, {"event": "alert_resolved", "alert": "HighCpuUsage"}),
]


def play(bus, script=SCRIPT, instance_id="mt5-1"):
    """Plays a script to the daemon, as an agent that answers each command ok; a crash is over when it runs."""
    ids = []
    for fields, event in script:
        ids.append(bus.report(instance_id, **fields))
        if event:
            bus.wait_event(instance_id=instance_id, **event)
        if fields.get("queue_length") == 1:
            wait_until(lambda: any(".unthrottle." in one["command_id"] for one in bus.events(event="command_issued")), "unthrottle")
        ended = {one["command_id"] for one in bus.events(event="command_completed")}
        for one in bus.events(event="command_issued"):
            if one["command_id"] not in ended and fields.get("state") != "crashed":
                bus.report(instance_id, command_id=one["command_id"], command_status="ok")
                bus.wait_event(event="command_completed", command_id=one["command_id"])
    return ids


@pytest.mark.parametrize("known_before", [False, True])
def test_a_scripted_agent_is_found_exactly(record, bus, known_before):
    recording = record({"recovery.cooldown_ms": 0})
    if known_before:
        bus.register("mt5-1")
        bus.wait_event(event="instance_registered", instance_id="mt5-1")
    recording.begin()
    if known_before:
        wait_until(lambda: recording.of("state"), "the state")
    wait_until(lambda: bus.report("mt5-x", state="stopped", broker_id="b") and recording.of("reports"), "the tap")
    if not known_before:
        bus.register("mt5-1")
    ids = play(bus)
    count = len(bus.events(event="command_issued"))
    wait_until(lambda: len(recording.events("command_issued")) == count
               and recording.events("alert_resolved")[-1]["fields"]["alert"] == "HighCpuUsage", "the last event")
    recording.end()

    found = Backtest("--backtest", recording.path, "-c", recording.write_config("same.json", recovery__cooldown_ms=0))
    assert (found.code, found.err) == (0, "")
    firings = [(firing.instance_id, firing.rule) for firing in sorted(found.firings, key=lambda one: one.from_ms)]
    assert firings == [("mt5-1", rule) for rule in ("NetworkFailure", "HighQueueLength", "InstanceCrash", "HighCpuUsage")]
    by_rule = {firing.rule: firing for firing in found.firings}
    at = {step: int(entry.split("-")[0]) for step, entry in enumerate(ids)}
    # Judged at the time of the report: exactly that. On a timer: a millisecond beyond for_ms.
    assert by_rule["HighQueueLength"].from_ms == at[3] and by_rule["HighQueueLength"].to_ms == at[4]
    assert by_rule["InstanceCrash"].from_ms == at[5] and by_rule["InstanceCrash"].to_ms == at[6]
    assert by_rule["NetworkFailure"].from_ms == at[1] + 301 and by_rule["NetworkFailure"].to_ms == at[2]
    assert by_rule["HighCpuUsage"].from_ms == at[7] + 301 and by_rule["HighCpuUsage"].to_ms == at[8]
    was = recorded_commands(recording)
    assert was.pop(("mt5-1", "(no rule)")) == {"unthrottle": 1} == counts(found.rules["(no rule)"][5])
    assert found_commands(found) == was
    assert "succeeded 2, failed 0, timeout 0" in found.out


def test_what_operators_did_is_done_again(record, bus):
    recording = record()
    recording.begin()
    bus.register("mt5-1")
    bus.register("mt5-2")
    wait_until(lambda: recording.events("instance_started"), "the instances")
    assert recording.ctl.run("maintenance", "mt5-1", "on", "--reason", "x").code == 0
    wait_until(lambda: recording.events("maintenance_changed"), "the maintenance")
    bus.report("mt5-1", state="crashed")
    bus.wait_event(event="alert_firing", instance_id="mt5-1")
    assert recording.ctl.run("stop", "mt5-2").code == 0
    wait_until(lambda: recording.events("command_issued"), "the command")
    bus.report("mt5-2", state="crashed")
    bus.wait_event(event="alert_firing", instance_id="mt5-2")
    assert recording.ctl.run("remove", "mt5-1").code == 0
    wait_until(lambda: recording.events("instance_removed"), "the end")
    bus.report("mt5-2", cpu_usage=1)
    wait_until(lambda: recording.of("reports")[-1]["fields"].get("cpu_usage"), "the last report")
    recording.end()
    found = Backtest("--backtest", recording.path, "-c", recording.write_config("same.json"))
    held = {firing.instance_id: (firing.held, firing.commands, firing.to_ms is None) for firing in found.firings}
    assert held == {"mt5-1": ("recover: maintenance", {}, False), "mt5-2": ("recover: disarmed", {}, True)}
    assert counts(found.rules["(no rule)"][5]) == {"stop": 1}


# ---- another configuration ----

@pytest.fixture
def made(folder):
    """made(lines) writes a recording: (ms, stream, fields)."""
    def make(lines, name="made.jsonl"):
        path = folder / name
        with open(path, "w", encoding="utf-8") as file:
            for number, (ms, stream, fields) in enumerate(lines):
                if fields is None:
                    file.write(json.dumps({"stream": stream, "gap": True}) + "\n")
                else:
                    text = {key: str(value) for key, value in fields.items()}
                    file.write(json.dumps({"stream": stream, "id": f"{T0 + ms}-{number}", "fields": text}) + "\n")
        return path
    return make


T0 = 1742637600000
FIRST = {"broker_id": "b1", "state": "running"}


def steady(instance_id="mt5-1", until_ms=60000, step_ms=1000, **fields):
    """Reports at an even pace; a field may be a function of the time."""
    for ms in range(0, until_ms, step_ms):
        told = {key: value(ms) if callable(value) else value for key, value in fields.items()}
        yield ms, "reports", {"instance_id": instance_id, **FIRST, **told}


def config(folder, name="new.json", **changes):
    path = folder / name
    path.write_text(json.dumps(nest({key.replace("__", "."): value for key, value in changes.items()})))
    return path


def test_a_threshold_is_tried(made, folder):
    path = made(steady(cpu_usage=lambda ms: 85 if 10000 <= ms < 30000 else 95 if 30000 <= ms < 45000 else 5))
    as_it_is = Backtest("--backtest", path, "-c", config(folder))
    assert [(one.rule, one.from_ms - T0, one.to_ms - T0, one.length) for one in as_it_is.firings] == [
        ("HighCpuUsage", 20001, 45000, "24.999 s")]
    higher = Backtest("--backtest", path, "-c", config(folder, rules__HighCpuUsage__threshold=90))
    assert [(one.from_ms - T0, one.to_ms - T0) for one in higher.firings] == [(40001, 45000)]
    by_set = Backtest("--backtest", path, "-c", config(folder), "--set", "rules.HighCpuUsage.threshold=90")
    assert by_set.firings == higher.firings
    assert Backtest("--backtest", path, "-c", config(folder, rules__HighCpuUsage__threshold=96)).firings == []


def test_against_says_what_differs(made, folder):
    old = config(folder, "old.json", rules__HighQueueLength=None)
    new = config(folder, "new.json", rules__HighCpuUsage__threshold=90, rules__NetworkFailure__enabled=False)
    path = made(sorted([*steady("mt5-1", cpu_usage=lambda ms: 85 if ms < 30000 else 95 if ms < 50000 else 5),
                        *steady("mt5-2", network_latency=lambda ms: 900 if ms > 40000 else 5),
                        *steady("mt5-3", state=lambda ms: "crashed" if 5000 <= ms < 9000 else "running"),
                        *steady("mt5-4", queue_length=lambda ms: 200 if ms == 7000 else 0)], key=lambda one: one[0]))
    found = Backtest("--backtest", path, "-c", new, "--against", old)
    assert (found.code, found.err) == (0, "")
    difference = {rule: row for rule, row in found.difference.items() if any(row)}
    assert difference == {"HighCpuUsage": (0, 1, 0, 0), "InstanceCrash": (1, 0, 0, 0), f"HighQueueLength (only in {new})": (0, 0, 1, 0),
                          f"NetworkFailure (only in {old})": (0, 0, 0, 1)}
    assert [(one.mark, one.rule, one.instance_id, one.from_ms - T0) for one in found.changes] == [
        ("~-", "HighCpuUsage", "mt5-1", 10001), ("~+", "HighCpuUsage", "mt5-1", 40001),
        ("+", "HighQueueLength", "mt5-4", 7000), ("-", "NetworkFailure", "mt5-2", 46001)]
    same = Backtest("--backtest", path, "-c", new, "--against", new)
    assert same.changes == [] and "No firing differs." in same.out and not any(any(row[1:]) for row in same.difference.values())


def test_signals_are_dropped_by_the_ttl_that_is_tried(made, folder):
    lines = [*steady(until_ms=20000)]
    for number in range(10):   # answered later and later
        lines.append((number * 1000, "signals", {"signal_id": f"s{number}", "action": "buy"}))
        lines.append((number * 1000 + number * 500 + 1, "results", {"result_id": f"r{number}", "signal_id": f"s{number}", "status": "executed"}))
    path = made(sorted(lines, key=lambda one: one[0]))
    found = Backtest("--backtest", path, "-c", config(folder, signals__ttl_ms=2000), "--against", config(folder, "old.json"))
    assert "Signals        received 10, processed 4, failed 0, dropped 6, duplicate 0, open 0" in found.out
    assert "Dropped signals 6, old 0" in found.out


def test_commands_nobody_gave_then_are_taken_as_obeyed(made, folder):
    path = made(steady(until_ms=120000, state=lambda ms: "crashed" if 10000 <= ms < 20000 else "running",
                       queue_length=lambda ms: 500 if 40000 <= ms < 60000 else 0))
    found = Backtest("--backtest", path, "-c", config(folder))
    assert found_commands(found) == {("mt5-1", "InstanceCrash"): {"recover": 1}, ("mt5-1", "HighQueueLength"): {"throttle": 1}}
    assert "succeeded 1, failed 0, timeout 0, unneeded 0, given_up 0" in found.out and "assumed 3" in found.out
    gives_up = Backtest("--backtest", path, "-c", config(folder, recovery__timeout_ms=500, recovery__backoff_ms=[0]))
    assert gives_up.rules["RecoveryFailure"][1] == "1" and "given_up 1" in gives_up.out
    watched = Backtest("--backtest", path, "-c", config(folder, observe_only=True))
    assert {one.rule: one.held for one in watched.firings} == {
        "InstanceCrash": "recover: observe_only", "HighQueueLength": "throttle: observe_only"}
    assert found_commands(watched) == {}


def test_an_agent_that_never_answered_does_not_answer_here(made, folder):
    lines = [*steady(until_ms=60000, network_latency=lambda ms: 900 if ms >= 5000 else 5)]
    lines += [(ms, "events", {"event": event, "instance_id": "mt5-1", "command_id": f"mt5-1.reconnect.{number}",
                              "alert": "NetworkFailure", "correlation_id": f"report-{T0 + 5000}-5"})
              for ms, event, number in [(10003, "command_issued", 41), (40004, "command_completed", 41)]]
    path = made(sorted(lines, key=lambda one: one[0]))
    found = Backtest("--backtest", path, "-c", config(folder))
    # The second one is past what was recorded.
    assert "assumed 1, " in found.out and "heard 0" in found.out and found_commands(found) == {("mt5-1", "NetworkFailure"): {"reconnect": 2}}
    # Had it been commanded here alone, it would have been obeyed, and would be asked for again behind its backoff.
    alone = Backtest("--backtest", made([line for line in lines if line[1] == "reports"]), "-c", config(folder))
    assert "assumed 3, " in alone.out and found_commands(alone) == {("mt5-1", "NetworkFailure"): {"reconnect": 3}}


def test_a_whole_broker_that_fails_is_one_failure(made, folder):
    lines = [line for number in range(8) for line in
             steady(f"mt5-{number}", state=lambda ms: "crashed" if ms >= 30000 else "running")]
    found = Backtest("--backtest", made(sorted(lines, key=lambda one: one[0])), "-c", config(folder))
    groups = {one.instance_id: one.from_ms - T0 for one in found.firings if one.rule == "FleetFailure"}
    assert groups == {"all": 30000, "broker:b1": 30000}
    assert found.rules["InstanceCrash"][1] == "8" and found.rules["InstanceCrash"][5:] == ["-", "recover: breaker 8"]


def test_silence_is_judged_and_a_gap_is_not(made, folder):
    lines = [*steady("mt5-1", until_ms=10000), *steady("mt5-2", until_ms=200000)]
    silent = sorted(lines, key=lambda one: one[0])
    found = Backtest("--backtest", made(silent), "-c", config(folder))
    crash = [one for one in found.firings if one.rule == "InstanceCrash"]
    giving_up, = [one for one in found.firings if one.rule == "RecoveryFailure"]
    assert [(one.instance_id, one.from_ms - T0, one.to_ms) for one in crash] == [("mt5-1", 39001, giving_up.from_ms)]
    # Both are silent for 100 s, but nobody recorded.
    both = [line for line in steady("mt5-1", until_ms=10000, cpu_usage=99)]
    gap = [*both, (0, "reports", None), (0, "signals", None), *[(ms + 100000, stream, fields) for ms, stream, fields in both]]
    found = Backtest("--backtest", made(gap), "-c", config(folder))
    assert found.code == 0 and found.firings == [] and ", 1 gap" in found.out
    assert [one.rule for one in Backtest("--backtest", made([line for line in gap if line[2]]), "-c", config(folder)).firings]


def test_a_recording_goes_on_over_a_restart(record, bus):
    recording = record()
    bus.register("mt5-1", cpu_usage=1)
    bus.register("mt5-2")
    recording.begin()
    wait_until(lambda: len(recording.of("state")) == 2 and bus.report("mt5-1", cpu_usage=2) and recording.of("reports"), "the tap")
    recording.daemon.restart()
    wait_until(lambda: {"stream": "reports", "gap": True} in recording.lines() and len(recording.of("state")) == 4, "the gap")
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: recording.events("command_issued"), "the command")
    recording.end()
    found = Backtest("--backtest", recording.path, "-c", recording.write_config("same.json"))
    assert (found.code, found.err) == (0, "") and ", 1 gap" in found.out and "4 states" in found.out
    assert [(one.instance_id, one.rule, one.commands) for one in found.firings] == [("mt5-1", "InstanceCrash", {"recover": 1})]


def test_what_changed_behind_a_gap_is_known(made, folder):
    state = {"instance.broker_id": "b1", "instance.state": "crashed", "instance.launch_mode": "auto", "seq": "9"}
    path = made([*steady("mt5-1", until_ms=5000), (0, "reports", None), (60000, "state", {"instance_id": "mt5-1", **state}),
                 (60500, "reports", {"instance_id": "mt5-1", "cpu_usage": 3})])
    found = Backtest("--backtest", path, "-c", config(folder))
    assert [(one.instance_id, one.rule, one.from_ms - T0) for one in found.firings] == [("mt5-1", "InstanceCrash", 60000)]


def test_what_fired_before_is_counted_from_the_beginning(made, folder):
    """It began a day earlier, of which nothing is known."""
    def ago(ms):
        return f"{datetime.datetime.fromtimestamp((T0 - ms) / 1000, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.000Z"
    state = {"instance.broker_id": "b1", "instance.state": "running", "instance.launch_mode": "auto", "seq": "9",
             "metrics.queue_length": "500",
             "alerts": f"HighQueueLength status=firing since={ago(86400000)} fired={ago(86400000)} value=500"}
    lines = steady(until_ms=60000, queue_length=lambda ms: 500 if ms < 20000 else 0,
                   state=lambda ms: "crashed" if 30000 <= ms < 40000 else "running")
    path = made([(0, "state", {"instance_id": "mt5-1", **state}), *lines])
    found = Backtest("--backtest", path, "-c", config(folder))
    crash, before = sorted(found.firings, key=lambda one: one.rule, reverse=True)
    assert (before.rule, before.from_ms, before.to_ms - T0, before.length, before.value) == ("HighQueueLength", None, 20000, "20 s", "500")
    assert (crash.rule, crash.from_ms - T0, crash.value) == ("InstanceCrash", 30000, "crashed")
    assert "  from before  " in found.out and found.rules["HighQueueLength"][3:5] == ["20 s", "20 s"]


# ---- what is no recording ----

def test_usage(folder, made):
    good, other = made(steady()), config(folder)
    for argv, code, said in [
            (["--against", other], 64, "--backtest"), (["--check-config", "--against", other], 64, "--backtest"),
            (["--backtest"], 64, ""), (["--backtest", good, "--check-config"], 64, "exclude"),
            (["--print-config", "--backtest", good], 64, "exclude"), (["--backtest", good, "--backtest", good], 64, "exclude"),
            (["--backtest", folder / "none"], 64, "none: No such file"), (["--backtest", folder], 64, "Is a directory"),
            (["--backtest", good, "-c", folder / "none"], 78, "none"),
            (["--backtest", good, "-c", other, "--against", folder / "none"], 78, "none"),
            (["--backtest", good, "-c", config(folder, "bad.json", rules__HighCpuUsage__threshold="x")], 78, "HighCpuUsage")]:
        done = Backtest(*argv)
        assert done.code == code and said in done.err and done.out == "", (argv, done.code, done.err)


@pytest.mark.parametrize("content, said", [
    (b"", "no recording"), (b"\n\n\n", "no recording"), (b"\0" * 5000, "no recording"), (b"hello\nworld\n", "no recording"),
    (b'{"stream":"events","id":"1-0","fields":{"event":"instance_started"}}\n', "token"),
    (b'{"stream":"reports","gap":true}\n', "no recording"), (b"[" * 100000, "no recording"),
])
def test_what_is_no_recording_is_refused(folder, content, said):
    path = folder / "recording"
    path.write_bytes(content)
    done = Backtest("--backtest", path, "-c", config(folder))
    assert done.code == 64 and said in done.err and done.out == "", done.err


def test_what_is_damaged_is_left_out_and_counted(folder, made):
    path = made(steady(cpu_usage=99))
    whole = Backtest("--backtest", path, "-c", config(folder))
    lines = path.read_bytes().splitlines(keepends=True)
    bad = [b"not json\n", b'{"stream":"reports","id":"x","fields":{}}\n', b'{"stream":"reports","id":"1742637605000-9"}\n',
           b'{"stream":"reports","id":"18446744073709551615-0","fields":{"instance_id":"a"}}\n',
           b'{"stream":"state","id":"1742637605000-9","fields":{"instance_id":"../x"}}\n',
           b'{"stream":"reports","id":"1742637605000-9","fields":{"\\u001b[31m":1,"\\u001b[31m":2}}\n']
    strange = [b'{"stream":"weather","id":"1742637605000-9","fields":{}}\n', lines[3], b"{" + b"x" * (2 << 20) + b"}\n",
               b'{"stream":"signals","id":"1742637605000-9","fields":{"signal_id":"\xff","action":5}}\n']
    path.write_bytes(b"".join(lines[:10] + bad + lines[10:20] + strange + lines[20:]) + lines[-1][:30])
    done = Backtest("--backtest", path, "-c", config(folder))
    assert done.code == 0 and done.firings == whole.firings
    for said in ("6 lines cannot be read, the first is line 11: ", "1 line of a stream that is not known", "1 line not newer",
                 "1 line longer than 1 MiB", "1 line at the end is cut off"):
        assert f"left out: {said}" in done.err, done.err
    assert ", 10 lines left out" in done.out and "Rejected       1 entries" in done.out and "\x1b" not in done.err


def test_lines_of_any_order_and_unknown_members_are_taken(folder):
    path = folder / "recording"
    path.write_text("".join(json.dumps({"fields": {"state": "running", "extra": [1, {"a": None}], "cpu_usage": 99, "instance_id": "mt5-1",
                                                   "broker_id": "b"}, "more": {}, "id": f"{T0 + ms}-0", "stream": "reports"}) + "\r\n"
                            for ms in range(0, 20000, 1000)).rstrip())
    done = Backtest("--backtest", path, "-c", config(folder))
    assert (done.code, done.err) == (0, "") and [one.rule for one in done.firings] == ["HighCpuUsage"]


def test_a_jump_of_the_clock_costs_nothing(folder, made):
    year = 365 * 86400 * 1000
    lines = [(number * 50 * year, "reports", {"instance_id": f"mt5-{i}", **FIRST, "load_average": 9})
             for number in range(100) for i in range(3)]
    done = Backtest("--backtest", made(lines), "-c", config(folder, instances__heartbeat_timeout_ms=0), deadline_s=60)
    assert done.code == 0


def test_rules_that_no_recording_can_tell_are_named(folder, made):
    rule = {"metric": "open_trades", "op": ">", "threshold": 1, "severity": "info", "actions": ["notify"]}
    done = Backtest("--backtest", made(steady(memory_usage=50)), "-c", config(folder, rules__Trades=rule))
    assert done.code == 0 and "Trades looks at open_trades, which are not recorded" in done.err and "memory_limit" in done.err
