"""The invariants of SPEC 4, and what SPEC 6 and 7 promise of alerts and commands, looked at from outside: by what
any client of Redis can see at one moment.

`read_snapshot` reads everything in one script call, so no half of a transition is taken for a fault.
`check_invariants` says what is wrong with a snapshot; `Watch` does that again and again while a test runs."""

import contextlib
import json
import pathlib
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import redis

SCRIPT = (pathlib.Path(__file__).parent / "snapshot.lua").read_text()
REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"
EVENTS, COMMANDS = "instance_events", "instance_commands"
STREAMS = (REPORTS, SIGNALS, RESULTS, TRADES)
# What mt5stated:meta calls them: pos:reports says how far the reports have been handled.
POSITIONS = {REPORTS: "pos:reports", SIGNALS: "pos:signals", RESULTS: "pos:results", TRADES: "pos:trades"}
GROUP = "mt5stated"
TRANSITION_EVENTS = {"instance_started", "instance_stopped", "instance_failed", "instance_recovered",
                     "instance_restarting"}
ENDS = ("processed", "failed", "dropped", "lost")


@dataclass
class Expected:
    """What a test did on purpose that the account cannot know by itself."""
    signals_removed: int = 0        # open signals that somebody else removed and that have not ended yet
    results_duplicate: int = 0      # results with a result_id that was kept in the stream
    results_removed: int = 0        # results that somebody else removed before they could be read
    adopt: bool = False             # others write instance hashes, so hash and index may differ for a while
    skip: frozenset = field(default_factory=frozenset)   # names of checks below that do not apply


@dataclass
class Snapshot:
    instances: dict
    instance_sets: dict
    load_index: list
    trades: dict
    trade_sets: dict
    totals: dict
    meta: dict
    streams: dict
    signals: list
    events: list
    commands: list
    throttled: list
    stored_alerts: dict

    def position(self, stream):
        """How far the daemon has handled a stream, or None where it has not begun."""
        text = self.meta.get(POSITIONS[stream])
        return None if text is None else entry_id(text)

    def is_drained(self, stream):
        position = self.position(stream)
        return position is not None and position >= entry_id(self.streams[stream]["last_id"])

    def total(self, name, label):
        return int(self.totals.get(f"{name}:{label}", 0))

    def labels(self, name):
        return {key.partition(":")[2] for key in self.totals if key.startswith(name + ":")}


def entry_id(text):
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence or 0)


def read_snapshot(client):
    answer = client.eval(SCRIPT, 0, *STREAMS, EVENTS, COMMANDS)
    data = json.loads(answer)
    # Lua cannot tell an empty list from an empty map.
    lists = {"load_index", "signals", "events", "commands", "throttled"}
    return Snapshot(**{key: value or ([] if key in lists else {}) for key, value in data.items()})


# Each check takes a snapshot and what the test expects, and yields one line per fault.

def check_instance_in_one_set(seen, expected):
    """Invariant 1."""
    sets_of = defaultdict(list)
    for state, ids in seen.instance_sets.items():
        for instance_id in ids:
            sets_of[instance_id].append(state)
    for instance_id, states in sets_of.items():
        if len(states) > 1:
            yield f"instance {instance_id} is in the sets {states}"
        if instance_id not in seen.instances and not expected.adopt:
            yield f"instance {instance_id} is in the set {states[0]} and has no hash"
    if expected.adopt:
        return
    for instance_id, fields in seen.instances.items():
        # A hash of others without broker or state registers nothing.
        if fields.get("broker_id") and fields.get("state") and sets_of[instance_id] != [fields["state"]]:
            yield f"instance {instance_id} is {fields['state']} and in the sets {sets_of[instance_id]}"


def check_load_index(seen, expected):
    """The load index holds the running instances, no more and no less."""
    running = set(seen.instance_sets.get("running") or [])
    if running != set(seen.load_index):
        yield f"in only one of running and load index: {sorted(running ^ set(seen.load_index))}"


