"""Sentinels that say something else than a daemon would like to hear (SPEC 10): each a clear line, and no hot loop."""

import json
import subprocess
import time

import pytest

from mt5.bus import Bus
from mt5.fake_sentinel import FakeSentinel
from mt5.fixtures import make_folder, maker
from mt5.ports import port_free
from mt5.redis_server import RedisServer
from mt5.sentinels import MASTER_NAME
from mt5.wait import let_pass, wait_until

pytestmark = pytest.mark.redis(tcp=True, shipped=False)


@pytest.fixture
def sentinel():
    yield from maker(FakeSentinel)


@pytest.fixture
def second(folder, logs):
    server = RedisServer(make_folder(folder, "second"), tcp=True, shipped=False)
    logs.append(("second redis-server", server.log))
    yield server
    server.stop()


def config(*sentinels, **more):
    return {"redis.url": "redis://127.0.0.1:1/0", "redis.master_name": MASTER_NAME,
            "redis.sentinels": [one if isinstance(one, str) else one.where for one in sentinels], **more}


def address(server):
    return ("127.0.0.1", server.tcp_port)


def error_of(daemon):
    return json.loads(daemon.get("/api/v1/status").text)["redis"]["error"]


def assert_rate(times, since, per_second):
    """At most so many a second, whatever the machine is like: between the first and the last there were the pauses."""
    counted = [at for at in times if at >= since]
    assert len(counted) <= 2 + per_second * (time.monotonic() - since)


def watched():
    """Some time, to see how often a thing is done, and when that began."""
    since = time.monotonic()
    let_pass(1)
    return since


def test_the_first_that_answers_will_do(daemon, sentinel, redis_server, bus):
    one = daemon(config(f"127.0.0.1:{port_free()}", sentinel(address(redis_server))))
    bus.register("mt5-1")
    [line] = one.log_lines(msg="sentinel names the master")
    assert f"address=127.0.0.1:{redis_server.tcp_port}" in line


@pytest.mark.skipif(subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0,
                    reason="no namespace of mounts can be made here")
