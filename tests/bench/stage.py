"""The processes that a measurement needs, and what they used: a redis-server of its own over data that was made once, the
daemon, and programs that end by themselves."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import redis

from mt5.wait import wait_until


SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "config" / "redis" / "mt5stated.conf"


def fail(text):
    sys.exit(f"bench: {text}")


def cpu_ns(pid):
    """Of all its threads; /proc/PID/stat counts in ticks of 10 ms."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def shipped_nodes():
    """What config/redis says of nodes of streams, as words for redis-server."""
    return ("--stream-node-max-entries", re.search(r"^stream-node-max-entries (\d+)$", SHIPPED.read_text(), re.MULTILINE)[1])


class Program:
    """A process that was started for the measurement. It is killed in the end if it has not ended by itself."""

    def __init__(self, words, **more):
        self.process = subprocess.Popen([str(word) for word in words], **more)

    @property
    def pid(self):
        return self.process.pid

    def cpu_ns(self):
        return cpu_ns(self.pid)

    def end(self):
        """Waits for its end; the CPU time of all its life in ns."""
        _, status, usage = os.wait4(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            fail(f"{self.process.args[0]} ended with {self.process.returncode}")
        return round((usage.ru_utime + usage.ru_stime) * 1e9)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Redis(Program):
    """`data`: an RDB file that it starts over. `settings`: words of its command line, for what is not its default."""

    def __init__(self, folder, data=None, settings=()):
        self.folder = pathlib.Path(folder)
        self.socket = str(self.folder / "redis.sock")
        pathlib.Path(self.socket).unlink(missing_ok=True)
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        if data:
            os.link(data, self.folder / "dump.rdb")
        super().__init__(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no",
             "--dir", folder, "--maxmemory-policy", "noeviction", "--stop-writes-on-bgsave-error", "no",
             *settings],
            stdout=subprocess.DEVNULL)
        self.wire = None
        self.client = redis.Redis(unix_socket_path=self.socket, decode_responses=True)
        wait_until(self._answers, "redis-server")

    def _answers(self):
        try:
            return self.client.ping()
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    def feed(self, commands):
        """Writes commands, which are bytes, as fast as redis-cli takes them."""
        pipe = subprocess.Popen(["redis-cli", "-s", self.socket, "--pipe"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL)
        chunk = []
        for command in commands:
            chunk.append(command)
            if len(chunk) == 5000:
                pipe.stdin.write(b"".join(chunk))
                chunk = []
        pipe.stdin.write(b"".join(chunk))
        pipe.stdin.close()
        if pipe.wait() != 0:
            fail("redis-cli --pipe failed")

    def feed_one(self, command):
        """Without a process for it."""
        if not self.wire:
            self.wire = socket.socket(socket.AF_UNIX)
            self.wire.connect(self.socket)
        self.wire.sendall(command)
        if not self.wire.recv(4096).startswith(b"$"):
            fail("Redis refuses an entry")

    def total(self, name):
        return int(self.client.hget("mt5stated:totals", name) or 0)

    def is_taken(self):
        """A daemon is active over it."""
        return self.client.hexists("mt5stated:meta", "epoch")

    def stop(self):
        self.client.close()
        super().stop()


class Stock:
    """What a run starts over is made once and kept as an RDB file: runs are alike, and start at once."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.files = {}

    def get(self, name, make, settings=()):
        """The file of that name; make(server) fills it the first time, on a server with these settings."""
        if name not in self.files:
            with Redis(self.folder, settings=settings) as server:
                make(server)
                server.client.save()
            self.files[name] = self.folder / f"{len(self.files)}.rdb"
            shutil.move(self.folder / "dump.rdb", self.files[name])
        return self.files[name]


class Daemon(Program):
    """`settings`: KEY=VALUE. `under`: words of a command in front of it."""

    def __init__(self, binary, server, *settings, under=()):
        self.http = str(server.folder / "http.sock")
        pathlib.Path(self.http).unlink(missing_ok=True)
        words = [*under, binary, "--set", f"redis.url=unix://{server.socket}", "--set", f"http.listen=unix:{self.http}"]
        for setting in settings:
            words += ["--set", setting]
        super().__init__(words, stderr=subprocess.DEVNULL)

    def get(self, path, **headers):
        connection = self.connect()
        try:
            return ask(connection, path, **headers)
        finally:
            connection.close()

    def connect(self):
        return connect_to(self.http)

    def is_ready(self):
        try:
            return b"ready" in self.get("/-/ready")
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self):
        wait_until(self.is_ready, "the daemon to be ready")
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            if self.process.wait(60) != 0:
                fail("the daemon did not stop cleanly")


def connect_to(path):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    return connection


def ask(connection, path, **headers):
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"GET {path}: {answer.status}")
    return body
