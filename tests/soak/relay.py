"""A wire between the daemon and Redis that can be cut and held. As a program it passes bytes on between two unix sockets;
SIGUSR1 closes every connection at once, wherever its bytes are, and one that is stopped holds both directions."""

import contextlib
import signal
import socket
import sys
import threading

from mt5.process import Process


class Relay:
    """Listens on `socket` in a folder, for what passes for the Redis at `target`."""

    def __init__(self, folder, target):
        self.socket = folder / "relay.sock"
        self._process = Process([sys.executable, "-m", "soak.relay", self.socket, target], folder / "relay.log",
                                env={"PYTHONPATH": ":".join(sys.path)})

    @property
    def url(self):
        return f"unix://{self.socket}?db=0"

    def cut(self):
        self._process.send(signal.SIGUSR1)

    def pause(self):
        self._process.pause()

    def resume(self):
        self._process.resume()

    def is_listening(self):
        return self.socket.exists()

    def stop(self):
        self._process.kill()


def pass_on(source, sink):
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            sink.sendall(part)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(listen, target):
    pairs = set()

    def cut(*_):
        for pair in list(pairs):
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def carry(near, far):
        back = threading.Thread(target=pass_on, args=(far, near), daemon=True)
        back.start()
        pass_on(near, far)
        back.join()
        pairs.discard((near, far))
        near.close()
        far.close()

    signal.signal(signal.SIGUSR1, cut)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(listen)
        server.listen(64)
        while True:
            near, _ = server.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(target)
            except OSError:     # Redis is not there
                near.close()
                far.close()
                continue
            pairs.add((near, far))
            threading.Thread(target=carry, args=(near, far), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
