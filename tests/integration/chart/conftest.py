"""Helm's own binary and what it makes of the chart, for each set of values in its folder `ci`."""

from pathlib import Path

import pytest

from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import Layout
from testing.helm_client import VALUE_SETS, Helm, Object


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    folder = tmp_path_factory.mktemp("helm")
    program = ensure_helm(Layout.of("test").cache, folder / "helm.log", lambda text: None)
    return Helm(program, folder)


@pytest.fixture(params=VALUE_SETS)
def value_set(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def rendered(helm: Helm, value_set: str) -> tuple[Object, ...]:
    return helm.rendered(value_set)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chart") / "kubectl.log"
