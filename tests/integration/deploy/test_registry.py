"""A real registry: takes a blob, keeps it over a restart, deletes it."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.host import daemons
from deploy.local.layout import Layout
from deploy.local.services.registry import NAME, registry_daemon
from testing.deadlines import PATIENCE_S

BLOB = b"weights, more or less"
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"


@pytest.fixture
def layout(free_layout: Layout) -> Iterator[Layout]:
    layout = free_layout
    daemons.start(layout, registry_daemon(layout))
    yield layout
    daemons.stop(layout, NAME)


def push(layout: Layout) -> httpx.Response:
    opened = httpx.post(f"http://{layout.registry}/v2/modelyard/test/blobs/uploads/", timeout=PATIENCE_S)
    place = httpx.URL(opened.headers["location"]).copy_merge_params({"digest": DIGEST})
    return httpx.put(place, content=BLOB, timeout=PATIENCE_S)


def test_a_blob_survives_a_restart_and_can_be_deleted(layout: Layout) -> None:
    assert push(layout).status_code == 201
    address = f"http://{layout.registry}/v2/modelyard/test/blobs/{DIGEST}"
    daemons.stop(layout, NAME)
    daemons.start(layout, registry_daemon(layout))
    assert httpx.get(address, timeout=PATIENCE_S).content == BLOB
    assert httpx.delete(address, timeout=PATIENCE_S).status_code == 202
    assert httpx.get(address, timeout=PATIENCE_S).status_code == 404


def test_starting_it_again_keeps_the_process(layout: Layout) -> None:
    assert daemons.start(layout, registry_daemon(layout)) == daemons.running(layout)[NAME]


def test_the_upload_secret_is_for_its_owner_only(layout: Layout) -> None:
    for file in ("secret", "config.yaml"):
        assert (layout.state / NAME / file).stat().st_mode & 0o077 == 0
