"""Prometheus' own tool takes the rules and every expression of the dashboards; each alert of the chart fires on series
that it is for, and on no others.

`alert_cases.yaml` has the series. Which names and labels there are is tested in `tests/unit/deploy`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart_values.alerts_page import PAGE
from deploy.local.layout import Layout
from testing.helm_client import Helm, Object, named, of_kind
from testing.prometheus.promtool import Promtool, RulesRefused, ensure_promtool

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("alert_cases.yaml").read_text())
PROCESSES = ("watcher", "worker-cluster", "worker-cloud", "admin", "webhook")
RANGE = "5m"
"""In the place of Grafana's own variable."""


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    return ensure_promtool(Layout.of("test").cache)


@pytest.fixture(scope="session")
def groups(helm: Helm) -> list[Any]:
    """With every process."""
    return groups_of(helm.rendered("aks", "alerts.enabled=true"))


def groups_of(rendered: Sequence[Object]) -> list[Any]:
    found: list[Any] = named(tuple(rendered), "PrometheusRule", "modelyard-alerts")["spec"]["groups"]
    return found


def document(*tests: Any, interval: str = "1m") -> dict[str, Any]:
    """Tests of promtool's, with a sample of each series at each interval."""
    return {"evaluation_interval": interval, "tests": [{"interval": interval, **each} for each in tests]}


def looked_at(minutes: int, series: dict[str, str], fire: set[str], absent: str = "") -> dict[str, Any]:
    """With all processes but one up, and with these series, exactly these alerts fire."""
    up = {
        f'up{{job="modelyard-{name}",namespace="m",pod="{name}-1"}}': "1+0x400" for name in PROCESSES if name != absent
    }
    query = 'count by (alertname) (ALERTS{alertstate="firing"})'
    fired = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(fire)]
    return {
        "input_series": [{"series": name, "values": values} for name, values in {**up, **series}.items()],
        "promql_expr_test": [{"expr": query, "eval_time": f"{minutes}m", "exp_samples": fired}],
    }


def test_the_tool_takes_all_rules(promtool: Promtool, groups: list[Any]) -> None:
    assert f"{sum(len(group['rules']) for group in groups)} rules found" in promtool.check(groups)


def test_the_tool_takes_every_line_of_the_dashboards(promtool: Promtool, helm: Helm) -> None:
    pages = [json.loads(text) for each in dashboards(helm) for text in each["data"].values()]
    lines = {
        target["expr"].replace("$__rate_interval", RANGE)
        for page in pages
        for panel in page["panels"]
        for target in panel.get("targets", [])
    }
    assert len(lines) > 40
    rules = [{"record": f"line{number}", "expr": line} for number, line in enumerate(sorted(lines))]
    assert f"{len(lines)} rules found" in promtool.check([{"name": "lines", "rules": rules}])


def test_the_tool_refuses_what_it_cannot_read(promtool: Promtool) -> None:
    with pytest.raises(RulesRefused, match="parse error"):
        promtool.check([{"name": "any", "rules": [{"record": "a", "expr": "sum(rate(up[5m])"}]}])


@pytest.mark.parametrize("alert", CASES)
def test_it_fires_on_what_it_is_for_and_on_nothing_usual(promtool: Promtool, groups: list[Any], alert: str) -> None:
    one = CASES[alert]
    minutes, interval = one.get("minutes", 60), one.get("interval", "1m")
    fires, silent = looked_at(minutes, one["fires"], {alert}), looked_at(minutes, one["silent"], set())
    promtool.test(groups, document(fires, silent, interval=interval))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_is_gone_is_missed(promtool: Promtool, groups: list[Any], process: str) -> None:
    promtool.test(groups, document(looked_at(10, {}, {"ModelyardProcessAbsent"}, absent=process)))


def test_an_alert_that_nobody_expects_is_reported(promtool: Promtool, groups: list[Any]) -> None:
    with pytest.raises(RulesRefused, match="ModelyardProcessAbsent"):
        promtool.test(groups, document(looked_at(10, {}, set(), absent="watcher")))


def test_every_alert_has_a_case(groups: list[Any]) -> None:
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    assert names == {*CASES, "ModelyardProcessAbsent"}


def test_every_alert_leads_to_its_section(helm: Helm) -> None:
    sections = {line.removeprefix("### ").lower() for line in PAGE.read_text().splitlines() if line.startswith("### ")}
    groups = groups_of(helm.rendered("aks", "alerts.enabled=true", "alerts.runbooks=https://wiki.example/alerts"))
    links = {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert links == {f"https://wiki.example/alerts#{section}" for section in sections}


def test_nobody_waits_for_a_process_that_is_not_installed(helm: Helm) -> None:
    rendered = helm.rendered("own-cluster", "webhook.enabled=false")
    rules = [rule for group in groups_of(rendered) for rule in group["rules"]]
    assert {rule["labels"].get("process") for rule in rules} == {None, "watcher", "worker-cluster", "admin"}


def test_without_the_operator_the_same_rules_are_a_file(helm: Helm, groups: list[Any]) -> None:
    rendered = helm.rendered("aks", "alerts.enabled=true", "alerts.form=ConfigMap")
    assert of_kind(rendered, "PrometheusRule") == []
    assert yaml.safe_load(named(rendered, "ConfigMap", "modelyard-alerts")["data"]["modelyard.rules.yaml"]) == {
        "groups": groups
    }


def test_labels_by_which_others_find_them_are_there(helm: Helm) -> None:
    rule = named(helm.rendered("own-cluster"), "PrometheusRule", "modelyard-alerts")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    for each in dashboards(helm):
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Models"}


def test_nothing_of_it_is_there_unless_wanted(helm: Helm) -> None:
    rendered = helm.rendered("temporal-cloud")
    assert of_kind(rendered, "PrometheusRule", "PodMonitor") == []
    assert [each["metadata"]["name"] for each in of_kind(rendered, "ConfigMap")] == ["modelyard-policy"]


def dashboards(helm: Helm) -> list[Object]:
    found = of_kind(helm.rendered("own-cluster"), "ConfigMap")
    return [each for each in found if each["metadata"]["name"].startswith("modelyard-dashboard-")]