def check_last_event_is_state(seen, expected):
    """Invariant 2: the newest transition announced of an instance is the state it is in, each began where the
    one before it ended, and seq grows by one."""
    state_of, seq_of = {}, {}
    for entry in seen.events:
        instance_id = entry.get("f_instance_id")
        if not instance_id:
            continue
        seq = int(entry.get("f_seq", 0))
        if instance_id in seq_of and seq != seq_of[instance_id] + 1 and \
                entry.get("f_event") != "instance_registered":
            yield f"instance {instance_id}: event seq {seq} follows {seq_of[instance_id]}"
        seq_of[instance_id] = seq
        if entry.get("f_event") in ("instance_registered", "instance_removed"):
            # One registered as stopped has no further event.
            state_of[instance_id] = "stopped" if entry["f_event"] == "instance_registered" else None
        elif entry.get("f_event") in TRANSITION_EVENTS:
            before = state_of.get(instance_id)
            if entry.get("f_from") and before and entry["f_from"] not in ("new", before):
                yield f"instance {instance_id}: event {entry['id']} is from {entry['f_from']}, it was {before}"
            state_of[instance_id] = entry["f_to"]
    if expected.adopt:
        return
    for instance_id, state in state_of.items():
        actual = seen.instances.get(instance_id, {}).get("state")
        if actual != state:
            yield f"instance {instance_id} is {actual}, its last event says {state}"


def check_signal_account(seen, expected):
    """Invariant 3: per action, received is what has ended and what is open. Open is what stands in the stream
    at or before the daemon's position, each signal_id once: a duplicate of an open signal stays until it ends."""
    position = seen.position(SIGNALS)
    open_of, ids = Counter(), set()
    for entry in seen.signals:
        if position is None or entry_id(entry["id"]) > position:
            continue
        signal_id, action = entry.get("f_signal_id"), entry.get("f_action", "").lower()
        if signal_id not in ids:
            ids.add(signal_id)
            open_of[action if f"received:{action}" in seen.totals else "other"] += 1
    gap = 0
    for action in set(open_of).union(*(seen.labels(name) for name in ("received", *ENDS))):
        received = seen.total("received", action)
        ended = sum(seen.total(name, action) for name in ENDS)
        difference = received - ended - open_of[action]
        gap += difference
        if difference < 0 or difference > expected.signals_removed:
            yield (f"action {action}: received {received}, ended {ended} "
                   f"({', '.join(f'{name} {seen.total(name, action)}' for name in ENDS)}), "
                   f"open in the stream {open_of[action]}")
    if gap != expected.signals_removed:
        yield f"{gap} signals are open and not in the stream, {expected.signals_removed} were taken out"


def check_results_counted(seen, expected):
    """Invariant 4: once the results are read to their end, each that was ever added has been counted, rejected
    or found to be a duplicate, however many of them are still kept."""
    if not seen.is_drained(RESULTS):
        return
    counted = sum(seen.total("result", status) for status in seen.labels("result"))
    rejected = seen.streams[RESULTS + "_rejected"]["added"]
    added = seen.streams[RESULTS]["added"] - expected.results_removed
    if counted + rejected + expected.results_duplicate != added:
        yield (f"{added} results were added; counted {counted}, rejected {rejected}, "
               f"duplicates {expected.results_duplicate}")


def check_groups_follow(seen, expected):
    """Invariant 5: what is acknowledged is what is stored. Both move in one script, so the group of each stream
    stands exactly at the stored position, and owes nothing."""
    for stream in STREAMS:
        position = seen.position(stream)
        group = (seen.streams[stream].get("groups") or {}).get(GROUP)
        if position is None or group is None:
            continue
        if entry_id(group["last_id"]) != position:
            yield f"{stream}: the group is at {group['last_id']}, stored is {seen.meta[POSITIONS[stream]]}"
        if group["pending"]:
            yield f"{stream}: {group['pending']} entries are pending"


def check_trade_in_one_set(seen, expected):
    sets_of = defaultdict(list)
    for state, ids in seen.trade_sets.items():
        for trade_id in ids:
            sets_of[trade_id].append(state)
    # The other way round does not hold: a hash that has expired leaves its set by the next sweep.
    for trade_id, fields in seen.trades.items():
        if sets_of[trade_id] != [fields.get("state")]:
            yield f"trade {trade_id} is {fields.get('state')} and in the sets {sets_of[trade_id]}"


def events_by_instance(seen):
    """Of each instance the events since its registration that can all be seen: none where some are missing."""
    found = {}
    for entry in seen.events:
        instance_id, seq = entry.get("f_instance_id"), int(entry.get("f_seq", 0))
        if not instance_id:
            continue
        known = found.setdefault(instance_id, [])
        if seq == 1 or entry.get("f_event") == "instance_registered":
            known[:] = [entry]
        elif known and int(known[-1]["f_seq"]) + 1 == seq:
            known.append(entry)
        else:
            known.clear()
    return {instance_id: events for instance_id, events in found.items() if events}


def commands_of_daemon(seen):
    """The commands whose id is {instance}.{command}.{n}, as (n, entry); tests may have written others."""
    for entry in seen.commands:
        begin = f"{entry.get('f_instance_id')}.{entry.get('f_command')}."
        command_id = entry.get("f_command_id", "")
        if command_id.startswith(begin) and command_id[len(begin):].isdigit():
            yield int(command_id[len(begin):]), entry


