"""Lists the vLLM options that a ConfigMap cannot set, with reasons: they are the pod's contract, or bypass it.

Names are with dashes. All other options belong to the user and override Modelyard's choice.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SET = "is set by Modelyard and cannot be changed"
_CODE = f"{_SET}, because it loads code by a path or a name; build your own image instead"
_PROBED = f"{_SET}, because probes and the first completion speak plain HTTP without a key; put a gateway in front"
_NODES = f"{_SET}, because it follows from the number of nodes"

OWNED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model": f"{_SET}: it is inference.preset.name",
        "served-model-name": f"{_SET}: it is the preset's name",
        "revision": f"{_SET}: the commit is pinned when the Workspace is planned",
        "code-revision": f"{_SET}: the commit is pinned when the Workspace is planned",
        "lora-modules": f"{_SET}: list adapters in inference.adapters",
        "hf-token": "is a secret: put it into the Secret that inference.preset.presetOptions.modelAccessSecret names",
        "config": f"{_SET}: write the options here instead of naming a file",
        **dict.fromkeys(("host", "port", "uds", "root-path", "shutdown-timeout"), f"{_SET}: the Service relies on it"),
        **dict.fromkeys(("grpc", "grpc-port", "headless", "tokens-only"), f"{_SET}: the Service relies on it"),
        **dict.fromkeys(("api-key", "ssl-keyfile", "ssl-certfile", "ssl-ca-certs", "ssl-cert-reqs"), _PROBED),
        **dict.fromkeys(("ssl-ciphers", "enable-ssl-refresh"), _PROBED),
        **dict.fromkeys(("nnodes", "node-rank", "master-addr", "master-port", "data-parallel-address"), _NODES),
        **dict.fromkeys(("data-parallel-rank", "data-parallel-start-rank", "data-parallel-rpc-port"), _NODES),
        **dict.fromkeys(("data-parallel-size-local", "data-parallel-supervisor-port", "device-ids"), _NODES),
        **dict.fromkeys(("middleware", "tool-parser-plugin", "reasoning-parser-plugin", "tool-server"), _CODE),
        **dict.fromkeys(("worker-cls", "worker-extension-cls", "scheduler-cls", "logits-processors"), _CODE),
        **dict.fromkeys(("io-processor-plugin", "model-class-overrides"), _CODE),
    }
)
