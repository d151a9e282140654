"""Dashboards as tables of panels, and as the JSON that Grafana imports (its dashboard model, schema version 39).

What is shown is decided by the tables; here are layout and form, the same for every panel.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

WIDTH: Final = 24
"""Columns of Grafana's grid."""
PER_LINE: Final = 3
HEIGHT: Final = 8
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """Lines over time. `lines` maps each legend to its PromQL; units are Grafana's names (`s`, `reqps`, `bytes`)."""

    title: str
    meaning: str
    lines: Mapping[str, str]
    unit: str = "short"


@dataclass(frozen=True)
class Choice:
    """A variable with the values of a label, several of which may be chosen."""

    name: str
    label: str
    series: str


@dataclass(frozen=True)
class Dashboard:
    """`rows` maps headlines to panels. `uid` is how links name it: it never changes."""

    uid: str
    title: str
    choices: Sequence[Choice]
    rows: Mapping[str, Sequence[Panel]]

    @property
    def panels(self) -> list[Panel]:
        """All of them."""
        return [panel for panels in self.rows.values() for panel in panels]


def page(dashboard: Dashboard) -> str:
    """Returns the dashboard as Grafana's JSON."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["modelyard"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, *(_variable(choice) for choice in dashboard.choices)]},
        "panels": list(_placed(dashboard)),
    }
    return json.dumps(document, indent=1) + "\n"


def _variable(choice: Choice) -> dict[str, Any]:
    query = f"label_values({choice.series}, {choice.label})"
    chosen = {"text": "All", "value": "$__all"}
    return {
        "name": choice.name,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": choice.name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": chosen,
    }


def _placed(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Rows from top to bottom, their panels from left to right."""
    ids, y, width = count(1), 0, WIDTH // PER_LINE
    for headline, panels in dashboard.rows.items():
        place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        yield {"id": next(ids), "type": "row", "title": headline, "collapsed": False, "gridPos": place, "panels": []}
        y += 1
        for number, panel in enumerate(panels):
            line, column = divmod(number, PER_LINE)
            place = {"h": HEIGHT, "w": width, "x": column * width, "y": y + line * HEIGHT}
            yield {"id": next(ids), "gridPos": place} | _panel(panel)
        y += -(-len(panels) // PER_LINE) * HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
            for number, (legend, expression) in enumerate(panel.lines.items())
        ],
    }
