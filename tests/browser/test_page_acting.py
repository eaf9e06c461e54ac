"""Commands, maintenance and removing from the page: with the right token, asked once more, done once (SPEC 8.3)."""

import json

import pytest

from mt5 import http as mt5_http
from mt5.browser import Keys, webdriver
from mt5.tokens import TOKENS
from mt5.wait import wait_until

COMMANDS = ("start", "stop", "restart", "recover")
ACTIONS = [*(f"[data-command={name}]" for name in COMMANDS), "[data-action=maintenance-on]", "[data-action=remove]"]


@pytest.fixture
def acting(fleet, bus, page):
    """The page of mt5-1, with an admin's token unless another role or None is asked for."""
    def make(role="admin", config=None):
        one = fleet(config)
        bus.register("mt5-1", broker_id="b1")
        bus.register("mt5-2", broker_id="b1")
        shown = page(one)
        shown.go_instance("mt5-1")
        shown.daemon = one
        if role:
            sign_in(shown, TOKENS.get(role, role))
        return shown
    return make


def sign_in(shown, token):
    """By an action that is then called off."""
    shown.click("[data-command=stop]")
    shown.give_token(token)
    shown.wait_open("#confirm")
    shown.click("#confirm-no")
    shown.wait_closed("#confirm")


def changes(shown):
    """The requests that change anything."""
    return [(method, url) for method, url in shown.browser.requests() if method not in ("GET", "HEAD")]


def commands(bus):
    return [(entry["instance_id"], entry["command"], entry.get("reason")) for entry in bus.entries("instance_commands")]


def confirm(shown, reason=None):
    shown.wait_open("#confirm")
    if reason is not None:
        shown.write("#confirm-reason", reason)
    shown.click("#confirm-yes")


def fence(bus):
    """Returns when the daemon has done what it was asked before."""
    bus.report("fence", broker_id="b9", state="stopped")
    bus.settle()


# ---- who may ----

def test_without_a_token_one_is_asked_for(acting, bus):
    shown = acting(role=None)
    for chosen in ACTIONS:
        shown.click(chosen)
        shown.wait_open("#token")
        assert not shown.is_open("#confirm")
        assert shown.js("return document.querySelector('#token-value').type") == "password"
        shown.escape()
        shown.wait_closed("#token")
    assert not shown.is_open("#confirm") and changes(shown) == []
    fence(bus)
    assert commands(bus) == []


def test_a_wrong_token_is_refused_and_asked_for_again(acting, bus):
    shown = acting(role=None)
    shown.click("[data-command=restart]")
    shown.give_token("nonsense-nonsense")
    confirm(shown, "weekly")
    shown.wait(lambda: "none of those" in (shown.text("#token") or ""), "the daemon's words, and the question again")
    assert commands(bus) == []
    shown.give_token(TOKENS["admin"])
    shown.wait_closed("#token")
    shown.wait_closed("#confirm")
    assert commands(bus) == [("mt5-1", "restart", "weekly")]


@pytest.mark.parametrize("role, words", [("read", "role admin"), ("report", "role admin")])
def test_a_role_that_may_not_is_told_so(acting, bus, role, words):
    shown = acting(role)
    for chosen in ACTIONS:
        shown.click(chosen)
        confirm(shown, "because")
        shown.wait(lambda: words in (shown.text("#confirm-error") or ""), "the daemon's words")
        shown.click("#confirm-no")
        shown.wait_closed("#confirm")
    fence(bus)
    assert commands(bus) == [] and bus.instance("mt5-1") and not bus.events(event="maintenance_changed")


def test_without_any_token_configured_the_key_is_named(acting, bus):
    shown = acting(role="whatever-token", config={"http.tokens": []})
    shown.click("[data-command=restart]")
    confirm(shown)
    shown.wait(lambda: "http.tokens" in (shown.text("#confirm-error") or ""), "the key")
    assert commands(bus) == []


def test_the_token_is_forgotten_with_the_tab_or_before(acting):
    shown = acting()
    assert TOKENS["admin"] in shown.js("return JSON.stringify({...sessionStorage})")
    assert TOKENS["admin"] not in shown.js("return JSON.stringify({...localStorage}) + document.cookie + location.href")
    assert TOKENS["admin"] not in shown.js("return document.documentElement.outerHTML")
    assert shown.js("return document.querySelector('#token-value').value") == ""
    shown.click("#sign-out")
    shown.wait(lambda: TOKENS["admin"] not in shown.js("return JSON.stringify({...sessionStorage})"), "it gone")
    shown.click("[data-command=restart]")
    shown.wait_open("#token")
    shown.escape()


