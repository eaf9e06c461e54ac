"""Debian's Prometheus and promtool, pointed at the daemon."""

import json
import subprocess
import urllib.parse

from mt5 import http as mt5_http
from mt5.ports import port_free
from mt5.process import Process, ProcessOwner
from mt5.wait import wait_until

CONFIG = """
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  evaluation_interval: 200ms
rule_files: {rules}
scrape_configs:
  - job_name: mt5stated
    static_configs:
      - targets: ["{target}"]
"""


# Names that came with the task and are binding, and what promtool would rather have: units in full, `_total`.
NAMED_OTHERWISE = {
    "commands_processed_per_sec", "trade_state_updates_per_sec", "latency_us", "retrieval_latency_us",
    "set_latency_us", "keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys", "redis_trade_result",
}


def promtool_check(text):
    """Fails with what `promtool check metrics` has to say about a 0.0.4 exposition, but for NAMED_OTHERWISE."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
    said = [line for line in (done.stdout + done.stderr).decode().splitlines()
            if line.split(" ", 1)[0] not in NAMED_OTHERWISE]
    assert done.returncode in (0, 3) and not said, "\n".join(said) or f"exit code {done.returncode}"


class Prometheus(ProcessOwner):
    """A server of the test's own that scrapes one target, "127.0.0.1:port", and evaluates the rules of these files."""

    def __init__(self, folder, target, rules=()):
        self.listen = f"127.0.0.1:{port_free()}"
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(target=target, rules=json.dumps([str(path) for path in rules])))
        self._process = Process(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address={self.listen}", "--enable-feature=exemplar-storage"],
            folder / "prometheus.log")
        wait_until(self._is_ready, "Prometheus to be ready")

    def query(self, expression):
        """An instant query's result: a list of {"metric": labels, "value": [time, text]}."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        answer = json.loads(mt5_http.request(self.listen, path).body)
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def wait_for(self, expression):
        """Waits until the query has a result, and returns it."""
        return wait_until(lambda: self.query(expression), f"Prometheus to answer {expression}")

    def target(self):
        """What it says of the target: health, lastError and so on."""
        answer = json.loads(mt5_http.request(self.listen, "/api/v1/targets").body)
        return answer["data"]["activeTargets"][0]

    def rules(self):
        """What it says of each alert rule: name, query, health, lastError, state and so on."""
        answer = json.loads(mt5_http.request(self.listen, "/api/v1/rules").body)
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    def firing(self):
        """The names of the alert rules that fire."""
        return {rule["name"] for rule in self.rules() if rule["state"] == "firing"}

    def _is_ready(self):
        assert self._process.is_running(), self.log()
        try:
            return mt5_http.request(self.listen, "/-/ready").status == 200
        except OSError:
            return False
