"""A headless Chromium of Debian's, driven by its own driver. One serves many tests, in one tab that is emptied between them;
their pages come from different ports, so they share neither storage nor credentials.

Nothing is looked up by name and nothing but the machine's own addresses is reached, whatever a page asks for."""

import json
import os
import urllib.parse

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from mt5.ports import own_address
from mt5.wait import wait_until

DRIVER = "/usr/bin/chromedriver"

OPTIONS = [
    "--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--lang=en",
    "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--no-default-browser-check",
    # Hidden tabs and windows behind others are not slowed down.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE {own_address()}",
]

# What a console says that a page cannot help: an answer that was no success, a link that ended.
NETWORK = "network"

__all__ = ["Browser", "By", "Keys", "webdriver"]


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        for option in OPTIONS:
            options.add_argument(option)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.driver.set_page_load_timeout(30)
        self.driver.set_script_timeout(30)
        self._console = []
        self._requests = []

    def quit(self):
        self.driver.quit()

    def begin(self, width=1280, height=900):
        """An empty tab of that size with nothing kept, and nothing noted of what was before."""
        try:
            self._leave()
        except WebDriverException:      # it has crashed, or something stands in the way
            self._replace_tab()
        self.resize(width, height)
        self.prefer_scheme("light")
        self._drain()
        self._console.clear()
        self._requests.clear()

    def _leave(self):
        if self.driver.current_url.startswith("http"):
            self.js("sessionStorage.clear(); localStorage.clear()")
        self.driver.get("about:blank")

    def _replace_tab(self):
        old = self.driver.window_handles
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        for handle in old:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(new)

    def resize(self, width, height, scale=1, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                 mobile=mobile)

    def prefer_scheme(self, scheme):
        """What the page is told that its user prefers: dark or light."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def cdp(self, method, **arguments):
        return self.driver.execute_cdp_cmd(method, arguments)

    def js(self, script, *arguments):
        """The script is the body of a function; its arguments are `arguments`."""
        return self.driver.execute_script(script, *arguments)

    def screenshot(self):
        """The bytes of a PNG of what is to be seen."""
        return self.driver.get_screenshot_as_png()

    def console(self):
        """What the console has said since begin: {"level", "source", "message"}."""
        self._drain()
        return list(self._console)

    def faults(self):
        """Of that, what no page may cause: errors, of scripts and of the Content-Security-Policy."""
        return [f"{line['source']}: {line['message']}" for line in self.console()
                if line["level"] in ("SEVERE", "WARNING") and line["source"] != NETWORK]

    def forgive(self):
        """What the console has said until now is what the test was about."""
        self._drain()
        self._console.clear()

    def requests(self):
        """(method, URL) of all that was asked for since begin, of every kind."""
        self._drain()
        return list(self._requests)

    def hosts(self):
        """host:port of each of these."""
        return {urllib.parse.urlsplit(url).netloc for _, url in self.requests()
                if not url.startswith(("data:", "about:", "blob:"))}

    def _drain(self):
        self._console += self.driver.get_log("browser")
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                self._requests.append((request["method"], request["url"]))
            elif message["method"] == "Network.webSocketCreated":
                self._requests.append(("GET", message["params"]["url"]))

    # ---- what a user does ----

    def find(self, selector):
        """Waits for the element."""
        return wait_until(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), f"{selector} to be there")[0]

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def keys(self, *keys):
        """Pressed one after the other, wherever the focus is."""
        actions = webdriver.ActionChains(self.driver, duration=0)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def keys_with(self, modifier, key):
        webdriver.ActionChains(self.driver, duration=0).key_down(modifier).send_keys(key).key_up(modifier).perform()
