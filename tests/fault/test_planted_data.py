"""What was once wrong and has been mended, one test for each, where data of the daemon's own was planted, used up or
lost. Where Redis itself is well: integration/test_regressions.py."""

import re

import pytest
import redis

from mt5.usage import cpu_share
from mt5.wait import wait_until

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
CONFIG = {"signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000, "instances.reconcile_interval_ms": 200,
          "redis.info_interval_ms": 50, "ha.lease_ms": 300}
# What was in the streams of events and results is gone, so their checks say nothing any more.
GONE = frozenset({"check_results_counted", "check_last_event_is_state"})
META = "mt5stated:meta"
LAST_ID = "18446744073709551615-18446744073709551615"
EPOCHS = {"too long": "x" * 33, "a zero byte": "a\0b", "empty": ""}
NUMBERS = {"as large as a double counts": "9007199254740991", "no number": "abc"}


def work(bus, name, count=20):
    """Signals of which half are open."""
    for i in range(count):
        bus.signal(f"s-{name}-{i}")
    for i in range(0, count, 2):
        bus.result(f"r-{name}-{i}", f"s-{name}-{i}")
    bus.report("mt5-1", broker_id="b", state="running", cpu_usage="5")
    bus.settle()


def assert_worked(bus, names, count=20):
    bus.settle()
    done = len(names) * count // 2
    assert bus.totals() == {"received:buy": len(names) * count, "processed:buy": done, "result:executed": done}
    assert bus.client.xlen(SIGNALS) == done


def finish(bus, names, count=20):
    """Answers what was left open, which must still be known; what had ended is a duplicate."""
    for name in names:
        for i in range(1, count, 2):
            bus.result(f"r-{name}-{i}", f"s-{name}-{i}")
        bus.signal(f"s-{name}-0")
    bus.settle()
    done = len(names) * count
    assert bus.totals() == {"received:buy": done, "processed:buy": done, "result:executed": done,
                            "duplicate:buy": len(names)}
    assert bus.client.xlen(SIGNALS) == 0


def is_healed(client):
    epoch, applied = client.hmget(META, "epoch", "applied_seq")
    return re.fullmatch(r"[0-9a-f]{32}", epoch or "") and re.fullmatch(r"\d{1,12}", applied or "")


def assert_calm(daemon):
    lines = len(daemon.log().splitlines())
    assert cpu_share(daemon.pid, 0.5) < 0.3
    assert len(daemon.log().splitlines()) <= lines + 2
    assert lines < 60


# ---- planted ----

@pytest.mark.parametrize("field, value", [*(("epoch", value) for value in EPOCHS.values()),
                                          *(("applied_seq", value) for value in NUMBERS.values())],
                         ids=[*(f"epoch {name}" for name in EPOCHS), *(f"applied_seq {name}" for name in NUMBERS)])
def test_meta_planted_while_it_runs_heals(daemon, bus, field, value):
    one = daemon(CONFIG)
    work(bus, "1")
    bus.client.hset(META, field, value)
    wait_until(lambda: is_healed(bus.client), "the planted value to be gone")
    one.wait_ready()
    work(bus, "2")
    assert_worked(bus, ["1", "2"])
    assert_calm(one)
    one.restart()
    finish(bus, ["1", "2"])
    assert one.is_ready()


@pytest.mark.parametrize("value", EPOCHS.values(), ids=EPOCHS.keys())
def test_an_epoch_planted_while_it_was_away_heals(daemon, bus, value):
    one = daemon(CONFIG)
    work(bus, "1")
    one.stop()
    bus.client.hset(META, "epoch", value)
    one.start()
    assert is_healed(bus.client)
    work(bus, "2")
    assert_worked(bus, ["1", "2"])
    assert_calm(one)
    one.restart()
    finish(bus, ["1", "2"])


