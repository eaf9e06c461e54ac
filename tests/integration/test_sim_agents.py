"""The agents of mt5sim against a Redis alone: they obey commands as real ones do, misbehave in the shares that are asked
for, and get into the trouble that is asked for."""

import random
import time
from collections import Counter

import pytest

from mt5.sim import wait_entries
from mt5.wait import wait_until

REPORTS, COMMANDS = "instance_reports", "instance_commands"

# What the default rules fire at, and the command that helps.
BEYOND = {
    "cpu": ("recover", lambda report: float(report["cpu_usage"]) > 80),
    "memory": ("recover", lambda report: float(report["memory_usage"]) > 0.8 * float(report["memory_limit"])),
    "latency": ("reconnect", lambda report: float(report["network_latency"]) > 500),
    "queue": ("throttle", lambda report: float(report["queue_length"]) > 100),
    "load": ("redistribute", lambda report: float(report["load_average"]) > 2),
    "socket": ("reconnect", lambda report: float(report["socket_connections"]) == 0),
}


def command(redis, name, command_id, instance_id="mt5-1", expires_in_s=60, **fields):
    expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + expires_in_s))
    redis.xadd(COMMANDS, {"command_id": command_id, "instance_id": instance_id, "command": name,
                          "expires_at": expires_at, **fields})


def commands(redis, *many):
    """All of them are there before the first is read."""
    with redis.pipeline(transaction=True) as pipeline:
        for name, command_id, fields in many:
            command(pipeline, name, command_id, **fields)
        pipeline.execute()


def reports(redis, instance_id=None):
    return [fields for _, fields in redis.xrange(REPORTS) if instance_id in (None, fields.get("instance_id"))]


def answers(redis, instance_id="mt5-1"):
    """(command_id, status, state) of the reports that answer a command."""
    return [(entry["command_id"], entry["command_status"], entry["state"]) for entry in reports(redis, instance_id)
            if "command_id" in entry]


def wait_answer(redis, *answer, instance_id="mt5-1"):
    wait_until(lambda: answer in answers(redis, instance_id), f"the answer {answer}")


def states(redis):
    return {entry["instance_id"]: entry["state"] for entry in reports(redis)}


def nonzero(counts):
    return {name: count for name, count in counts.items() if count}


def assert_answers_are_told(ledger, redis, issued):
    """The ledger's counts of answers are those in the stream, and each command read is in one count."""
    seen, times = Counter(), Counter()
    for entry in reports(redis):
        if "command_id" not in entry:
            continue
        key = entry["command_id"], entry["command_status"]
        times[key] += 1
        seen["unknown" if entry["command_id"] not in issued else
             "twice" if times[key] > 1 else entry["command_status"]] += 1
    assert nonzero(ledger["command_answers"]) == dict(seen)
    counts = dict(ledger["commands"])
    read, _ = counts.pop("read"), counts.pop("late")
    assert read == sum(counts.values())


def test_agents_obey_commands(sim, redis):
    one = sim(instances=2, report_interval_ms=100, restart_ms=50)
    wait_entries(redis, REPORTS, 2)
    wanted = []

    def expect(name, command_id, *expected, **fields):
        command(redis, name, command_id, **fields)
        wanted.extend((command_id, status, state) for status, state in expected)
        wait_until(lambda: answers(redis) == wanted, f"the answer to {command_id}")

    expect("stop", "c1", ("ok", "stopped"))
    expect("stop", "c2", ("ok", "stopped"))
    expect("reconnect", "c3", ("failed", "stopped"))
    expect("start", "c4", ("accepted", "restarting"), ("ok", "running"))
    expect("start", "c5", ("ok", "running"))
    expect("restart", "c6", ("accepted", "restarting"), ("ok", "running"))
    expect("recover", "c7", ("accepted", "restarting"), ("ok", "running"))
    expect("reconnect", "c8", ("ok", "running"))
    expect("throttle", "c9", ("ok", "running"))
    expect("throttle", "c10", ("ok", "running"))
    expect("unthrottle", "c11", ("ok", "running"))
    expect("unthrottle", "c12", ("ok", "running"))
    expect("redistribute", "c13", ("ok", "running"), target_instance_id="mt5-2")
    expect("cancel", "c14", ("failed", "running"), cancels="c7")
    expect("cancel", "c15", ("failed", "running"))
    expect("dance", "c16", ("failed", "running"))

    command(redis, "stop", "c17", expires_in_s=-60)
    command(redis, "stop", "c1")
    command(redis, "stop", "c18", instance_id="somebody-else")
    command(redis, "stop", "no id")
    expect("stop", "c19", ("ok", "stopped"))
    assert answers(redis, "mt5-2") == []
    ledger = one.stop()
    assert nonzero(ledger["commands"]) == {"read": 19, "obeyed": 13, "failed": 4, "expired": 1, "repeated": 1}
    assert ledger["instances"]["mt5-1"]["state"] == "stopped"
    assert_answers_are_told(ledger, redis, {f"c{number}" for number in range(20)})


