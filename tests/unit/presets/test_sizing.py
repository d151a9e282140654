"""How models are laid out over GPUs, against KAITO's catalogue figures for one machine."""

import pytest

from presets.catalogue import UnknownModel, find_model
from presets.sizing import DoesNotFit, context_that_fits, fit
from presets.skus import find_sku


@pytest.mark.parametrize(
    ("model", "sku", "tensor", "data"),
    [
        ("phi-4", "Standard_NC24ads_A100_v4", 1, 1),
        ("phi-4-mini-instruct", "Standard_NV36ads_A10_v5", 1, 1),
        ("phi-4-mini-instruct", "Standard_NC48ads_A100_v4", 1, 2),
        ("llama-3.3-70b-instruct", "Standard_NC96ads_A100_v4", 4, 1),
        ("falcon-40b", "Standard_NC48ads_A100_v4", 2, 1),
    ],
)
def test_small_models_are_copied_and_large_ones_split(model: str, sku: str, tensor: int, data: int) -> None:
    layout = fit(find_model(model), find_sku(sku))
    assert (layout.tensor_parallel, layout.data_parallel) == (tensor, data)
    assert layout.context >= 2048


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    with pytest.raises(DoesNotFit, match=r"needs .* GiB on each GPU for 2048 tokens; .*80 GiB"):
        fit(find_model("llama-3.3-70b-instruct"), find_sku("Standard_NC24ads_A100_v4"))


def test_the_context_never_exceeds_the_models_own() -> None:
    assert context_that_fits(find_model("phi-2"), find_sku("Standard_NC24ads_A100_v4"), gpus=1) == 2048


def test_names_are_found_in_any_case_and_near_ones_are_told() -> None:
    assert find_model("PHI-4").repo == find_model("microsoft/phi-4").repo == "microsoft/phi-4"
    with pytest.raises(UnknownModel, match="did you mean"):
        find_model("phi-4-minii")
