"""The daemon, agents, executors and producers as the users of config/redis/users.acl, with the rights that these have and
no others, on a server with config/redis/mt5stated.conf."""

import re

import pytest
import redis as redis_py

from mt5.redis_server import SHIPPED
from mt5.wait import wait_until

# How Redis says it: to a client, and to a script.
NOT_ALLOWED = "NOPERM|no permissions|can't (run|access)|may not"

DENIED = redis_py.exceptions.NoPermissionError
USERS = {line.split()[1]: line for line in (SHIPPED / "users.acl").read_text().splitlines()}

pytestmark = pytest.mark.redis(shipped=True, aof=True)


@pytest.fixture
def people(redis_server):
    """A client for each user."""
    clients = {name: redis_server.client_as(name) for name in USERS if name != "default"}
    yield clients
    for client in clients.values():
        client.close()


def no_complaint(one):
    """Nothing was refused, and nobody says anything of rights or settings. Alerts are what was reported."""
    assert not re.search(f"{NOT_ALLOWED}|refused|does not let|may evict", one.log()), one.log()
    assert not [line for line in one.log_lines(level="error") if " msg=" in line]


# ---- the server ----

def test_the_configuration_is_taken(redis_server, redis):
    told = redis.config_get("*")
    for line in (SHIPPED / "mt5stated.conf").read_text().splitlines():
        if line and not line.startswith(("#", "aclfile", "appendfsync", "maxmemory ")):   # these the tests have their own of
            name, value = line.split(" ", 1)
            flags = told[name]
            assert sorted(flags) == sorted(value.strip('"')), line
    assert int(told["maxmemory"]) == 1 << 30


def test_without_a_password_nobody_gets_in(redis_server):
    """As shipped, that is before passwords were given."""
    for name, line in USERS.items():
        assert not re.search(r" [>#<!]| nopass", line), f"{name} comes with a password"
    with pytest.raises(redis_py.exceptions.RedisError):
        redis_py.Redis(unix_socket_path=str(redis_server.socket)).ping()


def test_what_was_stored_is_there_after_a_crash_of_the_server(daemon, redis_server, people, bus):
    """Redis 7.0 executes the transactions of its append-only file with the rights of the user default, and leaves out what
    that one may not do. It is off here, but has to have them."""
    daemon(FAST)
    live_through(people, bus)
    before = bus.totals(), bus.members("running"), bus.client.hgetall("mt5stated:meta")["applied_seq"]
    redis_server.restart(kill=True)
    assert "NOPERM" not in redis_server.log()
    assert (bus.totals(), bus.members("running")) == before[:2]
    assert int(bus.client.hget("mt5stated:meta", "applied_seq")) >= int(before[2])


# ---- the main path ----

FAST = {"signals.ttl_ms": 400, "recovery.timeout_ms": 2000, "recovery.backoff_ms": [0], "instances.max": 50,
        "instances.reconcile_interval_ms": 200, "trades.closed_ttl_s": 1}


