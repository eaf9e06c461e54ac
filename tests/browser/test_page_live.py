"""The fleet on the screen while it changes: nothing is ever loaded again (PAGE: data-*)."""

import json

from mt5 import http as mt5_http
from mt5.tokens import TOKENS
from mt5.wait import wait_until

ALERTS = {"rules.HighQueueLength.threshold": 10, "observe_only": True}


def admin(one, method, path, body=None):
    response = mt5_http.request(one.listen, "/api/v1/instances/" + path, method,
                                {"Authorization": "Bearer " + TOKENS["admin"]}, None if body is None else json.dumps(body))
    assert response.status in (200, 202, 204), response.text


def test_a_report_changes_its_tile(fleet, bus, page):
    one = fleet({"observe_only": True})
    bus.register("mt5-1")
    bus.register("mt5-2", state="stopped")
    shown = page(one)
    shown.wait(lambda: shown.states() == {"mt5-1": "running", "mt5-2": "stopped"}, "both")
    for state in ("stopped", "restarting", "crashed", "running"):
        bus.report("mt5-1", state=state)
        shown.wait(lambda: shown.states() == {"mt5-1": state, "mt5-2": "stopped"}, f"mt5-1 {state}")  # noqa: B023
        shown.wait(lambda: shown.counts()[state] == bus.client.scard(f"instance:state:{state}"), "the count")  # noqa: B023
    bus.report("mt5-2", health_status="warning")
    shown.wait(lambda: shown.tile("mt5-2")["health"] == "warning", "its health")
    assert shown.tile("mt5-1")["health"] == "healthy"
    assert shown.was_not_reloaded()


def test_instances_come_and_go(fleet, bus, page):
    one = fleet()
    shown = page(one)
    assert shown.tiles() == {}
    bus.register("mt5-1")
    shown.wait(lambda: shown.states() == {"mt5-1": "running"}, "the first")
    bus.register("mt5-2", broker_id="broker-2")
    shown.wait(lambda: shown.groups() == {"broker-1": {"mt5-1"}, "broker-2": {"mt5-2"}}, "the second in its group")
    admin(one, "DELETE", "mt5-1")
    shown.wait(lambda: shown.groups() == {"broker-2": {"mt5-2"}}, "the second alone")
    shown.wait(lambda: shown.counts()["running"] == 1, "the count")
    bus.register("mt5-1", state="stopped", broker_id="broker-2")
    shown.wait(lambda: shown.groups() == {"broker-2": {"mt5-1", "mt5-2"}}, "the first, in another group")
    assert shown.was_not_reloaded()


def test_an_alert_begins_fires_and_ends(fleet, bus, page):
    one = fleet({**ALERTS, "rules.HighQueueLength.for_ms": 3600000})
    bus.register("mt5-1", queue_length=5)
    shown = page(one)
    assert shown.alerts() == []
    bus.report("mt5-1", queue_length=50)
    shown.wait(lambda: shown.alerts() == [("mt5-1", "HighQueueLength", "pending", "warning")], "it pending")
    one.write_config(rules__HighQueueLength__for_ms=0)
    one.reload()
    bus.report("mt5-1", queue_length=60)
    shown.wait(lambda: shown.alerts() == [("mt5-1", "HighQueueLength", "firing", "warning")], "it firing")
    shown.wait(lambda: shown.tile("mt5-1")["health"] == "warning" and shown.tile("mt5-1")["alerts"] == "1", "its tile")
    bus.report("mt5-1", queue_length=1)
    shown.wait(lambda: shown.alerts() == [], "it gone")
    shown.wait(lambda: shown.tile("mt5-1")["health"] == "healthy" and shown.tile("mt5-1")["alerts"] == "0", "its tile")
    assert shown.was_not_reloaded()


def test_an_alert_says_how_old_it_is_and_what_is_done(fleet, bus, page):
    one = fleet({"recovery.timeout_ms": 60000, "recovery.max_attempts": 3})
    bus.register("mt5-1")
    bus.report("mt5-1", state="crashed")
    wait_until(lambda: bus.entries("instance_commands"), "a command")
    doing = json.loads(one.get("/api/v1/alerts").text)["alerts"][0]["doing"]
    shown = page(one)

    def told():
        rows = shown.rows("#alerts .alert")
        assert len(rows) == 1
        row = rows[0]
        assert (row["alert"], row["status"], row["severity"]) == ("InstanceCrash", "firing", "critical")
        assert "mt5-1" in row["text"] and shown.doing() == {("mt5-1", "InstanceCrash"): doing}
        return any(char.isdigit() for char in row["text"].replace("mt5-1", ""))
    shown.wait(told, "the alert, its age and what is done")


def test_a_group_that_fails_as_a_whole_is_shown(fleet, bus, page):
    one = fleet()
    for number in range(4):
        bus.register(f"i{number}", broker_id="b1")
    shown = page(one)
    bus.many("instance_reports", [{"instance_id": f"i{number}", "state": "crashed"} for number in range(3)])

    def told():
        rows = shown.rows("#alerts .alert")
        assert len(rows) == 5
        first, second, *others = rows
        assert first["alert"] == second["alert"] == "FleetFailure"      # of all, and of the broker
        assert "whole fleet" in first["text"] + second["text"] and "b1" in first["text"] + second["text"]
        assert {row["alert"] for row in others} == {"InstanceCrash"}
        return "3 of 4" in first["text"]
    shown.wait(told, "FleetFailure before the others")
    shown.wait(lambda: shown.text("#counts [data-stat=firing] .number") == "5" and
               shown.text("#alerts-count") == "5 firing, 0 pending", "the same number twice")


