"""inference_config.yaml: what KAITO's users write is read rightly, and what cannot work is refused by name."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.configs.arguments import arguments_in
from api.configs.inference import InferenceConfig, context_problem, parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.retired_options import retired_options


def vllm(text: str) -> dict[str, Any]:
    return parse_inference_config("vllm:\n" + "".join(f"  {line}\n" for line in text.splitlines())).vllm


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("enable-chunked-prefill: false", {"enable-chunked-prefill": False}),
        ('enable-chunked-prefill: "False"', {"enable-chunked-prefill": False}),
        ("enforce_eager: true", {"enforce-eager": True}),
        ("--max-num-seqs: 4", {"max-num-seqs": 4}),
        ('max-num-seqs: "4"', {"max-num-seqs": 4}),
        ("max-model-len: 32k", {"max-model-len": 32_000}),
        ("max-model-len: 32K", {"max-model-len": 32_768}),
        ("max-model-len: 25.6k", {"max-model-len": 25_600}),
        ("max-model-len: auto", {"max-model-len": "auto"}),
        ("max-model-len: -1", {"max-model-len": "auto"}),
        ("gpu-memory-utilization: 0.9", {"gpu-memory-utilization": 0.9}),
        ('cpu-offload-gb: "0"', {"cpu-offload-gb": 0}),
        ("optimization-level: 2", {"optimization-level": "2"}),
        ("kv-cache-dtype: fp8", {"kv-cache-dtype": "fp8"}),
        ("max-lora-rank: 64", {"max-lora-rank": 64}),
        ("speculative-config: {method: ngram, num_speculative_tokens: 3}",
         {"speculative-config": {"method": "ngram", "num_speculative_tokens": 3}}),
        ("speculative-config: '{\"method\": \"ngram\"}'", {"speculative-config": {"method": "ngram"}}),
        ("override-generation-config: '\"{}\"'", {"override-generation-config": {}}),
        ("compilation-config.pass_config.fuse_allreduce_rms: false",
         {"compilation-config": {"pass_config": {"fuse_allreduce_rms": False}}}),
        ("lora-target-modules: q_proj", {"lora-target-modules": ["q_proj"]}),
        ("cudagraph-capture-sizes: [1, '2', 4]", {"cudagraph-capture-sizes": [1, 2, 4]}),
        ("disable-log-stats: true", {"disable-log-stats": True}),
        ("disable-log-stats: false", {}),
        ("no-enable-prefix-caching: true", {"enable-prefix-caching": False}),
        ("no_enable_chunked_prefill: 'True'", {"enable-chunked-prefill": False}),
        ("no-enable-prefix-caching: false", {}),
        ("attention-backend: flash_attn", {"attention-backend": "flash_attn"}),
        ("quantization: FP8", {"quantization": "FP8"}),
        ("quantization: None", {"quantization": "None"}),
        ("attention-backend: ''", {"attention-backend": ""}),
        ("max-logprobs: -1", {"max-logprobs": -1}),
        ("swap: &a 1\nswap: *a", None),
        ("max-num-seqs:", {}),
    ],
)  # fmt: skip
def test_a_value_becomes_what_vllm_takes(line: str, expected: dict[str, Any] | None) -> None:
    if expected is None:
        with pytest.raises(ConfigProblem):
            vllm(line)
    else:
        assert vllm(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max-model-length: 4096", r"vllm\.max-model-length: is not an option of vLLM; did you mean 'max-model-len'\?"),
        ("max-num-seq: 4", "did you mean 'max-num-seqs'"),
        ("nonsense: 4", "see `vllm serve --help`"),
        ("speculative_model: x", "is not an option of vLLM any more: write speculative-config.model"),
        ("port: 8000", "the Service relies on it; remove it"),
        ("served_model_name: me", "it is the preset's name"),
        ("middleware: evil.Code", "loads code"),
        ("hf-token: hf_secret", "modelAccessSecret"),
        ("api-key: secret", "gateway"),
        ("lora-modules: [a=/b]", r"inference\.adapters"),
        ("enforce-eager: 1", "write true or false, not 1"),
        ("enforce-eager: maybe", "write true or false"),
        ("max-num-seqs: many", "must be a whole number of at most 64 bits, not 'many'"),
        ("max-num-seqs: 0", "must be at least 1 and at most 1048576, not 0"),
        ("optimization-level: 4", "must be one of 0, 1, 2, 3, not '4'"),
        ("optimization-level: O2", "must be one of 0, 1, 2, 3, not 'O2'"),
        ("block-size: 0", "must be above 0, not 0"),
        ("long-prefill-token-threshold: -5", "must be at least 0, not -5"),
        ("gpu-memory-utilization: 0", "must be at least 0.01 and at most 1, not 0"),
        ("cudagraph-capture-sizes: [4, 0]", "must be at least 1 and at most 65536, not 0"),
        ("video-pruning-rate: 1.0", "must be at least 0 and below 1, not 1"),
        ("max-num-batched-tokens: 0k", "must be at least 1 and at most 2147483647, not 0"),
        ("attention-backend: FOO", "must be one of auto, FLASH_ATTN, .*, not 'FOO'"),
        ("attention-backend: CUSTOM", "must be one of auto"),
        ("attention-backend: flash_atn", "did you mean 'FLASH_ATTN'"),
        ("quantization: nope", "must be one of awq, .*, not 'nope'"),
        ("max-num-seqs: true", "must be a whole number .*, not True"),
        ("max-model-len: 4.5K", "must be a whole number, or one with a unit"),
        ("gpu-memory-utilization: 90%", "must be a number, not '90%'"),
        ("gpu-memory-utilization: 90", "must be at least 0.01 and at most 1, not 90"),
        ("gpu-memory-utilization: .nan", "must be a number"),
        ("dtype: int8", "must be one of auto, bfloat16"),
        ("max-lora-rank: 48", "must be one of 1, 8, 16"),
        ("tokenizer: yes", "put it in quotes"),
        ("speculative-config: ngram", "must be a map or a list, or the JSON of one"),
        ("speculative-config: '[[[['", "must be a map or a list"),
        ("speculative-config: '{\"a\": NaN}'", "must be a map or a list"),
        ("seed: 1000000000000000000000", "64 bits"),
        ("seed: 1e30", "64 bits"),
        ("max-log-len: -1e300", "64 bits"),
        ("kv-cache-memory-bytes: 99999999T", "64 bits"),
        ("override-generation-config: '{\"a\": 1e400}'", "larger than any"),
        ("override-generation-config: '[[-1e400]]'", "larger than any"),
        ('override-generation-config: \'{"a": ["\\ud800"]}\'', "half of a character"),
        ("override-generation-config: '{\"\\udc00\": 1}'", "half of a character"),
        ("ignore-patterns: []", "is an empty list.*leave it out"),
        ("cudagraph-capture-sizes: []", "is an empty list.*leave it out"),
        ("api-server-count: 0", "must be at least 1 .*, not 0"),
        ("renderer-num-workers: 0", "must be at least 1 .*, not 0"),
        ("num-gpu-blocks-override: 0", "must be at least 1 .*, not 0"),
        ("spec-tokens: 0", "must be at least 1 .*, not 0"),
        ("kv-offloading-size: -1000", "must be at least 0 .*, not -1000"),
        ("kv-cache-memory-bytes: -1", "must be at least 0 .*, not -1"),
        ("numa-bind-nodes: [0, -1]", "must be at least 0 .*, not -1"),
        ("dtype: [auto]", "must be text, not"),
        ("max-num-seqs.inner: 4", "max-num-seqs has no inner keys"),
        ("max-num-seqs: 4\nmax_num_seqs: 5", "twice, in two spellings"),
        ("enable-prefix-caching: true\nno-enable-prefix-caching: true", "twice, in two spellings"),
        ("no-enable-prefix-caching: maybe", "write true or false"),
        ("no-enable-prefix-caching.a: true", "enable-prefix-caching has no inner keys"),
        ("no-trust-remote-code: true", r"vllm\.no-trust-remote-code: "),
        ("no-max-num-seqs: true", "no-max-num-seqs: is not an option of vLLM"),
        ("no-disable-log-stats: true", "no-disable-log-stats: is not an option of vLLM"),
        ("task: embed", "is not an option of vLLM any more: write runner"),
        ("eplb-window-size: 10", "any more: write eplb-config.window_size"),
        ("compilation-config: {mode: 0}\ncompilation-config.mode: 1", "twice, in two spellings"),
        ('compilation-config: \'{"mode": 3, "mode": 0}\'', "holds the key 'mode' twice; keep one"),
        ("compilation-config.: 1", "twice|inner"),
        ("tool-call-parser: qwen", r"tool-call-parser: must be one of .*hermes.*, not 'qwen'"),
        ("tool-call-parser: herms", "did you mean 'hermes'"),
        ("tool_call_parser: ''", "must be one of"),
        ("reasoning-parser: deepseek", "must be one of .*deepseek_r1.*, not 'deepseek'"),
        ("enable-log-outputs: true", r"vllm\.enable-log-outputs: needs enable-log-requests.*\(line 2\)"),
        ("enable-log-outputs: true\nenable-log-requests: false", "needs enable-log-requests"),
        ("enable-per-request-metrics: true\ndisable-log-stats: true", "leave disable-log-stats out"),
        ("sse-keep-alive-interval: -1", "must be 0"),
        ("chat-template: /tmp/template.jinja", "put the template's own text here, or leave it out"),
        ("a: 1\na: 2", "line 3, column 3: the key 'a' is given twice"),
    ],
)
def test_what_cannot_work_is_refused_with_the_fix(line: str, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words):
        vllm(line)


@pytest.mark.parametrize("depth", [21, 260, 900, 5000])
@pytest.mark.parametrize("option", ["override-generation-config", "compilation-config"])
def test_json_that_is_nested_deep_is_refused(option: str, depth: int) -> None:
    """Deeper than YAML may be, and than what brings it to the pod can write."""
    with pytest.raises(ConfigProblem, match=f"^vllm.{option}: (is nested deeper than 20 levels|must be a map)"):
        vllm(f"{option}: '" + '{"mode": ' * depth + "1" + "}" * depth + "'")


@pytest.mark.parametrize("option", ["override-generation-config", "compilation-config"])
def test_a_key_of_many_inner_keys_is_refused(option: str) -> None:
    with pytest.raises(ConfigProblem, match="has inner keys of more than 20 levels"):
        vllm(f"? {option}." + "pass_config." * 300 + "a\n: 1")


def test_json_of_some_levels_is_taken() -> None:
    assert vllm("override-generation-config: '" + '{"a": ' * 20 + "1" + "}" * 20 + "'")


def test_every_mistake_is_reported_at_once_with_its_line() -> None:
    with pytest.raises(ConfigProblem) as caught:
        vllm("enforce-eager: maybe\n# a comment\nport: 1")
    assert [path for path, _ in caught.value.errors] == ["vllm.enforce-eager", "vllm.port"]
    assert [message[-8:] for _, message in caught.value.errors] == ["(line 2)", "(line 4)"]


@pytest.mark.parametrize("text", ["", "{}", "vllm:", "vllm: {}", "# nothing\n"])
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    assert parse_inference_config(text) == InferenceConfig()


@pytest.mark.parametrize("text", ["[]", "a", "3", "vllm: []", "vllm: text"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigProblem, match="must be a map"):
        parse_inference_config(text)


def test_keys_without_effect_are_accepted_with_a_warning() -> None:
    config = parse_inference_config("max_probe_steps: 6\nkv_cache_cpu_memory_utilization: 0.5\nvlm: {dtype: half}\n")
    assert config.vllm == {}
    assert [path for path, _ in config.warnings] == ["max_probe_steps", "kv_cache_cpu_memory_utilization", "vlm"]
    assert "did you mean 'vllm'?" in config.warnings[2][1]


@pytest.mark.parametrize("key", ["chat-template", "chat_template", "--chat-template"])
def test_a_template_of_kaitos_image_is_left_out_with_a_note(key: str) -> None:
    """KAITO's guide to tool calls names files that only its own image has."""
    text = f"vllm:\n  tool-call-parser: phi4_mini_json\n  {key}: /workspace/chat_templates/tool-chat-phi4-mini.jinja\n"
    config = parse_inference_config(text)
    assert config.vllm == {"tool-call-parser": "phi4_mini_json"}
    ((path, words),) = config.warnings
    assert path == f"vllm.{key}" and "The model's own template is used" in words and words.endswith("(line 3)")