def live_through(people, bus):
    """A day in the life of a fleet, each one as the user that it is."""
    agent, executor, producer = people["agent"], people["executor"], people["producer"]
    for name in ("i1", "i2", "i3"):
        agent.xadd("instance_reports", {"instance_id": name, "broker_id": "b1", "state": "running", "cpu_usage": 1,
                                        "queue_length": 0})
    agent.xadd("instance_reports", {"instance_id": "i9", "state": "nonsense"})
    bus.settle()
    assert producer.smembers("instance:state:running") == {"i1", "i2", "i3"}
    assert producer.zrange("instance:index:load", 0, -1) and producer.hgetall("instance:i1")["state"] == "running"

    executor.xgroup_create("trade_signals", "executors", "0", mkstream=True)
    for name in ("s1", "s2", "s3"):
        producer.xadd("trade_signals", {"signal_id": name, "action": "buy", "instance_id": "i1"})
    producer.xadd("trade_signals", {"signal_id": "s4"})
    got = executor.xreadgroup("executors", "one", {"trade_signals": ">"}, count=10)
    entries = [entry for entry, _ in got[0][1]]
    executor.xadd("trade_results", {"result_id": "r1", "signal_id": "s1", "status": "executed", "slippage": -0.5})
    executor.xadd("trade_results", {"result_id": "r2", "signal_id": "s2", "status": "failed"})
    executor.xadd("trade_results", {"result_id": "r3", "signal_id": "s1"})
    executor.xack("trade_signals", "executors", *entries)
    executor.xautoclaim("trade_signals", "executors", "one", 0)
    for state in ("pending", "executed", "closed"):
        executor.xadd("trade_updates", {"trade_id": "t1", "instance_id": "i1", "state": state})
    executor.xadd("trade_updates", {"trade_id": "t2", "state": "nonsense"})
    bus.wait_total("dropped:buy", 1)
    bus.settle()
    assert bus.totals() == {"received:buy": 3, "processed:buy": 1, "failed:buy": 1, "dropped:buy": 1,
                            "result:executed": 1, "result:failed": 1}
    assert all(len(bus.rejected(stream)) == 1
               for stream in ("instance_reports", "trade_signals", "trade_results", "trade_updates"))
    assert bus.dropped()[0]["signal_id"] == "s3"


def obey(people, bus):
    """A crash, its command, and the answer to it; then a queue, which throttles."""
    agent = people["agent"]
    agent.xadd("instance_reports", {"instance_id": "i2", "state": "crashed"})
    command = wait_until(lambda: [fields for _, fields in agent.xrange("instance_commands")
                                  if fields["instance_id"] == "i2"], "the command")[0]
    assert command["command"] == "recover"
    agent.xadd("instance_reports", {"instance_id": "i2", "state": "running", "command_id": command["command_id"],
                                    "command_status": "ok"})
    bus.wait_event(event="command_completed", instance_id="i2")
    agent.xadd("instance_reports", {"instance_id": "i3", "queue_length": 500})
    wait_until(lambda: people["producer"].sismember("instance:index:throttled", "i3"), "i3 to be throttled")
    agent.xadd("instance_reports", {"instance_id": "i3", "queue_length": 0})
    wait_until(lambda: not people["producer"].sismember("instance:index:throttled", "i3"), "i3 to be let go")


def test_the_main_path(daemon, people, bus):
    one = daemon(FAST)
    live_through(people, bus)
    obey(people, bus)
    no_complaint(one)


@pytest.mark.parametrize("kill", [False, True])
def test_a_restart_and_what_it_reads(daemon, people, bus, kill):
    one = daemon(FAST)
    live_through(people, bus)
    people["producer"].xadd("trade_signals", {"signal_id": "s9", "action": "sell"})
    bus.settle()
    one.restart(kill=kill)
    bus.wait_total("dropped:sell", 1)
    obey(people, bus)
    no_complaint(one)


def test_writes_of_others_are_followed_by_notifications(daemon, people, bus, redis):
    one = daemon({"instances.reconcile_interval_ms": 600000})
    bus.register("i1")
    redis.hset("instance:i1", "state", "stopped")
    bus.wait_event(event="instance_stopped", instance_id="i1")
    redis.hset("instance:i2", mapping={"broker_id": "b", "state": "running"})
    bus.wait_event(event="instance_registered", instance_id="i2")
    no_complaint(one)


def test_what_drifts_is_put_right(daemon, people, bus, redis):
    one = daemon(FAST)
    live_through(people, bus)
    redis.srem("instance:state:running", "i1")
    redis.sadd("instance:state:crashed", "i1")
    redis.zrem("instance:index:load", "i1")
    wait_until(lambda: redis.sismember("instance:state:running", "i1")
               and not redis.sismember("instance:state:crashed", "i1")
               and redis.zscore("instance:index:load", "i1") is not None, "it to be put right")
    wait_until(lambda: not redis.scard("trade:state:closed"), "the trade that has expired to leave its set")
    no_complaint(one)


