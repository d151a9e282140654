"""Run in the runtime environment: hands the examples of docs/configuration.md to vLLM's parser, trl and peft."""

import re
from pathlib import Path

import peft
import transformers
import trl
import yaml

from api.configs.inference import parse_inference_config
from api.configs.training import parse_training_config
from api.pods.serve import ServeConfig
from runtime.serve.arguments import vllm_arguments
from runtime.serve.options import make_parser, options_of

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def main() -> None:
    """Raises what the programs raise; prints what they understood."""
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)]
    texts = {key: text for block in blocks for key, text in block.get("data", {}).items()}
    serve(texts["inference_config.yaml"])
    train(texts["training_config.yaml"])


def serve(text: str) -> None:
    extra = parse_inference_config(text).vllm
    fields = {"model": "org/model", "revision": "0" * 40, "weights_path": "/weights/0", "served_model_name": "model"}
    parser = make_parser()
    parsed = parser.parse_args(vllm_arguments(ServeConfig(**fields, extra=extra), "cuda", options_of(parser)))
    print(parsed.max_model_len, parsed.enable_chunked_prefill, parsed.speculative_config["method"])
    print(parsed.compilation_config.pass_config.fuse_allreduce_rms)


def train(text: str) -> None:
    config = parse_training_config(text)
    options = trl.SFTConfig(**config.training, use_cpu=True, bf16=False)
    lora = peft.LoraConfig(**config.lora.model_dump())
    packed = transformers.BitsAndBytesConfig(**config.quantization.model_dump(exclude_none=True))
    print(options.learning_rate, options.output_dir, lora.r, lora.target_modules, packed.bnb_4bit_quant_type)


if __name__ == "__main__":
    main()
