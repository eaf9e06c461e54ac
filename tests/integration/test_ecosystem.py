"""What config/ has for other programs: each file read by the program that it is for, and against a real daemon."""

import json
import pathlib
import re
import subprocess

import pytest

from mt5.daemon import binary
from mt5.wait import wait_until

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = ROOT / "config"
RULES = CONFIG / "prometheus" / "mt5stated.rules.yml"
DASHBOARD = json.loads((CONFIG / "grafana" / "mt5stated.json").read_text())


def run(*argv, **options):
    """Fails with all that the program says where it does not end with 0."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ---- Prometheus and Alertmanager ----

def test_promtool_accepts_the_scrape_configuration():
    assert "SUCCESS" in run("promtool", "check", "config", CONFIG / "prometheus" / "prometheus.yml")


def test_promtool_accepts_the_rules_and_they_fire_when_they_should():
    assert "SUCCESS" in run("promtool", "check", "rules", RULES)
    assert "SUCCESS" in run("promtool", "test", "rules", CONFIG / "prometheus" / "mt5stated.rules.test.yml")


def rule_names():
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.M)


def test_every_rule_has_a_test_a_summary_and_a_runbook():
    text = RULES.read_text()
    tested = (CONFIG / "prometheus" / "mt5stated.rules.test.yml").read_text()
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in
                re.findall(r"^#+ (.*)$", (ROOT / "docs" / "RUNBOOK.md").read_text(), re.M)}
    for name in rule_names():
        assert f"- name: {name}\n" in tested, f"{name} has no test"
        block = text.split(f"- alert: {name}\n")[1].split("- alert: ")[0]
        for field in ("severity: ", "summary: ", "description: "):
            assert field in block, f"{name} has no {field}"
        assert f'/RUNBOOK.md#{name.lower()}"' in block, f"{name} names no runbook of its own"
        assert name.lower() in headings, f"docs/RUNBOOK.md has no chapter {name}"


def test_every_rule_of_the_daemon_has_a_runbook(tmp_path):
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    rules = json.loads(run(binary("MT5STATED", "mt5stated"), "-c", empty, "--print-config"))["rules"]
    text = (ROOT / "docs" / "RUNBOOK.md").read_text()
    assert len(rules) == 8
    assert not [name for name in [*rules, "FleetFailure"] if f"\n### {name}\n" not in text]


def test_a_mistake_in_the_rules_is_found(tmp_path):
    """That the tests of the rules can fail."""
    for name in ("mt5stated.rules.yml", "mt5stated.rules.test.yml"):
        (tmp_path / name).write_text((RULES.parent / name).read_text())
    rules = tmp_path / RULES.name
    rules.write_text(rules.read_text().replace("/ process_max_fds", "* process_max_fds"))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "mt5stated.rules.test.yml"], capture_output=True)
    assert done.returncode != 0 and b"Mt5statedFilesShort" in done.stdout + done.stderr


def test_amtool_accepts_the_route():
    assert "SUCCESS" in run("amtool", "check-config", CONFIG / "alertmanager" / "alertmanager.yml")


@pytest.mark.parametrize("receiver, labels", [
    ("pager", ["alertname=RecoveryFailure", "severity=critical", "instance_id=i1", "broker_id=b1"]),
    ("pager", ["alertname=FleetFailure", "severity=critical", "group=broker:b1"]),
    ("pager", ["alertname=Mt5statedDown", "severity=critical"]),
    ("operators", ["alertname=Mt5statedReloadFailed", "severity=warning"]),
    ("desk", ["alertname=InstanceCrash", "severity=critical", "instance_id=i1", "broker_id=b1"]),
    ("desk", ["alertname=HighCpuUsage", "severity=warning", "instance_id=i1"]),
])
def test_alerts_are_routed_to_who_has_to_know(receiver, labels):
    said = run("amtool", "config", "routes", "test",
               f"--config.file={CONFIG / 'alertmanager' / 'alertmanager.yml'}", *labels)
    assert said.strip() == receiver


# ---- against a real daemon ----



def dashboard_queries():
    """(title of the panel, query) with the variables as Grafana would fill them in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$job", ".+").replace("$__rate_interval", "1m")


@pytest.fixture
def scraped(daemon, sim, prometheus):
    """A Prometheus that evaluates the rules, and has scraped a daemon with a fleet in some trouble."""
    one = daemon({"signals.ttl_ms": 400, "redis.info_interval_ms": 50, "recovery.timeout_ms": 1000,
                  "recovery.max_attempts": 1, "recovery.backoff_ms": [0]}, tcp=True)
    server = prometheus(one, rules=[RULES])
    server.wait_for("mt5stated_ready == 1")
    sim(instances=6, signals_per_sec=50, trades_per_sec=20, unanswered_share=0.05, malformed_share=0.05,
        fail_share=0.1, partial_share=0.1, followup_share=0.05, crash_every_s=5, restart_ms=200, report_interval_ms=100, stay_down=True,
        doomed=1, doomed_after_s=1)
    return server


