"""The fixtures of the browser tests, besides those of tests/support/mt5/fixtures.py.

    browser   a Browser, one for all tests of a process
    fleet     fleet(config) starts a daemon on a port, with a token of each role (mt5.tokens)
    page      page(daemon) opens its page: a StatusPage

After each test the console must have said nothing: no exception, nothing that the Content-Security-Policy refused.
Of a test that fails a screenshot and the console are kept in build/log/browser."""

import json
import pathlib
import re

import pytest

from mt5.browser import Browser
from mt5.status_page import StatusPage
from mt5.tokens import write_tokens

KEPT = pathlib.Path(__file__).parents[2] / "build" / "log" / "browser"

# A silence is no crash, and what is tried is tried at once.
QUIET = {"instances.heartbeat_timeout_ms": 0, "recovery.backoff_ms": [0]}


@pytest.fixture(scope="session")
def browser():
    one = Browser()
    yield one
    one.quit()


@pytest.fixture
def fleet(daemon, folder):
    rows = write_tokens(folder)

    def make(config=None, **options):
        return daemon({**QUIET, "http.tokens": rows, **(config or {})}, tcp=True, **options)
    return make


@pytest.fixture
def page(browser):
    browser.begin()

    def make(one, route="#/", live=True):
        return StatusPage(browser, getattr(one, "listen", one)).open(route, live)

    yield make
    faults = browser.faults()
    browser.begin()
    assert not faults, "\n".join(faults)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed and "browser" in item.funcargs:
        keep(item.funcargs["browser"], re.sub(r"[^\w.-]+", "-", item.name))


def keep(browser, name):
    """What the browser shows and has said. It may be what has failed, and the test's own failure is worth more."""
    try:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{name}.console").write_text("\n".join(json.dumps(line) for line in browser.console()))
        (KEPT / f"{name}.html").write_text(browser.driver.page_source)
        (KEPT / f"{name}.png").write_bytes(browser.screenshot())
    except Exception as error:  # pylint: disable=broad-except
        print(f"nothing kept of {name}: {error}")
