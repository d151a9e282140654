"""An image is pulled with every Secret's account in turn, also where a registry hides what an account may not see."""

import json
from pathlib import Path

import pytest

from api.pods.data import DataConfig
from api.pods.registries import RegistryAccess
from runtime.data.failures import FORBIDDEN, NOT_FOUND
from runtime.data.images import pull
from runtime.data.progress import DataProgress
from runtime.pod.exit import Failure
from testing.faults.raw_servers import listening, sending


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [((404, 403), NOT_FOUND), ((403, 404), NOT_FOUND), ((403, 403), FORBIDDEN), ((404, 404), NOT_FOUND)],
)
def test_every_account_is_tried(statuses: tuple[int, int], kind: object, tmp_path: Path) -> None:
    answers = [
        f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode() for status in statuses
    ]
    with listening(lambda connection: sending(answers.pop(0))(connection)) as port:
        host = f"registry.example:{port}"
        for secret in ("one", "two"):
            account = {"username": secret, "password": "sesame"}
            (tmp_path / secret).write_text(json.dumps({"auths": {host: account}}))
        configs = {secret: str(tmp_path / secret) for secret in ("one", "two")}
        access = RegistryAccess(plain_http=(host,), docker_configs=configs)
        config = DataConfig(folder=str(tmp_path / "data"), image=f"{host}/team/data:1", registry=access)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("HTTP_PROXY", "http_proxy"):
                patch.setenv(name, f"http://127.0.0.1:{port}")
            with pytest.raises(Failure) as caught:
                pull(config, DataProgress())
    assert caught.value.kind is kind
    assert not answers
