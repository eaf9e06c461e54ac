"""A wire between the daemon and Redis that knows the daemon's script calls, or others: it counts them, and says when one comes."""

import contextlib
import re
import socket
import threading

CALL = rb"\r\n(?:EVALSHA|EVAL)\r\n"
LONGEST_CALL = 100


class Wire:
    """Listens on `socket` in a folder. At the call that plan() names, whatever it is told to do is done: before Redis
    has seen the call, or when it has executed it and nobody knows yet. The connection then ends, unless it goes on."""

    def __init__(self, folder, target, call=CALL):
        """`call` is how those begin that count, of up to LONGEST_CALL bytes."""
        self._call = re.compile(call)
        self.socket = folder / "wire.sock"
        self._target = target
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        self.plan()

    @property
    def url(self):
        return f"unix://{self.socket}?db=0"

    def plan(self, number=0, is_executed=False, act=None, goes_on=False):
        """From now on calls are counted anew; at the one of that number `act` is called. 0: at none. goes_on: the call
        reaches Redis behind it, as if nothing had been."""
        with self._lock:
            self.calls = 0
            self._number, self._is_executed, self._act, self._goes_on = number, is_executed, act, goes_on

    def stop(self):
        # A thread that waits for a connection wakes up by this alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._target))
                ends = _Ends(near, far)
                threading.Thread(target=self._forth, args=(ends,), daemon=True).start()
                threading.Thread(target=self._back, args=(ends,), daemon=True).start()

    def _forth(self, ends):
        seen = b""
        with contextlib.suppress(OSError), ends:
            while part := ends.near.recv(1 << 16):
                # Of a call whose name came in two parts the rest is in the second.
                seen = seen[-(LONGEST_CALL - 1):]
                count = len(self._call.findall(seen + part)) - len(self._call.findall(seen))
                seen += part
                if self._is_reached(count):
                    if not self._is_executed:
                        self._act()
                        if not self._goes_on:
                            return
                    ends.is_awaited = self._is_executed
                ends.far.sendall(part)

    def _back(self, ends):
        with contextlib.suppress(OSError), ends:
            while part := ends.far.recv(1 << 16):
                if ends.is_awaited:
                    self._act()
                    return
                ends.near.sendall(part)

    def _is_reached(self, count):
        with self._lock:
            before, self.calls = self.calls, self.calls + count
            return before < self._number <= self.calls


class Dam(Wire):
    """A wire on which, from the first call on, all that Redis answers on the same connection is held back in `held`
    until let_go()."""

    def __init__(self, folder, target, call):
        super().__init__(folder, target, call)
        self.held = b""
        self._is_open = False
        self.plan(1, is_executed=True)

    def let_go(self):
        with self._lock:
            self._is_open = True
            self._near.sendall(self.held)

    def _back(self, ends):
        with contextlib.suppress(OSError), ends:
            while part := ends.far.recv(1 << 16):
                with self._lock:
                    if ends.is_awaited and not self._is_open:
                        self.held += part
                        self._near = ends.near
                    else:
                        ends.near.sendall(part)


class Gate(Wire):
    """A wire on which the next call waits in front of Redis from close() on until let_go(), and all that is behind it on the
    same connection; `answer` is what Redis then says first."""

    def __init__(self, folder, target, call):
        super().__init__(folder, target, call)
        self.is_held, self._is_open = threading.Event(), threading.Event()
        self.answer = b""

    def close(self):
        self.plan(1)

    def let_go(self):
        self._is_open.set()

    def _forth(self, ends):
        with contextlib.suppress(OSError), ends:
            while part := ends.near.recv(1 << 16):
                if self._is_reached(len(self._call.findall(part))):
                    self.is_held.set()
                    self._is_open.wait()
                    ends.is_awaited = True
                ends.far.sendall(part)

    def _back(self, ends):
        with contextlib.suppress(OSError), ends:
            while part := ends.far.recv(1 << 16):
                if ends.is_awaited and not self.answer:
                    self.answer = part
                ends.near.sendall(part)


class _Ends:
    """Both sockets of a connection. Left by either direction, both are done with."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        self.is_awaited = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
