"""The parts `serve` and `serve-plain`: start, throughput, latencies and memory of a server.

`vllm bench serve` asks both with the same prompts: its random ones of a fixed length, by the same seed.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from api.pods.serve import ServeConfig
from bench.gpu.figures import of_vllm_bench
from bench.gpu.machine.device import GIB, peak_of
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, Program, run
from bench.gpu.parts import servers
from bench.gpu.parts.servers import NAME, Server
from bench.gpu.parts.vllm_command import vllm
from bench.gpu.plan import logged

SEED: Final = 7
RESULT: Final = "result.json"
Start = Callable[[Place, ServeConfig, Path, Deadline], AbstractContextManager[Server]]


def serve(place: Place, deadline: Deadline) -> dict[str, float]:
    """`runtime.serve`. Raises PartFailed, DoesNotFit, ValueError."""
    return _measured(place, servers.ours, place.new_folder("serve"), deadline)


def serve_plain(place: Place, deadline: Deadline) -> dict[str, float]:
    """`vllm serve` with the same arguments. Raises PartFailed, DoesNotFit, ValueError."""
    return _measured(place, servers.plain, place.new_folder("serve-plain"), deadline)


def _measured(place: Place, start: Start, folder: Path, deadline: Deadline) -> dict[str, float]:
    config = servers.config_for(place, folder)
    with peak_of(place.memory_in_use) as peak, start(place, config, folder, deadline) as server:
        run(_load(place, server, folder), deadline)
        text = server.running.program.log.read_text(errors="replace")
    result = json.loads((folder / RESULT).read_bytes())
    figures = {"start_s": server.start_s} | of_vllm_bench(result, place.size.prompts) | logged(text)
    return figures | {"device_memory_gib": peak.value / GIB}


def _load(place: Place, server: Server, folder: Path) -> Program:
    size = place.size
    options = {
        "base-url": server.url,
        "backend": "openai",
        "endpoint": "/v1/completions",
        "model": NAME,
        "tokenizer": str(place.weights.folder),
        "dataset-name": "random",
        "random-input-len": size.prompt_tokens,
        "random-output-len": size.answer_tokens,
        "num-prompts": size.prompts,
        "max-concurrency": size.concurrency,
        "num-warmups": size.warm_up_requests,
        "seed": SEED,
        "temperature": 0,
        "percentile-metrics": "ttft,tpot,itl",
        "metric-percentiles": 95,
        "result-dir": str(folder),
        "result-filename": RESULT,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    words = ["bench", "serve", *words, "--ignore-eos", "--save-result", "--disable-tqdm"]
    return vllm(words, place, folder / "client.log", {})
