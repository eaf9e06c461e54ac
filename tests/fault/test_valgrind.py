"""The program that is installed, under valgrind: what reads memory that nobody has written, which no other of our tools
finds, and what is left at the end."""

import re

from mt5.daemon import binary
from mt5.invariants import REPORTS, RESULTS, SIGNALS
from mt5.wait import wait_until
from mt5.watching import QUICK, with_token

VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            "--error-exitcode=99"]
PATHS = ("/", "/metrics", "/-/healthy", "/api/v1/instances", "/api/v1/instances/mt5-1/why", "/api/v1/alerts", "/api/v1/events",
         "/api/v1/config", "/api/v1/nothing")


def test_the_main_path_under_valgrind(daemon, bus, folder, receiver, hook):
    announced, notified = receiver(), hook()
    one = daemon(with_token({**QUICK, "redis.command_timeout_ms": 20000, "ha.lease_ms": 20000,
                             "recovery.launch_modes": ["manual"], "notify.webhooks": [{"url": announced.url()}],
                             "hooks.notify": notified.argv}, folder), start=False)
    one.command = [*VALGRIND, binary("MT5STATED_RELEASE", "../release/mt5stated")]
    one.start()
    bus.many(SIGNALS, [{"signal_id": f"s-{i}", "action": action} for i, action in enumerate(["buy", "sell", "odd one"] * 5)])
    bus.many(RESULTS, [{"result_id": f"r-{i}", "signal_id": f"s-{i}", "status": "executed"} for i in range(0, 15, 3)])
    bus.many(REPORTS, [{"instance_id": "mt5-1", "broker_id": "b", "state": "running", "queue_length": length}
                       for length in ("1", "250", "no number")])
    bus.trade("t-1", instance_id="mt5-1", signal_id="s-1", state="pending", symbol="EURUSD")
    wait_until(lambda: bus.client.pubsub_numpat() == 3, "it to listen to what others write")
    bus.client.hset("instance:mt5-2", mapping={"broker_id": "b", "state": "running"})
    bus.settle()
    notified.wait_runs(1)
    one.reload()
    for path in PATHS:
        for coding in ("gzip", "identity"):
            one.get(path, accept_encoding=coding)
    wait_until(lambda: "mt5-2" in bus.members("running"), "the one that others have written to be known")
    assert bus.total("processed:buy") == 5
    one.stop()
    assert re.search(r"ERROR SUMMARY: 0 errors", one.log())
