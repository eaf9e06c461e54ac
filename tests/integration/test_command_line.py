"""What the command line promises: options, exit codes, problems told by name (SPEC 1.1, 2). No Redis needed."""

import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from mt5.daemon import SANITIZER_ENV, binary


@pytest.fixture
def run(tmp_path):
    def run_(*args, env=None):
        return subprocess.run([binary("MT5STATED", "mt5stated"), *map(str, args)], capture_output=True, text=True,
                              timeout=30, cwd=tmp_path, env={**os.environ, **SANITIZER_ENV, **(env or {})})
    return run_


@pytest.fixture
def write(tmp_path):
    def write_(text, name="config.json"):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path
    return write_


# ---- the options ----

def test_help_and_version(run):
    for option in ("-h", "--help"):
        shown = run(option)
        assert (shown.returncode, shown.stderr) == (0, "")
        for word in ("--config", "--set", "--check-config", "--print-config", "-V"):
            assert word in shown.stdout
    for option in ("-V", "--version"):
        shown = run(option)
        assert shown.returncode == 0
        assert re.match(r"^mt5stated \d+\.\d+\.\d+", shown.stdout)


@pytest.mark.parametrize("args", [
    ["--nonsense"], ["surplus"], ["-c"], ["--set"], ["--check-config", "--print-config"], ["-x"],
    ["--check-config", "surplus"]])
def test_wrong_usage_is_64(run, args):
    ended = run(*args)
    assert ended.returncode == 64
    assert ended.stdout == ""
    assert ended.stderr


def test_check_config_of_the_defaults(run, write):
    checked = run("-c", write("{}"), "--check-config")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "config ok\n", "")


def test_check_config_of_the_example_in_the_repository(run):
    example = pathlib.Path(__file__).parents[2] / "config" / "demo.json"
    assert run("-c", example, "--check-config").stdout == "config ok\n"


def test_comments_are_allowed(run, write):
    path = write('// a fleet\n{ /* the\nserver */ "redis": {"url": "redis://127.0.0.1:1/0" // behind\n} }\n')
    assert run("-c", path, "--check-config").returncode == 0


@pytest.mark.parametrize("text, named", [
    ({"redis": {"urll": "x"}}, "redis.urll"),
    ({"nonsense": 1}, "nonsense"),
    ({"signals": {"ttl_ms": "soon"}}, "signals.ttl_ms"),
    ({"signals": {"ttl_ms": -1}}, "signals.ttl_ms"),
    ({"signals": {"ttl_ms": 1.5}}, "signals.ttl_ms"),
    ({"signals": {"ttl_ms": None}}, "signals.ttl_ms"),
    ({"signals": {"ttl_ms": 1e300}}, "signals.ttl_ms"),
    ({"signals": 5}, "signals"),
    ({"redis": {"url": "http://x"}}, "redis.url"),
    ({"redis": {"url": ""}}, "redis.url"),
    ({"http": {"listen": "nowhere"}}, "http.listen"),
    ({"http": {"listen": "127.0.0.1:99999"}}, "http.listen"),
    ({"http": {"tokens": [{"name": "a", "role": "king", "file": "/dev/null"}]}}, "http.tokens"),
    ({"log": {"level": "loud"}}, "log.level"),
    ({"streams": {"batch": 0}}, "streams.batch"),
    ({"instances": {"adopt_external_writes": "yes"}}, "instances.adopt_external_writes"),
    ({"streams": {"reports": "same", "signals": "same"}}, "streams"),
])
def test_a_wrong_value_is_named(run, write, text, named):
    path = write(text)
    checked = run("-c", path, "--check-config")
    assert checked.returncode == 78
    assert checked.stdout == ""
    lines = checked.stderr.splitlines()
    assert any(line.startswith(f"{path}: {named}") for line in lines), checked.stderr
    assert run("-c", path).returncode == 78


def test_every_problem_is_told_in_a_line_of_its_own(run, write):
    path = write({"redis": {"urll": 1}, "signals": {"ttl_ms": -1}, "log": {"level": "loud"}})
    lines = run("-c", path, "--check-config").stderr.splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize("text, line", [
    ('{\n  "redis": {\n    "url": oops\n  }\n}\n', 3), ('{"a": 1', 1), ("", 1), ("[]", None), ('{"a":1}{', None),
    ('// only a comment\n', None), ('{"x": "\\', None), ('{"redis": {"url": "a"}, "redis": {"url": "b"}}', None)])
