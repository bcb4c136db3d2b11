"""A split compared with SciPy, pixel shuffling compared with torch, and the purpose of the network."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.flows import multiscale as practice

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_squeeze_shuffles_pixels_as_torch_does():
    """torch's pixel_unshuffle and pixel_shuffle."""
    image = torch.arange(2 * 3 * 4 * 6, dtype=torch.float64).view(2, 3, 4, 6)
    squeezed = practice.squeeze(image)
    assert torch.equal(squeezed, functional.pixel_unshuffle(image, 2))
    assert torch.equal(practice.unsqueeze(squeezed), functional.pixel_shuffle(squeezed, 2))


def test_a_split_of_two_normal_halves_has_their_joint_density():
    """scipy.stats.multivariate_normal: b = a/2 + e, a and e standard normal, in two channels."""
    kept, log_prob = practice.split_prior_log_prob(X, lambda a: a / 2, torch.zeros_like)
    block = np.eye(2)
    covariance = np.block([[block, block / 2], [block / 2, 1.25 * block]])
    wanted = scipy.stats.multivariate_normal.logpdf(X, np.zeros(4), covariance)
    margin = scipy.stats.multivariate_normal.logpdf(kept, np.zeros(2), block)
    np.testing.assert_allclose(log_prob, wanted - margin, rtol=1e-12)


def moved_away(network, moved):
    """In float64, away from where it begins."""
    with torch.no_grad():
        for parameter in network.double().parameters():
            parameter += moved * torch.randn_like(parameter)
    return network


def glow(seed=0, moved=0.3):
    """Two levels of two steps for images of 2 x 4 x 4, and three of these."""
    torch.manual_seed(seed)
    network = practice.Glow(shape=(2, 4, 4), num_levels=2, depth=2, width=5, bound=2.0)
    return moved_away(network, moved), torch.randn(3, 32, dtype=torch.float64)


def real_nvp(seed=0, moved=0.1):
    torch.manual_seed(seed)
    network = practice.MultiscaleRealNVP(shape=(2, 4, 4), width=3, residual_blocks=1, bound=2.0)
    return moved_away(network, moved), torch.randn(3, 32, dtype=torch.float64)


def published_glow(seed=0, moved=0.1):
    torch.manual_seed(seed)
    network = practice.PublishedGlow(shape=(2, 4, 4), num_levels=2, depth=2, width=5)
    return moved_away(network, moved), torch.randn(3, 32, dtype=torch.float64)


def published_real_nvp(seed=0, moved=0.1):
    """In evaluation, behind a batch of training."""
    torch.manual_seed(seed)
    network = moved_away(practice.PublishedRealNVP(shape=(2, 4, 4), width=3, residual_blocks=1), moved)
    network(1 + 2 * torch.randn(5, 32, dtype=torch.float64))
    return network.eval(), torch.randn(3, 32, dtype=torch.float64)


@pytest.mark.parametrize("make", [glow, real_nvp, published_glow, published_real_nvp])
def test_a_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian(make):
    network, x = make()
    z, log_det = network(x)
    back, there = network.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(there, -log_det)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network(row[None])[0][0]))(x)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det)


