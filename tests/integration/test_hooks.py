"""Hooks as they are executed (SPEC 7.3): what they get, what their end means, when they are tried again."""

import json
import os

import pytest

from mt5.hook import FAIL, GIVE_UP, WAIT
from mt5.invariants import COMMANDS
from mt5.wait import wait_until
from mt5.watching import QUICK, Watching, with_token

KINDS = ("recover", "reconnect", "throttle", "unthrottle", "redistribute", "stop", "start", "restart", "cancel")
# Whole fleets crash here, and each is commanded all the same.
EVERYBODY = {**QUICK, "recovery.fleet_breaker_percent": 100}
HOSTILE = ('-rf "$(reboot)" `id`; \'x\' && y | z\nMT5STATED_COMMAND=stop\n--help \\ %s \u00e9\ud83d\ude80'
           .encode("utf-16", "surrogatepass").decode("utf-16"))


@pytest.fixture
def watching(daemon, bus, folder, hook):
    """A daemon with one program as the hook of these commands."""
    def make(*kinds, program=None, config=None, **options):
        program = program or hook()
        hooks = {f"hooks.{kind}": program.argv for kind in kinds}
        one = daemon({**with_token(EVERYBODY, folder), **hooks, **(config or {})}, **options)
        return Watching(bus, one), program
    return make


def environment(fields):
    """All that the environment of a hook may hold."""
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **home,
            **{f"MT5STATED_{name.upper()}": value for name, value in fields.items()}}


def crash(bus, *names):
    for name in names:
        bus.register(name)
        bus.report(name, state="crashed")


def runs_total(one, outcome):
    return one.one.metrics().value("mt5stated_hook_runs_total", outcome=outcome)


def reload(one, **changes):
    before = len(one.one.log_lines(msg="configuration reloaded"))
    one.one.write_config(**changes)
    one.one.reload()
    wait_until(lambda: len(one.one.log_lines(msg="configuration reloaded")) > before, "the reload")


# ---- what it gets ----

def give_every_command(one, bus):
    """Each hook is done before its command is answered: one of a command that has ended is not run."""
    def wait_hook(kind, instance_id="a"):
        command = one.wait_command(instance_id, kind)
        wait_until(lambda: one.one.log_lines(msg="hook done", key=command["command_id"]), f"the hook of {kind}")
        return command
    bus.register("a", broker_id="b1", host_id="h1", load_average="0.5")
    bus.register("b", broker_id="b1", host_id="h2", load_average="0.1")
    bus.trade("t1", instance_id="a", state="executing")
    bus.report("a", socket_connections="0")
    one.answer(wait_hook("reconnect"), "ok", socket_connections="1")
    bus.report("a", queue_length="101")
    one.answer(wait_hook("throttle"), "ok", queue_length="1")
    one.answer(wait_hook("unthrottle"), "ok")
    bus.report("a", load_average="2.5")
    one.answer(wait_hook("redistribute"), "ok", load_average="0.1")
    one.wait_completed(one.commands("a", "redistribute")[0], "ok")
    bus.report("a", state="crashed")
    wait_hook("recover")
    one.order("a", "stop")
    wait_hook("cancel")
    one.answer(wait_hook("stop"), "ok", state="stopped")
    one.wait_completed(one.commands("a", "stop")[0], "ok")
    one.order("a", "start")
    one.answer(wait_hook("start"), "ok", state="running")
    one.wait_completed(one.commands("a", "start")[0], "ok")
    one.order("a", "restart")
    one.wait_command("a", "restart")


def test_each_command_executes_its_hook_with_its_fields(watching, bus):
    one, program = watching(*KINDS)
    give_every_command(one, bus)
    assert set(one.kinds()) == set(KINDS)
    for command in one.commands():
        [run] = program.wait_runs(1, command_id=command["command_id"])
        assert run["environ"] == environment(command)
        assert json.loads(run["input"]) == command
        assert run["input"].count("\n") == 1 and run["input"].endswith("\n")
        assert run["argv"] == program.argv[1:]
        assert run["group"] == run["pid"]
        assert run["descriptors"] == [0, 1, 2]
    assert len(program.runs()) == len(one.commands())
    [redistribute] = program.wait_runs(1, command="redistribute")
    assert program.fields(redistribute)["target_instance_id"] == "b"
    assert program.fields(redistribute)["open_trades"] == "1"
    [recover] = program.wait_runs(1, command="recover")
    assert program.fields(recover)["attempt"] == "1"
    wait_until(lambda: runs_total(one, "done") == len(KINDS), "all to be counted")


def test_only_the_configured_commands_have_a_hook(watching, bus):
    one, program = watching("stop")
    crash(bus, "a")
    one.wait_command("a", "recover")
    one.order("a", "stop")
    program.wait_runs(1, command="stop")
    assert len(program.runs()) == 1


