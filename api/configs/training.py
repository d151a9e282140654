"""Parses `training_config.yaml`: KAITO's six sections, typed. Rejects what would fail only after nodes are bought.

Unknown keys are ignored, as in KAITO, and reported in `warnings`.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from api.configs.option_classes import refusal
from api.configs.problem import REPORTED_MAX, ConfigProblem, Problem, nearest, shown, without_effect
from api.configs.servable import UNSERVABLE, lora_problems
from api.configs.training_options import DEFAULTS, training_options
from api.configs.training_sections import (
    NOT_ACTED_ON,
    DataCollator,
    DatasetConfig,
    LoraConfig,
    ModelConfig,
    QuantizationConfig,
    Section,
)
from api.configs.yaml_reading import Document, read_yaml

TRAINING_KEY: Final = "training_config.yaml"
"""The ConfigMap's key."""
ROOT: Final = "training_config"
OPTIONS: Final = "TrainingArguments"
SECTIONS: Final[Mapping[str, type[Section]]] = {
    "ModelConfig": ModelConfig,
    "QuantizationConfig": QuantizationConfig,
    "LoraConfig": LoraConfig,
    "DatasetConfig": DatasetConfig,
    "DataCollator": DataCollator,
}


class TrainingConfig(BaseModel):
    """What to train, all defaults filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: ModelConfig = Field(default_factory=ModelConfig)
    quantization: QuantizationConfig = Field(default_factory=QuantizationConfig)
    lora: LoraConfig = Field(default_factory=LoraConfig)
    dataset: DatasetConfig = Field(default_factory=DatasetConfig)
    collator: DataCollator = Field(default_factory=DataCollator)
    training: dict[str, JsonValue] = Field(
        default_factory=lambda: dict(DEFAULTS), description="Fields of trl's SFTConfig, by its names."
    )
    warnings: tuple[Problem, ...] = Field((), description="What is accepted and has no effect: (path, sentence).")

    @property
    def output_dir(self) -> str:
        """Where checkpoints and the adapter go, an absolute path below /mnt."""
        return str(self.training["output_dir"])


def parse_training_config(text: str, *, remote_code_allowed: bool = False) -> TrainingConfig:
    """The content of the ConfigMap's key; the operator says whether code of the model's repository may run. Raises
    ConfigProblem with every (path, sentence) that is wrong."""
    document = read_yaml(text)
    sections = _sections(document.value)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    parsed: dict[str, Section] = {}
    for name, model in SECTIONS.items():
        written = sections.get(name, {})
        wrong, silent = _key_problems(name, written)
        problems += wrong
        warnings += silent
        try:
            parsed[name] = model.model_validate(written)
        except ValidationError as error:
            problems += _located(name, _problems_of(error, {path for path, _ in wrong}, name))
    options, wrong, silent = training_options(sections.get(OPTIONS, {}))
    problems += _located(OPTIONS, wrong)
    if not remote_code_allowed:
        problems += _remote_code(parsed.get("ModelConfig"), options)
    warnings += _located(OPTIONS, silent)
    if problems:
        raise ConfigProblem([_with_line(problem, document) for problem in problems])
    return _config(parsed, options, warnings)


def default_training_config(method: str) -> TrainingConfig:
    """The configuration for a Workspace without a ConfigMap; `method` is lora or qlora, in lower case."""
    four_bit = QuantizationConfig(load_in_4bit=True) if method == "qlora" else QuantizationConfig()
    return TrainingConfig(quantization=four_bit)


def method_problem(config: TrainingConfig, method: str) -> Problem | None:
    """Returns how the quantization contradicts the Workspace's `method` (lora or qlora), or None."""
    path = f"{ROOT}.QuantizationConfig"
    if method == "lora" and config.quantization.quantizes:
        return path, "for method lora, load_in_4bit and load_in_8bit must be false; or use method qlora"
    if method == "qlora" and not config.quantization.quantizes:
        return path, "for method qlora, load_in_4bit or load_in_8bit must be true"
    return None


