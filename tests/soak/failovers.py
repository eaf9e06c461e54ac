"""scripts/soak failovers: a master, a replica and three Sentinels, two daemons, producers and executors that follow the master,
and a fault each few seconds. Redis loses writes here, so the daemon's totals need not be what was written; what they lack has
to be what it counted as lost, or what went with a master before anybody had read it.

An executor asks before and behind each read whether the data of its server is in order (docs/AGENTS.md): no signal that had
ended may come to one that does."""

import contextlib
import random
import re
import threading
import time
import zlib
from collections import Counter, defaultdict

import redis

from mt5.daemon import Daemon, default_config
from mt5.invariants import RESULTS, SIGNALS, STREAMS, entry_id
from mt5.sentinels import Sentinels
from mt5.wait import let_pass, wait_until

TTL_MS = 4000
CONFIG = {"signals.ttl_ms": TTL_MS, "signals.execution_ttl_ms": TTL_MS, "instances.heartbeat_timeout_ms": 0,
          "guard.hold_ms": 200, "ha.lease_ms": 1000, "redis.reconnect_max_ms": 200}
GROUP = "executors"
ENDS = ("processed", "failed", "dropped", "lost")
DOWN = (redis.exceptions.RedisError, OSError)
DEADLINE_S = 60


def settled_on(client):
    """The replication ID of a server whose data is in order; None for any other."""
    found, said = client.pipeline(transaction=False).info("replication").hget("mt5stated:meta", "settled").execute()
    return said if said and said == found["master_replid"] else None


