"""The environment under which vLLM runs."""

from typing import Any

from api.pods.serve import ServeConfig
from runtime.serve.environment import usable_cpus, variables


def a_config(**fields: Any) -> ServeConfig:
    given = {"model": "acme/tiny", "revision": "abc", "weights_path": "/weights/abc", "served_model_name": "tiny"}
    return ServeConfig.model_validate(given | fields)


def test_telemetry_is_off_and_no_hub_is_contacted() -> None:
    found = variables(a_config(), "cuda", 4, {})
    assert found["VLLM_NO_USAGE_STATS"] == found["DO_NOT_TRACK"] == found["HF_HUB_OFFLINE"] == "1"


def test_caches_lie_beside_the_weights() -> None:
    found = variables(a_config(), "cuda", 4, {})
    assert found["VLLM_CACHE_ROOT"] == "/weights/.cache/vllm"
    homes = ("HF_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME")
    assert all(found[name].startswith("/weights/.cache") for name in homes)


def test_what_the_pod_sets_stays() -> None:
    assert "HF_HUB_OFFLINE" not in variables(a_config(), "cuda", 4, {"HF_HUB_OFFLINE": "0"})


def test_our_plugin_joins_those_that_are_named() -> None:
    assert variables(a_config(), "cuda", 4, {})["VLLM_PLUGINS"] == "modelyard"
    assert variables(a_config(), "cuda", 4, {"VLLM_PLUGINS": "other,modelyard"})["VLLM_PLUGINS"] == "other,modelyard"


def test_one_cpu_stays_with_the_api_server() -> None:
    assert [variables(a_config(), "cpu", cpus, {})["OMP_NUM_THREADS"] for cpus in (1, 2, 8)] == ["1", "1", "7"]


def test_threads_are_not_bound_to_the_first_cores_of_the_node() -> None:
    assert variables(a_config(), "cpu", 4, {})["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"


def test_a_gpu_needs_no_thread_settings() -> None:
    assert "OMP_NUM_THREADS" not in variables(a_config(), "cuda", 4, {})


def test_there_is_at_least_one_cpu() -> None:
    assert usable_cpus() >= 1


def test_nothing_is_compiled_on_a_cpu_unless_the_user_asks_for_it() -> None:
    assert variables(a_config(), "cpu", 4, {})["TORCH_COMPILE_DISABLE"] == "1"
    asked = a_config(extra={"compilation-config": {"mode": 3}})
    assert "TORCH_COMPILE_DISABLE" not in variables(asked, "cpu", 4, {})
