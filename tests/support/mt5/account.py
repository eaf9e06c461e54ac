"""The simulator's ledger against what the daemon has made of it, to the last signal."""


def find_differences(bus, ledger):
    """Lines of what differs, once every signal that was not answered has been dropped."""
    totals = bus.totals()
    wanted = {}
    for action, counts in ledger["signals"].items():
        names = {"received": "written", "processed": "processed", "failed": "failed", "dropped": "unanswered",
                 "duplicate": "duplicate"}
        wanted.update({f"{name}:{action}": counts[told] for name, told in names.items()})
        wanted[f"lost:{action}"] = 0
    wanted.update({f"result:{status}": count for status, count in ledger["results"].items()})
    for name in sorted(wanted.keys() | totals.keys()):
        if totals.get(name, 0) != wanted.get(name, 0):
            yield f"{name} is {totals.get(name, 0)}, the ledger says {wanted.get(name, 0)}"

    for stream, name in (("instance_reports", "reports"), ("trade_signals", "signals"), ("trade_results", "results"),
                         ("trade_updates", "trades")):
        key = stream + "_rejected"
        rejected = bus.client.xinfo_stream(key)["entries-added"] if bus.client.exists(key) else 0
        if rejected != ledger["malformed"][name]:
            yield f"{key} has {rejected}, the ledger says {ledger['malformed'][name]}"

    for state, count in ledger["trade_states"].items():
        if len(bus.trades_in(state)) != count:
            yield f"{len(bus.trades_in(state))} trades are {state}, the ledger says {count}"
    for instance_id, told in ledger["instances"].items():
        if told["reports"] and bus.state(instance_id) != told["state"] and not was_given_up(bus, instance_id, told):
            yield f"{instance_id} is {bus.state(instance_id)}, the ledger says {told['state']}"


def was_given_up(bus, instance_id, told):
    """Of one that has crashed again and again the daemon says itself that it is stopped."""
    instance = bus.client.hgetall(f"instance:{instance_id}")
    return told["state"] == "crashed" and instance["state"] == instance["desired_state"] == "stopped"


def assert_same_account(bus, ledger):
    differences = list(find_differences(bus, ledger))
    assert not differences, "\n".join(differences)
