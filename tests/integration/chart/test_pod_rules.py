"""What clusters ask of pods: Pod Security `restricted`, requests, probes, spreading, for every pod of the chart.

The API server judges the same pods by its own Pod Security in `test_on_an_api_server.py`; AKS's Deployment Safeguards
are in `test_safeguards.py`.
"""

import re
from typing import Any

import pytest

from process.serving.asgi import DRAIN_S
from testing.helm_client import Helm, Object, named, of_kind

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
RULES_S = 15
"""So long after an endpoint has gone a starved node still sends requests there: of 48 changes that its kube-proxy was
told of at load 30 on two cores, 40 were in its rules within 5 s, and 46 within 16."""
ON_NODES = "modelyard-device-plugin"
"""It talks to the kubelet through a folder of the node's, as root: no profile but `privileged` allows that."""


@pytest.fixture
def workloads(rendered: tuple[Object, ...]) -> list[Object]:
    found = of_kind(rendered, *WORKLOADS)
    assert len(found) >= 4
    return found


def pod_of(workload: Object) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def thousandths(cpu: str) -> float:
    return float(cpu.removesuffix("m")) if cpu.endswith("m") else float(cpu) * 1000


def mebibytes(memory: str) -> int:
    found = re.fullmatch(r"(\d+)(Mi|Gi)", memory)
    assert found is not None, memory
    return int(found[1]) * (1024 if found[2] == "Gi" else 1)


def test_pods_stay_away_from_windows_nodes(workloads: list[Object]) -> None:
    """AKS taints none of them, and there is no image for them."""
    for workload in workloads:
        assert pod_of(workload)["nodeSelector"]["kubernetes.io/os"] == "linux", workload["metadata"]["name"]


def test_a_node_selector_of_yours_is_added(helm: Helm) -> None:
    pod = pod_of(named(helm.rendered("aks", "watcher.nodeSelector.pool=system"), "Deployment", "modelyard-watcher"))
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "system"}


def test_pods_are_restricted(workloads: list[Object]) -> None:
    for workload in workloads:
        pod, name = pod_of(workload), workload["metadata"]["name"]
        assert not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")), name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert security["readOnlyRootFilesystem"] is True, name
            profile = security.get("seccompProfile") or pod["securityContext"]["seccompProfile"]
            assert profile == {"type": "RuntimeDefault"}, name
        if name != ON_NODES:
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod["securityContext"]["runAsUser"] > 0, name
            assert all({"configMap", "emptyDir", "secret"} & set(volume) for volume in pod["volumes"]), name


def test_what_is_written_has_a_place(workloads: list[Object]) -> None:
    for workload in workloads:
        if workload["metadata"]["name"] != ON_NODES:
            for container in pod_of(workload)["containers"]:
                assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_each_container_asks_for_something_and_is_bounded(workloads: list[Object]) -> None:
    for workload in workloads:
        for container in pod_of(workload)["containers"]:
            asked, most = container["resources"]["requests"], container["resources"]["limits"]
            assert 100 <= thousandths(asked["cpu"]) <= thousandths(most["cpu"]), workload["metadata"]["name"]
            assert 100 <= mebibytes(asked["memory"]) <= mebibytes(most["memory"]), workload["metadata"]["name"]


def test_images_are_named_with_a_version(workloads: list[Object]) -> None:
    for workload in workloads:
        for container in pod_of(workload)["containers"]:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag and tag != "latest", container["image"]


def test_each_process_is_probed(workloads: list[Object]) -> None:
    for workload in workloads:
        if workload["kind"] != "DaemonSet":
            for container in pod_of(workload)["containers"]:
                assert {"livenessProbe", "readinessProbe", "startupProbe"} <= set(container)


