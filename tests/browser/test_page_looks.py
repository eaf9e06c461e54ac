"""Dark and light, colours that everybody tells apart, and a telephone."""

import itertools

import pytest

from mt5 import colour
from mt5.tokens import TOKENS

STATES = ("running", "stopped", "crashed", "restarting")
ROUTES = ("#/", "#/instance/crashed-1", "#/events")

# Every piece of text that is to be seen: its colour, and the colours behind it from the front to the back.
READ_TEXTS = """
const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), one = walker.currentNode.parentElement;
    if (!text || !one.checkVisibility({visibilityProperty: true, opacityProperty: true}) || one.closest(':disabled')) continue;
    const box = one.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(one), behind = [];
    let opacity = 1;
    for (let up = one; up; up = up.parentElement) {
        const its = getComputedStyle(up);
        behind.push(its.backgroundColor);
        opacity *= parseFloat(its.opacity);
    }
    found.push({text, main: one.closest('main') !== null, colour: one.closest('svg') ? style.fill : style.color, behind, opacity, size: parseFloat(style.fontSize),
                bold: parseInt(style.fontWeight) >= 700, where: one.tagName + '.' + one.getAttribute('class') + '#' + one.id});
}
return found;
"""

MOVING = """
return document.getAnimations().filter(one => one.playState === 'running' &&
                                              one.effect.getComputedTiming().iterations !== Infinity).length;
"""

READ_LOOK = """
const tile = document.querySelector(`a.tile[data-id="${arguments[0]}"]`), style = getComputedStyle(tile);
const parts = [tile, ...tile.querySelectorAll('*')].filter(one => one.checkVisibility());
const signs = parts.flatMap(one => ['::before', '::after'].map(which => getComputedStyle(one, which).content)
    .filter(text => text !== 'none' && text !== 'normal'));
const shapes = parts.map(one => { const its = getComputedStyle(one);
    return [its.borderStyle, its.borderRadius, its.clipPath, its.backgroundImage, its.maskImage, one.getAttribute('d'), one.closest('svg') && one.getAttribute('href')].join(); });
return {background: style.backgroundColor, border: style.borderLeftColor,
        colours: parts.map(one => getComputedStyle(one)).flatMap(its => [its.backgroundColor, its.borderLeftColor, its.color]),
        text: tile.innerText.replace(arguments[0], ''), signs, shapes: shapes.join('|')};
"""


@pytest.fixture
def shown(fleet, bus, page):
    """A fleet with everything that has a look of its own."""
    one = fleet({"rules.HighQueueLength.threshold": 10, "rules.HighLoadAverage.threshold": 1,
                 "rules.HighLoadAverage.for_ms": 3600000, "observe_only": True})
    for state in STATES:
        for number in (1, 2):
            bus.report(f"{state}-{number}", broker_id="broker-1", host_id="host-1", state=state, cpu_usage=12.5,
                       memory_usage=1000, memory_limit=4000, last_error="something went wrong")
    bus.report("warned", broker_id="broker-2", state="running", queue_length=50, load_average=3)
    bus.report("sick", broker_id="broker-2", state="running", health_status="critical")
    bus.signal("s1")
    bus.settle()
    opened = page(one)
    opened.wait(lambda: len(opened.tiles()) == 10 and opened.alerts() and opened.tile("warned")["health"] == "warning",
                "everything")
    return opened


def use_theme(shown, theme):
    """By what its user has chosen for all programs."""
    shown.browser.prefer_scheme(theme)
    shown.wait(lambda: (luminance_of_page(shown) < 0.5) == (theme == "dark"), f"it {theme}")


PALETTE = """
const style = getComputedStyle(document.documentElement);
return [...document.styleSheets].flatMap(sheet => [...sheet.cssRules]).filter(rule => rule.selectorText === ':root')
    .flatMap(rule => [...rule.style]).filter(name => name.startsWith('--')).map(name => name + style.getPropertyValue(name));
"""


