"""What must be mended in Kubernetes' source before it is built by a newer Go than it was written for.

Both mends are upstream's own, made in later releases. A source that no longer has the fault is a reason to stop: then
this file has to be read again. Raise RECIPE in `build.py` with every change here.
"""

import shutil
from pathlib import Path

# modern-go/reflect2 1.0.1 corrupts memory when it is built by Go 1.18 or later: the API server dies on the first
# custom resource. The distribution's own package of it has the mended version.
REFLECT = "github.com/modern-go/reflect2"
REFLECT_SOURCE = Path("/usr/share/gocode/src") / REFLECT
REFLECT_PACKAGE = "golang-github-modern-go-reflect2-dev"

# From Go 1.16 on this comparison is true for the shared zero value of a type: an empty string in a custom resource is
# refused as null (kubernetes/kubernetes#99804, mended in 1.21 by leaving the comparison out).
TYPE_VALIDATORS = ("github.com/go-openapi/validate/type.go", "k8s.io/kube-openapi/pkg/validation/validate/type.go")
ZERO_TAKEN_FOR_NULL = "data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))"


class MendFailed(RuntimeError):
    """The source is not as this file expects it."""


def mend(vendor: Path) -> None:
    """Mends the tree below `vendor/` in place. Raises MendFailed."""
    replace_module(vendor / REFLECT, REFLECT_SOURCE)
    for name in TYPE_VALIDATORS:
        # Staged modules are links in the vendor folder; where a version lacks one of the two there is nothing to mend.
        if (vendor / name).is_file():
            replace_once(vendor / name, ZERO_TAKEN_FOR_NULL, "data == nil")


def replace_module(vendored: Path, mended: Path) -> None:
    """Replaces the Go and assembly files of a vendored module by those of the distribution's package."""
    for pattern in ("*.go", "*.s"):
        for old in vendored.glob(pattern):
            old.unlink()
        for new in mended.glob(pattern):
            if not new.name.endswith("_test.go"):
                shutil.copy2(new, vendored / new.name)


def replace_once(source: Path, old: str, new: str) -> None:
    """Replaces the only occurrence. Raises MendFailed where there is none, or more than one."""
    text = source.read_text()
    if text.count(old) != 1:
        raise MendFailed(f"{source}: {old!r} is there {text.count(old)} times instead of once")
    source.write_text(text.replace(old, new))
