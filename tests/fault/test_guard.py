"""Stalls, jumps of the clock and a Redis that was away: nothing is judged on what was missed (SPEC 6.5)."""

import pytest

from mt5.clock import Clock
from mt5.invariants import entry_id
from mt5.wait import wait_until
from mt5.watching import QUICK, Watching

REPORTS, EVENTS = "instance_reports", "instance_events"
STALL_MS, HOLD_MS, SILENCE_MS = 300, 600, 1000
GUARDED = {
    **QUICK, "guard.stall_ms": STALL_MS, "guard.hold_ms": HOLD_MS, "instances.heartbeat_timeout_ms": SILENCE_MS,
    "recovery.launch_modes": ["auto", "manual"], "redis.reconnect_min_ms": 10, "redis.reconnect_max_ms": 20,
}
FLEET = ("mt5-1", "mt5-2", "mt5-3")
HOLDS, JUDGES = "guard: nothing is judged for a while", "guard: judging again"


@pytest.fixture
def watching(daemon, bus):
    def make(config=None, **options):
        one = Watching(bus, daemon({**GUARDED, **(config or {})}, **options))
        for name in FLEET:
            bus.register(name, broker_id=f"broker-of-{name}")
        assert one.one.log_lines(msg=HOLDS) == []   # it does not hold at start
        return one
    return make


def active(one):
    return one.one.metrics().value("mt5stated_guard_active")


def report_all(bus, names=FLEET, **fields):
    bus.many(REPORTS, [{"instance_id": name, **(fields or {"cpu_usage": "5"})} for name in names])


def pass_ms(bus, span_ms, names=(), **fields):
    """That much time by the server's clock, in which these instances report."""
    began_ms = bus.now_ms()

    def is_over():
        report_all(bus, names, **fields)
        return bus.now_ms() > began_ms + span_ms

    wait_until(is_over, f"{span_ms} ms to be over")


def wait_held(one, names=(), cause=None, **fields):
    def holds():
        report_all(one.bus, names, **fields)
        return one.one.log_lines(msg=HOLDS) and active(one) == 1
    wait_until(holds, "the guard to hold")
    if cause:
        assert one.one.log_lines(msg=HOLDS, cause=cause)


def wait_judging(one, names=(), **fields):
    """Until it judges again; these instances report meanwhile."""
    def judges():
        report_all(one.bus, names, **fields)
        return len(one.one.log_lines(msg=JUDGES)) and active(one) == 0
    wait_until(judges, "the guard to let go")


def assert_one_line_each_way(one):
    assert (len(one.one.log_lines(msg=HOLDS)), len(one.one.log_lines(msg=JUDGES))) == (1, 1)


def order_in_log(one, *texts):
    """The places in the log at which each of these texts comes first."""
    log = one.one.log()
    assert all(text in log for text in texts), [text for text in texts if text not in log]
    return [log.index(text) for text in texts]


