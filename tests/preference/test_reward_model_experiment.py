"""What is measured of a reward model of texts: order, order at equal length, and probabilities."""

import pytest
import torch

from practice_torch.experiments.preference.reward_model import RECIPES, calibration
from tests.support import tiny


class Letters:
    """Held-out texts of random letters."""

    texts = torch.randint(97, 123, (64, 23), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.texts)

    def batch(self, indices):
        return {"tokens": self.texts[indices]}


def judged_by(rewards):
    """The metrics of a model with rewards given by a function of the pairs."""
    recipe = tiny.small(RECIPES["pydoc"], completion=20, prompt=3, judged=64)
    experiment, _ = tiny.built("preference/reward_model", recipe)
    experiment._rewards = rewards
    return experiment.evaluate(Letters())


def test_the_truth_itself_orders_all_pairs_but_ties():
    found = judged_by(lambda pairs: pairs.gold)
    assert found["pair_accuracy"] > 0.9 and found["vote_accuracy"] == found["best_vote_accuracy"] < 1


def test_a_model_that_reads_length_alone_is_at_chance_where_lengths_are_equal():
    found = judged_by(lambda pairs: pairs.mask.sum(2).float())
    assert found["matched_accuracy"] == 0.5 != found["pair_accuracy"]


def test_predictions_are_held_against_the_share_of_votes():
    """Two bins: at 0.1 a quarter of the votes are for the first text, at 0.9 all of them; the intervals hold the shares."""
    votes = torch.tensor([True, False, False, False, True, True])
    predicted, observed, counts, low, high = calibration(torch.tensor([0.1] * 4 + [0.9] * 2).logit(), votes)
    assert predicted.tolist() == pytest.approx([0.1, 0.9]) and observed.tolist() == [0.25, 1.0] and counts.tolist() == [4, 2]
    assert bool((low <= observed).all()) and bool((observed <= high + 1e-6).all()) and bool((low < high).all())


def test_a_model_that_is_too_sure_is_not_calibrated():
    right, sure = (judged_by(lambda pairs, k=k: k * pairs.gold)["calibration_error"] for k in (1.0, 4.0))
    assert right < 0.15 and sure > 1.3 * right