def check_command_ids(seen, expected):
    """SPEC 7.2: no id twice, and the numbers of an instance grow."""
    last_of = {}
    for number, entry in commands_of_daemon(seen):
        instance_id = entry["f_instance_id"]
        if number <= last_of.get(instance_id, 0):
            yield f"instance {instance_id}: {entry['f_command_id']} follows number {last_of[instance_id]}"
        last_of[instance_id] = number


def check_one_command_open(seen, expected):
    """SPEC 6.4: an instance has one command under way, and each that was announced is in the stream."""
    written = {entry["f_command_id"] for _, entry in commands_of_daemon(seen)}
    is_whole = seen.streams[COMMANDS]["added"] == seen.streams[COMMANDS]["length"]
    for instance_id, events in events_by_instance(seen).items():
        open_id = None
        for entry in events:
            command_id = entry.get("f_command_id", "")
            if entry["f_event"] == "command_issued":
                if is_whole and command_id not in written:
                    yield f"instance {instance_id}: {command_id} is announced, and in no stream"
                if command_id.startswith(f"{instance_id}.cancel."):
                    continue
                if open_id:
                    yield f"instance {instance_id}: {command_id} is issued while {open_id} is under way"
                open_id = command_id
            elif entry["f_event"] == "command_completed" and ".cancel." not in command_id:
                if command_id != open_id:
                    yield f"instance {instance_id}: {command_id} ends while {open_id} is under way"
                open_id = None


def check_commands_are_announced(seen, expected):
    """The other way round: no command without its event."""
    announced = {entry.get("f_command_id") for entry in seen.events if entry.get("f_event") == "command_issued"}
    whole = events_by_instance(seen)
    for _, entry in commands_of_daemon(seen):
        if entry["f_instance_id"] in whole and entry["f_command_id"] not in announced:
            yield f"{entry['f_command_id']} is in the stream, and no event says so"


def check_alerts_alternate(seen, expected):
    """SPEC 6.2: an alert fires and is resolved in turn, and those that fire are those that are stored."""
    stored = {key for key, value in seen.stored_alerts.items() if "status=firing" in value}
    for instance_id, events in events_by_instance(seen).items():
        firing = set()
        for entry in events:
            alert = entry.get("f_alert")
            if entry["f_event"] == "alert_firing":
                if alert in firing:
                    yield f"instance {instance_id}: {alert} fires, and it did already"
                firing.add(alert)
            elif entry["f_event"] == "alert_resolved":
                if alert not in firing:
                    yield f"instance {instance_id}: {alert} is resolved, and it did not fire"
                firing.discard(alert)
        of_it = {key.partition(":")[2] for key in stored if key.partition(":")[0] == instance_id}
        if of_it != firing:
            yield f"instance {instance_id}: stored as firing are {sorted(of_it)}, events say {sorted(firing)}"


def check_throttled_are_known(seen, expected):
    for instance_id in seen.throttled:
        if instance_id not in seen.instances:
            yield f"{instance_id} is throttled, and not known"


CHECKS = (check_instance_in_one_set, check_load_index, check_last_event_is_state, check_signal_account,
          check_results_counted, check_groups_follow, check_trade_in_one_set, check_command_ids,
          check_one_command_open, check_commands_are_announced, check_alerts_alternate, check_throttled_are_known)


def find_faults(seen, expected=None):
    """All that is wrong with a snapshot, as lines of text."""
    expected = expected or Expected()
    return [f"{check.__name__}: {fault}" for check in CHECKS if check.__name__ not in expected.skip
            for fault in check(seen, expected)]


def check_invariants(client, expected=None):
    """Fails with every fault that can be seen now."""
    faults = find_faults(read_snapshot(client), expected)
    assert not faults, "SPEC is broken:\n" + "\n".join(faults)


class Watch:
    """Checks in a thread of its own until stopped. `expected` may be changed meanwhile."""

    def __init__(self, server, expected, interval_s=0.02):
        self.count = 0
        self.faults = []
        self._server = server
        self._expected = expected
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()
        assert not self.faults, "SPEC was broken for a moment:\n" + "\n".join(self.faults)

    def _run(self):
        with self._server.client(socket_timeout=20) as client:
            while not self._stop.wait(self._interval_s) and not self.faults:
                # Redis may be away: that is what some tests are about.
                with contextlib.suppress(redis.exceptions.RedisError):
                    self.faults = find_faults(read_snapshot(client), self._expected)
                    self.count += 1
