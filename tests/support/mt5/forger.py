"""A man between a browser and the daemon who changes names, so that the page is told of ids that no daemon of ours lets
in, and who holds answers back, so that they come in the order that a test is about. All else passes as it is."""

import http.client
import http.server
import json
import threading
import urllib.parse

from mt5.ports import port_free


class Forger:
    """`names` maps ids of the daemon to what the page is told instead; what the page asks for is mapped back."""

    def __init__(self, listen, names=None):
        self.names = names = names or {}
        self._gates = {}
        self._bytes = [(old.encode(), json.dumps(new)[1:-1].encode()) for old, new in names.items()]
        self._behind = listen
        self.asked = []         # (method, path), as the daemon was
        self.held = []          # paths whose answers were, or are, held back
        forger = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                forger.pass_on(self)

            do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        self.listen = f"127.0.0.1:{port_free()}"
        host, _, port = self.listen.partition(":")
        self._server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def hold(self, which):
        """Answers to paths that hold this text wait from now on; so does what a stream of events says, for "stream"."""
        self._gates[which] = threading.Event()

    def release(self, which):
        self._gates.pop(which).set()

    def stop(self):
        for which in list(self._gates):
            self.release(which)
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, handler):
        path = self._map_back(handler.path)
        self.asked.append((handler.command, path))
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        kept = {name: value for name, value in handler.headers.items()
                if name.lower() not in ("host", "connection", "accept-encoding")}
        client = http.client.HTTPConnection(self._behind, timeout=60)
        try:
            client.request(handler.command, path, body=body or None, headers=kept)
            self._answer(handler, client.getresponse(), path)
        except (OSError, http.client.HTTPException):
            handler.close_connection = True
        finally:
            client.close()

    def _map_back(self, path):
        """The page must have encoded what it asks for so that it is one segment of a path, or one value."""
        path, mark, query = path.partition("?")
        known = {new: old for old, new in self.names.items()}
        segments = [known.get(urllib.parse.unquote(segment), segment) for segment in path.split("/")]
        values = [(name, known.get(value, value)) for name, value in urllib.parse.parse_qsl(query)]
        return "/".join(segments) + mark + urllib.parse.urlencode(values)

    def _wait(self, path):
        """Where something is held back."""
        for which, gate in list(self._gates.items()):
            if which in path:
                self.held.append(path)
                gate.wait()

    def _answer(self, handler, answer, path):
        is_stream = (answer.getheader("Content-Type") or "").startswith("text/event-stream")
        is_data = is_stream or "json" in (answer.getheader("Content-Type") or "")
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.close_connection = True
        handler.end_headers()
        # An event's line is never cut: the daemon's are short.
        while part := answer.readline() if is_stream else answer.read():
            self._wait("stream" if is_stream else path)
            handler.wfile.write(self._forge(part) if is_data else part)
            handler.wfile.flush()

    def _forge(self, text):
        for old, new in self._bytes:
            text = text.replace(old, new)
        return text
