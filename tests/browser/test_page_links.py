"""Honesty: what the page says while the daemon or Redis is away, and that it heals by itself."""

import pytest

from mt5.invariants import EVENTS
from mt5.receiver import answer
from mt5.wait import wait_until


def fill(bus):
    bus.register("mt5-1")
    bus.register("mt5-2", state="stopped")


def wait_states(shown, **states):
    wanted = {name.replace("_", "-"): state for name, state in states.items()}
    shown.wait(lambda: shown.states() == wanted, f"{wanted}")


def events_are_all_there(shown, bus, **fields):
    """Each once, the newest first."""
    assert [(row["event"], row["seq"]) for row in shown.events()] == [
        (event["event"], event["seq"]) for event in reversed(bus.events(**fields))]
    return True


@pytest.mark.parametrize("kill", [False, True])
def test_a_daemon_that_goes_is_missed_and_found_again(fleet, bus, page, kill):
    one = fleet()
    fill(bus)
    shown = page(one)
    wait_states(shown, mt5_1="running", mt5_2="stopped")
    assert shown.banner() is None and not shown.is_stale()
    one.kill9() if kill else one.stop()
    shown.wait(lambda: shown.link() == "lost", "that the link is lost")
    shown.wait(shown.is_stale, "that its numbers are old")
    assert shown.banner()
    wait_states(shown, mt5_1="running", mt5_2="stopped")    # the last that is known, and marked as such
    bus.report("mt5-1", state="crashed")
    bus.report("mt5-3", state="running", broker_id="b3")
    one.start()
    shown.wait_live()
    wait_states(shown, mt5_1="crashed", mt5_2="stopped", mt5_3="running")
    assert not shown.is_stale() and shown.was_not_reloaded()
    bus.report("mt5-3", state="stopped")
    wait_states(shown, mt5_1="crashed", mt5_2="stopped", mt5_3="stopped")


def test_the_banner_says_since_when(fleet, bus, page):
    one = fleet()
    fill(bus)
    shown = page(one)
    one.stop()
    shown.wait(lambda: shown.link() == "lost" and shown.banner(), "the banner")
    first = shown.banner()
    assert any(char.isdigit() for char in first), first
    assert shown.js("return document.querySelector('#banner').getAttribute('role')") == "status"
    one.start()
    shown.wait_live()


@pytest.mark.parametrize("route", ["#/instance/mt5-1", "#/events"])
def test_every_route_heals(fleet, bus, page, route):
    one = fleet()
    fill(bus)
    shown = page(one, route)
    one.kill9()
    shown.wait(lambda: shown.link() == "lost", "that the link is lost")
    bus.report("mt5-1", state="restarting")
    one.start()
    bus.settle()
    bus.report("mt5-1", state="stopped")
    bus.settle()
    shown.wait_live()
    chosen = {"instance_id": "mt5-1"} if "instance" in route else {}
    if chosen:
        shown.wait(lambda: shown.fields().get("state") == "stopped", "the state")
    shown.wait(lambda: events_are_all_there(shown, bus, **chosen), "each event once")
    assert shown.was_not_reloaded()


@pytest.mark.redis(aof=True)
@pytest.mark.parametrize("kill", [False, True])
def test_a_redis_that_goes_is_told_in_a_word(fleet, bus, redis_server, page, kill):
    one = fleet()
    fill(bus)
    shown = page(one)
    redis_server.kill9() if kill else redis_server.stop()
    shown.wait(lambda: shown.ready() == one.ready_word() == "connecting", "the word")
    shown.wait(lambda: "Redis" in (shown.banner() or ""), "the banner")
    shown.wait(shown.is_stale, "that its numbers are old")
    wait_states(shown, mt5_1="running", mt5_2="stopped")
    redis_server.start()
    one.wait_ready()
    bus.report("mt5-1", state="stopped")
    shown.wait_live()
    wait_states(shown, mt5_1="stopped", mt5_2="stopped")
    assert not shown.is_stale() and shown.was_not_reloaded()


