"""A soak from its seed: the load, a fault each few seconds, everybody who looks on, and the verdict."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from mt5.account import find_differences
from mt5.invariants import SIGNALS, STREAMS, entry_id, find_faults, read_snapshot
from mt5.logfmt import texts_of_trouble
from mt5.usage import rss_bytes
from mt5.wait import let_pass, wait_until
from soak.faults import FAULTS, left_of_hooks, schedule
from soak.observers import Health, Invariants, Scrape, Story, Usage, count_descriptors
from soak.world import TTL_MS, World

# In the last part of a run the daemon is not ended any more: its memory is judged in this one life, from the time on at
# which as much is remembered of what has ended as ever will be. Histories, of which each instance has one, fill up to their
# bound for hours; what they need is known and taken off.
LAST_LIFE_FROM = 0.4
STEADY_AFTER_S = 300
THIRD_AT_LEAST_S = 60
FLAT_WITHIN = 0.02
# Warnings and errors of one text, numbers aside, of up to six lives of the daemon. Each run of a hook is a decision of its
# own and has its line.
LINES_PER_10_S = 12


@dataclass
class Injected:
    at_s: float
    name: str
    what: str
    ready_s: float
    working_s: float


@dataclass
class Memory:
    """Means over some time, and the most ids."""
    rss_bytes: float
    histories_bytes: float
    ids: int

    def __str__(self):
        return f"{self.rss_bytes / 1e6:.2f} MB ({self.histories_bytes / 1e6:.2f} of histories, at most {self.ids} ids)"


@dataclass
class Verdict:
    """(ok, line) of each thing that was judged; None for what is only told."""
    lines: list = field(default_factory=list)

    def judge(self, ok, what, faults=()):
        self.lines.append((bool(ok), what))
        self.lines += [(False, f"    {fault}") for fault in list(faults)[:20]]

    def tell(self, what):
        self.lines.append((None, what))

    @property
    def is_good(self):
        return all(ok is not False for ok, _ in self.lines)


class Soak:
    def __init__(self, plan, folder, say=print, faults=FAULTS, world=None):
        self.plan, self.say, self.faults = plan, say, faults
        self.world = world or World(plan, folder)
        self.injected = []
        self.verdict = Verdict()
        self.began_s = 0
        self.last_life_s = None
        self.baseline = None
        self.observers = []

    def run(self):
        """Returns the Verdict. What cannot be gone on from is an AssertionError."""
        try:
            self.world.start()
            self._start_observers()
            self._provoke()
            self._finish()
        finally:
            for observer in self.observers:
                observer.stop()
            self.world.stop()
        return self.verdict

    def _start_observers(self):
        self.baseline = self._settled_descriptors()
        world = self.world
        self.look, self.story, self.usage = Invariants(world), Story(world), Usage(world)
        self.health, self.scrape = Health(world), Scrape(world)
        self.observers = [self.look, self.story, self.usage, self.health, self.scrape]
        for observer in self.observers:
            observer.start()
        self.began_s = time.monotonic()

    def _settled_descriptors(self):
        """How many it has when nobody wants anything of it: the least of a few looks, since hooks come and go."""
        looks = []
        wait_until(lambda: looks.append(count_descriptors(self.world.daemon.pid)) or len(looks) >= 50, "50 looks")
        return min(looks)

    # ---- provoking ----

    def _provoke(self):
        plan, world = self.plan, self.world
        for fault in schedule(world.rng, self.faults):
            past_s = time.monotonic() - self.began_s
            if past_s >= plan.seconds and not (plan.is_whole and len(self.injected) < len(self.faults)):
                break
            in_last_life = past_s >= plan.seconds * LAST_LIFE_FROM
            if in_last_life and self.last_life_s is None:
                self.last_life_s = time.monotonic()
            # A run too short for its memory to be judged needs no such life.
            if fault.ends_daemon and in_last_life and self._memory_is_judged():
                continue
            self._inject(fault, past_s)
            self._assert_observed()
            rest_s = self.began_s + past_s + plan.interval_s - time.monotonic()
            let_pass(max(0.2 * plan.scale, rest_s))

    def _memory_is_judged(self):
        life_s = self.plan.seconds * (1 - LAST_LIFE_FROM)
        return life_s - STEADY_AFTER_S >= 3 * THIRD_AT_LEAST_S

    def _inject(self, fault, past_s):
        world = self.world
        world.daemon_is_away = fault.name.startswith("daemon") or fault.ends_daemon
        with self.look.hidden(fault.hides):
            what = fault.run(world) or ""
            healed_s = time.monotonic()
            targets = world.last_ids()
            wait_until(world.daemon.is_ready, f"the daemon to be ready after {fault.name} ({what})", self.plan.deadline_s)
            ready_s = time.monotonic() - healed_s
            wait_until(lambda: world.has_handled(targets), f"the streams to be handled after {fault.name} ({what})",
                       self.plan.deadline_s)
        world.daemon_is_away = False
        working_s = time.monotonic() - healed_s
        self.injected.append(Injected(past_s, fault.name, what, ready_s, working_s))
        self.say(f"{past_s:7.1f} s  {fault.name:30} {what:28} ready {ready_s:6.2f} s, all handled {working_s:6.2f} s, "
                 f"{rss_bytes(world.daemon.pid) / 1e6:6.2f} MB, "
                 f"{self.scrape.kept[-1].ids if self.scrape.kept else 0} ids")

    def _assert_observed(self):
        faults = [fault for observer in self.observers for fault in observer.faults]
        assert not faults, "SPEC was broken:\n" + "\n".join(faults[:20])
        assert self.world.sim.is_running(), f"the simulator ended:\n{self.world.sim.log()[-2000:]}"

    # ---- the end ----

    def _finish(self):
        world, plan, verdict = self.world, self.plan, self.verdict
        for observer in (self.usage, self.health, self.scrape):
            observer.stop()
        wait_until(lambda: count_descriptors(world.daemon.pid) <= self.baseline and not left_of_hooks(world),
                   f"the daemon to have its {self.baseline} descriptors again, it has {count_descriptors(world.daemon.pid)}",
                   plan.deadline_s)
        verdict.judge(True, f"descriptors: {self.baseline}, at the start and at the end")
        # Nobody reports any more from here on.
        world.daemon.write_config(instances__heartbeat_timeout_ms=0)
        world.daemon.reload()
        ledger = world.stop_simulator()
        world.expected.results_duplicate = ledger["results_duplicate"]
        self._drop_unanswered()
        self._judge_account(ledger)
        for observer in (self.look, self.story):
            observer.stop()
        self.story.look()
        self._judge_observed()
        self._judge_memory()
        self._judge_log()
        self._tell_figures(ledger)
        world.daemon.stop()

    def _drop_unanswered(self):
        world, deadline_s = self.world, self.plan.deadline_s
        world.daemon.write_config(signals__ttl_ms=10, signals__execution_ttl_ms=10)
        world.daemon.reload()
        if any(one.name == "Redis: clock jumps" for one in self.injected):
            # Entries may carry a time that the server's clock has not come to again, and for a whole ttl from a jump on
            # nothing is dropped.
            ahead_ms = max(entry_id(world.bus.last_id(stream))[0] for stream in STREAMS) - world.bus.now_ms()
            world.server.clock.jump((max(0, ahead_ms) + TTL_MS) // 1000 + 1)
        wait_until(lambda: all(world.bus.is_handled(stream) for stream in STREAMS), "all to be handled", 2 * deadline_s)
        wait_until(lambda: world.client.xlen(SIGNALS) == 0, "what is open to be dropped", deadline_s)

    def _judge_account(self, ledger):
        differences = list(find_differences(self.world.bus, ledger))
        signals = sum(counts["written"] for counts in ledger["signals"].values())
        results = sum(ledger["results"].values())
        if ledger["slowest_answer_ms"] >= TTL_MS:
            differences.append(f"an answer came after {ledger['slowest_answer_ms']} ms, so its signal was dropped rightly: "
                               "the machine is too slow for this load")
        self.verdict.judge(not differences, f"account: {signals} signals, {results} results, {ledger['reports']} reports, "
                           f"{ledger['trade_updates']} trade updates; the daemon's totals are the simulator's ledger",
                           differences)
        self.world.expected.skip = frozenset()
        faults = find_faults(read_snapshot(self.world.client), self.world.expected)
        self.verdict.judge(not faults, "the invariants hold at the end", faults)

    def _judge_observed(self):
        look, story = self.look, self.story
        self.verdict.judge(not look.faults, f"the invariants held at {look.count} looks", look.faults)
        told = sum(story.count.values())
        self.verdict.judge(not story.faults and not story.was_missed, f"events: {told}, each transition told once, in order"
                           + (" (SOME WERE TRIMMED UNREAD)" if story.was_missed else ""), story.faults)
        silent = {reason: count for reason, count in story.reasons.items() if "heartbeat" in reason}
        self.verdict.judge(not silent, f"nobody was declared crashed for silence; crashes by reason: {dict(story.reasons)}",
                           [f"{count} × {reason}" for reason, count in silent.items()])
        self.verdict.judge(not self.scrape.faults, f"metrics: {self.scrape.count} scrapes add up", self.scrape.faults)
        self.verdict.judge(not self.health.faults, f"/-/healthy: {self.health.answers} answers", self.health.faults)

    def _judge_memory(self):
        samples = self.usage.samples
        if not self._memory_is_judged():
            top = max(sample.rss_bytes for sample in samples) / 1e6
            self.verdict.tell(f"memory: at most {top:.1f} MB; too short a run for a verdict")
            return
        life = [sample for sample in samples
                if sample.pid == samples[-1].pid and sample.at_s >= self.last_life_s + STEADY_AFTER_S]
        third = len(life) // 3
        first, last = self._memory_of(life[:third]), self._memory_of(life[-third:])
        grown = (last.rss_bytes - first.rss_bytes) - (last.histories_bytes - first.histories_bytes)
        self.verdict.judge(
            grown <= first.rss_bytes * FLAT_WITHIN,
            f"memory: {first} in the first, {last} in the last third of {life[-1].at_s - life[0].at_s:.0f} s of one life: "
            f"histories apart {grown / first.rss_bytes * 100:+.2f} %")

    def _memory_of(self, samples):
        kept = [one for one in self.scrape.kept if samples[0].at_s <= one.at_s <= samples[-1].at_s]
        return Memory(sum(sample.rss_bytes for sample in samples) / len(samples),
                      sum(one.histories_bytes for one in kept) / len(kept), max(one.ids for one in kept))

    def _judge_log(self):
        """What is wrong is said once and then now and then: of warnings and errors no text comes often within 10 s."""
        lines = self.world.daemon.log().splitlines()
        texts = Counter((at[:18], text) for at, text in texts_of_trouble(lines))
        often = [f"{count} times within 10 s from {at}0: {text}" for (at, text), count in texts.most_common()
                 if count > LINES_PER_10_S]
        self.verdict.judge(not often, f"log: {len(lines)} lines, {sum(texts.values())} of them warnings and errors, none of them "
                           f"more than {max(texts.values(), default=0)} times within 10 s (bound {LINES_PER_10_S})", often)

    def _tell_figures(self, ledger):
        slowest = defaultdict(list)
        for one in self.injected:
            slowest[one.name].append(one)
        for name in sorted(slowest):
            told = slowest[name]
            self.verdict.tell(f"fault: {name:30} {len(told):4} times, ready after at most {max(one.ready_s for one in told):.2f} s, "
                              f"all handled after {max(one.working_s for one in told):.2f} s")
        slow, health = self.health.slow, self.health
        self.verdict.tell(f"/-/healthy: {len(slow)} of {health.answers} answers took more than 50 ms"
                          + (f", the slowest {max(slow) * 1000:.0f} ms" if slow else ""))
        every, late = (sum(counts[i] for counts in self.scrape.loop.values()) for i in (0, 1))
        self.verdict.tell(f"loop: {late} of {every} timers fired more than 50 ms late, frozen ones included")
        self.verdict.tell(f"simulator: slowest answer {ledger['slowest_answer_ms']} ms, {ledger['connects']} connects, "
                          f"{ledger['batches_resent']} batches sent again, ran {ledger['ran_ms'] / 1000:.0f} s")
