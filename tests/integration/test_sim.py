"""mt5sim against a Redis alone: its ledger has to be what is in the streams, entry by entry, whatever happened to its
connections, and its executors have to do what real ones do. Its agents: test_sim_agents.py."""

import re
import resource
import signal
import subprocess
import time
from collections import Counter, defaultdict

import pytest

from mt5.daemon import binary
from mt5.sim import Sim, wait_entries
from mt5.wait import wait_until

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
IDENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
PROCESSED = {"executed", "partially_filled", "closed"}
FAILED = {"failed", "rejected", "cancelled", "expired"}
REPORT_NUMBERS = ("cpu_usage memory_usage memory_limit network_usage disk_usage network_latency queue_length load_average "
                  "socket_connections active_connections uptime_seconds restart_count").split()
TRADE_NUMBERS = "lot_size requested_price execution_price stop_loss take_profit partial_fill_percentage leverage".split()

# Every kind of trouble, much of it.
TROUBLE = {
    "fail_share": "10%", "partial_share": 0.1, "accepted_share": 0.3, "followup_share": 0.1,
    "unanswered_share": "5%", "early_share": "5%", "duplicate_share": 0.05, "duplicate_result_share": 0.05,
    "malformed_share": "5%", "restart_fail_share": 0.3, "shuffle": 20,
}


def is_ident(text, longest=64):
    return text is not None and len(text) <= longest and IDENT.match(text) is not None


def is_number(text, signed=False):
    return re.fullmatch(r"-?\d+(?:\.\d+)?", text) is not None and (signed or float(text) >= 0)


def is_optional_ident(entry, *names):
    return all(is_ident(entry[name]) for name in names if name in entry)


def is_valid_signal(entry):
    return is_ident(entry.get("signal_id")) and is_ident(entry.get("action"), 32) and \
        is_optional_ident(entry, "instance_id")


def is_valid_result(entry):
    return is_ident(entry.get("result_id")) and is_ident(entry.get("signal_id")) and \
        entry.get("status") in PROCESSED | FAILED | {"accepted"} and is_optional_ident(entry, "trade_id", "instance_id") and \
        is_number(entry.get("slippage", "0"), signed=True) and is_number(entry.get("execution_time", "0"))


def is_valid_report(entry):
    return is_ident(entry.get("instance_id")) and is_ident(entry.get("broker_id")) and \
        entry.get("state") in ("running", "stopped", "crashed", "restarting") and is_optional_ident(entry, "host_id") and \
        entry.get("health_status", "healthy") in ("healthy", "warning", "critical") and \
        all(is_number(entry[name]) for name in REPORT_NUMBERS if name in entry)


def is_valid_trade(entry):
    return is_ident(entry.get("trade_id")) and is_optional_ident(entry, "account_id", "broker_id", "instance_id") and \
        entry.get("state", "pending") in ("pending", "executing", "executed", "failed", "closed") and \
        all(0 < len(entry[name]) <= 64 for name in ("symbol", "order_type", "direction") if name in entry) and \
        all(is_number(entry[name]) for name in TRADE_NUMBERS if name in entry) and \
        all(is_number(entry[name], signed=True) for name in ("balance", "equity", "position") if name in entry)


def entries(redis, stream):
    return [fields for _, fields in redis.xrange(stream)]


def account_of(redis):
    """The ledger as the streams tell it."""
    signals, results = entries(redis, SIGNALS), entries(redis, RESULTS)
    reports, trades = entries(redis, REPORTS), entries(redis, TRADES)
    seen = {"entries": {"reports": len(reports), "signals": len(signals), "results": len(results), "trades": len(trades)},
            "malformed": {"reports": sum(not is_valid_report(entry) for entry in reports),
                          "signals": sum(not is_valid_signal(entry) for entry in signals),
                          "results": sum(not is_valid_result(entry) for entry in results),
                          "trades": sum(not is_valid_trade(entry) for entry in trades)},
            "trade_updates": sum(map(is_valid_trade, trades)),
            "reports": sum(map(is_valid_report, reports))}

    first_final, result_ids, statuses = {}, set(), Counter()
    for entry in filter(is_valid_result, results):
        if entry["result_id"] not in result_ids:
            statuses[entry["status"]] += 1
            if entry["status"] != "accepted":
                first_final.setdefault(entry["signal_id"], entry["status"])
        result_ids.add(entry["result_id"])
    seen["results"] = dict(statuses)
    seen["results_duplicate"] = sum(map(is_valid_result, results)) - len(result_ids)

    actions, ids = defaultdict(Counter), set()
    for entry in filter(is_valid_signal, signals):
        action = actions[entry["action"].lower()]
        if entry["signal_id"] in ids:
            action["duplicate"] += 1
            continue
        ids.add(entry["signal_id"])
        final = first_final.get(entry["signal_id"])
        action["written"] += 1
        action["processed" if final in PROCESSED else "failed" if final else "unanswered"] += 1
    seen["signals"] = {action: dict(counts) for action, counts in actions.items()}

    seen["trade_states"] = dict(Counter({entry["trade_id"]: entry["state"] for entry in trades
                                         if is_valid_trade(entry)}.values()))
    seen["states"] = {entry["instance_id"]: entry["state"] for entry in reports if is_valid_report(entry)}
    return seen


