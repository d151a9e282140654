"""What holds of every answer of the estimator, whichever model and machine."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.machines.machine import Batch, Machine
from presets.models.architecture import LayerGroup
from presets.models.catalog import Model, all_models
from presets.serving.fit import DoesNotFit, Fit, fit, fit_in, least_context
from presets.serving.overrides import VllmOverrides
from presets.serving.parallelism import Layout

catalogue = st.sampled_from(all_models())


@st.composite
def invented(draw: st.DrawFn) -> Model:
    """Any shape that the catalogue's model allows, also nonsense sizes."""
    heads = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 10]))
    groups = [
        LayerGroup(kind="full", count=draw(st.integers(1, 90)), kv_heads=heads, head_dim=64),
        LayerGroup(kind="sliding", count=draw(st.integers(1, 90)), kv_heads=heads, head_dim=64, window=512),
        LayerGroup(kind="mla", count=draw(st.integers(1, 90)), latent_dim=576),
        LayerGroup(kind="linear", count=draw(st.integers(1, 90)), state_bytes=draw(st.integers(0, 10**7))),
    ]
    chosen = draw(st.lists(st.sampled_from(groups), min_size=1, max_size=3, unique=True))
    return Model(
        repo="any/model", weights_gib=draw(st.floats(0.1, 900)), layers=tuple(chosen),
        attention_heads=heads * draw(st.integers(1, 16)), hidden_size=draw(st.integers(64, 16384)),
        vocab_size=draw(st.integers(100, 300_000)), max_tokens=draw(st.integers(1, 2_000_000)),
        experts=draw(st.booleans()), quantization=draw(st.sampled_from(["", "fp8", "mxfp4", "awq"])),
    )  # fmt: skip


models = catalogue | invented()
machines = st.builds(
    Machine, name=st.just("any"), gpus=st.sampled_from([1, 2, 3, 4, 8]), usable_gib=st.floats(4, 300),
    batch=st.sampled_from([Batch(), Batch(8192, 1024), Batch(16384, 1024)]),
)  # fmt: skip
overrides = st.builds(
    VllmOverrides,
    kv_dtype=st.sampled_from(["auto", "fp8"]),
    utilization=st.none() | st.floats(0.1, 1.0),
    eager=st.booleans(),
)


def answer(model: Model, machine: Machine, override: VllmOverrides) -> Fit | None:
    try:
        return fit(model, machine, override)
    except DoesNotFit:
        return None


@given(model=models, machine=machines, override=overrides)
def test_an_answer_can_be_carried_out(model: Model, machine: Machine, override: VllmOverrides) -> None:
    found = answer(model, machine, override)
    if found is None:
        return
    layout, memory = found.layout, found.memory
    assert model.attention_heads % layout.tensor == 0
    assert layout.gpus == layout.nodes * machine.gpus
    assert layout.pipeline <= model.layer_count
    assert 0 < least_context(model, override) <= found.context <= model.max_tokens
    assert found.sequences >= 1 or not any(group.values_per_token or group.state_bytes for group in model.layers)
    parts = (memory.weights, memory.kv_cache, memory.activations, memory.cuda_graphs, memory.overhead)
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= machine.usable_gib * (1 + 1e-9)
    assert sum(parts) + memory.not_given == pytest.approx(machine.usable_gib)


@given(model=models, machine=machines, override=overrides, more=st.floats(1.0, 4.0))
def test_more_memory_never_gives_less_context_in_the_same_layout(
    model: Model, machine: Machine, override: VllmOverrides, more: float
) -> None:
    for layout in (Layout(), Layout(pipeline=min(2, model.layer_count), nodes=2)):
        small = fit_in(model, machine, layout, override)
        large = fit_in(model, replace(machine, usable_gib=machine.usable_gib * more), layout, override)
        assert large.context >= small.context


@given(model=models, machine=machines, override=overrides, more=st.floats(1.0, 4.0))
def test_more_memory_never_needs_more_nodes(
    model: Model, machine: Machine, override: VllmOverrides, more: float
) -> None:
    small = answer(model, machine, override)
    if small is None:
        return
    large = answer(model, replace(machine, usable_gib=machine.usable_gib * more), override)
    assert large is not None
    assert large.layout.nodes <= small.layout.nodes


@given(model=models, machine=machines, context=st.integers(1, 100_000))
def test_a_context_that_was_asked_for_is_given_or_refused(model: Model, machine: Machine, context: int) -> None:
    found = answer(model, machine, VllmOverrides(context=context))
    assert found is None or found.context == context
