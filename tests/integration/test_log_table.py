"""The table of log lines in docs/OPERATIONS.md is that of the sources: nothing of weight is missing, nothing is made up."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALL = re.compile(r"\b(LOG|LOG_LIMITED|log_write|log_write_limited)\(")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
LEVELS = {"LOG_DEBUG_LEVEL": "debug", "LOG_INFO_LEVEL": "info", "LOG_WARN_LEVEL": "warning", "LOG_ERROR_LEVEL": "error",
          "DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error"}
SECTION = "## The log at three in the morning"


def arguments(source, at):
    """The arguments of the call whose parenthesis ends before AT, as texts."""
    depth, in_text, found, begin = 0, False, [], at
    for i in range(at, len(source)):
        char = source[i]
        if in_text:
            in_text = char != '"' or source[i - 1] == "\\"
        elif char == '"':
            in_text = True
        elif char in "([{":
            depth += 1
        elif char in ")]}" and depth:
            depth -= 1
        elif char == ")" or (char == "," and not depth):
            found.append(source[begin:i].strip())
            begin = i + 1
            if char == ")":
                return found
    raise AssertionError("a call does not end")


def messages_of_the_sources():
    """{message: level} of every line that is written with msg=."""
    found = {}
    for path in sorted(ROOT.glob("src/**/*.c")):
        source = path.read_text()
        for call in CALL.finditer(source):
            words = arguments(source, call.end())
            if len(words) < 3 or words[1] not in LEVELS:
                continue  # the function itself, and what hands a level on
            text = words[3] if "imited" in call[1].lower() else words[2]
            message = "".join(TEXT.findall(text))
            assert message and re.fullmatch(r'(\s*"(?:[^"\\]|\\.)*")+\s*', text), f"{path}: the message is no literal: {text}"
            found.setdefault(message, set()).add(LEVELS[words[1]])
    # Written by the log itself, around its own rules.
    own = re.search(r'LOG_WARN_LEVEL, loop_wall_ms\(\)\);\s*log_line_add_body\([^;]*"msg", "([^"]+)"',
                    (ROOT / "src/adapters/log.c").read_text())
    found[own[1]] = {"warning"}
    return found


def events_of_the_sources():
    table = (ROOT / "src/core/event.c").read_text().partition("names[EVENT_KINDS]")[2].partition("};")[0]
    return set(TEXT.findall(table))


def rows():
    """(what is in backquotes in the first cell, the levels in the second) of each row of the table."""
    section = (ROOT / "docs/OPERATIONS.md").read_text().partition(SECTION)[2].partition("\n### ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells and cells[0].startswith("`"):
            yield cells[0], set(re.findall(r"[a-z]+", cells[1])), cells


def documented(name):
    """{message or event: levels}; `msg="a"`, `"b"` are two of one row."""
    found = {}
    for cell, levels, _ in rows():
        if cell.startswith(f"`{name}="):
            for one in re.findall(rf'`(?:{name}=)?("[^"]*"|[a-z_]+)[^`]*`', cell):
                found.setdefault(one.strip('"'), set()).update(levels)
    return found


def test_every_line_of_weight_is_in_the_table():
    told, sources = documented("msg"), messages_of_the_sources()
    assert len(sources) > 50
    missing = {message for message, levels in sources.items() if levels & {"warning", "error"}} - told.keys()
    assert not missing, missing


def test_no_line_is_made_up_and_the_levels_are_right():
    sources = messages_of_the_sources()
    assert {message: levels for message, levels in documented("msg").items() if levels != sources.get(message)} == {}


def test_every_event_is_in_the_table():
    assert documented("event").keys() == events_of_the_sources()


def test_every_row_says_what_it_means():
    for cell, levels, cells in rows():
        assert len(cells) == 4 and levels <= {"debug", "info", "warning", "error"} and levels, cell
        assert cells[2] or levels <= {"info", "debug"}, f"what {cell} means is not said"
