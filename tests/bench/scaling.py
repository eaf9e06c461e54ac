"""How far one Redis goes, and how many of them it takes: `scripts/bench scaling`.

Prints the costs that were measured, what they come to for one core, and a simulated estimate for a whole fleet on 1 to N
partitions. --measure measures the costs again, --validate runs the real daemon on a real Redis and holds the model against
it. What it means: docs/SCALING.md."""

import argparse
import pathlib
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, replace

from options import fraction, from_zero, parse, positive, whole
from scaling_costs import ROWS, Costs
from scaling_model import Load, simulate

# Of the rate that a partition can take: the rest is for catching up after an outage and for a rewrite of the AOF. The CPU that is
# used says less: small batches cost more for each signal, and shrink the more there is to do.
TARGET = 0.6
DEDUP_S = 300         # signals.dedup_ms, and how long a claim is kept
KEPT = 10000          # results.max_len, streams.reports_max_len, streams.trades_max_len
SERIES_OF_INSTANCE = 25
RATES = (20000, 50000, 100000)


@dataclass(frozen=True)
class Kind:
    """How executors work; a call of several commands is a pipeline."""
    name: str
    take: int                 # signals in a call that reads, which are answered together
    calls: int                # calls with which one lot is answered, beyond those for each signal
    calls_each: float = 0.0   # calls for each signal
    claims: bool = False
    trades: bool = False
    producer_chunk: int = 100


KINDS = (
    Kind("in pipelines of 100", take=100, calls=1),
    Kind("the same, each signal claimed", take=100, calls=2, claims=True),
    # docs/examples/executor.py: TIME, SET, TIME, XADD, XADD and XACK, each by itself.
    Kind("one command a call, with claim and trade", take=100, calls=0, calls_each=6, claims=True, trades=True, producer_chunk=1),
)


def parts(c, kind):
    """µs of Redis for a signal in large batches, by what it is for."""
    call = c.call_us + c.loop_us
    take = call + c.xreadgroup_call_us
    rows = {
        "producer: XADD": c.xadd_signal_us + call / kind.producer_chunk,
        "executor: XREADGROUP": c.xreadgroup_us + take / kind.take,
        "executor: XADD of the result, XACK": (c.xadd_result_us + c.xack_us + call * (kind.calls_each + kind.calls / kind.take)),
        "executor: claim": c.claim_us if kind.claims else 0.0,
        "executor: trade update, and the daemon for it": c.xadd_trade_us + c.trade_us if kind.trades else 0.0,
        "daemon: XREAD": 2 * c.xread_us + (call + c.xread_call_us) / 1000,
        "daemon: batch": c.commit_shuffled_us + (call + c.commit_us) / 1000,
    }
    return {name: us for name, us in rows.items() if us}


def aof_bytes(c, kind):
    return (c.aof_signal_bytes + c.aof_taken_bytes + c.aof_acked_bytes + c.aof_result_bytes + c.aof_signal_daemon_bytes
            + (c.aof_claim_bytes if kind.claims else 0) + (c.aof_trade_bytes + c.aof_trade_daemon_bytes if kind.trades else 0))


def report_parts(c):
    return {"agent: XADD": c.xadd_report_us + c.call_us + c.loop_us, "daemon: XREAD": c.xread_us, "daemon: batch": c.commit_report_us}


