"""What the documents show to be copied works."""

import json
import pathlib
import re
import subprocess

import pytest

from mt5.daemon import binary

DOCS = pathlib.Path(__file__).parents[2] / "docs"


def blocks(language, document="OPERATIONS.md"):
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / document).read_text(), re.M | re.S)


@pytest.fixture
def example(folder):
    """The configuration of OPERATIONS.md, with hooks that are there."""
    text = next(block for block in blocks("json") if '"hooks"' in block)
    assert "/usr/lib/mt5stated/" in text
    path = folder / "example.json"
    path.write_text(re.sub(r"/usr/lib/mt5stated/[\w-]+", "/bin/true", text))
    return path


def run(*args):
    return subprocess.run([binary("MT5STATED", "mt5stated"), *args], capture_output=True, text=True, timeout=30)


def test_example_configuration_is_valid(example):
    checked = run("-c", str(example), "--check-config")
    assert (checked.returncode, checked.stdout) == (0, "config ok\n"), checked.stdout + checked.stderr
    printed = json.loads(run("-c", str(example), "--print-config").stdout)
    assert printed["rules"]["HighCpuUsage"]["threshold"] == 90
    assert printed["rules"]["HighCpuUsage"]["actions"] == ["notify", "recover"]
    assert printed["rules"]["HighLoadAverage"] is None
    assert printed["hooks"]["recover"] == ["/bin/true", "--now"]


def test_example_hook_is_a_script(folder):
    script = next(block for block in blocks("sh") if block.startswith("#!/bin/sh"))
    path = folder / "hook"
    path.write_text(script)
    assert subprocess.run(["/bin/sh", "-n", str(path)], timeout=30).returncode == 0
