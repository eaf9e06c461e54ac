"""docs/examples, as docs/AGENTS.md shows them: each as its own process, with the rights that config/redis/users.acl gives it."""

import pathlib
import random
import re
import subprocess
import sys

import pytest

from mt5.invariants import COMMANDS, SIGNALS
from mt5.process import Process
from mt5.redis_server import SHIPPED_PASSWORD
from mt5.wait import wait_a_moment, wait_until
from mt5.watching import QUICK, TOKEN, Watching, with_token

DOCS = pathlib.Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"

pytestmark = pytest.mark.redis(shipped=True)

# A terminal made of files: `running` while it runs, `held` as long as a command is not to come to an end, `calls` are those
# that there were. It never crashes by itself.
CONTROL = """#!/bin/sh
cd "{folder}" || exit 1
if [ "$1" = status ]; then
    [ -e running ] || exit 1
    echo cpu_usage=12.5
    exit 0
fi
echo "$1 $MT5_COMMAND_ID" >>calls
while [ -e held ]; do sleep 0.01; done
case $1 in
recover | start | restart) : >running ;;
stop) rm -f running ;;
*) echo "cannot $1" >&2; exit 3 ;;
esac
"""


@pytest.fixture
def run(folder, redis_server, logs):
    """Starts an example as a user of config/redis/users.acl."""
    password = folder / "password"
    password.write_text(SHIPPED_PASSWORD + "\n")
    started = []

    def start(name, user, *args):
        log = folder / f"{name}.log"
        started.append(Process([sys.executable, EXAMPLES / name, "--redis", redis_server.url, "--user", user,
                                "--password-file", password, *args], log))
        logs.append((name, started[-1].log))
        return started[-1]

    yield start
    for one in started:
        one.kill()


