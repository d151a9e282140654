"""Runs the steps of a training in order, each in processes of its own: prepare, train, evaluate, publish.

Decides on retries: a training resumes from its last complete checkpoint, and one that ran out of memory is retried with
half the batch size. Does not import torch, so it needs little memory.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.pods.tune import ADAPTER_WEIGHTS, TuneConfig
from runtime.pod.exit import Failure
from runtime.pod.lora_values import changes_nothing
from runtime.pod.metrics import bytes_below
from runtime.serve.environment import installed_device, usable_cpus
from runtime.tune.data.prepared import Report, adapter_folder, folder_of, read_report
from runtime.tune.failures import CRASHED, NOTHING_LEARNT, OUT_OF_MEMORY, STOPPED, WEIGHTS_MISSING
from runtime.tune.processes.environment import rank_variables, variables
from runtime.tune.processes.memory_kills import memory_kills
from runtime.tune.processes.supervisor import Limits, Team
from runtime.tune.progress import Progress
from runtime.tune.results import publish
from runtime.tune.train.arguments import batch_of
from runtime.tune.train.batches import Batch
from runtime.tune.train.checkpoints import complete_checkpoints, is_complete, remove_unusable

LOOK_S = 0.2
HALVED = "rows at once were halved"


@dataclass(frozen=True)
class Run:
    """One container's attempt: its config, and its stop signal."""

    config: TuneConfig
    config_file: Path
    progress: Progress
    is_stopped: Callable[[], bool]
    log: Callable[[str], None]

    def tune(self) -> None:
        """Returns when the adapter is in the output folder. Raises Failure, OSError."""
        self.progress.update(attempts=self.progress.status.attempts + 1)
        self._wait_for_weights()
        report = self._prepare()
        if not is_complete(adapter_folder(self.config), report.identity):
            self._train(report)
        if report.rows.held_out and self.progress.status.eval_loss_base is None:
            self.progress.update(phase="evaluating")
            self._team("runtime.tune.train.evaluate")
        self._require_effect()
        publish(self.config, report, self.progress.status)
        self.progress.update(phase="complete", eta_s=0)

    def _require_effect(self) -> None:
        """An adapter that changes nothing would be published, and refused when it is served."""
        if changes_nothing(adapter_folder(self.config) / ADAPTER_WEIGHTS):
            raise Failure(
                NOTHING_LEARNT,
                f"the training of {self.progress.status.step} steps changed nothing: one matrix of every pair is still "
                "zero; raise learning_rate, lower warmup_steps, or train for more steps",
            )

    def _wait_for_weights(self) -> None:
        began, config = time.monotonic(), self.config
        marker = Path(config.complete_marker)
        self.progress.update(phase="waiting for weights")
        while config.weights_deadline_s and not marker.exists():
            waited = time.monotonic() - began
            if waited > config.weights_deadline_s:
                have = bytes_below(Path(config.weights_path)) / 1e6
                where = f"({have:.0f} MB in {config.weights_path})"
                words = f"the weights of {config.model} are not complete after {waited:.0f} s"
                raise Failure(WEIGHTS_MISSING, f"{words} {where}: see the fetch container's log")
            if self.is_stopped():
                raise Failure(STOPPED, "asked to stop while waiting for the weights")
            time.sleep(LOOK_S)

    def _prepare(self) -> Report:
        self.progress.update(phase="preparing data")
        self._team("runtime.tune.data.prepare")
        report = read_report(folder_of(self.config))
        if report is None:
            raise Failure(CRASHED, f"{folder_of(self.config)} has no rows although they were prepared")
        return report

    def _train(self, report: Report) -> None:
        batch = self._batch(report)
        self.progress.update(eval_loss=None, eval_loss_base=None)
        while True:
            self.progress.update(batch_size=batch.size, accumulation=batch.accumulation, identity=report.identity)
            kills = memory_kills()
            try:
                return self._train_with(batch, report)
            except Failure as failure:
                out_of_memory = failure.kind is OUT_OF_MEMORY or (failure.kind is CRASHED and memory_kills() > kills)
                if not out_of_memory:
                    raise
                batch = self._smaller(batch, failure)

    def _train_with(self, batch: Batch, report: Report) -> None:
        parent = Path(self.config.checkpoint_folder)
        for name in remove_unusable(parent, report.identity):
            self.log(f"{name} is incomplete, or belongs to another training: removing it")
        arguments = ["--batch", str(batch.size), "--accumulation", str(batch.accumulation)]
        found = complete_checkpoints(parent, report.identity)
        if found:
            self.log(f"going on from step {found[-1].step}")
            arguments += ["--resume", str(found[-1].folder)]
        step = found[-1].step if found else 0
        self.progress.update(phase="loading", resumed_from=step, last_checkpoint=step, step=step)
        self._team("runtime.tune.train.train", arguments, processes=self.config.processes)

    def _batch(self, report: Report) -> Batch:
        """Returns the configured batch, or the smaller one that an earlier pod recorded."""
        before = self.progress.status
        if before.identity == report.identity and before.adjustments:
            return Batch(before.batch_size, before.accumulation)
        self.progress.update(adjustments=[])
        return batch_of(self.config)

    def _smaller(self, batch: Batch, failure: Failure) -> Batch:
        smaller = batch.halved()
        tried = any(HALVED in words for words in self.progress.status.adjustments)
        if smaller is None or tried:
            why = "and they were halved before" if tried else "and one row at once cannot be halved"
            raise Failure(OUT_OF_MEMORY, f"{failure.message} ({batch.size} rows at once, {why})") from failure
        step = self.progress.status.step
        words = f"{HALVED} at step {step}, from {batch} to {smaller} (size x accumulation): out of memory"
        self.log(words)
        self.progress.update(adjustments=[*self.progress.status.adjustments, words])
        return smaller

    def _team(self, module: str, arguments: Sequence[str] = (), *, processes: int = 1) -> None:
        argv = [sys.executable, "-m", module, "--config", str(self.config_file), *arguments]
        cache = str(Path(self.config.checkpoint_folder) / "cache")
        cpus, on_gpu = usable_cpus(), installed_device() == "cuda"
        shared = variables(os.environ, cache=cache, cpus=cpus, processes=processes, on_gpu=on_gpu)
        port = _free_port() if processes > 1 else 0
        commands = [(argv, shared | rank_variables(rank, processes, port)) for rank in range(processes)]
        limits = Limits(stall_s=self.config.stall_s, stop_s=self.config.stop_s)
        Team(commands, self.progress.take).run(limits, self.is_stopped)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
