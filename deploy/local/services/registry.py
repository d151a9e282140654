"""The OCI registry of a local stack: Debian's docker-registry over plain HTTP, blobs below the instance's state.

It listens on an address that nodes can reach, so containerd pulls what buildah pushed. `images/images.py` defines the
images.
"""

import secrets

import yaml

from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import Layout

NAME = "registry"


def registry_daemon(layout: Layout) -> Daemon:
    """Writes the configuration and returns the daemon that reads it."""
    folder = layout.state / NAME
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(registry_config(layout, _secret(layout)), sort_keys=False))
    file.chmod(0o600)
    return Daemon(
        name=NAME,
        argv=("docker-registry", "serve", str(file)),
        ready=once_answers(f"http://{layout.registry}/v2/"),
    )


def registry_config(layout: Layout, secret: str) -> dict[str, object]:
    """Returns docker-registry's configuration. `addr` must be a string, which a port alone would not be."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.state / NAME / "blobs")},
            "delete": {"enabled": True},
        },
        "http": {"addr": layout.registry, "secret": secret},
    }


def _secret(layout: Layout) -> str:
    """Returns the key that signs the state of uploads; stored, so that an upload survives a restart."""
    file = layout.state / NAME / "secret"
    file.touch(mode=0o600)
    if not file.read_text():
        file.write_text(secrets.token_hex(32))
    return file.read_text()
