"""Reads the ConfigMaps that a Workspace references, so that the rules can validate their contents.

This is the only request the webhook makes during a review. It goes to the API server, which is itself waiting for the
review; if it does not respond in time, the ConfigMaps are not validated here but when the workflow reads them.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from admin.webhook.admission_review import Review
from api.names import is_label, is_subdomain

log = logging.getLogger(__name__)

READ_S: Final = 1.0

ConfigMaps = Mapping[str, Object]


class ConfigMapSource(Protocol):
    """Source of the ConfigMaps."""

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """Returns the existing ConfigMaps by name; None if they cannot be read."""


class NoConfigMaps:
    """A source without access to ConfigMaps."""

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """Returns None."""
        return None


class ClusterConfigMaps:
    """ConfigMaps in the namespace of the review."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """Returns None on API errors: a ConfigMap that cannot be read must not block a Workspace."""
        names = [] if review.passes_unseen else config_map_names(review.document)
        if not names or not is_label(review.namespace):
            return None
        try:
            async with asyncio.timeout(READ_S):
                found = [await self._cluster.get("ConfigMap", name, review.namespace) for name in names]
        except REQUEST_ERRORS as error:
            log.warning("the ConfigMaps of review %s cannot be read and are not checked: %r", review.uid, error)
            return None
        return {name: config_map for name, config_map in zip(names, found, strict=True) if config_map is not None}


def config_map_names(document: Mapping[str, Any] | None) -> list[str]:
    """Returns the names in `inference.config` and `tuning.config`; the rules reject what can be none."""
    named = (_config(document, section) for section in ("inference", "tuning"))
    return sorted({name for name in named if isinstance(name, str) and is_subdomain(name)})


def _config(document: Mapping[str, Any] | None, section: str) -> Any:
    found = (document or {}).get(section)
    return found.get("config") if isinstance(found, Mapping) else None
