"""HTTP to the daemon, over TCP or a unix socket."""

import http.client
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Response:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")


def request(listen, path, method="GET", headers=None, body=None, timeout=10):
    """One request to an address written as http.listen is: host:port or unix:/path."""
    if listen.startswith("unix:"):
        connection = UnixConnection(listen[len("unix:"):], timeout)
    else:
        connection = http.client.HTTPConnection(listen, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Response(connection.getresponse())
    finally:
        connection.close()
