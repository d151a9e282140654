"""Pushes an image's OCI layout to any registry, and attaches its bill of materials to it.

The bill is an artifact of its own whose subject is the image, as the OCI distribution specification 1.1 has it
("Pushing Manifests with Subject"); a registry that cannot list referrers gets the index under a tag that the
specification names. Accounts are those of `docker login` and `buildah login`, from the files that these write.
`runtime.registry` does the requests.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from api.oci.docker_config import Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from api.pods.registries import RegistryAccess
from deploy.local.images.push import blob as blob_file
from deploy.local.images.push import manifest_of
from deploy.local.images.sbom import SBOM, SBOM_TYPE
from deploy.local.layout import Report
from runtime.pod.retry import RetryPolicy
from runtime.registry.blobs import CHUNK, Blob, blob_of_bytes
from runtime.registry.client import Repository, repository
from runtime.registry.faults import RegistryFault, Trouble
from runtime.registry.retry import with_retries

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
RETRIES: Final = RetryPolicy()


def publish(layout: Path, reference: str, *, plain_http: bool, report: Report) -> str:
    """Pushes the image and its bill, and returns the image's digest. Raises RegistryFault, ValueError for a reference
    that is none, OSError."""
    image = ImageReference.parse(reference)
    access = RegistryAccess(plain_http=(image.host,) if plain_http else ())
    with repository(image, access, account_for(image, os.environ), "pull,push", RETRIES.stall_s) as target:
        descriptor = manifest_of(layout)
        manifest = blob_file(layout, descriptor["digest"]).read_bytes()
        parts = json.loads(manifest)
        for part in (*parts["layers"], parts["config"]):
            _ensure(target, _blob(layout, part), report)
        with_retries(lambda: target.put_manifest(manifest, MANIFEST, image.tag), RETRIES, report)
        _attach(target, descriptor, (layout / SBOM).read_bytes(), report)
    return str(descriptor["digest"])


def account_for(image: ImageReference, environment: Mapping[str, str]) -> Account | None:
    """Returns the registry's account from the first file that has one; None without.

    A file for other registries only, or one that leaves the account to a credential helper, hides no other: the
    registry may want no account at all.
    """
    for file in filter(os.path.isfile, account_files(environment)):
        with contextlib.suppress(DockerConfigError):
            if found := accounts_for(image, [DockerConfig(file, Path(file).read_bytes())]):
                return found[0]
    return None


def account_files(environment: Mapping[str, str]) -> list[str]:
    """Returns where logins may be, as the container tools look for them: the file that is named, docker's folder that
    is named, then the places of containers-auth.json(5), of which `buildah login` writes the first."""
    home = environment.get("HOME", "/")
    session = environment.get("XDG_RUNTIME_DIR")
    settings = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    named, docker = environment.get("REGISTRY_AUTH_FILE"), environment.get("DOCKER_CONFIG")
    return [
        *([named] if named else []),
        *([f"{docker}/config.json"] if docker else []),
        f"{session}/containers/auth.json" if session else f"/run/containers/{os.getuid()}/auth.json",
        f"{settings}/containers/auth.json",
        f"{home}/.docker/config.json",
    ]


def _attach(target: Repository, subject: dict[str, Any], bill: bytes, report: Report) -> None:
    """Pushes the bill as a referrer of the image."""
    config, content = blob_of_bytes(EMPTY, b"{}"), blob_of_bytes(SBOM_TYPE, bill)
    named = {"mediaType": MANIFEST, "digest": subject["digest"], "size": subject["size"]}
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": SBOM_TYPE,
            "config": config.descriptor(),
            "layers": [content.descriptor() | {"annotations": {"org.opencontainers.image.title": SBOM}}],
            "subject": named,
        }
    )
    for part in (config, content):
        _ensure(target, part, report)
    described = blob_of_bytes(MANIFEST, manifest)
    with_retries(lambda: target.put_manifest(manifest, MANIFEST, described.digest), RETRIES, report)
    if not target.lists_referrers(subject["digest"]):
        _add_to_fallback(target, subject["digest"].replace(":", "-"), described, report)


def _add_to_fallback(target: Repository, tag: str, artifact: Blob, report: Report) -> None:
    """Adds to the index under the tag of the specification's "Referrers Tag Schema", and keeps what is there."""
    try:
        there = json.loads(target.manifest(tag, INDEX)[0])["manifests"]
    except RegistryFault as fault:
        if fault.trouble is not Trouble.NOT_FOUND:
            raise
        there = []
    others = [one for one in there if one["digest"] != artifact.digest]
    ours = artifact.descriptor() | {"artifactType": SBOM_TYPE}
    index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, ours]})
    with_retries(lambda: target.put_manifest(index, INDEX, tag), RETRIES, report)


def _ensure(target: Repository, part: Blob, report: Report) -> None:
    def attempt() -> None:
        if target.blob_size(part.digest) is None:
            target.upload(part)

    with_retries(attempt, RETRIES, report)


def _blob(layout: Path, part: dict[str, Any]) -> Blob:
    file = blob_file(layout, part["digest"])
    return Blob(part["mediaType"], part["digest"], part["size"], partial(_chunks, file))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
