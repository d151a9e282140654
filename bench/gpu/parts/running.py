"""The parts of the check, in their order, and how they are run: a deadline each, and one that fails stops no other.

What they measure is in `serving.py`, `training.py` and `adapting.py`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from bench.gpu.figures import Figures
from bench.gpu.machine.device import NoGpu
from bench.gpu.machine.environment import COMPILING, PACKING, SERVING, TRAINING, lacking, warm_up_program
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, PartFailed, Program, run
from bench.gpu.machine.sizes import IMPORTS_S, SERVER_S, TRAINING_S, Device
from bench.gpu.parts.adapting import adapt
from bench.gpu.parts.serving import serve, serve_plain
from bench.gpu.parts.training import tune, tune_plain
from presets.serving.fit import DoesNotFit

State = Literal["done", "failed", "not run"]
Needs = Mapping[Device, Sequence[str]]
Measure = Callable[[Place, Deadline], dict[str, float]]


@dataclass(frozen=True)
class Part:
    """`needs` are distributions and programs, `seconds` its deadline, both by device."""

    name: str
    needs: Needs
    seconds: Mapping[Device, float]
    measure: Measure


@dataclass(frozen=True)
class Outcome:
    """What became of a part; `reason` is empty if it is done."""

    part: str
    state: State
    seconds: float = 0.0
    reason: str = ""
    figures: Figures = field(default_factory=dict)


def warm_up(place: Place, deadline: Deadline) -> dict[str, float]:
    """Reads the libraries once, so that the part that comes first pays for no cold disk. Raises PartFailed."""
    run(Program([sys.executable, "-c", warm_up_program()], place.folder / "imports.log", place.environment), deadline)
    return {"whole_s": deadline.seconds - deadline.left}


NOTHING: Final[Needs] = {"cuda": (), "cpu": ()}
A_SERVER: Final[Needs] = {"cuda": COMPILING, "cpu": SERVING}
A_TRAINING: Final[Needs] = {"cuda": TRAINING, "cpu": TRAINING}
PACKED: Final[Needs] = {"cuda": PACKING, "cpu": PACKING}
# Ours and the plain program's next to each other; what is most worth knowing first, should the time run out.
PARTS: Final = (
    Part("imports", NOTHING, IMPORTS_S, warm_up),
    Part("serve", A_SERVER, SERVER_S, serve),
    Part("serve-plain", A_SERVER, SERVER_S, serve_plain),
    Part("tune-lora", A_TRAINING, TRAINING_S, lambda place, deadline: tune(place, "lora", deadline)),
    Part("tune-lora-plain", A_TRAINING, TRAINING_S, lambda place, deadline: tune_plain(place, "lora", deadline)),
    Part("adapter", A_SERVER, SERVER_S, adapt),
    Part("tune-qlora", PACKED, TRAINING_S, lambda place, deadline: tune(place, "qlora", deadline)),
    Part("tune-qlora-plain", PACKED, TRAINING_S, lambda place, deadline: tune_plain(place, "qlora", deadline)),
)
NAMES: Final = tuple(part.name for part in PARTS)


def run_parts(parts: Sequence[Part], place: Place, there: Mapping[str, str], whole: Deadline) -> Iterator[Outcome]:
    """Runs one after the other; yields each outcome. `there` names what is installed.

    What does not fit into `whole` any more is not run.
    """
    for part in parts:
        if reason := lacking(part.needs[place.device], there):
            yield Outcome(part.name, "not run", reason=reason)
        elif not whole.left:
            yield Outcome(part.name, "not run", reason=f"the {whole.seconds:.0f} s for all parts are over")
        else:
            yield _run(part, place, Deadline.after(min(part.seconds[place.device], whole.left)))


def _run(part: Part, place: Place, deadline: Deadline) -> Outcome:
    began = time.monotonic()
    try:
        place.wait_until_free()
        figures = part.measure(place, deadline)
        return Outcome(part.name, "done", time.monotonic() - began, figures=figures)
    except Exception as error:  # an unforeseen one, too, must not cost the other parts
        expected = isinstance(error, PartFailed | DoesNotFit | NoGpu | ValueError | OSError)
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        return Outcome(part.name, "failed", time.monotonic() - began, reason)
