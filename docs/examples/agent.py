#!/usr/bin/python3
"""An agent of one terminal: reports it to mt5stated, and obeys the commands for it. Wants python3-redis.

It knows nothing of terminals. CONTROL is a program of yours that does: CONTROL status ends with 0 while the terminal runs and
prints lines such as cpu_usage=12.5; CONTROL recover|reconnect|throttle|unthrottle|redistribute|stop|start|restart does just that
and ends with 0 when it is done, else with a word on standard error."""

import argparse
import collections
import datetime
import json
import os
import subprocess
import tempfile
import time

import redis

CHANGES_STATE = {"recover": "running", "restart": "running", "start": "running", "stop": "stopped"}


class Agent:
    def __init__(self, options):
        self.o = options
        password = open(options.password_file).read().rstrip("\n") if options.password_file else None
        self.redis = redis.Redis.from_url(options.redis, username=options.user, password=password, decode_responses=True)
        # What has to survive the agent's own end: how far it has read, what it has begun, what the terminal should be.
        self.memory = {"position": "0-0", "begun": [], "wanted": "running"}
        if os.path.exists(options.memory):
            self.memory = json.load(open(options.memory))
        self.waiting = collections.deque()   # commands that were read and not begun
        self.job = self.command = None       # the CONTROL that runs, and the command that it is for
        self.report_due = 0
        self.env = {**os.environ, "MT5_INSTANCE_ID": options.instance}

    def remember(self):
        """Written as a whole or not at all."""
        with open(self.o.memory + ".new", "w") as file:
            json.dump(self.memory, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.o.memory + ".new", self.o.memory)

    # ---- reports ----

    def report(self, **answer):
        """All that is known, each time: so it does not matter which report is the first."""
        try:
            status = subprocess.run([self.o.control, "status"], env=self.env, capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            return                                                    # nothing is known; silence says so
        fields = dict(line.split("=", 1) for line in status.stdout.splitlines() if "=" in line)
        if self.job and self.command["command"] in CHANGES_STATE:
            state = "restarting"
        elif status.returncode == 0:
            state = "running"
        else:
            state = "stopped" if self.memory["wanted"] == "stopped" else "crashed"
        fields.update(instance_id=self.o.instance, broker_id=self.o.broker, state=state, **answer)
        if self.o.host:
            fields["host_id"] = self.o.host
        self.redis.xadd("instance_reports", fields)
        self.report_due = time.monotonic() + self.o.interval

    def answer(self, command, status, error=""):
        self.report(command_id=command["command_id"], command_status=status,
                    **({"command_error": error[-1000:]} if error else {}))

    # ---- commands ----

    def read(self, wait_s):
        read = self.redis.xread({"instance_commands": self.memory["position"]}, count=100, block=max(1, int(wait_s * 1000)))
        for entry, command in read[0][1] if read else []:
            self.memory["position"] = entry
            if command.get("instance_id") == self.o.instance:
                self.take(command)

    def take(self, command):
        if command["command_id"] in self.memory["begun"] + [one["command_id"] for one in self.waiting]:
            return                                                    # the same decision, written again
        if command["command"] == "cancel":
            self.cancel(command)
        else:
            self.waiting.append(command)

    def cancel(self, command):
        victim = command["cancels"]
        self.waiting = collections.deque(one for one in self.waiting if one["command_id"] != victim)
        if self.job and self.command["command_id"] == victim:
            self.job.terminate()
            self.job.wait()
            self.job = None
        self.memory["begun"] = (self.memory["begun"] + [victim, command["command_id"]])[-100:]
        self.remember()
        self.answer(command, "ok")

    def has_expired(self, command):
        """By the clock of Redis, which is the daemon's."""
        expires = datetime.datetime.strptime(command["expires_at"], "%Y-%m-%dT%H:%M:%SZ")
        return self.redis.time()[0] >= expires.replace(tzinfo=datetime.timezone.utc).timestamp()

    def begin(self):
        command = self.waiting.popleft()
        if self.has_expired(command):
            return
        # First remembered, then done: after a crash it is not done twice. Nobody answers it then, it expires, and the daemon
        # decides anew.
        self.memory["begun"] = (self.memory["begun"] + [command["command_id"]])[-100:]
        self.memory["wanted"] = CHANGES_STATE.get(command["command"], self.memory["wanted"])
        self.remember()
        fields = {"MT5_" + name.upper(): value for name, value in command.items()}
        self.command = command
        self.said = tempfile.TemporaryFile("w+")
        self.job = subprocess.Popen([self.o.control, command["command"]], env={**self.env, **fields},
                                    stdout=subprocess.DEVNULL, stderr=self.said)
        self.answer(command, "accepted")

    def finish(self):
        self.said.seek(0)
        said, code, self.job = self.said.read().strip(), self.job.returncode, None
        self.answer(self.command, "failed" if code else "ok", (said or f"exit code {code}") if code else "")

    def run(self):
        while True:
            try:
                # While a command is carried out the agent goes on reporting, and hears of a cancel.
                self.read(0.1 if self.job or self.waiting else min(1, self.o.interval))
                if self.job and self.job.poll() is not None:
                    self.finish()
                if self.waiting and not self.job:
                    self.begin()
                if time.monotonic() >= self.report_due:
                    self.remember()
                    self.report()
            except redis.exceptions.ConnectionError:
                time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description="Reports a terminal to mt5stated and obeys its commands.")
    parser.add_argument("--redis", default=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    parser.add_argument("--user", default=None)
    parser.add_argument("--password-file")
    parser.add_argument("--host", help="the same for all terminals of one machine")
    parser.add_argument("--interval", type=float, default=5, help="seconds between reports")
    parser.add_argument("--memory", required=True, help="file in which the agent remembers what it has done")
    parser.add_argument("instance")
    parser.add_argument("broker")
    parser.add_argument("control")
    Agent(parser.parse_args()).run()


if __name__ == "__main__":
    main()
