"""What the unmodified huggingface_hub reads about repositories: descriptions, folders page by page, single paths."""

import hashlib

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile, RepoFolder

from testing.deadlines import PATIENCE_S
from tests.integration.mirror.conftest import RunningMirror


def test_a_model_is_described_with_its_card_and_its_parameters(mirror: RunningMirror) -> None:
    info = mirror.api.model_info("acme/tiny", files_metadata=True)
    assert info.card_data and info.safetensors and info.siblings
    assert (info.pipeline_tag, info.tags, info.card_data.license) == ("text-generation", ["toy"], "mit")
    assert info.safetensors.parameters == {"BF16": 200_000}
    weights = {sibling.rfilename: sibling for sibling in info.siblings}["model.safetensors"]
    assert (
        weights.lfs
        and weights.lfs.sha256 == hashlib.sha256(mirror.files["models/acme/tiny/main/model.safetensors"]).hexdigest()
    )


def test_a_dataset_is_described(mirror: RunningMirror) -> None:
    info = mirror.api.dataset_info("acme/rows")
    assert [sibling.rfilename for sibling in info.siblings or []] == ["data/train-00000-of-00001-abc.parquet"]


def test_a_long_listing_comes_in_pages(mirror: RunningMirror) -> None:
    entries = list(mirror.api.list_repo_tree("acme/many"))
    assert [entry.path for entry in entries] == [f"f{number:02}.txt" for number in range(2 * mirror.page_size + 5)]
    assert len(mirror.requests("api/models/acme/many")) == 3


def test_a_folder_lists_its_own_entries_and_recursively_all(mirror: RunningMirror) -> None:
    listed = {entry.path: type(entry) for entry in mirror.api.list_repo_tree("acme/tiny")}
    assert listed["sub"] is RepoFolder and listed["config.json"] is RepoFile and "sub/deep" not in listed
    deep = [entry.path for entry in mirror.api.list_repo_tree("acme/tiny", recursive=True)]
    assert {"sub", "sub/deep", "sub/deep/notes with space.txt"} <= set(deep)
    inside = list(mirror.api.list_repo_tree("acme/tiny", "sub/deep", expand=True))
    assert [(entry.path, entry.last_commit and entry.last_commit.oid) for entry in inside] == [
        ("sub/deep/notes with space.txt", mirror.api.model_info("acme/tiny").sha)
    ]


def test_single_paths_are_looked_up_and_missing_ones_left_out(mirror: RunningMirror) -> None:
    found = mirror.api.get_paths_info("acme/tiny", ["config.json", "sub", "nothing"])
    assert [(entry.path, type(entry)) for entry in found] == [("config.json", RepoFile), ("sub", RepoFolder)]


def test_existence_is_answered(mirror: RunningMirror) -> None:
    api = mirror.api
    assert api.file_exists("acme/tiny", "config.json") and not api.file_exists("acme/tiny", "nothing")
    assert api.revision_exists("acme/tiny", "older") and not api.revision_exists("acme/tiny", "nothing")
    assert api.repo_exists("acme/rows", repo_type="dataset") and not api.repo_exists("acme/nothing")


def test_branches_are_listed_with_their_commits(mirror: RunningMirror) -> None:
    branches = {branch.name: branch.target_commit for branch in mirror.api.list_repo_refs("acme/tiny").branches}
    older = mirror.api.model_info("acme/tiny", revision="older").sha
    assert branches == {"main": mirror.api.model_info("acme/tiny").sha, "older": older}


def test_a_link_to_a_branch_is_a_second_name_for_it(mirror: RunningMirror) -> None:
    alias = mirror.root / "models/acme/tiny/v1"
    alias.symlink_to("older")
    named = HfApi(endpoint=mirror.url, token=False).model_info("acme/tiny", revision="v1").sha
    alias.unlink()
    assert named == mirror.api.model_info("acme/tiny", revision="older").sha


@pytest.mark.parametrize("query", ["cursor=abc", "limit=-1", "limit=x"])
def test_a_page_that_is_no_number_is_a_bad_request(mirror: RunningMirror, query: str) -> None:
    answer = httpx.get(f"{mirror.url}/api/models/acme/tiny/tree/main?{query}", timeout=PATIENCE_S)
    assert (answer.status_code, "must be a number" in answer.json()["error"]) == (400, True)
