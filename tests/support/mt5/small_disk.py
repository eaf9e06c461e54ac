"""A disk that can be really full: a tmpfs in a mount namespace of its own, which nobody else sees."""

import contextlib
import os
import pathlib
import subprocess

from mt5.process import Process
from mt5.wait import wait_until

HOLD = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && echo mounted && exec sleep infinity'


class NoMounts(Exception):
    """The system lets nobody like us mount anything."""


class SmallDisk:
    """Over a folder, which stays as it is for all others; `path` leads to what is on the disk."""

    def __init__(self, folder, size_bytes):
        self._folder, self._size_bytes = folder, size_bytes
        own_user = [] if os.geteuid() == 0 else ["--map-root-user"]
        log = folder.with_name(folder.name + ".mount.log")
        self._holder = Process(["unshare", "--mount", *own_user, "sh", "-c", HOLD, folder, size_bytes], log)
        wait_until(lambda: "mounted" in self._holder.log() or not self._holder.is_running(), "a disk to be mounted")
        if not self._holder.is_running():
            raise NoMounts(self._holder.log())
        self.path = pathlib.Path(f"/proc/{self._holder.pid}/root{folder}")

    @contextlib.contextmanager
    def full(self):
        """Not a byte more has room until the end of it."""
        wait_until(self._fill, "the disk to be made as small as what is on it")
        try:
            yield
        finally:
            self._resize(self._size_bytes)

    def stop(self):
        self._holder.kill()

    def _fill(self):
        found = os.statvfs(self.path)
        return self._resize((found.f_blocks - found.f_bfree) * found.f_frsize)

    def _resize(self, size_bytes):
        """False where more is on it by now."""
        own_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        done = subprocess.run(["nsenter", "--target", str(self._holder.pid), "--mount", *own_user,
                               "mount", "-o", f"remount,size={size_bytes}", self._folder], capture_output=True, check=False)
        return done.returncode == 0
