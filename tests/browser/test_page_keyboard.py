"""Everything can be done without a mouse, and one sees where one is."""

import pytest

from mt5.browser import Keys
from mt5.tokens import TOKENS

ALL_FOCUSABLE = """
return [...document.querySelectorAll(
        'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]),' +
        '[tabindex]:not([tabindex="-1"])')]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && one.tabIndex >= 0 && !one.closest('dialog:not([open])'))
    .map(one => { one.dataset.testMark ||= 'm' + (window.testMarks = (window.testMarks || 0) + 1);
                  return one.dataset.testMark; });
"""


@pytest.fixture
def shown(fleet, bus, page):
    daemon = fleet({"observe_only": True})
    bus.many("instance_reports", [{"instance_id": f"mt5-{number}", "broker_id": f"broker-{number // 3}",
                                   "host_id": f"host-{number % 2}", "state": "running"} for number in range(6)])
    bus.report("mt5-5", state="crashed", last_error="all is lost")
    bus.settle()
    one = page(daemon)
    one.wait(lambda: len(one.tiles()) == 6 and one.tile("mt5-5")["state"] == "crashed", "the fleet")
    return one


def route(shown):
    return shown.js("return location.hash") or "#/"


def wait_route(shown, *wanted):
    shown.wait(lambda: route(shown) in wanted, f"the route {wanted[0]}")


def focused_tile(shown):
    return shown.focused()["data"].get("id")


def test_a_question_mark_shows_the_keys(shown):
    shown.press("?")
    shown.wait(lambda: "Esc" in (shown.text("#help") or ""), "the keys")
    text = shown.text("#help")
    for key in ("?", "/", "g", "f", "e", "Enter", "Esc"):
        assert key in text
    shown.escape()
    shown.wait(lambda: not shown.is_shown("#help"), "no help")
    shown.wait(lambda: shown.is_shown("#fleet"), "the fleet")


def test_a_slash_goes_to_the_filter(shown):
    shown.press("/")
    shown.wait(lambda: shown.focused()["id"] == "filter", "the focus in the filter")
    assert shown.js("return document.querySelector('#filter').value") == ""
    shown.press(*"mt5-3")
    shown.wait(lambda: set(shown.tiles()) == {"mt5-3"}, "what fits")
    shown.press("?", "/", "g", "f")    # are letters there
    assert shown.js("return document.querySelector('#filter').value") == "mt5-3?/gf"
    assert not shown.is_shown("#help")
    shown.escape()
    shown.escape()
    shown.wait(lambda: shown.focused()["id"] != "filter" and len(shown.tiles()) == 6, "the filter empty and left")
    shown.press("g", "e")
    wait_route(shown, "#/events")


def test_two_letters_go_places(shown):
    shown.press("g", "e")
    wait_route(shown, "#/events")
    shown.wait(lambda: shown.is_shown("#events") and not shown.is_shown("#fleet"), "the events")
    shown.press("g", "f")
    wait_route(shown, "#/", "")
    shown.wait(lambda: shown.is_shown("#fleet") and not shown.is_shown("#events"), "the fleet")
    shown.press("e", "g", "x", "f")
    assert route(shown) in ("#/", "")
    shown.browser.keys_with(Keys.CONTROL, "g")
    shown.press("e")
    assert route(shown) in ("#/", "")


def test_arrows_move_between_tiles(shown):
    order = list(shown.tiles())
    shown.press(Keys.ARROW_RIGHT)
    shown.wait(lambda: focused_tile(shown) == order[0], "the first tile with the focus")
    for name in order[1:]:
        shown.press(Keys.ARROW_RIGHT)
        assert focused_tile(shown) == name
    shown.press(Keys.ARROW_LEFT)
    assert focused_tile(shown) == order[-2]
    shown.press(Keys.ARROW_UP)
    above = focused_tile(shown)
    assert above in order[:3], above
    shown.press(Keys.ARROW_DOWN)
    assert focused_tile(shown) in order[3:]
    assert shown.focused()["outline"] != "none" or shown.focused()["shadow"] != "none"


def test_enter_opens_and_escape_goes_back(shown):
    shown.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    name = focused_tile(shown)
    shown.press(Keys.ENTER)
    shown.wait(lambda: shown.instance_id() == name, f"the page of {name}")
    assert route(shown) == f"#/instance/{name}"
    shown.escape()
    wait_route(shown, "#/", "")
    shown.wait(lambda: shown.is_shown("#fleet"), "the fleet")
    shown.wait(lambda: focused_tile(shown) == name, "the focus where it was")
    shown.browser.driver.back()
    shown.wait(lambda: shown.is_shown("#fleet") or shown.instance_id(), "either")


