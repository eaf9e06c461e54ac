"""How much of what could be tried is tried: samples, or with MT5_THOROUGH set all of it, for which scripts/soak has time."""

import os
import random

import pytest


def every(count, step):
    """Numbers from 1 to `count`: one in each `step`, from anywhere in the first, or all of them."""
    if os.environ.get("MT5_THOROUGH"):
        return range(1, count + 1)
    return range(1 + random.randrange(step), count + 1, step)


# For a test of half a minute that has no smaller samples.
only_thorough = pytest.mark.skipif(not os.environ.get("MT5_THOROUGH"), reason="takes long; MT5_THOROUGH is not set")
