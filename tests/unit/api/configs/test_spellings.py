"""Options written as on a command line, denied, in capitals or in the wrong place are read or named rightly."""

from typing import Any

import pytest

from api.configs.arguments import arguments_in
from api.configs.inference import parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.retired_options import retired_options

SWITCHES = [name for name, argument in arguments_in("vllm_arguments.yaml").items() if argument.kind == "switch"]


def refused(text: str) -> str:
    with pytest.raises(ConfigProblem) as caught:
        parse_inference_config(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no-enable-prefix-caching: true", {"enable-prefix-caching": False}),
        ("--no-enable-prefix-caching: 'true'", {"enable-prefix-caching": False}),
        ("no_enable_chunked_prefill: true", {"enable-chunked-prefill": False}),
        ("no-enforce-eager:", {}),
        ("no-enforce-eager: false", {}),
    ],
)
def test_a_denied_switch_is_that_switch_turned_off(line: str, expected: dict[str, Any]) -> None:
    assert parse_inference_config(f"vllm:\n  {line}").vllm == expected


def test_a_denial_is_never_answered_with_its_opposite() -> None:
    for name in SWITCHES:
        said = refused(f"vllm: {{no-such-{name}: true}}")
        assert f"did you mean '{name}'" not in said.partition(";")[0]
    assert "is given twice" in refused("vllm: {no-enforce-eager: true, enforce-eager: true}")


@pytest.mark.parametrize("option", [option for row in retired_options().without_effect for option in row.options])
def test_the_denial_of_a_retired_option_is_retired(option: str) -> None:
    found = parse_inference_config(f"vllm: {{no-{option}: true}}")
    assert found.vllm == {} and found.warnings[0][1].startswith("does nothing since vLLM")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vllm: {--swap-space=4: }", "is written as for a command line: write `swap-space: 4`"),
        ("vllm: {--max-model-len 4096: }", "write `max-model-len: 4096`"),
        ("vllm: --max-model-len=4096 --enforce-eager", "one a line as in `max-model-len: 4096`"),
        ("vllm: [--max-model-len, 4096]", "one a line as in `max-model-len: 4096`"),
        ("vllm: {Swap-Space: 4}", "did you mean 'swap-space'?"),
        ("vllm: {MAX_MODEL_LEN: 4096}", "did you mean 'max-model-len'?"),
        ("vllm: {kv-cache-dtype: FP8}", "did you mean 'fp8'?"),
        ("vllm: {rope_scaling: {type: linear}}", "is not an option of vLLM any more: write hf-overrides.rope_scaling"),
    ],
)
def test_another_spelling_is_answered_with_the_right_one(text: str, words: str) -> None:
    assert words in refused(text)


def test_an_option_outside_of_its_section_is_told_where_it_belongs() -> None:
    found = parse_inference_config("max_model_len: 4096\nVLLM: {max-num-seqs: 1}\nother: 1")
    assert found.vllm == {}
    assert [(key, words.partition(": ")[2] or words) for key, words in found.warnings] == [
        ("max_model_len", "it is an option of vLLM, move it below `vllm:`"),
        ("VLLM", "is not a known key and has no effect; did you mean 'vllm'?"),
        ("other", "is not a known key and has no effect"),
    ]
