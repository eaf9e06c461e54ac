"""The life cycle of signals as an executor's supervisor would write it with python3-redis (its parser is hiredis').

python_peer.py SOCKET COUNT: ends when COUNT signals have ended. Per read one pipeline without a transaction: acknowledges,
removes, counts, trims."""

import collections
import sys

import redis

GROUP, BATCH, KEPT = "peer", 1000, 10000


def main():
    client, wanted = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True), int(sys.argv[2])
    for stream in ("trade_signals", "trade_results"):
        client.xgroup_create(stream, GROUP, "0", mkstream=True)
    open_signals, ended, kept = {}, 0, collections.deque(maxlen=KEPT)
    while ended < wanted:
        found = dict(client.xreadgroup(GROUP, "peer-1", {"trade_signals": ">", "trade_results": ">"}, count=BATCH, block=1000))
        totals, done, results = collections.Counter(), [], []
        for entry, fields in found.get("trade_signals", ()):
            open_signals[fields["signal_id"]] = (entry, fields["action"])
            totals["received:" + fields["action"]] += 1
        for entry, fields in found.get("trade_results", ()):
            results.append(entry)
            totals["result:" + fields["status"]] += 1
            signal = open_signals.pop(fields["signal_id"], None)
            if signal:
                done.append(signal[0])
                totals["processed:" + signal[1]] += 1
        with client.pipeline(transaction=False) as pipe:
            if done:
                pipe.xack("trade_signals", GROUP, *done)
                pipe.xdel("trade_signals", *done)
            for name, count in totals.items():
                pipe.hincrby("mt5stated:totals", name, count)
            if results:
                pipe.xack("trade_results", GROUP, *results)
                kept.extend(results)
                pipe.xtrim("trade_results", minid=kept[0], approximate=False)    # by length, unread ones would go too
            pipe.execute()
        ended += len(done)


if __name__ == "__main__":
    main()