def test_a_foreign_value_is_moved_aside(daemon, people, bus, redis):
    one = daemon(FAST)
    bus.register("i1")
    redis.set("instance:state:stopped", "foreign")
    bus.report("i1", state="stopped")
    bus.wait_event(event="instance_stopped", instance_id="i1")
    assert redis.get("mt5stated:displaced:instance:state:stopped") == "foreign"
    assert not re.search(NOT_ALLOWED, one.log())


def test_an_instance_is_removed(daemon, bus):
    one = daemon({"instances.forget_after_s": 1})
    bus.register("i1", state="stopped")
    bus.wait_event(event="instance_removed", instance_id="i1")
    assert bus.instance("i1") == {}
    no_complaint(one)


def test_a_wiped_redis_is_written_back(daemon, redis_server, people, bus, expected):
    expected.skip = frozenset({"check_results_counted", "check_last_event_is_state"})
    one = daemon(FAST)
    live_through(people, bus)
    totals = bus.totals()
    redis_server.kill9()
    redis_server.wipe()
    redis_server.start()
    wait_until(lambda: one.log_lines(msg="what was held here is written back"), "it to be written back")
    one.wait_ready()
    assert bus.members("running") == {"i1", "i2", "i3"} and bus.totals() == totals
    assert not re.search(NOT_ALLOWED, one.log())


def test_a_standby_takes_over(daemon, people, bus):
    first = daemon(FAST)
    second = daemon({**FAST, "streams.consumer": "second"}, ready=False)
    wait_until(lambda: second.ready_word() == "standby", "the second to wait")
    live_through(people, bus)
    first.stop()
    second.wait_ready()
    obey(people, bus)
    no_complaint(second)


# ---- no more than is needed ----

def rights():
    """Each right of the daemon's user, as what takes it away."""
    words = USERS["mt5stated"].split()[3:]
    commands = [word[1:] for word in words if word.startswith("+")]
    keys = [word for word in words if word.startswith("~")]
    channels = [word for word in words if word.startswith("&")]
    return [pytest.param("command", word, id=word) for word in commands] + \
        [pytest.param("key", word, id=word[1:].replace(":*", "")) for word in keys] + \
        [pytest.param("channel", word, id=word[1:].replace("__keyspace@0__:", "keyspace-").replace(":*", ""))
         for word in channels]


def without(kind, right):
    """The rules that leave the daemon's user all but this one."""
    words = USERS["mt5stated"].split()[3:]
    if kind == "command":
        return [f"-{right}"]
    prefix = right[0]
    return ["resetkeys" if prefix == "~" else "resetchannels",
            *(word for word in words if word.startswith(prefix) and word != right)]


def is_told(one):
    """A line of warning or error that says that something is not allowed, or not ready for good."""
    return [line for line in one.log_lines(level="error") + one.log_lines(level="warning")
            if re.search(NOT_ALLOWED, line)]


# The database 0 is what a connection begins with, a name is only for people, and the role matters where Sentinel names the
# server (test_sentinel.py).
UNSEEN = {"select", "client|setname", "role"}
FOR_LARGE_BATCHES = {"multi", "exec", "watch", "unwatch"}


@pytest.mark.no_invariants(reason="a daemon that may not do its work does not do it")
@pytest.mark.parametrize("kind, right", rights())
def test_each_right_that_is_taken_away_is_noticed(daemon, redis_server, redis, bus, kind, right):
    one = daemon({**FAST, "redis.info_interval_ms": 50, "instances.forget_after_s": 1, "instances.max": 1000,
                  "signals.ttl_ms": 100})
    provoke(redis, bus)
    bus.settle()
    one.kill9()
    assert not is_told(one)
    redis_server.set_user("mt5stated", *without(kind, right))
    one.start(ready=False)
    one.wait_serving()
    provoke(redis, bus)
    if right in UNSEEN:
        one.wait_ready()
        return
    if right in FOR_LARGE_BATCHES:
        bus.settle()
        bus.many("instance_reports", [{"instance_id": f"many-{i}", "broker_id": "b1", "state": "stopped"} for i in range(300)])
    wait_until(lambda: is_told(one), f"it to say that {right} is missing")
    one.kill9()   # it would wait for writes that are not to be


