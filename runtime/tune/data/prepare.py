"""`python -m runtime.tune.data.prepare`: reads and tokenises the data, holds out rows, writes the result as files.

Runs as a separate process: its memory is freed before the model is loaded, every process and every later pod reads the
same files, and an error in the data is reported before anything is loaded.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value
from datasets.arrow_writer import ArrowWriter

from api.pods.training_rows import RowUnusable
from api.pods.tune import Rows, TuneConfig
from runtime.pod.exit import Failure
from runtime.rows.files import data_files
from runtime.tune.base_model import load_tokenizer, longest_row, stop_tokens
from runtime.tune.data.files import digest_of
from runtime.tune.data.prepared import (
    HELD_OUT,
    TRAIN,
    Report,
    emptied,
    folder_of,
    identity_of,
    read_report,
    write_report,
)
from runtime.tune.data.read import Reading
from runtime.tune.data.tokens import Learn, Tokenizing, Tokens, fitted
from runtime.tune.failures import DATA_EMPTY, ROWS_TOO_LONG
from runtime.tune.processes.child import child
from runtime.tune.processes.progress_pipe import ProgressPipe
from runtime.turns.losses import Losses

FEATURES = Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))})


def prepare(config: TuneConfig, pipe: ProgressPipe) -> Report:
    """Writes the rows and returns their report. Raises Failure."""
    files = data_files(Path(config.data_folder), config.training.dataset)
    digest = digest_of(files)
    identity, folder = identity_of(config, digest), folder_of(config)
    report = read_report(folder)
    if report is None or report.identity != identity:
        emptied(folder)
        making = _Making(config, Reading(files, config.training.dataset), pipe)
        written = folder / "all.arrow"
        with ArrowWriter(path=str(written), features=FEATURES) as writer:
            for row in making.rows():
                writer.write(row)
            writer.finalize()
        trained, held_out = _split(Dataset.from_file(str(written)), config)
        trained.save_to_disk(folder / TRAIN)
        if held_out is not None:
            held_out.save_to_disk(folder / HELD_OUT)
        written.unlink()
        report = making.report(identity, digest, [file.name for file in files], trained, held_out)
        write_report(folder, report)
    for warning in report.warnings:
        pipe.warn(warning)
    pipe.send(rows=report.rows.model_dump())
    return report


class _Making:
    """Converts the files' rows into rows of tokens."""

    def __init__(self, config: TuneConfig, reading: Reading, pipe: ProgressPipe) -> None:
        tokenizer = load_tokenizer(config)
        self._reading, self._pipe, self._config = reading, pipe, config
        self._tokenizing = Tokenizing(tokenizer, learnt(config), stop_tokens(config, tokenizer))
        self._longest_allowed = longest_row(config)
        self._keep_end = config.training.training.get("truncation_mode") == "keep_end"
        self._losses = Losses()
        self._truncated = self._dropped = self._longest = 0

    def rows(self) -> Iterator[dict[str, list[int]]]:
        """Yields every usable row. Raises Failure if there are none, or for an overlong row that the config refuses."""
        usable = 0
        for where, example in self._reading.examples():
            try:
                tokens = self._tokenizing.tokens(example)
            except RowUnusable as error:
                self._reading.leave_out(where, error)
                continue
            self._losses.count(where, tokens.lost)
            if (fit := self._fitted(where, tokens)) is not None:
                usable += 1
                yield {"input_ids": fit.ids, "labels": fit.labels}
            if self._reading.rows_read % 1000 == 0:
                self._pipe.send(rows={"read": self._reading.rows_read})
        if usable == 0:
            raise Failure(DATA_EMPTY, self._why_empty())

    def report(
        self, identity: str, digest: str, names: list[str], trained: Dataset, held_out: Dataset | None
    ) -> Report:
        """Returns the final report on the rows."""
        rows = Rows(
            read=self._reading.rows_read,
            trained=len(trained),
            held_out=len(held_out) if held_out is not None else 0,
            unusable=self._reading.unusable,
            truncated=self._truncated,
            dropped=self._dropped,
            tokens=sum(len(ids) for ids in trained.with_format("arrow")["input_ids"]),
            longest=self._longest,
        )
        return Report(
            identity=identity, data_digest=digest, data_files=names, longest_row=self._longest_allowed, rows=rows,
            warnings=self._warnings(),
        )  # fmt: skip

    def _fitted(self, where: str, tokens: Tokens) -> Tokens | None:
        self._longest = max(self._longest, len(tokens.ids))
        if len(tokens.ids) <= self._longest_allowed:
            return tokens
        policy = self._config.training.dataset.over_long_rows
        if policy == "refuse":
            words = f"{where} has {len(tokens.ids)} tokens, and max_length is {self._longest_allowed}"
            raise Failure(ROWS_TOO_LONG, f"{words}; raise it, shorten the row, or set over_long_rows to truncate")
        fit = fitted(tokens, self._longest_allowed, keep_end=self._keep_end) if policy == "truncate" else None
        if fit is None:
            self._dropped += 1
        else:
            self._truncated += 1
        return fit

    def _warnings(self) -> list[str]:
        found = []
        limit = f"longer than {self._longest_allowed} tokens (the longest has {self._longest})"
        if self._truncated:
            found.append(f"{self._truncated} rows are {limit}: they were truncated; raise max_length to keep it")
        if self._dropped:
            found.append(f"{self._dropped} rows are {limit} and were left out; raise max_length to keep them")
        if self._reading.unusable:
            why = "; ".join(self._reading.why_unusable)
            found.append(f"{self._reading.unusable} of {self._reading.rows_read} rows were left out: {why}")
        return found + self._losses.words()

    def _why_empty(self) -> str:
        read = self._reading.rows_read
        if read == 0:
            return "the data files hold no rows"
        return f"none of {read} rows can be trained on: {'; '.join(self._warnings())}"


def learnt(config: TuneConfig) -> Learn:
    """Returns what is learnt: answers only, unless the config selects everything."""
    options = config.training.training
    asked = (options.get("completion_only_loss"), options.get("assistant_only_loss"))
    return "everything" if False in asked and True not in asked else "answers"


def _split(rows: Dataset, config: TuneConfig) -> tuple[Dataset, Dataset | None]:
    """Returns the rows to train on and those held out: none, or at least one if there are two rows."""
    dataset = config.training.dataset
    order = list(range(len(rows)))
    if dataset.shuffle_dataset:
        random.Random(dataset.shuffle_seed).shuffle(order)
    apart = 0
    if dataset.train_test_split < 1 and len(rows) > 1:
        apart = min(len(rows) - 1, max(1, round(len(rows) * (1 - dataset.train_test_split))))
    kept = len(rows) - apart
    return rows.select(order[:kept]), rows.select(order[kept:]) if apart else None


def main(argv: list[str] | None = None) -> int:
    """Returns 0 or the failure's exit code."""
    return child(argv, lambda config, pipe, _: _done(prepare(config, pipe)))


def _done(_: Any) -> None:
    return None


if __name__ == "__main__":
    sys.exit(main())
