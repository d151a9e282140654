"""The ConfigMaps that a Workspace names, read so that the rules can judge what is in them.

The one question that the webhook asks while it is asked itself. It goes to the API server that is waiting for the
answer; where that does not answer in time, the ConfigMaps are left to those who read them later.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from admin.webhook.admission_review import Review

log = logging.getLogger(__name__)

READ_S: Final = 1.0
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""What can name an object. All else would be part of a path that nobody meant; the rules refuse it by themselves."""

ConfigMaps = Mapping[str, Object]


class ConfigMapSource(Protocol):
    """Where ConfigMaps come from."""

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """Those that exist, by name; None where they cannot be looked at."""


class NoConfigMaps:
    """Nothing can be looked at."""

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """None."""
        return None


class ClusterConfigMaps:
    """Those in the namespace of the review."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def named_by(self, review: Review) -> ConfigMaps | None:
        """Raises nothing: a ConfigMap that cannot be read must not refuse a Workspace."""
        names = [] if review.passes_unseen else config_map_names(review.document)
        if not names or not NAME.fullmatch(review.namespace):
            return None
        try:
            async with asyncio.timeout(READ_S):
                found = [await self._cluster.get("ConfigMap", name, review.namespace) for name in names]
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the ConfigMaps of review %s are not judged: %r", review.uid, error)
            return None
        return {name: config_map for name, config_map in zip(names, found, strict=True) if config_map is not None}


def config_map_names(document: Mapping[str, Any] | None) -> list[str]:
    """What `inference.config` and `tuning.config` name."""
    named = (_config(document, section) for section in ("inference", "tuning"))
    return sorted({name for name in named if isinstance(name, str) and NAME.fullmatch(name)})


def _config(document: Mapping[str, Any] | None, section: str) -> Any:
    found = (document or {}).get(section)
    return found.get("config") if isinstance(found, Mapping) else None