@pytest.mark.parametrize("target", [{}, {"target_instance_id": ""}, {"target_instance_id": "mt5 2"},
                                    {"target_instance_id": "mt5-1"}, {"target_instance_id": "mt5-2"}])
def test_redistribute_without_a_running_target_fails(sim, redis, target):
    one = sim(instances=2, report_interval_ms=100)
    wait_entries(redis, REPORTS, 2)
    command(redis, "stop", "c1", instance_id="mt5-2")
    command(redis, "redistribute", "c2", **target)
    wait_answer(redis, "c2", "failed", "running")
    one.stop()


def test_cancelled_restart_goes_back_to_what_was(sim, redis):
    one = sim(instances=1, report_interval_ms=3600000, restart_ms=20, restart_fail_share=1, stay_down=True)
    wait_entries(redis, REPORTS, 1)
    # From running: the terminal has never been away.
    commands(redis, ("recover", "c1", {}), ("cancel", "c2", {"cancels": "c1"}))
    wait_answer(redis, "c2", "ok", "running")
    assert reports(redis)[-1]["restart_count"] == "0"
    # From crashed.
    command(redis, "recover", "c3")
    wait_answer(redis, "c3", "failed", "crashed")
    commands(redis, ("recover", "c4", {}), ("cancel", "c5", {"cancels": "c4"}))
    wait_answer(redis, "c5", "ok", "crashed")
    # From stopped; the one that replaces it is cancelled, and there is a way back from that one too.
    command(redis, "stop", "c6")
    commands(redis, ("start", "c7", {}), ("recover", "c8", {}), ("cancel", "c9", {"cancels": "c7"}),
             ("cancel", "c10", {"cancels": "c8"}))
    wait_answer(redis, "c10", "ok", "stopped")
    assert answers(redis) == [
        ("c1", "accepted", "restarting"), ("c1", "failed", "restarting"), ("c2", "ok", "running"),
        ("c3", "accepted", "restarting"), ("c3", "failed", "crashed"),
        ("c4", "accepted", "restarting"), ("c4", "failed", "restarting"), ("c5", "ok", "crashed"),
        ("c6", "ok", "stopped"),
        ("c7", "accepted", "restarting"), ("c7", "failed", "restarting"), ("c8", "accepted", "restarting"),
        ("c9", "failed", "restarting"), ("c8", "failed", "restarting"), ("c10", "ok", "stopped")]
    ledger = one.stop()
    assert nonzero(ledger["commands"]) == {"read": 10, "obeyed": 4, "failed": 6}
    assert ledger["crashes"] == 1


def test_stop_ends_a_restart_under_way(sim, redis):
    one = sim(instances=1, report_interval_ms=20, restart_ms=20)
    wait_entries(redis, REPORTS, 1)
    commands(redis, ("restart", "c1", {}), ("stop", "c2", {}))
    wait_answer(redis, "c2", "ok", "stopped")
    wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 20)
    assert answers(redis) == [("c1", "accepted", "restarting"), ("c1", "failed", "restarting"), ("c2", "ok", "stopped")]
    assert one.stop()["instances"]["mt5-1"]["state"] == "stopped"


