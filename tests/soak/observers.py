"""Those who look on while a soak runs: each in a thread of its own, with clients of its own."""

import contextlib
import http.client
import os
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass

import redis

from mt5 import http as mt5_http
from mt5.invariants import EVENTS, TRANSITION_EVENTS, find_faults, read_snapshot
from mt5.usage import rss_bytes

ENDS = ("processed", "failed", "dropped", "lost")


class Observer:
    """Calls look() each `interval_s` until stopped. What it finds wrong is in `faults`."""

    interval_s = 1.0

    def __init__(self, world):
        self.world = world
        self.faults = []
        self.lock = threading.Lock()        # held while it looks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self.interval_s):
            try:
                with self.lock:
                    self.look()
            except (redis.exceptions.RedisError, OSError, http.client.HTTPException):
                pass    # Redis or the daemon may be away: that is what it is about
            except Exception as error:      # the run's own thread tells it
                self.faults.append(f"{type(self).__name__}: {error!r}")
                return


class Invariants(Observer):
    """SPEC 4 from outside. `is_hidden` while shared keys have been spoilt on purpose."""

    def __init__(self, world):
        super().__init__(world)
        self.interval_s = 0.1 if world.plan.instances < 200 else 2.0
        self.count = 0
        self.is_hidden = False
        self._client = world.server.client(socket_timeout=20)

    @contextlib.contextmanager
    def hidden(self, hides=True):
        with self.lock:
            self.is_hidden = hides
        yield
        with self.lock:
            self.is_hidden = False

    def look(self):
        if self.is_hidden or len(self.faults) > 20:
            return
        seen = read_snapshot(self._client)
        self.count += 1
        at = time.strftime("%H:%M:%S", time.gmtime())
        self.faults += [f"{at} {fault}" for fault in find_faults(seen, self.world.expected)]


class Story(Observer):
    """Every event there is: of an instance each has the next number, and each transition begins where the last one ended,
    so none is told twice and none is missing. Nobody has crashed because of a fault."""

    interval_s = 0.5

    def __init__(self, world):
        super().__init__(world)
        self.count = Counter()
        self.reasons = Counter()
        self.was_missed = False
        self._client = world.server.client(socket_timeout=20)
        self._last_id = "0-0"
        self._seen = 0
        self._seq, self._state = {}, {}

    def look(self):
        with self._client.pipeline() as pipe:
            pipe.xread({EVENTS: self._last_id})
            pipe.xinfo_stream(EVENTS)
            answers = pipe.execute()
        entries = answers[0][0][1] if answers[0] else []
        for entry_id, fields in entries:
            self._last_id = entry_id
            self._seen += 1
            self._take(entry_id, fields)
        if self._seen != answers[1]["entries-added"]:
            # Trimmed before they were read: what follows begins anew.
            self.was_missed = True
            self._seen = answers[1]["entries-added"]
            self._seq, self._state = {}, {}

    def _take(self, entry_id, fields):
        event, instance_id = fields["event"], fields.get("instance_id")
        self.count[event] += 1
        if not instance_id:
            return
        seq, last = int(fields["seq"]), self._seq.get(instance_id)
        if last is not None and seq != last + 1:
            self.faults.append(f"{entry_id}: {instance_id}: {event} has seq {seq} after {last}")
        self._seq[instance_id] = seq
        if event == "instance_failed":
            self.reasons[re.sub(r"\d+", "N", fields.get("reason", ""))] += 1
        if event in TRANSITION_EVENTS:
            before = self._state.get(instance_id)
            if before and fields["from"] != before:
                self.faults.append(f"{entry_id}: {instance_id}: {event} is from {fields['from']}, it was {before}")
            self._state[instance_id] = fields["to"]


@dataclass
class Sample:
    at_s: float
    pid: int
    rss_bytes: int
    descriptors: int


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Usage(Observer):
    """What the daemon uses of the machine."""

    def __init__(self, world):
        super().__init__(world)
        self.samples = []

    def look(self):
        pid = self.world.daemon.pid
        self.samples.append(Sample(time.monotonic(), pid, rss_bytes(pid), count_descriptors(pid)))


class Health(Observer):
    """/-/healthy is answered whatever is wrong. Only told: the machine may be slow, and the daemon frozen."""

    interval_s = 0.1

    def __init__(self, world):
        super().__init__(world)
        self.answers = 0
        self.slow = []      # seconds that took longer than 50 ms, while nobody had frozen or ended it

    def look(self):
        away = self.world.daemon_is_away
        began = time.monotonic()
        answer = mt5_http.request(self.world.daemon.listen, "/-/healthy", timeout=20)
        took_s = time.monotonic() - began
        if answer.status != 200:
            self.faults.append(f"/-/healthy answered {answer.status}")
        self.answers += 1
        if took_s > 0.05 and not away and not self.world.daemon_is_away:
            self.slow.append(took_s)


# What malloc needs for the text of each step of /why, beside what the daemon says that it needs.
STEP_EXTRA_BYTES = 16


@dataclass
class Kept:
    """For what memory is used."""
    at_s: float
    ids: int                # of signals that have ended
    histories_bytes: int


class Scrape(Observer):
    """The account of the metrics, and how late the loop's timers were."""

    interval_s = 5.0

    def __init__(self, world):
        super().__init__(world)
        self.count = 0
        self.loop = {}      # pid → (all, later than 50 ms) as last seen
        self.kept = []      # a Kept of each scrape

    def look(self):
        pid = self.world.daemon.pid
        text = mt5_http.request(self.world.daemon.listen, "/metrics", timeout=20).text
        sums = Counter()
        for name, value in re.findall(r"^mt5stated_signals_([a-z]+)(?:_total)?(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            sums[name] += float(value)
        self.count += 1
        if sums["received"] != sum(sums[end] for end in ENDS) + sums["open"]:
            self.faults.append(f"a scrape does not add up: {dict(sums)}")
        buckets = dict(re.findall(r'^mt5stated_loop_delay_seconds_bucket\{le="([^"]+)"\} (\S+)$', text, re.MULTILINE))
        every, in_time = int(buckets["+Inf"]), int(buckets.get("0.05", buckets["+Inf"]))
        self.loop[pid] = every, every - in_time
        kept = {name: int(value) for name, value in re.findall(r"^(mt5stated_\w+) (\d+)$", text, re.MULTILINE)}
        histories = re.findall(r"^mt5stated_history_bytes\{.*\} (\S+)$", text, re.MULTILINE)
        self.kept.append(Kept(time.monotonic(), kept["mt5stated_dedup_entries"],
                              sum(map(int, histories)) + kept["mt5stated_why_steps"] * STEP_EXTRA_BYTES))
