"""What happens around a step: it is told, checkpoints are asked for and marked, a stop is obeyed. Trainer callbacks.

With several processes all of them decide the same, at the same step: each brings what it knows, and the largest counts.
"""

import resource
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from runtime.pod.exit import Failure
from runtime.tune.failures import DIVERGED_FIX, LOSS_NOT_FINITE
from runtime.tune.processes.progress_pipe import Telling
from runtime.tune.train.checkpoints import mark_complete, remove_old


class Stop:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Checkpointing(TrainerCallback):  # type: ignore[misc]
    """Asks for checkpoints by time, at the end and when stopped; marks them; removes old ones."""

    def __init__(self, stop: Stop, telling: Telling, identity: str, *, every_s: float, keep: int) -> None:
        self._stop, self._telling, self._identity = stop, telling, identity
        self._every_s, self._keep = every_s, keep
        self._saved_at = time.monotonic()
        self._marked = -1

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        stops, due = _agreed(args, self._stop.asked, time.monotonic() - self._saved_at >= self._every_s)
        if stops or due or state.global_step >= state.max_steps:
            control.should_save = True
        if stops:
            self._stop.asked = True
            control.should_training_stop = True
            # What is held out can be looked at by whoever goes on.
            control.should_evaluate = False
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if self._marked == state.global_step:
            control.should_save = False  # a complete checkpoint is not written over
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # Every process writes a file of its own into the folder.
        args.distributed_state.wait_for_everyone()
        self._saved_at, self._marked = time.monotonic(), state.global_step
        _check_finite(kwargs["model"], state.global_step)
        if not state.is_world_process_zero:
            return
        parent = Path(args.output_dir)
        mark_complete(parent / f"checkpoint-{state.global_step}", self._identity)
        best = Path(state.best_model_checkpoint) if state.best_model_checkpoint else None
        remove_old(parent, self._identity, keep=self._keep, best=best)
        self._telling.tell(last_checkpoint=state.global_step)


class Following(TrainerCallback):  # type: ignore[misc]
    """Tells every step, in the first process; the trainer gives it the losses."""

    def __init__(self, telling: Telling | None) -> None:
        """`telling` is None in all processes but the first."""
        self._telling = telling
        self._loss, self._tokens = 0.0, 0
        self._tokens_told, self._told_at = 0, time.monotonic()
        self._began_at = self._told_at
        self._shown: dict[str, Any] = {}

    def batch(self, loss: float, tokens: int) -> None:
        """One of the batches between two moves of the weights; their losses add up to the step's."""
        self._loss += loss
        self._tokens += tokens

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began_at = self._told_at = time.monotonic()
        if self._telling is not None:
            self._telling.tell(phase="training", step=state.global_step, total_steps=state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        loss, self._loss = self._loss, 0.0
        if self._telling is None:
            return
        now, tokens = time.monotonic(), self._tokens * args.world_size
        speed = (tokens - self._tokens_told) / max(1e-9, now - self._told_at)
        self._tokens_told, self._told_at = tokens, now
        self._telling.step(
            step=state.global_step,
            epoch=round(state.epoch or 0.0, 4),
            loss=round(loss, 6),
            tokens=tokens,
            seconds=round(now - self._began_at, 2),
            tokens_per_s=round(speed, 1),
            peak_memory_bytes=peak_memory_bytes(),
            **self._shown,
        )

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        said = logs or {}
        names = {"learning_rate": "learning_rate", "grad_norm": "gradient_norm", "eval_loss": "eval_loss"}
        self._shown |= {ours: float(said[theirs]) for theirs, ours in names.items() if theirs in said}


def peak_memory_bytes() -> int:
    """Of the accelerator, or of this process where there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _check_finite(model: torch.nn.Module, step: int) -> None:
    """A checkpoint with a number that is none would end every training that goes on from it."""
    if not all(bool(torch.isfinite(one).all()) for one in model.parameters() if one.requires_grad):
        raise Failure(LOSS_NOT_FINITE, f"the adapter's weights are no numbers after step {step}; {DIVERGED_FIX}")


def _agreed(args: TrainingArguments, *known: bool) -> list[bool]:
    if args.world_size == 1:
        return list(known)
    votes = torch.tensor([int(one) for one in known], device=args.device)
    torch.distributed.all_reduce(votes, op=torch.distributed.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]
