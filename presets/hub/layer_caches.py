"""Derives what each layer caches per sequence from a config.json. Pure.

If a configuration is ambiguous, the layer counts as full attention: an estimate may be too large, never too small.
Fields are interpreted as in vLLM 0.32.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

from presets.hub.config import ConfigUnreadable, Settings
from presets.hub.recurrent_state import FLOAT32_BYTES, state_bytes
from presets.models.architecture import BF16_BYTES, LayerGroup

Kind = Literal["full", "sliding", "linear", "nothing"]

KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("full_attention", "attention", "*", "indexed_attention", "global_attention"), "full"),
    **dict.fromkeys(("sliding_attention", "chunked_attention", "local_attention"), "sliding"),
    **dict.fromkeys(("linear_attention", "mamba", "mamba2", "M", "conv", "recurrent", "kda"), "linear"),
    **dict.fromkeys(("moe", "mlp", "-", "E", "O"), "nothing"),
}
"""Names of layers in layer_types and layers_block_type, and letters in hybrid_override_pattern."""
MOST_LAYERS: Final = 4096
NO_MLA: Final = frozenset({"minicpm3"})
"""Compressed in the weights, but kept uncompressed."""
ALL_LINEAR: Final = frozenset({"mamba", "mamba2", "falcon_mamba"})
CONTEXT: Final = "max_position_embeddings"
INDEX_BLOCK: Final = 128
"""An indexer's key is kept in fp8, with a 4-byte scale for so many numbers."""


def layer_groups(settings: Settings) -> tuple[LayerGroup, ...]:
    """The layers, equal ones together. Raises ConfigUnreadable."""
    kinds = layer_kinds(settings)
    if settings.strings("compress_ratios"):
        return _compressed(settings, len(kinds))
    shapes = [_shape(settings, kind, place, len(kinds)) for place, kind in enumerate(kinds)]
    groups = [group.model_copy(update={"count": count}) for group, count in Counter(shapes).items()]
    return (*groups, *_beside_attention(settings, len(kinds)))


def layer_kinds(settings: Settings) -> list[Kind]:
    """The kind of every layer, from the first to the last."""
    named = settings.strings("layers_block_type") or settings.strings("layer_types")
    named = named or [letter for letter in settings.strings("hybrid_override_pattern") if letter != "|"]
    count = settings.number("num_hidden_layers", "n_layer", "num_layers", "n_layers") or len(named)
    if not 0 < count <= MOST_LAYERS:
        raise ConfigUnreadable(f"config.json has {count} layers (num_hidden_layers)")
    if named and len(named) < count:
        raise ConfigUnreadable(f"config.json names the kinds of {len(named)} layers, but has {count}")
    if named:
        return [KINDS.get(name, "full") for name in named[:count]]
    return [_by_rule(settings)(place) for place in range(count)]


def _by_rule(settings: Settings) -> Callable[[int], Kind]:
    """The kind of a layer by its place, where the kinds are not listed."""
    if settings.model_type in ALL_LINEAR:
        return lambda place: "linear"
    linear = settings.inner("linear_attn_config").get("full_attn_layers")
    if isinstance(linear, list):  # counted from 1
        return lambda place: "full" if place + 1 in linear else "linear"
    if every := settings.number("full_attention_interval"):
        return lambda place: "linear" if (place + 1) % every else "full"
    if every := settings.number("attn_layer_period"):
        offset = settings.number("attn_layer_offset")
        return lambda place: "full" if place % every == offset else "linear"
    if indices := settings.strings("attn_layer_indices"):
        return lambda place: "full" if str(place) in indices else "linear"
    if (types := settings.strings("attn_type_list")) and "0" in types:
        return lambda place: "linear" if types[place : place + 1] == ["0"] else "full"
    if (every := settings.number("sliding_window_pattern")) and _window(settings):
        return lambda place: "sliding" if (place + 1) % every else "full"
    uniform: Kind = "sliding" if _window(settings) else "full"
    return lambda place: uniform


def _window(settings: Settings) -> int:
    """The sliding window in tokens; 0 if there is none, or if it is not shorter than the context."""
    window, longest = settings.number("sliding_window", "attention_chunk_size"), settings.number(CONTEXT)
    if not settings.flag("use_sliding_window", default=True) or 0 < longest <= window:
        return 0
    return window


