"""`python -m runtime.publish --config FILE`: pushes the adapter's image, reads it back, writes the result, exits.

A second run with the same adapter uploads nothing again and produces the same digest. Exit codes are in `failures.py`.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.oci.image_reference import ImageReference
from api.pods.publish import PublishConfig, Published
from runtime.pod.exit import CONFIG_INVALID, Failure, log_line, run
from runtime.pod.metrics import COMPLETE
from runtime.pod.retry import RetryPolicy
from runtime.pod.status_server import start_status_server
from runtime.publish.adapter import read_adapter
from runtime.publish.failures import ADAPTER_INCOMPLETE, failure_of
from runtime.publish.image import AdapterImage, image_of
from runtime.publish.layers import FileChanged
from runtime.publish.progress import PublishProgress
from runtime.publish.pushing import push
from runtime.registry.accounts import read_accounts
from runtime.registry.client import repository
from runtime.registry.faults import RegistryFault

RIGHTS = "pull,push"


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 if the image is in the registry and was verified."""
    return run("runtime.publish", PublishConfig, publish, argv)


def publish(config: PublishConfig) -> Mapping[str, Any]:
    """Returns the result; writes it with the annotations into the result file. Raises Failure."""
    began = time.monotonic()
    progress = PublishProgress(phase="reading")
    server = start_status_server(progress, config.port)
    try:
        target = _target(config.image)
        image = image_of(read_adapter(Path(config.folder)), config)
        log_line(f"{target}: {image.size / 1e6:.1f} MB in {len(image.blobs)} blobs, {image.digest}")
        _push(config, target, image, progress)
        progress.phase = COMPLETE
        log_line(progress.line())
        published = Published(
            image=config.image,
            digest=image.digest,
            pinned=target.pinned(image.digest),
            bytes=image.size,
            uploaded=progress.uploaded,
            seconds=round(time.monotonic() - began, 3),
            annotations=image.annotations,
        )
        _write(Path(config.result_path), published.model_dump_json(indent=1))
        return published.model_dump(exclude={"annotations"})
    finally:
        server.shutdown()
        server.server_close()


def _push(config: PublishConfig, target: ImageReference, image: AdapterImage, progress: PublishProgress) -> None:
    scope = f"repository:{target.repository}:{RIGHTS} on {target.host}"
    secrets = ", ".join(config.registry.docker_configs) or "no Secret"
    whose = f"the Secret {secrets}" if config.registry.docker_configs else secrets
    retry_policy = RetryPolicy(stall_s=config.stall_s, attempts=config.attempts, first_pause_s=config.pause_s)

    def waiting(text: str) -> None:
        progress.phase = "waiting"
        log_line(text)

    try:
        account = next(iter(read_accounts(target, config.registry.docker_configs)), None)
        with repository(target, config.registry, account, RIGHTS, config.stall_s) as opened:
            whose = opened.authorization.whose if account or config.registry.azure else whose
            push(opened, image, retry_policy, progress, waiting)
    except RegistryFault as fault:
        raise failure_of(fault, scope, whose) from fault
    except (OSError, FileChanged) as error:
        raise Failure(ADAPTER_INCOMPLETE, f"{config.folder} cannot be read: {error}") from error


def _target(image: str) -> ImageReference:
    try:
        target = ImageReference.parse(image)
    except ValueError as error:
        raise Failure(CONFIG_INVALID, f"{image[:100]!r} is not an image reference: {error}") from error
    if target.digest:
        raise Failure(CONFIG_INVALID, f"{image} names a digest, which a push cannot choose: give a tag")
    return target


def _write(file: Path, text: str) -> None:
    """Writes atomically."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text)
    os.replace(partial, file)


if __name__ == "__main__":
    sys.exit(main())
