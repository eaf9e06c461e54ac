"""The daemon under test: the real binary, a configuration of the test's, its log."""

import http.client
import json
import os
import re
import signal

from mt5 import http as mt5_http
from mt5.metrics import Metrics
from mt5.ports import port_free
from mt5.process import Process, ProcessOwner
from mt5.redis_server import SHIPPED_PASSWORD
from mt5.wait import wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

SANITIZER_ENV = {
    "ASAN_OPTIONS": "halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
SANITIZER_REPORT = re.compile(r"(?:Address|Leak|UndefinedBehavior)Sanitizer|runtime error: ")


def binary(variable, name):
    """The path of a program of ours: from the environment, else the debug build's."""
    root = os.path.join(os.path.dirname(__file__), "..", "..", "..")
    path = os.path.abspath(os.environ.get(variable) or os.path.join(root, "build", "debug", name))
    assert os.access(path, os.X_OK), f"{path} is not there: build the preset debug, or set {variable}"
    return path


def nest(flat):
    """{"a.b": 1} → {"a": {"b": 1}}"""
    nested = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


class Daemon(ProcessOwner):
    """One daemon with its folder. `config` maps dotted keys to values."""

    def __init__(self, folder, config, args=(), env=None):
        self.folder = folder
        self.config = dict(config)
        self.config_file = folder / "mt5stated.json"
        self.log_path = folder / "mt5stated.log"
        self.command = [binary("MT5STATED", "mt5stated")]   # a test may put another program in front of it
        self._args = list(args)
        self._env = {**SANITIZER_ENV, **(env or {})}

    @property
    def listen(self):
        return self.config["http.listen"]

    def write_config(self, **changes):
        """Changes keys of the file, dots written as double underscores: write_config(signals__ttl_ms=50)."""
        self.config.update({key.replace("__", "."): value for key, value in changes.items()})
        self.config_file.write_text(json.dumps(nest(self.config), indent=2))

    def start(self, ready=True):
        """Starts it; with ready it returns when /-/ready says 200, else when the process was made."""
        self.write_config()
        argv = [*self.command, "-c", self.config_file, *self._args]
        self._process = Process(argv, self.log_path, env=self._env)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_until(self.is_ready, "the daemon to be ready")

    def wait_serving(self):
        """Until it answers HTTP, ready or not."""
        wait_until(lambda: self.ready_word() is not None, "the daemon to answer HTTP")

    def is_ready(self):
        return self.ready_word() == "ready"

    def ready_word(self):
        """"ready", the reason why not as /-/ready gives it, or None where nobody answers yet."""
        if not self.is_running():
            raise DaemonEnded(f"the daemon ended with {self._process.exit_code()}:\n{self.log()}")
        try:
            response = self.get("/-/ready")
        except (OSError, http.client.HTTPException):
            return None
        return "ready" if response.status == 200 else response.text.strip()

    def get(self, path, **headers):
        """GET with headers as keywords: get("/metrics", accept_encoding="gzip")."""
        return mt5_http.request(self.listen, path,
                                headers={key.replace("_", "-"): value for key, value in headers.items()})

    def metrics(self, openmetrics=False):
        response = self.get("/metrics", **({"accept": OPENMETRICS} if openmetrics else {}))
        assert response.status == 200
        return Metrics(response.text, openmetrics)

    def stop(self):
        """SIGTERM. It must end cleanly: exit code 0 and nothing that a sanitizer found."""
        code = self._process.terminate()
        self.assert_no_sanitizer_report()
        assert code == 0, f"exit code {code} after SIGTERM"

    def kill9(self):
        super().kill9()
        self.assert_no_sanitizer_report()

    def restart(self, kill=False, ready=True):
        self.kill9() if kill else self.stop()
        return self.start(ready)

    def wait_exit(self):
        """Waits for an end of its own accord, and returns the exit code."""
        code = self._process.wait()
        self.assert_no_sanitizer_report()
        return code

    def reload(self):
        self._process.send(signal.SIGHUP)

    def send(self, signal_number):
        self._process.send(signal_number)

    def log_lines(self, **fields):
        """The log's lines that carry these logfmt fields with these values."""
        wanted = [re.compile(rf'(?:^|\s){key}=(?:"{re.escape(str(value))}"|{re.escape(str(value))})(?:\s|$)')
                  for key, value in fields.items()]
        return [line for line in self.log().splitlines() if all(word.search(line) for word in wanted)]

    def assert_no_sanitizer_report(self):
        assert not SANITIZER_REPORT.search(self.log()), "a sanitizer's report is in the daemon's log"


class DaemonEnded(Exception):
    """The daemon is not there any more, so there is nothing to wait for."""


def default_config(folder, redis_server, tcp=False):
    """The least a test's daemon needs: its Redis, an address of its own, quick reconnects."""
    user = {}
    if redis_server.shipped:
        password = folder / "redis-password"
        password.write_text(SHIPPED_PASSWORD + "\n")
        user = {"redis.username": "mt5stated", "redis.password_file": str(password)}
    return {
        **user,
        "redis.url": redis_server.url,
        "redis.reconnect_max_ms": 200,
        "http.listen": f"127.0.0.1:{port_free()}" if tcp else f"unix:{folder / 'http.sock'}",
        "log.format": "logfmt",
    }