def test_maintenance_and_throttling_are_seen_on_the_tile(fleet, bus, page):
    one = fleet({"rules.HighQueueLength.threshold": 10})
    bus.register("mt5-1")
    bus.register("mt5-2")
    shown = page(one)
    shown.wait(lambda: len(shown.tiles()) == 2, "both")
    plain = shown.tile("mt5-2")
    bus.report("mt5-1", queue_length=50)
    admin(one, "PUT", "mt5-2/maintenance", {"reason": "new build"})

    def told(name, data):
        return (shown.tile(name) or {}).get(data) not in (None, "", "false")
    shown.wait(lambda: told("mt5-1", "throttled") and told("mt5-2", "maintenance"), "throttled and in maintenance")
    assert not told("mt5-2", "throttled") and not told("mt5-1", "maintenance")
    assert plain.get("maintenance") in (None, "", "false")
    admin(one, "DELETE", "mt5-2/maintenance")
    bus.report("mt5-1", queue_length=1)
    shown.wait(lambda: not told("mt5-1", "throttled") and not told("mt5-2", "maintenance"), "neither")


# ---- grouping, filtering ----

def make_fleet(bus):
    rows = [{"instance_id": f"i{number:02d}", "broker_id": f"broker-{number % 3}", "host_id": f"host-{number % 4}",
             "state": ("running", "stopped")[number % 5 == 0]} for number in range(20)]
    rows.append({"instance_id": "homeless", "broker_id": "broker-0", "state": "running"})
    bus.many("instance_reports", rows)
    bus.settle()
    return rows


def grouped(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(row.get(key), set()).add(row["instance_id"])
    return groups


def test_the_fleet_is_grouped_as_one_likes(fleet, bus, page):
    one = fleet({"observe_only": True})
    rows = make_fleet(bus)
    shown = page(one)
    shown.wait(lambda: shown.groups() == grouped(rows, "broker_id"), "groups by broker")
    shown.group_by("host")

    def by_host():
        groups = shown.groups()
        assert {name: ids for name, ids in groups.items() if name.startswith("host-")} == {
            name: ids for name, ids in grouped(rows, "host_id").items() if name}
        assert [ids for name, ids in groups.items() if not name.startswith("host-")] == [{"homeless"}]
        return True
    shown.wait(by_host, "groups by host")
    shown.group_by("none")
    shown.wait(lambda: list(shown.groups().values()) == [{row["instance_id"] for row in rows}], "one group")
    bus.register("i99", broker_id="broker-9", host_id="host-1")
    shown.wait(lambda: "i99" in shown.tiles(), "the new one")
    assert len(shown.groups()) == 1
    shown.group_by("host")
    shown.wait(lambda: "i99" in shown.groups().get("host-1", ()), "it on its host")
    bus.report("i99", host_id="host-2")
    shown.wait(lambda: "i99" in shown.groups()["host-2"] and "i99" not in shown.groups()["host-1"], "it on the other")


FILTERS = [
    ("i0", lambda row: "i0" in row["instance_id"]),
    ("I07", lambda row: row["instance_id"] == "i07"),
    ("broker-2", lambda row: row["broker_id"] == "broker-2"),
    ("host-3", lambda row: row.get("host_id") == "host-3"),
    ("state:stopped", lambda row: row["state"] == "stopped"),
    ("state:stopped broker-0", lambda row: row["state"] == "stopped" and row["broker_id"] == "broker-0"),
    ("health:healthy host-0", lambda row: row.get("host_id") == "host-0"),
    ("health:critical", lambda row: False),
    ("<b>", lambda row: False),
]


def test_a_filter_leaves_what_fits(fleet, bus, page):
    one = fleet({"observe_only": True})
    rows = make_fleet(bus)
    shown = page(one)
    shown.wait(lambda: len(shown.tiles()) == len(rows), "all")
    for text, chosen in FILTERS:
        shown.filter(text)
        wanted = {row["instance_id"] for row in rows if chosen(row)}
        shown.wait(lambda: set(shown.tiles()) == wanted, f"what fits {text}")   # noqa: B023
        assert shown.counts()["running"] == bus.client.scard("instance:state:running")    # of all, as ever
    shown.filter("")
    shown.wait(lambda: len(shown.tiles()) == len(rows), "all again")


def test_a_filter_goes_on_while_the_fleet_changes(fleet, bus, page):
    one = fleet({"observe_only": True})
    make_fleet(bus)
    shown = page(one)
    shown.filter("state:stopped")
    shown.wait(lambda: set(shown.tiles()) == {"i00", "i05", "i10", "i15"}, "those")
    bus.report("i08", state="stopped")
    bus.report("i10", state="running")
    bus.register("other", broker_id="broker-9")
    bus.register("later", broker_id="broker-9", state="stopped")
    shown.wait(lambda: set(shown.tiles()) == {"i00", "i05", "i08", "i15", "later"}, "those that fit since then")
    shown.wait(lambda: shown.counts()["running"] == bus.client.scard("instance:state:running"), "the counts of all")