@pytest.mark.parametrize("name", ["0--help", "a.-x-.b", "A" * 64, "1_-.-_1"])
def test_ids_that_look_like_options_are_never_arguments(watching, bus, name):
    one, program = watching("recover")
    crash(bus, name)
    [run] = program.wait_runs(1, instance_id=name)
    assert run["argv"] == program.argv[1:]
    assert run["environ"] == environment(one.wait_command(name, "recover"))


def test_an_operators_words_arrive_unharmed(watching, bus):
    one, program = watching("restart")
    bus.register("a")
    response = one.ask("POST", "/api/v1/instances/a/commands", {"command": "restart", "reason": HOSTILE})
    assert response.status == 202
    [run] = program.wait_runs(1)
    assert program.fields(run)["reason"] == HOSTILE
    assert json.loads(run["input"])["reason"] == HOSTILE
    assert run["argv"] == program.argv[1:]
    assert run["environ"] == environment(one.wait_command("a", "restart"))


def test_what_it_prints_is_in_the_log(watching, bus):
    one, program = watching("recover")
    program.does("print('began'); print('level=error msg=\"forged\"', file=sys.stderr, flush=True)")
    crash(bus, "a")
    [line] = wait_until(lambda: one.one.log_lines(msg="hook done"), "the hook to be done")
    assert 'hook=recover key=a.recover.1 try=1' in line
    assert 'began' in line and 'forged' in line
    assert not one.one.log_lines(msg="forged")


# ---- what its end means ----

def fall_silent(bus, name="a"):
    bus.register(name)
    bus.wait_event(event="instance_failed", instance_id=name)


def test_exit_0_is_the_answer_of_an_agent_that_is_silent(watching, bus):
    one, program = watching("recover", config={"instances.heartbeat_timeout_ms": 300})
    fall_silent(bus)
    command = one.wait_command("a", "recover")
    one.wait_completed(command, "ok")
    assert [step["status"] for step in one.why("a") if step["step"] == "answer"] == ["ok"]
    # It has succeeded once the instance runs, and nothing more is asked for until then.
    total = one.one.metrics().value
    assert total("mt5stated_recoveries_total", outcome="succeeded") == 0
    bus.report("a", state="running")
    one.wait_alert("a", "InstanceCrash", "alert_resolved")
    assert one.one.metrics().value("mt5stated_recoveries_total", outcome="succeeded") == 1
    assert one.kinds("a") == ["recover"]
    assert len(one.completed(command)) == len(program.runs()) == 1


def test_exit_0_is_no_answer_of_an_agent_that_reports(watching, bus):
    one, program = watching("recover")
    crash(bus, "a")
    command = one.wait_command("a", "recover")
    wait_until(lambda: one.one.log_lines(msg="hook done", key=command["command_id"]), "the hook to be done")
    one.pass_a_round()
    assert one.completed(command) == []
    one.answer(command, "ok", state="running")
    one.wait_completed(command, "ok")
    assert len(program.wait_runs(1, instance_id="a")) == 1


def test_a_hook_that_fails_is_no_answer_of_a_silent_agent(watching, bus):
    one, program = watching("recover", config={"instances.heartbeat_timeout_ms": 300})
    program.does(GIVE_UP)
    fall_silent(bus)
    command = one.wait_command("a", "recover")
    wait_until(lambda: one.one.log_lines(level="error", msg="hook given up"), "it to be given up")
    crash(bus, "b")
    one.wait_command("b", "recover")
    assert one.completed(command) == []


@pytest.mark.parametrize("code, reason", [(FAIL, "exit 1"), ("os.kill(os.getpid(), 9)", "killed by signal 9"),
                                          ("os.kill(os.getpid(), 15)", "killed by signal 15")])
def test_exit_1_and_death_by_signal_are_tried_again(watching, bus, code, reason):
    one, program = watching("recover", config={"instances.heartbeat_timeout_ms": 300})
    program.does(code, "")
    fall_silent(bus)
    first, second = program.wait_runs(2)
    assert first["environ"] == second["environ"] and first["input"] == second["input"]
    one.wait_completed(one.wait_command("a", "recover"), "ok")
    [line] = one.one.log_lines(level="warning", msg="hook failed, will be tried again")
    assert f'try=1 reason="{reason}"' in line
    assert len(one.one.log_lines(msg="hook done", key="a.recover.1", **{"try": 2})) == 1
    assert (runs_total(one, "retried"), runs_total(one, "done")) == (1, 1)


def pass_a_retry(one, program, bus, name):
    """Returns when a hook that fails from now on has been tried again: so has everything that failed before."""
    program.does(FAIL, "")
    crash(bus, name)
    program.wait_runs(2, instance_id=name)


