"""Entries that are as large as Redis lets them be: rejected like any other, at no cost to the rest (SPEC 3)."""

import pathlib

import pytest

from mt5.thorough import only_thorough
from mt5.usage import rss_bytes
from mt5.wait import wait_until

REPORTS, SIGNALS, RESULTS, TRADES = STREAMS = ("instance_reports", "trade_signals", "trade_results", "trade_updates")
MIB = 1 << 20
# What was freed is given back at once, and not kept to find uses of it.
ENV = {"ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=1"}
GROWTH_BYTES = 48 * MIB
# One that Redis takes is no longer than proto-max-bulk-len, 512 MiB.
HOSTILE = {
    "a name of 64 MiB": [{"n" * (64 * MIB): "1"}],
    "a value of 64 MiB": [{"signal_id": "x" * (64 * MIB), "instance_id": "x", "result_id": "x", "trade_id": "x"}],
    "an id of 272 MiB": [{"signal_id": "x" * (272 * MIB)}],
    "100000 fields": [{f"field{i}": "1" for i in range(100000)}],
    "100000 fields of one name": [],
}


def add_repeated(client, stream):
    words = ["state", "running"] * 100000
    client.execute_command("XADD", stream, "*", *words)


@pytest.mark.parametrize("count, size", [(5, 64 * MIB), (600, MIB // 2)], ids=["a few", "many"])
def test_a_backlog_of_large_entries_is_read(daemon, bus, count, size):
    """More than one answer may hold. What they have beside what is known of them is nobody's business."""
    one = daemon({"redis.command_timeout_ms": 20000})
    bus.settle()
    one.stop()
    for i in range(count):
        bus.signal(f"s-{i}", note="x" * size)
    one.start()
    wait_until(lambda: bus.total("received:buy") == count, "the signals to be counted")
    # They stay where they are, and are read again.
    one.restart()
    bus.many(RESULTS, [{"result_id": f"r-{i}", "signal_id": f"s-{i}", "status": "executed"} for i in range(count)])
    bus.settle()
    assert bus.totals() == {"received:buy": count, "processed:buy": count, "result:executed": count}
    assert "link for reading lost" not in one.log()


RANGE = (pathlib.Path(__file__).parents[2] / "src/codec/lua/range.lua").read_text()


def test_of_large_entries_only_what_is_known_is_answered(bus):
    def ask(command, start, end, most):
        return bus.client.eval(RANGE, 1, RESULTS, command, start, end, most, 4097, "result_id", "status")

    assert ask("XRANGE", "-", "+", 10) == []
    bus.client.execute_command("XADD", RESULTS, "1-0", "status", "x" * 5000, "note", "x" * (5 * MIB), "result_id", "r",
                               "status", "executed")
    bus.client.xadd(RESULTS, {"status": "x" * 5000, "n" * MIB: "1"}, id="2-0")
    bus.client.xadd(RESULTS, {"note": "1"}, id="3-0")
    first, second, third = (["1-0", ["status", "executed", "result_id", "r"]], ["2-0", ["status", "x" * 4097]],
                            ["3-0", []])
    # It stops behind one of some MiB, which is not the end.
    assert ask("XRANGE", "-", "+", 10) == [first]
    assert ask("XRANGE", "1-1", "+", 10) == [second, third]
    assert ask("XREVRANGE", "+", "0-0", 2) == [third, second]
    assert ask("XREVRANGE", "1-0", "0-0", 10) == [first]


# A valid result with 260 fields beside, none of which is longer than a string of an answer may be.
ADD_HUGE = """
local words, note = {'result_id', 'r-1', 'signal_id', 's-1', 'status', 'executed'}, string.rep('x', 1048576 - 100)
for i = 1, 260 do
    words[#words + 1] = 'note' .. i
    words[#words + 1] = note
end
return redis.call('XADD', KEYS[1], '*', unpack(words))
"""


@only_thorough
def test_a_kept_entry_that_no_answer_holds_is_loaded(daemon, bus, expected):
    """Once the link has been lost over it, only what is known of entries is asked for."""
    expected.results_duplicate = 1
    one = daemon({"redis.command_timeout_ms": 20000})
    bus.signal("s-1")
    bus.settle()
    bus.client.eval(ADD_HUGE, 1, RESULTS)
    bus.signal("s-2")
    wait_until(lambda: bus.totals() == {"received:buy": 2, "processed:buy": 1, "result:executed": 1},
               "the result to be handled", deadline_s=60)
    one.restart(ready=False)
    wait_until(one.is_ready, "the daemon to be ready", deadline_s=60)
    # Its result_id is known: s-2 stays open.
    bus.result("r-1", "s-2")
    bus.settle()
    assert bus.totals() == {"received:buy": 2, "processed:buy": 1, "result:executed": 1}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_entry_without_measure_is_rejected_and_leaves_nothing(daemon, bus, kind):
    one = daemon({"redis.command_timeout_ms": 20000}, env=ENV)
    bus.register("mt5-1")
    bus.signal("s-1")
    bus.settle()
    before = rss_bytes(one.pid)
    for fields in HOSTILE[kind]:
        bus.add(SIGNALS, fields)
    if not HOSTILE[kind]:
        for stream in STREAMS:
            add_repeated(bus.client, stream)
    # What comes behind is read, in the same stream and in others.
    bus.signal("s-2")
    bus.result("r-1", "s-1")
    bus.report("mt5-1", state="stopped")
    bus.trade("t-1", instance_id="mt5-1", signal_id="s-1", state="pending", symbol="EURUSD")
    wait_until(lambda: bus.total("received:buy") == 2, "the signal behind it to be counted")
    bus.settle()
    assert len(bus.rejected(SIGNALS)) == 1
    assert bus.totals()["processed:buy"] == 1 and bus.state("mt5-1") == "stopped"
    wait_until(lambda: rss_bytes(one.pid) < before + GROWTH_BYTES, "the memory to be given back")
    assert "link for reading lost" not in one.log()
