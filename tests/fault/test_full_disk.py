"""Redis has no room for its append-only file any more (SPEC 6.5): it refuses to write, that is said with the reason, and when
there is room again all goes on by itself. What it had acknowledged meanwhile is there, also after a kill -9 of it."""

import pytest
import redis as redis_py

from mt5.fixtures import make_folder
from mt5.redis_server import RedisServer
from mt5.small_disk import NoMounts, SmallDisk
from mt5.wait import wait_until

MIB = 1 << 20


@pytest.fixture
def disk(folder):
    try:
        one = SmallDisk(make_folder(folder, "disk"), 64 * MIB)
    except NoMounts as error:
        pytest.skip(f"nobody may mount anything here: {error}")
    yield one
    one.stop()


@pytest.fixture
def redis_server(folder, disk, logs):
    """As shipped: synced each second. With `always` Redis ends itself where it cannot write."""
    server = RedisServer(make_folder(folder, "redis"), aof=True, fsync="everysec", data=disk.path)
    logs.append(("redis-server", server.log))
    yield server
    server.kill9()


def add_until_refused(bus, size):
    """How many signals were acknowledged before one was not."""
    for number in range(100):
        try:
            bus.signal(f"full-{number}", note="x" * size)
        except redis_py.exceptions.ResponseError as error:
            assert "MISCONF" in str(error) and "No space left on device" in str(error)
            return number
    raise AssertionError("it has room for all of them")


def test_no_room_for_the_append_only_file(daemon, bus, disk, redis_server):
    one = daemon()
    bus.register("mt5-1")
    bus.signal("s-1")
    bus.settle()
    with disk.full():
        added = add_until_refused(bus, 10000)
        wait_until(lambda: one.ready_word() == "read_only", "it to be not ready")
        [line] = wait_until(lambda: one.log_lines(level="error"), "it to say so")
        assert "MISCONF" in line and "No space left on device" in line
        assert one.get("/-/healthy").status == 200
        assert bus.totals() == {"received:buy": 1}
    one.wait_ready()
    bus.result("r-1", "s-1")
    bus.report("mt5-1", state="stopped")
    bus.settle()
    totals = {"received:buy": 1 + added, "processed:buy": 1, "result:executed": 1}
    assert bus.totals() == totals
    redis_server.restart(kill=True)
    one.wait_ready()
    bus.settle()
    assert bus.totals() == totals and bus.state("mt5-1") == "stopped"
    assert one.metrics().total("mt5stated_redis_rollbacks_total") == 0
    # Once, and once more with how often.
    assert 1 <= len(one.log_lines(level="error", msg="redis takes no writes")) <= 2