def account_in(ledger):
    """The same out of the simulator's ledger."""
    def nonzero(counts):
        return {name: count for name, count in counts.items() if count}
    told = {name: ledger[name] for name in ("entries", "malformed", "trade_updates", "reports", "results_duplicate")}
    told["results"] = nonzero(ledger["results"])
    told["signals"] = {action: nonzero(counts) for action, counts in ledger["signals"].items() if counts["written"]}
    told["trade_states"] = nonzero(ledger["trade_states"])
    told["states"] = {name: instance["state"] for name, instance in ledger["instances"].items()}
    return told


def assert_executed_once(redis):
    """However often a signal was delivered, there is one final result of its executor, and one further fill at most."""
    finals = defaultdict(set)
    for entry in filter(is_valid_result, entries(redis, RESULTS)):
        if entry["status"] != "accepted" and not entry["result_id"].endswith("-u"):
            finals[entry["signal_id"]].add(entry["result_id"])
    assert all(len(result_ids) == 1 for result_ids in finals.values())


def test_ledger_is_what_is_in_the_streams(sim, redis):
    ledger = sim(instances=20, report_interval_ms=100, crash_every_s=1, down_ms=200, restart_ms=100, silence_every_s=2,
                 silence_ms=200, signals_per_sec=500, signals=1500, trades_per_sec=100, executors=3, drain=True,
                 **TROUBLE).finish()
    assert account_in(ledger) == account_of(redis)
    assert_executed_once(redis)
    # Each kind of trouble has happened.
    signals = ledger["signals"].values()
    assert sum(counts["written"] for counts in signals) == 1500
    for name in ("duplicate", "processed", "failed", "unanswered"):
        assert sum(counts[name] for counts in signals) > 20, name
    assert all(count > 0 for count in ledger["results"].values())
    assert all(count > 0 for count in ledger["malformed"].values())
    assert min(ledger["results_early"], ledger["results_followup"], ledger["results_duplicate"]) > 20
    assert redis.xpending(SIGNALS, "executors")["pending"] == 0
    assert redis.keys("mt5sim:*") == []


def plans(redis, run_id):
    """What became of each signal, by its number."""
    outcome = {entry["signal_id"]: entry["status"] for entry in entries(redis, RESULTS) if entry["status"] != "accepted"}
    return {entry["signal_id"].removeprefix(f"s-{run_id}-"): (entry["action"], entry.get("instance_id"),
                                                             outcome.get(entry["signal_id"]))
            for entry in entries(redis, SIGNALS)}


def test_same_seed_does_the_same(sim, redis):
    options = {"instances": 5, "signals_per_sec": 1000, "signals": 300, "drain": True, "fail_share": 0.3,
               "unanswered_share": 0.1}
    seen = []
    for run_id, seed in (("one", 7), ("two", 7), ("three", 8)):
        sim(run_id=run_id, seed=seed, **options).finish()
        seen.append(plans(redis, run_id))
        redis.flushall()
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_early_result_comes_before_its_signal(sim, redis):
    ledger = sim(signals_per_sec=200, signals=50, early_share=1, drain=True).finish()
    assert ledger["results_early"] == 50
    written = {fields["signal_id"]: entry_id for entry_id, fields in redis.xrange(SIGNALS)}
    answered = {fields["signal_id"]: entry_id for entry_id, fields in redis.xrange(RESULTS)}
    assert all(int(answered[name].split("-")[0]) < int(entry_id.split("-")[0]) for name, entry_id in written.items())


