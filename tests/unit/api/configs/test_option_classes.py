"""What a ConfigMap may ask of vLLM is a list; code, files, ports and the pod's contract are not on it."""

from typing import Any

import pytest
import yaml

from api.configs.arguments import Argument, arguments_in
from api.configs.inference import parse_inference_config, vllm_options
from api.configs.mounted_paths import SERVED
from api.configs.option_classes import option_classes
from api.configs.problem import ConfigProblem
from api.configs.training import parse_training_config
from api.pods.adapter_records import ADAPTERS_ROOT
from api.pods.weights import WEIGHTS_ROOT
from presets.models.catalog import all_models

KNOWN = arguments_in("vllm_arguments.yaml")
COMMIT = f"{WEIGHTS_ROOT}/0123456789abcdef0123456789abcdef01234567"


def parsed(option: str, value: Any, **around: bool) -> dict[str, Any]:
    return parse_inference_config(yaml.safe_dump({"vllm": {option: value}}), **around).vllm


def refused(option: str, value: Any) -> str:
    with pytest.raises(ConfigProblem) as caught:
        parsed(option, value)
    return str(caught.value)


def test_each_option_of_vllm_has_one_class() -> None:
    classes = option_classes()
    named = [
        *classes.tuning,
        *classes.limited,
        *(option for row in (*classes.opens, *classes.code) for option in row.options),
    ]
    assert sorted(named) == sorted(KNOWN), "class what vLLM has added in api/configs/vllm_option_classes.yaml"


def test_an_option_that_nobody_has_classed_is_refused() -> None:
    known = KNOWN | {"run-this-at-start": Argument()}
    chosen, problems = vllm_options({"run-this-at-start": "sh"}, known, remote_code_allowed=True)
    assert chosen == {}
    assert "not among the options that Modelyard knows" in problems[0][1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("log-config-file", f"{COMMIT}/x.json"),
        ("logging-config", {"pylogging_config_file": f"{COMMIT}/x.json"}),
        ("logging-config", '{"pylogging_config_file": "/x"}'),
        ("logging-config.pylogging_config_file", f"{COMMIT}/x.json"),
        ("logging_config", {"log_level": "INFO", "pylogging_config_file": "/x"}),
        ("trust-remote-code", True),
        ("trust_remote_code", "true"),
        ("distributed-executor-backend", "evil.Executor"),
        ("distributed-executor-backend", "ray"),
        ("kv-transfer-config", {"kv_connector": "OffloadingConnector", "kv_connector_module_path": "evil"}),
        ("kv-transfer-config", {"kv_connector": "Evil"}),
        ("kv-transfer-config", {"kv_connector_extra_config": {"spec_module_path": "evil"}}),
        ("kv-transfer-config.kv_connector_extra_config.cache_policy_module_path", "evil"),
        ("ec-transfer-config", {"ec_connector_module_path": "evil"}),
        ("ec-manager-config", {"encoder_cache_manager_cls": "evil.Manager"}),
        ("speculative-config", {"method": "custom_class", "model": "evil.Proposer"}),
        ("spec-method", "custom_class"),
        ("compilation-config", {"inductor_passes": {"x": "evil.passes"}}),
        ("compilation-config.inductor_compile_config", {"cpp.cxx": ["/tmp/evil"]}),
        ("compilation-config", {"backend": "evil.backend"}),
        ("hf-overrides", {"auto_map": {"AutoConfig": "x--y.Z"}}),
        ("hf-overrides", '{"architectures": ["Other"]}'),
        ("hf-overrides", "evil"),
        ("tokenizer", "evil/tokenizer"),
        ("hf-config-path", "evil/config"),
        ("load-format", "pt"),
        ("load-format", "tensorizer"),
        ("model-loader-extra-config", {"tensorizer_config": {"tensorizer_uri": "https://evil"}}),
        ("model-impl", "terratorch"),
        ("tokenizer-mode", "custom"),
        ("structured-outputs-config", {"reasoning_parser_plugin": "/x.py"}),
        ("additional-config", {"anything": 1}),
        ("worker-extension-cls", "evil.Worker"),
    ],
)
def test_code_of_a_strangers_choice_is_not_loaded(option: str, value: Any) -> None:
    message = refused(option, value)
    assert any(words in message for words in ("; remove it", "must be", "may not be set; these may:", "must lie in"))


def test_a_key_does_not_reach_another_option_by_an_alias() -> None:
    """The one that is judged by its keys would get a key after it was judged."""
    text = "vllm:\n  hf-overrides: &a {rope_theta: 1}\n  override-generation-config: *a\n"
    text += "  override-generation-config.auto_map: {AutoConfig: evil--x.Y}\n"
    assert parse_inference_config(text).vllm["hf-overrides"] == {"rope_theta": 1}


LISTS_OF_TEXTS = [
    name
    for name, one in KNOWN.items()
    if (one.kind, one.type, one.choices) == ("list", "str", ()) and name in option_classes().tuning
]


@pytest.mark.parametrize("option", LISTS_OF_TEXTS)
@pytest.mark.parametrize("value", [["a", "--trust-remote-code"], ["--middleware=evil.Code"], "--api-key", ["-O3"]])
def test_an_item_of_a_list_does_not_become_an_option(option: str, value: Any) -> None:
    """The command line has the items behind the option, each by itself."""
    assert "begin with a dash" in refused(option, value)


def test_lists_of_texts_are_among_the_options_that_can_be_set() -> None:
    assert {"ignore-patterns", "lora-target-modules", "allowed-media-domains"} <= set(LISTS_OF_TEXTS)