def _shape(settings: Settings, kind: Kind, place: int, layers: int) -> LayerGroup:
    if kind == "nothing" or place >= layers - settings.number("num_kv_shared_layers"):
        return LayerGroup(kind="linear", count=1)
    if kind == "linear":
        state = state_bytes(settings)
        return LayerGroup(kind="linear", count=1, state_bytes=state) if state else _full(settings, place, layers)
    if kind == "sliding" and (window := _window(settings)):
        heads, size = _kv_heads(settings, place, layers), _head_size(settings)
        return LayerGroup(kind="sliding", count=1, kv_heads=heads, head_dim=size, window=window)
    return _full(settings, place, layers)


def _full(settings: Settings, place: int, layers: int) -> LayerGroup:
    rank = settings.number("kv_lora_rank")
    if rank and settings.model_type not in NO_MLA:
        latent = rank + settings.number("qk_rope_head_dim")
        return LayerGroup(kind="mla", count=1, latent_dim=latent, index_bytes=_index_bytes(settings, place))
    heads, size = _kv_heads(settings, place, layers), _head_size(settings)
    if wide := settings.number("global_head_dim"):  # Gemma 4
        size = wide
        heads = settings.number("num_global_key_value_heads") if settings.flag("attention_k_eq_v") else 0
        heads = heads or _kv_heads(settings, place, layers)
    return LayerGroup(kind="full", count=1, kv_heads=heads, head_dim=size)


def _kv_heads(settings: Settings, place: int, layers: int) -> int:
    if each := settings.per_layer("num_key_value_heads", layers):
        return each[place] or 1
    if settings.flag("multi_query") and not settings.flag("new_decoder_architecture"):
        return 1
    names = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num", "num_attention_groups")
    return settings.number(*names) or attention_heads(settings)


def attention_heads(settings: Settings) -> int:
    """Query heads of one layer. Raises ConfigUnreadable."""
    return settings.needed("num_attention_heads", "n_head", "n_heads")


def _head_size(settings: Settings) -> int:
    given = settings.number("head_dim", "attention_head_dim", "kv_channels", "hidden_size_per_head")
    if settings.model_type in NO_MLA:
        given = settings.number("qk_nope_head_dim") + settings.number("qk_rope_head_dim")
    size = given or settings.needed("hidden_size", "n_embd", "d_model") // attention_heads(settings)
    if not size:
        raise ConfigUnreadable("config.json: hidden_size is less than num_attention_heads")
    return size


def _index_bytes(settings: Settings, place: int) -> int:
    """Of a sparse indexer's keys per token (DeepSeek V3.2, GLM-5); layers that reuse an earlier choice keep none."""
    size = settings.number("index_head_dim")
    types = settings.strings("indexer_types")
    if types:
        reuses = types[place : place + 1] == ["shared"]
    else:
        every, offset = settings.number("index_topk_freq") or 1, settings.number("index_skip_topk_offset") or 2
        reuses = bool(max(place - offset + 1, 0) % every)
    return 0 if reuses or not size else _indexed(size)


def _indexed(size: int) -> int:
    return size + 4 * max(1, size // INDEX_BLOCK)


def _compressed(settings: Settings, layers: int) -> tuple[LayerGroup, ...]:
    """DeepSeek V4: one vector for 4 or 128 tokens, the last `sliding_window` tokens, and the compressor's sums."""
    size, window = settings.needed("head_dim"), settings.number("sliding_window") or 128
    index = settings.number("index_head_dim")
    lately = window * size * BF16_BYTES
    groups: Counter[LayerGroup] = Counter()
    for ratio in settings.per_layer("compress_ratios", layers) or []:
        if ratio <= 1:
            groups[LayerGroup(kind="linear", count=1, state_bytes=lately)] += 1
            continue
        overlap = 2 if ratio == 4 else 1  # windows of 4 overlap, and have an indexer
        width = size + (index if ratio == 4 else 0)
        sums = overlap * ratio * 2 * overlap * width * FLOAT32_BYTES
        kept = _indexed(index) // ratio if ratio == 4 and index else 0
        latent = max(1, size // ratio)
        groups[LayerGroup(kind="mla", count=1, latent_dim=latent, index_bytes=kept, state_bytes=lately + sums)] += 1
    return tuple(group.model_copy(update={"count": count}) for group, count in groups.items())


def _beside_attention(settings: Settings, layers: int) -> tuple[LayerGroup, ...]:
    """Falcon-H1 runs attention and Mamba side by side in every layer."""
    if settings.model_type != "falcon_h1":
        return ()
    return (LayerGroup(kind="linear", count=layers, state_bytes=state_bytes(settings) or 0),)
