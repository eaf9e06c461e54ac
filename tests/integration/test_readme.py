"""The walk through README.md: its commands as they are written, but for the installation, with a Redis and a daemon of the
test's own in the place of the machine's."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from mt5.ctl import environment
from mt5.daemon import binary
from mt5.redis_server import RedisServer
from mt5.wait import wait_until

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def chapter(title):
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title, language="sh"):
    return [text for word, text in re.findall(r"^```(\w*)\n(.*?)^```$", chapter(title), re.M | re.S) if word == language]


class Reader:
    """Somebody who copies commands into a shell."""

    def __init__(self, folder, server: RedisServer, one):
        self.home = folder / "home"
        self.home.mkdir()
        shims = folder / "shims"
        shims.mkdir()
        for name, command in {"mt5statectl": [binary("MT5STATECTL", "mt5statectl")],
                              "redis-cli": [shutil.which("redis-cli"), "-s", str(server.socket)]}.items():
            (shims / name).write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
            (shims / name).chmod(0o755)
        self.env = environment(HOME=str(self.home), PATH=f"{shims}:{os.environ['PATH']}", REDIS_URL=server.url,
                               MT5STATED_URL=one.listen)
        self.log = folder / "reader.log"
        self._groups = []

    def run(self, script):
        """What it prints; what it starts in the background goes on."""
        with open(self.log, "a+") as log:
            begin = log.seek(0, os.SEEK_END)
            shell = subprocess.Popen(["bash", "-e", "-c", script], cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, start_new_session=True)
            self._groups.append(shell.pid)
            code = shell.wait(60)
            log.seek(begin)
            said = log.read()
        assert code == 0, said
        return said

    def wait_said(self, script, *wanted):
        def says():
            said = self.run(script)
            assert all(text in said for text in wanted), said
            return said
        return wait_until(says, f"{script} to say {wanted}")

    def stop(self):
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def reader(folder, redis_server, daemon, logs):
    """With a daemon that has its defaults."""
    one = Reader(folder, redis_server, daemon())
    logs.append(("the reader", one.log.read_text))
    yield one
    one.stop()


@pytest.mark.redis(shipped=False)
def test_from_nothing_to_a_recovered_terminal(reader):
    install, connect, see, provoke, ask = blocks("From nothing to a recovered terminal")
    assert install.splitlines()[-1] == "mt5statectl status" and "apt install" in install
    reader.run("mt5statectl status")
    reader.run(connect)
    reader.wait_said(see, "mt5-1", "running", "broker_id\nicm-1")
    reader.run(provoke)
    said = reader.wait_said(ask, "recover.1 ok", "resolved")
    shown = blocks("From nothing to a recovered terminal", "")[0]
    assert shape(said) == shape(shown), f"README.md shows\n{shown}\nbut it says\n{said}"
    assert (reader.home / "mt5-1" / "terminal").exists()


def shape(text):
    """What is the same each time: without times, ids of entries, and how long it took."""
    text = re.sub(r"\d\d:\d\d:\d\d +(\d+ \w+ ago|now) *", "TIME ", text)
    return re.sub(r"report-[\d-]+|timer-[\d-]+", "ID", re.sub(r" after [\d.]+ m?s", "", text)).split()


@pytest.mark.redis(shipped=False)
def test_signals_are_accounted_for(reader, bus):
    [commands] = blocks("Signals")
    reader.run(commands)
    reader.wait_said("redis-cli HGETALL mt5stated:totals", "processed:buy\n1")
    assert bus.totals() == {"received:buy": 1, "processed:buy": 1, "result:executed": 1}


def test_the_first_configuration_is_valid(folder):
    [text] = blocks("A first configuration", "jsonc")
    token = folder / "desk"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    assert "/etc/mt5stated/tokens/desk" in text
    path = folder / "mt5stated.json"
    path.write_text(text.replace("/etc/mt5stated/tokens/desk", str(token)))
    said = subprocess.run([binary("MT5STATED", "mt5stated"), "-c", str(path), "--check-config"], capture_output=True,
                          text=True, timeout=30)
    assert (said.returncode, said.stdout) == (0, "config ok\n"), said.stdout + said.stderr


@pytest.mark.redis(shipped=False)
def test_the_least_agent_reports(reader, bus):
    reader.run("docs/examples/report.py mt5-9 icm-1 & sleep 0")
    bus.wait_state("mt5-9", "running")


def test_what_it_asks_over_http_is_answered(daemon, bus):
    one = daemon(tcp=True)
    bus.register("mt5-1")
    paths = re.findall(r"curl http://127.0.0.1:10555(\S+)", README)
    assert paths
    for path in paths:
        response = one.get(path)
        assert response.status == 200 and json.loads(response.text) == {"instances": []}


def test_it_is_read_in_a_minute():
    assert len(README.splitlines()) <= 215
