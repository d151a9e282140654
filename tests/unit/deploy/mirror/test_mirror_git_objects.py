"""The mirror's ids are git's: what git itself computes for the same files."""

import hashlib
import os
import subprocess
from pathlib import Path

from deploy.local.mirror.git_objects import COMMIT_TIME_S, COMMIT_TITLE, commit_id, is_large, pointer, tree_ids
from deploy.local.mirror.repository import Store

# Names whose order differs between a plain sort and git's, which sorts a folder as if it ended in "/".
FILES = {"a.txt": b"1", "a/b/c.txt": b"2", "a-b/d": b"", "a0": b"\x00\xff", "config.json": b"{}", "z/ü.txt": b"x"}


def git(folder: Path, *argv: str) -> str:
    signature = f"{COMMIT_TIME_S} +0000"
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "Modelyard", f"GIT_{role}_EMAIL": "mirror@modelyard.invalid"}
        env |= {f"GIT_{role}_DATE": signature}
    done = subprocess.run(["git", *argv], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_blobs_trees_and_commit_are_what_git_computes(tmp_path: Path) -> None:
    folder = write(tmp_path / "models/acme/tiny/main", FILES)
    revision = Store(tmp_path).revision("models", "acme/tiny", "main")
    work = write(tmp_path / "work", FILES)
    git(work, "init", "--quiet")
    git(work, "add", ".")
    assert revision.trees[""] == git(work, "write-tree")
    assert revision.commit == git(work, "commit-tree", "-m", COMMIT_TITLE, revision.trees[""])
    assert revision.blobs["a0"].oid == git(folder, "hash-object", "a0")
    assert revision.trees["a"] == git(work, "rev-parse", f"{revision.trees['']}:a")


def test_a_large_file_is_a_pointer_to_git_and_its_sha256_to_clients(tmp_path: Path) -> None:
    write(tmp_path / "models/acme/tiny/main", {"model.safetensors": (2).to_bytes(8, "little") + b"{}"})
    blob = Store(tmp_path).revision("models", "acme/tiny", "main").blob("model.safetensors")
    content = (2).to_bytes(8, "little") + b"{}"
    text = pointer(hashlib.sha256(content).hexdigest(), len(content))
    stored = subprocess.run(["git", "hash-object", "--stdin"], input=text, capture_output=True, check=True)
    assert blob.oid == stored.stdout.decode().strip()
    assert blob.etag == hashlib.sha256(content).hexdigest()
    assert blob.pointer_size == len(text)


def test_what_is_large_follows_from_name_or_size() -> None:
    assert is_large("data/train.parquet", 1)
    assert is_large("notes.txt", 10 * 1024 * 1024)
    assert not is_large("notes.txt", 10 * 1024 * 1024 - 1)


def test_a_revision_depends_on_content_and_names_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / "models/acme" / name / "main", FILES)
    write(tmp_path / "models/acme/other/main", FILES | {"config.json": b"{ }"})
    store = Store(tmp_path)
    one, two, other = (store.revision("models", f"acme/{name}", "main").commit for name in ("one", "two", "other"))
    assert one == two != other


def test_a_changed_file_changes_the_revision_of_a_store_that_is_open(tmp_path: Path) -> None:
    folder = write(tmp_path / "models/acme/tiny/main", FILES)
    store = Store(tmp_path)
    before = store.revision("models", "acme/tiny", "main")
    assert store.revision("models", "acme/tiny", "main") is before
    (folder / "config.json").write_bytes(b'{"a": 1}')
    assert store.revision("models", "acme/tiny", "main").commit != before.commit


def test_an_empty_repository_has_gits_empty_tree() -> None:
    assert tree_ids({}) == {"": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}
    assert len(commit_id("4b825dc642cb6eb9a060e54bf8d69288fbee4904")) == 40
