"""Errors of samplers where the optimal prediction is known in closed form, so that only discretization errors remain."""

import math

import torch

from practice_torch.experiments.sampling.diffusion_sampling import chain, draw

# the words of `chain` for each
SAMPLERS = {
    "DDIM": {"sampler": "ddim"},
    "DPM-Solver++ 2M": {"sampler": "dpm_solver"},
    "DDIM, eta 0.5": {"sampler": "ddim", "eta": 0.5},
    "ancestral, large variance": {"sampler": "ancestral", "variance": "large"},
    "ancestral, small variance": {"sampler": "ancestral", "variance": "small"},
}


def gaussian_law(steps, alpha_bar, variance):
    """Var(x_0) of what the steps make of white noise, for data N(0, variance) and the best prediction of their noise.

    That prediction is sqrt(1 - a_t) x/V_t, V_t = 1 - a_t + a_t variance: a step multiplies x and the data predicted before it by
    a matrix, and adds its own noise.
    """
    found = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)  # the covariance of both
    for step in steps:
        kept = alpha_bar[step.t].item()
        x0 = step.x_in + step.prediction_in * math.sqrt(1 - kept) / (1 - kept + kept * variance)
        matrix = found.new_tensor([[step.x0_out * x0 + step.x_out, step.before_out], [x0, 0.0]])
        found = matrix @ found @ matrix.T
        found[0, 0] += step.noise_out**2
    return found[0, 0].item()


def gaussian_draws(steps, alpha_bar, variance, *, count, generator):
    """The same, drawn: [count] numbers."""

    def predict(x, t):
        kept = alpha_bar[t]
        return (1 - kept).sqrt() / (1 - kept + kept * variance) * x

    white = torch.randn(count, generator=generator, device=alpha_bar.device, dtype=alpha_bar.dtype)
    return draw(predict, white, steps, generator=generator)


def gaussian_errors(alpha_bar, variance, counts, *, draws, generator):
    """Var/variance - 1 of every sampler: by its law as (numbers of steps, errors), and by draws at `counts` of steps; variance;
    draws.
    """
    between = (round(counts[0] * (counts[-1] / counts[0]) ** (place / 24)) for place in range(25))
    everywhere = sorted({*counts, *between})
    laws, measured = {}, {}
    for name, kind in SAMPLERS.items():
        chains = {count: chain(alpha_bar, steps=count, **kind) for count in everywhere}
        laws[name] = everywhere, [gaussian_law(steps, alpha_bar, variance) / variance - 1 for steps in chains.values()]
        drawn = (gaussian_draws(chains[count], alpha_bar, variance, count=draws, generator=generator) for count in counts)
        measured[name] = [numbers.square().mean().item() / variance - 1 for numbers in drawn]
    return laws, measured, variance, draws


def sorted_radii(points, means, stds):
    """Distances of points [N, D] from the nearest center of a mixture, in deviations of its component, in order: [N].

    The mean difference of two such lists is the Wasserstein distance of their laws. Where modes are far apart this is the one
    coordinate that samplers get wrong; distances over the plane would see little but how many points fell to each mode by chance.
    """
    distance, nearest = torch.cdist(points, means).min(1)
    return (distance / stds[nearest]).sort().values
