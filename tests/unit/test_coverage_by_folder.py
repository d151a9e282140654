"""What each folder's row of the coverage table adds up."""

from tests.coverage_by_folder import Counts, by_folder, table


def file(run: int, lines: int, branches_run: int = 0, branches: int = 0) -> dict[str, dict[str, int]]:
    return {
        "summary": {
            "covered_lines": run, "num_statements": lines,
            "covered_branches": branches_run, "num_branches": branches,
        }
    }  # fmt: skip


def test_files_count_for_their_top_level_folder() -> None:
    found = by_folder({"api/oci/a.py": file(1, 2, 3, 4), "api/b.py": file(10, 20), "cli/main.py": file(0, 0)})
    assert found == {"api": Counts(11, 22, 3, 4), "cli": Counts()}


def test_the_last_row_is_all_folders_and_nothing_to_run_is_no_share() -> None:
    rows = table({"api": Counts(1, 4, 1, 2), "cli": Counts(3, 4, 0, 0)}).splitlines()
    assert [row.split() for row in rows[1:]] == [
        ["api", "4", "25.0", "%", "2", "50.0", "%"],
        ["cli", "4", "75.0", "%", "0", "-"],
        ["all", "8", "50.0", "%", "2", "50.0", "%"],
    ]
