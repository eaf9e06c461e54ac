"""What the log says of what happens (SPEC 12), at which level, and with what an operator needs to go on."""

import signal

import pytest

from mt5.logfmt import pairs_of
from mt5.receiver import answer, refuse_label
from mt5.wait import wait_until
from mt5.watching import QUICK, TOKEN, Watching, with_token

REPORTS = "instance_reports"
# Nothing is recovered by itself.
ANNOUNCE = {**QUICK, "recovery.launch_modes": ["manual"]}


@pytest.fixture
def watching(daemon, bus, folder):
    def make(config=None):
        return Watching(bus, daemon(with_token({**QUICK, **(config or {})}, folder)))
    return make


def lines(one, **fields):
    return [pairs_of(line) for line in one.one.log_lines(**fields)]


def wait_line(one, **fields):
    return wait_until(lambda: lines(one, **fields), f"a line with {fields}")[-1]


# ---- levels ----

def test_a_critical_alert_is_an_error_a_warning_one_a_warning(watching, bus):
    one = watching(ANNOUNCE)
    bus.register("a", queue_length="500", network_latency="900")
    bus.report("a", state="crashed")
    bus.settle()
    crash = wait_line(one, event="alert_firing", alert="InstanceCrash")
    assert (crash["level"], crash["severity"]) == ("error", "critical")
    queue = wait_line(one, event="alert_firing", alert="HighQueueLength")
    assert (queue["level"], queue["severity"]) == ("warning", "warning")
    ended = wait_line(one, event="alert_resolved", alert="HighQueueLength")
    assert (ended["level"], ended["severity"]) == ("info", "warning")
    # What is no alert stays what it was.
    assert {line["level"] for line in lines(one, event="instance_failed")} == {"info"}
    assert {line["level"] for line in lines(one, event="instance_degraded")} == {"info"}


def test_the_severity_of_a_rule_is_the_level_of_its_alert(watching, bus):
    one = watching({**ANNOUNCE, "rules": {"HighQueueLength": {"severity": "info"}}})
    bus.register("a", queue_length="500")
    fired = wait_line(one, event="alert_firing", alert="HighQueueLength")
    assert (fired["level"], fired["severity"]) == ("info", "info")


def test_a_command_that_failed_or_expired_is_a_warning_and_giving_up_an_error(watching, bus):
    one = watching({"recovery.max_attempts": 2, "recovery.timeout_ms": 300, "recovery.fleet_breaker_percent": 100})
    bus.register("a")
    bus.report("a", state="crashed")
    command = one.wait_command("a", "recover")
    one.answer(command, "failed", command_error="no terminal")
    failed = wait_line(one, event="command_completed", command_id="a.recover.1")
    assert (failed["level"], failed["reason"]) == ("warning", "failed: no terminal")
    expired = wait_line(one, event="command_completed", command_id="a.recover.2")
    assert (expired["level"], expired["reason"]) == ("warning", "expired: nobody answered")
    given_up = wait_line(one, msg="given up")
    assert given_up == {**given_up, "level": "error", "instance_id": "a", "command": "recover", "tries": "2",
                        "alert": "InstanceCrash"}
    assert wait_line(one, event="alert_firing", alert="RecoveryFailure")["level"] == "error"


def test_a_command_that_is_done_is_no_warning(watching, bus):
    one = watching()
    bus.register("a")
    bus.report("a", state="crashed")
    one.answer(one.wait_command("a", "recover"), "ok", state="running")
    assert wait_line(one, event="command_completed", command_id="a.recover.1")["level"] == "info"
    assert wait_line(one, event="command_issued", command_id="a.recover.1")["level"] == "info"


def test_a_reconnect_that_is_given_up_is_an_error(watching, bus):
    one = watching({"recovery.max_attempts": 1})
    bus.register("a", socket_connections="0")
    one.answer(one.wait_command("a", "reconnect"), "failed")
    given_up = wait_line(one, msg="given up")
    assert (given_up["level"], given_up["command"], given_up["alert"]) == ("error", "reconnect", "SocketFailure")


def test_an_order_for_a_signal_that_was_dropped_is_an_error(watching, bus):
    one = watching({"signals.ttl_ms": 50})
    bus.signal("s-1")
    wait_line(one, event="signal_dropped", signal_id="s-1")
    bus.result("r-1", "s-1")
    assert wait_line(one, event="late_execution", signal_id="s-1")["level"] == "error"


