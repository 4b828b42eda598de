import pytest

from metabin.protocol.folds import leave_one_out
from metabin.types import Fold


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
