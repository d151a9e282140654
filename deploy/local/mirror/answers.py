"""Builds the bodies of the Hub's API responses from a revision. Pure; `server.py` sets statuses and headers."""

from typing import Any

import yaml

from deploy.local.mirror.git_objects import COMMIT_DATE, COMMIT_TITLE, Blob
from deploy.local.mirror.repository import EntryNotFound, Revision

Json = dict[str, Any]


def info(revision: Revision, *, gated: bool, private: bool, sizes: bool, parameters: dict[str, int], card: str) -> Json:
    """Serves `model_info` and `dataset_info`. `sizes` adds each file's size and ids (`files_metadata=True`)."""
    metadata = card_metadata(card)
    answer: Json = {
        "id": revision.repo,
        "author": revision.repo.partition("/")[0],
        "sha": revision.commit,
        "lastModified": COMMIT_DATE,
        "createdAt": COMMIT_DATE,
        "private": private,
        "gated": "manual" if gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": metadata.get("tags", []),
        "cardData": metadata,
        "siblings": [_sibling(path, blob, sizes) for path, blob in sorted(revision.blobs.items())],
        "usedStorage": sum(blob.size for blob in revision.blobs.values()),
    }
    if revision.kind == "models":
        answer["modelId"] = revision.repo
        answer |= {key: metadata[key] for key in ("pipeline_tag", "library_name") if key in metadata}
    if parameters:
        answer["safetensors"] = {"parameters": parameters, "total": sum(parameters.values())}
    return answer


def card_metadata(card: str) -> Json:
    """Returns the YAML block at the head of a README, {} without one."""
    if not card.startswith("---\n"):
        return {}
    block, end, _ = card.removeprefix("---\n").partition("\n---")
    parsed = yaml.safe_load(block) if end else None
    return parsed if isinstance(parsed, dict) else {}


def tree(revision: Revision, folder: str, *, recursive: bool, expand: bool) -> list[Json]:
    """Returns the entries of a folder, sorted by path. Raises EntryNotFound for a missing folder."""
    if folder not in revision.trees:
        raise EntryNotFound(revision.repo, revision.commit, folder)
    inside = f"{folder}/" if folder else ""
    paths = [path for path in [*revision.trees, *revision.blobs] if path and path.startswith(inside)]
    wanted = [path for path in paths if recursive or "/" not in path.removeprefix(inside)]
    return [entry(revision, path, expand=expand) for path in sorted(wanted)]


def paths_info(revision: Revision, paths: list[str], *, expand: bool) -> list[Json]:
    """Returns the entries of the paths that exist; like the Hub, omits the others."""
    return [entry(revision, path, expand=expand) for path in paths if path in revision.blobs or path in revision.trees]


def entry(revision: Revision, path: str, *, expand: bool) -> Json:
    blob = revision.blobs.get(path)
    if blob is None:
        answer: Json = {"type": "directory", "oid": revision.trees[path], "size": 0, "path": path}
    else:
        answer = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
        if blob.large:
            answer["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    if expand:
        answer["lastCommit"] = {"id": revision.commit, "title": COMMIT_TITLE, "date": COMMIT_DATE}
    return answer


def refs(branches: dict[str, Revision]) -> Json:
    named = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": r.commit} for n, r in branches.items()]
    return {"branches": named, "converts": [], "tags": []}


def whoami(user: str) -> Json:
    return {"type": "user", "id": user, "name": user, "fullname": user, "orgs": [], "auth": {"type": "access_token"}}


def _sibling(path: str, blob: Blob, sizes: bool) -> Json:
    if not sizes:
        return {"rfilename": path}
    answer: Json = {"rfilename": path, "size": blob.size, "blobId": blob.oid}
    if blob.large:
        answer["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    return answer
