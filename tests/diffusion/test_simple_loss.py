"""The simple loss against torch's squared error and the ELBO's terms; dtypes; it finds the best prediction; its experiment."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from practice_torch.data import images
from practice_torch.diffusion.elbo import elbo_terms, prior_kl
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.reverse_process import reverse_log_variance
from practice_torch.diffusion.simple_loss import (
    learned_variance_loss,
    simple_loss,
    squared_error,
    variational_loss,
    variational_weight,
)
from practice_torch.experiments.diffusion.simple_loss import RECIPES, build

SCHEDULE = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_squared_error_is_torchs_summed():
    prediction, target = draw(4, 3, 2, 5), draw(4, 3, 2, 5, seed=1)
    wanted = functional.mse_loss(prediction, target, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(squared_error(prediction, target), wanted, rtol=1e-14, atol=0)


@pytest.mark.parametrize("variance", ["large", "small"])
def test_the_elbo_is_the_weighted_losses_and_a_constant(variance):
    """Two denoisers: the difference of their bounds is that of their decoders and of their weighted losses."""
    x0 = draw(5, 3).mul(2).round().clamp(-4, 4) / 4
    noises = draw(20, 5, 3, seed=1)

    def parts(denoise):
        terms = elbo_terms(x0, noises, denoise, SCHEDULE, variance=variance, num_levels=9)
        losses = [
            variational_loss(x0, torch.full((5,), t), noises[t - 1], denoise, SCHEDULE, variance=variance) for t in range(2, 21)
        ]
        return terms, torch.stack(losses, 1)

    (terms, losses), (others, other_losses) = parts(lambda x, t: x / 2), parts(lambda x, t: x.tanh() - t[:, None] / 20)
    torch.testing.assert_close(terms[:, 1:-1] - others[:, 1:-1], losses - other_losses, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(terms[:, -1], prior_kl(x0, SCHEDULE))


def test_the_lowest_loss_is_at_the_conditional_mean():
    """Least squares over noisy values of Gaussian data finds the slope of E(noise | x_t) = sqrt(1 - a) x_t / (1 - a (1 - c))."""
    c, count = 0.3, 20_000
    x0, noise, t = draw(count) * c**0.5, draw(count, seed=1), torch.full((count,), 9)
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)
    loss = simple_loss(x0, t, noise, lambda x, t: slope * x, SCHEDULE).mean()
    (gradient,) = torch.autograd.grad(loss, slope, create_graph=True)
    (curvature,) = torch.autograd.grad(gradient, slope)
    a = SCHEDULE[9]
    best = (1 - a).sqrt() / (1 - a * (1 - c))
    assert abs(-gradient.item() / curvature.item() - best.item()) < 5 / count**0.5


def test_the_learned_variance_finds_the_spread_of_the_steps_back():
    """A v that is trained ends at the variance of the true step back: of normal data, with the best prediction, at beta."""
    count, level = 2000, 9
    x0, noise, t = draw(count, 1), draw(count, 1, seed=1), torch.full((count,), level)
    x_t = forward_sample(x0, t, noise, SCHEDULE)
    best = (1 - SCHEDULE[level]).sqrt() * x_t
    v = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for _ in range(8):  # Newton's steps
        loss = learned_variance_loss(x0, x_t, t, best, v.expand(count, 1), SCHEDULE).mean()
        (gradient,) = torch.autograd.grad(loss, v, create_graph=True)
        (curvature,) = torch.autograd.grad(gradient.sum(), v)
        v = (v - (gradient / curvature.abs()).clamp(-1, 1)).detach().requires_grad_()
    small, large = (reverse_log_variance(t[:1], SCHEDULE, variance=name) for name in ("small", "large"))
    assert abs((small + (v + 1) / 2 * (large - small) - large).item()) < 5 * (2 / count) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_losses_keep_the_datas_dtype_under_a_finer_schedule(dtype):
    x, other, t = draw(3, 2).to(dtype), draw(3, 2, seed=1).to(dtype), torch.tensor([2, 5, 20])
    losses = [
        squared_error(x, other),
        simple_loss(x, t, other, lambda x, t: x / 2, SCHEDULE),
        variational_loss(x, t, other, lambda x, t: x / 2, SCHEDULE),
        learned_variance_loss(x, other, t, x / 2, other / 3, SCHEDULE),
    ]
    assert {loss.dtype for loss in losses} == {dtype}
    assert variational_weight(t, SCHEDULE).dtype == torch.float64


# ---------------------------------------------------------------------------------------------------- the experiment


def digits(**changes):
    """An untrained experiment and its data."""
    train, held_out = images.load("digits", held_out=0.2, seed=0)
    torch.manual_seed(0)
    recipe = dataclasses.replace(RECIPES["digits"], base_channels=8, blocks=1, num_steps=12, **changes)
    experiment = build(recipe, train).eval()
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, train, held_out


@pytest.mark.parametrize(("place", "name"), [(-1.0, "small"), (1.0, "large")])
def test_a_learned_variance_at_an_end_has_the_bound_of_the_fixed_one(place, name):
    experiment, _, held_out = digits()
    experiment._answers = lambda x, t: (x / 2, torch.full_like(x, place))
    with torch.no_grad():
        bounds = experiment._bounds(held_out, 10)
    assert bounds["learned"].shape == (10, 13)
    torch.testing.assert_close(bounds["learned"], bounds[name], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(bounds["small"], bounds["large"], rtol=0.1)


def test_the_fixed_bounds_are_the_elbos():
    """Of a denoiser that needs no clipping: elbo_terms with the same noises, at both signs, in bits."""
    experiment, _, held_out = digits()
    alpha_bar = experiment.alpha_bar

    def modest(x, t):
        a = alpha_bar[t].reshape(-1, 1, 1, 1)
        return (x - a.sqrt() * torch.tanh(x)) / (1 - a).sqrt()

    experiment._answers = lambda x, t: (modest(x, t), torch.zeros_like(x))
    with torch.no_grad():
        bounds = experiment._bounds(held_out, 10)
    x0 = 2 * held_out.batch(torch.arange(10))["image"] - 1
    noises = torch.randn(12, *x0.shape, generator=torch.Generator().manual_seed(0))
    steps = slice(1, None)  # all but the decoder, which has the small variance here
    for name in ("small", "large"):
        both = [elbo_terms(x0, sign * noises, modest, alpha_bar, variance=name, num_levels=17) for sign in (1, -1)]
        wanted = sum(both) / (2 * 64 * torch.log(torch.tensor(2.0)))
        torch.testing.assert_close(bounds[name][:, steps], wanted[:, steps], rtol=1e-4, atol=1e-5)
        if name == "small":
            torch.testing.assert_close(bounds[name], wanted, rtol=1e-4, atol=1e-5)


def test_the_bounds_share_is_that_of_the_steps_from_the_second_on():
    """Three levels, so that many examples are at the first, which has no divergence."""
    experiment, train, _ = digits()
    batch = train.batch(torch.arange(300))
    experiment.recipe = dataclasses.replace(experiment.recipe, num_steps=3)  # draws t in 1..3 of the twelve
    _, logs = experiment(batch, "train")
    generator = torch.Generator().manual_seed(0)
    t = torch.randint(1, 4, (300,), generator=generator)
    x0 = 2 * batch["image"] - 1
    noise = torch.randn(x0.shape, generator=generator)
    x_t = forward_sample(x0, t, noise, experiment.alpha_bar)
    noise_pred, v = experiment._answers(x_t, t)
    later = t > 1
    arguments = (part[later] for part in (x0, x_t, t, noise_pred, v))
    divergences = learned_variance_loss(*arguments, experiment.alpha_bar)
    torch.testing.assert_close(logs["bound"], 3 * divergences.sum().detach() / (300 * 64))
    torch.testing.assert_close(logs["simple"], (noise_pred - noise).square().mean().detach())


def test_only_the_variance_learns_from_the_bound():
    def slopes(share):
        experiment, train, _ = digits(bound_share=share)
        experiment(train.batch(torch.arange(32)), "train")[0].backward()
        return experiment.network.output.weight.grad.split(1)

    (noise, variance), (noise_too, far_more) = slopes(0.001), slopes(0.1)
    torch.testing.assert_close(noise, noise_too)
    torch.testing.assert_close(100 * variance, far_more)
    assert variance.abs().max() > 0


def test_samples_are_grays_of_the_data():
    experiment, _, _ = digits()
    with torch.no_grad():
        drawn = experiment.sample(5)["samples"].images
    assert drawn.shape == (5, 1, 8, 8)
    torch.testing.assert_close(drawn * 16, (drawn * 16).round(), rtol=0, atol=1e-5)
