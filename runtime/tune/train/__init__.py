"""The training loop: arguments, model, trainer, checkpoints, evaluation."""