def test_every_query_of_the_dashboard_answers(scraped):
    queries = list(dashboard_queries())
    assert len(queries) > 50
    for title, query in queries:
        assert "$" not in query, f"{title}: a variable that is not known: {query}"
        scraped.query(query)   # fails where Prometheus does not take it
    # Each thing that happens now and then, waited for one after the other.
    for title, query in queries:
        # No limit, no line.
        found = scraped.wait_for(f"count({query}) > 0" if "maxmemory" not in query else "maxmemory >= 0")
        assert found, title


def test_the_variables_of_the_dashboard_answer(scraped):
    queried = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    for variable in queried:
        family, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
        assert scraped.query(f"group by ({label}) ({family})")
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert used == {one["name"] for one in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}


def test_the_panels_of_the_dashboard_do_not_overlap():
    taken = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert 0 <= x < 24
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_rules_see_what_goes_wrong(scraped):
    def evaluated():
        rules = scraped.rules()
        assert {rule["name"] for rule in rules} == set(rule_names())
        assert all(rule["health"] == "ok" for rule in rules), [rule.get("lastError") for rule in rules]
        return rules
    wait_until(evaluated, "every rule to be evaluated")
    wanted = {"Mt5statedSignalsDropped", "Mt5statedEntriesRejected", "Mt5statedRecoveryGivenUp"}
    wait_until(lambda: wanted <= scraped.firing(), f"{wanted} to fire")
    assert not scraped.firing() & {"Mt5statedSignalsUnaccounted", "Mt5statedDown", "Mt5statedNotReady",
                                   "Mt5statedRedisEvicts", "Mt5statedRedisLostData", "Mt5statedLateExecution"}


# ---- the example configuration and the unit ----

def strip_comments(text):
    """JSON with // comments; no string of the example has a // with a space before it."""
    return re.sub(r"(^|\s)//.*", r"\1", text)


def leaves(tree, path=""):
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from leaves(value, name)
        else:
            yield name, value


def test_the_example_configuration_shows_every_key_with_its_default(tmp_path):
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    program = binary("MT5STATED", "mt5stated")
    defaults = run(program, "-c", empty, "--print-config")
    assert run(program, "-c", CONFIG / "mt5stated.json", "--check-config") == "config ok\n"
    assert run(program, "-c", CONFIG / "mt5stated.json", "--print-config") == defaults
    shown = dict(leaves(json.loads(strip_comments((CONFIG / "mt5stated.json").read_text()))))
    assert shown == dict(leaves(json.loads(defaults)))


def test_what_is_commented_out_in_the_example_is_taken(tmp_path):
    """The examples of windows, webhooks, hooks and tokens, with the files that they name put somewhere else."""
    hook, token = tmp_path / "hook", tmp_path / "token"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    token.write_text("0123456789abcdef0123456789abcdef\n")
    text = (CONFIG / "mt5stated.json").read_text()
    text = re.sub(r"^( +)// (?=[{\"].*[\]}],?$)", r"\1", text, flags=re.M)
    text = re.sub(r"^  +\"(HighCpuUsage|SocketFailure|Margin)\": .*(\}|null)$", "", text, flags=re.M)
    text = re.sub(r'"/usr/local/lib/mt5stated/[\w-]+"', json.dumps(str(hook)), text)
    text = re.sub(r'"/etc/mt5stated/tokens/\w+"', json.dumps(str(token)), text)
    own = tmp_path / "mt5stated.json"
    own.write_text(text)
    program = binary("MT5STATED", "mt5stated")
    printed = json.loads(run(program, "-c", own, "--print-config"))
    assert printed["maintenance_windows"] and printed["notify"]["webhooks"] and printed["http"]["tokens"]
    assert set(printed["hooks"]) == {"recover", "notify"}


def test_the_unit_is_hardened():
    said = run("systemd-analyze", "security", "--offline=true", "--threshold=15", CONFIG / "mt5stated.service")
    exposure = float(re.search(r"Overall exposure level for mt5stated.service: ([\d.]+)", said)[1])
    assert exposure <= 1.5


def test_the_unit_says_nothing_that_systemd_does_not_know(tmp_path):
    """With programs that are there in the place of those that the package installs."""
    unit = tmp_path / "mt5stated.service"
    text = (CONFIG / "mt5stated.service").read_text()
    unit.write_text(re.sub(r"/usr/bin/mt5stated", "/bin/true", text)
                    .replace("file:///usr/share", "file:///nowhere"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert done.returncode == 0 and "mt5stated.service" not in done.stderr, done.stderr


def test_the_unit_is_what_the_daemon_can_do():
    text = (CONFIG / "mt5stated.service").read_text()
    for line in ("Type=notify", "WatchdogSec=", "User=mt5stated", "LoadCredential=redis-password",
                 "RestartPreventExitStatus=64 78"):
        assert line in text


def test_the_user_is_made(tmp_path):
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", CONFIG / "sysusers.d" / "mt5stated.conf")
    users = (tmp_path / "etc" / "passwd").read_text().splitlines()
    entry = next(line.split(":") for line in users if line.startswith("mt5stated:"))
    assert 0 < int(entry[2]) < 1000 and entry[5] == "/var/lib/mt5stated" and entry[6].endswith("nologin")
