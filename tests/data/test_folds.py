import pytest

from metabin.data.partition.folds import datasets, describe, final_fold, leave_one_out
from metabin.types import FINAL, Fold


def test_every_domain_is_held_out_once_and_the_others_are_its_sources():
    folds = leave_one_out(["a", "b", "c"])
    assert [(fold.name, fold.sources, fold.targets) for fold in folds] == [
        ("a", ("b", "c"), ("a",)),
        ("b", ("a", "c"), ("b",)),
        ("c", ("a", "b"), ("c",)),
    ]


def test_a_domain_cannot_be_source_and_target():
    with pytest.raises(ValueError, match=r"\['b'\] are both sources and targets"):
        Fold("b", ("a", "b"), ("b",))


def test_a_fold_without_sources_is_refused():
    with pytest.raises(ValueError, match="at least one source and one target, found 0 and 1"):
        leave_one_out(["a"])


def test_some_sources_train_in_every_fold_and_a_group_is_held_out_together():
    folds = leave_one_out(["small", "c"], ["d"], {"small": ["a", "b"]})
    assert [(fold.name, fold.sources, fold.targets) for fold in folds] == [
        ("small", ("c", "d"), ("a", "b")),
        ("c", ("a", "b", "d"), ("c",)),
    ]
    assert datasets(folds) == ("a", "b", "c", "d")
    assert describe(folds[0]) == "c + d -> a + b"


def test_a_group_with_a_source_as_member_is_refused():
    with pytest.raises(ValueError, match=r"\['d'\] are both sources and targets"):
        leave_one_out(["small"], ["d"], {"small": ["a", "d"]})


def test_a_held_out_domain_may_have_sources_of_its_own():
    folds = leave_one_out(["x", "c"], ["d"], {"x": ["a", "b"]}, {"x": ["e", "f"]})
    assert [(fold.name, fold.sources, fold.targets) for fold in folds] == [
        ("x", ("e", "f"), ("a", "b")),
        ("c", ("a", "b", "d"), ("c",)),
    ]


def test_the_final_fold_trains_on_every_data_set_and_holds_none_out():
    fold = final_fold(leave_one_out(["small", "c"], ["d"], {"small": ["a", "b"]}, {"c": ["e", "f"]}))
    assert (fold.name, set(fold.sources), fold.targets) == (FINAL, {"a", "b", "c", "d", "e", "f"}, ())
    assert len(set(fold.sources)) == len(fold.sources)
    assert describe(Fold(FINAL, ("a", "b"), ())) == "a + b: all data sets, for the final model"


def test_another_fold_needs_a_target():
    with pytest.raises(ValueError, match="at least one source and one target, found 1 and 0"):
        Fold("c", ("a",), ())
