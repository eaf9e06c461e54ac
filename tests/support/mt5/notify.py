"""The service manager's end of $NOTIFY_SOCKET: what a daemon says of itself, kept in order."""

import os
import socket


class NotifySocket:
    """Bound in the folder, or in the abstract namespace. `env` is what the daemon has to be started with."""

    def __init__(self, folder, abstract=False, watchdog_ms=0):
        self.address = f"@mt5-test-{os.getpid()}-{id(self)}" if abstract else str(folder / "notify.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0", 1) if abstract else self.address)
        self._socket.setblocking(False)
        self._said = []
        self.env = {"NOTIFY_SOCKET": self.address}
        if watchdog_ms:
            self.env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def said(self):
        """Every message so far, the watchdog's left out."""
        return [message for message in self._all() if message != "WATCHDOG=1"]

    def fed(self):
        """How often the watchdog was fed."""
        return self._all().count("WATCHDOG=1")

    def close(self):
        self._socket.close()

    def _all(self):
        while True:
            try:
                self._said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self._said