class Terminal:
    def __init__(self, folder, run):
        self.folder = folder
        self.control = folder / "control"
        self.control.write_text(CONTROL.format(folder=folder))
        self.control.chmod(0o755)
        self._run = run
        (folder / "running").touch()

    def start_agent(self):
        return self._run("agent.py", "agent", "--interval", "0.2", "--memory", self.folder / "memory.json",
                         "--host", "host-1", "mt5-1", "icm-1", self.control)

    def crash(self):
        (self.folder / "running").unlink()

    def hold(self):
        (self.folder / "held").touch()

    def release(self):
        (self.folder / "held").unlink()

    def calls(self):
        """(command, command_id) of each time that it was told to do something."""
        path = self.folder / "calls"
        return [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_call(self, command):
        return wait_until(lambda: [call for call in self.calls() if call[0] == command], f"{command} to be begun")[0]


@pytest.fixture
def terminal(folder, run):
    return Terminal(folder, run)


@pytest.fixture
def fleet(daemon, bus, folder):
    return Watching(bus, daemon(with_token({**QUICK, "recovery.timeout_ms": 15000}, folder)))


# ---- the agent ----

def test_agent_registers_its_terminal_and_recovers_it(fleet, bus, terminal):
    terminal.start_agent()
    bus.wait_state("mt5-1", "running")
    assert bus.instance("mt5-1")["host_id"] == "host-1"
    assert float(bus.metrics("mt5-1")["cpu_usage"]) == 12.5
    terminal.crash()
    command = fleet.wait_command("mt5-1", "recover")
    fleet.wait_completed(command, "ok")
    bus.wait_state("mt5-1", "running")
    assert terminal.calls() == [("recover", command["command_id"])]


def test_agent_stops_and_starts_when_it_is_told_to(fleet, bus, terminal):
    terminal.start_agent()
    bus.wait_state("mt5-1", "running")
    stop = fleet.order("mt5-1", "stop")
    bus.wait_state("mt5-1", "stopped")
    fleet.wait_completed({"command_id": stop}, "ok")
    start = fleet.order("mt5-1", "start")
    bus.wait_state("mt5-1", "running")
    fleet.wait_completed({"command_id": start}, "ok")
    assert terminal.calls() == [("stop", stop), ("start", start)]
    assert not bus.events(event="instance_failed")


def test_agent_says_why_it_failed(fleet, bus, terminal):
    terminal.start_agent()
    bus.wait_state("mt5-1", "running")
    bus.report("mt5-1", queue_length=1000)
    throttle = fleet.wait_command("mt5-1", "throttle")
    assert fleet.wait_completed(throttle, "failed")["reason"] == "failed: cannot throttle"


@pytest.mark.expected(skip={"check_command_ids", "check_commands_are_announced"})   # the test commands, too
def test_agent_does_nothing_twice_and_nothing_that_has_expired(fleet, bus, terminal):
    agent = terminal.start_agent()
    bus.wait_state("mt5-1", "running")
    first = fleet.order("mt5-1", "restart")
    fleet.wait_completed({"command_id": first}, "ok")
    [entry] = fleet.commands("mt5-1", "restart")
    bus.add(COMMANDS, entry)
    bus.add(COMMANDS, {**entry, "command_id": "mt5-1.restart.900", "expires_at": "2025-01-01T00:00:00Z"})
    bus.add(COMMANDS, {**entry, "command_id": "mt5-2.restart.901", "instance_id": "mt5-2"})
    bus.add(COMMANDS, {**entry, "command_id": "mt5-1.restart.902"})
    wait_until(lambda: len(terminal.calls()) > 1, "the last of them to be carried out")
    assert [command for _, command in terminal.calls()] == [first, "mt5-1.restart.902"]
    # Neither does one that was killed in the middle of it.
    terminal.hold()
    second = fleet.order("mt5-1", "restart")
    wait_until(lambda: len(terminal.calls()) == 3, "the restart to be begun")
    agent.kill()
    terminal.release()
    terminal.start_agent()
    bus.add(COMMANDS, fleet.commands("mt5-1", "restart")[-1])
    bus.add(COMMANDS, {**entry, "command_id": "mt5-1.restart.903"})
    wait_until(lambda: len(terminal.calls()) > 3, "what came later to be carried out")
    assert [command for _, command in terminal.calls()] == [first, "mt5-1.restart.902", second, "mt5-1.restart.903"]


def test_agent_goes_on_reporting_meanwhile_and_can_be_cancelled(fleet, bus, terminal):
    terminal.start_agent()
    bus.wait_state("mt5-1", "running")
    terminal.hold()
    terminal.crash()
    _, recover = terminal.wait_call("recover")
    bus.wait_state("mt5-1", "restarting")
    before = len(bus.ids("instance_reports"))
    wait_until(lambda: len(bus.ids("instance_reports")) > before + 2, "reports while it is carried out")
    stop = fleet.order("mt5-1", "stop")   # stronger: the recovery is called off
    fleet.wait_completed({"command_id": recover}, "cancelled")
    assert terminal.wait_call("stop") == ("stop", stop)
    terminal.release()
    fleet.wait_completed({"command_id": stop}, "ok")
    bus.wait_state("mt5-1", "stopped")
    [cancel] = fleet.commands("mt5-1", "cancel")
    assert cancel["cancels"] == recover
    assert not (terminal.folder / "running").exists()


# ---- the executor ----

def placed(folder):
    path = folder / "orders"
    return re.findall(r'"signal_id": "([^"]+)"', path.read_text()) if path.exists() else []


@pytest.fixture
def executor(folder, run):
    def start(*args):
        return run("executor.py", "executor", "--order-ms", "50", "--orders", folder / "orders", *args, "executor-1")
    return start


def test_executor_executes_every_signal_once_through_kills(daemon, bus, folder, executor):
    daemon()
    count, rng = 300, random.Random(7)
    one = executor()
    for number in range(count):
        bus.signal(f"s{number}", instance_id="mt5-1", symbol="EURUSD", lot_size="0.10")
        if number % 30 == 29:
            wait_a_moment(rng, 0.3)
            one.kill()
            one = executor()
    bus.wait_total("processed:buy", count)
    assert sorted(placed(folder)) == sorted(f"s{number}" for number in range(count))
    assert bus.totals()["received:buy"] == count
    wait_until(lambda: bus.client.xpending(SIGNALS, "executors")["pending"] == 0, "everything to be acknowledged")
    wait_until(lambda: bus.client.scard("trade:state:executed") == count, "every trade to be there")


def test_executor_asks_the_broker_about_what_it_had_begun(daemon, bus, folder, executor):
    """Killed between the claim and the result: with the order sent, and without."""
    daemon()
    group = ("executors", "executor-1", {SIGNALS: ">"})
    bus.client.xgroup_create(SIGNALS, "executors", "0", mkstream=True)
    bus.signal("sent")
    bus.signal("not-sent")
    bus.signal("not-begun")
    assert len(bus.client.xreadgroup(*group)[0][1]) == 3
    now_ms = bus.now_ms()
    bus.client.set("executed:sent", f"executor-1 {now_ms}")
    bus.client.set("executed:not-sent", f"executor-1 {now_ms}")
    (folder / "orders").write_text('{"signal_id": "sent", "order": "EURUSD", "direction": "buy"}\n')
    executor()
    bus.wait_total("processed:buy", 3)
    assert placed(folder) == ["sent", "not-sent", "not-begun"]


def test_executor_takes_an_id_once(daemon, bus, folder, executor):
    daemon()
    bus.signal("s1")
    bus.signal("s1")
    bus.signal("s2")
    executor()
    bus.wait_total("processed:buy", 2)
    assert placed(folder) == ["s1", "s2"]


def test_executor_leaves_alone_what_is_too_late(daemon, bus, folder, executor):
    """Also where no daemon has dropped it yet."""
    bus.signal("old", entry=f"{bus.now_ms() - 30000}-0")
    bus.client.xgroup_create(SIGNALS, "executors", "0")
    bus.signal("in-time")
    bus.client.hset("mt5stated:meta", "settled", bus.client.info("replication")["master_replid"])   # by an earlier one
    executor()
    wait_until(lambda: placed(folder), "an order")
    daemon()
    bus.wait_total("processed:buy", 1)
    bus.wait_total("dropped:buy", 1)
    assert placed(folder) == ["in-time"]
    assert not bus.events(event="late_execution")


def test_executor_takes_nothing_from_a_redis_that_is_not_in_order(daemon, bus, folder, redis_server, executor, expected):
    """It has gone back to where a signal was open that has ended, and nobody has removed that yet."""
    expected.skip = frozenset({"check_results_counted", "check_last_event_is_state"})
    one = daemon({"guard.hold_ms": 0})
    bus.signal("s1")
    bus.settle()
    redis_server.save()
    executor()
    bus.wait_total("processed:buy", 1)
    one.pause()
    redis_server.kill9()
    redis_server.start()
    assert bus.client.xlen(SIGNALS) == 1
    wait_until(lambda: bus.client.info("commandstats").get("cmdstat_hget", {}).get("calls", 0) >= 3, "the executor to ask")
    assert placed(folder) == ["s1"]
    one.resume()
    wait_until(lambda: bus.total("processed:buy") == 1, "it to be written back")
    bus.signal("s2")
    bus.wait_total("processed:buy", 2)
    assert placed(folder) == ["s1", "s2"]


# ---- HTTP ----

def report(one, token, *fields):
    url = "http://" + one.listen
    return subprocess.run([EXAMPLES / "report.sh", url, token, "mt5-1", *fields], capture_output=True, text=True,
                          timeout=30)


def test_report_over_http(daemon, bus, folder):
    token = folder / "terminals"
    token.write_text(TOKEN + "\n")
    one = daemon({"http.tokens": [{"name": "terminals", "role": "report", "file": str(token)}]}, tcp=True)
    said = report(one, token, "broker_id=icm-1", "state=running", "cpu_usage=45.5", 'last_error=a "quoted" \\ word')
    assert said.returncode == 0 and '"id"' in said.stdout, said.stderr
    bus.wait_state("mt5-1", "running")
    bus.settle()
    assert bus.health("mt5-1")["last_error"] == 'a "quoted" \\ word'
    said = report(one, token, "cpu_usage=much")
    assert said.returncode != 0 and "cpu_usage" in said.stdout


def test_expert_advisor_sees_what_it_looks_for(fleet, bus):
    """That the texts for which Mt5Agent.mq5 searches an answer are in it as it expects them. The expert itself needs a terminal."""
    expert = (EXAMPLES / "Mt5Agent.mq5").read_text()
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    command = fleet.wait_command("mt5-1", "recover")
    fleet.answer(command, "ok", state="running")
    fleet.wait_completed(command, "ok")

    def answer():
        text = fleet.one.get("/api/v1/events?limit=1000&instance=mt5-1&since=0-1").text
        assert "command_completed" in text
        return text
    text = wait_until(answer, "the API to show it")
    assert '"/api/v1/events?limit=1000&instance="' in expert and '"&since="' in expert
    objects = [part for part in text.split('{"id":"')[1:]]
    told = [(re.search(r'"event":"(\w+)"', part)[1], re.search(r'"command_id":"([^"]+)"', part)[1])
            for part in objects if '"command_id":"' in part]
    assert told == [("command_issued", command["command_id"]), ("command_completed", command["command_id"])]
    assert command["command_id"] == f"mt5-1.{command['command']}.1"
    for name in re.findall(r'\\"(\w+)\\":', expert):
        assert name in ("broker_id", "state", "socket_connections", "memory_usage", "memory_limit", "network_latency",
                        "command_id", "command_status", "command_error", "id"), name