def test_what_a_service_selects_answers_until_nobody_is_sent_there_any_more(rendered: tuple[Object, ...]) -> None:
    """Seen with load 37 on two cores: an admission was sent to a webhook that had been told to stop 6 s before."""
    selectors = [each["spec"]["selector"] for each in of_kind(rendered, "Service")]
    asked = 0
    for workload in of_kind(rendered, "Deployment"):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        if not any(selector.items() <= labels.items() for selector in selectors):
            continue
        asked += 1
        pod = pod_of(workload)
        [container] = pod["containers"]
        [lingers] = [each["value"] for each in container["env"] if each["name"] == "MODELYARD_STOP_DELAY"]
        assert float(lingers) >= RULES_S
        assert float(lingers) + DRAIN_S < pod["terminationGracePeriodSeconds"]
    assert asked == 2, "the admin service and the webhook"


def test_a_start_on_a_starved_node_is_not_begun_again(rendered: tuple[Object, ...]) -> None:
    """Seen with load 30 on two cores: a Python process took longer than two minutes to answer."""
    for workload in of_kind(rendered, "Deployment"):
        [container] = pod_of(workload)["containers"]
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 600
        assert probe["timeoutSeconds"] >= 5


def test_pods_are_spread_and_a_node_can_be_drained(rendered: tuple[Object, ...]) -> None:
    budgets = {str(each["spec"]["selector"]): each["spec"] for each in of_kind(rendered, "PodDisruptionBudget")}
    for workload in of_kind(rendered, "Deployment", "StatefulSet"):
        selector = workload["spec"]["selector"]
        keys = [each["topologyKey"] for each in pod_of(workload)["topologySpreadConstraints"]]
        assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        assert all(each["labelSelector"] == selector for each in pod_of(workload)["topologySpreadConstraints"])
        if workload["kind"] == "Deployment":
            assert budgets[str(selector)]["maxUnavailable"] == 1


def test_there_are_two_of_everything_but_of_the_trial_temporal(helm: Helm) -> None:
    for value_set, fewest in (("aks", 2), ("air-gapped", 2)):
        for workload in of_kind(helm.rendered(value_set), "Deployment"):
            assert workload["spec"]["replicas"] >= fewest
    [temporal] = of_kind(helm.rendered("air-gapped"), "StatefulSet")
    assert temporal["spec"]["replicas"] == 1


def test_selectors_select_the_workloads_own_pods_and_no_others(workloads: list[Object]) -> None:
    chosen = [tuple(sorted(each["spec"]["selector"]["matchLabels"].items())) for each in workloads]
    assert len(set(chosen)) == len(chosen)
    for workload in workloads:
        found = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= found.items()


SCALED = {"workerCluster": "worker-cluster", "workerCloud": "worker-cloud", "admin": "admin", "webhook": "webhook"}
"""Values by process; the watcher, of which one leads, is refused (`test_rendering.py`)."""


def test_each_process_but_the_watcher_can_be_scaled(helm: Helm) -> None:
    processes = {each["metadata"]["name"] for each in of_kind(helm.rendered("aks"), "Deployment")}
    assert processes == {f"modelyard-{name}" for name in (*SCALED.values(), "watcher")}


@pytest.mark.parametrize("values", SCALED)
def test_autoscalers_own_the_number_of_pods(helm: Helm, values: str) -> None:
    """A number in the Deployment would undo, with each upgrade, what the autoscaler has chosen."""
    setting = f"{values}.autoscaling"
    chosen = (f"{values}.replicas=3", f"{setting}.enabled=true", f"{setting}.maxReplicas=8", f"{setting}.cpuPercent=55")
    rendered = helm.rendered("aks", *chosen)
    [autoscaler] = of_kind(rendered, "HorizontalPodAutoscaler")
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (3, 8)
    [metric] = autoscaler["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 55}}
    target = autoscaler["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"modelyard-{SCALED[values]}"}
    for deployment in of_kind(rendered, "Deployment"):
        assert ("replicas" in deployment["spec"]) is (deployment["metadata"]["name"] != target["name"])
    [container] = pod_of(named(rendered, "Deployment", target["name"]))["containers"]
    assert container["resources"]["requests"]["cpu"], "the use is counted as a part of the request"


def test_without_autoscaling_nothing_but_the_values_scales(helm: Helm) -> None:
    assert of_kind(helm.rendered("aks"), "HorizontalPodAutoscaler") == []