def luminance_of_page(shown):
    for place in ("document.body", "document.documentElement"):
        found = colour.parse(shown.js(f"return getComputedStyle({place}).backgroundColor"))
        if found[3] > 0:
            return colour.to_lab(found)[0] / 100
    return 1.0


def flatten(colours):
    """What is seen of colours, from the front to the back, over white."""
    seen = (1.0, 1.0, 1.0)
    for red, green, blue, alpha in reversed(colours):
        seen = tuple(part * alpha + below * (1 - alpha) for part, below in zip((red, green, blue), seen))
    return seen


def too_faint(shown, old_ratio=4.5):
    """Lines about text of less contrast than 4.5, or 3 where it is large; old_ratio is what does for numbers that are old,
    and look it."""
    shown.wait(lambda: shown.js(MOVING) == 0, "colours that have come to rest")
    for piece in shown.js(READ_TEXTS):
        behind = [colour.parse(text) for text in piece["behind"]]
        front = colour.parse(piece["colour"])
        ground = flatten(behind)
        red, green, blue, alpha = front
        ratio = colour.contrast(flatten([(red, green, blue, alpha * piece["opacity"]), *behind]), ground)
        is_large = piece["size"] >= 24 or piece["size"] >= 18.66 and piece["bold"]
        if ratio < (3.0 if is_large else old_ratio if piece["main"] else 4.5) - 0.01:
            yield f"{piece['where']} {piece['text'][:40]!r}: {ratio:.2f}"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_all_text_can_be_read(shown, theme):
    use_theme(shown, theme)
    faint = []
    for route in ROUTES:
        shown.go(route)
        shown.wait(lambda: shown.is_shown("#instance" if "instance" in route else "#events" if "events" in route  # noqa: B023
                                          else "#fleet"), route)
        assert len(shown.js(READ_TEXTS)) > 10
        faint += [f"{route} {line}" for line in too_faint(shown)]
    shown.press("?")
    shown.wait(lambda: shown.is_shown("#help"), "the help")
    faint += [f"help {line}" for line in too_faint(shown)]
    shown.escape()
    shown.go_instance("running-1")
    shown.click("[data-action=remove]")
    shown.give_token(TOKENS["report"])
    shown.wait_open("#confirm")
    shown.browser.find("#confirm-reason").send_keys("sold")
    shown.click("#confirm-yes")
    shown.wait(lambda: shown.text("#confirm-error"), "a refusal")
    faint += [f"dialog {line}" for line in too_faint(shown)]
    shown.click("#confirm-no")
    assert not faint, "\n".join(dict.fromkeys(faint))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_banner_can_be_read(shown, fleet, theme, redis_server):
    use_theme(shown, theme)
    redis_server.pause()
    try:
        shown.wait(lambda: shown.banner() and shown.is_stale(), "the banner")
        faint = list(too_faint(shown, old_ratio=3.0))
    finally:
        redis_server.resume()
    shown.wait_live()
    assert not faint, "\n".join(dict.fromkeys(faint))


