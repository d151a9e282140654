"""A client of v1alpha1 edits a Workspace authored in v1beta1, and the other way round: nothing else changes.

KAITO's own CRD loses modelAccessSecret, partition and the newer status fields this way, and gains a machine type.
"""

import json
from typing import Any

import pytest

from api.resource.workspace import V1ALPHA1_INSTANCE_TYPE, Workspace

Obj = dict[str, Any]

AUTHORED: Obj = {
    "apiVersion": "kaito.sh/v1beta1",
    "kind": "Workspace",
    "metadata": {"name": "full"},
    "resource": {
        "count": 2,
        "labelSelector": {
            "matchLabels": {"gpu": "h100"},
            "matchExpressions": [{"key": "zone", "operator": "In", "values": ["1", "2"]}],
        },
        "preferredNodes": ["n1"],
        "partition": {"mode": "accelerator", "count": 2},
    },
    "inference": {
        "preset": {
            "name": "phi-4",
            "accessMode": "private",
            "presetOptions": {"image": "i:1", "imagePullSecrets": ["s"], "modelAccessSecret": "hf-token"},
        },
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "unknownField": [1]}]}},
        "config": "params",
        "adapters": [
            {"source": {"name": "a", "image": "a:1", "imagePullSecrets": ["s"]}, "strength": "0.5"},
            {"source": {"name": "b", "volumeSource": {"persistentVolumeClaim": {"claimName": "p"}}}},
        ],
    },
    "tuning": {
        "preset": {"name": "phi-4", "accessMode": "public", "presetOptions": {"modelAccessSecret": "hf-token"}},
        "method": "qlora",
        "config": "training",
        "input": {"name": "d", "urls": ["https://data.example.com/d.parquet"]},
        "output": {"image": "o:1", "imagePushSecret": "s", "volumeSource": {"emptyDir": {}}},
    },
}
STATUS: Obj = {
    "state": "Ready",
    "targetNodeCount": 2,
    "workerNodes": ["n1"],
    "phase": "Ready",
    "plan": {"nodes": 2, "instanceType": "x"},
    "performance": {"metrics": {"peakTokensPerMinute": {"description": "d", "value": "1", "config": {"k": "v"}}}},
}


def spec_of(obj: Obj) -> Obj:
    return {key: obj[key] for key in ("resource", "inference", "tuning") if key in obj}


@pytest.fixture
def full(kubectl: Any, only_shapes: Any) -> Obj:
    """The Workspace with every field and a status, authored in v1beta1 where no rule kept fields apart. Whatever the
    rules say of it, they do not stop an edit of something else."""
    with only_shapes():
        kubectl.send("create", AUTHORED)
    kubectl("patch", "workspace", "full", "--subresource=status", "--type=merge", "-p", json.dumps({"status": STATUS}))
    stored: Obj = kubectl.workspace("full")
    assert spec_of(stored) == spec_of(AUTHORED)
    assert stored["status"] == STATUS
    return stored


def unchanged_but_for_config(kubectl: Any) -> None:
    now = kubectl.workspace("full")
    expected = json.loads(json.dumps(spec_of(AUTHORED)))
    expected["inference"]["config"] = "edited"
    assert spec_of(now) == expected
    assert now["status"] == STATUS
    assert Workspace.parse(now).instance_type is None


def test_reading_in_the_other_version_shows_everything(kubectl: Any, full: Obj) -> None:
    old = kubectl.workspace("full", "v1alpha1")
    assert (spec_of(old), old["status"]) == (spec_of(AUTHORED), STATUS)
    assert Workspace.parse(old).spec == Workspace.parse(full).spec


def test_read_change_and_replace_through_v1alpha1(kubectl: Any, full: Obj) -> None:
    old = kubectl.workspace("full", "v1alpha1")
    old["inference"]["config"] = "edited"
    kubectl.send("replace", old)
    unchanged_but_for_config(kubectl)


def test_a_patch_through_v1alpha1(kubectl: Any, full: Obj) -> None:
    patch = '{"inference": {"config": "edited"}}'
    kubectl("patch", "workspaces.v1alpha1.kaito.sh", "full", "--type=merge", "-p", patch)
    unchanged_but_for_config(kubectl)


def test_a_status_written_through_v1alpha1(kubectl: Any, full: Obj) -> None:
    old = kubectl.workspace("full", "v1alpha1")
    old["status"]["message"] = "hello"
    kubectl.send("replace", old, "--subresource=status")
    now = kubectl.workspace("full")
    assert now["status"] == STATUS | {"message": "hello"}
    assert spec_of(now) == spec_of(AUTHORED)


def test_what_the_models_write_in_v1alpha1_is_stored_whole(kubectl: Any, full: Obj) -> None:
    written = Workspace.parse(full).to_wire("kaito.sh/v1alpha1")
    written["inference"]["config"] = "edited"
    kubectl.send("replace", written)
    unchanged_but_for_config(kubectl)


def test_a_v1alpha1_author_who_names_no_machine_gets_kaitos(kubectl: Any) -> None:
    authored = {
        "apiVersion": "kaito.sh/v1alpha1",
        "kind": "Workspace",
        "metadata": {"name": "old"},
        "resource": {"labelSelector": {"matchLabels": {"a": "b"}}},
        "inference": {"preset": {"name": "phi-4"}},
    }
    kubectl.send("apply", authored)
    kubectl("annotate", "workspaces.v1beta1.kaito.sh", "old", "note=edited-in-v1beta1")
    assert Workspace.parse(kubectl.workspace("old")).instance_type == V1ALPHA1_INSTANCE_TYPE
