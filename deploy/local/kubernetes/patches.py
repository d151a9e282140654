"""Patches the Kubernetes source so that it builds with a newer Go than it was written for.

Both patches are upstream's own, from later releases. A source without the bug stops the build, because this file is
then out of date. Raise RECIPE in `build.py` whenever a patch changes.
"""

import shutil
from pathlib import Path

# modern-go/reflect2 1.0.1 corrupts memory when built by Go 1.18 or later: the API server crashes on the first
# custom resource. The distribution's own package of it is fixed.
REFLECT = "github.com/modern-go/reflect2"
REFLECT_SOURCE = Path("/usr/share/gocode/src") / REFLECT
REFLECT_PACKAGE = "golang-github-modern-go-reflect2-dev"

# From Go 1.16 on this comparison is true for the shared zero value of a type: an empty string in a custom resource is
# rejected as null (kubernetes/kubernetes#99804, fixed in 1.21 by removing the comparison).
TYPE_VALIDATORS = ("github.com/go-openapi/validate/type.go", "k8s.io/kube-openapi/pkg/validation/validate/type.go")
ZERO_TAKEN_FOR_NULL = "data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))"


class PatchFailed(RuntimeError):
    """The source differs from what this file expects."""


def apply_patches(vendor: Path) -> None:
    """Patches the tree below `vendor/` in place. Raises PatchFailed."""
    replace_module(vendor / REFLECT, REFLECT_SOURCE)
    for name in TYPE_VALIDATORS:
        # Staged modules are links in the vendor folder; versions that lack one of the two need no patch for it.
        if (vendor / name).is_file():
            replace_once(vendor / name, ZERO_TAKEN_FOR_NULL, "data == nil")


def replace_module(vendored: Path, fixed: Path) -> None:
    """Replaces the Go and assembly files of a vendored module with those of the distribution's package."""
    for pattern in ("*.go", "*.s"):
        for old in vendored.glob(pattern):
            old.unlink()
        for new in fixed.glob(pattern):
            if not new.name.endswith("_test.go"):
                shutil.copy2(new, vendored / new.name)


def replace_once(source: Path, old: str, new: str) -> None:
    """Replaces the only occurrence. Raises PatchFailed if there is none, or more than one."""
    text = source.read_text()
    if text.count(old) != 1:
        raise PatchFailed(f"{source}: {old!r} occurs {text.count(old)} times instead of once")
    source.write_text(text.replace(old, new))