def test_the_theme_follows_the_system_until_one_is_chosen(shown):
    palettes = {}
    for theme in ("dark", "light"):
        use_theme(shown, theme)
        palettes[theme] = shown.js(PALETTE)
    assert len(palettes["dark"]) > 10 and palettes["dark"] != palettes["light"]
    seen = []
    for _ in range(3):
        shown.click("#theme")
        of_both = []
        for scheme in ("dark", "light"):
            shown.browser.prefer_scheme(scheme)
            of_both.append("dark" if luminance_of_page(shown) < 0.5 else "light")
            assert shown.js(PALETTE) == palettes[of_both[-1]]
        seen.append(of_both[0] if of_both[0] == of_both[1] else "auto")
    assert seen == ["dark", "light", "auto"]
    shown.click("#theme")       # dark
    shown.browser.prefer_scheme("light")
    shown.open()
    assert luminance_of_page(shown) < 0.5       # kept over a new load
    shown.click("#theme")
    shown.click("#theme")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_states_are_told_apart_by_everybody(shown, theme):
    """By letter or shape alone; and at a glance by colour, with each kind of colour-blindness."""
    use_theme(shown, theme)
    looks = {state: shown.js(READ_LOOK, f"{state}-1") for state in STATES}
    looks["warned"], looks["sick"] = (shown.js(READ_LOOK, name) for name in ("warned", "sick"))
    for one, other in itertools.combinations(looks, 2):
        first, second = looks[one], looks[other]
        assert any(first[key] != second[key] for key in ("text", "signs", "shapes")), f"{one} and {other} differ by colour only"
    assert looks["running"]["shapes"] == shown.js(READ_LOOK, "running-2")["shapes"]
    close = []
    for one, other in itertools.combinations(STATES, 2):
        for blindness in colour.BLINDNESS:
            best = max(colour.difference(flatten([colour.parse(a)]), flatten([colour.parse(b)]), blindness)
                       for a, b in zip(looks[one]["colours"], looks[other]["colours"]))
            if best < 12:
                close.append(f"{one} and {other} with {blindness}: {best:.1f}")
    assert not close, "\n".join(close)


# ---- a telephone ----

OUTSIDE = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('a[href], button, input, select, h1, h2, .tile, .alert, li, [data-field]')]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && !one.closest('dialog:not([open])'))
    .filter(one => { const box = one.getBoundingClientRect();
                     return box.width > 0 && (box.left < -1 || box.right > width + 1) && !scrolls(one); })
    .map(one => one.outerHTML.slice(0, 200));
function scrolls(one) {     // of its own, as a wide table may
    for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
        if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return true;
    return false;
}
"""


@pytest.mark.parametrize("width", [360, 320])
def test_a_telephone_shows_all_of_it(fleet, bus, page, width):
    long_id = "x".join("0123456789") + "-" + "W" * 44
    assert len(long_id) == 64
    one = fleet({"observe_only": True})
    bus.register(long_id, broker_id="B" * 64, host_id="H" * 64, cpu_usage=99, last_error="E" * 1024)
    bus.report(long_id, state="crashed")
    bus.register("mt5-1")
    bus.settle()
    shown = page(one)
    shown.browser.resize(width, 740, scale=2, mobile=True)
    shown.open()
    for route in ("#/", f"#/instance/{long_id}", "#/events"):
        shown.go(route)
        shown.wait(lambda: shown.is_shown("#instance" if "instance" in route else "#events" if "events" in route  # noqa: B023
                                          else "#fleet"), route)
        wide = shown.js("return [document.scrollingElement.scrollWidth, window.innerWidth, document.body.scrollWidth]")
        assert max(wide) <= width, (route, wide)
        assert shown.js(OUTSIDE) == [], route
    for selector in ("#theme", "#filter", "#group-by"):
        shown.go("#/")
        shown.wait(lambda: shown.is_shown(selector) or shown.js(       # noqa: B023
            "return document.querySelector(arguments[0]).checkVisibility()", selector), selector)   # noqa: B023
    shown.go_instance(long_id)
    shown.click("[data-command=start]")
    shown.give_token(TOKENS["admin"])
    shown.wait_open("#confirm")
    box = shown.js("const box = document.querySelector('#confirm').getBoundingClientRect(); return [box.left, box.right]")
    assert box[0] >= 0 and box[1] <= width, box
    shown.click("#confirm-no")


def test_what_a_finger_touches_is_large_enough(shown):
    shown.browser.resize(360, 740, scale=2, mobile=True)
    for route in ROUTES:
        shown.go(route)
        small = shown.js("""
            return [...document.querySelectorAll('button, select, input, a.tile')].filter(one => one.checkVisibility())
                .map(one => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
                .filter(([, box]) => box.height < 24 || box.width < 24).map(([text]) => text)""")
        assert small == [], route