def test_instances_stay_down_until_commanded(sim, redis):
    one = sim(instances=3, report_interval_ms=50, crash_every_s=1, crash_share=1, stay_down=True, down_ms=1, restart_ms=50)
    wait_until(lambda: set(states(redis).values()) == {"crashed"}, "all to crash")
    count = redis.xlen(REPORTS)
    wait_entries(redis, REPORTS, count + 9)
    assert set(states(redis).values()) == {"crashed"}
    command(redis, "recover", "c1")
    wait_answer(redis, "c1", "ok", "running")
    one.stop()


def test_silent_agents_do_not_report(sim, redis):
    one = sim(instances=3, report_interval_ms=20, silence_every_s=1, silence_ms=3600000)
    wait_entries(redis, REPORTS, 3)

    def is_still():
        seconds, microseconds = redis.time()
        newest_ms = int(redis.xinfo_stream(REPORTS)["last-generated-id"].split("-")[0])
        return seconds * 1000 + microseconds // 1000 - newest_ms > 500
    wait_until(is_still, "all to be silent")
    assert all(instance["silent"] for instance in one.stop()["instances"].values())


def test_refused_commands_change_nothing(sim, redis):
    one = sim(instances=1, report_interval_ms=50, command_refuse_share=1)
    wait_entries(redis, REPORTS, 1)
    for name in ("stop", "recover", "throttle", "cancel", "dance"):
        command(redis, name, name)
        wait_answer(redis, name, "failed", "running")
    ledger = one.stop()
    assert nonzero(ledger["commands"]) == {"read": 5, "refused": 5}
    assert ledger["command_answers"]["failed"] == 5


def test_ignored_commands_are_not_answered(sim, redis):
    one = sim(instances=1, report_interval_ms=20, command_ignore_share=1, command_twice_share=1, command_unknown_share=1)
    wait_entries(redis, REPORTS, 1)
    command(redis, "stop", "c1")
    command(redis, "stop", "c1")
    wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 50)
    ledger = one.stop()
    assert nonzero(ledger["commands"]) == {"read": 2, "ignored": 1, "repeated": 1}
    assert answers(redis) == []
    assert set(states(redis).values()) == {"running"}


def test_late_commands_are_obeyed_after_they_expired(sim, redis):
    one = sim(instances=2, report_interval_ms=100, command_late_share=1, command_late_ms=2500)
    wait_entries(redis, REPORTS, 2)
    command(redis, "stop", "c1", expires_in_s=1)
    expired_ms = (int(time.time()) + 2) * 1000
    wait_answer(redis, "c1", "ok", "stopped")
    answered_ms = next(int(entry_id.split("-")[0]) for entry_id, fields in redis.xrange(REPORTS) if "command_id" in fields)
    assert answered_ms >= expired_ms
    # What is still put off at the end is forgotten.
    command(redis, "stop", "c2", instance_id="mt5-2")
    wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 10)
    assert nonzero(one.stop()["commands"]) == {"read": 2, "late": 2, "obeyed": 1, "under_way": 1}


def test_commands_answered_twice(sim, redis):
    one = sim(instances=1, report_interval_ms=100, restart_ms=20, command_twice_share=1)
    wait_entries(redis, REPORTS, 1)
    command(redis, "restart", "c1")
    wait_until(lambda: len(answers(redis)) == 4, "four answers")
    assert answers(redis) == [("c1", "accepted", "restarting")] * 2 + [("c1", "ok", "running")] * 2
    ledger = one.stop()
    assert nonzero(ledger["command_answers"]) == {"accepted": 1, "ok": 1, "twice": 2}


def test_answers_to_commands_that_nobody_issued(sim, redis):
    one = sim(instances=1, report_interval_ms=100, command_unknown_share=1)
    wait_entries(redis, REPORTS, 1)
    command(redis, "throttle", "c1")
    wait_answer(redis, "c1", "ok", "running")
    (unknown, status, _), known = answers(redis)
    assert unknown.startswith("mt5-1.recover.4") and status == "ok" and known == ("c1", "ok", "running")
    assert nonzero(one.stop()["command_answers"]) == {"ok": 1, "unknown": 1}


