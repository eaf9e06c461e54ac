"""The other side of the streams: what agents, producers and executors write, and what they see come of it."""

import contextlib

import redis

from mt5.invariants import EVENTS, POSITIONS, REPORTS, RESULTS, SIGNALS, STREAMS, TRADES, entry_id
from mt5.wait import wait_until


class Bus:
    """Everything through one client of the test's redis-server. A method that adds returns the entry's ID."""

    def __init__(self, client):
        self.client = client

    def add(self, stream, fields, entry="*"):
        return self.client.xadd(stream, fields, id=entry)

    def report(self, instance_id, **fields):
        return self.add(REPORTS, {"instance_id": instance_id, **fields})

    def register(self, instance_id, state="running", broker_id="broker-1", **fields):
        """A first report, waited for."""
        self.report(instance_id, broker_id=broker_id, state=state, **fields)
        self.settle()

    def signal(self, signal_id, action="buy", entry="*", **fields):
        return self.add(SIGNALS, {"signal_id": signal_id, "action": action, **fields}, entry)

    def result(self, result_id, signal_id, status="executed", **fields):
        return self.add(RESULTS, {"result_id": result_id, "signal_id": signal_id, "status": status, **fields})

    def trade(self, trade_id, **fields):
        return self.add(TRADES, {"trade_id": trade_id, **fields})

    def many(self, stream, entries):
        """Adds a list of fields in one go."""
        with self.client.pipeline(transaction=False) as pipe:
            for fields in entries:
                pipe.xadd(stream, fields)
            return pipe.execute()

    def settle(self, *streams):
        """Waits until the daemon has handled every entry of these streams, by default of all. What an entry has
        brought about is stored together with that it was handled, so both can be seen afterwards."""
        for stream in streams or STREAMS:
            wait_until(lambda name=stream: self.is_handled(name), f"{stream} to be handled")

    def is_handled(self, stream):
        # Redis may be away for a moment: that is what some tests are about.
        with contextlib.suppress(redis.exceptions.RedisError):
            position = self.client.hget("mt5stated:meta", POSITIONS[stream]) or "0-0"
            return entry_id(position) >= entry_id(self.last_id(stream))
        return False

    def last_id(self, stream):
        if not self.client.exists(stream):
            return "0-0"
        return self.client.xinfo_stream(stream)["last-generated-id"]

    def now_ms(self):
        """The server's clock, which entry IDs carry."""
        seconds, microseconds = self.client.time()
        return seconds * 1000 + microseconds // 1000

    def wait_age(self, stream, age_ms):
        """Waits until the newest entry of a stream is older than that."""
        added_ms, _ = entry_id(self.last_id(stream))
        wait_until(lambda: self.now_ms() > added_ms + age_ms, f"{stream} to be {age_ms} ms old")

    def links(self):
        """The connections of every daemon, as CLIENT LIST tells of them."""
        return [link for link in self.client.client_list() if link["name"].startswith("mt5stated")]

    def cut(self, links):
        for link in links:
            with contextlib.suppress(redis.exceptions.ResponseError):   # gone already
                self.client.client_kill_filter(_id=link["id"])

    def entries(self, stream):
        """The fields of every entry, oldest first."""
        return [fields for _, fields in self.client.xrange(stream)]

    def ids(self, stream):
        return [entry for entry, _ in self.client.xrange(stream)]

    def rejected(self, stream):
        return self.entries(stream + "_rejected")

    def dropped(self):
        return self.entries(SIGNALS + "_dropped")

    def events(self, **fields):
        """The events that carry these values."""
        return [event for event in self.entries(EVENTS) if fields.items() <= event.items()]

    def transitions(self, instance_id):
        """(event, from, to) of each event about an instance's coming, state and health, None where it has no such
        field; what is done about them is told apart."""
        return [(event["event"], event.get("from"), event.get("to"))
                for event in self.events(instance_id=instance_id) if event["event"].startswith("instance_")]

    def wait_event(self, **fields):
        return wait_until(lambda: self.events(**fields), f"an event with {fields}")[0]

    def instance(self, instance_id):
        return self.client.hgetall(f"instance:{instance_id}")

    def metrics(self, instance_id):
        return self.client.hgetall(f"instance_metrics:{instance_id}")

    def health(self, instance_id):
        return self.client.hgetall(f"instance_health:{instance_id}")

    def state(self, instance_id):
        return self.client.hget(f"instance:{instance_id}", "state")

    def wait_state(self, instance_id, state):
        wait_until(lambda: self.state(instance_id) == state, f"{instance_id} to be {state}")

    def members(self, state):
        return self.client.smembers(f"instance:state:{state}")

    def scores(self):
        return dict(self.client.zrange("instance:index:load", 0, -1, withscores=True))

    def stored_trade(self, trade_id):
        return self.client.hgetall(f"trade:{trade_id}")

    def trades_in(self, state):
        return self.client.smembers(f"trade:state:{state}")

    def totals(self):
        return {name: int(value) for name, value in self.client.hgetall("mt5stated:totals").items()}

    def total(self, name):
        return int(self.client.hget("mt5stated:totals", name) or 0)

    def wait_total(self, name, value):
        wait_until(lambda: self.total(name) == value, f"{name} to be {value}")