# ---- the failure of a group ----

@pytest.mark.parametrize("by_operator", [False, True])
def test_the_failure_of_a_group_is_an_error_and_says_how_it_ended(watching, bus, by_operator):
    one = watching()
    names = [f"mt5-{i}" for i in range(6)]
    bus.many(REPORTS, [{"instance_id": name, "broker_id": "b", "state": "running"} for name in names])
    bus.settle()
    bus.many(REPORTS, [{"instance_id": name, "state": "crashed"} for name in names])
    failure = wait_line(one, event="alert_firing", alert="FleetFailure")
    assert (failure["level"], failure["severity"]) == ("error", "critical")
    if by_operator:
        one.order("mt5-0", "recover")
    else:
        bus.many(REPORTS, [{"instance_id": name, "state": "running"} for name in names[:3]])
    over = wait_line(one, event="alert_resolved", alert="FleetFailure")
    assert over["level"] == "info" and over["severity"] == "critical"
    assert over["reason"] == ("all: an operator has asked for a recovery" if by_operator
                              else "all: half of those that crashed run again")


def test_a_failure_that_nobody_waits_for_any_more_says_so(watching, bus):
    one = watching()
    names = [f"mt5-{i}" for i in range(4)]
    bus.many(REPORTS, [{"instance_id": name, "broker_id": "b", "state": "running"} for name in names])
    bus.settle()
    bus.many(REPORTS, [{"instance_id": name, "state": "crashed"} for name in names])
    wait_line(one, event="alert_firing", alert="FleetFailure")
    bus.many(REPORTS, [{"instance_id": name, "state": "stopped"} for name in names])
    over = wait_line(one, event="alert_resolved", alert="FleetFailure")
    assert over["reason"] == "all: none of those that crashed is waited for any more"


# ---- why ----

def test_a_failure_says_what_the_report_said(watching, bus):
    one = watching(ANNOUNCE)
    bus.register("a")
    bus.report("a", state="crashed", last_error="terminal64.exe has ended")
    bus.register("b", state="crashed")
    bus.settle()
    assert wait_line(one, event="instance_failed", instance_id="a")["reason"] == "terminal64.exe has ended"
    assert wait_line(one, event="instance_failed", instance_id="b")["reason"] == "reported by the agent"
    # The error of before is not the reason of this one.
    bus.report("a", state="running")
    bus.report("a", state="crashed")
    bus.settle()
    wait_until(lambda: len(lines(one, event="instance_failed", instance_id="a")) == 2, "the second failure")
    assert lines(one, event="instance_failed", instance_id="a")[1]["reason"] == "reported by the agent"


def test_becoming_worse_says_why(watching, bus):
    one = watching(ANNOUNCE)
    bus.register("a", queue_length="500")
    [event] = bus.events(event="instance_degraded", instance_id="a")
    assert {"from": "healthy", "to": "warning", "alert": "HighQueueLength", "reason": "queue_length > 100",
            "value": "500", "threshold": "100"}.items() <= event.items()
    bus.register("b", health_status="critical")
    [event] = bus.events(event="instance_degraded", instance_id="b")
    assert event["reason"] == "reported by the agent" and "alert" not in event
    bus.register("c", state="crashed")
    [event] = bus.events(event="instance_degraded", instance_id="c")
    assert (event["alert"], event["reason"]) == ("InstanceCrash", "state == crashed")
    assert wait_line(one, event="instance_degraded", instance_id="a")["alert"] == "HighQueueLength"


# ---- lines that say what is no event ----

def test_a_first_report_that_is_rejected_is_a_line(watching, bus):
    one = watching()
    first = bus.add(REPORTS, {"instance_id": "a", "state": "running"})
    line = wait_line(one, msg="entry rejected")
    assert {"level": "warning", "stream": REPORTS, "id": first, "instance_id": "a",
            "reason": "broker_id: required in the first report"}.items() <= line.items()
    for i in range(300):
        bus.add(REPORTS, {"instance_id": f"b-{i}", "state": "running"})
    bus.signal("s-1", action="not an action")
    bus.settle()
    one.one.stop()
    told = [line for line in lines(one, msg="entry rejected") if line["stream"] == REPORTS]
    assert len(told) <= 4 and sum(int(line.get("repeated", 1)) for line in told) == 301
    assert len([line for line in lines(one, msg="entry rejected") if line["stream"] == "trade_signals"]) == 1


