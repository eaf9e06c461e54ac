"""The failovers of scripts/soak in small (tests/soak/failovers.py): some of its faults, once each."""

import pytest

from mt5.fixtures import make_folder
from soak.failovers import World, run

NAMES = ("master: kill -9", "master: SENTINEL FAILOVER", "active daemon: SIGSTOP")


@pytest.fixture
def world(folder, logs):
    world = World(7, make_folder(folder, "failovers"), per_second=60)
    logs.append(("servers and sentinels", world.group.log))
    logs += [(f"mt5stated {number}", one.log) for number, one in enumerate(world.daemons, 1)]
    yield world
    world.kill()


def test_failovers_under_load(world):
    told = []
    lines = list(run(world, NAMES, seconds=0, interval_s=0.2, say=told.append))
    assert len(told) == len(NAMES)
    assert [line for ok, line in lines if ok is False] == []