def test_a_redis_that_hangs_is_told(fleet, bus, redis_server, page):
    one = fleet({"redis.command_timeout_ms": 200})
    fill(bus)
    shown = page(one)
    redis_server.pause()
    try:
        shown.wait(lambda: shown.ready() != "ready" and shown.banner(), "that it hangs")
    finally:
        redis_server.resume()
    shown.wait_live()
    wait_states(shown, mt5_1="running", mt5_2="stopped")


@pytest.mark.redis(aof=True)
def test_a_page_that_is_opened_while_redis_is_away_fills_later(fleet, bus, redis_server, page):
    one = fleet()
    fill(bus)
    redis_server.stop()
    wait_until(lambda: not one.is_ready(), "the daemon to notice")
    one.restart(ready=False)
    one.wait_serving()
    shown = page(one, live=False)
    shown.wait(lambda: shown.ready() == "connecting" and shown.banner(), "that nothing is known")
    assert shown.tiles() == {}
    redis_server.start()
    shown.wait_live()
    wait_states(shown, mt5_1="running", mt5_2="stopped")


def test_a_standby_says_so_and_takes_over(fleet, bus, page):
    first = fleet()
    fill(bus)
    second = fleet({"streams.consumer": "second"}, ready=False)
    wait_until(lambda: second.ready_word() == "standby", "the second to stand by")
    shown = page(second, live=False)
    shown.wait(lambda: shown.ready() == "standby" and shown.banner(), "that it stands by")
    shown.wait(lambda: "active" in (shown.text("#alerts-empty") or ""), "who knows of alerts")
    assert {shown.text(f"#counts [data-stat={name}] .number") for name in ("total", "firing")} == {"–"}
    first.stop()
    shown.wait_live()
    wait_states(shown, mt5_1="running", mt5_2="stopped")


@pytest.mark.no_invariants(reason="Redis is wiped")
def test_a_redis_that_was_wiped_leaves_the_page_right(fleet, bus, page):
    one = fleet()
    fill(bus)
    shown = page(one)
    bus.client.flushall()
    wait_until(lambda: one.metrics().value("mt5stated_redis_rollbacks_total", kind="wiped") == 1, "it to be noticed")
    one.wait_ready()
    bus.register("mt5-3")
    shown.wait_live()
    wait_states(shown, mt5_1="running", mt5_2="stopped", mt5_3="running")


@pytest.mark.no_invariants(reason="most of the events are made up")
@pytest.mark.parametrize("route", ["#/", "#/instance/mt5-1"])
def test_more_events_than_are_kept_leave_the_page_right(fleet, bus, page, route):
    """The page was told of an event that the daemon does not know any more when it comes back."""
    one = fleet()
    fill(bus)
    shown = page(one, route)
    one.stop()
    shown.wait(lambda: shown.link() == "lost", "that the link is lost")
    bus.report("mt5-1", state="restarting")
    one.start()
    bus.settle()
    one.stop()
    bus.many(EVENTS, [{"event": "instance_stopped", "instance_id": "old", "reason": str(number)}
                      for number in range(10100)])
    one.start()
    shown.wait_live()
    if route == "#/":
        wait_states(shown, mt5_1="restarting", mt5_2="stopped")
    else:
        shown.wait(lambda: shown.fields().get("state", "").startswith("restarting"), "the state")
    bus.report("mt5-1", state="stopped")
    shown.go("#/")
    wait_states(shown, mt5_1="stopped", mt5_2="stopped")


def test_a_reload_ends_streams_and_the_page_goes_on(fleet, bus, page):
    """And misses nothing of what happens meanwhile."""
    one = fleet()
    fill(bus)
    shown = page(one, "#/events")
    shown.wait(lambda: events_are_all_there(shown, bus), "what has happened")
    for state in ("stopped", "running", "stopped"):
        one.reload()
        bus.report("mt5-1", state=state)
        bus.settle()
        shown.wait(lambda: events_are_all_there(shown, bus), "what has happened since then")
        assert shown.link() == "live"
    shown.go("#/")
    wait_states(shown, mt5_1="stopped", mt5_2="stopped")
    shown.wait_live()
    assert shown.was_not_reloaded()


