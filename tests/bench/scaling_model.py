"""One partition as a simulation of events: a Redis that does one thing at a time, the daemon, producers, executors, agents.

Redis is a loop: it takes what has come from its clients, executes one after the other, and answers all of them at the end of
the round. A client that waits for entries is given the first one that comes, alone; the rest of a pipeline it gets when it asks
again. The daemon reads with one call and stores with another, one of each under way; what it reads while a batch is under way
is the next batch. Costs are those of scaling_costs.py, in µs; a run depends on its seed alone."""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

from figure import percentile_of_weighted

READ_COUNT = 1000
# A batch above this is sent before more is read (160 KiB, src/app/commit.c), in entries.
FULL_ENTRIES = 2500
SLICE_US = 5000      # of a scrape


@dataclass
class Load:
    """What one partition is given. A chunk is what a client writes in one call."""
    signals_per_s: float
    producer_chunk: int = 0           # 0: what is due each millisecond, by a clock
    executors: int = 1
    take: int = 1000                  # signals an executor reads in a call
    is_waiting: bool = True           # an executor answers before it reads again
    think_call_us: float = 0.0
    think_entry_us: float = 0.0
    answer_calls: int = 1             # calls in which an answer is written
    calls_each: float = 0.0           # calls for each signal, besides
    claims: bool = False
    trades: bool = False
    reports_per_s: float = 0.0
    changes: float = 0.0              # share of the reports that change a state
    is_shuffled: bool = False         # results come in another order than signals
    scrape_series: int = 0
    redis_wait_us: float = 0.0        # what a busy machine adds until a woken thread has a core, in the mean
    daemon_wait_us: float = 0.0
    client_wait_us: float = 0.0
    is_watched: bool = False          # somebody waits for each entry of the journal (the watcher of scaling_live.py)


@dataclass
class Lived:
    redis: float = 0.0
    daemon: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    batches_per_s: float = 0.0
    reads_per_s: float = 0.0
    left: float = 0.0                 # seconds of work that had piled up at the end
    is_stable: bool = True
    ended_per_s: float = 0.0


@dataclass
class Stream:
    """A stream is a count of what came; a reader is a count of what it has read."""
    came: int = 0
    waiting: deque = field(default_factory=deque)


