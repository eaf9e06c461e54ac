"""Names and texts of others: shown as what they are, and never obeyed (SPEC 3).

Ids are letters, digits and . _ - wherever the daemon lets them in; free text is anything. Events may be written by others,
with anything in them. Where no daemon of ours would tell the page a name, a mt5.forger does."""

import urllib.parse

import pytest

from mt5.forger import Forger
from mt5.invariants import EVENTS
from mt5.tokens import TOKENS

TEXTS = [
    "<script>window.pwned = 1</script>", "<img src=x onerror=window.pwned=1>", "\"><svg onload=window.pwned=1>",
    "' onclick='window.pwned=1' x='", "javascript:window.pwned=1", "{{7*7}} ${window.pwned=1}", "&lt;b&gt; &amp; &#x41;",
    "\u202egnp.exe\u202c \u2066isolated\u2069", "\U0001f4c9 \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301\u0302\u0303",
    "%2F..%2f../%00", "../../etc/passwd", "a\tb\nc\rd", "\\u003cscript\\u003e", "]]><!--", "x" * 1024, "\u0085\u2028\u2029",
]
# All of them ids.
ODD_IDS = ["constructor", "toString", "hasOwnProperty", "a__proto__b", "null", "undefined", "NaN", "0", "1e3", "true", "a..b",
           "A-B_C.d", "x" * 64, "valueOf", "length"]
# None of them an id.
EVIL_IDS = {
    "evil-1": "<script>window.pwned=1</script>", "evil-2": "\"><img src=x onerror=window.pwned=1>", "evil-3": "__proto__",
    "evil-4": "a/b", "evil-5": "..", "evil-6": "%2F", "evil-7": "a?b=c#d", "evil-8": "\u202eevil", "evil-9": "\U0001f4c9 x",
    "evil-10": "javascript:window.pwned=1", "evil-11": "a b'c\"d", "evil-12": "y" * 500, "evil-13": "a&b=1",
    "evil-14": "[data-id]", "evil-15": "\\\"\n",
}


def assert_nothing_ran(shown):
    assert shown.js("return [window.pwned, Object.prototype.state, Object.prototype.id, ({}).evil]") == [None] * 4
    tags = shown.js("return [...document.querySelectorAll('script, iframe, object, embed, base, form[action]')]"
                    ".map(one => one.outerHTML)")
    assert all('src="/page/' in tag for tag in tags), tags
    assert shown.js("return [...document.querySelectorAll('img')].map(one => one.getAttribute('src'))"
                    ".filter(source => !source.startsWith('/page/'))") == []
    assert shown.js("return [...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()"
                    ".filter(name => name.startsWith('on')))") == []
    assert shown.js("return [...document.querySelectorAll('a')].map(one => one.getAttribute('href'))"
                    ".filter(link => link && /^\\s*(javascript|data):/i.test(link))") == []
    assert shown.browser.hosts() == {shown.listen}


def as_shown(text):
    """White space as a browser shows it where it keeps none."""
    return " ".join(text.split())


def assert_shown(shown, selector, text):
    """Somewhere there; long text may be cut where it is no field."""
    seen = shown.js("return [...document.querySelectorAll(arguments[0])].map(one => one.textContent)", selector)
    assert any(as_shown(text) in as_shown(one) for one in seen), (text, seen)


def test_free_text_is_text(fleet, bus, page):
    one = fleet({"observe_only": True})
    bus.many("instance_reports", [{"instance_id": f"t{number}", "broker_id": "b1", "state": "crashed", "last_error": text}
                                  for number, text in enumerate(TEXTS)])
    bus.settle()
    shown = page(one)
    for number in range(len(TEXTS)):
        name = f"t{number}"
        stored = bus.health(name)["last_error"]
        shown.go_instance(name)
        shown.wait(lambda: as_shown(shown.field_text("last_error") or "") == as_shown(stored), stored)      # noqa: B023
    assert_nothing_ran(shown)


