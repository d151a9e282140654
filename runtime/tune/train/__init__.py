"""The training itself: arguments, model, trainer, checkpoints, evaluation."""
