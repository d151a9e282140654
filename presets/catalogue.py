"""Models by name: preset aliases of KAITO and repository ids, with the numbers that sizing needs.

The facts are in `models.yaml`. Whether a model is reachable, and at which commit, is asked of the hub by PrepareModel.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field


class UnknownModel(LookupError):
    """No model of this name is known; the message names the nearest ones."""

    def __init__(self, name: str, near: tuple[str, ...]) -> None:
        self.name, self.near = name, near
        hint = f"did you mean {' or '.join(near)}?" if near else f"use one of {', '.join(sorted(_aliases()))}"
        super().__init__(f"unknown preset {name!r}: {hint}")


class Model(BaseModel):
    """One model. `kv_bytes_per_token` is for one token in all layers, in bf16; `gated` needs an access token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    aliases: tuple[str, ...] = ()
    weights_gib: float = Field(gt=0)
    kv_bytes_per_token: int = Field(gt=0)
    max_tokens: int = Field(gt=0)
    gated: bool = False

    @property
    def served_name(self) -> str:
        """The model name that clients ask for: the repository's last part in lower case, as in KAITO."""
        return self.repo.rsplit("/", 1)[-1].lower()


def find_model(name: str) -> Model:
    """The model of this alias or repository id, whatever its case. Raises UnknownModel."""
    by_name = _by_name()
    model = by_name.get(name.strip().lower())
    if model is None:
        near = get_close_matches(name.strip().lower(), list(by_name), n=3, cutoff=0.6)
        raise UnknownModel(name, tuple(near))
    return model


@cache
def _by_name() -> dict[str, Model]:
    document = yaml.safe_load(files("presets").joinpath("models.yaml").read_text())
    table: dict[str, Model] = {}
    for model in map(Model.model_validate, document["models"]):
        for name in (model.repo, *model.aliases):
            if table.setdefault(name.lower(), model) is not model:
                raise ValueError(f"models.yaml lists {name} twice")
    return table


def _aliases() -> set[str]:
    return {alias for model in _by_name().values() for alias in model.aliases}
