"""`modelyard plan --hub`: a model that nobody listed is planned by what a hub tells, and a hub's no is the plan's."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "intermediate_size": 8192,
    "max_position_embeddings": 65536, "torch_dtype": "bfloat16",
}  # fmt: skip
FILES = [
    {"type": "file", "path": "config.json", "size": len(json.dumps(CONFIG))},
    {"type": "file", "path": "model.safetensors", "size": 3 << 30},
]
WORKSPACE = """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: w}
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector: {matchLabels: {apps: x}}
inference: {preset: {name: acme/REPO}}
"""


class SmallHub(BaseHTTPRequestHandler):
    """One public model, `acme/small`."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        info = {"id": "acme/small", "sha": COMMIT, "gated": False, "siblings": [], "private": False, "tags": []}
        known = {
            "/api/models/acme/small/revision/main": info,
            f"/api/models/acme/small/tree/{COMMIT}": FILES,
            f"/acme/small/resolve/{COMMIT}/config.json": CONFIG,
        }
        body = json.dumps(known.get(path, {"error": "Repository not found"})).encode()
        self.send_response(200 if path in known else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", '"abc"')
        if path not in known:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SmallHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def planned(tmp_path: Path, repo: str, *options: str) -> int:
    file = tmp_path / "w.yaml"
    file.write_text(WORKSPACE.replace("REPO", repo))
    return main(["plan", "-f", str(file), "--json", *options])


def test_a_model_outside_the_catalogue_is_planned(tmp_path: Path, hub: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, "small", "--hub", hub) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["model"], plan["maxModelLen"], plan["weightsGiB"]) == ("acme/small", 65536, 3.0)


def test_what_the_hub_does_not_have_is_the_plans_error(
    tmp_path: Path, hub: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path, "missing", "--hub", hub) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["reason"] == "ModelNotFound"


def test_offline_the_plan_says_that_the_hub_was_not_queried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, "small") == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert "the hub was not queried" in error["message"]
