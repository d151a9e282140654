"""The plugin's process: `python -m deploy.local.nodes.plugin [FOLDER]`. It registers whenever the kubelet is a new one.

GPUs are the files in `gpus` of the kubelet's plugin folder, which the local stack writes where a machine has GPUs: they
stand for the driver. Without any the plugin waits, as NVIDIA's does without a driver.
"""

import signal
import sys
import threading
from pathlib import Path
from typing import Final

import grpc

from deploy.local.nodes.plugin.folder import FOLDER, GPUS
from deploy.local.nodes.plugin.service import ENDPOINT, KUBELET_SOCKET, GpuPlugin, register

LOOK_S: Final = 0.2


def main(folder: Path, stop: threading.Event) -> None:
    """Runs until `stop` is set."""
    while not stop.is_set():
        gpus, kubelet = _gpus(folder), _identity(folder / KUBELET_SOCKET)
        if gpus and kubelet:
            _offer(folder, gpus, kubelet, stop)
        stop.wait(LOOK_S)


def _offer(folder: Path, gpus: list[str], kubelet: int, stop: threading.Event) -> None:
    """Returns when the kubelet is gone or another one, when the GPUs are others, and at the stop."""
    plugin = GpuPlugin(gpus)
    plugin.serve(folder)
    try:
        register(folder)
        print(f"registered {len(gpus)} GPUs", flush=True)
        while not stop.wait(LOOK_S):
            here = (folder / ENDPOINT).exists() and _identity(folder / KUBELET_SOCKET) == kubelet
            if not here or plugin.is_left or _gpus(folder) != gpus:
                return
    except grpc.RpcError as error:
        print(f"the kubelet does not answer: {error}", flush=True)
    finally:
        plugin.stop()


def _gpus(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in (folder / GPUS).iterdir())
    except FileNotFoundError:
        return []


def _identity(socket: Path) -> int:
    try:
        return socket.stat().st_ino
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, stopping)
