"""Encrypts payloads with AES-256-GCM before they leave the process, and decrypts those that come.

What is not encrypted is read as it is, so encryption can begin at any time. Form and names are those of the codec in
Temporal's samples, which its codec servers understand. What Temporal has besides payloads stays readable:
docs/temporal.md. Where keys come from is `keys.py`'s.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prometheus_client import Counter
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from process.encryption.keys import Key, KeyRing

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
CIPHER: Final = {"encryption-cipher": b"AES-256-GCM"}
NONCE_BYTES: Final = 12
"""Random for each payload: by NIST SP 800-38D, 8.3, at most 2**32 payloads with one key."""
DECRYPTED = Counter("modelyard_payloads_decrypted", "Payloads of Temporal that were decrypted, by key", ["key"])


class UnreadablePayload(RuntimeError):
    """A payload cannot be decrypted. The message names its key's id, and what to do."""


def converter(keys_file: Path | None) -> DataConverter:
    """Returns the converter of a process: without a file it encrypts nothing, and tells which key a payload would need.
    Raises Misconfigured for a file without usable keys."""
    ring = KeyRing(keys_file)
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        payload_codec=Codec(ring),
        # Messages of failures may quote anything.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes if keys_file else DefaultFailureConverter,
    )


class Codec(PayloadCodec):
    """Encrypts with the ring's first key, and decrypts with all."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Returns the payloads encrypted; as they are without a key."""
        key = self._ring.first()
        return [_encrypted(payload, key) for payload in payloads] if key else list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Returns the payloads as they were encoded. Raises UnreadablePayload."""
        return [self._decrypted(one) if one.metadata.get("encoding") == ENCODING else one for one in payloads]

    def _decrypted(self, payload: Payload) -> Payload:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self._ring.find(id)
        if key is None:
            raise UnreadablePayload(_missing(id, self._ring.file))
        try:
            plain = AESGCM(key.secret).decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise UnreadablePayload(
                f"a payload does not open with key {id!r} of {self._ring.file}: another key had this id, or it was "
                "changed. Put back the key that encrypted it, and give the present one an id of its own"
            ) from None
        DECRYPTED.labels(id).inc()
        return Payload.FromString(plain)


def _encrypted(payload: Payload, key: Key) -> Payload:
    # Imported where keys are in use only: it is megabytes.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    data = nonce + AESGCM(key.secret).encrypt(nonce, payload.SerializeToString(), None)
    return Payload(metadata={"encoding": ENCODING, KEY_ID: key.id.encode(), **CIPHER}, data=data)


def _missing(id: str, file: Path | None) -> str:
    if file is None:
        return (
            f"a payload is encrypted with key {id!r}, and this process has no keys: set "
            "MODELYARD_TEMPORAL_PAYLOAD_KEYS_FILE to the file that the workers have"
        )
    return (
        f"a payload is encrypted with key {id!r}, which is not in {file}: put its line back, below the first. A key is "
        "needed until no history has it"
    )
