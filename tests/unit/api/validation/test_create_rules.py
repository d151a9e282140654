"""Each rule of a new Workspace, by its id: what it refuses, in which words and where, and what it accepts."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from api.policy.rules import RULE_IDS
from api.validation.rules import rule_table
from presets.plan.judge import problems_on_create
from tests.unit.api.validation.conftest import GONE, V1ALPHA1, V1BETA1, Builder

Obj = dict[str, Any]
BOTH, FIRST, LATER = (V1ALPHA1, V1BETA1), (V1ALPHA1,), (V1BETA1,)
BYO = "metadata.annotations[modelyard.dev/node-provider]"
SLICE = {"resource.partition": {"mode": "mig", "profile": "1g.10gb"}}
NO_SLICES = (
    *("1g.0gb", "0g.10gb", "5g.50gb", "1g.10gb+me", "2g.10gb-me", "1c.2g.20gb", "1g.10tb", "1G.10GB", " 1g.10gb "),
    *("1g", "10gb", "bad", ""),
)


@dataclass(frozen=True)
class Case:
    """`kind` is a method of the builder; `path` and `says` are the problem's, `says` as a part of its message."""

    rule: str
    kind: str
    refused: Obj
    path: str
    says: str
    accepted: Obj = field(default_factory=dict)
    provider: str = "aks"
    versions: tuple[str, ...] = BOTH


def annotation(key: str, value: Any) -> Obj:
    return {f"metadata.annotations[kaito.sh/{key}]": value}


def ours(key: str, value: Any) -> Obj:
    return {f"metadata.annotations[modelyard.dev/{key}]": value}


def adapter(**fields: Any) -> Obj:
    return {"source": {"name": "support", "image": "registry.example.com/support:1"}} | fields


def adapters(*given: Any) -> Obj:
    return {"inference.adapters": list(given)}


def source(**fields: Any) -> Obj:
    return {"tuning.input": {"name": "talks"} | fields}


def at_url(url: str) -> Obj:
    return {"tuning.input.urls": [url]}


VICTIM = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"
VOLUME = {"persistentVolumeClaim": {"claimName": "p"}}
TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}
AWAY = "../../victim/secrets/regcred"


def _naming(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i:1"} | container]}


NAMES_IN_PODS: dict[str, dict[str, Any]] = {
    "imagePullSecrets[0].name": {"imagePullSecrets": [{"name": AWAY}]},
    "volumes[0].secret.secretName": {"volumes": [{"name": "v", "secret": {"secretName": AWAY}}]},
    "volumes[0].configMap.name": {"volumes": [{"name": "v", "configMap": {"name": AWAY}}]},
    "volumes[0].projected.sources[0].secret.name": {
        "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": AWAY}}]}}]
    },
    "containers[0].envFrom[0].secretRef.name": _naming(envFrom=[{"secretRef": {"name": AWAY}}]),
    "containers[0].env[0].valueFrom.secretKeyRef.name": _naming(
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": AWAY, "key": "k"}}}]
    ),
}
"""Where a template names a Secret or a ConfigMap, and a pod that leads to another namespace's."""

