"""Wrong forms of the diffusion's equations that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import score_sde as right
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake


def _alpha_bar(change):
    """change(time, beta_min, beta_max)."""

    def wrong(time, *, beta_min=0.1, beta_max=20.0):
        right.variance_preserving_alpha_bar(time, beta_min=beta_min, beta_max=beta_max)  # for its checks
        return change(time, beta_min, beta_max)

    return wrong


def _coefficients(change):
    """change(drift, diffusion), of the right ones."""
    return lambda x, time, *, beta_min=0.1, beta_max=20.0: change(
        *right.variance_preserving_sde(x, time, beta_min=beta_min, beta_max=beta_max)
    )


def _sigma(change):
    def wrong(time, *, sigma_min, sigma_max):
        right.variance_exploding_sigma(time, sigma_min=sigma_min, sigma_max=sigma_max)  # for its checks
        return change(time, sigma_min, sigma_max)

    return wrong


def _step(scale):
    """scale(step) in the place of sqrt|step|."""

    def wrong(x, drift, diffusion, noise, step_size):
        right.euler_maruyama_step(x, drift, diffusion, noise, step_size)  # for its checks
        return x + per_example(step_size, x) * drift + per_example(diffusion * scale(step_size), x) * noise

    return wrong


def _corrector(change, *, of_batch=False):
    """change(x, score, noise, ratio), ratio = signal_to_noise |z|/|s|, of each example or of the batch."""

    def wrong(x, score, noise, *, signal_to_noise=0.16):
        right.langevin_corrector_step(x, score, noise, signal_to_noise=signal_to_noise)  # for its checks
        lengths = [part.flatten(1).norm(dim=1) for part in (noise, score)]
        if of_batch:
            lengths = [length.mean().expand(len(x)) for length in lengths]
        return change(x, score, noise, per_example(signal_to_noise * lengths[0] / lengths[1], x))

    return wrong


MISTAKES = (
    Mistake("variance_preserving_alpha_bar", "beta_max t^2 without the half", _alpha_bar(
        lambda t, low, high: torch.exp(-low * t - (high - low) * t**2))),
    Mistake("variance_preserving_alpha_bar", "the root", _alpha_bar(
        lambda t, low, high: torch.exp(-(low * t + (high - low) * t**2 / 2) / 2))),
    Mistake("variance_preserving_alpha_bar", "the rate of the moment", _alpha_bar(
        lambda t, low, high: torch.exp(-(low + (high - low) * t) * t))),
    Mistake("variance_preserving_alpha_bar", "the variance of the noise", _alpha_bar(
        lambda t, low, high: 1 - right.variance_preserving_alpha_bar(t, beta_min=low, beta_max=high))),
    Mistake("variance_preserving_alpha_bar", "any time", lambda time, *, beta_min=0.1, beta_max=20.0: (
        right.variance_preserving_alpha_bar(time.clamp(0, 1), beta_min=beta_min, beta_max=beta_max)), only_checks=True),
    Mistake("variance_preserving_sde", "no half", _coefficients(lambda f, g: (2 * f, g))),
    Mistake("variance_preserving_sde", "the sign", _coefficients(lambda f, g: (-f, g))),
    Mistake("variance_preserving_sde", "beta for its root", _coefficients(lambda f, g: (f, g**2))),
    Mistake("variance_exploding_sigma", "on a straight line", _sigma(lambda t, low, high: low + (high - low) * t)),
    Mistake("variance_exploding_sigma", "the variance", _sigma(lambda t, low, high: low**2 * (high / low) ** (2 * t))),
    Mistake("variance_exploding_sigma", "backward", _sigma(lambda t, low, high: high * (low / high) ** t)),
    Mistake("reverse_drift", "half, as in the ordinary equation", lambda score, drift, diffusion: (
        drift + right.reverse_drift(score, drift, diffusion)) / 2),
    Mistake("reverse_drift", "g for its square", lambda score, drift, diffusion: drift - per_example(diffusion, score) * score),
    Mistake("reverse_drift", "plus", lambda score, drift, diffusion: 2 * drift - right.reverse_drift(score, drift, diffusion)),
    Mistake("reverse_drift", "the score alone", lambda score, drift, diffusion: right.reverse_drift(score, 0 * drift, diffusion)),
    Mistake("euler_maruyama_step", "the root of a negative step", _step(torch.sqrt)),
    Mistake("euler_maruyama_step", "noise scaled by the step", _step(torch.abs)),
    Mistake("euler_maruyama_step", "the noise turned over", _step(lambda step_size: step_size.sign() * step_size.abs().sqrt())),
    Mistake("euler_maruyama_step", "an infinite slope at 0", _step(lambda step_size: step_size.abs().sqrt())),
    Mistake("euler_maruyama_step", "the variance for the deviation", lambda x, drift, diffusion, noise, step_size:
            right.euler_maruyama_step(x, drift, diffusion**2, noise, step_size)),
    Mistake("langevin_corrector_step", "norms over the batch", _corrector(
        lambda x, s, z, ratio: x + 2 * ratio**2 * s + 2 * ratio * z, of_batch=True)),
    Mistake("langevin_corrector_step", "the factor 2 forgotten", _corrector(
        lambda x, s, z, ratio: x + ratio**2 * s + 2**0.5 * ratio * z)),
    Mistake("langevin_corrector_step", "noise of deviation sqrt(e)", _corrector(
        lambda x, s, z, ratio: x + 2 * ratio**2 * s + 2**0.5 * ratio * z)),
    Mistake("langevin_corrector_step", "no noise", _corrector(lambda x, s, z, ratio: x + 2 * ratio**2 * s)),
    Mistake("langevin_corrector_step", "the step not differentiated", _corrector(
        lambda x, s, z, ratio: x + 2 * ratio.detach() ** 2 * s + 2 * ratio.detach() * z)),
    Mistake("langevin_corrector_step", "downhill", _corrector(lambda x, s, z, ratio: x - 2 * ratio**2 * s + 2 * ratio * z)),
)  # fmt: skip


def _by_a_power(time, *, sigma_min, sigma_max):
    right.variance_exploding_sigma(time, sigma_min=sigma_min, sigma_max=sigma_max)  # for its checks
    return sigma_min * (sigma_max / sigma_min) ** time


def _two_terms(score, drift, diffusion):
    right.reverse_drift(score, drift, diffusion)  # for its checks
    return drift - per_example(diffusion, score) * (per_example(diffusion, score) * score)


EQUIVALENT = (Mistake("variance_exploding_sigma", "a power", _by_a_power), Mistake("reverse_drift", "two products", _two_terms))
