"""What the page may load and who may see it (SPEC 8.1)."""

import re

import pytest

from mt5 import http as mt5_http
from mt5.ports import own_address, port_free
from mt5.tokens import TOKENS
from mt5.wait import wait_until

CSP = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
       "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}


def assets(one, **headers):
    """What index.html names."""
    text = mt5_http.request(one.listen, "/", headers=headers).text
    return set(re.findall(r'(?:src|href)="(/[^"#]*)"', text))


def test_the_page_is_served_with_a_strict_policy(fleet):
    one = fleet()
    found = assets(one)
    assert any(path.endswith(".js") for path in found) and any(path.endswith(".css") for path in found)
    for path in {"/"} | {path for path in found if path.startswith("/page/")}:
        response = mt5_http.request(one.listen, path)
        assert response.status == 200, path
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";") if part.strip())
        assert policy == CSP, path
        assert response.headers["X-Content-Type-Options"] == "nosniff", path
        assert response.headers["Referrer-Policy"] == "no-referrer", path
        kind = {"/": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[
            path if path == "/" else path[path.rindex("."):]]
        assert response.headers["Content-Type"].startswith(kind), path


def test_nothing_is_written_into_the_page(fleet):
    """No script, style or handler stands in the document, and no file takes data for markup."""
    one = fleet()
    text = mt5_http.request(one.listen, "/").text
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|<[^>]*\s(?:on\w+|style)\s*=|https?:|//\w", text), text
    for path in assets(one):
        if path.endswith((".js", ".css", ".svg")):
            body = mt5_http.request(one.listen, path).text.replace("http://www.w3.org/", "")
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://", body), path


def test_a_page_that_is_looked_at_loads_nothing_from_elsewhere(fleet, bus, page):
    one = fleet()
    bus.register("mt5-1")
    shown = page(one)
    for route in ("#/instance/mt5-1", "#/events", "#/help", "#/"):
        shown.go(route)
        shown.wait(lambda: shown.js("return location.hash") == route, route)    # noqa: B023
    bus.report("mt5-1", state="stopped")
    shown.wait(lambda: shown.tile("mt5-1")["state"] == "stopped", "a change")
    assert shown.browser.hosts() == {one.listen}
    assert shown.browser.console() == []        # nothing at all, on a good day
    assert shown.js("return document.cookie") == ""


def test_the_policy_holds(fleet, page):
    """What a hole in the page could be used for is refused by the browser: this is what the policy is for."""
    shown = page(fleet())
    ran = shown.js("""
        const box = document.createElement('div');
        box.innerHTML = '<img src="x" onerror="window.pwned = 1"><svg><script>window.pwned = 2</script></svg>';
        document.body.append(box);
        const script = document.createElement('script');
        script.textContent = 'window.pwned = 3';
        document.body.append(script);
        return window.pwned""")
    assert ran is None
    shown.browser.driver.set_script_timeout(10)
    refused = shown.browser.driver.execute_async_script("""
        const done = arguments[0];
        fetch('http://127.0.0.1:9/').then(() => done('fetched'), () => done('refused'));""")
    assert refused == "refused"
    wait_until(lambda: len([line for line in shown.browser.console() if "Content Security Policy" in line["message"]]) >= 3,
               "the browser to say so")
    shown.browser.forgive()


@pytest.fixture
def remote(fleet, bus):
    """A daemon that listens on every address, and is called by one that is not of loopback."""
    port = port_free()
    one = fleet({"http.listen": f"0.0.0.0:{port}"}, ready=False)
    one.wait_serving()
    wait_until(lambda: mt5_http.request(one.listen, "/-/ready", headers={
        "Authorization": "Bearer " + TOKENS["read"]}).status == 200, "it to be ready")
    bus.register("mt5-1")
    return one


def address(one):
    return f"{own_address()}:{one.listen.rpartition(':')[2]}"


def sign_in(browser, one, role):
    """What the user types into the browser's own dialog, which cannot be reached from here."""
    browser.driver.get(f"http://someone:{TOKENS[role]}@{address(one)}/page/style.css")


def forgive_header(browser):
    """The one thing that a browser has to say there: that a header of ours does nothing without TLS."""
    assert all("Cross-Origin-Opener-Policy header has been ignored" in line for line in browser.faults())
    browser.forgive()


def test_elsewhere_a_browser_is_asked_who_it_is(remote, browser):
    browser.begin()
    for path in ("/", "/page/style.css"):
        response = mt5_http.request(address(remote), path)
        assert response.status == 401
        assert "Basic" in str(response.headers.get_all("WWW-Authenticate")), path
    browser.driver.get(f"http://{address(remote)}/")
    assert browser.find_all("#fleet") == []
    assert "mt5-1" not in browser.driver.page_source
    browser.begin()


@pytest.mark.parametrize("role", ["read", "admin"])
def test_elsewhere_a_token_is_a_password(remote, browser, page, bus, role):
    sign_in(browser, remote, role)
    shown = page(address(remote))
    shown.wait(lambda: shown.states() == {"mt5-1": "running"}, "the fleet")
    bus.report("mt5-1", state="stopped")
    shown.wait(lambda: shown.states() == {"mt5-1": "stopped"}, "a change")
    shown.go_instance("mt5-1")
    # To change anything a token is asked for all the same.
    shown.click("[data-command=start]")
    shown.give_token(TOKENS["admin"])
    shown.wait_open("#confirm")
    shown.click("#confirm-yes")
    shown.wait_closed("#confirm")
    assert [entry["command"] for entry in bus.entries("instance_commands")] == ["start"]
    forgive_header(browser)


def test_elsewhere_a_token_that_is_withdrawn_is_told(remote, browser, page, folder):
    sign_in(browser, remote, "read")
    shown = page(address(remote))
    (folder / "token-read").write_text("another-secret-0123")
    remote.reload()
    shown.wait(lambda: shown.link() == "lost" and "token" in (shown.banner() or ""), "that a token is needed")
    assert shown.is_stale()
    forgive_header(browser)


def test_elsewhere_a_report_token_shows_nothing(remote, browser):
    browser.begin()
    browser.driver.get(f"http://someone:{TOKENS['report']}@{address(remote)}/")
    assert browser.find_all("#fleet") == []
    browser.begin()


def test_what_basic_credentials_are_good_for(remote):
    """They are sent by a browser whatever page makes it ask: good for reading, and for no change."""
    import base64       # pylint: disable=import-outside-toplevel
    for secret, status in ((TOKENS["read"], 200), (TOKENS["admin"], 200), (TOKENS["report"], 403), ("nonsense", 401)):
        basic = "Basic " + base64.b64encode(f"x:{secret}".encode()).decode()
        assert mt5_http.request(address(remote), "/", headers={"Authorization": basic}).status == status
    basic = "Basic " + base64.b64encode(f"x:{TOKENS['admin']}".encode()).decode()
    assert mt5_http.request(address(remote), "/api/v1/instances/mt5-1/commands", "POST", {"Authorization": basic},
                            '{"command":"stop"}').status in (401, 403)
