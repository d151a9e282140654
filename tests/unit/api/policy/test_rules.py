"""What a Workspace may hold by the policy: where it is refused, and that what is stored can still be edited."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api.policy.document import Policy
from api.policy.reading import parse_policy
from api.policy.rules import RULE_IDS, begins_with
from presets.plan.judge import problems_on_create, problems_on_update
from tests.unit.api.validation.conftest import Builder

ROOT = Path(__file__).parents[4]
HERE = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "w", "namespace": "team-a"}}
build = Builder()


def found(document: Any, policy: str = "", provider: str = "aks") -> list[tuple[str, str]]:
    problems = problems_on_create(document, provider=provider, policy=parse_policy(policy), region="eastus")
    return [(problem.rule, problem.path) for problem in problems]


def template(**spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "vllm/vllm-openai:v1"}]} | spec
    return build.serving({"inference": {"template": {"spec": pod}}})


def container(**fields: Any) -> dict[str, Any]:
    return template(containers=[{"name": "c", "image": "vllm/vllm-openai:v1"} | fields])


def test_without_a_policy_nothing_is_refused_by_one() -> None:
    assert problems_on_create(template(hostNetwork=True), provider="aks") == []


TAKEN = {
    "host network": (template(hostNetwork=True), "spec.hostNetwork"),
    "host processes": (template(hostPID=True), "spec.hostPID"),
    "host memory": (template(hostIPC=True), "spec.hostIPC"),
    "a folder of the node": (template(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath"),
    "system priority": (template(priorityClassName="system-node-critical"), "spec.priorityClassName"),
    "another's identity": (template(serviceAccountName="admin"), "spec.serviceAccountName"),
    "another's identity, the old way": (template(serviceAccount="admin"), "spec.serviceAccount"),
    "every node": (template(tolerations=[{"operator": "Exists"}]), "spec.tolerations[0]"),
    "control planes": (
        template(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]),
        "spec.tolerations[0]",
    ),
    "a sysctl": (
        template(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        "spec.securityContext.sysctls[0].name",
    ),
    "no seccomp": (
        template(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        "spec.securityContext.seccompProfile.type",
    ),
    "a host process": (
        template(securityContext={"windowsOptions": {"hostProcess": True}}),
        "spec.securityContext.windowsOptions.hostProcess",
    ),
    "privileged": (container(securityContext={"privileged": True}), "securityContext.privileged"),
    "capabilities": (container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "capabilities.add"),
    "proc": (container(securityContext={"procMount": "Unmasked"}), "securityContext.procMount"),
    "selinux": (container(securityContext={"seLinuxOptions": {"type": "spc_t"}}), "securityContext.seLinuxOptions"),
    "apparmor": (
        container(securityContext={"appArmorProfile": {"type": "Unconfined"}}),
        "securityContext.appArmorProfile.type",
    ),
    "a port of the node": (container(ports=[{"containerPort": 80, "hostPort": 80}]), "ports[0].hostPort"),
    "a probe elsewhere": (
        container(livenessProbe={"httpGet": {"path": "/", "port": 80, "host": "169.254.169.254"}}),
        "livenessProbe.httpGet.host",
    ),
}


@pytest.mark.parametrize(("document", "path"), TAKEN.values(), ids=TAKEN)
def test_a_template_that_takes_more_than_its_pod_is_refused(document: Any, path: str) -> None:
    [(rule, where)] = found(document)
    assert rule == "P8" and where.startswith("inference.template.") and where.endswith(path)


def test_init_containers_are_no_way_around() -> None:
    sly = {"name": "i", "image": "i:1", "securityContext": {"privileged": True}}
    assert [rule for rule, _ in found(template(initContainers=[sly]))] == ["P8"]


def test_an_annotation_is_no_way_around() -> None:
    document = template()
    key = "container.apparmor.security.beta.kubernetes.io/c"
    document["inference"]["template"]["metadata"] = {"annotations": {key: "unconfined"}}
    assert [rule for rule, _ in found(document)] == ["P8"]


def test_the_operator_may_allow_each() -> None:
    allowed = """
    defaults:
      templates:
        privileges: [hostNamespaces, hostPath, hostPorts, hostProbes, privileged, capabilities, procMount, profiles,
          sysctls, systemPriority]
        serviceAccounts: ["*"]
        tolerations: ["node-role.kubernetes.io/*"]
    """
    left = {name for name, (document, _) in TAKEN.items() if found(document, allowed)}
    assert left == {"every node"}, "no pattern names a toleration without a key"


def test_templates_can_be_switched_off_for_some() -> None:
    policy = "namespaces: [{namespaces: [team-a], rules: {templates: {allowed: false}}}]"
    assert found(template(hostNetwork=True), policy) == [("P7", "inference.template")]
    elsewhere = template()
    elsewhere["metadata"]["namespace"] = "team-b"
    assert found(elsewhere, policy) == []


@pytest.mark.parametrize("kind", ["hostPath", "nfs", "iscsi", "azureFile", "gitRepo"])
def test_a_volume_source_that_reaches_the_node_or_its_network_is_refused(kind: str) -> None:
    volume = {kind: {"path": "/"}}
    adapter = {"source": {"name": "a", "volumeSource": volume}}
    assert found(build.serving({"inference.adapters": [adapter]})) == [
        ("P6", f"inference.adapters[0].source.volumeSource.{kind}")
    ]
    data = build.tuning({"tuning.input": {"volumeSource": volume}, "tuning.output": {"volumeSource": volume}})
    assert found(data) == [("P6", f"tuning.{end}.volumeSource.{kind}") for end in ("input", "output")]
    assert found(data, f"defaults: {{volumes: [{kind}]}}") == []


def test_a_claim_is_what_volumes_are_for() -> None:
    volume = {"persistentVolumeClaim": {"claimName": "c"}}
    assert (
        found(build.tuning({"tuning.input": {"volumeSource": volume}, "tuning.output": {"volumeSource": volume}})) == []
    )


OWN = """
defaults:
  repositories:
    adapters: ["registry.example.com/{namespace}"]
    data: ["registry.example.com/{namespace}/"]
    output: ["registry.example.com/{namespace}/"]
  templates: {imagePrefixes: [docker.io/vllm/]}
