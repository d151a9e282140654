"""Parses `inference_config.yaml`: the user's vLLM options, typed and validated before nodes are bought.

Rejects options that would keep the server from starting, open the pod, load code, or break the pod's contract
(`option_classes.py`). Keys that KAITO accepts and Modelyard ignores are accepted with a warning.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.configs.arguments import Argument, Arguments, arguments_in
from api.configs.fitting import check_items, fitted
from api.configs.mounted_paths import without_kaitos_templates
from api.configs.option_classes import check_value, combination_problems, is_map, refusal
from api.configs.problem import REPORTED_MAX, ConfigProblem, Problem, shown, without_effect
from api.configs.retired_options import note_of, option_named, positive, unknown
from api.configs.yaml_reading import DEPTH_MAX, Document, read_yaml

INFERENCE_KEY: Final = "inference_config.yaml"
"""The ConfigMap's key."""
SECTION: Final = "vllm"
_NOT_ACTED_ON: Final = {
    "max_probe_steps": "is accepted and not acted on: vLLM finds the longest context that fits by itself",
    "kv_cache_cpu_memory_utilization": "is accepted and not acted on: set vllm.kv-offloading-size (GiB) instead",
}
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "gpu-memory-utilization": (0.01, 1),
    "device-memory-utilization": (0.01, 1),
    "max-model-len": (1, 2**31 - 1),
    "max-num-seqs": (1, 2**20),
    "max-num-batched-tokens": (1, 2**31 - 1),
    "tensor-parallel-size": (1, 1024),
    "pipeline-parallel-size": (1, 1024),
    "data-parallel-size": (1, 1024),
    "max-loras": (1, 1024),
    "cpu-offload-gb": (0, 2**20),
    "kv-offloading-size": (0, 2**20),
    "cudagraph-capture-sizes": (1, 2**16),
    "api-server-count": (1, 1024),  # with less vLLM runs without a server
    "renderer-num-workers": (1, 1024),
    "num-gpu-blocks-override": (1, 2**31 - 1),
    "spec-tokens": (1, 1024),
    "kv-cache-memory-bytes": (0, 2**63 - 1),  # 0 is none given
    "numa-bind-nodes": (0, 1023),
}


_A_LINE: Final = "one a line as in `max-model-len: 4096`"


