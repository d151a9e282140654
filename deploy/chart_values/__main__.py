"""Writes the generated files of the chart, and the page about its alerts: `python -m deploy.chart_values`."""

from pathlib import Path
from typing import Final

from deploy.chart_values.alerts_page import PAGE, alerts_page
from deploy.chart_values.copies import copies
from deploy.chart_values.dashboards import DASHBOARDS
from deploy.chart_values.dashboards.grafana import page
from deploy.chart_values.pages import readme_page, schema_page, values_page
from deploy.local.layout import REPOSITORY

CHART: Final = REPOSITORY / "deploy" / "chart"


def generated() -> dict[Path, str]:
    """Every generated file and its content."""
    pages = {"values.yaml": values_page(), "values.schema.json": schema_page(), "README.md": readme_page()}
    pages |= {f"files/{name}": text for name, text in copies().items()}
    pages |= {f"files/dashboards/{name}.json": page(dashboard) for name, dashboard in DASHBOARDS.items()}
    return {CHART / name: text for name, text in pages.items()} | {PAGE: alerts_page()}


if __name__ == "__main__":
    for file, text in generated().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