def test_glow_begins_at_a_rotation():
    network, x = glow(moved=0.0)
    z, log_det = network.float()(x.float())
    torch.testing.assert_close(z.square().sum(1), x.float().square().sum(1))
    torch.testing.assert_close(log_det, torch.zeros(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [glow, real_nvp])
def test_initialized_by_a_batch_every_step_standardizes_its_channels(make):
    """Also behind steps that do not begin at a rotation."""
    network, _ = make()
    x = 3 + 2 * torch.randn(16, 32, dtype=torch.float64)
    network.initialize(x)
    seen = {}
    for number, step in enumerate(network.blocks):
        step.register_forward_pre_hook(lambda step, given, number=number: seen.setdefault(number, given[0]))
    network(x)
    assert len(seen) == len(network.blocks) > 3
    for number, step in enumerate(network.blocks):
        channels = ((seen[number] + step.shift[:, None, None]) * step.log_scale.exp()[:, None, None]).transpose(0, 1).flatten(1)
        torch.testing.assert_close(channels.mean(1), torch.zeros_like(channels[:, 0]), atol=1e-12, rtol=0)
        torch.testing.assert_close(channels.var(1, correction=0), torch.ones_like(channels[:, 0]))


def test_initialized_by_a_batch_the_published_glow_standardizes_its_hidden_layers_too():
    """Every step's channels, and both hidden convolutions' results, before the rectifiers."""
    network, _ = published_glow()
    x = 3 + 2 * torch.randn(16, 32, dtype=torch.float64)
    network.initialize(x)
    seen = []
    for step in network.blocks:
        for part in (step.first, step.second):
            part.register_forward_hook(lambda part, given, result: seen.append(result))
        normal = lambda step, given: seen.append(  # noqa: E731
            (given[0] + step.shift[:, None, None]) * (3 * step.log_scale)[:, None, None].exp()
        )
        step.register_forward_pre_hook(normal)
    network(x)
    assert len(seen) == 3 * 4
    for result in seen:
        channels = result.transpose(0, 1).flatten(1)
        torch.testing.assert_close(channels.mean(1), torch.zeros_like(channels[:, 0]), atol=1e-12, rtol=0)
        torch.testing.assert_close(channels.var(1, correction=0), torch.ones_like(channels[:, 0]))


def test_batch_normalization_is_by_the_batch_in_training_and_by_averages_in_evaluation():
    """Of what the last coupling moved: the places that its checkerboard does not pass; 0.1 of a batch goes into the averages."""
    network, _ = published_real_nvp()
    step, x = network.coarse[0].train(), 1 + 2 * torch.randn(16, 4, 2, 2, dtype=torch.float64)
    before, passes = (step.moments.mean.clone(), step.moments.variance.clone()), step.mask.expand(4, -1, -1)
    log_scale, shift = step._affine(x)
    moved = ((x + shift) * log_scale.exp()).masked_fill(passes, 0).transpose(0, 1).flatten(1)
    for average, kept, of_batch in zip(
        (step.moments.mean, step.moments.variance), before, (moved.mean(1), moved.var(1)), strict=True
    ):
        step.moments.mean.copy_(before[0]), step.moments.variance.copy_(before[1])
        z, log_det = step(x)
        torch.testing.assert_close(average, 0.9 * kept + 0.1 * of_batch.detach())
    variance = moved.var(1, correction=0) + 1e-4
    wanted = (moved - moved.mean(1, keepdim=True)) / variance.sqrt()[:, None]
    moves = ~passes[:, None].expand(-1, 16, -1, -1).flatten(1)
    torch.testing.assert_close(z.transpose(0, 1).flatten(1)[moves], wanted[moves])
    torch.testing.assert_close(log_det, log_scale.flatten(1).sum(1) - variance.log().sum())  # 2 places, half a logarithm each
    assert torch.equal(z.masked_select(passes), x.masked_select(passes))
    one, alone = step.eval()(x[:1])[0], step(x)[0][:1]
    torch.testing.assert_close(one, alone)
    with pytest.raises(ValueError, match="batch normalization needs at least 2 values in a channel in training"):
        network.across[0].moments.train()(torch.zeros(1, 4, 1, 1))


@pytest.mark.parametrize("make", [glow, published_glow])
def test_half_precision_is_for_the_networks_of_the_couplings_alone(make):
    """Mixing, scaling and shifting stay in float32: images are recovered to its rounding, not to bfloat16's."""
    network, x = make(moved=0.1)
    network, x = network.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = network(x)
        back, _ = network.inverse(z)
    assert z.dtype == log_det.dtype == torch.float32
    assert (z - network(x)[0]).abs().max() > 1e-3, "the networks are in half precision"
    torch.testing.assert_close(back, x, rtol=0, atol=2e-5)


def test_sides_that_cannot_be_halved_so_often_are_refused():
    with pytest.raises(ValueError, match=r"shape is \[1, 6, 5\]; height and width must be even"):
        practice.MultiscaleRealNVP(shape=(1, 6, 5), width=4, residual_blocks=1, bound=2.0)
    with pytest.raises(ValueError, match=r"shape is \[1, 6, 8\]; height and width must be multiples of 2\^num_levels = 4"):
        practice.Glow(shape=(1, 6, 8), num_levels=2, depth=1, width=4, bound=2.0)
    with pytest.raises(ValueError, match=r"shape is \[1, 6, 5\]; height and width must be even"):
        practice.PublishedRealNVP(shape=(1, 6, 5), width=4, residual_blocks=1)
    with pytest.raises(ValueError, match=r"shape is \[1, 6, 8\]; height and width must be multiples of 2\^num_levels = 4"):
        practice.PublishedGlow(shape=(1, 6, 8), num_levels=2, depth=1, width=4)
