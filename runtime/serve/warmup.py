"""Warms up an image during its build so that it starts serving quickly: `python -m runtime.serve.warmup --device cpu`.

Serves a tiny model with random weights once and requests a token. That compiles the bytecode of exactly what serving
imports, and proves that the image can serve. Then makes vLLM inspect and cache the usual model classes.
An image for GPUs is built where there is none: there only what serving imports is imported.
"""

import argparse
import importlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from api.pods.serve import ServeConfig
from runtime.serve.start.model_class_cache import BAKED

# The classes of KAITO's presets and of popular models; others delay their first pod by 13 s.
CLASSES = (
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Phi3ForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "GemmaForCausalLM",
    "FalconForCausalLM",
)
# What a server and its engine import first; on a machine without GPU they get no further.
FOR_GPUS = ("vllm.entrypoints.openai.api_server", "vllm.v1.engine.core", "vllm.v1.worker.gpu_worker")
START_S = 600.0
STOP_S = 60.0
MESSAGES = [{"role": "user", "content": "w1"}]


def main() -> int:
    """Raises if the image cannot serve, which fails the build."""
    parser = argparse.ArgumentParser(prog="python -m runtime.serve.warmup", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what the image computes on")
    if parser.parse_args().device == "cuda":
        for module in FOR_GPUS:
            importlib.import_module(module)
    else:
        serve_tiny_model()
    note_classes()
    return 0


def serve_tiny_model() -> None:
    """Makes the model and serves it once. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights" / "tiny"
        make_model(weights)
        serve_once(weights, Path(folder) / "serve.json")


def make_model(folder: Path) -> None:
    """Writes a Llama with two layers and a tokenizer of single words; a few hundred kilobytes."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *(f"w{n}" for n in range(125))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    fast.save_pretrained(folder)
    sizes = {"vocab_size": len(words), "hidden_size": 128, "intermediate_size": 256, "max_position_embeddings": 256}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    LlamaForCausalLM(LlamaConfig(**sizes, **heads)).to(torch.bfloat16).save_pretrained(folder)


def serve_once(weights: Path, file: Path) -> None:
    """Runs the server as a pod would, requests tokens through both APIs, and stops it. Raises RuntimeError."""
    port = free_port()
    config = ServeConfig(
        model="modelyard/tiny",
        revision=weights.name,
        weights_path=str(weights),
        served_model_name="tiny",
        port=port,
        kv_cache_gib=0.125,
        drain_s=1,
    )
    file.write_text(config.model_dump_json())
    Path(config.complete_marker).touch()
    child = subprocess.Popen([sys.executable, "-m", "runtime.serve", "--config", str(file)])
    try:
        _wait_until_healthy(child, port)
        _ask(port, "/v1/completions", {"model": "tiny", "prompt": "w1 w2", "max_tokens": 2})
        _ask(port, "/v1/chat/completions", {"model": "tiny", "messages": MESSAGES, "max_tokens": 2})
        _ask(port, "/chat", {"prompt": "w1 w2", "generate_kwargs": {"max_new_tokens": 2}})
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise


def free_port() -> int:
    """Returns a free port; image builds share the machine's network."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def note_classes() -> None:
    """Fills the cache; vLLM inspects each class in a process of its own."""
    os.environ["VLLM_CACHE_ROOT"] = str(BAKED.parent)
    from vllm.model_executor.models import ModelRegistry

    for name in CLASSES:
        ModelRegistry.models[name].inspect_model_cls()
        logging.info("noted %s", name)


def _wait_until_healthy(child: "subprocess.Popen[bytes]", port: int) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        if child.poll() is not None:
            raise RuntimeError(f"the server ended with code {child.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"the server was not ready within {START_S:.0f} s")


def _ask(port: int, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        logging.info("%s: %s", path, response.read().decode())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
