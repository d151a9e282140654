"""The quantities of the check, and how ours compare with those of the plain program. Pure.

A part's figures are numbers by quantity. `PAIRS` says which parts are compared, `QUANTITIES` what each number means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

from bench.gpu.machine.sizes import Device

Figures = Mapping[str, float]
"""Numbers by quantity."""


@dataclass(frozen=True)
class Quantity:
    """`better` is where ours should be; `goal` bounds ours divided by the plain program's on a GPU, None if nothing
    follows from it. On CPUs there are no goals: others work on the same ones, and the model is tiny."""

    label: str
    unit: str
    better: Literal["more", "less", "same", ""] = ""
    goal: float | None = None


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "start_s": Quantity("start until /health answers", "s", "less"),
    "throughput": Quantity("answer tokens in all", "tokens/s", "more", 0.95),
    "ttft_median_ms": Quantity("time to first token, median", "ms", "less"),
    "ttft_p95_ms": Quantity("time to first token, p95", "ms", "less"),
    "itl_median_ms": Quantity("inter-token latency, median", "ms", "less"),
    "itl_p95_ms": Quantity("inter-token latency, p95", "ms", "less"),
    "tpot_median_ms": Quantity("time per token after the first, median", "ms", "less", 1.05),
    "weights_gib": Quantity("weights", "GiB"),
    "kv_cache_gib": Quantity("KV cache", "GiB"),
    "kv_cache_tokens": Quantity("KV cache", "tokens"),
    "cuda_graphs_gib": Quantity("CUDA graphs", "GiB"),
    "device_memory_gib": Quantity("memory of the device, peak", "GiB"),
    "torch_memory_gib": Quantity("memory by torch's count, peak", "GiB"),
    "whole_s": Quantity("whole run, with imports", "s"),
    "steps_per_s": Quantity("steps", "1/s", "more", 0.95),
    "tokens": Quantity("tokens trained on", "tokens", "same", 1.0),
    "last_loss": Quantity("loss, mean of the last steps", ""),
    "logprob_difference": Quantity("adapter against base, largest difference of a log-probability", ""),
    "logprob_noise": Quantity("base against base, the same", ""),
}
PAIRS: Final[Mapping[str, str]] = {
    "serve": "serve-plain",
    "tune-lora": "tune-lora-plain",
    "tune-qlora": "tune-qlora-plain",
}
"""By our part, the plain program's."""


@dataclass(frozen=True)
class Compared:
    """One quantity of both; `ratio` is ours divided by the plain program's, None where that is 0."""

    part: str
    quantity: str
    ours: float
    plain: float
    goal: float | None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.plain if self.plain else None

    @property
    def ok(self) -> bool | None:
        """Whether the goal was met; None without one."""
        if self.goal is None:
            return None
        if self.ratio is None:
            return False
        match QUANTITIES[self.quantity].better:
            case "more":
                return self.ratio >= self.goal
            case "less":
                return self.ratio <= self.goal
            case _:
                return self.ratio == self.goal


def compared(figures: Mapping[str, Figures], device: Device) -> Iterator[Compared]:
    """Yields every quantity that both parts of a pair have. That both trained on the same tokens is asked of CPUs,
    too: it does not depend on speed."""
    for ours, plain in PAIRS.items():
        both = figures.get(ours, {}), figures.get(plain, {})
        for name, quantity in QUANTITIES.items():
            if all(name in side for side in both):
                goal = quantity.goal if device == "cuda" or quantity.better == "same" else None
                yield Compared(ours, name, both[0][name], both[1][name], goal)


def steps_per_s(moments: Sequence[float], warm_up: int) -> float:
    """Steps per second after the first ones; `moments` are the seconds at which each step ended, on any clock.

    Raises ValueError unless two moments are left.
    """
    counted = moments[warm_up:]
    if len(counted) < 2 or counted[-1] <= counted[0]:
        raise ValueError(f"{len(moments)} steps with {warm_up} to warm up: at least {warm_up + 2} are needed")
    return (len(counted) - 1) / (counted[-1] - counted[0])


def last_loss(losses: Sequence[float], window: int) -> float:
    """The mean of the last `window` losses. Raises ValueError for fewer."""
    if len(losses) < window:
        raise ValueError(f"{len(losses)} losses, and {window} are needed")
    return fmean(losses[-window:])


def of_vllm_bench(result: Mapping[str, float], requests: int) -> dict[str, float]:
    """The quantities in a result of `vllm bench serve`. Raises ValueError if a request failed."""
    if result["completed"] != requests:
        raise ValueError(f"{result['completed']} of {requests} requests were answered")
    return {
        "throughput": result["output_throughput"],
        "ttft_median_ms": result["median_ttft_ms"],
        "ttft_p95_ms": result["p95_ttft_ms"],
        "itl_median_ms": result["median_itl_ms"],
        "itl_p95_ms": result["p95_itl_ms"],
        # A client that is late reads several tokens at once, and then the time between them is nearly nothing.
        "tpot_median_ms": result["median_tpot_ms"],
    }
