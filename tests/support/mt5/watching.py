"""Alerts, commands and their causal chains, as an agent, an operator and an onlooker see them (SPEC 6, 7, 8.2)."""

import json

from mt5 import http as mt5_http
from mt5.invariants import COMMANDS, REPORTS
from mt5.wait import wait_until

TOKEN = "operator-secret-0123"

# Everything at once, and no second try for reasons of time.
QUICK = {"recovery.backoff_ms": [0], "recovery.timeout_ms": 60000, "instances.heartbeat_timeout_ms": 0}


class Watching:
    """A Bus and its daemon, in the words of SPEC 6 and 7. `one` is the daemon, which may change."""

    def __init__(self, bus, one):
        self.bus = bus
        self.one = one

    # ---- alerts ----

    def alerts(self, instance_id=None, alert=None):
        """(event, alert) of the alerts that have begun and ended, in their order."""
        return [(event["event"], event["alert"]) for event in self.bus.entries("instance_events")
                if event["event"] in ("alert_firing", "alert_resolved")
                and instance_id in (None, event.get("instance_id")) and alert in (None, event["alert"])]

    def wait_alert(self, instance_id, alert, event="alert_firing"):
        return self.bus.wait_event(event=event, instance_id=instance_id, alert=alert)

    def status_of(self, instance_id, alert):
        """"pending", "firing", or None, by the HTTP API."""
        found = [one["status"] for one in self.get("/api/v1/alerts")["alerts"]
                 if (one.get("instance_id"), one["alert"]) == (instance_id, alert)]
        return found[0] if found else None

    def wait_status(self, instance_id, alert, status):
        wait_until(lambda: self.status_of(instance_id, alert) == status, f"{alert} of {instance_id} to be {status}")

    # ---- commands ----

    def commands(self, instance_id=None, *kinds):
        """The entries of the stream of commands, of an instance and of these kinds."""
        return [entry for entry in self.bus.entries(COMMANDS)
                if instance_id in (None, entry["instance_id"]) and (not kinds or entry["command"] in kinds)]

    def kinds(self, instance_id=None):
        return [entry["command"] for entry in self.commands(instance_id)]

    def wait_commands(self, instance_id, count, *kinds):
        return wait_until(lambda: (lambda found: found if len(found) >= count else None)(
            self.commands(instance_id, *kinds)), f"{count} commands {kinds} for {instance_id}")

    def wait_command(self, instance_id, *kinds):
        return self.wait_commands(instance_id, 1, *kinds)[0]

    def answer(self, command, status, **fields):
        """What the command's agent reports about it."""
        return self.bus.report(command["instance_id"], command_id=command["command_id"], command_status=status,
                               **fields)

    def completed(self, command):
        return self.bus.events(event="command_completed", command_id=command["command_id"])

    def wait_completed(self, command, outcome):
        """Until the command has ended, with a reason that begins with OUTCOME; returns the event."""
        [event] = wait_until(lambda: self.completed(command), f"{command['command_id']} to have ended")
        assert event["reason"].partition(":")[0] == outcome, event
        return event

    # ---- operators ----

    def ask(self, method, path, body=None):
        return mt5_http.request(self.one.listen, path, method, {"Authorization": f"Bearer {TOKEN}"},
                                None if body is None else json.dumps(body), timeout=20)

    def order(self, instance_id, command):
        """An operator's command; its id."""
        response = self.ask("POST", f"/api/v1/instances/{instance_id}/commands", {"command": command, "reason": "test"})
        assert response.status == 202, response.text
        return json.loads(response.text)["command_id"]

    def set_maintenance(self, instance_id, **body):
        """On with a reason and perhaps seconds, off without anything."""
        response = self.ask("PUT" if body else "DELETE", f"/api/v1/instances/{instance_id}/maintenance", body or None)
        assert response.status in (200, 204), response.text

    def get(self, path):
        response = self.one.get(path)
        assert response.status == 200, response.text
        return json.loads(response.text)

    # ---- why ----

    def why(self, instance_id):
        return self.get(f"/api/v1/instances/{instance_id}/why")["why"]

    def told(self, instance_id):
        """The chain in short: (step, status, alert, reason) of each."""
        return [(step["step"], step.get("status"), step.get("alert"), step.get("reason"))
                for step in self.why(instance_id)]

    def wait_hold(self, instance_id, command, reason):
        """Until it says that COMMAND is not given for this reason."""
        return wait_until(lambda: [step for step in self.why(instance_id) if step["step"] == "decision"
                                   and step.get("status") == f"no {command}" and step.get("reason") == reason],
                          f"{instance_id} to hold {command} back: {reason}")[0]

    # ---- fences ----

    def pass_a_round(self, name="canary"):
        """Returns when a round of decisions was held after all that has been reported so far: an instance of its own
        has crashed after it, and has been commanded to recover."""
        names = self.bus.client.hkeys("mt5stated:watch")
        name = f"{name}-{sum(one.startswith(name) for one in names) + 1}"
        self.bus.register(name, broker_id=f"broker-of-{name}")
        self.bus.report(name, state="crashed")
        command = self.wait_command(name, "recover")
        self.answer(command, "ok", state="stopped")
        self.bus.settle(REPORTS)


def with_token(config, folder):
    """The configuration, with a token of an admin."""
    path = folder / "admin-token"
    path.write_text(TOKEN)
    return {**config, "http.tokens": [{"name": "operator", "role": "admin", "file": str(path)}]}