def test_same_seed_misbehaves_in_the_same_way(sim, redis):
    seen = []
    issued = [f"mt5-{instance}.throttle.{number}" for number in range(1, 11) for instance in range(1, 11)]
    # Neither the order in which the commands come nor what else happens to an agent has a say.
    for seed, order, crash_every_s in ((7, 1, 0), (7, -1, 1), (8, 1, 0)):
        one = sim(instances=10, report_interval_ms=20, seed=seed, crash_every_s=crash_every_s,
                  command_refuse_share=0.2, command_ignore_share=0.2, command_late_share=0.2, command_late_ms=1,
                  command_twice_share=0.3, command_unknown_share="30%")
        wait_until(lambda: len(states(redis)) == 10, "all to report")
        for command_id in issued[::order]:
            command(redis, "throttle", command_id, instance_id=command_id.split(".", maxsplit=1)[0])
        wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 400)
        ledger = one.stop()
        assert_answers_are_told(ledger, redis, set(issued))
        assert min(ledger["commands"][name] for name in ("read", "refused", "ignored", "late", "obeyed")) > 5
        assert min(ledger["command_answers"][name] for name in ("twice", "unknown")) > 5
        assert ledger["commands"]["under_way"] == 0
        seen.append(sorted((entry["command_id"], entry["command_status"]) for entry in reports(redis)
                           if "command_id" in entry))
        redis.flushall()
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.redis(aof=True)
def test_ledger_is_exact_in_every_trouble_at_once(sim, redis):
    rng = random.Random(5)
    names = "start stop restart recover reconnect throttle unthrottle redistribute cancel dance".split()
    issued = [f"c{number}" for number in range(2000)]
    one = sim(instances=12, report_interval_ms=20, crash_every_s=2, down_ms=200, restart_ms=50, restart_fail_share=0.3,
              silence_every_s=2, silence_ms=200, doomed=2, doomed_after_s=1, outage_after_s=1, outage_seconds=2,
              command_refuse_share=0.1, command_ignore_share=0.1, command_late_share=0.2, command_late_ms=300,
              command_twice_share=0.2, command_unknown_share=0.1, trouble_ms=200,
              **{f"{kind}_trouble_every_s": 1 for kind in BEYOND})
    wait_until(lambda: len(states(redis)) == 12, "all to report")
    for number, command_id in enumerate(issued):
        command(redis, rng.choice(names), command_id, instance_id=f"mt5-{rng.randint(1, 12)}",
                expires_in_s=rng.choice([-5, 60, 60, 60]), target_instance_id=f"mt5-{rng.randint(1, 12)}",
                cancels=rng.choice(issued[max(0, number - 20):number + 1]))
        if number % 20 == 0:
            wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 10)
        if number % 400 == 399:
            # Not the harness' own connection: SKIPME is the default.
            redis.client_kill_filter(_type="normal")
    wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 400)
    ledger = one.stop()
    assert_answers_are_told(ledger, redis, set(issued))
    assert ledger["commands"]["read"] == 2000
    assert all(count > 0 for name, count in ledger["commands"].items() if name not in ("repeated", "under_way"))
    assert all(count > 0 for count in ledger["command_answers"].values())
    assert all(counts["begun"] > 0 for counts in ledger["troubles"].values())


def running(redis):
    return [entry for entry in reports(redis) if entry.get("state") == "running"]


def test_without_trouble_no_default_rule_has_cause_to_fire(sim, redis):
    sim(instances=30, report_interval_ms=10, seconds=3).finish()
    for name, (_, is_beyond) in BEYOND.items():
        assert not any(map(is_beyond, running(redis))), name


