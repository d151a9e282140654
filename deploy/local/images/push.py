"""Pushes an OCI layout to a registry over its HTTP API: the blobs that it lacks, then the manifest.

Blobs are sent unchanged, so a layer of a gigabyte takes as long as copying it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

DEADLINE_S = 600.0


class PushFailed(RuntimeError):
    """The registry refused, or cannot be reached; the message has the request and the response."""


class Registry:
    """One repository of a registry that speaks plain HTTP on this machine. `address` is host:port."""

    def __init__(self, address: str, repository: str) -> None:
        self._base = f"http://{address}/v2/{repository}"

    def manifest_digest(self, tag: str, media_type: str) -> str | None:
        """Returns the digest of a tag, or None. Raises PushFailed if the registry cannot be reached."""
        answer = self._ask("HEAD", f"{self._base}/manifests/{tag}", headers={"Accept": media_type})
        return answer.headers.get("docker-content-digest") if answer.status_code == 200 else None

    def push(self, layout: Path, tags: Iterable[str]) -> str:
        """Copies an image and gives it tags; returns its digest. Raises PushFailed, OSError."""
        descriptor = manifest_of(layout)
        content = blob(layout, descriptor["digest"]).read_bytes()
        manifest = json.loads(content)
        for part in (*manifest["layers"], manifest["config"]):
            self.put_blob(part["digest"], blob(layout, part["digest"]))
        for tag in tags:
            self.put_manifest(tag, content, descriptor["mediaType"])
        return str(descriptor["digest"])

    def put_manifest(self, tag: str, content: bytes, media_type: str) -> None:
        """Tags a manifest whose blobs have been pushed. Raises PushFailed."""
        self._put(f"{self._base}/manifests/{tag}", content, media_type)

    def put_blob(self, digest: str, content: Path | bytes) -> None:
        """Pushes a blob, unless the registry has it. Raises PushFailed, OSError."""
        if self._ask("HEAD", f"{self._base}/blobs/{digest}").status_code == 200:
            return
        opened = self._ask("POST", f"{self._base}/blobs/uploads/")
        if opened.status_code != 202:
            raise PushFailed(f"the registry refused to start an upload: {opened.status_code}")
        place = opened.url.join(opened.headers["location"]).copy_merge_params({"digest": digest})
        self._put(place, content, "application/octet-stream")

    def _put(self, url: httpx.URL | str, content: Path | bytes, media_type: str) -> None:
        headers = {"Content-Type": media_type}
        if isinstance(content, bytes):
            answer = self._ask("PUT", url, content=content, headers=headers)
        else:
            with content.open("rb") as stream:
                answer = self._ask("PUT", url, content=stream, headers=headers)
        if answer.status_code != 201:
            raise PushFailed(f"PUT {url} returned {answer.status_code}")

    def _ask(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Response:
        try:
            # Ignores proxies: the registry has no TLS and is on this machine.
            return httpx.request(method, url, timeout=DEADLINE_S, trust_env=False, verify=False, **more)
        except httpx.HTTPError as error:
            raise PushFailed(f"{method} {url}: {error or type(error).__name__}") from error


def manifest_of(layout: Path) -> dict[str, Any]:
    """Returns the descriptor of the only image in an OCI layout. Raises PushFailed if it holds none or several."""
    manifests = json.loads((layout / "index.json").read_text())["manifests"]
    if len(manifests) != 1:
        raise PushFailed(f"{layout} holds {len(manifests)} images instead of one")
    found: dict[str, Any] = manifests[0]
    return found


def blob(layout: Path, digest: str) -> Path:
    """Returns the file of a blob in an OCI layout."""
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value
