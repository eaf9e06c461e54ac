"""mt5stated --backtest: run over a recording, and what it printed taken apart."""

import datetime
import re
import subprocess
from collections import namedtuple

from mt5.daemon import SANITIZER_ENV, SANITIZER_REPORT, binary

# from_ms is None where it began before the recording, to_ms where it had not ended.
Firing = namedtuple("Firing", "instance_id rule from_ms to_ms length value commands held")
Changed = namedtuple("Changed", "mark rule instance_id from_ms to_ms commands held")


def time_ms(text):
    """Milliseconds since 1970; None for what is no time."""
    if not text.endswith("Z"):
        return None
    when = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(when.timestamp() * 1000)


def counts(text):
    """{"recover": 2} of `recover 2`."""
    return {} if text == "-" else {word: int(count) for word, count in re.findall(r"([a-z]+) (\d+)", text)}


class Backtest:
    """One run: its code and error, and its tables. `rules` are rows by rule, `firings` in their order."""

    def __init__(self, *argv, deadline_s=60):
        done = subprocess.run([binary("MT5STATED", "mt5stated"), *map(str, argv)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=deadline_s, env=SANITIZER_ENV, check=False)
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        assert not SANITIZER_REPORT.search(self.out + self.err), self.out + self.err
        self.tables = self._tables() if self.code == 0 else []

    def _tables(self):
        """Runs of lines below a title, parted at two spaces or more."""
        tables, rows = [], None
        for line in self.out.splitlines():
            if re.match(r" *RULE  ", line):
                rows = []
                tables.append(rows)
            elif not line.strip() or not re.search(r"\S  +\S", line):
                rows = None
            elif rows is not None:
                rows.append(re.split(r"  +", line.strip()))
        return tables

    @property
    def rules(self):
        return {row[0]: row[1:] for row in self.tables[0]}

    @property
    def firings(self):
        return [Firing(row[1], row[0], time_ms(row[2]), time_ms(row[3]), row[4], row[5], counts(row[6]), row[7])
                for row in (self.tables[1] if "No rule would have fired." not in self.out else [])]

    @property
    def difference(self):
        """{rule: (same, changed, only new, only old)}"""
        return {row[0]: tuple(map(int, row[1:5])) for row in self.tables[-1 if "No firing differs." in self.out else -2]}

    @property
    def changes(self):
        """The firings that differ, one by one."""
        return [Changed(row[0], row[1], row[2], time_ms(row[3]), time_ms(row[4]), counts(row[6]), row[7])
                for row in (self.tables[-1] if "No firing differs." not in self.out else [])]
