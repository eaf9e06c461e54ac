"""A receiver of webhooks whose behaviour is scripted: what Alertmanager does, and what it should not do."""

import http.server
import json
import threading
import urllib.parse


def answer(status, body="", headers=None):
    """Answers with that status; 2xx is what counts as taken."""
    def behave(request):
        request.reply(status, body, headers or {})
    return behave


def hang(request):
    """Says nothing, until the receiver is released or stopped or the client has left."""
    request.wait_for_release()


def close(request):
    """Closes the connection without an answer."""
    request.close()


def refuse_label(name, value):
    """As Alertmanager does: 400 for an array in which one alert has that label value, else 200."""
    def behave(request):
        bad = any(alert.get("labels", {}).get(name) == value for alert in request.json)
        request.reply(400 if bad else 200, "no such label\n" if bad else "", {})
    return behave


class Request:
    """What came: path, headers, body, json (None where it is none). taken: it was answered with 2xx."""

    def __init__(self, handler, receiver):
        self.method = handler.command
        self.path = handler.path
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.taken = False
        try:
            self.json = json.loads(self.body)
        except ValueError:
            self.json = None
        self._handler = handler
        self._receiver = receiver

    def reply(self, status, body, headers):
        data = body.encode()
        self.taken = 200 <= status < 300
        self._handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def wait_for_release(self):
        self._receiver.released.wait()
        self.close()

    def close(self):
        self._handler.close_connection = True


class Receiver:
    """Listens on a free port of 127.0.0.1 from the beginning. What it does to each request is `behaviour`, one
    of the functions above (a test may change it at any time), or what script() has lined up."""

    def __init__(self, behaviour=answer(200)):
        self.behaviour = behaviour
        self.released = threading.Event()
        self._script = []
        self._requests = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._handle(self)

            do_GET = do_PUT = do_POST

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda request, address: None  # clients may leave at any time
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_port

    def url(self, path="/api/v2/alerts", user=None, password=""):
        """Where to POST to; with credentials where a user is given."""
        quote = urllib.parse.quote
        login = f"{quote(user, '')}:{quote(password, '')}@" if user else ""
        return f"http://{login}127.0.0.1:{self.port}{path}"

    def script(self, *behaviours):
        """These for the next requests, one each; `behaviour` again for those after."""
        with self._lock:
            self._script.extend(behaviours)

    def requests(self):
        """All that came, whatever was done to them, in their order."""
        with self._lock:
            return list(self._requests)

    def taken(self):
        """The JSON of those that were answered with 2xx."""
        return [request.json for request in self.requests() if request.taken]

    def alerts(self):
        """The alerts of all arrays that were taken, one behind the other."""
        return [alert for array in self.taken() for alert in array]

    def release(self):
        """Closes the connections of requests that hang, and of those that would."""
        self.released.set()

    def stop(self):
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, handler):
        request = Request(handler, self)
        with self._lock:
            self._requests.append(request)
            behave = self._script.pop(0) if self._script else self.behaviour
        behave(request)