@pytest.mark.parametrize("value", NUMBERS.values(), ids=NUMBERS.keys())
def test_a_number_planted_while_it_was_away_heals(daemon, bus, value):
    one = daemon(CONFIG)
    work(bus, "1")
    one.stop()
    bus.client.hset(META, "applied_seq", value)
    one.start()
    work(bus, "2")
    assert is_healed(bus.client)
    assert_worked(bus, ["1", "2"])
    assert_calm(one)
    one.restart()
    finish(bus, ["1", "2"])


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it was away"])
def test_a_lease_without_end_is_taken_over(daemon, bus, running):
    one = daemon(CONFIG)
    work(bus, "1")
    if not running:
        one.stop()
    bus.client.set("mt5stated:leader", "x")
    if not running:
        one.start()
    wait_until(lambda: bus.client.get("mt5stated:leader") not in ("x", None), "the lease to be taken over")
    one.wait_ready()
    assert bus.client.pttl("mt5stated:leader") > 0
    work(bus, "2")
    assert_worked(bus, ["1", "2"])
    finish(bus, ["1", "2"])


# ---- used up ----

def test_a_journal_without_ids_left_is_moved_aside(daemon, bus):
    one = daemon(CONFIG)
    work(bus, "1")
    bus.client.xadd("mt5stated:journal", {"lines": ""}, id=LAST_ID)
    work(bus, "2")
    wait_until(lambda: bus.client.exists("mt5stated:displaced:mt5stated:journal") and
               bus.client.exists("mt5stated:journal"), "the journal to be moved aside and made anew")
    work(bus, "3")
    assert_worked(bus, ["1", "2", "3"])
    # What is open and what had ended is known by the journal alone.
    one.restart(kill=True)
    assert_worked(bus, ["1", "2", "3"])
    finish(bus, ["1", "2", "3"])


def test_events_without_ids_left_are_moved_aside(daemon, bus):
    one = daemon({**CONFIG, "rules.InstanceCrash": None})
    bus.register("mt5-1")
    bus.client.xadd("instance_events", {"event": "planted"}, id=LAST_ID)
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: bus.client.exists("mt5stated:displaced:instance_events"), "the events to be moved aside")
    bus.report("mt5-1", state="running")
    bus.settle()
    seq = int(bus.events(instance_id="mt5-1", to="running")[-1]["seq"])
    assert bus.state("mt5-1") == "running" and bus.members("running") == {"mt5-1"}
    one.restart()
    bus.report("mt5-1", state="stopped")
    bus.settle()
    assert int(bus.wait_event(event="instance_stopped", instance_id="mt5-1")["seq"]) == seq + 1


# ---- lost ----

WRITES = {b"HSET", b"SADD", b"SREM", b"ZADD", b"XADD", b"PUBLISH"}


def largest_batch_bytes(client, before):
    """The largest script call or transaction since then. The log of commands has long ones only in part, but how many words they
    have; what a word weighs is told by all that came in."""
    batches, words, every = [], 0, 0
    for entry in reversed(client.slowlog_get(100000)):
        command = entry["command"]
        more = re.search(rb"\((\d+) more arguments\)$", command)
        count = 31 + int(more[1]) if more else len(command.split())
        every += count
        if command.startswith(b"EVAL"):
            batches.append(count)
        elif command == b"EXEC":
            batches.append(words)
            words = 0
        elif command.split()[0] in WRITES:
            words += count
    return max(batches) * (client.info("stats")["total_net_input_bytes"] - before) / every


def test_a_wiped_fleet_is_written_back_whole_before_it_is_ready(daemon, redis_server, bus, expected):
    """And in batches that do not hold up a server for long."""
    expected.skip = GONE
    one = daemon({**CONFIG, "instances.reconcile_interval_ms": 3600000})
    bus.many(REPORTS, [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": "running", "cpu_usage": "50",
                        "last_error": "e" * 300} for i in range(5000)])
    bus.settle()
    redis_server.config_set(slowlog_log_slower_than=0, slowlog_max_len=100000)
    bus.client.slowlog_reset()
    received = bus.client.info("stats")["total_net_input_bytes"]
    words = set()

    def is_ready_again():
        words.add(one.ready_word())
        return len(words) > 1 and one.is_ready()

    bus.client.flushall()
    wait_until(is_ready_again, "it to be ready again")
    there = bus.client.eval("return {#redis.call('KEYS', 'instance:mt5-*'), #redis.call('KEYS', 'instance_health:*'), "
                            "redis.call('SCARD', 'instance:state:running'), "
                            "redis.call('ZCARD', 'instance:index:load'), redis.call('HLEN', 'mt5stated:seq')}", 0)
    assert there == [5000] * 5
    assert words - {"ready"} <= {"rollback", "connecting"}
    assert len(one.log_lines(level="error", kind="wiped")) == 1
    assert largest_batch_bytes(bus.client, received) < 1 << 20


