"""Selects vLLM's parsers for a model's tool calls and reasoning, by the model's name.

Names are of vLLM 0.32; a test checks them against it. A model without a rule gets no parser: its calls arrive as
plain text.
"""

from fnmatch import fnmatchcase
from typing import Final, NamedTuple


class Parsers(NamedTuple):
    """vLLM's --tool-call-parser and --reasoning-parser; empty where a model needs none."""

    tool: str = ""
    reasoning: str = ""


# The first pattern that fits the repository's name in lower case, so narrower patterns come before wider ones.
_RULES: Final[tuple[tuple[str, Parsers], ...]] = (
    ("microsoft/phi-4-mini*", Parsers("phi4_mini_json")),
    ("*deepseek-r1-distill-*", Parsers("deepseek_v3", "deepseek_r1")),
    ("*deepseek-r1*", Parsers("deepseek_v3", "deepseek_r1")),
    ("*deepseek-v3.2*", Parsers("deepseek_v32", "deepseek_v3")),
    ("*deepseek-v3.1*", Parsers("deepseek_v31", "deepseek_v3")),
    ("*deepseek-v3*", Parsers("deepseek_v3", "deepseek_v3")),
    ("*deepseek-v4*", Parsers("deepseek_v4", "deepseek_v4")),
    ("qwen/qwen2.5*", Parsers("hermes")),
    ("qwen/qwen3-coder*", Parsers("qwen3_xml")),
    ("qwen/qwen3-*-instruct-2507*", Parsers("hermes")),
    ("qwen/qwen3-next*instruct*", Parsers("hermes")),
    ("qwen/qwen3-*", Parsers("hermes", "qwen3")),
    ("qwen/qwen3.*", Parsers("qwen3_coder", "qwen3")),
    ("qwen/qwq*", Parsers("hermes", "deepseek_r1")),
    ("openai/gpt-oss*", Parsers("openai", "openai_gptoss")),
    ("meta-llama/llama-4*", Parsers("llama4_pythonic")),
    ("meta-llama/llama-3.[123]*", Parsers("llama3_json")),
    ("meta-llama/meta-llama-3.1*", Parsers("llama3_json")),
    ("mistralai/magistral*", Parsers("mistral", "mistral")),
    ("mistralai/mistral-small-4*", Parsers("mistral", "mistral")),
    ("mistralai/mistral-medium-3.5*", Parsers("mistral", "mistral")),
    ("mistralai/m*", Parsers("mistral")),
    ("google/gemma-4*", Parsers("gemma4", "gemma4")),
    ("google/functiongemma*", Parsers("functiongemma")),
    ("nvidia/*nemotron*", Parsers("qwen3_coder", "nemotron_v3")),
    ("moonshotai/kimi-k2*", Parsers("kimi_k2", "kimi_k2")),
    ("minimaxai/minimax-m2*", Parsers("minimax_m2", "minimax_m2_append_think")),
    ("zai-org/glm-4.[56]*", Parsers("glm45", "glm45")),
    ("zai-org/glm-4.7*", Parsers("glm47", "glm45")),
    ("zai-org/glm-5*", Parsers("glm47", "glm45")),
    ("ibm-granite/granite-4*", Parsers("granite4", "granite")),
    ("ibm-granite/granite-3*", Parsers("granite", "granite")),
)


def parsers_of(repo: str) -> Parsers:
    """The parsers of this repository's model, whatever its case."""
    name = repo.lower()
    return next((parsers for pattern, parsers in _RULES if fnmatchcase(name, pattern)), Parsers())


def all_parsers() -> set[Parsers]:
    """Every pair that a rule names."""
    return {parsers for _, parsers in _RULES}
