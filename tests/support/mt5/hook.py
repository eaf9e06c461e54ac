"""A program for `hooks.…`: it notes how it was executed, and then does what the test has told it to."""

import contextlib
import json
import os
import pathlib
import signal

from mt5.wait import wait_until

# Notes itself first, under a name that sorts by time. What it does then is Python, which may use these names.
PROGRAM = """#!/usr/bin/python3 -IS
import fcntl, json, os, signal, sys, time
folder = {folder!r}
with open("/proc/self/environ", "rb") as file:
    environ = dict(entry.decode().partition("=")[::2] for entry in file.read().split(b"\\0") if entry)
noted = {{"argv": sys.argv[1:], "environ": environ, "input": sys.stdin.read(), "pid": os.getpid(),
         "group": os.getpgrp(), "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]}}
with open(folder + "/todo.json", "r+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    todo = json.load(file)
    code = todo["next"].pop(0) if todo["next"] else todo["always"]
    file.seek(0)
    file.truncate()
    json.dump(todo, file)
    file.flush()
    name = f"{{time.time_ns()}}-{{os.getpid()}}"
    with open(f"{{folder}}/{{name}}.part", "w") as out:
        json.dump(noted, out)
    os.rename(f"{{folder}}/{{name}}.part", f"{{folder}}/{{name}}.run")
def wait_for(name):
    while not os.path.exists(f"{{folder}}/{{name}}"):
        time.sleep(0.01)
exec(code)
"""

FAIL = "sys.exit(1)"
GIVE_UP = "sys.exit(2)"
HANG = "while True: time.sleep(1)"
# It ends when the test calls release().
WAIT = "wait_for('released')"


class Hook:
    """One executable file in a folder of its own. It ends with exit code 0 where nothing else is said."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "hook"
        self._write("", [])
        self.path.write_text(PROGRAM.format(folder=str(folder)))
        self.path.chmod(0o755)

    @property
    def argv(self):
        """For the configuration: with arguments that a shell would make something of."""
        return [str(self.path), "--now", "$(id); *"]

    def does(self, code, *following):
        """From now on it does CODE; or, where FOLLOWING is given, each once in that order, and then succeeds."""
        self._write("", [code, *following]) if following else self._write(code, [])

    def runs(self):
        """What was noted by each execution, in their order: argv, environ, input, pid, group, descriptors."""
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.run"))]

    def wait_runs(self, count, **fields):
        """Until there are that many executions with these fields of a command or an event; returns them."""
        def found():
            return [run for run in self.runs() if fields.items() <= self.fields(run).items()]
        return wait_until(lambda: found() if len(found()) >= count else None, f"{count} executions with {fields}")

    @staticmethod
    def fields(run):
        """The fields of the command or event, as the environment has them."""
        return {name.removeprefix("MT5STATED_").lower(): value for name, value in run["environ"].items()
                if name.startswith("MT5STATED_")}

    def release(self):
        """Ends those that do WAIT, and all that will."""
        (self.folder / "released").touch()

    def has_ended(self, pid):
        """True where the process is gone, or at least dead (a container's first process may reap nobody)."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def wait_ended(self, pid):
        wait_until(lambda: self.has_ended(pid), f"process {pid} to have ended")

    def note(self, name):
        """What a run has written to a file of that name in its folder."""
        path = self.folder / name
        return path.read_text() if path.exists() else None

    def wait_note(self, name):
        return wait_until(lambda: self.note(name), f"the hook to have written {name}")

    def stop(self):
        """Kills what still runs of it."""
        for run in self.runs():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if str(self.path).encode() in pathlib.Path(f"/proc/{run['pid']}/cmdline").read_bytes():
                    os.killpg(run["group"], signal.SIGKILL)

    def _write(self, always, following):
        part = self.folder / "todo.part"
        part.write_text(json.dumps({"always": always, "next": following}))
        os.replace(part, self.folder / "todo.json")