def freeze(bus, one, names=(), **fields):
    one.one.pause()
    pass_ms(bus, SILENCE_MS + SILENCE_MS // 2, names, **fields)
    one.one.resume()


# ---- the daemon stands still ----

def test_a_frozen_daemon_whose_agents_go_on_does_nothing(watching, bus):
    one = watching({"rules.HighCpuUsage.for_ms": 100})
    freeze(bus, one, FLEET, cpu_usage="99")
    wait_held(one, FLEET, "stall", cpu_usage="99")
    wait_judging(one, FLEET, cpu_usage="99")
    for name in FLEET:
        wait_until(lambda name=name: report_all(bus, cpu_usage="99") or one.alerts(name), f"{name} to fire")
    assert bus.events(event="instance_failed") == []
    assert_one_line_each_way(one)
    judging, fired = order_in_log(one, JUDGES, "event=alert_firing")
    assert judging < fired


def test_agents_that_went_silent_meanwhile_crash_a_whole_timeout_later(watching, bus):
    one = watching()
    freeze(bus, one)
    resumed_ms = bus.now_ms()
    wait_held(one, cause="stall")
    wait_until(lambda: bus.members("crashed") == set(FLEET), "the silent ones to be missed")
    judging, failed = order_in_log(one, JUDGES, "event=instance_failed")
    assert judging < failed
    [first, *_] = [entry_id(entry)[0] for entry, event in bus.client.xrange(EVENTS)
                   if event["event"] == "instance_failed"]
    assert first > resumed_ms + SILENCE_MS
    for name in FLEET[:1]:
        one.wait_alert(name, "InstanceCrash")


def test_no_command_goes_out_and_no_signal_is_dropped_while_it_holds(watching, bus):
    one = watching({"signals.ttl_ms": 400, "instances.heartbeat_timeout_ms": 0})
    bus.signal("s1")
    bus.settle()
    one.one.pause()
    bus.report("mt5-1", state="crashed")
    bus.report("mt5-2", queue_length="500")
    pass_ms(bus, 1000)
    one.one.resume()
    wait_held(one)
    bus.settle(REPORTS)
    assert one.commands() == [] and one.alerts() == [] and bus.dropped() == []
    assert bus.state("mt5-1") == "crashed"     # what is said is taken in
    wait_until(lambda: ("decision", "not_firing", "InstanceCrash", "guard") in one.told("mt5-1"), "why not")
    one.wait_command("mt5-1", "recover")
    bus.wait_total("dropped:buy", 1)
    places = order_in_log(one, JUDGES, "event=alert_firing", "event=command_issued", "event=signal_dropped")
    assert places[0] == min(places)
    assert_one_line_each_way(one)


def test_a_stall_while_it_holds_holds_on_and_is_told_once(watching, bus):
    one = watching({"guard.hold_ms": 1500})
    freeze(bus, one, FLEET)
    wait_held(one, FLEET)
    freeze(bus, one, FLEET)
    wait_held(one, FLEET)
    wait_judging(one, FLEET)
    assert_one_line_each_way(one)
    assert bus.events(event="instance_failed") == []


def test_a_short_stall_is_none(watching, bus):
    one = watching({"guard.stall_ms": 5000, "instances.heartbeat_timeout_ms": 0})
    freeze(bus, one)
    bus.report("mt5-1", state="crashed")
    one.wait_command("mt5-1", "recover")
    assert one.one.log_lines(msg=HOLDS) == [] and active(one) == 0


def test_a_short_limit_does_not_hold_for_ever(watching, bus):
    """Nothing comes in, so only the daemon's own looks tell it that the loop runs."""
    one = watching({"guard.stall_ms": 60, "guard.hold_ms": 50, "instances.heartbeat_timeout_ms": 0})
    pass_ms(bus, 1500)
    assert len(one.one.log_lines(msg=HOLDS)) <= 3, "the machine may stall now and then, but not all of the time"
    bus.report("mt5-1", state="crashed")
    one.wait_command("mt5-1", "recover")


def test_without_a_hold_silence_is_still_excused(watching, bus):
    one = watching({"guard.hold_ms": 0})
    freeze(bus, one)
    resumed_ms = bus.now_ms()
    wait_until(lambda: bus.events(event="instance_failed"), "the silent ones to be missed")
    [first, *_] = [entry_id(entry)[0] for entry, event in bus.client.xrange(EVENTS)
                   if event["event"] == "instance_failed"]
    assert first > resumed_ms + SILENCE_MS


# ---- Redis is away ----

def test_a_redis_that_hangs_for_a_while(watching, bus, redis_server):
    """Longer than a stall, not so long that the link is given up."""
    one = watching({"redis.command_timeout_ms": 20000, "ha.lease_ms": 10000})
    redis_server.pause()
    ticks = lambda: one.one.metrics().value("mt5stated_loop_delay_seconds_count")
    began = ticks()
    wait_until(lambda: ticks() > began + 6, "some ticks of 250 ms")
    redis_server.resume()
    wait_held(one, FLEET, "redis_away")
    wait_judging(one, FLEET)
    assert bus.events(event="instance_failed") == [] and one.commands() == []
    assert_one_line_each_way(one)


def test_a_redis_that_hangs_until_it_is_given_up(watching, bus, redis_server):
    """While it is away, nobody says that it is over."""
    one = watching({"redis.command_timeout_ms": 500, "redis.connect_timeout_ms": 100})
    redis_server.pause()
    wait_until(lambda: one.one.log_lines(msg=HOLDS), "the guard to hold")
    ticks = lambda: one.one.metrics().value("mt5stated_loop_delay_seconds_count")
    began = ticks()
    wait_until(lambda: ticks() > began + 10, "more time than a hold takes, in ticks of 250 ms")
    assert one.one.log_lines(msg=JUDGES) == [] and active(one) == 1
    redis_server.resume()
    wait_judging(one, FLEET)
    bus.settle()
    assert bus.events(event="instance_failed") == [] and one.commands() == []
    assert_one_line_each_way(one)


@pytest.mark.redis(aof=True)
@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill9"])
def test_a_redis_that_is_started_again(watching, bus, redis_server, kill):
    one = watching()
    redis_server.kill9() if kill else redis_server.stop()
    ticks = lambda: one.one.metrics().value("mt5stated_loop_delay_seconds_count")
    began = ticks()
    wait_until(lambda: ticks() > began + 6, "some ticks of 250 ms")
    redis_server.start()
    one.one.wait_ready()
    wait_held(one, FLEET, "redis_away")
    wait_judging(one, FLEET)
    pass_ms(bus, SILENCE_MS, FLEET)
    bus.settle()
    assert bus.events(event="instance_failed") == [] and one.commands() == []
    assert_one_line_each_way(one)
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: report_all(bus, FLEET[1:]) or one.commands("mt5-1"), "the recovery")