def provoke(redis, bus):
    """Something of everything, by somebody who may do all."""
    redis.set("instance:state:restarting", "foreign")
    for i in range(3):
        bus.report("i1", broker_id="b1", state="running", queue_length=500 * i)
        bus.report("i2", broker_id="b1", state="restarting")
        bus.report("i3", broker_id="b1", state="stopped")
        bus.report("i4", state="x")
        bus.signal(f"s{i}")
        bus.signal(f"t{i}")
        bus.signal(f"u{i}", action="?")
        bus.result(f"r{i}", f"s{i}")
        bus.result(f"q{i}", f"s{i}", status="?")
        bus.trade(f"t{i}", state="executed")
        bus.trade(f"t{i}", state="closed")
        bus.trade(f"t{i}", state="?")
    redis.hset("instance:i8", mapping={"broker_id": "b1", "state": "running"})


# ---- what the others may not ----

@pytest.mark.parametrize("user, command", [
    ("agent", "XADD trade_signals * a b"), ("agent", "XADD instance_commands * a b"), ("agent", "HSET instance:i1 state running"),
    ("agent", "HGETALL instance:i1"), ("agent", "XREAD STREAMS trade_results 0"), ("agent", "XDEL instance_reports 1-1"),
    ("agent", "CONFIG GET *"), ("agent", "FLUSHALL"), ("agent", "SUBSCRIBE instance:events"),
    ("executor", "XADD trade_signals * a b"), ("executor", "XADD instance_reports * a b"),
    ("executor", "SET instance:i1 x"), ("executor", "SET mt5stated:leader x"), ("executor", "DEL executed:s1"),
    ("executor", "XDEL trade_signals 1-1"), ("executor", "XTRIM trade_signals MAXLEN 0"), ("executor", "DEL trade_signals"),
    ("executor", "XRANGE trade_results - +"), ("executor", "XGROUP DESTROY trade_signals executors"),
    ("producer", "XADD trade_results * a b"), ("producer", "HSET instance:i1 state running"),
    ("producer", "SADD instance:index:throttled i1"), ("producer", "XDEL trade_signals 1-1"),
    ("producer", "PUBLISH instance:events x"), ("producer", "GET mt5stated:leader"),
    ("reader", "HSET instance:i1 state running"), ("reader", "GET mt5stated:leader"), ("reader", "XADD trade_signals * a b"),
    ("reader", "CONFIG GET *"), ("mt5stated", "FLUSHALL"), ("mt5stated", "CONFIG SET maxmemory 1"), ("mt5stated", "KEYS *"),
    ("mt5stated", "ACL LIST"), ("mt5stated", "SHUTDOWN"), ("mt5stated", "GET some_other_key"), ("mt5stated", "CLIENT LIST"),
    ("mt5stated", "PUBLISH other x"), ("mt5stated", "PSUBSCRIBE *"), ("mt5stated", "MONITOR"),
])
def test_nobody_may_do_more(people, user, command):
    with pytest.raises(DENIED):
        people[user].execute_command(*command.split())


def test_the_reader_sees_all_that_is_for_others(daemon, people, bus):
    daemon(FAST)
    live_through(people, bus)
    reader = people["reader"]
    assert reader.hgetall("instance:i1") and reader.hgetall("mt5stated:totals") and reader.hgetall("trade:t1")
    assert reader.xread({"instance_events": "0"}) and reader.xinfo_groups("trade_signals")
    assert reader.xrange("trade_signals_dropped") and reader.zcard("instance:index:load") == 3
    listener = reader.pubsub()
    listener.subscribe("instance:events")
    assert listener.get_message(timeout=5)["type"] == "subscribe"
    listener.close()
