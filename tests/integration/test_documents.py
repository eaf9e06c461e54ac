"""What the documents show to be copied works."""

import json
import pathlib
import re
import subprocess

import pytest

from mt5.daemon import binary

DOCS = pathlib.Path(__file__).parents[2] / "docs"


def blocks(language, document="ALERTS.md"):
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / document).read_text(), re.M | re.S)


@pytest.fixture
def example(folder):
    """The configuration of ALERTS.md, with hooks that are there."""
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


# ---- docs/AGENTS.md and docs/CONFIGURATION.md ----

def test_what_is_shown_of_the_examples_is_in_them():
    """A block is one of their files, or a piece of one; in between only blank lines may be more."""
    files = [path.read_text() for path in (DOCS / "examples").iterdir()]
    shown = [(document, block) for document, languages in (("AGENTS.md", ("python", "cpp", "sh")), ("../README.md", ("python", "cpp")))
             for language in languages for block in blocks(language, document)]
    assert len(shown) >= 4
    for document, block in shown:
        for piece in block.strip("\n").split("\n\n\n"):
            assert any(piece in text for text in files), f"{document} shows what no example has:\n{piece}"


def test_every_example_is_named():
    text = (DOCS / "AGENTS.md").read_text()
    for path in (DOCS / "examples").iterdir():
        assert f"(examples/{path.name})" in text, path.name


def test_links_between_documents_lead_somewhere():
    for document in [*DOCS.glob("*.md"), DOCS.parent / "README.md", *(DOCS / "decisions").glob("*.md")]:
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
            if not re.match(r"https?:", link):
                assert (document.parent / link).exists(), f"{document.name}: {link}"
        # As text: docs/NAME.md, "Heading"
        for name, heading in re.findall(r'docs/(\w+\.md), "([^"]+)"', " ".join(document.read_text().split())):
            assert re.search(rf"^#+ .*{re.escape(heading)}", (DOCS / name).read_text(), re.M | re.I), \
                f"{document.name}: docs/{name} has no chapter {heading}"


def test_pictures_are_there():
    for document in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", document.read_text()):
            assert (document.parent / picture).exists(), f"{document.name}: {picture}"


def test_every_key_is_documented():
    text = (DOCS / "CONFIGURATION.md").read_text()

    def keys(value, above=()):
        for name, below in value.items():
            if isinstance(below, dict) and name not in ("rules", "hooks"):
                yield from keys(below, (*above, name))
            else:
                yield ".".join((*above, name))
    names = list(keys(json.loads(run("--print-config").stdout)))
    assert len(names) > 50
    assert not [name for name in names if text.count(f"| `{name}` |") != 1]


def test_a_table_that_is_not_what_the_code_says_is_found_and_mended(folder):
    """What the test docs/tables of the suite unit and scripts/generate-docs do."""
    tables = pathlib.Path(binary("MT5STATED", "mt5stated")).parent / "docs" / "tables" / "mt5_doc_tables"
    for name, old, new in (("CONFIGURATION.md", "| `signals.ttl_ms` | integer", "| `signals.ttl_ms` | text"),
                           ("METRICS.md", "| `mt5_instance_up` | gauge", "| `mt5_instance_up` | counter")):
        right = (DOCS / name).read_text()
        wrong = folder / name
        wrong.write_text(right.replace(old, new))
        assert right != wrong.read_text()
        said = subprocess.run([tables, "--check", wrong], capture_output=True, text=True, timeout=30)
        assert said.returncode == 1 and "generate-docs" in said.stderr
        assert subprocess.run([tables, wrong], timeout=30).returncode == 0
        assert wrong.read_text() == right
    wrong.write_text("<!-- keys no.such -->\n<!-- end -->\n")
    assert subprocess.run([tables, wrong], capture_output=True, timeout=30).returncode == 1
    assert wrong.read_text().startswith("<!-- keys no.such")


def test_examples_of_the_configuration_are_valid(folder):
    token = folder / "token"
    found = blocks("jsonc", "CONFIGURATION.md") + blocks("json", "CONFIGURATION.md")
    assert len(found) >= 5
    for number, text in enumerate(found):
        path = folder / "example.json"
        text = re.sub(r"/usr/lib/mt5stated/[\w-]+", "/bin/true", text)
        for name in re.findall(r"/etc/mt5stated/tokens/(\w+)", text):
            token = folder / name
            token.write_text(f"{name}-0123456789abcdef")
            text = text.replace(f"/etc/mt5stated/tokens/{name}", str(token))
        path.write_text(text)
        checked = run("-c", str(path), "--check-config")
        assert (checked.returncode, checked.stdout) == (0, "config ok\n"), checked.stdout + checked.stderr + text
