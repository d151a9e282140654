"""serve.json is the same on both sides, and files of older and newer controllers are read."""

import pytest
from pydantic import ValidationError

from api.pods.serve import AdapterMount, ServeConfig, weights_path

REVISION = "a" * 40


def a_config(**changes: object) -> ServeConfig:
    given = {"model": "org/m", "revision": REVISION, "weights_path": weights_path(REVISION), "served_model_name": "m"}
    return ServeConfig.model_validate(given | changes)


def test_defaults_suit_one_gpu_on_one_node() -> None:
    config = a_config()
    assert (config.port, config.dtype, config.max_model_len) == (5000, "auto", None)
    assert (config.tensor_parallel_size, config.pipeline_parallel_size, config.data_parallel_size) == (1, 1, 1)
    assert (config.gpu_memory_utilization, config.kv_cache_gib, config.adapters) == (None, None, [])
    assert config.trust_remote_code is False
    assert (config.weights_deadline_s, config.extra) == (3600, {})


def test_the_fetchers_marker_lies_beside_the_weights() -> None:
    assert a_config().complete_marker == f"/weights/{REVISION}/.complete"


def test_json_comes_back_as_it_went() -> None:
    config = a_config(adapters=[AdapterMount(name="a", path="/adapters/a")], extra={"max-num-seqs": 4, "nested": [1]})
    assert ServeConfig.model_validate_json(config.model_dump_json()) == config


def test_a_field_of_a_newer_controller_is_passed_over() -> None:
    assert a_config(invented_later=True) == a_config()


@pytest.mark.parametrize(
    "wrong",
    [{"port": 0}, {"max_model_len": 0}, {"gpu_memory_utilization": 1.5}, {"kv_cache_gib": 0}, {"revision": None}],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        a_config(**wrong)
