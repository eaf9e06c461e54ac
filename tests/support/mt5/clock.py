"""A wall clock that a test can set, for one process. CLOCK_MONOTONIC goes on as it is."""

import mmap
import pathlib
import struct
import subprocess

SOURCE = pathlib.Path(__file__).parent / "clock.c"


class Clock:
    """Give `env` to the process; then its CLOCK_REALTIME is off by what jump() says."""

    def __init__(self, folder):
        library, self._file = folder / "clock.so", folder / "clock"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._file.write_bytes(struct.pack("q", 0))
        self.env = {
            "LD_PRELOAD": str(library),
            "MT5_CLOCK_FILE": str(self._file),
            # The sanitizer's runtime wants to be the first library, and is the second one here.
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        }

    def jump(self, seconds):
        """Forwards by so much, or back, at once."""
        with open(self._file, "r+b") as file, mmap.mmap(file.fileno(), 8) as offset:
            struct.pack_into("q", offset, 0, struct.unpack_from("q", offset)[0] + seconds)
