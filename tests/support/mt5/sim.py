"""mt5sim under test: the real binary with options of the test's, and its ledger."""

import json
import signal

from mt5.daemon import SANITIZER_ENV, SANITIZER_REPORT, binary
from mt5.process import Process, ProcessOwner
from mt5.wait import wait_until

# No trouble and nothing to do: a test asks for what it is about.
QUIET = {
    "instances": 0, "signals-per-sec": 0, "trades-per-sec": 0, "crash-every-s": 0, "silence-every-s": 0,
    "fail-share": 0, "partial-share": 0, "accepted-share": 0, "followup-share": 0, "unanswered-share": 0,
    "early-share": 0, "duplicate-share": 0, "duplicate-result-share": 0, "malformed-share": 0,
    "restart-fail-share": 0, "latency-ms": 20,
}


class Sim(ProcessOwner):
    """One run. Options as keywords, dashes written as underscores: Sim(folder, url, signals=100, drain=True)."""

    def __init__(self, folder, redis_url, quiet=True, **options):
        self.log_path = folder / "mt5sim.log"
        chosen = {**(QUIET if quiet else {}), **{key.replace("_", "-"): value for key, value in options.items()}}
        argv = [binary("MT5SIM", "mt5sim"), f"--redis={redis_url}"]
        argv += [f"--{key}" if value is True else f"--{key}={value}"
                 for key, value in chosen.items() if value is not False]
        self._process = Process(argv, self.log_path, env=SANITIZER_ENV)

    def send(self, signal_number):
        self._process.send(signal_number)

    def finish(self, exact=True, deadline_s=60):
        """Waits for its end and returns the ledger."""
        code = self._process.wait(deadline_s)
        assert not SANITIZER_REPORT.search(self.log()), "a sanitizer's report is in the simulator's log"
        ledger = self._read_ledger()
        assert ledger["exact"] is exact, ledger["fault"]
        assert code == (0 if exact else 1), f"exit code {code}"
        return ledger

    def stop(self, exact=True):
        """SIGTERM, and the ledger."""
        self.send(signal.SIGTERM)
        return self.finish(exact)

    def _read_ledger(self):
        text = self.log()
        start = text.rfind('{"exact"')
        assert start >= 0, f"there is no ledger:\n{text}"
        return json.JSONDecoder().raw_decode(text[start:])[0]


def wait_entries(redis, stream, count):
    """Until COUNT entries were ever added to a stream."""
    def added():
        return redis.exists(stream) and redis.xinfo_stream(stream)["entries-added"] >= count
    wait_until(added, f"{count} entries in {stream}")
