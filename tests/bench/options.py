"""What an option of scripts/bench may be, so that a value that makes no sense is told and not run."""

import argparse
import re
import sys


def _checked(read, is_good, wanted):
    def check(text):
        try:
            value = read(text)
        except ValueError:
            value = None
        if value is None or not is_good(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value
    return check


whole = _checked(int, lambda value: value > 0, "a whole number above 0")
positive = _checked(float, lambda value: 0 < value < float("inf"), "a number above 0")
from_zero = _checked(float, lambda value: 0 <= value < float("inf"), "a number from 0 on")
fraction = _checked(float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def regex(text):
    try:
        return re.compile(text)
    except re.error as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {fault}") from fault


def some_of(names):
    """Those of the names in which a regular expression is found."""
    def check(text):
        found = [name for name in names if regex(text).search(name)]
        if not found:
            raise argparse.ArgumentTypeError(f"{text!r} is in none of: {', '.join(names)}")
        return found
    return check


def parse(parser):
    """With --check the program ends here: scripts/bench has the arguments checked before it builds anything."""
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit()
    return arguments