# ---- doing ----

def test_what_is_called_off_is_not_done(acting, bus):
    shown = acting()
    for chosen in ACTIONS:
        for call_off in (lambda: shown.click("#confirm-no"), shown.escape):
            shown.click(chosen)
            shown.wait_open("#confirm")
            assert "mt5-1" in shown.text("#confirm")
            call_off()
            shown.wait_closed("#confirm")
    fence(bus)
    assert commands(bus) == [] and changes(shown) == [] and not bus.events(event="maintenance_changed")
    assert bus.instance("mt5-1")


def test_each_command_is_given_once_it_is_confirmed(acting, bus):
    shown = acting()
    reason = 'weekly "update" <b>'
    for number, command in enumerate(COMMANDS, 1):
        shown.click(f"[data-command={command}]")
        shown.wait_open("#confirm")
        assert command in shown.text("#confirm").lower()
        confirm(shown, reason)
        shown.wait_closed("#confirm")
        given = bus.entries("instance_commands")
        assert (given[-1]["instance_id"], given[-1]["command"], given[-1]["reason"]) == ("mt5-1", command, reason)
        assert len(given) == len(changes(shown)) == number
        shown.wait(lambda: sum(row["event"] == "command_issued" for row in shown.events()) == number, "it")     # noqa: B023
        bus.report("mt5-1", command_id=given[-1]["command_id"], command_status="ok")
        bus.wait_event(event="command_completed", command_id=given[-1]["command_id"])
    assert shown.was_not_reloaded()


@pytest.mark.parametrize("how", ["two clicks at once", "a double click", "Enter held", "two dialogs"])
def test_twice_is_once(acting, bus, redis_server, how):
    shown = acting()
    shown.click("[data-command=restart]")
    shown.wait_open("#confirm")
    if how == "two clicks at once":
        shown.js("const yes = document.querySelector('#confirm-yes'); yes.click(); yes.click(); yes.click()")
    elif how == "a double click":
        yes = shown.browser.find("#confirm-yes")
        webdriver.ActionChains(shown.browser.driver, duration=0).double_click(yes).perform()
    elif how == "Enter held":
        shown.js("document.querySelector('#confirm-yes').focus()")
        shown.press(*[Keys.ENTER] * 5)
    else:
        # Redis does not answer, so the first is still under way.
        redis_server.pause()
        try:
            shown.click("#confirm-yes")
            shown.js("document.querySelector('#confirm-yes').click()")
        finally:
            redis_server.resume()
    wait_until(lambda: commands(bus), "the command")
    shown.wait_closed("#confirm")
    fence(bus)
    assert len(commands(bus)) == 1 and len(changes(shown)) == 1


def test_a_refusal_is_shown_in_the_daemons_words(acting, bus):
    shown = acting()
    answer = mt5_http.request(shown.listen, "/api/v1/instances/mt5-1/commands", "POST",
                              {"Authorization": "Bearer " + TOKENS["admin"]}, json.dumps({"command": "restart"}))
    command_id = json.loads(answer.text)["command_id"]
    shown.click("[data-command=start]")
    confirm(shown)
    shown.wait(lambda: f"{command_id} is under way" in (shown.text("#confirm-error") or ""), "what is under way")
    assert shown.is_open("#confirm")
    shown.click("#confirm-no")
    shown.click("[data-command=stop]")
    shown.wait_open("#confirm")
    assert not shown.text("#confirm-error")     # of the one before
    shown.click("#confirm-no")
    assert [command for _, command, _ in commands(bus)] == ["restart"]


def test_a_change_while_redis_is_away_is_refused_and_shown(acting, bus, redis_server):
    shown = acting()
    shown.click("[data-command=stop]")
    shown.wait_open("#confirm")
    redis_server.stop()
    wait_until(lambda: not shown.daemon.is_ready(), "the daemon to notice")
    shown.click("#confirm-yes")
    shown.wait(lambda: shown.text("#confirm-error"), "why not")
    redis_server.start()
    shown.daemon.wait_ready()
    assert commands(bus) == []


