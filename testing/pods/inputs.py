"""Inputs of tests for all kinds of pods: our images by name, and a model of one commit."""

from datetime import timedelta
from typing import Final

from activities.contract.models import PinnedModel
from activities.manifests.serving import Images
from api.pods.registries import RegistryAccess

IMAGES: Final = Images(
    runtime="runtime:1", fetch="fetch:1", data="data:1", hf_endpoint="http://hub", cpu_kv_cache_gib=1,
    registry=RegistryAccess(),
)  # fmt: skip
PINNED: Final = PinnedModel(model="org/m", revision="a" * 40, weight_bytes=1)
NO_CONTROLLER: Final = timedelta(0)
"""For how long pods are looked for on a cluster where nothing makes any."""
