"""Measures what large answers cost the daemon: nanoseconds a series, and the longest turn of the loop, for scrapes with and
without gzip and for the lists of the API, idle and while signals are drained; and the drain with a scrape each second
against that without. Prints; asserts nothing.

Turns are measured inside the daemon (turns.c, preloaded). What counts is their CPU time: how long a turn takes by the clock
is the machine's doing as well.
"""

import argparse
import multiprocessing
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import redis

from bench import Daemon, Redis, cpu_seconds, reports, resident_bytes, results, signals, wait_until

TURNS = struct.Struct("QQQQQ")
BUFFER_BYTES = 1 << 20
SETTINGS = ("signals.ttl_ms=600000", "instances.heartbeat_timeout_ms=0")


class Turns:
    """Of the daemon that is started by it."""

    def __init__(self, library, folder):
        self._path, self._library = os.path.join(folder, "turns"), library

    def start(self, args, server, folder):
        os.environ.update(MT5_TURNS=self._path, LD_PRELOAD=self._library) # redis-server's turns are none of ours
        try:
            return Daemon(args.daemon, server, folder, *SETTINGS, f"http.listen=127.0.0.1:{args.port}")
        finally:
            del os.environ["MT5_TURNS"], os.environ["LD_PRELOAD"]

    def reset(self):
        with open(self._path, "r+b") as file:
            file.write(bytes(TURNS.size))

    def read(self):
        """(count, CPU µs, longest µs, longest CPU µs, how many over 5 ms of CPU time)."""
        with open(self._path, "rb") as file:
            return TURNS.unpack(file.read(TURNS.size))


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def read_answer(port, path, source=None, headers=""):
    """The bytes of a whole answer, head and all."""
    buffer, parts = bytearray(BUFFER_BYTES), []
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode())
        while got := client.recv_into(buffer):
            parts.append(bytes(memoryview(buffer)[:got]))
    return b"".join(parts)


def skip_answer(port, path, source, headers):
    """Takes it as quickly as can be; bytes."""
    buffer, total = bytearray(BUFFER_BYTES), 0
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode())
        while got := client.recv_into(buffer):
            total += got
    return total


def body_of(answer):
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"scrapes: {head[:200]}")
    if b"chunked" in head.lower():
        parts, at = [], 0
        while size := int(body[at:(end := body.index(b"\r\n", at))], 16):
            parts.append(body[end + 2:end + 2 + size])
            at = end + 2 + size + 2
        body = b"".join(parts)
    return zlib.decompress(body, 31) if b"gzip" in head.lower() else body


def count_series(body):
    return sum(1 for line in body.splitlines() if line and not line.startswith(b"#"))


def measure(name, daemon, turns, port, path, times, source=None, headers="", per=0):
    read_answer(port, path, source, headers)
    turns.reset()
    before, began = cpu_seconds(daemon.pid), time.monotonic()
    for _ in range(times):
        size = skip_answer(port, path, source, headers)
    time.sleep(0.05)
    seconds = time.monotonic() - began - 0.05
    count, cpu_us, longest_us, longest_cpu_us, over = turns.read()
    each = f"{cpu_us / times / per * 1000:8.1f} ns" if per else f"{'':11}"
    print(f"{name:44}{size:10}{cpu_us / times / 1000:9.2f}{seconds / times * 1000:9.2f}{each}{count / times:8.0f}"
          f"{longest_cpu_us / 1000:9.2f}{longest_us / 1000:9.2f}{over:6}", flush=True)


def scrape_on(port, every_s, source, headers, stop):
    while not stop.wait(every_s):
        skip_answer(port, "/metrics", source, headers)


class Store:
    """A redis-server that begins with a dump."""

    def __init__(self, folder, dump):
        self.socket = os.path.join(folder, "loaded.sock")
        shutil.copy(dump, os.path.join(folder, "loaded.rdb"))
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", folder, "--dbfilename",
             "loaded.rdb", "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(unix_socket_path=self.socket, decode_responses=True)
        wait_until(self.is_loaded, "redis-server")

    def is_loaded(self):
        try:
            return self.client.info("persistence")["loading"] == 0
        except redis.RedisError:
            return False

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()


def prepare(args, server, folder):
    """Instances that are known, and signals with their results that wait."""
    server.feed(signals(args.signals))
    server.feed(results(args.signals))
    server.client.save() # where it was started
    return os.path.join(folder, "dump.rdb")


