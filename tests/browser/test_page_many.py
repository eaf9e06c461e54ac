"""A thousand instances: all of them, in their groups, each at its place."""

COUNT = 1000


def wait_swept(shown):
    """Until every page of the list was asked for twice more."""
    def pages():
        return sum("/api/v1/instances?" in url and "after=" not in url for _, url in shown.browser.requests())
    begun = pages()
    shown.wait(lambda: pages() >= begun + 2, "that it has asked for all of them")


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

    # While all of it is read anew, nothing goes from the screen.
    shown.js("""window.fewest = 1e9;
                new MutationObserver(() => { window.fewest = Math.min(window.fewest,
                    document.querySelectorAll('#fleet a.tile').length); }).observe(document.body, {childList: true, subtree: true})""")
    one.restart()
    shown.wait_live()
    bus.report("mt5-1", state="crashed")
    shown.wait(lambda: shown.tile("mt5-1")["state"] == "crashed", "what has changed since")
    wait_swept(shown)
    assert shown.js("return window.fewest") >= COUNT + 1

    shown.group_by("host")
    shown.wait(lambda: len(shown.groups()) == 41 and len(shown.tiles()) == COUNT + 1, "the hosts")
    assert shown.groups()["host-17"] == {f"mt5-{number}" for number in range(17, COUNT, 40)}
    shown.filter("state:restarting")
    shown.wait(lambda: set(shown.tiles()) == {"mt5-777"}, "the one")
    assert shown.was_not_reloaded()
