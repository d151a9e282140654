"""The setting that names the installed node provider, for the processes that have it."""

from typing import Annotated

from pydantic import BeforeValidator

from api.providers import Provider
from api.validation.document import PROVISIONERS


def _provider_name(value: object) -> object:
    return PROVISIONERS.get(value, value) if isinstance(value, str) else value


InstalledProvider = Annotated[Provider, BeforeValidator(_provider_name)]
"""aks, karpenter or byo, or KAITO's name for one of them."""
