"""trl's trainer with a check of every batch's loss before the optimizer step."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from trl import SFTTrainer

from runtime.pod.exit import Failure
from runtime.tune.failures import DIVERGED_FIX, LOSS_NOT_FINITE
from runtime.tune.train.callbacks import Following


class Trainer(SFTTrainer):  # type: ignore[misc]
    """Reports every batch to `following`."""

    following: Following

    def training_step(self, model: Any, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """Returns the loss of one batch. Raises Failure if it is not finite, while the weights are still valid."""
        tokens = inputs["attention_mask"].sum() if "attention_mask" in inputs else inputs["input_ids"].numel()
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        value = float(loss)
        if not math.isfinite(value):
            raise Failure(LOSS_NOT_FINITE, f"the loss of step {self.state.global_step + 1} is {value}; {DIVERGED_FIX}")
        self.following.batch(value, int(tokens))
        return loss
