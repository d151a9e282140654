"""What a model's config.json says of its size, for tests: the fields that matter, as public models have them."""

from typing import Any

GDN: dict[str, Any] = {
    **{"linear_num_key_heads": 16, "linear_key_head_dim": 128, "linear_value_head_dim": 128},
    **{"linear_conv_kernel_dim": 4, "full_attention_interval": 4, "mamba_ssm_dtype": "float32"},
}


def dense(architecture: str, model_type: str, shape: tuple[int, int, int, int], **more: Any) -> dict[str, Any]:
    """`shape`: layers, heads, KV heads, hidden size."""
    layers, heads, kv_heads, hidden = shape
    return {
        "architectures": [architecture], "model_type": model_type, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "hidden_size": hidden,
        "torch_dtype": "bfloat16",
    } | more  # fmt: skip


def inside(document: dict[str, Any], architecture: str, model_type: str) -> dict[str, Any]:
    """The same as the language model of one that also sees."""
    text = {key: value for key, value in document.items() if key != "architectures"}
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "text_config": text,
        "vision_config": {"depth": 2},
    }


LLAMA = dense(
    "LlamaForCausalLM",
    "llama",
    (32, 32, 8, 4096),
    vocab_size=128256,
    max_position_embeddings=131072,
    rope_scaling={"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
)


def qwen35(layers: int, heads: int, kv_heads: int, hidden: int, value_heads: int) -> dict[str, Any]:
    text = dense("", "qwen3_5_text", (layers, heads, kv_heads, hidden), head_dim=256, vocab_size=248320,
                 max_position_embeddings=262144, linear_num_value_heads=value_heads, **GDN)  # fmt: skip
    return inside(text, "Qwen3_5ForConditionalGeneration", "qwen3_5")


def nemotron(pattern: str, heads: tuple[int, int], hidden: int, mamba: tuple[int, int], **more: Any) -> dict[str, Any]:
    return dense(
        "NemotronHForCausalLM",
        "nemotron_h",
        (len(pattern), heads[0], heads[1], hidden),
        head_dim=128,
        hybrid_override_pattern=pattern,
        mamba_num_heads=mamba[0],
        mamba_head_dim=mamba[1],
        n_groups=8,
        ssm_state_size=128,
        conv_kernel=4,
        vocab_size=131072,
        max_position_embeddings=262144,
        **more,
    )


def gemma4(layers: int, heads: int, kv_heads: int, hidden: int, **more: Any) -> dict[str, Any]:
    every = more.pop("every", 6)
    types = ["sliding_attention" if (place + 1) % every else "full_attention" for place in range(layers)]
    text = (
        dense(
            "",
            "gemma4_text",
            (layers, heads, kv_heads, hidden),
            head_dim=256,
            global_head_dim=512,
            layer_types=types,
            sliding_window=1024,
            vocab_size=262144,
            max_position_embeddings=262144,
        )
        | more
    )
    return inside(text, "Gemma4ForConditionalGeneration", "gemma4")


def deepseek(architecture: str, model_type: str, **more: Any) -> dict[str, Any]:
    yarn = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}
    return dense(architecture, model_type, (61, 128, 128, 7168), kv_lora_rank=512, qk_rope_head_dim=64,
                 qk_nope_head_dim=128, vocab_size=129280, max_position_embeddings=163840, n_routed_experts=256,
                 rope_scaling=yarn, quantization_config={"quant_method": "fp8"}) | more  # fmt: skip


PHI3_4K = dense("Phi3ForCausalLM", "phi3", (32, 32, 32, 3072), vocab_size=32064, max_position_embeddings=4096,
                sliding_window=2047, auto_map={"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"})  # fmt: skip
