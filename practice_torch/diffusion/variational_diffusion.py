"""Variational diffusion in continuous time: the bound on -log p(x) in terms of the log-SNR, and a model whose schedule learns."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import logsigmoid, softplus

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_values,
    values_are_free,
)
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.levels import as_rows, per_example
from practice_torch.networks.fourier_features import fourier_features
from practice_torch.networks.unet import Sizes
from practice_torch.pictures import diffusion as pictures


def linear_log_snr(time, *, log_snr_max, log_snr_min):
    r"""lambda(time) = (1 - time) lambda_max + time lambda_min: from the data at time 0 on a straight line to noise at time 1.

    Raises ValueError for a time outside [0, 1], or unless log_snr_max > log_snr_min.  Source: Kingma et al. 2021, section 3.
    [...] -> [...]
    """
    require_values("time", time, lambda time: (time >= 0) & (time <= 1), "in [0, 1]")
    ends = torch.as_tensor(log_snr_max), torch.as_tensor(log_snr_min)  # numbers, or a model's parameters
    if values_are_free(ends[1]):
        require_values("log_snr_max", ends[0], lambda top: top > ends[1], f"above log_snr_min, {log_snr_min}")
    return (1 - time) * log_snr_max + time * log_snr_min


def variance_preserving_sample(x0, noise, log_snr):
    r"""z = alpha x_0 + sigma noise, with alpha^2 = sigmoid(lambda) and sigma^2 = sigmoid(-lambda) = 1 - alpha^2.

    Raises ValueError if the shapes differ or log_snr is not one number for each example.
    Source: Kingma et al. 2021, section 3.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    _require_one_each(x0, log_snr=log_snr)
    return per_example(_alpha(log_snr), x0) * x0 + per_example(_alpha(-log_snr), x0) * noise


def posterior(z_t, x0, log_snr_t, log_snr_s):
    r"""Mean and log-variance of q(z_s | z_t, x_0), at a level s that is less noisy than t.

    With c = 1 - e^(lambda_t - lambda_s): mean alpha_s ((1 - c) z_t/alpha_t + c x_0), variance sigma_s^2 c. Where the levels are
    equal, z_t itself and a log-variance of -inf.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, appendix A.
    [B, ...], [B, ...], [B], [B] -> [B, ...], [B]
    """
    require_same_shape(z_t=z_t, x0=x0)
    fall = _fall(z_t, log_snr_s, log_snr_t)
    # (1 - c) alpha_s/alpha_t in one exponential: far down, 1/alpha_t would overflow before 1 - c brings it back
    of_z = torch.exp((logsigmoid(log_snr_s) - logsigmoid(log_snr_t)) / 2 - fall)
    mean = per_example(of_z, z_t) * z_t + per_example(_alpha(log_snr_s) * _share(fall), x0) * x0
    return mean, (logsigmoid(-log_snr_s) + _log_share(fall)).to(z_t.dtype)


def discrete_diffusion_loss(x0_pred, x0, log_snr_s, log_snr_t):
    r"""1/2 (e^lambda_s - e^lambda_t) ||x_0 - x0_pred||^2: KL(q(z_s | z_t, x_0) || q(z_s | z_t, x0_pred)), s before t; nats.

    Raises ValueError if the shapes differ, a log-SNR is not one number for each example, or log_snr_s < log_snr_t.
    Source: Kingma et al. 2021, section 4.
    [B, ...], [B, ...], [B], [B] -> [B]
    """
    require_same_shape(x0=x0, x0_pred=x0_pred)
    weight = log_snr_s.exp() * _share(_fall(x0, log_snr_s, log_snr_t)) / 2
    return weight.to(x0.dtype) * _distance(x0, x0_pred)


