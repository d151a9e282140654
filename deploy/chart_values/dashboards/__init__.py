"""The chart's dashboards: what they show (`control_plane.py`, `models.py`), and how Grafana writes that down.

`deploy/chart_values` puts the pages into the chart; which labels series have is decided by its PodMonitors.
"""

from collections.abc import Mapping
from typing import Final

from deploy.chart_values.dashboards.control_plane import CONTROL_PLANE
from deploy.chart_values.dashboards.grafana import Dashboard
from deploy.chart_values.dashboards.models import MODELS

DASHBOARDS: Final[Mapping[str, Dashboard]] = {"control-plane": CONTROL_PLANE, "models": MODELS}
"""By the name of their file."""
