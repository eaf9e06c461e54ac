#!/usr/bin/python3
"""An executor: reads trade signals, places each at most once, and answers with a result. Wants python3-redis.

Nothing is taken from a Redis whose data the daemon has not found in order: behind a failover signals that had ended may be there again.
A signal is claimed under its id before the order goes out. What a killed executor had begun it finds among its pending entries, and
asks the broker about it before it does anything. Broker stands in for yours: place() has to come back within --order-ms, and
find() has to see every order that place() has sent."""

import argparse
import hashlib
import json
import os
import time

import redis

SIGNALS, RESULTS, TRADES = "trade_signals", "trade_results", "trade_updates"
CLAIM_S = 86400   # how long the id of a signal is known


class Broker:
    """A file with a line for each order."""

    def __init__(self, path):
        self.path = path

    def place(self, signal):
        order = {"signal_id": signal["signal_id"], "order": signal.get("symbol", "?"), "direction": signal["action"]}
        with open(self.path, "a") as file:
            file.write(json.dumps(order) + "\n")
        return order

    def find(self, signal_id):
        lines = open(self.path).read().splitlines() if os.path.exists(self.path) else []
        return next((one for one in map(json.loads, lines) if one["signal_id"] == signal_id), None)


class NotInOrder(Exception):
    """What was read says nothing: Redis has been replaced, or started anew."""


class Executor:
    def __init__(self, options):
        self.o = options
        password = open(options.password_file).read().rstrip("\n") if options.password_file else None
        self.redis = redis.Redis.from_url(options.redis, username=options.user, password=password, decode_responses=True)
        self.broker = Broker(options.orders)
        self.server = None    # on which the data is in order

    def now_ms(self):
        """By the clock of Redis, which made the ids of the entries."""
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    def claim(self, signal_id):
        """None where it is ours now, else who has claimed it before, and when."""
        key, mine = "executed:" + signal_id, f"{self.o.name} {self.now_ms()}"
        if self.redis.set(key, mine, nx=True, ex=CLAIM_S):
            return None
        name, at_ms = (self.redis.get(key) or mine).split()
        return name, int(at_ms)

    def is_late(self, entry):
        """Nobody believes in a signal any more once the daemon has dropped it; the order has to be there before."""
        return self.now_ms() + self.o.order_ms > int(entry.split("-")[0]) + self.o.ttl_ms

    def execute(self, entry, signal, is_resumed):
        claimed = self.claim(signal["signal_id"])
        if claimed is None:                                   # it is ours, and nothing was sent
            if self.is_late(entry):
                return
            order = self.broker.place(signal)
        elif is_resumed and claimed[0] == self.o.name:        # we were killed in the middle of it
            # If an order was sent, it is there by now.
            time.sleep(max(0, claimed[1] + self.o.order_ms - self.now_ms()) / 1000)
            order = self.broker.find(signal["signal_id"])
            if order is None and not self.is_late(entry):
                order = self.broker.place(signal)
        else:                                                 # the same id in another entry
            return
        self.tell(signal, order)

    def tell(self, signal, order):
        """A result_id that is made from the signal's is the same however often it is told; the daemon counts it once."""
        digest = hashlib.sha1(signal["signal_id"].encode()).hexdigest()
        if order:
            self.redis.xadd(TRADES, {"trade_id": "t-" + digest, "state": "executed", "direction": order["direction"],
                                     **{name: signal[name] for name in ("instance_id", "symbol", "lot_size") if name in signal}})
        self.redis.xadd(RESULTS, {"result_id": "r-" + digest, "signal_id": signal["signal_id"],
                                  "status": "executed" if order else "failed"})

    def handle(self, entries, is_resumed=False):
        for entry, signal in entries:
            # Without fields: it has ended and was removed. Without an id: the daemon rejects it.
            if "signal_id" in signal and "action" in signal:
                self.execute(entry, signal, is_resumed)
            self.redis.xack(SIGNALS, self.o.group, entry)

    def settled_on(self):
        """Which server this is, and since which of its changes between master and replica; None until the daemon has found its data
        in order, and removed what had ended."""
        server = self.redis.info("replication")["master_replid"]
        return server if self.redis.hget("mt5stated:meta", "settled") == server else None

    def wait_settled(self):
        while not (server := self.settled_on()):
            time.sleep(0.05)
        self.server = server

    def read(self, start, **options):
        read = self.redis.xreadgroup(self.o.group, self.o.name, {SIGNALS: start}, count=100, **options)
        if self.settled_on() != self.server:
            raise NotInOrder("not the server that was in order; waiting for the daemon")
        return read[0][1] if read else []

    def run(self):
        while True:
            try:
                self.make_group()
                self.wait_settled()
                while pending := self.read("0"):
                    self.handle(pending, is_resumed=True)
                while True:
                    self.handle(self.read(">", block=1000))
            except NotInOrder as error:
                print(error, flush=True)    # and what was read is pending: what is left of it comes again
            except redis.exceptions.RedisError as error:
                # Also where a write failed in the middle: what was not acknowledged is pending, and is resumed.
                print(error, flush=True)
                time.sleep(1)

    def make_group(self):
        try:
            self.redis.xgroup_create(SIGNALS, self.o.group, id="0", mkstream=True)
        except redis.exceptions.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def main():
    parser = argparse.ArgumentParser(description="Executes trade signals, each at most once.")
    parser.add_argument("--redis", default=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    parser.add_argument("--user", default=None)
    parser.add_argument("--password-file")
    parser.add_argument("--group", default="executors")
    parser.add_argument("--ttl-ms", type=int, default=30000, help="signals.ttl_ms of mt5stated")
    parser.add_argument("--order-ms", type=int, default=2000, help="an order that was sent has arrived after so long")
    parser.add_argument("--orders", required=True, help="file of the broker that this example makes believe to have")
    parser.add_argument("name", help="of this consumer: the same after a restart, and only one process at a time")
    Executor(parser.parse_args()).run()


if __name__ == "__main__":
    main()
