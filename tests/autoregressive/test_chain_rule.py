"""The chain rule compared with torch.distributions and SciPy, and properties of MADE's experiment."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import torch
from flax import nnx

from practice_torch.autoregressive import chain_rule as practice
from practice_torch.experiments.autoregressive.chain_rule import RECIPES, MadeExperiment
from theory_jax.autoregressive import chain_rule as theory

rng = np.random.default_rng(0)


def test_sequence_log_prob_agrees_with_torch_distributions():
    """torch.distributions.Categorical, step by step, over the valid steps."""
    tokens, logits = torch.tensor(rng.integers(0, 4, (3, 5))), torch.tensor(rng.normal(size=(3, 5, 4)))
    mask = torch.tensor(rng.uniform(size=(3, 5)) < 0.6)
    steps = torch.distributions.Categorical(logits=logits).log_prob(tokens)
    torch.testing.assert_close(practice.sequence_log_prob(tokens, logits, mask), (steps * mask).sum(1), rtol=1e-13, atol=1e-13)


def test_bernoulli_log_prob_agrees_with_torch_distributions_and_scipy():
    x, logits = torch.tensor(rng.integers(0, 2, (6, 3)), dtype=torch.float64), torch.tensor(rng.normal(size=(6, 3)))
    got = practice.autoregressive_bernoulli_log_prob(x, logits)
    wanted = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(got, scipy.stats.bernoulli.logpmf(x, logits.sigmoid()).sum(1), rtol=1e-12)


def test_confident_and_right_is_not_rounded_to_certain():
    """At 40, log sigma is -e^-40, not 0."""
    got = practice.autoregressive_bernoulli_log_prob(torch.ones(1, 1).double(), torch.full((1, 1), 40.0).double())
    np.testing.assert_allclose(got, -np.exp(-40.0), rtol=1e-15)


@pytest.mark.parametrize("orders", [1, 3])
def test_the_network_is_a_distribution_in_every_order(orders):
    """Sums to one over all states, order by order; the first order is that of the index."""
    torch.manual_seed(0)
    network = practice.MaskedAutoencoder(6, (17, 13), orders).double()
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)
    for k in range(orders):
        total = practice.autoregressive_bernoulli_log_prob(states, network(states, k)).exp().sum()
        assert abs(total.item() - 1) < 1e-12
    assert network.order().tolist() == [1, 2, 3, 4, 5, 6]
    assert len({tuple(network.order(k).tolist()) for k in range(orders)}) == orders


def test_a_network_of_few_units_spreads_their_degrees_in_both_wings():
    """Four units over eight degrees have 1, 3, 5 and 7: an output sees inputs up to the highest degree below its place."""
    places, degrees = range(1, 10), (1, 3, 5, 7)
    wanted = [[any(j <= degree < d for degree in degrees) for j in places] for d in places]
    network, other = practice.MaskedAutoencoder(9, (4,)), theory.MaskedAutoencoder(9, (4,), rngs=nnx.Rngs(0))
    for parameter in network.parameters():
        torch.nn.init.ones_(parameter)
    nnx.update(other, jax.tree.map(jnp.ones_like, nnx.state(other, nnx.Param)))
    x = np.concatenate([np.zeros((1, 9), np.float32), np.eye(9, dtype=np.float32)])
    for logits in (network(torch.from_numpy(x)).detach().numpy(), np.asarray(other(jnp.asarray(x)))):
        assert (logits[1:] != logits[0]).T.tolist() == wanted


def test_a_compiled_graph_would_hold_the_functions():
    """vmap and functional gradients go through: nothing reads values on the way."""
    logits, x = torch.tensor(rng.normal(size=(4, 2, 3))), torch.tensor(rng.integers(0, 2, (4, 2, 3)), dtype=torch.float64)
    mapped = torch.func.vmap(practice.autoregressive_bernoulli_log_prob)(x, logits)
    torch.testing.assert_close(mapped[1], practice.autoregressive_bernoulli_log_prob(x[1], logits[1]))
    gradient = torch.func.grad(lambda l: practice.autoregressive_bernoulli_log_prob(x[0], l).sum())(logits[0])  # noqa: E741
    torch.testing.assert_close(gradient, x[0] - logits[0].sigmoid())


def _experiment(**fields):
    torch.manual_seed(0)
    recipe = dataclasses.replace(RECIPES["digits"], hidden_dims=(20,), **fields)
    experiment = MadeExperiment(recipe, (1, 4, 5))
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment


class _Images:
    """Nine gray images of 4 x 5."""

    pixels = torch.rand(9, 1, 4, 5, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.pixels)

    def batch(self, indices):
        return {"image": self.pixels[indices]}


@pytest.mark.parametrize("fields", [{}, {"orders": 3}, {"pixels": "stochastic"}])
def test_the_experiment_shows_and_judges(fields):
    """A loss, metrics, samples of zeros and ones, and completions that keep the upper half."""
    experiment, data = _experiment(**fields), _Images()
    with torch.no_grad():
        loss, _ = experiment(data.batch(torch.arange(9)), "train")
        metrics = experiment.evaluate(data)
        shown = experiment.preview(data)
    assert loss.shape == () and loss.isfinite()
    assert abs(metrics["bits_per_pixel"] - metrics["nats_per_image"] / np.log(2) / 20) < 1e-12
    assert shown["samples"].images.unique().tolist() == [0.0, 1.0]
    rows = shown["completions"].images.view(6, 8, 4, 5)
    assert torch.equal(rows[:, 1:, :2], rows[:, :1, :2].expand(-1, 7, -1, -1))
    assert not torch.equal(rows[:, 1:, 2:], rows[:, :1, 2:].expand(-1, 7, -1, -1))


def test_several_orders_are_averaged_as_probabilities():
    """-log of the mean of the orders' probabilities is below the mean of their -logs."""
    experiment, data = _experiment(orders=4), _Images()
    with torch.no_grad():
        x = (data.pixels.flatten(1) > experiment.recipe.threshold).float()
        each = torch.stack([-practice.autoregressive_bernoulli_log_prob(x, experiment.network(x, k)) for k in range(4)])
        metrics = experiment.evaluate(data)
    wanted = -torch.log(torch.exp(-each.double()).mean(0)).mean()
    assert abs(metrics["nats_per_image"] - float(wanted)) < 1e-5 < float(each.mean() - wanted)