def _sections(top: Any) -> dict[str, dict[str, Any]]:
    """The sections that are there. Raises ConfigProblem about the outer shape."""
    root = top.get(ROOT) if isinstance(top, dict) else None
    if not isinstance(root, dict):
        raise ConfigProblem([(ROOT, f"must be there and be a map of sections: {', '.join((*SECTIONS, OPTIONS))}")])
    known = (*SECTIONS, OPTIONS)
    all_known = f"; known are {', '.join(known)}"
    problems = [
        (f"{ROOT}.{name}", f"Unrecognized section{nearest(name, known) or all_known}")
        for name in [name for name in root if name not in known][:REPORTED_MAX]
    ]
    problems += [
        (f"{ROOT}.{name}", f"must be a map, not {shown(section)}")
        for name, section in root.items()
        if name in known and section is not None and not isinstance(section, dict)
    ]
    if problems:
        raise ConfigProblem(problems)
    return {name: _given(section or {}) for name, section in root.items()}


def _remote_code(model: Section | None, options: Mapping[str, JsonValue]) -> list[Problem]:
    """What asks for code of the model's repository."""
    why = refusal("trust-remote-code", remote_code_allowed=False) or ""
    found = [f"{ROOT}.{OPTIONS}.trust_remote_code"] if options.get("trust_remote_code") else []
    if isinstance(model, ModelConfig) and model.trust_remote_code:
        found.insert(0, f"{ROOT}.ModelConfig.trust_remote_code")
    return [(path, why) for path in found]


def _given(section: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys that were left empty: they mean their default."""
    return {key: value for key, value in section.items() if value is not None}


def _key_problems(name: str, written: Mapping[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """Errors (not servable by vLLM, or contradictory) and warnings about keys without effect."""
    wrong = lora_problems(written) if name == "LoraConfig" else []
    if name == "QuantizationConfig" and written.get("load_in_4bit") is True and written.get("load_in_8bit") is True:
        wrong.append(("load_in_8bit", "cannot be true together with load_in_4bit; keep one"))
    idle = NOT_ACTED_ON.get(name, {})
    known = {*SECTIONS[name].model_fields, *idle, *(UNSERVABLE if name == "LoraConfig" else ())}
    warnings = [(key, why) for key, why in idle.items() if key in written]
    warnings += without_effect([key for key in written if key not in known], known)
    return _located(name, wrong), _located(name, warnings)


def _problems_of(error: ValidationError, reported: set[str], name: str) -> list[Problem]:
    """One message per key: a value that matches none of several types is one error, not several."""
    found: dict[str, str] = {}
    for entry in error.errors():
        key = str(entry["loc"][0])
        if f"{ROOT}.{name}.{key}" not in reported:
            message = entry["msg"].removeprefix("Input ").removeprefix("Value error, ")
            text = message if entry["type"] == "value_error" else f"{message}, and {shown(entry['input'])} was given"
            found[key] = f"{found[key]}; or {text}" if key in found else text
    return list(found.items())


def _config(parsed: Mapping[str, Section], options: dict[str, JsonValue], warnings: list[Problem]) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "model": parsed["ModelConfig"],
            "quantization": parsed["QuantizationConfig"],
            "lora": parsed["LoraConfig"],
            "dataset": parsed["DatasetConfig"],
            "collator": parsed["DataCollator"],
            "training": options,
            "warnings": tuple(warnings),
        }
    )


def _located(section: str, problems: list[Problem]) -> list[Problem]:
    return [(f"{ROOT}.{section}.{key}".rstrip("."), message) for key, message in problems]


def _with_line(problem: Problem, document: Document) -> Problem:
    path, message = problem
    line = document.line_of(tuple(path.split(".", 2)))
    return path, f"{message} (line {line})" if line else message
