"""The status page as its user sees it: what it shows, and what can be done there.

What is shown is read in one script call, so no half of an update is taken for a fault."""

import urllib.parse

from mt5.browser import Keys
from mt5.wait import wait_until

# To ask costs the browser more than it costs others.
POLL_S = 0.05

READ_TILES = """
return [...document.querySelectorAll('#fleet a.tile')].map(tile => ({
    ...tile.dataset, group: tile.closest('.group').dataset.group, text: tile.innerText, href: tile.getAttribute('href'),
    shown: tile.checkVisibility()}));
"""

READ_FIELDS = """
const fields = {};
for (const one of document.querySelectorAll(arguments[0]))
    fields[one.dataset[arguments[1]]] = one.dataset.value ?? one.textContent.trim();
return fields;
"""

READ_ROWS = """
return [...document.querySelectorAll(arguments[0])].filter(one => one.checkVisibility())
    .map(one => ({...one.dataset, text: one.innerText}));
"""


class StatusPage:
    """The page of the daemon at `listen`, host:port, in a tab of the Browser."""

    def __init__(self, browser, listen):
        self.browser = browser
        self.listen = listen

    @property
    def url(self):
        return f"http://{self.listen}/"

    def open(self, route="#/", live=True):
        """Loads the page; with live it returns when it says that what it shows is so."""
        if self.browser.driver.current_url.startswith(self.url):
            self.browser.driver.get("about:blank")      # or nothing would be loaded
        self.browser.driver.get(self.url + route)
        self.browser.js("window.loadedOnce = true")
        if live:
            self.wait_live()
        return self

    def go(self, route):
        """Another route of the same page, as a link would."""
        self.browser.js("location.hash = arguments[0]", route)

    def go_instance(self, instance_id):
        self.go("#/instance/" + urllib.parse.quote(instance_id, safe=""))
        self.wait(lambda: self.instance_id() == instance_id, f"the page of {instance_id}")

    def wait(self, condition, what):
        return wait_until(condition, f"the page to show {what}", poll_s=POLL_S)

    def js(self, script, *arguments):
        return self.browser.js(script, *arguments)

    def text(self, selector):
        """What of it is to be seen, or None where there is no such element."""
        return self.js("const found = document.querySelector(arguments[0]);"
                       "return found && found.checkVisibility() ? found.innerText.trim() : null", selector)

    def is_shown(self, selector):
        return self.text(selector) is not None

    def was_not_reloaded(self):
        return self.js("return window.loadedOnce === true")

    # ---- how it is ----

    def link(self):
        return self.js("return document.body.dataset.link")

    def ready(self):
        return self.js("return document.body.dataset.ready")

    def is_live(self):
        return (self.link(), self.ready()) == ("live", "ready")

    def is_stale(self):
        return self.js("const stale = document.body.dataset.stale;"
                       "return stale !== undefined && stale !== 'false'")

    def banner(self):
        """Its text, or None while it is hidden."""
        return self.text("#banner")

    def wait_live(self):
        self.wait(self.is_live, "that it is live")
        self.wait(lambda: self.banner() is None, "no banner")

    # ---- the fleet ----

    def tiles(self):
        """Of each instance that has a tile to be seen: its data-* by name, and group, text, href."""
        return {tile["id"]: tile for tile in self.js(READ_TILES) if tile["shown"]}

    def tile(self, instance_id):
        return self.tiles().get(instance_id)

    def states(self):
        return {instance_id: tile["state"] for instance_id, tile in self.tiles().items()}

    def groups(self):
        """The ids of each group that is to be seen."""
        groups = {}
        for instance_id, tile in self.tiles().items():
            groups.setdefault(tile["group"], set()).add(instance_id)
        return groups

    def counts(self):
        return {state: number(text) for state, text in
                self.js(READ_FIELDS, "#counts [data-state]", "state").items()}

    def group_by(self, key):
        self.js("""
            const select = document.querySelector('#group-by');
            select.value = arguments[0];
            if (select.value !== arguments[0]) throw new Error('no such option');
            select.dispatchEvent(new Event('input', {bubbles: true}));
            select.dispatchEvent(new Event('change', {bubbles: true}));""", key)

    def filter(self, text):
        self.write("#filter", text)

    # ---- what is wrong, what goes on ----

    def rows(self, selector):
        """The data-* and the text of each that is to be seen."""
        return self.js(READ_ROWS, selector)

    def alerts(self):
        """(instance, alert, status, severity) of each, in their order; a group's has its name for an instance."""
        return [(row.get("instance"), row["alert"], row["status"], row["severity"])
                for row in self.rows("#alerts .alert")]

    def doing(self):
        """What is done about each alert, by (instance, alert)."""
        return {(row["instance"], row["alert"]): row["doing"] for row in self.js("""
            return [...document.querySelectorAll('#alerts .alert')].map(one => ({
                ...one.dataset, doing: one.querySelector('[data-doing]')?.dataset.doing ?? null}))""")}

    def totals(self):
        return self.js(READ_FIELDS, "#signals [data-total]", "total")

    def redis(self):
        return self.js(READ_FIELDS, "#redis [data-field]", "field")

    # ---- one instance ----

    def instance_id(self):
        return self.js("const found = document.querySelector('#instance');"
                       "return found && found.checkVisibility() ? found.dataset.id : null")

    def fields(self):
        return self.js(READ_FIELDS, "#instance [data-field]", "field")

    def metrics(self):
        return self.js(READ_FIELDS, "#instance [data-metric]", "metric")

    def field_text(self, name):
        """What one reads where a field is shown."""
        return self.js("return document.querySelector(`#instance [data-field=${arguments[0]}]`)?.textContent ?? null", name)

    def why(self):
        return self.rows("#why li[data-kind]")

    def events(self):
        """Newest first."""
        return self.rows("#events li[data-event]")

    # ---- acting ----

    def write(self, selector, text):
        """Into a field, in place of what is there."""
        field = self.browser.find(selector)
        self.js("arguments[0].select()", field)
        field.send_keys(text or Keys.DELETE)

    def click(self, selector):
        self.browser.find(selector).click()

    def is_open(self, dialog):
        return self.js("const found = document.querySelector(arguments[0]); return !!found && found.open", dialog)

    def wait_open(self, dialog):
        self.wait(lambda: self.is_open(dialog), f"{dialog} open")

    def wait_closed(self, dialog):
        self.wait(lambda: not self.is_open(dialog), f"{dialog} closed")

    def give_token(self, token):
        """Into the dialog that asks for one."""
        self.wait_open("#token")
        self.write("#token-value", token)
        self.click("#token-save")

    def press(self, *keys):
        self.browser.keys(*keys)

    def choose_duration(self, seconds):
        """Of maintenance, in its dialog; None is without an end."""
        self.js("""
            const field = document.querySelector('#confirm-duration'), wanted = arguments[0] ?? '';
            field.value = String(wanted);
            if (field.value !== String(wanted)) throw new Error('no such duration');
            field.dispatchEvent(new Event('input', {bubbles: true}));
            field.dispatchEvent(new Event('change', {bubbles: true}));""", seconds)

    def focused(self):
        """What has the focus: {"tag", "id", "data"}, and how its outline looks."""
        return self.js("""
            const one = document.activeElement, style = getComputedStyle(one);
            return {tag: one.tagName.toLowerCase(), id: one.id, data: {...one.dataset}, text: one.innerText,
                    outline: style.outlineStyle, width: parseFloat(style.outlineWidth), shadow: style.boxShadow};""")

    def escape(self):
        self.press(Keys.ESCAPE)


def number(text):
    """A number as the page writes it, with marks between thousands or without."""
    digits = "".join(char for char in text if char.isdigit() or char in ".-")
    return float(digits) if "." in digits else int(digits)
