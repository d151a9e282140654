"""The table of VM sizes: how a size is found, and that the facts agree with each other and with KAITO's."""

import pytest
from pydantic import ValidationError

from presets.machines.skus import Sku, UnknownSku, find_sku, near_skus, sku_table

# What KAITO's own table says: GPUs of a node and their memory together, in GiB.
KAITO = {
    "Standard_NV36ads_A10_v5": (1, 24),
    "Standard_NV72ads_A10_v5": (2, 48),
    "Standard_NC24ads_A100_v4": (1, 80),
    "Standard_NC48ads_A100_v4": (2, 160),
    "Standard_NC96ads_A100_v4": (4, 320),
    "Standard_ND96asr_A100_v4": (8, 320),
    "Standard_ND96amsr_A100_v4": (8, 640),
    "Standard_NC40ads_H100_v5": (1, 94),
    "Standard_NC80adis_H100_v5": (2, 188),
    "Standard_ND96isr_H100_v5": (8, 640),
    "Standard_NCC40ads_H100_v5": (1, 94),
    "Standard_ND96isr_H200_v5": (8, 1128),
    "Standard_NG32ads_V620_v1": (1, 32),
    "Standard_NG32adms_V620_v1": (1, 32),
}


@pytest.mark.parametrize("name", KAITO)
def test_every_size_that_kaito_knows_is_known_with_the_same_gpus(name: str) -> None:
    sku = find_sku(name)
    assert (sku.gpus, sku.total_gpu_memory_gib) == KAITO[name]


@pytest.mark.parametrize(
    "spelling", ["standard_nc24ads_a100_v4", "STANDARD_NC24ADS_A100_V4", " Standard_NC24ads_A100_v4 "]
)
def test_a_size_is_found_in_any_case_and_answers_in_azures_spelling(spelling: str) -> None:
    assert find_sku(spelling).name == "Standard_NC24ads_A100_v4"


def test_an_alias_answers_with_the_name_that_azure_sells() -> None:
    assert find_sku("Standard_ND96asr_A100_v4").name == "Standard_ND96asr_v4"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        pytest.param("Standard_NC24ads_A100_v5", "Standard_NC24ads_A100_v4", id="version"),
        pytest.param("NC24ads_A100_v4", "Standard_NC24ads_A100_v4", id="without-prefix"),
        pytest.param("Standard_NV36_A10_v5", "Standard_NV36ads_A10_v5", id="letters-missing"),
    ],
)
def test_an_unknown_size_names_the_nearest(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownSku, match=meant) as unknown:
        find_sku(wrong)
    assert unknown.value.near[0] == meant


def test_a_name_like_no_size_gets_an_example_instead() -> None:
    assert near_skus("banana") == ()
    with pytest.raises(UnknownSku, match="unknown VM size 'banana': GPU sizes look like Standard_"):
        find_sku("banana")


def test_a_price_is_known_or_it_is_none() -> None:
    sku = find_sku("Standard_NC24ads_A100_v4")
    assert sku.price("eastus") == sku.price("East US") == 3.673
    assert sku.price("antarctica") is None


def test_prices_grow_with_the_gpus_of_a_family() -> None:
    for region in ("eastus", "eastus2"):
        for family in {sku.family for sku in sku_table().skus}:
            priced = [sku for sku in sku_table().skus if sku.family == family and sku.price(region)]
            ordered = sorted(priced, key=lambda sku: sku.vcpus)
            prices = [sku.price(region) or 0.0 for sku in ordered]
            assert prices == sorted(set(prices)), f"{family} in {region}"


def test_a_size_with_gpus_must_say_which() -> None:
    with pytest.raises(ValidationError, match="go together"):
        Sku(name="Standard_NX1", gpus=1, vcpus=4, ram_gib=8, family="x")


def test_no_gpu_offers_more_than_is_advertised_and_most_figures_are_known() -> None:
    with_gpus = [sku for sku in sku_table().skus if sku.gpus]
    assert all(0.85 * sku.gpu_memory_gib < sku.usable_memory_gib <= sku.gpu_memory_gib for sku in with_gpus)
    unreported = {sku.name for sku in with_gpus if sku.driver_gib is None}
    assert unreported == {
        *("Standard_NV6ads_A10_v5", "Standard_NV12ads_A10_v5", "Standard_NV18ads_A10_v5"),
        *("Standard_NG32ads_V620_v1", "Standard_NG32adms_V620_v1"),
    }


def test_error_correction_keeps_two_gib_of_an_a10() -> None:
    assert find_sku("Standard_NV36ads_A10_v5").usable_memory_gib == 22.06


def test_parts_of_a_gpu_are_counted_as_one_with_less_memory() -> None:
    parts = {name: find_sku(name) for name in unit_names("NV6ads", "NV12ads", "NV18ads")}
    assert [(sku.gpus, sku.gpu_memory_gib) for sku in parts.values()] == [(1, 4), (1, 8), (1, 12)]
    assert [round(sku.gpu_fraction * 24) for sku in parts.values()] == [4, 8, 12]


def unit_names(*sizes: str) -> list[str]:
    return [f"Standard_{size}_A10_v5" for size in sizes]


@pytest.mark.parametrize(
    ("name", "gpus", "gib", "capability"),
    [
        pytest.param("Standard_NC12s_v3", 2, 16, "7.0", id="V100"),
        pytest.param("Standard_ND96isr_H200_v5", 8, 141, "9.0", id="H200"),
        pytest.param("Standard_ND96isr_MI300X_v5", 8, 192, "", id="MI300X"),
        pytest.param("Standard_ND128isr_NDR_GB200_v6", 4, 192, "10.0", id="GB200"),
    ],
)
def test_sizes_that_kaito_lacks_are_known(name: str, gpus: int, gib: int, capability: str) -> None:
    sku = find_sku(name)
    assert (sku.gpus, sku.gpu_memory_gib, sku.compute_capability) == (gpus, gib, capability)


def test_retired_sizes_say_so() -> None:
    retired = {sku.name for sku in sku_table().skus if sku.retired}
    assert retired == {sku.name for sku in sku_table().skus if sku.gpu_model == "NVIDIA V100"}


def test_sizes_with_rdma_in_their_name_have_infiniband() -> None:
    for sku in sku_table().skus:
        letters = sku.name.split("_")[1].lstrip("NCDGV0123456789")
        assert sku.infiniband == ("r" in letters), sku.name


def test_arm_machines_say_so() -> None:
    assert {sku.name for sku in sku_table().skus if sku.architecture == "arm64"} == {"Standard_ND128isr_NDR_GB200_v6"}


def test_a_figure_of_another_gpu_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not go with 24 GiB"):
        Sku(name="X", gpus=1, gpu_model="A", gpu_memory_gib=24, driver_gib=80, vcpus=4, ram_gib=8, family="x")
