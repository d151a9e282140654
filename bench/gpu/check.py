"""`python -m bench.gpu`: serves and trains on one GPU, beside the plain programs, in less than eight minutes.

Runs in the environment that is measured: one with vLLM, trl and what they need. Prints a line of JSON as each part
ends, then tables in Markdown; `--out` keeps the whole report and every log. Exits with 0 if all parts were measured,
every goal was met and every plan held, with 1 if not, and with 2 if there is nothing to measure on.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.gpu.figures import compared
from bench.gpu.machine.device import Gpu, NoGpu, cpu_name, read_gpu
from bench.gpu.machine.environment import LEAST, compiling, installed, lacking
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, PartFailed
from bench.gpu.machine.sizes import WITHIN_S
from bench.gpu.machine.weights import Weights, find_weights
from bench.gpu.parts.running import NAMES, PARTS, Outcome, run_parts
from bench.gpu.parts.training import training_config
from bench.gpu.plan import Planned, held, serving_fit, serving_plan, training_plan
from bench.gpu.report import Report, outcome_document
from presets.serving.fit import DoesNotFit

NOTHING_TO_MEASURE_ON = 2
USED = 2**30
"""Bytes in use before anything is started, from which on others are on the GPU."""


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: the same parts in a small size")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="parts")
    parser.add_argument("--model", help="a folder, or organisation/name of the hub; else what this machine has")
    parser.add_argument("--out", type=Path, help="an empty folder for report.json, configurations and logs")
    return parser.parse_args(argv)


def main() -> int:
    """Entry point; returns the exit code."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that programs are stopped
    whole = Deadline.after(WITHIN_S[given.device])
    with _folder(given.out) as folder:
        try:
            gpu = read_gpu() if given.device == "cuda" else None
            if reason := lacking(LEAST, installed()):
                raise PartFailed(reason)
            place = Place(given.device, gpu, find_weights(given.model, given.device, folder), folder)
            plans = list(plans_of(place))
        except (NoGpu, PartFailed) as error:
            print(f"nothing to measure on: {error}", file=sys.stderr)
            return NOTHING_TO_MEASURE_ON
        report = _measured(place, plans, given.only, whole)
        (folder / "report.json").write_text(json.dumps(report.document(), indent=1) + "\n")
        print(report.tables(), *report.problems, sep="\n", flush=True)
        return 1 if report.problems else 0


def _measured(place: Place, plans: list[Planned], only: Sequence[str], whole: Deadline) -> Report:
    versions = installed()
    parts = [part for part in PARTS if part.name in only]
    outcomes = list(_printed(run_parts(parts, place, versions | compiling(), whole)))
    figures = {one.part: one.figures for one in outcomes if one.state == "done"}
    where = _where(place.gpu, place.weights, versions)
    return Report(where, outcomes, list(compared(figures, place.device)), held(plans, figures))


def plans_of(place: Place) -> Iterator[Planned]:
    """What the plans for this GPU say; nothing on CPUs. Raises PartFailed, NoGpu."""
    if place.gpu is None:
        return
    machine, model = place.gpu.machine, place.weights.model
    with suppress(DoesNotFit):  # then the part has failed with the same message
        yield from serving_plan("serve", serving_fit(model, machine))
    yield from training_plan("tune-lora", model, machine, training_config(place, "lora"), "lora")
    yield from training_plan("tune-qlora", model, machine, training_config(place, "qlora"), "qlora")


def _where(gpu: Gpu | None, weights: Weights, versions: Mapping[str, str]) -> dict[str, str]:
    device = {"device": cpu_name(), "plan": "none: plans are for GPUs"}
    if gpu:
        others = f", {gpu.used / USED:.1f} GiB of it in use by others" if gpu.used >= USED else ""
        memory = f"{gpu.total / USED:.1f} GiB{others}"
        device = {"device": f"{gpu.name}, {memory}", "driver": gpu.driver, "capability": gpu.compute_capability}
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return device | {"model": f"{weights.repo}: {weights.origin}", "packages": packages}


def _printed(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        print(json.dumps(outcome_document(outcome)), flush=True)
        yield outcome


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
            yield Path(folder)
        return
    given.mkdir(parents=True, exist_ok=True)
    if any(given.iterdir()):
        raise SystemExit(f"--out {given}: the folder is not empty: name another one")
    yield given.resolve()


if __name__ == "__main__":
    sys.exit(main())