@pytest.mark.redis(aof=True)
def test_ledger_is_exact_when_connections_die(sim, redis):
    one = sim(instances=5, report_interval_ms=50, signals_per_sec=1000, signals=4000, trades_per_sec=50, executors=2,
              drain=True, **TROUBLE)
    for round_number in range(1, 11):
        wait_entries(redis, SIGNALS, round_number * 300)
        # Not the harness' own connection: SKIPME is the default.
        redis.client_kill_filter(_type="normal")
    ledger = one.finish()
    assert ledger["connects"] > 5 and ledger["batches_resent"] > 0
    assert account_in(ledger) == account_of(redis)
    assert_executed_once(redis)


@pytest.mark.redis(aof=True)
def test_ledger_is_exact_when_redis_is_killed_and_keeps_its_writes(sim, redis_server):
    one = sim(instances=5, report_interval_ms=50, signals_per_sec=500, seconds=4, trades_per_sec=50, drain=True, **TROUBLE)
    for _ in range(4):
        with redis_server.client() as redis:
            wait_entries(redis, SIGNALS, redis.xlen(SIGNALS) + 100)
        redis_server.restart(kill=True)
    ledger = one.finish()
    assert ledger["connects"] == 5
    with redis_server.client() as redis:
        assert account_in(ledger) == account_of(redis)
        assert_executed_once(redis)


def test_ledger_is_exact_when_redis_hangs(sim, redis, redis_server):
    one = sim(signals_per_sec=500, seconds=5, drain=True, **TROUBLE)
    wait_entries(redis, SIGNALS, 100)
    redis_server.pause()
    wait_until(lambda: "no writing" in one.log(), "the simulator to notice")
    redis_server.resume()
    ledger = one.finish()
    assert ledger["batches_resent"] > 0
    assert account_in(ledger) == account_of(redis)


def test_ledger_says_so_where_redis_lost_writes(sim, redis, redis_server):
    one = sim(signals_per_sec=500, seconds=30)
    wait_entries(redis, SIGNALS, 100)
    redis_server.restart()
    wait_entries(redis, SIGNALS, 100)
    assert "lost writes" in one.stop(exact=False)["fault"]


def test_one_stop_ends_it_also_where_redis_is_gone_for_good(sim, redis, redis_server):
    """Nothing can be confirmed any more, so it does not wait for that as it would for a Redis that answers."""
    one = sim(signals_per_sec=200, drain=True)
    wait_entries(redis, SIGNALS, 20)
    redis_server.kill9()
    one.send(signal.SIGTERM)
    assert "before Redis had confirmed" in one.finish(exact=False, deadline_s=20)["fault"]


def test_entries_that_redis_refuses_are_told(sim, redis):
    redis.set(TRADES, "in the way")
    ledger = sim(signals_per_sec=500, signals=100, trades_per_sec=100, drain=True).finish(exact=False)
    assert ledger["refused_entries"] > 0
    assert ledger["trade_updates"] == 0
    assert sum(counts["processed"] for counts in ledger["signals"].values()) == 100


def test_stop_without_drain_leaves_signals_unanswered(sim, redis):
    one = sim(signals_per_sec=500, latency_ms=5000, seconds=0)
    wait_entries(redis, SIGNALS, 100)
    began = time.monotonic()
    ledger = one.stop()
    assert time.monotonic() - began < 3
    assert ledger["unanswered"] >= 50
    assert account_in(ledger) == account_of(redis)


def test_second_stop_ends_the_drain(sim, redis):
    one = sim(signals_per_sec=500, latency_ms=60000, drain=True)
    wait_entries(redis, SIGNALS, 100)
    one.send(signal.SIGINT)
    before = redis.xinfo_stream(SIGNALS)["entries-added"]
    wait_until(lambda: redis.xinfo_stream(SIGNALS)["entries-added"] == before, "the producers to stop")
    assert one.is_running()
    assert account_in(one.stop()) == account_of(redis)


def test_without_executors_nothing_is_answered(sim, redis):
    ledger = sim(signals_per_sec=500, signals=100, executors=0, early_share=0.5, drain=True).finish()
    assert ledger["unanswered"] == 100
    assert redis.xlen(RESULTS) == 0


