"""The fixtures of the integration and fault tests.

    redis_server   a RedisServer of the test's own; options by @pytest.mark.redis(aof=True, ...)
    redis          a client of it
    bus            a Bus: what agents, producers and executors do with it
    daemon         makes daemons: daemon(), daemon({"signals.ttl_ms": 300}), daemon(ready=False, tcp=True)
    expected       an Expected, for what the test does to the account on purpose
    sim            sim(signals=100, drain=True) starts mt5sim, see mt5.sim
    prometheus     prometheus(daemon) makes a real Prometheus that scrapes a daemon made with tcp=True;
                   with rules=[path, ...] it evaluates them
    alertmanager   alertmanager(), or alertmanager(webhook=url), makes a real Alertmanager
    receiver       receiver(), or receiver(behaviour), makes a receiver of webhooks, see mt5.receiver
    hook           hook() makes a program for hooks, see mt5.hook
    watch          watch() checks the invariants continuously from then on, to the end of the test

When a test ends, its daemons are stopped by SIGTERM and have to exit with 0 and no sanitizer report, and the
invariants of SPEC 4 have to hold. Where anything fails the logs are shown."""

import functools
import pathlib
import shutil
import tempfile

import pytest

from mt5.alertmanager import Alertmanager
from mt5.bus import Bus
from mt5.daemon import Daemon, default_config
from mt5.hook import Hook
from mt5.invariants import Expected, Watch, check_invariants
from mt5.prometheus import Prometheus
from mt5.receiver import Receiver
from mt5.redis_server import RedisServer
from mt5.sim import Sim
from mt5.tokens import write_tokens

LOGS = pytest.StashKey()


@pytest.fixture
def logs(request):
    """(title, function that gives the text) of what is worth seeing when the test fails."""
    return request.node.stash.setdefault(LOGS, [])


@pytest.fixture
def folder(logs):
    """A folder with a path short enough for a unix socket. The logs in it are kept until they are reported."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mt5-"))
    yield path
    logs[:] = [(title, lambda text=read(): text) for title, read in logs]
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def redis_server(request, folder, logs):
    marker = request.node.get_closest_marker("redis")
    server = RedisServer(make_folder(folder, "redis"), **(marker.kwargs if marker else {}))
    logs.append(("redis-server", server.log))
    yield server
    server.stop() if server.is_running() else server.kill9()


@pytest.fixture
def redis(redis_server):
    with redis_server.client() as client:
        yield client


@pytest.fixture
def bus(redis):
    return Bus(redis)


@pytest.fixture
def expected(request):
    marker = request.node.get_closest_marker("expected")
    return Expected(**(marker.kwargs if marker else {}))


@pytest.fixture
def daemon(request, folder, redis_server, logs, expected):
    made = []

    def make(config=None, *, ready=True, start=True, tcp=False, args=(), env=None):
        """config: dotted keys over the tests' defaults. With start=False nothing runs until .start()."""
        own = make_folder(folder, f"daemon-{len(made) + 1}")
        defaults = default_config(own, redis_server, tcp)
        made.append(Daemon(own, {**defaults, **(config or {})}, args, env))
        logs.append((f"mt5stated {len(made)}", made[-1].log))
        return made[-1].start(ready) if start else made[-1]

    yield make

    try:
        for one in made:
            if one.is_running():
                one.stop()
    finally:
        for one in made:
            if one.is_running():
                one.kill9()
    if made and redis_server.is_running() and not request.node.get_closest_marker("no_invariants"):
        with redis_server.client() as client:
            check_invariants(client, expected)


def maker(kind):
    """For a fixture that is a function which makes one of the kind: each is stopped in the end."""
    made = []

    def make(*args, **options):
        made.append(kind(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def watch(redis_server, expected):
    yield from maker(functools.partial(Watch, redis_server, expected))


@pytest.fixture
def sim(folder, redis_server, logs):
    made = []

    def start(**options):
        own = make_folder(folder, f"sim-{len(made) + 1}")
        if redis_server.shipped:
            options = {**redis_server.harness_login(own), **options}
        made.append(Sim(own, redis_server.url, **options))
        logs.append((f"mt5sim {len(made)}", made[-1].log))
        return made[-1]

    yield start
    for one in made:
        if one.is_running():
            one.kill9()


@pytest.fixture
def prometheus(folder, logs):
    made = []

    def make(daemon, rules=()):
        made.append(Prometheus(make_folder(folder, f"prometheus-{len(made) + 1}"), daemon.listen, rules))
        logs.append((f"Prometheus {len(made)}", made[-1].log))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def alertmanager(folder, logs):
    made = []

    def make(webhook=None):
        made.append(Alertmanager(make_folder(folder, f"alertmanager-{len(made) + 1}"), webhook))
        logs.append((f"Alertmanager {len(made)}", made[-1].log))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def receiver():
    yield from maker(Receiver)


@pytest.fixture
def hook(folder):
    made = []

    def make():
        made.append(Hook(make_folder(folder, f"hook-{len(made) + 1}")))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def make_folder(parent, name):
    path = parent / name
    path.mkdir()
    return path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for title, read in item.stash.get(LOGS, []):
            text = read()
            report.sections.append((f"log of {title}", text if len(text) < 20000 else "...\n" + text[-20000:]))


@pytest.fixture
def tokens(folder):
    """The rows of http.tokens for a token of each role (mt5.tokens.TOKENS)."""
    return write_tokens(folder)
