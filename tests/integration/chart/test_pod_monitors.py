"""The pods of Workspaces are read where they answer, and what they say is kept apart from what our processes say."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from activities.contract.tuning import TuningPart
from activities.manifests.serving import workload_objects
from activities.manifests.tuning import Tuning, TuningPodSettings, job
from api.configs.training import parse_training_config
from api.resource.data import DataDestination, DataSource
from deploy.chart_values.dashboards import DASHBOARDS
from deploy.local.layout import REPOSITORY
from testing.helm_client import Helm, Object, named, of_kind
from testing.pods.inputs import IMAGES, PINNED
from testing.prometheus.exposed import OF_MODELS, OF_PROCESSES, of_others, of_our_processes, of_our_programs
from testing.prometheus.promql import selectors
from tests.builders import a_plan

TUNING = Tuning(
    preset="m",
    input=DataSource(urls=["https://data.example/rows.jsonl"]),
    output=DataDestination(image="registry/facts:1", image_push_secret="push"),
    config=parse_training_config("training_config: {}"),
)
AROUND = TuningPodSettings(tune_image="tune:1", data_image="data:1")


@pytest.fixture
def spec(helm: Helm) -> dict[str, Any]:
    found: dict[str, Any] = named(helm.rendered("own-cluster"), "PodMonitor", "modelyard-models")["spec"]
    return found


def pods() -> dict[str, Object]:
    """The templates of all pods that a worker asks for, with the ports that a monitor shall find there."""
    serving = workload_objects(a_plan(), PINNED, {}, None, IMAGES)
    made = {"serve": dict(serving)["Deployment"]}
    plan = a_plan(kind="tuning", method="lora", output_image="registry/facts:1", volume_gib=10)
    for part in get_args(TuningPart):
        made[part] = job(plan, part, "digest", TUNING, PINNED, AROUND, IMAGES)
    return {name: one["spec"]["template"] for name, one in made.items()}


@pytest.mark.parametrize("name", ["serve", *get_args(TuningPart)])
def test_pods_of_workspaces_are_found_with_their_ports(spec: dict[str, Any], name: str) -> None:
    pod = pods()[name]
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    asked = {each["port"] for each in spec["podMetricsEndpoints"]}
    there = [{port["name"] for port in one.get("ports", [])} for one in pod["spec"]["containers"]]
    assert all(ports & asked for ports in there)


def test_labels_that_dashboards_choose_by_are_taken_from_pods(spec: dict[str, Any]) -> None:
    taken = {re.sub(r"\W", "_", label) for label in spec["podTargetLabels"]}
    assert taken <= OF_MODELS and "kaito_sh_workspace" in taken


def test_a_pod_that_speaks_as_the_watcher_raises_no_alert(spec: dict[str, Any], tmp_path: Path) -> None:
    """A tenant's pod may say anything at /metrics: only what models say is kept of it."""
    read = {
        one.metric for panel in DASHBOARDS["models"].panels for line in panel.lines.values() for one in selectors(line)
    }
    ours = {*of_our_processes(), *of_others("temporal"), *OF_PROCESSES}
    for endpoint in spec["podMetricsEndpoints"]:
        [rule] = endpoint["metricRelabelings"]
        assert (rule["action"], rule["sourceLabels"]) == ("keep", ["__name__"])
        kept = re.compile(rule["regex"])
        assert all(kept.fullmatch(name) for name in {*read, *of_our_programs(tmp_path), *of_others("vllm")})
        assert not [name for name in ours if kept.fullmatch(name)]
        assert not endpoint.get("honorLabels")
    assert spec["sampleLimit"] > 1000 and spec["jobLabel"] == "app.kubernetes.io/managed-by"


def test_namespaces_can_be_named(helm: Helm) -> None:
    chosen = named(helm.rendered("aks"), "PodMonitor", "modelyard-models")["spec"]["namespaceSelector"]
    assert chosen == {"matchNames": ["team-a", "team-b"]}
    everywhere = named(helm.rendered("own-cluster"), "PodMonitor", "modelyard-models")["spec"]["namespaceSelector"]
    assert everywhere == {"any": True}
    assert len(of_kind(helm.rendered("aks", "podMonitors.models=false"), "PodMonitor")) == 5


def test_a_process_is_known_by_its_job(helm: Helm) -> None:
    rendered = helm.rendered("aks")
    for monitor in of_kind(rendered, "PodMonitor"):
        if (name := monitor["metadata"]["name"]) != "modelyard-models":
            pod = named(rendered, "Deployment", name)["spec"]["template"]
            assert pod["metadata"]["labels"][monitor["spec"]["jobLabel"]] == name


def test_without_the_operator_the_same_pods_are_read(helm: Helm) -> None:
    """By the scrape configuration of docs/alerts.md. A pod that is read and has no metrics would be down for ever."""
    page = (REPOSITORY / "docs/alerts.md").read_text()
    [block] = re.findall(r"^```yaml\n(scrape_configs:.*?)^```", page, re.M | re.S)
    [found] = yaml.safe_load(block)["scrape_configs"]
    [kept] = [rule["regex"] for rule in found["relabel_configs"] if rule.get("action") == "keep"]
    rendered = helm.rendered("embedded-temporal", "podMonitors.enabled=true")
    read = {
        workload["metadata"]["name"]
        for workload in of_kind(rendered, "Deployment", "StatefulSet")
        for container in workload["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
        if re.fullmatch(kept, port["name"])
    }
    assert read == {each["metadata"]["name"] for each in of_kind(rendered, "PodMonitor")}
