"""A score-based model of images: samples by the reverse equation or the probability flow, and two prices of a held-out image."""

import itertools
import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn
from torch.nn.functional import softplus

from practice_torch.diffusion.probability_flow import log_prob, probability_flow_drift, solve
from practice_torch.diffusion.score_sde import (
    euler_maruyama_step,
    reverse_drift,
    variance_preserving_alpha_bar,
    variance_preserving_sde,
)
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.variational_diffusion import low_discrepancy_times
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.evaluation.bits_per_dimension import bits_per_dimension, uniform_dequantize
from practice_torch.experiments.training.unet_sizes import unet_of
from practice_torch.latent.vae import gaussian_log_likelihood, kl_to_standard_normal
from practice_torch.mathematics.levels import as_rows, per_example

_DRAWS = 60  # of the noise, for each image in the bound


@dataclass(frozen=True)
class FlowRecipe(Recipe):
    """A score-based model, the variance-preserving equation, and the likelihood of its probability flow."""

    base_channels: Annotated[int, AtLeast(1)] = 24
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""
    num_levels: Annotated[int, AtLeast(2)] = 17
    """Number of values of a pixel: 17 for the digits, 256 for most images. Each gets uniform noise of the width of its cell."""
    beta_min: Annotated[float, Above(0)] = 0.1
    """Rate of the noise at time 0."""
    beta_max: Annotated[float, Above(0)] = 20.0
    """Rate of the noise at time 1."""
    first_time: Annotated[float, Above(0, below=1)] = 1e-3
    """Smallest time, used as the time of the data: the score is not learned below it."""
    solver_steps: Annotated[int, AtLeast(1)] = 12
    """Steps of the Runge-Kutta method between data and noise, of four network evaluations each."""
    measured_images: Annotated[int, AtLeast(2)] = 100
    """Number of held-out images to compute the likelihood of."""
    metric: Fixed = "bits_per_dimension"

    def __post_init__(self):
        super().__post_init__()
        self._require("beta_max", self.beta_max >= self.beta_min, f"at least beta_min ({self.beta_min})")


