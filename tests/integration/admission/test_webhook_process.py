"""The process by itself: it starts while the API server is away, says so, and ends when it is asked to."""

import asyncio
import contextlib
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography import x509

from process.x509 import SERVER, Pair, Subject, make_authority, make_certificate
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of an API server that nobody runs."""
    cluster = {"server": f"https://127.0.0.1:{free_port()}", "insecure-skip-tls-verify": True}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": cluster}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
        "current-context": "none",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {f"MODELYARD_{name.upper()}": value for name, value in environment.items()}
    argv = (sys.executable, "-m", "admin.webhook")
    env = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    started = await asyncio.create_subprocess_exec(*argv, env=env, stderr=asyncio.subprocess.PIPE)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def answer(address: str, path: str) -> int:
    """The status of a GET, asked again until somebody listens."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return (await client.get(f"http://{address}{path}")).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.1)


async def test_it_lives_without_an_api_server_is_not_ready_and_ends_when_asked(kubeconfig: Path) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    webhook = f"127.0.0.1:{free_port()}"
    async with process(kubeconfig=str(kubeconfig), metrics_address=metrics, webhook_address=webhook) as started:
        assert await answer(metrics, "/healthz") == 200
        assert await answer(metrics, "/readyz") == 503
        started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            _, said = await started.communicate()
        assert started.returncode == 0
        assert b"Traceback" not in said


async def test_it_serves_a_certificate_that_others_renew(kubeconfig: Path, tmp_path: Path) -> None:
    metrics, webhook = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    folder = tmp_path / "given"
    folder.mkdir()
    settings = {"webhook_certificate_folder": str(folder), "webhook_check_interval": "0.1"}
    addresses = {"metrics_address": metrics, "webhook_address": webhook}
    async with process(kubeconfig=str(kubeconfig), **addresses, **settings):
        assert await answer(metrics, "/readyz") == 503
        for _ in range(2):
            given = a_certificate()
            (folder / "tls.crt").write_bytes(given.certificate)
            (folder / "tls.key").write_bytes(given.key)
            await until_served(webhook, given)
            assert await answer(metrics, "/readyz") == 200


def a_certificate() -> Pair:
    now, day = datetime.now(UTC), timedelta(days=1)
    authority = make_authority("somebody's", now=now, lifetime=day)
    return make_certificate(Subject("webhook", hosts=["127.0.0.1"]), authority, uses=SERVER, now=now, lifetime=day)


async def until_served(address: str, wanted: Pair) -> None:
    host, _, port = address.partition(":")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                shown = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)), timeout=PATIENCE_S)
                if x509.load_pem_x509_certificate(shown.encode()) == x509.load_pem_x509_certificate(wanted.certificate):
                    return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("webhook_certificate_lifetime", "P700D", b"a third as long as its authority"),
        ("provider", "gke", b"provider"),
        ("webhook_check_interval", "0", b"webhook_check_interval"),
    ],
)
async def test_settings_that_cannot_work_end_it_with_the_reason(
    kubeconfig: Path, setting: str, value: str, said: bytes
) -> None:
    async with process(kubeconfig=str(kubeconfig), **{setting: value}) as started, asyncio.timeout(PATIENCE_S):
        _, text = await started.communicate()
    assert started.returncode == 1
    assert said in text
