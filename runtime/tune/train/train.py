"""`python -m runtime.tune.train.train`: trains from the start or a checkpoint and writes the adapter beside them.

One such process runs per GPU; the first one writes and reports.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from datasets import load_from_disk
from trl import SFTConfig

from api.pods.tune import ADAPTER_CONFIG, TuneConfig
from runtime.pod.exit import Failure
from runtime.tune.base_model import changes_tokenizer, load_tokenizer
from runtime.tune.data.prepared import HELD_OUT, TRAIN, Report, adapter_folder, emptied, folder_of, read_report
from runtime.tune.failures import CRASHED, STOPPED
from runtime.tune.processes.child import child
from runtime.tune.processes.progress_pipe import ProgressPipe
from runtime.tune.train.arguments import Place, evaluates_within, kept_checkpoints, sft_arguments
from runtime.tune.train.batches import Batch
from runtime.tune.train.callbacks import Checkpointing, Following, Stop
from runtime.tune.train.checkpoints import mark_complete
from runtime.tune.train.load_model import adapter_config, device_name, load_model, this_place
from runtime.tune.train.trainer import Trainer


def train(config: TuneConfig, pipe: ProgressPipe, options: argparse.Namespace) -> None:
    """Returns when the adapter is complete. Raises Failure, also after SIGTERM."""
    stop = Stop()
    place, report = this_place(), _report(config)
    pipe.stepped = options.resume is not None
    pipe.send(phase="loading", device=device_name(place))
    trainer = _trainer(config, place, report, Batch(options.batch, options.accumulation), pipe)
    checkpointing = Checkpointing(
        stop, pipe, report.identity, every_s=config.checkpoint_s, keep=kept_checkpoints(config)
    )
    trainer.add_callback(checkpointing)
    if stop.asked:
        raise Failure(STOPPED, "asked to stop while the model was loaded")
    trainer.train(resume_from_checkpoint=str(options.resume) if options.resume else None)
    step, total = trainer.state.global_step, trainer.state.max_steps
    if stop.asked and step < total:
        raise Failure(STOPPED, f"asked to stop; the checkpoint of step {step} of {total} is written")
    if trainer.is_world_process_zero():
        _leave_adapter(config, trainer, report)


def _trainer(config: TuneConfig, place: Place, report: Report, batch: Batch, pipe: ProgressPipe) -> Trainer:
    folder = folder_of(config)
    evaluates = evaluates_within(config, place, report.rows.held_out)
    arguments = SFTConfig(**sft_arguments(config, place, batch, longest=report.longest_row, evaluates=evaluates))
    model = load_model(config, place)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=load_from_disk(folder / TRAIN),
        eval_dataset=load_from_disk(folder / HELD_OUT) if evaluates else None,
        processing_class=load_tokenizer(config),
        peft_config=adapter_config(config, model, pipe),
    )
    if arguments.fp16:
        # trl converts packed models' adapters to bfloat16, which float16's GradScaler does not support.
        _in_float32(trainer.model)
    trainer.following = Following(pipe if PartialState().is_main_process else None)
    trainer.add_callback(trainer.following)
    return trainer


def _in_float32(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _leave_adapter(config: TuneConfig, trainer: Trainer, report: Report) -> None:
    """Writes only the files needed to serve the adapter; it names the model and commit, not a path in this pod."""
    folder = emptied(adapter_folder(config))
    trainer.model.save_pretrained(folder)
    if changes_tokenizer(config):
        trainer.processing_class.save_pretrained(folder)
    file = folder / ADAPTER_CONFIG
    settings = json.loads(file.read_bytes())
    settings |= {"base_model_name_or_path": config.model, "revision": config.revision, "inference_mode": True}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
    mark_complete(folder, report.identity)


def _report(config: TuneConfig) -> Report:
    report = read_report(folder_of(config))
    if report is None:
        raise Failure(CRASHED, f"{folder_of(config)} holds no prepared rows")
    return report


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, required=True, help="rows that a process computes at once")
    parser.add_argument("--accumulation", type=int, required=True, help="batches between two moves of the weights")
    parser.add_argument("--resume", type=Path, help="folder of the checkpoint to go on from")


if __name__ == "__main__":
    sys.exit(child(None, train, more=_more))