def test_a_link_that_is_cut(watching, bus):
    one = watching()
    bus.cut(bus.links())
    wait_held(one, FLEET, "redis_away")
    bus.report("mt5-1", state="crashed")
    wait_judging(one, FLEET[1:])
    wait_until(lambda: report_all(bus, FLEET[1:]) or one.commands("mt5-1", "recover"), "the recovery")
    judging, issued = order_in_log(one, JUDGES, "event=command_issued")
    assert judging < issued


# ---- clocks jump ----

@pytest.mark.parametrize("seconds", [3600, -3600])
def test_the_wall_clock_of_the_daemon_jumps(watching, bus, folder, seconds):
    clock = Clock(folder)
    one = watching(env=clock.env)
    pass_ms(bus, 200, FLEET)
    clock.jump(seconds)
    wait_held(one, FLEET, "clock_jump")
    wait_judging(one, FLEET)
    pass_ms(bus, SILENCE_MS, FLEET)
    assert bus.events(event="instance_failed") == [] and one.commands() == []
    assert_one_line_each_way(one)


@pytest.mark.redis(clock=True)
def test_the_clock_of_redis_jumps_forwards(watching, bus, redis_server):
    one = watching({"rules.HighCpuUsage.for_ms": 20000, "signals.ttl_ms": 20000})
    bus.signal("s1")
    report_all(bus, cpu_usage="99")
    bus.settle()
    redis_server.clock.jump(3600)
    wait_held(one, FLEET, "clock_jump")
    wait_judging(one, FLEET)
    pass_ms(bus, SILENCE_MS, FLEET)
    bus.settle()
    assert bus.events(event="instance_failed") == []
    assert one.alerts() == [] and one.commands() == [] and bus.dropped() == []
    # And it goes on by the new clock.
    wait_until(lambda: report_all(bus, FLEET[1:]) or bus.state("mt5-1") == "crashed", "the silent one to be missed")
    wait_until(lambda: report_all(bus, FLEET[1:]) or one.commands("mt5-1", "recover"), "its recovery")
    assert len(bus.events(event="instance_failed")) == 1


@pytest.mark.redis(clock=True)
def test_the_clock_of_redis_jumps_back(watching, bus, redis_server):
    """New entries carry the old time until the clock has caught up, so all that can be had is that nothing is judged
    wrongly: what is said counts, silence and time do not run away."""
    one = watching({"rules.HighCpuUsage.for_ms": 20000})
    report_all(bus, cpu_usage="99")
    bus.settle()
    redis_server.clock.jump(-3600)
    wait_held(one, FLEET, "clock_jump")
    wait_judging(one, FLEET)
    bus.settle(REPORTS)
    assert bus.events(event="instance_failed") == [] and one.alerts() == []
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: report_all(bus, FLEET[1:]) or one.commands("mt5-1", "recover"), "the recovery")
    assert bus.members("running") == set(FLEET[1:])