def test_a_reason_is_text(fleet, bus, page):
    one = fleet()
    bus.register("mt5-1")
    shown = page(one)
    shown.go_instance("mt5-1")
    for text in TEXTS:
        shown.click("[data-action=maintenance-on]")
        if text is TEXTS[0]:
            shown.give_token(TOKENS["admin"])
        shown.wait_open("#confirm")
        shown.js("const field = document.querySelector('#confirm-reason'); field.value = arguments[0];"
                 "field.dispatchEvent(new Event('input', {bubbles: true}))", text)
        typed = shown.js("return document.querySelector('#confirm-reason').value")
        shown.click("#confirm-yes")
        shown.wait_closed("#confirm")
        stored = bus.events(event="maintenance_changed")[-1]["reason"]
        assert as_shown(stored) == as_shown(typed)
        shown.wait(lambda: assert_shown(shown, "#fields", stored[:100]) is None, "it as a field")     # noqa: B023
        shown.wait(lambda: assert_shown(shown, "#events li", stored[:100]) is None, "it as an event")     # noqa: B023
        shown.click("[data-action=maintenance-off]")
        shown.wait_open("#confirm")
        shown.click("#confirm-yes")
        shown.wait_closed("#confirm")
    assert_nothing_ran(shown)


def test_an_agents_refusal_is_text(fleet, bus, page):
    one = fleet({"recovery.timeout_ms": 60000, "recovery.max_attempts": 1})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    command = bus.wait_event(event="command_issued", instance_id="mt5-1")["command_id"]
    bus.report("mt5-1", command_id=command, command_status="failed", command_error=TEXTS[1])
    bus.wait_event(event="command_completed", command_id=command)
    shown = page(one, "#/instance/mt5-1")
    shown.wait(lambda: assert_shown(shown, "#why li", TEXTS[1]) is None, "it in the chain")
    assert_nothing_ran(shown)


@pytest.mark.no_invariants(reason="the events are made up")
def test_events_of_others_are_text(fleet, bus, page):
    one = fleet()
    shown = page(one, "#/events")
    for text in TEXTS:
        bus.add(EVENTS, {"event": "strange_thing", "instance_id": text[:60], "seq": "1", "reason": text, "alert": text[:60],
                         "at": text[:60], "from": text[:20], "to": text[:20], "value": text[:20], "threshold": text[:20],
                         "command_id": text[:60], "signal_id": text[:60], "correlation_id": text[:60]})
    bus.register("mt5-1")       # what others write is seen when there is something of the daemon's own
    shown.wait(lambda: sum(row["event"] == "strange_thing" for row in shown.events()) == len(TEXTS), "all of them")
    for text in TEXTS:
        assert_shown(shown, "#events li", text[:60].replace("\r", "\n"))
    # Links to the instances of these names lead to a page that says that there are none.
    links = shown.js("return [...document.querySelectorAll('#events a[href*=instance]')].map(one => one.getAttribute('href'))")
    for link in links:
        assert link.startswith("#/instance/"), link
    for link in [link for link in links if link != "#/instance/mt5-1"][:4]:
        shown.go(link)
        shown.wait(lambda: "no instance" in shown.text("main"), "that there is none")
        assert_nothing_ran(shown)
    assert_nothing_ran(shown)


def test_odd_ids_are_instances_like_others(fleet, bus, page):
    one = fleet({"observe_only": True, "rules.constructor": {
        "metric": "queue_length", "op": ">", "threshold": 10, "for_ms": 0, "severity": "warning", "actions": ["notify"]}})
    bus.many("instance_reports", [{"instance_id": name, "broker_id": name, "host_id": name, "state": "running",
                                   "queue_length": "50"} for name in ODD_IDS])
    bus.signal("constructor", action="constructor")
    bus.settle()
    shown = page(one)
    shown.wait(lambda: shown.groups() == {name: {name} for name in ODD_IDS}, "all, each in a group of its own")
    shown.wait(lambda: {row["instance"] for row in shown.rows("#alerts .alert[data-alert=constructor]")} == set(ODD_IDS),
               "the alert of each")
    shown.group_by("host")
    shown.wait(lambda: shown.groups() == {name: {name} for name in ODD_IDS}, "the same by host")
    bus.report("toString", state="stopped")
    shown.wait(lambda: shown.tile("toString")["state"] == "stopped", "a change")
    for name in ODD_IDS:
        shown.go("#/")
        shown.wait(lambda: name in shown.tiles(), "the fleet")      # noqa: B023
        shown.click(f'a.tile[data-id="{name}"]')
        shown.wait(lambda: shown.instance_id() == name, name)       # noqa: B023
        shown.wait(lambda: shown.fields().get("broker_id") == name, "its fields")   # noqa: B023
    assert_nothing_ran(shown)


