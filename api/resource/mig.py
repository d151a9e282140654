"""The slices of NVIDIA's multi-instance GPUs (MIG), and on which GPUs they are.

From NVIDIA's MIG user guide, by their resources' names: the device plugin offers `1g.10gb+me`, a slice with media
engines, as `nvidia.com/mig-1g.10gb.me`.
"""

from collections.abc import Mapping
from typing import Final

SLICES: Final[Mapping[str, tuple[str, ...]]] = {
    "A30": ("1g.6gb", "1g.6gb.me", "2g.12gb", "2g.12gb.me", "4g.24gb"),
    "A100 40 GB": ("1g.5gb", "1g.5gb.me", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"),
    "A100 80 GB": ("1g.10gb", "1g.10gb.me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H100 80 GB": ("1g.10gb", "1g.10gb.me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H100 94 GB": ("1g.12gb", "1g.12gb.me", "1g.24gb", "2g.24gb", "3g.47gb", "4g.47gb", "7g.94gb"),
    "GH200 96 GB": ("1g.12gb", "1g.12gb.me", "1g.24gb", "2g.24gb", "3g.48gb", "4g.48gb", "7g.96gb"),
    "GH200 144 GB": ("1g.18gb", "1g.18gb.me", "1g.36gb", "2g.36gb", "3g.72gb", "4g.72gb", "7g.144gb"),
    "H200": ("1g.18gb", "1g.18gb.me", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"),
    "B200": ("1g.23gb", "1g.23gb.me", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"),
    "GB200": ("1g.23gb", "1g.23gb.me", "1g.47gb", "2g.47gb", "3g.93gb", "4g.93gb", "7g.186gb"),
    "B300": ("1g.34gb", "1g.34gb.me", "1g.67gb", "2g.67gb", "3g.135gb", "4g.135gb", "7g.269gb"),
    "GB300": ("1g.35gb", "1g.35gb.me", "1g.70gb", "2g.70gb", "3g.139gb", "4g.139gb", "7g.278gb"),
    "RTX PRO 6000": ("1g.24gb", "1g.24gb.me", "2g.48gb", "2g.48gb.me", "4g.96gb"),
    "RTX PRO 5000": ("1g.12gb", "1g.12gb.me", "2g.24gb", "2g.24gb.me", "4g.48gb"),
}
PROFILES: Final = tuple(dict.fromkeys(profile for profiles in SLICES.values() for profile in profiles))

"""Every slice that some GPU has."""
REMEDY: Final = f"use one that a GPU has, such as {', '.join(f'{names[0]} ({gpu})' for gpu, names in SLICES.items())}"
