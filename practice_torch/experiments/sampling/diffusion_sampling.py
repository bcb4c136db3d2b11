"""Sampling with a trained diffusion model: the coefficients of all steps are computed once.

The formulas are those of diffusion/ancestral_sampling, diffusion/ddim and diffusion/dpm_solver, which the tests compare with
this loop.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch

from practice_torch.arguments import require
from practice_torch.diffusion.dpm_solver import half_log_snr, multistep_second_order_step
from practice_torch.engine.bounds import AtLeast, Bounded
from practice_torch.engine.errors import OptionError

# Half a log-SNR with next to nothing of the data, e^-10.2 of the variance, where the authors of DPM-Solver begin: a schedule that
# ends in pure noise ends at -inf.
_NOISIEST = -5.1


@dataclass(frozen=True)
class Drawing(Bounded):
    """Options of sampling."""

    sampler: Literal["ancestral", "ddim", "dpm_solver"] = "ancestral"
    """ancestral: adds fresh noise in every step; ddim: deterministic for eta 0; dpm_solver: DPM-Solver++ 2M, of order two."""
    steps: Annotated[int | None, AtLeast(1)] = None
    """Number of network evaluations; without it, all levels of the training."""
    spacing: Literal["even", "leading"] = "even"
    """Levels of fewer steps: even, from the last level down; or leading, up from level 1 in whole distances, which leave the last
    level out, as the authors of DDIM and diffusers do.
    """
    variance: Literal["large", "small"] | None = None
    """Variance of an ancestral step: that of the forward step (large) or of the posterior given the data (small); without it, the
    model's own, large unless it was trained or imported with another.
    """
    eta: Annotated[float, AtLeast(0, at_most=1)] = 0.0
    """Noise of a DDIM step: 0 is deterministic, 1 has the noise of an ancestral step."""
    guidance: float = 1.0
    """Classifier-free guidance scale: 1 samples from the model itself; more gives clearer but less diverse samples."""
    clip: bool = True
    """Clip the predicted data to the range of the data."""
    refit_noise: bool = True
    """A DDIM step goes on with the noise that fits the clipped data; off: with the predicted noise, as diffusers does."""
    label: int | None = None
    """Class of the samples; without it, all classes in turn."""

    def __post_init__(self):
        super().__post_init__()
        noisy = self.sampler != "ddim" and self.eta
        require(not noisy, f"eta is {self.eta}; it applies to --sampler ddim only")
        mixed = self.sampler != "ancestral" and self.variance is not None
        require(not mixed, f"variance is {self.variance}; it applies to --sampler ancestral only")
        timed = self.sampler == "dpm_solver" and self.spacing != "even"
        require(not timed, f"spacing is {self.spacing}; --sampler dpm_solver has levels of its own")
        plain = self.sampler == "ddim" or self.refit_noise
        require(plain, f"refit_noise is {self.refit_noise}; it applies to --sampler ddim only")
        self._require("guidance", math.isfinite(self.guidance), "finite")

    def require_known(self, *, levels, classes, null_trained):
        """Raise OptionError for options that a model with these levels and classes does not support."""
        if self.guidance != 1 and not classes:
            raise OptionError(f"guidance is {self.guidance}; this model has no classes: leave it at 1")
        if self.guidance != 1 and not null_trained:
            untrained = "this model's null class was never trained (drop_probability 0)"
            raise OptionError(f"guidance is {self.guidance}; {untrained}: leave it at 1")
        if self.label is not None and not 0 <= self.label < classes:
            raise OptionError(f"label is {self.label}; this model has {f'classes 0..{classes - 1}' if classes else 'no classes'}")
        if self.steps is not None and self.steps > levels:
            raise OptionError(f"steps is {self.steps}; this model was trained on {levels} levels: at most as many")


@dataclass(frozen=True)
class Step:
    """From level t on: x0 = x * x_in + prediction * prediction_in, clipped; then x0 * x0_out + x * x_out + noise * noise_out.

    A step of order two adds before * before_out, where before is the x0 of the step before, and a step with the predicted noise
    prediction * prediction_out.
    """

    t: int
    x_in: float
    prediction_in: float
    x0_out: float
    x_out: float
    noise_out: float
    before_out: float = 0.0
    prediction_out: float = 0.0


def chain(
    alpha_bar, *, steps=None, prediction="noise", sampler="ancestral", variance="large", eta=0.0, spacing="even", refit_noise=True
):
    """The steps from level T to the data: all T of them, or fewer, of even length (for "dpm_solver" in the log-SNR).

    prediction: what the network predicts, "noise", "x0" or "velocity". sampler: "ancestral", with the variance "large" or
    "small" of the shorter chain, "ddim", with eta, or "dpm_solver": DPM-Solver++ 2M, with the first and the last step of DDIM.
    spacing: of all but dpm_solver; "even", or "leading": levels 1, 1 + d, 1 + 2d, ..., d = floor(T/steps), though white noise is
    what level T has (Lin et al. 2023). refit_noise: of ddim; if off, the predicted noise stays where the data are clipped.

    Raises ValueError unless 1 <= steps <= T, and where the network predicts the noise and nothing of the data is left at T.
    """
    levels = alpha_bar.double().tolist()
    last = len(levels) - 1
    steps = last if steps is None else steps
    require(1 <= steps <= last, f"steps is {steps}; this model was trained on {last} levels: between 1 and {last}")
    hopeless = prediction == "noise" and levels[-1] == 0
    require(not hopeless, "alpha_bar ends at 0, where the data cannot be computed from the predicted noise")
    even = [round(last - i * last / steps) for i in range(steps)]
    leading = [1 + i * (last // steps) for i in reversed(range(steps))]
    times = _on_the_clock(alpha_bar, steps) if sampler == "dpm_solver" else {"even": even, "leading": leading}[spacing]
    times.append(0)
    found = [_step(t, levels[t], levels[s], prediction, sampler, variance, eta) for t, s in itertools.pairwise(times)]
    if sampler == "ddim" and not refit_noise:
        found = [_with_predicted_noise(step, levels[step.t], prediction) for step in found]
    if sampler == "dpm_solver":
        for number in range(1, steps - 1):
            found[number] = _of_order_two(found[number], *(levels[t] for t in times[number - 1 : number + 2]))
    return tuple(found)


def _on_the_clock(alpha_bar, steps):
    """Levels T = t_0 > ... > t_(S-1) = 1, as evenly spread in half the log-SNR as levels can be."""
    clock = half_log_snr(alpha_bar.double().cpu())[1:]
    last, places = len(clock), torch.arange(steps)
    wanted = torch.linspace(clock[0].item(), max(clock[-1].item(), _NOISIEST), steps, dtype=torch.float64)
    nearest = (clock - wanted[:, None]).abs().argmin(1) + 1
    nearest[-1] = last
    nearest = (nearest - places).cummax(0).values + places  # no level twice
    return nearest.minimum(last - steps + 1 + places).flip(0).tolist()


def _of_order_two(step, earlier, now, after):
    """The step of DPM-Solver++ 2M from a_t = now to after, with the prediction at a_r = earlier: what it makes of unit vectors.

    From pure noise (earlier = 0) the step before was infinitely long on the solver's clock, and the one of order one remains.
    """
    if earlier == 0:
        return step
    clock = half_log_snr(torch.tensor([[earlier], [now], [after]], dtype=torch.float64))
    x, x0, before = torch.eye(3, dtype=torch.float64)[:, None]
    x_out, x0_out, before_out = multistep_second_order_step(x, x0, before, *clock)[0].tolist()
    return replace(step, x_out=x_out, x0_out=x0_out, before_out=before_out)


def _with_predicted_noise(step, after, prediction):
    """A step of DDIM whose noise is not of x and the clipped data, (x - cos x0)/sin, but of x and the prediction."""
    cos, sin = math.sqrt(after), math.sqrt(1 - after)
    of_x, of_prediction = {"noise": (0.0, 1.0), "x0": (1 / sin, -cos / sin), "velocity": (sin, cos)}[prediction]
    kept = step.x_out * sin
    return replace(step, x0_out=step.x0_out + step.x_out * cos, x_out=kept * of_x, prediction_out=kept * of_prediction)


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
def draw(predict, x, steps, *, limit=None, generator=None, watch=None):
    """x [B, ...] at the first step's level -> data [B, ...]. predict(x, t: int64 [B]) -> what the chain was made for.

    limit: predicted data are clipped to -limit..limit. watch(number, x, x0) sees every step's outcome and its predicted data.
    """
    count = x.shape[:1]
    times = torch.tensor([step.t for step in steps], device=x.device)[:, None].expand(-1, *count).unbind()
    spare = watch is None and not any(step.before_out for step in steps)  # x0 is needed once: its memory becomes the next x's
    before, unit_before = None, 1.0
    for number, (step, t) in enumerate(zip(steps, times, strict=True)):
        prediction = predict(x, t)
        # the data in units in which x counts once, and noise of the step's size: a call of torch less for each
        unit = step.x_in or 1.0
        x0 = x.add(prediction, alpha=step.prediction_in / unit) if step.x_in else prediction * step.prediction_in
        if limit is not None:
            x0.clamp_(-limit / unit, limit / unit)
        if step.noise_out:
            after = torch.empty_like(x).normal_(0.0, step.noise_out, generator=generator).add_(x0, alpha=step.x0_out * unit)
        else:
            after = x0.mul_(step.x0_out * unit) if spare else x0 * (step.x0_out * unit)
        if step.x_out:
            after.add_(x, alpha=step.x_out)
        if step.before_out:
            after.add_(before, alpha=step.before_out * unit_before)
        if step.prediction_out:
            after.add_(prediction, alpha=step.prediction_out)
        x = after
        before, unit_before = x0, unit
        if watch is not None:
            watch(number, x, x0 * unit)
    return x


def guided(network, label, null, scale):
    """predict(x, t) of a network that knows labels: unconditional + scale (conditional - unconditional), in one pass of both.

    label: [B], or [B, M] for labels of several tokens; null is a number, or the tokens [M], that stand for no label. scale = 1
    asks the network for the label alone, scale = 0 for none alone.
    """
    nothing = torch.zeros_like(label) + null
    if scale in (0, 1):
        asked = label if scale == 1 else nothing
        return lambda x, t: network(x, t, asked)
    both = torch.cat([label, nothing])

    def predict(x, t):
        conditional, unconditional = network(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return torch.lerp(unconditional, conditional, scale)

    return predict
