"""An instance in folders of the test's own, for which a torch is chosen: nothing has to be asked to name its images."""

from pathlib import Path

import pytest

from deploy.local.images.torch_build import CONFIGURED, CPU, Torch, remember
from deploy.local.layout import Layout


@pytest.fixture
def with_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    layout = Layout.of("test")
    layout.cache.mkdir()
    remember(layout.cache, Torch(CPU, CONFIGURED))
    return layout
