"""A bill of materials names what pip and dpkg have recorded in an image, and nothing else."""

from pathlib import Path

import pytest

from deploy.local.images.sbom import Package, bill_of_materials, debian_packages, document, python_packages

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u13
Description: C library
 Lines that go on.

Package: gone
Status: deinstall ok not-installed
Architecture: amd64
Version: 1.0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image with a Python package of either form of licence, and Debian packages in both kinds of record."""
    packages = tmp_path / "opt" / "modelyard" / "lib" / "python3.11" / "site-packages"
    for name, version, licence in (
        ("Some_Thing", "1.2+cpu", "License-Expression: MIT"),
        ("other", "2.0", "License: A\n very long text"),
    ):
        folder = packages / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{licence}\n\nText")
    dpkg = tmp_path / "var" / "lib" / "dpkg"
    (dpkg / "status.d").mkdir(parents=True)
    (dpkg / "status").write_text(STATUS)
    (dpkg / "status.d" / "tzdata").write_text("Package: tzdata\nVersion: 2026c-0+deb12u1\nArchitecture: all\n")
    return tmp_path


def test_python_packages_are_named_as_on_the_index(root: Path) -> None:
    assert sorted(python_packages(root)) == [
        Package("pkg:pypi/other@2.0", "other", "2.0"),
        Package("pkg:pypi/some-thing@1.2%2Bcpu", "some-thing", "1.2+cpu", "MIT"),
    ]


def test_debian_packages_are_those_that_are_unpacked(root: Path) -> None:
    assert [package.purl for package in debian_packages(root)] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64",
        "pkg:deb/debian/tzdata@2026c-0%2Bdeb12u1?arch=all",
    ]


def test_the_bill_says_what_it_is_of_and_is_the_same_each_time(root: Path) -> None:
    bill = bill_of_materials("modelyard/x", "t", root)
    assert bill == bill_of_materials("modelyard/x", "t", root)
    assert bill["metadata"]["component"]["bom-ref"] == "modelyard/x:t"
    assert [component["name"] for component in bill["components"]] == ["libc6", "tzdata", "other", "some-thing"]
    assert bill["serialNumber"] != document("modelyard/x", "t", [])["serialNumber"]


def test_a_folder_that_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is that the root of an image"):
        bill_of_materials("modelyard/x", "t", tmp_path)