@pytest.mark.parametrize("kind", BEYOND)
def test_trouble_stays_until_the_command_that_helps(sim, redis, kind):
    cure, is_beyond = BEYOND[kind]
    one = sim(instances=2, brokers=1, report_interval_ms=20, restart_ms=20, trouble_ms=0,
              **{f"{kind}_trouble_every_s": 1})

    def own():
        return [entry for entry in running(redis) if entry["instance_id"] == "mt5-1"]
    wait_until(lambda: own() and is_beyond(own()[-1]), "the trouble")
    wait_until(lambda: sum(map(is_beyond, own())) > 30, "more of it")
    began = next(number for number, entry in enumerate(own()) if is_beyond(entry))
    assert all(map(is_beyond, own()[began:]))
    command(redis, cure, "c1", target_instance_id="mt5-2")
    wait_answer(redis, "c1", "ok", "running")
    wait_until(lambda: not all(map(is_beyond, own()[began:])), "the end of it")
    wait_entries(redis, REPORTS, redis.xlen(REPORTS) + 60)
    ledger = one.stop()
    others = [counts["begun"] for name, counts in ledger["troubles"].items() if name != kind]
    assert ledger["troubles"][kind]["cured"] > 0 and ledger["troubles"][kind]["passed"] == 0 and not any(others)
    # Any report that says that it was done shows it, but for a queue, which falls from then on.
    done = [number for number, entry in enumerate(own()) if entry.get("command_status") == "ok"][0]
    if kind == "queue":
        lengths = [int(entry["queue_length"]) for entry in own()[done:]]
        assert lengths == sorted(lengths, reverse=True) and lengths[-1] < 100
    else:
        assert not is_beyond(own()[done])


def test_trouble_passes(sim, redis):
    kinds = {f"{kind}_trouble_every_s": 1 for kind in BEYOND}
    ledger = sim(instances=5, report_interval_ms=20, seconds=5, trouble_ms=200, **kinds).finish()
    for name, (_, is_beyond) in BEYOND.items():
        counts = ledger["troubles"][name]
        assert counts["begun"] > 5 and counts["passed"] > 5 and counts["cured"] == 0, name
        share = sum(map(is_beyond, running(redis))) / len(running(redis))
        assert 0.02 < share < 0.6, name


def test_the_doomed_do_not_come_up_again(sim, redis):
    one = sim(instances=4, report_interval_ms=50, doomed=2, doomed_after_s=1, down_ms=1, restart_ms=20)
    up, down = ("mt5-1", "mt5-2"), ("mt5-3", "mt5-4")
    wait_until(lambda: states(redis).get("mt5-3") == states(redis).get("mt5-4") == "crashed", "both to crash")
    for name in ("recover", "restart", "start"):
        for instance_id in down:
            command(redis, name, f"{instance_id}.{name}.1", instance_id=instance_id)
            wait_answer(redis, f"{instance_id}.{name}.1", "failed", "crashed", instance_id=instance_id)
    command(redis, "stop", "mt5-4.stop.1", instance_id="mt5-4")
    wait_answer(redis, "mt5-4.stop.1", "ok", "stopped", instance_id="mt5-4")
    ledger = one.stop()
    told = {name: instance["state"] for name, instance in ledger["instances"].items()}
    assert told == {**dict.fromkeys(up, "running"), "mt5-3": "crashed", "mt5-4": "stopped"}
    assert ledger["crashes"] == 2 + 6
    assert {entry["state"] for name in up for entry in reports(redis, name)} == {"running"}


def test_outage_of_a_broker(sim, redis):
    one = sim(instances=9, brokers=3, report_interval_ms=50, restart_ms=20, outage_after_s=1, outage_seconds=5,
              outage_broker=2, stay_down=True)
    hit = {"mt5-2", "mt5-5", "mt5-8"}

    def crashed():
        return {name for name, state in states(redis).items() if state == "crashed"}
    wait_until(lambda: crashed() == hit, "the outage")
    command(redis, "recover", "c1", instance_id="mt5-5")
    wait_answer(redis, "c1", "failed", "crashed", instance_id="mt5-5")
    assert crashed() == hit
    wait_until(lambda: set(states(redis).values()) == {"running"}, "its end")
    assert one.stop()["crashes"] == 3 + 1
    for name in hit:
        brokers = {entry["broker_id"] for entry in reports(redis, name)}
        assert brokers == {"broker-2"}
    assert {entry["state"] for name in states(redis).keys() - hit for entry in reports(redis, name)} == {"running"}