def test_a_journal_that_is_written_back_leaves_room_for_what_is_read(daemon, bus):
    """A batch that is full of the journal takes nothing else, and nothing is read until the last of them is stored."""
    one = daemon(CONFIG)
    ids = [f"{i:036}" for i in range(8000)]
    bus.many(SIGNALS, [{"signal_id": i, "action": "buy"} for i in ids])
    bus.many(RESULTS, [{"result_id": f"r-{i}", "signal_id": i, "status": "executed"} for i in ids])
    bus.settle()
    bus.client.delete("mt5stated:journal")

    def lines():
        return [fields["lines"] for _, fields in bus.client.xrange("mt5stated:journal")]

    wait_until(lambda: len("".join(lines()).splitlines()) >= len(ids), "it to be written back")
    assert one.log_lines(msg="a key of ours was changed by others and is written back", key="mt5stated:journal")
    # A batch cuts its part of the journal into entries of 16 KB and one that is smaller.
    in_a_row = longest = 0
    for text in lines():
        in_a_row = in_a_row + 1 if len(text) > 16000 else 0
        longest = max(longest, in_a_row)
    assert 1 <= longest <= 5


# ---- the watch ----

# A short lease would be lost to a busy machine, and the guard then wants its numbers to be reported again.
WATCHED = {"instances.reconcile_interval_ms": 200, "instances.heartbeat_timeout_ms": 0}
THROTTLED = "instance:index:throttled"
MANY = 1500


def throttle_many(bus):
    bus.many(REPORTS, [{"instance_id": f"mt5-{i}", "broker_id": "b", "state": "running", "queue_length": "500"}
                       for i in range(MANY)])
    wait_until(lambda: bus.client.scard(THROTTLED) == MANY, "all to be throttled", deadline_s=30)
    bus.settle()


def members(client, key):
    try:
        return client.smembers(key) if key == THROTTLED else set(client.hkeys(key))
    except redis.exceptions.ResponseError:
        return set()    # what was planted is still there


def watch_batches(redis_server, bus):
    redis_server.config_set(slowlog_log_slower_than=0, slowlog_max_len=100000)
    bus.client.slowlog_reset()


def words_of_batches(client):
    """How many words the batches had since then."""
    found = []
    for entry in client.slowlog_get(100000):
        if entry["command"].startswith(b"EVALSHA"):
            more = re.search(rb"\((\d+) more arguments\)$", entry["command"])
            found.append(31 + int(more[1]) if more else len(entry["command"].split()))
    return found


def test_one_that_is_missing_among_the_throttled_costs_one_small_batch(daemon, redis_server, bus):
    daemon(WATCHED)
    throttle_many(bus)
    watch_batches(redis_server, bus)
    bus.client.srem(THROTTLED, "mt5-7")
    bus.client.sadd(THROTTLED, "stray")
    wait_until(lambda: bus.client.smembers(THROTTLED) == {f"mt5-{i}" for i in range(MANY)}, "the set to be mended")
    words = words_of_batches(bus.client)
    assert words and max(words) < 100


@pytest.mark.parametrize("key", ["mt5stated:watch", "mt5stated:alerts", "mt5stated:notices", THROTTLED])
def test_what_is_watched_is_written_again_whole_and_in_parts(daemon, redis_server, bus, key):
    daemon(WATCHED)
    throttle_many(bus)
    before = members(bus.client, key)
    assert len(before) == MANY
    watch_batches(redis_server, bus)
    bus.client.delete(key)
    bus.client.rpush(key, "foreign")
    bus.report("another", broker_id="b", state="running", queue_length="500")
    wait_until(lambda: len(members(bus.client, key)) == MANY + 1, "all of it to be there again")
    assert members(bus.client, key) > before
    assert bus.client.lrange(f"mt5stated:displaced:{key}", 0, -1) == ["foreign"]
    if key != THROTTLED:    # the next pass puts in what fits into one batch
        assert max(words_of_batches(bus.client)) < 5 * MANY / 2
