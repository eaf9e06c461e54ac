"""What everybody may write into the streams: a bad entry goes whole to _rejected with its reason, changes nothing,
and holds up nothing behind it (SPEC 3, 5)."""

import pytest

REPORTS, SIGNALS, RESULTS, TRADES = "instance_reports", "trade_signals", "trade_results", "trade_updates"

BAD_IDS = {
    "empty": "",
    "a newline": "mt5\n1",
    "a newline at the end": "mt5-1\n",
    "a quote": 'mt5"1',
    "an apostrophe": "mt5'1",
    "a colon": "state:running",
    "a space": "mt5 1",
    "a slash": "../mt5",
    "NUL": "mt5\0x",
    "NUL at the end": "mt5-1\0",
    "a leading -": "-rf",
    "a leading dot": ".mt5",
    "a trailing -": "mt5-",
    "65 bytes": "x" * 65,
    "1 MB": "x" * 1000000,
    "not ASCII": "mt5é",
    "not UTF-8": b"mt5\xff\xfe",
    "glob": "*",
    "format": "%s%n",
}

BAD_NUMBERS = {
    "nan": "nan", "NaN": "NaN", "inf": "inf", "-inf": "-inf", "infinity": "infinity", "hex": "0x10", "empty": "",
    "too big": "1e999", "a space before": " 1", "a space behind": "1 ", "a newline behind": "1\n", "negative": "-1",
    "negative small": "-0.001", "words": "twelve", "two points": "1.2.3", "comma": "1,5", "a sign alone": "-",
    "an exponent alone": "e5", "no exponent": "1e", "NUL behind": "1\0", "plus": "1+1", "bytes": b"\xff",
    "1 MB": "9" * 1000000, "underscore": "1_000", "arabic": "١",
}

GOOD = {
    REPORTS: {"instance_id": "mt5-1", "broker_id": "b", "state": "running"},
    SIGNALS: {"signal_id": "bad", "action": "buy"},
    RESULTS: {"result_id": "bad", "signal_id": "s", "status": "executed"},
    TRADES: {"trade_id": "bad", "state": "pending"},
}

IDS = {
    REPORTS: ["instance_id", "broker_id", "host_id"],
    SIGNALS: ["signal_id", "action", "instance_id"],
    RESULTS: ["result_id", "signal_id", "trade_id", "instance_id"],
    TRADES: ["trade_id", "account_id", "broker_id", "instance_id"],
}

NUMBERS = {
    REPORTS: ["active_connections", "cpu_usage", "memory_usage", "memory_limit", "network_usage", "disk_usage",
              "network_latency", "queue_length", "load_average", "socket_connections", "uptime_seconds",
              "restart_count"],
    SIGNALS: [],
    RESULTS: ["slippage", "execution_time"],
    TRADES: ["lot_size", "requested_price", "execution_price", "stop_loss", "take_profit",
             "partial_fill_percentage", "balance", "equity", "position", "leverage"],
}

MAY_BE_NEGATIVE = {"slippage", "balance", "equity", "position"}

WORDS = {
    REPORTS: {"state": ["", "dancing", "running ", b"\xff"], "launch_mode": ["", "automatic"],
              "health_status": ["", "superb"]},
    SIGNALS: {},
    RESULTS: {"status": ["", "done", "executed\n", "EXECUTED2"]},
    TRADES: {"state": ["", "open", "pending,"]},
}


def bad_entries(stream):
    """(what it is, its fields, the field that is wrong) of every kind of wrong entry."""
    good = GOOD[stream]
    for field in IDS[stream]:
        for name, value in BAD_IDS.items():
            yield f"{field} with {name}", {**good, field: value}, field
        if field == "action":
            yield "action of 33 bytes", {**good, field: "x" * 33}, field
    for field in NUMBERS[stream]:
        for name, value in BAD_NUMBERS.items():
            if name.startswith("negative") and field in MAY_BE_NEGATIVE:
                continue
            yield f"{field}: {name}", {**good, field: value}, field
    for field, values in WORDS[stream].items():
        for value in values:
            yield f"{field}: {value!r}", {**good, field: value}, field
    required = {REPORTS: ["instance_id"], SIGNALS: ["signal_id", "action"], TRADES: ["trade_id"],
                RESULTS: ["result_id", "signal_id", "status"]}[stream]
    for field in required:
        yield f"without {field}", {key: value for key, value in good.items() if key != field}, field
    yield "one unknown field", {"x": "y"}, required[0]
    yield "5000 unknown fields", {f"field{i}": str(i) for i in range(5000)}, required[0]
    yield "an empty name", {"": ""}, required[0]


def as_bytes(fields):
    encode = lambda text: text if isinstance(text, bytes) else text.encode()
    return {encode(key): encode(value) for key, value in fields.items()}


def state_of(client):
    """All that an entry could have changed."""
    keys = sorted(key for pattern in (b"instance*:*", b"trade:*") for key in client.scan_iter(pattern))
    return {key: client.hgetall(key) if client.type(key) == b"hash" else client.sort(key, alpha=True) for key in keys}


