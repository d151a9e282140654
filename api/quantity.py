"""Reads quantities as Kubernetes writes them: `500m`, `1.5`, `2Gi`, `1e3`. Pure; what is asked for is judged elsewhere.

The grammar is that of `resource.Quantity` (kubernetes.io, "Quantity").
"""

import re
from fractions import Fraction
from typing import Any, Final

_LONGEST: Final = 32
"""Characters that are read: a longer one is nobody's amount of memory."""
_QUANTITY: Final = re.compile(
    r"([+-]?)([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:([eE][+-]?[0-9]{1,2})|([KMGTPE]i|[numkMGTPE]|))"
)
_BINARY: Final = {f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL: Final = {letter: Fraction(1000) ** power for power, letter in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)}


MOST: Final = 2**63 - 1
"""What an API server counts to; more is taken as that."""


class QuantityInvalid(ValueError):
    """The value is no quantity; the message quotes nothing of it."""


def parse_quantity(value: Any) -> Fraction:
    """The number that a JSON value says: of cores, of bytes, of GPUs. Raises QuantityInvalid."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**_LONGEST else ""
    elif isinstance(value, float):
        value = f"{value:f}"
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if found is None:
        raise QuantityInvalid("is no quantity: write it as Kubernetes does, for instance 1, 500m or 2Gi")
    sign, digits, exponent, suffix = found.groups()
    number = Fraction(digits.rstrip(".")) * (-1 if sign == "-" else 1)
    if exponent:
        return number * Fraction(10) ** int(exponent[1:])
    return number * (_BINARY.get(suffix) or _DECIMAL[suffix])
