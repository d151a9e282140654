"""Images of others that the chart can pull: what a mirror needs besides our own.

Names and tags are the defaults of the chart's values. What a Workspace names itself (its own template, adapters and
data in images) is its author's affair.
"""

from dataclasses import dataclass
from typing import Any

from deploy.chart_values.images import OthersImage
from deploy.chart_values.installation import Values


@dataclass(frozen=True)
class Others:
    """An image that others publish, where a mirror has it (`image.mirrored`), and the value that asks for it."""

    reference: str
    source: str
    needed_with: str

    def wire(self) -> dict[str, Any]:
        """Returns what `modelyard images list --json` prints."""
        return {"image": self.reference, "source": self.source, "neededWith": self.needed_with}


def others(registry: str) -> list[Others]:
    """Returns every image of others that the chart can pull, as a mirror has it."""
    defaults = Values()
    found = {
        "temporal.embedded": defaults.temporal.embedded_server.image,
        "devicePlugin.enabled": defaults.device_plugin.image,
    }
    return [Others(_named(registry, image), _named(image.registry, image), value) for value, image in found.items()]


def _named(registry: str, image: OthersImage) -> str:
    return f"{registry}/{image.repository}" + (f"@{image.digest}" if image.digest else f":{image.tag}")