class InferenceConfig(BaseModel):
    """The parsed file, every value in the type that vLLM expects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vllm: dict[str, JsonValue] = Field(
        default_factory=dict, description="vLLM's options by vLLM's own names, dashes and all; they win over ours."
    )
    warnings: tuple[Problem, ...] = Field((), description="What is accepted and has no effect: (path, sentence).")

    @property
    def max_model_len(self) -> int | None:
        """The requested context length in tokens; None when it is not given or `auto`."""
        given = self.vllm.get("max-model-len")
        return given if isinstance(given, int) else None

    def number(self, option: str) -> float | int | None:
        """The value of a numeric option, for instance `gpu-memory-utilization`; None when it is not given."""
        given = self.vllm.get(option)
        return given if isinstance(given, int | float) and not isinstance(given, bool) else None


def parse_inference_config(text: str, *, remote_code_allowed: bool = False) -> InferenceConfig:
    """The content of the ConfigMap's key; the operator says whether code of the model's repository may run. Raises
    ConfigProblem with every (path, sentence) that is wrong."""
    document = read_yaml(text)
    top = {} if document.value is None else document.value
    if not isinstance(top, dict):
        raise ConfigProblem([("", f"must be a map with the key `{SECTION}`, not {shown(top)}")])
    section = {} if top.get(SECTION) is None else top[SECTION]
    if not isinstance(section, dict):
        raise ConfigProblem([(SECTION, f"must be a map of vLLM's options, {_A_LINE}, not {shown(section)}")])
    known = arguments_in("vllm_arguments.yaml")
    section, notes = without_kaitos_templates(section)
    chosen, problems = vllm_options(section, known, remote_code_allowed=remote_code_allowed)
    problems += [(f"{SECTION}.{option}", words) for option, words in combination_problems(chosen)]
    if problems:
        raise ConfigProblem([_with_line(problem, document) for problem in problems])
    warnings = [_with_line((f"{SECTION}.{key}", words), document) for key, words in notes]
    return InferenceConfig(vllm=chosen, warnings=(*_top_level_warnings(top), *_retired(section), *warnings))


def vllm_options(
    section: Mapping[str, JsonValue], arguments: Arguments, *, remote_code_allowed: bool
) -> tuple[dict[str, JsonValue], list[Problem]]:
    """The options by vLLM's names with values as it takes them, and what is wrong with the others.

    `max_model_len` and `--max-model-len` are the same option; `compilation-config.mode: 0` is the key `mode` of the
    option `compilation-config`; `no-enable-prefix-caching: true`, as on the command line, turns the switch off; a key
    without a value is left out.
    """
    chosen: dict[str, JsonValue] = {}
    problems: list[Problem] = []
    for key, value in section.items():
        if len(problems) == REPORTED_MAX:
            problems.append((SECTION, "may hold more mistakes; correct these first"))
            break
        option, inner = option_named(key), key.strip().split(".")[1:]
        if note_of(option):
            continue
        try:
            option, value = positive(option, value, arguments)
            _check_option(option, inner, arguments, remote_code_allowed)
            _take(chosen, option, inner, value, arguments[option])
        except ValueError as error:
            problems.append((f"{SECTION}.{key}", str(error)))
    return chosen, problems


def context_problem(config: InferenceConfig, limit: int) -> str | None:
    """KAITO's rule that max-model-len may not exceed the model's own limit (`limit`, tokens); None if it holds."""
    length = config.max_model_len
    if length is None or length <= limit:
        return None
    message = f"max-model-len {length} exceeds model's maximum supported context window {limit} (ModelTokenLimit)"
    return f"{message}; lower it, or leave it out"


def _check_option(option: str, inner: list[str], arguments: Arguments, remote_code_allowed: bool) -> None:
    """Raises ValueError with the sentence about an option that cannot be set, whatever its value."""
    if option not in arguments:
        raise ValueError(unknown(option, arguments))
    if why := refusal(option, remote_code_allowed=remote_code_allowed):
        raise ValueError(why)
    if inner and arguments[option].type not in ("json", "any"):
        raise ValueError(f"{option} has no inner keys")
    if len(inner) > DEPTH_MAX:
        raise ValueError(f"has inner keys of more than {DEPTH_MAX} levels")
    if not all(inner):
        raise ValueError("has an inner key without a name")


def _take(chosen: dict[str, JsonValue], option: str, inner: list[str], value: JsonValue, argument: Argument) -> None:
    """Puts one key where it belongs. Raises ValueError with the sentence about it."""
    if value is None:
        return
    if inner:
        check_value(option, tuple(inner), value)
        _put_inner(chosen, option, inner, value)
        return
    if option in chosen:
        raise ValueError("is given twice, in two spellings; keep one")
    # Where only some keys may be set, a text is read as the JSON of a map, so that what is judged is what is passed on.
    fit = fitted(value, argument.model_copy(update={"type": "json"}) if is_map(option) else _bounded(option, argument))
    check_value(option, (), fit)
    if argument.kind == "list":
        check_items(fit)
    if argument.kind != "flag" or fit:  # a flag that is off is simply not passed
        chosen[option] = fit


def _put_inner(chosen: dict[str, JsonValue], option: str, inner: list[str], value: JsonValue) -> None:
    at: Any = chosen.setdefault(option, {})
    for part in inner[:-1]:
        at = at.setdefault(part, {}) if isinstance(at, dict) else None
    if not isinstance(at, dict) or inner[-1] in at:
        raise ValueError("is given twice, in two spellings; keep one")
    at[inner[-1]] = value


def _bounded(option: str, argument: Argument) -> Argument:
    """The option with our bounds, where they are narrower than vLLM's own."""
    if option not in _RANGES:
        return argument
    low, high = _RANGES[option]
    return argument.model_copy(update={"least": low, "most": high, "above": None, "below": None})


def _top_level_warnings(top: Mapping[str, JsonValue]) -> list[Problem]:
    idle = [(key, why) for key, why in _NOT_ACTED_ON.items() if key in top]
    unknown = [key for key in top if key != SECTION and key not in _NOT_ACTED_ON]
    known = arguments_in("vllm_arguments.yaml")
    misplaced = [key for key in unknown if option_named(key) in known][:REPORTED_MAX]
    moved = [(key, f"has no effect here: it is an option of vLLM, move it below `{SECTION}:`") for key in misplaced]
    others = [key for key in unknown if key not in misplaced]
    return [*idle, *moved, *without_effect(others, (SECTION, *_NOT_ACTED_ON))]


def _retired(section: Mapping[str, JsonValue]) -> list[Problem]:
    """A note for each option that is left out because vLLM has retired it."""
    named = ((key, note_of(option_named(key))) for key in section)
    return [(f"{SECTION}.{key}", note) for key, note in named if note][:REPORTED_MAX]


def _with_line(problem: Problem, document: Document) -> Problem:
    path, message = problem
    section, _, key = path.partition(".")
    line = document.line_of((section, key))
    return path, f"{message} (line {line})" if line else message
