"""Tiny fake repositories, under the ids of known presets and of one model that is not a preset: enough to pin a commit
and to size a model, not to serve it.
"""

import json
from pathlib import Path
from typing import Final

REPOSITORIES: Final = (
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "microsoft/Phi-3-mini-4k-instruct",
    "microsoft/Phi-3-mini-128k-instruct",
    "microsoft/phi-2",
)
VALUES: Final = 1024
# Not a preset: its size is computed from the hub's data.
HUB_MODEL: Final = "acme/tiny-llama"
HUB_CONFIG: Final = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
}


def write_repositories(root: Path) -> None:
    """Writes one branch `main` per repository, with a config and a safetensors file of a few kilobytes."""
    configs: dict[str, object] = {repo: {"model_type": "made-up", "repo": repo} for repo in REPOSITORIES}
    for repo, config in (configs | {HUB_MODEL: HUB_CONFIG}).items():
        folder = root / "models" / repo / "main"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").write_bytes(_safetensors())


def _safetensors() -> bytes:
    tensor = {"dtype": "BF16", "shape": [VALUES], "data_offsets": [0, VALUES * 2]}
    header = json.dumps({"w": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(VALUES * 2)
