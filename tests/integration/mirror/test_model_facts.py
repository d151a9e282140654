"""Facts and commits of models, asked of a real mirror: every page is read, and every refusal has its own reason."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract.models import ModelRequest
from activities.contract.payloads import WorkspaceKey
from activities.planning.models import Models

TOKENS = {"hf_in": {"user": "ann", "repos": ["acme/llama"]}, "hf_out": {"user": "bob"}}
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 2, "hidden_size": 512, "vocab_size": 1000, "max_position_embeddings": 4096,
}  # fmt: skip
HEADER = json.dumps({"w": {"dtype": "BF16", "shape": [500], "data_offsets": [0, 1000]}}).encode()
SHARD = len(HEADER).to_bytes(8, "little") + HEADER + bytes(1000)
SHARDS = [f"model-{number:05}-of-00025.safetensors" for number in range(1, 26)]
REPOSITORIES: dict[str, dict[str, bytes]] = {
    "llama": {
        "config.json": json.dumps(LLAMA).encode(),
        "original/consolidated.00.pth": b"x" * 5000,
        "consolidated.safetensors": SHARD,
        "pytorch_model.bin": b"x" * 5000,
        **dict.fromkeys(SHARDS, SHARD),
    },
    "strange": {"config.json": json.dumps(LLAMA | {"architectures": ["XForCausalLM"]}).encode(), "a.bin": b"w"},
    "coded": {
        "config.json": json.dumps(LLAMA | {"architectures": ["X"], "auto_map": {"AutoModel": "m.X"}}).encode(),
        "a.bin": b"w",
    },
    "bert": {"config.json": json.dumps(LLAMA | {"architectures": ["BertModel"]}).encode(), "a.bin": b"w"},
    "gguf": {"config.json": json.dumps(LLAMA).encode(), "model.gguf": b"w"},
    "bare": {"model.safetensors": SHARD},
    "broken": {"config.json": b"{not json", "model.safetensors": SHARD},
    "listed": {"config.json": b"[1]", "model.safetensors": SHARD},
    "infinite": {
        "config.json": b'{"num_hidden_layers": Infinity, "architectures": ["LlamaForCausalLM"]}',
        "a.bin": b"w",
    },
}


class Secrets:
    """A cluster that holds the Secrets of one namespace."""

    def __init__(self, **tokens: str) -> None:
        self._tokens = tokens

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        assert (kind, namespace) == ("Secret", "default")
        token = self._tokens.get(name)
        return {"data": {"HF_TOKEN": base64.b64encode(token.encode() + b"\n").decode()}} if token else None


@pytest.fixture(scope="module")
def hub(start_mirror: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("facts")
    for repo, files in REPOSITORIES.items():
        for name, content in files.items():
            path: Path = root / "models" / "acme" / repo / "main" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return start_mirror(root=root)


@pytest.fixture(autouse=True)
def _no_rules(hub: Any) -> None:
    hub.reset()


def models(hub: Any, **secrets: str) -> Models:
    return Models(Secrets(**secrets), hub.url)  # type: ignore[arg-type]  # what is used of a cluster


def request(repo: str, secret: str = "", revision: str = "main") -> ModelRequest:
    key = WorkspaceKey(namespace="default", name="w", uid="u")
    return ModelRequest(workspace=key, model=repo, revision=revision, access_secret=secret)


async def reason_of(awaitable: Any) -> tuple[str | None, str]:
    with pytest.raises(ApplicationError) as refused:
        await awaitable
    return refused.value.type, refused.value.message


async def test_a_commit_is_pinned_and_one_copy_of_the_weights_is_counted(hub: Any) -> None:
    pinned = await models(hub).read_model_revision(request("acme/llama"))
    assert len(pinned.revision) == 40
    assert pinned.weight_bytes == 25 * len(SHARD)


async def test_the_list_of_files_is_read_to_its_last_page(hub: Any) -> None:
    await models(hub).read_facts("default", "acme/llama")
    assert len(hub.requests("api/models/acme/llama")) == 1 + 3, "the model, and 30 entries by 10 a page"


async def test_facts_are_those_of_the_configuration(hub: Any) -> None:
    model = await models(hub).read_facts("default", "acme/llama")
    assert (model.repo, model.architecture, model.max_tokens) == ("acme/llama", "LlamaForCausalLM", 4096)
    assert model.weights_gib * 2**30 == pytest.approx(25 * len(SHARD))
    assert model.kv_bytes_per_token == 4 * 2 * 2 * 64 * 2


@pytest.mark.parametrize(
    ("repo", "reason", "message"),
    [
        ("strange", "ModelUnsupported", "vLLM does not serve XForCausalLM"),
        ("coded", "ModelNeedsCode", "code from the repository"),
        ("bert", "ModelWritesNoText", "BertModel does not generate text"),
        ("gguf", "ModelWithoutWeights", "GGUF"),
        ("bare", "ModelConfigInvalid", "no config.json"),
        ("broken", "ModelConfigInvalid", "is not JSON"),
        ("listed", "ModelConfigInvalid", "is not a JSON object"),
        ("infinite", "ModelConfigInvalid", "'inf', not a number"),
        ("nothing", "ModelNotFound", "does not exist, or is private"),
    ],
)
async def test_each_no_has_its_own_reason(hub: Any, repo: str, reason: str, message: str) -> None:
    told = await reason_of(models(hub).read_facts("default", f"acme/{repo}"))
    assert told[0] == reason and message in told[1] and f"acme/{repo}" in told[1]


@pytest.mark.parametrize("name", ["a b/c", "a/b/c", "..", "a/--b", "x" * 200 + "/y"])
async def test_a_name_that_no_hub_has_is_not_found(hub: Any, name: str) -> None:
    assert (await reason_of(models(hub).read_facts("default", name)))[0] == "ModelNotFound"


async def test_a_revision_that_is_not_there_is_told(hub: Any) -> None:
    told = await reason_of(models(hub).read_model_revision(request("acme/llama", revision="v9")))
    assert told[0] == "ModelNotFound" and "no such revision" in told[1]


@pytest.mark.parametrize(
    ("secrets", "secret", "reason"),
    [
        pytest.param({}, "", "ModelGated", id="no token"),
        pytest.param({"s": "hf_out"}, "s", "ModelGated", id="licence not accepted"),
        pytest.param({"s": "hf_wrong"}, "s", "ModelTokenInvalid", id="wrong token"),
        pytest.param({}, "s", "SecretNotFound", id="no secret"),
    ],
)
async def test_a_gated_model_is_refused_before_anything_is_bought(
    hub: Any, secrets: dict[str, str], secret: str, reason: str
) -> None:
    hub.put("access", {"repos": {"acme/llama": "gated"}, "tokens": TOKENS})
    asker = models(hub, **secrets)
    assert (await reason_of(asker.read_model_revision(request("acme/llama", secret))))[0] == reason
    assert (await reason_of(asker.read_facts("default", "acme/llama", secret)))[0] == reason


async def test_a_gated_model_is_read_with_a_token_that_may(hub: Any) -> None:
    hub.put("access", {"repos": {"acme/llama": "gated"}, "tokens": TOKENS})
    asker = models(hub, s="hf_in")
    assert (await asker.read_facts("default", "acme/llama", "s")).gated
    assert (await asker.read_model_revision(request("acme/llama", "s"))).weight_bytes == 25 * len(SHARD)


async def test_a_token_is_in_no_message(hub: Any) -> None:
    hub.put("access", {"repos": {"acme/llama": "gated"}, "tokens": TOKENS})
    assert "hf_wrong" not in (await reason_of(models(hub, s="hf_wrong").read_facts("default", "acme/llama", "s")))[1]


async def test_a_hub_that_is_not_there_is_tried_again() -> None:
    asker = Models(Secrets(), "http://127.0.0.1:1")  # type: ignore[arg-type]  # the same
    with pytest.raises(ApplicationError) as refused:
        await asker.read_facts("default", "acme/llama")
    assert refused.value.type == "ModelUnreachable" and not refused.value.non_retryable
    assert "http://127.0.0.1:1" in refused.value.message


async def test_a_hub_whose_name_does_not_exist_is_a_no_with_the_name() -> None:
    asker = Models(Secrets(), "http://hub.invalid:8080")  # type: ignore[arg-type]  # the same
    with pytest.raises(ApplicationError, match=r"hub\.invalid\. Correct the name") as refused:
        await asker.read_model_revision(request("acme/llama"))
    assert refused.value.type == "HostNotFound" and refused.value.non_retryable


async def test_a_hub_that_asks_to_slow_down_is_given_the_time_it_asks_for(hub: Any) -> None:
    hub.put("faults", [{"match": "api/models/*", "kind": "status", "status": 429, "retry_after_s": 7}])
    with pytest.raises(ApplicationError) as refused:
        await models(hub).read_model_revision(request("acme/llama"))
    assert refused.value.type == "ModelHubBusy" and refused.value.next_retry_delay == timedelta(seconds=7)


async def test_a_hub_in_trouble_is_tried_again(hub: Any) -> None:
    hub.put("faults", [{"match": "api/models/*", "kind": "status", "status": 503}])
    told = await reason_of(models(hub).read_model_revision(request("acme/llama")))
    assert told[0] == "ModelUnreachable" and "HTTP 503" in told[1]
