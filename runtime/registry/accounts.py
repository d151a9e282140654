"""Reads the docker configs that are mounted from Secrets; which account is in them is `api/oci/docker_config.py`'s."""

from collections.abc import Mapping
from pathlib import Path

from api.oci.docker_config import BYTES_MAX, Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from runtime.registry.faults import RegistryFault, Trouble


def read_accounts(image: ImageReference, docker_configs: Mapping[str, str]) -> list[Account]:
    """One for each Secret (by name, with its file) that has one, in their order. Raises RegistryFault where none has
    one and a Secret cannot be used."""
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
