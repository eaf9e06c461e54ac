"""One child process with its output in a file: started, waited for, stopped, killed."""

import os
import signal
import subprocess

from mt5.wait import DEADLINE_S


class Process:
    """Owns a child. Its standard output and error go to log_path, appended over restarts."""

    def __init__(self, argv, log_path, env=None, cwd=None):
        self.argv = [str(word) for word in argv]
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self._child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self._child.pid

    def is_running(self):
        return self._child.poll() is None

    def exit_code(self):
        """The exit code, negative for a signal, or None while it runs."""
        return self._child.poll()

    def send(self, signal_number):
        self._child.send_signal(signal_number)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for its end, and returns the exit code."""
        try:
            return self._child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv[0]} still runs after {deadline_s:g} s") from None

    def terminate(self, deadline_s=DEADLINE_S):
        """SIGTERM, and SIGKILL where that does not end it. Returns the exit code."""
        if self.is_running():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            return self.wait(deadline_s)
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        """SIGKILL to all of its process group, and waits."""
        if self.is_running():
            os.killpg(self.pid, signal.SIGKILL)
        return self._child.wait()

    def pause(self):
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "backslashreplace")


class ProcessOwner:
    """What is said and done in the same way to whatever has one process, in `_process`."""

    _process = None

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process is not None and self._process.is_running()

    def pause(self):
        """It hangs: connections stay open, nothing is answered."""
        self._process.pause()

    def resume(self):
        self._process.resume()

    def stop(self):
        """An orderly end."""
        self._process.terminate()

    def kill9(self):
        self._process.kill()

    def log(self):
        return self._process.log() if self._process else ""
