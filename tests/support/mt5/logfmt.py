"""Lines of the daemon's log as pairs."""

import json
import re

LINE = re.compile(r'^ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warning|error) (event|msg)=("|\S)')
PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?:\s|$)')


def texts_of_trouble(lines):
    """(time, text without its numbers) of warnings and errors; each run of a hook is a decision of its own and left out."""
    for line in lines:
        match = re.match(r"ts=(\S+) level=(?:warning|error) (msg=(?!\"hook).*)", line)
        if match:
            yield match[1], re.sub(r"\d+", "N", match[2])


def pairs_of(line):
    """A logfmt line as a dict; fails where anything of it is no pair."""
    position, found = 0, {}
    while position < len(line):
        match = PAIR.match(line, position)
        assert match, f"no pair at {line[position:]!r}"
        found[match[1]] = json.loads(match[2]) if match[2].startswith('"') else match[2]
        position = match.end()
    return found
