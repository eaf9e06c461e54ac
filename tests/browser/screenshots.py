"""Takes the pictures of scripts/screenshots.

What happens is the simulator's, from a seed: crashes that are recovered, an instance that cannot be and is given up, and an
outage of a broker. Each picture waits for what it is of."""

import json
import pathlib
import subprocess
import sys
import tempfile

from mt5 import http as mt5_http
from mt5.browser import Browser
from mt5.daemon import Daemon, default_config
from mt5.redis_server import RedisServer
from mt5.sim import Sim
from mt5.status_page import StatusPage
from mt5.tokens import TOKENS, write_tokens
from mt5.wait import wait_until

CONFIG = {
    "signals.ttl_ms": 5000, "signals.execution_ttl_ms": 8000, "instances.heartbeat_timeout_ms": 6000,
    "instances.restarting_timeout_ms": 20000, "recovery.timeout_ms": 6000, "recovery.backoff_ms": [0, 1000, 2000],
    "recovery.cooldown_ms": 20000, "recovery.stable_ms": 30000, "rules.HighCpuUsage.for_ms": 2000,
    "http.max_connections": 64,
}
FLEET = {
    "seed": 11, "instances": 36, "brokers": 3, "hosts": 6, "stay_down": True, "crash_share": 1, "crash_every_s": 240,
    "restart_fail_share": 0.1, "restart_ms": 3000, "silence_every_s": 900, "silence_ms": 9000, "doomed": 1,
    "doomed_after_s": 4, "queue_trouble_every_s": 300, "cpu_trouble_every_s": 400, "latency_trouble_every_s": 600,
    "signals_per_sec": 25, "trades_per_sec": 5, "unanswered_share": 0.01, "fail_share": 0.05, "partial_share": 0.05,
    "accepted_share": 0.2, "latency_ms": 120, "outage_after_s": 75, "outage_seconds": 30, "outage_broker": 2,
}
LONG_S = 150
WIDTH, HEIGHT = 1280, 860


class Studio:
    def __init__(self, folder, browser, daemon, page):
        self.folder, self.browser, self.daemon, self.page = folder, browser, daemon, page

    def get(self, path):
        return json.loads(self.daemon.get("/api/v1/" + path).text)

    def wait(self, condition, what):
        return wait_until(condition, what, deadline_s=LONG_S)

    def take(self, name):
        self.page.wait(self.is_settled, "the same in its numbers and its tiles")
        self.page.js("document.activeElement.blur()")
        self.browser.js("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        path = self.folder / f"{name}.png"
        path.write_bytes(self.browser.screenshot())
        # A palette, which is all that a page needs.
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--strip", "--ext", ".png", "--speed", "1", "256", path],
                       check=False)
        print(f"{path}: {path.stat().st_size // 1024} KiB")

    def is_settled(self):
        if not self.page.is_shown("#fleet"):
            return True
        states = list(self.page.states().values())
        counts = self.page.counts()
        return all(states.count(state) == counts[state] for state in ("running", "stopped", "crashed", "restarting"))

    def set_maintenance(self, instance_id, **body):
        answer = mt5_http.request(self.daemon.listen, f"/api/v1/instances/{instance_id}/maintenance", "PUT",
                                  {"Authorization": "Bearer " + TOKENS["admin"]}, json.dumps(body))
        assert answer.status == 200, answer.text

    def alerts(self):
        return self.get("alerts?limit=1000")["alerts"]

    def is_lively(self):
        """Some signals for the plots, some alert, the doomed one given up."""
        status = self.get("status")
        received = self.daemon.metrics().total("mt5stated_signals_received_total")
        return received > 25 * 45 and status["alerts"]["firing"] >= 2 and status["instances"]["stopped"] >= 1

    def recovered(self):
        """The instance with the most to tell that has been recovered and runs."""
        chains = {one["instance_id"]: self.get(f"instances/{one['instance_id']}/why")["why"]
                  for one in self.get("instances?state=running&limit=1000")["instances"]}
        told = {name: len(chain) for name, chain in chains.items()
                if any(step["step"] == "command" for step in chain) and chain[-1]["step"] != "command"}
        return max(told, key=told.get) if told else None

    def fleet(self):
        self.wait(lambda: "mt5-7" in self.page.tiles(), "the fleet")
        self.set_maintenance("mt5-7", reason="new terminal build", seconds=3600)
        self.wait(self.is_lively, "a fleet with something to see")
        self.page.wait(lambda: self.page.alerts(), "alerts")
        self.take("fleet")
        self.browser.prefer_scheme("dark")
        self.take("fleet-dark")
        self.browser.prefer_scheme("light")

    def phone(self):
        self.browser.resize(390, 844, scale=2, mobile=True)
        self.page.open()
        self.page.wait(lambda: len(self.page.tiles()) == FLEET["instances"], "the fleet")
        self.take("phone")
        self.browser.resize(WIDTH, HEIGHT)
        self.page.open()

    def instance(self):
        name = self.wait(self.recovered, "an instance that was recovered")
        self.page.go_instance(name)
        self.page.wait(lambda: len(self.page.why()) > 3 and self.page.events(), "its story")
        self.take("instance")
        self.page.go("#/")

    def outage(self):
        self.wait(lambda: any(alert["alert"] == "FleetFailure" for alert in self.alerts()), "the outage")
        self.page.wait(lambda: sum(state == "crashed" for state in self.page.states().values()) >= 10, "it")
        self.page.wait(lambda: any(row["alert"] == "FleetFailure" for row in self.page.rows("#alerts .alert")), "its alert")
        self.take("outage")


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mt5-") as name:
        folder = pathlib.Path(name)
        for part in ("redis", "daemon", "sim"):
            (folder / part).mkdir()
        tokens = {"http.tokens": write_tokens(folder)}
        server = RedisServer(folder / "redis")
        daemon = Daemon(folder / "daemon", {**default_config(folder / "daemon", server, tcp=True), **CONFIG, **tokens}).start()
        sim = Sim(folder / "sim", server.url, **FLEET)
        browser = Browser()
        try:
            browser.begin(WIDTH, HEIGHT)
            browser.prefer_scheme("light")
            studio = Studio(target, browser, daemon, StatusPage(browser, daemon.listen).open())
            studio.fleet()
            studio.instance()
            studio.phone()
            studio.outage()
            assert not browser.faults(), browser.faults()
        finally:
            browser.quit()
            sim.kill9()
            daemon.kill9()
            server.kill9()


main()
