"""Tiny made-up repositories under the ids of known presets: enough for a commit to be pinned, nothing to serve from."""

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


def write_repositories(root: Path) -> None:
    """One branch `main` per repository, with a config and a safetensors file of a few kilobytes."""
    for repo in REPOSITORIES:
        folder = root / "models" / repo / "main"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "made-up", "repo": repo}))
        (folder / "model.safetensors").write_bytes(_safetensors())


def _safetensors() -> bytes:
    tensor = {"dtype": "BF16", "shape": [VALUES], "data_offsets": [0, VALUES * 2]}
    header = json.dumps({"w": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(VALUES * 2)
