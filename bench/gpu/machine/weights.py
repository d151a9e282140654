"""Which model is served and trained: a folder or a hub id that is given, the local mirror's SmolLM2, or a made one.

A machine without a network can fetch no weights. A model of the same shape with random weights takes the same memory
and time; its answers mean nothing, so none is looked at.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gpu.machine.processes import Deadline, PartFailed, Program, run
from bench.gpu.machine.sizes import Device
from deploy.local.layout import Layout
from deploy.local.mirror.repositories.catalog import SMOLLM2, repositories_folder
from presets.hub.model import HubFile, HubProblem, model_from_hub
from presets.models.catalog import Model, UnknownModel, find_model

MADE_S: Final = 300.0
FETCH_S: Final = 300.0
REVISION: Final = "0" * 40
_FETCH: Final = "import sys, huggingface_hub as hub; hub.snapshot_download(sys.argv[1], local_dir=sys.argv[2])"


@dataclass(frozen=True)
class Weights:
    """A model's folder, the repository that it counts as, and where its weights are from."""

    folder: Path
    repo: str
    origin: str

    @property
    def model(self) -> Model:
        """As plans know it: the catalogue's, or from the folder's own files. Raises PartFailed."""
        try:
            return find_model(self.repo)
        except UnknownModel:
            pass
        found = [HubFile(file.name, file.stat().st_size) for file in self.folder.iterdir() if file.is_file()]
        try:
            config = json.loads((self.folder / "config.json").read_bytes())
            return model_from_hub(self.repo, config, found, REVISION)
        except (HubProblem, OSError, ValueError) as error:
            raise PartFailed(f"no plan can be made for {self.folder}: {error}") from error


def find_weights(given: str | None, device: Device, folder: Path) -> Weights:
    """The model that is given (a folder, or organisation/name), else what there is. Raises PartFailed."""
    if given is None:
        return _mirrored() if device == "cuda" and _mirror().is_dir() else _made(device, folder)
    if Path(given).is_dir():
        if not (Path(given) / "config.json").is_file():
            raise PartFailed(f"--model {given}: the folder has no config.json: give the folder of a transformers model")
        return Weights(Path(given).resolve(), _repo_of(Path(given)), f"the folder {Path(given).name}, as given")
    target = folder / "model"
    argv = [sys.executable, "-c", _FETCH, given, str(target)]
    run(Program(argv, folder / "fetch.log", {}), Deadline.after(FETCH_S))
    return Weights(target, given, "the hub")


def _made(device: Device, folder: Path) -> Weights:
    shape = "smollm2" if device == "cuda" else "tiny"
    target = folder / "model"
    argv = [sys.executable, "-m", "bench.gpu.machine.made_model", str(target), shape]
    run(Program(argv, folder / "model.log", {}), Deadline.after(MADE_S))
    if device == "cuda":
        return Weights(target, SMOLLM2, "random weights in the shape that SmolLM2-135M has published")
    return Weights(target, "modelyard/tiny", "random weights in a tiny shape")


def _mirrored() -> Weights:
    return Weights(_mirror(), SMOLLM2, "the local mirror's, dequantized from 4 bits")


def _mirror() -> Path:
    return repositories_folder(Layout.of().cache) / "models" / SMOLLM2 / "main"


def _repo_of(folder: Path) -> str:
    """What a folder counts as: SmolLM2, if its shape is SmolLM2's, else a name of its own."""
    config = json.loads((folder / "config.json").read_bytes())
    known = find_model(SMOLLM2)
    shape = (config.get("hidden_size"), config.get("num_hidden_layers"), config.get("vocab_size"))
    return SMOLLM2 if shape == (known.hidden_size, known.layer_count, known.vocab_size) else f"given/{folder.name}"
