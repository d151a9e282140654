"""`modelyard validate`: exit codes, places in files, both forms of output, and what it does not fall for."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.main import main

GOOD = """\
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata:
  name: phi
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector:
    matchLabels:
      apps: phi
inference:
  preset:
    name: phi-4-mini-instruct
"""
WRONG = GOOD.replace("phi-4-mini-instruct", "phi-5").replace("name: phi\n", "name: wrong\n")
PARAMS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: params
data:
  inference_config.yaml: |
    vllm:
      max-model-len: {length}
"""
WITH_CONFIG = GOOD + "  config: params\n"


@pytest.fixture
def validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`validate(text, *options)`: exit code, what was printed, what went to the error stream."""

    def run(text: str | bytes, *options: str, name: str = "file.yaml") -> SimpleNamespace:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = main(["validate", "-f", str(file), *options])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out.replace(f"{tmp_path}/", ""), err=err.replace(f"{tmp_path}/", ""))

    return run


def documents(answer: SimpleNamespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer.out)["documents"]
    return found


def test_an_accepted_workspace(validate: Any) -> None:
    answer = validate(GOOD)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "file.yaml: document 1: Workspace default/phi: accepted\n"


def test_a_refused_workspace_is_reported_with_line_path_and_remedy(validate: Any) -> None:
    answer = validate(f"# first\n---\n{GOOD}---\n{WRONG}")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == "file.yaml: document 1: Workspace default/phi: accepted"
    assert lines[1] == "file.yaml: document 2: Workspace default/wrong: refused"
    assert lines[2].startswith("  file.yaml:27: inference.preset.name: Unsupported inference preset name 'phi-5'")
    assert lines[2].endswith("[C10]")
    assert lines[3] == "    write instead: A name from the message, or a repository of Hugging Face"
    assert len(lines) == 4


def test_json_says_the_same_to_programs(validate: Any) -> None:
    answer = validate(f"{GOOD}---\n{WRONG}", "--json")
    assert answer.code == 1
    whole = json.loads(answer.out)
    assert whole["accepted"] is False
    assert [entry["verdict"] for entry in whole["documents"]] == ["accepted", "refused"]
    (problem,) = whole["documents"][1]["problems"]
    assert problem.keys() == {"rule", "path", "line", "message", "instead"}
    assert (problem["rule"], problem["path"], problem["line"]) == ("C10", "inference.preset.name", 25)


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert main(["validate", "-f", "-"]) == 0
    assert capsys.readouterr().out.startswith("-: document 1: Workspace default/phi: accepted")


def test_several_files_are_one_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, params = tmp_path / "a.yaml", tmp_path / "b.yaml"
    workspace.write_text(WITH_CONFIG)
    params.write_text(PARAMS.format(length=10**9))
    assert main(["validate", "-f", str(workspace), "-f", str(params)]) == 1
    assert "[I2]" in capsys.readouterr().out


def test_a_list_as_kubectl_prints_it(validate: Any) -> None:
    items = [dict(kind="Workspace", apiVersion="kaito.sh/v1beta1", metadata={"name": name}) for name in ("a", "b")]
    answer = validate(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), "--json", name="list.json")
    assert answer.code == 1
    assert [entry["name"] for entry in documents(answer)] == ["a", "b"]
    assert all(entry["problems"][0]["rule"] in ("C2", "C8") for entry in documents(answer))


def test_a_config_map_in_the_file_is_checked_with_its_workspace(validate: Any) -> None:
    assert validate(f"{PARAMS.format(length=4096)}---\n{WITH_CONFIG}").code == 0
    answer = validate(f"{PARAMS.format(length=10**9)}---\n{WITH_CONFIG}")
    assert answer.code == 1
    assert "max-model-len 1000000000 exceeds model's maximum supported context window" in answer.out


def test_a_config_map_of_another_namespace_is_not_meant(validate: Any) -> None:
    elsewhere = PARAMS.format(length=10**9).replace("name: params", "name: params\n  namespace: other")
    answer = validate(f"{elsewhere}---\n{WITH_CONFIG}")
    assert answer.code == 0
    assert "note: ConfigMap 'params' is not in the files: its content was not checked" in answer.out


TOOLS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: params}
data:
  inference_config.yaml: |
    vllm:
      tool-call-parser: phi4_mini_json
      chat-template: /workspace/chat_templates/tool-chat-phi4-mini.jinja
      swap-space: 4
"""


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        pytest.param(f"{TOOLS}---\n{WITH_CONFIG}",
                     ["vllm.chat-template: is accepted and not acted on: the file is of KAITO's image",
                      "vllm.swap-space: does nothing since vLLM 0.18 and is left out"], id="KAITO's tool calls"),
        pytest.param(GOOD.replace("  name: phi\n", "  name: phi\n  annotations: {kaito.sh/enablelb: 'True', "
                                  "kaito.sh/performance-mode: throughput, kaito.sh/disable-benchmark: 'true'}\n"),
                     ["kaito.sh/disable-benchmark]: does nothing", "kaito.sh/enablelb]: makes the Service a load"],
                     id="annotations"),
        pytest.param(GOOD.replace("resource:\n", "resource:\n  count: 2\n"),
                     ["resource.count: is KAITO's hint and decides nothing"], id="count"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_noted_and_not_refused(text: str, notes: list[str], validate: Any) -> None:
    answer = validate(text, "--json")
    said = documents(answer)[-1]["notes"]
    assert (answer.code, len(said)) == (0, len(notes))
    assert all(any(note in found for found in said) for note in notes), said


def test_other_kinds_are_skipped_with_a_note(validate: Any) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: !!python/object {}\n"
    answer = validate(f"{service}---\n{GOOD}")
    assert answer.code == 0
    assert "file.yaml: document 1: Service: skipped\n  note: not checked: this is not a Workspace" in answer.out


@pytest.mark.parametrize(
    "misspelled", [GOOD.replace("kind: Workspace", "kind: Workspce"), GOOD.replace("kind: Workspace\n", ""),
                   GOOD.replace("kind: Workspace", "kind: workspace"), "a: b\n"],
    ids=["kind", "no kind", "lower case", "nothing of Kubernetes"],
)  # fmt: skip
def test_what_was_probably_meant_to_be_a_workspace_is_not_skipped(misspelled: str, validate: Any) -> None:
    answer = validate(misspelled)
    assert answer.code == 1
    assert "kind: is " in answer.out


def test_an_update_is_checked_against_what_is_stored(validate: Any, tmp_path: Path) -> None:
    stored = tmp_path / "stored.yaml"
    stored.write_text(f"{GOOD}---\n{WRONG}")
    changed = GOOD.replace("matchLabels:\n      apps: phi", "matchLabels:\n      apps: other")
    answer = validate(changed, "--old", str(stored))
    assert answer.code == 1
    assert "field is immutable" in answer.out and "[U7]" in answer.out
    assert validate(WRONG, "--old", str(stored)).code == 0, "what is stored wrong and not changed does not block"


def test_one_that_is_not_stored_yet_is_checked_as_new(validate: Any, tmp_path: Path) -> None:
    stored = tmp_path / "stored.yaml"
    stored.write_text(WRONG)
    answer = validate(GOOD, "--old", str(stored))
    assert answer.code == 0
    assert "note: checked as new: it is not in the file of --old" in answer.out


def test_the_option_provider_decides(validate: Any) -> None:
    own = GOOD.replace("  instanceType: Standard_NC24ads_A100_v4\n", "")
    assert validate(own).code == 1
    assert validate(own, "--provider", "byo").code == 0
    assert validate(GOOD, "--provider", "byo").code == 1


def test_a_host_may_be_allowed(validate: Any) -> None:
    tuning = GOOD.partition("inference:")[0] + (
        "tuning:\n  preset: {name: phi-4}\n  method: lora\n  input: {urls: ['http://mirror.internal/a']}\n"
        "  output: {image: 'r.io/a:1', imagePushSecret: s}\n"
    )
    assert validate(tuning).code == 1
    assert validate(tuning, "--allow-host", "mirror.internal").code == 0


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN = {
    "bomb": (BOMB, "aliases expanded"),
    "key twice": (GOOD + "metadata: {name: other}\n", "line 13, column 1: the key 'metadata' is given twice"),
    "tag": (GOOD + "x: !!python/name:os.system\n", "tag"),
    "no yaml": (GOOD + "\t- [\n", "line 13"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000, "nested deeper"),
    "endless": ("a: &a [*a]", "no finished anchor"),
    "large": (GOOD + "#" * 100_000 + "\nx: 1", "bytes"),
}


@pytest.mark.parametrize(("text", "says"), BROKEN.values(), ids=list(BROKEN))
def test_what_cannot_be_read_is_refused_with_its_place(text: str, says: str, validate: Any) -> None:
    answer = validate(f"{GOOD}---\n{text}", "--json")
    assert answer.code == 1
    assert [entry["verdict"] for entry in documents(answer)] == ["accepted", "refused"]
    message = documents(answer)[1]["problems"][0]["message"]
    assert says.replace("line 13", "line 26") in message


def test_a_large_config_map_that_no_workspace_names_is_ignored(validate: Any) -> None:
    large = PARAMS.format(length=1) + "  dashboard: |\n" + "    x\n" * 50_000
    answer = validate(f"{large}---\n{GOOD}")
    assert answer.code == 0


MISUSE = {
    "no workspace": "apiVersion: v1\nkind: Service\n",
    "nothing": "",
    "no text": b"\xff\xfe\x00",
    "too large": b"# x\n" * (2 * 1024 * 1024 + 1),
}


@pytest.mark.parametrize("text", MISUSE.values(), ids=list(MISUSE))
def test_files_without_workspace_are_misuse(text: str | bytes, validate: Any) -> None:
    answer = validate(text)
    assert (answer.code, answer.out) == (2, "")
    assert "file.yaml" in answer.err


@pytest.mark.parametrize("arguments", [["-f", "/nowhere/x.yaml"], ["-f", "/"], [], ["-f", "x", "--provider", "gke"]])
def test_misuse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", *arguments]) == 2
    assert capsys.readouterr().err


def test_what_is_stored_must_be_readable(validate: Any, tmp_path: Path) -> None:
    stored = tmp_path / "stored.yaml"
    stored.write_text("a: 1\na: 2\n")
    answer = validate(GOOD, "--old", str(stored))
    assert answer.code == 2
    assert "stored.yaml: document 1" in answer.err
