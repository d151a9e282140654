"""List prices: what the API's rows mean, that only whole answers are written, and that a file can be repeated.

The API is a small HTTP server that speaks the documented JSON, pages included.
"""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from presets.machines.prices import PriceTable, parse_prices, price_table
from presets.machines.skus import sku_table
from presets.prices.__main__ import main
from presets.prices.retail import MOST_PAGES, PricesUnavailable, Row, chosen, fetch_prices, rendered, table_of
from testing.deadlines import PATIENCE_S

A100 = "Standard_NC24ads_A100_v4"


def a_row(**changes: Any) -> dict[str, Any]:
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 3.673, "unitPrice": 3.673,
        "armRegionName": "eastus", "location": "US East", "effectiveStartDate": "2022-06-01T00:00:00Z",
        "meterId": "m", "meterName": "NC24ads A100 v4", "productId": "p", "skuId": "s",
        "productName": "Virtual Machines NCADS A100 v4 Series", "skuName": "NC24ads A100 v4",
        "serviceName": "Virtual Machines", "serviceFamily": "Compute", "unitOfMeasure": "1 Hour",
        "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": A100,
    } | changes  # fmt: skip


def rows(*documents: dict[str, Any]) -> list[Row]:
    return [Row.model_validate(document) for document in documents]


Answer = Callable[[str, int], tuple[int, Any]]
"""From the size that is asked for and the page, to a status and a document."""