def continuous_diffusion_loss(noise_pred, noise, log_snr_slope):
    r"""-1/2 lambda'(time) ||noise - noise_pred||^2, nats: its mean over uniform times is the loss of infinitely many steps.

    Raises ValueError if the shapes differ, log_snr_slope is not one number for each example, or positive (noise only grows).
    Source: Kingma et al. 2021, section 4.1.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(noise=noise, noise_pred=noise_pred)
    _require_one_each(noise, log_snr_slope=log_snr_slope)
    require_values("log_snr_slope", log_snr_slope, lambda slope: slope <= 0, "at most 0: the log-SNR falls with time")
    return (-log_snr_slope / 2).to(noise.dtype) * _distance(noise, noise_pred)


def reconstruction_log_prob(z0, x0_index, values, log_snr_0):
    r"""log p(x_0 | z_0) of x_0 = values[x0_index], summed over all axes but the first; nats.

    In each dimension a choice among the K values by how well each explains z_0, all being equally likely before:
    the softmax over k of -(z_0 - alpha_0 values_k)^2 / (2 sigma_0^2).

    Raises ValueError unless x0_index has the shape of z0 and integers in 0..K-1, values is [K], K >= 2, and log_snr_0 one number
    for each example.  Source: Kingma et al. 2021, section 3.3 and appendix.
    [B, ...], [B, ...], [K], [B] -> [B]
    """
    require_same_shape(z0=z0, x0_index=x0_index)
    _require_one_each(z0, log_snr_0=log_snr_0)
    require_rank(1, values=values)
    require(len(values) >= 2, f"values has {len(values)} entries; it must have at least 2 to choose from")
    require_integers(x0_index=x0_index)
    require_values("x0_index", x0_index, lambda i: (i >= 0) & (i < len(values)), f"in 0..{len(values) - 1}")
    index = as_int64(x0_index).unsqueeze(-1)
    z, right = (z0 / per_example(_alpha(log_snr_0), z0)).unsqueeze(-1), values[index]
    # minus the log-odds of the right value against each: squares are taken of nothing, so nothing of e^lambda z^2 cancels
    log_odds = (right - values) * (z - (right + values) / 2) * per_example(log_snr_0.exp(), z)
    rivals = (-log_odds).scatter(-1, index, -torch.inf).logsumexp(-1)
    return as_rows(logsigmoid(-rivals)).sum(1)


def low_discrepancy_times(u, *, batch_size):
    r"""(u + i/n) mod 1 for i = 0..n-1, n = batch_size: each uniform on [0, 1) if u is, together one in every n-th of it.

    Raises ValueError unless u is a scalar in [0, 1) and batch_size >= 1.  Source: Kingma et al. 2021, appendix I.1.
    [] -> [batch_size]
    """
    require_rank(0, u=u)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require(batch_size >= 1, f"batch_size is {batch_size}; it must be at least 1")
    return (u + torch.arange(batch_size, dtype=u.dtype, device=u.device) / batch_size).remainder(1)


def _alpha(log_snr):
    """sqrt(sigmoid(lambda)), and sigma at -lambda; by its logarithm, because where sigmoid has rounded to 1 it has no slope."""
    return torch.exp(logsigmoid(log_snr) / 2)


def _share(fall):
    """c = 1 - e^-fall, fall >= 0. The derivative of expm1 is expm1 + 1, which rounds a small e^-fall away."""
    far = fall > 1
    return torch.where(far, 1 - torch.exp(-fall.where(far, 1.0)), -torch.expm1(-fall.masked_fill(far, 0.0)))


def _log_share(fall):
    """log c: of a small share through expm1, of one near 1 through log1p."""
    far = fall > 1
    return torch.where(far, torch.log1p(-torch.exp(-fall.where(far, 1.0))), _share(fall.masked_fill(far, 1.0)).log())


def _distance(x, y):
    return as_rows(x - y).square().sum(1)


def _fall(x, log_snr_s, log_snr_t):
    """lambda_s - lambda_t >= 0 of every example."""
    _require_one_each(x, log_snr_s=log_snr_s, log_snr_t=log_snr_t)
    if values_are_free(log_snr_t):
        require_values("log_snr_s", log_snr_s, lambda s: s >= log_snr_t, "at least log_snr_t: s is the less noisy of the two")
    return log_snr_s - log_snr_t


def _require_one_each(x, **levels):
    for name, level in levels.items():
        given, batch = list(level.shape), list(x.shape[:1])
        require(given == batch, f"{name} has shape {given}; it must have one entry for each of {batch}")


# The experiment


@dataclass(frozen=True)
class VariationalDiffusionRecipe(Sizes, Recipe):
    """A diffusion model trained on its bound in bits per dimension; the ends of its schedule are learned with it."""

    num_levels: int = 17
    """Values a pixel may have: 17 gray levels of the digits, 256 of most images."""
    log_snr_max: float = 8.0
    """Log-SNR of the least noisy level, to begin with."""
    log_snr_min: float = -5.0
    """Log-SNR of the noisiest level, to begin with."""
    frequencies: tuple[int, ...] = (3, 4)
    """The network also sees sin and cos of 2^k pi z for these k: differences between neighboring values, made large."""
    sampling_steps: int = 50
    """Network calls for a sample."""
    metric: Fixed = "bits_per_dimension"

    def __post_init__(self):
        super().__post_init__()
        self._require("num_levels", self.num_levels >= 2, "at least 2")
        self._require("log_snr_max", self.log_snr_max > self.log_snr_min, f"above log_snr_min ({self.log_snr_min})")
        self._require("sampling_steps", self.sampling_steps >= 1, "at least 1")


class NoisePredictor(nn.Module):
    """A U-Net that sees z, its Fourier features and its log-SNR: [B, C, H, W], [B] -> the noise, [B, C, H, W]."""

    def __init__(self, recipe, shape):
        super().__init__()
        self.frequencies = recipe.frequencies
        channels = shape[0] * (1 + 2 * len(recipe.frequencies))
        self.network = recipe.unet(shape, channels=channels, out_channels=shape[0])

    def forward(self, z, log_snr):
        # The U-Net knows times of some hundreds. Where noise is nearly all, z is the noise: what is learned is the difference.
        return z + self.network(fourier_features(z, self.frequencies), 10 * log_snr)


class Ends(nn.Module):
    """The two ends of the schedule: the lower, and how far above it the upper lies, softplus(rise) > 0."""

    def __init__(self, log_snr_max, log_snr_min):
        super().__init__()
        self.bottom = nn.Parameter(torch.tensor(float(log_snr_min)))
        self.rise = nn.Parameter(torch.tensor(math.log(math.expm1(log_snr_max - log_snr_min))))

    def forward(self):
        """log_snr_max, log_snr_min"""
        return self.bottom + softplus(self.rise), self.bottom


class VariationalDiffusionExperiment(nn.Module):
    """Learns the bound on -log2 p(x) per pixel, and draws images from it step by step."""

    explains = {
        "bits_per_dimension": Metric("bits per dimension", "upper bound of -log2 p(x): prior, diffusion and reconstruction"),
        "prior": Metric("bits per dimension", "divergence of the noisiest level from the prior"),
        "diffusion": Metric("bits per dimension", "the diffusion loss, integrated over the levels"),
        "reconstruction": Metric("bits per dimension", "cost of the data given the cleanest level"),
        "log_snr_max": Metric("nats", "log signal-to-noise ratio where the learned schedule begins"),
        "log_snr_min": Metric("nats", "log signal-to-noise ratio where the learned schedule ends"),
    }
    phases = (Phase("train", moves=("predictor", "ends")),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        self.predictor = NoisePredictor(recipe, self.shape)
        self.ends = Ends(recipe.log_snr_max, recipe.log_snr_min)
        self.register_buffer("values", torch.linspace(-1, 1, recipe.num_levels))

    def forward(self, batch, phase):
        """The mean bound of a batch in bits per dimension, and its three parts."""
        parts = {name: part.mean() for name, part in self._bound(self._index(batch["image"])).items()}
        return sum(parts.values()), {name: part.detach() for name, part in parts.items()}

    def evaluate(self, data):
        """Bits per held-out dimension: the bound, its parts, and where the schedule begins and ends."""
        draws, sums = 8, {"prior": 0.0, "diffusion": 0.0, "reconstruction": 0.0}
        for indices in torch.arange(len(data)).split(256):
            index = self._index(data.batch(indices)["image"]).repeat(draws, 1, 1, 1)
            for name, part in self._bound(index).items():
                sums[name] += part.double().sum().item() / (draws * len(data))
        top, bottom = (end.item() for end in self.ends())
        return {"bits_per_dimension": sum(sums.values())} | sums | {"log_snr_max": top, "log_snr_min": bottom}

    def preview(self, data):
        """New images, and the error of the noise over the log-SNR, half of whose area is the diffusion loss."""
        x0 = self.values[self._index(data.batch(torch.arange(min(len(data), 64)))["image"])]
        top, bottom = self.ends()
        levels = torch.linspace(bottom.item(), top.item(), 40, device=x0.device)
        errors = torch.stack([self._noise_error(x0, level.expand(len(x0))).mean() for level in levels]) / x0[0].numel()
        return {"errors": pictures.noise_errors(levels.cpu(), errors.cpu()), **self.sample(64)}

    def sample(self, count):
        """Images from pure noise: a step names the data and draws from the posterior; the last one takes the likeliest values."""
        top, bottom = (end.item() for end in self.ends())
        times = torch.linspace(1, 0, self.recipe.sampling_steps + 1, device=self.values.device)
        levels = linear_log_snr(times, log_snr_max=top, log_snr_min=bottom)
        z = self._noise((count, *self.shape))
        for level_t, level_s in itertools.pairwise(levels):
            level_t, level_s = level_t.expand(count), level_s.expand(count)
            mean, log_var = posterior(z, self._data(z, level_t), level_t, level_s)
            z = mean + per_example((log_var / 2).exp(), z) * self._noise(z.shape)
        nearest = (self._data(z, levels[-1].expand(count)).unsqueeze(-1) - self.values).abs().argmin(-1)
        caption = f"Drawn in {self.recipe.sampling_steps} steps from noise"
        return {"samples": ImageGrid(nearest / (self.recipe.num_levels - 1), 8, caption)}

    def _bound(self, index):
        """The three parts of the bound on -log2 p(x), [B] each, in bits per dimension, at one time for each example."""
        x0, (top, bottom) = self.values[index], self.ends()
        times = low_discrepancy_times(torch.rand((), generator=self.generator, device=x0.device), batch_size=len(x0))
        log_snr = linear_log_snr(times, log_snr_max=top, log_snr_min=bottom)
        first, last, slope = (number.expand(len(x0)) for number in (top, bottom, bottom - top))
        z0 = variance_preserving_sample(x0, self._noise(x0.shape), first)
        nats = {
            "prior": _prior_kl(x0, last),
            "diffusion": self._noise_error(x0, log_snr, slope),
            "reconstruction": -reconstruction_log_prob(z0, index, self.values, first),
        }
        return {name: part / (x0[0].numel() * math.log(2)) for name, part in nats.items()}

    def _noise_error(self, x0, log_snr, slope=None):
        """The continuous loss at the slope; at none, the squared error itself."""
        noise = self._noise(x0.shape)
        noise_pred = self.predictor(variance_preserving_sample(x0, noise, log_snr), log_snr)
        return continuous_diffusion_loss(noise_pred, noise, torch.full_like(log_snr, -2.0) if slope is None else slope)

    def _data(self, z, log_snr):
        """The data that the predicted noise leaves, within the values' range."""
        x0 = (z - per_example(_alpha(-log_snr), z) * self.predictor(z, log_snr)) / per_example(_alpha(log_snr), z)
        return x0.clamp(-1, 1)

    def _index(self, image):
        return (image * (self.recipe.num_levels - 1)).round().long()

    def _noise(self, shape):
        return torch.randn(shape, generator=self.generator, device=self.values.device)


