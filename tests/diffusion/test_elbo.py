"""The bound against torch.distributions and SciPy, against exact likelihoods; what a row cannot say: dtypes; the experiment."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from practice_torch.data import images
from practice_torch.data.image_set import Images
from practice_torch.diffusion.elbo import discretized_gaussian_log_prob, elbo_terms, gaussian_kl, prior_kl
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.simple_loss import variational_weight
from practice_torch.experiments.diffusion.elbo import RECIPES, build


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_divergence_is_that_of_torch_distributions():
    mean_q, log_var_q, mean_p, log_var_p = (draw(4, 3, 2, seed=seed) for seed in range(4))
    q, p = (torch.distributions.Normal(m, (v / 2).exp()) for m, v in ((mean_q, log_var_q), (mean_p, log_var_p)))
    wanted = torch.distributions.kl_divergence(q, p).sum((1, 2))
    torch.testing.assert_close(gaussian_kl(mean_q, log_var_q, mean_p, log_var_p), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_the_cells_are_differences_of_scipys_normal(num_levels):
    rng = np.random.default_rng(0)
    level = rng.integers(0, num_levels, 200)
    x, mean, log_var = level * 2 / (num_levels - 1) - 1, rng.uniform(-1, 1, 200), rng.uniform(-3, 1, 200)
    lower = np.where(level == 0, -np.inf, x - 1 / (num_levels - 1))
    upper = np.where(level == num_levels - 1, np.inf, x + 1 / (num_levels - 1))
    cdf = stats.norm(mean, np.exp(log_var / 2)).cdf
    ours = discretized_gaussian_log_prob(*map(torch.tensor, (x, mean, log_var)), num_levels=num_levels)
    np.testing.assert_allclose(ours.numpy(), np.log(cdf(upper) - cdf(lower)), rtol=1e-9, atol=1e-12)


def test_the_far_tail_is_scipys_with_a_slope():
    """A black pixel where the model is sure of white: 2,000 deviations away, and still a number with a gradient."""
    x = torch.full((5,), -1.0, dtype=torch.float64)
    mean = torch.tensor([-0.5, 0.0, 0.5, 0.9, 1.0], dtype=torch.float64, requires_grad=True)
    log_var = torch.full((5,), -14.0, dtype=torch.float64)
    log_probs = discretized_gaussian_log_prob(x, mean, log_var)
    z = (-1 + 1 / 255 - mean.detach().numpy()) * math.exp(7)
    np.testing.assert_allclose(log_probs.detach().numpy(), special.log_ndtr(z), rtol=1e-12)
    slope = torch.autograd.grad(log_probs.sum(), mean)[0].numpy()
    hazard = math.sqrt(2 / math.pi) / special.erfcx(-z / math.sqrt(2))
    np.testing.assert_allclose(slope, -hazard * math.exp(7), rtol=1e-12)


def test_the_bound_holds_and_is_nearly_met_for_two_points():
    """Data at -1 and 1, the best denoiser, the small variance: above log 2, and nearer to it with more steps (0.701 with 480)."""

    def bound(steps):
        """The mean bound over 4,000 draws and its standard error."""
        alpha_bar = linear_alpha_bar(num_steps=steps, beta_start=0.6 / steps, beta_end=12 / steps).double()

        def best(x, t):
            a = alpha_bar[t][:, None]
            return (x - a.sqrt() * torch.tanh(a.sqrt() / (1 - a) * x)) / (1 - a).sqrt()

        x0 = torch.tensor([[-1.0], [1.0]], dtype=torch.float64).repeat(2000, 1)
        totals = elbo_terms(x0, draw(steps, *x0.shape, seed=steps), best, alpha_bar, variance="small", num_levels=2).sum(1)
        return totals.mean().item(), totals.std().item() / math.sqrt(len(totals))

    (few, few_error), (many, many_error) = bound(30), bound(120)
    assert few - 5 * few_error > math.log(2)
    assert math.log(2) - 5 * many_error < many < 1.1 * math.log(2)
    assert many + 5 * math.hypot(few_error, many_error) < few


def test_data_keep_their_dtype_under_a_finer_schedule():
    alpha_bar = linear_alpha_bar(num_steps=3, beta_start=0.1, beta_end=0.5).double()
    x0 = torch.tensor([[-1.0, 0.5], [0.0, 1.0]])
    terms = elbo_terms(x0, draw(3, 2, 2).float(), lambda x, t: x * 0.5, alpha_bar, num_levels=5)
    assert (terms.dtype, prior_kl(x0, alpha_bar).dtype) == (torch.float32, torch.float32)


# ---------------------------------------------------------------------------------------------------- the experiment


def digits(**changes):
    """An untrained experiment, its training data and its held-out data."""
    train, held_out = images.load("digits", held_out=0.2, seed=0)
    torch.manual_seed(0)
    experiment = build(dataclasses.replace(RECIPES["digits"], base_channels=8, blocks=1, **changes), train).eval()
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, train, held_out


def test_the_experiments_bound_of_fair_coins_is_a_bit_each():
    """Black and white by chance, and the best denoiser: little above 1 bit; nats, or one of two opposite noises, miss it."""
    experiment, _, _ = digits(num_levels=2, measured_images=40)
    alpha_bar = experiment.alpha_bar

    def best(x, t):
        a = alpha_bar[t].reshape(-1, 1, 1, 1)
        return (x - a.sqrt() * torch.tanh(a.sqrt() / (1 - a) * x)) / (1 - a).sqrt()

    experiment._predict = best
    coins = torch.randint(2, (40, 1, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    with torch.no_grad():
        found = experiment.evaluate(Images(coins, None, 1, {}))
    assert 0.99 < found["bits_per_dimension"] < 1.06
    assert found["bits_per_dimension"] == pytest.approx(found["decoder"] + found["steps"] + found["prior"])
    assert 0 < found["standard_error"] < 0.01


def test_on_its_schedule_the_simple_loss_is_the_bound():
    experiment, _, _ = digits()
    alpha_bar = experiment.alpha_bar.double()
    sigmas = (1 / alpha_bar[1:] - 1).sqrt()
    fall = 2 * math.log(30.0 / 0.02) / 199
    np.testing.assert_allclose((2 * sigmas.log().diff()).numpy(), fall, rtol=5e-3)  # 1 - alpha_bar lost digits in float32
    weights = variational_weight(torch.arange(2, 201), alpha_bar, variance="small")
    np.testing.assert_allclose(weights.numpy(), math.expm1(fall) / 2, rtol=5e-3)


def test_what_independent_pixels_cost_is_counted():
    experiment, train, held_out = digits()
    known, asked = ((set_.batch()["image"] * 16).round().long().flatten(1).T.numpy() for set_ in (train, held_out))
    costs = []
    for pixel, values in zip(known, asked, strict=True):
        shares = (np.bincount(pixel, minlength=17) + 1) / (len(pixel) + 17)
        costs.append(-np.log2(shares[values]).mean())
    assert experiment._independent_bits(held_out) == pytest.approx(np.mean(costs), rel=1e-6)
    assert np.mean(costs) == pytest.approx(2.434, abs=0.03)  # measured elsewhere on another split


def test_a_few_steps_lower_the_loss_and_samples_are_grays_of_the_data():
    experiment, train, _ = digits(num_steps=20)
    optimizer, losses = torch.optim.Adam(experiment.parameters(), 5e-3), []
    for step in range(40):
        loss, _ = experiment(train.batch(torch.arange(64) + 32 * step), "train")
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(1, abs=0.1)  # a silent network
    assert losses[-1] < 0.6
    with torch.no_grad():
        drawn = experiment.sample(5)["samples"].images
    assert drawn.shape == (5, 1, 8, 8)
    torch.testing.assert_close(drawn * 16, (drawn * 16).round(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("fields", "complaint"), [({"sigma_max": 0.01}, "sigma_max is 0.01; it must be above sigma_min")])
def test_impossible_recipes_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(RECIPES["digits"], **fields)
