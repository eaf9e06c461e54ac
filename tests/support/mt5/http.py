"""HTTP to the daemon, over TCP or a unix socket."""

import http.client
import re
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


def request(listen, path, method="GET", headers=None, body=None, timeout=10, source=None):
    """One request to an address written as http.listen is: host:port or unix:/path; from the address SOURCE."""
    if listen.startswith("unix:"):
        connection = UnixConnection(listen[len("unix:"):], timeout)
    else:
        connection = http.client.HTTPConnection(listen, timeout=timeout, source_address=source and (source, 0))
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Response(connection.getresponse())
    finally:
        connection.close()


class RawAnswer:
    """An answer taken apart by its bytes, strictly: what is no well-formed answer is an AssertionError."""

    def __init__(self, head, rest, is_head):
        first, *lines = head.split(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) [\x20-\x7e]+", first)
        assert match, first
        self.status = int(match[1])
        self.headers = {}
        for line in lines:
            match = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e]*)", line)
            assert match, line
            name = match[1].decode().lower()
            assert name not in self.headers, f"{name} is there twice"
            self.headers[name] = match[2].decode()
        self.is_stream = self.headers.get("transfer-encoding") == "chunked"
        length = 0 if is_head or self.status in (204, 304) else int(self.headers.get("content-length", 0))
        self.body, self.rest = (b"", rest) if self.is_stream else (rest[:length], rest[length:])
        self.is_whole = self.is_stream or len(self.body) == length

    @property
    def text(self):
        return self.body.decode("utf-8")


def raw_exchange(listen, data, is_head=False, timeout=20, patience=None):
    """Sends bytes as they are and reads the first final answer to them; None where the daemon closes without one. Where
    the answer says that the connection closes, nothing else may follow it. With patience, in seconds, the daemon is told
    that nothing more comes when it has not answered by then: it need not wait for the end of what has none."""
    with connect(listen, patience or timeout) as client:
        try:
            client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass    # refused before all was sent
        whole, ended, answer = b"", False, None
        while not ended:
            try:
                part = client.recv(1 << 16)
            except TimeoutError:
                if client.gettimeout() == timeout:
                    raise
                client.settimeout(timeout)
                client.shutdown(socket.SHUT_WR)
                continue
            ended = not part
            whole += part
            while whole.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
                whole = whole.partition(b"\r\n\r\n")[2]
            head, end, rest = whole.partition(b"\r\n\r\n")
            if not end:
                continue
            answer = RawAnswer(head, rest, is_head)
            if answer.is_stream or (answer.is_whole and answer.headers.get("connection") != "close"):
                return answer
        assert whole == b"" or answer, whole
        assert answer is None or (answer.is_whole and answer.rest == b""), whole
        return answer


def connect(listen, timeout):
    client = socket.socket(socket.AF_UNIX if listen.startswith("unix:") else socket.AF_INET)
    client.settimeout(timeout)
    host, _, port = listen.rpartition(":")
    client.connect(port if host == "unix" else (host, int(port)))
    return client
