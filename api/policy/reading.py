"""Reads the policy's document from YAML or JSON; says by its path what is wrong with it."""

from collections.abc import Sequence

from pydantic import ValidationError

from api.configs.problem import ConfigProblem
from api.configs.yaml_reading import read_yaml
from api.policy.document import Policy
from api.resource.invalid import path_text


class PolicyInvalid(ValueError):
    """`errors` are (path, message), the path as it is written in the document."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in self.errors))


def parse_policy(text: str) -> Policy:
    """The policy in this text; an empty text is the default one. Raises PolicyInvalid."""
    try:
        document = read_yaml(text).value
    except ConfigProblem as error:
        raise PolicyInvalid(error.errors) from None
    try:
        return Policy.model_validate({} if document is None else document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise PolicyInvalid([(_path(entry["loc"]), _message(entry["type"], entry["msg"])) for entry in found]) from None


def _path(location: tuple[int | str, ...]) -> str:
    """Without the names that pydantic gives to the branches of a union."""
    return path_text(part for part in location if isinstance(part, int) or not part.startswith(("constrained", "lit")))


def _message(type_: str, message: str) -> str:
    if type_ == "extra_forbidden":
        return "is not a key of the policy; docs/policy.md lists them"
    return message[:1].lower() + message[1:]
