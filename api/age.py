"""Formats ages for tables, as kubectl does."""

UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def age(seconds: float) -> str:
    """Whole units, truncated as kubectl does: 45s, 119s, 12m, 3h, 2d. Negative ages become 0s."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
