"""A ServeConfig becomes vLLM's arguments."""

import json
from typing import Any

import pytest

from api.pods.serve import AdapterMount, ServeConfig
from runtime.serve.arguments import Kind, Option, vllm_arguments
from runtime.serve.failures import ConfigInvalid

SHA = "0123456789abcdef0123456789abcdef01234567"
SWITCHES = ("enable_lora", "trust_remote_code", "enable_chunked_prefill", "enforce_eager")
LISTS = ("served_model_name", "lora_modules", "api_key", "ignore_patterns")
VALUES = (
    *("model", "revision", "tokenizer_revision", "code_revision", "host", "port", "dtype", "max_model_len"),
    *(
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "shutdown_timeout",
        "max_loras",
        "max_lora_rank",
    ),
    *("disable_access_log_for_endpoints", "gpu_memory_utilization", "compilation_config", "kv_cache_memory_bytes"),
    *("distributed_executor_backend", "max_num_seqs", "middleware", "speculative_config", "response_role"),
)
FLAGS = ("disable_log_stats",)
OPTIONS = {
    name: Option(name.replace("_", "-"), kind)
    for kind, names in ((Kind.SWITCH, SWITCHES), (Kind.LIST, LISTS), (Kind.VALUE, VALUES), (Kind.FLAG, FLAGS))
    for name in names
}


def a_config(**fields: Any) -> ServeConfig:
    given = {"model": "acme/tiny", "revision": SHA, "weights_path": f"/weights/{SHA}", "served_model_name": "tiny"}
    return ServeConfig.model_validate(given | fields)


def arguments(device: Any = "cuda", **fields: Any) -> list[str]:
    return vllm_arguments(a_config(**fields), device, OPTIONS)


def test_the_weights_are_local_and_every_revision_is_pinned() -> None:
    found = arguments()
    assert f"--model=/weights/{SHA}" in found
    assert {f"--{kind}revision={SHA}" for kind in ("", "tokenizer-", "code-")} <= set(found)


def test_remote_code_is_trusted_only_on_request() -> None:
    assert not any("trust-remote-code" in argument for argument in arguments())
    assert "--trust-remote-code" in arguments(trust_remote_code=True)


def test_the_order_is_the_same_each_time() -> None:
    assert arguments(extra={"max-num-seqs": 4, "dtype": "half"}) == arguments(
        extra={"max-num-seqs": 4, "dtype": "half"}
    )


def test_gpu_memory_counts_on_a_gpu_and_the_cache_size_on_a_cpu() -> None:
    both = {"gpu_memory_utilization": 0.84, "kv_cache_gib": 2}
    assert "--gpu-memory-utilization=0.84" in arguments("cuda", **both)
    assert not any("kv-cache" in argument for argument in arguments("cuda", **both))
    assert "--kv-cache-memory-bytes=2147483648" in arguments("cpu", **both)
    assert not any("gpu-memory" in argument for argument in arguments("cpu", **both))


def test_on_a_cpu_near_ties_fall_as_in_transformers_because_the_rotary_kernel_is_off() -> None:
    (given,) = (text for text in arguments("cpu") if text.startswith("--compilation-config="))
    assert "-rotary_embedding" in json.loads(given.partition("=")[2])["custom_ops"]


def test_several_workers_on_a_cpu_have_processes_of_their_own() -> None:
    assert "--distributed-executor-backend=uni" in arguments("cpu")
    assert "--distributed-executor-backend=uni" not in arguments("cpu", tensor_parallel_size=2)


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, "--enable-chunked-prefill"),
        (False, "--no-enable-chunked-prefill"),
        ("False", "--no-enable-chunked-prefill"),
    ],
)
def test_a_switch_never_has_a_value(value: Any, flag: str) -> None:
    found = arguments(extra={"enable-chunked-prefill": value})
    assert flag in found
    assert not any(word in found for word in ("True", "False", "true", "false"))


def test_a_flag_without_an_opposite_is_passed_or_left_out() -> None:
    assert "--disable-log-stats" in arguments(extra={"disable-log-stats": True})
    assert arguments(extra={"disable-log-stats": False}) == arguments()


def test_dotted_keys_become_one_structured_value() -> None:
    found = arguments(extra={"compilation-config.mode": 3, "compilation_config.pass_config.fuse": False})
    assert '--compilation-config={"mode":3,"pass_config":{"fuse":false}}' in found


def test_the_users_keys_replace_ours_in_place() -> None:
    found = arguments(dtype="auto", extra={"dtype": "float32"})
    assert "--dtype=float32" in found
    assert "--dtype=auto" not in found


def test_dashes_and_underscores_mean_the_same() -> None:
    assert arguments(extra={"max_num_seqs": 4}) == arguments(extra={"max-num-seqs": 4})


def test_structured_values_become_json() -> None:
    assert '--speculative-config={"method":"ngram"}' in arguments(extra={"speculative-config": {"method": "ngram"}})


def test_a_value_that_looks_like_an_option_stays_a_value() -> None:
    assert "--response-role=--port" in arguments(extra={"response-role": "--port"})


def test_a_key_without_a_value_is_left_out() -> None:
    assert arguments(extra={"max-num-seqs": None}) == arguments()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"max-num-seq": 4}, "did you mean 'max-num-seqs'"),
        ({"nonsense": 1}, r"vllm\.nonsense is not an option of vLLM"),
        ({"port": 80}, "set by Modelyard"),
        ({"model": "other"}, "set by Modelyard"),
        ({"middleware": "evil.Code"}, "loads code"),
        ({"--host": "::"}, "set by Modelyard"),
        ({"enforce-eager": "yes"}, "write true or false"),
        ({"ignore-patterns": ["a", "--trust-remote-code"]}, "begin with a dash"),
        ({"ignore-patterns": []}, "an empty list"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(extra: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        arguments(extra=extra)


def test_adapters_are_served_under_their_names() -> None:
    found = arguments(adapters=[AdapterMount(name="facts", path="/mnt/adapter/facts").model_dump()])
    at = found.index("--lora-modules")
    assert json.loads(found[at + 1]) == {"name": "facts", "path": "/mnt/adapter/facts"}
    assert {"--enable-lora", "--max-loras=1"} <= set(found)


@pytest.mark.parametrize(("ranks", "largest"), [((1,), 1), ((4, 8), 8), ((9, 16), 16), ((3, 33), 64), ((300,), 320)])
def test_the_largest_rank_decides_and_is_one_that_vllm_knows(ranks: tuple[int, ...], largest: int) -> None:
    given = [{"name": f"a{number}", "path": f"/a{number}", "rank": rank} for number, rank in enumerate(ranks)]
    found = arguments(adapters=given)
    assert {f"--max-lora-rank={largest}", f"--max-loras={len(ranks)}"} <= set(found)


def test_the_user_may_leave_room_for_higher_ranks() -> None:
    given = [{"name": "a", "path": "/a", "rank": 8}]
    assert "--max-lora-rank=64" in arguments(adapters=given, extra={"max-lora-rank": 64})


def test_what_the_model_needs_comes_before_what_the_user_wants() -> None:
    found = arguments(model_options={"max_num_seqs": 8, "dtype": "half"}, extra={"max-num-seqs": 4})
    assert "--max-num-seqs=4" in found and "--dtype=half" in found and "--max-num-seqs=8" not in found
    with pytest.raises(ConfigInvalid, match="tool_call_parsr"):
        arguments(model_options={"tool_call_parsr": "hermes"})
