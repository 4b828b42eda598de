"""A training on several ranks is that on one: weights, rho, statistics and losses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from metabin.data.batches.loading import Share
from metabin.errors import ConfigError

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """For each number of ranks, what each of them has after a training, by the training's name."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parents[1])])}
    command = [sys.executable, str(HERE / "rank_trainings.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {path.stem: torch.load(path) for path in folder.glob("*.pt")}


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_several_ranks_give_what_one_gives(outcomes, num_ranks):
    ranks = [outcomes[f"{num_ranks}-{rank}"] for rank in range(num_ranks)]
    for name, last in ranks[-1].items():
        if name not in outcomes["1-0"]:
            continue
        expected = outcomes["1-0"][name]
        assert ranks[0][name].keys() == last.keys() == expected.keys()
        for key, value in ranks[0][name].items():
            torch.testing.assert_close(last[key], value, rtol=0, atol=0)  # the ranks agree to the bit
            # 1e-9 as a share of the largest number, since MLDG's gradients of gradients are large
            scale = max(1.0, expected[key].abs().max().item())
            error = (value - expected[key]).abs().max().item()
            assert error < 1e-9 * scale, f"{name}, {key}: {error}"
    assert {"metabin", "metabin, second order"} <= ranks[0].keys()


def test_ranks_with_statistics_of_their_own_agree_with_each_other_and_not_with_one_rank(outcomes):
    first, last = (outcomes[f"2-{rank}"]["metabin, own statistics"] for rank in range(2))
    for key, value in first.items():
        assert value.isfinite().all(), key
        torch.testing.assert_close(last[key], value, rtol=0, atol=0)
    name = "backbone.norm.running_var"
    assert (first[name] - outcomes["1-0"]["metabin"][name]).abs().max() > 1e-3


def test_the_trainings_of_the_comparison_move_everything(outcomes):
    """Else they would be equal whatever the ranks do."""
    for name, outcome in outcomes["1-0"].items():
        assert len(outcome["losses"]) == 3
        for key, value in outcome.items():
            if key.endswith(".rho") and name != "half":
                assert value.std() > 0, (name, key)


def test_every_rank_gets_whole_identities_and_as_many_of_every_domain():
    label = np.repeat(np.arange(12), 3)  # 3 domains of 4 identities with 3 images
    domain = np.repeat(np.arange(3), 12)
    for num_ranks in (1, 2, 4):
        orders = []
        for rank in range(num_ranks):
            share = Share(rank, num_ranks, 3)
            order = share.order(36)
            own = share.own(order)
            orders.append(own)
            assert (np.unique(label[own], return_counts=True)[1] == 3).all()
            assert np.bincount(domain[own]).tolist() == [12 // num_ranks] * 3
        assert np.array_equal(np.concatenate(orders), order)
        assert sorted(order) == list(range(36))


def test_identities_that_the_ranks_cannot_share_equally_are_an_error():
    with pytest.raises(ConfigError, match=r"meta.ids_per_domain is 4, which 8 ranks .* multiple of 8, or use fewer"):
        Share(0, 8, 4).check("meta.ids_per_domain", 4)
