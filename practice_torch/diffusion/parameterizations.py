"""Parameterizations: the noise, the data, their velocity, the score or the step's mean as what a network predicts.

The experiment trains one U-Net three times, with three readings of its output.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from practice_torch.arguments import require, require_same_shape, require_timesteps, require_values, values_are_free
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.levels import beta_at, level_at, per_example
from practice_torch.networks.unet import Sizes

_KINDS = ("noise", "x0", "velocity", "score", "mean")


def x0_from_noise(x_t, noise, t, alpha_bar):
    r"""x_0 = (x_t - sqrt(1 - a_t) noise) / sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, or a_t = 0: pure noise does not
    tell the data.  Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, noise=noise)
    _require_data_left(t, alpha_bar)
    return (x_t - sin * noise) / cos


def noise_from_x0(x_t, x0, t, alpha_bar):
    r"""noise = (x_t - sqrt(a_t) x_0) / sqrt(1 - a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, section 3.2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, x0=x0)
    return (x_t - cos * x0) / sin


def velocity(x0, noise, t, alpha_bar):
    r"""v = sqrt(a_t) noise - sqrt(1 - a_t) x_0: how x_t moves as its angle phi grows, cos(phi) = sqrt(a_t).

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x0=x0, noise=noise)
    return cos * noise - sin * x0


def x0_from_velocity(x_t, velocity, t, alpha_bar):
    r"""x_0 = sqrt(a_t) x_t - sqrt(1 - a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, velocity=velocity)
    return cos * x_t - sin * velocity


def noise_from_velocity(x_t, velocity, t, alpha_bar):
    r"""noise = sqrt(1 - a_t) x_t + sqrt(a_t) v: the rotation undone; also where a_t = 0.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Salimans & Ho 2022, appendix D.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    cos, sin = _angle(t, alpha_bar, x_t=x_t, velocity=velocity)
    return sin * x_t + cos * velocity


def convert_prediction(prediction, x_t, t, alpha_bar, *, source, target):
    r"""The target that the same network predicts with a prediction of the source at x_t.

    Both are among "noise"; "x0"; "velocity"; "score" = -noise/sqrt(1 - a_t), the gradient of log q(x_t | x_0); and "mean" =
    sqrt(a_(t-1)) beta_t/(1 - a_t) x_0 + sqrt(1 - beta_t) (1 - a_(t-1))/(1 - a_t) x_t, that of q(x_(t-1) | x_t, x_0), which is
    (x_t - beta_t/sqrt(1 - a_t) noise)/sqrt(1 - beta_t).  A prediction that already is the target comes back as it is.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, alpha_bar is no schedule, source or target is another
    word, or a_t = 0 (so that beta_t = 1) where noise or score are to tell the rest, or a mean is told or tells.
    Source: Ho et al. 2020, section 3.2; Salimans & Ho 2022, appendix D; Luo 2022.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    _, sin = _angle(t, alpha_bar, x_t=x_t, prediction=prediction)
    _require_kind(source=source, target=target)
    if source == target:
        return prediction
    if source == "score":
        source, prediction = "noise", -sin * prediction
    scale = 1.0
    if target == "score":
        target, scale = "noise", -1 / sin
    if source != target:
        if "mean" in (source, target) or source == "noise":
            _require_data_left(t, alpha_bar)
        (p, q), (of_x_t, of_v) = _in_the_plane(source, t, alpha_bar), _in_the_plane(target, t, alpha_bar)
        slope = of_v / q
        prediction = per_example(slope, x_t) * prediction + per_example(of_x_t - slope * p, x_t) * x_t
    return scale * prediction


def loss_ratio(t, alpha_bar, *, target):
    r"""||error of the target||^2 / ||error of the noise||^2 of one and the same network at x_t.

    noise: 1;  x0: (1 - a)/a;  velocity: 1/a;  score: 1/(1 - a);  mean: beta^2/((1 - a)(1 - beta)).  Where a_t = 0, errors of x0
    and of velocity outweigh those of the noise infinitely.

    Raises ValueError if t is not an integer in 1..T, alpha_bar is no schedule, target is another word, or beta_t = 1 for a mean.
    Source: Salimans & Ho 2022, section 4 and appendix D; Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, t=t)
    _require_kind(target=target)
    a = level_at(t, alpha_bar)
    match target:
        case "noise":
            return torch.ones_like(a)
        case "x0":
            return (1 - a) / a
        case "velocity":
            return 1 / a
        case "score":
            return 1 / (1 - a)
        case "mean":
            _require_data_left(t, alpha_bar)
            return beta_at(t, alpha_bar).square() * level_at(t - 1, alpha_bar) / (a * (1 - a))


