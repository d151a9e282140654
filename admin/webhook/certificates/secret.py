"""Reads and writes the Secret in which the replicas share their certificates; its data is replaced, never merged.

Writes use optimistic concurrency: creation fails if the Secret exists, replacement if it has changed since it was read.
The losing replica reads what the first one wrote. Labels and owners set by others stay.
"""

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from admin.webhook.certificates.bundle import CertificateBundle
from api import labels

log = logging.getLogger(__name__)

TYPE: Final = "kubernetes.io/tls"
CREATED: Final = (409,)
REPLACED: Final = (404, 409, 422)
"""HTTP status codes of a replacement if the Secret was changed or deleted since it was read."""
FIELDS: Final = ("ca.crt", "ca.key", "tls.crt", "tls.key")


@dataclass(frozen=True)
class Stored:
    """Contents of the Secret; `held` is None if they are unusable, `version` is empty if the Secret does not exist."""

    held: CertificateBundle | None
    version: str


class UnusableSecret(ValueError):
    """The Secret is incomplete or was written by another program."""


class CertificateStore:
    """One Secret."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name

    async def read(self) -> Stored:
        """Reads the Secret. Raises ApiException and connection errors."""
        secret = await self._cluster.get("Secret", self._name, self._namespace)
        if secret is None:
            return Stored(None, "")
        version = str(secret["metadata"]["resourceVersion"])
        try:
            return Stored(held_of(secret.get("data") or {}), version)
        except UnusableSecret as error:
            log.warning("Secret %s/%s cannot be used and is replaced: %s", self._namespace, self._name, error)
            return Stored(None, version)

    async def write(self, held: CertificateBundle, version: str) -> bool:
        """Writes the Secret. Returns False if another replica was faster: then read again."""
        try:
            if version:
                await self._cluster.patch("Secret", self._name, self._namespace, _replacing(held, version))
            else:
                await self._cluster.create("Secret", self._secret(held))
        except ApiException as error:
            if error.status in (REPLACED if version else CREATED):
                return False
            raise
        return True

    def _secret(self, held: CertificateBundle) -> Object:
        metadata: dict[str, Any] = {
            "name": self._name,
            "namespace": self._namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGED_BY_VALUE},
        }
        return {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, "data": _data(held)}


def _replacing(held: CertificateBundle, version: str) -> list[Object]:
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/data", "value": _data(held)},
    ]


def _data(held: CertificateBundle) -> dict[str, str]:
    values = (held.bundle, held.authority_key, held.certificate, held.key)
    return {field: base64.b64encode(value).decode() for field, value in zip(FIELDS, values, strict=True)}


def held_of(data: Mapping[str, str]) -> CertificateBundle:
    """Parses the certificates in a Secret's data. Raises UnusableSecret if a field is missing or does not match."""
    try:
        bundle, authority_key, certificate, key = (base64.b64decode(data[field], validate=True) for field in FIELDS)
        authorities = x509.load_pem_x509_certificates(bundle)
        _check_pair(authorities[-1], authority_key)
        _check_pair(x509.load_pem_x509_certificate(certificate), key)
    except KeyError as error:
        raise UnusableSecret(f"it has no {error}") from error
    except (binascii.Error, ValueError, TypeError) as error:
        raise UnusableSecret(f"its content is not valid: {error}") from error
    return CertificateBundle(
        tuple(each.public_bytes(Encoding.PEM) for each in authorities), authority_key, certificate, key
    )


def _check_pair(certificate: x509.Certificate, key: bytes) -> None:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = load_pem_private_key(key, password=None).public_key()
    if public.public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise ValueError("a key does not match its certificate")
