"""The list of `make mutants` fits the code: its files and tests exist, and so do the lines of explained survivors."""

import pytest
from mutants import CONFIG, ROOT, copy_code

GROUPS = CONFIG["groups"].items()


@pytest.mark.parametrize(("name", "group"), GROUPS, ids=CONFIG["groups"])
def test_the_files_and_tests_of_a_group_exist(name, group):
    for pattern in group["files"]:
        assert list(ROOT.glob(pattern)), pattern
    for test in [*group["tests"], *group.get("deselected", ())]:
        path, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}" in (ROOT / path).read_text(), test


def test_every_explained_survivor_is_a_change_of_a_line_that_exists():
    for item in CONFIG["survivors"]:
        assert item["reason"], item
        source = " ".join((ROOT / item["file"]).read_text().split())
        assert " ".join(item["from"].split()) in source, item


def test_a_copy_has_plain_kernels_and_loses_files_that_are_gone(tmp_path):
    group = CONFIG["groups"]["ranking"]
    copy_code(tmp_path, group)
    ranks = tmp_path / "metabin/evaluation/match_ranks.py"
    assert "@compiled" in (ROOT / "metabin/evaluation/match_ranks.py").read_text()
    assert "@compiled" not in ranks.read_text()
    assert "[tool.mutmut]" in (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "metabin/gone.py").write_text("")
    before = ranks.stat().st_mtime_ns
    copy_code(tmp_path, group)
    assert not (tmp_path / "metabin/gone.py").exists()
    assert ranks.stat().st_mtime_ns == before  # its results stay
