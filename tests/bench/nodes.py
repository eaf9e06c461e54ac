"""How many entries of a stream Redis keeps in a node (stream-node-max-entries), and what that changes: XDEL walks through the
node, and a node stays until the last of its entries has gone."""

from drain import ORDERS, drain_order, drain_program, stock_of_order
from figure import Table, fastest, megabytes, number, rounded
from load import signals
from stage import Redis

DEFAULT = 100
NODES = (DEFAULT, 50, 32, 20, 16, 10)
IN_ORDER, SHUFFLED, UNANSWERED = "in order", "shuffled within 1,000", "one in a hundred never answered"
FLOOR = "floor"


def settings_of(entries):
    return ("--stream-node-max-entries", str(entries))


def run(bench, entries, way):
    settings = settings_of(entries)
    if way in ORDERS:
        return drain_order(bench, way, settings)
    return drain_program(bench, stock_of_order(bench, IN_ORDER, settings), bench.sizes.signals, [bench.floor], settings)


def memory(bench, entries):
    """Bytes in Redis of all signals, and when a hundredth of them is left."""
    with Redis(bench.folder, settings=settings_of(entries)) as server:
        def used():
            return server.client.info("memory")["used_memory"]
        empty = used()
        server.feed(signals(bench.sizes.most_open))
        whole = used()
        names = [name for name, _ in server.client.xrange("trade_signals")]
        for first in range(0, len(names), 100):
            server.client.xdel("trade_signals", *names[first:first + 50], *names[first + 51:first + 100])
        return whole - empty, used() - empty


def bench_nodes(bench):
    ways = (FLOOR, IN_ORDER, SHUFFLED, UNANSWERED)
    found = {(entries, way): [] for entries in NODES for way in ways}
    for _ in range(bench.rounds):
        for entries, way in found:
            found[entries, way].append(run(bench, entries, way))
    table = Table("nodes", f"Nodes of so many entries in Redis, {bench.sizes.signals:,} signals",
                  ("at most (`stream-node-max-entries`)", "in order, signals/s", "of the floor", "Redis µs",
                   "shuffled within 1,000, of the rate in order", "Redis µs", "one in a hundred never answered, of the rate in order",
                   "Redis µs", f"{bench.sizes.most_open:,} signals", "a hundredth of them left"))
    for entries in NODES:
        floor, *runs = (fastest(found[entries, way]) for way in ways)
        in_order = runs[0]
        cells = [rounded(in_order.rate), number(in_order.rate / floor.rate), number(in_order.redis_us)]
        for other in runs[1:]:
            cells += [f"{number(other.rate / in_order.rate)} ({rounded(other.rate)})", number(other.redis_us)]
        table.add(f"{entries}, Redis' default" if entries == DEFAULT else entries, *cells, *map(megabytes, memory(bench, entries)))
    table.notes.append(f"{bench.told_rounds()} A node holds 4,096 bytes at most besides, about 59 of these signals. The last two: "
                       "`used_memory` with the signals alone.")
    return table
