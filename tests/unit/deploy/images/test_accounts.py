"""Whose account a push uses: that of the container tools' logins, wherever these have written it."""

import base64
import json
import os
from pathlib import Path
from typing import Final

import pytest

from api.oci.image_reference import ImageReference
from deploy.images.publish import account_files, account_for

IMAGE: Final = ImageReference.parse("contoso.azurecr.io/modelyard/control-plane:0.1.0")


def log_in(file: Path, user: str, registry: str = IMAGE.host) -> None:
    """What `buildah login` and `docker login` leave behind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{user}:secret".encode()).decode()
    file.write_text(json.dumps({"auths": {registry: {"auth": auth}}}))


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, ".docker/config.json"),
        ({}, ".config/containers/auth.json"),
        ({"XDG_CONFIG_HOME": "given"}, "given/containers/auth.json"),
        ({"XDG_RUNTIME_DIR": "run"}, "run/containers/auth.json"),
        ({"DOCKER_CONFIG": "docker"}, "docker/config.json"),
        ({"REGISTRY_AUTH_FILE": "one.json"}, "one.json"),
    ],
)
def test_a_login_is_found_where_the_tool_writes_it(tmp_path: Path, variables: dict[str, str], place: str) -> None:
    log_in(tmp_path / place, "somebody")
    here = {name: str(tmp_path / value) for name, value in variables.items()}
    account = account_for(IMAGE, {"HOME": str(tmp_path), **here})
    assert account is not None and account.user == "somebody"


def test_buildah_login_of_root_is_looked_for_where_it_is_without_a_session() -> None:
    """On a machine that is reached by `sudo -i` or from a container there is no XDG_RUNTIME_DIR."""
    assert f"/run/containers/{os.getuid()}/auth.json" in account_files({"HOME": "/root"})
    assert not any(file.startswith("/run/containers") for file in account_files({"XDG_RUNTIME_DIR": "/run/user/7"}))


def test_a_login_to_another_registry_does_not_hide_this_ones(tmp_path: Path) -> None:
    log_in(tmp_path / "run/containers/auth.json", "elsewhere", "registry.example")
    (tmp_path / "docker").mkdir()
    # By a credential helper: the file names the registry, and has no account of it.
    (tmp_path / "docker/config.json").write_text(json.dumps({"auths": {IMAGE.host: {}}, "credsStore": "desktop"}))
    log_in(tmp_path / ".docker/config.json", "here")
    account = account_for(
        IMAGE,
        {
            "HOME": str(tmp_path),
            "XDG_RUNTIME_DIR": str(tmp_path / "run"),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
        },
    )
    assert account is not None and account.user == "here"


def test_the_file_that_is_named_goes_before_all_others(tmp_path: Path) -> None:
    log_in(tmp_path / "named.json", "named")
    log_in(tmp_path / "run/containers/auth.json", "session")
    named = {"REGISTRY_AUTH_FILE": str(tmp_path / "named.json"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    account = account_for(IMAGE, named)
    assert account is not None and account.user == "named"


def test_without_a_login_there_is_no_account(tmp_path: Path) -> None:
    assert account_for(IMAGE, {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}) is None