def test_an_answer_to_what_is_not_under_way_is_a_line(watching, bus):
    one = watching({"recovery.fleet_breaker_percent": 100})
    bus.register("a")
    bus.report("a", state="crashed")
    command = one.wait_command("a", "recover")
    bus.report("a", command_id="a.recover.77", command_status="ok")
    unknown = wait_line(one, msg="an answer to a command that was never given")
    assert {"level": "warning", "instance_id": "a", "command_id": "a.recover.77",
            "status": "ok"}.items() <= unknown.items()
    one.answer(command, "ok", state="running")
    one.wait_completed(command, "ok")
    one.answer(command, "failed")
    late = wait_line(one, msg="an answer to a command that has ended")
    assert {"level": "info", "instance_id": "a", "command_id": command["command_id"],
            "status": "failed"}.items() <= late.items()


def test_a_webhook_that_takes_alerts_again_is_a_line(watching, bus, receiver):
    taker = receiver()
    taker.script(answer(500), answer(503))
    one = watching({**ANNOUNCE, "notify.webhooks": [{"url": taker.url("/x", "user", "password-of-url")}]})
    bus.register("a", queue_length="500")
    again = wait_line(one, msg="a webhook takes alerts again")
    assert {"level": "info", "webhook": "notify.webhooks[0]", "failures": "2"}.items() <= again.items()
    assert lines(one, msg="a webhook did not take alerts")
    assert "password-of-url" not in one.one.log()


def test_the_alert_that_a_webhook_refused_is_named(watching, bus, receiver):
    taker = receiver()
    taker.behaviour = refuse_label("instance_id", "b")
    one = watching({**ANNOUNCE, "notify.webhooks": [{"url": taker.url()}]})
    bus.many(REPORTS, [{"instance_id": name, "broker_id": "x", "state": "running", "queue_length": "500"}
                       for name in "abc"])
    refused = wait_line(one, msg="a webhook refused an alert, which is dropped")
    assert {"level": "warning", "webhook": "notify.webhooks[0]", "alert": "HighQueueLength", "instance_id": "b",
            "status": "400", "answer": "no such label\n"}.items() <= refused.items()
    wait_until(lambda: {alert["labels"]["instance_id"] for alert in taker.alerts()} == {"a", "c"}, "the others")
    assert len(lines(one, msg="a webhook refused an alert, which is dropped")) == 1
    assert not lines(one, msg="a webhook takes alerts again")


def test_maintenance_says_until_when(watching, bus):
    one = watching({"maintenance_windows": [{"name": "always", "instances": "w*", "weekly": "Mon 00:00-Sun 23:59"}]})
    bus.register("a")
    one.set_maintenance("a", reason="update", seconds=3600)
    line = wait_line(one, event="maintenance_changed", to="on")
    assert line["until"][:2] == "20" and line["until"].endswith("Z")
    one.set_maintenance("a")
    assert "until" not in wait_line(one, event="maintenance_changed", to="off")
    one.set_maintenance("a", reason="for good")
    assert wait_until(lambda: lines(one, event="maintenance_changed", to="on", until="unlimited"), "the second")
    assert wait_line(one, msg="maintenance window begins", window="always")["until"].endswith(":59:00Z")


def reload(one, **changes):
    before = len(one.one.log_lines(msg="configuration reloaded"))
    one.one.write_config(**changes)
    one.one.reload()
    wait_until(lambda: len(one.one.log_lines(msg="configuration reloaded")) > before, "the reload")
    return lines(one, msg="configuration reloaded")[-1]["changed"]


def test_a_reload_names_what_it_changed(watching, folder):
    one = watching()
    assert reload(one) == "nothing"
    assert reload(one, log__level="debug", recovery__max_attempts=7) == "recovery.max_attempts,log.level"
    assert reload(one, rules={"HighCpuUsage": {"threshold": 81}}) == "rules"
    hook = {"url": "http://user:password-one@127.0.0.1:9/x"}
    assert reload(one, notify__webhooks=[hook]) == "notify.webhooks"
    # Secrets are seen to differ though they are never shown.
    assert reload(one, notify__webhooks=[{"url": hook["url"].replace("one", "two")}]) == "notify.webhooks"
    (folder / "admin-token").write_text("another-secret-4567")
    assert reload(one) == "http.tokens"
    assert "password-" not in one.one.log() and "secret" not in one.one.log()


