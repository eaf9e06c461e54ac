"""Measures what slow and dead clients cost the others: how long /-/healthy and /metrics take with and without 200 of a
kind. Prints the distributions; asserts nothing.

A process of its own asks, on a new connection each time, while this one plays the clients and makes events. With
--realtime (as root) the daemon and the one who asks run before everything else on the machine, so that what is seen
is the daemon and not the scheduler: on a machine that does other work the same run shows the longest waits for a
core.
"""

import argparse
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time

from figure import percentile
from load import reports
from options import parse, positive, whole
from stage import Redis, resident_bytes

from mt5.wait import let_pass, wait_until

HEALTHY_EVERY_S = 0.005
METRICS_EVERY_S = 0.05
TICK_S = 0.5
PRIORITY = 50


def be_first(pid):
    os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(PRIORITY))


def ask(port, path):
    """Milliseconds from before the connect to the last byte."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head = client.recv(65536)
        while client.recv(1 << 20):
            pass
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head[:200])
    return (time.perf_counter() - began) * 1000


def measure(port, seconds, realtime, out):
    if realtime:
        be_first(0)
    found = {"/-/healthy": [], "/metrics": [], "failed": []}
    end, next_metrics = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        path = "/metrics" if time.monotonic() >= next_metrics else "/-/healthy"
        if path == "/metrics":
            next_metrics = time.monotonic() + METRICS_EVERY_S
        try:
            found[path].append(ask(port, path))
        except OSError as error:
            found["failed"].append(f"{path}: {error}")
        let_pass(HEALTHY_EVERY_S)
    out.put(found)


class Clients:
    """COUNT clients of a kind; those that the daemon closes come again. `request` is sent at once, then `drip` a byte
    a tick, and `read` bytes are read a tick."""

    def __init__(self, port, count, request=b"", drip=b"", read=0):
        self.port, self.request, self.drip, self.read, self.closed = port, request, drip, read, 0
        self.sockets = [self.connect() for _ in range(count)]

    def connect(self):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect(("127.0.0.1", self.port))
        client.sendall(self.request)
        client.setblocking(False)
        return client

    def tick(self):
        for i, client in enumerate(self.sockets):
            try:
                if self.drip:
                    client.send(self.drip)
                if self.read:
                    gone = client.recv(self.read) == b""
                else:
                    gone = False
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                self.closed += 1
                client.close()
                self.sockets[i] = self.connect()

    def close(self):
        for client in self.sockets:
            client.close()


def line(path, more=""):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}".encode()


KINDS = {
    "nobody": None,
    "connected and silent": {},
    "half a request, a byte a tick": {"request": line("/metrics", "X-Slow: "), "drip": b"x"},
    "a body that drips": {"request": line("/-/reload", "Content-Length: 1000\r\n\r\n").replace(b"GET", b"POST"),
                          "drip": b"x"},
    "/metrics read at 1 byte a tick": {"request": line("/metrics", "\r\n"), "read": 1},
    "all instances, never read": {"request": line("/api/v1/instances?limit=1000", "\r\n")},
    "events, never read": {"request": line("/api/v1/events?since=0", "Accept: text/event-stream\r\n\r\n")},
}


class Daemon:
    def __init__(self, binary, server, realtime):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [binary, "--set", f"redis.url=unix://{server.socket}", "--set", f"http.listen=127.0.0.1:{self.port}",
             "--set", "instances.heartbeat_timeout_ms=0", "--set", "observe_only=true"], stderr=subprocess.DEVNULL)
        if realtime:
            be_first(self.process.pid)
        wait_until(self.answers, "the daemon")

    def answers(self):
        try:
            return ask(self.port, "/-/ready") > 0
        except OSError:
            return False

    def get(self, path):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(line(path, "Connection: close\r\n\r\n"))
            whole = b"".join(iter(lambda: client.recv(1 << 20), b""))
        return whole.partition(b"\r\n\r\n")[2].decode()

    def delays(self):
        """Upper bound in ms → how many timers of the loop fired so late, or less."""
        return {text.split('"')[1]: int(float(text.split()[-1])) for text in self.get("/metrics").splitlines()
                if text.startswith("mt5stated_loop_delay_seconds_bucket")}

    def stop(self):
        self.process.terminate()
        if self.process.wait(10) != 0:
            sys.exit("clients: the daemon did not stop cleanly")


def late(before, after, above_s):
    """How many timers were later than that."""
    below = max((bound for bound in after if bound != "+Inf" and float(bound) <= above_s), key=float)
    return (after["+Inf"] - before["+Inf"]) - (after[below] - before[below])


def shown(values):
    if not values:
        return "      none"
    return " ".join(f"{value:8.2f}" for value in (percentile(values, 0.5), percentile(values, 0.99), max(values)))


def run(args, server, daemon, kind):
    clients = Clients(daemon.port, args.clients, **KINDS[kind]) if KINDS[kind] is not None else None
    before = daemon.delays()
    out = multiprocessing.Queue()
    process = multiprocessing.Process(target=measure, args=(daemon.port, args.seconds, args.realtime, out))
    process.start()
    number, peak = 0, 0
    while process.is_alive() and out.empty():
        number += 1
        for i in range(20):    # so that there are events to be told, and instances that move
            server.client.xadd("instance_reports", {"instance_id": f"mt5-{(number * 20 + i) % args.instances}",
                                                    "state": "stopped" if number % 2 else "running"})
        if clients:
            clients.tick()
        peak = max(peak, resident_bytes(daemon.process.pid))
        let_pass(TICK_S)
    found = out.get()
    process.join()
    after = daemon.delays()
    print(f"{kind:32} {shown(found['/-/healthy'])}   {shown(found['/metrics'])}   {len(found['failed']):6}"
          f"   {clients.closed if clients else 0:6}   {late(before, after, 0.01):5}   {peak / 1e6:7.1f}", flush=True)
    for text in found["failed"][:3]:
        print(f"    {text}")
    if clients:
        clients.close()
    return found


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench clients", description=__doc__.splitlines()[0])
    parser.add_argument("--daemon", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=whole, default=200)
    parser.add_argument("--instances", type=whole, default=1000)
    parser.add_argument("--seconds", type=positive, default=10)
    parser.add_argument("--kind", help="those only whose name holds this")
    parser.add_argument("--realtime", action="store_true")
    args = parse(parser)
    with tempfile.TemporaryDirectory(prefix="mt5stated-bench-") as folder:
        server = Redis(folder)
        daemon = Daemon(args.daemon, server, args.realtime)
        try:
            server.feed(reports(args.instances, 0, state="running"))
            wait_until(lambda: server.client.scard("instance:state:running") == args.instances, "the reports")
            print(f"{args.clients} clients, {args.instances} instances, load {os.getloadavg()[0]:.1f} on"
                  f" {os.cpu_count()} cores{', realtime' if args.realtime else ''}; milliseconds")
            print(f"{'':32} {'/-/healthy':>26}   {'/metrics':>26}   {'':6}   {'came':>6}   {'late':>5}   {'peak':>7}")
            print(f"{'the clients':32} {'p50':>8} {'p99':>8} {'max':>8}   {'p50':>8} {'p99':>8} {'max':>8}   failed"
                  f"   {'again':>6}   {'10 ms':>5}   {'MB':>7}")
            for kind in KINDS:
                if not args.kind or args.kind in kind:
                    run(args, server, daemon, kind)
        finally:
            daemon.stop()
            server.stop()


if __name__ == "__main__":
    main()