def _angle(t, alpha_bar, **tensors):
    """cos(phi) = sqrt(a_t) and sin(phi) = sqrt(1 - a_t) of every example, once all that meets at x_t has been checked."""
    require_same_shape(**tensors)
    x = next(iter(tensors.values()))
    require_timesteps(alpha_bar, x, t=t)
    kept = level_at(t, alpha_bar)
    return per_example(kept.sqrt(), x), per_example((1 - kept).sqrt(), x)


def _in_the_plane(kind, t, alpha_bar):
    """The two numbers (p, q), [B] each, with which the kind is p x_t + q v. x_t and v are at right angles: none is ever infinite,
    and at t = 1 the mean has, to the last bit, those of x_0."""
    kept = level_at(t, alpha_bar)
    cos, sin = kept.sqrt(), (1 - kept).sqrt()
    match kind:
        case "noise":
            return sin, cos
        case "x0":
            return cos, -sin
        case "velocity":
            return torch.zeros_like(cos), torch.ones_like(cos)
        case "mean":
            before = level_at(t - 1, alpha_bar)
            return (kept / before).sqrt(), -sin * before.sqrt() * (beta_at(t, alpha_bar) / (1 - kept))


def _require_kind(**kinds):
    for name, kind in kinds.items():
        require(kind in _KINDS, f"{name} is {kind!r}; it must be one of {', '.join(_KINDS)}")


def _require_data_left(t, alpha_bar):
    allowed = "a step that leaves some of the data: alpha_bar is 0 there, and noise alone does not tell them"
    if values_are_free(alpha_bar):
        require_values("t", t, lambda t: alpha_bar[t] > 0, allowed)


# The experiment


@dataclass(frozen=True)
class PredictionRecipe(Sizes, Recipe):
    """One U-Net that predicts the noise, the data or the velocity, judged by its error of the data at the weight min(SNR, limit).

    What differs between the recipes is the form in which the network gives its answer, and nothing else.
    """

    prediction: Literal["noise", "x0", "velocity"] = "velocity"
    """What the network's output stands for."""
    num_steps: int = 200
    """Steps from the data to noise, on the cosine schedule."""
    snr_limit: float = 5.0
    """Largest weight of a squared error of the data: without a limit the least noisy steps drown all others."""
    sampling_steps: int = 20
    """Network calls for a sample."""
    metric: Fixed = "weighted_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("num_steps", self.num_steps >= 3, "at least 3")
        self._require("snr_limit", self.snr_limit > 0, "positive")
        self._require("sampling_steps", 1 <= self.sampling_steps <= self.num_steps, f"between 1 and num_steps ({self.num_steps})")


