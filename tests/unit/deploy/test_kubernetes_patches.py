from pathlib import Path

import pytest

from deploy.local.kubernetes import patches


def test_the_comparison_with_a_zero_value_is_left_out_where_it_is(tmp_path: Path) -> None:
    validator = tmp_path / patches.TYPE_VALIDATORS[0]
    validator.parent.mkdir(parents=True)
    validator.write_text(f"\tif {patches.ZERO_TAKEN_FOR_NULL} {{\n\t\treturn result\n\t}}\n")
    (tmp_path / patches.REFLECT).mkdir(parents=True)
    patches.apply_patches(tmp_path)
    assert validator.read_text() == "\tif data == nil {\n\t\treturn result\n\t}\n"


@pytest.mark.parametrize("text", ["if data == nil {", f"{patches.ZERO_TAKEN_FOR_NULL} {patches.ZERO_TAKEN_FOR_NULL}"])
def test_a_source_that_is_not_as_expected_is_not_built(tmp_path: Path, text: str) -> None:
    source = tmp_path / "type.go"
    source.write_text(text)
    with pytest.raises(patches.PatchFailed, match=r"type\.go.* times instead of once"):
        patches.replace_once(source, patches.ZERO_TAKEN_FOR_NULL, "data == nil")
    assert source.read_text() == text


def test_a_module_is_replaced_whole_but_for_its_tests(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, names in ((old, ["gone.go", "gone.s", "LICENSE"]), (new, ["kept.go", "kept.s", "kept_test.go"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
    patches.replace_module(old, new)
    assert sorted(path.name for path in old.iterdir()) == ["LICENSE", "kept.go", "kept.s"]
