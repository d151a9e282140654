"""Reads tune.json."""

from pathlib import Path

from pydantic import ValidationError

from api.tuning import TuneConfig
from runtime.tune.failures import CONFIG_INVALID, TuneFailure


def read_config(file: Path) -> TuneConfig:
    """The config in a file. Raises TuneFailure with the field that is wrong."""
    try:
        return TuneConfig.model_validate_json(file.read_bytes())
    except OSError as error:
        raise TuneFailure(CONFIG_INVALID, f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise TuneFailure(CONFIG_INVALID, f"{file}: {where}: {first['msg']}") from error