def test_broken_json_is_told_with_its_line(run, write, text, line):
    path = write(text)
    checked = run("-c", path, "--check-config")
    assert checked.returncode == 78
    assert checked.stderr.startswith(str(path))
    if line:
        assert re.search(rf"\b{line}\b", checked.stderr.replace(str(path), "")), checked.stderr


@pytest.mark.parametrize("make", [
    lambda folder: folder / "missing.json", lambda folder: folder,
])
def test_a_file_that_cannot_be_read_is_78(run, tmp_path, make):
    checked = run("-c", make(tmp_path), "--check-config")
    assert checked.returncode == 78
    assert str(make(tmp_path)) in checked.stderr


# ---- --set and --print-config ----

def test_print_config_is_what_is_in_effect(run, write):
    path = write({"signals": {"ttl_ms": 5}, "streams": {"batch": 7}})
    shown = run("-c", path, "--set", "streams.batch=9", "--set", "log.level=debug",
                "--set", "instances.adopt_external_writes=false", "--set", "streams.batch=11", "--print-config")
    assert shown.returncode == 0
    config = json.loads(shown.stdout)
    assert config["signals"]["ttl_ms"] == 5
    assert config["streams"]["batch"] == 11
    assert config["log"]["level"] == "debug"
    assert config["instances"]["adopt_external_writes"] is False
    assert config["signals"]["dedup_ms"] == 300000


def test_what_print_config_shows_can_be_read_again(run, write):
    shown = run("-c", write("{}"), "--print-config").stdout
    assert run("-c", write(shown, "again.json"), "--print-config").stdout == shown


def test_set_reads_json_and_else_text(run, write):
    path = write("{}")
    shown = json.loads(run("-c", path, "--set", "redis.instance_id=server-7", "--set", 'streams.group="g"',
                           "--set", "redis.url=unix:///run/redis.sock?db=3", "--print-config").stdout)
    assert shown["redis"]["instance_id"] == "server-7"
    assert shown["streams"]["group"] == "g"
    assert shown["redis"]["url"] == "unix:///run/redis.sock?db=3"


@pytest.mark.parametrize("setting", ["nonsense=1", "redis=1", "signals.ttl_ms=x", "signals.ttl_ms", "=5", "a.b.c=1",
                                     "signals.ttl_ms="])
def test_a_wrong_set_is_named(run, write, setting):
    ended = run("-c", write("{}"), "--set", setting, "--check-config")
    assert ended.returncode in (64, 78)
    assert setting.partition("=")[0] in ended.stderr


def test_a_key_that_is_almost_right_is_suggested(run, write):
    assert "signals.ttl_ms" in run("-c", write({"signals": {"tll_ms": 5}}), "--check-config").stderr


def test_secrets_are_never_printed(run, write, tmp_path):
    (tmp_path / "token").write_text("token-secret-0123456789\n")
    path = write({"redis": {"url": "redis://someone:url-secret@127.0.0.1:1/0"},
                  "http": {"tokens": [{"name": "prometheus", "role": "read", "file": str(tmp_path / "token")}]}})
    shown = run("-c", path, "--print-config")
    assert "<redacted>" in shown.stdout
    for secret in ("url-secret", "token-secret"):
        assert secret not in shown.stdout + shown.stderr
    wrong = run("-c", path, "--set", "redis.url=redis://u:url-secret@[::1/0", "--check-config")
    assert wrong.returncode == 78
    assert "url-secret" not in wrong.stderr


# ---- starting ----

def test_an_address_in_use_is_69(run, write):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("-c", write("{}"), "--set", f"http.listen=127.0.0.1:{taken.getsockname()[1]}",
                    "--set", "redis.url=unix:///nonexistent/redis.sock")
    assert ended.returncode == 69
    assert "msg=\"cannot listen for HTTP\"" in ended.stderr


@pytest.mark.parametrize("listen", ["192.0.2.1:1", "unix:/nonexistent/folder/http.sock"])
def test_an_address_that_cannot_be_had_is_69(run, write, listen):
    ended = run("-c", write("{}"), "--set", f"http.listen={listen}", "--set", "redis.url=unix:///nonexistent/redis.sock")
    assert ended.returncode == 69


def test_full_output_is_an_error(run, write, tmp_path):
    with open("/dev/full", "w") as full:
        ended = subprocess.run([binary("MT5STATED", "mt5stated"), "-c", write("{}"), "--print-config"], stdout=full,
                               stderr=subprocess.PIPE, timeout=30)
    assert ended.returncode not in (0, None)
