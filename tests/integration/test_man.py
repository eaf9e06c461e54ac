"""The man pages name everything that there is."""

import json
import pathlib
import re
import subprocess

import pytest

from mt5.ctl import Ctl
from mt5.daemon import binary


def page(name):
    """The text of a page that was built beside the programs, without the marks of its form."""
    path = pathlib.Path(binary("MT5STATECTL", "mt5statectl")).parent / "docs" / "man" / name
    text = path.read_text()
    assert text.startswith((".\\\"", ".TH", "'\\\""))
    return re.sub(r"\\f[BIRP]|\\&|\\", "", text)


def keys(value, above=()):
    """The dotted names of a printed configuration; what is below rules and hooks is not a key of the table."""
    for name, below in value.items():
        if isinstance(below, dict) and name not in ("rules", "hooks"):
            yield from keys(below, (*above, name))
        else:
            yield ".".join((*above, name))


def test_the_page_of_the_configuration_names_every_key():
    printed = subprocess.run([binary("MT5STATED", "mt5stated"), "--print-config"], capture_output=True, check=True)
    text = page("mt5stated.json.5")
    names = list(keys(json.loads(printed.stdout)))
    assert len(names) > 50
    assert not [name for name in names if not re.search(rf"^{re.escape(name)} \(", text, re.MULTILINE)]


def test_the_page_of_mt5statectl_names_every_command_and_option(folder):
    said = Ctl(folder, None).ok("--help").out
    text = page("mt5statectl.1")
    commands = re.findall(r"^  ([a-z]+)  ?[ A-Z]", said, re.MULTILINE)
    for command in commands:
        assert re.search(rf"\b{command}\b", text), command
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", Ctl(folder, None).ok(command, "--help").out):
            assert option in text, (command, option)


def test_the_page_of_mt5stated_names_every_option():
    said = subprocess.run([binary("MT5STATED", "mt5stated"), "--help"], capture_output=True, text=True, check=True)
    for option in re.findall(r"(?<!\S)(--?[a-zA-Z-]+)", said.stdout):
        assert option in page("mt5stated.8"), option


@pytest.mark.parametrize("name", ["mt5statectl.1", "mt5stated.8", "mt5stated.json.5"])
def test_a_page_is_well_formed(name):
    path = pathlib.Path(binary("MT5STATECTL", "mt5statectl")).parent / "docs" / "man" / name
    done = subprocess.run(["man", "--warnings", "-l", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout) > 500
