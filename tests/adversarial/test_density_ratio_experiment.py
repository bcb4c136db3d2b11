"""The experiment of density ratios: exact classifiers, and the odds of the classes in their logits."""

import math

import pytest
import torch

from practice_torch.experiments.adversarial.density_ratio import RECIPES
from tests.support import tiny


def evaluated(share=0.25, odds=None, far=None):
    """With logits as they should be where a batch holds this share of p; far: a logit of the farthest pair instead."""
    recipe = tiny.small(RECIPES["gaussians"], share=share, batch_size=32, evaluation_draws=20_000)
    experiment, batch = tiny.built("adversarial/density_ratio", recipe)
    odds = math.log(share / (1 - share)) if odds is None else odds

    def logits(pair, points):
        if far is not None and pair == -1:
            return torch.where(points[:, 0] > recipe.distances[-1] / 2, far, -far)
        return experiment._true_log_ratio(pair, points) + odds

    experiment._logits = logits
    with torch.no_grad():
        return experiment.evaluate(None), experiment, batch


def test_right_logits_are_without_error_and_estimate_the_divergences():
    """By hand: 1/2 (2 s^2 + d^2) - 1 - 2 log s with the deviation s = 0.6, for the distances 1 and 10."""
    found, *_ = evaluated()
    near, far = ((2 * 0.36 + distance**2) / 2 - 1 - 2 * math.log(0.6) for distance in (1, 10))
    assert found["ratio_error"] < 1e-5
    assert found["divergence"] == pytest.approx(near, rel=1e-6) and found["divergence_far"] == pytest.approx(far, rel=1e-6)
    assert found["estimate"] == pytest.approx(near, abs=0.03) and found["estimate_far"] == pytest.approx(far, abs=0.3)
    assert found["mass"] == pytest.approx(1, abs=0.05) and found["accuracy_far"] == 1


def test_logits_contain_the_odds_of_the_classes():
    """A batch with three draws of q to one of p: without the correction every log-ratio is too small by log 3."""
    found, *_ = evaluated(odds=0.0)
    assert found["ratio_error"] == pytest.approx(math.log(3), rel=1e-4) and found["mass"] == pytest.approx(3, abs=0.15)


def test_a_classifier_that_is_always_right_may_miss_the_ratio():
    """The density chasm: its loss is that of the right logits to four digits, and its estimate a fifth of the divergence."""
    found, experiment, batch = evaluated(share=0.5, far=10.0)
    assert found["accuracy_far"] == 1 and found["estimate_far"] == pytest.approx(10, abs=0.01) and found["divergence_far"] > 50
    with torch.no_grad():
        assert float(experiment(batch, "classifiers")[1]["farthest"]) < 1e-4


def test_a_batch_without_one_of_the_classes_is_refused():
    with pytest.raises(ValueError, match="share is 0.01; it must be such that both"):
        tiny.small(RECIPES["gaussians"], share=0.01, batch_size=32)
