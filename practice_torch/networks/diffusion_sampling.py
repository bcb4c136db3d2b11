"""From noise to data with a trained network: whole chains, their coefficients worked out once, a few operations a step.

The formulas are those of diffusion/ancestral_sampling and diffusion/ddim, which the tests hold against this loop.
"""

import itertools
import math
from dataclasses import dataclass

import torch

from practice_torch.arguments import require


@dataclass(frozen=True)
class Step:
    """From level t on: x0 = x * x_in + prediction * prediction_in, clipped; then x0 * x0_out + x * x_out + noise * noise_out."""

    t: int
    x_in: float
    prediction_in: float
    x0_out: float
    x_out: float
    noise_out: float


def chain(alpha_bar, *, steps=None, prediction="noise", sampler="ancestral", variance="large", eta=0.0):
    """The steps from level T to the data: all T of them, or fewer, of even length.

    prediction: what the network predicts, "noise", "x0" or "velocity". sampler: "ancestral", with the variance "large" or
    "small" of the shorter chain, or "ddim", with eta.

    Raises ValueError unless 1 <= steps <= T, and where the network predicts the noise and nothing of the data is left at T.
    """
    levels = alpha_bar.double().tolist()
    last = len(levels) - 1
    steps = last if steps is None else steps
    require(1 <= steps <= last, f"steps is {steps}; this model was trained on {last} levels: between 1 and {last}")
    hopeless = prediction == "noise" and levels[-1] == 0
    require(not hopeless, "alpha_bar ends at 0, where nothing of the data is left, and the noise does not tell them")
    times = [round(last - i * last / steps) for i in range(steps)] + [0]
    return tuple(
        _step(t, levels[t], levels[s], prediction, sampler, variance, eta) for t, s in itertools.pairwise(times)
    )  # fmt: skip


def _step(t, after, before, prediction, sampler, variance, eta):
    """From the level a_t = after to a_s = before."""
    cos, sin = math.sqrt(after), math.sqrt(1 - after)
    seen = {"noise": lambda: (1 / cos, -sin / cos), "x0": lambda: (0.0, 1.0), "velocity": lambda: (cos, -sin)}[prediction]()
    if before == 1:
        return Step(t, *seen, 1.0, 0.0, 0.0)
    beta, share = (before - after) / before, (1 - before) / (1 - after)
    if sampler == "ancestral":
        of_data, of_noisy = math.sqrt(before) * beta / (1 - after), math.sqrt(after / before) * share
        return Step(t, *seen, of_data, of_noisy, math.sqrt(beta if variance == "large" else share * beta))
    fresh = eta**2 * share * beta
    kept = math.sqrt((1 - before - fresh) / (1 - after))
    return Step(t, *seen, math.sqrt(before) - kept * cos, kept, math.sqrt(fresh))


@torch.inference_mode()
def draw(predict, x, steps, *, limit=None, generator=None, watch=lambda number, x, x0: None):
    """x [B, ...] at the first step's level -> data [B, ...]. predict(x, t: int64 [B]) -> what the chain was made for.

    limit: predicted data are clipped to -limit..limit. watch(number, x, x0) sees every step's outcome and its predicted data.
    """
    count = x.shape[:1]
    times = torch.tensor([step.t for step in steps], device=x.device)[:, None].expand(-1, *count).unbind()
    for number, (step, t) in enumerate(zip(steps, times, strict=True)):
        prediction = predict(x, t)
        x0 = torch.add(x * step.x_in, prediction, alpha=step.prediction_in)
        if limit is not None:
            x0 = x0.clamp(-limit, limit)
        x = torch.add(x0 * step.x0_out, x, alpha=step.x_out)
        if step.noise_out:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = torch.add(x, noise, alpha=step.noise_out)
        watch(number, x, x0)
    return x


def guided(network, label, null, scale):
    """predict(x, t) of a network that knows labels: unconditional + scale (conditional - unconditional), in one pass of both.

    scale = 1 asks the network for the label alone, scale = 0 for the null class alone.
    """
    if scale in (0, 1):
        asked = label if scale == 1 else torch.full_like(label, null)
        return lambda x, t: network(x, t, asked)
    both = torch.cat([label, torch.full_like(label, null)])

    def predict(x, t):
        conditional, unconditional = network(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return torch.lerp(unconditional, conditional, scale)

    return predict
