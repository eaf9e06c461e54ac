"""A process whose memory is out when a test says so. Its allocations are numbered from its start."""

import mmap
import pathlib
import struct
import subprocess

SOURCE = pathlib.Path(__file__).parent / "memory.c"
PLAN = struct.Struct("=qqqq")
FOR_EVER = (1 << 63) - 1


class Memory:
    """Give `env` to one process at a time."""

    def __init__(self, folder):
        library, self._path = folder / "memory.so", folder / "memory"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._path.write_bytes(bytes(PLAN.size))
        self.env = {
            "LD_PRELOAD": str(library),
            "MT5_MEMORY_FILE": str(self._path),
            # The sanitizer's runtime wants to be the first library, and is the second one here; and what it cannot
            # have itself must not end the process.
            "ASAN_OPTIONS": "verify_asan_link_order=0:allocator_may_return_null=1:detect_leaks=0",
        }

    def reset(self):
        """Before the next process: nothing was counted, nothing fails."""
        self._write(0, 0, 0, 0)

    def fail_at(self, number, times=1):
        """Allocation NUMBER of the process fails, and those after it to so many."""
        count, _, _, failed = self._read()
        self._write(count, number, min(number + times - 1, FOR_EVER), failed)

    def fail_soon(self, distance, times=1):
        """The same, counted from now."""
        self.fail_at(self.count + 1 + distance, times)

    @property
    def count(self):
        return self._read()[0]

    @property
    def failed(self):
        return self._read()[3]

    def _read(self):
        with open(self._path, "rb") as file:
            return PLAN.unpack(file.read(PLAN.size))

    def _write(self, count, first, last, failed):
        with open(self._path, "r+b") as file, mmap.mmap(file.fileno(), PLAN.size) as plan:
            # The first is what arms it, so it comes behind the last.
            struct.pack_into("=q", plan, 16, last)
            struct.pack_into("=q", plan, 8, first)
            if count == failed == first == 0:
                struct.pack_into("=q", plan, 0, 0)
                struct.pack_into("=q", plan, 24, 0)