class Simulation:
    def __init__(self, costs, load, seed=1):
        self.c, self.load, self.rng = costs, load, random.Random(seed)
        self.now, self.order, self.events = 0.0, 0, []
        self.queue, self.is_busy, self.redis_us, self.daemon_us = [], False, 0.0, 0.0
        self.signals, self.results, self.reports = Stream(), Stream(), Stream()
        self.taken = 0
        self.sent = deque()               # (results so far, when it was sent, how many) of each answer
        self.handled = 0
        self.times = []
        self.read_pos = [0, 0, 0]
        self.filling = [0, 0, 0]
        self.storing, self.is_reading, self.daemon_free = None, False, 0.0
        self.batches = self.reads = 0
        self.measure_from = 0.0

    # --- the clockwork
    def at(self, when, what, *args):
        self.order += 1
        heapq.heappush(self.events, (when, self.order, what, args))

    def run(self, seconds, warm_s=0.5):
        self.measure_from, end = warm_s * 1e6, (warm_s + seconds) * 1e6
        self.start()
        marked = False
        while self.events and self.events[0][0] < end:
            self.now, _, what, args = heapq.heappop(self.events)
            if not marked and self.now >= self.measure_from:
                marked, base = True, (self.redis_us, self.daemon_us, self.batches, self.reads, self.handled)
            what(*args)
        return self.account(base, seconds)

    def account(self, base, seconds):
        us = seconds * 1e6
        behind = self.signals.came - self.handled
        usual = self.load.signals_per_s * (self.load.think_call_us + self.load.think_entry_us) / 1e6
        lived = Lived(redis=min(1.0, (self.redis_us - base[0]) / us), daemon=min(1.0, (self.daemon_us - base[1]) / us),
                      batches_per_s=(self.batches - base[2]) / seconds, reads_per_s=(self.reads - base[3]) / seconds,
                      left=max(0.0, behind - usual) / max(1.0, self.load.signals_per_s))
        lived.ended_per_s = (self.handled - base[4]) / seconds
        lived.p50_us, lived.p99_us = (percentile_of_weighted(self.times, share) for share in (0.5, 0.99))
        # At the end no more may be left than a tenth of a second brings.
        lived.is_stable = lived.left < 0.1
        return lived

    def start(self):
        load = self.load
        self.at(0, self.produce)
        for i in range(load.executors):
            self.at(1 + i, self.submit, Take(i))
        if load.reports_per_s:
            self.at(self.pause(load.reports_per_s), self.agent)
        self.at(2, self.read)
        if load.scrape_series:
            self.at(self.measure_from, self.scrape, load.scrape_series * self.c.scrape_series_us)

    def pause(self, per_s):
        return self.rng.expovariate(per_s) * 1e6

    # --- clients
    def produce(self):
        load = self.load
        if load.producer_chunk:
            count = load.producer_chunk
            self.at(self.now + self.pause(load.signals_per_s / count), self.produce)
        else:
            count = round(load.signals_per_s / 1000)
            self.at(self.now + 1000, self.produce)
        self.submit(Produce(count))

    def agent(self):
        self.at(self.now + self.pause(self.load.reports_per_s), self.agent)
        self.submit(Report())

    def took(self, who, count):
        load = self.load
        think = load.think_call_us + load.think_entry_us * count
        if load.calls_each:
            for _ in range(count):
                self.at(self.now + self.rng.lognormvariate(0, 0.5) * think, self.submit, Answer(None, 1, load.answer_calls))
            self.submit(Take(who))
        elif load.is_waiting:
            self.at(self.now + think, self.submit, Answer(who, count, load.answer_calls))
        else:
            self.at(self.now + self.rng.lognormvariate(0, 0.5) * think, self.submit, Answer(None, count, load.answer_calls))
            self.submit(Take(who))

    # --- the daemon: one thread
    def work(self, us, then, *args):
        begin = max(self.now, self.daemon_free)
        self.daemon_free = begin + us
        self.daemon_us += us
        self.at(self.daemon_free, then, *args)

    def scrape(self, left_us):
        if left_us > 0:
            self.work(min(left_us, SLICE_US), self.scrape, left_us - SLICE_US)

    def read(self):
        if not self.is_reading and sum(self.filling) < FULL_ENTRIES:
            self.is_reading = True
            self.submit(Read())

    def on_read(self, counts):
        c = self.c
        us = c.daemon_read_us + (counts[0] + counts[1]) / 2 * c.daemon_signal_us + counts[2] * self.report_us()
        self.work(us, self.on_taken_in, counts)

    def report_us(self):
        return self.c.daemon_report_us + self.load.changes * self.c.daemon_change_us

    def on_taken_in(self, counts):
        self.is_reading = False
        self.filling = [a + b for a, b in zip(self.filling, counts)]
        self.store()
        self.read()

    def store(self):
        if self.storing is None and any(self.filling):
            self.storing, self.filling = self.filling, [0, 0, 0]
            self.work(self.c.daemon_batch_us, self.submit, Commit(self.storing))

    def on_stored(self):
        self.storing = None
        self.store()
        self.read()

    # --- Redis: one thread, in rounds
    def submit(self, job):
        if isinstance(job, Answer):
            job.sent = self.now
        self.queue.append(job)
        if not self.is_busy:
            self.is_busy = True
            self.at(self.now + self.wake_us(self.load.redis_wait_us), self.round)

    def wake_us(self, wait_us):
        return self.c.wake_us + (self.rng.expovariate(1 / wait_us) if wait_us else 0.0)

    def round(self):
        jobs, self.queue = self.queue, []
        at, self.answers = self.now + self.c.loop_us, []
        for job in jobs:
            at += self.c.call_us
            at += job.execute(self, at)
        self.redis_us += at - self.now
        for what, *args in self.answers:
            is_daemon = what in (self.on_read, self.on_stored)
            self.at(at + self.wake_us(self.load.daemon_wait_us if is_daemon else self.load.client_wait_us), what, *args)
        self.at(at, self.next_round)

    def next_round(self):
        self.is_busy = bool(self.queue)
        if self.is_busy:
            self.round()

    def came(self, stream, count):
        """µs for whoever waits: each entry of a pipeline by itself goes to the first who wants it."""
        us = 0.0
        while count and stream.waiting:
            stream.came += 1
            count -= 1
            us += len(stream.waiting) * self.c.waiting_us
            for waiter in [stream.waiting.popleft() for _ in range(len(stream.waiting))]:
                us += waiter.wake(self)
        stream.came += count
        return us