def test_a_templates_text_is_passed_on() -> None:
    assert vllm('chat-template: "{{ messages }}"') == {"chat-template": "{{ messages }}"}


def test_a_context_longer_than_the_models_is_refused_with_kaitos_message() -> None:
    config = parse_inference_config("vllm: {max-model-len: 9000}")
    assert "exceeds model's maximum supported context window 8192" in (context_problem(config, 8192) or "")
    assert context_problem(config, 9000) is None
    assert context_problem(parse_inference_config("vllm: {max-model-len: auto}"), 1) is None


def test_numbers_are_offered_to_the_planner() -> None:
    config = parse_inference_config("vllm: {gpu-memory-utilization: 0.8, enforce-eager: true, max-model-len: 4k}")
    assert (config.number("gpu-memory-utilization"), config.number("max-num-seqs")) == (0.8, None)
    assert config.number("enforce-eager") is None
    assert config.max_model_len == 4000


ANYTHING = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    st.lists(st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from(sorted(arguments_in("vllm_arguments.yaml"))), st.one_of(*ANYTHING), max_size=5))
def test_any_values_are_read_or_refused(section: dict[str, Any]) -> None:
    try:
        parse_inference_config(yaml.safe_dump({"vllm": section}))
    except ConfigProblem as problem:
        assert all(path.startswith("vllm.") for path, _ in problem.errors)


@pytest.mark.parametrize(
    "key",
    ["swap-space", "swap_space", "--max-seq-len-to-capture", "num_scheduler_steps", "preemption-mode.x", "device",
     "enable_prompt_adapter", "--no-enable-prompt-adapter", "spec-decoding-acceptance-method"],
)  # fmt: skip
def test_an_option_that_vllm_has_retired_is_left_out_with_a_note(key: str) -> None:
    config = parse_inference_config(f"vllm:\n  {key}: 4\n  max-model-len: 4096\n")
    assert config.vllm == {"max-model-len": 4096}
    [(path, note)] = config.warnings
    assert path == f"vllm.{key}" and note.startswith("does nothing since vLLM 0.")


def test_what_is_retired_is_no_option_of_this_vllm_and_what_takes_its_place_is_one() -> None:
    known, retired = arguments_in("vllm_arguments.yaml"), retired_options()
    gone = [option for row in retired.without_effect for option in row.options]
    assert len(gone) == len(set(gone)) and not {*gone, *retired.renamed} & known.keys()
    for option, now in retired.renamed.items():
        assert now.partition(":")[0].partition(".")[0] in known, f"{option}: {now}"
