"""A few kills of a training. `tests/kill_campaign.py` kills the whole pipeline as often as one likes."""

import random

from kill_campaign import Tally, campaign, table


def test_a_training_that_is_killed_again_and_again_leaves_what_an_unbroken_one_leaves(tmp_path):
    tally = Tally()
    with campaign(tmp_path, ["training"]) as trials:
        trials.trial("training", tally, random.Random(0))
    assert not tally.problems, table({"training": tally})
    assert tally.kills.total() >= 3
