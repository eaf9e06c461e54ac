"""What the daemon tells the manager that started it, and the unit that it comes with."""

import re
import time

import pytest

from mt5.notify import NotifySocket
from mt5.wait import wait_until


@pytest.fixture
def manager(folder):
    made = []

    def make(**options):
        made.append(NotifySocket(folder, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait_said(manager, message):
    wait_until(lambda: message in manager.said(), f"it to say {message}")


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_status_and_stopping_are_told_in_this_order(daemon, manager, abstract):
    systemd = manager(abstract=abstract)
    one = daemon(env=systemd.env)
    wait_said(systemd, "STATUS=ready")
    assert systemd.said()[0] == "READY=1"
    one.stop()
    assert systemd.said()[-1] == "STOPPING=1"


@pytest.mark.no_invariants(reason="there is no Redis")
def test_it_is_ready_for_the_manager_once_it_listens_also_without_redis(daemon, manager, redis_server):
    redis_server.stop()
    systemd = manager()
    one = daemon(ready=False, env=systemd.env)
    wait_said(systemd, "READY=1")
    assert one.get("/-/healthy").status == 200   # no waiting: it listens already
    wait_said(systemd, "STATUS=connecting")
    redis_server.start()
    wait_said(systemd, "STATUS=ready")


def test_it_is_not_ready_where_it_cannot_listen(daemon, manager, folder):
    systemd = manager()
    one = daemon({"http.listen": f"unix:{folder}/nowhere/http.sock"}, ready=False, env=systemd.env)
    assert one.wait_exit() == 69
    assert systemd.said() == []


def test_a_standby_says_so(daemon, manager):
    active = daemon()
    systemd = manager()
    daemon({"streams.consumer": "second"}, ready=False, env=systemd.env)
    wait_said(systemd, "STATUS=standby")
    active.stop()
    wait_said(systemd, "STATUS=ready")


@pytest.mark.parametrize("change, line", [
    ({"signals__ttl_ms": 1000}, "configuration reloaded"),
    ({"signals__ttl_ms": "x"}, "configuration not reloaded; the old one stays"),
])
def test_a_reload_is_told_whether_it_is_taken_or_not(daemon, manager, change, line):
    systemd = manager()
    one = daemon(env=systemd.env)
    before_us = time.monotonic_ns() // 1000
    one.write_config(**change)
    one.reload()
    wait_until(lambda: systemd.said().count("READY=1") == 2, "it to be ready again")
    assert one.log_lines(msg=line)
    said = systemd.said()
    reloading = next(i for i, message in enumerate(said) if message.startswith("RELOADING=1"))
    assert said[reloading + 1] == "READY=1"
    at_us = int(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", said[reloading])[1])
    assert before_us <= at_us <= time.monotonic_ns() // 1000


def test_the_watchdog_is_fed_again_and_again(daemon, manager):
    systemd = manager(watchdog_ms=200)
    daemon(env=systemd.env)
    wait_until(lambda: systemd.fed() >= 3, "the watchdog to be fed")


def test_without_a_watchdog_nothing_is_fed(daemon, manager):
    systemd = manager()
    one = daemon(env=systemd.env)
    wait_said(systemd, "STATUS=ready")
    one.stop()
    assert systemd.fed() == 0
