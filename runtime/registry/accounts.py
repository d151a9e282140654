"""Reads the docker configs that are mounted from Secrets; parsing them is left to `api/oci/docker_config.py`."""

from collections.abc import Mapping
from pathlib import Path

from api.oci.docker_config import BYTES_MAX, Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from runtime.registry.faults import RegistryFault, Trouble


def read_accounts(image: ImageReference, docker_configs: Mapping[str, str]) -> list[Account]:
    """Returns the account of each Secret (name: file) that has one, in order. Raises RegistryFault if none has one and
    a Secret cannot be used."""
    try:
        return accounts_for(image, [_read(secret, Path(file)) for secret, file in docker_configs.items()])
    except DockerConfigError as error:
        raise RegistryFault(Trouble.FORBIDDEN, str(error)) from None


def _read(secret: str, file: Path) -> DockerConfig:
    try:
        with file.open("rb") as stream:
            return DockerConfig(secret, stream.read(BYTES_MAX + 1))
    except FileNotFoundError:
        return DockerConfig(secret, None)
    except OSError as error:
        text = f"the Secret {secret} cannot be read ({type(error).__name__})"
        raise RegistryFault(Trouble.FORBIDDEN, text) from error
