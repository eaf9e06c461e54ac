"""Measures the daemon against a floor in the same run, and prints ratios.

The floor (bench_floor.c) issues the same commands and keeps no books. Runs of the two are interleaved, because the speed of a
shared machine drifts: what counts is the ratio, the CPU time and the memory, not the rate by itself.
"""

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import redis

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench: timed out waiting for {what}")
        time.sleep(0.01)


class Redis:
    def __init__(self, folder):
        self.socket = os.path.join(folder, "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no",
             "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(unix_socket_path=self.socket, decode_responses=True)
        wait_until(self.answers, "redis-server")

    def answers(self):
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def feed(self, lines):
        """Writes inline commands as fast as redis-cli takes them."""
        pipe = subprocess.Popen(["redis-cli", "-s", self.socket, "--pipe"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL)
        chunk = []
        for words in lines:
            chunk.append(b"*%d\r\n" % len(words))
            for word in words:
                word = word.encode()
                chunk.append(b"$%d\r\n%s\r\n" % (len(word), word))
            if len(chunk) > 20000:
                pipe.stdin.write(b"".join(chunk))
                chunk = []
        pipe.stdin.write(b"".join(chunk))
        pipe.stdin.close()
        if pipe.wait() != 0:
            sys.exit("bench: redis-cli --pipe failed")

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()


class Daemon:
    def __init__(self, binary, server, folder, *settings):
        self.http = os.path.join(folder, "http.sock")
        words = [binary, "--set", f"redis.url=unix://{server.socket}", "--set", f"http.listen=unix:{self.http}"]
        for setting in settings:
            words += ["--set", setting]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        if self.process.wait(10) != 0:
            sys.exit("bench: the daemon did not stop cleanly")


def signals(count):
    for i in range(count):
        yield ["XADD", "trade_signals", "*", "signal_id", f"signal-{i:08d}", "action", "buy", "instance_id",
               f"mt5-{i % 100}", "symbol", "EURUSD", "lot_size", "0.10", "price", "1.08500"]


def results(count):
    for i in range(count):
        yield ["XADD", "trade_results", "*", "result_id", f"result-{i:08d}", "signal_id", f"signal-{i:08d}", "status",
               "executed", "slippage", "0.1", "execution_time", "12.5"]


def preload(server, count):
    server.client.flushall()
    server.feed(signals(count))
    server.feed(results(count))


def measure(server, process, count, done):
    """Rate, CPU per signal of the client and of Redis, in µs, from the process's start until DONE."""
    redis_before, began = server.cpu(), time.monotonic()
    wait_until(lambda: done(server.client), "the drain")
    seconds = time.monotonic() - began
    client = cpu_seconds(process.pid) if process.poll() is None else None
    return count / seconds, client and client / count * 1e6, (server.cpu() - redis_before) / count * 1e6


def drain_daemon(binary, server, folder, count):
    preload(server, count)
    daemon = Daemon(binary, server, folder, "signals.ttl_ms=600000")
    figures = measure(server, daemon.process, count,
                      lambda c: c.hget("mt5stated:totals", "processed:buy") == str(count))
    totals = server.client.hgetall("mt5stated:totals")
    daemon.stop()
    if totals.get("received:buy") != str(count) or server.client.xlen("trade_signals") != 0:
        sys.exit(f"bench: totals are wrong: {totals}")
    return figures


def drain_floor(floor, server, count):
    preload(server, count)
    before = os.times()
    process = subprocess.Popen([floor, server.socket, str(count)])
    redis_before, began = server.cpu(), time.monotonic()
    if process.wait() != 0:
        sys.exit("bench: the floor failed")
    seconds, after = time.monotonic() - began, os.times()
    client = after.children_user + after.children_system - before.children_user - before.children_system
    return count / seconds, client / count * 1e6, (server.cpu() - redis_before) / count * 1e6


def bench_drain(args, server, folder):
    floor, daemon = [], []
    for _ in range(args.runs):
        floor.append(drain_floor(args.floor, server, args.signals))
        daemon.append(drain_daemon(args.daemon, server, folder, args.signals))
    print(f"\nDrain of {args.signals} preloaded signals with a result each ({args.runs} runs of each, interleaved; medians)")
    print(f"{'':10}{'signals/s':>12}{'client µs':>12}{'Redis µs':>12}")
    rows = {}
    for name, runs in (("floor", floor), ("mt5stated", daemon)):
        rows[name] = [statistics.median(r[i] for r in runs) for i in range(3)]
        print(f"{name:10}{rows[name][0]:12.0f}{rows[name][1]:12.2f}{rows[name][2]:12.2f}")
    ratios = [statistics.median(d[i] / f[i] for d, f in zip(daemon, floor)) for i in range(3)]
    print(f"{'ratio':10}{ratios[0]:12.2f}{ratios[1]:12.2f}{ratios[2]:12.2f}")


def reports(instances, with_id):
    for i in range(instances):
        words = ["XADD", "instance_reports", "*", "instance_id", f"mt5-{i}", "broker_id", f"b{i % 5}", "host_id",
                 f"h{i % 20}", "state", "running", "cpu_usage", f"{i % 100}.{with_id}", "memory_usage", "512.5",
                 "memory_limit", "2048", "network_usage", "12.5", "disk_usage", "1024", "network_latency", "12",
                 "queue_length", "3", "load_average", "0.45", "socket_connections", "4", "active_connections", "2"]
        yield words


def get(daemon, path, headers=None):


    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(daemon.http)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"bench: GET {path}: {answer.status}")
    return body


def cpu_per_request(daemon, path, times):
    get(daemon, path)
    before, began = cpu_seconds(daemon.pid), time.monotonic()
    for _ in range(times):
        get(daemon, path)
    return (cpu_seconds(daemon.pid) - before) / times * 1e6, (time.monotonic() - began) / times * 1e6


def bench_scrape(args, server, folder):
    server.client.flushall()
    daemon = Daemon(args.daemon, server, folder, "instances.heartbeat_timeout_ms=0")
    wait_until(lambda: server.client.hexists("mt5stated:meta", "epoch"), "the daemon")
    empty_bytes = resident_bytes(daemon.pid)
    server.feed(reports(args.instances, 0))
    wait_until(lambda: server.client.scard("instance:state:running") == args.instances, "the reports")
    filled_bytes = resident_bytes(daemon.pid)

    before, redis_before = cpu_seconds(daemon.pid), server.cpu()
    rounds = 20
    for n in range(1, rounds + 1):
        server.feed(reports(args.instances, n))
    wait_until(lambda: server.client.hget(f"instance_metrics:mt5-{args.instances - 1}", "cpu_usage")
               == f"{(args.instances - 1) % 100}.{rounds}", "the reports")
    report_us = (cpu_seconds(daemon.pid) - before) / (rounds * args.instances) * 1e6

    series = sum(1 for line in get(daemon, "/metrics").splitlines() if line and not line.startswith(b"#"))
    base_us, _ = cpu_per_request(daemon, "/-/healthy", 200)
    scrape_us, _ = cpu_per_request(daemon, "/metrics", 50)
    print(f"\nReports and scrapes with {args.instances} instances")
    print(f"  daemon CPU per report (one field of ten changed)  {report_us:8.2f} µs")
    print(f"  series                                            {series:8d}")
    print(f"  daemon CPU per scrape                             {scrape_us:8.0f} µs")
    print(f"  ratio to an empty answer (/-/healthy)             {scrape_us / base_us if base_us else float('nan'):8.1f}")
    print(f"  per series, the empty answer taken off            {(scrape_us - base_us) / series * 1e3:8.0f} ns")
    print(f"\nMemory\n  empty                                             {empty_bytes / 1e6:8.1f} MB")
    print(f"  per instance                                      {(filled_bytes - empty_bytes) / args.instances:8.0f} bytes")
    daemon.stop()


def bench_open(args, server, folder):
    server.client.flushall()
    daemon = Daemon(args.daemon, server, folder, "signals.ttl_ms=600000")
    wait_until(lambda: server.client.hexists("mt5stated:meta", "epoch"), "the daemon")
    before = resident_bytes(daemon.pid)
    server.feed(signals(args.signals))
    wait_until(lambda: server.client.hget("mt5stated:totals", "received:buy") == str(args.signals), "the signals")
    print(f"  per open signal ({args.signals} open)                      "
          f"{(resident_bytes(daemon.pid) - before) / args.signals:8.0f} bytes")
    daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--signals", type=int, default=200000)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mt5stated-bench-") as folder:
        server = Redis(folder)
        try:
            bench_drain(args, server, folder)
            bench_scrape(args, server, folder)
            bench_open(args, server, folder)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