def test_executors_leave_what_an_earlier_run_may_have_executed(sim, redis):
    first = sim(signals_per_sec=500, latency_ms=60000)
    wait_until(lambda: redis.exists(SIGNALS) and redis.xinfo_groups(SIGNALS) and
               redis.xpending(SIGNALS, "executors")["pending"] >= 50, "signals to be delivered")
    first.kill9()
    pending = redis.xpending(SIGNALS, "executors")["pending"]
    undelivered = redis.xinfo_groups(SIGNALS)[0]["lag"]
    ledger = sim(seconds=1, drain=True).finish()
    assert ledger["signals_abandoned"] == pending
    assert ledger["signals_foreign"]["taken"] == undelivered
    assert redis.xpending(SIGNALS, "executors")["pending"] == 0


def test_executors_answer_signals_of_others_once(sim, redis):
    one = sim(seconds=0, drain=True)
    wait_until(lambda: redis.exists(SIGNALS), "the group")
    for signal_id in ("mine-1", "mine-2", "mine-1", "not mine"):
        redis.xadd(SIGNALS, {"signal_id": signal_id, "action": "hedge"})
    wait_entries(redis, RESULTS, 2)
    ledger = one.stop()
    assert ledger["signals_foreign"] == {"taken": 2, "processed": 2, "failed": 0}
    assert sorted(entry["signal_id"] for entry in entries(redis, RESULTS)) == ["mine-1", "mine-2"]


def test_it_waits_for_redis_at_the_start(sim, redis_server):
    redis_server.stop()
    one = sim(signals_per_sec=500, signals=50, drain=True)
    wait_until(lambda: "no writing" in one.log(), "a try to connect")
    redis_server.start()
    assert sum(counts["processed"] for counts in one.finish()["signals"].values()) == 50


@pytest.mark.redis(users=("user sim on >secret ~* &* +@all",), tcp=True)
@pytest.mark.parametrize("url", ["redis://sim:secret@127.0.0.1:{port}/3", "unix://sim:secret@{socket}?db=3"])
def test_forms_of_the_url(folder, redis_server, url):
    url = url.format(port=redis_server.tcp_port, socket=redis_server.socket)
    Sim(folder, url, signals_per_sec=500, signals=20, drain=True).finish()
    with redis_server.client(db=3) as redis:
        assert redis.xlen(SIGNALS) == 20


def test_a_large_fleet_takes_less_than_a_core(sim, redis):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ledger = sim(quiet=False, instances=1000, signals_per_sec=2000, seconds=4, executors=4, trades_per_sec=50).finish()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    written = sum(counts["written"] for counts in ledger["signals"].values())
    assert cpu_s < 4
    assert 6000 < written < 10000
    assert ledger["reports"] > 3000
    assert account_in(ledger) == account_of(redis)


@pytest.mark.parametrize("words, complaint", [
    (["--nonsense"], "--nonsense: no such option"),
    (["extra"], "extra: no such option"),
    (["--"], "no such option"),
    (["--Where=1"], "no such option"),
    (["--seconds"], "--seconds takes a value"),
    (["--seconds", "-1"], "--seconds takes a whole number from 0"),
    (["--brokers", "0"], "--brokers takes a whole number from 1"),
    (["--drain=yes"], "no such option"),
    (["--fail-share", "2"], "--fail-share takes a share from 0 to 1"),
    (["--fail-share", "%"], "--fail-share takes a share from 0 to 1"),
    (["--fail-share", "nan"], "--fail-share takes a share from 0 to 1"),
    (["--fail-share", "60%", "--partial-share", "60%"], "more than 1 together"),
    (["--run-id", "a:b"], "--run-id takes"),
    (["--command-late-share", "2"], "--command-late-share takes a share from 0 to 1"),
    (["--command-refuse-share", "60%", "--command-ignore-share", "60%"], "more than 1 together"),
    (["--doomed", "13"], "--doomed is more than --instances"),
    (["--outage-after-s", "1", "--outage-broker", "4"], "--outage-broker is more than --brokers"),
    (["--redis", "http://somewhere"], "--redis:"),
])
def test_wrong_options_are_told(words, complaint):
    done = subprocess.run([binary("MT5SIM", "mt5sim"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert complaint in done.stderr
    assert done.stdout == ""


def test_help_names_every_option():
    done = subprocess.run([binary("MT5SIM", "mt5sim"), "--help"], capture_output=True, text=True, check=True)
    for name in ("redis", "instances", "signals-per-sec", "shuffle", "drain", "silence-every-s", "socket-trouble-every-s",
                 "command-unknown-share", "doomed", "outage-broker"):
        assert f"--{name}" in done.stdout
