"""Writes the generated files of the chart: `python -m deploy.chart_values`."""

from pathlib import Path
from typing import Final

from deploy.chart_values.copies import copies
from deploy.chart_values.pages import readme_page, schema_page, values_page
from deploy.local.layout import REPOSITORY

CHART: Final = REPOSITORY / "deploy" / "chart"


def generated() -> dict[Path, str]:
    """Every generated file of the chart and its content."""
    pages = {"values.yaml": values_page(), "values.schema.json": schema_page(), "README.md": readme_page()}
    pages |= {f"files/{name}": text for name, text in copies().items()}
    return {CHART / name: text for name, text in pages.items()}


if __name__ == "__main__":
    for file, text in generated().items():
        file.write_text(text)