class PredictionExperiment(nn.Module):
    """Learns to see images through noise, and draws new ones by seeing less and less of it."""

    explains = {
        "weighted_error": Metric("squared error", "error of the data under the weighting of the loss, over all levels"),
        "error_clean": Metric("squared error", "error of the data in the third of the levels with the least noise"),
        "error_middle": Metric("squared error", "error of the data in the middle third of the levels"),
        "error_noisy": Metric("squared error", "error of the data in the third of the levels with the most noise"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        self.network = recipe.unet(self.shape)
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_steps=recipe.num_steps))

    def forward(self, batch, phase):
        """The mean squared error of the data, weighted by min(SNR, limit), per pixel."""
        x0 = 2 * batch["image"] - 1
        t = torch.randint(1, self.recipe.num_steps + 1, x0.shape[:1], generator=self.generator, device=x0.device)
        return self._errors(x0, t)[0].mean(), {}

    def evaluate(self, data):
        """The weighted error over all steps, and the plain error of the data in the clean, middle and noisy third of them."""
        thirds = torch.arange(1, self.recipe.num_steps + 1).tensor_split(3)
        sums = torch.zeros(2, 3, dtype=torch.float64)
        for indices in torch.arange(len(data)).split(256):
            x0 = 2 * data.batch(indices)["image"] - 1
            for i, steps in enumerate(thirds):
                t = steps[indices % len(steps)].to(x0.device)  # every step, whatever the generator says
                sums[:, i] += torch.stack(self._errors(x0, t)).sum(1).double().cpu() / len(data)
        shares = torch.tensor([len(steps) for steps in thirds]) / self.recipe.num_steps
        clean, middle, noisy = sums[1].tolist()
        return {
            "weighted_error": (sums[0] * shares).sum().item(),
            "error_clean": clean,
            "error_middle": middle,
            "error_noisy": noisy,
        }

    def preview(self, data):
        """Held-out images, noised, and what the network takes them for; and new images."""
        x0 = 2 * data.batch(torch.arange(min(len(data), 4)))["image"] - 1
        t = torch.linspace(self.recipe.num_steps / 8, self.recipe.num_steps, 5, device=x0.device).round().long().clamp(min=1)
        x0, t = x0.repeat_interleave(len(t), 0), t.repeat(len(x0))
        x_t = forward_sample(x0, t, self._noise(len(x0)), self.alpha_bar)
        seen = self._data(self.network(x_t, t), x_t, t)
        rows = torch.stack([x0, x_t, seen], 1).flatten(0, 1)
        caption = "Held-out images, each beside its noised form and the data that the network sees in it: more noise to the right"
        return {"denoised": ImageGrid((rows + 1) / 2, 15, caption), **self.sample(64)}

    def sample(self, count):
        """Images from pure noise. A step names the data, clips them, re-derives the noise from them and goes to a level below."""
        steps = torch.linspace(self.recipe.num_steps, 0, self.recipe.sampling_steps + 1).round().long().tolist()
        x = self._noise(count)
        for now, after in itertools.pairwise(steps):
            t, s = (torch.full((count,), step, device=x.device) for step in (now, after))
            x0 = self._data(self.network(x, t), x, t)
            x = forward_sample(x0, s, noise_from_x0(x, x0, t, self.alpha_bar), self.alpha_bar)
        return {"samples": ImageGrid((x + 1) / 2, 8, f"Drawn in {self.recipe.sampling_steps} steps from noise")}

    def _errors(self, x0, t):
        """Weighted and plain squared error of the data per pixel, [B] each."""
        noise = torch.randn(x0.shape, generator=self.generator, device=x0.device)
        x_t = forward_sample(x0, t, noise, self.alpha_bar)
        kind = self.recipe.prediction
        wanted = {"noise": noise, "x0": x0, "velocity": velocity(x0, noise, t, self.alpha_bar)}[kind]
        error = (self.network(x_t, t) - wanted).square().flatten(1).mean(1)
        of_data = loss_ratio(t, self.alpha_bar, target="x0") / loss_ratio(t, self.alpha_bar, target=kind)
        snr = 1 / loss_ratio(t, self.alpha_bar, target="x0")
        return snr.clamp(max=self.recipe.snr_limit) * of_data * error, of_data * error

    def _data(self, prediction, x_t, t):
        x0 = convert_prediction(prediction, x_t, t, self.alpha_bar, source=self.recipe.prediction, target="x0")
        return x0.clamp(-1, 1)

    def _noise(self, count):
        return torch.randn(count, *self.shape, generator=self.generator, device=self.alpha_bar.device)


_DIGITS = dict(
    data="digits", steps=1200, batch_size=128, learning_rate=2e-3, schedule="cosine", average_decay=0.995, held_out=0.2,
    evaluate_every=600, checkpoint_every=600, target=0.083,
)  # fmt: skip

RECIPES = {
    # measured, in two and a half minutes on one core: weighted errors of .0787, .0783 and .0777, and .109 after 100 steps. In the
    # noisy third the plain error of the data is .27 for x0 and velocity, and 260 for the noise: its x_0 divides by sqrt(a_t).
    "noise": PredictionRecipe(prediction="noise", **_DIGITS),
    "x0": PredictionRecipe(prediction="x0", **_DIGITS),
    "velocity": PredictionRecipe(prediction="velocity", **_DIGITS),
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return PredictionExperiment(recipe, data.description["shape"])