class Account:
    """What everybody has written and taken, under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = {}                   # signal → when that was answered
        self.unknown = 0                    # signals whose answer never came
        self.results = {}                   # signal → status, of those that were sent at least once
        self.waiting = defaultdict(dict)    # server → {result's entry ID: signal}, not yet seen to be handled
        self.ended = set()                  # by a result that the daemon has stored
        self.taken = Counter()
        self.faults = []

    def take(self, signal_id, who):
        with self.lock:
            self.taken[signal_id] += 1
            if signal_id in self.ended:
                self.faults.append(f"{time.strftime('%H:%M:%S')} {who} was given {signal_id}, which had ended")

    def note_handled(self, server, position):
        with self.lock:
            waiting = self.waiting[server]
            for entry in [entry for entry in waiting if entry_id(entry) <= position]:
                self.ended.add(waiting.pop(entry))


class Worker:
    """A thread that goes on with a client of whoever the Sentinels name as the master; a Redis that is away is nothing to it."""

    def __init__(self, world, number):
        self.world, self.account, self.number = world, world.account, number
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                master = self.world.master
                with contextlib.suppress(*DOWN), self.world.group.client_of(master, socket_timeout=1) as client:
                    self.begin(client)
                    while not self._stop.is_set() and self.world.master is master:
                        self.work(client)
            except Exception as error:
                self.account.faults.append(f"{type(self).__name__}: {error!r}")
                return
            let_pass(0.02)

    def begin(self, client):
        pass


class Producer(Worker):
    count = 0

    def work(self, client):
        self.count += 1
        name, account = f"s-{self.number}-{self.count}", self.account
        try:
            client.xadd(SIGNALS, {"signal_id": name, "action": "buy"})
        except DOWN:
            account.unknown += 1
            raise
        account.written[name] = time.monotonic()
        if self.count % 20 == 0:
            client.xadd("instance_reports", {"instance_id": f"mt5-{self.number}", "broker_id": "b", "state":
                                             "stopped" if self.count % 40 else "running"})
        let_pass(1 / self.world.per_second)


class Executor(Worker):
    """Two of them are a group; each answers what it is given, but for one of fifty."""

    def begin(self, client):
        with contextlib.suppress(redis.exceptions.ResponseError):
            client.xgroup_create(SIGNALS, GROUP, "0", mkstream=True)
        self.mark, self.first = None, "0"

    def work(self, client):
        if self.mark is None:
            self.mark, self.first = settled_on(client) if self.world.is_gated else "any", "0"
            if self.mark is None:
                let_pass(0.002)
                return
        answer = client.xreadgroup(GROUP, f"executor-{self.number}", {SIGNALS: self.first}, count=20, block=50)
        if self.world.is_gated and settled_on(client) != self.mark:
            self.mark = None        # of another server, or of one whose data went back: what was read says nothing
            return
        entries = [(entry, fields) for entry, fields in answer[0][1] if fields] if answer else []
        for entry, fields in entries:
            self.execute(client, entry, fields["signal_id"])
        if not entries:
            self.first = ">"

    def execute(self, client, entry, name):
        account = self.account
        account.take(name, f"executor-{self.number}")
        number = zlib.crc32(name.encode())
        if number % 50:
            status = "executed" if number % 10 else "failed"
            account.results[name] = status
            result = client.xadd(RESULTS, {"result_id": f"r-{name}", "signal_id": name, "status": status})
            with account.lock:
                account.waiting[settled_on(client) if self.mark == "any" else self.mark][result] = name
        client.xack(SIGNALS, GROUP, entry)


class Onlooker(Worker):
    """Sees what is stored, and that the metrics of whoever is active add up."""

    looks = 0

    def work(self, client):
        pipe = client.pipeline()
        seen = pipe.info("replication").hget("mt5stated:meta", "settled").hget("mt5stated:meta", "pos:results").execute()
        if seen[1] == seen[0]["master_replid"]:
            self.account.note_handled(seen[1], entry_id(seen[2] or "0-0"))
        self.looks += 1
        if self.looks % 50 == 0:
            for daemon in self.world.daemons:
                self.look_at(daemon)
        let_pass(0.01)

    def look_at(self, daemon):
        with contextlib.suppress(OSError, AssertionError):
            text = daemon.get("/metrics").text
            sums = Counter()
            for name, value in re.findall(r"^mt5stated_signals_([a-z]+)(?:_total)?(?:\{.*\})? (\S+)$", text, re.MULTILINE):
                sums[name] += float(value)
            if sums["received"] != sum(sums[end] for end in ENDS) + sums["open"]:
                self.account.faults.append(f"a scrape does not add up: {dict(sums)}")


class Locator(Worker):
    """Asks the Sentinels as every client has to, for all of them."""

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(StopIteration):
                self.world.master = self.world.group.master()
            let_pass(0.02)


# ---- the faults: each provokes, and returns what it did; World.heal puts everything right ----

def behind(world):
    """The replica lacks what is written from now on, where the seed says so."""
    if world.rng.random() < 0.7:
        world.group.cut_off_replica()
        return f"replica behind by {world.hold(0.1, 1.0):.2f} s"
    return "replica in step"


def kill_master(world):
    what, old = behind(world), world.group.master()
    old.kill9()
    world.group.wait_switched(old)
    return what


def freeze_master(world):
    what, old = behind(world), world.group.master()
    old.pause()
    world.group.wait_switched(old)
    world.hold(0, 0.5)
    old.resume()
    return what


def replace_master(world):
    what, old = behind(world), world.group.master()
    world.group.fail_over()
    try:
        wait_until(lambda: world.group.master() is not old, "a failover", 4)
    except AssertionError:      # the replica did not look good to the Sentinel, and looks worse the longer it is behind
        world.group.heal()
        world.group.fail_over()
        world.group.wait_switched(old)
        what = "replica in step, at last"
    return what


def lag(world):
    """A replica that is behind and comes back in step: nobody notices."""
    world.group.cut_off_replica()
    return f"for {world.hold(0.2, 1.5):.2f} s"


def kill_sentinel(world):
    world.rng.choice(world.group.sentinels).kill9()
    return f"for {world.hold(0.2, 1.5):.2f} s"


def kill_active(world):
    world.active().kill9()
    return f"for {world.hold(0, 1):.2f} s"


def freeze_active(world):
    world.active().pause()
    return f"for {world.hold(0.5, 3):.2f} s"


def kill_standby(world):
    active = world.active()
    next(one for one in world.daemons if one is not active).kill9()
    return f"for {world.hold(0, 1):.2f} s"


FAULTS = {
    "master: kill -9": kill_master,
    "master: SIGSTOP": freeze_master,
    "master: SENTINEL FAILOVER": replace_master,
    "replica: behind": lag,
    "sentinel: kill -9": kill_sentinel,
    "active daemon: kill -9": kill_active,
    "active daemon: SIGSTOP": freeze_active,
    "standby daemon: kill -9": kill_standby,
}


class World:
    def __init__(self, seed, folder, per_second=150, is_gated=True):
        self.rng = random.Random(seed)
        self.per_second, self.is_gated = per_second, is_gated
        self.account = Account()
        self.group = Sentinels(folder)
        self.group.quicken()
        self.daemons = [self._make_daemon(folder, name) for name in ("one", "two")]
        self.master = self.group.master()
        self.workers, self.others = [], []
        self.windows = []       # in which a write may have gone with a master

    def _make_daemon(self, folder, name):
        own = folder / name
        own.mkdir()
        config = {**default_config(own, self.group), **CONFIG, **self.group.config, "streams.consumer": name}
        return Daemon(own, config)

    def start(self):
        for daemon in self.daemons:
            daemon.start(ready=False)
        self.wait_settled()
        self.workers = [kind(self, number).start() for kind in (Producer, Executor) for number in (1, 2)]
        self.onlooker = Onlooker(self, 1).start()
        self.others = [self.onlooker, Locator(self, 1).start()]

    def active(self):
        return wait_until(lambda: next((one for one in self.daemons if one.is_running() and one.is_ready()), None),
                          "a daemon to be active", DEADLINE_S)

    def hold(self, least_s, most_s):
        span_s = self.rng.uniform(least_s, most_s)
        let_pass(span_s)
        return span_s

    def heal(self):
        """Returns after how many seconds a daemon had the data in order."""
        began_s = time.monotonic()
        for daemon in self.daemons:
            if not daemon.is_running():
                daemon.start(ready=False)
            daemon.resume()
        self.wait_settled()
        settled_s = time.monotonic() - began_s
        wait_until(self._heal_servers, "the servers to be in step", DEADLINE_S)
        self.wait_settled()
        return settled_s

    def _heal_servers(self):
        """Where a Sentinel is still at work with them, once more."""
        with contextlib.suppress(*DOWN, StopIteration):
            self.group.heal()
            return True
        return False

    def wait_settled(self):
        """A daemon is ready, and the data of the master in order."""

        def is_settled():
            with contextlib.suppress(*DOWN, StopIteration), self.group.client() as client:
                return settled_on(client)
            return False

        self.active()
        wait_until(is_settled, "the data to be in order", DEADLINE_S)

    def stop_work(self):
        """Producers first; then until everything that was written has ended."""
        for worker in self.workers[:2]:
            worker.stop()
        with self.group.client() as client:
            wait_until(lambda: all(self._is_handled(client, stream) for stream in STREAMS), "all to be handled", DEADLINE_S)
            wait_until(lambda: client.xlen(SIGNALS) == 0 and self.open_signals() == 0, "all signals to end", DEADLINE_S)
        for worker in [*self.workers[2:], *self.others]:
            worker.stop()

    @staticmethod
    def _is_handled(client, stream):
        positions = {"instance_reports": "reports", SIGNALS: "signals", RESULTS: "results", "trade_updates": "trades"}
        position = client.hget("mt5stated:meta", f"pos:{positions[stream]}") or "0-0"
        last = client.xinfo_stream(stream)["last-generated-id"] if client.exists(stream) else "0-0"
        return entry_id(position) >= entry_id(last)

    def open_signals(self):
        return self.active().metrics().value("mt5stated_signals_open")

    def found(self):
        """What the daemons have said that Redis had lost, over all of their lives."""
        found = Counter()
        for daemon in self.daemons:
            for line in daemon.log_lines(msg="what redis had lost"):
                found.update({name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?=\s|$)", line)})
        return found

    def kill(self):
        for worker in [*self.workers, *self.others]:
            worker._stop.set()
        for daemon in self.daemons:
            if daemon.is_running():
                daemon.resume()
                daemon.kill9()
        self.group.kill()


def judge(world):
    """(ok, line) of each thing."""
    account, found = world.account, world.found()
    with world.group.client() as client:
        totals = {name: int(value) for name, value in client.hgetall("mt5stated:totals").items()}
    received, duplicate = totals.get("received:buy", 0), totals.get("duplicate:buy", 0)
    ended = {end: totals.get(f"{end}:buy", 0) for end in ENDS}
    answered = Counter(account.results[name] for name in account.ended)
    sent = Counter(account.results.values())
    unread = len(account.written) - received
    yield not account.faults, (f"no executor that asked was given a signal which had ended: {sum(account.taken.values())} taken, "
                               f"{sum(count > 1 for count in account.taken.values())} of them again, {world.onlooker.looks} looks")
    for fault in account.faults[:20]:
        yield False, "    " + fault
    yield received == sum(ended.values()), f"account: received {received} = {' + '.join(f'{end} {ended[end]}' for end in ENDS)}"
    may_be_gone = sum(begin <= at <= end for at in account.written.values() for begin, end in world.windows)
    yield -account.unknown <= unread <= may_be_gone, (
        f"written {len(account.written)}, {account.unknown} without an answer: {unread} that nobody had read went with a master, of "
        f"{may_be_gone} written meanwhile")
    yield ended["lost"] <= found["signals_gone"], f"lost {ended['lost']}, of {found['signals_gone']} that were found to be gone"
    yield duplicate == 0, f"nothing was taken twice: {duplicate} duplicates"
    yield (answered["executed"] <= ended["processed"] <= sent["executed"]
           and answered["failed"] <= ended["failed"] <= sent["failed"]), (
        f"what was seen to end stays ended: {answered['executed']} ≤ {ended['processed']} ≤ {sent['executed']} processed, "
        f"{answered['failed']} ≤ {ended['failed']} ≤ {sent['failed']} failed")
    yield None, "found: " + " ".join(f"{name}={count}" for name, count in sorted(found.items()) if name != "ms")


def run(world, names, seconds, interval_s, say):
    """Each of the faults NAMES in an order of the seed's, again and again, and at least once. Yields the verdict."""
    began_s, count, order = time.monotonic(), 0, []
    world.start()
    while count < len(names) or time.monotonic() - began_s < seconds:
        order = order or world.rng.sample(names, len(names))
        name, at_s = order.pop(), time.monotonic() - began_s
        what = FAULTS[name](world)
        settled_s = world.heal()
        if name.startswith("master"):
            world.windows.append((began_s + at_s, time.monotonic()))
        say(f"{at_s:7.1f} s  {name:26} {what:26} in order after {settled_s:5.2f} s; "
            f"{len(world.account.written)} written, {len(world.account.ended)} ended")
        assert not world.account.faults, "\n".join(world.account.faults[:20])
        count += 1
        let_pass(max(0.2, min(interval_s, began_s + at_s + interval_s - time.monotonic())))
    world.stop_work()
    yield from judge(world)


