"""Which build of torch is chosen; pip itself is asked, by an index on loopback."""

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.local.images.torch_build import (
    CONFIGURED,
    CPU,
    CPU_VERSION,
    INDEX,
    INDEX_VARIABLE,
    NAMED,
    PYTORCH,
    PYTORCH_INDEX,
    VERSION,
    Torch,
    TorchUnavailable,
    choose,
    known_torch,
    offered,
    pins_file,
    remember,
    torch_build,
    versions_in,
)

BOTH, PLAIN, NONE = {CPU_VERSION, VERSION}, {VERSION, "2.12.1"}, set[str]()


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        pytest.param({CONFIGURED: BOTH}, Torch(CPU, CONFIGURED), id="pip finds the CPU build"),
        pytest.param({CONFIGURED: PLAIN, PYTORCH: {CPU_VERSION}}, Torch(CPU, PYTORCH), id="PyTorch's index has it"),
        pytest.param(
            {CONFIGURED: NONE, PYTORCH: {CPU_VERSION}}, Torch(CPU, PYTORCH), id="only PyTorch's index answers"
        ),
        pytest.param(
            {CONFIGURED: PLAIN, PYTORCH: NONE}, Torch(INDEX, CONFIGURED), id="PyTorch's index is out of reach"
        ),
        pytest.param({NAMED: {CPU_VERSION}}, Torch(CPU, NAMED), id="the named index has it"),
    ],
)
def test_the_cpu_build_is_taken_wherever_it_is_and_the_large_one_where_it_is_not(
    offers: dict[str, set[str]], chosen: Torch
) -> None:
    assert choose(offers) == chosen


@pytest.mark.parametrize(
    "offers",
    [
        pytest.param({CONFIGURED: NONE, PYTORCH: NONE}, id="nothing answers"),
        pytest.param({CONFIGURED: {"2.12.1+cpu"}, PYTORCH: {"2.15.0"}}, id="other versions only"),
        pytest.param({NAMED: PLAIN}, id="the named index lacks it"),
    ],
)
def test_the_searched_places_are_named_when_no_build_fits(offers: dict[str, set[str]]) -> None:
    with pytest.raises(TorchUnavailable, match=INDEX_VARIABLE) as raised:
        choose(offers)
    assert all(place in str(raised.value) for place in offers)


def test_the_large_build_is_announced_with_the_way_around_it() -> None:
    assert "2.4 GB" in str(Torch(INDEX, CONFIGURED))
    assert INDEX_VARIABLE in str(Torch(INDEX, CONFIGURED))
    assert str(Torch(CPU, PYTORCH)) == "torch 2.13.0+cpu from PyTorch's CPU index"


def test_only_torch_is_looked_for_on_a_further_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDEX_VARIABLE, "https://torch.example/cpu")
    assert Torch(CPU, NAMED).pins.options == ("--extra-index-url", "https://torch.example/cpu")
    assert Torch(CPU, PYTORCH).pins.options == ("--extra-index-url", PYTORCH_INDEX)
    assert Torch(CPU, CONFIGURED).pins.options == Torch(INDEX, CONFIGURED).pins.options == ()


def test_the_pins_are_of_the_versions_that_are_looked_for() -> None:
    assert f"torch=={CPU_VERSION} " in pins_file(CPU).read_text()
    assert f"torch==={VERSION} " in pins_file(INDEX).read_text()


def test_versions_are_read_from_pips_answer() -> None:
    answer = "torch (2.13.0)\nAvailable versions: 2.13.0+cpu, 2.13.0,  2.12.1\n  INSTALLED: 2.12.1\n"
    assert versions_in(answer) == {"2.13.0+cpu", "2.13.0", "2.12.1"}
    assert versions_in("") == frozenset()


class SimpleIndex(ThreadingHTTPServer):
    """What pip asks of an index: the page of one project, with the CPU build for Linux and a newer one of all kinds."""

    daemon_threads = True
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"


class Page(BaseHTTPRequestHandler):
    server: SimpleIndex

    def do_GET(self) -> None:
        self.server.asked += 1
        names = ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "torch-2.13.0+cpu-cp310-cp310-win_amd64.whl")
        body = "".join(f'<a href="{name.replace("+", "%2B")}">{name}</a>' for name in names).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleIndex]:
    """pip of this test knows no other index and no settings of this machine."""
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", INDEX_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with SimpleIndex(("127.0.0.1", 0), Page) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_pip_finds_the_cpu_build_on_an_index(index: SimpleIndex) -> None:
    assert offered() == offered(("--index-url", index.url)) == {CPU_VERSION}


@pytest.mark.parametrize("listens", [True, False], ids=["an index that never answers", "nobody listens"])
def test_an_index_out_of_reach_offers_nothing(index: SimpleIndex, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/whl"
        if not listens:
            silent.close()
        assert offered(("--index-url", url, "--timeout", "1", "--retries", "0")) == frozenset()


def test_pip_is_asked_once_and_again_when_the_user_names_an_index(
    index: SimpleIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_torch(tmp_path) is None
    reported: list[str] = []
    chosen = torch_build(tmp_path, reported.append)
    assert chosen == torch_build(tmp_path, reported.append) == known_torch(tmp_path) == Torch(CPU, CONFIGURED)
    assert reported == ["asking pip for torch's CPU build"]
    monkeypatch.setenv(INDEX_VARIABLE, index.url)
    assert known_torch(tmp_path) is None
    assert torch_build(tmp_path, reported.append) == Torch(CPU, NAMED)


def test_what_is_kept_holds_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDEX_VARIABLE, "https://user:secret@torch.example/cpu")
    remember(tmp_path, Torch(CPU, NAMED))
    assert known_torch(tmp_path) == Torch(CPU, NAMED)
    assert not [file for file in tmp_path.iterdir() if b"torch.example" in file.read_bytes()]
