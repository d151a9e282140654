"""Queries Azure's Retail Prices API for the pay-as-you-go prices of a VM size, and builds the price table.

The API is public, pages by 100 and needs no sign-in. Responses are not trusted: the number and size of pages are
limited, and a next page must be on the same host.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from presets.machines.prices import PriceTable

ENDPOINT: Final = "https://prices.azure.com/api/retail/prices"
MOST_PAGES: Final = 50
"""Of one size. A size has some 8 rows in each of 60 regions, so 5 pages."""
LARGEST_PAGE: Final = 8 << 20
TIMEOUT_S: Final = 30.0
TRIES: Final = 3


class PricesUnavailable(RuntimeError):
    """The API did not answer, or not as it is documented; the message names the size and what to do."""


class Row(BaseModel):
    """One price of the API, with the fields that tell what it is for."""

    model_config = ConfigDict(extra="ignore")

    sku: str = Field(alias="armSkuName")
    region: str = Field(alias="armRegionName")
    price: float = Field(alias="retailPrice", ge=0)
    currency: str = Field(alias="currencyCode")
    unit: str = Field(alias="unitOfMeasure")
    kind: str = Field(alias="type")
    product: str = Field(alias="productName")
    offer: str = Field(alias="skuName")
    meter: str = Field(alias="meterName")
    starts: str = Field(alias="effectiveStartDate")

    @property
    def on_demand_linux(self) -> bool:
        """Not Windows, not spot or low priority, not a reservation, not DevTest; by the hour and in US dollars."""
        text = f"{self.offer} {self.meter}".lower()
        discounted = "spot" in text or "low priority" in text
        by_the_hour = self.kind == "Consumption" and self.unit == "1 Hour" and self.currency == "USD"
        return by_the_hour and not discounted and "windows" not in self.product.lower() and self.price > 0


def fetch_prices(client: httpx.Client, sku: str, endpoint: str = ENDPOINT) -> dict[str, float]:
    """US dollars per hour of this size by region; empty when it is not sold on demand. Raises PricesUnavailable."""
    quoted = sku.replace("'", "''")
    query = f"serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armSkuName eq '{quoted}'"
    url: str = str(httpx.URL(endpoint, params={"currencyCode": "'USD'", "$filter": query}))
    rows: list[Row] = []
    for _ in range(MOST_PAGES):
        page = _page(client, url, sku)
        rows += _rows(page, sku)
        following = page.get("NextPageLink")
        if not following:
            return chosen(row for row in rows if row.sku.lower() == sku.lower())
        url = _same_place(str(following), endpoint, sku)
    raise PricesUnavailable(f"{sku}: more than {MOST_PAGES} pages of prices: check the endpoint {endpoint}")


def chosen(rows: Iterable[Row]) -> dict[str, float]:
    """One price a region: of several that hold, the one that took effect last; of equals, the higher."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.on_demand_linux and row.region:
            known = best.get(row.region)
            if known is None or (row.starts, row.price) > (known.starts, known.price):
                best[row.region] = row
    return {region: row.price for region, row in sorted(best.items())}


def table_of(prices: Mapping[str, Mapping[str, float]], as_of: date) -> PriceTable:
    """The table of these prices, given by size and region."""
    regions = sorted({region for by_region in prices.values() for region in by_region})
    sizes = sorted(prices)
    table = {region: {sku: prices[sku][region] for sku in sizes if region in prices[sku]} for region in regions}
    return PriceTable(as_of=as_of.isoformat(), usd_per_hour=table)


def rendered(table: PriceTable) -> str:
    """The file: the same table gives the same bytes."""
    lines = [
        "# Pay-as-you-go list prices of Linux VMs in US dollars per hour, by region and size: to plan with, no bill.",
        "# Written by `python -m presets.prices refresh` from Azure's Retail Prices API; what is not here is unknown.",
        f'as_of: "{table.as_of}"',
        "usd_per_hour:",
    ]
    for region, prices in sorted(table.usd_per_hour.items()):
        # Quoted: a name that came over the network may be one of YAML's words (`no` is false).
        lines.append(f"  {json.dumps(region)}:")
        lines += [f"    {json.dumps(sku)}: {price}" for sku, price in sorted(prices.items())]
    return "\n".join(lines) + "\n"


def _page(client: httpx.Client, url: str, sku: str) -> dict[str, Any]:
    problem = ""
    for _ in range(TRIES):
        try:
            with client.stream("GET", url, timeout=TIMEOUT_S) as response:
                if response.status_code < 500 and response.status_code != 429:
                    return _body(response, sku)
                problem = f"HTTP {response.status_code}"
        except httpx.TransportError as error:
            problem = f"{type(error).__name__} {error}".strip()
    raise PricesUnavailable(f"{sku}: no prices from {url}: {problem}, {TRIES} times. Try again later")


def _body(response: httpx.Response, sku: str) -> dict[str, Any]:
    if response.status_code != 200:
        raise PricesUnavailable(f"{sku}: {response.url} answered HTTP {response.status_code}: check the endpoint")
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > LARGEST_PAGE:
            raise PricesUnavailable(f"{sku}: a page of more than {LARGEST_PAGE} bytes: check the endpoint")
    try:
        page = httpx.Response(200, content=bytes(content)).json()
    except ValueError as error:
        raise PricesUnavailable(f"{sku}: {response.url} answered no JSON ({error}): check the endpoint") from None
    if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
        raise PricesUnavailable(f"{sku}: {response.url} answered without Items: check the endpoint")
    return page


def _rows(page: Mapping[str, Any], sku: str) -> list[Row]:
    try:
        return [Row.model_validate(item) for item in page["Items"]]
    except ValidationError as error:
        raise PricesUnavailable(f"{sku}: a price is not as documented: {error}") from None


def _same_place(url: str, endpoint: str, sku: str) -> str:
    wanted, given = urlsplit(endpoint), urlsplit(url)
    # Azure writes its port into the link.
    if (given.scheme, given.hostname) != (wanted.scheme, wanted.hostname):
        raise PricesUnavailable(f"{sku}: the next page is at {given.hostname}, not at {wanted.hostname}: refused")
    return url
