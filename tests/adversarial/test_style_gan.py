"""StyleGAN's functions compared with torch's grouped convolution and normalization, with its autograd, and with SciPy."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import gammaln
from torch import nn
from torch.nn import functional

from practice_torch.adversarial import style_gan as practice
from practice_torch.data import images
from practice_torch.engine.stages import Place
from practice_torch.experiments.adversarial.style_gan import StyleRecipe, build

GENERATOR = torch.Generator().manual_seed(25)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_is_torchs_with_one_group_for_each_example(demodulate):
    x, weight, style = draw(3, 4, 6, 7), draw(5, 4, 3, 3), 1 + draw(3, 4)
    kernels = torch.stack([weight * gains[None, :, None, None] for gains in style])
    if demodulate:
        kernels = functional.normalize(kernels.flatten(2), dim=2).view_as(kernels)
    wanted = functional.conv2d(x.view(1, 12, 6, 7), kernels.view(15, 4, 3, 3), padding=1, groups=3).view(3, 5, 6, 7)
    found = practice.modulated_convolution(x, weight, style, demodulate=demodulate, epsilon=1e-30)
    torch.testing.assert_close(found, wanted)


def test_white_noise_keeps_its_variance_inside_and_loses_some_at_the_border():
    """Of 400 images of 12 x 12: four of nine taps act in a corner."""
    outputs = practice.modulated_convolution(draw(400, 3, 12, 12), torch.ones(2, 3, 3, 3).double(), draw(400, 3).exp())
    assert outputs[:, :, 1:-1, 1:-1].square().mean().item() == pytest.approx(1.0, rel=0.02)
    assert outputs[:, :, ::11, ::11].square().mean().item() == pytest.approx(4 / 9, rel=0.1)


def test_adaptive_normalization_is_torchs_instance_normalization_and_an_affine_map():
    x, scale, shift = draw(3, 4, 5, 6), draw(3, 4), draw(3, 4)
    wanted = functional.instance_norm(x, eps=1e-5) * scale[..., None, None] + shift[..., None, None]
    torch.testing.assert_close(practice.adaptive_instance_normalization(x, scale, shift), wanted)


def test_a_spike_dims_the_rest_of_a_normalized_map_and_leaves_a_demodulated_one_alone():
    x = draw(1, 2, 8, 8)
    spiked = x.clone()
    spiked[0, :, 0, 0] = 1e4
    ones = torch.ones(1, 2, dtype=torch.float64)
    rest = [practice.adaptive_instance_normalization(image, ones, 0 * ones)[..., 4:, 4:] for image in (x, spiked)]
    assert rest[1].std() < 0.01 * rest[0].std()
    assert abs(rest[1].mean().item() + 1 / 63**0.5) < 0.01
    rest = [practice.modulated_convolution(image, draw(3, 2, 3, 3) * 0 + 1, ones)[..., 4:, 4:] for image in (x, spiked)]
    assert torch.equal(*rest)


def test_truncated_codes_are_gaussian_with_a_smaller_covariance():
    """Covariance matrices of 4,000 codes, by NumPy."""
    w, mean = draw(4000, 3) @ draw(3, 3) + 2, torch.full((3,), 2.0, dtype=torch.float64)
    found = np.cov(practice.truncate_latent(w, mean, psi=0.7).T)
    np.testing.assert_allclose(found, 0.49 * np.cov(w.T), rtol=1e-10)


def test_the_pulled_vector_is_one_backward_pass():
    """J^T y of a small network, against its Jacobian; the mean square of its length over all signs is the squared norm of J."""
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    w = draw(1, 3).requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda code: network(code)[0], w)[:, 0]
    signs = torch.cartesian_prod(*4 * [torch.tensor([-1.0, 1.0]).double()])
    pulled = torch.cat([torch.autograd.grad((network(w) * y).sum(), w)[0] for y in signs])
    torch.testing.assert_close(pulled, signs @ jacobian)
    mean_square = practice.path_length_penalty(pulled, torch.tensor(0.0).double()).mean()
    torch.testing.assert_close(mean_square, jacobian.square().sum())


@pytest.mark.parametrize("size", [1, 2, 16])
def test_no_generator_has_less_than_the_best_penalty(size):
    """a^2 (1 - kappa^2 / L), with kappa the mean length of L normal numbers: equal singular values a kappa / L reach it."""
    noise, target = draw(200_000, size), torch.tensor(1.5).double()
    kappa = math.sqrt(2) * math.exp(gammaln((size + 1) / 2) - gammaln(size / 2))
    least = 1.5**2 * (1 - kappa**2 / size)
    best, spread = 1.5 * kappa / size, torch.linspace(0.5, 1.5, size).double() if size > 1 else torch.tensor([1.3]).double()

    def penalty(singular_values):
        return practice.path_length_penalty(noise * singular_values, target).mean().item()

    assert penalty(best) == pytest.approx(least, rel=0.02)
    assert min(penalty(best * spread), penalty(0.9 * best), penalty(1.1 * best)) > 1.01 * least


def test_the_penalty_makes_singular_values_equal():
    """SciPy's quasi-Newton method on a matrix of 6 x 3, against 5,000 images of noise: all end near a kappa / 3."""
    noise, target = draw(5000, 6), torch.tensor(2.0).double()

    def mean_penalty(entries):
        jacobian = torch.from_numpy(entries).view(6, 3).requires_grad_()
        loss = practice.path_length_penalty(noise @ jacobian, target).mean()
        return loss.item(), torch.autograd.grad(loss, jacobian)[0].flatten().numpy()

    begun = np.concatenate([np.diag([0.3, 1.0, 2.0]), np.full((3, 3), 0.1)])
    ended = minimize(mean_penalty, begun.ravel(), jac=True, method="BFGS").x.reshape(6, 3)
    kappa = 4 / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(np.linalg.svd(ended, compute_uv=False), np.full(3, 2 * kappa / 3), rtol=0.05)


