"""docs/SCALING.md: what a Redis Cluster does to the daemon as it is, and the model behind the estimate."""

import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

from mt5.ports import port_free
from mt5.wait import wait_until

sys.path.append(str(pathlib.Path(__file__).parents[1] / "bench"))

from scaling import KINDS, parts  # noqa: E402
from scaling_costs import Costs  # noqa: E402
from scaling_model import Load, simulate  # noqa: E402

NOTHING = Costs(**{field.name: 0.0 for field in dataclasses.fields(Costs)})


@pytest.fixture
def cluster(redis_server, redis):
    """One node that has every slot."""
    redis_server.stop()
    redis_server.start(options=("--cluster-enabled", "yes", "--cluster-port", port_free()))
    redis.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: redis.cluster("info")["cluster_state"] == "ok", "the cluster")
    return redis


@pytest.mark.redis(tcp=True)
@pytest.mark.no_invariants(reason="nothing is ever written")
def test_a_cluster_is_refused_whole(cluster, daemon):
    """Lease and meta are keys of different slots: not even one node with all of them takes a script call."""
    one = daemon(ready=False)
    wait_until(lambda: one.log_lines(msg="cannot get the lease"), "it to say so")
    assert "CROSSSLOT" in one.log_lines(msg="cannot get the lease")[0]
    assert one.ready_word() == "connecting"
    assert cluster.dbsize() == 0


def test_the_same_seed_is_the_same_run():
    load = Load(20000, producer_chunk=50, take=100, is_waiting=False, think_call_us=5000, reports_per_s=100)
    assert simulate(Costs(), load, 0.2, seed=7) == simulate(Costs(), load, 0.2, seed=7)
    assert simulate(Costs(), load, 0.2, seed=7) != simulate(Costs(), load, 0.2, seed=8)


def test_what_is_used_is_rate_times_cost():
    costs = dataclasses.replace(NOTHING, xadd_signal_us=5.0, xreadgroup_us=4.0, xadd_result_us=3.0, commit_signal_us=2.0,
                                daemon_signal_us=7.0)
    one = simulate(costs, Load(10000, think_call_us=100), 0.5)
    assert one.redis == pytest.approx(0.14, rel=0.05)
    assert one.daemon == pytest.approx(0.07, rel=0.05)
    assert one.ended_per_s == pytest.approx(10000, rel=0.01)


def test_a_partition_is_full_where_its_core_is():
    kind, costs = KINDS[0], Costs()
    most = 1e6 / sum(parts(costs, kind).values())

    def run(rate):
        return simulate(costs, Load(rate, producer_chunk=100, executors=4, take=100, is_waiting=False, think_call_us=1000,
                                    is_shuffled=True), 0.5)

    assert run(0.8 * most).is_stable
    beyond = run(1.5 * most)
    assert not beyond.is_stable and beyond.redis > 0.99 and beyond.ended_per_s < 1.1 * most


# ---- what is shown to be copied ----

BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", (pathlib.Path(__file__).parents[2] / "docs" / "SCALING.md").read_text(), re.M | re.S)

SERIES = """
rule_files: [rules.yml]
evaluation_interval: 10s
tests:
  - interval: 10s
    input_series:
      - {series: 'mt5stated_leader{job="mt5stated", partition="p1", instance="a"}', values: '1x30'}
      - {series: 'mt5stated_leader{job="mt5stated", partition="p1", instance="b"}', values: '0x30'}
      - {series: 'mt5stated_leader{job="mt5stated", partition="p2", instance="c"}', values: '1x10 stale'}
      - {series: 'mt5stated_instances{job="mt5stated", partition="p1", instance="a", state="running"}', values: '3x30'}
      - {series: 'mt5stated_instances{job="mt5stated", partition="p1", instance="b", state="running"}', values: '3x30'}
      - {series: 'mt5stated_instances{job="mt5stated", partition="p2", instance="c", state="running"}', values: '4x30'}
      - {series: 'mt5_instance_state{job="mt5stated", partition="p1", instance="a", instance_id="i1", state="crashed"}', values: '0 1x30'}
      - {series: 'mt5_instance_state{job="mt5stated", partition="p2", instance="c", instance_id="i2", state="crashed"}', values: '0x15 1x15'}
      - {series: 'mt5_instance_info{job="mt5stated", partition="p1", instance="a", instance_id="i1", broker_id="b1"}', values: '1x30'}
      - {series: 'mt5_instance_info{job="mt5stated", partition="p2", instance="c", instance_id="i2", broker_id="b1"}', values: '1x30'}
    alert_rule_test:
      - {alertname: Mt5statedPartitionWithoutLeader, eval_time: 100s, exp_alerts: []}
      - {alertname: Mt5statedPartitionWithoutLeader, eval_time: 250s, exp_alerts: [{}]}
      - {alertname: Mt5statedBrokerDown, eval_time: 100s, exp_alerts: []}
      - {alertname: Mt5statedBrokerDown, eval_time: 250s, exp_alerts: [{exp_labels: {broker_id: b1}}]}
    promql_expr_test:
      - {expr: 'fleet:mt5stated_instances:sum', eval_time: 50s, exp_samples: [{labels: 'fleet:mt5stated_instances:sum{state="running"}', value: 7}]}
"""


def promtool(folder, *args):
    found = subprocess.run(["promtool", *args], cwd=folder, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_rules_of_many_partitions_do_what_they_say(folder):
    scrape, rules = BLOCKS
    (folder / "prometheus.yml").write_text(scrape)
    (folder / "rules.yml").write_text(rules.replace("< 20", "< 2"))
    (folder / "test.yml").write_text(SERIES)
    promtool(folder, "check", "config", "prometheus.yml")
    promtool(folder, "test", "rules", "test.yml")
