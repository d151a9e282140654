"""Data sources and destinations: exactly one of each, well-formed, and not inside the cluster or cloud."""

from collections.abc import Iterator
from typing import Final

from api.addresses import problem_of_url
from api.oci.image_reference import reference_problem
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

URLS_MAX: Final = 100


def tuning_input(draft: Draft) -> Iterator[Problem]:
    """C46, C47, C48 for tuning.input."""
    source = draft.tuning["input"]
    if not source.is_map:
        return
    yield from one_source(source)
    yield from input_image(source["image"])
    yield from _urls(draft, source["urls"])


def tuning_output(draft: Draft) -> Iterator[Problem]:
    """C49, C50, C51 for tuning.output."""
    destination = draft.tuning["output"]
    if not destination.is_map:
        return
    image, volume = destination["image"], destination["volumeSource"]
    if bool(image.text) == volume.given and not _wrong_type(image):
        yield Problem("C51", destination.path, "Exactly one of Volume or Image must be specified")
    if image.text and (problem := reference_problem(image.text)):
        yield Problem(
            "C49", image.path, f"Unable to parse output image reference {shown(image.text)}: {_format(problem)}"
        )
    if image.text and not destination["imagePushSecret"].text:
        message = "missing field(s): Must specify imagePushSecret with destination image"
        yield Problem("C50", destination["imagePushSecret"].path, message)
    yield from volume_names_something(volume)


def one_source(source: Part) -> Iterator[Problem]:
    """C47: exactly one kind of source."""
    kinds = [bool(source["urls"].value), bool(source["image"].text), source["volumeSource"].given]
    if sum(kinds) != 1 and not _wrong_type(source["image"]):
        yield Problem("C47", source.path, "Exactly one of URLs, Volume, or Image must be specified")
    yield from volume_names_something(source["volumeSource"])


def input_image(image: Part) -> Iterator[Problem]:
    """C46: an image reference that can be parsed."""
    if image.text and (problem := reference_problem(image.text)):
        yield Problem(
            "C46", image.path, f"Unable to parse input image reference {shown(image.text)}: {_format(problem)}"
        )


def volume_names_something(volume: Part) -> Iterator[Problem]:
    """M8: a volumeSource is exactly one kind of volume."""
    if volume.is_map and len(volume.mapping) != 1:
        kinds = ", ".join(sorted(volume.mapping))[:80] or "none"
        message = f"a volumeSource names exactly one kind of volume, and {kinds} was given"
        yield Problem("M8", volume.path, f"{message}; use for instance persistentVolumeClaim")


def _urls(draft: Draft, urls: Part) -> Iterator[Problem]:
    found = list(urls.items())
    if len(found) > URLS_MAX:
        yield Problem("C48", urls.path, f"{len(found)} URLs were given, and {URLS_MAX} are allowed; pack the data")
        return
    for url in found:
        if isinstance(url.value, str) and (problem := problem_of_url(url.text, draft.allowed_hosts)):
            yield Problem("C48", url.path, f"URL {problem}")


def _format(problem: str) -> str:
    return f"invalid reference format: {problem}"


def _wrong_type(part: Part) -> bool:
    return part.given and not isinstance(part.value, str)
