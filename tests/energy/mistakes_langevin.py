"""Wrong forms of Langevin sampling that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.energy import langevin as right
from tests.support.mistakes import Mistake


def _gradient(energy_fn, x):
    return torch.func.grad(lambda x: energy_fn(x).sum())(x)


def _step(move):
    """move(x, noise, slope, h, T), behind the checks of the right function."""

    def wrong(x, noise, energy_fn, *, step_size, temperature=1.0):
        right.langevin_step(x, noise, energy_fn, step_size=step_size, temperature=temperature)
        return move(x, noise, _gradient(energy_fn, x), step_size, temperature)

    return wrong


def _of_the_mean(x, noise, energy_fn, *, step_size, temperature=1.0):
    right.langevin_step(x, noise, energy_fn, step_size=step_size, temperature=temperature)
    slope = torch.func.grad(lambda x: energy_fn(x).mean() if len(x) else energy_fn(x).sum())(x)
    return x - step_size * slope + math.sqrt(2 * step_size * temperature) * noise


def _unchecked(x, noise, energy_fn, *, step_size, temperature=1.0):
    return x - step_size * _gradient(energy_fn, x) + math.sqrt(2 * max(step_size * temperature, 0)) * noise


def _chain(advance, at=lambda noises: noises):
    def wrong(x, noises, energy_fn, *, step_size, temperature=1.0):
        right.langevin_sample(x, noises, energy_fn, step_size=step_size, temperature=temperature)
        start = x
        for noise in at(noises):
            x = advance(x, start, noise, energy_fn, step_size, temperature)
        return x

    return wrong


def _moved(x, start, noise, energy_fn, h, temperature):
    return x - h * _gradient(energy_fn, x) + math.sqrt(2 * h * temperature) * noise


def _silent_chain(x, noises, energy_fn, *, step_size, temperature=1.0):
    """The right chain where it stays finite; otherwise it is silently cut off."""
    try:
        return right.langevin_sample(x, noises, energy_fn, step_size=step_size, temperature=temperature)
    except ValueError as error:
        if "take a smaller one" in str(error):
            return x
        raise


def _clipped(move):
    """move(x, noise, slope, a, s, c, low, high), behind the checks of the right function."""

    def wrong(x, noise, energy_fn, *, step_size, noise_scale, gradient_limit, low=-1.0, high=1.0):
        named = {"step_size": step_size, "noise_scale": noise_scale, "gradient_limit": gradient_limit, "low": low, "high": high}
        right.clipped_langevin_step(x, noise, energy_fn, **named)
        return move(x, noise, _gradient(energy_fn, x), step_size, noise_scale, gradient_limit, low, high)

    return wrong


def _by_norm(x, noise, g, a, s, c, low, high):
    lengths = g.flatten(1).norm(dim=1).view(-1, *[1] * (g.ndim - 1))
    return (x - a * g * (c / lengths).clamp(max=1) + s * noise).clamp(low, high)


def _minibatch(move):
    """move(theta, noise, prior, likelihood, h, N), behind the checks of the right function."""

    def wrong(parameters, noise, gradient_log_prior, gradient_log_likelihood, *, step_size, dataset_size):
        given = (parameters, noise, gradient_log_prior, gradient_log_likelihood)
        right.stochastic_gradient_step(*given, step_size=step_size, dataset_size=dataset_size)
        return move(*given, step_size, dataset_size)

    return wrong


def _settled(form):
    def wrong(variance, *, step_size):
        right.gaussian_stationary_variance(variance, step_size=step_size)
        return form(variance, step_size)

    return wrong


MISTAKES = (
    Mistake("langevin_step", "noise of variance h T", _step(lambda x, z, g, h, t: x - h * g + math.sqrt(h * t) * z)),
    Mistake("langevin_step", "uphill", _step(lambda x, z, g, h, t: x + h * g + math.sqrt(2 * h * t) * z)),
    Mistake("langevin_step", "temperature forgotten", _step(lambda x, z, g, h, t: x - h * g + math.sqrt(2 * h) * z)),
    Mistake("langevin_step", "temperature next to the root", _step(lambda x, z, g, h, t: x - h * g + t * math.sqrt(2 * h) * z)),
    Mistake("langevin_step", "half of the slope", _step(lambda x, z, g, h, t: x - h / 2 * g + math.sqrt(2 * h * t) * z)),
    Mistake("langevin_step", "the slope of the mean energy", _of_the_mean),
    Mistake("langevin_step", "the slope is a constant", _step(
        lambda x, z, g, h, t: x - h * g.detach() + math.sqrt(2 * h * t) * z)),
    Mistake("langevin_step", "accepts what is not finite", _unchecked, only_checks=True),
    Mistake("langevin_sample", "the last noise first", _chain(_moved, at=lambda noises: noises.flip(0))),
    Mistake("langevin_sample", "one noise for all steps", _chain(_moved, at=lambda noises: noises[:1].expand(noises.shape))),
    Mistake("langevin_sample", "a step is left out", _chain(_moved, at=lambda noises: noises[1:])),
    Mistake("langevin_sample", "the slope where the chain began", _chain(lambda x, start, noise, energy_fn, h, t: (
        x - h * _gradient(energy_fn, start) + math.sqrt(2 * h * t) * noise))),
    Mistake("langevin_sample", "noise before the slope", _chain(lambda x, start, noise, energy_fn, h, t: (
        lambda shaken: shaken - h * _gradient(energy_fn, shaken))(x + math.sqrt(2 * h * t) * noise))),
    Mistake("langevin_sample", "silent about a chain that diverges", _silent_chain, only_checks=True),
    Mistake("clipped_langevin_step", "the state not clipped", _clipped(
        lambda x, z, g, a, s, c, low, high: x - a * g.clamp(-c, c) + s * z)),
    Mistake("clipped_langevin_step", "clipped before the noise", _clipped(
        lambda x, z, g, a, s, c, low, high: (x - a * g.clamp(-c, c)).clamp(low, high) + s * z)),
    Mistake("clipped_langevin_step", "the slope not clipped", _clipped(
        lambda x, z, g, a, s, c, low, high: (x - a * g + s * z).clamp(low, high))),
    Mistake("clipped_langevin_step", "clipped by its norm", _clipped(_by_norm)),
    Mistake("clipped_langevin_step", "step times slope clipped", _clipped(
        lambda x, z, g, a, s, c, low, high: (x - (a * g).clamp(-c, c) + s * z).clamp(low, high))),
    Mistake("clipped_langevin_step", "clipped from above alone", _clipped(
        lambda x, z, g, a, s, c, low, high: (x - a * g.clamp(max=c) + s * z).clamp(low, high))),
    Mistake("clipped_langevin_step", "always between -1 and 1", _clipped(
        lambda x, z, g, a, s, c, low, high: (x - a * g.clamp(-c, c) + s * z).clamp(-1, 1))),
    Mistake("stochastic_gradient_step", "not scaled to all data", _minibatch(
        lambda theta, z, g0, g, h, n: theta + h / 2 * (g0 + g.sum(0)) + math.sqrt(h) * z)),
    Mistake("stochastic_gradient_step", "noise of variance 2h", _minibatch(
        lambda theta, z, g0, g, h, n: theta + h / 2 * (g0 + n * g.mean(0)) + math.sqrt(2 * h) * z)),
    Mistake("stochastic_gradient_step", "downhill", _minibatch(
        lambda theta, z, g0, g, h, n: theta - h / 2 * (g0 + n * g.mean(0)) + math.sqrt(h) * z)),
    Mistake("stochastic_gradient_step", "the prior scaled, too", _minibatch(
        lambda theta, z, g0, g, h, n: theta + h / 2 * n / len(g) * (g0 + g.sum(0)) + math.sqrt(h) * z)),
    Mistake("stochastic_gradient_step", "the mean scaled by N/M", _minibatch(
        lambda theta, z, g0, g, h, n: theta + h / 2 * (g0 + n / len(g) * g.mean(0)) + math.sqrt(h) * z)),
    Mistake("gaussian_stationary_variance", "to first order", _settled(lambda v, h: v + h / 2)),
    Mistake("gaussian_stationary_variance", "twice the bias", _settled(lambda v, h: v / (1 - h / (2 * v)) ** 2)),
    Mistake("gaussian_stationary_variance", "below the variance", _settled(lambda v, h: v * (1 - h / (2 * v)))),
    Mistake("gaussian_stationary_variance", "accepts steps that diverge",
            lambda variance, *, step_size: variance / (1 - step_size / (2 * variance)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "langevin_step",
        "from the score of the density",
        _step(lambda x, z, g, h, t: x + h * (-g) + math.sqrt(h) * math.sqrt(2 * t) * z),
    ),
    Mistake(
        "langevin_sample",
        "step by step",
        _chain(lambda x, start, noise, energy_fn, h, t: right.langevin_step(x, noise, energy_fn, step_size=h, temperature=t)),
    ),
    Mistake("gaussian_stationary_variance", "over a common denominator", _settled(lambda v, h: 2 * v**2 / (2 * v - h))),
)
