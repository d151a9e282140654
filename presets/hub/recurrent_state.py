"""Bytes that one layer without growing cache keeps for one sequence: Mamba and its relatives, gated delta nets, short
convolutions. As vLLM 0.32 keeps them (model_executor/layers/mamba/mamba_utils.py): a window of the last inputs in the
model's dtype, and a state in the dtype that the model's configuration asks for.
"""

from typing import Any, Final

from presets.hub.config import Settings
from presets.models.architecture import BF16_BYTES

FLOAT32_BYTES: Final = 4


def state_bytes(settings: Settings) -> int | None:
    """Bytes per sequence and layer; None if the configuration describes no known layer of this kind."""
    for read in (_delta_net, _kimi_delta, _mamba2, _mamba1, _short_convolution):
        found = read(settings)
        if found:
            return found
    return None


def _delta_net(settings: Settings) -> int | None:
    """Qwen3-Next, Qwen3.5: convolution over queries, keys and values; a state of values x keys for each value head."""
    values, keys = settings.number("linear_num_value_heads"), settings.number("linear_num_key_heads")
    key_size, value_size = settings.number("linear_key_head_dim"), settings.number("linear_value_head_dim")
    if not (values and keys and key_size and value_size):
        return None
    width = 2 * keys * key_size + values * value_size
    kept = settings.number("linear_conv_kernel_dim") or 4
    return width * (kept - 1) * BF16_BYTES + values * key_size * value_size * _precision(settings)


def _kimi_delta(settings: Settings) -> int | None:
    linear = settings.inner("linear_attn_config")
    heads, size = _int(linear.get("num_heads")), _int(linear.get("head_dim"))
    if not (heads and size):
        return None
    kept = _int(linear.get("short_conv_kernel_size")) or 4
    return 3 * heads * size * (kept - 1) * BF16_BYTES + heads * size * size * FLOAT32_BYTES


def _mamba2(settings: Settings) -> int | None:
    """Nemotron-H, Granite 4 hybrids, Falcon-H1, Zamba2: the state is heads x head size x state size."""
    heads = settings.number("mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
    size = settings.number("mamba_head_dim", "mamba_d_head", "mamba_headdim")
    if heads and not size:
        size = settings.number("mamba_expand", "expand") * settings.number("hidden_size") // heads
    state = settings.number("ssm_state_size", "mamba_d_state", "state_size")
    if not (heads and size and state):
        return None
    groups = settings.number("n_groups", "mamba_n_groups", "mamba_ngroups") or 1
    kept = settings.number("conv_kernel", "mamba_d_conv") or 4
    convolved = heads * size + 2 * groups * state
    return convolved * (kept - 1) * BF16_BYTES + heads * size * state * _precision(settings)


def _mamba1(settings: Settings) -> int | None:
    """Jamba, FalconMamba: the state is width x state size."""
    state = settings.number("mamba_d_state", "state_size")
    wide = settings.number("mamba_expand", "expand")
    width = settings.number("intermediate_size") if not wide else wide * settings.number("hidden_size")
    if not (state and width):
        return None
    kept = settings.number("mamba_d_conv", "conv_kernel") or 4
    return width * (kept - 1) * BF16_BYTES + width * state * FLOAT32_BYTES


def _short_convolution(settings: Settings) -> int | None:
    kept = settings.number("conv_L_cache")
    return settings.needed("hidden_size") * (kept - 1) * BF16_BYTES if kept > 1 else None


def _precision(settings: Settings) -> int:
    return BF16_BYTES if settings.string("mamba_ssm_cache_dtype", "mamba_ssm_dtype").endswith("16") else FLOAT32_BYTES


def _int(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20 else 0