@pytest.mark.parametrize("stream", [REPORTS, SIGNALS, RESULTS, TRADES])
def test_bad_entries_go_to_rejected_and_nothing_else_happens(daemon, redis_server, bus, stream):
    one = daemon()
    binary = redis_server.client(decode_responses=False)
    bus.register("mt5-2")
    bus.trade("t2", state="executing", instance_id="mt5-2")
    bus.settle()
    before = state_of(binary), bus.totals(), bus.events()

    rows = list(bad_entries(stream))
    with binary.pipeline(transaction=False) as pipe:
        for _, fields, _ in rows:
            pipe.xadd(stream, fields)
        ids = pipe.execute()
    bus.settle()

    rejected = {fields[b"rejected_id"]: fields for _, fields in binary.xrange(stream + "_rejected")}
    wrong = []
    for (name, fields, field), entry in zip(rows, ids):
        found = rejected.pop(entry, None)
        if found is None:
            wrong.append(f"{name}: not rejected")
            continue
        reason = found.pop(b"reject_reason").decode()
        if not reason.startswith(f"{field}: "):
            wrong.append(f"{name}: the reason is {reason!r}")
        if "\n" in reason or len(reason) > 300:
            wrong.append(f"{name}: the reason is no short line")
        cut = int(found.pop(b"fields_cut", 0))
        found.pop(b"rejected_id")
        wanted = as_bytes(fields)
        # What one call of Redis cannot copy is left out, and counted.
        if (cut and len(wanted) < 3900) or len(found) + cut != len(wanted) or not found.items() <= wanted.items():
            wrong.append(f"{name}: the entry is not whole")
    assert wrong == []
    assert rejected == {}
    assert (state_of(binary), bus.totals(), bus.events()) == before
    counted = one.metrics().total("mt5stated_entries_rejected_total", stream=stream)
    assert counted == len(rows)

    # The next one is taken.
    bus.add(stream, {**GOOD[stream], **({"signal_id": "other"} if stream == RESULTS else {})})
    bus.settle()
    assert state_of(binary) != before[0] or bus.totals() != before[1]


@pytest.mark.parametrize("stream", [SIGNALS, RESULTS])
def test_malformed_entries_leave_their_stream(daemon, bus, stream):
    daemon()
    bus.add(stream, {"x": "y"})
    bus.settle()
    assert bus.client.xlen(stream) == 0
    assert bus.client.xlen(stream + "_rejected") == 1


def test_numbers_that_are_odd_but_right_are_taken(daemon, bus):
    daemon()
    odd = {"cpu_usage": "1e2", "memory_usage": "0.000", "queue_length": "007", "load_average": ".5",
           "network_latency": "5.", "disk_usage": "1E+3", "active_connections": "9007199254740993"}
    bus.register("mt5-1", **odd)
    bus.trade("t1", balance="-100.5", equity="-0", position="-1e3")
    bus.result("r1", "s1", slippage="-0.5", execution_time="0")
    bus.settle()
    refused = {fields["reject_reason"] for stream in (REPORTS, TRADES, RESULTS) for fields in bus.rejected(stream)}
    assert refused <= {"load_average: not a finite decimal number", "network_latency: not a finite decimal number"}
    assert bus.stored_trade("t1")["balance"] == "-100.5"


def test_the_log_stays_one_line_an_event_whatever_comes_in(daemon, redis_server, bus):
    one = daemon()
    binary = redis_server.client(decode_responses=False)
    for stream in (REPORTS, SIGNALS, RESULTS, TRADES):
        for field in IDS[stream]:
            binary.xadd(stream, {**GOOD[stream], field: b"evil\nts=2020-01-01T00:00:00.000Z level=info event=forged"})
            binary.xadd(stream, {**GOOD[stream], field: b"evil\x1b[31m\r\n\x00\xff"})
    binary.xadd(REPORTS, {**GOOD[REPORTS], "last_error": b"x\nts=2020-01-01T00:00:00.000Z level=info event=forged"})
    binary.xadd(REPORTS, {"instance_id": "mt5-1", "state": "crashed"})
    bus.settle()
    lines = one.log().splitlines()
    assert all(line.startswith("ts=") and " level=" in line for line in lines)
    assert not one.log_lines(event="forged")
    assert "\x1b" not in one.log()


def test_a_repeated_field_counts_once(daemon, redis_server, bus):
    daemon()
    redis_server.client().execute_command("XADD", REPORTS, "*", "instance_id", "mt5-1", "broker_id", "b", "state", "stopped",
                                          "state", "running", "cpu_usage", "nan", "cpu_usage", "5")
    bus.settle()
    assert bus.state("mt5-1") == "running"
    assert bus.metrics("mt5-1")["cpu_usage"] == "5"


def test_a_large_unknown_field_is_no_trouble(daemon, bus):
    daemon()
    bus.register("mt5-1", chart="x" * 3000000, cpu_usage="4")
    bus.signal("s1", chart="x" * 3000000)
    bus.settle()
    assert bus.metrics("mt5-1")["cpu_usage"] == "4"
    assert bus.total("received:buy") == 1
