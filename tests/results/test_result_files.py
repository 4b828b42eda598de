"""Reading of result files: what does not fit together is refused."""

import pytest

from metabin.errors import StageFileError, UserError
from metabin.results.result_files import read_results

HEAD = "fold,sources,method,seed,tests,mAP,rank1,mINP\n"
BN = "draw-0,3,bn,0,near,50.5,60,40\ndraw-0,3,bn,0,far,30,40,20\ndraw-0,3,bn,0,seen,70,80,60\n"


@pytest.fixture
def read(tmp_path):
    """A function that reads result files with these contents."""

    def run(*texts):
        paths = [tmp_path / f"{number}.csv" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return read_results(paths, ["near", "step 1", "far"])

    return run


def test_rows_come_from_near_to_far_and_seen_last_as_fractions(read):
    lines = BN.splitlines(keepends=True)
    table = read(HEAD + lines[1] + lines[0] + lines[2], HEAD + BN.replace("bn", "in"))
    assert list(table["tests"]) == ["near", "near", "far", "far", "seen", "seen"]
    assert list(table["method"]) == ["bn", "in", "bn", "in", "bn", "in"]
    assert table["mAP"].tolist() == pytest.approx([0.505, 0.505, 0.3, 0.3, 0.7, 0.7])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BN, "has no column fold, sources"),
        (HEAD + BN[:-1], "last line is incomplete"),
        (HEAD + BN.replace("50.5", ""), "a value is missing"),
        (HEAD + BN.replace("50.5", "high"), "could not convert string to float"),
        (HEAD + BN.replace("far", "away"), "tests is 'away', expected near, step 1, far or seen"),
    ],
)
def test_a_damaged_file_is_named_with_the_command_that_makes_it(read, text, reason):
    with pytest.raises(StageFileError, match=f"0.csv is damaged .*{reason}.*stages.tools.evidence collect"):
        read(text)


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(StageFileError, match=r"none\.csv is missing; run `python -m stages\.tools\.evidence collect`"):
        read_results([tmp_path / "none.csv"], ["near"])


def test_two_rows_of_one_training_are_refused(read):
    with pytest.raises(UserError, match="two rows are of fold draw-0, method bn, seed 0, tests near; give variants"):
        read(HEAD + BN, HEAD + BN.replace("50.5", "51"))


@pytest.mark.parametrize("change", [("draw-0", "draw-1"), (",0,far", ",1,far"), ("far", "step 1")])
def test_methods_of_other_folds_seeds_or_style_distances_are_not_compared(read, change):
    with pytest.raises(UserError, match="no row is of fold draw-., method .., seed ., tests .*, where another method"):
        read(HEAD + BN, HEAD + BN.replace("bn", "in").replace(*change))


def test_runs_with_other_numbers_of_sources_may_have_the_same_folds_and_other_methods(read):
    assert len(read(HEAD + BN, HEAD + BN.replace(",3,bn", ",5,bn"), HEAD + BN.replace(",3,bn", ",5,in"))) == 9
