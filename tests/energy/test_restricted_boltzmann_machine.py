"""Restricted Boltzmann machines against scikit-learn, and against sums over every pair of states."""

import itertools

import numpy as np
import pytest
import torch

from practice_torch.energy import restricted_boltzmann_machine as practice


def machine(visible_units, hidden_units, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((visible_units, hidden_units), (visible_units,), (hidden_units,))
    return [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]


def states(units):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def test_free_energies_and_conditionals_agree_with_scikit_learn():
    """sklearn.neural_network.BernoulliRBM: components_ are the transposed weights; its functions are private."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    weight, visible_bias, hidden_bias = machine(6, 4, 0)
    theirs = neural_network.BernoulliRBM(n_components=4)
    theirs.components_, theirs.n_features_in_ = weight.mT.numpy(), 6
    theirs.intercept_visible_, theirs.intercept_hidden_ = visible_bias.numpy(), hidden_bias.numpy()
    visible = states(6)
    ours = practice.free_energy(visible, weight, visible_bias, hidden_bias)
    np.testing.assert_allclose(ours, theirs._free_energy(visible.numpy()), rtol=1e-12, atol=1e-12)
    chances = practice.hidden_logits(visible, weight, hidden_bias).sigmoid()
    np.testing.assert_allclose(chances, theirs.transform(visible.numpy()), rtol=1e-12)


@pytest.mark.parametrize("units", [(5, 3), (3, 5)])
def test_the_normalizer_is_the_sum_over_all_pairs(units):
    """2^8 pairs, in either shape, and the gradient of the likelihood by the same enumeration."""
    weight, visible_bias, hidden_bias = (array.requires_grad_() for array in machine(*units, 1))
    pairs = list(itertools.product(states(units[0]), states(units[1])))
    visible, hidden = (torch.stack(layer) for layer in zip(*pairs, strict=True))
    joint = -practice.energy(visible, hidden, weight, visible_bias, hidden_bias)
    normalizer = practice.exact_log_partition(weight, visible_bias, hidden_bias)
    torch.testing.assert_close(normalizer, joint.logsumexp(0), rtol=1e-13, atol=0)
    (slope,) = torch.autograd.grad(normalizer, weight)
    wanted = torch.einsum("n,nv,nh->vh", joint.detach().softmax(0), visible, hidden)
    torch.testing.assert_close(slope, wanted, rtol=1e-11, atol=1e-13)


def test_a_layer_of_many_blocks_is_summed_whole(monkeypatch):
    """Blocks of 8 states give the normalizer of one block of 64."""
    given = machine(6, 7, 2)
    wanted = practice.exact_log_partition(*given)
    monkeypatch.setattr(practice, "BLOCK", 8)
    torch.testing.assert_close(practice.exact_log_partition(*given), wanted, rtol=1e-14, atol=0)


def test_gibbs_steps_come_to_the_law_of_the_machine():
    """20,000 chains of 30 steps from zero: the frequencies of eight states within five standard errors."""
    weight, visible_bias, hidden_bias = machine(3, 2, 3)
    generator, chains = torch.Generator().manual_seed(4), 20_000
    visible = torch.zeros(chains, 3, dtype=torch.float64)
    for _ in range(30):
        hidden_uniforms, visible_uniforms = (
            torch.rand(chains, units, dtype=torch.float64, generator=generator) for units in (2, 3)
        )
        visible, _ = practice.gibbs_step(visible, hidden_uniforms, visible_uniforms, weight, visible_bias, hidden_bias)
    wanted = practice.log_likelihood(states(3), weight, visible_bias, hidden_bias).exp()
    found = torch.bincount((visible @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long(), minlength=8) / chains
    assert ((found - wanted).abs() < 5 * (wanted * (1 - wanted) / chains).sqrt()).all()
