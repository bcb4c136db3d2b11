"""Spectral normalization compared with NumPy's singular values and torch, and the behavior of the network and its experiment."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as torchs

from practice_torch.adversarial import spectral_normalization as practice
from practice_torch.experiments.adversarial.spectral_normalization import SpectralRecipe, build
from tests.adversarial.test_dcgan import RandomImages

GENERATOR = torch.Generator().manual_seed(9)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_many_iterations_find_numpys_first_singular_vectors():
    weight = draw(6, 4)
    left, values, right = np.linalg.svd(weight.numpy())
    u, v = practice.power_iteration(weight, draw(6), iterations=300)
    np.testing.assert_allclose(torch.outer(u, v), np.outer(left[:, 0], right[0]), atol=1e-12)
    np.testing.assert_allclose(practice.spectral_norm_estimate(weight, u, v), values[0], rtol=1e-12)
    np.testing.assert_allclose(practice.spectral_norm(weight), values[0], rtol=1e-12)


def test_a_normalized_layer_is_torchs_with_its_vectors():
    """Output and gradient, with torch's u; in evaluation torch keeps its own v."""
    layer = torchs(nn.Conv2d(3, 4, 3, padding=1, dtype=torch.float64)).eval()
    ours = practice.NormalizedConvolution((4, 3, 3, 3), 1).double().eval()
    kept, images = layer.parametrizations.weight, draw(2, 3, 5, 5)
    with torch.no_grad():
        ours.weight.copy_(kept.original)
        ours.bias.copy_(layer.bias)
        ours.u.copy_(kept[0]._u)
        kept[0]._v.copy_(nn.functional.normalize(kept.original.flatten(1).mT @ kept[0]._u, dim=0))
    found, wanted = ours(images), layer(images)
    torch.testing.assert_close(found, wanted)
    weights = draw(*found.shape)
    slopes = (
        torch.autograd.grad((found * weights).sum(), ours.weight),
        torch.autograd.grad((wanted * weights).sum(), kept.original),
    )
    torch.testing.assert_close(*slopes)


def test_training_calls_turn_the_vectors_and_evaluation_does_not():
    """They are buffers, which a checkpoint holds; a discriminator that is used twice before the backward pass is as before."""
    torch.manual_seed(3)  # far from normalized at first: the worst norm is off by 0.53
    network = practice.NormalizedDiscriminator(shape=(1, 8, 8), width=4)
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert {f"layers.{layer}.u" for layer in (0, 2, 5)} <= set(network.state_dict())
    begun = network.norms().sub(1).abs().amax()
    (network(images).sum() - network(-images).sum()).backward()
    for _ in range(30):
        network(images)
    assert begun > 0.3 and network.norms().sub(1).abs().amax() < 1e-3
    before = {name: kept.clone() for name, kept in network.named_buffers()}
    network.eval()(images)
    assert all(torch.equal(kept, before[name]) for name, kept in network.named_buffers())


def test_the_scale_of_the_weights_does_not_matter():
    network = practice.NormalizedDiscriminator(shape=(1, 8, 8), width=4).eval()
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before = network(images)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.mul_(1.0 if "bias" in name else 50.0)
    torch.testing.assert_close(network(images), before)


@pytest.mark.parametrize("iterations", [1, 5])
def test_the_experiment_measures_the_error_of_the_iteration(iterations):
    """Which more steps make smaller."""
    data = RandomImages((1, 8, 8))
    game = build(SpectralRecipe(latent=5, width=4, classifier_hidden=6, fakes=40, iterations=iterations), data)
    game.generator = torch.Generator().manual_seed(0)
    game(data.batch(), "discriminator")
    with torch.no_grad():
        layer = game.discriminator.layers[0]
        before = game.evaluate(data)["norm_error"]
        layer.weight.copy_(layer.weight.flip(1, 2, 3) * torch.linspace(1, 3, 4)[:, None, None, None])
    game(data.batch(), "discriminator")
    after = game.evaluate(data)["norm_error"]
    assert (max(before, after) < 0.02) if iterations == 5 else (max(before, after) > 0.02)
