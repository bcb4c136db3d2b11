"""Scores and mixtures against SciPy, torch.distributions and scikit-learn, by simulation, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from practice_torch.diffusion.score_prediction import (
    denoising_score_matching_loss,
    diffused_mixture,
    empirical_posterior_mean,
    mixture_log_prob,
    mixture_score,
    score_from_noise,
    tweedie_mean,
)
from theory_jax.diffusion import score_prediction as theory

SCHEDULE = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double()
MEANS = torch.tensor([[2.0, 0.5, 0.0], [-1.0, 1.5, 1.0], [0.3, -2.0, 0.5], [0.0, 0.0, -1.0]], dtype=torch.float64)
LOG_VARS = torch.tensor([0.3, 0.8, 0.1, 2.0], dtype=torch.float64).log()
LOG_WEIGHTS = torch.tensor([0.4, 0.2, 0.3, 0.1], dtype=torch.float64).log()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn_from_the_mixture(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(LOG_WEIGHTS.exp(), count, replacement=True, generator=generator)
    return MEANS[chosen] + (LOG_VARS[chosen] / 2).exp()[:, None] * draw(count, 3, seed=seed + 1)


def test_the_density_is_that_of_torch_scipy_and_scikit_learn():
    x = 3 * draw(40, 3)
    found = mixture_log_prob(x, MEANS, LOG_VARS, LOG_WEIGHTS)
    components = Independent(Normal(MEANS, (LOG_VARS / 2).exp()[:, None].expand(4, 3)), 1)
    torch.testing.assert_close(found, MixtureSameFamily(Categorical(logits=LOG_WEIGHTS), components).log_prob(x))
    parts = [multivariate_normal.logpdf(x, m, v) for m, v in zip(MEANS.numpy(), LOG_VARS.exp().numpy(), strict=True)]
    np.testing.assert_allclose(found, logsumexp(parts, axis=0, b=LOG_WEIGHTS.exp().numpy()[:, None]), rtol=1e-12)
    fitted = GaussianMixture(4, covariance_type="spherical")
    fitted.weights_, fitted.means_, fitted.covariances_ = LOG_WEIGHTS.exp().numpy(), MEANS.numpy(), LOG_VARS.exp().numpy()
    fitted.precisions_cholesky_ = (-LOG_VARS / 2).exp().numpy()
    np.testing.assert_allclose(found, fitted.score_samples(x.numpy()), rtol=1e-12)


def test_the_score_is_torchs_gradient_of_torchs_density():
    x = (3 * draw(20, 3)).requires_grad_()
    components = Independent(Normal(MEANS, (LOG_VARS / 2).exp()[:, None].expand(4, 3)), 1)
    density = MixtureSameFamily(Categorical(logits=LOG_WEIGHTS), components).log_prob(x)
    slope = torch.autograd.grad(density.sum(), x)[0]
    torch.testing.assert_close(mixture_score(x.detach(), MEANS, LOG_VARS, LOG_WEIGHTS), slope, rtol=1e-11, atol=1e-12)


def test_a_noised_sample_of_the_mixture_is_a_sample_of_the_noised_mixture():
    """Mean log-density under the noised mixture, of noised draws and of draws of another time."""
    count, noise = 20_000, draw(20_000, 3, seed=9)

    def mean_log_prob(of, under):
        x = forward_sample(drawn_from_the_mixture(count), torch.full((count,), of), noise, SCHEDULE)
        means, log_vars = diffused_mixture(MEANS, LOG_VARS, torch.tensor([under]), SCHEDULE)
        values = mixture_log_prob(x, means[0], log_vars[0], LOG_WEIGHTS)
        return values.mean().item(), values.std().item() / count**0.5

    found, error = mean_log_prob(8, 8)
    others = [mean_log_prob(8, t)[0] for t in (6, 10)]  # by Gibbs' inequality the right one is the largest
    assert all(other < found - 4 * error for other in others)
    # and its value is minus the entropy: that of an independent sample made by the noised mixture itself
    means, log_vars = (part[0] for part in diffused_mixture(MEANS, LOG_VARS, torch.tensor([8]), SCHEDULE))
    chosen = torch.multinomial(LOG_WEIGHTS.exp(), count, replacement=True, generator=torch.Generator().manual_seed(5))
    direct = means[chosen] + (log_vars[chosen] / 2).exp()[:, None] * draw(count, 3, seed=7)
    assert abs(mixture_log_prob(direct, means, log_vars, LOG_WEIGHTS).mean().item() - found) < 6 * error


def test_least_squares_on_the_noise_finds_the_score():
    """Gaussian data: the regression of the noise on x_t, over minus the deviation, is the exact score's straight line."""
    count, t = 200_000, 9
    mean, variance = 1.3, 0.4
    x0, noise = mean + variance**0.5 * draw(count, 1, seed=1), draw(count, 1, seed=2)
    times = torch.full((count,), t)
    x_t = forward_sample(x0, times, noise, SCHEDULE)
    fit = torch.linalg.lstsq(torch.cat([torch.ones_like(x_t), x_t], 1), noise).solution[:, 0]
    at = torch.tensor([[-1.0], [2.5]], dtype=torch.float64)
    learned = score_from_noise(fit[0] + fit[1] * at, times[:2], SCHEDULE)
    data = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([variance], dtype=torch.float64).log()
    means, log_vars = diffused_mixture(*data, times[:2], SCHEDULE)
    exact = mixture_score(at, means, log_vars, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(learned, exact, rtol=0, atol=0.02)


def test_the_loss_is_least_at_the_exact_score():
    """Over two-humped data no straight line through the score's values does better than the score itself."""
    count, sigma = 50_000, 0.8
    x0, noise = drawn_from_the_mixture(count), draw(count, 3, seed=4)
    sigmas = torch.full((count,), sigma, dtype=torch.float64)
    blurred = torch.logaddexp(LOG_VARS, torch.full_like(LOG_VARS, sigma**2).log())

    def loss(scale, shift):
        def score_fn(x, _):
            return scale * mixture_score(x, MEANS, blurred, LOG_WEIGHTS) + shift

        return denoising_score_matching_loss(x0, noise, sigmas, score_fn).mean().item()

    best = loss(1.0, 0.0)
    assert all(loss(*other) > best for other in ((0.9, 0.0), (1.1, 0.0), (1.0, 0.1), (1.0, -0.1)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_digits_with_little_noise_are_remembered_and_with_much_are_averaged(dtype):
    images = torch.tensor(load_digits().images, dtype=dtype)[:500, None] / 8 - 1
    alpha_bar = cosine_alpha_bar(num_steps=200).double()
    noise = draw(4, 1, 8, 8).to(dtype)
    early = torch.full((4,), 20)
    found = empirical_posterior_mean(forward_sample(images[:4], early, noise, alpha_bar), images, early, alpha_bar)
    assert (found - images[:4]).abs().max() < 1e-3
    end = torch.full((4,), 200)
    found = empirical_posterior_mean(forward_sample(images[:4], end, noise, alpha_bar), images, end, alpha_bar)
    assert (found - images.mean(0)).abs().max() < 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_keep_the_dtype_under_a_finer_schedule(dtype):
    x, t = draw(2, 3).to(dtype), torch.tensor([1, 20])
    mixture = [part.to(dtype) for part in (MEANS, LOG_VARS, LOG_WEIGHTS)]
    means, log_vars = diffused_mixture(mixture[0], mixture[1], t, SCHEDULE)
    found = [
        score_from_noise(x, t, SCHEDULE),
        tweedie_mean(x, x, t, SCHEDULE),
        means,
        log_vars,
        empirical_posterior_mean(x, mixture[0], t, SCHEDULE),
    ]
    if dtype != torch.bfloat16:  # its weights do not sum to one within the tolerance of log_weights
        found += [mixture_log_prob(x, means, log_vars, mixture[2]), mixture_score(x, means, log_vars, mixture[2])]
    assert {part.dtype for part in found} == {dtype}


def test_both_wings_under_vmap_and_jit():
    x, t = draw(4, 3, 3), torch.tensor([[1, 6, 3], [1, 2, 6], [5, 5, 0], [4, 2, 1]])

    def ours(x, t):
        means, log_vars = diffused_mixture(MEANS, LOG_VARS, t, SCHEDULE)
        return mixture_score(x, means, log_vars, LOG_WEIGHTS) + empirical_posterior_mean(x, MEANS, t.clamp(min=1), SCHEDULE)

    arrays = [jnp.asarray(a.numpy()) for a in (MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE)]

    def theirs(x, t):
        means, log_vars = theory.diffused_mixture(arrays[0], arrays[1], t, arrays[3])
        score = theory.mixture_score(x, means, log_vars, arrays[2])
        return score + theory.empirical_posterior_mean(x, arrays[0], jnp.maximum(t, 1), arrays[3])

    wanted = torch.stack([ours(*one) for one in zip(x, t, strict=True)])
    torch.testing.assert_close(torch.vmap(ours)(x, t), wanted, rtol=1e-12, atol=1e-12)
    found = jax.jit(jax.vmap(theirs))(jnp.asarray(x.numpy()), jnp.asarray(t.numpy()))
    np.testing.assert_allclose(np.asarray(found), wanted.numpy(), rtol=1e-11, atol=1e-11)