class FlowExperiment(nn.Module):
    """Learns the noise in an image at every time, which is its score times minus the noise's deviation.

    Data are (value + uniform)/num_levels on [-1, 1]: a density, with bits comparable with those of discrete models. The
    network gives the non-Gaussian part: the noise is predicted as sigma x, right for data N(0, 1), plus alpha times its answer.
    """

    explains = {
        "bits_per_dimension": Metric("bits per dimension", "-log2 p of held-out images by the probability flow, per pixel"),
        "standard_error": Metric("bits per dimension", "standard error of the flow's bits over held-out images"),
        "bound": Metric("bits per dimension", "upper bound for the reverse equation, with the same network and images"),
        "loss": Metric("squared error", "mean squared error of the noise, per pixel"),
        "round_trip": Metric("size", "root mean square of a pixel that went to the noise and back, less itself"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        self.network = unet_of(recipe, self.shape)
        # small steps near the data, where the score changes fast
        times = torch.linspace(recipe.first_time**0.5, 1, recipe.solver_steps + 1) ** 2
        self.register_buffer("times", times)

    def forward(self, batch, phase):
        """The mean squared error of the noise per pixel, at evenly spread times."""
        return self._losses(self._data(batch["image"])).mean(), {}

    def evaluate(self, data):
        """The price of held-out images by the flow, and its bound by the equation with noise."""
        x0 = self._data(data.batch(torch.arange(min(len(data), self.recipe.measured_images)))["image"])
        bits, bound = [], []
        for rows in x0.split(100):
            probes = torch.randint(2, (1, *rows.shape), generator=self.generator, device=rows.device) * 2.0 - 1
            bits.append(self._bits(log_prob(rows, probes, self.times, self._velocity)))
            bound.append(self._bits(-torch.stack([self._negative_bound(rows) for _ in range(_DRAWS)]).mean(0)))
        bits, bound = torch.cat(bits).double(), torch.cat(bound).double()
        there = solve(x0[:100], self.times, self._velocity)
        back = solve(there, self.times.flip(0), self._velocity)
        return {
            "bits_per_dimension": bits.mean().item(),
            "standard_error": bits.std().item() / math.sqrt(len(bits)),
            "bound": bound.mean().item(),
            "loss": self._losses(x0).mean().item(),
            "round_trip": (back - x0[:100]).square().mean().sqrt().item(),
        }

    def preview(self, data):
        """New images by both ways."""
        return self.sample(64)

    def sample(self, count):
        """Images from pure noise, by the flow and by the reverse equation."""
        noise = torch.randn(count, *self.shape, generator=self.generator, device=self.times.device)
        calm = solve(noise, self.times.flip(0), self._velocity)
        steps = 4 * self.recipe.solver_steps
        times, rough = torch.linspace(self.times[-1], self.times[0], steps + 1, device=noise.device), noise
        for now, after in itertools.pairwise(times):
            rough = self._reverse_step(rough, now.expand(count), (after - now).expand(count))
        images = {name: self._rounded(x) for name, x in (("flow", calm), ("equation", rough))}
        evaluations = f"{steps} network evaluations"
        return {
            "flow": ImageGrid(images["flow"], 8, f"Drawn by the probability flow, {evaluations}"),
            "equation": ImageGrid(images["equation"], 8, f"Drawn from the same noise by the reverse equation, {evaluations}"),
        }

    def _reverse_step(self, x, time, step):
        drift, diffusion = self._coefficients(x, time)
        noise = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return euler_maruyama_step(x, reverse_drift(self._score(x, time), drift, diffusion), diffusion, noise, step)

    def _velocity(self, x, time):
        drift, diffusion = self._coefficients(x, time)
        return probability_flow_drift(self._score(x, time), drift, diffusion)

    def _coefficients(self, x, time):
        return variance_preserving_sde(x, time, beta_min=self.recipe.beta_min, beta_max=self.recipe.beta_max)

    def _level(self, time):
        """a of the time, [B]."""
        return variance_preserving_alpha_bar(time, beta_min=self.recipe.beta_min, beta_max=self.recipe.beta_max)

    def _score(self, x, time):
        return -self._noise_pred(x, time) / per_example((1 - self._level(time)).sqrt(), x)

    def _noise_pred(self, x, time):
        level = self._level(time)
        alpha, sigma = (per_example(part.sqrt(), x) for part in (level, 1 - level))
        return torch.addcmul(sigma * x, alpha, self.network(x, 1000 * time).to(x.dtype))

    def _losses(self, x0):
        """Squared errors of the noise per pixel, [B], at times evenly spread between the first and 1."""
        first = self.recipe.first_time
        return self._errors(x0, first + (1 - first) * self._spread(x0)) / x0[0].numel()

    def _spread(self, x0):
        """Numbers evenly spread on [0, 1), one for each."""
        uniform = torch.rand((), generator=self.generator, device=x0.device)
        return low_discrepancy_times(uniform, batch_size=len(x0)).to(x0.dtype)

    def _errors(self, x0, time):
        """Squared errors of the noise, [B]."""
        noise = torch.randn(x0.shape, generator=self.generator, device=x0.device)
        level = self._level(time)
        x = per_example(level.sqrt(), x0) * x0 + per_example((1 - level).sqrt(), x0) * noise
        return squared_error(self._noise_pred(x, time), noise)

    def _negative_bound(self, x0):
        """An estimate of the bound on -log p(x0), nats, [B]: prior, steps between, and the first time.

        The steps cost half the error of the noise for each nat of the log-SNR, which is drawn evenly: over the times the error
        would be weighted by beta/(1 - a), up to a thousand near the data.
        """
        ends = self._level(self.times[[0, -1]])
        top, bottom = ends.logit()
        log_snr = bottom + (top - bottom) * self._spread(x0)
        steps = (top - bottom) * self._errors(x0, self._time(log_snr)) / 2
        rows, (first, last) = as_rows(x0), ends
        prior = kl_to_standard_normal(last.sqrt() * rows, (1 - last).log().expand_as(rows))
        noise = torch.randn(rows.shape, generator=self.generator, device=x0.device)
        ratio = (1 - first) / first
        decoded = gaussian_log_likelihood(rows, rows + ratio.sqrt() * noise, ratio.log().expand_as(rows))
        return prior + steps - decoded

    def _time(self, log_snr):
        """When the log-SNR is that: the integral B of the rate is then log(1 + e^-log_snr), and quadratic in the time."""
        integral, least = softplus(-log_snr), self.recipe.beta_min
        rise = self.recipe.beta_max - least
        return (2 * integral / (least + (least**2 + 2 * rise * integral).sqrt())).clamp(max=1.0)  # which rounding may exceed

    def _bits(self, log_density):
        """Bits per dimension of each image from its density on [-1, 1], [B]: that on [0, 1] is 2 times larger per pixel."""
        dimensions = math.prod(self.shape)
        return bits_per_dimension(log_density + dimensions * math.log(2), dim=dimensions, num_levels=self.recipe.num_levels)

    def _data(self, image):
        """Values with uniform noise of their width, on [-1, 1]."""
        values = (as_rows(image) * (self.recipe.num_levels - 1)).round().long()
        uniforms = torch.rand(values.shape, generator=self.generator, device=image.device)
        return 2 * uniform_dequantize(values, uniforms, num_levels=self.recipe.num_levels).view(image.shape) - 1

    def _rounded(self, x):
        """The values of the cells that contain the numbers, as images in [0, 1]."""
        levels = self.recipe.num_levels
        return ((x + 1) / 2 * levels).floor().clamp(0, levels - 1) / (levels - 1)


RECIPES = {
    # Measured with seed 0, in a minute and a half of one core, on 100 held-out images: 2.040 +- 0.024 by the flow, and a bound of
    # 2.140 for the equation with noise. 10, 20 and 40 steps of the solver agree to 0.001. Independent pixels cost 2.42.
    "digits": FlowRecipe(
        data="digits",
        steps=700,
        batch_size=96,
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.99,
        clip_norm=1.0,
        held_out=0.2,
        target=2.2,
        evaluate_every=700,
        checkpoint_every=350,
    )
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return FlowExperiment(recipe, data.description["shape"])
