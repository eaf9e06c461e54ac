"""TCP ports and addresses for servers of a test's own."""

import socket


def own_address():
    """The machine's address on its network; 127.0.0.1 where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))     # nothing is sent
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def port_free():
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