def layers(c, kind, reports_per_s, signals_per_s, changes):
    """Seconds of a core a second in the Redis of each layer, were each on one of its own. A call that wrote to two layers becomes
    two, and so does a batch."""
    call = c.call_us + c.loop_us
    own = (call + c.xread_call_us + call + c.commit_us) / 1000    # of reading and storing, in batches of 1,000
    single = kind.calls_each > 0
    signals = (c.xadd_signal_us + call / kind.producer_chunk + c.xreadgroup_us + (call + c.xreadgroup_call_us) / kind.take + c.xack_us
               + (c.claim_us if kind.claims else 0) + (4 * call if single else kind.calls * call / kind.take)
               + c.xread_us + c.commit_shuffled_us + own)
    results = c.xadd_result_us + (call if single else call / kind.take) + c.xread_us + own
    trades = c.xadd_trade_us + (call if single else call / kind.take) + c.trade_us if kind.trades else 0.0
    report = sum(report_parts(c).values()) + changes * c.commit_change_us
    return {"RIS, instances": report * reports_per_s / 1e6, "RTS, trades": trades * signals_per_s / 1e6,
            "RTSS, signals": signals * signals_per_s / 1e6, "RTRS, results": results * signals_per_s / 1e6}


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def show_parts(c):
    print("\n## A signal with its result: µs of Redis\n")
    names = list(parts(c, KINDS[2]))
    found = [parts(c, kind) for kind in KINDS]
    rows = [[name, *(f"{one.get(name, 0):.1f}" if name in one else "" for one in found)] for name in names]
    rows.append(["**together**", *(f"**{sum(one.values()):.1f}**" for one in found)])
    rows.append(["signals/s at the end of a core", *(f"{1e6 / sum(one.values()):,.0f}" for one in found)])
    rows.append([f"signals/s at {TARGET:.0%} of that", *(f"{TARGET * 1e6 / sum(one.values()):,.0f}" for one in found)])
    rows.append(["bytes of AOF", *(f"{aof_bytes(c, kind):.0f}" for kind in KINDS)])
    table(["executors work", *(kind.name for kind in KINDS)], rows)
    one = report_parts(c)
    print(f"\nA report, each in a call of its own: {sum(one.values()):.1f} µs of Redis ("
          + ", ".join(f"{name} {us:.1f}" for name, us in one.items())
          + f"), {c.aof_report_bytes + c.aof_report_daemon_bytes:.0f} bytes of AOF; a change of state {c.commit_change_us:.0f} µs and"
          f" {c.aof_change_bytes:.0f} bytes more")


def show_layers(c, args):
    reports_per_s = args.instances / args.report_every_s
    print(f"\n## One Redis for each layer: cores for {args.instances:,} instances and {args.signals_per_s:,} signals/s\n")
    found = [layers(c, kind, reports_per_s, args.signals_per_s, args.changes) for kind in KINDS]
    rows = [[name, *(f"{one[name]:.1f} ({one[name] / sum(one.values()):.0%})" for one in found)] for name in found[0]]
    rows.append(["further than with one Redis by", *(f"{sum(one.values()) / max(one.values()):.2f}" for one in found)])
    table(["layer, executors", *(kind.name for kind in KINDS)], rows)


def fullest(instances, partitions, seed):
    """The share of all instances that the fullest partition has, where ids are spread by a hash."""
    rng = random.Random(seed)
    counts = Counter(rng.randrange(partitions) for _ in range(instances))
    return max(counts.values()) / instances


def load_of(kind, signals_per_s, reports_per_s, args, instances):
    return Load(signals_per_s, producer_chunk=kind.producer_chunk, executors=args.executors, take=kind.take, is_waiting=False,
                think_call_us=args.execution_ms * 1000, answer_calls=max(1, kind.calls), calls_each=kind.calls_each,
                claims=kind.claims, trades=kind.trades, reports_per_s=reports_per_s, changes=args.changes, is_shuffled=True,
                scrape_series=round(instances * SERIES_OF_INSTANCE))


def memory_bytes(c, kind, signals_per_s, instances, args):
    open_signals = signals_per_s * args.execution_ms / 1000
    return (signals_per_s * DEDUP_S * c.memory_journal_bytes + open_signals * (c.memory_signal_bytes + c.memory_taken_bytes)
            + (signals_per_s * DEDUP_S * c.memory_claim_bytes if kind.claims else 0)
            + instances * c.memory_instance_bytes + KEPT * (c.memory_result_bytes + c.memory_report_bytes)
            + (KEPT * c.memory_trade_bytes if kind.trades else 0))


