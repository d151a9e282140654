"""One local stack for all that is served and trained on it: everything that production runs but Azure and the GPUs.

Nothing is left of it after. Tests in `local_stack/` start and stop their own, and come first.
"""

from collections.abc import Iterator

import pytest

from deploy.local.layout import Layout
from deploy.local.stack.down import take_down
from deploy.local.stack.up import bring_up
from testing.machine_snapshot import snapshot

INSTANCE = "test"


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """Up before the first test, down after the last; the machine is compared before and after."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MODELYARD_HOME", str(home))
        layout = Layout.of(INSTANCE)
        before = snapshot(layout)
        try:
            bring_up(INSTANCE)
            yield layout
        finally:
            take_down(INSTANCE)
            print(f"logs of the stack: {layout.logs}")
        assert snapshot(layout) == before