@pytest.mark.parametrize("code", [2, 3, 126, 127, 255])
def test_exit_2_or_more_is_given_up(watching, bus, code):
    one, program = watching("recover")
    program.does(f"sys.exit({code})")
    crash(bus, "a")
    [line] = wait_until(lambda: one.one.log_lines(level="error", msg="hook given up"), "it to be given up")
    assert f'key=a.recover.1 try=1 reason="exit {code}"' in line
    pass_a_retry(one, program, bus, "b")
    assert len(program.wait_runs(1, instance_id="a")) == 1
    assert (runs_total(one, "failed"), runs_total(one, "not_executable")) == (1, 0)


@pytest.mark.parametrize("spoil, reason", [
    (lambda path: path.chmod(0o644), "cannot be executed: Permission denied"),
    (lambda path: path.unlink(), "cannot be executed: No such file or directory"),
    (lambda path: path.write_text("#!/nowhere/interpreter\n"), "cannot be executed: No such file or directory"),
    (lambda path: path.write_text("no program\n"), "cannot be executed: Exec format error"),
], ids=["mode", "missing", "interpreter", "format"])
def test_what_cannot_be_executed_any_more_is_told_apart(watching, bus, spoil, reason):
    one, program = watching("recover")
    spoil(program.path)
    crash(bus, "a")
    [line] = wait_until(lambda: one.one.log_lines(level="error", msg="hook given up"), "it to be given up")
    assert f'reason="{reason}"' in line
    assert (runs_total(one, "not_executable"), runs_total(one, "failed")) == (1, 0)
    assert one.one.is_ready()


@pytest.mark.parametrize("spoil, word", [(lambda path: path.chmod(0o644), "executable"),
                                         (lambda path: path.unlink(), "")], ids=["mode", "missing"])
def test_a_hook_that_cannot_be_executed_is_no_configuration(daemon, hook, spoil, word):
    program = hook()
    spoil(program.path)
    one = daemon({"hooks.stop": program.argv}, ready=False)
    assert one.wait_exit() == 78
    assert "hooks.stop" in one.log() and str(program.path) in one.log() and word in one.log()


# ---- commands that have ended ----

@pytest.mark.parametrize("end", ["ok", "failed", "expired", "cancelled"])
def test_the_hook_of_a_command_that_has_ended_is_not_tried_again(watching, bus, end):
    one, program = watching("restart", "recover", config={"recovery.timeout_ms": 700} if end == "expired" else {})
    bus.register("a")
    program.does(FAIL)
    command_id = one.order("a", "restart")
    program.wait_runs(1, command_id=command_id)
    [command] = one.commands("a", "restart")
    if end == "cancelled":
        one.order("a", "stop")
    elif end != "expired":
        one.answer(command, end)
    one.wait_completed(command, end)
    pass_a_retry(one, program, bus, "b")
    assert len(program.wait_runs(1, command_id=command_id)) == 1


def test_a_hook_that_waits_for_its_turn_is_not_begun_for_a_command_that_has_ended(watching, bus):
    one, program = watching("recover", config={"hooks_max_running": 1})
    program.does(WAIT)
    crash(bus, "a")
    program.wait_runs(1, instance_id="a")
    crash(bus, "b", "c")
    command = one.wait_command("b", "recover")
    one.wait_command("c", "recover")
    one.answer(command, "ok", state="running")
    one.wait_completed(command, "ok")
    program.release()
    program.wait_runs(1, instance_id="c")
    assert [program.fields(run)["instance_id"] for run in program.runs()] == ["a", "c"]
    wait_until(lambda: runs_total(one, "cancelled") == 1, "it to be counted")


# ---- reload ----

def test_a_reload_changes_hooks(watching, bus, hook):
    one, old = watching("recover")
    crash(bus, "a")
    old.wait_runs(1, instance_id="a")
    new = hook()
    reload(one, **{"hooks.recover": new.argv, "hooks.stop": new.argv})
    crash(bus, "b")
    new.wait_runs(1, instance_id="b", command="recover")
    one.order("b", "stop")
    new.wait_runs(1, instance_id="b", command="stop")
    del one.one.config["hooks.recover"]
    reload(one)
    crash(bus, "c")
    one.wait_command("c", "recover")
    reload(one, **{"hooks.recover": old.argv})
    crash(bus, "d")
    old.wait_runs(1, instance_id="d")
    assert (len(old.runs()), len(new.runs())) == (2, 2)
    assert len(bus.entries(COMMANDS)) == len(one.commands())


def test_what_waits_for_its_next_try_keeps_its_program(watching, bus, hook):
    one, old = watching("recover")
    old.does(FAIL, "")
    crash(bus, "a")
    old.wait_runs(1)
    reload(one, **{"hooks.recover": hook().argv})
    old.wait_runs(2, command_id="a.recover.1")