def estimate(c, kind, partitions, args):
    share = fullest(args.instances, partitions, args.seed)
    found = {}
    for name, part in (("mean", 1 / partitions), ("fullest", share)):
        instances = args.instances * part
        found[name] = simulate(c, load_of(kind, args.signals_per_s * part, instances / args.report_every_s, args, instances),
                               args.seconds, args.seed)
    signals_per_s, instances = args.signals_per_s * share, args.instances * share
    aof = (signals_per_s * aof_bytes(c, kind)
           + instances / args.report_every_s * (c.aof_report_bytes + c.aof_report_daemon_bytes + args.changes * c.aof_change_bytes))
    return {**found, "rate": signals_per_s, "aof": aof, "memory": memory_bytes(c, kind, signals_per_s, instances, args)}


def limit(c, kind, args):
    """Signals a second that one partition can just take, with the reports that go with them."""
    low, high = 0.0, 2e6 / sum(parts(c, kind).values())
    while high - low > 0.01 * high:
        rate = (low + high) / 2
        instances = args.instances * rate / args.signals_per_s
        one = simulate(c, load_of(kind, rate, instances / args.report_every_s, args, instances), args.seconds, args.seed)
        low, high = (rate, high) if one.is_stable else (low, rate)
    return low


def estimate_row(partitions, one, most):
    mean, full = one["mean"], one["fullest"]
    row = [str(partitions), f"{one['rate']:,.0f}", f"{one['rate'] / most:.0%}"]
    if not full.is_stable:
        return [*row, "all", "", "grows", "", ""]
    return [*row, f"{mean.redis:.0%}, {full.redis:.0%}", f"{full.daemon:.0%}", f"{full.p50_us / 1000:.1f}, {full.p99_us / 1000:.1f}",
            f"{one['aof'] / 1e6:.0f}", f"{one['memory'] / 1e9:.1f}"]


def show_estimate(c, args):
    head = ["partitions", "signals/s of the fullest", "of its limit", "core of Redis: mean, fullest", "of the daemon",
            "result → gone, ms: p50, p99", "AOF, MB/s", "Redis, GB"]
    for kind in KINDS:
        most = limit(c, kind, args)
        print(f"\n## {args.instances:,} instances, {args.signals_per_s:,} signals/s, executors {kind.name}\n")
        print(f"One partition takes {most:,.0f} signals/s.\n")
        rows, needed = [], None
        for partitions in args.partitions:
            if partitions > 1 and args.signals_per_s / partitions > 1.5 * most:
                continue
            one = estimate(c, kind, partitions, args)
            rows.append(estimate_row(partitions, one, most))
            if one["fullest"].is_stable and one["rate"] <= TARGET * most:
                needed = partitions
                break
        table(head, rows)
        print(f"\nWith at most {TARGET:.0%} of its limit in the fullest: {needed or 'more'}.")


def show_measured(args):
    from scaling_measure import measure
    found = measure(args.aof)
    print()
    table(["what", "name", "in the table", "now"],
          [[text, name, f"{value:g}", f"{found[name]:.2f}" if name in found else ""] for name, value, text in ROWS])