def _prior_kl(x0, log_snr):
    """KL(q(z_1 | x_0) || N(0, I)) = 1/2 sum [ alpha^2 x_0^2 - alpha^2 - log sigma^2 ], nats, [B]."""
    kept = torch.sigmoid(log_snr)
    return (kept * _distance(x0, torch.zeros_like(x0)) - x0[0].numel() * (kept + logsigmoid(-log_snr))) / 2


RECIPES = {
    # measured: 1.84 bits per dimension, 1.92 half way; independent pixels have 2.43. The schedule moves to 7.3 and -5.4.
    "digits": VariationalDiffusionRecipe(
        data="digits", steps=1200, batch_size=128, learning_rate=2e-3, schedule="cosine", average_decay=0.995, held_out=0.2,
        clip_norm=1.0, target=1.90, evaluate_every=600, checkpoint_every=600,
    ),
    "cifar10": VariationalDiffusionRecipe(
        data="cifar10", steps=200_000, batch_size=128, learning_rate=2e-4, warmup_steps=1000, average_decay=0.9999, clip_norm=1.0,
        num_levels=256, log_snr_max=13.3, frequencies=(7, 8), base_channels=128, multipliers=(1, 2), blocks=4, compact=False,
        sampling_steps=250, evaluate_every=10_000, checkpoint_every=10_000,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return VariationalDiffusionExperiment(recipe, data.description["shape"])