def main():
    import argparse
    import pathlib
    import shutil
    import sys
    import tempfile
    import traceback

    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(prog="scripts/soak failovers")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--interval-s", type=float, default=6)
    parser.add_argument("--only", help="faults whose name contains this")
    parser.add_argument("--ungated", action="store_true", help="executors do not ask: for seeing what that is good for")
    parser.add_argument("--logs", type=pathlib.Path, required=True, help="where the logs of a run that fails are kept")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mt5-soak-"))
    names = [name for name in FAULTS if (arguments.only or "") in name]
    world, is_good = None, False
    try:
        world = World(arguments.seed, folder, is_gated=not arguments.ungated)
        lines = list(run(world, names, arguments.minutes * 60, arguments.interval_s, print))
        for ok, line in lines:
            print(f"{ {True: 'ok', False: 'WRONG', None: ''}[ok]:6} {line}")
        is_good = all(ok is not False for ok, _ in lines)
    except Exception:
        traceback.print_exc(file=sys.stdout)
    finally:
        if world:
            world.kill()
        if not is_good:
            arguments.logs.mkdir(parents=True, exist_ok=True)
            for log in folder.glob("**/*.log"):
                shutil.copy(log, arguments.logs / f"{log.parent.name}-{log.name}")
            print(f"the logs are in {arguments.logs}")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"failovers: {'passed' if is_good else 'FAILED'}, seed {arguments.seed}")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