@pytest.mark.parametrize(
    "option",
    [
        *("allowed-local-media-path", "enable-prompt-embeds", "enable-mm-embeds", "trust-request-chat-template"),
        *("profiler-config", "kv-events-config", "weight-transfer-config", "otlp-traces-endpoint", "enable-scale-out"),
        *(
            "api-key",
            "middleware",
            "allowed-origins",
            "enable-sleep-mode",
            "enable-fault-tolerance",
            "port",
            "root-path",
        ),
    ],
)
def test_the_pod_is_not_opened_to_whoever_asks_it(option: str) -> None:
    values: tuple[Any, ...] = ({}, True, "/", ["*"])
    for value in values:
        assert "; remove it" in refused(option, value)


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("chat-template", "/proc/self/environ"),
        ("chat-template", f"{WEIGHTS_ROOT}/../proc/self/environ"),
        ("chat-template", "templates/chatml.jinja"),
        ("generation-config", "/etc"),
        ("tokenizer", "/weights"),
        ("speculative-config.model", "/mnt/evil"),
        ("spec-model", "evil/draft"),
        ("default-mm-loras", {"image": "/tmp/x"}),
        ("default-mm-loras.image", "/tmp/x"),
        ("mm-encoder-fp8-scale-path", "/etc/passwd"),
    ],
)
def test_files_of_the_pod_are_not_read(option: str, path: Any) -> None:
    assert f"must lie in {' or '.join(SERVED)}" in refused(option, path)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("chat-template", "{{ messages }}", "{{ messages }}"),
        ("chat-template", f"{COMMIT}/tool.jinja", None),
        ("tokenizer", COMMIT, None),
        ("generation-config", "vllm", None),
        ("generation-config", f"{COMMIT}/serving", None),
        ("default-mm-loras", {"image": f"{ADAPTERS_ROOT}/image"}, None),
        ("speculative-config", {"method": "draft_model", "model": f"{COMMIT}/draft"}, None),
        ("hf-overrides", '{"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}',
         {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}),
        ("kv-transfer-config", {"kv_connector": "OffloadingConnector", "kv_role": "kv_both",
                                "kv_connector_extra_config": {"cpu_bytes_to_use": 1}}, None),
        ("kv-transfer-config", {"kv_connector": "LMCacheConnectorV1", "kv_role": "kv_both"}, None),
        ("load-format", "runai_streamer", None),
        ("model-loader-extra-config", {"distributed": True}, None),
        ("distributed-executor-backend", "mp", None),
        ("compilation-config", {"mode": 0, "custom_ops": ["all"]}, None),
        ("logging-config", {"log_level": "DEBUG"}, None),
    ],
)  # fmt: skip
def test_tuning_stays_the_users(option: str, value: Any, expected: Any) -> None:
    assert parsed(option, value) == {option: value if expected is None else expected}


def test_what_kaito_sets_for_its_presets_can_be_set() -> None:
    given = {
        "performance-mode": "throughput", "gpu-memory-utilization": 0.84, "max-model-len": "auto", "dtype": "bfloat16",
        "compilation-config.pass_config.fuse_allreduce_rms": False, "kernel-config.enable_flashinfer_autotune": False,
        "moe-backend": "marlin", "attention-backend": "FLASHINFER", "gdn-prefill-backend": "triton",
        "kv-cache-dtype": "fp8", "enable-expert-parallel": True, "reasoning-parser": "qwen3", "cpu-offload-gb": 0,
        "disable-log-stats": False, "uvicorn-log-level": "error", "enable-lora": True, "load-format": "mistral",
        "config-format": "mistral", "tokenizer-mode": "mistral", "enable-auto-tool-choice": True,
        "tool-call-parser": "hermes",
    }  # fmt: skip
    parse_inference_config(yaml.safe_dump({"vllm": given}))


def test_what_our_presets_need_can_be_set() -> None:
    for model in all_models():
        _, problems = vllm_options(model.vllm_options, KNOWN, remote_code_allowed=False)
        assert problems == [], model.repo


def test_code_of_the_repository_runs_only_where_the_operator_allows_it() -> None:
    assert "ask who runs this installation" in refused("trust-remote-code", True)
    assert parsed("trust-remote-code", True, remote_code_allowed=True) == {"trust-remote-code": True}
    for section in ("ModelConfig", "TrainingArguments"):
        text = yaml.safe_dump({"training_config": {section: {"trust_remote_code": True}}})
        with pytest.raises(ConfigProblem, match=rf"{section}\.trust_remote_code: is not allowed here"):
            parse_training_config(text)
        parse_training_config(text, remote_code_allowed=True)
        parse_training_config(text.replace("true", "false"))


@pytest.mark.parametrize("path", ["/proc/self/environ", "/mnt/../proc/self/environ", "/etc/passwd"])
def test_a_training_reads_no_chat_template_from_outside_its_volumes(path: str) -> None:
    for section, key in (("ModelConfig", "chat_template"), ("TrainingArguments", "chat_template_path")):
        with pytest.raises(ConfigProblem, match="must stay below /mnt"):
            parse_training_config(yaml.safe_dump({"training_config": {section: {key: path}}}))
    kept = parse_training_config(yaml.safe_dump({"training_config": {"ModelConfig": {"chat_template": "/mnt/data/a"}}}))
    assert kept.model.chat_template == "/mnt/data/a"


def test_what_a_model_server_has_is_what_is_mounted_there() -> None:
    assert SERVED == (WEIGHTS_ROOT, ADAPTERS_ROOT)
