"""Ages in tables."""

import pytest

from api.age import age


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (5.9, "5s"), (119, "119s"), (120, "2m"), (600, "10m"), (7199, "119m"), (3 * 3600, "3h"),
     (5 * 86400, "5d")],
)  # fmt: skip
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age(seconds) == text