def test_a_daemon_that_hangs_is_noticed(fleet, bus, page):
    """No connection ends, and nothing comes."""
    one = fleet({"ha.lease_ms": 60000, "guard.hold_ms": 100})
    fill(bus)
    shown = page(one)
    one.pause()
    try:
        wait_until(lambda: shown.link() == "lost" and shown.banner(), "the page to show that it hangs", deadline_s=60)
    finally:
        one.resume()
    shown.wait_live()
    bus.report("mt5-1", state="stopped")
    wait_states(shown, mt5_1="stopped", mt5_2="stopped")


def test_a_page_that_is_left_holds_no_stream(fleet, bus, page):
    """A browser may keep a page that was left for the way back; with its stream it would keep one of the few connections
    that it makes to one host."""
    one = fleet()
    fill(bus)
    shown = page(one)
    for _ in range(4):
        for path in ("-/healthy", "api/v1/status"):
            shown.browser.driver.get(shown.url + path)
            shown.browser.driver.back()
        shown.open()
    shown.wait_live()
    wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 1, "one stream to be left")
    bus.report("mt5-1", state="stopped")
    wait_states(shown, mt5_1="stopped", mt5_2="stopped")
    shown.browser.driver.get(shown.url + "-/healthy")
    wait_until(lambda: one.metrics().value("mt5stated_http_streams") == 0, "none to be left")
    shown.browser.driver.back()
    shown.wait_live()
    bus.report("mt5-1", state="running")
    wait_states(shown, mt5_1="running", mt5_2="stopped")


# ---- what would go unnoticed ----

def notices(shown):
    return {row["notice"]: row["text"] for row in shown.rows("#notices .notice")}


def test_what_is_left_out_set_aside_or_refused_is_said(fleet, bus, page, receiver):
    taker = receiver(answer(500))
    one = fleet({"redis.info_interval_ms": 50, "instances.reconcile_interval_ms": 50, "observe_only": True,
                 "rules.HighQueueLength.threshold": 10, "notify.webhooks": [{"url": taker.url(), "timeout_ms": 300}]})
    fill(bus)
    shown = page(one)
    assert set(notices(shown)) == {"observe"}
    for key in ("trade_results", "instance_metrics:mt5-1"):
        bus.client.delete(key)
        bus.client.rpush(key, "foreign")
    bus.report("mt5-1", state="stopped", cpu_usage="5")
    bus.report("mt5-2", state="running", queue_length="50")
    one.write_config(nonsense=1)
    one.reload()
    shown.wait(lambda: set(notices(shown)) == {"observe", "left-out", "set-aside", "notifications", "reload"}, "all four")
    said = notices(shown)
    assert "trade_results" in said["left-out"] and "1 instance is" in said["set-aside"] and "500" in said["notifications"]
    taker.behaviour = answer(200)
    bus.client.delete("trade_results", "instance_metrics:mt5-1")
    del one.config["nonsense"]
    one.write_config()
    one.reload()
    shown.wait(lambda: set(notices(shown)) == {"observe"}, "none of them")


@pytest.mark.redis(users=["user mt5 on >right-password ~* &* +@all", "user default off"])
def test_a_redis_that_refuses_is_not_said_to_be_away(fleet, folder, page):
    secret = folder / "password"
    secret.write_text("wrong-password\n")
    one = fleet({"redis.username": "mt5", "redis.password_file": str(secret)}, ready=False)
    one.wait_serving()
    shown = page(one, live=False)
    shown.wait(lambda: "WRONGPASS" in (shown.banner() or ""), "what Redis says")
    assert "refuses" in shown.banner() and "cannot be reached" not in shown.banner()
    secret.write_text("right-password\n")
    shown.wait_live()
