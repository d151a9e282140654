"""In which type a model is served on a CPU."""

import pytest

from runtime.serve.start.precision import cpu_flags, dtype_on_cpu, flags_in

X86 = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\nbugs\t\t: none\nprocessor\t: 1\nflags\t\t: fpu\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n"


@pytest.mark.parametrize(
    ("flags", "asked", "dtype"),
    [
        ({"avx2", "avx512f"}, "auto", "float32"),
        ({"avx512f", "avx512_bf16"}, "auto", "auto"),
        ({"amx_bf16"}, "auto", "auto"),
        ({"asimd", "bf16"}, "auto", "auto"),
        ({"avx2"}, "bfloat16", "bfloat16"),
        (set(), "auto", "float32"),
    ],
)
def test_a_cpu_without_units_for_bfloat16_computes_in_float32_by_default(
    flags: set[str], asked: str, dtype: str
) -> None:
    assert dtype_on_cpu(asked, flags) == dtype


def test_flags_are_those_of_the_first_cpu() -> None:
    assert flags_in(X86) == {"fpu", "avx2", "avx512f", "avx512_bf16"}
    assert flags_in(ARM) == {"fp", "asimd", "bf16", "i8mm"}
    assert flags_in("processor: 0\n") == frozenset()


def test_this_machine_has_flags() -> None:
    assert cpu_flags()
