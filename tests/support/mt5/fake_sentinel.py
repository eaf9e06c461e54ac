"""A Sentinel that says what a test wants, and remembers what it was asked."""

import contextlib
import socketserver
import threading
import time

from mt5.sentinels import MASTER_NAME


class FakeSentinel:
    """`names` is the (host, port) of the master, or None for one that it does not know; `epoch` that of its
    configuration. `answers` maps a command's first words, upper case, to bytes that are sent in place of what it
    would say: {"SENTINEL": b"-NOPERM no\\r\\n"}; {"": b"..."} for any."""

    def __init__(self, names=None, epoch=1, answers=None, port=0):
        self.names, self.epoch, self.answers = names, epoch, answers or {}
        self.others = []            # (host, port) of Sentinels that it tells of
        self.flags = "master"
        self.connected, self.asked = [], []     # monotonic times
        self._listeners = set()
        self._server = _Server(("127.0.0.1", port), _Connection)
        self._server.sentinel = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def where(self):
        return f"127.0.0.1:{self.port}"

    def publish(self, channel, text):
        for connection in list(self._listeners):
            with contextlib.suppress(OSError):
                connection.wfile.write(_list(["message", channel, text]))

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._server.close_all()

    def say(self, connection, words):
        """The answer to a command."""
        text = " ".join(words).upper()
        for begin, answer in self.answers.items():
            if text.startswith(begin):
                return answer
        if text.startswith("SENTINEL GET-MASTER-ADDR-BY-NAME"):
            self.asked.append(time.monotonic())
            return _list(self.names) if self.names else b"*-1\r\n"
        if text.startswith("SENTINEL MASTER "):
            return (_list(["name", MASTER_NAME, "flags", self.flags, "config-epoch", self.epoch])
                    if self.names else b"-ERR No such master with that name\r\n")
        if text.startswith("SENTINEL SENTINELS"):
            return b"*%d\r\n" % len(self.others) + b"".join(
                _list(["name", "x", "ip", host, "port", port]) for host, port in self.others)
        if text.startswith("SENTINEL MYID"):
            return _bulk(f"{self.port:040d}")
        if text.startswith("SUBSCRIBE"):
            self._listeners.add(connection)
            return b"".join(b"*3\r\n" + _bulk("subscribe") + _bulk(name) + b":%d\r\n" % (at + 1)
                            for at, name in enumerate(words[1:]))
        return b"+OK\r\n"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args):
        self._open = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self._open.add(request)
        self.sentinel.connected.append(time.monotonic())
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def close_all(self):
        for request in list(self._open):
            self.shutdown_request(request)


class _Connection(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, ValueError):
            while words := self._command():
                self.wfile.write(self.server.sentinel.say(self, words))

    def _command(self):
        head = self.rfile.readline()
        if not head:
            return None
        words = []
        for _ in range(int(head[1:])):
            length = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(length + 2)[:-2].decode())
        return words


def _bulk(word):
    data = str(word).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _list(words):
    return b"*%d\r\n" % len(words) + b"".join(map(_bulk, words))