RETIRED_SIZES = [
    ("Standard_NC12_Promo", "2023-09-06", "Standard_NC4as_T4_v3"),
    ("Standard_NC24rs_v2", "2023-09-06", "Standard_NC24ads_A100_v4"),
    ("standard_nc6s_v3", "2025-09-30", "Standard_NC24ads_A100_v4"),
    ("Standard_ND12s", "2023-09-06", "Standard_NC24ads_A100_v4"),
    ("Standard_ND40rs_v2", "2025-09-30", "Standard_ND96amsr_A100_v4"),
    ("Standard_NV6", "2023-09-06", "Standard_NV36ads_A10_v5"),
    ("Standard_NV24s_v3", "2026-09-30", "Standard_NV36ads_A10_v5"),
    ("Standard_NV16as_v4", "2026-09-30", "Standard_NV36ads_A10_v5"),
]
CASES = [
    Case("L1", "serving", {"resource.count": float("nan")}, "resource.count", "not a finite number"),
    Case("S1", "serving", {"resource.count": "2"}, "resource.count", "valid integer", {"resource.count": 2}),
    Case("S1", "serving", {"inference.presets": {}}, "inference.presets", "did you mean 'preset'?"),
    Case("S1", "serving", {"inference": "phi-4"}, "inference", "must be a map of fields"),
    Case("S1", "serving", {"resource.labelSelector": GONE}, "resource.labelSelector", "is required"),
    Case("C1", "serving", {"metadata.name": "Phi_4"}, "metadata.name", "invalid value", {"metadata.name": "phi-4"}),
    Case("C1", "serving", {"metadata.name": "4phi"}, "metadata.name", "start with a lower-case letter"),
    Case("C1", "serving", {"metadata.name": "a" * 55}, "metadata.name", "54", {"metadata.name": "a" * 54}),
    Case("C1", "serving", {"metadata.name": GONE}, "metadata.name", "missing field(s)"),
    Case("C1", "serving", {"metadata": {"generateName": "Phi-"}}, "metadata.generateName", "invalid value",
         {"metadata": {"generateName": "phi-"}}),
    Case("C2", "serving", {"inference": GONE}, "inference",
         "Either Inference or Tuning must be specified, not neither"),
    Case("C3", "tuning", {"inference": {"preset": {"name": "phi-4"}}}, "tuning",
         "Either Inference or Tuning must be specified, but not both"),
    Case("C4", "serving", annotation("node-image-family", "windows"),
         "metadata.annotations[kaito.sh/node-image-family]", "unsupported node image family",
         annotation("node-image-family", " AzureLinux ")),
    Case("C5", "serving", annotation("performance-mode", "fast"), "metadata.annotations[kaito.sh/performance-mode]",
         "not a valid performance mode", annotation("performance-mode", "throughput")),
    Case("C6", "serving", annotation("use-local-weights", "yes"), "metadata.annotations[kaito.sh/use-local-weights]",
         'must be "true" or "false"', annotation("use-local-weights", "true")),
    Case("C7", "serving", annotation("node-class-name", "mine"), "metadata.annotations[kaito.sh/node-class-name]",
         "not a KAITO-managed NodeClass", annotation("node-class-name", "image-family-ubuntu"), "karpenter"),
    Case("M7", "serving", {BYO: "aws"}, BYO, "is not a node provider; use aks or karpenter or byo", {BYO: "karpenter"}),
    Case("M7", "serving", annotation("node-provisioner", "gke"), "metadata.annotations[kaito.sh/node-provisioner]",
         "is not a node provider", annotation("node-provisioner", "azure-gpu-provisioner")),
    Case("C8", "serving", {"resource.instanceType": GONE}, "resource.instanceType",
         "instanceType is required when node auto-provisioning is enabled", versions=LATER),
    Case("C8", "serving", {"resource": GONE}, "resource.instanceType", "instanceType is required"),
    Case("C9", "own_nodes", {"resource.instanceType": "Standard_NC24ads_A100_v4"}, "resource.instanceType",
         "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)", versions=LATER),
    Case("C12", "serving", {"resource.labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
         "resource.labelSelector.matchExpressions[0]", "invalid value: only matchLabels or 'In'",
         {"resource.labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}),
    Case("C12", "own_nodes", {"resource.labelSelector": {"matchExpressions": [
         {"key": "kubernetes.azure.com/mode", "operator": "NotIn", "values": ["system"]}]}},
         "resource.labelSelector.matchExpressions[0]", "because nodes are found by labels that have one value",
         {"resource.labelSelector": {"matchExpressions": [
          {"key": "kubernetes.azure.com/agentpool", "operator": "In", "values": ["gpu"]}]}}),
    Case("C12", "serving", {"resource.labelSelector": {"matchLabels": {"a": "x"}, "matchExpressions": [
         {"key": "a", "operator": "In", "values": ["y"]}]}}, "resource.labelSelector.matchExpressions[0]", "both"),
    Case("C13", "serving", {"resource.labelSelector": {"matchLabels": {"kaito.sh/workspace": "x"}}},
         "resource.labelSelector.matchLabels", "matchLabels must contain at least one non-reserved label",
         {"resource.labelSelector": {"matchLabels": {"kaito.sh/workspace": "x", "a": "b"}}}, versions=LATER),
    Case("C15", "serving", {"resource.instanceType": "Standard_NC24ads_A100"}, "resource.instanceType",
         "Unsupported instance type", {"resource.instanceType": "standard_nc24ads_a100_v4"}),
    Case("C15", "serving", {"resource.instanceType": "p4d.24xlarge"}, "resource.instanceType", "Supported SKUs"),
    Case("C15", "serving", {"resource.instanceType": "x" * 500}, "resource.instanceType", "500 characters"),
    Case("C16", "serving", {"inference.preset.name": "falcon-40b", "resource.instanceType": "Standard_NC4as_T4_v3"},
         "resource.instanceType", "Insufficient total GPU memory",
         {"inference.preset.name": "falcon-40b", "resource.instanceType": "Standard_NC48ads_A100_v4"},
         versions=FIRST),
    Case("C17", "serving", {"inference.preset.name": "falcon-40b", "resource.instanceType": "Standard_NC4as_T4_v3"}
         | annotation("runtime", "transformers"), "resource.instanceType", "Insufficient total GPU memory",
         {"inference.preset.name": "falcon-40b", "resource.instanceType": "Standard_NC4as_T4_v3"}
         | annotation("runtime", "transformers") | annotation("bypass-resource-checks", ""), versions=LATER),
    Case("C17", "tuning", {"tuning.preset.name": "falcon-40b", "resource.instanceType": "Standard_NC4as_T4_v3"},
         "resource.instanceType", "Insufficient total GPU memory", versions=LATER),
    *(Case("C15", "serving", {"resource.instanceType": size}, "resource.instanceType", f"on {since}; use {instead}")
      for size, since, instead in RETIRED_SIZES),
    Case("C15", "serving", {"resource.instanceType": "Standard_D4s_v5"}, "resource.instanceType", "has no GPU",
         {"resource.instanceType": "Standard_D4s_v3", "inference": {"template": TEMPLATE}}),
    Case("C15", "serving", {"resource.instanceType": "Standard_NC6", "inference": {"template": TEMPLATE}},
         "resource.instanceType", "Azure retired it (NVIDIA K80)",
         {"resource.instanceType": "standard_Nsku", "inference": {"template": TEMPLATE}}),
    Case("C15", "serving", {"resource.instanceType": "Standard_Esku", "inference": {"template": TEMPLATE}},
         "resource.instanceType", "Unsupported instance type",
         {"resource.instanceType": "Standard_Dsku", "inference": {"template": TEMPLATE}}),
    Case("M25", "serving", ours("replicas", "0"), "metadata.annotations[modelyard.dev/replicas]",
         "is not a number of replicas: use 1 to 1000", ours("replicas", "2")),
    Case("M25", "serving", ours("replicas", "1001"), "metadata.annotations[modelyard.dev/replicas]", "1 to 1000"),
    Case("M25", "tuning", ours("replicas", "2"), "metadata.annotations[modelyard.dev/replicas]",
         "a training runs on one node", ours("replicas", "1")),
    Case("C23", "serving", SLICE, "resource.partition", "GPU partitioning is only supported with BYO nodes"),
    Case("C24", "tuning", {"resource.instanceType": GONE, BYO: "byo"} | SLICE, "resource.partition",
         "GPU partitioning is not supported for tuning", {"resource.instanceType": GONE, BYO: "byo"}),
    Case("C25", "own_nodes", {"resource.partition": {"mode": "mig", "profile": "1g.10gb", "count": 1}},
         "resource.partition.count", "count is only valid for accelerator mode", SLICE),
    Case("C25", "own_nodes", {"resource.partition": {"mode": "mig", "profile": "9g.1tb"}},
         "resource.partition.profile", "unknown MIG profile", SLICE),
    *(Case("C25", "own_nodes", {"resource.partition": {"mode": "mig", "profile": profile}},
           "resource.partition.profile", "use one that a GPU has", SLICE)
      for profile in NO_SLICES),
    *(Case("C25", "own_nodes", {"resource.partition": {"mode": "mig", "profile": "8g.96gb"}},
           "resource.partition.profile", "unknown MIG profile",
           {"resource.partition": {"mode": "mig", "profile": profile}, "inference.preset.name": "Qwen/Qwen3.5-2B"})
      for profile in ("1g.5gb", "1g.6gb", "2g.12gb", "2g.20gb", "2g.24gb", "3g.40gb", "3g.47gb", "4g.24gb", "4g.40gb",
                      "7g.80gb")),
    Case("C25", "own_nodes", {"resource.partition": {"mode": "mig"}}, "resource.partition.profile", "unknown MIG"),
    Case("C26", "own_nodes", {"resource.partition": {"mode": "accelerator", "profile": "1g.10gb", "count": 1}},
         "resource.partition.profile", "profile is not valid for accelerator mode",
         {"resource.partition": {"mode": "accelerator", "count": 1}}),
    Case("C26", "own_nodes", {"resource.partition": {"mode": "accelerator"}}, "resource.partition.count",
         "partition.count"),
    Case("C27", "own_nodes", {"resource.partition": {"mode": "half"}}, "resource.partition.mode",
         "unsupported partition mode"),
    Case("C28", "own_nodes", SLICE | {"inference.preset.name": "phi-4"}, "resource.partition.profile",
         "exceeds the 1g.10gb MIG slice capacity",
         SLICE | {"inference.preset.name": "phi-4"} | annotation("bypass-resource-checks", "")),
    Case("M1", "serving", {"resource.labelSelector.matchLabels": {"a b": "c"}}, "resource.labelSelector",
         "not a label key", {"resource.labelSelector.matchLabels": {"example.com/a": "c", "e": ""}}),
    Case("M1", "serving", {"resource.labelSelector.matchLabels": {"a": "-"}}, "resource.labelSelector",
         "not a label value"),
    Case("M2", "serving", {"resource.labelSelector.matchLabels": {"kubernetes.io/hostname": "n1"}},
         "resource.labelSelector", "new nodes cannot be given the label"),
    Case("M22", "serving", {"resource.labelSelector.matchLabels": {f"gpus.modelyard.dev/{VICTIM}": "1"}},
         "resource.labelSelector", "is reserved", {"resource.labelSelector.matchLabels": {"notmodelyard.dev/a": "1"}}),
    Case("M22", "serving", {"resource.labelSelector.matchLabels": {"modelyard.dev/workspace-uid": VICTIM}},
         "resource.labelSelector", "is reserved",
         {"resource.labelSelector.matchLabels": {"node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4"}}),
    Case("M22", "serving", {"resource.labelSelector.matchLabels": {"karpenter.sh/nodepool": "kaito"}},
         "resource.labelSelector", "is reserved", {"resource.labelSelector.matchLabels": {"apps": "a"}}),
    Case("M22", "serving", {"resource.labelSelector.matchLabels": {"kaito.sh/machine": "a"}}, "resource.labelSelector",
         "is reserved", {"resource.labelSelector.matchLabels": {"kaito.sh/workspace": "w", "apps": "a"}}),
    Case("M22", "own_nodes", {"resource.labelSelector.matchLabels": {f"gpus.modelyard.dev/{VICTIM}": "1"}},
         "resource.labelSelector", "is reserved",
         {"resource.labelSelector.matchLabels": {"nvidia.com/gpu.product": "A100", "karpenter.sh/nodepool": "gpu"}}),
    Case("M3", "serving", {"resource.count": 0}, "resource.count", "use 1 to 1000", {"resource.count": 1000}),
    Case("M3", "serving", {"resource.count": 1001}, "resource.count", "1001 nodes"),
    Case("M4", "own_nodes", {"resource": GONE}, "resource", "which of your own nodes"),
    Case("M11", "serving", ours("instance-type-fallbacks", "Standard_NC48ads_A100_v4,nope"),
         "metadata.annotations[modelyard.dev/instance-type-fallbacks]", "Unsupported instance type 'nope'",
         ours("instance-type-fallbacks", "Standard_NC48ads_A100_v4, Standard_NC6s_v3")),
    Case("M15", "serving", ours("max-price-per-hour", "0"), "metadata.annotations[modelyard.dev/max-price-per-hour]",
         "is not a price", ours("max-price-per-hour", "7.5")),
    Case("M15", "serving", ours("max-price-per-hour", "7,50 $"),
         "metadata.annotations[modelyard.dev/max-price-per-hour]", "US dollars per hour"),
    Case("M16", "serving", ours("zones", "1,east"), "metadata.annotations[modelyard.dev/zones]",
         "names no zone", ours("zones", " 2, 1,any")),
    Case("M17", "serving", ours("capacity-types", "spot,reserved"),
         "metadata.annotations[modelyard.dev/capacity-types]", "not a capacity type",
         ours("capacity-types", "spot, on-demand")),
    Case("M18", "serving", ours("zones", "1,2,3,4,5,6,7") | ours("capacity-types", "spot,on-demand")
         | ours("instance-type-fallbacks", "Standard_NC48ads_A100_v4"),
         "metadata.annotations[modelyard.dev/instance-type-fallbacks]", "28 purchase options",
         ours("zones", "1,2,3,4,5,6") | ours("capacity-types", "spot,on-demand")
         | ours("instance-type-fallbacks", "Standard_NC48ads_A100_v4")),
    Case("M14", "serving", {"resource.instanceType": "Standard_ND96isr_MI300X_v5"}, "resource.instanceType",
         "runtime image is built for NVIDIA"),
    Case("M14", "serving", {"inference.preset.name": "gpt-oss-20b", "resource.instanceType": "Standard_NC64as_T4_v3"},
         "resource.instanceType", "mxfp4", {"inference.preset.name": "gpt-oss-20b"}),
    Case("M14", "serving", {"resource.instanceType": "Standard_NV6ads_A10_v5"}, "resource.instanceType",
         "Choose a larger instanceType", {"resource.instanceType": "Standard_NV6ads_A10_v5"}
         | annotation("bypass-resource-checks", ""), versions=LATER),
    Case("C10", "serving", {"inference.preset.name": "phi-5"}, "inference.preset.name",
         "Unsupported inference preset name", {"inference.preset.name": "Org.1/any_model-2"}),
    Case("C10", "serving", {"inference.preset.name": "a/b/c"}, "inference.preset.name", "Unsupported inference"),
    Case("C10", "serving", {"inference.preset.name": "../b"}, "inference.preset.name", "Unsupported inference"),
    Case("C10", "serving", {"inference.preset.name": "/b"}, "inference.preset.name", "Unsupported inference"),
    Case("C10", "serving", {"inference.preset.name": "a/$(id)"}, "inference.preset.name", "Unsupported inference"),
    Case("C10", "serving", {"inference.preset.name": ""}, "inference.preset.name", "Unsupported inference"),
    Case("C29", "serving", {"inference.preset": GONE}, "inference", "Preset or Template must be specified"),
    Case("C29", "serving", {"inference.template": TEMPLATE}, "inference",
         "Preset and Template cannot be set at the same time", {"inference": {"template": TEMPLATE}}),
    Case("C31", "serving", {"inference.preset.accessMode": "private"}, "inference.preset.presetOptions.image",
         "When AccessMode is private, an image must be provided",
         {"inference.preset.accessMode": "private", "inference.preset.presetOptions": {"image": "i:1"}},
         versions=FIRST),
    Case("C33", "serving", {"inference.preset.name": "falcon-7b"} | adapters(adapter()), "inference.adapters",
         "vLLM does not support LoRA adapters for this model", adapters(adapter())),
    Case("C35", "serving",
         adapters(*(adapter(source={"name": f"a{n}", "image": "i:1"}) for n in range(11))), "inference.adapters",
         "Number of Adapters exceeds the maximum limit, maximum of 10 allowed",
         adapters(*(adapter(source={"name": f"a{n}", "image": "i:1"}) for n in range(10)))),
    Case("C36", "serving", adapters(adapter(), adapter()), "inference.adapters[1].source.name",
         "Duplicate adapter source name found"),
    Case("U13", "serving", adapters({}), "inference.adapters[0].source", "Source"),
    Case("U13", "serving", adapters({"source": {"image": "i:1"}}), "inference.adapters[0].source.name",
         "Name of Adapter field must be specified"),
    Case("U13", "serving", adapters({"source": {"name": "Support", "image": "i:1"}}),
         "inference.adapters[0].source.name", "invalid value"),
    Case("U13", "serving", adapters({"source": {"name": "a" * 64, "image": "i:1"}}),
         "inference.adapters[0].source.name", "63", adapters({"source": {"name": "a" * 63, "image": "i:1"}})),
    Case("U13", "serving", adapters({"source": {"name": "a"}}), "inference.adapters[0].source",
         "Either Image or Volume must be specified for adapter source",
         adapters({"source": {"name": "a", "volumeSource": VOLUME}})),
    Case("U13", "serving", adapters({"source": {"name": "a", "urls": ["https://e.org/a"]}}),
         "inference.adapters[0].source.urls", "URLs are not supported as adapter source"),
    Case("U13", "serving", adapters(adapter(strength="half")),
         "inference.adapters[0].strength", "Invalid strength value for Adapter 'support'",
         adapters(adapter(strength="0.5"))),
    Case("U13", "serving", adapters(adapter(strength="NaN")),
         "inference.adapters[0].strength", "Invalid strength value for Adapter 'support'"),
    Case("U13", "serving", adapters(adapter(strength="1.5")),
         "inference.adapters[0].strength", "Strength value for Adapter 'support' must be between 0 and 1"),
    Case("M9", "serving", {"inference": {"template": TEMPLATE, "adapters": [adapter()]}}, "inference.adapters",
         "beside a preset"),
    Case("M12", "serving", adapters({"source": {"name": "phi-4-mini-instruct", "image": "i:1"}}),
         "inference.adapters[0].source.name", "model's own name"),
    Case("C37", "serving", {"inference.preset.name": "llama-3.1-8b-instruct"},
         "inference.preset.presetOptions.modelAccessSecret",
         "This preset requires authentication and needs a modelAccessSecret with HF_TOKEN key under presetOptions to "
         "download the model",
         {"inference.preset": {"name": "llama-3.1-8b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}}),
    Case("M23", "serving", {"inference": {"template": TEMPLATE | {"metadata": {"labels": {
         "modelyard.dev/workspace-uid": VICTIM}}}}}, "inference.template.metadata.labels", "set by Modelyard alone",
         {"inference": {"template": TEMPLATE | {"metadata": {"labels": {"app": "a", "kaito.sh/team": "b"}}}}}),
    Case("M23", "serving", {"inference": {"template": TEMPLATE | {"metadata": {"labels": {
         "kaito.sh/workspacenamespace": "victims"}}}}}, "inference.template.metadata.labels", "set by Modelyard alone"),
    Case("M23", "serving", {"inference": {"template": TEMPLATE | {"metadata": {"annotations": {
         "modelyard.dev/config-hash": "d"}}}}}, "inference.template.metadata.annotations", "set by Modelyard alone",
         {"inference": {"template": TEMPLATE | {"metadata": {"annotations": {"example.com/a": "b"}}}}}),
    Case("M23", "serving", {"inference": {"template": {"spec": TEMPLATE["spec"] | {"nodeSelector": {
         f"gpus.modelyard.dev/{VICTIM}": "1"}}}}}, "inference.template.spec.nodeSelector", "set by Modelyard alone",
         {"inference": {"template": {"spec": TEMPLATE["spec"] | {"nodeSelector": {"kubernetes.io/arch": "amd64"}}}}}),
    Case("M40", "serving", {"inference": {"template": {"spec": TEMPLATE["spec"] | {"nodeName": "n"}}}},
         "inference.template.spec.nodeName", "leave it out", {"inference": {"template": TEMPLATE}}),
    Case("M41", "serving", {"inference": {"template": {"spec": {"containers": [{"name": "c", "image": "i:1",
         "resources": {"limits": {"nvidia.com/gpu": 99}}}]}}}}, "inference.template.spec.containers",
         "a pod asks for 99 GPUs", {"inference": {"template": {"spec": {"containers": [{"name": "c", "image": "i:1",
         "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}}}),
    Case("M6", "serving", {"inference": {"template": {}}}, "inference.template.spec.containers", "at least one"),
    Case("M6", "serving", {"inference": {"template": {"spec": {"containers": [{"name": "c"}]}}}},
         "inference.template.spec.containers[0].image", "a container needs image",
         {"inference": {"template": TEMPLATE}}),
    Case("C41", "tuning", {"resource.count": 2}, "resource.count",
         "Tuning does not currently support multinode configurations", {"resource.count": 1}),
    Case("C42", "tuning", {"tuning.method": "dora"}, "tuning.method", "Method must be one of lora, qlora",
         {"tuning.method": "QLoRA"}),
    Case("C42", "tuning", {"tuning.method": GONE}, "tuning.method", "Method", {"tuning.method": "lora"}),
    Case("C43", "tuning", {"tuning.input": GONE}, "tuning.input", "missing field(s): Input"),
    Case("C43", "tuning", {"tuning.output": GONE}, "tuning.output", "missing field(s): Output"),
    Case("C43", "tuning", {"tuning.preset": GONE}, "tuning.preset", "missing field(s): Preset"),
    Case("C44", "tuning", {"tuning.preset.name": "phi-9"}, "tuning.preset.name", "Unsupported tuning preset name",
         {"tuning.preset.name": "Org/model"}),
    Case("C46", "tuning", source(image="Registry/Upper"), "tuning.input.image",
         "Unable to parse input image reference 'Registry/Upper': invalid reference format",
         source(image="registry.example.com:5000/data/talks@sha256:" + "a" * 64)),
    Case("C46", "tuning", source(image="!Valid"), "tuning.input.image", "invalid reference format"),
    Case("C46", "tuning", source(image="a; rm -rf /"), "tuning.input.image", "invalid reference format"),
    Case("C47", "tuning", source(), "tuning.input", "Exactly one of URLs, Volume, or Image must be specified",
         source(volumeSource=VOLUME)),
    Case("C47", "tuning", source(image="i:1", volumeSource=VOLUME), "tuning.input", "Exactly one of URLs"),
    Case("C47", "serving", adapters({"source": {"name": "a", "image": "i:1", "volumeSource": VOLUME}}),
         "inference.adapters[0].source", "Exactly one of URLs"),
    Case("C48", "tuning", at_url("ftp://e.org/a"), "tuning.input.urls[0]", "must use HTTP or HTTPS",
         at_url("http://e.org/a?b=c")),
    Case("C48", "tuning", at_url("https:///a"), "tuning.input.urls[0]", "invalid data source URL"),
    Case("C48", "tuning", at_url("http://localhost/a"), "tuning.input.urls[0]",
         "must not target a local or metadata endpoint"),
    Case("C48", "tuning", at_url("http://metadata.google.internal/a"), "tuning.input.urls[0]",
         "must not target a local or metadata endpoint"),
    Case("C48", "tuning", at_url("http://169.254.169.254/a"), "tuning.input.urls[0]",
         "loopback, private, or link-local"),
    Case("C48", "tuning", at_url("http://[::ffff:10.0.0.1]/a"), "tuning.input.urls[0]",
         "loopback, private, or link-local"),
    Case("C49", "tuning", {"tuning.output.image": "A/B"}, "tuning.output.image",
         "Unable to parse output image reference"),
    Case("C50", "tuning", {"tuning.output.imagePushSecret": GONE}, "tuning.output.imagePushSecret",
         "Must specify imagePushSecret with destination image"),
    Case("C51", "tuning", {"tuning.output": {}}, "tuning.output", "Exactly one of Volume or Image must be specified",
         {"tuning.output": {"volumeSource": VOLUME}}),
    Case("C51", "tuning", {"tuning.output.volumeSource": VOLUME}, "tuning.output", "Exactly one of Volume or Image"),
    Case("M5", "serving", {"inference.config": "My_Params"}, "inference.config", "name of a Secret or ConfigMap",
         {"inference.config": "my.params"}),
    Case("M5", "tuning", {"tuning.output.imagePushSecret": "a/b"}, "tuning.output.imagePushSecret", "name of a Secret"),
    *(
        Case("M5", "serving", {"inference": {"template": {"spec": TEMPLATE["spec"] | pod}}},
             f"inference.template.spec.{where}", "name of a Secret")
        for where, pod in NAMES_IN_PODS.items()
    ),
    Case("M8", "tuning", source(volumeSource={}), "tuning.input.volumeSource", "exactly one kind of volume",
         source(volumeSource=VOLUME)),
    Case("M10", "tuning", {"tuning.preset.name": "gpt-oss-20b"}, "tuning.preset.name", "does not support tuning"),
]  # fmt: skip


def _expanded() -> list[Any]:
    return [
        pytest.param(case, version, id=f"{case.rule}-{version.rpartition('/')[2]}-{number}")
        for number, case in enumerate(CASES)
        for version in case.versions
    ]


@pytest.mark.parametrize(("case", "version"), _expanded())
def test_the_rule_refuses_in_its_words(case: Case, version: str, build: Builder) -> None:
    document = getattr(build, case.kind)(case.refused, version)
    found = problems_on_create(document, provider=case.provider)
    matching = [problem for problem in found if (problem.rule, problem.path) == (case.rule, case.path)]
    assert matching, f"not refused by {case.rule} at {case.path}; found {found}"
    assert case.says in matching[0].message


@pytest.mark.parametrize(("case", "version"), _expanded())
def test_what_the_rule_asks_for_is_accepted(case: Case, version: str, build: Builder) -> None:
    document = getattr(build, case.kind)(case.accepted, version)
    assert problems_on_create(document, provider=case.provider) == []


OTHER_VERSION = [
    ("C8", "serving", {"resource.instanceType": GONE}, V1ALPHA1),
    ("C13", "serving", {"resource.labelSelector": {"matchLabels": {"kaito.sh/workspace": "x"}}}, V1ALPHA1),
    ("C9", "own_nodes", {"resource.instanceType": "Standard_NC24ads_A100_v4"}, V1ALPHA1),
    ("C31", "serving", {"inference.preset.accessMode": "private"}, V1BETA1),
]


@pytest.mark.parametrize(("rule", "kind", "changes", "version"), OTHER_VERSION, ids=[row[0] for row in OTHER_VERSION])
def test_a_rule_of_one_version_does_not_hold_in_the_other(
    rule: str, kind: str, changes: Obj, version: str, build: Builder
) -> None:
    assert problems_on_create(getattr(build, kind)(changes, version)) == []


ACCEPTED = [
    ("C11", "serving", {"inference.preset.name": "phi-2"}),
    ("C19", "serving", {"resource.count": 4} | annotation("runtime", "transformers")),
    ("C20 C21 C22", "own_nodes", {}),
    ("C30", "serving", {"inference.preset.name": "falcon-7b"}),
    ("C32", "serving", annotation("runtime", "transformers")),
    ("C38", "serving", {"inference.preset.presetOptions": {"modelAccessSecret": "hf"}}),
    ("C39", "serving", {"inference.preset.name": "nobody/has-this"}),
    ("C40", "serving", annotation("model-streaming", "enabled")),
]


@pytest.mark.parametrize(("rules", "kind", "changes"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
@pytest.mark.parametrize("version", BOTH)
def test_what_only_kaito_refuses_is_accepted(rules: str, kind: str, changes: Obj, version: str, build: Builder) -> None:
    assert all(rule_table()[rule].asked == "never" for rule in rules.split())
    assert problems_on_create(getattr(build, kind)(changes, version)) == []


def test_each_rule_that_is_asked_on_create_has_a_case() -> None:
    asked = {row.id for row in rule_table().values() if row.asked == "create"}
    of_config_maps = {"I1", "I2", "C45"}
    assert {case.rule for case in CASES} == asked - of_config_maps - set(RULE_IDS)