FALCON_7B = {
    "architectures": ["FalconForCausalLM"], "model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544,
    "num_attention_heads": 71, "multi_query": True, "new_decoder_architecture": False, "vocab_size": 65024,
    "num_kv_heads": 71, "max_position_embeddings": 2048, "torch_dtype": "bfloat16",
}  # fmt: skip
FALCON_40B = FALCON_7B | {
    "num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 128, "num_kv_heads": 8,
    "new_decoder_architecture": True,
}  # fmt: skip
GPT_OSS = dense(
    "GptOssForCausalLM",
    "gpt_oss",
    (24, 64, 8, 2880),
    head_dim=64,
    sliding_window=128,
    vocab_size=201088,
    max_position_embeddings=131072,
    layer_types=["sliding_attention", "full_attention"] * 12,
    num_local_experts=32,
    quantization_config={"quant_method": "mxfp4"},
    rope_scaling={"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096},
)
GEMMA3_4B = inside(
    {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024,
     "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "Gemma3ForConditionalGeneration", "gemma3")  # fmt: skip
DEEPSEEK_V4 = dense("DeepseekV4ForCausalLM", "deepseek_v4", (43, 64, 1, 4096), head_dim=512, sliding_window=128,
                    index_head_dim=128, compress_ratios=[0, 0, *[4, 128] * 20, 4, 0], n_routed_experts=256,
                    vocab_size=129280, max_position_embeddings=1048576,
                    quantization_config={"quant_method": "fp8"})  # fmt: skip
GLM_5 = deepseek(
    "GlmMoeDsaForCausalLM",
    "glm_moe_dsa",
    num_hidden_layers=78,
    num_attention_heads=64,
    num_key_value_heads=64,
    hidden_size=6144,
    index_head_dim=128,
    index_topk_freq=4,
    index_skip_topk_offset=3,
    vocab_size=154880,
    max_position_embeddings=1048576,
    rope_scaling=None,
)
MISTRAL_LARGE = {
    "dim": 7168, "n_layers": 61, "n_heads": 128, "n_kv_heads": 128, "head_dim": 192, "vocab_size": 131072,
    "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "max_position_embeddings": 294912,
    "moe": {"num_experts": 128}, "quantization": {"qformat_weight": "fp8_e4m3"},
}  # fmt: skip

LIKE_THE_CATALOGUE: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B-Instruct": LLAMA,
    "microsoft/Phi-3-mini-4k-instruct": PHI3_4K,
    "microsoft/Phi-4-mini-instruct": dense("Phi3ForCausalLM", "phi3", (32, 24, 8, 3072), vocab_size=200064,
        max_position_embeddings=131072, sliding_window=262144, rope_scaling={"type": "longrope"}),
    "Qwen/Qwen2.5-Coder-7B-Instruct": dense("Qwen2ForCausalLM", "qwen2", (28, 28, 4, 3584), vocab_size=152064,
        max_position_embeddings=32768, sliding_window=131072, use_sliding_window=False),
    "tiiuae/falcon-7b": FALCON_7B,
    "tiiuae/falcon-40b": FALCON_40B,
    "openai/gpt-oss-20b": GPT_OSS,
    "google/gemma-3-4b-it": GEMMA3_4B,
    "google/gemma-4-26B-A4B-it": gemma4(30, 16, 8, 2816, num_global_key_value_heads=2, attention_k_eq_v=True,
        num_experts=128),
    "google/gemma-4-31B-it": gemma4(60, 32, 16, 5376, num_global_key_value_heads=4, attention_k_eq_v=True),
    "google/gemma-4-E2B-it": gemma4(35, 8, 1, 1536, num_kv_shared_layers=20, sliding_window=512, every=5,
        max_position_embeddings=131072),
    "google/gemma-4-E4B-it": gemma4(42, 8, 2, 2560, num_kv_shared_layers=18, sliding_window=512,
        max_position_embeddings=131072),
    "Qwen/Qwen3.5-2B": qwen35(24, 8, 2, 2048, 16),
    "Qwen/Qwen3.5-9B": qwen35(32, 16, 4, 4096, 32),
    "Qwen/Qwen3.6-27B": qwen35(64, 24, 4, 5120, 48),
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2": nemotron("M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
        (40, 8), 4480, (128, 80)) | {"max_position_embeddings": 131072},
    "nvidia/NVIDIA-Nemotron-3-Nano-4B-BF16": nemotron("M-M-M-MM-M-M*-M-M*-M-M-M*-M-M-MM*-MMM-M-M-",
        (40, 8), 3136, (96, 80)),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": nemotron("MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
        (32, 2), 2688, (64, 64), n_routed_experts=128),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": nemotron(
        "MEMEMEM*EMEMEMEM*EMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEM*EMEMEMEME",
        (32, 2), 4096, (128, 64), n_routed_experts=512),
    "deepseek-ai/DeepSeek-V3-0324": deepseek("DeepseekV3ForCausalLM", "deepseek_v3"),
    "deepseek-ai/DeepSeek-V3.2": deepseek("DeepseekV32ForCausalLM", "deepseek_v32", index_head_dim=128),
    "deepseek-ai/DeepSeek-V4-Flash-0731": DEEPSEEK_V4,
    "zai-org/GLM-5.2-FP8": GLM_5,
    "mistralai/Mistral-Large-3-675B-Instruct-2512": MISTRAL_LARGE,
    "MiniMaxAI/MiniMax-M2.7": dense("MiniMaxM2ForCausalLM", "minimax_m2", (62, 48, 8, 3072), head_dim=128,
        vocab_size=200064, max_position_embeddings=204800, attn_type_list=[1] * 62, num_local_experts=256,
        quantization_config={"quant_method": "fp8"}),
}  # fmt: skip
