"""The soak of scripts/soak in small (tests/soak): each of its faults once in a while, a few instances, some seconds."""

import pytest

from soak.faults import FAULTS
from soak.run import Soak
from soak.world import Plan

# Half of the table each, so that the two together provoke all of it.
HALVES = {"first": FAULTS[::2], "second": FAULTS[1::2]}
SECONDS = 22


@pytest.mark.parametrize("seed, half", enumerate(HALVES), ids=HALVES)
def test_a_short_soak(folder, logs, seed, half):
    plan = Plan(seed=seed, seconds=SECONDS, instances=30, signals_per_sec=150, interval_s=1.5, scale=0.2,
                report_interval_ms=300, is_whole=True)
    told = []
    soak = Soak(plan, folder, say=told.append, faults=HALVES[half])
    logs += [("the soak", lambda: "\n".join(told)), ("mt5stated", soak.world.daemon.log),
             ("redis-server", soak.world.server.log)]
    verdict = soak.run()
    assert verdict.is_good, "\n".join(line for ok, line in verdict.lines if ok is False)
    assert {one.name for one in soak.injected} == {fault.name for fault in HALVES[half]}
