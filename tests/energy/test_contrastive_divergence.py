"""Contrastive divergence against scikit-learn's RBM, autodiff and enumeration."""

import numpy as np
import pytest
import torch

from practice_torch.energy import contrastive_divergence as practice
from practice_torch.energy.restricted_boltzmann_machine import free_energy, log_likelihood
from practice_torch.experiments.energy.contrastive_divergence import RECIPES
from tests.energy.test_restricted_boltzmann_machine import machine, states
from tests.support import tiny


def test_the_gradient_is_the_slope_of_the_difference_of_mean_free_energies():
    """By torch's autodiff: what an experiment may hand to the engine as a loss."""
    parameters = [array.requires_grad_() for array in machine(6, 4, 0)]
    data, ends = states(6)[[5, 17, 40]], states(6)[[3, 60]]
    loss = free_energy(data, *parameters).mean() - free_energy(ends, *parameters).mean()
    slopes = torch.autograd.grad(loss, parameters)
    for found, slope in zip(practice.gradient(data, ends, parameters[0], parameters[2]), slopes, strict=True):
        torch.testing.assert_close(found, -slope, rtol=1e-12, atol=1e-14)


def test_an_update_of_scikit_learn_is_the_gradient():
    """BernoulliRBM._fit: persistent, with a step; its chain's end is that of ours from the same uniform numbers, both ways."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    weight, visible_bias, hidden_bias = machine(6, 4, 1)
    data = states(6)[[5, 17, 40, 63, 2]]
    theirs = neural_network.BernoulliRBM(n_components=4, learning_rate=0.1)
    theirs.components_, theirs.n_features_in_ = weight.mT.numpy().copy(order="F"), 6
    theirs.intercept_visible_, theirs.intercept_hidden_ = visible_bias.numpy().copy(), hidden_bias.numpy().copy()
    # theirs keeps hidden particles, draws the visible layer from them, and takes the hidden probabilities: half a step ahead
    theirs.h_samples_ = np.array([[1.0, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]])
    hidden = torch.tensor(theirs.h_samples_)
    uniforms = np.random.RandomState(3).uniform(size=(5, 6))
    theirs._fit(data.numpy(), np.random.RandomState(3))
    ends = (torch.tensor(uniforms) < (visible_bias + hidden @ weight.mT).sigmoid()).double()
    d_weight, d_visible, d_hidden = practice.gradient(data, ends, weight, hidden_bias)
    np.testing.assert_allclose(theirs.components_ - weight.mT.numpy(), 0.1 * d_weight.mT, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(theirs.intercept_visible_ - visible_bias.numpy(), 0.1 * d_visible, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(theirs.intercept_hidden_ - hidden_bias.numpy(), 0.1 * d_hidden, rtol=1e-12, atol=1e-14)


def test_the_expected_update_comes_to_the_gradient_of_the_likelihood():
    """At 2^5 states with 3 hidden units: by the matrix of k steps, within the bound of its second eigenvalue."""
    given = [0.7 * array for array in machine(5, 3, 2)]
    weight, _, hidden_bias = given
    data = states(5)[[3, 11, 26]]
    leaves = [array.clone().requires_grad_() for array in given]
    (wanted,) = torch.autograd.grad(log_likelihood(data, *leaves).mean(), leaves[:1])
    matrix = practice.gibbs_matrix(*given)
    statistics = practice.sufficient_statistics(states(5), weight, hidden_bias)[0]
    law = torch.zeros(32, dtype=torch.float64)
    law[[3, 11, 26]] = 1 / 3
    after, errors = law, []
    for _ in range(9):
        update = torch.einsum("s,svh->vh", law - after, statistics)
        errors.append((update - wanted).abs().max().item())
        after = after @ matrix
    second = torch.linalg.eigvals(matrix).real.sort().values[-2].item()
    ratios = [later / earlier for earlier, later in zip(errors, errors[1:], strict=False)]
    assert errors[0] == pytest.approx(wanted.abs().max().item(), rel=1e-12)  # no step: no update
    assert ratios[-1] == pytest.approx(second, rel=0.01) and errors[-1] < 1e-5 * errors[0]


def experiment_of(name, **changes):
    """A recipe in small, with weights of a size at which a chain remembers where it began; and a batch."""
    experiment, batch = tiny.built("energy/contrastive_divergence", tiny.small(RECIPES[name], **changes))
    with torch.no_grad():
        for parameter, drawn in zip(experiment.parameters(), machine(64, 8, 5), strict=True):
            parameter.copy_(0.7 * drawn)
    return experiment, batch


def test_an_evaluation_finds_the_normalizer_of_a_machine_with_few_hidden_units():
    """And with it the likelihood of the images."""
    experiment, _ = experiment_of("digits", temperatures=400, runs=200)
    data = tiny.Random(RECIPES["digits"])
    found = experiment.evaluate(data)
    x = (data.batch()["image"].flatten(1) > RECIPES["digits"].threshold).double()
    exact = -log_likelihood(x, *(parameter.detach().double() for parameter in experiment.parameters())).mean().item()
    assert abs(found["estimate_error"]) < 0.1
    assert found["negative_log_likelihood"] - exact == pytest.approx(found["estimate_error"], abs=1e-4)
    assert 0.5 < found["effective_fraction"] <= 1 and found["log_weight_deviation"] < 1


def test_particles_go_on_where_they_stopped_and_chains_of_the_data_do_not():
    """Two updates without learning are one chain of twice the length."""
    experiment, batch = experiment_of("digits", chain_steps=2)
    start, generator = experiment.particles.clone(), torch.Generator().manual_seed(0)
    for _ in range(2):
        experiment(batch, "train")
    uniforms = [[torch.rand(2, len(start), units, generator=generator) for units in (8, 64)] for _ in range(2)]
    joined = [torch.cat(layer) for layer in zip(*uniforms, strict=True)]
    wanted = practice.chain(start, *joined, *(parameter.detach() for parameter in experiment.parameters()))
    assert torch.equal(experiment.particles, wanted)
    without, _ = experiment_of("digits_cd")
    assert dict(without.named_buffers()) == {}
