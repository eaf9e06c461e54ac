"""Debian's Alertmanager and amtool."""

import json
import subprocess

from mt5 import http as mt5_http
from mt5.ports import port_free
from mt5.process import Process, ProcessOwner
from mt5.wait import wait_until

CONFIG = """
route:
  receiver: test
  group_by: ["..."]
  group_wait: 10ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: test
"""

WEBHOOK = """
    webhook_configs:
      - url: "{url}"
        send_resolved: true
"""


class Alertmanager(ProcessOwner):
    """A server of the test's own. Its notifications go to the webhook, or nowhere."""

    def __init__(self, folder, webhook=None):
        self.listen = f"127.0.0.1:{port_free()}"
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG + (WEBHOOK.format(url=webhook) if webhook else ""))
        self._process = Process(
            ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder / 'data'}",
             f"--web.listen-address={self.listen}", "--cluster.listen-address="],
            folder / "alertmanager.log")
        wait_until(self._is_ready, "Alertmanager to be ready")

    @property
    def url(self):
        """Where alerts are POSTed to: for notify.webhooks."""
        return f"http://{self.listen}/api/v2/alerts"

    def alerts(self, *matchers):
        """What fires, as amtool says: a list of {"labels", "annotations", "startsAt", "endsAt", "status", ...}.
        Matchers are amtool's, such as 'instance_id="i1"'."""
        done = subprocess.run(
            ["amtool", f"--alertmanager.url=http://{self.listen}", "alert", "query", "-o", "json", *matchers],
            capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) or []

    def api_alerts(self):
        """The same by its HTTP interface."""
        answer = mt5_http.request(self.listen, "/api/v2/alerts")
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def post(self, alerts):
        """POSTs an array of alerts as any client would, and returns the Response."""
        return mt5_http.request(self.listen, "/api/v2/alerts", "POST", {"Content-Type": "application/json"},
                                json.dumps(alerts))

    def silence(self, *matchers):
        """Silences what matches for an hour."""
        subprocess.run(
            ["amtool", f"--alertmanager.url=http://{self.listen}", "silence", "add", "--author=test",
             "--comment=test", "--duration=1h", *matchers], check=True, capture_output=True, timeout=30)

    def wait_for(self, *matchers):
        """Waits until something that matches fires, and returns the alerts."""
        return wait_until(lambda: self.alerts(*matchers), f"Alertmanager to have an alert {' '.join(matchers)}")

    def wait_until_gone(self, *matchers):
        """Waits until nothing that matches fires any more."""
        wait_until(lambda: not self.alerts(*matchers), f"Alertmanager to resolve {' '.join(matchers)}")

    def _is_ready(self):
        assert self._process.is_running(), self.log()
        try:
            return mt5_http.request(self.listen, "/-/ready").status == 200
        except OSError:
            return False
