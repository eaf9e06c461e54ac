"""Hooks that hang, fork and flood, and a daemon that is stopped, killed or cut off meanwhile (SPEC 7.3, 7.4, 10)."""

import json
import os
import signal

import pytest

from mt5.hook import FAIL, GIVE_UP, HANG, WAIT
from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

EVERYBODY = {**QUICK, "recovery.fleet_breaker_percent": 100}
QUICK_LEASE = {"ha.lease_ms": 300}
# A child in the hook's group that nothing but SIGKILL ends, and one of its own that does not hold the output.
FORK = """
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: time.sleep(1)
with open(folder + "/child", "w") as file: file.write(str(child))
"""
# A child in a session of its own, which nothing but SIGKILL ends, and which does not hold the output.
DETACH = """
child = os.fork()
if child == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for descriptor in range(3): os.close(descriptor)
    with open(folder + "/detached.part", "w") as file: file.write(str(os.getpid()))
    os.rename(folder + "/detached.part", folder + "/detached")
    while True: time.sleep(1)
wait_for("detached")
"""


@pytest.fixture
def watching(daemon, bus, folder, hook):
    """A daemon with one program as the hook of these commands."""
    def make(*kinds, config=None, program=None, **options):
        program = program or hook()
        hooks = {f"hooks.{kind}": program.argv for kind in kinds}
        one = daemon({**with_token(EVERYBODY, folder), **hooks, **(config or {})}, **options)
        return Watching(bus, one), program
    return make


def crash(bus, *names):
    for name in names:
        bus.register(name)
        bus.report(name, state="crashed")


def runs_total(one, outcome):
    return one.one.metrics().value("mt5stated_hook_runs_total", outcome=outcome)


def state(one, name):
    return one.one.metrics().value("mt5stated_hooks", state=name)


def log_line(one, **fields):
    return wait_until(lambda: one.one.log_lines(**fields), f"a line of the log with {fields}")[0]


# ---- what hooks do to a daemon ----

def test_a_hook_that_hangs_is_killed_with_its_group_and_delays_nobody(watching, bus):
    one, program = watching("recover", config={"hooks_timeout_ms": 1500})
    program.does(FORK + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HANG, "")
    crash(bus, "a")
    [run] = program.wait_runs(1)
    child = int(program.wait_note("child"))
    # It hangs, and everything else goes on.
    crash(bus, "b")
    program.wait_runs(1, instance_id="b")
    bus.register("c", queue_length="500")
    one.wait_alert("c", "HighQueueLength")
    assert one.one.is_ready()
    program.wait_ended(run["pid"])
    program.wait_ended(child)
    line = log_line(one, msg="hook failed, will be tried again", key="a.recover.1")
    assert 'reason="over its time limit"' in line
    program.wait_runs(2, instance_id="a")
    assert runs_total(one, "timed_out") == 1


def test_over_its_time_limit_a_hook_goes_with_what_it_has_detached(watching, bus):
    one, program = watching("recover", config={"hooks_timeout_ms": 1500})
    program.does(DETACH + HANG, "")
    crash(bus, "a")
    child = int(program.wait_note("detached"))
    program.wait_runs(2, instance_id="a")   # once nothing is left of the first
    assert program.has_ended(child)
    log_line(one, msg="hook failed, will be tried again", reason="over its time limit")
    assert one.one.is_ready()


