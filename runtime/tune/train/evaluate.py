"""`python -m runtime.tune.train.evaluate`: measures the loss with and without the adapter on held-out rows.

Runs as a separate process after training: the training's memory is free again, and evaluation mode, which changes
packed weights on a CPU, cannot harm the training.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from datasets import load_from_disk
from peft import PeftModel

from api.pods.tune import TuneConfig
from runtime.pod.exit import Failure
from runtime.tune.data.prepared import HELD_OUT, adapter_folder, folder_of
from runtime.tune.data.tokens import NOT_LEARNT
from runtime.tune.failures import CRASHED
from runtime.tune.processes.child import child
from runtime.tune.processes.progress_pipe import ProgressPipe
from runtime.tune.train.load_model import load_model, this_place

ROWS_PER_REPORT = 20


def evaluate(config: TuneConfig, pipe: ProgressPipe, _: argparse.Namespace) -> None:
    """Reports both losses: means over the learnt tokens. Raises Failure."""
    pipe.send(phase="evaluating")
    base = load_model(config, this_place())
    model = PeftModel.from_pretrained(base, adapter_folder(config)).eval()
    rows = load_from_disk(folder_of(config) / HELD_OUT)
    with_adapter = _loss(model, rows, pipe)
    with model.disable_adapter():
        without = _loss(model, rows, pipe)
    pipe.send(eval_loss=round(with_adapter, 6), eval_loss_base=round(without, 6))


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not here
def _loss(model: Any, rows: Any, pipe: ProgressPipe) -> float:
    total, tokens = 0.0, 0
    for number, (ids, labels) in enumerate(_inputs(rows, model.device)):
        learnt = int((labels[:, 1:] != NOT_LEARNT).sum())
        if learnt:
            with torch.autocast("cuda", model.dtype) if model.device.type == "cuda" else nullcontext():
                total += float(model(input_ids=ids, labels=labels).loss) * learnt
            tokens += learnt
        if number % ROWS_PER_REPORT == 0:
            pipe.send()  # a sign of life
    if tokens == 0:
        raise Failure(CRASHED, "the held-out rows have no tokens to learn")
    return total / tokens


def _inputs(rows: Any, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for row in rows:
        ids, labels = (torch.tensor([row[name]], device=device) for name in ("input_ids", "labels"))
        yield ids, labels


if __name__ == "__main__":
    sys.exit(child(None, evaluate))
