"""mt5statectl under test: run to its end, run on a terminal of some width, or left running."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

from mt5.daemon import SANITIZER_ENV, SANITIZER_REPORT, binary
from mt5.process import Process

PAINT = re.compile(r"\x1b\[[0-9;]*m")


def environment(**changes):
    """Ours, without what would change what it shows; a change to None leaves a variable out."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith("MT5STATED") and key not in ("NO_COLOR", "COLUMNS")}
    merged = {**kept, **SANITIZER_ENV, "TERM": "xterm", **changes}
    return {key: value for key, value in merged.items() if value is not None}


def width(line):
    """The columns that a line of a terminal takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide - sum(unicodedata.combining(char) > 0 for char in line)


class Ended:
    """What a run has left."""

    def __init__(self, code, out, err=""):
        self.code, self.out, self.err = code, out, err
        assert not SANITIZER_REPORT.search(out + err), out + err

    @property
    def rows(self):
        return [line.split() for line in self.out.splitlines()]

    def column(self, title):
        """The cells below a title, of a table whose cells have no spaces up to there."""
        place = self.rows[0].index(title)
        return [row[place] for row in self.rows[1:]]


class Ctl:
    """Runs it against `url`, with the token in `token_file` where that is not None."""

    def __init__(self, folder, url, token_file=None):
        self.folder, self.url, self.token_file = folder, url, token_file
        self._following = []

    def argv(self, words):
        argv = [binary("MT5STATECTL", "mt5statectl")]
        if self.url is not None:
            argv += ["--url", self.url]
        if self.token_file is not None:
            argv += ["--token-file", str(self.token_file)]
        return argv + [str(word) for word in words]

    def run(self, *words, env=None, deadline_s=30):
        done = subprocess.run(self.argv(words), stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline_s,
                              env=environment(**(env or {})), check=False)
        return Ended(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    def ok(self, *words, **options):
        done = self.run(*words, **options)
        assert (done.code, done.err) == (0, ""), (done.code, done.err, done.out)
        return done

    def on_terminal(self, columns, *words, env=None):
        """Its standard output is a terminal so wide; what it wrote there."""
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen(self.argv(words), stdin=subprocess.DEVNULL, stdout=its, stderr=subprocess.PIPE,
                                 env=environment(**(env or {})))
        os.close(its)
        written = b""
        with contextlib.suppress(OSError):      # EIO: nobody holds the other end any more
            while piece := os.read(ours, 65536):
                written += piece
        os.close(ours)
        err = child.stderr.read().decode("utf-8")
        child.stderr.close()
        return Ended(child.wait(30), written.decode("utf-8").replace("\r\n", "\n"), err)

    def follow(self, *words):
        """Left running; its standard output and error go to its log()."""
        self._following.append(Process(self.argv(words), self.folder / f"ctl-{len(self._following)}.log",
                                       env=environment()))
        return self._following[-1]

    def stop(self):
        for process in self._following:
            process.kill()
