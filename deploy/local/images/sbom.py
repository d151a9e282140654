"""Writes an image's bill of materials: the Python and Debian packages in its file system, as CycloneDX 1.6 JSON.

Reads what pip and dpkg recorded in the image, so that what a build added by other ways is not missed by a list kept
beside. Our own files are the image itself. `build.py` mounts the image; deploy/images/publish.py attaches the bill.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

SBOM: Final = "sbom.cdx.json"
"""The file in an image's OCI layout."""
SBOM_TYPE: Final = "application/vnd.cyclonedx+json"
"""Registered with IANA."""
VENV_PACKAGES: Final = "opt/modelyard/lib/python3*/site-packages"
DPKG_STATUS: Final = ("var/lib/dpkg/status", "var/lib/dpkg/status.d/*")
"""dpkg's own record, and where images without dpkg keep one file for each package."""
_NAME: Final = re.compile(r"[-_.]+")


@dataclass(frozen=True, order=True)
class Package:
    """One package: `purl` is its package URL (github.com/package-url/purl-spec), `licence` empty if not stated."""

    purl: str
    name: str
    version: str
    licence: str = ""


def bill_of_materials(repository: str, tag: str, root: Path) -> dict[str, Any]:
    """Returns the document for an image whose file system is at `root`. Raises OSError, ValueError without packages."""
    packages = sorted({*python_packages(root), *debian_packages(root)})
    if not packages:
        raise ValueError(f"no package is recorded below {root}: is that the root of an image?")
    return document(repository, tag, packages)


def document(repository: str, tag: str, packages: Iterable[Package]) -> dict[str, Any]:
    """Returns a CycloneDX 1.6 document (cyclonedx.org/docs/1.6/json); the same input gives the same document."""
    components = [_component(package) for package in packages]
    subject = {"type": "container", "name": repository, "version": tag, "bom-ref": f"{repository}:{tag}"}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([subject, components]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
    }


def python_packages(root: Path) -> Iterator[Package]:
    """Yields what pip has installed into the image's environment."""
    for folder in root.glob(VENV_PACKAGES):
        for found in distributions(path=[str(folder)]):
            name = _NAME.sub("-", found.metadata["Name"]).lower()
            yield Package(f"pkg:pypi/{name}@{quote(found.version)}", name, found.version, _licence(found))


def debian_packages(root: Path) -> Iterator[Package]:
    """Yields what dpkg has installed or, in an image without scripts, unpacked."""
    for file in (file for pattern in DPKG_STATUS for file in sorted(root.glob(pattern)) if file.is_file()):
        for paragraph in file.read_text(encoding="utf-8", errors="replace").split("\n\n"):
            fields = HeaderParser().parsestr(paragraph.strip())
            name, version = fields["Package"], fields["Version"]
            if name and version and "not-installed" not in (fields["Status"] or ""):
                purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={fields['Architecture']}"
                yield Package(purl, name, version)


def _licence(found: Distribution) -> str:
    """Returns an SPDX expression, or a short free text; many packages have their whole licence in the old field."""
    stated = found.metadata["License-Expression"] or found.metadata["License"] or ""
    return "" if "\n" in stated or len(stated) > 80 else stated


def _component(package: Package) -> dict[str, Any]:
    component = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
    }
    if package.licence:
        # The schema knows ids of its list only; a name may be anything.
        component["licenses"] = [{"license": {"name": package.licence}}]  # type: ignore[assignment]
    return component
