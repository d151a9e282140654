"""Fills a registry from an OCI layout over the registry's HTTP interface: blobs it lacks, then the manifest.

Blobs go as they are, so a layer of a gigabyte takes as long as copying it.
"""

import http.client
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEADLINE_S = 600.0


class PushFailed(RuntimeError):
    """The registry refused; the message has the request and its answer."""


class Registry:
    """One repository of a registry that speaks plain HTTP on this machine. `address` is host:port."""

    def __init__(self, address: str, repository: str) -> None:
        self._address = address
        self._base = f"/v2/{repository}"

    def manifest_digest(self, tag: str, media_type: str) -> str | None:
        """The digest that a tag points to, or None. Raises OSError when the registry is away."""
        status, headers = self._ask("HEAD", f"{self._base}/manifests/{tag}", headers={"Accept": media_type})
        return headers.get("docker-content-digest") if status == 200 else None

    def push(self, layout: Path, tags: Iterable[str]) -> str:
        """Copies an image and gives it tags; returns its digest. Raises PushFailed, OSError."""
        descriptor = manifest_of(layout)
        content = blob(layout, descriptor["digest"])
        manifest = json.loads(content.read_bytes())
        for part in (*manifest["layers"], manifest["config"]):
            self._push_blob(part["digest"], blob(layout, part["digest"]))
        for tag in tags:
            path = f"{self._base}/manifests/{tag}"
            status, _ = self._ask("PUT", path, content, {"Content-Type": descriptor["mediaType"]})
            if status != 201:
                raise PushFailed(f"PUT {path} was answered with {status}")
        return str(descriptor["digest"])

    def _push_blob(self, digest: str, content: Path) -> None:
        status, _ = self._ask("HEAD", f"{self._base}/blobs/{digest}")
        if status == 200:
            return
        status, headers = self._ask("POST", f"{self._base}/blobs/uploads/")
        if status != 202:
            raise PushFailed(f"the registry opens no upload: {status}")
        place = urlsplit(headers["location"])
        query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
        status, _ = self._ask("PUT", f"{place.path}?{query}", content, {"Content-Type": "application/octet-stream"})
        if status != 201:
            raise PushFailed(f"the upload of {digest} was answered with {status}")

    def _ask(
        self, method: str, path: str, content: Path | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection(self._address, timeout=DEADLINE_S)
        length = {"Content-Length": str(content.stat().st_size if content else 0)}
        try:
            if content is None:
                connection.request(method, path, headers=(headers or {}) | length)
            else:
                with content.open("rb") as stream:
                    connection.request(method, path, stream, (headers or {}) | length)
            answer = connection.getresponse()
            answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()


def manifest_of(layout: Path) -> dict[str, Any]:
    """The descriptor of the one image in an OCI layout. Raises PushFailed when it holds another number."""
    manifests = json.loads((layout / "index.json").read_text())["manifests"]
    if len(manifests) != 1:
        raise PushFailed(f"{layout} holds {len(manifests)} images instead of one")
    found: dict[str, Any] = manifests[0]
    return found


def blob(layout: Path, digest: str) -> Path:
    """The file of a blob in an OCI layout."""
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value