class Produce:
    def __init__(self, count):
        self.count = count

    def execute(self, s, at):
        return self.count * s.c.xadd_signal_us + s.came(s.signals, self.count)


class Report:
    def execute(self, s, at):
        return s.c.xadd_report_us + s.came(s.reports, 1)


class Take:
    """XREADGROUP of an executor."""
    def __init__(self, who):
        self.who = who

    def execute(self, s, at):
        if s.taken == s.signals.came:
            s.signals.waiting.append(self)
            return 0.0
        return self.wake(s)

    def wake(self, s):
        count = min(s.load.take, s.signals.came - s.taken)
        if not count:                    # another one was given it
            s.signals.waiting.append(self)
            return 0.0
        s.taken += count
        s.answers.append((s.took, self.who, count))
        return s.c.xreadgroup_call_us + count * s.c.xreadgroup_us


class Answer:
    """Results, their acknowledgement, and what else an executor writes. In several calls the later ones are sent as soon as the
    one before is answered; all that counts here is what they cost."""
    def __init__(self, who, count, calls):
        self.who, self.count, self.calls, self.sent = who, count, calls, 0.0

    def execute(self, s, at):
        c, load = s.c, s.load
        s.sent.append((s.results.came + self.count, self.sent, self.count))
        us = self.count * (c.xadd_result_us + c.xack_us) + (self.calls - 1 + self.count * load.calls_each) * (c.call_us + c.loop_us)
        if load.claims:
            us += self.count * c.claim_us
        if load.trades:
            us += self.count * (c.xadd_trade_us + c.trade_us)
        if self.who is not None:
            s.answers.append((s.submit, Take(self.who)))
        return us + s.came(s.results, self.count)


class Read:
    """XREAD of the daemon, over its streams."""
    def execute(self, s, at):
        if self.counts(s) == [0, 0, 0]:
            for stream in (s.signals, s.results, s.reports):
                stream.waiting.append(self)
            return 0.0
        return self.wake(s)

    def counts(self, s):
        return [min(READ_COUNT, stream.came - pos) for stream, pos in zip((s.signals, s.results, s.reports), s.read_pos)]

    def wake(self, s):
        for stream in (s.signals, s.results, s.reports):
            if self in stream.waiting:
                stream.waiting.remove(self)
        counts = self.counts(s)
        s.read_pos = [a + b for a, b in zip(s.read_pos, counts)]
        s.reads += 1
        s.answers.append((s.on_read, counts))
        return s.c.xread_call_us + sum(counts) * s.c.xread_us


class Commit:
    """The script call that stores a batch."""
    def __init__(self, counts):
        self.counts = counts

    def execute(self, s, at):
        c, (signals, results, reports) = s.c, self.counts
        each = c.commit_shuffled_us if s.load.is_shuffled else c.commit_signal_us
        us = (c.commit_us + (signals + results) / 2 * each
              + reports * (c.commit_report_us + s.load.changes * c.commit_change_us))
        s.batches += 1
        s.handled += results
        while s.sent and s.sent[0][0] <= s.handled:
            _, sent, count = s.sent.popleft()
            if sent >= s.measure_from:
                # Who watches is woken too.
                seen = s.wake_us(s.load.client_wait_us) if s.load.is_watched else 0.0
                s.times.append((at + us - sent + seen, count))
        s.answers.append((s.on_stored,))
        return us + (c.call_us + c.xread_call_us if s.load.is_watched and signals + results else 0.0)


def simulate(costs, load, seconds, seed=1):
    return Simulation(costs, load, seed).run(seconds)