def test_what_a_hook_has_detached_stays_when_it_is_done(watching, bus):
    one, program = watching("recover", config={"hooks_timeout_ms": 1500})
    program.does(DETACH, HANG)
    crash(bus, "a")
    log_line(one, msg="hook done", key="a.recover.1")
    child = int(program.wait_note("detached"))
    try:
        # Neither the time limit of another one nor the end of the daemon is about it.
        crash(bus, "b")
        log_line(one, msg="hook failed, will be tried again", key="b.recover.1", reason="over its time limit")
        one.one.stop()
        assert not program.has_ended(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_what_a_hook_leaves_behind_is_ended_and_its_result_counts(watching, bus):
    one, program = watching("recover", config={"instances.heartbeat_timeout_ms": 300, "hooks_timeout_ms": 60000})
    program.does(FORK)
    bus.register("a")
    one.wait_completed(one.wait_command("a", "recover"), "ok")
    assert 'left="processes, now ended"' in log_line(one, msg="hook done", key="a.recover.1")
    program.wait_ended(int(program.wait_note("child")))
    wait_until(lambda: state(one, "lingering") == 0, "its place to be free")


def test_a_hook_that_prints_without_end_is_cut_off(watching, bus):
    one, program = watching("recover", config={"hooks_timeout_ms": 700})
    program.does("while True: os.write(1, b'A' * 65536)", "")
    crash(bus, "a")
    [run] = program.wait_runs(1)
    bus.register("c", queue_length="500")
    one.wait_alert("c", "HighQueueLength")
    program.wait_ended(run["pid"])
    line = log_line(one, msg="hook failed, will be tried again", key="a.recover.1")
    assert f"output={'A' * 4096} output_lost_bytes=" in line
    assert len(line) < 5000


def test_a_hook_that_does_not_read_is_done_all_the_same(watching, bus):
    one, program = watching("recover")
    program.path.write_text("#!/bin/sh\nexec <&-\nexit 0\n")
    crash(bus, "a")
    log_line(one, msg="hook done", key="a.recover.1")
    assert one.one.is_ready()


def test_a_full_queue_drops_the_oldest_and_counts_it(watching, bus):
    one, program = watching("recover", config={"hooks_max_running": 1, "hooks_max_queued": 2})
    program.does(WAIT)
    crash(bus, "a")
    program.wait_runs(1, instance_id="a")
    for name in "bcde":
        crash(bus, name)
        one.wait_command(name, "recover")
    wait_until(lambda: runs_total(one, "dropped") == 2, "two to be dropped")
    assert (state(one, "running"), state(one, "queued")) == (1, 2)
    log_line(one, msg="hook dropped, too many wait", key="b.recover.1")
    program.release()
    program.wait_runs(1, instance_id="e")
    assert [program.fields(run)["instance_id"] for run in program.runs()] == ["a", "d", "e"]
    wait_until(lambda: state(one, "running") == 0, "all to have ended")


def test_no_more_run_at_once_than_may(watching, bus):
    one, program = watching("recover", config={"hooks_max_running": 2})
    program.does(WAIT)
    crash(bus, *"abcd")
    one.wait_command("d", "recover")
    program.wait_runs(2)
    wait_until(lambda: state(one, "queued") == 2, "two to wait")
    assert len(program.runs()) == 2
    program.release()
    program.wait_runs(4)


# ---- the end of the daemon ----

def test_a_clean_stop_ends_running_hooks(watching, bus):
    one, program = watching("recover")
    program.does("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FORK + HANG)
    crash(bus, "a")
    [run] = program.wait_runs(1)
    child = int(program.wait_note("child"))
    one.one.stop()
    assert program.has_ended(run["pid"]) and program.has_ended(child)
    # It had not come to its end, so it is run again.
    program.does("")
    one.one.start()
    first, second = program.wait_runs(2)
    assert program.fields(first)["command_id"] == program.fields(second)["command_id"]


def test_a_hook_that_had_not_ended_runs_again_after_kill_9(watching, bus):
    one, program = watching("recover", "redistribute", config=QUICK_LEASE)
    bus.register("busy", host_id="h1", load_average="0.5")
    bus.register("idle", host_id="h2", load_average="0.1")
    program.does(WAIT)
    bus.report("busy", load_average="2.5")
    crash(bus, "a")
    before = {program.fields(run)["instance_id"]: run for run in program.wait_runs(2)}
    one.one.kill9()
    program.does("")
    one.one.start()
    runs = program.wait_runs(4)
    for run in runs[2:]:
        fields = program.fields(run)
        was = program.fields(before[fields["instance_id"]])
        same = set(was) - {"reason"}
        assert {name: fields.get(name) for name in same} == {name: was[name] for name in same}
        assert fields["reason"]
        assert json.loads(run["input"]) == fields
    log_line(one, msg="hook done", key="busy.redistribute.1")
    log_line(one, msg="hook done", key="a.recover.1")
    # Once more, and nothing is left to run.
    one.one.restart()
    crash(bus, "b")
    program.wait_runs(1, instance_id="b")
    assert len(program.runs()) == 5


def test_the_hook_of_a_command_that_expired_meanwhile_does_not_run_again(watching, bus):
    one, program = watching("restart", config={**QUICK_LEASE, "recovery.timeout_ms": 400})
    program.does(WAIT)
    bus.register("a")
    command_id = one.order("a", "restart")
    program.wait_runs(1)
    issued_ms = bus.now_ms()
    one.one.kill9()
    wait_until(lambda: bus.now_ms() > issued_ms + 400, "it to have expired")
    program.does("")
    one.one.start()
    one.wait_completed({"command_id": command_id}, "expired")
    one.order("a", "restart")
    program.wait_runs(1, command_id="a.restart.2")
    wait_until(lambda: state(one, "running") == 0, "all to have ended")
    assert [program.fields(run)["command_id"] for run in program.runs()] == [command_id, "a.restart.2"]


def test_a_cancel_whose_hook_had_not_ended_runs_again_after_kill_9(watching, bus):
    one, program = watching("cancel", config=QUICK_LEASE)
    program.does(WAIT)
    bus.register("a")
    restart = one.order("a", "restart")
    one.order("a", "stop")
    program.wait_runs(1)
    one.one.kill9()
    program.does("")
    one.one.start()
    was, again = (program.fields(run) for run in program.wait_runs(2))
    assert again["cancels"] == restart
    assert {**again, "reason": ""} == {**was, "reason": ""}
    log_line(one, msg="hook done", key="a.cancel.2")
    wait_until(lambda: "cancels=" not in bus.client.hget("mt5stated:watch", "a"), "its end to be stored")


def test_a_hook_that_had_ended_does_not_run_again(watching, bus):
    one, program = watching("recover", config=QUICK_LEASE)
    crash(bus, "a")
    log_line(one, msg="hook done", key="a.recover.1")
    wait_until(lambda: "hook_due" not in bus.client.hget("mt5stated:watch", "a"), "its end to be stored")
    one.one.restart(kill=True)
    crash(bus, "b")
    program.wait_runs(1, instance_id="b")
    assert len(program.runs()) == 2


def test_a_hook_that_ends_while_redis_is_away_counts_when_it_is_back(watching, bus, redis_server):
    one, program = watching("recover", config={"instances.heartbeat_timeout_ms": 1000, "guard.hold_ms": 0,
                                               "redis.command_timeout_ms": 200})
    program.does(WAIT)
    bus.register("a")
    command = one.wait_command("a", "recover")
    program.wait_runs(1)
    redis_server.pause()
    log_line(one, msg="redis link lost")
    program.release()
    log_line(one, msg="hook done", key=command["command_id"])
    redis_server.resume()
    one.wait_completed(command, "ok")


def test_a_daemon_that_has_lost_the_lease_tries_no_hook_again(watching, bus):
    first, program = watching("recover", config=QUICK_LEASE)
    program.does(WAIT + "\nsys.exit(1)")
    crash(bus, "a")
    program.wait_runs(1)
    second, _ = watching("recover", config=QUICK_LEASE, program=program, ready=False)
    first.one.pause()
    second.one.wait_ready()
    program.wait_runs(2)
    first.one.resume()
    wait_until(lambda: first.one.ready_word() == "standby", "the first one to be standby")
    program.does("")
    program.release()
    # The second one's next try is later than the first one's would have been.
    program.wait_runs(3, command_id="a.recover.1")
    crash(bus, "b")
    program.wait_runs(1, instance_id="b")
    log_line(second, msg="hook done", key="a.recover.1")
    assert len(program.runs()) == 4
    assert not first.one.log_lines(msg="hook done")


# ---- when it may run ----

def wait_retry(one, program, key):
    """Returns when the first try of KEY has failed, and the next, in a second, will succeed."""
    log_line(one, msg="hook failed, will be tried again", key=key)
    program.does("")


def wait_past(bus, ms):
    start_ms = bus.now_ms()
    wait_until(lambda: bus.now_ms() > start_ms + ms, f"{ms} ms to have passed")


def test_a_hook_is_not_run_after_a_stall_beyond_its_commands_expiry(watching, bus):
    one, program = watching("restart", config={"recovery.timeout_ms": 1500, "guard.stall_ms": 500,
                                               "guard.hold_ms": 300})
    bus.register("a")
    program.does(FAIL)
    command_id = one.order("a", "restart")
    wait_retry(one, program, command_id)
    one.one.pause()
    wait_past(bus, 1600)
    one.one.resume()
    one.wait_completed({"command_id": command_id}, "expired")
    one.order("a", "restart")
    program.wait_runs(1, command_id="a.restart.2")
    assert len(program.runs()) == 2


def test_a_hook_is_not_run_under_the_guard(watching, bus):
    one, program = watching("restart", config={"guard.stall_ms": 500, "guard.hold_ms": 1500})
    bus.register("a")
    program.does(FAIL)
    command_id = one.order("a", "restart")
    wait_retry(one, program, command_id)
    one.one.pause()
    wait_past(bus, 1200)
    one.one.resume()
    program.wait_runs(2)
    log_line(one, msg="hook done", key=command_id, **{"try": 2})
    lines = one.one.log().splitlines()
    [again] = [at for at, line in enumerate(lines) if 'msg="guard: judging again"' in line][-1:]
    [done] = [at for at, line in enumerate(lines) if f'msg="hook done" hook=restart key={command_id}' in line]
    assert again < done


def test_a_hook_waits_out_the_maintenance_that_begins_between_its_tries(watching, bus):
    one, program = watching("recover")
    program.does(FAIL)
    crash(bus, "a")
    wait_retry(one, program, "a.recover.1")
    one.set_maintenance("a", reason="upgrade")
    program.does(FAIL, "")
    crash(bus, "b")
    program.wait_runs(2, instance_id="b")  # so the first one's would have been due
    assert len(program.wait_runs(1, instance_id="a")) == 1
    wait_until(lambda: state(one, "queued") == 1, "it to wait")
    one.set_maintenance("a")
    program.wait_runs(2, instance_id="a")
    log_line(one, msg="hook done", key="a.recover.1", **{"try": 2})


@pytest.mark.parametrize("name", ["a", "A" * 64])
def test_of_one_instance_one_hook_runs_at_a_time(watching, bus, name):
    one, program = watching("recover", "stop", "cancel", config={"recovery.timeout_ms": 700})
    program.does("""
import glob
for path in glob.glob(folder + "/alive-*"):
    if os.path.exists("/proc/" + path.rpartition("-")[2]): open(folder + "/both", "w").close()
open(f"{folder}/alive-{os.getpid()}", "w").close()
if environ["MT5STATED_COMMAND"] != "cancel":
    while True: time.sleep(1)
""")
    crash(bus, name)
    first, second = program.wait_runs(2, command="recover")
    assert program.has_ended(first["pid"])
    assert program.fields(first)["command_id"] != program.fields(second)["command_id"]
    one.order(name, "stop")
    program.wait_runs(1, command="stop")
    assert program.has_ended(second["pid"])
    assert program.note("both") is None
    assert runs_total(one, "timed_out") == 0


def test_a_daemon_that_was_replaced_between_two_tries_does_not_try_again(watching, bus):
    first, program = watching("recover", config=QUICK_LEASE)
    program.does(FAIL)
    crash(bus, "a")
    wait_retry(first, program, "a.recover.1")
    second, _ = watching("recover", config=QUICK_LEASE, program=program, ready=False)
    first.one.pause()
    second.one.wait_ready()
    log_line(second, msg="hook done", key="a.recover.1")
    wait_past(bus, 1100)
    first.one.resume()
    wait_until(lambda: first.one.ready_word() == "standby", "the first one to be standby")
    crash(bus, "b")
    program.wait_runs(1, instance_id="b")
    assert [program.fields(run)["instance_id"] for run in program.runs()] == ["a", "a", "b"]
    assert not first.one.log_lines(msg="hook done")


# ---- the hook notify ----

def test_notify_gets_the_fields_of_the_events(watching, bus):
    one, program = watching("notify", config={"recovery.launch_modes": ["manual"]})
    bus.register("a", host_id="h1")
    bus.report("a", queue_length="101")
    one.wait_alert("a", "HighQueueLength")
    program.wait_runs(1)
    bus.report("a", state="crashed")
    program.wait_runs(1, alert="InstanceCrash", event="alert_firing")
    bus.report("a", state="running")
    program.wait_runs(1, alert="InstanceCrash", event="alert_resolved")
    told = [program.fields(run) for run in program.runs()]
    events = [event for event in bus.entries("instance_events") if event["event"].startswith("alert_")]
    key = lambda fields: (fields["alert"], fields["event"])
    assert sorted(told, key=key) == sorted(events, key=key)
    assert {key(fields) for fields in told} == {
        ("HighQueueLength", "alert_firing"), ("HighQueueLength", "alert_resolved"),
        ("InstanceCrash", "alert_firing"), ("InstanceCrash", "alert_resolved")}
    for run in program.runs():
        fields = program.fields(run)
        assert json.loads(run["input"]) == {**fields, "seq": int(fields["seq"])}
    total = one.one.metrics().value
    wait_until(lambda: one.one.metrics().value("mt5stated_notifications_total", channel="hook", status="sent") == 4,
               "all to be counted")
    assert total("mt5stated_notifications_total", channel="hook", status="failed") == 0
    wait_until(lambda: not bus.client.hlen("mt5stated:notices"), "nothing to be owed any more")


def test_an_end_is_never_told_before_its_beginning(watching, bus):
    one, program = watching("notify")
    program.does(FAIL, "")
    bus.register("a", queue_length="101")
    program.wait_runs(1)
    bus.report("a", queue_length="1")
    one.wait_alert("a", "HighQueueLength", "alert_resolved")
    program.wait_runs(3)
    assert [program.fields(run)["event"] for run in program.runs()] == ["alert_firing", "alert_firing",
                                                                        "alert_resolved"]
    wait_until(lambda: not bus.client.hlen("mt5stated:notices"), "nothing to be owed any more")


def test_an_end_is_told_where_the_beginning_was_given_up(watching, bus):
    one, program = watching("notify")
    program.does(GIVE_UP, "")
    bus.register("a", queue_length="101")
    log_line(one, level="error", msg="hook given up", hook="notify")
    bus.report("a", queue_length="1")
    program.wait_runs(1, event="alert_resolved")
    total = one.one.metrics
    wait_until(lambda: total().value("mt5stated_notifications_total", channel="hook", status="sent") == 1, "the end")
    assert total().value("mt5stated_notifications_total", channel="hook", status="failed") == 1


@pytest.mark.parametrize("event", ["alert_firing", "alert_resolved"])
def test_a_notification_that_was_not_delivered_is_after_kill_9(watching, bus, event):
    one, program = watching("notify", config=QUICK_LEASE)
    program.does(WAIT) if event == "alert_firing" else program.does("", WAIT)
    bus.register("a", queue_length="101")
    program.wait_runs(1, event="alert_firing")
    if event == "alert_resolved":
        log_line(one, msg="hook done")
        bus.report("a", queue_length="1")
    [before] = program.wait_runs(1, event=event)
    one.one.kill9()
    program.does("")
    one.one.start()
    [_, again] = program.wait_runs(2, event=event)
    fields, was = program.fields(again), program.fields(before)
    same = set(was) - {"reason", "seq"}
    assert {name: fields.get(name) for name in same} == {name: was[name] for name in same}
    log_line(one, msg="hook done", hook="notify")
    if event == "alert_resolved":
        wait_until(lambda: not bus.client.hlen("mt5stated:notices"), "nothing to be owed any more")


def test_nobody_is_notified_in_maintenance(watching, bus):
    one, program = watching("notify")
    bus.register("a")
    one.set_maintenance("a", reason="upgrade")
    bus.report("a", queue_length="101")
    one.wait_alert("a", "HighQueueLength")
    bus.register("b", queue_length="101")
    program.wait_runs(1, instance_id="b")
    assert len(program.runs()) == 1
    one.set_maintenance("a")
    program.wait_runs(1, instance_id="a", event="alert_firing")


def test_a_failure_of_the_fleet_is_told_once(watching, bus):
    one, program = watching("notify", config={"recovery.fleet_breaker_percent": 50,
                                              "recovery.launch_modes": ["manual"]})
    for name in "abcd":
        bus.register(name)
    bus.many("instance_reports", [{"instance_id": name, "state": "crashed"} for name in "abcd"])
    [run] = program.wait_runs(1, alert="FleetFailure")
    assert program.fields(run)["reason"] == "all: 4 of 4 running instances have crashed"
    for name in "ab":
        bus.report(name, state="running")
    program.wait_runs(1, alert="FleetFailure", event="alert_resolved")
    log_line(one, event="alert_resolved", alert="FleetFailure")
