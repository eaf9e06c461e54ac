"""A Redis for each layer: servers of a test's own, and who writes to which."""

from mt5.bus import Bus
from mt5.invariants import EVENTS, REPORTS, RESULTS, SIGNALS, TRADES
from mt5.redis_server import RedisServer
from mt5.wait import wait_until

LAYERS = ("ris", "rts", "rtss", "rtrs")
STREAM_OF = {"ris": REPORTS, "rts": TRADES, "rtss": SIGNALS, "rtrs": RESULTS}
ENDS = ("processed", "failed", "dropped", "lost")


class Layers:
    """GROUPS says which layers share a server: ("ris rts", "rtss rtrs"). The first server is HOME, which is
    there already and has the instances; the others have USERS (ACL lines) as well."""

    def __init__(self, folder, home, groups, users=()):
        self.servers, self._clients, self._bus = {}, [], {}
        for group in groups:
            first = group == groups[0]
            path = folder / group.replace(" ", "-")
            if not first:
                path.mkdir()
            server = home if first else RedisServer(path, aof=True, users=users)
            client = server.client()
            self._clients.append(client)
            for layer in group.split():
                self.servers[layer] = server
                self._bus[layer] = Bus(client)
        self._made = {id(server): server for server in self.servers.values() if server is not home}.values()

    def __getattr__(self, layer):
        """The bus of a layer."""
        if layer in LAYERS:
            return self._bus[layer]
        raise AttributeError(layer)

    @property
    def config(self):
        return {f"redis.layers.{layer}.url": server.url for layer, server in self.servers.items()}

    def logs(self):
        return [(f"redis-server {layer}", server.log) for layer, server in self.servers.items()]

    def stop(self):
        for client in self._clients:
            client.close()
        for server in self._made:
            server.stop() if server.is_running() else server.kill9()

    def settle(self, *layers):
        """Everything in the streams of these has been handled, and every result both counted and applied."""
        for layer in layers or LAYERS:
            self._bus[layer].settle(STREAM_OF[layer])
        if not layers:
            wait_until(self.is_applied, "the results to be applied to the signals")

    def is_applied(self):
        return self.rtss.client.hget("mt5stated:meta", "pos:results") == self.rtrs.last_id(RESULTS)

    def totals(self):
        """What signals and results amount to, each as its own server has it."""
        signals = {name: value for name, value in self.rtss.totals().items() if not name.startswith("result:")}
        return {**signals, **{name: value for name, value in self.rtrs.totals().items()
                              if name.startswith("result:")}}

    def assert_balance(self, action="buy"):
        """Invariant 3, on the server of the signals."""
        totals = self.rtss.totals()
        ended = sum(totals.get(f"{end}:{action}", 0) for end in ENDS)
        open_ids = {entry["signal_id"] for entry in self.rtss.entries(SIGNALS)}
        assert totals.get(f"received:{action}", 0) == ended + len(open_ids), (totals, open_ids)

    def events(self, **fields):
        return self.ris.events(**fields)


__all__ = ["EVENTS", "LAYERS", "Layers", "STREAM_OF"]
