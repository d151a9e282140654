"""The objects of a plan: what Kubernetes is asked for."""

import json
from typing import Any

import pytest

from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.manifests.serving import workload_objects
from api import labels
from api.pods.serve import ServeConfig
from presets.models.catalog import find_model
from testing.pods.inputs import IMAGES, PINNED
from tests.builders import a_plan

KEY = WorkspaceKey(namespace="team", name="w", uid="uid-1")


def of_a_preset(**changes: Any) -> Plan:
    return a_plan(KEY, **({"model": "org/m", "served_model_name": "m", "digest": "d1"} | changes))


def objects(plan: Plan, template: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(workload_objects(plan, PINNED if plan.kind == "preset" else None, {}, template, IMAGES))


def test_every_object_is_owned_and_labelled() -> None:
    for body in objects(of_a_preset()).values():
        owner = body["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Workspace", "uid-1", True)
        assert body["metadata"]["labels"]["kaito.sh/workspace"] == "w"
        assert body["metadata"]["labels"]["modelyard.dev/workspace-uid"] == "uid-1"


def test_the_small_image_comes_first_so_that_weights_load_while_the_large_one_is_pulled() -> None:
    pod = objects(of_a_preset())["Deployment"]["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["fetch", "serve"]
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("balancer", "kind", "annotation"),
    [("", "ClusterIP", None), ("public", "LoadBalancer", None), ("internal", "LoadBalancer", "true")],
)
def test_the_service_is_a_load_balancer_where_one_is_asked_for(
    balancer: str, kind: str, annotation: str | None
) -> None:
    service = objects(of_a_preset(load_balancer=balancer))["Service"]
    assert service["spec"]["type"] == kind
    assert service["metadata"]["annotations"].get(labels.INTERNAL_LOAD_BALANCER) == annotation


def test_local_weights_are_the_nodes_own_and_nothing_is_fetched() -> None:
    made = objects(of_a_preset(local_weights=True))
    pod = made["Deployment"]["spec"]["template"]["spec"]
    [serve] = pod["containers"]
    [volume] = [volume for volume in pod["volumes"] if "hostPath" in volume]
    folder = PINNED.model.lower().replace("/", "-")
    assert volume["hostPath"] == {"path": f"/opt/kaito/models/{folder}", "type": "Directory"}
    [mount] = [mount for mount in serve["volumeMounts"] if mount["name"] == volume["name"]]
    config = ServeConfig.model_validate_json(made["ConfigMap"]["data"]["serve.json"])
    assert mount == {"name": volume["name"], "mountPath": config.weights_path, "readOnly": True} and not config.fetched


def test_the_service_sends_to_ready_pods_on_5000() -> None:
    spec = objects(of_a_preset())["Service"]["spec"]
    assert [(port["port"], port["targetPort"]) for port in spec["ports"]] == [(80, 5000)]
    assert "publishNotReadyAddresses" not in spec


def test_serve_json_is_what_the_runtime_reads_and_pins_the_commit() -> None:
    config = ServeConfig.model_validate_json(objects(of_a_preset())["ConfigMap"]["data"]["serve.json"])
    assert config.revision == "a" * 40
    assert config.weights_path.endswith("a" * 40)


def test_a_token_is_named_and_never_copied() -> None:
    pod = objects(of_a_preset(access_secret="hf"))["Deployment"]["spec"]["template"]["spec"]
    fetch, serve = pod["containers"]
    [volume] = [each for each in pod["volumes"] if "secret" in each]
    [mount] = [each for each in fetch["volumeMounts"] if each["name"] == volume["name"]]
    assert volume["secret"]["secretName"] == "hf" and mount["readOnly"]
    [item] = volume["secret"]["items"]
    environment = {entry["name"]: entry["value"] for entry in fetch["env"]}
    assert environment["HF_TOKEN_PATH"] == f"{mount['mountPath']}/{item['path']}" and item["key"] == "HF_TOKEN"
    assert "HF_TOKEN" not in environment and "HF_TOKEN" not in json.dumps(serve)
    assert volume["name"] not in json.dumps(serve)


def test_pods_on_own_nodes_ask_for_the_label_that_counts_their_gpus() -> None:
    pod = objects(of_a_preset(provider="byo", gpus_per_node=2))["Deployment"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"gpus.modelyard.dev/uid-1": "2"}
    assert pod["containers"][1]["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_pods_run_on_their_workspaces_nodes_only_whatever_the_template_says() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"x": "y"}, "containers": []}}
    deployment = objects(of_a_preset(kind="template", model=""), template)["Deployment"]
    pod = deployment["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {"x": "y", "modelyard.dev/workspace-uid": "uid-1"}
    assert {toleration["key"] for toleration in pod["spec"]["tolerations"]} >= {"sku", "nvidia.com/gpu"}
    assert pod["metadata"]["labels"]["a"] == "b"
    assert "ConfigMap" not in objects(of_a_preset(kind="template", model=""), template)


def test_the_servers_parsers_are_those_of_the_catalogue() -> None:
    model = find_model("deepseek-ai/DeepSeek-V3.2")
    options = {"enable_auto_tool_choice": True, "tool_call_parser": model.tool_parser}
    assert model.tool_parser and options.items() <= model.vllm_options.items()
    config = json.loads(objects(of_a_preset(vllm_options=model.vllm_options))["ConfigMap"]["data"]["serve.json"])
    assert config["model_options"] == model.vllm_options


SLICE = "nvidia.com/mig-1g.10gb"


def test_pods_of_a_slice_ask_for_it_and_select_its_reservation() -> None:
    plan = of_a_preset(provider="byo", placed=True, gpu_resource=SLICE)
    pod = objects(plan)["Deployment"]["spec"]["template"]["spec"]
    resources = pod["containers"][1]["resources"]
    assert resources["limits"][SLICE] == "1" == resources["requests"][SLICE]
    assert "nvidia.com/gpu" not in resources["limits"]
    assert list(pod["nodeSelector"].values()) == ["1_mig-1g.10gb"]
    assert SLICE in [toleration["key"] for toleration in pod["tolerations"]]


def of_a_template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return objects(of_a_preset(kind="template", model=""), {"spec": {"containers": list(containers)} | spec})


def server(**more: Any) -> dict[str, Any]:
    return {"name": "llm", "image": "i:1"} | more


def test_the_service_of_a_template_sends_to_the_port_that_it_declares() -> None:
    [port] = of_a_template(server(ports=[{"containerPort": 8000}]))["Service"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, 8000)
    [kaitos] = of_a_template(server())["Service"]["spec"]["ports"]
    assert kaitos["targetPort"] == 5000


def test_a_template_without_a_readiness_probe_is_ready_when_its_port_takes_connections() -> None:
    made = of_a_template(server(ports=[{"containerPort": 8000}]), server(name="side"))
    first, side = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert first["readinessProbe"]["tcpSocket"] == {"port": 8000} and "readinessProbe" not in side


def test_a_probe_of_the_templates_own_stays() -> None:
    probe = {"httpGet": {"path": "/ready", "port": 8000}}
    made = of_a_template(server(ports=[{"containerPort": 8000}], readinessProbe=probe))
    [container] = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"] == probe


def test_what_a_templates_container_wrote_last_stays_in_its_status() -> None:
    made = of_a_template(
        server(), server(name="own", terminationMessagePolicy="File"), initContainers=[server(name="i")]
    )
    pod = made["Deployment"]["spec"]["template"]["spec"]
    policies = [one["terminationMessagePolicy"] for one in [*pod["initContainers"], *pod["containers"]]]
    assert policies == ["FallbackToLogsOnError", "FallbackToLogsOnError", "File"]
