"""Statistics of a batch compared with SciPy's and scikit-learn's, and what they say of a generator that collapses."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import cosine_similarity

from practice_torch.adversarial import minibatch_discrimination as practice

GENERATOR = torch.Generator().manual_seed(4)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_similarities_are_those_of_scipys_city_block_distances():
    features, tensor = draw(6, 4), draw(4, 3, 2)
    found = practice.minibatch_discrimination(features, tensor)
    for kernel in range(3):
        images = (features @ tensor[:, kernel]).numpy()
        np.testing.assert_allclose(found[:, kernel], np.exp(-cdist(images, images, metric="cityblock")).sum(1), rtol=1e-12)


def test_the_penalty_of_a_discriminator_with_similarities_can_be_differentiated():
    """A gradient penalty needs the second derivative."""
    features, tensor = draw(4, 3).requires_grad_(), draw(3, 2, 2).requires_grad_()
    (slope,) = torch.autograd.grad(practice.minibatch_discrimination(features, tensor).sum(), features, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.square().sum(), tensor)
    assert curvature.abs().max() > 1e-3


@pytest.mark.parametrize("group", [1, 2, 3, 6])
def test_deviations_are_numpys(group):
    x = draw(6, 3, 4, 2).numpy()
    found = practice.minibatch_standard_deviation(torch.from_numpy(x), group_size=group, epsilon=1e-3)[:, 3].numpy()
    for n in range(6):
        members = [m for m in range(6) if m % (6 // group) == n % (6 // group)]
        np.testing.assert_allclose(found[n], np.sqrt(x[members].var(axis=0) + 1e-3).mean(), rtol=1e-12)


def test_the_pull_away_term_is_of_scikit_learns_cosines():
    rows = draw(7, 3)
    cosines = cosine_similarity(rows.numpy())
    wanted = (cosines[~np.eye(7, dtype=bool)] ** 2).mean()
    np.testing.assert_allclose(practice.pull_away_term(rows), wanted, rtol=1e-12)


def test_feature_matching_is_biased_by_what_its_samples_spread():
    """10,000 losses of 3 real and 4 fake features of one law: the mean is the variance times 1/3 + 1/4, not zero."""
    real, fake = 2 * draw(10_000, 3, 1), 2 * draw(10_000, 4, 1)
    losses = torch.func.vmap(practice.feature_matching_loss)(real, fake)
    assert losses.mean().item() == pytest.approx(4 * (1 / 3 + 1 / 4), abs=5 * losses.std().item() / 100)


def test_a_collapsing_generator_is_seen_in_batches_alone():
    """Each round repeats one of the data's two modes: over rounds all modes are as frequent, but batches are too much alike."""
    modes = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    tensor = torch.full((1, 1, 1), 8.0, dtype=torch.float64)
    good = torch.randint(2, (2000, 5), generator=GENERATOR)
    collapsed = torch.randint(2, (2000, 1), generator=GENERATOR).expand(-1, 5)
    assert abs(good.double().mean() - collapsed.double().mean()) < 0.05
    of_batches = torch.func.vmap(lambda which: practice.minibatch_discrimination(modes[which], tensor).mean())
    assert of_batches(collapsed).min().item() == pytest.approx(5.0)
    assert of_batches(good).mean().item() == pytest.approx(3.0, abs=0.1)  # itself, and half of the four others
