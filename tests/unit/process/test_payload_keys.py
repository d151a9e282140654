"""The file of keys, and the codec over it: which key encrypts, what is refused, and that no message shows a key."""

import base64
import os
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload

from process.connection.target import Misconfigured
from process.encryption.codec import KEY_ID, Codec, UnreadablePayload
from process.encryption.keys import KEY_BYTES, KeyRing, read_keys

MARCH, JUNE = (base64.b64encode(bytes([number] * KEY_BYTES)).decode() for number in (3, 6))
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"the name of a model"')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.write_text(f"# the newest first\n2026-06 {JUNE}\n\n2026-03 {MARCH}\n")
    return made


async def test_the_first_key_encrypts_and_all_decrypt(file: Path) -> None:
    codec, older = Codec(KeyRing(file)), file.with_name("older")
    older.write_text(f"2026-03 {MARCH}")
    [new] = await codec.encode([PLAIN])
    [old] = await Codec(KeyRing(older)).encode([PLAIN])
    assert (new.metadata[KEY_ID], old.metadata[KEY_ID]) == (b"2026-06", b"2026-03")
    assert b"model" not in new.SerializeToString()
    assert await codec.decode([new, old, PLAIN]) == [PLAIN] * 3


async def test_the_same_text_is_never_encrypted_to_the_same(file: Path) -> None:
    encoded = await Codec(KeyRing(file)).encode([PLAIN, PLAIN])
    assert encoded[0].data != encoded[1].data


async def test_without_a_file_nothing_is_encrypted() -> None:
    assert await Codec(KeyRing(None)).encode([PLAIN]) == [PLAIN]


async def test_what_was_changed_is_not_read(file: Path) -> None:
    codec = Codec(KeyRing(file))
    [payload] = await codec.encode([PLAIN])
    payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
    with pytest.raises(UnreadablePayload, match=r"does not open with key '2026-06' of .*another key had this id"):
        await codec.decode([payload])
    payload.data = b"short"
    with pytest.raises(UnreadablePayload, match="does not open"):
        await codec.decode([payload])


async def test_a_key_that_is_added_is_found_at_once_and_a_bad_file_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = file.with_name("other")
    other.write_text(f"2026-09 {MARCH}")
    [payload] = await Codec(KeyRing(other)).encode([PLAIN])
    ring = KeyRing(file)
    _replace(file, "2026-09 nonsense")
    with pytest.raises(UnreadablePayload, match=f"key '2026-09', which is not in {file}: put its line back"):
        await Codec(ring).decode([payload])
    assert "changed keys of payloads are not in use, the old ones stay" in caplog.text
    assert ring.find("2026-03") is not None
    _replace(file, f"2026-06 {JUNE}\n2026-09 {MARCH}\n")
    assert await Codec(ring).decode([payload]) == [PLAIN]
    assert ring.find("2026-03") is None


def test_the_key_that_encrypts_follows_the_file(file: Path) -> None:
    ring = KeyRing(file, look_s=0)
    _replace(file, f"2026-09 {MARCH}")
    first = ring.first()
    assert first is not None and first.id == "2026-09"
    file.unlink()
    assert ring.first() == first, "a file that is gone leaves the keys as they are"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no key; make one with"),
        ("# only this\n", "has no key"),
        (MARCH, "line 1: not an id, a space and 32 bytes in base64"),
        (f"a {MARCH}\nb {MARCH[:-8]}\n", "line 2: not an id"),
        (f"a {MARCH} more", "line 1: not an id"),
        (f"a/b {MARCH}", "line 1: not an id"),
        ("a !!!!", "line 1: not an id"),
        (f"a {MARCH}\na {JUNE}\n", "line 2: key a is there twice"),
        ("ä", "not ASCII text"),
    ],
)
def test_a_file_that_is_no_list_of_keys_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=said) as refused:
        KeyRing(file)
    assert MARCH[:8] not in str(refused.value)


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"No such file.*MODELYARD_TEMPORAL_PAYLOAD_KEYS_FILE"):
        KeyRing(tmp_path / "keys")


def test_a_key_is_not_shown(file: Path) -> None:
    keys = read_keys(file)
    assert repr(keys["2026-03"]) == "Key(id='2026-03')"
    assert "\\x03" not in repr(keys)


def _replace(file: Path, text: str) -> None:
    """As the kubelet does: by another file."""
    new = file.with_name("new")
    new.write_text(text)
    os.replace(new, file)
