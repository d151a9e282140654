"""How long something has been so, as people read it in tables."""

UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def age(seconds: float) -> str:
    """Whole units, cut off as kubectl cuts them: 45s, 119s, 12m, 3h, 2d. Nothing is younger than 0s."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
