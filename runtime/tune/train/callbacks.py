"""Trainer callbacks around a step: report it, request and mark checkpoints, stop on SIGTERM.

Several processes make the same decision at the same step: by an all-reduce (max) over what each knows.
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
from runtime.tune.processes.progress_pipe import ProgressPipe
from runtime.tune.train.checkpoints import mark_complete, remove_old


class Stop:
    """Whether this process has received SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Checkpointing(TrainerCallback):  # type: ignore[misc]
    """Requests checkpoints by time, at the end and when stopped; marks them; removes old ones."""

    def __init__(self, stop: Stop, pipe: ProgressPipe, identity: str, *, every_s: float, keep: int) -> None:
        self._stop, self._pipe, self._identity = stop, pipe, identity
        self._every_s, self._keep = every_s, keep
        self._saved_at = time.monotonic()
        self._marked = -1

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        self._pipe.stepped = True
        stops, due = _agreed(args, self._stop.asked, time.monotonic() - self._saved_at >= self._every_s)
        if stops or due or state.global_step >= state.max_steps:
            control.should_save = True
        if stops:
            self._stop.asked = True
            control.should_training_stop = True
            # The pod that resumes can evaluate the held-out rows.
            control.should_evaluate = False
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if self._marked == state.global_step:
            control.should_save = False  # a complete checkpoint is not overwritten
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # Every process writes its own file into the folder.
        args.distributed_state.wait_for_everyone()
        self._saved_at, self._marked = time.monotonic(), state.global_step
        _check_finite(kwargs["model"], state.global_step)
        if not state.is_world_process_zero:
            return
        parent = Path(args.output_dir)
        mark_complete(parent / f"checkpoint-{state.global_step}", self._identity)
        best = Path(state.best_model_checkpoint) if state.best_model_checkpoint else None
        remove_old(parent, self._identity, keep=self._keep, best=best)
        self._pipe.send(last_checkpoint=state.global_step)


class Following(TrainerCallback):  # type: ignore[misc]
    """Reports every step, in the first process; receives the losses from the trainer."""

    def __init__(self, pipe: ProgressPipe | None) -> None:
        """`pipe` is None in all processes but the first."""
        self._pipe = pipe
        self._loss, self._tokens = 0.0, 0
        self._tokens_reported, self._reported_at = 0, time.monotonic()
        self._began_at = self._reported_at
        self._shown: dict[str, Any] = {}

    def batch(self, loss: float, tokens: int) -> None:
        """Adds one of the batches of an optimizer step; their losses add up to the step's."""
        self._loss += loss
        self._tokens += tokens

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began_at = self._reported_at = time.monotonic()
        if self._pipe is not None:
            self._pipe.send(phase="training", step=state.global_step, total_steps=state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        loss, self._loss = self._loss, 0.0
        if self._pipe is None:
            return
        now, tokens = time.monotonic(), self._tokens * args.world_size
        speed = (tokens - self._tokens_reported) / max(1e-9, now - self._reported_at)
        self._tokens_reported, self._reported_at = tokens, now
        self._pipe.step(
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
        values = logs or {}
        names = {"learning_rate": "learning_rate", "grad_norm": "gradient_norm", "eval_loss": "eval_loss"}
        self._shown |= {ours: float(values[theirs]) for theirs, ours in names.items() if theirs in values}


def peak_memory_bytes() -> int:
    """Returns the peak memory of the accelerator, or of this process without one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _check_finite(model: torch.nn.Module, step: int) -> None:
    """Raises Failure for NaN or infinite weights: a checkpoint with them would fail every training resumed from it."""
    if not all(bool(torch.isfinite(one).all()) for one in model.parameters() if one.requires_grad):
        raise Failure(LOSS_NOT_FINITE, f"the adapter's weights are not finite after step {step}; {DIVERGED_FIX}")


def _agreed(args: TrainingArguments, *known: bool) -> list[bool]:
    if args.world_size == 1:
        return list(known)
    votes = torch.tensor([int(one) for one in known], device=args.device)
    torch.distributed.all_reduce(votes, op=torch.distributed.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]
