"""A thousand instances: all of them, in their groups, each at its place."""

COUNT = 1000


def test_a_thousand_instances(fleet, bus, page):
    one = fleet({"observe_only": True})
    rows = [{"instance_id": f"mt5-{number}", "broker_id": f"broker-{number % 7}", "host_id": f"host-{number % 40}",
             "state": "running" if number % 10 else "stopped"} for number in range(COUNT)]
    bus.many("instance_reports", rows)
    bus.settle()
    shown = page(one)
    shown.wait(lambda: len(shown.tiles()) == COUNT, "all of them")
    assert shown.states() == {row["instance_id"]: row["state"] for row in rows}
    groups = shown.groups()
    assert {name: len(ids) for name, ids in groups.items()} == {
        f"broker-{number}": len(range(number, COUNT, 7)) for number in range(7)}
    assert shown.counts()["running"] == 900 and shown.counts()["stopped"] == 100

    bus.report("mt5-777", state="restarting")
    shown.wait(lambda: shown.tile("mt5-777")["state"] == "restarting", "the one that has changed")
    assert sum(state == "restarting" for state in shown.states().values()) == 1

    bus.many("instance_reports", [{"instance_id": f"mt5-{number}", "state": "stopped"} for number in range(0, COUNT, 2)])
    bus.register("new-one", broker_id="broker-3")
    wanted = {row["instance_id"]: "stopped" if int(row["instance_id"][4:]) % 2 == 0 else row["state"] for row in rows}
    wanted.update({"mt5-777": "restarting", "new-one": "running"})
    shown.wait(lambda: shown.states() == wanted, "hundreds of changes at once")
    shown.wait(lambda: shown.counts()["stopped"] == bus.client.scard("instance:state:stopped"), "the counts")

    shown.group_by("host")
    shown.wait(lambda: len(shown.groups()) == 41 and len(shown.tiles()) == COUNT + 1, "the hosts")
    assert shown.groups()["host-17"] == {f"mt5-{number}" for number in range(17, COUNT, 40)}
    shown.filter("state:restarting")
    shown.wait(lambda: set(shown.tiles()) == {"mt5-777"}, "the one")
    assert shown.was_not_reloaded()