def test_names_with_several_addresses_and_names_that_are_slow(daemon, sentinel, redis_server, folder):
    """With /etc/hosts and /etc/resolv.conf of its own: at the first address of each name nobody listens, and the one server
    that would know of another name never answers. Nobody is held up by that."""
    (folder / "hosts").write_text("127.0.0.9 sentinel-1\n127.0.0.1 sentinel-1\n127.0.0.9 redis-1\n127.0.0.1 redis-1\n")
    (folder / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    fake = sentinel(("redis-1", redis_server.tcp_port))
    one = daemon(config("slow.example:26379", f"sentinel-1:{fake.port}"), start=False)
    one.command = ["unshare", "-m", "sh", "-c", 'for f in hosts resolv.conf; do mount --bind "$0/$f" "/etc/$f"; done; exec "$@"',
                   str(folder), *one.command]
    one.start()
    assert one.log_lines(msg="redis connected", host="redis-1")
    assert not one.log_lines(msg="cannot reach a sentinel", sentinel=f"sentinel-1:{fake.port}")


def test_a_master_that_they_do_not_know(daemon, sentinel, redis_server):
    fake = sentinel()
    one = daemon(config(fake), ready=False)
    wait_until(lambda: one.log_lines(msg="a sentinel does not name the master", master=MASTER_NAME,
                                     reason="it knows no master of that name"), "the line")
    assert_rate(fake.asked, watched(), 2)
    assert one.ready_word() == "connecting"
    assert error_of(one) == f"sentinel {fake.where}: it knows no master of that name"
    fake.names = address(redis_server)
    one.wait_ready()


@pytest.mark.parametrize("begin, answer, said", [
    ("", b"-NOAUTH Authentication required.\r\n", "NOAUTH Authentication required."),
    ("SENTINEL", b"-NOPERM this user has no permissions\r\n", "NOPERM this user has no permissions"),
    ("SENTINEL", b"*2\r\n$3\r\na b\r\n$1\r\n1\r\n", "cannot be understood"),
    ("SENTINEL", b"nonsense\r\n", "Protocol error"),
], ids=["password", "right", "odd", "nonsense"])
def test_sentinels_that_refuse(daemon, sentinel, redis_server, begin, answer, said):
    fake = sentinel(address(redis_server), answers={begin: answer})
    one = daemon(config(fake), ready=False)
    wait_until(lambda: said in one.log(), "the line")
    since = watched()
    assert_rate(fake.connected, since, 2)
    assert one.ready_word() == "connecting"
    assert said in error_of(one)
    fake.answers = {}
    one.wait_ready()


def test_one_that_closes_at_once(daemon, sentinel, redis_server):
    fake = sentinel(address(redis_server), answers={"": b""})
    one = daemon(config(fake, f"127.0.0.1:{port_free()}", **{"redis.connect_timeout_ms": 100}), ready=False)
    wait_until(lambda: len(one.log_lines(msg="cannot reach a sentinel")) >= 2, "the lines")
    assert_rate(fake.connected, watched(), 2)
    fake.answers = {}
    one.wait_ready()


def test_the_highest_epoch_counts(daemon, sentinel, redis_server, bus):
    """Two name a server that is gone; the third has heard of a failover."""
    gone = ("127.0.0.1", port_free())
    stale = [sentinel(gone, epoch=3), sentinel(gone, epoch=3)]
    fresh = sentinel(address(redis_server), epoch=4)
    one = daemon(config(*stale, fresh))
    bus.register("mt5-1")
    line = wait_until(lambda: one.log_lines(msg="the sentinels do not agree on the master"), "the line")[0]
    assert f"taken=127.0.0.1:{redis_server.tcp_port} epoch=4" in line
    assert f"says=127.0.0.1:{gone[1]} its_epoch=3" in line
    assert one.is_ready()


def test_an_announcement_moves_the_daemon(daemon, sentinel, redis_server, second):
    """The address is another one while the old master lives on: nothing is written there any more."""
    fake = sentinel(address(redis_server))
    one = daemon(config(fake))
    with redis_server.client() as old, second.client() as new:
        wait_until(lambda: Bus(old).links(), "the daemon to be there")
        wait_until(lambda: fake._listeners, "the daemon to listen")
        asked = len(fake.asked)
        fake.publish("+switch-master", "another 127.0.0.1 1 127.0.0.1 2")
        fake.names, fake.epoch = address(second), 2
        fake.publish("+switch-master", f"{MASTER_NAME} 127.0.0.1 1 127.0.0.1 2")
        wait_until(lambda: Bus(new).links() and not Bus(old).links(), "the daemon to move")
        assert len(fake.asked) > asked
        applied = old.hget("mt5stated:meta", "beat")
        one.wait_ready()
        assert old.hget("mt5stated:meta", "beat") == applied
    assert one.metrics().value("mt5stated_redis_switches_total") == 1
    assert one.metrics().value("mt5stated_sentinels_answering") == 1


def test_an_address_that_is_no_master(daemon, sentinel, redis_server, second):
    """The master is made a replica of another before its Sentinel has heard of it."""
    fake = sentinel(address(redis_server))
    one = daemon(config(fake))
    with redis_server.client() as old, second.client() as new:
        old.config_set("masteruser", "harness")
        old.config_set("masterauth", "harness-secret")
        old.replicaof("127.0.0.1", second.tcp_port)
        wait_until(lambda: one.log_lines(msg="what sentinel names as the master says that it is none"), "the line")
        before = old.info("stats")["total_connections_received"]
        since = watched()
        tries = old.info("stats")["total_connections_received"] - before
        assert tries <= 2 + 2 * (time.monotonic() - since)
        assert one.ready_word() in ("connecting", "read_only")
        assert error_of(one) in ("not a master: ROLE says slave",
                                 "READONLY You can't write against a read only replica.")
        fake.names, fake.epoch = address(second), 2
        one.wait_ready()
        assert Bus(new).links()
        old.replicaof("NO", "ONE")     # else the other waits for it at its end


def test_silent_sentinels_do_not_hold_up_the_daemon(daemon, sentinel, redis_server, bus):
    """They all go while the master is well. A link that is lost then waits for one of them."""
    fake = sentinel(address(redis_server))
    one = daemon(config(fake))
    bus.register("mt5-1")
    port = fake.port
    fake.stop()
    wait_until(lambda: one.log_lines(msg="cannot reach a sentinel"), "it to be missed")
    bus.register("mt5-2")
    assert one.is_ready()
    bus.cut(bus.links())
    wait_until(lambda: not one.is_ready(), "the daemon to wait")
    sentinel(address(redis_server), port=port)
    one.wait_ready()
    bus.register("mt5-3")


@pytest.mark.redis(tcp=True, users=("user mt5 on >some-secret ~* &* +@all -role",))
def test_the_right_to_ask_for_the_role(daemon, sentinel, redis_server, folder):
    (folder / "password").write_text("some-secret")
    one = daemon(config(sentinel(address(redis_server)), **{"redis.username": "mt5",
                                                            "redis.password_file": str(folder / "password")}), ready=False)
    wait_until(lambda: "ROLE refused: NOPERM" in one.log(), "the line")
    assert one.ready_word() in ("connecting", None)
    redis_server.set_user("mt5", "+role")
    one.wait_ready()


def test_over_and_back(daemon, sentinel, redis_server, second, expected):
    """The new master is behind, so its data gets an epoch of its own; then the old one is master again, with the old
    epoch and without what was done meanwhile. It is the daemon's own data all the same, and written back."""
    expected.skip = frozenset({"check_results_counted", "check_last_event_is_state"})
    fake = sentinel(address(redis_server))
    one = daemon(config(fake, **{"guard.hold_ms": 0}))
    with redis_server.client() as first, second.client() as other:
        bus = Bus(first)
        bus.signal("a")
        bus.result("r-a", "a")
        bus.settle()
        other.config_set("masteruser", "harness")
        other.config_set("masterauth", "harness-secret")
        first.config_set("repl-diskless-sync-delay", 0)
        other.replicaof("127.0.0.1", redis_server.tcp_port)
        wait_until(lambda: other.hgetall("mt5stated:totals") == first.hgetall("mt5stated:totals"), "the replica to be in step")
        other.replicaof("NO", "ONE")
        bus.signal("b")
        bus.result("r-b", "b")
        bus.settle()

        def move(client, server, epoch, rollbacks):
            fake.names, fake.epoch = address(server), epoch
            wait_until(lambda: one.metrics().value("mt5stated_redis_rollbacks_total", kind="rolled_back") == rollbacks,
                       "the loss to be noticed")
            one.wait_ready()
            return Bus(client)

        bus = move(other, second, 2, 1)
        assert bus.total("processed:buy") == 2
        bus.signal("c")
        bus.result("r-c", "c")
        bus.settle()
        bus = move(first, redis_server, 3, 2)
        assert bus.total("processed:buy") == 3
        bus.signal("c")
        bus.settle()
        assert bus.total("duplicate:buy") == 1
    assert not one.log_lines(msg="redis holds other data")