"""


def test_a_tenant_cannot_name_another_tenants_adapter_or_data() -> None:
    def named(tenant: str) -> list[tuple[str, str]]:
        image = f"registry.example.com/{tenant}/x:1"
        adapter = {"source": {"name": "a", "image": image}}
        output = {"image": image, "imagePushSecret": "push"}
        tuning = build.tuning({"tuning.input": {"image": image}, "tuning.output": output})
        return [*found(build.serving({"inference.adapters": [adapter]}), OWN), *found(tuning, OWN)]

    assert named("team-a") == []
    refused = [
        ("P10", path) for path in ("inference.adapters[0].source.image", "tuning.input.image", "tuning.output.image")
    ]
    assert named("team-b") == refused
    assert named("team-ab") == refused, "a name that begins like the own one"
    assert named("team-a/../team-b")[0][0] == "P10" or "C46" in str(named("team-a/../team-b"))


def test_images_of_templates_are_from_where_the_operator_says() -> None:
    assert found(template(), OWN) == []
    bad = template(initContainers=[{"name": "i", "image": "evil/vllm:1"}])
    assert found(bad, OWN) == [("P9", "inference.template.spec.initContainers[0].image")]


@pytest.mark.parametrize(
    ("image", "prefix", "within"),
    [
        ("vllm/vllm-openai", "docker.io/vllm", True),
        ("index.docker.io/vllm/x", "docker.io/vllm/", True),
        ("nginx", "docker.io/library/nginx", True),
        ("docker.io.evil.example/vllm/x", "docker.io/vllm", False),
        ("registry.example.com/ab/x", "registry.example.com/a", False),
        ("registry.example.com:5000/a/x", "registry.example.com/a", False),
        ("registry.example.com/a@sha256:" + "0" * 64, "registry.example.com/a", True),
        ("not an image", "not", False),
    ],
)
def test_where_an_image_lies(image: str, prefix: str, within: bool) -> None:
    assert begins_with(image, prefix) is within


LIMITED = 'namespaces: [{namespaces: [team-a], rules: {machineTypes: ["Standard_NC*_A100_v4"], dollarsPerHour: 10}}]'


def test_a_namespace_limited_to_ten_dollars_and_a100s_is_told_at_admission() -> None:
    path = "resource.instanceType"
    replicas = "metadata.annotations[modelyard.dev/replicas]"
    assert found(build.serving({"resource.count": 3}), LIMITED) == []
    assert found(build.serving({replicas: "2"}), LIMITED) == []
    assert found(build.serving({replicas: "3"}), LIMITED) == [("P4", path)]
    assert found(build.serving({"resource.instanceType": "Standard_NC40ads_H100_v5"}), LIMITED) == [("P2", path)]


def test_a_fallback_is_no_way_around() -> None:
    given = "metadata.annotations[modelyard.dev/instance-type-fallbacks]"
    assert found(build.serving({given: "Standard_NC40ads_H100_v5"}), LIMITED) == [("P2", given)]


def test_spot_only_asks_for_spot() -> None:
    given, policy = "metadata.annotations[modelyard.dev/capacity-types]", "defaults: {spotOnly: true}"
    assert found(build.serving(), policy) == [("P5", given)]
    assert found(build.serving({given: "spot,on-demand"}), policy) == [("P5", given)]
    assert found(build.serving({given: "spot"}), policy) == []


def test_a_provider_that_is_not_allowed_cannot_be_asked_for() -> None:
    given, policy = "metadata.annotations[modelyard.dev/node-provider]", "defaults: {providers: [aks]}"
    assert found(build.own_nodes(), policy) == [("P1", given)]
    assert found(build.serving({given: "karpenter"}), policy) == [("P1", given)]


def test_what_is_stored_can_be_edited_and_cannot_get_worse() -> None:
    stored = template(hostNetwork=True)
    labelled = template(hostNetwork=True)
    labelled["metadata"]["annotations"] = {"modelyard.dev/retry": "1"}
    worse = template(hostNetwork=True, hostPID=True)
    assert problems_on_update(stored, labelled, policy=Policy()) == []
    assert [problem.path for problem in problems_on_update(stored, worse, policy=Policy())] == [
        "inference.template.spec.hostPID"
    ]


EXAMPLES = [
    *sorted((ROOT / "examples").glob("*.yaml")),
    *sorted((ROOT / "tests" / "fixtures" / "workspaces").glob("valid/*.yaml")),
]


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_an_example_is_admitted_by_the_default_policy(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        if document["kind"] == "Workspace":
            own_nodes = "instanceType" not in document.get("resource", {})
            said = found(document, provider="byo" if own_nodes else "aks")
            assert [rule for rule, _ in said if rule in RULE_IDS] == []


def test_any_wrong_type_in_a_template_is_a_report_and_no_exception() -> None:
    for value in (None, 3, "x", [], [3], {"a": 3}, [{"name": 3}], True):
        for field in ("containers", "initContainers", "volumes", "tolerations", "securityContext", "priorityClassName"):
            found(template(**{field: value}))
        for field in ("securityContext", "ports", "livenessProbe", "lifecycle", "image"):
            found(container(**{field: value}))
