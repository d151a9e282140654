"""trl's trainer, looking at the loss of every batch before the weights move, and computing nothing that nobody reads.

trl works out entropy and accuracy of every token for its log, with a word about it from device to host for each batch.
Nothing here tells them, so only the loss is asked for, where it is trl's plain one.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from trl import SFTTrainer
from trl.trainer import add_fused_lm_head

from runtime.ending import Failure
from runtime.tune.failures import DIVERGED_FIX, LOSS_NOT_FINITE
from runtime.tune.following import Following


class Trainer(SFTTrainer):  # type: ignore[misc]
    """Tells `following` of every batch."""

    following: Following

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._plain = _is_plain(self)
        if self._plain:
            add_fused_lm_head(self.model.get_base_model(), outputs=("log_probs",))

    def training_step(self, model: Any, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """The loss of one batch. Raises Failure when it is no number; the weights are still good then."""
        tokens = inputs["attention_mask"].sum() if "attention_mask" in inputs else inputs["input_ids"].numel()
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        value = float(loss)
        if not math.isfinite(value):
            raise Failure(LOSS_NOT_FINITE, f"the loss of step {self.state.global_step + 1} is {value}; {DIVERGED_FIX}")
        self.following.batch(value, int(tokens))
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over the tokens that are learnt: of all batches between two moves of the weights, of all processes.

        `num_items_in_batch` is their number; None means those of this batch.
        """
        if not self._plain:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs = model(**{**inputs, "use_cache": False}, fused_lm_head=True)
        count = outputs.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -outputs.log_probs.sum() / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The number is that of all processes, and what they find is averaged over them.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def _is_plain(trainer: SFTTrainer) -> bool:
    """Whether the loss is the likelihood of the tokens alone: no label smoothing, no weights, no experts to balance."""
    other = trainer.compute_loss_func is not None or trainer.label_smoother is not None or trainer.aux_loss_enabled
    return trainer.args.loss_type == "nll" and not other
