"""How figures are made of what programs record, and how ours compare with the plain program's."""

import pytest

from bench.gpu.figures import PAIRS, Compared, compared, last_loss, of_vllm_bench, steps_per_s

BENCH = {
    "completed": 8, "output_throughput": 410.5, "median_ttft_ms": 25.0, "p95_ttft_ms": 68.0, "median_itl_ms": 2.0,
    "p95_itl_ms": 6.0, "median_tpot_ms": 2.5,
}  # fmt: skip


def test_the_first_steps_do_not_count() -> None:
    assert steps_per_s([100.0, 150.0, 150.5, 151.0, 152.0], 1) == pytest.approx(1.5)


@pytest.mark.parametrize("moments", [[], [1.0, 2.0], [1.0, 2.0, 2.0]], ids=["none", "one counts", "no time passed"])
def test_a_speed_needs_two_steps_after_the_first_ones(moments: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 3 are needed"):
        steps_per_s(moments, 1)


def test_the_last_loss_is_a_mean_over_as_many_steps_as_trl_logs() -> None:
    assert last_loss([9.0, 3.0, 2.0, 1.0], 3) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="1 losses, and 2 are needed"):
        last_loss([1.0], 2)


def test_the_result_of_vllms_own_client_is_read() -> None:
    found = of_vllm_bench(BENCH, 8)
    assert (found["throughput"], found["ttft_p95_ms"], found["tpot_median_ms"]) == (410.5, 68.0, 2.5)


def test_a_request_that_failed_spoils_the_figures() -> None:
    with pytest.raises(ValueError, match="8 of 9 requests were answered"):
        of_vllm_bench(BENCH, 9)


@pytest.mark.parametrize(
    ("quantity", "ours", "plain", "ok"),
    [
        ("throughput", 96.0, 100.0, True),
        ("throughput", 94.0, 100.0, False),
        ("throughput", 94.0, 0.0, False),
        ("tpot_median_ms", 1.04, 1.0, True),
        ("tpot_median_ms", 1.06, 1.0, False),
        ("tokens", 500.0, 500.0, True),
        ("tokens", 501.0, 500.0, False),
        ("start_s", 50.0, 10.0, None),
    ],
)
def test_a_goal_bounds_the_ratio_on_the_side_that_is_worse(
    quantity: str, ours: float, plain: float, ok: bool | None
) -> None:
    part = next(iter(PAIRS))
    found = {one.quantity: one for one in compared({part: {quantity: ours}, PAIRS[part]: {quantity: plain}}, "cuda")}
    assert found[quantity].ok is ok


def test_on_cpus_only_what_does_not_depend_on_speed_has_a_goal() -> None:
    slow, plain = {"steps_per_s": 1.0, "tokens": 9.0}, {"steps_per_s": 9.0, "tokens": 8.0}
    found = {one.quantity: one.ok for one in compared({"tune-lora": slow, "tune-lora-plain": plain}, "cpu")}
    assert found == {"steps_per_s": None, "tokens": False}


def test_a_part_without_its_counterpart_is_not_compared() -> None:
    assert list(compared({"serve": {"throughput": 1.0}, "tune-lora-plain": {"tokens": 1.0}}, "cuda")) == []


def test_there_is_no_ratio_to_nothing() -> None:
    assert Compared("serve", "start_s", 1.0, 0.0, None).ratio is None