def test_layers_share_a_code_less_often_the_further_they_are_apart():
    first, second = torch.zeros(1, 6, 2), torch.ones(1, 6, 2)
    mixed = torch.cat([practice.mix_styles(first, second, crossover=n) for n in range(7)])[..., 0]
    shared = (mixed[:, :, None] == mixed[:, None, :]).double().mean(0)
    layers = torch.arange(6)
    torch.testing.assert_close(shared, 1 - (layers[:, None] - layers).abs().double() / 7)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment():
    """A small game on digits, and its held-out images."""
    torch.manual_seed(0)
    recipe = StyleRecipe(latent=8, mapping_layers=2, width=4, most_channels=8, fakes=50)
    _, data = images.load("digits")
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def test_the_critic_learns_to_tell_fakes_and_the_generator_to_deceive_it():
    """A wrong sign does neither: the losses of each against a frozen opponent fall."""
    game, data = experiment()
    batch = data.batch(torch.arange(32))
    for phase in game.phases:
        player = [p for name in phase.moves for p in getattr(game, name).parameters()]
        optimizer, losses = torch.optim.Adam(player, lr=3e-3), []
        game.place = Place("game", 1)  # without penalties
        for _ in range(30):
            losses.append(game(batch, phase.name)[0])
            gradients = torch.autograd.grad(losses[-1], player, allow_unused=True)
            assert sum(part is None for part in gradients) == 0
            for p, part in zip(player, gradients, strict=True):
                p.grad = part
            optimizer.step()
        assert losses[-1] < 0.7 * losses[0]


def test_a_crossover_at_the_end_changes_less_of_an_image_than_one_at_the_beginning():
    """At the beginning of a training: a later crossover leaves more of an image as it is."""
    game, _ = experiment()
    with torch.no_grad():
        first, second = game.mapping(torch.randn(60, 8)).split(30)
        noise, layers = torch.randn(30, game.synthesis.noise_size), game.synthesis.num_codes
        a = first[:, None].expand(-1, layers, -1)
        b = second[:, None].expand(-1, layers, -1)
        found = [game.synthesis(practice.mix_styles(a, b, crossover=n), noise) for n in range(layers + 1)]
    changes = [(image - found[-1]).square().mean().item() for image in found]
    assert changes[-1] == 0 and min(changes[:-1]) > 0 and changes[layers - 1] < changes[0]


def test_the_penalties_are_taken_in_their_steps_alone():
    """A weight counts in step 0, and not in step 1."""
    for phase, options in (("critic", {"gamma": 1e3}), ("generator", {"path_weight": 1e3})):
        for taken, differs in ((0, True), (1, False)):
            losses = []
            for changes in ({}, options):
                game, data = experiment()
                game.recipe, game.place = dataclasses.replace(game.recipe, **changes), Place("game", taken)
                losses.append(game(data.batch(torch.arange(8)), phase)[0].item())
            assert (losses[0] != losses[1]) is differs