def drain(args, folder, dump, turns, every_s, source=None, headers=""):
    """Rate, CPU µs a signal, seconds, turns; from when the daemon is ready to the last signal."""
    store = Store(folder, dump)
    daemon = turns.start(args, store, folder)
    done = lambda: int(store.client.hget("mt5stated:totals", "processed:buy") or 0)
    wait_until(done, "the first signal")
    stop = multiprocessing.Event()
    scraper = multiprocessing.Process(target=scrape_on, args=(args.port, every_s, source, headers, stop), daemon=True)
    if every_s:
        scraper.start()
    turns.reset()
    first, began, before = done(), time.monotonic(), cpu_seconds(daemon.pid)
    wait_until(lambda: done() == args.signals, "the drain")
    seconds, cpu = time.monotonic() - began, cpu_seconds(daemon.pid) - before
    figures = turns.read()
    stop.set()
    if every_s:
        scraper.join()
    daemon.stop()
    store.stop()
    return (args.signals - first) / seconds, cpu / (args.signals - first) * 1e6, seconds, figures


def bench_drain(args, folder, dump, turns, elsewhere):
    kinds = {"without": {"every_s": 0}, "a scrape each second": {"every_s": 1}}
    if elsewhere:
        kinds["a scrape each second, gzip"] = {"every_s": 1, **elsewhere}
    rows = {name: [] for name in kinds}
    for _ in range(args.runs):
        for name, kind in kinds.items():
            rows[name].append(drain(args, folder, dump, turns, **kind))
    for name, runs in rows.items():
        ratios = [run[0] / without[0] for run, without in zip(runs, rows["without"])]
        print(f"drain, {name:27}{statistics.median(r[0] for r in runs):9.0f}/s{statistics.median(r[1] for r in runs):7.2f} µs CPU"
              f"{statistics.median(r[2] for r in runs):7.2f} s; ratios {' '.join(f'{r:.2f}' for r in ratios)}; turns/s"
              f" {statistics.median(r[3][0] / r[2] for r in runs):.0f}, longest CPU ms {[r[3][3] / 1000 for r in runs]}, over 5 ms"
              f" {[r[3][4] for r in runs]}", flush=True)


def bench_answers(args, daemon, turns, elsewhere):
    series = count_series(body_of(read_answer(args.port, "/metrics")))
    if elsewhere and count_series(body_of(read_answer(args.port, "/metrics", **elsewhere))) != series:
        sys.exit("scrapes: the pages differ")
    print(f"{args.instances} instances, {series} series\n{'':44}{'':10}{'':9}{'':9}{'':11}{'':8}{'longest turn':>18}\n"
          f"{'':44}{'bytes':>10}{'CPU ms':>9}{'ms':>9}{'a series':>11}{'turns':>8}{'CPU ms':>9}{'ms':>9}{'>5 ms':>6}")
    before = resident_bytes(daemon.pid)
    measure("/-/healthy", daemon, turns, args.port, "/-/healthy", 20)
    measure("/metrics", daemon, turns, args.port, "/metrics", 10, per=series)
    if elsewhere:
        measure("/metrics, gzip", daemon, turns, args.port, "/metrics", 10, per=series, **elsewhere)
    for path in ("/api/v1/instances?limit=1000", "/api/v1/instances?limit=250", "/api/v1/instances",
                 "/api/v1/alerts?limit=1000", "/api/v1/status", "/api/v1/history", "/api/v1/events?limit=1000", "/"):
        measure(path, daemon, turns, args.port, path, 10)
    print(f"resident: {before / 1e6:.1f} MB before, {resident_bytes(daemon.pid) / 1e6:.1f} MB after", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--turns", required=True)
    parser.add_argument("--instances", type=int, default=12500)
    parser.add_argument("--signals", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=19464)
    parser.add_argument("--save", help="only make a dump of Redis there, for --load")
    parser.add_argument("--load", help="only the drain, from that dump")
    args = parser.parse_args()
    for name in ("daemon", "turns", "save", "load"):
        setattr(args, name, getattr(args, name) and os.path.abspath(getattr(args, name)))
    address = own_address()
    elsewhere = {"source": (address, 0), "headers": "Accept-Encoding: gzip\r\n"} if address else None
    with tempfile.TemporaryDirectory(prefix="mt5stated-scrapes-") as folder:
        turns = Turns(args.turns, folder)
        os.chdir(folder)
        if args.load:
            bench_drain(args, folder, args.load, turns, elsewhere)
            return
        server = Redis(folder)
        try:
            daemon = turns.start(args, server, folder)
            server.feed(reports(args.instances, 0))
            wait_until(lambda: server.client.scard("instance:state:running") == args.instances, "the reports")
            time.sleep(0.5) # what followed from them is stored
            if not args.save:
                bench_answers(args, daemon, turns, elsewhere)
            daemon.stop()
            if args.signals:
                dump = prepare(args, server, folder)
        finally:
            server.stop()
        if args.save:
            shutil.copy(dump, args.save)
        elif args.signals:
            bench_drain(args, folder, dump, turns, elsewhere)


if __name__ == "__main__":
    main()
