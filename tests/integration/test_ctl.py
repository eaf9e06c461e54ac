"""mt5statectl (SPEC 1.2): every command over the real daemon, its exit codes, tables and manners."""

import contextlib
import http.server
import json
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from mt5.ctl import PAINT, Ctl, environment, width
from mt5.ports import port_free
from mt5.tokens import TOKENS
from mt5.wait import wait_until

ADMIN, READER = TOKENS["admin"], TOKENS["read"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
# What nobody's terminal may ever see, and what is dangerous beyond controls: a C1 CSI, marks of direction.
HOSTILE = "\x1b]0;title\x07\x1b[31mred\x00\x9b31m\u202eevil\u2066\r\n\x7f fin"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
COMMANDS = ["status", "instances", "instance", "why", "events", "alerts", "signals", "start", "stop", "restart",
            "recover", "maintenance", "record", "remove", "reload"]


@pytest.fixture
def ctl(daemon, folder, tokens):
    """ctl() makes a daemon and a Ctl of its admin, which has the daemon as .daemon."""
    made = []

    def make(config=None, token="admin", **options):
        one = daemon({"http.tokens": tokens, "recovery.backoff_ms": [0], **(config or {})}, **options)
        made.append(Ctl(folder, one.listen, token and folder / f"token-{token}"))
        made[-1].daemon = one
        return made[-1]

    yield make
    for one in made:
        one.stop()


def get(one, path):
    return one.daemon.get(path).text


# ---- what it is told ----

@pytest.mark.parametrize("words, said", [
    ([], "--help"), (["stauts"], "status"), (["status", "now"], "now"), (["--colour"], "colour"), (["-x"], "-x"),
    (["instances", "--sate", "running"], "state"), (["status", "--state", "running"], "--state"),
    (["instances", "--state"], "value"), (["status", "--json=yes"], "json"),
    (["instances", "--state", "flying"], "running"), (["instances", "--health", "fine"], "healthy"),
    (["instances", "--broker", "a b"], "broker"), (["instance"], "ID"), (["instance", "a/b"], "instance"),
    (["instance", ""], "instance"), (["why", "-"], "why"), (["why", "x" * 65], "64"), (["start"], "ID"),
    (["start", "a", "b"], "b"), (["events", "--limit", "0"], "limit"), (["events", "--limit", "many"], "limit"),
    (["events", "--since", "monday"], "since"), (["events", "--instance", "a b"], "instance"),
    (["maintenance", "mt5-1"], "on|off"), (["maintenance", "mt5-1", "maybe"], "on"),
    (["maintenance", "mt5-1", "on"], "--reason"), (["maintenance", "mt5-1", "on", "--reason", ""], "--reason"),
    (["maintenance", "mt5-1", "on", "--reason", "x", "--for", "30"], "--for"),
    (["maintenance", "mt5-1", "off", "--for", "30m"], "--for"),
    (["stop", "mt5-1", "--reason", "x" * 1025], "1024"), (["status", "--timeout", "0"], "timeout"),
    (["status", "--url", "ftp://h/"], "URL"), (["status", "--url", "http://"], "URL"),
    (["status", "--url", "http://u:p@h:1"], "URL"), (["status", "--url", "http://h:1/?a=b"], "URL"),
    (["status", "--url", "unix:relative"], "/"), (["status", "--url", "unix:/" + "x" * 120], "bytes"),
    (["status", "--token-file", "/nonexistent/token"], "/nonexistent/token"),
    (["status", "--token-file", "/dev/null"], "/dev/null"), (["status", "--token-file", "/"], "/"),
    (["record"], "FILE"), (["record", "/nonexistent/file"], "/nonexistent/file"),
])
def test_usage_is_explained(folder, words, said):
    done = Ctl(folder, None).run(*words)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith("mt5statectl: ") and said in done.err, done.err
    assert done.err.count("\n") == 1


def test_every_command_has_help(folder):
    one = Ctl(folder, None)
    whole = one.ok("--help").out
    assert one.ok("help").out == one.ok("-h").out == whole
    listed = re.findall(r"^  ([a-z]+)  ?[ A-Z]", whole, re.MULTILINE)
    assert listed == COMMANDS
    for command in COMMANDS:
        text = one.ok(command, "--help").out
        assert all(len(line) <= 80 and line == line.rstrip() for line in (whole + text).splitlines())
        assert text.startswith(f"Usage: mt5statectl {command}") and "--url" in text
        assert one.ok("help", command).out == text
    assert one.ok("--version").out.startswith("mt5statectl ")


def test_address_and_token_come_from_the_environment_too(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    env = {"MT5STATED_URL": one.url, "MT5STATED_TOKEN_FILE": str(one.token_file)}
    one.url = one.token_file = None
    assert one.ok("restart", "mt5-1", env=env).out
    assert one.run("status", "--url=unix:/nonexistent", env=env).code == 3


def test_options_may_stand_anywhere(ctl, bus):
    one = ctl(tcp=True, token=None)
    bus.register("mt5-1")
    for url in (one.daemon.listen, f"http://{one.daemon.listen}", f"http://{one.daemon.listen}/"):
        one.url = None
        wanted = one.ok("instances", "--url", url).column("INSTANCE")
        assert wanted == ["mt5-1"]
        assert one.ok("--url", url, "instances", "--state=running", "--").column("INSTANCE") == wanted


# ---- reading ----

def test_status_shows_how_the_fleet_is(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    bus.register("mt5-2", state="stopped")
    shown = dict(line.split(None, 1) for line in one.ok("status").out.splitlines())
    assert shown["state"] == "ready" and shown["redis"] == "connected" and shown["role"] == "active"
    assert shown["instances"] == "2: 1 running, 1 stopped, 0 restarting, 0 crashed"
    assert shown["alerts"] == "0 firing, 0 pending"
    status = json.loads(one.ok("status", "--json").out)
    assert status["instances"]["total"] == 2 and status["ready"] is True


def test_instances_are_chosen_and_listed(ctl, bus):
    one = ctl()
    bus.register("a", broker_id="b1", host_id="h1", cpu_usage=12.5, queue_length=500)
    bus.register("b", broker_id="b2", state="stopped")
    wait_until(lambda: json.loads(get(one, "/api/v1/alerts"))["alerts"], "the alert")
    table = one.ok("instances")
    assert table.rows[0][:3] == ["INSTANCE", "STATE", "HEALTH"]
    assert table.column("INSTANCE") == ["a", "b"] and table.column("STATE") == ["running", "stopped"]
    assert table.column("HEALTH") == ["warning", "healthy"] and table.column("HOST") == ["h1", "-"]
    assert "HighQueueLength" in table.out
    assert one.ok("instances", "--state", "STOPPED").column("INSTANCE") == ["b"]
    assert one.ok("instances", "--health=warning").column("INSTANCE") == ["a"]
    assert one.ok("instances", "--broker", "b2").column("INSTANCE") == ["b"]
    assert one.ok("instances", "--broker", "b3").column("INSTANCE") == []


def test_every_page_of_a_list_is_fetched(ctl, bus):
    one = ctl()
    ids = [f"i{number:04d}" for number in range(2345)]
    bus.many("instance_reports", [{"instance_id": name, "broker_id": "b1", "state": "stopped"} for name in ids])
    bus.settle()
    assert one.ok("instances").column("INSTANCE") == ids
    merged = json.loads(one.ok("instances", "--json").out)
    assert [row["instance_id"] for row in merged["instances"]] == ids and "next" not in merged


def still(text):
    """Without what changes from one answer to the next."""
    return re.sub(r'"(?:heartbeat_age_ms|uptime_seconds|age_ms|now_ms|oldest_ms|readiness_since_ms|length|lag)":(?:\d+|null)|"redis":\{[^}]*\}', "", text)


@pytest.mark.parametrize("words, path", [
    (["status"], "/api/v1/status"), (["instances"], "/api/v1/instances"),
    (["instance", "mt5-1"], "/api/v1/instances/mt5-1"), (["why", "mt5-1"], "/api/v1/instances/mt5-1/why"),
    (["alerts"], "/api/v1/alerts"), (["signals"], "/api/v1/signals"), (["events"], "/api/v1/events"),
])
def test_json_is_that_of_the_api(ctl, bus, words, path):
    one = ctl({"rules.HighQueueLength.threshold": 10, "observe_only": True})
    bus.register("mt5-1", queue_length=50, last_error='a "b"\0\\u0000ü', cpu_usage="0.1000000000000000055511151231257827")
    bus.signal("s1")
    bus.settle()
    wait_until(lambda: "observe_only" in get(one, "/api/v1/instances/mt5-1/why"), "why to say that nothing is done")
    for place in (0, len(words)):
        given = words[:place] + ["--json"] + words[place:]
        assert still(one.ok(*given).out) == still(get(one, path))


def test_an_instance_is_shown(ctl, bus):
    one = ctl()
    bus.register("mt5-1", host_id="h1", cpu_usage=12.5, last_error="it broke", queue_length=500)
    wait_until(lambda: json.loads(get(one, "/api/v1/alerts"))["alerts"], "the alert")
    one.ok("maintenance", "mt5-1", "on", "--reason", "new build", "--for", "2h")
    shown = one.ok("instance", "mt5-1").out
    for line in (r"broker_id +broker-1", r"state +running", r"cpu_usage +12\.5", r"last_error +it broke",
                 r"alert +HighQueueLength firing, since .*; value 500, limit 100",
                 r"maintenance +until .*\d\d:\d\d \(in [\w ]+\): new build"):
        assert re.search(f"^{line}$", shown, re.MULTILINE), (line, shown)


def test_signals_are_listed(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    bus.signal("s1", instance_id="mt5-1")
    bus.signal("s2", action="sell")
    bus.result("r1", "s2", status="accepted")
    bus.settle()
    table = one.ok("signals")
    assert table.column("SIGNAL") == ["s1", "s2"] and table.column("ACTION") == ["buy", "sell"]
    assert table.column("INSTANCE") == ["mt5-1", "-"] and table.column("ACCEPTED") == ["no", "yes"]


def test_alerts_are_listed_with_what_is_done(ctl, bus):
    one = ctl({"observe_only": True})
    bus.register("mt5-1", queue_length=500)
    wait_until(lambda: one.ok("alerts").column("STATUS") == ["firing"], "the alert")
    table = one.ok("alerts")
    assert table.column("ALERT") == ["HighQueueLength"] and table.column("INSTANCE") == ["mt5-1"]
    wait_until(lambda: "observe_only" in one.ok("alerts").out, "what is being done")


# ---- why ----

def test_why_reads_like_a_story(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed", last_error="x")
    command = wait_until(lambda: bus.entries("instance_commands"), "the command")[0]
    bus.report("mt5-1", state="running", command_id=command["command_id"], command_status="ok")
    bus.wait_event(event="command_completed")
    bus.wait_event(event="alert_resolved")
    story = one.ok("why", "mt5-1").out
    depths = {}
    for line in story.splitlines():
        found = re.match(r"(\d\d:\d\d:\d\d)  (now|\d+ s ago) +(sample|alert|decision|command|answer) ", line)
        if found:
            depths[found[3]] = found.start(3)
    steps = ["sample", "alert", "decision", "command", "answer"]
    assert list(depths) == steps and [depths[step] - depths["sample"] for step in steps] == [0, 2, 4, 6, 8], story
    assert story.startswith("mt5-1 is running and healthy\n")
    assert re.search(r"^because of a report \(report-\d+-\d+\)$", story, re.MULTILINE)
    assert "alert InstanceCrash fires: state == crashed" in story
    assert re.search("^[^a-z]*(now|s ago)? *sample InstanceCrash: crashed$", story, re.MULTILINE), story
    assert "decision recover: attempt 1 of 3 now\n" in story and f"command {command['command_id']} issued" in story
    assert f"answer {command['command_id']} ok" in story


@pytest.mark.parametrize("config, words", [
    ({"observe_only": True}, "not recovered: observe_only is set"),
    ({"recovery.launch_modes": ["manual"]},
     "not recovered: instances of its launch mode are not recovered automatically"),
])
def test_why_says_in_words_what_holds_a_command_back(ctl, bus, config, words):
    one = ctl(config)
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: words in one.ok("why", "mt5-1").out, "the decision")


def test_why_says_how_long_an_attempt_waits(ctl, bus):
    one = ctl({"recovery.backoff_ms": [80000]})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    # The daemon spreads it a little.
    wait_until(lambda: re.search(r"decision recover: attempt 1 of 3 in 1 min( \d+ s)?\n", one.ok("why", "mt5-1").out), "the decision")


def test_why_says_until_when_maintenance_lasts(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    begun = one.ok("maintenance", "mt5-1", "on", "--reason", "new build", "--for", "1h").out
    until = re.search(r"until ([-\d ]*\d\d:\d\d) \(in [\w ]+\): new build", begun)[1]
    bus.report("mt5-1", state="crashed")
    told = f"not recovered: maintenance until {until} (in "
    wait_until(lambda: told in one.ok("why", "mt5-1").out, "the decision")
    one.ok("maintenance", "mt5-1", "off")
    assert told not in one.ok("why", "mt5-1").out
    one.ok("maintenance", "mt5-1", "on", "--reason", "for good")
    assert "in maintenance until it is ended: for good" in one.ok("why", "mt5-1").out


def test_why_of_an_instance_without_a_story(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    assert one.ok("why", "mt5-1").out == "mt5-1 is running and healthy\nNothing to tell: no alert, no command.\n"


# ---- changing ----

@pytest.mark.parametrize("command", ["start", "stop", "restart", "recover"])
def test_a_command_is_given(ctl, bus, command):
    one = ctl()
    bus.register("mt5-1")
    done = one.ok(command, "mt5-1", "--reason", 'weekly "as agreed" ü')
    [entry] = bus.entries("instance_commands")
    assert entry["command"] == command and entry["reason"] == 'weekly "as agreed" ü'
    assert done.out == f"mt5-1 asked to {command}: {entry['command_id']}\n"


def test_a_command_as_json_and_one_that_is_refused(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    assert json.loads(one.ok("maintenance", "mt5-1", "off", "--json").out) == {}
    answer = json.loads(one.ok("stop", "mt5-1", "--json").out)
    refused = one.run("start", "mt5-1")
    assert refused.code == 1 and refused.out == "" and answer["command_id"] in refused.err
    assert one.run("start", "nobody").code == 1 and "nobody" in one.run("start", "nobody").err


def test_maintenance_begins_and_ends(ctl, bus):
    one = ctl()
    bus.register("mt5-1")

    def shown():
        return json.loads(one.ok("instance", "mt5-1", "--json").out)["maintenance"]
    assert one.ok("maintenance", "mt5-1", "on", "--reason", "for good").out == (
        "mt5-1 is in maintenance until it is ended: for good\n")
    assert shown() == {"reason": "for good", "until": None}
    assert "maintenance" in one.ok("instances").out
    assert one.ok("maintenance", "mt5-1", "off", "--reason", "done").out == "maintenance of mt5-1 is ended\n"
    assert shown() is None
    one.ok("maintenance", "mt5-1", "on", "--reason", "blink", "--for=200ms")
    wait_until(lambda: shown() is None, "maintenance to end")
    assert bus.events(event="maintenance_changed", reason="done")


def test_a_window_that_goes_on_is_named(ctl, bus):
    one = ctl({"maintenance_windows": [{"name": "week", "instances": "mt5-1", "weekly": "Mon 00:00-Sun 23:59"},
                                       {"name": "rest", "instances": "mt5-1", "weekly": "Sun 23:58-Mon 00:01"}]})
    bus.register("mt5-1")
    one.ok("maintenance", "mt5-1", "on", "--reason", "new build")
    assert re.fullmatch(r"maintenance of mt5-1 is ended; window (week|rest) keeps it in maintenance until [-\d ]*\d\d:\d\d\n",
                        one.ok("maintenance", "mt5-1", "off").out)


def test_an_instance_is_removed(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    assert one.ok("remove", "mt5-1", "--reason", "sold").out == "mt5-1 is removed\n"
    assert bus.events(event="instance_removed", instance_id="mt5-1", reason="sold")
    assert one.run("remove", "mt5-1").code == 1


def test_the_configuration_is_read_again(ctl):
    one = ctl()
    one.daemon.write_config(observe_only=True)
    assert one.ok("reload").out == "the configuration is read again\n"
    assert "observe_only" in one.ok("status").out
    one.daemon.write_config(signals__ttl_ms="soon", nonsense=1)
    refused = one.run("reload")
    assert refused.code == 1 and "signals.ttl_ms" in refused.err and "nonsense" in refused.err
    assert all(line.startswith("mt5statectl: ") for line in refused.err.splitlines())
    one.daemon.config.pop("nonsense")


CHANGES = [["restart", "mt5-1"], ["maintenance", "mt5-1", "on", "--reason", "x"], ["maintenance", "mt5-1", "off"],
           ["remove", "mt5-1"], ["reload"]]


@pytest.mark.parametrize("words", CHANGES)
def test_a_change_needs_the_right_token(ctl, bus, folder, words):
    one = ctl(token=None)
    bus.register("mt5-1")
    refused = one.run(*words)
    assert refused.code == 1 and "--token-file" in refused.err and "MT5STATED_TOKEN_FILE" in refused.err
    wrong = folder / "wrong"
    for secret, said in ((READER, "admin"), ("nonsense-nonsense", "http.tokens"), (ADMIN[:-1], "http.tokens")):
        wrong.write_text(secret + "\n")
        refused = one.run(*words, "--token-file", wrong)
        assert refused.code == 1 and said in refused.err and secret not in refused.err, refused.err
        assert "--token-file" not in refused.err
    assert bus.state("mt5-1") == "running" and not bus.entries("instance_commands")


def test_a_token_that_everybody_may_read_is_told_of(ctl):
    one = ctl()
    for mode, said in ((0o600, ""), (0o640, ""), (0o644, f"mt5statectl: {one.token_file}: everybody on this machine may read "
                                                         "the token: chmod o-r\n")):
        one.token_file.chmod(mode)
        done = one.run("reload")
        assert (done.code, done.err) == (0, said)


# ---- where nobody answers ----

def test_a_daemon_that_is_away_cannot_be_reached(folder):
    for url in (f"127.0.0.1:{port_free()}", f"unix:{folder}/nobody.sock"):
        for words in (["status"], ["instances"], ["why", "x"], ["events", "-f"], ["stop", "x"], ["record", folder / "r"]):
            done = Ctl(folder, url).run(*words)
            assert done.code == 3 and url in done.err and done.out == "", done.err


def test_a_daemon_that_hangs_is_waited_for_so_long(ctl):
    one = ctl()
    one.daemon.pause()
    try:
        assert one.run("status", "--timeout", "200ms").code == 3
        assert one.run("events", "-f", "--timeout", "200ms").code == 3
    finally:
        one.daemon.resume()


def test_refusals_read_well(ctl, bus):
    """What is in the way, until when, and what would help."""
    one = ctl({"maintenance_windows": [{"name": "week", "instances": "mt5-1", "weekly": "Mon 00:00-Sun 23:59"},
                                       {"name": "rest", "instances": "mt5-1", "weekly": "Sun 23:58-Mon 00:01"}]})
    bus.register("mt5-1")
    refused = one.run("maintenance", "mt5-1", "off")
    assert refused.code == 1
    assert re.fullmatch(r"mt5statectl: the window (week|rest) of maintenance_windows \(.+, UTC\) keeps it in maintenance "
                        r"until \S+Z; only a change of the configuration ends that \(409\)\n", refused.err)
    one.ok("stop", "mt5-1")
    refused = one.run("restart", "mt5-1")
    assert refused.code == 1
    assert re.fullmatch(r"mt5statectl: mt5-1\.stop\.1 is under way until \S+Z at the latest; only a stronger command "
                        r"replaces it \(the strongest first: stop, recover, restart, start\) \(409\)\n", refused.err)
    one.daemon.write_config(http__max_connection=5, log__level="loud")
    refused = one.run("reload")
    assert refused.code == 1
    [first, second] = refused.err.splitlines()
    assert "http.max_connection: unknown key; did you mean http.max_connections?" in first
    assert "log.level: must be one of debug, info, warn or error" in second


TABLES = [["instances"], ["instance", "mt5-1"], ["alerts"], ["signals"], ["why", "mt5-1"]]
UNREADY = re.compile(r"mt5statectl: the daemon is not ready \(connecting since [-\d ]*\d\d:\d\d:\d\d\): this is what it knew last\n")


def lines_of(text):
    """{name: text} of lines whose names may have spaces."""
    return dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines())


def test_changes_that_redis_does_not_take_are_refused(ctl, bus, redis_server):
    one = ctl()
    bus.register("mt5-1")
    redis_server.stop()
    wait_until(lambda: not one.daemon.is_ready(), "the daemon to notice")
    refused = one.run("stop", "mt5-1")
    assert refused.code == 1 and "connecting" in refused.err

    def status_with_its_time():
        shown = lines_of(one.ok("status").out)
        return "since" in shown and shown

    shown = wait_until(status_with_its_time, "it to have told since when")
    assert shown["not ready"] == "connecting" and re.match("away(: .+)?$", shown["redis"])
    assert re.fullmatch(r"[-\d ]*\d\d:\d\d:\d\d UTC \((now|\d+ s ago)\)", shown["since"])
    assert "Redis cannot be reached" in shown["which means"] and shown["instances"].startswith("1: 1 running")
    redis_server.start()
    one.daemon.wait_ready()
    assert set(lines_of(one.ok("status").out)) - {"guard"} == {"mt5stated", "state", "redis", "role", "instances", "alerts", "signals", "trades"}


def test_what_a_daemon_knew_before_is_called_so(ctl, bus, redis_server):
    one = ctl()
    bus.register("mt5-1", queue_length=500)
    for words in TABLES:
        assert one.ok(*words).err == ""
    redis_server.stop()
    wait_until(lambda: not one.daemon.is_ready(), "the daemon to notice")
    for words in TABLES:
        done = one.run(*words)
        assert done.code == 0 and "mt5-1" in done.out + "mt5-1" * (words == ["signals"]) and UNREADY.fullmatch(done.err), done.err
    done = one.run("instances", "--json")
    assert UNREADY.fullmatch(done.err) and json.loads(done.out)["instances"]
    redis_server.start()
    one.daemon.wait_ready()


def test_what_a_daemon_never_knew_is_not_shown_as_none(ctl):
    active = ctl()
    waits = ctl(ready=False)
    wait_until(lambda: "standby" in waits.run("status").out, "the standby")
    shown = lines_of(waits.ok("status").out)
    assert shown["not ready"] == "standby" and shown["role"] == "standby" and shown["redis"] == "connected"
    assert "ask the active one" in shown["which means"]
    assert [shown[name] for name in ("instances", "alerts", "signals", "trades")] == ["-"] * 4
    assert lines_of(active.ok("status").out)["role"] == "active"
    refused = waits.run("instances")
    assert refused.code == 1 and refused.err.count("\n") == 1


STATUS = {"version": "1", "uptime_seconds": 5, "now_ms": 10000, "ready": False, "unready": "connecting", "readiness_since_ms": 5000,
          "redis_up": False, "leader": False, "observe_only": False, "instances": {"total": 0}, "signals_open": 0,
          "trades_open": 0, "streams": [{"stream": "instance_reports"}], "alerts": {"firing": 1, "pending": 0},
          "redis": {"error": None}, "guard_active": False, "breaker_open": []}
READY = {"ready": True, "unready": None, "redis_up": True, "leader": True}


@pytest.mark.parametrize("changes, wanted", [
    ({}, {"not ready": "connecting", "redis": "away", "role": "unknown", "instances": "-", "alerts": "-", "trades": "-"}),
    ({"redis": {"error": "Connection refused"}}, {"redis": "away: Connection refused"}),
    ({"redis": {"error": "WRONGPASS invalid username-password pair"}}, {
        "redis": "refuses: WRONGPASS invalid username-password pair", "which means": re.compile("Redis can be reached and refuses")}),
    ({"unready": "loading", "redis_up": True}, {"redis": "connected", "role": "unknown", "which means": re.compile(".* wait\\.")}),
    ({"unready": "read_only", "redis_up": True, "redis": {"error": "OOM command not allowed"}, "leader": True}, {
        "redis": "refuses: OOM command not allowed", "role": "active", "which means": re.compile("Redis takes no writes")}),
    ({"unready": "of-tomorrow"}, {"not ready": "of-tomorrow", "which means": None}),
    ({"unready": "a\x1b[31m"}, {"not ready": "a\\x1b[31m"}),
    (READY, {"state": "ready", "since": None, "which means": None, "alerts": "1 firing, 0 pending", "set aside": None,
             "left out": None, "notifications": None, "configuration": None}),
    ({**READY, "breaker_open": ["all", "broker:b1"]}, {"alerts": "3 firing, 0 pending", "breaker open": "all, broker:b1"}),
    ({**READY, "instances_set_aside": 2}, {"set aside": re.compile("2 instances are")}),
    ({**READY, "instances_set_aside": 1}, {"set aside": re.compile("1 instance is")}),
    ({**READY, "streams": [{"stream": "a", "left_out": True}, {"stream": "b", "left_out": False}, {"stream": "c", "left_out": True}]},
     {"left out": re.compile("a, c: no stream")}),
    ({**READY, "notifications": {"failing": 1, "error": "HTTP 500"}}, {"notifications": "1 webhook takes no alerts: HTTP 500"}),
    ({**READY, "notifications": {"failing": 2, "error": None}}, {"notifications": "2 webhooks take no alerts"}),
    ({**READY, "notifications": {"failing": 0, "error": None}, "instances_set_aside": 0, "config_reload_ok": True},
     {"notifications": None, "set aside": None, "configuration": None}),
    ({**READY, "config_reload_ok": False}, {"configuration": re.compile("refused")}),
])
def test_status_tells_what_is_wrong(folder, changes, wanted):
    def answer(handler):
        if handler.path == "/api/v1/status":
            answering(200, "application/json", json.dumps({**STATUS, **changes}).encode())(handler)
        else:
            answering(503, "application/problem+json", b'{"detail":"nothing is known yet"}')(handler)

    with stranger(answer) as server:
        shown = lines_of(Ctl(folder, f"127.0.0.1:{server.server_port}").ok("status").out)
    for name, text in wanted.items():
        if hasattr(text, "match"):
            assert text.match(shown[name]), shown
        else:
            assert shown.get(name) == text, shown


@contextlib.contextmanager
def stranger(answer):
    """Somebody else's HTTP server; ANSWER(handler) answers every request."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def answering(status, content_type, body, **headers):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
    return answer


@pytest.mark.parametrize("status, content_type, body, code, said", [
    (200, "text/html", b"<html>", 3, "not mt5stated"), (200, "application/json", b"{", 3, "not mt5stated"),
    (200, "application/json", b"{}", 3, "not mt5stated"), (200, "application/json", b'{"Instances":[]}', 3, "mt5stated"),
    (200, "application/json", b'{"instances":{}}', 3, "not mt5stated"),
    (200, "application/json", b"[" * 5000, 3, "not mt5stated"),
    (404, "text/html", b"<h1>\x1b[31mnope</h1>", 1, "404"), (500, "text/plain", b"", 1, "500"),
    (503, "application/problem+json", b'{"title":"t","status":503,"detail":"\\u001b[31m\\u0000 a\\nb"}', 1, "\\x1b[31m"),
    (302, "text/html", b"", 1, "302"),
])
def test_strangers_are_told_from_the_daemon(folder, status, content_type, body, code, said):
    with stranger(answering(status, content_type, body, Location="/elsewhere")) as server:
        done = Ctl(folder, f"127.0.0.1:{server.server_port}").run("instances")
        assert done.code == code and said in done.err and done.out == ""
        assert not UNSAFE.search(done.err)
        assert len(server.asked) == 1      # no redirect is followed


def test_a_list_without_end_is_given_up(folder):
    with stranger(answering(200, "application/json", b'{"instances":[{}],"next":"a"}')) as server:
        assert Ctl(folder, f"127.0.0.1:{server.server_port}").run("instances").code == 3
        assert len(server.asked) == 2


def test_no_proxy_gets_the_token(ctl, bus):
    one = ctl(tcp=True)
    bus.register("mt5-1")
    with stranger(answering(200, "application/json", b"{}")) as server:
        proxy = f"http://127.0.0.1:{server.server_port}"
        one.ok("restart", "mt5-1", env={"http_proxy": proxy, "HTTP_PROXY": proxy, "all_proxy": proxy})
        assert not server.asked


# ---- terminals ----

def fill(bus, one):
    bus.register("mt5-1", broker_id="a-broker-with-a-long-name", host_id="host-1", cpu_usage=12.5, queue_length=500,
                 last_error="日本語 " * 40)
    bus.register("mt5-with-quite-a-long-name-1", state="crashed", load_average=1)
    bus.signal("signal-with-a-long-name-0123456789", instance_id="mt5-1")
    one.ok("maintenance", "mt5-1", "on", "--reason", "a reason that is rather long " * 5, "--for", "30m")
    bus.wait_event(event="command_issued")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("words", [
    ["status"], ["instances"], ["instance", "mt5-1"], ["alerts"], ["signals"], ["events"],
    ["why", "mt5-1"], ["why", "mt5-with-quite-a-long-name-1"],
])
def test_what_is_shown_fits_the_terminal(ctl, bus, columns, words):
    one = ctl()
    fill(bus, one)
    done = one.on_terminal(columns, *words)
    lines = PAINT.sub("", done.out).splitlines()
    assert done.code == 0 and len(lines) > 1
    assert not [line for line in lines if width(line) > columns], done.out
    assert not UNSAFE.search(PAINT.sub("", done.out))
    assert max(width(line) for line in one.ok(*words).out.splitlines()) > 40      # and elsewhere it is whole


def test_tables_have_the_same_columns_wherever_there_is_no_terminal(ctl, bus):
    one = ctl()
    empty = one.ok("instances", env={"COLUMNS": "20"}).rows[0]
    fill(bus, one)
    table = one.ok("instances", env={"COLUMNS": "20"})
    assert table.rows[0] == empty and "…" not in table.out and "\x1b" not in table.out
    assert "mt5-with-quite-a-long-name-1" in table.out and "a-broker-with-a-long-name" in table.out


def test_colours_are_for_terminals_that_want_them(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    assert "\x1b[32mrunning\x1b[0m" in one.on_terminal(80, "instances").out
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}):
        assert "\x1b" not in one.on_terminal(80, "instances", env=env).out
    assert "\x1b[32m" in one.on_terminal(80, "instances", env={"NO_COLOR": ""}).out
    assert "\x1b" not in one.ok("instances").out


@pytest.mark.parametrize("words", [["instance", "mt5-1"], ["instances"], ["why", "mt5-1"], ["events"],
                                   ["instance", "mt5-1", "--json"], ["events", "--json"]])
def test_what_comes_from_outside_stays_text(ctl, bus, words):
    one = ctl()
    bus.register("mt5-1", last_error=HOSTILE)
    reason = HOSTILE.replace("\0", "")
    shown = one.on_terminal(120, "maintenance", "mt5-1", "on", "--reason", reason).out
    assert not UNSAFE.search(shown) and "evil" in shown
    bus.report("mt5-1", state="crashed", last_error=HOSTILE)
    bus.wait_event(event="alert_firing")
    for done in (one.on_terminal(120, *words, env={"NO_COLOR": "1"}), one.run(*words)):
        assert done.code == 0 and ("evil" in done.out or words == ["instances"])
        if "--json" not in words:
            assert not UNSAFE.search(done.out), done.out
    terminal = one.on_terminal(120, *words, env={"NO_COLOR": "1"}).out
    assert not UNSAFE.search(terminal)
    if "--json" in words:
        assert json.loads(terminal)


def test_output_that_nobody_takes_is_no_success(ctl):
    one = ctl()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(one.argv(["status"]), stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    assert done.returncode == 1 and b"standard output" in done.stderr


# ---- events ----

def names(text):
    return [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]


def test_events_are_listed_and_chosen(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    bus.register("mt5-2", state="stopped")
    bus.report("mt5-1", state="stopped")
    bus.settle()

    def rows(*words):
        return wait_until(lambda: [row[1:3] for row in one.ok("events", *words).rows], "the events")
    wanted = [["instance_registered", "mt5-1"], ["instance_started", "mt5-1"], ["instance_registered", "mt5-2"],
              ["instance_stopped", "mt5-1"]]
    wait_until(lambda: rows() == wanted, "all events")
    assert rows("--instance", "mt5-2") == wanted[2:3] and rows("--limit", "2") == wanted[:2]
    assert rows("--since", bus.ids("instance_events")[1]) == wanted[2:] and rows("--since", "1h") == wanted
    assert "running → stopped" in one.ok("events").out
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  instance_registered   mt5-1", one.ok("events").out)


def test_more_events_than_a_page_are_listed_each_once(ctl, bus):
    one = ctl()
    bus.many("instance_reports", [{"instance_id": f"i{number:04d}", "broker_id": "b1", "state": "stopped"}
                                  for number in range(2100)])
    bus.settle()
    wait_until(lambda: len(json.loads(one.ok("events", "--json").out)["events"]) == 2100, "all events")
    found = json.loads(one.ok("events", "--json").out)["events"]
    assert len({event["id"] for event in found}) == 2100
    for limit in (1, 999, 1000, 1001, 2099):
        assert json.loads(one.ok("events", "--json", "--limit", limit).out)["events"] == found[:limit]


def stir(bus, name="mt5-1"):
    """Makes an event, another one each time."""
    bus.register(name, state="stopped" if bus.state(name) == "running" else "running")
    return True


def test_events_are_followed_over_a_restart_of_the_daemon(ctl, bus):
    one = ctl()
    bus.register("mt5-0")
    follower = one.follow("events", "-f", "--json")
    lines = one.follow("events", "--follow", "--instance", "mt5-1")
    wait_until(lambda: stir(bus) and names(follower.log()) and "mt5-1" in lines.log(), "the first event")
    first = json.loads(next(line for line in follower.log().splitlines() if line.startswith("{")))["id"]
    one.daemon.stop()
    bus.report("mt5-2", broker_id="b1", state="running")
    bus.report("mt5-1", state="restarting")
    one.daemon.start()
    bus.report("mt5-1", state="running")
    for process in (follower, lines):
        wait_until(lambda its=process: "connected again" in its.log(), "it to come back")
    bus.settle()
    stored = bus.client.xrange("instance_events", min=first)
    wait_until(lambda: names(follower.log()) == [event["event"] for _, event in stored], "every event, once")
    assert "mt5-2" in follower.log() and "mt5-2" not in lines.log()
    wait_until(lambda: lines.log().count("instance_restarting") == 1, "the lines")
    for process in (follower, lines):
        process.send(signal.SIGINT)
        assert process.wait() == 0


def test_a_connection_that_is_lost_is_made_again_behind_the_last_position(folder):
    """Also where a position came and no event yet; half an event is none."""
    sent = [b"id: 7-0\n\n", b'id: 8-0\nevent: a\ndata: {"event":"first"}\n\nid: 9-0\ndata: {"event":',
            b'id: 9-0\ndata: {"event":"second"}\n\n']

    def answer(handler):
        number = len(handler.server.asked) - 1
        if number == 1:
            answering(503, "application/problem+json", b'{"detail":"loading"}')(handler)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(sent[min(number - (number > 1), 2)])

    with stranger(answer) as server:
        done = Ctl(folder, f"127.0.0.1:{server.server_port}").run("events", "-f", "--json", "--limit", "2")
        assert done.code == 0 and names(done.out) == ["first", "second"]
        assert [headers.get("Last-Event-ID") for _, headers in server.asked] == [None, "7-0", "7-0", "8-0"]
        assert done.err.count("lost") == done.err.count("again\n") - done.err.count("trying") == 2, done.err


def test_a_stream_that_is_refused_later_ends_the_following(folder):
    def answer(handler):
        if len(handler.server.asked) > 1:
            answering(401, "application/problem+json", b'{"detail":"the token is none of those"}')(handler)
            return
        answering(200, "text/event-stream", b"id: 1-0\n\n")(handler)

    with stranger(answer) as server:
        done = Ctl(folder, f"127.0.0.1:{server.server_port}").run("events", "-f")
        assert done.code == 1 and "the token is none of those" in done.err


def test_a_stream_begins_with_its_position(ctl, bus):
    """So that who is cut off before anything has happened misses nothing either."""
    one = ctl(tcp=True)
    bus.register("mt5-1")
    wait_until(lambda: len(json.loads(get(one, "/api/v1/events"))["events"]) == 2, "the events")
    host, _, port = one.daemon.listen.rpartition(":")
    with socket.create_connection((host, int(port)), 20) as client:
        client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        heard = b""
        while f"id: {bus.ids('instance_events')[-1]}\n\n".encode() not in heard:
            piece = client.recv(4096)
            assert piece, heard
            heard += piece


def test_events_are_followed_from_some_time_on_and_up_to_some_number(ctl, bus):
    one = ctl()
    bus.register("mt5-1")
    bus.report("mt5-1", state="stopped")
    bus.settle()
    done = one.ok("events", "-f", "--since", "1h", "--limit", "3", "--json")
    assert names(done.out) == ["instance_registered", "instance_started", "instance_stopped"]
    assert json.loads(done.out.splitlines()[0])["id"] == bus.ids("instance_events")[0]


# ---- record ----

def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_record_writes_what_comes_in_and_what_happens(ctl, bus, folder):
    one = ctl()
    path = folder / "record.jsonl"
    path.write_text('{"stream":"torn')
    process = one.follow("record", path)
    wait_until(lambda: stir(bus) and path.read_text().count("\n") > 2, "the first lines")
    bus.signal("s1", instance_id="mt5-1")
    bus.result("r1", "s1", slippage=-0.5)
    bus.register("mt5-9", state="stopped", last_error=HOSTILE)

    def lines():
        return [json.loads(line) for line in path.read_text().splitlines()[1:]]
    wait_until(lambda: {line["stream"] for line in lines()} - {"state"} == {"reports", "signals", "results", "events"}
               and any(line["fields"].get("instance_id") == "mt5-9" for line in lines() if line["stream"] == "events"),
               "all of it")
    signals = [line for line in lines() if line["stream"] == "signals"]
    assert signals[0]["fields"]["signal_id"] == "s1" and re.fullmatch(r"\d+-\d+", signals[0]["id"])
    assert [line["fields"]["result_id"] for line in lines() if line["stream"] == "results"] == ["r1"]
    assert all(set(line) == {"stream", "id", "fields"} for line in lines())
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert path.read_text().endswith("}\n")


def test_record_says_where_something_is_missing(ctl, bus, folder):
    one = ctl()
    path = folder / "record.jsonl"
    process = one.follow("record", path)
    wait_until(lambda: stir(bus) and {"reports", "events"} <= {line["stream"] for line in records(path)}, "the first lines")
    one.daemon.restart()
    wait_until(lambda: {"stream": "reports", "gap": True} in records(path), "the gap")
    wait_until(lambda: stir(bus) and records(path)[-1]["stream"] == "events", "it to go on")
    assert {"stream": "events", "gap": True} not in records(path)
    process.send(signal.SIGTERM)
    assert process.wait() == 0


def test_record_without_a_token_writes_events_only(ctl, bus, folder):
    one = ctl(token=None)
    path = folder / "record.jsonl"
    process = one.follow("record", path)
    wait_until(lambda: stir(bus) and len(records(path)) > 1, "the first lines")
    assert {line["stream"] for line in records(path)} == {"events"} and "events only" in process.log()
    assert Ctl(folder, one.url, folder / "token-read").run("record", folder / "other").code == 1


# ---- completion and man pages ----

def complete(one, line, folder):
    """What bash offers at the end of LINE."""
    program = one.argv([])[0]
    script = f"""
        source {ROOT}/config/completion/mt5statectl.bash
        COMP_LINE=$1; COMP_POINT=${{#1}}; COMP_WORDS=()
        # as readline parts words: = and : are words of their own
        read -ra parts <<<"$(sed -E 's/([=:])/ \\1 /g' <<<"$1")"
        COMP_WORDS=("${{parts[@]}}"); [[ $1 != *' ' ]] || COMP_WORDS+=('')
        COMP_WORDS[0]={program}
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _mt5statectl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, cwd=folder,
                          env=environment(MT5STATED_URL=one.url), check=False)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def test_bash_completes_what_can_be_said(ctl, bus, folder, tokens):
    one = ctl()
    bus.register("mt5-1")
    bus.register("mt5-2")
    for line, wanted in {
        "mt5statectl ": COMMANDS + ["help"], "mt5statectl re": ["restart", "recover", "record", "remove", "reload"],
        "mt5statectl --url x instan": ["instances", "instance"], "mt5statectl why ": ["mt5-1", "mt5-2"],
        "mt5statectl restart mt5-2": ["mt5-2"], "mt5statectl why mt5-1 ": [], "mt5statectl help ev": ["events"],
        f"mt5statectl --url {one.url} --json why mt5-1": ["mt5-1"], f"mt5statectl --url={one.url} why ": ["mt5-1", "mt5-2"],
        "mt5statectl --url unix:/nonexistent why ": [], "mt5statectl maintenance mt5-1 o": ["on", "off"],
        "mt5statectl maintenance mt5-1 on --for 30": ["30m"], "mt5statectl instances --state ": [
            "running", "stopped", "crashed", "restarting"],
        "mt5statectl instances --state=c": ["crashed"], "mt5statectl instances --he": ["--help", "--health"],
        "mt5statectl status --st": [], "mt5statectl events --instance mt5-": ["mt5-1", "mt5-2"],
        "mt5statectl record token-re": ["token-read", "token-report"], "mt5statectl --token-file token-a": ["token-admin"],
        "mt5statectl reload ": [], "mt5statectl --ver": ["--version"],
    }.items():
        assert sorted(complete(one, line, folder)) == sorted(wanted), line


def test_bash_completes_every_option_of_the_help(ctl, folder):
    one = ctl()
    for command in COMMANDS:
        listed = set(re.findall(r"(?<!\S)(--[a-z-]+)", one.ok(command, "--help").out)) - {"--version"}
        assert set(complete(one, f"mt5statectl {command} -", folder)) - {"-f"} == listed, command