def test_the_focus_stays_while_the_fleet_changes(shown, bus):
    shown.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    name = focused_tile(shown)
    bus.register("mt5-0a", broker_id="broker-0")
    bus.report(name, state="stopped")
    shown.wait(lambda: "mt5-0a" in shown.tiles() and shown.tile(name)["state"] == "stopped", "the change")
    assert focused_tile(shown) == name


def tab_through(shown):
    """What Tab reaches, from the beginning on, by its mark; each with an outline to be seen."""
    wanted = set(shown.js(ALL_FOCUSABLE))
    reached, plain = set(), []
    shown.js("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    for _ in range(len(wanted) * 2 + 5):
        shown.press(Keys.TAB)
        here = shown.focused()
        mark = here["data"].get("testMark")
        if mark is None or mark in reached:
            if wanted <= reached:
                break
            continue
        reached.add(mark)
        if (here["outline"] == "none" or here["width"] < 1) and here["shadow"] == "none":
            plain.append(here)
    assert not plain, plain
    return wanted, reached


@pytest.mark.parametrize("where", ["#/", "#/instance/mt5-5", "#/events"])
def test_tab_reaches_everything_and_shows_where_it_is(shown, where):
    shown.go(where)
    shown.wait(lambda: shown.is_shown("#instance" if "instance" in where else "#events" if "events" in where
                                      else "#fleet"), where)
    wanted, reached = tab_through(shown)
    # What was drawn anew meanwhile could not be reached any more.
    missed = shown.js("return arguments[0].map(mark => document.querySelector(`[data-test-mark=${mark}]`)?.outerHTML)",
                      sorted(wanted - reached))
    assert len(reached) > 5 and [text for text in missed if text] == []


@pytest.mark.parametrize("dialog", ["#confirm", "#token"])
def test_a_dialog_keeps_the_focus(shown, dialog):
    shown.go_instance("mt5-1")
    button = shown.browser.find("[data-command=restart]")
    shown.js("arguments[0].focus()", button)
    shown.press(Keys.ENTER)
    if dialog == "#confirm":
        shown.give_token(TOKENS["admin"])
    shown.wait_open(dialog)
    assert shown.js("return document.querySelector(arguments[0]).matches(':modal')", dialog)
    inside = set()
    for _ in range(12):
        shown.press(Keys.TAB)
        place = shown.js("""const one = document.activeElement, dialog = document.querySelector(arguments[0]);
                            return dialog.contains(one) ? one.id : one === document.body ? 'body' : 'outside'""", dialog)
        assert place != "outside"
        inside.add(place)
    wanted = {"#confirm": {"confirm-reason", "confirm-yes", "confirm-no"}, "#token": {"token-value", "token-save"}}
    assert wanted[dialog] <= inside
    shown.press("g", "f", "?")
    assert "instance" in route(shown) and not shown.is_shown("#help")
    shown.escape()
    shown.wait_closed(dialog)
    assert shown.instance_id() == "mt5-1"     # one Esc closes the dialog, and no more
    shown.wait(lambda: shown.focused()["data"].get("command") == "restart", "the focus where it was")


def test_the_destructive_answer_is_not_the_one_at_hand(shown):
    """Enter in passing does nothing: the focus is not on Yes when the dialog opens."""
    shown.go_instance("mt5-1")
    shown.click("[data-action=remove]")
    shown.give_token(TOKENS["admin"])
    shown.wait_open("#confirm")
    assert shown.focused()["id"] != "confirm-yes"
    shown.escape()
    shown.wait_closed("#confirm")


def test_it_can_be_read_to_somebody(shown):
    """Headings, names of controls, a title, a language, one main part."""
    assert shown.js("return document.documentElement.lang") == "en"
    assert shown.js("return document.querySelectorAll('main').length") == 1
    assert shown.js("return [...document.querySelectorAll('h1')].filter(one => one.checkVisibility()).length") == 1
    for where in ("#/", "#/instance/mt5-5", "#/events"):
        shown.go(where)
        nameless = shown.js("""
            return [...document.querySelectorAll('button, input, select, textarea, a[href]')]
                .filter(one => one.checkVisibility())
                .filter(one => !(one.innerText || '').trim() && !one.getAttribute('aria-label') &&
                               !one.getAttribute('aria-labelledby') && !one.title && !(one.labels && one.labels.length))
                .map(one => one.outerHTML)""")
        assert nameless == []
    shown.go("#/")
    label = shown.js("const one = document.querySelector('a.tile[data-id=mt5-5]');"
                     "return (one.getAttribute('aria-label') || '') + one.innerText + (one.title || '')")
    assert "crashed" in label and "critical" in label