def test_the_summary_says_how_it_stands(watching, bus):
    one = watching({**ANNOUNCE, "rules": {"HighCpuUsage": {"for_ms": 3600000}}})
    bus.register("a", queue_length="500", cpu_usage="99")
    names = [f"mt5-{i}" for i in range(6)]
    bus.many(REPORTS, [{"instance_id": name, "broker_id": "b", "state": "running"} for name in names])
    bus.settle()
    bus.many(REPORTS, [{"instance_id": name, "state": "crashed"} for name in names])
    wait_line(one, event="alert_firing", alert="FleetFailure")
    one.one.send(signal.SIGUSR1)
    summary = wait_line(one, msg="summary")
    # The crashes of six, and the queue of one; two groups have failed: all, and their broker.
    assert {"level": "info", "alerts_firing": "7", "alerts_pending": "1", "breakers_open": "2", "guard": "off",
            "crashed": "6", "running": "1", "recoveries_under_way": "0"}.items() <= summary.items()


def test_the_line_of_a_hook_names_its_instance_and_command(daemon, bus, folder, hook):
    program, told = hook(), hook()
    one = Watching(bus, daemon(with_token({**QUICK, "recovery.fleet_breaker_percent": 100,
                                           "hooks.recover": program.argv, "hooks.notify": told.argv}, folder)))
    bus.register("a")
    bus.report("a", state="crashed")
    line = wait_line(one, msg="hook done", hook="recover")
    assert (line["instance_id"], line["command_id"]) == ("a", "a.recover.1")
    line = wait_line(one, msg="hook done", hook="notify")
    assert line["instance_id"] == "a" and "command_id" not in line


# ---- secrets ----

def test_no_secret_is_logged_on_any_way_of_failing(daemon, redis_server, folder, bus, receiver):
    """Passwords, tokens and credentials of URLs, wrong and right, over what can go wrong with each."""
    taker = receiver(answer(401, "no"))
    short, rights = folder / "short-token", folder / "rights"
    short.write_text("short-secret")
    rights.write_text("right-secret-012345")
    one = daemon({
        **ANNOUNCE, "log.level": "debug",
        "http.tokens": [{"name": "desk", "role": "admin", "file": str(rights)}],
        "notify.webhooks": [{"url": taker.url("/x?key=query-secret", "user", "url-secret")},
                            {"url": "http://user:other-secret@127.0.0.1:1/y"},
                            {"url": "http://user:third-secret@no-such-host.invalid/z"}],
    })
    bus.register("a", queue_length="500")
    wait_until(lambda: len(one.log_lines(msg="a webhook did not take alerts")) >= 3, "each to fail")
    for token in ("right-secret-012345", "wrong-secret-012345"):
        one.get("/api/v1/status", authorization=f"Bearer {token}")
        one.get(f"/api/v1/{token}", authorization=f"Bearer {token}")
        one.get("/api/v1/status", authorization=f"Basic {token}", cookie=token)
    # Reloads that are refused for each of them.
    refused = [{"http__tokens": [{"name": "desk", "role": "admin", "file": str(short)}]},
               {"redis__url": "redis://user:reload-secret@127.0.0.1:1/0"},
               {"redis__url": "redis://user:bad-secret@127.0.0.1:1/zero"},
               {"notify__webhooks": [{"url": "ftp://user:ftp-secret@127.0.0.1/"}]},
               {"notify__webhooks": [{"url": "http://user:port-secret@127.0.0.1:99999/"}]}]
    before = dict(one.config)
    for count, changes in enumerate(refused, 1):
        one.config.clear()
        one.config.update(before)
        one.write_config(**changes)
        one.reload()
        wait_until(lambda n=count: len(one.log_lines(msg="configuration not reloaded; the old one stays")) >= n,
                   "the refusal")
    one.config.clear()
    one.config.update(before)
    one.write_config()
    one.send(signal.SIGUSR1)
    wait_until(lambda: one.log_lines(msg="summary"), "the summary")
    assert "secret" not in one.log() and TOKEN not in one.log()
