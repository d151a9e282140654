"""The page about models and machines says what is there."""

import re
from pathlib import Path

import pytest

from activities.planning.models import REASONS as HUB_REASONS
from api.reasons import REASONS
from presets.machines.skus import find_sku
from presets.models.catalog import all_models, find_model
from presets.prices.__main__ import main

PAGE = (Path(__file__).parents[3] / "docs" / "catalogue.md").read_text()


def test_every_reason_on_the_page_exists_and_none_of_the_hubs_is_left_out() -> None:
    named = set(re.findall(r"`(Model[A-Z]\w+)`", PAGE))
    assert named <= set(REASONS)
    assert set(HUB_REASONS.values()) <= named


def test_the_numbers_on_the_page_are_true() -> None:
    unwrapped = " ".join(PAGE.split())
    assert f"The catalogue has {len(all_models())} models" in unwrapped
    assert f"has {find_sku('Standard_NV36ads_A10_v5').usable_memory_gib} GiB" in unwrapped


@pytest.mark.parametrize(
    "name", ["phi-4", "llama-3.3-70b-instruct", "falcon-7b", "llama-2-7b-chat", "Qwen/Qwen3.6-27B"]
)
def test_every_name_on_the_page_is_known(name: str) -> None:
    assert f"`{name}`" in PAGE
    find_model(name)


def test_the_commands_on_the_page_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    for options in re.findall(r"python -m presets\.prices refresh *(.*)", PAGE):
        given = re.findall(r"--\w+", options.split("#")[0])
        with pytest.raises(SystemExit) as asked:
            main(["refresh", "--help"])
        assert asked.value.code == 0
        shown = capsys.readouterr().out
        assert all(option in shown for option in given)