class Api:
    """A server with the API's address, that remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = lambda sku, page: (200, {"Items": [a_row(armSkuName=sku)], "NextPageLink": None})
        self.asked: list[tuple[str, int]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                sku = query["$filter"][0].rsplit("armSkuName eq ", 1)[1].strip("'")
                page = int(query.get("$skip", ["0"])[0])
                api.asked.append((sku, page))
                status, document = api.answer(sku, page)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/retail/prices"

    def next_page(self, sku: str, page: int) -> str:
        filter_ = httpx.QueryParams({"$filter": f"armSkuName eq '{sku}'", "$skip": page})
        return f"{self.url}?{filter_}"


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield api
    api.server.shutdown()
    api.server.server_close()
    thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=PATIENCE_S) as client:
        yield client


OTHER_THINGS = [
    pytest.param({"productName": "Virtual Machines NCADS A100 v4 Series Windows"}, id="windows"),
    pytest.param({"skuName": "NC24ads A100 v4 Spot", "meterName": "NC24ads A100 v4 Spot"}, id="spot"),
    pytest.param({"skuName": "NC24ads A100 v4 Low Priority"}, id="low priority"),
    pytest.param({"type": "Reservation", "reservationTerm": "1 Year"}, id="reservation"),
    pytest.param({"type": "DevTestConsumption"}, id="dev and test"),
    pytest.param({"unitOfMeasure": "1/Month"}, id="not by the hour"),
    pytest.param({"currencyCode": "EUR"}, id="another currency"),
    pytest.param({"retailPrice": 0.0}, id="free of charge"),
    pytest.param({"armRegionName": ""}, id="no region"),
]


@pytest.mark.parametrize("change", OTHER_THINGS)
def test_only_on_demand_linux_prices_count(change: dict[str, Any]) -> None:
    assert chosen(rows(a_row(**change))) == {}
    assert chosen(rows(a_row(**change), a_row())) == {"eastus": 3.673}


def test_of_several_prices_the_latest_holds() -> None:
    older = a_row(retailPrice=9.0, effectiveStartDate="2021-01-01T00:00:00Z")
    assert chosen(rows(a_row(), older)) == chosen(rows(older, a_row())) == {"eastus": 3.673}


def test_all_pages_are_read(api: Api, client: httpx.Client) -> None:
    regions = ["eastus", "westus3", "swedencentral"]

    def answer(sku: str, page: int) -> tuple[int, Any]:
        last = page == len(regions) - 1
        item = a_row(armRegionName=regions[page], retailPrice=page + 1.0)
        return 200, {"Items": [item], "NextPageLink": None if last else api.next_page(sku, page + 1)}

    api.answer = answer
    assert fetch_prices(client, A100, api.url) == {"eastus": 1.0, "swedencentral": 3.0, "westus3": 2.0}
    assert api.asked == [(A100, 0), (A100, 1), (A100, 2)]


def test_a_chain_of_pages_that_never_ends_is_refused(api: Api, client: httpx.Client) -> None:
    api.answer = lambda sku, page: (200, {"Items": [], "NextPageLink": api.next_page(sku, page + 1)})
    with pytest.raises(PricesUnavailable, match=f"more than {MOST_PAGES} pages"):
        fetch_prices(client, A100, api.url)
    assert len(api.asked) == MOST_PAGES


def test_a_next_page_elsewhere_is_not_followed(api: Api, client: httpx.Client) -> None:
    api.answer = lambda sku, page: (200, {"Items": [], "NextPageLink": "http://169.254.169.254/latest"})
    with pytest.raises(PricesUnavailable, match=r"the next page is at 169\.254\.169\.254"):
        fetch_prices(client, A100, api.url)


BROKEN = [
    pytest.param(403, {}, "HTTP 403: check the endpoint", id="refused"),
    pytest.param(302, {}, "HTTP 302", id="redirect"),
    pytest.param(503, {}, "HTTP 503, 3 times. Try again later", id="out of order"),
    pytest.param(429, {}, "HTTP 429, 3 times", id="throttled"),
    pytest.param(200, b"<html>", "no JSON", id="html"),
    pytest.param(200, [], "without Items", id="a list"),
    pytest.param(200, {"Items": [{"armSkuName": A100}]}, "not as documented", id="fields missing"),
    pytest.param(200, b"[" + b" " * (9 << 20), "a page of more than", id="too large"),
]


@pytest.mark.parametrize(("status", "document", "message"), BROKEN)
def test_a_broken_answer_is_reported_and_nothing_is_written(
    api: Api, tmp_path: Any, capsys: pytest.CaptureFixture[str], status: int, document: Any, message: str
) -> None:
    output = tmp_path / "prices.yaml"
    output.write_text("before")
    api.answer = lambda sku, page: (status, document)
    assert main(["refresh", "--endpoint", api.url, "--output", str(output)]) == 1
    assert output.read_text() == "before" and list(tmp_path.iterdir()) == [output]
    assert message in capsys.readouterr().err


def test_an_unreachable_server_is_reported(client: httpx.Client) -> None:
    with pytest.raises(PricesUnavailable, match=r"ConnectError.*3 times"):
        fetch_prices(client, A100, "http://127.0.0.1:1/api")


def test_a_refresh_requests_every_size_and_writes_the_prices(api: Api, tmp_path: Any) -> None:
    output = tmp_path / "prices.yaml"
    assert main(["refresh", "--endpoint", api.url, "--output", str(output)]) == 0
    assert [sku for sku, _ in api.asked] == [sku.name for sku in sku_table().skus]
    table = parse_prices(output.read_text())
    assert table.usd_per_hour == {"eastus": {sku.name: 3.673 for sku in sku_table().skus}}
    assert len(table.as_of) == len("2026-01-01")
    before = output.read_bytes()
    assert main(["refresh", "--endpoint", api.url, "--output", str(output)]) == 0
    assert output.read_bytes() == before


def test_sizes_that_are_sold_nowhere_are_named(api: Api, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    api.answer = lambda sku, page: (200, {"Items": [] if "V620" in sku else [a_row(armSkuName=sku)]})
    assert main(["refresh", "--endpoint", api.url, "--output", str(tmp_path / "p.yaml")]) == 0
    assert "no on-demand price: Standard_NG32adms_V620_v1, Standard_NG32ads_V620_v1" in capsys.readouterr().err


def test_a_region_that_does_not_exist_changes_nothing(api: Api, tmp_path: Any) -> None:
    output = tmp_path / "p.yaml"
    assert main(["refresh", "--endpoint", api.url, "--region", "atlantis", "--output", str(output)]) == 1
    assert not output.exists()


names = st.text("abyno09_-", min_size=1, max_size=8)
dollars = st.floats(min_value=0.0001, max_value=1000, allow_nan=False)


@settings(max_examples=50)
@example({"size": {"no": 1.0}, "y": {"eastus": 2.0}})
@given(st.dictionaries(names, st.dictionaries(names, dollars, min_size=1), min_size=1))
def test_what_is_written_is_read_back(prices: dict[str, dict[str, float]]) -> None:
    table = table_of(prices, date(2026, 1, 2))
    assert parse_prices(rendered(table)) == table
    again = table_of({sku: dict(reversed(by.items())) for sku, by in reversed(prices.items())}, date(2026, 1, 2))
    assert rendered(again) == rendered(table)


def test_the_shipped_prices_are_of_sizes_that_are_known() -> None:
    known = {sku.name for sku in sku_table().skus}
    for region, prices in price_table().usd_per_hour.items():
        assert region == region.lower() and " " not in region
        assert set(prices) <= known


def test_a_price_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        PriceTable(as_of="2026", usd_per_hour={"eastus": {A100: 0.0}})