def test_a_change_while_the_daemon_is_away_is_shown_as_not_done(acting, bus):
    shown = acting()
    shown.click("[data-command=stop]")
    shown.wait_open("#confirm")
    shown.daemon.stop()
    shown.click("#confirm-yes")
    shown.wait(lambda: shown.text("#confirm-error"), "that it was not done")
    shown.daemon.start()
    shown.wait(shown.is_live, "that it is live")
    assert commands(bus) == []


def test_a_reason_that_is_too_long_is_refused_with_words(acting, bus):
    shown = acting()
    shown.click("[data-command=stop]")
    shown.wait_open("#confirm")
    shown.js("""const field = document.querySelector('#confirm-reason'); field.removeAttribute('maxlength');
                field.value = 'x'.repeat(2000); field.dispatchEvent(new Event('input', {bubbles: true}))""")
    shown.click("#confirm-yes")
    shown.wait(lambda: "reason" in (shown.text("#confirm-error") or ""), "the daemon's words")
    assert commands(bus) == []


# ---- maintenance, removing ----

def test_maintenance_goes_on_with_an_end_and_off(acting, bus):
    shown = acting()
    shown.click("[data-action=maintenance-on]")
    shown.wait_open("#confirm")
    shown.choose_duration(3600)
    confirm(shown, "new build")
    shown.wait_closed("#confirm")
    found = json.loads(shown.daemon.get("/api/v1/instances/mt5-1").text)["maintenance"]
    assert found["reason"] == "new build" and found["until"]
    [event] = bus.events(event="maintenance_changed")
    assert event["reason"] == "new build"
    shown.wait(lambda: "new build" in shown.text("#instance"), "maintenance and its reason")
    shown.click("[data-action=maintenance-off]")
    confirm(shown)
    shown.wait_closed("#confirm")
    assert json.loads(shown.daemon.get("/api/v1/instances/mt5-1").text)["maintenance"] is None
    shown.wait(lambda: not shown.fields().get("maintenance", "").count("new build"), "none")
    assert len(changes(shown)) == 2


def test_maintenance_without_an_end(acting):
    shown = acting()
    shown.click("[data-action=maintenance-on]")
    shown.wait_open("#confirm")
    shown.choose_duration(None)
    confirm(shown, "until further notice")
    shown.wait_closed("#confirm")
    found = json.loads(shown.daemon.get("/api/v1/instances/mt5-1").text)["maintenance"]
    assert found == {"reason": "until further notice", "until": None}


def test_maintenance_wants_a_reason(acting, bus):
    shown = acting()
    shown.click("[data-action=maintenance-on]")
    confirm(shown, "")
    assert shown.is_open("#confirm")
    fence(bus)
    assert not bus.events(event="maintenance_changed")
    confirm(shown, "now with one")
    shown.wait_closed("#confirm")
    assert len(bus.events(event="maintenance_changed")) == 1


def test_an_instance_is_removed_and_the_page_goes_back(acting, bus):
    shown = acting()
    shown.click("[data-action=remove]")
    shown.wait_open("#confirm")
    assert "mt5-1" in shown.text("#confirm")
    shown.click("#confirm-no")
    fence(bus)
    assert bus.instance("mt5-1")
    shown.click("[data-action=remove]")
    confirm(shown, "sold")
    shown.wait_closed("#confirm")
    assert bus.instance("mt5-1") == {} and bus.events(event="instance_removed", instance_id="mt5-1")
    shown.wait(lambda: "mt5-1 was removed. It still reports" in (shown.text("#toasts") or ""), "that it may come back")
    shown.go("#/")
    shown.wait(lambda: set(shown.tiles()) == {"mt5-2", "fence"}, "the others")


def test_an_instance_that_is_removed_by_others_says_so(acting):
    shown = acting(role=None)
    answer = mt5_http.request(shown.listen, "/api/v1/instances/mt5-1", "DELETE",
                              {"Authorization": "Bearer " + TOKENS["admin"]})
    assert answer.status == 204
    shown.wait(lambda: "mt5-1" in shown.text("main") and "removed" in shown.text("main").lower()
               or not shown.is_shown("#instance"), "that it is gone")
