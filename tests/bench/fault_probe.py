"""Asks /-/healthy every few milliseconds on one connection that it keeps, from a process of its own, and notes in a file
when it asked, how long the answer took, and how much later than wanted it woke itself: what the machine costs everybody.
Whatever holds the daemon's loop holds the answer."""

import math
import multiprocessing
import os
import socket
import struct
import time

from mt5.wait import let_pass

RECORD = struct.Struct("ddd")
EVERY_S = 0.005
PATIENCE_S = 5
PRIORITY = 50
REQUEST = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


def run_first(pid):
    """Before everything else on the machine; what it starts is not (as root)."""
    os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))


class Probe:
    def __init__(self, listen, path, realtime):
        self._path = path
        path.touch()
        self._process = multiprocessing.Process(target=ask_on, args=(listen, path, realtime), daemon=True)
        self._process.start()

    def stop(self):
        self._process.terminate()
        self._process.join()

    def between(self, from_s, to_s):
        """(asked at, seconds, seconds late) of what was asked in that time of time.monotonic(). Seconds are not a number
        where nobody answered."""
        data = self._path.read_bytes()
        records = RECORD.iter_unpack(data[:len(data) // RECORD.size * RECORD.size])
        return [record for record in records if from_s <= record[0] <= to_s]

    def longest(self, from_s, to_s):
        """Of the answers and of the own lateness, in milliseconds."""
        found = self.between(from_s, to_s)
        return (max((took_s for _, took_s, _ in found if not math.isnan(took_s)), default=math.nan) * 1000,
                max((late_s for _, _, late_s in found), default=math.nan) * 1000)


def connect(listen):
    host, _, port = listen.rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ask(client):
    client.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"ok"):
        part = client.recv(4096)
        if not part:
            raise ConnectionError(answer[:200])
        answer += part


def ask_on(listen, path, realtime):
    if realtime:
        run_first(0)
    client = None
    with open(path, "ab", buffering=0) as out:
        while True:
            due_s = time.monotonic() + EVERY_S
            let_pass(EVERY_S)
            asked_s = time.monotonic()
            took_s = math.nan
            try:
                client = client or connect(listen)
                ask(client)
                took_s = time.monotonic() - asked_s
            except OSError as error:
                if isinstance(error, TimeoutError):     # somebody listens, and his loop stands: at least so long
                    took_s = time.monotonic() - asked_s
                if client:
                    client.close()
                client = None
            out.write(RECORD.pack(asked_s, took_s, asked_s - due_s))
