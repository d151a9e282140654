"""Where Temporal is: settings over profiles over defaults, and what is said of a configuration that cannot be read."""

from pathlib import Path

import pytest
from temporalio.service import TLSConfig

from process.connection.target import ADDRESS, NAMESPACE, Misconfigured, Target, read_target
from process.settings import TemporalSettings

PROFILES = """
[profile.default]
address = "default.example:7233"
[profile.cloud]
address = "eu.example:7233"
namespace = "team.a1b2c"
api_key = "written-in-the-file"
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> TemporalSettings:
    """Nothing of our own is set."""
    for name in ("ADDRESS", "NAMESPACE", "API_KEY_FILE", "ENVCONFIG"):
        monkeypatch.delenv(f"MODELYARD_TEMPORAL_{name}", raising=False)
    return TemporalSettings()


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    """The environment that names a file with two profiles."""
    file = tmp_path / "temporal.toml"
    file.write_text(PROFILES)
    return {"TEMPORAL_CONFIG_FILE": str(file)}


def test_without_any_setting_it_is_the_dev_server(settings: TemporalSettings) -> None:
    assert read_target(settings, {}) == Target(ADDRESS, NAMESPACE, tls=False)


def test_a_profile_is_used_and_temporals_variables_win_over_it(
    settings: TemporalSettings, profiles: dict[str, str]
) -> None:
    assert read_target(settings, profiles).address == "default.example:7233"
    chosen = read_target(settings, profiles | {"TEMPORAL_PROFILE": "cloud"})
    assert (chosen.address, chosen.namespace, chosen.tls) == ("eu.example:7233", "team.a1b2c", True)
    assert chosen.api_key == "written-in-the-file"
    other = read_target(settings, profiles | {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_NAMESPACE": "team.other"})
    assert other.namespace == "team.other"


def test_our_own_settings_win_over_both(settings: TemporalSettings, profiles: dict[str, str], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("mounted\n")
    own = settings.model_copy(
        update={"temporal_address": "own:1", "temporal_namespace": "own", "temporal_api_key_file": key}
    )
    found = read_target(own, profiles | {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_ADDRESS": "other:1"})
    assert (found.address, found.namespace, found.api_key) == ("own:1", "own", "mounted")


def test_a_local_stack_ignores_the_users_profiles(settings: TemporalSettings, profiles: dict[str, str]) -> None:
    own = settings.model_copy(update={"temporal_envconfig": False})
    assert read_target(own, profiles | {"TEMPORAL_API_KEY": "k", "TEMPORAL_TLS": "true"}) == Target()


def test_files_of_certificates_are_read_at_every_call(settings: TemporalSettings, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    environment = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(file), "TEMPORAL_TLS_SERVER_NAME": "temporal.example"}
    for content in (b"one", b"two"):
        file.write_bytes(content)
        found = read_target(settings, environment)
        assert found.tls == TLSConfig(server_root_ca_cert=content, domain="temporal.example")


def test_no_secret_is_shown(settings: TemporalSettings, profiles: dict[str, str]) -> None:
    found = read_target(
        settings,
        profiles
        | {
            "TEMPORAL_PROFILE": "cloud",
            "TEMPORAL_TLS_CLIENT_CERT_DATA": "written-in-the-environment",
            "TEMPORAL_TLS_CLIENT_KEY_DATA": "written-in-the-environment",
        },
    )
    assert "written" not in repr(found)


def test_a_profile_that_is_not_in_the_file(settings: TemporalSettings, profiles: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"Profile 'prod' not found\. Correct the file, or name a profile"):
        read_target(settings, profiles | {"TEMPORAL_PROFILE": "prod"})


def test_a_file_that_is_not_there(settings: TemporalSettings) -> None:
    with pytest.raises(Misconfigured, match=r"names /nowhere/temporal\.toml, which is no file: mount"):
        read_target(settings, {"TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml"})


@pytest.mark.parametrize("broken", ['api_key = "quoted-in-messages', "api_key = 12345", 'adress = "a:1"'])
def test_a_broken_file_is_told_by_its_line_without_quoting_it(
    settings: TemporalSettings, profiles: dict[str, str], broken: str
) -> None:
    Path(profiles["TEMPORAL_CONFIG_FILE"]).write_text(f"[profile.default]\n{broken}\n")
    with pytest.raises(Misconfigured, match="TOML parse error at line 2") as caught:
        read_target(settings, profiles)
    assert broken.split()[-1] not in str(caught.value)


def test_a_certificate_that_cannot_be_read(settings: TemporalSettings) -> None:
    with pytest.raises(Misconfigured, match=r"/nowhere/tls.crt cannot be read \(No such file or directory\): mount"):
        read_target(settings, {"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/tls.crt"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot be read from .* \(No such file or directory\): mount the Secret there"),
        (b"\xff\xfe", "not text"),
        (b"", "must have the API key and nothing else"),
        (b"one\ntwo\n", "must have the API key and nothing else"),
    ],
)
def test_an_api_key_that_cannot_be_used(
    settings: TemporalSettings, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match=said):
        read_target(settings.model_copy(update={"temporal_api_key_file": file}), {})
