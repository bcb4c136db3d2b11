"""Langevin sampling: gradient steps down an energy with noise, their clipped form for images, and steps by minibatches."""

import math

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)
from practice_torch.energy._slopes import slope


def langevin_step(x, noise, energy_fn, *, step_size, temperature=1.0):
    r"""x - h grad E(x) + sqrt(2 h T) noise, with h = step_size, T = temperature: for small h the chain samples e^(-E/T) / Z.

    energy_fn([B, ...]) -> [B] treats every example by itself. The result depends on the parameters of energy_fn, too: detach
    samples that train them. T = 0 is gradient descent.

    Raises ValueError if the shapes of x and noise differ, x is not finite, step_size is not positive, temperature is negative,
    energy_fn does not return one energy for each example, or step_size is so large that the step is not finite.
    Source: Roberts & Tweedie 1996; Song & Kingma 2021, section 2.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(x=x, noise=noise)
    return langevin_sample(x, noise[None], energy_fn, step_size=step_size, temperature=temperature)


def langevin_sample(x, noises, energy_fn, *, step_size, temperature=1.0):
    r"""K steps x <- x - h grad E(x) + sqrt(2 h T) noises[k], with h = step_size, T = temperature.

    energy_fn([B, ...]) -> [B] treats every example by itself. The result depends on the parameters of energy_fn, too: detach
    samples that train them.

    Raises ValueError if noises has not the shape of x behind its first axis, x is not finite, step_size is not positive,
    temperature is negative, energy_fn does not return one energy for each example, or step_size is so large that the chain is
    not finite.  Source: Roberts & Tweedie 1996; Song & Kingma 2021, section 2.
    [B, ...], [K, B, ...] -> [B, ...]
    """
    require(noises.ndim > 0, "noises has shape []; it must have an axis of steps before those of x")
    require_shape((len(noises), *x.shape), noises=noises)
    require_positive(step_size=step_size)
    require_at_least(0, temperature=temperature)
    require_values("x", x, torch.isfinite, "finite")
    for noise in noises:
        descended = x.sub(slope(energy_fn, x), alpha=step_size)
        x = descended.add(noise, alpha=math.sqrt(2 * step_size * temperature))
    smaller = f"finite: step_size is {step_size}, take a smaller one"
    require_values(f"x after {len(noises)} steps", x, torch.isfinite, smaller)  # once: a non-finite state remains non-finite
    return x


def clipped_langevin_step(x, noise, energy_fn, *, step_size, noise_scale, gradient_limit, low=-1.0, high=1.0):
    r"""clip(x - a clip(grad E(x), -c, c) + s noise, low, high), by entries; a = step_size, s = noise_scale, c = gradient_limit.

    energy_fn([B, ...]) -> [B] treats every example by itself. The result depends on the parameters of energy_fn, too: detach
    samples that train them. Without clipping it is langevin_step at the temperature s^2 / (2 a).

    Raises ValueError if the shapes of x and noise differ, step_size is not positive, noise_scale or gradient_limit is negative,
    low is not below high, or energy_fn does not return one energy for each example, or has a slope that is NaN.
    Source: Du & Mordatch 2019, algorithm 1.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(x=x, noise=noise)
    require_positive(step_size=step_size)
    require_at_least(0, noise_scale=noise_scale, gradient_limit=gradient_limit)
    require(low < high, f"low is {low}; it must be below high, {high}")
    gradient = slope(energy_fn, x)
    require_values("the slope of energy_fn", gradient, lambda g: ~g.isnan(), "a number, not NaN")
    descended = x.sub(gradient.clamp(-gradient_limit, gradient_limit), alpha=step_size)
    return descended.add(noise, alpha=noise_scale).clamp(low, high)


def stochastic_gradient_step(parameters, noise, gradient_log_prior, gradient_log_likelihood, *, step_size, dataset_size):
    r"""theta + h/2 (g_0 + N/M sum_i g_i) + sqrt(h) noise: a Langevin step of length h/2 up the log-posterior, by M of N data.

    h = step_size, N = dataset_size; g_0 = gradient_log_prior, g_i = a row of gradient_log_likelihood, both at theta = parameters.

    Raises ValueError if noise or gradient_log_prior has not the shape of parameters, or a row of gradient_log_likelihood;
    gradient_log_likelihood has no row, or more than dataset_size; or step_size is not positive.
    Source: Welling & Teh 2011, eq. 4.
    [P], [P], [P], [M, P] -> [P]
    """
    require_rank(1, parameters=parameters)
    require_same_shape(parameters=parameters, noise=noise, gradient_log_prior=gradient_log_prior)
    require_rank(2, gradient_log_likelihood=gradient_log_likelihood)
    seen = len(gradient_log_likelihood)
    require_shape((seen, len(parameters)), gradient_log_likelihood=gradient_log_likelihood)
    require(seen > 0, "gradient_log_likelihood has 0 rows; it must have at least 1")
    require(
        seen <= dataset_size, f"dataset_size is {dataset_size}; it must be at least {seen}, the rows of gradient_log_likelihood"
    )
    require_positive(step_size=step_size)
    gradient = gradient_log_prior.add(gradient_log_likelihood.sum(0), alpha=dataset_size / seen)
    return parameters.add(gradient, alpha=step_size / 2).add(noise, alpha=math.sqrt(step_size))


def gaussian_stationary_variance(variance, *, step_size):
    r"""v / (1 - h / (2 v)), h = step_size: where the variance of langevin_step settles on the energy x^2 / (2 v) at T = 1.

    The chain converges for h < 2 v.

    Raises ValueError if step_size is not positive, or variance is not above step_size / 2.
    Source: Roberts & Tweedie 1996; Wibisono 2018, section 4.
    [...] -> [...]
    """
    require_positive(step_size=step_size)
    needed = f"above {step_size / 2}: at step_size {step_size} the chain diverges"
    require_values("variance", variance, lambda v: v > step_size / 2, needed)
    return variance / (1 - step_size / (2 * variance))