def show_validated(c, args):
    from scaling_live import LOT, TAKEN, at_full_speed, live
    with tempfile.TemporaryDirectory(prefix="mt5stated-scaling-") as folder:
        real = at_full_speed(pathlib.Path(folder), args.aof)
    call = c.call_us + c.loop_us
    redis = (c.xadd_signal_us + c.xreadgroup_us + c.xadd_result_us + c.xack_us + 2 * c.xread_us + c.commit_signal_us
             + (3 * call + c.xreadgroup_call_us) / LOT + real["reads"] * (call + c.xread_call_us) + real["batches"] * (call + c.commit_us))
    daemon = c.daemon_signal_us + real["reads"] * c.daemon_read_us + real["batches"] * c.daemon_batch_us
    print(f"At full speed, in lots of {LOT}, {1 / real['batches']:.0f} in a batch: Redis {real['redis'] * 1e6:.1f} µs a signal, by the costs"
          f" {redis:.1f}; daemon {real['daemon'] * 1e6:.2f}, by the costs {daemon:.2f}", flush=True)
    rows = []
    for rate in args.rates:
        runs = []
        for _ in range(args.tries):
            with tempfile.TemporaryDirectory(prefix="mt5stated-scaling-") as folder:
                runs.append(live(args.feed, pathlib.Path(folder), rate, args.seconds_live, aof=args.aof))
        # The one that the rest of the machine has disturbed least.
        real = min(runs, key=lambda run: run.redis_wait_us + run.daemon_wait_us)
        load = Load(rate, take=TAKEN, think_call_us=real.think_call_us, think_entry_us=real.think_entry_us,
                    reports_per_s=1000, redis_wait_us=real.redis_wait_us, daemon_wait_us=real.daemon_wait_us,
                    client_wait_us=real.client_wait_us, is_watched=True)
        model = simulate(c, load, args.seconds, args.seed)
        alone = simulate(c, replace(load, redis_wait_us=0.0, daemon_wait_us=0.0, client_wait_us=0.0), args.seconds, args.seed)
        print(f"{real}\n{model}", flush=True)
        rows.append([f"{rate:,}", f"{real.ended_per_s:,.0f} / {model.ended_per_s:,.0f}", f"{real.redis:.0%} / {model.redis:.0%}",
                     f"{real.daemon:.0%} / {model.daemon:.0%}", f"{real.batches_per_s:,.0f} / {model.batches_per_s:,.0f}",
                     f"{real.p50_us / 1000:.2f} / {model.p50_us / 1000:.2f} / {alone.p50_us / 1000:.2f}",
                     f"{real.p99_us / 1000:.2f} / {model.p99_us / 1000:.2f} / {alone.p99_us / 1000:.2f}",
                     f"{real.aof_bytes_per_s / 1e6:.1f}", f"{real.redis_wait_us:.0f}, {real.daemon_wait_us:.0f}"])
    print()
    table(["signals/s", "ended/s: measured / model", "Redis", "daemon", "batches/s", "p50 ms: measured / model / model on cores of its own",
           "p99 ms", "AOF MB/s", "waits for a core µs: Redis, daemon"], rows)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = parser.add_mutually_exclusive_group()
    real.add_argument("--measure", action="store_true", help="measure the costs, show them beside those of the table")
    real.add_argument("--validate", action="store_true", help="the real daemon at each of --rates, and the model")
    parser.add_argument("--feed", default="build/release/tests/bench/bench_feed", help="the program that makes the load of --validate")
    parser.add_argument("--rates", type=whole, nargs="*", default=RATES)
    parser.add_argument("--seconds-live", type=positive, default=6, help="of each rate")
    parser.add_argument("--tries", type=whole, default=1, help="of each rate; the one that had to wait least for a core counts")
    parser.add_argument("--no-aof", dest="aof", action="store_false", help="measure and validate without an append-only file")
    parser.add_argument("--instances", type=whole, default=10000)
    parser.add_argument("--signals-per-s", type=whole, default=1000000)
    parser.add_argument("--report-every-s", type=positive, default=1.0)
    parser.add_argument("--changes", type=fraction, default=0.01, help="share of the reports that change a state")
    parser.add_argument("--execution-ms", type=from_zero, default=20.0, help="from reading a signal to its result")
    parser.add_argument("--executors", type=whole, default=16, help="that read from one partition")
    parser.add_argument("--partitions", type=whole, nargs="+", default=(1, 2, 4, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256))
    parser.add_argument("--seconds", type=positive, default=1.5, help="simulated")
    parser.add_argument("--seed", type=int, default=1)
    args = parse(parser)
    if args.measure:
        show_measured(args)
    elif args.validate:
        show_validated(Costs(), args)
    else:
        show_parts(Costs())
        show_layers(Costs(), args)
        show_estimate(Costs(), args)


if __name__ == "__main__":
    main()
