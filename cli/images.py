"""`modelyard images build|push|list`: the images of an installation from the command line.

Calls `deploy.images`, and says in exit codes what came of it.
"""

import json
import sys
from collections.abc import Callable

from cli.exit_codes import GOOD, MISUSE, NO
from deploy.images.others import others
from deploy.images.publish import publish
from deploy.images.release import build_all, listed, reference_in, version
from deploy.local.host.commands import CommandFailed
from deploy.local.images.contents import Device
from deploy.local.images.rootfs import NoBase
from deploy.local.images.torch_build import TorchUnavailable
from deploy.local.layout import Layout
from deploy.local.stack.packages import PackagesMissing
from runtime.registry.faults import RegistryFault

MB = 1_000_000


def run_build(device: Device) -> int:
    """0 when all images are built, 1 when one cannot be, 2 when the base has no digest."""
    return _carried_out(lambda: _build(device))


def run_push(device: Device, registry: str, tag: str | None, *, plain_http: bool) -> int:
    """0 when the registry has all images, 1 when one could not be built or pushed, 2 on misuse."""
    return _carried_out(lambda: _push(device, registry, tag or version(), plain_http))


def run_list(device: Device, registry: str, tag: str | None, *, as_json: bool) -> int:
    """0: there is always a list."""
    images, foreign = listed(Layout.of(), device, registry, tag or version()), others(registry)
    if as_json:
        print(json.dumps([*(image.wire() for image in images), *(image.wire() for image in foreign)], indent=2))
        return GOOD
    for image in images:
        about = (
            f"{image.digest}  {image.compressed_bytes / MB:.0f} MB  base {image.base}" if image.digest else "not built"
        )
        print(f"{image.reference}  {about}")
    for image_of_others in foreign:
        source, value = image_of_others.source, image_of_others.needed_with
        print(f"{image_of_others.reference}  from {source}, only with {value}")
    return GOOD


def _build(device: Device) -> None:
    for image, built in build_all(Layout.of(), device, _report):
        print(f"{image.name}: {built}")


def _push(device: Device, registry: str, tag: str, plain_http: bool) -> None:
    for image, built in build_all(Layout.of(), device, _report):
        reference = reference_in(registry, image, tag)
        _report(f"pushing {reference}")
        digest = publish(built, reference, plain_http=plain_http, report=_report)
        print(f"{reference}@{digest}", flush=True)


def _carried_out(work: Callable[[], None]) -> int:
    try:
        work()
    except ValueError as misuse:
        print(misuse, file=sys.stderr)
        return MISUSE
    except (CommandFailed, NoBase, PackagesMissing, TorchUnavailable, RegistryFault, OSError) as error:
        print(error, file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes.", file=sys.stderr)
        return NO
    return GOOD


def _report(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
