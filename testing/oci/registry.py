"""A real registry (Debian's docker-registry) on loopback, with or without a password, that can be stopped and started.

Its access log records the requests. Storage may be a folder of its own, such as one that is nearly full.
"""

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from testing.deadlines import PATIENCE_S
from testing.ports import free_port

USER, PASSWORD = "pusher", "right horse"
# bcrypt with 2^4 rounds of the password above; the registry accepts only bcrypt.
HTPASSWD = f"{USER}:$2b$04$65hjcEuoChZH1J3yW1urj.USs/G2jngJEAuMaWObU.HKh/AZm10rK\n"
_REQUEST = re.compile(r'"(GET|HEAD|POST|PUT|PATCH) (/v2/\S*) HTTP/1\.1" (\d{3})')


@dataclass
class OciRegistry:
    """`address` is host:port."""

    folder: Path
    port: int
    protected: bool = False
    storage: Path | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "registry.log"

    def start(self) -> "OciRegistry":
        """Returns when the registry responds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump(self._config()))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log)
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            if self._answers():
                return self
            time.sleep(0.05)
        raise AssertionError(f"the registry did not answer in {PATIENCE_S} s: {self.log.read_text()[-500:]}")

    def stop(self) -> None:
        """Stops at once, as if its node was lost."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def docker_config(self, password: str = PASSWORD) -> Path:
        """Writes a file as mounted from a Secret."""
        file = self.folder / f"dockerconfig-{len(password)}.json"
        file.write_text(json.dumps({"auths": {self.address: {"username": USER, "password": password}}}))
        return file

    def asked(self) -> Counter[str]:
        """Returns how often each request was made, keyed as `PUT blob 201`."""
        found: Counter[str] = Counter()
        for method, path, status in _REQUEST.findall(self.log.read_text()):
            kind = next((word for word in ("manifest", "upload", "blob") if f"/{word}s/" in path), "ping")
            found[f"{method} {kind} {status}"] += 1
        return found

    def get(self, path: str, accept: str = "application/vnd.oci.image.manifest.v1+json") -> httpx.Response:
        """Sends a GET with the right password."""
        auth = (USER, PASSWORD) if self.protected else None
        with httpx.Client(trust_env=False, timeout=PATIENCE_S, auth=auth) as http:
            return http.get(f"http://{self.address}/v2/{path}", headers={"Accept": accept})

    def _config(self) -> dict[str, object]:
        (self.folder / "htpasswd").write_text(HTPASSWD)
        auth = {"auth": {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}}
        return {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(self.storage or self.folder / "blobs")}},
            "http": {"addr": self.address, "secret": "of the tests"},
        } | (auth if self.protected else {})

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/v2/", trust_env=False).status_code in (200, 401)
        except httpx.TransportError:
            return False


@contextmanager
def registries_below(folder: Path) -> Iterator[Callable[..., OciRegistry]]:
    """Starts registries on free ports, as many as requested; stops all at the end."""
    started: list[OciRegistry] = []

    def start(protected: bool = False, storage: Path | None = None) -> OciRegistry:
        port = free_port()
        started.append(OciRegistry(folder / f"registry-{port}", port, protected, storage))
        return started[-1].start()

    try:
        yield start
    finally:
        for one in started:
            one.stop()
