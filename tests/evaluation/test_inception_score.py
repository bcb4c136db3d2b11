"""The inception score compared with SciPy, scikit-learn and torchmetrics, and its bias for finite samples."""

from itertools import product

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import torch

from practice_torch.evaluation import inception_score as practice

rng = np.random.default_rng(0)
LOGITS = rng.normal(scale=2.0, size=(60, 5))
ANSWERS = torch.tensor(LOGITS).log_softmax(1)


def test_it_is_the_mean_divergence_that_scipy_computes():
    probs = scipy.special.softmax(LOGITS, axis=1)
    wanted = scipy.stats.entropy(probs, probs.mean(0)[None], axis=1).mean()
    np.testing.assert_allclose(practice.log_inception_score(ANSWERS), wanted, rtol=1e-13)


def test_certain_answers_have_the_mutual_information_that_scikit_learn_counts():
    """One image an observation: its class, and which half of the images it is in, are what y and n are to the score."""
    labels = rng.integers(4, size=(2, 30))
    halves = torch.stack([torch.bincount(torch.tensor(half), minlength=4) for half in labels]).double() / 30
    wanted = sklearn.metrics.mutual_info_score(np.repeat([0, 1], 30), labels.ravel())
    np.testing.assert_allclose(practice.log_inception_score(halves.log()), wanted, rtol=1e-12)


@pytest.mark.peers("torchmetrics")
def test_splits_are_torchmetrics():
    """Given logits as features; its blocks are consecutive, too, after a permutation that the seed makes known."""
    import torchmetrics.image.inception as metric

    score = metric.InceptionScore(feature=torch.nn.Identity(), splits=4)
    score.update(torch.tensor(LOGITS))
    torch.manual_seed(3)
    mean, deviation = score.compute()
    torch.manual_seed(3)
    ours = practice.split_inception_scores(ANSWERS[torch.randperm(60)], splits=4)
    np.testing.assert_allclose([ours.mean(), ours.std()], [mean, deviation], rtol=1e-6)


@pytest.mark.parametrize("rows", [[[0.9, 0.1], [0.2, 0.8]], [[1.0, 0.0], [0.5, 0.5]]])
def test_a_larger_sample_scores_higher_in_expectation(rows):
    """All draws of 1 to 4 images from two."""
    rows = torch.tensor(rows, dtype=torch.float64).log()
    scores = []
    for size in range(1, 5):
        draws = [practice.log_inception_score(rows[list(draw)]) for draw in product(range(2), repeat=size)]
        scores.append(torch.stack(draws).mean().item())
    assert scores[0] == 0
    assert all(low < high for low, high in zip(scores, scores[1:], strict=False))
    assert scores[-1] < practice.log_inception_score(rows)


def test_ten_thousand_answers_cost_no_copy_for_each_class():
    """The gradient is finite with answers of probability 0 and near 1."""
    answers = torch.eye(10, dtype=torch.float64).repeat(1000, 1).log().requires_grad_()
    score = practice.inception_score(answers)
    score.backward()
    torch.testing.assert_close(score, torch.tensor(10.0, dtype=torch.float64))
    assert torch.isfinite(answers.grad).all()
