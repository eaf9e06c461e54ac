"""Waiting for conditions. The one place of the Python tests that sleeps."""

import os
import time

POLL_S = 0.01

# Generous on purpose: sanitized binaries on a busy machine of two cores. No test passes by a deadline.
DEADLINE_S = float(os.environ.get("MT5_TEST_DEADLINE_S", 20))


def wait_until(condition, what, deadline_s=DEADLINE_S, poll_s=POLL_S):
    """Calls condition until its result is true, and returns that. Fails naming `what` at the deadline.

    An AssertionError of the condition counts as "not yet", and ends up in the message, so a condition may be
    a function full of asserts."""
    end = time.monotonic() + deadline_s
    while True:
        last = None
        try:
            result = condition()
            if result:
                return result
        except AssertionError as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"after {deadline_s:g} s still waiting for {what}") from last
        time.sleep(poll_s)


def wait_a_moment(rng, longest_s):
    """Some time that nobody has agreed upon, for those who kill at random moments."""
    time.sleep(rng.uniform(0, longest_s))


def let_pass(span_s):
    """That much time, for those who decide how long a trouble lasts. Nothing is ever waited for with it."""
    time.sleep(span_s)
