"""What a process uses of the machine, as /proc tells."""

import os
import pathlib
import time

from mt5.wait import wait_until

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid):
    """Seconds of a core that it has used so far."""
    after_name = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


def cpu_share(pid, span_s=1.0):
    """The share of a core that it uses over this time from now."""
    began, used = time.monotonic(), cpu_s(pid)
    wait_until(lambda: time.monotonic() >= began + span_s, "the time that is measured to be over")
    return (cpu_s(pid) - used) / (time.monotonic() - began)


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
