"""Measures what large answers cost the daemon: nanoseconds a series, and the longest turn of the loop, for scrapes with and
without gzip and for the lists of the API; and the drain in seconds with a scrape against that in the seconds without.
Prints; asserts nothing.

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
WINDOW_S = 1
SETTINGS = ("signals.ttl_ms=600000", "instances.heartbeat_timeout_ms=0")


class Turns:
    """Of the daemon that is started by it."""

    def __init__(self, library, folder):
        self._path, self._library = os.path.join(folder, "turns"), library

    def start(self, args, server, folder):
        os.environ.update(MT5_TURNS=self._path, LD_PRELOAD=self._library)  # redis-server's turns are none of ours
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
    server.client.save()  # where it was started
    return os.path.join(folder, "dump.rdb")


def scrape_on(port, source, headers, wanted):
    while wanted.acquire():
        skip_answer(port, "/metrics", source, headers)


def watch_drain(args, store, wanted):
    """Signals a second in windows of a second, until all are drained; a scrape is begun with every other window."""
    done = lambda: int(store.client.hget("mt5stated:totals", "processed:buy") or 0)
    rates, before, began = [], done(), time.monotonic()
    while True:
        if len(rates) % 2:
            wanted.release()
        time.sleep(WINDOW_S)
        now, at = done(), time.monotonic()
        if now == args.signals:
            return rates
        rates.append((now - before) / (at - began))
        before, began = now, at


def drain(args, folder, dump, turns, source=None, headers=""):
    """The rates of watch_drain, and the daemon's turns. What the machine does to both kinds of windows is about the same."""
    store = Store(folder, dump)
    daemon = turns.start(args, store, folder)
    wanted = multiprocessing.Semaphore(0)
    scraper = multiprocessing.Process(target=scrape_on, args=(args.port, source, headers, wanted), daemon=True)
    try:
        wait_until(lambda: store.client.hexists("mt5stated:totals", "processed:buy"), "the first signal")
        scraper.start()
        turns.reset()
        rates = watch_drain(args, store, wanted)
        return rates, turns.read()
    finally:
        scraper.terminate()
        scraper.join()
        daemon.stop()
        store.stop()


def bench_drain(args, folder, dump, turns, elsewhere):
    kinds = {"a scrape each second": {}}
    if elsewhere:
        kinds["a scrape each second, gzip"] = elsewhere
    for name, kind in kinds.items():
        runs = [drain(args, folder, dump, turns, **kind) for _ in range(args.runs)]
        ratios = [2 * rates[i] / (rates[i - 1] + rates[i + 1]) for rates, _ in runs for i in range(1, len(rates) - 1, 2)]
        print(f"drain, {name:27}{statistics.median(r for rates, _ in runs for r in rates[::2]):9.0f}/s between; to the windows beside"
              f" it, a window with a scrape: {statistics.median(ratios):.2f} ({' '.join(f'{r:.2f}' for r in sorted(ratios))});"
              f" longest turn {max(f[3] for _, f in runs) / 1000:.1f} ms CPU, over 5 ms: {sum(f[4] for _, f in runs)} of"
              f" {sum(f[0] for _, f in runs)}", flush=True)


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
            try:
                server.feed(reports(args.instances, 0))
                wait_until(lambda: server.client.scard("instance:state:running") == args.instances, "the reports")
                time.sleep(0.5)  # what followed from them is stored
                if not args.save:
                    bench_answers(args, daemon, turns, elsewhere)
            finally:
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