@pytest.fixture
def forged(fleet, bus, browser, page):      # pylint: disable=unused-argument
    made = []

    def make():
        one = fleet({"rules.HighQueueLength.threshold": 10, "rules.HighQueueLength.actions": ["notify"],
                     "signals.ttl_ms": 3600000, "signals.execution_ttl_ms": 3600000})
        # The longest first, so that no name is a part of one that comes later.
        names = dict(sorted(EVIL_IDS.items(), key=lambda pair: -len(pair[0])))
        bus.many("instance_reports", [{"instance_id": name, "broker_id": name, "host_id": name, "state": "running",
                                       "queue_length": "50"} for name in names])
        bus.many("trade_signals", [{"signal_id": name, "instance_id": name, "action": "buy"} for name in names])
        bus.settle()
        made.append(Forger(one.listen, names))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def test_ids_that_cannot_be_are_text_too(forged, bus, page):
    forger = forged()
    shown = page(forger)
    evil = set(EVIL_IDS.values())
    shown.wait(lambda: set(shown.tiles()) == evil, "all of them")
    assert shown.groups() == {name: {name} for name in evil}
    shown.wait(lambda: {row["instance"] for row in shown.rows("#alerts .alert")} == evil, "their alerts")
    shown.wait(lambda: len(shown.rows("#open-signals tr[data-signal]")) == 5, "the oldest signals")
    assert {row["signal"] for row in shown.rows("#open-signals tr[data-signal]")} <= evil
    bus.report("evil-1", state="stopped")
    bus.report("evil-3", state="stopped")
    shown.wait(lambda: {name for name, state in shown.states().items() if state == "stopped"} == {
        EVIL_IDS["evil-1"], "__proto__"}, "the changes")
    for name in evil - {".."}:      # which every client takes out of a path
        shown.go("#/")
        shown.wait(lambda: name in shown.tiles(), "the fleet")      # noqa: B023
        href = shown.tile(name)["href"]
        assert href == "#/instance/" + urllib.parse.quote(name, safe="!'()*-._~"), href
        shown.js("""[...document.querySelectorAll('a.tile')].find(one => one.dataset.id === arguments[0]).click()""", name)
        shown.wait(lambda: shown.instance_id() == name, name)       # noqa: B023
        shown.wait(lambda: as_shown(shown.field_text("broker_id") or "") == as_shown(name), "its fields")     # noqa: B023
    assert_nothing_ran(shown)
    shown.go("#/events")
    shown.wait(lambda: len(shown.events()) >= len(evil), "the events")
    assert_nothing_ran(shown)


def test_a_command_reaches_the_one_that_was_meant(forged, bus, page):
    """Whatever the name, it is one segment of the path that is asked for."""
    forger = forged()
    shown = page(forger)
    shown.wait(lambda: len(shown.tiles()) == len(EVIL_IDS), "all of them")
    for number, chosen in enumerate(("evil-4", "evil-7", "evil-1")):
        shown.go_instance(EVIL_IDS[chosen])
        shown.click("[data-action=maintenance-on]")
        if number == 0:
            shown.give_token(TOKENS["admin"])
        shown.wait_open("#confirm")
        shown.browser.find("#confirm-reason").send_keys(chosen)
        shown.click("#confirm-yes")
        shown.wait(lambda: not shown.is_open("#confirm") or shown.text("#confirm-error"), "an answer")
        assert bus.events(event="maintenance_changed", instance_id=chosen, reason=chosen), forger.asked[-3:]
    assert_nothing_ran(shown)
