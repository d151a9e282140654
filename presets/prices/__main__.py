"""`python -m presets.prices refresh`: queries Azure for the price of every size in the table, and rewrites the file.

Writes nothing unless every query succeeds; reports sizes that Azure sells nowhere on demand.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from presets.machines.prices import shipped_file
from presets.machines.skus import sku_table
from presets.prices.retail import ENDPOINT, PricesUnavailable, fetch_prices, rendered, table_of


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written; 1: the prices could not be had; 2: wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m presets.prices", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    refresh = commands.add_parser("refresh", help="write the price file anew from Azure's Retail Prices API")
    refresh.add_argument("--endpoint", default=ENDPOINT, help="another address of the API (default: %(default)s)")
    refresh.add_argument("--region", action="append", default=[], help="only this region; may be given several times")
    refresh.add_argument("--output", type=Path, default=shipped_file(), help="default: the file that ships")
    given = parser.parse_args(arguments)
    try:
        count = write_prices(given.output, given.endpoint, frozenset(region.lower() for region in given.region))
    except PricesUnavailable as error:
        print(f"{error}. {given.output} is unchanged", file=sys.stderr)
        return 1
    print(f"{count} prices written to {given.output}")
    return 0


def write_prices(output: Path, endpoint: str, regions: frozenset[str]) -> int:
    """Writes the file and returns how many prices it holds. Raises PricesUnavailable."""
    prices: dict[str, dict[str, float]] = {}
    with httpx.Client(follow_redirects=False) as client:
        for sku in sku_table().skus:
            found = fetch_prices(client, sku.name, endpoint)
            prices[sku.name] = {region: price for region, price in found.items() if not regions or region in regions}
    unpriced = sorted(name for name, by_region in prices.items() if not by_region)
    if len(unpriced) == len(prices):
        raise PricesUnavailable(f"{endpoint} has no price for any size: check the endpoint and the regions")
    if unpriced:
        print(f"no on-demand price: {', '.join(unpriced)}", file=sys.stderr)
    table = table_of(prices, datetime.now(UTC).date())
    _replace(output, rendered(table))
    return sum(map(len, table.usd_per_hour.values()))


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
