"""Clients of server-sent events: one that listens, and some that do not."""

import email.parser
import json
import socket

from mt5.wait import wait_until


class Message:
    """One message of a stream, its data as JSON."""

    def __init__(self, fields):
        self.id = fields.get("id")
        self.event = fields.get("event")
        self.data = json.loads(fields["data"]) if "data" in fields else None


def connect(listen, receive_bytes=None):
    client = socket.socket(socket.AF_UNIX if listen.startswith("unix:") else socket.AF_INET)
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    host, _, port = listen.rpartition(":")
    client.connect(port if host == "unix" else (host, int(port)))
    return client


def ask(client, path, headers=None):
    headers = {"Host": "localhost", "Accept": "text/event-stream", **(headers or {})}
    lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
    client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def connect_deaf(listen, path, headers=None, receive_bytes=None):
    """A client that has asked and never reads. Returns its socket."""
    client = connect(listen, receive_bytes)
    ask(client, path, headers)
    return client


class Stream:
    """A client that reads in its own time: whatever has come is taken when somebody looks at it."""

    def __init__(self, listen, path, headers=None):
        self._socket = connect(listen)
        self._socket.settimeout(20)
        ask(self._socket, path, headers)
        self._raw = b""
        while b"\r\n\r\n" not in self._raw:
            part = self._socket.recv(65536)
            assert part, f"the connection ended: {self._raw}"
            self._raw += part
        head, _, self._raw = self._raw.partition(b"\r\n\r\n")
        first, _, rest = head.decode("latin-1").partition("\r\n")
        self.status = int(first.split()[1])
        self.headers = email.parser.Parser().parsestr(rest, headersonly=True)
        self._socket.setblocking(False)
        self._decoded = b""
        self.has_ended = False
        if "Content-Length" in self.headers:
            wait_until(lambda: self._receive() or len(self._raw) == int(self.headers["Content-Length"]), "the body")
            self._decoded = self._raw
            self.has_ended = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def _receive(self):
        """Takes what there is; True where the connection has ended."""
        while True:
            try:
                part = self._socket.recv(1 << 20)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not part:
                return True
            self._raw += part

    def _decode(self):
        """Takes the whole chunks; True where the last one has come."""
        at = 0
        while (end := self._raw.find(b"\r\n", at)) >= 0:
            size = int(self._raw[at:end], 16)
            if len(self._raw) < end + 2 + size + 2:
                break
            self._decoded += self._raw[end + 2:end + 2 + size]
            at = end + 2 + size + 2
            if size == 0:
                return True
        self._raw = self._raw[at:]
        return False

    def take(self):
        """Reads what there is, and returns all that has come so far."""
        if not self.has_ended:
            cut = self._receive()
            self.has_ended = self._decode() or cut
        return self.text

    @property
    def text(self):
        return self._decoded.decode()

    def messages(self):
        """The messages that have come whole, comments left out."""
        found = []
        for block in self.take().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
            if "data" in fields:
                found.append(Message(fields))
        return found

    def wait(self, count):
        """Until that many messages have come."""
        return wait_until(lambda: (lambda found: found if len(found) >= count else None)(self.messages()),
                          f"{count} messages of {self.text[-300:]!r}")

    def wait_end(self):
        wait_until(lambda: self.take() is not None and self.has_ended, "the stream to end")
